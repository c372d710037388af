import { newId } from '../../src/events/ids.ts';
import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    recall_memories: {
      naming: ({ project }) => [{ project }, { query: 'pelican' }, { include_all: true }, {}],
      reads: [{ project: 'web' }, { project: 'web', query: 'pelican' }, { key: 'pelican food', include_all: true }, {}],
      tools: { recall: {} },
    },
    list_memories: {
      naming: ({ project, memory }) => [{ project }, { memory }, { status: 'all' }, {}],
      reads: [{ project: 'web' }, { status: 'all' }, { status: 'proposed' }, {}],
    },
    decide_memory: { naming: ({ memory }) => [{ memory, decision: 'forgotten' }], reads: [] },
  },
  naming: ({ run, project, task }) => [
    remembered({ scope: 'project', project }),
    remembered({ scope: 'run', run }),
    remembered({ scope: 'agent', task }),
  ],
  changes: ({ project }) => [remembered({ scope: 'project', project })],
  tampering: `update public.agent_memory set text = 'x', superseded_by = null where tenant_id = $1`,
  untriggering: 'A rule that waited for it would let what an agent notes start work.',
};

function remembered(about: object) {
  return { stream: `memory:${newId()}`, type: 'memory.remembered', data: { key: 'x', text: 'x', ...about } };
}
