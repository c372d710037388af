import { isCancel, text } from '@clack/prompts';
import { DomainError } from '../../errors.ts';
import { mistyped } from '../mistyped.ts';
import type { JsonOption } from './output.ts';

/** Tells whether there is a person to ask: both ends are a terminal, and no program waits for JSON. */
export function canAsk({ json }: JsonOption): boolean {
  return !json && process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Asks for one line on the terminal; empty for no answer. Raises invalid_input when the person leaves. */
export async function askLine(message: string, { optional = false } = {}): Promise<string> {
  const validate = (value: string | undefined) =>
    optional || value?.trim() ? undefined : 'Something must be said here.';
  const given = await text({ message, validate });
  if (isCancel(given)) throw new DomainError('invalid_input', 'Stopped: nothing was changed.');
  return (given ?? '').trim();
}

/** Returns the option's text, otherwise asks a person. Raises invalid_input that names the option. */
export async function givenOrAsked(
  given: string | undefined,
  { option, question }: { option: string; question: string },
  options: JsonOption,
): Promise<string> {
  if (given !== undefined) return given;
  if (canAsk(options)) return askLine(question);
  throw mistyped(`${option} is missing.`, `Say it: ${option} "…".`);
}
