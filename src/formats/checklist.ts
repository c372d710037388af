import { type ChecklistLine, linesOf } from './checklist-lines.ts';
import type { ForeignTask } from './foreign-task.ts';
import {
  beginning,
  lineRange,
  paragraphs,
  priorityOf,
  type SourceFile,
  titled,
  type Warn,
  wrongFile,
} from './foreign-task.ts';

// A name that is made of an item's surroundings must not grow with the file.
const LEVELS_MAX = 50;
const KEY_PART_MAX = 300;
const ITEMS_MAX = 100_000;
const SHOWN_LINES_MAX = 20;
const NAME = /^((?:[A-Za-z][\w-]*-|#)\d+|[A-Z]{1,5}\d+):\s+/;
// A backslash protects a comma, a bracket or a backslash.
const HINTS = /\s\(((?:[^()\\]|\\.)*)\)$/;
const HINT = /(?:[^,\\]|\\.)+/g;
export const STATUS_BY_MARK: Readonly<Record<string, ForeignTask['status']>> = Object.freeze({
  ' ': 'pending',
  x: 'completed',
  X: 'completed',
  '/': 'in_progress',
  '-': 'cancelled',
  '~': 'cancelled',
  '!': 'blocked',
});

type Hints = Pick<ForeignTask, 'priority' | 'rank' | 'labels' | 'dependencies'>;
type Heading = { at: number; level: number; text: string; isUsed: boolean };
type Item = {
  at: number;
  depth: number;
  mark: string;
  /** The lines of the title; the first one names the item. */
  title: string[];
  parent: Item | undefined;
  headings: Heading[];
  criteria: string[][];
  description: string[];
};
/** The target of the next line: a title, a criterion, or a description. */
type Reading = {
  items: Item[];
  open: Item[];
  headings: Heading[];
  unread: number[];
  goesOn: string[] | undefined;
  afterBlank: boolean;
};

/**
 * Reads a markdown checklist: `- [ ] web-3: Title (high, rank 2, after web-1, #api)`. An indented item is a part of the
 * one above it, an indented bullet an acceptance criterion, other indented text the description. Name and hints are
 * optional.
 */
export function readChecklist({ path, text, home }: SourceFile, warn: Warn): ForeignTask[] {
  const lines = [...linesOf(text)];
  const reading: Reading = { items: [], open: [], headings: [], unread: [], goesOn: undefined, afterBlank: true };
  const all: Heading[] = [];
  for (const line of lines) {
    if (line.kind === 'heading') all.push(addHeading(reading, line));
    else if (line.kind === 'item') addItem(reading, line, path);
    else addText(reading, line);
    reading.afterBlank = line.kind === 'blank';
  }
  if (reading.items.length === 0) throw wrongFile(`${path} has no checklist item (- [ ] …).`);
  // The start of the file names the list.
  const first = lines.findIndex(({ kind }) => kind !== 'blank');
  const unused = all.filter(({ at, level, isUsed }) => !isUsed && !(at === first && level === 1)).map(({ at }) => at);
  warnOfUnread([...reading.unread, ...unused], lines, { path, warn });
  return withKeys(reading.items, { path, warn, file: home === undefined ? [] : [home.slice(-KEY_PART_MAX)] });
}

export function isChecklist({ text }: SourceFile): boolean {
  for (const { kind } of linesOf(text)) if (kind === 'item') return true;
  return false;
}

function addHeading(reading: Reading, { at, level, text }: ChecklistLine): Heading {
  const heading = { at, level, text, isUsed: false };
  reading.headings = [...reading.headings.filter((above) => above.level < level), heading];
  reading.open.length = 0;
  reading.goesOn = undefined;
  return heading;
}

function addItem(reading: Reading, { at, depth, mark, text }: ChecklistLine, path: string): void {
  const { items, open, headings } = reading;
  close(open, depth);
  const place = `${path} line ${at + 1}`;
  if (open.length >= LEVELS_MAX) throw wrongFile(`${place}: an item has more than ${LEVELS_MAX} others above it.`);
  if (items.length >= ITEMS_MAX) throw wrongFile(`${place}: there are more than ${ITEMS_MAX} items.`);
  // The first level is the title of the page.
  const above = headings.filter(({ level }) => level > 1);
  for (const heading of above) heading.isUsed = true;
  const item = { at, depth, mark, title: [text], parent: open.at(-1), headings: above, criteria: [], description: [] };
  items.push(item);
  open.push(item);
  reading.goesOn = item.title;
}

/** Adds a line below an item: it belongs to the innermost item that it is indented under, or continues a line. */
function addText(reading: Reading, { kind, at, depth, text }: ChecklistLine): void {
  const { open, unread, goesOn, afterBlank } = reading;
  if (kind === 'blank') {
    reading.goesOn = undefined;
    return;
  }
  if (kind === 'text' && goesOn !== undefined) {
    goesOn.push(text);
    return;
  }
  // Text continues a line that belongs to no item, however it is indented.
  const isStray = kind === 'rule' || (kind === 'text' && !afterBlank && unread.at(-1) === at - 1);
  if (kind === 'bullet' || depth === 0 || isStray) close(open, isStray ? 0 : depth);
  const owner = open.findLast((item) => item.depth < depth);
  if (owner === undefined) {
    unread.push(at);
    reading.goesOn = undefined;
  } else if (kind === 'bullet') {
    reading.goesOn = [text];
    owner.criteria.push(reading.goesOn);
  } else {
    if (afterBlank && owner.description.length > 0) owner.description.push('');
    owner.description.push(text);
    reading.goesOn = kind === 'fenced' ? undefined : owner.description;
  }
}

function close(open: Item[], depth: number): void {
  while (open.length > 0 && (open.at(-1)?.depth ?? 0) >= depth) open.pop();
}

/** Warns of each run of lines that were not read; blank lines do not end a run. */
function warnOfUnread(unread: number[], lines: ChecklistLine[], { path, warn }: { path: string; warn: Warn }): void {
  const runs: number[][] = [];
  for (const at of unread.toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    const goesOn = run !== undefined && lines.slice((run.at(-1) ?? at) + 1, at).every(({ kind }) => kind === 'blank');
    if (goesOn) run.push(at);
    else runs.push([at]);
  }
  for (const run of runs) {
    const [first = 0] = run;
    const said = run.slice(0, SHOWN_LINES_MAX).map((at) => lines[at]?.whole);
    const range = lineRange(first + 1, (run.at(-1) ?? first) + 1);
    warn(`${path} ${range}: left out what belongs to no item: ${beginning(said.join(' '))}.`);
  }
}

/** Names unnamed items after their place and text; the same text again, or in another file, is another item. */
function withKeys(items: Item[], { path, warn, file }: { path: string; warn: Warn; file: string[] }): ForeignTask[] {
  const seen = new Map<string, number>();
  const keys = new Map<Item, string>();
  return items.map((item) => {
    const place = `${path} line ${item.at + 1}`;
    const first = readTitle(item.title[0] ?? '');
    const parent = item.parent && keys.get(item.parent);
    const heading = item.headings.at(-1)?.text.slice(0, KEY_PART_MAX);
    const known =
      first.key || [...file, heading, parent?.slice(-KEY_PART_MAX), first.title.slice(0, KEY_PART_MAX)].join(' / ');
    const times = (seen.get(known) ?? 0) + 1;
    seen.set(known, times);
    const key = times === 1 || first.key !== '' ? known : `${known} (${times})`;
    keys.set(item, key);
    const status = STATUS_BY_MARK[item.mark];
    if (status === undefined) warn(`${place}: [${item.mark}] is none of [ ] [x] [/] [-] [!], so it is pending.`);
    const section = item.headings.map(({ text }) => text.slice(0, KEY_PART_MAX)).join(' / ');
    return {
      ...readTitle(item.title.join(' ')),
      key,
      place,
      parent,
      description: paragraphs(item.description.join('\n'), titled('Section', section)),
      acceptance_criteria: item.criteria.map((parts) => parts.join(' ').replace(/^\\(?=\\*\[)/, '')),
      status: status ?? 'pending',
      remark: status === undefined || status === 'pending' ? undefined : 'It was marked so in the checklist.',
    };
  });
}

function readTitle(text: string): Pick<ForeignTask, 'key' | 'title'> & Hints {
  const key = NAME.exec(text)?.[1] ?? '';
  const named = text.replace(NAME, '');
  const found = HINTS.exec(named);
  const hints = readHints(found?.[1]);
  return {
    key,
    title: hints === undefined ? named : named.slice(0, found?.index).trimEnd(),
    ...(hints ?? { dependencies: [] }),
  };
}

/**
 * Reads `high, rank 2, after web-1, #api`; undefined if any part is something else, because it belongs to the title
 * then.
 */
function readHints(given: string | undefined): Hints | undefined {
  const hints: Hints = { dependencies: [] };
  for (const part of hintsIn(given)) {
    const after = /^after (\S+)$/.exec(part)?.[1];
    const rank = /^rank (-?\d{1,16}(?:\.\d{1,25})?(?:e[+-]?\d{1,2})?)$/.exec(part)?.[1];
    // `(#12)` names an issue.
    const label = /^#(?!\d+$)(\S.*)$/s.exec(part)?.[1];
    const priority = priorityOf(part);
    if (after !== undefined) hints.dependencies.push(after);
    else if (rank !== undefined && hints.rank === undefined) hints.rank = Number(rank);
    else if (label !== undefined) hints.labels = [...(hints.labels ?? []), label.replace(/\\(.)/g, '$1')];
    else if (priority !== undefined) hints.priority = priority;
    else return undefined;
  }
  return given === undefined ? undefined : hints;
}

function hintsIn(given: string | undefined): string[] {
  return given === undefined ? [] : (given.match(HINT) ?? ['']).map((text) => text.trim());
}

/** Returns the name of a checklist: its first heading, where the writer puts it. */
export function checklistName(text: string): string | undefined {
  return /^\s*# +(\S.*)/.exec(text)?.[1]?.trim();
}
