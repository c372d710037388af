import type { Config } from '../../config.ts';
import type { CostList, GROUPS } from '../../services/costs.ts';
import { person } from '../../tools/person.ts';
import { amount, took } from '../../tools/render.ts';
import { dollars } from '../../tools/trace-text.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { shortId } from '../short-id.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { table } from '../terminal/table.ts';

type Group = (typeof GROUPS)[number];
export type CostsOptions = JsonOption & { by: Group; since?: string; until?: string; agent?: string; limit: number };

const NONE: Readonly<Record<Group, string>> = Object.freeze({
  ...{ run: 'no run', command: 'no command', task: 'no task', agent: 'no agent', model: 'not told', day: 'no day' },
});

/** `cairn costs`: what runs used. */
export async function runCosts(config: Config, { limit, by, json, ...asked }: CostsOptions): Promise<void> {
  const project = config.project === undefined ? {} : { project: config.project };
  const found = await inLocalContext(config, (ctx) =>
    perform(ctx, person.list_costs, { ...asked, ...project, by, page_size: limit }),
  );
  printResult(found, json ? { json } : {}, (costs) => costLines(costs, by));
}

function costLines({ costs, total, since, until, not_listed = 0 }: CostList, by: Group): string[] {
  if (costs.length === 0) return [`No run has used anything from ${since} to ${until}. \`cairn runs\` shows the runs.`];
  const { runs = 0, requests = 0, cost_usd = 0, tokens_unpriced = 0 } = total;
  return [
    ...table(costs, [
      {
        heading: by.toUpperCase(),
        text: ({ key }) => (key === null ? NONE[by] : by === 'run' || by === 'command' ? shortId(key) : key),
        style: (text) => styled('bold', text),
        flexible: true,
      },
      { heading: 'COST', text: ({ cost_usd, requests }) => (requests > 0 ? dollars(cost_usd) : '') },
      { heading: 'RUNS', text: ({ runs }) => String(runs), spare: 3 },
      { heading: 'REQUESTS', text: ({ requests }) => String(requests), spare: 2 },
      { heading: 'TOKENS IN', text: ({ tokens_in }) => String(tokens_in) },
      { heading: 'CACHED', text: ({ tokens_cached }) => (tokens_cached > 0 ? String(tokens_cached) : ''), spare: 1 },
      { heading: 'OUT', text: ({ tokens_out }) => String(tokens_out) },
      { heading: 'WAITED', text: ({ waited_ms }) => (waited_ms ? took(waited_ms) : ''), spare: 0 },
    ]),
    ...(not_listed > 0 ? [`… and ${not_listed} more, in the sum below: \`--limit\` lists up to 500.`] : []),
    '',
    `${styled('bold', dollars(cost_usd))} for ${amount(requests, 'request')} of ${amount(runs, 'run')} from ${since} to ${until}, at list prices; under a subscription it is what it would have cost.`,
    ...(tokens_unpriced > 0
      ? [styled('yellow', `${tokens_unpriced} tokens of models without a price: \`cairn prices\` sets one.`)]
      : []),
  ];
}
