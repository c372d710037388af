import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, messageOf } from '../errors.ts';
import { goOnText, orderText } from '../services/order.ts';
import type { Answered, Claimed, Held } from '../services/runner.ts';
import { clean, firstOf } from '../text.ts';
import { beginTurn } from './begin-turn.ts';
import type { Ended, Limited, Mode, Question, Turn } from './driver.ts';
import { memoryMbOf } from './health.ts';
import { exceeded } from './limits.ts';
import { OutputSender } from './output-sender.ts';
import type { Left, Place } from './place.ts';
import type { Report } from './port.ts';
import { ProcessorMeter } from './processor.ts';
import { secondsUntil, waitUntil } from './provider-wait.ts';
import { Questions } from './questions.ts';
import type { RunParts } from './run-parts.ts';
import { Subagents } from './subagents.ts';
import { countable } from './tokens.ts';
import { untilTaken } from './until-taken.ts';

export type Started = Exclude<Claimed, { nothing: string }>;

/** A run that was claimed, from its delivery until the database knows its end. */
export class ActiveRun {
  readonly started: Started;
  /** Settles when its end is known, or somebody else's. */
  readonly settled: Promise<Ended>;
  readonly #parts: RunParts;
  readonly #startedAt = performance.now();
  #signAt = performance.now();
  #isSilenceTold = false;
  /** How long it waited for a person or its provider, which is no work. */
  #waitedMs = 0;
  #waitsSince: number | undefined;
  /** Of its turns before this one, and of this one. */
  #usedBefore = { in: 0, out: 0 };
  #used = { in: 0, out: 0 };
  readonly #subagents = new Subagents();
  #place: Place | undefined;
  readonly #processor: ProcessorMeter;
  #turn: Turn | undefined;
  /** Why it was told to end, from then on. */
  #told: Ended | undefined;
  #endedBy: 'itself' | 'interrupt' | 'stop' = 'itself';
  #isLost = false;
  /** Its turn has ended: what would end it now would reach the next one. */
  #isOver = false;
  /** Ends what it waits for. */
  readonly #leaving = new AbortController();
  readonly #questions: Questions;
  #reports: Promise<unknown> = Promise.resolve();
  readonly #output: OutputSender;

  constructor(started: Started, parts: RunParts) {
    this.started = started;
    this.#parts = parts;
    this.#output = new OutputSender({ ...parts, send: (sent) => parts.port.output(this.held, sent) });
    this.#processor = new ProcessorMeter({ overMs: parts.processorMs });
    this.#questions = new Questions((report) => this.#say(report), parts.askSeconds);
    this.settled = this.#run();
  }

