import type { Facts } from '../support/categories.ts';

const completed = { type: 'run.finished', data: { status: 'completed', end_reason: 'completed' } };

export const facts: Facts = {
  functions: {
    list_runs: {
      naming: ({ agent }) => [{ agent }, { open_only: true }],
      reads: [{}, { agent: 'pelican-web' }, { open_only: true }],
      tools: { list_runs: {} },
    },
    list_queue: {
      naming: ({ agent }) => [{ agent }, {}],
      reads: [{}, { agent: 'pelican-web' }],
      tools: { list_queue: {} },
    },
    claim_run: {
      naming: ({ agent, run }) => [
        { agent, token: 1 },
        { agent, token: 1, holding: [run] },
      ],
      reads: [],
    },
    add_chat_steps: { naming: () => [], reads: [] },
    add_output: { naming: ({ run }) => [{ run, lock_token: 1, chunks: [] }], reads: [] },
    list_output: {
      naming: ({ run }) => [{ run }],
      reads: [],
    },
    add_steps: { naming: ({ run }) => [{ run, lock_token: 1, steps: [] }], reads: [] },
    list_steps: { naming: ({ run }) => [{ run }], reads: [] },
    get_run: { naming: ({ run }) => [{ run }], reads: [], tools: { get_run: {} } },
    list_costs: {
      naming: ({ agent, run }) => [{ agent }, { run }, {}],
      reads: [{}, { by: 'day' }, { by: 'task' }, { agent: 'pelican-web' }],
    },
    list_audit: {
      naming: ({ agent, command }) => [{ agent }, { command }, {}],
      reads: [{}, { agent: 'pelican-web' }, { kind: 'command_sent' }],
    },
    list_model_prices: { naming: () => [], reads: [{}] },
    set_model_price: { naming: () => [], reads: [] },
    set_output_quota: { naming: () => [], reads: [] },
    set_output_search: { naming: () => [], reads: [{}] },
    report_run: { naming: ({ run }) => [{ run, lock_token: 1, events: [completed] }], reads: [] },
  },
  naming: ({ run }) => [interrupted(run)],
  changes: ({ run }) => [interrupted(run)],
  tampering: 'update public.agent_runs set attempt = attempt + 7 where tenant_id = $1',
  unsearched: 'Their commands are listed with them.',
  untriggering: 'A rule that waited for runs could start them.',
};

function interrupted(run: string) {
  return { stream: `run:${run}`, type: 'run.interrupt_requested', data: { reason: 'x' } };
}
