import type { Context } from '../../src/context.ts';
import { type Beat, beatAgent, type Claimed, claimRun, registerAgent, reportRun } from '../../src/services/runner.ts';

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
