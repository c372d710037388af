import type { Context } from '../../context.ts';
import { domainErrorFrom } from '../../errors.ts';
import type { RunBrief } from '../../events/runs.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { perform } from '../local-context.ts';
import { readRuns } from './reading.ts';

const OPEN_MAX = 1_000;
const ENDED_MAX = 100;

export type NamedRuns = {
  /** The latest begun first. */
  atWork: RunBrief[];
  /** The first at work, else the latest that has begun, else the first that waits. */
  shown: RunBrief | undefined;
};

/** What an agent does and did, by its name; undefined where none is called so. */
export async function runsOfAgent(ctx: Context, agent: string): Promise<NamedRuns | undefined> {
  const read = async (limit: number, open_only: boolean) => (await readRuns(ctx, { agent, open_only }, limit)).runs;
  try {
    const open = await read(OPEN_MAX, true);
    const atWork = open
      .filter(({ status }) => status !== 'queued' && status !== 'pending')
      .sort((a, b) => (b.started_at ?? '').localeCompare(a.started_at ?? ''));
    if (atWork.length > 0) return { atWork, shown: atWork[0] };
    const all = await read(open.length + ENDED_MAX, false);
    const latest = all.find(({ started_at }) => started_at !== undefined);
    if (latest !== undefined) return { atWork, shown: latest };
    const { runs } = await perform(ctx, agentTools.commands.list_queue, { agent, page_size: 1 });
    return { atWork, shown: runs[0] ?? all[0] };
  } catch (thrown) {
    if (domainErrorFrom(thrown).code === 'not_found') return undefined;
    throw thrown;
  }
}
