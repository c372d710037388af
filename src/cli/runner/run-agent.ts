import { type Config, thisHost } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { hostName } from '../../host-name.ts';
import { createLog, type Log } from '../../log.ts';
import type { DriverName } from '../../runner/driver-names.ts';
import type { HolderLink } from '../../runner/holder/link.ts';
import { startHolder } from '../../runner/holder/start-holder.ts';
import { endLeftovers, refuseOther, takeOver } from '../../runner/leftovers.ts';
import type { Notice } from '../../runner/notice.ts';
import { Runner } from '../../runner/runner.ts';
import { GRACE_MS } from '../../runner/runner-options.ts';
import { countDriven, runnersFolder } from '../../runner/runners-folder.ts';
import type { State } from '../../runner/state.ts';
import { StateFile } from '../../runner/state-file.ts';
import { StepSender } from '../../runner/step-sender.ts';
import { heedNoStopSignal, onStopSignal } from '../../stop-signals.ts';
import { type JsonOption, printLine } from '../terminal/output.ts';
import { agentProgram } from './agent-program.ts';
import { type Asked, askedDriver, refuseTooMany, typeOf } from './asked-driver.ts';
import { agentEnvironment, type OpenedPort, openPort, type PortOptions } from './open-port.ts';
import { RunnerScreen } from './runner-screen.ts';
import { openDriver } from './work-folder.ts';

export type AgentRunOptions = JsonOption &
  PortOptions &
  Asked & {
    name?: string;
    quiet: number;
    accept: 'owner' | 'workspace';
    account?: string;
    answerWithin: number;
  };

const NUMBERS_MAX = 20;
// Another may have the name 45 seconds after the last beat, of which one comes every 10; the agents end before.
const WAIT_MS = 25_000;
// For what was reported last, once the agent has ended.
const STEPS_MS_MAX = 5_000;

