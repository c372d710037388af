import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { type FollowOptions, followRuns } from './follow.ts';
import { readContents } from './reading.ts';
import { runTable } from './runs.ts';

const SHOWN_MAX = 100;

export type QueueOptions = JsonOption & { follow?: true };

/** `cairn queue [AGENT]`: what the agents do, and what waits for them in the order in which they take it. */
export async function runQueue(
  config: Config,
  agent: string | undefined,
  { follow, ...options }: QueueOptions,
): Promise<void> {
  const read = (ctx: Context) => perform(ctx, agentTools.commands.list_queue, { agent, page_size: SHOWN_MAX });
  const show: FollowOptions<Awaited<ReturnType<typeof read>>>['show'] = ({ runs }, contents) => [
    ...(runs.length === 0 ? ['Nothing runs, and nothing waits.'] : runTable(runs, contents)),
    ...(runs.length === SHOWN_MAX ? [styled('dim', `Only the first ${SHOWN_MAX}: cairn queue AGENT`)] : []),
  ];
  if (follow) return followRuns(config, { read, show }, options);
  const { found, contents } = await inLocalContext(config, async (ctx) => {
    const found = await read(ctx);
    return { found, contents: options.json ? new Map() : await readContents(ctx, found.runs) };
  });
  printResult(found, options, () => show(found, contents));
}
