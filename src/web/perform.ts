import type { Actor } from '../db/database.ts';
import { DomainError } from '../errors.ts';
import { pathName } from '../text.ts';
import { type Command, runCommand } from '../tools/command.ts';
import { inputSentences } from '../tools/input-error.ts';
import type { Web } from './web.ts';

/** Does something for a person at a page: SQL knows what their role allows. */
export function perform<Output>(
  { db, blobs, log, actor }: Pick<Web, 'db' | 'blobs' | 'log'> & { actor: Actor },
  command: Command<Output>,
  given: object,
): Promise<Output> {
  return runCommand({ db, blobs, log, actor, scopes: 'all' }, command, (input) => {
    const parsed = input.safeParse(given);
    if (parsed.success) return parsed.data;
    throw new DomainError('invalid_input', inputSentences(parsed.error, given, pathName), {
      hint: 'Go back, and correct the form.',
    });
  });
}
