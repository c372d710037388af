// Gives what is told of steps its place in the tree of a run.
import { createHash } from 'node:crypto';
import { type Link, Step } from '../services/steps.ts';
import { clean, cleanJson, cleanName, firstOf } from '../text.ts';
import { TtlCache } from '../ttl-cache.ts';
import { LAST_MS, type Reported, type Value } from './otlp.ts';
import type { Dialect, Observed, Passed } from './step.ts';

export type Branch = { steps: Step[]; links: Link[] };
type Grown = Branch & { rejected: number };

/** Spans that may still be named by others: the oldest are forgotten. */
const REMEMBERED = { lifeMs: 3_600_000, max: 20_000 };

const STEPS_AT_ONCE = 200;
const NAME_MAX = 200;
const MODEL_MAX = 120;
const ERROR_MAX = 2_000;
const CONTENT_BYTES_MAX = 65_536;

type Place = { same: string } | { above: string | undefined };

/**
 * Spans of one agent, whatever order they come in: children come before their parents, which end later. A span is named
 * by its own id; what several tell of has an id of its own in each run.
 */
export class StepTree {
  readonly #read: Dialect;
  readonly #places: TtlCache<Place>;
  /** Spans that steps were hung under, and which are not told of yet: by span, the runs of those steps. */
  readonly #awaited: TtlCache<Set<string>>;
  /** By span, how long each of those under it waited. */
  readonly #waits: TtlCache<Map<string, number>>;
  /** By span, the calls of tools, of which a wait may still be told. */
  readonly #calls: TtlCache<{ run: string; step: Step }>;

  constructor(read: Dialect, remembered = REMEMBERED) {
    this.#read = read;
    this.#places = new TtlCache(remembered);
    this.#awaited = new TtlCache(remembered);
    this.#waits = new TtlCache(remembered);
    this.#calls = new TtlCache(remembered);
  }

