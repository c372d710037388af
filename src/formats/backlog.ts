import { type CST, Parser, parse } from 'yaml';
import * as z from 'zod';
import type { ForeignTask } from '../services/adoption.ts';
import {
  checked,
  LooseId,
  paragraphs,
  priorityOf,
  type SourceFile,
  statusOf,
  titled,
  wrongFile,
} from './foreign-task.ts';

type Token = CST.Token;

const FrontMatter = z.looseObject({
  id: LooseId,
  title: z.string().min(1),
  status: z.string().default('To Do'),
  labels: z.array(z.string()).nullish(),
  milestone: z.string().nullish(),
  dependencies: z.array(LooseId).nullish(),
  parent_task_id: LooseId.nullish(),
  priority: z.string().nullish(),
});

const PAGE = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---(?:\r?\n([\s\S]*))?$/;
// The parser takes the square of the time where nearly every character is a mistake.
const FRONT_CHARACTERS_MAX = 16_384;
// It composes values by recursion: some thousand of them in one another would end the process.
const FRONT_LEVELS_MAX = 32;
const SECTION = /^## +(.+)$/gm;
const CHECKED_ITEM = /^- \[[ xX]\] +(?:#\d+ +)?(\S.*)$/;
const CRITERIA = ['Acceptance Criteria', 'Definition of Done'];

/** The task files of Backlog.md: YAML front matter, then sections of markdown. */
export function readBacklog(files: SourceFile[]): ForeignTask[] {
  return files.map(readPage).sort((a, b) => a.key.localeCompare(b.key, 'en', { numeric: true }));
}

export function looksLikeBacklog({ text }: SourceFile): boolean {
  return /^id:/m.test(PAGE.exec(text)?.[1] ?? '');
}

function readPage({ path, text }: SourceFile): ForeignTask {
  const [, front, body = ''] = PAGE.exec(text) ?? [];
  if (front === undefined) throw wrongFile(`${path} does not begin with front matter.`);
  const about = checked(FrontMatter, readYaml(front, path), path);
  const sections = readSections(body);
  const outcome = sections.get('Final Summary');
  const { status, left_out } = statusOf(about.status);
  return {
    // Written as TASK-2 in one version and task-2 in another.
    key: about.id.toUpperCase(),
    place: path,
    title: about.title,
    description: paragraphs(
      ...[...sections]
        .filter(([name]) => ![...CRITERIA, 'Final Summary'].includes(name))
        .map(([name, content]) => (name === 'Description' ? content : titled(name, content))),
      titled('Labels', about.labels?.join(', ')),
      titled('Milestone', about.milestone),
    ),
    acceptance_criteria: CRITERIA.flatMap((name) => checklist(sections.get(name) ?? '')),
    priority: priorityOf(about.priority),
    status,
    left_out,
    remark: outcome || (status === 'pending' ? undefined : `It was "${about.status}" in Backlog.md.`),
    dependencies: (about.dependencies ?? []).map((id) => id.toUpperCase()),
    parent: about.parent_task_id?.toUpperCase(),
  };
}

function readYaml(front: string, path: string): unknown {
  if (front.length > FRONT_CHARACTERS_MAX)
    throw wrongFile(`${path}: the front matter is longer than ${FRONT_CHARACTERS_MAX} characters.`);
  if (levelsOf(front) > FRONT_LEVELS_MAX)
    throw wrongFile(`${path}: the front matter is deeper than ${FRONT_LEVELS_MAX} levels.`);
  try {
    return parse(front, { maxAliasCount: 0, prettyErrors: false });
  } catch (error) {
    throw wrongFile(`${path}: the front matter is not YAML: ${(error as Error).message.split('\n')[0]}.`);
  }
}

/** How many values stand in one another, at most. */
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

function readSections(body: string): Map<string, string> {
  const headings = [...body.matchAll(SECTION)];
  return new Map(
    headings.map((heading, at) => {
      const content = body.slice(heading.index + heading[0].length, headings[at + 1]?.index);
      return [heading[1]?.trim() ?? '', content.split('\n').map(withoutComments).join('\n').trim()];
    }),
  );
}

/** A line without its comments; one that is not closed is text. */
function withoutComments(line: string): string {
  let [kept, from] = ['', 0];
  for (let start = line.indexOf('<!--'); start !== -1; start = line.indexOf('<!--', from)) {
    const end = line.indexOf('-->', start + 4);
    if (end === -1) break;
    kept += line.slice(from, start);
    from = end + 3;
  }
  return kept + line.slice(from);
}

function checklist(content: string): string[] {
  return content.split(/\r?\n/).flatMap((line) => CHECKED_ITEM.exec(line.trim())?.[1] ?? []);
}