  get held(): Held {
    const { run, lock_token } = this.started;
    const asks = this.#questions.ids;
    const { in: tokens_in, out: tokens_out } = this.#tokens;
    const given = { run: run.id, lock_token, tokens_in, tokens_out, ...this.#subagents.now };
    return asks.length > 0 ? { ...given, asks } : given;
  }

  get #tokens() {
    return countable({ in: this.#usedBefore.in + this.#used.in, out: this.#usedBefore.out + this.#used.out });
  }

  /** Takes what became of its questions. */
  hear(answers: readonly Answered[]): void {
    this.#questions.hear(answers);
  }

  /** The processes that work on it. */
  pids(): readonly number[] {
    return this.#place?.driver.pids() ?? [];
  }

  /** Interrupts it once it exceeds a limit. */
  watch(): void {
    if (this.#waitsSince !== undefined) return;
    const now = performance.now();
    const tokens = this.#tokens;
    const pids = this.pids();
    const { limits } = this.started.command;
    const over = exceeded(limits, {
      runningMs: now - this.#startedAt - this.#waitedMs,
      silentMs: now - this.#signAt,
      tokens: tokens.in + tokens.out,
      memoryMb: memoryMbOf(pids),
      processorPercent: limits.cpu_limit_percent === undefined ? undefined : this.#processor.percentOf(pids),
    });
    if (over === undefined) {
      this.#tellSilence(now - this.#signAt);
      return;
    }
    this.end({ status: over.end_reason === 'time_limit' ? 'timed_out' : 'failed', ...over });
  }

  /** Half of the time without a sign of work is over: somebody may look before it ends. Told once for each silence. */
  #tellSilence(ms: number): void {
    const { silence_limit_ms } = this.started.command.limits;
    if (silence_limit_ms === undefined || ms < silence_limit_ms / 2) this.#isSilenceTold = false;
    else if (!this.#isSilenceTold) {
      this.#isSilenceTold = true;
      void this.#say({ type: 'run.silent', data: { seconds: Math.ceil(ms / 1_000) } });
    }
  }

  /** Ends it: asks the agent, and after the grace ends its process. */
  end(told: Ended): void {
    if (this.#told !== undefined || this.#isOver) return;
    this.#told = told;
    const { graceMs } = this.#parts;
    this.#endedBy = 'interrupt';
    this.#leaving.abort();
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
    let place: Place;
    try {
      place = await this.#parts.enter(this.started.run);
    } catch (error) {
      this.#isOver = true;
      return this.#finish({ status: 'failed', end_reason: 'error', error: clean(messageOf(error)), ...this.#told });
    }
    this.#place = place;
    // What was ended while its place was made is not delivered.
    const ended = this.#told ?? (await this.#turns(place));
    this.#isOver = true;
    const left = await place.leave();
    if (left?.kept) this.#parts.left(this.started.run.id, left);
    return this.#finish(ended, left);
  }

  async #turns(place: Place): Promise<Ended> {
    let found = await this.#turnOf(place, { text: orderText(this.started), mode: this.started.deliver });
    while (found.status === 'limited' && this.#told === undefined && this.started.command.resumes) {
      await this.#waitForProvider(found);
      if (this.#told === undefined) found = await this.#turnOf(place, { text: goOnText(this.started), mode: 'turn' });
    }
    const end: Ended =
      found.status === 'limited' ? { status: 'failed', end_reason: 'usage_limit', error: found.reason } : found;
    return this.#told === undefined ? end : { ...end, ...this.#told };
  }

  async #turnOf({ driver }: Place, { text, mode }: { text: string; mode: Mode }): Promise<Ended | Limited> {
    const { changed, given, printed, env } = this.#parts;
    const { run } = this.started;
    const delivered = this.#onceDelivered(driver.path);
    const turn = beginTurn(driver, text, {
      mode,
      env,
      watcher: {
        delivered,
        acknowledged: () => {
          delivered();
          void this.#say({ type: 'run.acknowledged' });
        },
        printed: (stream, words) => {
          this.#signAt = performance.now();
          this.#output.add(stream, words);
          printed(run.id, stream, words);
        },
        used: (tokens) => {
          this.#signAt = performance.now();
          this.#used = countable(tokens);
        },
        works: (subagents) => {
          this.#signAt = performance.now();
          this.#subagents.set(subagents);
          changed();
        },
        asks: (question, signal) => this.#ask(question, signal),
      },
    });
    this.#turn = turn;
    given(run.id);
    if (this.#told !== undefined) turn.interrupt();
    const found = await turn.ended;
    this.#turn = undefined;
    this.#subagents.set([]);
    this.#usedBefore = this.#tokens;
    this.#used = { in: 0, out: 0 };
    return found;
  }

  #onceDelivered(path: string): () => void {
    let isDelivered = false;
    return () => {
      if (isDelivered) return;
      isDelivered = true;
      void this.#say({ type: 'run.delivered', data: { path } });
      this.#parts.delivered(this.started.run.id);
    };
  }

  async #ask(question: Question, signal: AbortSignal) {
    this.#parts.asked(this.started.run.id, question);
    const answer = this.#questions.ask(question, AbortSignal.any([signal, this.#leaving.signal]));
    this.#waitsSince ??= performance.now();
    return answer.finally(() => {
      if (this.#questions.ids.length === 0) this.#waitNoLonger();
    });
  }

  /** Pauses until the provider allows more, or somebody ends the run. */
  async #waitForProvider({ reason, until }: Limited): Promise<void> {
    const { run } = this.started;
    const seconds = secondsUntil(until);
    const end = Date.now() + 1_000 * seconds;
    this.#waitsSince = performance.now();
    void this.#say({ type: 'run.paused', data: { seconds, reason: firstOf(reason, 2_000) } });
    this.#parts.limited(run.id, new Date(end), reason);
    const { signal } = this.#leaving;
    await waitUntil(end, signal);
    this.#waitNoLonger();
    if (!signal.aborted) void this.#say({ type: 'run.resumed' });
  }

  #waitNoLonger(): void {
    const now = performance.now();
    this.#waitedMs += now - (this.#waitsSince ?? now);
    this.#waitsSince = undefined;
    this.#signAt = now;
  }

  async #finish(ended: Ended, left?: Left): Promise<Ended> {
    const { in: tokens_in, out: tokens_out } = this.#tokens;
    // Who follows it reads until its end is told, which a server that takes no output does not put off.
    await Promise.race([this.#output.tryEnd(), sleep(2 * this.#parts.graceMs, undefined, { ref: false })]);
    const isTold = await this.#say({
      type: 'run.finished',
      data: {
        ...ended,
        ...(ended.error !== undefined && { error: firstOf(ended.error, 2_000) }),
        ...(ended.result !== undefined && { result: firstOf(ended.result, 20_000) }),
        metrics: {
          ...{ tokens_in, tokens_out, waited_ms: Math.round(this.#waitedMs), ended_by: this.#endedBy },
          ...(left !== undefined && { worktree: left }),
          ...this.#subagents.seen,
        },
      },
    });
    // An end is not lost for what an agent has put into it.
    const { status, end_reason } = ended;
    if (!isTold && !this.#isLost) await this.#say({ type: 'run.finished', data: { status, end_reason } });
    await this.#output.end();
    return ended;
  }

  /** Reports in order, each until it is taken: the server may be away for a while. False if it is refused. */
  #say(report: Report): Promise<boolean> {
    const said = this.#reports.then(() => this.#send(report));
    this.#reports = said;
    return said;
  }

  async #send(report: Report): Promise<boolean> {
    const { port, log } = this.#parts;
    const { id } = this.started.run;
    try {
      await untilTaken(() => port.report(this.held, [report]), {
        isOver: () => this.#isLost,
        failed: (err) => log.warn({ err, run: id, type: report.type }, 'a report of a run is not taken'),
      });
      return true;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'lock_lost') this.lose();
      return false;
    }
  }
}
