import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colours for a terminal that shows them (NO_COLOR says that it must not), plain text for anything else. */
export function paint(style: Style, text: string): string {
  return text !== '' && process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text;
}

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

export type JsonOption = { json?: true };

/** An answer as JSON for a program, or as lines for a person. */
export function answer<Answer>(value: Answer, { json }: JsonOption, show: (value: Answer) => string[]): void {
  say(json ? JSON.stringify(value, null, 2) : show(value).join('\n'));
}
