import type { Resumption } from '../services/checkpoints.ts';
import { table } from './format.ts';
import { paint } from './paint.ts';

/** Something that stands still until a person does something, and the command for it. */
type Need = { what: string; task: string; who: string; text: string; command: string };

/** What needs a person: questions of agents, blocked tasks, and tasks whose holder is gone. */
export function needsYou({
  project,
  questions = [],
  questions_open,
  blocked = [],
  in_progress = [],
}: Resumption): string[] {
  const needs: Need[] = [
    ...questions.map(({ seq, by, task = '', text }) => ({
      what: `question ${seq}`,
      task,
      who: by,
      text: questionIn({ text }),
      command: 'cairn answer NUMBER "…"',
    })),
    ...in_progress
      .filter(({ session }) => session !== undefined)
      .map(({ ref, locked_by = '', session = '' }) => ({
        what: 'left',
        task: ref,
        who: locked_by,
        text: `its session ${session}`,
        command: 'cairn release REF',
      })),
    ...blocked.map(({ ref, blocked_reason = '' }) => ({
      what: 'blocked',
      task: ref,
      who: '',
      text: blocked_reason,
      command: 'cairn unblock REF',
    })),
  ];
  if (needs.length === 0) return [];
  const more = [
    ...moreOf((questions_open ?? 0) - questions.length, 'questions', 'cairn log --type task.noted project.noted'),
    ...moreOf(project.tasks.blocked - blocked.length, 'blocked', 'cairn tasks --status blocked'),
  ];
  return [
    paint(['bold', 'yellow'], 'Needs you'),
    ...table(needs, [
      { heading: 'WHAT', text: ({ what }) => what, style: (text) => paint('yellow', text) },
      { heading: 'TASK', text: ({ task }) => task, style: (text) => paint('bold', text) },
      { heading: 'WHO', text: ({ who }) => who, style: (text) => paint('cyan', text), flexible: true, spare: 1 },
      { heading: 'WHY', text: ({ text }) => text, flexible: true },
    ]),
    ...more,
    paint('dim', [...new Set(needs.map(({ command }) => command))].join('  ')),
  ];
}

/** The words of a question, without what the timeline says around them. */
export function questionIn({ text }: { text: string }): string {
  return text.replace(/^noted \[question\]: "([\s\S]*)"$/, '$1');
}

/** A line for what a list leaves out, with the command that shows it. */
export function moreOf(count: number, word: string, command: string): string[] {
  return count <= 0 ? [] : [paint('dim', `… and ${count} more${word && ` ${word}`}: ${command}`)];
}
