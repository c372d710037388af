import type { Context } from '../../src/context.ts';
import {
  addOutput,
  listOutput,
  type OutputChunk,
  type OutputPage,
  type SentOutput,
} from '../../src/services/output.ts';
import { type Beat, beatAgent, type Claimed, claimRun, registerAgent, reportRun } from '../../src/services/runner.ts';
import { call } from './calls.ts';

type Driven = { config?: Record<string, unknown>; type?: string; project?: string };

/** A runner without a process: says and asks what a real one does. */
export async function runnerOf(ctx: Context, name: string, { config = {}, type = 'claude', project }: Driven = {}) {
  const about = { name, type, driver: 'pipe' as const, host_machine: 'box', config, ...(project && { project }) };
  const { agent, token } = await registerAgent(ctx, { agent: about });
  return {
    id: agent.id,
    name,
    token,
    beat: (beat: Partial<Beat> = {}) => beatAgent(ctx, { agent: name, token, beat: { runs: [], ...beat } }),
    claim: (holding: string[] = []) => claimRun(ctx, { agent: name, token, holding }),
    add: (run: string, lock_token: number, chunks: OutputChunk[]) => addOutput(ctx, { run, lock_token, chunks }),
    report: (run: string, lock_token: number, events: object[]) => reportRun(ctx, { run, lock_token, events }),
  };
}

export type Runner = Awaited<ReturnType<typeof runnerOf>>;

type Started = Exclude<Claimed, { nothing: string }>;

/** The run that a runner gets. */
export async function claimed(runner: Pick<Runner, 'claim' | 'name'>, holding: string[] = []): Promise<Started> {
  const found = await runner.claim(holding);
  if ('nothing' in found) throw new Error(`${runner.name} got nothing: ${found.nothing}`);
  return found;
}

export const completed = { type: 'run.finished', data: { status: 'completed', end_reason: 'completed' } };

/** Pieces of output, numbered from a sequence on, printed now. */
export function pieces(
  texts: string[],
  { from = 0, at = new Date() }: { from?: number; at?: Date } = {},
): OutputChunk[] {
  return texts.map((content, n) => ({ sequence: from + n, stream: 'stdout', content, at: at.toISOString() }));
}

/** A run that an agent has begun. */
export async function begunRun(ctx: Context, name = 'heron-1', project?: string) {
  const runner = await runnerOf(ctx, name);
  await call(ctx, 'send_command', { to: [name], content: 'Fish.', project });
  const { run, lock_token, keeps_content } = await claimed(runner);
  const add = (chunks: OutputChunk[], left_out?: unknown) =>
    addOutput(ctx, { run: run.id, lock_token, chunks, left_out: left_out as SentOutput['left_out'] });
  return { runner, run: run.id, lock_token, keeps_content, add };
}

/** Reads all that an attempt printed. */
export async function readOutput(ctx: Context, run: string, given: { attempt?: number; page_size?: number } = {}) {
  const pages: OutputPage[] = [];
  for (let after: number | undefined; ; ) {
    const page = await listOutput(ctx, { run, page_size: 100, ...given, after_sequence: after });
    pages.push(page);
    if (page.next_sequence === undefined) break;
    after = page.next_sequence;
  }
  const chunks = pages.flatMap((page) => page.chunks);
  return { pages, chunks, text: chunks.map(({ content }) => content).join('') };
}
