import * as z from 'zod';
import type { ForeignTask } from './foreign-task.ts';
import {
  checked,
  LooseTitle,
  paragraphs,
  parseJson,
  priorityOf,
  type SourceFile,
  tickedItems,
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

const Named = z.union([z.string().transform((name) => ({ name })), z.looseObject({ name: z.string() })]);
const Issue = z.looseObject({
  number: z.int().min(1).nullish(),
  title: LooseTitle.nullish(),
  body: z.string().nullish(),
  state: z.string().default('OPEN'),
  stateReason: z.string().nullish(),
  // The same field in answers of GitHub's API.
  state_reason: z.string().nullish(),
  html_url: z.string().nullish(),
  labels: z.array(Named).nullish(),
  milestone: z.union([z.string().transform((title) => ({ title })), z.looseObject({ title: z.string() })]).nullish(),
  comments: z.array(z.unknown()).nullish(),
  url: z.string().nullish(),
});
const Said = z.looseObject({
  author: z.looseObject({ login: z.string() }).nullish(),
  body: z.string(),
  createdAt: z.string().nullish(),
});
type Issue = z.output<typeof Issue>;
type Counts = Map<string, number>;

const CHECKLIST_ITEM = /^[-*+]\s+\[([ xX])\]\s+(\S.*)$/s;
const LINK_TO_ISSUE = /^(?:#(\d+)|https:\/\/\S+\/issues\/(\d+))\b/;
const WAITS_FOR = /\b(?:depends on|blocked by|requires|after)[:\s]+((?:#\d+(?:\s*(?:,|and|&)\s*)?)+)/gi;

/**
 * Reads the output of `gh issue list --state all --json
 * number,title,body,state,stateReason,labels,milestone,comments,url`.
 */
export function readGitHub(file: SourceFile, warn: Warn): ForeignTask[] {
  const counts: Counts = new Map();
  const issues = checked(z.array(z.unknown()), parseJson(file), file.path).flatMap((value, at) => {
    const place = `${file.path} [${at}]`;
    const read = salvageNamed(Issue, value, { place, warn, id: 'number' });
    return read === undefined ? [] : [{ ...read, place }];
  });
  // An item of a tasklist that links to an issue makes that issue a part of this one.
  const parents = new Map<string, string>();
  for (const { record, key } of issues) {
    for (const { text } of checklist(record.body)) {
      const part = linked(text);
      if (part !== undefined && part !== key && !parents.has(part)) parents.set(part, key);
    }
  }
  // gh prints the newest first.
  const tasks = issues.toReversed().map(({ record, others, key, place }): ForeignTask => {
    const description = describe(record, others, counts);
    return { ...readIssue(record, key), key, place, description, parent: parents.get(key) };
  });
  warnOfCounts(counts, { place: file.path, warn });
  return tasks;
}

function readIssue(issue: Issue, key: string): Omit<ForeignTask, 'key' | 'place'> {
  const { number, title, body, state, labels } = issue;
  const reason = issue.stateReason ?? issue.state_reason;
  const names = (labels ?? []).map(({ name }) => name);
  const criteria = checklist(body).filter(({ text }) => linked(text) === undefined);
  const isClosed = state.toUpperCase() === 'CLOSED';
  const isGivenUp = /not.planned|duplicate/i.test(reason ?? '');
  return {
    title: title ?? `#${number}`,
    acceptance_criteria: criteria.map(({ text }) => text),
    unmet: criteria.filter(({ mark }) => mark === ' ').map(({ text }) => text),
    priority: names.map(priorityOfLabel).find((priority) => priority !== undefined),
    labels: names,
    status: isClosed ? (isGivenUp ? 'cancelled' : 'completed') : 'pending',
    remark: isClosed
      ? `It was closed on GitHub${reason ? ` (${reason.toLowerCase().replaceAll('_', ' ')})` : ''}.`
      : undefined,
    dependencies: waitsFor(body).filter((name) => name !== key),
  };
}

function describe(issue: Issue, others: Others, counts: Counts): string | undefined {
  const { number, body, state, labels, milestone, comments } = issue;
  for (const { name: _, ...rest } of labels ?? []) countOthers(counts, 'labels', rest);
  const { title: _, ...rest } = milestone ?? { title: '' };
  countOthers(counts, 'milestones', rest);
  if (!/^(open|closed)$/i.test(state)) others['state'] = state;
  else if (!/^closed$/i.test(state)) others['stateReason'] = issue.stateReason ?? issue.state_reason;
  return paragraphs(
    body,
    commentsOf(comments, { others, counts, between: '\n\n' }, readComment),
    titled('Milestone', milestone?.title),
    titled('GitHub', issue.html_url ?? issue.url ?? (number == null ? undefined : `#${number}`)),
    otherFields(others),
  );
}

function readComment(given: unknown): Comment | undefined {
  const { author, body: text, createdAt: at, ...rest } = Said.safeParse(given).data ?? {};
  return text === undefined ? undefined : { author: author?.login, at, text, rest };
}

function checklist(body: string | null | undefined): { mark: string; text: string }[] {
  return tickedItems(body ?? '', CHECKLIST_ITEM);
}

function linked(item: string): string | undefined {
  const link = LINK_TO_ISSUE.exec(item);
  return link?.[1] ?? link?.[2];
}

function waitsFor(body: string | null | undefined): string[] {
  const lists = [...(body ?? '').matchAll(WAITS_FOR)].map(([, list = '']) => list);
  return [...new Set(lists.flatMap((list) => list.match(/\d+/g) ?? []))];
}

/** Reads `priority: high`, `priority/high`, `P1`, `critical`. */
function priorityOfLabel(name: string): ForeignTask['priority'] {
  return priorityOf(name.replace(/^prio(?:rity)?\s*[:/_-]?\s*/i, ''));
}
