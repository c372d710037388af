import type * as z from 'zod';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { Agent } from '../../events/agents.ts';
import type { Stop } from '../../services/agents.ts';
import { asSentence } from '../../text.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { amount } from '../../tools/render.ts';
import { eachGiven } from '../each-given.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';
import { readAgents } from './reading.ts';

export type StopOptions = JsonOption & { all?: true; everywhere?: true; message?: string };

/** `cairn stop [AGENT…]`: stops agents, without a name all of the workspace. */
export function runStop(config: Config, names: string[], options: StopOptions): Promise<void> {
  return switchAgents(config, { names, stopped: true }, options);
}

/** `cairn go-on [AGENT…]`: takes a stop back. */
export function runGoOn(config: Config, names: string[], options: StopOptions): Promise<void> {
  return switchAgents(config, { names, stopped: false }, options);
}

async function switchAgents(
  config: Config,
  { names, stopped }: { names: string[]; stopped: boolean },
  { all, everywhere, message: reason, ...options }: StopOptions,
): Promise<void> {
  if (names.length > 0 && (all || everywhere)) {
    throw mistyped(
      `Both ${names[0]} and ${everywhere ? '--everywhere' : '--all'} are given.`,
      'Name agents, or give the option.',
    );
  }
  await inLocalContext(config, async (ctx) => {
    if (names.length > 0) {
      const act = (agent: string) => changeAgent(ctx, { agent, change: stopped ? 'stop' : 'go_on', reason });
      return eachGiven({ ...options, given: names, kind: 'agent' }, { act, show: stopped ? stoppedLines : goingLines });
    }
    const reach = everywhere ? 'installation' : 'workspace';
    const done = await perform(ctx, agentTools.commands.stop_agents, { reach, stopped, reason });
    const named =
      stopped || options.json ? [] : (await readAgents(ctx)).filter((agent) => agent.paused_at !== undefined);
    printResult(done, options, () => [
      ...allLines(done),
      ...named.map(({ name }) => `${name} stays stopped, as it was stopped by name: cairn go-on ${name}`),
    ]);
  });
}

function changeAgent(ctx: Context, given: object): Promise<Agent> {
  return perform(ctx, agentTools.commands.change_agent, given);
}

function stoppedLines({ name, running = [], queued }: Agent): string[] {
  const consequences = [
    running.length > 0 && `${amount(running.length, 'run')} will be interrupted`,
    queued > 0 && `${queued} of its queue ${queued === 1 ? 'waits' : 'wait'}`,
  ].filter((part) => part !== false);
  return [
    `${name} is stopped${consequences.length === 0 ? '' : `: ${consequences.join(', ')}`}. Take it back: cairn go-on ${name}`,
  ];
}

/** An agent that may go on may be stopped with all others. */
function goingLines({ name, stopped }: Agent): string[] {
  return [mayGoOn(name, stopped)];
}

function mayGoOn(who: string, stopped: string | undefined): string {
  return asSentence(`${who} may go on${stopped === undefined ? '' : `, but ${stopped}`}`);
}

function allLines({ reach, stopped, running, still }: z.infer<typeof Stop>): string[] {
  const option = reach === 'installation' ? ' --everywhere' : '';
  if (!stopped) return [mayGoOn(`The agents of the ${reach}`, still)];
  const interrupted = running === 0 ? '' : `: ${amount(running, 'run')} will be interrupted`;
  return [`All agents of the ${reach} are stopped${interrupted}. Take it back: cairn go-on${option}`];
}
