import { LINE_END, listItem } from './lines.ts';

// For lines without trailing white space; other separators of lines and paragraphs are ordinary characters in them.
const ITEM = /^(\s*)(?:[-*+]|\d+[.)])\s+\[(.)\]\s+(\S.*)$/su;
const QUOTE = /^\s*>\s?(.*)$/s;
const HEADING = /^(#{1,6})\s+(\S.*)$/s;
const RULE = /^(?:-{3,}|\*{3,}|_{3,})$/;
const FENCE = /^\s*(```+|~~~+)/;

export type ChecklistLine = {
  kind: 'blank' | 'heading' | 'item' | 'bullet' | 'quote' | 'fenced' | 'rule' | 'text';
  /** From 0. */
  at: number;
  whole: string;
  /** Its indentation. */
  depth: number;
  /** Its text, without the signs of its kind. */
  text: string;
  mark: string;
  level: number;
};

/** Reads the lines of a markdown file, each with its kind. Anything between fences is code. */
export function* linesOf(text: string): Generator<ChecklistLine> {
  let fence: { sign: string; depth: number } | undefined;
  for (const [at, given] of text.split(LINE_END).entries()) {
    const whole = given.trimEnd();
    const space = /^\s*/.exec(whole)?.[0] ?? '';
    const line = { at, whole, depth: width(space), text: whole.slice(space.length), mark: '', level: 0 };
    const sign = FENCE.exec(whole)?.[1];
    if (fence !== undefined) {
      const { depth } = fence;
      if (sign?.startsWith(fence.sign) && line.text === sign) fence = undefined;
      yield { ...line, kind: 'fenced', depth, text: whole.slice(Math.min(depth, space.length)) };
    } else if (sign !== undefined) {
      fence = { sign, depth: line.depth };
      yield { ...line, kind: 'fenced' };
    } else yield { ...line, ...kindOf(whole) };
  }
}

function kindOf(whole: string): Pick<ChecklistLine, 'kind'> & Partial<ChecklistLine> {
  if (whole === '') return { kind: 'blank' };
  const [, signs, heading] = HEADING.exec(whole) ?? [];
  if (signs !== undefined && heading !== undefined) return { kind: 'heading', level: signs.length, text: heading };
  const [, , mark, title] = ITEM.exec(whole) ?? [];
  if (mark !== undefined && title !== undefined) return { kind: 'item', mark, text: title };
  if (RULE.test(whole.replace(/\s+/g, ''))) return { kind: 'rule' };
  const bullet = listItem(whole);
  if (bullet !== undefined) return { kind: 'bullet', text: bullet };
  const quote = QUOTE.exec(whole)?.[1];
  return quote === undefined ? { kind: 'text' } : { kind: 'quote', text: quote };
}

function width(space: string): number {
  return space.replaceAll('\t', '    ').length;
}
