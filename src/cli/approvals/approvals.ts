import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import type { Approval } from '../../events/approvals.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { person } from '../../tools/person.ts';
import { followList } from '../following.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { readPages } from '../pagination.ts';
import { requirePerson } from '../require-person.ts';
import { shortId, wholeId } from '../short-id.ts';
import { isTaskRef, taskRef } from '../tasks/refs.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

const SHOWN_MAX = 100;
const KNOWN_MAX = 1_000;
/** The end of an id is longer. */
const TASK_NUMBER = /^#?\d{1,3}$/;

export type ApprovalsOptions = JsonOption & { all?: true; follow?: true; project?: string | undefined };
type Decision = { decision: 'approved' | 'denied'; answer?: string };
export type DecideOptions = JsonOption & { message?: string };

/** `cairn approvals`: what agents ask, and wait for. */
export async function runApprovals(config: Config, options: ApprovalsOptions): Promise<void> {
  await inLocalContext(config, async (ctx) => {
    const found = await readApprovals(ctx, { ...options, limit: SHOWN_MAX });
    printResult({ approvals: found }, options, () => listed(found));
    if (!options.follow) return;
    const following = {
      types: ['approval.'],
      printed: found,
      read: async () => (await readApprovals(ctx, { project: options.project, limit: SHOWN_MAX })).toReversed(),
      // What was answered leaves the list.
      stateOf: () => undefined,
      lineOf: ({ id, asked_by, kind, title }: Approval) => `${shortId(id)} ${asked_by} ${kind}: ${title}`,
    };
    await followList(ctx, following, options);
  });
}

/** `cairn approvals show ID`: one with all that the agent showed of it. */
export async function runShowApproval(config: Config, given: string, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, async (ctx) =>
    perform(ctx, person.get_approval, { approval: await approvalId(ctx, given) }),
  );
  printResult(found, options, () => [
    `${styled('bold', found.title)} ${styled('dim', `${found.kind} of ${found.asked_by}, ${stateOf(found)}`)}`,
    ...(found.options === undefined ? [] : [`Options: ${found.options.join(', ')}`]),
    ...(found.detail === undefined ? [] : JSON.stringify(found.detail, undefined, 2).split('\n')),
    ...(found.answer === undefined ? [] : [`Answer: ${found.answer}`]),
    ...(found.note === undefined ? [] : [`Note: ${found.note}`]),
  ]);
}

/** `cairn approvals approve|deny|answer ID`: a person's answer, from a terminal of their own. */
export async function runDecide(
  config: Config,
  given: string,
  { message, decision, answer, ...options }: DecideOptions & Decision,
): Promise<void> {
  requirePerson(config);
  const decided = await inLocalContext(config, async (ctx) =>
    perform(ctx, person.decide_approval, {
      approval: await approvalId(ctx, given),
      decision,
      ...(answer !== undefined && { answer }),
      ...(message !== undefined && { note: message }),
    }),
  );
  printResult(decided, options, () => [`"${decided.title}" is ${answer === undefined ? decision : 'answered'}.`]);
}

async function readApprovals(
  ctx: Context,
  { all, project, limit }: { all?: boolean | undefined; project?: string | undefined; limit: number },
): Promise<Approval[]> {
  const { items } = await readPages(
    limit,
    (page) => perform(ctx, agentTools.commands.list_approvals, { ...page, project, include_decided: all }),
    ({ approvals }) => approvals,
  );
  return items;
}

/** Reads what waits for a person in the whole workspace, for an overview. */
export function readPending(ctx: Context): Promise<Approval[]> {
  return readApprovals(ctx, { limit: SHOWN_MAX });
}

/** Finds one by its id or the end of it, among those that wait first; a review by its task. */
function approvalId(ctx: Context, given: string): Promise<string> {
  if (isTaskRef(given) || TASK_NUMBER.test(given)) return taskRef(ctx, given);
  return wholeId(given, {
    each: [false, true].map((all) => () => readApprovals(ctx, { all, limit: KNOWN_MAX })),
    notFound: () =>
      new DomainError('not_found', `There is no question ${given.slice(0, 40)}.`, {
        hint: '`cairn approvals list --all` shows the ids.',
      }),
  });
}

function listed(found: readonly Approval[]): string[] {
  if (found.length === 0) return ['Nothing waits for a person.'];
  return [...approvalTable(found), ...nextLines(found)];
}

/** The commands for those that wait: words answer a question alone. */
export function nextLines(approvals: readonly Approval[]): string[] {
  const kinds = new Set(approvals.filter(({ state }) => state === 'pending').map(({ kind }) => kind));
  if (kinds.size === 0) return [];
  const commands = [
    'show ID',
    ...(kinds.has('permission') || kinds.has('task') ? ['approve ID'] : []),
    'deny ID -m "…"',
    ...(kinds.has('question') ? ['answer ID "…"'] : []),
  ];
  return [styled('dim', commands.map((command) => `cairn approvals ${command}`).join('  '))];
}

export function approvalTable(approvals: readonly Approval[]): string[] {
  return table(approvals, [
    { heading: 'QUESTION', text: ({ id }) => shortId(id), style: (text) => styled('bold', text) },
    { heading: 'FROM', text: ({ asked_by }) => asked_by, style: (text) => styled('cyan', text) },
    { heading: 'KIND', text: ({ kind }) => kind, style: (text) => styled('yellow', text), spare: 2 },
    { heading: 'WHAT', text: ({ title }) => title, flexible: true },
    {
      heading: 'OPTIONS',
      text: ({ state, options = [] }) => (state === 'pending' ? options.join(', ') : ''),
      style: (text) => styled('dim', text),
      flexible: true,
      spare: 1,
    },
    { heading: 'STATE', text: stateOf, style: (text) => styled('dim', text) },
    { heading: 'WORDS', text: wordsOf, flexible: true, spare: 3 },
  ]);
}

/** With which words it was decided: the answer to a question, and what the agent was told with it. */
function wordsOf({ answer, note }: Approval): string {
  return [answer, note].filter((words) => words !== undefined).join('; ');
}

function stateOf({ kind, state, expires_at, asked_of, decided_by, decided_at }: Approval): string {
  if (state === 'pending')
    return expires_at === undefined ? `for ${asked_of ?? 'a person'}` : `a no ${fromNow(expires_at)}`;
  if (decided_by === undefined) return state;
  const done = kind === 'question' && state === 'approved' ? 'answered' : state;
  return `${done} by ${decided_by}${decided_at === undefined ? '' : `, ${fromNow(decided_at)}`}`;
}