  /**
   * Adds what was reported; answers by run, which `runOf` finds by when it began, in ms. `rejected` counts what can be no
   * step, as with figures that no database holds: it would take all others that are sent with it along.
   */
  add(reported: readonly Reported[], runOf: (one: Reported, time: number) => string | undefined): Map<string, Grown> {
    const branches = new Map<string, Grown>();
    const linked: { from: string; run: string }[] = [];
    const read = reported.flatMap((one) => {
      const told = this.#read(one);
      return told === undefined ? [] : [{ one, told }];
    });
    for (const { one, told } of read) {
      this.#place(one, told);
      for (const run of this.#linked(one)) linked.push({ from: one.spanId ?? '', run });
    }
    for (const { one, told } of read) {
      if ('passed' in told) continue;
      const run = runOf(one, told.startedAt);
      if (run === undefined) continue;
      const { data } = Step.safeParse(this.#step(one, told, run));
      const branch = branchOf(branches, run);
      if (data === undefined) branch.rejected++;
      else branch.steps.push(data);
      if (data?.kind === 'tool_call' && one.spanId !== undefined) {
        const { content: _, ...step } = data;
        this.#calls.set(one.spanId, { run, step });
      }
    }
    for (const { one, told } of read) if ('passed' in told) this.#tellWait(one, branches);
    // Where they lead once all of it is told.
    for (const { from, run } of linked) branchOf(branches, run).links.push(linkOf(from, this.#resolve(from, run)));
    return branches;
  }

  /** Tells a call once more of which a wait was told after it. */
  #tellWait({ parentSpanId = '' }: Reported, branches: Map<string, Grown>): void {
    const call = this.#calls.get(parentSpanId);
    const waited = sumOf(this.#waits.get(parentSpanId));
    if (call === undefined || waited === undefined || waited === call.step.waited_ms) return;
    const step = { ...call.step, waited_ms: waited };
    this.#calls.set(parentSpanId, { ...call, step });
    branchOf(branches, call.run).steps.push(step);
  }

  #place({ spanId, parentSpanId }: Reported, told: Observed | Passed): void {
    if ('passed' in told) {
      if (told.waitedMs !== undefined && parentSpanId !== undefined) {
        const waits = this.#waits.get(parentSpanId) ?? new Map<string, number>();
        this.#waits.set(parentSpanId, waits.set(spanId ?? '', told.waitedMs));
      }
      if (spanId !== undefined) this.#places.set(spanId, { above: parentSpanId });
    } else if (told.same !== undefined) {
      const span = spanId ?? told.span;
      if (span !== undefined) this.#places.set(span, { same: told.same });
    }
  }

  /** The runs that have steps under a span that is told of now, under another id. */
  #linked({ spanId }: Reported): Iterable<string> {
    if (spanId === undefined || this.#places.get(spanId) === undefined) return [];
    const runs = this.#awaited.get(spanId) ?? [];
    this.#awaited.delete(spanId);
    return runs;
  }

  #step(one: Reported, told: Observed, run: string): Step {
    const spanId = told.same === undefined ? (one.spanId ?? idOf(run, JSON.stringify(one))) : idOf(run, told.same);
    const parent = one.spanId === undefined && told.span !== undefined ? undefined : one.parentSpanId;
    const above = told.under === undefined ? this.#resolve(parent, run) : idOf(run, told.under);
    const waited = told.waitedMs ?? sumOf(one.spanId === undefined ? undefined : this.#waits.get(one.spanId));
    const { tokens } = told;
    const said = { ...told.content, ...(told.toldError !== undefined && { error: told.toldError }) };
    return {
      trace_id: run.replaceAll('-', ''),
      span_id: spanId,
      ...(above !== undefined && above !== spanId && { parent_span_id: above }),
      kind: told.kind,
      name: cleanName(told.name, NAME_MAX) || told.kind,
      status: told.status,
      started_at: isoOf(told.startedAt),
      ...(told.endedAt !== undefined && {
        completed_at: isoOf(told.endedAt),
        duration_ms: Math.max(Math.round(told.endedAt - told.startedAt), 0),
      }),
      ...(told.toolType !== undefined && { tool_type: told.toolType }),
      ...(told.toolCallId !== undefined && { tool_call_id: cleanName(told.toolCallId, NAME_MAX) }),
      ...(told.model !== undefined && { model: cleanName(told.model, MODEL_MAX) }),
      ...(tokens !== undefined && {
        tokens_in: tokens.in,
        tokens_out: tokens.out,
        tokens_cached: tokens.cached,
        tokens_cache_written: tokens.cacheWritten,
      }),
      ...(waited !== undefined && { waited_ms: waited }),
      ...(told.error !== undefined && { error: firstOf(clean(told.error), ERROR_MAX) }),
      ...(Object.keys(said).length > 0 && { content: fitting(said) }),
    };
  }

  /** The id of the step that a span is, or is under; undefined at the top. */
  #resolve(span: string | undefined, run: string): string | undefined {
    const seen = new Set<string>();
    for (let at = span; at !== undefined && !seen.has(at); ) {
      seen.add(at);
      const place = this.#places.get(at);
      if (place === undefined) {
        this.#awaited.set(at, (this.#awaited.get(at) ?? new Set()).add(run));
        return at;
      }
      if ('same' in place) return idOf(run, place.same);
      at = place.above;
    }
    return undefined;
  }
}

/** Shares what is told of a run among calls of the server. */
export function partsOf({ steps, links }: Branch): Branch[] {
  const parts: Branch[] = [];
  for (let at = 0; at < Math.max(steps.length, links.length); at += STEPS_AT_ONCE) {
    const upTo = at + STEPS_AT_ONCE;
    parts.push({ steps: steps.slice(at, upTo), links: links.slice(at, upTo) });
  }
  return parts;
}

function branchOf(branches: Map<string, Grown>, run: string): Grown {
  const branch = branches.get(run) ?? { steps: [], links: [], rejected: 0 };
  branches.set(run, branch);
  return branch;
}

function linkOf(from: string, to: string | undefined): Link {
  return to === undefined ? { from } : { from, to };
}

/** The id that a step has in a run, of all that tell of it. */
function idOf(run: string, same: string): string {
  return createHash('sha256').update(`${run} ${same}`).digest('hex').slice(0, 16);
}

function sumOf(waits: ReadonlyMap<string, number> | undefined): number | undefined {
  return waits && Math.round([...waits.values()].reduce((sum, ms) => sum + ms, 0));
}

/** A time that can be written; the server does not believe those that cannot be. */
function isoOf(ms: number): string {
  return new Date(Math.min(Math.max(ms, 0), LAST_MS)).toISOString();
}

/** What was said, cut where it is too long. */
function fitting(content: Record<string, Value>): Record<string, unknown> {
  const cleaned = Object.entries(content).map(([name, value]) => [name, cleanJson(value)] as const);
  const room = Math.floor(CONTENT_BYTES_MAX / 2 / cleaned.length);
  return Object.fromEntries(
    cleaned.map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return [name, Buffer.byteLength(JSON.stringify(value)) <= room ? value : `${firstOf(text, room / 8)}…`];
    }),
  );
}
