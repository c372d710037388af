import { named, quote, quoteLines } from '../quote.ts';
import type { Claimed } from './runner.ts';

type Started = Exclude<Claimed, { nothing: string }>;

// In Cairn's own words, outside of what was sent.
const REPORT_WANTED =
  "A report of what you find is wanted: save it with Cairn's tool save_report (toolset agents), complete: true at the end.";

export type OrderOf = Pick<Started, 'run' | 'command' | 'lock_token'>;

/**
 * Writes a command as the agent reads it. Only what a person gave is marked as an operator's order: what comes from
 * another agent, or through a tool, never carries that mark.
 */
export function orderText({ run, command, lock_token }: OrderOf): string {
  const { id, content, sent_by, by_person, type } = command;
  const head = by_person ? `Operator command ${id}, from ${sent_by}:` : `From agent ${named(sent_by)} (command ${id}):`;
  const task =
    run.task === undefined
      ? ''
      : `\n\nThis assigns task ${run.task}. You hold it: lock_token ${lock_token}. Complete or release it with that.`;
  const report = type === 'investigate' ? `\n\n${REPORT_WANTED}` : '';
  return `${head}\n\n${by_person ? content : quoteLines(content)}${task}${report}\n`;
}

/** Says that a command was ended, and why: in words of whoever did it, which may be another agent. */
export function interruptText(reason: string): string {
  return `Your command was interrupted: ${quote(reason)}. Stop work on it.`;
}

/** What an agent reads that its provider's limit had ended in the middle of a command. */
export function goOnText({ command: { id, by_person } }: Pick<Started, 'command'>): string {
  return `${by_person ? 'Operator command' : 'Command'} ${id}: your provider allows more now. Go on where you stopped.\n`;
}
