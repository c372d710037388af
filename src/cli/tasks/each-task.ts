import type { Context } from '../../context.ts';
import { failureData, failureLines } from '../failure.ts';
import { type JsonOption, printLine, printResult } from '../terminal/output.ts';
import { taskRef } from './refs.ts';

type Deed<Done> = { act(ref: string): Promise<Done>; show(done: Done): string[] };

/** Runs an action on each task and goes on after a refusal; prints each result at once, and fails after any refusal. */
export async function eachTask<Done extends object>(
  ctx: Context,
  { given, ...options }: JsonOption & { given: string[] },
  { act, show }: Deed<Done>,
): Promise<void> {
  const [only = '', ...others] = given;
  if (others.length === 0) return printResult(await act(await taskRef(ctx, only)), options, show);
  const results: object[] = [];
  for (const one of given) {
    try {
      const done = await act(await taskRef(ctx, one));
      results.push(done);
      if (!options.json) printLine(show(done).join('\n'));
    } catch (error) {
      const failure = failureData(error);
      results.push({ task: one, error: failure });
      if (!options.json) process.stderr.write(`cairn: ${failureLines(failure)}\n`);
      process.exitCode = 1;
    }
  }
  if (options.json) printLine(JSON.stringify(results, null, 2));
}
