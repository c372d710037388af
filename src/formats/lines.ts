/** What ends a line of a text file, of whichever system. */
export const LINE_END = /\r\n|[\r\n]/;

const ITEM = /^\s*(?:[-*+]|\d+[.)])\s+(\S.*)$/s;
const BOX = /^\[([ xX]?)\]\s+/;

/** What an item of a list says, a box included; undefined for a line that begins none. */
export function listItem(line: string): string | undefined {
  return ITEM.exec(line)?.[1];
}

/** A text without the box before it; `isTicked` where there is something in it. */
export function withoutBox(text: string): { text: string; isTicked: boolean } {
  const mark = BOX.exec(text)?.[1] ?? '';
  return { text: text.replace(BOX, ''), isTicked: mark.trim() !== '' };
}
