import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { claimJob, type Due, dueJobs, NOBODY, registerKinds } from './claims.ts';
import { failureText } from './failure.ts';
import { HeldRun } from './held-run.ts';
import type { JobKind, Machine, Run } from './job.ts';

const LEASE_SECONDS = 30;
const STOP_MS_MAX = 10_000;
const ROUNDS_MAX = 100;
const JITTER = 0.1;

/** How a run ended; `lost` if another had taken it over by then, so that nothing of it was settled. */
export type Ended = { kind: string; outcome: 'succeeded' | 'failed' | 'released' | 'lost'; seconds: number };

export type WorkerOptions = {
  machine: Machine;
  /** The kinds that the database has, and those among them that this worker runs; by default all. */
  kinds: readonly JobKind[];
  runs?: (kind: JobKind) => boolean;
  /** The times between two looks at what is due: at most, and at least when something is due sooner. */
  everyMs?: { most: number; least: number };
  leaseSeconds?: number;
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

  constructor(options: WorkerOptions) {
    const defaults = { runs: () => true, everyMs: { most: 10_000, least: 200 }, leaseSeconds: LEASE_SECONDS };
    this.#options = { ...defaults, ...options };
    this.#kinds = new Map(options.kinds.filter(this.#options.runs).map((kind) => [kind.kind, kind]));
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /** Takes no more runs, lets the one that goes on finish, and gives it back if it does not soon. */
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
      const { ended } = await this.#look();
      all.push(...ended);
      if (ended.length === 0) break;
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

  async #look(): Promise<{ ended: Ended[]; nextInMs: number | undefined }> {
    const { db } = this.#options.machine;
    const caller = { db, actor: NOBODY };
    this.#lookedAt = performance.now();
    await this.#register();
    const { jobs, next_in_ms } = await dueJobs(caller, { kinds: [...this.#kinds.keys()] });
    const ended: Ended[] = [];
    for (const due of jobs) {
      if (this.#stopping.signal.aborted) break;
      const end = await this.#run(due);
      if (end !== undefined) ended.push(end);
    }
    // What was run may be due again before the next one.
    return { ended, nextInMs: ended.length > 0 ? 0 : next_in_ms };
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
    const claimedAt = performance.now();
    const actor = tenant_id === undefined ? NOBODY : { ...NOBODY, tenant_id };
    const claim = await claimJob({ db, actor }, { kind: name, holder: this.#holder, seconds: leaseSeconds });
    if (claim === null) return undefined;
    const { token, settings, user_id } = claim;
    const held = new HeldRun({ db, log, actor, kind: name, token, leaseSeconds, claimedAt });
    this.#running = held;
    try {
      const signal = AbortSignal.any([held.lost, this.#stopping.signal]);
      const outcome = await this.#finish(held, kind, {
        settings,
        signal,
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

  async #finish(held: HeldRun, kind: JobKind, run: Run): Promise<Ended['outcome']> {
    const { machine } = this.#options;
    const startedAt = performance.now();
    const failure = await Promise.race([
      kind.run(machine, run).then(
        () => null,
        (error: unknown) => ({ error }),
      ),
      this.#givesUp(held),
    ]);
    const duration = Math.round(performance.now() - startedAt);
    if (failure === 'left') return 'lost';
    if (failure === null) return (await held.finish('succeeded', undefined, duration)) ? 'succeeded' : 'lost';
    if (this.#stopping.signal.aborted) return (await held.finish('released')) ? 'released' : 'lost';
    machine.log.warn({ err: failure.error, kind: kind.kind }, 'a job failed');
    return (await held.finish('failed', failureText(failure.error), duration)) ? 'failed' : 'lost';
  }

  /** Settles when nobody waits for the run any more: it is lost, or it does not end when the worker stops. */
  async #givesUp(held: HeldRun): Promise<'left'> {
    const { signal } = this.#stopping;
    await new Promise<void>((resolve) => {
      held.lost.addEventListener('abort', () => resolve(), { once: true });
      const later = () => void setTimeout(resolve, STOP_MS_MAX).unref();
      if (signal.aborted) later();
      else signal.addEventListener('abort', later, { once: true });
    });
    held.leave();
    return 'left';
  }
}
