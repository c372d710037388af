import * as z from 'zod';
import { sqlFunction } from '../db/sql-function.ts';
import { ref, word } from '../text.ts';
import { idListedBy } from './listed-id.ts';

export const GROUPS = ['run', 'command', 'task', 'agent', 'model', 'day'] as const;

/** What requests to models used. */
export const Used = z.object({
  requests: z.int(),
  /** With those that were read from a cache or written to one. */
  tokens_in: z.int(),
  tokens_out: z.int(),
  tokens_cached: z.int(),
  tokens_cache_written: z.int(),
  /** Of models without a price. */
  tokens_unpriced: z.int(),
  /** Dollars. */
  cost_usd: z.number(),
});
const Costs = Used.extend({
  runs: z.int(),
  /** How long runs waited for a person; by model and day only the total says it. */
  waited_ms: z.int().nullish(),
});

export const ListCosts = z.strictObject({
  by: z.enum(GROUPS).default('agent').describe('what to add up by'),
  since: z.iso.date().optional().describe('a day of UTC; without one the last 30'),
  until: z.iso.date().optional(),
  project: ref().optional(),
  agent: word(100).optional(),
  run: idListedBy('list_runs').optional(),
  page_size: z.int().min(1).max(500).default(50),
});

export const CostList = z.object({
  since: z.string(),
  until: z.string(),
  total: Costs.partial(),
  /** The dearest first; null is what runs without such a thing used. */
  costs: z.array(Costs.extend({ key: z.string().nullable() })),
  /** How many rows there are beyond these; older servers do not say. */
  not_listed: z.int().optional(),
});
export type CostList = z.infer<typeof CostList>;

/** What runs used and what it cost: each request counts once, in the run that made it. */
export const listCosts = sqlFunction('list_costs', CostList);
