import type { Facts, Refs } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    get_agent: {
      naming: ({ agent }) => [{ agent }],
      reads: [{ agent: 'pelican-web' }],
    },
    list_agents: {
      naming: () => [{ include_retired: true }],
      reads: [{}, { include_retired: true }],
      tools: { list_agents: {} },
    },
    get_control: {
      naming: ({ agent, run }) => [{ agent, held: [{ run, lock_token: 1 }] }],
      reads: [{ agent: 'pelican-web' }],
    },
    // What it says is of the caller's own.
    register_agent: { naming: () => [], reads: [] },
    call_in: { naming: () => [], reads: [] },
    beat_agent: { naming: ({ agent }) => [{ agent, token: 1 }], reads: [] },
    stop_agents: { naming: () => [], reads: [] },
    set_agents_max: { naming: () => [], reads: [{}] },
  },
  naming: changed,
  changes: changed,
  tampering: `update public.agents set type = 'x' where tenant_id = $1`,
  unsearched: 'They are few, and listed.',
  untriggering: 'Most belong to the workspace, not to a project with rules.',
};

function changed({ agent }: Refs) {
  const stream = `agent:${agent}`;
  return [
    { stream, type: 'agent.renamed', data: { name: 'x' } },
    { stream, type: 'agent.paused', data: { reason: 'x' } },
    { stream, type: 'agent.resumed', data: {} },
    { stream, type: 'agent.retired', data: {} },
  ];
}
