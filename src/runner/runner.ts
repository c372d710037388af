import { setTimeout as sleep } from 'node:timers/promises';
import type { DomainError } from '../errors.ts';
import { type Control, HELD_MAX } from '../services/runner.ts';
import { asSentence } from '../text.ts';
import { ActiveRun, type Started } from './active-run.ts';
import { Health } from './health.ts';
import type { Kept } from './keeper.ts';
import { modesOf } from './modes.ts';
import type { Notice } from './notice.ts';
import { ordersFirst } from './orders-first.ts';
import { ASK_SECONDS } from './questions.ts';
import { isAnswer, isEnding, isRefusal } from './refusals.ts';
import type { RunParts } from './run-parts.ts';
import { EVERY_MS, GRACE_MS, PROCESSOR_MS, type RunnerOptions } from './runner-options.ts';

/** Drives one agent: says that it is there, claims its runs, delivers them, and ends what is to end. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  readonly #active = new Map<string, ActiveRun>();
  #token = 0;
  #loop: Promise<void> | undefined;
  #isAway = false;
  #seen: Control = { runs: [], queued: false };
  #asks = new AbortController();
  #soon: NodeJS.Timeout | undefined;
  readonly #health = new Health();
  /** What was told last of what the server refuses. */
  #refused: string | undefined;

  constructor(options: RunnerOptions) {
    this.#options = { ...options, port: ordersFirst(options.port) };
  }

  /** Shows that it is this runner which has the name, once it is registered; 0 before. */
  get token(): number {
    return this.#token;
  }

  /** Registers the agent; from then on it claims runs. Raises lock_held while another runner has the name. */
  async start(): Promise<number> {
    const { port, agent, driver, token, resumed = [], everyMs = EVERY_MS } = this.#options;
    const { config = {}, ...about } = agent;
    ({ token: this.#token } = await port.register({
      agent: { ...about, config: { modes: modesOf(driver, config), ...config } },
      token,
    }));
    await driver.open();
    this.#tell({ what: 'registered' });
    for (const kept of resumed) this.#drive(kept.started, kept);
    const watching = setInterval(() => this.#watch(), everyMs.control);
    this.#loop = Promise.all([this.#repeat(() => this.#follow()), this.#repeat(() => this.#beat())])
      .then(() => {})
      .finally(() => clearInterval(watching));
    this.#loop.catch(() => {});
    return this.#token;
  }

  /** Settles after `stop`, and when the server refuses the runner, whose name another has now: raises that. */
  async ended(): Promise<void> {
    await this.#loop;
  }

  /** The processes of the agent that are alive. */
  pids(): number[] {
    const all = [this.#options.driver, ...this.#active.values()].flatMap((holder) => holder.pids());
    return [...new Set(all)];
  }

  /** Claims nothing more, ends what runs, and says goodbye. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const run of this.#active.values()) {
      run.end({ status: 'cancelled', end_reason: 'interrupted', error: 'Its runner was stopped.' });
    }
    const { driver, graceMs = GRACE_MS } = this.#options;
    // A claim that is on its way is given back before its agent is gone.
    const all = Promise.allSettled([this.#loop, ...[...this.#active.values()].map(({ settled }) => settled)]);
    // A server that is away hears of the end from the next runner.
    await Promise.race([all, sleep(3 * graceMs, undefined, { ref: false })]);
    await driver.close();
    await this.#beat({ leaving: true }).catch(() => {});
  }

  /** Does a step again and again, also while the server is away; ends when the agent is its no more. */
  async #repeat(step: () => Promise<{ pauseMs: number }>): Promise<void> {
    const { signal } = this.#stopping;
    const { log, everyMs: { control } = EVERY_MS } = this.#options;
    for (let pauseMs = control; !signal.aborted; pauseMs = control) {
      try {
        ({ pauseMs } = await step());
        if (this.#isAway) this.#tell({ what: 'back' });
        this.#isAway = false;
      } catch (err) {
        if (signal.aborted) return;
        if (isEnding(err)) {
          for (const run of this.#active.values()) run.lose();
          this.#stopping.abort();
          throw err;
        }
        if (isRefusal(err)) this.#tellRefusal(err);
        else {
          if (!this.#isAway) this.#tell({ what: 'away' });
          this.#isAway = true;
          log.debug({ err }, 'the server does not answer');
        }
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Waits for what it must know, does it, and claims what waits. */
  async #follow(): Promise<{ pauseMs: number }> {
    const { everyMs: { control: pauseMs } = EVERY_MS } = this.#options;
    const { signal } = this.#stopping;
    const control = await this.#control();
    if (control === undefined) return { pauseMs: 0 };
    this.#obey(control);
    let claimed = 0;
    // What was lost may be claimed again: its turn ends before, or would take up that text.
    const isLosing = () => [...this.#active.values()].some(({ isLost }) => isLost);
    const isReady = () => control.queued && !signal.aborted && this.#active.size < HELD_MAX && !isLosing();
    while (isReady() && (await this.#claim())) claimed += 1;
    // What waits and is not given would be asked for without a pause.
    return { pauseMs: control.queued && claimed === 0 ? pauseMs : 0 };
  }

  /** Asks what it must know; undefined when a run asks somebody meanwhile, whose answer is a part of it. */
  async #control(): Promise<Control | undefined> {
    const asks = new AbortController();
    this.#asks = asks;
    const signal = AbortSignal.any([this.#stopping.signal, asks.signal]);
    try {
      return await this.#options.port.control(this.#held(), { seen: this.#seen, signal });
    } catch (error) {
      if (asks.signal.aborted) return undefined;
      throw error;
    }
  }

  async #beat(more: { leaving?: boolean } = {}): Promise<{ pauseMs: number }> {
    const { port, everyMs = EVERY_MS } = this.#options;
    this.#obey(await port.beat(this.#token, { health: this.#health.of(this.pids()), runs: this.#held(), ...more }));
    return { pauseMs: everyMs.beat };
  }

  /** Tells what has changed before the next beat is due. */
  #beatSoon(): void {
    const { log, everyMs: { control } = EVERY_MS } = this.#options;
    const beat = () => {
      this.#soon = undefined;
      if (!this.#stopping.signal.aborted) void this.#beat().catch((err) => log.debug({ err }, 'a beat is not taken'));
    };
    this.#soon ??= setTimeout(beat, control).unref();
  }

  #watch(): void {
    for (const run of this.#active.values()) run.watch();
  }

  #held() {
    return [...this.#active.values()].map(({ held }) => held);
  }

  /** Asks for what waits. A refusal is about that run alone: it stays in the queue, and is asked for again later. */
  async #next(): Promise<Started | undefined> {
    const { port } = this.#options;
    try {
      const claimed = await port.claim(this.#token, [...this.#active.keys()]);
      this.#refused = undefined;
      return 'nothing' in claimed ? undefined : claimed;
    } catch (error) {
      if (!isAnswer(error)) throw error;
      this.#tellRefusal(error);
      return undefined;
    }
  }

  /** Tells it once, and not at every try. */
  #tellRefusal({ message: why }: DomainError): void {
    if (why !== this.#refused) this.#tell({ what: 'refused', why });
    this.#refused = why;
  }

  async #claim(): Promise<boolean> {
    const started = await this.#next();
    if (started === undefined) return false;
    if (started.deliver === 'interrupt') await this.#clearTheWay();
    if (this.#stopping.signal.aborted) {
      await this.#giveBack(started);
      return false;
    }
    this.#drive(started);
    return true;
  }

  #drive(started: Started, resumed?: Kept): void {
    const { port, driver, log, graceMs = GRACE_MS, askSeconds = ASK_SECONDS, spoolDir } = this.#options;
    const { env = {}, printed = () => {}, processorMs = PROCESSOR_MS } = this.#options;
    const { enter = async () => ({ driver, leave: async () => undefined }) } = this.#options;
    const parts: RunParts = {
      ...{ port, enter, driver, log, graceMs, processorMs, askSeconds, printed, spoolDir },
      env: { ...env, CAIRN_RUN: started.run.id, CAIRN_COMMAND: started.command.id },
      asked: (id, question) => {
        this.#asks.abort();
        this.#tell({ what: 'asked', run: id, question });
      },
      changed: () => this.#beatSoon(),
      given: (id) => this.#tell({ what: 'given', run: id }),
      delivered: (id) => this.#tell({ what: 'delivered', run: id }),
      left: (id, left) => this.#tell({ what: 'left', run: id, left }),
      refused: (id, { what: of, why }) => this.#tell({ what: 'unrecorded', run: id, of, why }),
      limited: (id, until, reason) => this.#tell({ what: 'limited', run: id, until, reason }),
    };
    const run = new ActiveRun(started, parts, resumed);
    this.#active.set(started.run.id, run);
    this.#tell({ what: resumed === undefined ? 'started' : 'resumed', started });
    void run.settled
      .then((ended) => {
        this.#tell({ what: 'ended', run: started.run.id, ended });
      })
      .finally(() => {
        this.#active.delete(started.run.id);
        // What waits for its turn to be over may be claimed now, and the open question still names it.
        if (run.isLost) this.#asks.abort();
      });
  }

  /** It was claimed while the runner was told to end: its driver is closed, and the next runner takes the run. */
  async #giveBack({ run, lock_token }: Started): Promise<void> {
    const { port, log } = this.#options;
    const back = { type: 'run.requeued', data: { reason: 'Its runner was stopped.' } };
    await port.report({ run: run.id, lock_token }, [back]).catch((err) => {
      log.warn({ err, run: run.id }, 'a run is not taken back');
    });
  }

  /** A command that interrupts comes in the place of what runs. */
  async #clearTheWay(): Promise<void> {
    const running = [...this.#active.values()];
    for (const run of running) {
      run.end({ status: 'cancelled', end_reason: 'interrupted', error: 'Another command came in its place.' });
    }
    await Promise.allSettled(running.map(({ settled }) => settled));
  }

  #obey(control: Control): void {
    const { stopped, runs } = control;
    const wasStopped = this.#seen.stopped;
    this.#seen = control;
    if (stopped !== undefined) {
      for (const run of this.#active.values()) {
        run.end({ status: 'cancelled', end_reason: 'emergency_stop', error: `Stopped: ${asSentence(stopped)}` });
      }
    }
    if (stopped !== undefined && stopped !== wasStopped) this.#tell({ what: 'stopped', why: stopped });
    for (const { run: id, state, answers, reason = 'It was interrupted.' } of runs) {
      const run = this.#active.get(id);
      if (answers !== undefined) run?.hear(answers);
      if (state === 'lost') run?.lose();
      else if (state === 'interrupt') run?.end({ status: 'cancelled', end_reason: 'interrupted', error: reason });
    }
  }

  #tell(told: Notice): void {
    this.#health.hear(told);
    this.#options.tell?.(told);
  }
}
