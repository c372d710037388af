import { mistyped } from '../mistyped.ts';
import { readInputText } from '../move/import-source.ts';
import { canAsk } from '../terminal/ask.ts';
import { writeInEditor } from '../terminal/editor.ts';
import type { JsonOption } from '../terminal/output.ts';

/** Reads the text of an option: `-` stands for standard input. */
export async function textOption(given: string | undefined): Promise<string | undefined> {
  return given === '-' ? (await readInputText()).trimEnd() : given;
}

/**
 * Hands on the words, otherwise standard input; a person at a terminal writes in their editor. Raises invalid_input for
 * nothing.
 */
export async function withText<Done>(
  words: string[],
  { explanation, ...options }: JsonOption & { explanation: string },
  use: (text: string) => Promise<Done>,
): Promise<Done> {
  if (words.length > 0) return use(said(words.join(' ')));
  if (canAsk(options)) return writeInEditor('', explanation, (text) => use(said(text)));
  return use(said(process.stdin.isTTY ? '' : await readInputText()));
}

function said(text: string): string {
  if (text.trim() !== '') return text.trimEnd();
  throw mistyped('There is no text.', 'Give the text behind, in quotes, or on standard input.');
}
