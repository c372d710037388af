import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SentSteps } from '../services/steps.ts';
import type { Started } from './active-run.ts';
import type { RunnerPort } from './port.ts';
import { untilTaken } from './until-taken.ts';

/** What the holder of an agent has of a run's steps, until they are stored. */
export type ReportedSteps = { id: number; run: string } & Required<SentSteps>;
type Parts = {
  port: Pick<RunnerPort, 'steps'>;
  log: Log;
  stored(id: number): void;
  /** Hears why steps of a run are not recorded, once for each run. */
  refused(run: string, why: string): void;
};
type Known = Pick<Started, 'lock_token' | 'keeps_content'>;

// Steps come for some seconds after the end of their run.
const RUNS_MAX = 100;
// Of what the server fails at each time: it would keep all that comes after it waiting.
const FAILURES_MAX = 5;
// The runs of an earlier runner are taken over one right after the other.
const EARLY_MS_MAX = 60_000;

/** Sends what an agent reported of its runs, in order for each, and again while the server is away. */
export class StepSender {
  readonly #parts: Parts;
  readonly #known = new Map<string, Known>();
  readonly #refused = new Set<string>();
  /** Of runs that are not known yet: the next runner has just taken them over. The holder keeps 8 MB at most. */
  #early: ReportedSteps[] = [];
  /** By run: one whose steps wait keeps no other waiting. */
  readonly #last = new Map<string, Promise<void>>();
  #isOver = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What is told of this run is sent from now on. */
  know({ run, lock_token, keeps_content }: Started): void {
    this.#known.delete(run.id);
    this.#known.set(run.id, { lock_token, ...(keeps_content && { keeps_content }) });
    const [oldest] = this.#known.keys();
    if (this.#known.size > RUNS_MAX && oldest !== undefined) this.#known.delete(oldest);
    const early = this.#early.filter((told) => told.run === run.id);
    this.#early = this.#early.filter((told) => told.run !== run.id);
    for (const told of early) this.add(told);
    // Nobody will ever be the runner of those that are still left then, and the holder has no room for more.
    const left = this.#early;
    if (left.length > 0) setTimeout(() => this.#leaveOut(left), EARLY_MS_MAX).unref();
  }

  add(told: ReportedSteps): void {
    const known = this.#known.get(told.run);
    if (known === undefined) {
      this.#early = [...this.#early, told];
      return;
    }
    const last = (this.#last.get(told.run) ?? Promise.resolve()).then(async () => {
      await this.#send(told, known);
      if (this.#last.get(told.run) === last) this.#last.delete(told.run);
    });
    this.#last.set(told.run, last);
  }

  /** Settles when all is sent, or after so many ms. */
  async end(ms: number): Promise<void> {
    await Promise.race([Promise.all(this.#last.values()), sleep(ms, undefined, { ref: false })]);
    this.#isOver = true;
  }

  async #send({ id, run, steps, links }: ReportedSteps, { lock_token, keeps_content }: Known): Promise<void> {
    const { port, log, stored } = this.#parts;
    // What nobody keeps does not leave the machine.
    const sent = keeps_content ? steps : steps.map(({ content: _, ...step }) => step);
    try {
      await untilTaken(() => port.steps({ run, lock_token }, { steps: sent, links }), {
        isOver: () => this.#isOver,
        failuresMax: FAILURES_MAX,
        failed: (err) => log.debug({ err, run }, 'steps of a run are not taken'),
      });
    } catch (error) {
      this.#refuse(run, messageOf(error));
    }
    if (!this.#isOver) stored(id);
  }

  #leaveOut(left: readonly ReportedSteps[]): void {
    if (this.#isOver) return;
    const gone = this.#early.filter((told) => left.includes(told));
    this.#early = this.#early.filter((told) => !left.includes(told));
    for (const { id, run } of gone) {
      this.#refuse(run, 'They are of an earlier runner, whose run is over.');
      this.#parts.stored(id);
    }
  }

  #refuse(run: string, why: string): void {
    if (!this.#refused.has(run)) this.#parts.refused(run, why);
    this.#refused.add(run);
  }
}
