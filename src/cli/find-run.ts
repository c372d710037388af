import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isId } from '../events/ids.ts';
import { escaped } from '../text.ts';
import { type NamedRuns, runsOfAgent } from './agents/named-runs.ts';
import { readRuns } from './agents/reading.ts';
import { mistyped } from './mistyped.ts';
import { shortId, wholeId } from './short-id.ts';

const RUNS_MAX = 1_000;

/** Finds a run by its id, as that of an agent, or by the end of its id. */
export async function findRun(ctx: Context, given: string): Promise<string> {
  if (isId(given)) return given;
  if (given === '') {
    throw mistyped('Which run?', 'Give its id, the end of it, or the name of its agent: `cairn runs` shows them.');
  }
  const ofAgent = await runsOfAgent(ctx, given);
  if (ofAgent?.shown !== undefined) {
    remarkOn(ofAgent);
    return ofAgent.shown.id;
  }
  if (ofAgent !== undefined) {
    throw new DomainError('not_found', `${escaped(given)} has had no run.`, {
      hint: 'A command to it makes one: cairn send.',
    });
  }
  return runByEnd(ctx, given);
}

/** Finds a run by its id or the end of it, among those that have not ended first. */
export function runByEnd(ctx: Context, given: string): Promise<string> {
  const read = async (open_only: boolean) => (await readRuns(ctx, { open_only }, RUNS_MAX)).runs;
  return wholeId(given, {
    each: [() => read(true), () => read(false)],
    notFound: () =>
      new DomainError('not_found', `There is no run and no agent ${escaped(given.slice(0, 40))}.`, {
        hint: '`cairn runs` shows the ids.',
      }),
  });
}

/** Says which run of an agent is shown, where one may expect another. */
function remarkOn({ atWork, shown }: NamedRuns): void {
  const others = atWork.slice(1).map(({ id }) => shortId(id));
  if (shown?.status === 'queued') {
    process.stderr.write(`! The run ${shortId(shown.id)} waits: ${shown.why}. It has printed nothing yet.\n`);
  } else if (shown !== undefined && others.length > 0) {
    process.stderr.write(
      `! Of ${atWork.length} runs at work this is ${shortId(shown.id)}, the latest; the others: ${others.join(', ')}.\n`,
    );
  }
}
