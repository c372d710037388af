// `cairn agent run` in a place, with a real agent whose model is played, and commands of other processes.
import { existsSync } from 'node:fs';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { CLI } from '../../bench/rpc.ts';
import type { Approval } from '../../src/events/approvals.ts';
import type { Command } from '../../src/events/commands.ts';
import type { RunBrief } from '../../src/events/runs.ts';
import type { Notice } from '../../src/runner/notice.ts';
import type { Agent } from './agent.ts';
import { type Play, startModel } from './model.ts';
import type { Place } from './place.ts';
import { processes } from './processes.ts';
import type { Program } from './programs.ts';
import { start } from './run.ts';

const NAME = 'heron';
const WAIT_MS_MAX = 40_000;
const LOOK_MS = 100;

export type Driven = {
  /** Sends a command from another process. Resolves to it, with its one run. */
  send(text: string, ...flags: string[]): Promise<Sent>;
  /** Waits until the runner has told this. */
  told(what: Notice['what'], run: string): Promise<void>;
  /** Waits until a run is so. */
  until(run: string, is: (run: RunBrief) => boolean): Promise<RunBrief>;
  /** Waits until the agent asks. */
  approval(): Promise<Approval>;
  /** How many requests its models have answered. */
  answered(): number;
  /** The process of the agent. */
  pid(): number | undefined;
};

type Sent = { id: string; run: string };
/** The arguments of the agent, its first command, and what happens once that has reached its model. */
type Story = {
  args: string[];
  env?: Record<string, string>;
  first: string;
  /** Its sub-agents, by what their prompts begin with. */
  workers?: Record<string, Play>;
  tell: (agent: Agent, driven: Driven, first: Sent) => Promise<void>;
};

/** Drives a client for the length of a story. */
export async function drive(
  program: Program,
  place: Place,
  { args, env = {}, first, workers, tell }: Story,
): Promise<void> {
  let sent: Promise<Sent> | undefined;
  // The model is asked nothing before that.
  const play: Play = async (agent) => tell(agent, driven, await (sent ?? driven.send(first)));
  const model = await startModel(program, play, workers);
  await program.prepare?.(model.url, place);
  const { type, driver } = program.driven;
  const own = ['agent', 'run', '--json', '--name', NAME, '--type', type, '--driver', driver, '--'];
  const runner = start(execPath, [CLI, ...own, ...program.command, ...args], {
    cwd: place.cwd,
    env: { ...place.env, ...program.env(model.url, place), ...env },
  });
  const told: { what: string; run?: string }[] = [];
  createInterface({ input: runner.child.stdout }).on('line', (line) => told.push(JSON.parse(line)));
  const driven: Driven = {
    async send(text, ...flags) {
      const json = await place.cairn('send', text, '--to', NAME, ...flags, '--json');
      const { id, runs = [] } = JSON.parse(json) as Command;
      return { id, run: runs[0]?.id ?? '' };
    },
    async told(what, run) {
      await waitFor(`${what} of ${run}`, () => told.some((notice) => notice.what === what && notice.run === run));
    },
    until: (run, is) =>
      waitFor(`the run ${run}`, async () => {
        const found = JSON.parse(await place.cairn('runs', 'show', run, '--json')) as RunBrief;
        return is(found) && found;
      }),
    approval: () =>
      waitFor('a question', async () => {
        const { approvals } = JSON.parse(await place.cairn('approvals', '--json')) as { approvals: Approval[] };
        return approvals[0];
      }),
    answered: () => model.answered,
    pid() {
      const all = processes();
      const childOf = (pid: number | undefined) => all.find(({ parent }) => parent === pid)?.pid;
      const holder = childOf(runner.child.pid);
      return holder && childOf(holder);
    },
  };
  const endedEarly = runner.ended.then(({ code, err }) => {
    throw new Error(`The runner ended with ${code}: ${err.slice(-600)}`);
  });
  endedEarly.catch(() => {});
  try {
    await Promise.race([waitFor('the runner', () => told.some(({ what }) => what === 'registered')), endedEarly]);
    sent = driven.send(first);
    await Promise.race([Promise.all([sent, model.played]), endedEarly]);
  } finally {
    runner.child.kill('SIGTERM');
    await endedEarly.catch(() => {});
    runner.kill();
    model.close();
  }
}

/** Waits for something to be there. */
export async function waitFor<Found>(
  what: string,
  look: () => Promise<Found | false | undefined> | Found | false | undefined,
): Promise<Found> {
  const since = performance.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() - since > WAIT_MS_MAX) throw new Error(`Waited in vain for ${what}.`);
    await pause(LOOK_MS);
  }
}

/** Waits until a command of a shell has made its file. */
export async function waitForFile(file: string): Promise<void> {
  await waitFor(file, () => existsSync(file));
}

export function hasEnded({ ended_at }: RunBrief): boolean {
  return ended_at !== undefined;
}
