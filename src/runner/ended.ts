import * as z from 'zod';
import { END_REASONS } from '../events/runs.ts';

/** How a run ended, as its events say it. */
export const Ended = z.object({
  status: z.enum(['completed', 'failed', 'cancelled', 'timed_out']),
  end_reason: z.enum(END_REASONS),
  error: z.string().exactOptional(),
  result: z.string().exactOptional(),
});
export type Ended = z.infer<typeof Ended>;

/** A provider's usage limit ended the turn. */
export const Limited = z.object({
  status: z.literal('limited'),
  /** What the provider said. */
  reason: z.string(),
  /** ISO time when the provider allows more, where it said so. */
  until: z.string().exactOptional(),
});
export type Limited = z.infer<typeof Limited>;
