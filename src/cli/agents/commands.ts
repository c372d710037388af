import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import type { Command } from '../../events/commands.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { durationOf } from '../limits.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { readPages } from '../pagination.ts';
import { shortId, wholeId } from '../short-id.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';
import { firstLine } from './reading.ts';
import { runTable } from './runs.ts';

const KNOWN_MAX = 1_000;
const NAMES_MAX = 2;
const NONE = 'No commands. `cairn send "…"` sends one.';

export type CommandsOptions = JsonOption & { status?: string; project?: string | undefined; limit: number };
export type CancelOptions = JsonOption & { message?: string };

/** `cairn commands`: those sent to agents, the latest first. */
export async function runCommands(
  config: Config,
  { status, project, limit, ...options }: CommandsOptions,
): Promise<void> {
  const { items, more } = await inLocalContext(config, (ctx) => readCommands(ctx, { status, project, limit }));
  printResult({ commands: items, more }, options, () => [
    ...(items.length === 0 ? [status === undefined ? NONE : 'No such commands.'] : commandTable(items)),
    ...(more ? [styled('dim', `Only the latest ${items.length}; --limit shows more.`)] : []),
  ]);
}

/** `cairn commands show [ID]`: by default the latest. */
export async function runShowCommand(config: Config, given: string | undefined, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, async (ctx) =>
    perform(ctx, agentTools.commands.get_command, { command: given && (await commandId(ctx, given)) }),
  );
  printResult(found, options, commandLines);
}

/** `cairn commands cancel ID`. */
export async function runCancel(config: Config, given: string, { message, ...options }: CancelOptions): Promise<void> {
  const cancelled = await inLocalContext(config, async (ctx) =>
    perform(ctx, agentTools.commands.cancel_command, { command: await commandId(ctx, given), reason: message }),
  );
  printResult(cancelled, options, ({ id, runs = [] }) => {
    const running = runs.filter(({ ended_at }) => ended_at === undefined).map(({ agent }) => agent);
    const ending = running.length === 0 ? '' : ` Its runs by ${running.join(', ')} will be interrupted.`;
    return [`The command ${shortId(id)} is cancelled.${ending}`];
  });
}

type Asked = { status?: string | undefined; project?: string | undefined; limit: number };

function readCommands(ctx: Context, { limit, ...asked }: Asked): Promise<{ items: Command[]; more: boolean }> {
  return readPages(
    limit,
    (page) => perform(ctx, agentTools.commands.list_commands, { ...page, ...asked }),
    ({ commands }) => commands,
  );
}

/** Finds a command by its id or the end of it. */
export function commandId(ctx: Context, given: string): Promise<string> {
  return wholeId(given, {
    each: [async () => (await readCommands(ctx, { limit: KNOWN_MAX })).items],
    notFound: () =>
      new DomainError('not_found', `There is no command ${given.slice(0, 40)}.`, {
        hint: '`cairn commands` shows the ids.',
      }),
  });
}

function commandTable(commands: readonly Command[]): string[] {
  return table(commands, [
    { heading: 'COMMAND', text: ({ id }) => shortId(id), style: (text) => styled('bold', text) },
    { heading: 'STATUS', text: ({ status }) => status, style: (text, command) => styled(commandStyle(command), text) },
    { heading: 'TO', text: targetsOf, style: (text) => styled('cyan', text), spare: 4 },
    { heading: 'TASK', text: ({ task = '' }) => task, spare: 3 },
    { heading: 'PRIORITY', text: ({ priority }) => String(priority), spare: 1 },
    { heading: 'TEXT', text: ({ content }) => firstLine(content), flexible: true },
    { heading: 'FROM', text: ({ sent_by }) => sent_by, flexible: true, spare: 0 },
    { heading: 'SENT', text: ({ created_at }) => fromNow(created_at), style: (text) => styled('dim', text), spare: 2 },
  ]);
}

function commandStyle({ status }: Command): 'cyan' | 'green' | 'red' | 'dim' {
  if (status === 'executing') return 'cyan';
  if (status === 'completed') return 'green';
  return status === 'failed' ? 'red' : 'dim';
}

function targetsOf({ runs = [] }: Command): string {
  const names = runs.map(({ agent }) => agent);
  const more = names.length - NAMES_MAX;
  return names.slice(0, NAMES_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

const LIMITS: readonly [limit: string, show: (most: number) => string][] = [
  ['time_limit_ms', durationOf],
  ['token_budget', (most) => `${most} tokens`],
  ['memory_limit_mb', (most) => `${most} MB`],
  ['cpu_limit_percent', (most) => `${most} % of a processor`],
  ['silence_limit_ms', (most) => `${durationOf(most)} without a sign of work`],
];

function limitsOf({ limits = {} }: Command): string {
  return LIMITS.flatMap(([limit, show]) => (limits[limit] === undefined ? [] : [show(limits[limit])])).join(', ');
}

function commandLines(command: Command): string[] {
  const { id, status, content, type, mode, priority, task, project, sent_by, by_person, error, report, runs } = command;
  const facts = [
    ['from', `${sent_by}${by_person ? '' : ', an agent'}, ${fromNow(command.created_at)}`],
    ['task', task],
    ['project', project],
    ['type', `${type}, as a ${mode}, priority ${priority}`],
    ['limits', limitsOf(command)],
    ['expires', status === 'queued' ? fromNow(command.expires_at) : undefined],
    ['ended', command.completed_at && fromNow(command.completed_at)],
    ['error', error],
    ['report', report && `cairn report show ${shortId(report)}`],
    ['id', id],
  ] as const;
  return [
    `${styled('bold', shortId(id))}  ${styled(commandStyle(command), status)}`,
    ...facts.flatMap(([fact, value]) => (value ? [`${styled('dim', fact.padEnd(9))}  ${value}`] : [])),
    '',
    content,
    // The text of all of them stands above.
    ...(runs === undefined ? [] : ['', styled('bold', 'Runs'), ...runTable(runs, new Map())]),
  ];
}
