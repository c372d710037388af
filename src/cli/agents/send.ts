import * as z from 'zod';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { COMMAND_CHARACTERS_MAX, type Command } from '../../events/commands.ts';
import { said } from '../../text.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { presets as presetTools } from '../../tools/presets.ts';
import { amount } from '../../tools/render.ts';
import { inLocalContext, parseGiven, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { shortId } from '../short-id.ts';
import { taskRef } from '../tasks/refs.ts';
import { withText } from '../tasks/text-given.ts';
import { type JsonOption, printLine, printResult, styled } from '../terminal/output.ts';
import { table } from '../terminal/table.ts';
import { readAgents } from './reading.ts';
import { noteOfRun, statusOfRun } from './runs.ts';
import { waitForRuns } from './wait.ts';

const NAMED_MAX = 10;
const ABSENT = new Set(['connecting', 'offline', 'lost']);

export type SendOptions = JsonOption & {
  to?: string[];
  preset?: string;
  set?: string[];
  type?: string;
  mode?: string;
  priority?: number;
  task?: string;
  time?: number;
  tokens?: number;
  profile?: string;
  ttl?: number;
  repeatable?: true;
  resume?: boolean;
  wait?: true;
};

/** `cairn send TEXT`: asks agents to do something, and says of each whether it starts or why not. */
export async function runSend(config: Config, words: string[], options: SendOptions): Promise<void> {
  await inLocalContext(config, async (ctx) => {
    const given = await givenBy(ctx, options);
    const sent = await withContent(words, options, (content) =>
      perform(ctx, agentTools.commands.send_command, { ...given, content }),
    );
    if (!options.wait) return printResult(sent, options, sentLines);
    if (!options.json) {
      printLine(sentLines(sent).join('\n'));
      await tellAbsent(ctx, sent);
    }
    const { command, left } = await waitForRuns(ctx, sent, options);
    if (left) {
      process.stderr.write(
        `cairn: The command goes on. \`cairn commands show ${shortId(sent.id)}\` tells what becomes of it.\n`,
      );
      process.exitCode = 130;
      return;
    }
    printResult(command, options, ({ id, status }) => [`The command ${shortId(id)} is ${endOf(status)}.`]);
    if (command.status !== 'completed') process.exitCode = 1;
  });
}

/** Says how many agents are waited for that may never come. */
async function tellAbsent(ctx: Context, { runs = [] }: Command): Promise<void> {
  const named = new Set(runs.map(({ agent }) => agent));
  const absent = (await readAgents(ctx)).filter(({ name, state }) => named.has(name) && ABSENT.has(state));
  if (absent.length === 0) return;
  const [are, they] = absent.length === 1 ? ['is', 'It is'] : ['are', 'They are'];
  process.stderr.write(
    `cairn: ${absent.length} of ${amount(named.size, 'agent')} ${are} not running: ${namesOf(absent)}. ` +
      `${they} waited for until the command expires.\n`,
  );
}

function namesOf(agents: readonly { name: string }[]): string {
  const names = agents.slice(0, NAMED_MAX).map(({ name }) => name);
  return `${names.join(', ')}${agents.length > NAMED_MAX ? ', …' : ''}`;
}

/** A command whose agent never came has not ended: nobody has taken it in its time. */
function endOf(status: Command['status']): string {
  return status === 'queued' || status === 'executing' ? 'expired' : status;
}

async function givenBy(ctx: Context, options: SendOptions): Promise<object> {
  const { preset, set, type, mode, priority, profile, repeatable, resume, task, time, tokens, ttl } = options;
  if (set !== undefined && preset === undefined) {
    throw mistyped('--set is given without --preset.', 'Name the preset whose variables they are.');
  }
  return {
    to: options.to ?? (await onlyAgent(ctx, preset)),
    preset,
    type,
    mode,
    priority,
    profile,
    repeatable,
    ...(resume === false && { resumes: false }),
    ttl_seconds: ttl,
    values: set && Object.fromEntries(set.map(variableValue)),
    limits: time === undefined && tokens === undefined ? undefined : { time_limit_ms: time, token_budget: tokens },
    // A task is of its own project.
    ...(task === undefined ? { project: ctx.project } : { task: await taskRef(ctx, task) }),
  };
}

function variableValue(given: string): [name: string, value: string] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(given) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw mistyped(`--set ${given.slice(0, 40)} has no value.`, 'Give it as NAME=VALUE, like --set branch=main.');
}

/** Hands on the words, or standard input for `-`; a preset has the words already. */
function withContent<Done>(
  words: string[],
  { preset, json }: SendOptions,
  send: (content: string | undefined) => Promise<Done>,
): Promise<Done> {
  if (preset !== undefined && words.length === 0) return send(undefined);
  if (preset !== undefined) {
    throw mistyped('Both a text and --preset are given.', 'A preset has its text: --set gives its variables values.');
  }
  return withText(
    words.length === 1 && words[0] === '-' ? [] : words,
    { ...(json && { json }), explanation: 'What shall the agents do?' },
    (text) => send(parseGiven(z.object({ text: said(COMMAND_CHARACTERS_MAX) }), { text }).text),
  );
}

/** Chooses the only agent, where neither an option nor the preset names one. Raises invalid_input. */
async function onlyAgent(ctx: Context, preset: string | undefined): Promise<string[] | undefined> {
  if (preset !== undefined) {
    const { presets } = await perform(ctx, presetTools.commands.list_presets, { preset });
    if ((presets[0]?.target_agent_types ?? []).length > 0 || presets.length === 0) return undefined;
  }
  const [only, ...others] = await readAgents(ctx);
  if (only === undefined) {
    throw new DomainError('not_found', 'There is no agent in this workspace.', {
      hint: '`cairn agent run -- claude` starts one.',
    });
  }
  if (others.length === 0) return [only.name];
  throw mistyped(
    `There are ${others.length + 1} agents: ${namesOf([only, ...others])}.`,
    'Name one with --to NAME, or all with --to all.',
  );
}

function sentLines({ id, status, by_person, sent_by, runs = [] }: Command): string[] {
  return [
    `The command ${styled('bold', shortId(id))} is ${status}.`,
    ...(by_person ? [] : [`It arrives as from the agent ${sent_by}, not as a person's order.`]),
    ...table(runs, [
      { heading: 'AGENT', text: ({ agent }) => agent, style: (text) => styled('cyan', text) },
      { heading: 'STATUS', text: statusOfRun },
      { heading: 'NOTE', text: noteOfRun, flexible: true },
      { heading: 'RUN', text: (run) => shortId(run.id), style: (text) => styled('dim', text), spare: 0 },
    ]),
  ];
}
