import { newId } from '../../src/events/ids.ts';
import type { Facts } from '../support/categories.ts';

const artifact = { type: 'other', ref: 'x' };

export const facts: Facts = {
  functions: {
    list_artifacts: {
      naming: ({ task }) => [{ task }],
      reads: [{ task: 'web-1' }],
      tools: { list_artifacts: { task: 'web-1' } },
    },
  },
  naming: ({ task }) => [{ stream: `artifact:${newId()}`, type: 'artifact.added', data: { ...artifact, task } }],
  changes: ({ task }) => [{ stream: `artifact:${newId()}`, type: 'artifact.added', data: { ...artifact, task } }],
  tampering: 'delete from public.artifacts where tenant_id = $1',
};
