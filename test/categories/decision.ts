import { newId } from '../../src/events/ids.ts';
import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    list_decisions: {
      naming: ({ project }) => [{ project, include_superseded: true }],
      reads: [{ project: 'web' }, { project: 'web', include_superseded: true }],
      tools: { list_decisions: { project: 'web' } },
    },
  },
  naming: ({ project, task, decision }) => [
    recorded({ project }),
    recorded({ project: 'own', task }),
    recorded({ project: 'own', supersedes: decision }),
  ],
  changes: ({ project }) => [recorded({ project })],
  tampering: 'update public.decisions set superseded_by = null where tenant_id = $1',
};

function recorded(about: object) {
  const data = { title: 'x', choice: 'x', rationale: 'x', ...about };
  return { stream: `decision:${newId()}`, type: 'decision.recorded', data };
}
