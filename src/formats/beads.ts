import * as z from 'zod';
import type { ForeignTask } from '../services/adoption.ts';
import { checked, listItems, paragraphs, type SourceFile, statusOf, titled, wrongFile } from './foreign-task.ts';

const Issue = z.looseObject({
  id: z.string().min(1).max(200),
  title: z.string().min(1),
  description: z.string().nullish(),
  design: z.string().nullish(),
  acceptance_criteria: z.string().nullish(),
  notes: z.string().nullish(),
  status: z.string().default('open'),
  priority: z.int().min(0).max(4).nullish(),
  issue_type: z.string().nullish(),
  labels: z.array(z.string()).nullish(),
  close_reason: z.string().nullish(),
  external_ref: z.string().nullish(),
  dependencies: z.array(z.looseObject({ depends_on_id: z.string(), type: z.string().default('blocks') })).nullish(),
});
type Issue = z.output<typeof Issue>;

const DELETED = 'tombstone';
const PRIORITIES = ['critical', 'high', 'medium', 'low', 'low'] as const;

/** What `bd export` writes: JSON Lines, an issue a line with its dependencies on it. What is no issue, or deleted, is passed over. */
export function readBeads({ path, text }: SourceFile): ForeignTask[] {
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return [];
    const place = `${path} line ${at + 1}`;
    const value = parseLine(line, place);
    const { _type = 'issue', status } = (value ?? {}) as { _type?: unknown; status?: unknown };
    return _type === 'issue' && status !== DELETED ? [readIssue(checked(Issue, value, place), place)] : [];
  });
}

function parseLine(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw wrongFile(`${place} is not JSON.`);
  }
}

function readIssue(issue: Issue, place: string): ForeignTask {
  const links = issue.dependencies ?? [];
  const named = (...types: string[]) =>
    links.filter(({ type }) => types.includes(type)).map(({ depends_on_id }) => depends_on_id);
  const others = links.filter(
    ({ type }) => !/^(blocks|conditional-blocks|waits-for|parent-child|discovered-from)$/.test(type),
  );
  const { status, left_out = [] } = statusOf(issue.status);
  return {
    key: issue.id,
    place,
    title: issue.title,
    description: paragraphs(
      issue.description,
      titled('Design', issue.design),
      titled('Notes', issue.notes),
      titled('Type', issue.issue_type === 'task' ? undefined : issue.issue_type),
      titled('Labels', issue.labels?.join(', ')),
      titled('Reference', issue.external_ref),
    ),
    acceptance_criteria: listItems(issue.acceptance_criteria),
    priority: PRIORITIES[issue.priority ?? 2],
    status,
    remark: issue.close_reason || (issue.status === 'open' ? undefined : `It was ${issue.status} in Beads.`),
    dependencies: named('blocks', 'conditional-blocks', 'waits-for'),
    parent: named('parent-child')[0],
    discovered_from: named('discovered-from')[0],
    left_out: [...left_out, ...others.map(({ type, depends_on_id }) => `its link "${type}" to ${depends_on_id}`)],
  };
}
