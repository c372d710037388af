import { newId } from '../../src/events/ids.ts';
import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    list_approvals: {
      naming: ({ project }) => [{ project }, { include_decided: true }],
      reads: [{ project: 'web' }, { include_decided: true }, {}],
      tools: { list_approvals: {} },
    },
    get_approval: { naming: ({ approval }) => [{ approval }], reads: [] },
    decide_approval: { naming: ({ approval }) => [{ approval, decision: 'denied' }], reads: [] },
  },
  naming: ({ approval, run }) => [withdrawn(approval), asked(run)],
  changes: ({ approval }) => [withdrawn(approval)],
  tampering: `update public.approvals set title = 'x' where tenant_id = $1`,
  unsearched: 'It is listed while it waits for a person.',
  untriggering: 'A rule that waited for questions could answer them.',
};

function withdrawn(approval: string) {
  return { stream: `approval:${approval}`, type: 'approval.withdrawn', data: {} };
}

function asked(run: string) {
  const data = { kind: 'question', title: 'x', ttl_seconds: 60, run };
  return { stream: `approval:${newId()}`, type: 'approval.requested', data };
}
