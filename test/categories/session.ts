import { newId } from '../../src/events/ids.ts';
import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    list_sessions: {
      naming: ({ project }) => [{ project }],
      reads: [{ project: 'web' }],
      tools: { list_sessions: { project: 'web' } },
    },
  },
  naming: changes,
  changes,
  tampering: `update public.agent_sessions set summary = 'x' where tenant_id = $1`,
  unsearched: 'It is the older form of a checkpoint, which is found.',
  untriggering: 'Rules wait for the checkpoint, its better form.',
};

function changes({ project, session }: { project: string; session: string }) {
  return [
    { stream: `session:${newId()}`, type: 'session.saved', data: { project } },
    { stream: `session:${session}`, type: 'session.updated', data: { summary: 'x' } },
  ];
}
