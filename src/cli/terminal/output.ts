import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colours text for a terminal that shows colours (NO_COLOR forbids them); plain text for anything else. */
export function styled(style: Style, text: string): string {
  return text !== '' && process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text;
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`);
}

export type JsonOption = { json?: true };

/** Prints a remark before the answer: with JSON it goes to standard error, which nobody parses. */
export function printRemark(text: string, { json }: JsonOption): void {
  (json ? process.stderr : process.stdout).write(`${text}\n`);
}

/** Prints an answer as JSON for a program, or as lines for a person. */
export function printResult<Answer>(value: Answer, { json }: JsonOption, show: (value: Answer) => string[]): void {
  printLine(json ? JSON.stringify(value, null, 2) : show(value).join('\n'));
}

/** Prints a value for `$(…)`, alone on standard output; what a person should know of it goes to standard error. */
export function printValue(
  answer: object,
  options: JsonOption,
  { value, about }: { value: string; about: string },
): void {
  printValues(answer, options, { values: [value], about });
}

/** The same of several, a line each, or of none. */
export function printValues(
  answer: object,
  options: JsonOption,
  { values, about }: { values: readonly string[]; about: string },
): void {
  if (!options.json) process.stderr.write(`${about}\n`);
  if (options.json || values.length > 0)
    printResult(answer, options, () => values.map((value) => styled('bold', value)));
}

/** Reports a written file. The text avoids standard output, which may be that file. */
export function wrote(
  done: { file: string | undefined; [more: string]: unknown },
  { json }: JsonOption,
  text: string,
): void {
  if (json && done.file !== undefined) printLine(JSON.stringify(done, null, 2));
  else process.stderr.write(`${text}\n`);
}
