import truncatedWidth from 'fast-string-truncated-width';

const ELLIPSIS = '…';
// Colours take no room (ECMA-48, SGR).
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they begin with
const COLOURS = /(\u001b\[[\d;]*m)/;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Counts the terminal columns of a text: some characters take two, some none. */
export function widthOf(text: string): number {
  return truncatedWidth(text).width;
}

/** Clips the text to so many columns, between the characters that a reader sees; keeps colours. */
export function clip(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns <= 0) return '';
  let room = columns - widthOf(ELLIPSIS);
  let isCut = false;
  const kept = text.split(COLOURS).map((part, at) => {
    // Every second part is a colour; those behind the cut restore the plain colour.
    if (at % 2 === 1) return part;
    if (isCut) return '';
    const start = startOf(part, room);
    room -= widthOf(start);
    isCut = start !== part;
    return isCut ? start + ELLIPSIS : start;
  });
  return kept.join('');
}

/** Returns the longest start of a text that fits. */
function startOf(text: string, columns: number): string {
  let end = 0;
  for (const { segment, index } of graphemes.segment(text)) {
    const next = index + segment.length;
    if (widthOf(text.slice(0, next)) > columns) break;
    end = next;
  }
  return text.slice(0, end);
}
