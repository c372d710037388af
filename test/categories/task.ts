import { newId } from '../../src/events/ids.ts';
import type { Facts, Refs } from '../support/categories.ts';

const filtered = (filters: object) => ({ project: 'web', filters });

export const facts: Facts = {
  functions: {
    adopt_locks: { naming: ({ task }) => [{ tasks: [task] }], reads: [] },
    claim_task: {
      naming: ({ project, task }) => [{ task }, { project }, { project: 'own', filters: { parent: task } }],
      reads: [],
    },
    extend_lock: { naming: ({ task }) => [{ task, lock_token: 2 }], reads: [] },
    get_task: {
      naming: ({ task }) => [{ task }],
      reads: [{ task: 'web-1' }],
      tools: { get_task: { task: 'web-1', timeline_size: 100 } },
    },
    list_needs: { naming: ({ project }) => [{ project }, { project: 'own' }], reads: [{ project: 'web' }] },
    list_questions: {
      naming: ({ project, task }) => [{ project }, { task }, { project: 'own' }],
      reads: [{ project: 'web' }, { task: 'web-1' }],
    },
    list_tasks: {
      naming: ({ project, task }) => [{ project }, { project: 'own', filters: { parent: task } }, { project: 'own' }],
      reads: [
        { project: 'web' },
        filtered({ ready: true }),
        filtered({ ready: true, labels: ['ui'] }),
        filtered({ labels: ['UI', 'paint'] }),
        filtered({ mine: true }),
        filtered({ status: ['completed'], priority: ['medium'] }),
      ],
      tools: { list_tasks: { project: 'web' } },
    },
  },
  naming: (refs) => [...changes(refs), ...dependent(refs)],
  changes,
  tampering: `update public.tasks set title = 'x', status = 'pending', lock_token = null, locked_by = null,
    completed_at = null, blocked_reason = null where tenant_id = $1`,
};

function created(data: object) {
  return { stream: `task:${newId()}`, type: 'task.created', data: { title: 'x', ...data } };
}

function changes({ project, task }: Refs) {
  const stream = `task:${task}`;
  return [
    created({ project }),
    { stream, type: 'task.noted', data: { text: 'x', kind: 'note' } },
    { stream, type: 'task.updated', data: { title: 'x' }, expect: { version: 1 } },
    { stream, type: 'task.lock_broken', data: { reason: 'x' } },
  ];
}

function dependent({ task, artifact }: Refs) {
  const completed = { evidence: [{ criterion: 1, artifact }] };
  return [
    created({ project: 'own', dependencies: [task] }),
    created({ project: 'own', parent: task }),
    created({ project: 'own', discovered_from: task }),
    { stream: 'task:own-1', type: 'task.dependencies_changed', data: { add: [task] } },
    { stream: 'task:own-1', type: 'task.dependencies_changed', data: { remove: [task] } },
    { stream: `task:${task}`, type: 'task.completed', data: {}, expect: { lock_token: 2 } },
    { stream: 'task:own-1', type: 'task.completed', data: completed, expect: { lock_token: 2 } },
  ];
}
