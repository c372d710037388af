import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { Agent } from '../../events/agents.ts';
import type { RunBrief } from '../../events/runs.ts';
import { getAgent } from '../../services/agents.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { amount } from '../../tools/render.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';
import { hooksNeverSeen, hooksThatGaveUp } from './hooks-seen.ts';
import { askedOf, besideName, type Contents, findAgent, readAgents, readContents } from './reading.ts';
import { notRecorded, runTable, subagentsOf } from './runs.ts';

const NONE = 'No agents. `cairn agent run -- claude` starts one.';

export type AgentsOptions = JsonOption & { all?: true };

/** `cairn agents`: how each is, what it does, what waits for it. */
export async function runAgents(config: Config, { all, ...options }: AgentsOptions): Promise<void> {
  const { agents, contents, troubles } = await inLocalContext(config, async (ctx) => {
    const known = await readAgents(ctx, { all: true });
    const found = all ? known : known.filter(({ state }) => state !== 'retired');
    return {
      agents: found,
      contents: options.json ? new Map() : await readContents(ctx, runsOf(found)),
      troubles: [...hooksNeverSeen(config, known), ...hooksThatGaveUp(config)],
    };
  });
  printResult({ agents, ...(troubles.length > 0 && { hooks: troubles }) }, options, () => [
    ...(agents.length === 0 ? [NONE] : agentTable(agents, contents)),
    ...troubles.map((line) => styled('yellow', line)),
  ]);
}

/** `cairn agents show NAME`. */
export async function runShowAgent(config: Config, given: string, options: JsonOption): Promise<void> {
  const { agent, contents } = await inLocalContext(config, async (ctx) => {
    const found = await getAgent(ctx, { agent: (await findAgent(ctx, given)).id });
    return { agent: found, contents: await readContents(ctx, runsOf([found])) };
  });
  printResult(agent, options, () => agentLines(agent, contents));
}

/** `cairn agents rename NAME NEW`. */
export async function runRename(config: Config, [agent, name]: [string, string], options: JsonOption): Promise<void> {
  const changed = await inLocalContext(config, (ctx) => change(ctx, { agent, change: 'rename', name }));
  printResult(changed, options, () => [`${agent} is ${changed.name} now.`]);
}

export type RetireOptions = JsonOption & { yes?: true };

/** `cairn agents retire NAME`: what it does and what waits for it ends with it. */
export async function runRetire(config: Config, agent: string, { yes, ...options }: RetireOptions): Promise<void> {
  const { changed, ended } = await inLocalContext(config, async (ctx) => {
    const { name, running = [], queued } = await getAgent(ctx, { agent });
    const ended = [
      running.length > 0 && `${amount(running.length, 'run')} ${running.length === 1 ? 'ends' : 'end'}`,
      queued > 0 && `${queued} of its queue ${queued === 1 ? 'is' : 'are'} cancelled`,
    ].filter((part) => part !== false);
    if (running.length > 0 && !yes) {
      throw mistyped(`${name} is at work: with it ${ended.join(', ')}.`, 'Add --yes to do it.');
    }
    return { changed: await change(ctx, { agent, change: 'retire' }), ended };
  });
  printResult(changed, options, () => [
    `${changed.name} is retired, and its name is free${ended.length === 0 ? '' : `: ${ended.join(', ')}`}.`,
  ]);
}

function change(ctx: Context, given: object): Promise<Agent> {
  return perform(ctx, agentTools.commands.change_agent, given);
}

export function runsOf(agents: readonly Agent[]): RunBrief[] {
  return agents.flatMap(({ running = [] }) => running);
}

export function agentTable(agents: readonly Agent[], contents: Contents): string[] {
  const ofSeveral = new Set(agents.map(({ project }) => project)).size > 1;
  return table(agents, [
    { heading: 'AGENT', text: ({ name }) => name, style: (text) => styled('bold', text) },
    { heading: 'TYPE', text: ({ type }) => type, spare: 2 },
    { heading: 'PROJECT', text: ({ project = 'any' }) => (ofSeveral ? project : ''), spare: 3 },
    { heading: 'HOST', text: ({ host = '' }) => host, style: (text) => styled('dim', text), spare: 1 },
    { heading: 'STATE', text: stateOf, style: (text, agent) => styled(stateStyle(agent), text) },
    { heading: 'DOES', text: (agent) => workOf(agent, contents), style: workStyle, flexible: true, spare: 6 },
    { heading: 'QUEUED', text: ({ queued }) => (queued > 0 ? String(queued) : ''), spare: 4 },
    {
      heading: 'SEEN',
      text: ({ seen_at: at }) => (at === undefined ? 'never' : fromNow(at)),
      style: (text) => styled('dim', text),
      spare: 3,
    },
    { heading: 'WHY', text: whyOf, style: (text) => styled('yellow', text), flexible: true, spare: 5 },
  ]);
}

