import type { Reported } from '../../telemetry/otlp.ts';
import { Receiver } from '../../telemetry/receiver.ts';
import { REPORTING, type Reporting } from '../../telemetry/reporting.ts';
import { type Branch, partsOf, StepTree } from '../../telemetry/tree.ts';
import { TtlCache } from '../../ttl-cache.ts';
import type { Program } from '../process-group.ts';
import type { FromHolder } from './messages.ts';

type Steps = Extract<FromHolder, { say: 'steps' }>;
type Window = { run: string; from: number; to: number };

// Of what no server has yet: an agent that reports more is asked to wait.
const WAITING_CHARACTERS_MAX = 8_388_608;
const WINDOWS_MAX = 50;
const TRACES = { lifeMs: 86_400_000, max: 1_000 };

/** Takes what the processes of an agent report of what they do, and keeps it until the server has it. */
export class HeldSteps {
  readonly #reporting: Reporting;
  readonly #receiver: Receiver;
  readonly #tell: (told: Steps) => void;
  readonly #places = new Map<string, { windows: Window[]; close(): void }>();
  readonly #waiting = new Map<number, { told: Steps; characters: number }>();
  #characters = 0;
  #count = 0;

  private constructor(reporting: Reporting, receiver: Receiver, tell: (told: Steps) => void) {
    this.#reporting = reporting;
    this.#receiver = receiver;
    this.#tell = tell;
  }

  /** Undefined where an agent of this type reports nothing that could be read, or nothing can be listened to. */
  static async of(type: string, tell: (told: Steps) => void): Promise<HeldSteps | undefined> {
    const reporting = REPORTING[type];
    if (reporting === undefined) return undefined;
    const receiver = await Receiver.listen().catch(() => undefined);
    return receiver && new HeldSteps(reporting, receiver, tell);
  }

  /** What no server has yet, for a runner that comes later. */
  get waiting(): Steps[] {
    return [...this.#waiting.values()].map(({ told }) => told);
  }

  /** The program with what makes it report, unless it reports to another already. */
  reporting(program: Program): Program {
    const { cwd, env, args } = program;
    const windows: Window[] = [];
    const tree = new StepTree(this.#reporting.dialect);
    const traces = new TtlCache<string>(TRACES);
    const { url, close } = this.#receiver.open((reported) => this.#take(reported, { tree, traces, windows }));
    const settings = this.#reporting.settings(url, program);
    if (settings === undefined) {
      close();
      return program;
    }
    this.#places.get(cwd)?.close();
    this.#places.set(cwd, { windows, close });
    return { ...program, args: [...args, ...settings.args], env: { ...env, ...settings.env } };
  }

  /** A run has begun where the program of this folder works. */
  begin(run: string, cwd: string): void {
    const windows = this.#places.get(cwd)?.windows;
    windows?.push({ run, from: Date.now(), to: Number.POSITIVE_INFINITY });
    if (windows !== undefined && windows.length > WINDOWS_MAX) windows.shift();
  }

  end(run: string): void {
    for (const { windows } of this.#places.values()) {
      for (const window of windows) if (window.run === run) window.to = Math.min(window.to, Date.now());
    }
  }

  /** The server has them, or takes them never. */
  settle(id: number): void {
    this.#characters -= this.#waiting.get(id)?.characters ?? 0;
    this.#waiting.delete(id);
  }

  close(): void {
    this.#receiver.close();
  }

  #take(
    reported: readonly Reported[],
    place: Pick<Place, 'tree' | 'traces' | 'windows'>,
  ): { rejected: number } | undefined {
    if (this.#characters > WAITING_CHARACTERS_MAX) return undefined;
    const branches = place.tree.add(reported, (one, time) => runOf(one, time, place));
    let rejected = 0;
    for (const [run, branch] of branches) {
      rejected += branch.rejected;
      for (const part of partsOf(branch)) this.#say(run, part);
    }
    return { rejected };
  }

  #say(run: string, { steps, links }: Branch): void {
    const told: Steps = { say: 'steps', id: ++this.#count, run, steps, links };
    const characters = JSON.stringify(told).length;
    this.#waiting.set(told.id, { told, characters });
    this.#characters += characters;
    this.#tell(told);
  }
}

type Place = { tree: StepTree; traces: TtlCache<string>; windows: readonly Window[] };

/**
 * The run that a report is of. What is of one trace is of one run: a sub-agent may work on after the turn that it was
 * started in. All else is of the run that was on at its time; of those that share a turn, the first.
 */
function runOf({ traceId }: Reported, began: number, { traces, windows }: Omit<Place, 'tree'>): string | undefined {
  // In ns it was more than a number holds.
  const time = Math.round(began);
  const known = traceId === undefined ? undefined : traces.get(traceId);
  if (known !== undefined) return known;
  const window =
    windows.find(({ from, to }) => from <= time && time <= to) ??
    windows.findLast(({ from }) => from <= time) ??
    windows[0];
  if (window !== undefined && traceId !== undefined) traces.set(traceId, window.run);
  return window?.run;
}
