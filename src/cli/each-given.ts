import { failureData, failureLines } from './failure.ts';
import { type JsonOption, printLine, printResult } from './terminal/output.ts';

type Deed<Done> = { act(one: string): Promise<Done>; show(done: Done): string[] };
/** `kind` names what is given, in the JSON of a refusal. */
type GivenOptions = JsonOption & { given: readonly string[]; kind: string };

/** Does something with each that is given and goes on after a refusal; prints each result at once, and fails after any refusal. */
export async function eachGiven<Done extends object>(
  { given, kind, ...options }: GivenOptions,
  { act, show }: Deed<Done>,
): Promise<void> {
  const [only = '', ...others] = given;
  if (others.length === 0) return printResult(await act(only), options, show);
  const results: object[] = [];
  for (const one of given) {
    try {
      const done = await act(one);
      results.push(done);
      if (!options.json) printLine(show(done).join('\n'));
    } catch (error) {
      const failure = failureData(error);
      results.push({ [kind]: one, error: failure });
      if (!options.json) process.stderr.write(`cairn: ${failureLines(failure)}\n`);
      process.exitCode = 1;
    }
  }
  if (options.json) printLine(JSON.stringify(results, null, 2));
}
