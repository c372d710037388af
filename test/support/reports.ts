import { readFileSync } from 'node:fs';
import type { Context } from '../../src/context.ts';
import { addSteps, listSteps, type SentSteps, type Step, type StoredStep } from '../../src/services/steps.ts';
import { takeExport } from '../../src/telemetry/export-request.ts';
import type { Reported, Signal } from '../../src/telemetry/otlp.ts';
import { REPORTING } from '../../src/telemetry/reporting.ts';
import { StepTree } from '../../src/telemetry/tree.ts';

export type Recorded = 'claude' | 'codex' | 'gemini';

/**
 * The bodies that a real agent sent in one session with a sub-agent and a cache, but for what nobody reads, as if it had
 * begun now.
 */
export function recorded(agent: Recorded): { signal: Signal; body: object }[] {
  const file = new URL(`../fixtures/otlp/${agent}.json`, import.meta.url);
  const sent: Partial<Record<Signal, object[]>> = JSON.parse(fromNow(readFileSync(file, 'utf8')));
  return (['logs', 'traces'] as const).flatMap((signal) => (sent[signal] ?? []).map((body) => ({ signal, body })));
}

const NANO = /(?<="\w*[tT]imeUnixNano":"?)\d{13}(?=\d{6})/g;
const ISO = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z/g;

function fromNow(text: string): string {
  const began = Math.min(...[...text.matchAll(NANO)].map(([ms]) => Number(ms)));
  const later = (ms: number) => ms - began + Date.now();
  return text
    .replace(NANO, (ms) => String(later(Number(ms))))
    .replace(ISO, (at) => new Date(later(Date.parse(at))).toISOString());
}

export async function reportedBy(agent: Recorded): Promise<Reported[][]> {
  return Promise.all(
    recorded(agent).map(async ({ signal, body }) => {
      const request = { signal, type: 'application/json', body: Buffer.from(JSON.stringify(body)) };
      return (await takeExport(request)).reported;
    }),
  );
}

/** What a runner sends of it, request by request. */
export function sentFor(
  run: string,
  agent: Recorded,
  reported: readonly (readonly Reported[])[],
): Required<SentSteps>[] {
  const reporting = REPORTING[agent];
  if (reporting === undefined) throw new Error(`${agent} reports nothing.`);
  const tree = new StepTree(reporting.dialect);
  return reported.flatMap((some) =>
    [...tree.add(some, () => run).values()].map(({ steps, links }) => ({ steps, links })),
  );
}

/** A step of a request to a model, such as a runner sends. */
export function request(run: string, span: string, given: Partial<Step> = {}): Step {
  return {
    trace_id: run.replaceAll('-', ''),
    span_id: span.padStart(16, '0'),
    kind: 'llm_prompt',
    name: 'claude-sonnet-4-5',
    model: 'claude-sonnet-4-5',
    status: 'completed',
    started_at: new Date().toISOString(),
    ...given,
  };
}

type Holder = { run: string; lock_token: number };

export const send = (ctx: Context, { run, lock_token }: Holder, sent: SentSteps) =>
  addSteps(ctx, { run, lock_token, ...sent });

export const stepsOf = async (ctx: Context, run: string) => (await listSteps(ctx, { run, page_size: 2_000 })).steps;

export async function play(ctx: Context, begun: Holder, all: readonly SentSteps[]): Promise<StoredStep[]> {
  for (const sent of all) await send(ctx, begun, sent);
  return stepsOf(ctx, begun.run);
}
