import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { createLog, type Log } from '../../log.ts';
import type { DriverName } from '../../runner/driver-names.ts';
import { DRIVERS, driverOf } from '../../runner/drivers/catalog.ts';
import { endLeftovers } from '../../runner/leftovers.ts';
import { GRACE_MS, type Notice, Runner } from '../../runner/runner.ts';
import { countRunners, runnersFolder, StateFile } from '../../runner/state-file.ts';
import { heedNoStopSignal, onStopSignal } from '../../stop-signals.ts';
import { clean, cleanLine, firstOf } from '../../text.ts';
import { type JsonOption, printLine } from '../terminal/output.ts';
import { noticeLine } from './notice-line.ts';
import { agentEnvironment, type OpenedPort, openPort, type PortOptions } from './open-port.ts';
import { openDriver } from './work-folder.ts';

export type AgentRunOptions = JsonOption &
  PortOptions & {
    name?: string;
    driver: 'auto' | DriverName;
    quiet: number;
    accept: 'owner' | 'workspace';
    type?: string;
    account?: string;
    answerWithin: number;
    /** `here`, `worktree` or a folder. */
    workspace: string;
  };

const NUMBERS_MAX = 20;

/** `cairn agent run -- COMMAND`: drives an agent until the process is told to end. */
export async function runAgent(config: Config, words: string[], options: AgentRunOptions): Promise<void> {
  await refuseTooMany(config);
  const type = typeOf(words, options);
  const log = createLog(config.logLevel === 'info' ? 'warn' : config.logLevel);
  const opened = await openPort(config, log, options);
  const names = options.name === undefined ? numbered(type) : [options.name];
  try {
    for (const name of names) {
      const state = new StateFile(config.dataDir, `${name}${opened.place && `@${opened.place}`}`);
      let runner: Runner;
      try {
        const token = await endLeftovers(await state.read(), { name, graceMs: GRACE_MS });
        runner = await runnerOf({ config, words, options, opened, log, name, type, token, state });
        await runner.start();
      } catch (error) {
        if (isTaken(error) && options.name === undefined) continue;
        throw error;
      }
      await untilEnd(runner);
      await state.remove();
      return;
    }
    throw new DomainError('lock_held', `${type}-1 to ${type}-${NUMBERS_MAX} are all in use.`, {
      hint: 'Choose a name: --name.',
    });
  } finally {
    await opened.close();
  }
}

async function refuseTooMany({ dataDir, maxAgents }: Config): Promise<void> {
  const count = await countRunners(dataDir);
  if (count < maxAgents) return;
  throw new DomainError('rate_limited', `This machine drives ${count} of at most ${maxAgents} agents.`, {
    hint: 'End a runner, or set CAIRN_MAX_AGENTS to more.',
  });
}

type Parts = {
  config: Config;
  words: string[];
  options: AgentRunOptions;
  opened: OpenedPort;
  log: Log;
  name: string;
  type: string;
  token: number | undefined;
  state: StateFile;
};

async function runnerOf({ config, words, options, opened, log, name, type, token, state }: Parts): Promise<Runner> {
  const [command = '', ...given] = words;
  const { driver, args } = options.driver === 'auto' ? driverOf(type, given) : { driver: options.driver, args: given };
  const env = agentEnvironment(name, options);
  const work = await openDriver({
    ...{ workspace: options.workspace, agent: name, dataDir: config.dataDir, env },
    open: (cwd) =>
      DRIVERS[driver]({ program: { command, args, cwd, env }, graceMs: GRACE_MS, quietMs: 1_000 * options.quiet }),
  });
  const runner: Runner = new Runner({
    ...work,
    port: opened.portOf(name),
    agent: {
      ...{ name, type, driver, host_machine: firstOf(hostname(), 200) },
      ...(config.project !== undefined && { project: config.project }),
      config: { accepts: options.accept, ...(options.account !== undefined && { account: options.account }) },
    },
    token,
    log,
    spoolDir: runnersFolder(config.dataDir),
    askSeconds: options.answerWithin,
    tell(notice) {
      void state.write(runner.token, runner.pids());
      tell(notice, options, { name, what: opened.what });
    },
    printed(run, stream, text) {
      if (options.json) printLine(JSON.stringify({ what: 'printed', run, stream, text }));
      else process[stream].write(clean(text));
    },
  });
  return runner;
}

function tell(notice: Notice, { json }: JsonOption, about: Parameters<typeof noticeLine>[1]): void {
  const line = json ? JSON.stringify(notice) : noticeLine(notice, about);
  if (line !== undefined) printLine(line);
}

/** What kind of agent it is; by default the name of its program. */
function typeOf([program = '']: string[], options: AgentRunOptions): string {
  const kind = basename(program).replace(/\.(exe|cmd|sh|js|mjs|py)$/i, '') || 'agent';
  const type = cleanLine(options.type ?? kind).toLowerCase();
  return firstOf(type, 40) || 'agent';
}

async function untilEnd(runner: Runner): Promise<void> {
  const told = new Promise<void>((resolve) => onStopSignal(resolve));
  try {
    await Promise.race([told, runner.ended()]);
  } finally {
    // An impatient second signal would leave the agent's processes behind; the end is waited for some seconds at most.
    const heed = heedNoStopSignal();
    await runner.stop();
    heed();
  }
}

function numbered(type: string): string[] {
  return Array.from({ length: NUMBERS_MAX }, (_, at) => `${type}-${at + 1}`);
}

function isTaken(error: unknown): boolean {
  return error instanceof DomainError && (error.code === 'lock_held' || error.code === 'already_exists');
}
