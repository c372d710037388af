import type { Resumption } from '../../services/checkpoints.ts';
import type { QuestionPage } from '../../services/events.ts';
import type { MemoryPage } from '../../services/memory.ts';
import type { Needs } from '../../services/needs.ts';
import { shortId } from '../short-id.ts';
import { styled } from '../terminal/output.ts';
import { table } from '../terminal/table.ts';
import { blockedByCancelled } from './waiting.ts';

/** Something that waits for a person, and the command for it. */
type Need = { what: string; task: string; who: string; text: string; command: string };

type Found = Pick<Resumption, 'project' | 'blocked'> & { questions: QuestionPage; needs: Needs; proposed: MemoryPage };

/**
 * Lists needs of a person's action: agents' questions, unapproved tasks, tasks whose holder has ended, blocked ones,
 * memories that are given after a yes.
 */
export function needsYou({ project, questions, needs, proposed, blocked = [] }: Found): string[] {
  const rows: Need[] = [
    ...questions.questions.map(({ seq, by, task = '', text }) => ({
      what: `question ${seq}`,
      task,
      who: by,
      text,
      command: 'cairn answer NUMBER "…"',
    })),
    ...needs.unapproved.map(({ ref, title }) => ({
      what: 'approval',
      task: ref,
      who: '',
      text: title,
      command: 'cairn approve REF',
    })),
    ...needs.left.map(({ ref, locked_by = '', session = '' }) => ({
      what: 'left',
      task: ref,
      who: locked_by,
      text: `its session ${session}`,
      command: 'cairn release REF',
    })),
    // What was submitted waits among the approvals, which are shown above.
    ...blocked
      .filter(({ submitted }) => submitted !== true)
      .map((task) => ({
        what: 'blocked',
        task: task.ref,
        who: '',
        text: task.blocked_reason ?? '',
        // An unblocked task would wait for the cancelled one, out of sight.
        command: blockedByCancelled(task) === undefined ? 'cairn unblock REF' : 'cairn edit REF --not-after DEPENDENCY',
      })),
    ...proposed.memories.map(({ id, noted_by, key, text }) => ({
      what: `memory ${shortId(id)}`,
      task: '',
      who: noted_by,
      text: `${key}: ${text}`,
      command: 'cairn memory approve ID',
    })),
  ];
  if (rows.length === 0) return [];
  const inProgress = 'cairn tasks --status in_progress';
  return [
    styled(['bold', 'yellow'], 'Needs you'),
    ...table(rows, [
      { heading: 'WHAT', text: ({ what }) => what, style: (text) => styled('yellow', text) },
      { heading: 'TASK', text: ({ task }) => task, style: (text) => styled('bold', text) },
      { heading: 'WHO', text: ({ who }) => who, style: (text) => styled('cyan', text), flexible: true, spare: 1 },
      { heading: 'WHY', text: ({ text }) => text, flexible: true },
    ]),
    ...remainderLines(questions.open - questions.questions.length, 'questions', 'cairn questions'),
    ...remainderLines(needs.unapproved_count - needs.unapproved.length, 'to approve', 'cairn tasks'),
    ...remainderLines(needs.left_count - needs.left.length, 'left', inProgress),
    ...remainderLines(project.tasks.blocked - blocked.length, 'blocked', 'cairn tasks --status blocked'),
    ...(proposed.next_cursor === undefined ? [] : [styled('dim', '… and more memories: cairn memory --proposed')]),
    styled('dim', [...new Set(rows.map(({ command }) => command))].join('  ')),
  ];
}

/** Formats a line for the items that a list leaves out, with the command that shows them. */
export function remainderLines(count: number, word: string, command: string): string[] {
  return count <= 0 ? [] : [styled('dim', `… and ${count} more${word && ` ${word}`}: ${command}`)];
}