/** A stopped agent is online all the same: that it is stopped counts more. */
function stateOf({ state, stopped }: Agent): string {
  return stopped !== undefined && (state === 'online' || state === 'error') ? 'stopped' : state;
}

function stateStyle(agent: Agent): 'green' | 'yellow' | 'red' | 'dim' {
  const state = stateOf(agent);
  if (state === 'online') return 'green';
  if (state === 'stopped') return 'yellow';
  return state === 'lost' || state === 'error' ? 'red' : 'dim';
}

/** Says why an agent does nothing, where its state alone does not, and what its runner could not get recorded. */
function whyOf(agent: Agent): string {
  return [whyStill(agent), notRecorded(agent.health?.['not_recorded'])].filter(Boolean).join('; ');
}

function whyStill({ name, state, stopped, reach }: Agent): string {
  if (stopped !== undefined) return besideName(stopped, name);
  if (reach !== undefined) return state === 'online' ? reach : '';
  return state === 'lost' ? 'its runner ended or is cut off' : '';
}

export function waitsForPerson({ status }: RunBrief): boolean {
  return status === 'waiting_input' || status === 'waiting_approval';
}

function workStyle(text: string, { running = [] }: Agent): string {
  return running.some(waitsForPerson) ? styled('yellow', text) : text;
}

/** The runs of an agent on one line, those that wait for a person first. */
function workOf({ running = [], state }: Agent, contents: Contents): string {
  const [first, ...others] = [...running].sort((a, b) => Number(waitsForPerson(b)) - Number(waitsForPerson(a)));
  if (first === undefined) return '';
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  // That a lost agent is not heard of stands beside it.
  const { why, ...run } = first;
  const subagents = subagentsOf(first);
  return [
    [run.task, stateOfRun(state === 'lost' ? run : first), askedOf(first, contents)].filter(Boolean).join(': '),
    subagents && ` (${subagents})`,
    more,
  ].join('');
}

/** What else than work a run does. */
function stateOfRun({ agent, status, why, paused_until, interrupt_requested }: RunBrief): string {
  const reason = why === undefined ? '' : ` (${besideName(why, agent)})`;
  if (interrupt_requested) return `is interrupted${reason}`;
  if (status === 'waiting_input') return `waits for an answer${reason}`;
  if (status === 'waiting_approval') return `waits for an approval${reason}`;
  if (status === 'paused')
    return `paused${paused_until === undefined ? '' : `, goes on ${fromNow(paused_until)}`}${reason}`;
  return why === undefined ? '' : besideName(why, agent);
}

const TAKES: Readonly<Record<string, string>> = { workspace: 'commands of the whole workspace' };

function agentLines(agent: Agent, contents: Contents): string[] {
  const {
    name,
    type,
    driver,
    host,
    project,
    seen_at,
    connected_at,
    modes,
    accepts = '',
    health,
    queued,
    running,
  } = agent;
  const facts = [
    ['why', whyOf(agent)],
    ['host', host],
    ['driver', driver],
    ['project', project ?? 'any'],
    ['modes', modes?.join(', ')],
    ['takes', TAKES[accepts] ?? 'commands of its owner'],
    ['seen', seen_at === undefined ? 'never' : fromNow(seen_at)],
    ['connected', connected_at && fromNow(connected_at)],
    [
      'health',
      health &&
        Object.entries(health)
          .map(([metric, value]) => `${metric} ${value}`)
          .join(', '),
    ],
    ['queued', String(queued)],
    ['id', agent.id],
  ] as const;
  return [
    `${styled('bold', name)}  ${type}, ${styled(stateStyle(agent), stateOf(agent))}`,
    ...facts.flatMap(([fact, value]) => (value ? [`${styled('dim', fact.padEnd(9))}  ${value}`] : [])),
    ...(running === undefined ? [] : ['', styled('bold', 'Runs'), ...runTable(running, contents)]),
  ];
}
