import type { Context } from '../context.ts';
import type { Run } from '../events/runs.ts';
import { addOutput, type OutputChunk } from '../services/output.ts';
import {
  type Beat,
  beatAgent,
  type Claimed,
  type Control,
  claimRun,
  getControl,
  type RegisterAgent,
  registerAgent,
  reportRun,
} from '../services/runner.ts';

export type Held = Beat['runs'][number];
type Registered = Awaited<ReturnType<typeof registerAgent>>;
export type Report = { type: string; data?: Record<string, unknown> };

/** What a runner says and asks, whatever lies between it and the database. */
export type RunnerPort = {
  register(agent: RegisterAgent): Promise<Registered>;
  beat(token: number, beat: Beat): Promise<Control>;
  control(held: readonly Held[]): Promise<Control>;
  claim(token: number, holding: readonly string[]): Promise<Claimed>;
  output(held: Held, chunks: OutputChunk[]): ReturnType<typeof addOutput>;
  report(held: Held, events: readonly Report[]): Promise<Run>;
};

/** Straight over the database of this machine. */
export function databasePort(ctx: Context, agent: string): RunnerPort {
  return {
    register: (registered) => registerAgent(ctx, registered),
    beat: (token, beat) => beatAgent(ctx, { agent, token, beat }),
    control: (held) => getControl(ctx, { agent, held: [...held] }),
    claim: (token, holding) => claimRun(ctx, { agent, token, holding: [...holding] }),
    output: ({ run, lock_token }, chunks) => addOutput(ctx, { run, lock_token, chunks }),
    report: ({ run, lock_token }, events) => reportRun(ctx, { run, lock_token, events: [...events] }),
  };
}
