import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { goOnText, orderText } from '../services/order.ts';
import type { Answered, Claimed, Held } from '../services/runner.ts';
import { clean, firstOf } from '../text.ts';
import { beginTurn, resumeTurn } from './begin-turn.ts';
import type { Driver, Mode, Question, Turn, Watcher } from './driver.ts';
import type { Ended, Limited } from './ended.ts';
import { bareEnd, finished, LOST } from './finished.ts';
import type { Kept } from './keeper.ts';
import type { Left } from './left.ts';
import { OutputSender } from './output-sender.ts';
import { type Place, placeOf } from './place.ts';
import type { Signalled } from './process-group.ts';
import { secondsUntil, waitUntil } from './provider-wait.ts';
import { Questions } from './questions.ts';
import { Reports } from './reports.ts';
import { RunClock } from './run-clock.ts';
import { RunLimits } from './run-limits.ts';
import type { RunParts } from './run-parts.ts';
import { RunTokens } from './run-tokens.ts';
import { watcherOf } from './run-watcher.ts';
import { Subagents } from './subagents.ts';

export type Started = Exclude<Claimed, { nothing: string }>;

/** A run that was claimed, from its delivery until the database knows its end. */
export class ActiveRun {
  readonly started: Started;
  /** Settles when its end is known, or somebody else's. */
  readonly settled: Promise<Ended>;
  isLost = false;
  readonly #parts: RunParts;
  readonly #resumed: Kept | undefined;
  readonly #clock: RunClock;
  readonly #tokens: RunTokens;
  readonly #limits: RunLimits;
  readonly #subagents = new Subagents();
  #place: Place | undefined;
  #turn: Turn | undefined;
  /** Why it was told to end, from then on. */
  #told: Ended | undefined;
  #endedBy: 'itself' | 'interrupt' | Signalled = 'itself';
  /** Its turn has ended: what would end it now would reach the next one. */
  #isOver = false;
  #notRecorded = 0;
  /** Ends what it waits for. */
  readonly #leaving = new AbortController();
  readonly #questions: Questions;
  readonly #reports: Reports;
  readonly #output: OutputSender;

