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

/** Sends what an agent reported of its runs, in order, and again while the server is away. */
export class StepSender {
  readonly #parts: Parts;
  readonly #known = new Map<string, Known>();
  readonly #refused = new Set<string>();
  /** Of runs that are not known yet: the next runner has just taken them over. */
  #early: ReportedSteps[] = [];
  #last: Promise<void> = Promise.resolve();
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
  }

  add(told: ReportedSteps): void {
    const known = this.#known.get(told.run);
    if (known === undefined) this.#early.push(told);
    else this.#last = this.#last.then(() => this.#send(told, known));
  }

  /** Settles when all is sent, or after so many ms. */
  async end(ms: number): Promise<void> {
    await Promise.race([this.#last, sleep(ms, undefined, { ref: false })]);
    this.#isOver = true;
  }

  async #send({ id, run, steps, links }: ReportedSteps, { lock_token, keeps_content }: Known): Promise<void> {
    const { port, log, stored, refused } = this.#parts;
    // What nobody keeps does not leave the machine.
    const sent = keeps_content ? steps : steps.map(({ content: _, ...step }) => step);
    try {
      await untilTaken(() => port.steps({ run, lock_token }, { steps: sent, links }), {
        isOver: () => this.#isOver,
        failed: (err) => log.debug({ err, run }, 'steps of a run are not taken'),
      });
    } catch (error) {
      if (!this.#refused.has(run)) refused(run, messageOf(error));
      this.#refused.add(run);
    }
    if (!this.#isOver) stored(id);
  }
}
