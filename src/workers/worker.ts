import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '../errors.ts';
import { claimJob, type Due, dueJobs, registerKinds, SYSTEM } from './claims.ts';
import { failureText } from './failure.ts';
import { HeldRun } from './held-run.ts';
import type { JobKind, Machine, Run } from './job.ts';

const LEASE_SECONDS = 30;
const STOP_MS = 10_000;
const RUN_SECONDS_MAX = 3_600;
const ROUNDS_MAX = 100;
const JITTER = 0.1;

/** How a run ended; `failed` too if it could not begin, `lost` if another had taken it over by then, so that nothing of it was settled. */
export type Ended = { kind: string; outcome: 'succeeded' | 'failed' | 'released' | 'lost'; seconds: number };

export type WorkerOptions = {
  machine: Machine;
  /** The kinds that the database has, and those among them that this worker runs; by default all. */
  kinds: readonly JobKind[];
  runs?: (kind: JobKind) => boolean;
  /** The times between two looks at what is due: at most, and at least when something is due sooner. */
  everyMs?: { most: number; least: number };
  leaseSeconds?: number;
  /** How long a run that was told to stop is waited for. */
  stopMs?: number;
  /** Brings a stopped database back after a look that failed. */
  wake?: () => Promise<void>;
};

/** Runs jobs that are due, one after the other, from `start` until `stop`. */
export class Worker {
  readonly #options: Required<Omit<WorkerOptions, 'wake'>> & Pick<WorkerOptions, 'wake'>;
  readonly #kinds: ReadonlyMap<string, JobKind>;
  readonly #stopping = new AbortController();
  readonly #holder = `${hostname()}#${process.pid}`;
  readonly #told: ((ended: Ended) => void)[] = [];
  #registered: Promise<void> | undefined;
  #loop: Promise<void> | undefined;
  #lookedAt = performance.now();
  #running: HeldRun | undefined;
  readonly #lingering = new Set<string>();

  constructor(options: WorkerOptions) {
    const everyMs = { most: 10_000, least: 200 };
    this.#options = { runs: () => true, everyMs, leaseSeconds: LEASE_SECONDS, stopMs: STOP_MS, ...options };
    this.#kinds = new Map(options.kinds.filter(this.#options.runs).map((kind) => [kind.kind, kind]));
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /**
   * Takes no more runs, and tells the one that goes on to stop. It finishes, or is given back: what it still does then,
   * another may do too.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** Calls back after each run. */
  onEnd(tell: (ended: Ended) => void): void {
    this.#told.push(tell);
  }

  /** Tells whether the loop goes on: it looked, or works, within three intervals. */
  isAlive(): boolean {
    return this.#running !== undefined || performance.now() - this.#lookedAt <= 3 * this.#options.everyMs.most;
  }

  /** Runs what is due, also what becomes due meanwhile, and returns how each run ended. */
  async runDue(): Promise<Ended[]> {
    const all: Ended[] = [];
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const { ended, unbegun } = await this.#look();
      all.push(...ended);
      if (ended.length > 0) continue;
      all.push(...unbegun);
      break;
    }
    return all;
  }

  async #work(): Promise<void> {
    const { everyMs, machine, wake } = this.#options;
    const { signal } = this.#stopping;
    let waitMs = everyMs.least;
    while (!signal.aborted) {
      await sleep(waitMs * (1 + Math.random() * JITTER), undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      try {
        const { nextInMs } = await this.#look();
        waitMs = Math.max(everyMs.least, Math.min(nextInMs ?? everyMs.most, everyMs.most));
      } catch (err) {
        machine.log.warn({ err }, 'the worker cannot see what is due');
        waitMs = everyMs.most;
        await wake?.().catch(() => {});
      }
    }
  }

