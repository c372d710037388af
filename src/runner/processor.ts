import { membersOf } from './session-members.ts';

// The kernel counts for programs in hundredths of a second (proc(5), USER_HZ).
const TICK_MS = 10;
const LOOK_MS = 1_000;

type Sample = { at: number; usedMs: number };
type Options = {
  overMs: number;
  now?: () => number;
  usedMsOf?: (leaders: readonly number[]) => number | undefined;
};

/** Measures how much of a processor an agent uses, with all that it started, on average over a while. */
export class ProcessorMeter {
  readonly #overMs: number;
  readonly #now: () => number;
  readonly #usedMsOf: (leaders: readonly number[]) => number | undefined;
  #samples: Sample[] = [];
  #counted = 0;
  /** What the system counted at the last look. */
  #before: number | undefined;

  constructor({ overMs, now = () => performance.now(), usedMsOf = processorMsOf }: Options) {
    this.#overMs = overMs;
    this.#now = now;
    this.#usedMsOf = usedMsOf;
  }

  /** The percentage of one processor; undefined before it was watched for so long, and where the system does not say. */
  percentOf(leaders: readonly number[]): number | undefined {
    const at = this.#now();
    const last = this.#samples.at(-1);
    if (last === undefined || at - last.at >= Math.min(LOOK_MS, this.#overMs / 2)) this.#look(leaders, at);
    const [first] = this.#samples;
    const newest = this.#samples.at(-1);
    if (first === undefined || newest === undefined || newest.at - first.at < this.#overMs) return undefined;
    return Math.round((100 * (newest.usedMs - first.usedMs)) / (newest.at - first.at));
  }

  #look(leaders: readonly number[], at: number): void {
    const used = this.#usedMsOf(leaders);
    if (used === undefined) return;
    // What ended, and nobody of the group waited for, is no longer counted: what was used does not become less by it.
    this.#counted += Math.max(used - (this.#before ?? used), 0);
    this.#before = used;
    this.#samples.push({ at, usedMs: this.#counted });
    // The oldest one is the last of those that are old enough.
    while ((this.#samples[1]?.at ?? at) <= at - this.#overMs) this.#samples.shift();
  }
}

/**
 * What the sessions of these processes have used of processors, in ms; undefined where the system does not say (it does
 * on Linux).
 */
function processorMsOf(leaders: readonly number[]): number | undefined {
  return membersOf(leaders)?.reduce((sum, { fields }) => sum + TICK_MS * ticksOf(fields), 0);
}

/** Counts the ticks of a process and of those that it has waited for. */
function ticksOf(fields: readonly string[]): number {
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}
