import type { Context } from '../context.ts';
import { DomainError, domainErrorFrom } from '../errors.ts';
import { isId } from '../events/ids.ts';
import { escaped } from '../text.ts';
import { agents as agentTools } from '../tools/agents.ts';
import { perform } from './local-context.ts';
import { readPages } from './pagination.ts';

const RUNS_MAX = 1_000;

/** Finds a run by its id, as the latest of an agent, or by the end of its id. */
export async function findRun(ctx: Context, given: string): Promise<string> {
  if (isId(given)) return given;
  const ofAgent = await perform(ctx, agentTools.commands.list_runs, { agent: given, page_size: 1 }).catch((thrown) => {
    if (domainErrorFrom(thrown).code === 'not_found') return undefined;
    throw thrown;
  });
  const latest = ofAgent?.runs[0];
  if (latest !== undefined) return latest.id;
  if (ofAgent !== undefined) {
    throw new DomainError('not_found', `${escaped(given)} has had no run.`, {
      hint: 'A command to it makes one: cairn send.',
    });
  }
  const { items } = await readPages(
    RUNS_MAX,
    (page) => perform(ctx, agentTools.commands.list_runs, page),
    ({ runs }) => runs,
  );
  const found = items.filter(({ id }) => given.length >= 4 && id.endsWith(given.toLowerCase()));
  const [one] = found;
  if (one !== undefined && found.length === 1) return one.id;
  throw new DomainError('not_found', `There is no run and no agent ${escaped(given.slice(0, 40))}.`, {
    hint: '`cairn runs` shows the ids.',
  });
}
