import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colours for a terminal that shows them (NO_COLOR says that it must not), plain text for anything else. */
export function styled(style: Style, text: string): string {
  return text !== '' && process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text;
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`);
}

export type JsonOption = { json?: true };

/** What is said on the way to an answer: beside JSON it goes where nobody parses it. */
export function printRemark(text: string, { json }: JsonOption): void {
  (json ? process.stderr : process.stdout).write(`${text}\n`);
}

/** An answer as JSON for a program, or as lines for a person. */
export function printResult<Answer>(value: Answer, { json }: JsonOption, show: (value: Answer) => string[]): void {
  printLine(json ? JSON.stringify(value, null, 2) : show(value).join('\n'));
}

/** What was written where. Its text keeps off standard output, which may be that place. */
export function wrote(
  done: { file: string | undefined; [more: string]: unknown },
  { json }: JsonOption,
  text: string,
): void {
  if (json && done.file !== undefined) printLine(JSON.stringify(done, null, 2));
  else process.stderr.write(`${text}\n`);
}
