import type * as z from 'zod';
import type { Context } from '../../context.ts';
import type { Task, TaskBrief } from '../../events/task-forms.ts';
import type { TaskWithHistory } from '../../services/tasks.ts';
import { oneLine } from '../../text.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { perform } from '../local-context.ts';
import { eventTable } from '../log/log.ts';
import { styled } from '../terminal/output.ts';
import { attemptsOf, fromNow, lease, statusOf, styledPriority, styledStatus, table } from '../terminal/table.ts';
import { remainderLines } from './needs.ts';
import { cancelledBefore, waitsInVain } from './waiting.ts';

export const OPEN = ['pending', 'in_progress', 'blocked'];
const PARTS_SHOWN = 20;

type Shown = z.infer<typeof TaskWithHistory>;
type Link = Pick<Task['dependencies'][number], 'ref' | 'title' | 'status' | 'unproven' | 'outcome'>;

/** Reads the first open parts of a task. */
export async function openParts(
  ctx: Context,
  task: Pick<Task, 'ref' | 'project' | 'open_parts'>,
): Promise<TaskBrief[]> {
  if (task.open_parts === undefined) return [];
  const asked = { project: task.project, parent: task.ref, status: OPEN, page_size: PARTS_SHOWN };
  return (await perform(ctx, taskTools.commands.list_tasks, asked)).tasks;
}

/** Formats one task with everything about it. */
export function taskLines(task: Shown, parts: readonly TaskBrief[] = []): string[] {
  const { ref, title, priority, rank, labels = [], artifacts, timeline } = task;
  return [
    `${styled('bold', `${ref}  ${title}`)}`,
    [
      styledStatus(statusOf(task), task),
      styledPriority(priority, priority),
      ...(rank === undefined ? [] : [`rank ${rank}`]),
      ...labels.map((label) => styled('cyan', `#${label}`)),
      styled('dim', `version ${task.version}, created ${fromNow(task.created_at)} by ${oneLine(task.created_by)}`),
    ].join('  '),
    ...standing(task),
    ...titled('Description', task.description === undefined ? [] : indented(task.description)),
    ...titled('Acceptance criteria', criteriaLines(task)),
    ...titled('Parts', partLines(task, parts)),
    ...titled('Depends on', task.dependencies.map(linkLine)),
    ...titled('Needed by', (task.dependents ?? []).map(linkLine)),
    ...titled(
      'Artifacts',
      artifacts.length === 0
        ? []
        : table(artifacts, [
            { heading: 'TYPE', text: ({ type }) => type },
            { heading: 'REF', text: (artifact) => artifact.ref, flexible: true },
            { heading: 'BY', text: ({ by }) => by, style: (text) => styled('cyan', text) },
            { heading: 'SUMMARY', text: ({ summary = '' }) => summary, flexible: true },
          ]),
    ),
    ...titled('Latest', timeline.length === 0 ? [] : eventTable(timeline)),
  ];
}

function criteriaLines({ acceptance_criteria, evidence = [] }: Shown): string[] {
  return acceptance_criteria.map((text, at) => {
    const shown = evidence.filter(({ criterion }) => criterion === at + 1);
    return shown.length === 0
      ? `  ${at + 1}. ${text}`
      : `  ${styled('green', '✓')} ${text}${shown.map(({ note, tier }) => styled('dim', `  ${tier}${note ? `: ${note}` : ''}`)).join('')}`;
  });
}

function linkLine({ ref, status, title, unproven, outcome }: Link): string {
  const state = [status.replace('_', ' '), unproven && 'unproven'].filter(Boolean).join(', ');
  return `  ${ref}  ${styled('dim', state)}  ${title}${outcome ? styled('dim', `: ${oneLine(outcome)}`) : ''}`;
}

function partLines({ ref, open_parts = 0 }: Shown, parts: readonly TaskBrief[]): string[] {
  if (parts.length === 0) return [];
  const shown = parts.map((part) => linkLine({ ...part, status: statusOf(part) }));
  return [...shown, ...remainderLines(open_parts - parts.length, '', `cairn tasks --parent ${ref}`)];
}

/** Formats a task's place, its holder, what keeps it from completion, and how it ended. */
function standing(task: Shown): string[] {
  const lines: (string | false | undefined)[] = [
    task.parent !== undefined && `Part of ${styled('bold', task.parent)}`,
    task.discovered_from !== undefined && `Found during ${task.discovered_from}`,
    task.locked_by !== undefined &&
      `Held by ${styled('cyan', oneLine(task.locked_by))}${task.locked_until ? `, ${lease(task.locked_until)}` : ''}`,
    task.blocked_reason !== undefined && `Blocked: ${task.blocked_reason}`,
    task.warning !== undefined && styled('yellow', task.warning),
    ...(task.waiting_for ?? []).map((text) => `Waits for: ${text}`),
    ...waitsInVain(task.ref, cancelledBefore(task)).map((line) => styled('yellow', line)),
    task.attempts !== undefined && attemptsOf(task.attempts),
    task.last_reason !== undefined &&
      `Last ${task.last_outcome} by ${oneLine(task.last_agent ?? 'someone')}: ${task.last_reason}`,
    task.reviewer !== undefined && `Checked by ${oneLine(task.reviewer)} before it counts as done`,
    task.approved_at !== undefined && `Approved ${fromNow(task.approved_at)}`,
    task.scope !== undefined && `Scope: ${JSON.stringify(task.scope)}`,
    task.summary !== undefined && `Completed: ${task.summary}`,
    task.unproven !== undefined && styled('yellow', `Unproven: criteria ${task.unproven.join(', ')}`),
  ];
  return lines.filter((line): line is string => typeof line === 'string');
}

export function titled(heading: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', styled('bold', heading), ...lines];
}

function indented(text: string): string[] {
  return text.split('\n').map((line) => `  ${line}`);
}