  async #look(): Promise<{ ended: Ended[]; unbegun: Ended[]; nextInMs: number | undefined }> {
    const { db, log } = this.#options.machine;
    const caller = { db, actor: SYSTEM };
    this.#lookedAt = performance.now();
    await this.#register();
    const { jobs, next_in_ms } = await dueJobs(caller, { kinds: [...this.#kinds.keys()] });
    const ended: Ended[] = [];
    const unbegun: Ended[] = [];
    for (const due of jobs) {
      if (this.#stopping.signal.aborted) break;
      try {
        const end = await this.#run(due);
        if (end !== undefined) ended.push(end);
      } catch (err) {
        // One that cannot be claimed must not keep the others from running.
        log.warn({ err, ...due }, 'a job that is due does not begin');
        unbegun.push({ kind: due.kind, outcome: 'failed', seconds: 0 });
      }
    }
    // What was run may be due again before the next one.
    return { ended, unbegun, nextInMs: ended.length > 0 ? 0 : next_in_ms };
  }

  #register(): Promise<void> {
    const { machine, kinds } = this.#options;
    this.#registered ??= registerKinds(machine.db, kinds).catch((error) => {
      this.#registered = undefined;
      throw error;
    });
    return this.#registered;
  }

  async #run({ kind: name, tenant_id }: Due): Promise<Ended | undefined> {
    const { machine, leaseSeconds } = this.#options;
    const { db, log } = machine;
    const kind = this.#kinds.get(name);
    if (kind === undefined) return undefined;
    if (this.#lingering.has(`${name} ${tenant_id}`)) return undefined;
    const claimedAt = performance.now();
    const actor = tenant_id === undefined ? SYSTEM : { ...SYSTEM, tenant_id };
    const claim = await claimJob({ db, actor }, { kind: name, holder: this.#holder, seconds: leaseSeconds });
    if (claim === null) return undefined;
    const { token, settings, user_id } = claim;
    const held = new HeldRun({ db, log, actor, kind: name, token, leaseSeconds, claimedAt });
    this.#running = held;
    try {
      const outcome = await this.#finish(held, kind, {
        settings,
        actor: user_id === undefined ? actor : { ...actor, user_id },
      });
      const ended = { kind: name, outcome, seconds: (performance.now() - claimedAt) / 1_000 };
      for (const tell of this.#told) tell(ended);
      return ended;
    } finally {
      this.#running = undefined;
      this.#lookedAt = performance.now();
    }
  }

  async #finish(held: HeldRun, kind: JobKind, run: Omit<Run, 'signal'>): Promise<Ended['outcome']> {
    const { machine } = this.#options;
    const { maxSeconds = RUN_SECONDS_MAX } = kind;
    const stopping = this.#stopping.signal;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), maxSeconds * 1_000).unref();
    const startedAt = performance.now();
    const work = kind.run(machine, { ...run, signal: AbortSignal.any([held.lost, stopping, late.signal]) });
    // One that goes on although nobody waits for it is not begun a second time here.
    const name = `${kind.kind} ${run.actor.tenant_id}`;
    this.#lingering.add(name);
    const failure = await Promise.race([
      work
        .finally(() => this.#lingering.delete(name))
        .then(
          () => null,
          (error: unknown): { error?: unknown } => ({ error }),
        ),
      this.#givesUp(held, AbortSignal.any([stopping, late.signal])),
    ]);
    clearTimeout(timer);
    const duration = Math.round(performance.now() - startedAt);
    if (failure === null) return (await held.finish('succeeded', undefined, duration)) ? 'succeeded' : 'lost';
    if (held.lost.aborted) return held.leave();
    if (stopping.aborted && !late.signal.aborted) return (await held.finish('released')) ? 'released' : 'lost';
    const error = late.signal.aborted
      ? new DomainError('unavailable', `It took longer than ${maxSeconds} seconds.`)
      : failure.error;
    machine.log.warn({ err: error, kind: kind.kind }, 'a job failed');
    return (await held.finish('failed', failureText(error), duration)) ? 'failed' : 'lost';
  }

  /** Settles when nobody waits for the run any more: it is lost, or goes on although it was told to stop. */
  #givesUp(held: HeldRun, told: AbortSignal): Promise<{ error?: unknown }> {
    return new Promise((resolve) => {
      const leave = () => resolve({});
      const later = () => void setTimeout(leave, this.#options.stopMs).unref();
      if (held.lost.aborted) leave();
      else held.lost.addEventListener('abort', leave, { once: true });
      if (told.aborted) later();
      else told.addEventListener('abort', later, { once: true });
    });
  }
}
