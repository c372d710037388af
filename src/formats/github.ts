import * as z from 'zod';
import type { ForeignTask } from '../services/adoption.ts';
import { checked, paragraphs, parseJson, priorityOf, type SourceFile, titled } from './foreign-task.ts';

const Issue = z.looseObject({
  number: z.int().min(1),
  title: z.string().min(1),
  body: z.string().nullish(),
  state: z.string().default('OPEN'),
  stateReason: z.string().nullish(),
  labels: z.array(z.looseObject({ name: z.string() })).nullish(),
  milestone: z.looseObject({ title: z.string() }).nullish(),
  url: z.string().nullish(),
});

const CHECKLIST_ITEM = /^[-*+]\s+\[[ xX]\]\s+(\S.*)$/;
const LINK_TO_ISSUE = /^(?:#(\d+)|https:\/\/\S+\/issues\/(\d+))\b/;
const WAITS_FOR = /\b(?:depends on|blocked by|requires|after)[:\s]+((?:#\d+(?:\s*(?:,|and|&)\s*)?)+)/gi;

/** What `gh issue list --state all --json number,title,body,state,stateReason,labels,milestone,url` prints. */
export function readGitHub(file: SourceFile): ForeignTask[] {
  const issues = checked(z.array(z.unknown()), parseJson(file), file.path).map((value, at) => ({
    place: `${file.path} [${at}]`,
    issue: checked(Issue, value, `${file.path} [${at}]`),
  }));
  // An item of a tasklist that links to an issue makes that issue a part of this one.
  const parents = new Map<string, string>();
  for (const { issue } of issues) {
    for (const item of checklist(issue.body)) {
      const part = linked(item);
      if (part !== undefined && part !== String(issue.number) && !parents.has(part))
        parents.set(part, String(issue.number));
    }
  }
  // gh prints the newest first.
  return issues
    .reverse()
    .map(({ issue, place }) => ({ ...readIssue(issue, place), parent: parents.get(String(issue.number)) }));
}

function readIssue(issue: z.output<typeof Issue>, place: string): ForeignTask {
  const { number, title, body, state, stateReason, labels, milestone, url } = issue;
  const names = (labels ?? []).map(({ name }) => name);
  const closed = state.toUpperCase() === 'CLOSED';
  const given = /not.planned|duplicate/i.test(stateReason ?? '');
  return {
    key: String(number),
    place,
    title,
    description: paragraphs(
      body,
      titled('Labels', names.join(', ')),
      titled('Milestone', milestone?.title),
      titled('GitHub', url ?? `#${number}`),
    ),
    acceptance_criteria: checklist(body).filter((item) => linked(item) === undefined),
    priority: names.map(priorityOfLabel).find((priority) => priority !== undefined),
    status: closed ? (given ? 'cancelled' : 'completed') : 'pending',
    remark: closed
      ? `It was closed on GitHub${stateReason ? ` (${stateReason.toLowerCase().replaceAll('_', ' ')})` : ''}.`
      : undefined,
    dependencies: waitsFor(body),
  };
}

function checklist(body: string | null | undefined): string[] {
  return (body ?? '').split(/\r?\n/).flatMap((line) => CHECKLIST_ITEM.exec(line.trim())?.[1] ?? []);
}

function linked(item: string): string | undefined {
  const link = LINK_TO_ISSUE.exec(item);
  return link?.[1] ?? link?.[2];
}

function waitsFor(body: string | null | undefined): string[] {
  const lists = [...(body ?? '').matchAll(WAITS_FOR)].map(([, list = '']) => list);
  return [...new Set(lists.flatMap((list) => list.match(/\d+/g) ?? []))];
}

/** `priority: high`, `priority/high`, `P1`, `critical`. */
function priorityOfLabel(name: string): ForeignTask['priority'] {
  return priorityOf(name.replace(/^prio(?:rity)?\s*[:/_-]?\s*/i, ''));
}
