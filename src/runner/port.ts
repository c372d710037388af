import type { Context } from '../context.ts';
import type { Run } from '../events/runs.ts';
import { waitForControl } from '../services/control.ts';
import { addOutput, type SentOutput } from '../services/output.ts';
import {
  type Beat,
  beatAgent,
  type Claimed,
  type Control,
  claimRun,
  type Held,
  type RegisterAgent,
  registerAgent,
  reportRun,
} from '../services/runner.ts';
import { addSteps, type SentSteps } from '../services/steps.ts';
import type { SendOn } from '../telemetry/send-on.ts';

type Registered = Awaited<ReturnType<typeof registerAgent>>;
export type Report = { type: string; data?: Record<string, unknown> };

/** What a runner says and asks, whatever lies between it and the database. */
export type RunnerPort = {
  register(agent: RegisterAgent): Promise<Registered>;
  beat(token: number, beat: Beat): Promise<Control>;
  /** Settles as soon as there is something that the runner has not seen, and after some seconds without. */
  control(held: readonly Held[], waiting: { seen?: Control | undefined; signal: AbortSignal }): Promise<Control>;
  claim(token: number, holding: readonly string[]): Promise<Claimed>;
  output(held: Pick<Held, 'run' | 'lock_token'>, sent: SentOutput): ReturnType<typeof addOutput>;
  steps(held: Pick<Held, 'run' | 'lock_token'>, sent: SentSteps): ReturnType<typeof addSteps>;
  report(held: Pick<Held, 'run' | 'lock_token'>, events: readonly Report[]): Promise<Run>;
};

type Parts = Pick<Context, 'db' | 'actor'> & { sendOn?: SendOn | undefined };

/** Straight over the database. */
export function databasePort({ sendOn, ...ctx }: Parts, agent: string): RunnerPort {
  return {
    register: (registered) => registerAgent(ctx, registered),
    beat: (token, beat) => beatAgent(ctx, { agent, token, beat }),
    control: (held, { seen, signal }) => waitForControl(ctx, { agent, held: [...held], seen }, signal),
    claim: (token, holding) => claimRun(ctx, { agent, token, holding: [...holding] }),
    output: ({ run, lock_token }, sent) => addOutput(ctx, { run, lock_token, ...sent }),
    async steps({ run, lock_token }, sent) {
      const stored = await addSteps(ctx, { run, lock_token, ...sent });
      sendOn?.add(run, sent, stored);
      return stored;
    },
    report: ({ run, lock_token }, events) => reportRun(ctx, { run, lock_token, events: [...events] }),
  };
}
