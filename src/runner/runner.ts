import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Control, RegisterAgent } from '../services/runner.ts';
import { ActiveRun, type Started } from './active-run.ts';
import type { Driver, Ended, Question } from './driver.ts';
import { healthOf, memoryMbOf } from './health.ts';
import type { RunnerPort } from './port.ts';
import { ASK_SECONDS } from './questions.ts';

export type Notice =
  | { what: 'registered' | 'away' | 'back' }
  | { what: 'stopped'; why: string }
  | { what: 'started'; started: Started }
  | { what: 'asked'; run: string; question: Question }
  | { what: 'limited'; run: string; until: Date; reason: string }
  | { what: 'ended'; run: string; ended: Ended };

export type RunnerOptions = {
  port: RunnerPort;
  driver: Driver;
  agent: RegisterAgent['agent'];
  /** That of an earlier runner of this name, which has ended. */
  token?: number | undefined;
  log: Log;
  everyMs?: { beat: number; control: number };
  /** How long an agent that was asked to end is waited for, and again one that was told to. */
  graceMs?: number;
  /** How long a person is waited for who is asked something. */
  askSeconds?: number;
  /** What the agent's process finds in its environment, beside the runner's own. */
  env?: Record<string, string>;
  tell?: (told: Notice) => void;
  printed?: (run: string, stream: 'stdout' | 'stderr', text: string) => void;
};

export const GRACE_MS = 5_000;
const EVERY_MS = { beat: 10_000, control: 1_000 };

/** Drives one agent: says that it is there, claims its runs, delivers them, and ends what is to end. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  readonly #active = new Map<string, ActiveRun>();
  #token = 0;
  #loop: Promise<void> | undefined;
  #beatAt = 0;
  #isAway = false;
  #stopped: string | undefined;
  #answered = { count: 0, ms: 0 };

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Registers the agent; from then on it claims runs. Raises lock_held while another runner has the name. */
  async start(): Promise<number> {
    const { port, agent, driver, token } = this.#options;
    const { config = {}, ...about } = agent;
    const registered = await port.register({ agent: { ...about, config: { modes: driver.modes, ...config } }, token });
    this.#token = registered.token;
    this.#beatAt = performance.now();
    await driver.open();
    this.#tell({ what: 'registered' });
    this.#loop = this.#work();
    return this.#token;
  }

  /** Settles when the loop has ended: after `stop`, or when another runner has the name. Raises what ended it. */
  async ended(): Promise<void> {
    await this.#loop;
  }

  /** Claims nothing more, ends what runs, and says goodbye. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const run of this.#active.values()) {
      run.end({ status: 'cancelled', end_reason: 'interrupted', error: 'Its runner was stopped.' });
    }
    const { driver, graceMs = GRACE_MS } = this.#options;
    const all = Promise.allSettled([...this.#active.values()].map(({ settled }) => settled));
    // A server that is away hears of the end from the next runner.
    await Promise.race([all, sleep(3 * graceMs, undefined, { ref: false })]);
    await driver.close();
    await this.#loop?.catch(() => {});
    await this.#beat({ leaving: true }).catch(() => {});
  }

  async #work(): Promise<void> {
    const { signal } = this.#stopping;
    const { control } = this.#options.everyMs ?? EVERY_MS;
    while (!signal.aborted) {
      try {
        this.#obey(await this.#ask());
        if (this.#isAway) this.#tell({ what: 'back' });
        this.#isAway = false;
      } catch (err) {
        if (err instanceof DomainError && err.code === 'lock_lost') {
          for (const run of this.#active.values()) run.lose();
          throw err;
        }
        if (!this.#isAway) this.#tell({ what: 'away' });
        this.#isAway = true;
        this.#options.log.debug({ err }, 'the server does not answer');
      }
      for (const run of this.#active.values()) run.watch(memoryMbOf(this.#options.driver.pids()));
      await sleep(control, undefined, { signal }).catch(() => {});
    }
  }

  async #ask(): Promise<Control & { claimed: number }> {
    const { beat } = this.#options.everyMs ?? EVERY_MS;
    const due = performance.now() - this.#beatAt >= beat;
    const control = due ? await this.#beat() : await this.#options.port.control(this.#held());
    let claimed = 0;
    while (control.queued && control.stopped === undefined && !this.#stopping.signal.aborted) {
      if (!(await this.#claim())) break;
      claimed += 1;
    }
    return { ...control, claimed };
  }

  async #beat(more: { leaving?: boolean } = {}): Promise<Control> {
    const { port, driver } = this.#options;
    const health = healthOf(driver.pids(), this.#answered);
    const control = await port.beat(this.#token, { health, runs: this.#held(), ...more });
    this.#beatAt = performance.now();
    return control;
  }

  #held() {
    return [...this.#active.values()].map(({ held }) => held);
  }

  async #claim(): Promise<boolean> {
    const { port, driver, log, graceMs = GRACE_MS, askSeconds = ASK_SECONDS, env = {} } = this.#options;
    const { printed = () => {} } = this.#options;
    const started = await port.claim(this.#token, [...this.#active.keys()]);
    if ('nothing' in started) return false;
    if (started.deliver === 'interrupt') await this.#clearTheWay();
    const run = new ActiveRun(started, {
      ...{ port, driver, log, graceMs, askSeconds, printed },
      env: { ...env, ...contextOf(started) },
      asked: (id, question) => this.#tell({ what: 'asked', run: id, question }),
      limited: (id, until, reason) => this.#tell({ what: 'limited', run: id, until, reason }),
    });
    const since = performance.now();
    this.#active.set(started.run.id, run);
    this.#tell({ what: 'started', started });
    void run.settled
      .then((ended) => {
        this.#answered = { count: this.#answered.count + 1, ms: this.#answered.ms + performance.now() - since };
        this.#tell({ what: 'ended', run: started.run.id, ended });
      })
      .finally(() => this.#active.delete(started.run.id));
    return true;
  }

  /** A command that interrupts comes in the place of what runs. */
  async #clearTheWay(): Promise<void> {
    const running = [...this.#active.values()];
    for (const run of running) {
      run.end({ status: 'cancelled', end_reason: 'interrupted', error: 'Another command came in its place.' });
    }
    await Promise.allSettled(running.map(({ settled }) => settled));
  }

  #obey({ stopped, runs }: Control): void {
    if (stopped !== undefined) {
      for (const run of this.#active.values()) {
        run.end({ status: 'cancelled', end_reason: 'emergency_stop', error: `Stopped: ${stopped}.` });
      }
    }
    if (stopped !== undefined && stopped !== this.#stopped) this.#tell({ what: 'stopped', why: stopped });
    this.#stopped = stopped;
    for (const { run: id, state, answers, reason = 'It was interrupted.' } of runs) {
      const run = this.#active.get(id);
      if (answers !== undefined) run?.hear(answers);
      if (state === 'lost') run?.lose();
      else if (state === 'interrupt') run?.end({ status: 'cancelled', end_reason: 'interrupted', error: reason });
    }
  }

  #tell(told: Notice): void {
    this.#options.tell?.(told);
  }
}

/** What a process of the agent knows of its run. */
function contextOf({ run, command }: Started): Record<string, string> {
  return { CAIRN_RUN: run.id, CAIRN_COMMAND: command.id };
}
