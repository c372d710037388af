import { clean } from '../../text.ts';
import { styled } from './output.ts';

const CONTEXT_LINES = 2;

/**
 * Shows the changes in a text, line by line with some context. The text is untrusted: control characters could hide a
 * change.
 */
export function diffLines(before: string, after: string): string[] {
  const [old, now] = [linesOf(before), linesOf(after)];
  const limit = Math.min(old.length, now.length);
  let start = 0;
  while (start < limit && old[start] === now[start]) start++;
  let tail = 0;
  while (tail < limit - start && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const end = now.length - tail;
  return [
    ...now.slice(Math.max(0, start - CONTEXT_LINES), start).map((line) => styled('dim', marked(' ', line).trimEnd())),
    ...old.slice(start, old.length - tail).map((line) => styled('red', marked('-', line))),
    ...now.slice(start, end).map((line) => styled('green', marked('+', line))),
    ...now.slice(end, end + CONTEXT_LINES).map((line) => styled('dim', marked(' ', line).trimEnd())),
  ];
}

function marked(mark: string, line: string): string {
  return `  ${mark} ${clean(line)}`;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/);
}