  /** `resumed` is what an earlier runner kept of it. */
  constructor(started: Started, parts: RunParts, resumed?: Kept) {
    this.started = started;
    this.#parts = parts;
    this.#resumed = resumed;
    this.#clock = new RunClock(resumed ?? { startedAt: Date.now(), waitedMs: 0 });
    this.#tokens = new RunTokens(resumed?.usedBefore);
    const { processorMs } = parts;
    this.#limits = new RunLimits(started.command.limits, { clock: this.#clock, tokens: this.#tokens, processorMs });
    const { id } = started.run;
    this.#output = new OutputSender({
      ...parts,
      send: (sent) => parts.port.output(this.held, sent),
      ...{ sends: (mark) => this.#keeper?.sends(id, mark), sent: (characters) => this.#keeper?.sent(id, characters) },
      refused: (error) => this.#tellRefused('output', error),
    });
    this.#reports = new Reports({
      ...{ run: id, log: parts.log },
      send: (report) => parts.port.report(this.held, [report]),
      ...{ isOver: () => this.isLost, lost: () => this.lose() },
      refused: (type, error) => this.#tellRefused(type, error),
    });
    this.#questions = new Questions((report) => this.#reports.say(report), parts.askSeconds);
    if (resumed?.told !== undefined) this.end(resumed.told);
    this.#isOver = resumed?.ended !== undefined;
    this.settled = this.#run();
  }

  get held(): Held {
    const { run, lock_token } = this.started;
    const asks = this.#questions.ids;
    const { in: tokens_in, out: tokens_out } = this.#tokens.all;
    const given = { run: run.id, lock_token, tokens_in, tokens_out, ...this.#subagents.now };
    return asks.length > 0 ? { ...given, asks } : given;
  }

  get #keeper() {
    return (this.#place ?? this.#parts).driver.keeper;
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
    if (this.#clock.isWaiting) return;
    const over = this.#limits.endWith(this.pids());
    if (over !== undefined) {
      this.end(over);
      return;
    }
    // Somebody may look before it ends.
    const seconds = this.#limits.newlySilent();
    if (seconds) void this.#reports.say({ type: 'run.silent', data: { seconds } });
  }

  /** What the server did not take is nowhere else. */
  #tellRefused(what: string, error: unknown): void {
    if (this.isLost) return;
    this.#notRecorded += 1;
    this.#parts.refused(this.started.run.id, { what, why: messageOf(error) });
  }

  /** Ends it: asks the agent, and after the grace ends its process. */
  end(told: Ended): void {
    if (this.#told !== undefined || this.#isOver) return;
    this.#told = told;
    this.#endedBy = 'interrupt';
    this.#leaving.abort();
    if (this.#turn !== undefined) this.#cut(this.#turn);
    this.#keep();
  }

  #cut(turn: Turn): void {
    turn.interrupt();
    const timer = setTimeout(() => turn.stop(), this.#parts.graceMs);
    void turn.ended.finally(() => clearTimeout(timer));
  }

  /** It is another's: its end here is told to nobody. */
  lose(): void {
    // It may be this end that the server knows of, and its output is still on its way.
    if (this.#isOver) return;
    this.isLost = true;
    this.#output.drop();
    this.end({ status: 'failed', end_reason: 'lost' });
  }

  async #run(): Promise<Ended> {
    let place: Place;
    try {
      place = await placeOf(this.#resumed, { ...this.#parts, run: this.started.run });
    } catch (error) {
      this.#isOver = true;
      return this.#finish({ status: 'failed', end_reason: 'error', error: clean(messageOf(error)), ...this.#told });
    }
    this.#place = place;
    // What was ended while its place was made is not delivered.
    const undelivered = this.#resumed === undefined ? this.#told : undefined;
    const ended = undelivered ?? (await this.#turns(place));
    this.#isOver = true;
    // Its end is told when the server is there, maybe by the next runner, for which its place may be gone.
    this.#keep({ ended });
    const left = await place.leave();
    if (left !== undefined) this.#keep({ ended, left });
    if (left?.kept) this.#parts.left(this.started.run.id, left);
    return this.#finish(ended, left);
  }

  async #turns(place: Place): Promise<Ended> {
    let found = await (this.#resumed === undefined
      ? this.#turnOf(place, { text: orderText(this.started), mode: this.started.deliver })
      : this.#goOn(place));
    if (this.#resumed?.ended !== undefined) return this.#resumed.ended;
    while (found.status === 'limited' && this.#told === undefined && this.started.command.resumes) {
      await this.#waitForProvider(found);
      if (this.#told === undefined) found = await this.#turnOf(place, { text: goOnText(this.started), mode: 'turn' });
    }
    const end: Ended =
      found.status === 'limited' ? { status: 'failed', end_reason: 'usage_limit', error: found.reason } : found;
    return this.#told === undefined ? end : { ...end, ...this.#told };
  }

  async #turnOf({ driver }: Place, { text, mode }: { text: string; mode: Mode }): Promise<Ended | Limited> {
    this.#keep();
    const { env } = this.#parts;
    const { id: run } = this.started.run;
    return this.#endOf(beginTurn(driver, text, { run, mode, env, watcher: this.#watcher(driver) }));
  }

  /** Takes over what an earlier runner began. */
  async #goOn({ driver }: Place): Promise<Ended | Limited> {
    const { id } = this.started.run;
    const nothing = { characters: 0, bytes: 0, lost: 0 };
    const reached = (sequence: number) => this.#keeper?.reached(id, sequence) ?? nothing;
    const characters = await this.#output.resume(reached).catch((error) => {
      // Its end is another's, too; its agent has not heard of that.
      this.#tellRefused('output', error);
      this.lose();
      return 0;
    });
    const turn = resumeTurn(driver, id, { watcher: this.#watcher(driver), characters });
    // What it was waiting for may be over.
    if (this.#questions.ids.length === 0) this.#waitNoLonger();
    return turn === undefined ? LOST : this.#endOf(turn);
  }

  /** For the next runner, should this one be killed. */
  #keep(over: Pick<Kept, 'ended' | 'left'> = {}): void {
    const { started } = this;
    const { ended, left, place } = this.#resumed ?? {};
    const about = { started, told: this.#told, ended, left, place: this.#place?.kept ?? place, ...over };
    const kept = { ...about, ...this.#clock.kept, usedBefore: this.#tokens.before };
    this.#keeper?.keep(started.run.id, kept);
  }

  #watcher({ path }: Driver): Watcher {
    return watcherOf({
      ...{ run: this.started.run.id, path, clock: this.#clock, tokens: this.#tokens, subagents: this.#subagents },
      ...{ output: this.#output, reports: this.#reports, parts: this.#parts },
      signalled: (how) => {
        // What its program left behind is ended after each run, and what was killed is not told again.
        if (this.#told !== undefined && this.#endedBy !== 'kill') this.#endedBy = how;
      },
      asks: (question, signal) => this.#ask(question, signal),
    });
  }

  async #endOf(turn: Turn): Promise<Ended | Limited> {
    this.#turn = turn;
    this.#parts.given(this.started.run.id);
    if (this.#told !== undefined) this.#cut(turn);
    const found = await turn.ended;
    this.#turn = undefined;
    this.#subagents.set([]);
    this.#tokens.endTurn();
    return found;
  }

  async #ask(question: Question, signal: AbortSignal) {
    this.#parts.asked(this.started.run.id, question);
    const answer = this.#questions.ask(question, AbortSignal.any([signal, this.#leaving.signal]));
    this.#wait();
    return answer.finally(() => {
      if (this.#questions.ids.length === 0) this.#waitNoLonger();
    });
  }

  /** Pauses until the provider allows more, or somebody ends the run. */
  async #waitForProvider({ reason, until }: Limited): Promise<void> {
    const { run } = this.started;
    const seconds = secondsUntil(until);
    const end = Date.now() + 1_000 * seconds;
    this.#wait();
    void this.#reports.say({ type: 'run.paused', data: { seconds, reason: firstOf(reason, 2_000) } });
    this.#parts.limited(run.id, new Date(end), reason);
    const { signal } = this.#leaving;
    await waitUntil(end, signal);
    this.#waitNoLonger();
    if (!signal.aborted) void this.#reports.say({ type: 'run.resumed' });
  }

  #wait(): void {
    this.#clock.wait();
    this.#keep();
  }

  #waitNoLonger(): void {
    this.#clock.waitNoLonger();
    this.#keep();
  }

  async #finish(ended: Ended, left?: Left): Promise<Ended> {
    const { in: tokens_in, out: tokens_out } = this.#tokens.all;
    // Who follows it reads until its end is told, which a server that takes no output does not put off.
    await Promise.race([this.#output.tryEnd(), sleep(2 * this.#parts.graceMs, undefined, { ref: false })]);
    const metrics = {
      ...{ tokens_in, tokens_out, waited_ms: Math.round(this.#clock.waitedMs), ended_by: this.#endedBy },
      ...(left !== undefined && { worktree: left }),
      ...this.#subagents.seen,
      ...(this.#notRecorded > 0 && { not_recorded: this.#notRecorded }),
    };
    const isTold = await this.#reports.say(finished(ended, metrics));
    // An end is not lost for what an agent has put into it.
    if (!isTold && !this.isLost) await this.#reports.say(bareEnd(ended, { not_recorded: this.#notRecorded }));
    await this.#output.end();
    this.#keeper?.forget(this.started.run.id);
    return ended;
  }
}
