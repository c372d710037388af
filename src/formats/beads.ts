import * as z from 'zod';
import { recordOf } from '../records.ts';
import type { ForeignTask } from './foreign-task.ts';
import {
  checked,
  LooseId,
  LooseTitle,
  lineRanges,
  listItems,
  paragraphs,
  parsed,
  parseJson,
  priorityOf,
  type SourceFile,
  skipped,
  statusOf,
  titled,
  type Warn,
} from './foreign-task.ts';
import {
  type Comment,
  commentsOf,
  countOthers,
  type Others,
  otherFields,
  salvageNamed,
  warnOfCounts,
} from './salvage.ts';

const Link = z.looseObject({ depends_on_id: LooseId, type: z.string().default('blocks') });
const Issue = z.looseObject({
  _type: z.string().nullish(),
  id: LooseId.nullish(),
  title: LooseTitle.nullish(),
  description: z.string().nullish(),
  design: z.string().nullish(),
  acceptance_criteria: z.union([z.string(), z.array(z.string())]).nullish(),
  notes: z.string().nullish(),
  status: z.string().default('open'),
  priority: z.union([z.int().min(0).max(4), z.string()]).nullish(),
  issue_type: z.string().nullish(),
  labels: z.array(z.string()).nullish(),
  close_reason: z.string().nullish(),
  external_ref: z.string().nullish(),
  comments: z.array(z.unknown()).nullish(),
  dependencies: z.array(Link).nullish(),
});
const Said = z.looseObject({
  author: z.string().nullish(),
  text: z.string(),
  created_at: z.string().nullish(),
});
type Issue = z.output<typeof Issue>;
type Reading = { place: string; warn: Warn; counts: Map<string, number> };

const DELETED = 'tombstone';
const PRIORITIES = ['critical', 'high', 'medium', 'low', 'low'] as const;
const BLOCKING = ['blocks', 'conditional-blocks', 'waits-for'];

/**
 * Reads the output of `bd export`: JSON Lines, an issue per line with its dependencies; or the array that `bd list
 * --json` prints. Skips deleted issues and anything that is no issue.
 */
export function readBeads(file: SourceFile, warn: Warn): ForeignTask[] {
  const counts = new Map<string, number>();
  const passed: number[] = [];
  const found = recordsIn(file, warn).flatMap(({ value, place, line }, at): Found[] => {
    const { _type, status } = recordOf(value);
    if ((_type ?? 'issue') !== 'issue' || status === DELETED) {
      passed.push(line ?? at + 1);
      return [];
    }
    const task = readIssue(value, { place, warn, counts });
    return task === undefined ? [] : [{ task, at: timeOf(value), value }];
  });
  const { path } = file;
  if (passed.length > 0) {
    warn(`${path}: ${passed.length} that are deleted or no issues were passed over: ${lineRanges(passed).join(', ')}.`);
  }
  warnOfCounts(counts, { place: path, warn });
  return newest(found, warn);
}

type Read = { value: unknown; place: string; line?: number };

function recordsIn(file: SourceFile, warn: Warn): Read[] {
  const { path, text } = file;
  if (/^\s*\[/.test(text)) {
    return checked(z.array(z.unknown()), parseJson(file), path).map((value, at) => ({
      value,
      place: `${path} [${at}]`,
    }));
  }
  return text.split('\n').flatMap((line, at): Read[] => {
    if (line.trim() === '') return [];
    const place = `${path} line ${at + 1}`;
    const value = parsed(line);
    if (value !== undefined) return [{ value, place, line: at + 1 }];
    warn(`${place} is not JSON, ${skipped(line)}.`);
    return [];
  });
}

/** `at`: the time of the issue's last change, in milliseconds. */
type Found = { task: ForeignTask; at: number; value: unknown };

function timeOf(value: unknown): number {
  return Date.parse(String(recordOf(value)['updated_at'])) || 0;
}

/** Drops older states of an issue, which a merge of two files leaves behind: they share its id and creation time. */
function newest(found: Found[], warn: Warn): ForeignTask[] {
  const states = new Map<string, Found>();
  const name = ({ task, value }: Found) =>
    JSON.stringify([task.key, recordOf(value)['created_at'] ?? { title: task.title }]);
  for (const state of found) {
    const other = states.get(name(state));
    if (other === undefined || state.at >= other.at) states.set(name(state), state);
  }
  return found.flatMap((state) => {
    const { task, value } = state;
    const kept = states.get(name(state));
    if (kept === state) return [task];
    warn(`${task.place}: ${task.key} is as it was before ${kept?.task.place}, ${skipped(value)}.`);
    return [];
  });
}

function readIssue(value: unknown, reading: Reading): ForeignTask | undefined {
  const read = salvageNamed(Issue, value, reading);
  if (read === undefined) return undefined;
  const { record: issue, others, key } = read;
  const priority = priorityIn(issue, others);
  const { status, left_out = [] } = statusOf(issue.status);
  const { dependencies, parent, discovered_from, left_out: links } = linksOf(issue, reading);
  return {
    key,
    place: reading.place,
    title: issue.title ?? key,
    description: paragraphs(
      issue.description,
      titled('Design', issue.design),
      titled('Notes', issue.notes),
      commentsOf(issue.comments, { others, counts: reading.counts, between: '\n' }, readComment),
      titled('Type', issue.issue_type === 'task' ? undefined : issue.issue_type),
      titled('Reference', issue.external_ref),
      titled('Beads', issue.id),
      otherFields(others),
    ),
    acceptance_criteria: [issue.acceptance_criteria ?? []].flat().flatMap(listItems),
    priority,
    labels: issue.labels ?? undefined,
    status,
    remark: issue.close_reason || (issue.status === 'open' ? undefined : `It was ${issue.status} in Beads.`),
    dependencies,
    parent,
    discovered_from,
    left_out: [...left_out, ...links],
  };
}

function priorityIn({ priority }: Issue, others: Others): ForeignTask['priority'] {
  const digit = /^p?([0-4])$/i.exec(String(priority ?? 2).trim())?.[1];
  const found = digit === undefined ? priorityOf(String(priority)) : PRIORITIES[Number(digit)];
  if (found === undefined) others['priority'] = priority;
  return found;
}

/** Returns an issue's dependencies, parent and origin: Cairn has one each of the last two. */
function linksOf(issue: Issue, { counts }: Reading) {
  const links = issue.dependencies ?? [];
  for (const { depends_on_id: _, type: __, issue_id: ___, ...rest } of links) countOthers(counts, 'links', rest);
  const named = (...types: string[]) =>
    links.flatMap(({ type, depends_on_id }) => (types.includes(type) ? depends_on_id : []));
  const [parent, ...parents] = named('parent-child');
  const [origin, ...origins] = named('discovered-from');
  const others = links.filter(({ type }) => ![...BLOCKING, 'parent-child', 'discovered-from'].includes(type));
  return {
    dependencies: named(...BLOCKING),
    parent,
    discovered_from: origin,
    left_out: [
      ...parents.map((id) => `its parent ${id}, for it has ${parent}`),
      ...origins.map((id) => `its origin ${id}, for it has ${origin}`),
      ...others.map(({ type, depends_on_id }) => `its link "${type}" to ${depends_on_id}`),
    ],
  };
}

function readComment(given: unknown): Comment | undefined {
  if (typeof given === 'string') return { text: given };
  const { author, text, created_at: at, ...rest } = Said.safeParse(given).data ?? {};
  return text === undefined ? undefined : { author, at, text, rest };
}
