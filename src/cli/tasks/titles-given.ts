import { STATUS_BY_MARK } from '../../formats/checklist.ts';
import { linesOf } from '../../formats/checklist-lines.ts';
import { withoutBox } from '../../formats/lines.ts';

export type TitleGiven = { title: string; line: number };

/**
 * Reads titles, one a line or item of a list, each with the number of its line. Counts the lines left out: items
 * that a checklist marks completed or cancelled, and headings with rules between them.
 */
export function titlesOf(text: string): { titles: TitleGiven[]; ended: number; headings: number } {
  const lines = [...linesOf(text)].filter(({ kind }) => kind !== 'blank');
  const between = lines.filter(({ kind }) => kind === 'heading' || kind === 'rule');
  const items = lines
    .filter((line) => !between.includes(line))
    .map(({ kind, at, text, mark, whole }) => {
      // Only a list's signs are no part of a title.
      const plain =
        kind === 'item' ? { text, isTicked: isEnded(mark) } : withoutBox(kind === 'bullet' ? text : whole.trim());
      return { title: plain.text.trim(), line: at + 1, isEnded: plain.isTicked };
    });
  const titles = items.filter(({ isEnded, title }) => !isEnded && title !== '');
  return {
    titles: titles.map(({ title, line }) => ({ title, line })),
    ended: items.filter(({ isEnded }) => isEnded).length,
    headings: between.length,
  };
}

function isEnded(mark: string): boolean {
  return ['completed', 'cancelled'].includes(STATUS_BY_MARK[mark] ?? '');
}
