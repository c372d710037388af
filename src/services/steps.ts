import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { jsonObject } from '../text.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';
import { ArchivedFile, readArchived } from './records.ts';

const STEPS_MAX = 1_000;

// More digits are not taken for a count.
const Count = z.int().min(0).max(999_999_999_999_999);
const SpanId = z.string().regex(/^[0-9a-f]{16}$/);

/** What an agent did in one piece: a request to a model, a call of a tool, an answer. Told again, it is completed. */
export const Step = z.strictObject({
  trace_id: z.string().regex(/^[0-9a-f]{32}$/),
  span_id: SpanId,
  parent_span_id: SpanId.optional(),
  kind: z.enum(['llm_prompt', 'tool_call', 'response']),
  name: z.string().min(1).max(200),
  tool_type: z.string().optional(),
  status: z.enum(['pending', 'running', 'completed', 'failed', 'skipped', 'cancelled']),
  started_at: z.iso.datetime({ offset: true }),
  completed_at: z.iso.datetime({ offset: true }).optional(),
  duration_ms: Count.optional(),
  /** With those that were read from a cache or written to one. */
  tokens_in: Count.optional(),
  tokens_out: Count.optional(),
  tokens_cached: Count.optional(),
  tokens_cache_written: Count.optional(),
  /** How long it waited for a person. */
  waited_ms: Count.optional(),
  model: z.string().min(1).max(120).optional(),
  tool_call_id: z.string().max(200).optional(),
  error: z.string().max(2_000).optional(),
  content: jsonObject(65_536).optional(),
});
export type Step = z.infer<typeof Step>;

/** What is above a span that is no step: what hangs under it is under that. */
export const Link = z.strictObject({ from: SpanId, to: SpanId.optional() });
export type Link = z.infer<typeof Link>;

export const AddSteps = z.strictObject({
  run: z.string(),
  lock_token: z.int().min(1),
  steps: z.array(Step).max(STEPS_MAX),
  links: z.array(Link).max(STEPS_MAX).optional(),
});
export type SentSteps = Pick<z.infer<typeof AddSteps>, 'steps' | 'links'>;

/** `keeps_content`: what was said is kept, too. */
export const StoredSteps = z.object({
  stored: z.int(),
  /** Older servers do not say more. */
  agent: z.string().optional(),
  keeps_content: z.boolean().optional(),
});
export type StoredSteps = z.infer<typeof StoredSteps>;

/** Adds steps of a run, for its runner; what is told twice changes nothing. Raises lock_lost, invalid_input. */
export const addSteps = sqlFunction('add_steps', StoredSteps);

/** A session of a program that no runner drives, by the program's name for it. */
export type Chat = { session: string; program: string; type: string; project?: string };

/** Adds steps of a session, whose run begins with the first. Raises invalid_input, rate_limited. */
export const addChatSteps = sqlFunction('add_chat_steps', StoredSteps.extend({ run: z.string() }));

export const ListSteps = z.strictObject({ run: idListedBy('list_runs'), ...page(500, 2_000) });

export const StoredStep = Step.omit({ trace_id: true }).extend({
  id: z.string(),
  tool_type: z.string().optional(),
  started_at: z.string(),
  completed_at: z.string().optional(),
  /** Dollars, where the model has a price. */
  cost_usd: z.number().optional(),
  content: z.record(z.string(), z.unknown()).optional(),
});
export type StoredStep = z.infer<typeof StoredStep>;

export const StepPage = z.object({
  run: z.string(),
  agent: z.string(),
  /** No more will come, but what is late. */
  ended: z.boolean(),
  steps: z.array(StoredStep),
  next_cursor: z.string().optional(),
});
export type StepPage = z.infer<typeof StepPage>;

/** Without what is null in a row. A tree has thousands of them. */
function known(row: Record<string, unknown>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const name in row) if (row[name] !== null) found[name] = row[name];
  return found;
}

const Listed = z.preprocess(
  (page: { steps: Record<string, unknown>[] }) => ({ ...known(page), steps: page.steps.map(known) }),
  StepPage.extend({
    /** Files that hold steps of long ago. */
    files: z.array(ArchivedFile).optional(),
  }),
);

const listStored = sqlFunction('list_steps', Listed);

/** What a run did, oldest first: from the database, or all of it from files. */
export async function listSteps(ctx: Context, asked: z.output<typeof ListSteps>): Promise<StepPage> {
  const { files, ...page } = await listStored(ctx, asked);
  if (files === undefined || asked.cursor !== undefined) return page;
  const steps = new Map(page.steps.map((step) => [step.span_id, step]));
  for await (const rows of readArchived(ctx, files)) {
    for (const row of rows) {
      // The id is in the text of each of its rows, and parsing all others would take most of the time.
      if (!row.includes(page.run)) continue;
      const { run_id, ...step } = JSON.parse(row);
      if (run_id === page.run) steps.set(step.span_id, Archived.parse(step));
    }
  }
  return {
    ...page,
    steps: [...steps.values()].toSorted((one, other) => one.started_at.localeCompare(other.started_at)),
  };
}

/** A row of the table as it is in a file. */
const Archived = z.preprocess(
  (row: Record<string, unknown>) => ({
    ...known(row),
    id: `${row['trace_id']}${row['span_id']}`,
  }),
  z.object(StoredStep.shape),
);
