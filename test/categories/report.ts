import { newId } from '../../src/events/ids.ts';
import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    get_report: {
      naming: ({ report, command }) => [{ report }, { command }, {}],
      reads: [{}],
      tools: { get_report: {} },
    },
    list_reports: {
      naming: ({ project, agent, command }) => [{ project }, { agent }, { command }, { severity: 'high' }, {}],
      reads: [{ project: 'web' }, { agent: 'pelican-web' }, { status: 'draft' }, { severity: 'high' }, {}],
    },
  },
  naming: ({ report, run, project, artifact }) => [
    ...changes(report),
    saved({ project }),
    saved({ run }),
    saved({ attachments: [{ name: 'x', artifact }] }),
  ],
  changes: ({ report }) => changes(report),
  tampering: `update public.investigation_reports set title = 'x' where tenant_id = $1`,
};

function changes(report: string) {
  const stream = `report:${report}`;
  return [
    { stream, type: 'report.changed', data: { sections: [{ title: 'x', content: 'x' }] } },
    { stream, type: 'report.completed', data: {} },
  ];
}

function saved(about: object) {
  return { stream: `report:${newId()}`, type: 'report.saved', data: { title: 'x', ...about } };
}
