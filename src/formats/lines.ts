/** The end of a line in a text file of any system. */
export const LINE_END = /\r\n|[\r\n]/;

const ITEM = /^\s*(?:[-*+]|\d+[.)])\s+(\S.*)$/s;
const BOX = /^\[([ xX]?)\]\s+/;

/** Returns the text of a list's item, box included; undefined for a line that begins none. */
export function listItem(line: string): string | undefined {
  return ITEM.exec(line)?.[1];
}

/** Removes the box before a text; `isTicked` if it is not empty. */
export function withoutBox(text: string): { text: string; isTicked: boolean } {
  const mark = BOX.exec(text)?.[1] ?? '';
  return { text: text.replace(BOX, ''), isTicked: mark.trim() !== '' };
}
