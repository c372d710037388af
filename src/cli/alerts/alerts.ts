import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import type { Alert } from '../../events/alerts.ts';
import { alerts as alertTools } from '../../tools/alerts.ts';
import { time } from '../../tools/render.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { readPages } from '../pagination.ts';
import { shortId, wholeId } from '../short-id.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

const SHOWN_MAX = 100;
const KNOWN_MAX = 1_000;

export type AlertsOptions = JsonOption & { all?: true; project?: string | undefined };
export type HandleOptions = JsonOption & { note?: string; for?: number };
type Handling = HandleOptions & { status: 'acknowledged' | 'snoozed' | 'resolved' };

/** `cairn alerts`: what waits for somebody. */
export async function runAlerts(config: Config, options: AlertsOptions): Promise<void> {
  const found = await inLocalContext(config, (ctx) =>
    readAlerts(ctx, { all: options.all, project: options.project, limit: SHOWN_MAX }),
  );
  printResult({ alerts: found }, options, () =>
    found.length === 0 ? ['No alerts.'] : alertTable(found, { withDetails: true }),
  );
}

/** `cairn alerts ack|snooze|resolve ID`. */
export async function runHandle(config: Config, given: string, options: Handling): Promise<void> {
  const { status, note } = options;
  const handled = await inLocalContext(config, async (ctx) =>
    perform(ctx, alertTools.commands.acknowledge_alert, {
      alert: await alertId(ctx, given),
      status,
      note,
      snooze_seconds: options.for,
    }),
  );
  printResult(handled, options, () => {
    const until = status === 'snoozed' && handled.snoozed_until;
    return [`The alert "${handled.title}" is ${status}${until ? ` until ${time(until)}` : ''}.`];
  });
}

export async function readAlerts(
  ctx: Context,
  { all, project, limit }: { all?: boolean | undefined; project?: string | undefined; limit: number },
): Promise<Alert[]> {
  const { items } = await readPages(
    limit,
    (page) => perform(ctx, alertTools.commands.list_alerts, { ...page, project, include_handled: all }),
    ({ alerts }) => alerts,
  );
  return items;
}

/** Finds an alert by its id or the end of it, among those that wait for somebody first. */
function alertId(ctx: Context, given: string): Promise<string> {
  return wholeId(given, {
    each: [false, true].map((all) => () => readAlerts(ctx, { all, limit: KNOWN_MAX })),
    notFound: () =>
      new DomainError('not_found', `There is no alert ${given.slice(0, 40)}.`, {
        hint: '`cairn alerts list --all` shows the ids.',
      }),
  });
}

export function alertTable(alerts: readonly Alert[], { withDetails = false } = {}): string[] {
  return table(alerts, [
    { heading: 'ALERT', text: ({ id }) => shortId(id), style: (text) => styled('bold', text) },
    { heading: 'SEVERITY', text: ({ severity }) => severity, style: (text) => styled('yellow', text) },
    { heading: 'WHAT', text: ({ title }) => title, flexible: true },
    {
      heading: 'DETAILS',
      text: ({ details }) => (withDetails ? detailsOf(details) : ''),
      style: (text) => styled('dim', text),
      flexible: true,
      spare: 0,
    },
    { heading: 'TIMES', text: ({ raised_count }) => (raised_count > 1 ? String(raised_count) : ''), spare: 1 },
    { heading: 'LAST', text: (alert) => fromNow(alert.last_raised_at), style: (text) => styled('dim', text), spare: 3 },
    { heading: 'STATE', text: stateOf, style: (text) => styled('dim', text), spare: 2 },
  ]);
}

function detailsOf(details: Alert['details']): string {
  return Object.entries(details)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

function stateOf({ resolved_by, acknowledged_by, snoozed_until }: Alert): string {
  if (resolved_by !== undefined) return `resolved by ${resolved_by}`;
  if (acknowledged_by !== undefined) return `acknowledged by ${acknowledged_by}`;
  return snoozed_until === undefined ? '' : `snoozed, ${fromNow(snoozed_until)}`;
}