/** `cairn agent run -- COMMAND`: drives an agent until the process is told to end. */
export async function runAgent(config: Config, words: string[], options: AgentRunOptions): Promise<void> {
  const command = agentProgram(words[0] ?? '', thisHost().env);
  // Again when it is noted: others may begin meanwhile. A database is not started for nothing.
  refuseTooMany(await countDriven(config.dataDir), options, config);
  const type = typeOf(words, options);
  const log = createLog(config.logLevel === 'info' ? 'warn' : config.logLevel);
  const opened = await openPort(config, log, options);
  const names = options.name === undefined ? numbered(type) : [options.name];
  try {
    for (const name of names) {
      const state = new StateFile(config.dataDir, name, { place: opened.place, atOnce: options.atOnce });
      let held: Held | undefined;
      let runner: Runner;
      let steps: StepSender;
      try {
        held = await hold(state, { config, command, words, options, name, type });
        const about = { config, words, options, opened, log, name, type, state };
        ({ runner, steps } = await runnerOf({ ...about, ...held }));
        await runner.start();
      } catch (error) {
        await held?.leave();
        if (isTaken(error) && options.name === undefined) continue;
        throw error;
      }
      try {
        await untilEnd(runner, held.link, () => {
          if (!options.json) printLine(`Ending ${name}…`);
        });
      } finally {
        await held.link.quit();
        await steps.end(STEPS_MS_MAX);
      }
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

type Parts = {
  config: Config;
  words: string[];
  options: AgentRunOptions;
  opened: OpenedPort;
  log: Log;
  name: string;
  type: string;
  state: StateFile;
  driver: DriverName;
  env: NodeJS.ProcessEnv;
  link: HolderLink;
  token: number | undefined;
};

type Held = Pick<Parts, 'driver' | 'env' | 'link' | 'token'> & { leave(): Promise<void> };

type Holding = Pick<Parts, 'config' | 'words' | 'options' | 'name' | 'type'> & { command: string };

/** Takes the state of this name; raises before it has changed anything where it may not have it, or one is too many. */
async function hold(state: StateFile, given: Holding): Promise<Held> {
  const { config, words, options, name } = given;
  const { driver, args } = askedDriver(words, options);
  const drives = JSON.stringify([driver, words[0] ?? '', args, options.workspace, process.cwd()]);
  const wants = { name, drives, replaces: options.name !== undefined };
  const left = await state.take(async (found) => {
    refuseTooMany(await countDriven(config.dataDir, state.path), options, config);
    await refuseOther(found, wants);
  });
  try {
    return await holdFrom(left, state, { ...given, ...wants, driver, args });
  } catch (error) {
    await state.giveBack(left);
    throw error;
  }
}

/** Goes on with the agent of an earlier runner of this name, or makes ready for one that is started. */
async function holdFrom(
  left: State | undefined,
  state: StateFile,
  given: Holding & { drives: string; replaces: boolean; driver: DriverName; args: readonly string[] },
): Promise<Held> {
  const { config, command, options, name, type, drives, replaces, driver, args } = given;
  const env = agentEnvironment(name, options);
  const found = await takeOver(left, { name, drives, replaces, graceMs: GRACE_MS });
  const token = found === undefined ? await endLeftovers(left, { name, graceMs: GRACE_MS }) : left?.token;
  const times = { graceMs: GRACE_MS, quietMs: 1_000 * options.quiet, waitMs: WAIT_MS };
  const where = { dir: runnersFolder(config.dataDir), errors: state.errors };
  const start = { ...{ type, driver, command, args: [...args], env }, ...times };
  const link = found ?? (await startHolder(where, start));
  const children = (found === undefined ? undefined : left?.children) ?? [];
  state.heldBy({ ...link.address, drives }, children);
  // Another runner must have the agent where this one is killed before it has registered.
  await state.write(
    token,
    children.map(({ pid }) => pid),
  );
  const leave = async () => {
    if (found === undefined) await link.quit();
    // What was found works on, for the next try.
    else link.leave();
    return left === undefined ? state.remove() : state.giveBack(left);
  };
  return { driver, env, link, token, leave };
}

async function runnerOf(parts: Parts): Promise<{ runner: Runner; steps: StepSender }> {
  const { config, options, opened, log, name, type, state, driver, env, link, token } = parts;
  const screen = new RunnerScreen({ name, what: opened.what });
  const work = await openDriver({
    ...{ workspace: options.workspace, agent: name, dataDir: config.dataDir, env },
    open: (cwd) => link.open(cwd),
  });
  const port = opened.portOf(name);
  const say = (notice: Notice) => {
    if (options.json) printLine(JSON.stringify(notice));
    else screen.tell(notice);
  };
  const steps = new StepSender({
    ...{ port, log },
    stored: (id) => link.stored(id),
    refused: (run, why) => say({ what: 'unrecorded', run, of: 'steps', why }),
  });
  link.steps = (told) => steps.add(told);
  const runner: Runner = new Runner({
    ...work,
    port,
    agent: {
      ...{ name, type, driver, host_machine: hostName() },
      ...(config.project !== undefined && { project: config.project }),
      config: configOf(options),
    },
    token,
    resumed: link.kept,
    log,
    spoolDir: runnersFolder(config.dataDir),
    askSeconds: options.answerWithin,
    tell(notice) {
      if (notice.what === 'started' || notice.what === 'resumed') steps.know(notice.started);
      note();
      say(notice);
    },
    printed(run, stream, text) {
      if (options.json) printLine(JSON.stringify({ what: 'printed', run, stream, text }));
      else screen.printed(run, stream, text);
    },
  });
  const note = () => void state.write(runner.token || token, runner.pids());
  link.changed = note;
  return { runner, steps };
}

function configOf({ accept, account, atOnce }: AgentRunOptions): Record<string, unknown> {
  return {
    accepts: accept,
    ...(account !== undefined && { account }),
    ...(atOnce > 1 && { runs_at_once: atOnce }),
  };
}

async function untilEnd(runner: Runner, link: HolderLink, say: () => void): Promise<void> {
  const told = new Promise<void>((resolve) => onStopSignal(resolve)).then(say);
  try {
    await Promise.race([told, runner.ended(), link.failed]);
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
