// Our own passage in a text that people write: found by its marks, replaced in place, removed without a trace. Throws
// if it cannot be told from their words.

const START = '<!-- cairn:start -->';
const END = '<!-- cairn:end -->';

export function setBlock(text: string, body: string): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const block = `${START}\n${body}\n${END}`.replaceAll('\n', eol);
  const found = findBlock(text);
  if (found !== null) return text.slice(0, found.start) + block + text.slice(found.end);
  const gap = text === '' ? '' : text.endsWith('\n') ? eol : eol + eol;
  return `${text}${gap}${block}${eol}`;
}

export function removeBlock(text: string): string {
  const found = findBlock(text);
  if (found === null) return text;
  const before = text.slice(0, found.start).replace(/(\r?\n)\r?\n$/, '$1');
  return before + text.slice(found.end).replace(/^\r?\n/, '');
}

/** Finds our passage. Throws unless the marks are one pair: nobody could say whose the words between them are. */
function findBlock(text: string): { start: number; end: number } | null {
  const [start, end] = [text.indexOf(START), text.indexOf(END)];
  if (start === -1 && end === -1) return null;
  const isPair = start !== -1 && start < end && start === text.lastIndexOf(START) && end === text.lastIndexOf(END);
  if (!isPair) throw new Error(`it must have ${START} and ${END} once each, in this order, or neither`);
  return { start, end: end + END.length };
}
