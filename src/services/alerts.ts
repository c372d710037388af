import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { Alert, AlertNote, alertHandled, SnoozeSeconds } from '../events/alerts.ts';
import { append } from '../events/append.ts';
import { ProjectRef } from '../events/projects.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';

export const ListAlerts = z.strictObject({
  project: ProjectRef.optional().describe('Only those of this project. Default: all of the workspace.'),
  include_handled: z
    .boolean()
    .default(false)
    .describe('Also those that are acknowledged, snoozed or resolved, or of archived projects.'),
  ...page(20, 100),
});

export const AlertPage = z.object({ alerts: z.array(Alert), next_cursor: z.string().optional() });

export const listAlerts = sqlFunction('list_alerts', AlertPage);

export const AcknowledgeAlert = z.strictObject({
  alert: idListedBy('list_alerts').describe('Id, as list_alerts shows it.'),
  status: z.enum(['acknowledged', 'snoozed', 'resolved']).default('acknowledged'),
  snooze_seconds: SnoozeSeconds.default(86_400).describe('How long it is snoozed.'),
  ...AlertNote.shape,
});

/** Records what somebody makes of an alert. */
export async function acknowledgeAlert(
  ctx: Context,
  { alert, status, snooze_seconds, note }: z.output<typeof AcknowledgeAlert>,
): Promise<Alert> {
  const data = { status, note, ...(status === 'snoozed' && { seconds: snooze_seconds }) };
  const { events } = await append(ctx, [alertHandled(alert, data)]);
  return events[0].state;
}
