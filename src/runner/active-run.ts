import { DomainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Claimed, Held } from '../services/runner.ts';
import { beginTurn } from './begin-turn.ts';
import type { Answer, Driver, Ended, Limited, Turn } from './driver.ts';
import { exceeded } from './limits.ts';
import { orderText } from './order.ts';
import { OutputSender } from './output-sender.ts';
import type { Report, RunnerPort } from './port.ts';
import { untilTaken } from './until-taken.ts';

export type Started = Exclude<Claimed, { nothing: string }>;

type Parts = {
  port: RunnerPort;
  driver: Driver;
  log: Log;
  graceMs: number;
  env: Record<string, string>;
  printed(run: string, stream: 'stdout' | 'stderr', text: string): void;
};

const NOBODY_ASKED: Answer = {
  decision: 'denied',
  note: 'Nobody could be asked. Do not look for another way to do the same: end your turn, and say what you needed.',
};

/** A run that was claimed, from its delivery until the database knows its end. */
export class ActiveRun {
  readonly started: Started;
  /** Settles when its end is known, or somebody else's. */
  readonly settled: Promise<Ended>;
  readonly #parts: Parts;
  readonly #startedAt = performance.now();
  #signAt = performance.now();
  #tokens = { in: 0, out: 0 };
  #turn: Turn | undefined;
  /** Why it was told to end, from then on. */
  #told: Ended | undefined;
  #endedBy: 'itself' | 'interrupt' | 'stop' = 'itself';
  #isLost = false;
  /** Its turn has ended: what would end it now would reach the next one. */
  #isOver = false;
  #reports: Promise<void> = Promise.resolve();
  readonly #output: OutputSender;

  constructor(started: Started, parts: Parts) {
    this.started = started;
    this.#parts = parts;
    this.#output = new OutputSender((chunks) => parts.port.output(this.held, chunks), parts.log);
    this.settled = this.#run();
  }

  get held(): Held {
    const { run, lock_token } = this.started;
    return { run: run.id, lock_token, tokens_in: this.#tokens.in, tokens_out: this.#tokens.out };
  }

  /** Interrupts it once it exceeds a limit; the memory is that of the agent's processes, in MB. */
  watch(memoryMb: number | undefined): void {
    const now = performance.now();
    const over = exceeded(this.started.command.limits, {
      runningMs: now - this.#startedAt,
      silentMs: now - this.#signAt,
      tokens: this.#tokens.in + this.#tokens.out,
      memoryMb,
    });
    if (over === undefined) return;
    this.end({ status: over.end_reason === 'time_limit' ? 'timed_out' : 'failed', ...over });
  }

  /** Ends it: asks the agent, and after the grace ends its process. */
  end(told: Ended): void {
    if (this.#told !== undefined || this.#isOver) return;
    this.#told = told;
    const { graceMs } = this.#parts;
    this.#endedBy = 'interrupt';
    this.#turn?.interrupt();
    const timer = setTimeout(() => {
      this.#endedBy = 'stop';
      this.#turn?.stop();
    }, graceMs);
    void this.settled.finally(() => clearTimeout(timer));
  }

  /** It is another's: its end here is told to nobody. */
  lose(): void {
    // It may be this end that the server knows of, and its output is still on its way.
    if (this.#isOver) return;
    this.#isLost = true;
    this.#output.drop();
    this.end({ status: 'failed', end_reason: 'lost' });
  }

  async #run(): Promise<Ended> {
    const { driver, printed, env } = this.#parts;
    const { run, deliver } = this.started;
    const turn = beginTurn(driver, orderText(this.started), {
      mode: deliver,
      env,
      watcher: {
        acknowledged: () => this.#say({ type: 'run.acknowledged' }),
        printed: (stream, text) => {
          this.#signAt = performance.now();
          this.#output.add(stream, text);
          printed(run.id, stream, text);
        },
        used: (tokens) => {
          this.#signAt = performance.now();
          this.#tokens = tokens;
        },
        asks: async () => NOBODY_ASKED,
      },
    });
    this.#turn = turn;
    this.#say({ type: 'run.delivered', data: { path: driver.path } });
    if (this.#told !== undefined) turn.interrupt();
    const found = endOf(await turn.ended);
    this.#isOver = true;
    this.#turn = undefined;
    const ended = this.#told === undefined ? found : { ...found, ...this.#told };
    const { in: tokens_in, out: tokens_out } = this.#tokens;
    this.#say({
      type: 'run.finished',
      data: {
        ...ended,
        ...(ended.error !== undefined && { error: ended.error.slice(0, 2_000) }),
        ...(ended.result !== undefined && { result: ended.result.slice(0, 20_000) }),
        metrics: { tokens_in, tokens_out, ended_by: this.#endedBy },
      },
    });
    await this.#reports;
    await this.#output.end();
    return ended;
  }

  /** Reports in order, each until it is taken: the server may be away for a while. */
  #say(report: Report): void {
    this.#reports = this.#reports.then(() => this.#send(report));
  }

  async #send(report: Report): Promise<void> {
    const { port, log } = this.#parts;
    const { id } = this.started.run;
    try {
      await untilTaken(() => port.report(this.held, [report]), {
        isOver: () => this.#isLost,
        failed: (err) => log.warn({ err, run: id, type: report.type }, 'a report of a run is not taken'),
      });
    } catch (error) {
      if (error instanceof DomainError && error.code === 'lock_lost') this.lose();
    }
  }
}

function endOf(found: Ended | Limited): Ended {
  return found.status === 'limited' ? { status: 'failed', end_reason: 'error', error: found.reason } : found;
}
