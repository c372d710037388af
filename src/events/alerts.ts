import * as z from 'zod';
import { jsonObject, line, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { ProjectRef } from './projects.ts';

const Severity = z.enum(['low', 'medium', 'high', 'critical']);

const SNOOZE_SECONDS_MAX = 2_592_000;

const AlertRepeated = z.object({
  severity: Severity,
  title: line(300),
  details: jsonObject(16_384),
});

export const AlertNote = z.object({ note: text(2_000).optional() });

export const SnoozeSeconds = z.int().min(1).max(SNOOZE_SECONDS_MAX);

/** @public */
export const alertEvents = () =>
  ({
    'alert.raised': {
      says: 'something needs to be looked at',
      creates: true,
      by: 'verb',
      data: AlertRepeated.extend({ kind: line(100), dedup_key: line(200), project: ProjectRef.optional() }),
    },
    'alert.repeated': { says: 'its cause showed again', by: 'verb', data: AlertRepeated },
    'alert.acknowledged': { says: 'somebody has seen it', data: AlertNote },
    'alert.snoozed': { says: 'it is put off', data: AlertNote.extend({ seconds: SnoozeSeconds }) },
    'alert.resolved': { says: 'its cause is gone', data: AlertNote },
  }) as const satisfies EventTypes;

export const Alert = z.object({
  id: z.string(),
  project: z.string().optional(),
  kind: z.string(),
  severity: Severity,
  title: z.string(),
  details: z.record(z.string(), z.unknown()),
  raised_count: z.int(),
  created_at: z.string(),
  last_raised_at: z.string(),
  acknowledged_by: z.string().optional(),
  snoozed_until: z.string().optional(),
  resolved_by: z.string().optional(),
});
export type Alert = z.infer<typeof Alert>;

type Handling = { status: 'acknowledged' | 'snoozed' | 'resolved' } & Record<string, unknown>;

export function alertHandled(alert: string, { status, ...data }: Handling): NewEvent<Alert> {
  return { stream: `alert:${alert}`, type: `alert.${status}`, data, state: Alert };
}
