import type { Agent } from '../events/agents.ts';
import type { Approval } from '../events/approvals.ts';
import type { Command } from '../events/commands.ts';
import type { RunBrief } from '../events/runs.ts';
import { named, quote } from '../quote.ts';
import { NO_OTHER_WAY } from '../services/approvals.ts';
import type { NextCommandAnswer } from '../services/callers.ts';
import { orderText } from '../services/order.ts';
import { block, lines, time } from './render.ts';

export function renderAgent(agent: Agent): string {
  const { name, type, state, host, queued, running = [], stopped } = agent;
  const where = host === undefined ? '' : ` on ${named(host)}`;
  return lines(
    `${named(name)} (${named(type)}${where}): ${state}${queued > 0 ? `, ${queued} queued` : ''}`,
    stopped !== undefined && `  ${quote(stopped)}`,
    running.map((run) => `  ${runLine(run)}`),
  );
}

export function renderNext({ given, again, interrupted }: NextCommandAnswer): string {
  if (interrupted !== undefined) return interrupted;
  if (given === undefined) return 'Nothing waits for you. Next: next_command with wait_seconds, or end your turn.';
  return lines(
    again && 'You have not ended this one:',
    orderText(given),
    `Next: do it, then update_command with run ${given.run.id}, lock_token ${given.lock_token}, status completed or failed.`,
  );
}

export function renderCommand(command: Command): string {
  const { runs = [], error, report } = command;
  return lines(commandLine(command), block('content', command.content), error !== undefined && block('error', error), [
    ...runs.map((run) => `- ${runLine(run)}`),
    ...(report === undefined ? [] : [`report ${report}: get_report shows it.`]),
  ]);
}

export function commandLine({ id, status, content, priority, sent_by, created_at, task }: Command): string {
  const about = task === undefined ? '' : ` for ${task}`;
  return `${id} ${status}${about}, priority ${priority}, from ${named(sent_by)}, ${time(created_at)}: ${quote(content, 120)}`;
}

export function renderApproval(approval: Approval) {
  const { id, kind, title, state, asked_by, asked_of, options, answer, note, decided_by, expires_at } = approval;
  const about = kind === 'task' ? 'review' : kind;
  return lines(
    `${about} ${quote(title)} from ${named(asked_by)}: ${state}${decided_by === undefined ? '' : ` by ${named(decided_by)}`}` +
      `${state !== 'pending' ? '' : expires_at === undefined ? ` for ${named(asked_of ?? 'a person')}` : `, until ${time(expires_at)}`}` +
      ` (approval ${id})`,
    state === 'pending' && options !== undefined && `  options: ${options.map((option) => quote(option)).join(', ')}`,
    answer !== undefined && block('answer', answer),
    note !== undefined && block('note', note),
  );
}

/** The answer for the model that asked: with a no it is told what to do. */
export function renderAsked(approval: Approval) {
  const { state } = approval;
  return lines(
    renderApproval(approval),
    state === 'denied' && NO_OTHER_WAY,
    state === 'expired' && `Nobody answered, which is a no. ${NO_OTHER_WAY}`,
  );
}

export function runLine({ id, agent, status, why, end_reason, error, result }: RunBrief): string {
  const ended = end_reason === undefined || end_reason === status ? '' : ` (${end_reason})`;
  const told = [why, error].filter((words) => words !== undefined).map((words) => quote(words, 200));
  return `${named(agent)} ${status}${ended}${told.length > 0 ? `: ${told.join(', ')}` : ''} (run ${id})${
    result === undefined ? '' : `\n  ${quote(result, 600)}`
  }`;
}
