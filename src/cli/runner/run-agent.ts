import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { createLog } from '../../log.ts';
import type { DriverName } from '../../runner/driver-names.ts';
import { DRIVERS, driverOf } from '../../runner/drivers/catalog.ts';
import { endLeftovers } from '../../runner/leftovers.ts';
import { GRACE_MS, type Notice, Runner } from '../../runner/runner.ts';
import { StateFile } from '../../runner/state-file.ts';
import { heedNoStopSignal, onStopSignal } from '../../stop-signals.ts';
import { clean, cleanLine } from '../../text.ts';
import { type JsonOption, styled } from '../terminal/output.ts';
import { agentEnvironment, type OpenedPort, openPort, type PortOptions } from './open-port.ts';

export type AgentRunOptions = JsonOption &
  PortOptions & {
    name?: string;
    driver: 'auto' | DriverName;
    quiet: number;
    accept: 'owner' | 'workspace';
    type?: string;
    account?: string;
    answerWithin: number;
  };

const NUMBERS_MAX = 20;

/** `cairn agent run -- COMMAND`: drives an agent until the process is told to end. */
export async function runAgent(config: Config, words: string[], options: AgentRunOptions): Promise<void> {
  const [program = '', ...given] = words;
  const kind = basename(program).replace(/\.(exe|cmd|sh|js|mjs|py)$/i, '') || 'agent';
  const type =
    cleanLine(options.type ?? kind)
      .toLowerCase()
      .slice(0, 40) || 'agent';
  const { driver, args } = options.driver === 'auto' ? driverOf(type, given) : { driver: options.driver, args: given };
  const log = createLog(config.logLevel === 'info' ? 'warn' : config.logLevel);
  const opened = await openPort(config, log, options);
  const names = options.name === undefined ? numbered(type) : [options.name];
  try {
    for (const name of names) {
      const state = new StateFile(config.dataDir, `${name}${opened.place && `@${opened.place}`}`);
      const left = await state.read();
      const token = await endLeftovers(left, { name, graceMs: GRACE_MS });
      const env = agentEnvironment(name);
      const driven = await DRIVERS[driver]({
        program: { command: program, args, cwd: process.cwd(), env },
        graceMs: GRACE_MS,
        quietMs: 1_000 * options.quiet,
      });
      const runner = new Runner({
        port: opened.portOf(name),
        driver: driven,
        agent: {
          ...{ name, type, driver, host_machine: hostname().slice(0, 200) },
          ...(config.project !== undefined && { project: config.project }),
          config: { accepts: options.accept, ...(options.account !== undefined && { account: options.account }) },
        },
        token,
        log,
        askSeconds: options.answerWithin,
        tell: (notice) => {
          if (registered > 0) void state.write(registered, driven.pids());
          process.stdout.write(`${options.json ? JSON.stringify(notice) : lineOf(notice, { name, opened })}\n`);
        },
        printed: (run, stream, text) => {
          if (options.json) process.stdout.write(`${JSON.stringify({ what: 'printed', run, stream, text })}\n`);
          else process[stream].write(clean(text));
        },
      });
      let registered = 0;
      try {
        registered = await runner.start();
      } catch (error) {
        if (isTaken(error) && options.name === undefined) continue;
        throw error;
      }
      await state.write(registered, []);
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

function lineOf(notice: Notice, { name, opened }: { name: string; opened: OpenedPort }): string {
  switch (notice.what) {
    case 'registered':
      return `${styled('bold', name)} waits for commands: cairn send "…" --to ${name}`;
    case 'away':
      return styled('yellow', `The ${opened.what} does not answer. What runs goes on; its end is told later.`);
    case 'back':
      return `The ${opened.what} answers again.`;
    case 'stopped':
      return styled('yellow', `Stopped: ${notice.why}.`);
    case 'started': {
      const { id, sent_by, content } = notice.started.command;
      return `${styled('cyan', '▶')} command ${id.slice(-8)} from ${cleanLine(sent_by)}: ${cleanLine(content).slice(0, 200)}`;
    }
    case 'asked':
      return styled('yellow', `? ${cleanLine(notice.question.title).slice(0, 300)}  (cairn approvals)`);
    case 'limited':
      return styled(
        'yellow',
        `Paused until ${notice.until.toLocaleString()}: ${cleanLine(notice.reason).slice(0, 200)}`,
      );
    default: {
      const { status, error } = notice.ended;
      const mark = status === 'completed' ? styled('green', '✓') : styled('red', '✗');
      return `${mark} ${status}${error === undefined ? '' : `: ${cleanLine(error).slice(0, 300)}`}`;
    }
  }
}
