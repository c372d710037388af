// An agent's everyday work, played with Cairn's tools. `bench/agents.ts` counts it over stdio, `test/clients` in real
// clients.
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';

const PLAN = [
  { key: 'schema', title: 'Design the cart schema', acceptance_criteria: ['Prices are in cents'], priority: 'high' },
  {
    key: 'api',
    title: 'Build the cart API',
    description: 'POST, GET and DELETE on /cart. Prices are in cents; a cart belongs to a customer.',
    acceptance_criteria: ['POST /cart answers 201', 'Negative quantities are refused'],
    dependencies: ['schema'],
  },
  { key: 'page', title: 'Build the checkout page', acceptance_criteria: ['A person can pay'], dependencies: ['api'] },
  { title: 'Send receipts by mail', dependencies: ['page'], priority: 'low' },
  { title: 'Write the terms' },
];

type Held = { task: string; lock_token: number };
/** The part of an answer that an agent reads. */
type Shown = { text: string };
type Cost = { calls: string[]; sent: number; read: number };

type CountingAgent = {
  held: Held;
  call(tool: string, args: object): Promise<Shown>;
  hold(claim: Shown): void;
  forget(): void;
  cost(): Cost;
};

export const EVERYDAY: Record<string, (agent: CountingAgent) => Promise<void>> = {
  'plan a feature of five tasks': async (agent) => {
    await agent.call('create_tasks', { tasks: PLAN });
  },
  'find what to do next and start': async (agent) => {
    agent.hold(await agent.call('claim_task', {}));
  },
  'note progress': async (agent) => {
    await agent.call('record_event', { task: agent.held.task, kind: 'progress', text: 'The tables are there.' });
  },
  'record a decision': async (agent) => {
    await agent.call('record_decision', {
      title: 'How to store prices',
      choice: 'Integers, in cents',
      rationale: 'Floats do not add up.',
      options: ['Floats', 'Integers, in cents'],
    });
  },
  'finish with evidence': async (agent) => {
    const { text } = await agent.call('add_artifact', {
      ...agent.held,
      type: 'test_report',
      ref: 'npm test: 12 passed',
    });
    const artifact = /[0-9a-f-]{36}/.exec(text)?.[0];
    await agent.call('complete_task', {
      ...agent.held,
      summary: 'Tables carts and items; prices in cents.',
      evidence: [{ criterion: 1, artifact }],
    });
  },
  'put work found on the way on the list': async (agent) => {
    agent.hold(await agent.call('claim_task', {}));
    agent.forget();
    await agent.call('create_tasks', { tasks: [{ title: 'Round totals once', discovered_from: agent.held.task }] });
  },
  'hand over unfinished work': async (agent) => {
    await agent.call('save_checkpoint', {
      label: 'Routes are there',
      summary: 'POST and GET work; DELETE is missing.',
      resume_instructions: 'Add DELETE in src/cart.ts, then run npm test.',
    });
    await agent.call('release_task', {
      ...agent.held,
      outcome: 'paused',
      reason: 'My context is full; DELETE is next.',
    });
  },
  'resume after a break': async (agent) => {
    await agent.call('resume_project', {});
  },
  'see what changed since yesterday': async (agent) => {
    await agent.call('list_events', {});
  },
  'see who works on what': async (agent) => {
    await agent.call('list_tasks', { status: ['in_progress'] });
  },
  'find what was said about something': async (agent) => {
    await agent.call('search', { query: 'prices in cents' });
  },
};

/** An agent that knows what it holds and what its calls cost; `answer` is what it reads after a call. */
export function countingAgent(answer: (tool: string, args: object) => Promise<string>): CountingAgent {
  let calls: { tool: string; sent: number; read: number }[] = [];
  const agent: CountingAgent = {
    held: { task: '', lock_token: 0 },
    async call(tool, args) {
      const text = await answer(tool, args);
      calls.push({ tool, sent: countTokens(JSON.stringify(args)) + countTokens(tool), read: countTokens(text) });
      return { text };
    },
    hold({ text }) {
      agent.held = heldIn(text);
    },
    forget() {
      calls = [];
    },
    cost: () => ({
      calls: calls.map(({ tool }) => tool),
      sent: calls.reduce((sum, call) => sum + call.sent, 0),
      read: calls.reduce((sum, call) => sum + call.read, 0),
    }),
  };
  return agent;
}

/** The task and token of a claim, whether its answer is text or data. */
export function heldIn(text: string): Held {
  const task = /You hold (\S+) until |"ref":"([^"]+)"/.exec(text);
  const token = /lock_token"?: ?(\d+)/.exec(text);
  return { task: task?.[1] ?? task?.[2] ?? '', lock_token: Number(token?.[1]) };
}
