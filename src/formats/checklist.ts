import type { Task } from '../events/tasks.ts';
import type { ForeignTask } from '../services/adoption.ts';
import { oneLine } from '../text.ts';
import { paragraphs, priorityOf, type SourceFile, titled, wrongFile } from './foreign-task.ts';

// Of lines without white space at their end.
const ITEM = /^(\s*)(?:[-*+]|\d+[.)])\s+\[(.)\]\s+(\S.*)$/;
const BULLET = /^\s*(?:[-*+]|\d+[.)])\s+(\S.*)$/;
const QUOTE = /^\s*>\s?(.*)$/;
const HEADING = /^(#{1,6})\s+(\S.*)$/;
// A name that is made of what is around an item must not grow with the file.
const LEVELS_MAX = 50;
const KEY_PART_MAX = 300;
const ITEMS_MAX = 100_000;
const FENCE = /^\s*(```|~~~)/;
const NAME = /^((?:[A-Za-z][\w-]*-|#)\d+|[A-Z]{1,5}\d+):\s+/;
const STATUS_BY_MARK: Readonly<Record<string, ForeignTask['status']>> = Object.freeze({
  ' ': 'pending',
  x: 'completed',
  X: 'completed',
  '/': 'in_progress',
  '-': 'cancelled',
  '~': 'cancelled',
  '!': 'blocked',
});
const MARK_BY_STATUS: Readonly<Record<ForeignTask['status'], string>> = Object.freeze({
  pending: ' ',
  in_progress: '/',
  blocked: '!',
  completed: 'x',
  cancelled: '-',
});

type Open = { depth: number; task: ForeignTask; quoted: string[] };

/**
 * A markdown checklist: `- [ ] web-3: Title (high, after web-1)`. An indented item is a part of the one above it, an indented
 * bullet an acceptance criterion, an indented quote the description. Name, priority and `after` may be left out.
 */
export function readChecklist({ path, text, home }: SourceFile): ForeignTask[] {
  const found: Open[] = [];
  const open: Open[] = [];
  const seen = new Map<string, number>();
  let heading: string | undefined;
  let fenced = false;
  const file = home === undefined ? [] : [home.slice(-KEY_PART_MAX)];
  for (const [at, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.trimEnd();
    if (line === '') continue;
    if (FENCE.test(line)) fenced = !fenced;
    if (fenced) continue;
    const [, level, title] = HEADING.exec(line) ?? [];
    if (level !== undefined) {
      // The first level is the title of the page.
      heading = level === '#' ? undefined : title?.slice(0, KEY_PART_MAX);
      open.length = 0;
      continue;
    }
    const item = ITEM.exec(line);
    if (item === null) {
      addDetail(open, line);
      continue;
    }
    const depth = width(item[1] ?? '');
    while (open.length > 0 && (open.at(-1)?.depth ?? 0) >= depth) open.pop();
    const place = `${path} line ${at + 1}`;
    if (open.length >= LEVELS_MAX) throw wrongFile(`${place}: an item has more than ${LEVELS_MAX} others above it.`);
    if (found.length >= ITEMS_MAX) throw wrongFile(`${place}: there are more than ${ITEMS_MAX} items.`);
    const parent = open.at(-1)?.task.key;
    const task = readItem(item[2] ?? ' ', item[3] ?? '', place);
    // Without a name an item is known by where it stands and what it says; the same again, or in another file, is another one.
    const known =
      task.key || [...file, heading, parent?.slice(-KEY_PART_MAX), task.title.slice(0, KEY_PART_MAX)].join(' / ');
    const times = (seen.get(known) ?? 0) + 1;
    seen.set(known, times);
    const key = times === 1 || task.key !== '' ? known : `${known} (${times})`;
    const entry = { depth, task: { ...task, key, parent }, quoted: [titled('Section', heading) || ''] };
    found.push(entry);
    open.push(entry);
  }
  if (found.length === 0) throw wrongFile(`${path} has no checklist item (- [ ] …).`);
  return found.map(({ task, quoted }) => ({ ...task, description: paragraphs(quoted.slice(1).join('\n'), quoted[0]) }));
}

export function looksLikeChecklist({ text }: SourceFile): boolean {
  return text.split(/\r?\n/).some((line) => ITEM.test(line.trimEnd()));
}

/** A quote or bullet below an item is about the innermost item that it is indented under. */
function addDetail(open: Open[], line: string): void {
  const depth = width(/^\s*/.exec(line)?.[0] ?? '');
  const owner = open.findLast((candidate) => candidate.depth < depth);
  if (owner === undefined) return;
  const quote = QUOTE.exec(line)?.[1];
  const bullet = BULLET.exec(line)?.[1];
  if (quote !== undefined) owner.quoted.push(quote);
  else if (bullet !== undefined) owner.task.acceptance_criteria?.push(bullet);
}

function width(space: string): number {
  return space.replaceAll('\t', '    ').length;
}

function readItem(mark: string, text: string, place: string): ForeignTask {
  const status = STATUS_BY_MARK[mark];
  if (status === undefined) throw wrongFile(`${place}: [${mark}] is none of [ ] [x] [/] [-] [!].`);
  const key = NAME.exec(text)?.[1] ?? '';
  const named = text.replace(NAME, '');
  const open = named.endsWith(')') && /\s/.test(named.charAt(named.lastIndexOf('(') - 1)) ? named.lastIndexOf('(') : -1;
  const hints = readHints(open === -1 ? undefined : named.slice(open + 1, -1));
  return {
    key,
    place,
    title: hints === undefined ? named : named.slice(0, open).trimEnd(),
    acceptance_criteria: [],
    status,
    remark: status === 'pending' ? undefined : 'It was marked so in the checklist.',
    ...(hints ?? { dependencies: [] }),
  };
}

/** `high, after web-1, after web-2`; undefined when any part is something else, for then it belongs to the title. */
function readHints(given: string | undefined): Pick<ForeignTask, 'priority' | 'dependencies'> | undefined {
  const hints: Pick<ForeignTask, 'priority' | 'dependencies'> = { dependencies: [] };
  for (const part of given?.split(',').map((text) => text.trim()) ?? []) {
    const after = /^after (\S+)$/.exec(part)?.[1];
    const priority = priorityOf(part);
    if (after !== undefined) hints.dependencies.push(after);
    else if (priority !== undefined) hints.priority = priority;
    else return undefined;
  }
  return given === undefined ? undefined : hints;
}

/** The tasks as a checklist that readChecklist reads again, parts below what they are part of. */
export function writeChecklist(name: string, tasks: Task[]): string {
  const shown = new Set(tasks.map(({ ref }) => ref));
  const isRoot = ({ parent }: Task) => parent === undefined || !shown.has(parent);
  const parts = groupByParent(tasks);
  const write = (task: Task, indent: string): string[] => [
    `${indent}- [${MARK_BY_STATUS[task.status]}] ${task.ref}: ${oneLine(task.title)} (${hintsOf(task)})`,
    ...detailsOf(task).map((line) => `${indent}  ${line}`),
    ...(parts.get(task.ref) ?? []).flatMap((part) => write(part, `${indent}  `)),
  ];
  return [`# ${oneLine(name)}`, '', ...tasks.filter(isRoot).flatMap((task) => write(task, '')), ''].join('\n');
}

function groupByParent(tasks: Task[]): Map<string | undefined, Task[]> {
  const parts = new Map<string | undefined, Task[]>();
  for (const task of tasks) parts.set(task.parent, [...(parts.get(task.parent) ?? []), task]);
  return parts;
}

function hintsOf({ priority, dependencies }: Task): string {
  return [priority, ...dependencies.map(({ ref }) => `after ${ref}`)].join(', ');
}

function detailsOf({ description, acceptance_criteria, blocked_reason, summary, unproven }: Task): string[] {
  const said = paragraphs(
    description,
    titled('Blocked', blocked_reason),
    titled('Outcome', summary),
    titled('Unproven', unproven && `criteria ${unproven.join(', ')}`),
  );
  const quoted = said?.split('\n').map((line) => `> ${line}`.trimEnd()) ?? [];
  return [...quoted, ...acceptance_criteria.map((criterion) => `- ${oneLine(criterion)}`)];
}
