import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    list_alerts: {
      naming: ({ project }) => [{ project }, { include_handled: true }],
      reads: [{ project: 'web' }, { include_handled: true }, {}],
      tools: { list_alerts: {} },
    },
  },
  naming: (refs) => handled(refs.alert),
  changes: (refs) => handled(refs.alert),
  tampering: `update public.agent_alerts set title = 'x', acknowledged = true where tenant_id = $1`,
  unsearched: 'It is listed while it is open; what it is about is found by its own words.',
};

function handled(alert: string) {
  const stream = `alert:${alert}`;
  return [
    { stream, type: 'alert.acknowledged', data: { note: 'x' } },
    { stream, type: 'alert.snoozed', data: { seconds: 60 } },
    { stream, type: 'alert.resolved', data: {} },
  ];
}
