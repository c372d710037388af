import { Alert } from '../events/alerts.ts';
import { named, quote } from '../quote.ts';
import { AcknowledgeAlert, AlertPage, acknowledgeAlert, ListAlerts, listAlerts } from '../services/alerts.ts';
import { lines, nextPage, time } from './render.ts';
import { tasks } from './tasks.ts';
import { toolset } from './tool.ts';

export const alerts = toolset(
  'alerts',
  {
    purpose: 'what needs to be looked at',
    description: 'What Cairn itself noticed and somebody should look at, each once until it is resolved.',
    scopes: tasks.scopes,
  },
  {
    list_alerts: {
      title: 'List alerts',
      description: 'See what needs to be looked at, latest first. An alert closes itself when its cause is gone.',
      effect: 'read',
      input: ListAlerts,
      output: AlertPage,
      run: listAlerts,
      render: ({ alerts: found, next_cursor }) =>
        found.length === 0 ? 'No alerts.' : lines(found.map(renderAlert), nextPage(next_cursor)),
    },
    acknowledge_alert: {
      title: 'Acknowledge an alert',
      description: 'Say that an alert was seen, put it off (snoozed), or close it (resolved) when its cause is gone.',
      effect: 'write',
      input: AcknowledgeAlert,
      output: Alert,
      run: acknowledgeAlert,
      render: renderAlert,
    },
  },
);

/** Formats an alert on one line. */
export function alertLine({ severity, title, project, raised_count, last_raised_at, id }: Alert): string {
  const where = project === undefined ? '' : ` in ${project}`;
  const often = raised_count === 1 ? '' : `, ${raised_count} times`;
  return `${severity} ${quote(title)}${where}${often}, ${time(last_raised_at)} (${id})`;
}

function renderAlert(alert: Alert): string {
  const { details, acknowledged_by, snoozed_until, resolved_by } = alert;
  return lines(
    alertLine(alert),
    Object.keys(details).length > 0 && `details: ${JSON.stringify(details)}`,
    acknowledged_by !== undefined && `acknowledged by ${named(acknowledged_by)}`,
    snoozed_until !== undefined && `snoozed until ${time(snoozed_until)}`,
    resolved_by !== undefined && `resolved by ${named(resolved_by)}`,
  );
}
