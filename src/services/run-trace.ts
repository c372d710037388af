import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { RunBrief } from '../events/runs.ts';
import { Used } from './costs.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';
import { listSteps, StoredStep } from './steps.ts';

export const GetRun = z.strictObject({ run: idListedBy('list_runs'), ...page(50, 2_000) });

const RunUse = RunBrief.extend({
  usage: z.array(Used.extend({ model: z.string() })),
  cost_usd: z.number().optional(),
  /** How long it waited for a person. */
  waited_ms: z.number().optional(),
  steps_count: z.int().optional(),
});
export type RunUse = z.infer<typeof RunUse>;

/** A run with what it used, by model. */
export const getRunUse = sqlFunction('get_run', RunUse);

export const RunTrace = RunUse.extend({ steps: z.array(StoredStep), next_cursor: z.string().optional() });
export type RunTrace = z.infer<typeof RunTrace>;

/** A run with what it used, and its steps, oldest first, page by page. */
export async function getRun(ctx: Context, asked: z.output<typeof GetRun>): Promise<RunTrace> {
  const { steps, next_cursor } = await listSteps(ctx, asked);
  const { run } = asked;
  return { ...(await getRunUse(ctx, { run })), steps, ...(next_cursor !== undefined && { next_cursor }) };
}
