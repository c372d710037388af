import { type CST, Parser, parse } from 'yaml';
import * as z from 'zod';
import { messageOf } from '../errors.ts';
import { linesOf } from './checklist-lines.ts';
import type { ForeignTask } from './foreign-task.ts';
import {
  LooseId,
  LooseTitle,
  paragraphs,
  priorityOf,
  type SourceFile,
  skipped,
  statusOf,
  tickedItems,
  titled,
  type Warn,
} from './foreign-task.ts';
import { LINE_END } from './lines.ts';
import { type Others, otherFields, salvage } from './salvage.ts';

type Token = CST.Token;

const Words = z.union([z.string().transform((text) => text.split(/[\s,]+/).filter(Boolean)), z.array(LooseId)]);
const FrontMatter = z.looseObject({
  id: LooseId.nullish(),
  title: LooseTitle.nullish(),
  status: z.string().default('To Do'),
  labels: z.union([z.string().transform((text) => text.split(',')), z.array(LooseId)]).nullish(),
  milestone: LooseTitle.nullish(),
  dependencies: Words.nullish(),
  parent_task_id: LooseId.nullish(),
  priority: z.string().nullish(),
  ordinal: z.number().nullish(),
});

const PAGE = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---(?:\r?\n([\s\S]*))?$/;
// The parser takes quadratic time where nearly every character is a mistake.
const FRONT_CHARACTERS_MAX = 16_384;
// It builds values by recursion: some thousand levels would end the process.
const FRONT_LEVELS_MAX = 32;
// Names of people as older versions wrote them, with characters that YAML reserves.
const BARE_NAME = /^([ \t]*(?:- |[\w-]+: ))([@`].*)$/gm;
const CHECKED_ITEM = /^- \[([ xX])\] +(?:#\d+ +)?(\S.*)$/s;
// The tool marks the start and end of its sections with these; people wrote any other comment.
const OWN_MARK = /^<!-- ?(?:[A-Z_]{1,30}:){1,3}(?:BEGIN|END) ?-->$/;
// A number, with or without the tool's default prefix.
const OLD_NAME = /^(?:TASK-)?[\d.]+$/;
const CRITERIA = ['Acceptance Criteria', 'Definition of Done'];
const SUMMARY = 'Final Summary';

type Section = { name: string; content: string };

/** Reads the task files of Backlog.md: YAML front matter, then sections of markdown. */
export function readBacklog(files: SourceFile[], warn: Warn): ForeignTask[] {
  const tasks = files
    .flatMap((file) => readPage(file, warn) ?? [])
    .sort((a, b) => a.key.localeCompare(b.key, 'en', { numeric: true }));
  return withOldLinks(tasks);
}

/** Resolves links like 4 or task-4 if only one task has that number, as BACK-4: a project may change its prefix. */
function withOldLinks(tasks: ForeignTask[]): ForeignTask[] {
  const numberOf = (key: string) => /[\d.]+$/.exec(key)?.[0] ?? key;
  const keys = new Set(tasks.map(({ key }) => key));
  const byNumber = new Map<string, string[]>();
  for (const key of keys) byNumber.set(numberOf(key), [...(byNumber.get(numberOf(key)) ?? []), key]);
  const resolve = (name: string) => {
    const isOld = OLD_NAME.test(name) && !keys.has(name);
    const [only, other] = isOld ? (byNumber.get(numberOf(name)) ?? []) : [];
    return only !== undefined && other === undefined ? only : name;
  };
  return tasks.map((task) => ({
    ...task,
    dependencies: task.dependencies.map(resolve),
    parent: task.parent === undefined ? undefined : resolve(task.parent),
  }));
}

export function isBacklog({ text }: SourceFile): boolean {
  return /^id:/m.test(PAGE.exec(text)?.[1] ?? '');
}

function readPage({ path, text }: SourceFile, warn: Warn): ForeignTask | undefined {
  const [, front, body = ''] = PAGE.exec(text) ?? [];
  if (front === undefined) {
    warn(`${path} does not begin with front matter, ${skipped(text)}.`);
    return undefined;
  }
  const yaml = readYaml(front, { path, warn });
  const read = yaml === undefined ? undefined : salvage(FrontMatter, yaml, { place: path, warn });
  if (read === undefined) return undefined;
  const { record: about, others } = read;
  const id = about.id ?? about.title;
  if (id == null) {
    warn(`${path}: it has neither id nor title, ${skipped(front)}.`);
    return undefined;
  }
  const sections = readSections(body);
  const criteria = sections.filter(isCriteria).flatMap(({ content }) => tickedItems(content, CHECKED_ITEM));
  const outcome = paragraphs(...sections.map(({ name, content }) => name === SUMMARY && content));
  const { status, left_out } = statusOf(about.status);
  return {
    // TASK-2 in one version and task-2 in another.
    key: id.toUpperCase(),
    place: path,
    title: about.title ?? id,
    description: describe(about, { sections, criteria, others: { ...others, comment: front.match(/^[ \t]*#.*$/gm) } }),
    acceptance_criteria: criteria.map(({ text }) => text),
    unmet: criteria.filter(({ mark }) => mark === ' ').map(({ text }) => text),
    priority: priorityOf(about.priority),
    rank: about.ordinal ?? undefined,
    labels: about.labels ?? undefined,
    status,
    left_out,
    remark: outcome || (status === 'pending' ? undefined : `It was "${about.status}" in Backlog.md.`),
    dependencies: (about.dependencies ?? []).map((name) => name.toUpperCase()),
    parent: about.parent_task_id?.toUpperCase(),
  };
}

type Page = { sections: Section[]; criteria: { mark: string }[]; others: Others };

function describe(about: z.output<typeof FrontMatter>, { sections, criteria, others }: Page): string | undefined {
  const { milestone, id, priority } = about;
  const met = criteria.flatMap(({ mark }, at) => (mark === ' ' ? [] : String(at + 1)));
  return paragraphs(
    ...sections.map((section) => {
      if (section.name === SUMMARY) return false;
      const content = isCriteria(section) ? withoutItems(section.content) : section.content;
      if (['', 'Description'].includes(section.name)) return content;
      return titled(section.name, content) || (!isCriteria(section) && section.name);
    }),
    titled(
      'Met so far',
      statusOf(about.status).status !== 'completed' && met.length > 0 && `criteria ${met.join(', ')}`,
    ),
    titled('Milestone', milestone),
    titled('Priority', priorityOf(priority) === undefined && priority),
    titled('Backlog.md', id),
    otherFields(others),
  );
}

function isCriteria({ name }: Section): boolean {
  return CRITERIA.includes(name);
}

function readYaml(front: string, { path, warn }: { path: string; warn: Warn }): unknown {
  const skip = (why: string) => {
    warn(`${path}: the front matter is ${why}, so the file was skipped.`);
    return undefined;
  };
  if (front.length > FRONT_CHARACTERS_MAX) return skip(`longer than ${FRONT_CHARACTERS_MAX} characters`);
  if (levelsOf(front) > FRONT_LEVELS_MAX) return skip(`deeper than ${FRONT_LEVELS_MAX} levels`);
  try {
    return parse(front.replace(BARE_NAME, quoted), { maxAliasCount: 0, prettyErrors: false }) ?? {};
  } catch (error) {
    return skip(`not YAML (${messageOf(error).split('\n')[0]})`);
  }
}

function quoted(_line: string, before: string, name: string): string {
  return `${before}'${name.trimEnd().replaceAll("'", "''")}'`;
}

/** Returns the depth of nested values. */
function levelsOf(yaml: string): number {
  let levels = 0;
  for (let outer: Token[] = [...new Parser().parse(yaml)]; outer.length > 0; levels += 1) {
    outer = outer.flatMap(valuesIn).filter((value) => value != null);
  }
  return levels;
}

function valuesIn(token: Token): (Token | null | undefined)[] {
  if ('items' in token) return token.items.flatMap(({ key, value }) => [key, value]);
  return token.type === 'document' ? [token.value] : [];
}

/** Reads the sections in order; text before the first one has no name. A heading in code is code. */
function readSections(body: string): Section[] {
  const sections: { name: string; lines: string[] }[] = [{ name: '', lines: [] }];
  for (const { kind, level, text, whole } of linesOf(body)) {
    if (kind === 'heading' && level === 2) sections.push({ name: text, lines: [] });
    else sections.at(-1)?.lines.push(withoutMarks(whole));
  }
  return sections.map(({ name, lines }) => ({ name, content: lines.join('\n').trim() }));
}

function withoutMarks(line: string): string {
  return OWN_MARK.test(line.trim().slice(0, 200)) ? '' : line;
}

function withoutItems(content: string): string {
  return content
    .split(LINE_END)
    .filter((line) => !CHECKED_ITEM.test(line.trim()))
    .join('\n');
}
