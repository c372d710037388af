// Sends steps on to another endpoint of OTLP. Whoever reports never waits for it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Post, posting } from '../post.ts';
import { proxyTo } from '../proxy.ts';
import type { Link, Step, StoredSteps } from '../services/steps.ts';
import { TtlCache } from '../ttl-cache.ts';
import { VERSION } from '../version.ts';
import { type RunStep, requestOf } from './gen-ai-spans.ts';
import { merged } from './merged-step.ts';
import { TRACES } from './otlp-messages.ts';
import { writeMessage } from './protobuf.ts';

type Told = { steps: readonly Step[]; links?: readonly Link[] | undefined };
type Held = RunStep & { heldAt: number; bytes: number };

type Times = { endedMs: number; openMs: number; tickMs: number; retryMs: number };
type Parts = { url: URL; headers: Record<string, string>; post: Post; log: Log; times?: Partial<Times> };

// What several reports tell of one step is one span, and nobody can take a span back.
const TIMES: Times = { endedMs: 10_000, openMs: 300_000, tickMs: 1_000, retryMs: 1_000 };
const RETRY_MS_MAX = 60_000;
const TRIES_MAX = 12;
const ANSWER_MS_MAX = 30_000;
const SPANS_AT_ONCE = 200;
const STEPS_MAX = 20_000;
const BYTES_MAX = 33_554_432;
const STEP_BYTES = 500;
const SENT = { lifeMs: 3_600_000, max: 50_000 };

/** The steps that this process has stored and not sent on yet. Where there are too many, the oldest are lost. */
export class SendOn {
  readonly #parts: Parts;
  readonly #times: Times;
  readonly #held = new Map<string, Held>();
  readonly #sent = new TtlCache<true>(SENT);
  readonly #leaving = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #lost = 0;
  #sending: Promise<void> | undefined;
  #closing = false;

  constructor({ times, ...parts }: Parts) {
    this.#parts = parts;
    this.#times = { ...TIMES, ...times };
    this.#timer = setInterval(() => this.#tick(), this.#times.tickMs).unref();
  }

  /** Undefined where the operator names no endpoint. */
  static from(config: Config, log: Log): SendOn | undefined {
    const { otlpExportUrl, otlpExportHeaders: headers } = config;
    if (otlpExportUrl === undefined) return undefined;
    const url = new URL(otlpExportUrl);
    if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
    log.info({ host: url.host }, 'steps are sent on');
    return new SendOn({ url, headers, post: posting(proxyTo(url, config)), log });
  }

  /** Takes steps of a run that were stored; what was said only where that is kept. */
  add(run: string, { steps, links = [] }: Told, { agent, keeps_content }: StoredSteps): void {
    for (const { content, ...step } of steps) {
      this.#hold({ run, agent, step: { ...step, ...(keeps_content === true && content && { content }) } });
    }
    if (links.length === 0) return;
    const above = new Map(links.map(({ from, to }) => [from, to]));
    for (const held of this.#held.values()) {
      const { parent_span_id: parent, ...step } = held.step;
      if (held.run !== run || parent === undefined || !above.has(parent)) continue;
      const to = above.get(parent);
      if (to !== step.span_id) held.step = to === undefined ? step : { ...step, parent_span_id: to };
    }
  }

  /** Sends what there is, for so many ms. */
  async close(ms: number): Promise<void> {
    clearInterval(this.#timer);
    this.#closing = true;
    this.#tick();
    await Promise.race([this.#sending, sleep(ms, undefined, { ref: false })]);
    this.#leaving.abort();
    await this.#sending;
  }

  #hold(one: RunStep): void {
    const key = `${one.run} ${one.step.span_id}`;
    if (this.#sent.get(key)) return;
    const former = this.#held.get(key);
    const step = former === undefined ? one.step : merged(former.step, one.step);
    const bytes = STEP_BYTES + (step.content === undefined ? 0 : JSON.stringify(step.content).length);
    this.#bytes += bytes - (former?.bytes ?? 0);
    this.#held.set(key, { ...one, step, bytes, heldAt: former?.heldAt ?? Date.now() });
    for (const [oldest] of this.#held) {
      if (this.#held.size <= STEPS_MAX && this.#bytes <= BYTES_MAX) break;
      this.#drop(oldest);
      this.#lost++;
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#held.get(key)?.bytes ?? 0;
    this.#held.delete(key);
  }

  #tick(): void {
    if (this.#lost > 0) this.#parts.log.warn({ steps: this.#lost }, 'steps were not sent on: too many wait');
    this.#lost = 0;
    this.#sending ??= this.#sendDue().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendDue(): Promise<void> {
    for (let due = this.#due(); due.length > 0 && !this.#leaving.signal.aborted; due = this.#due()) {
      for (const [key] of due) {
        this.#drop(key);
        this.#sent.set(key, true);
      }
      await this.#send(due.map(([, held]) => held));
    }
  }

  #due(): [string, Held][] {
    const { endedMs, openMs } = this.#times;
    const now = Date.now();
    const due: [string, Held][] = [];
    for (const [key, held] of this.#held) {
      const waits = held.step.completed_at === undefined ? openMs : endedMs;
      if (this.#closing || held.heldAt + waits <= now) due.push([key, held]);
      if (due.length === SPANS_AT_ONCE) break;
    }
    return due;
  }

  /** Never raises: what cannot be sent is lost. */
  async #send(steps: readonly RunStep[]): Promise<void> {
    const { log } = this.#parts;
    const body = new Uint8Array(writeMessage(requestOf(steps), TRACES));
    let why = '';
    for (let tries = 1; tries <= TRIES_MAX && !this.#leaving.signal.aborted; tries++) {
      const { wait, ...said } = await this.#post(body, tries);
      if (wait === undefined) {
        if (said.why !== undefined) log.warn({ steps: steps.length, why: said.why }, 'steps were not sent on');
        return;
      }
      why = said.why ?? why;
      log.debug({ why, wait }, 'steps are sent on later');
      await sleep(wait, undefined, { ref: false, signal: this.#leaving.signal }).catch(() => undefined);
    }
    log.warn({ steps: steps.length, why }, 'steps were not sent on');
  }

  /** `wait` before it is tried again; `why` it was not taken. */
  async #post(body: Uint8Array<ArrayBuffer>, tries: number): Promise<{ wait?: number; why?: string }> {
    const { url, headers, post } = this.#parts;
    const backoff = Math.min(this.#times.retryMs * 2 ** (tries - 1), RETRY_MS_MAX);
    const up = new AbortController();
    const stop = () => up.abort();
    const timer = setTimeout(stop, ANSWER_MS_MAX);
    this.#leaving.signal.addEventListener('abort', stop, { once: true });
    try {
      const given = { ...headers, 'content-type': 'application/x-protobuf', 'user-agent': `cairn/${VERSION}` };
      const { status, retryAfter } = await post(url, { headers: given, body, signal: up.signal });
      if (status >= 200 && status <= 299) return {};
      const why = `it answered with ${status}`;
      const named = Number(retryAfter) * 1_000;
      const wait = named >= 0 ? Math.min(named, RETRY_MS_MAX) : backoff;
      return RETRYABLE.has(status) ? { why, wait } : { why };
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return { why: messageOf(cause), wait: backoff };
    } finally {
      clearTimeout(timer);
      this.#leaving.signal.removeEventListener('abort', stop);
    }
  }
}

const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
