// The loop of every client: what its model is shown at the start, and of each answer.
import { heldIn } from '../../../bench/everyday.ts';
import { INSTRUCTIONS } from '../../../src/server/mcp/instructions.ts';
import type { Expect } from '../expectations.ts';
import type { ClientName, Given } from '../given.ts';
import type { Play } from '../model.ts';
import type { ShownResult } from '../models/wire.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startSession } from '../session.ts';

type Step = 'resume' | 'create' | 'claim' | 'complete' | 'refusal';

const FIRST_TOOLS = ['resume_project', 'claim_task', 'complete_task'];
const TASKS = [
  { key: 'cart', title: 'Write the cart', acceptance_criteria: ['The tests pass'] },
  { title: 'Write the page', dependencies: ['cart'] },
];

export async function loop(given: Given): Promise<void> {
  await withEach(given, loopOf);
}

async function loopOf(name: ClientName, place: Place, expect: Expect) {
  const program = PROGRAMS[name];
  await place.init(program.client);
  const shown: Partial<Record<Step, ShownResult>> = {};
  const play: Play = async (agent) => {
    shown.resume = await agent.call('resume_project');
    shown.create = await agent.call('create_tasks', { tasks: TASKS });
    const claim = await agent.call('claim_task');
    shown.claim = claim;
    const held = heldIn(claim.text);
    const evidence = [{ criterion: 1, note: '3 passed' }];
    shown.complete = await agent.call('complete_task', { ...held, summary: 'The cart is there.', evidence });
    shown.refusal = await agent.call('claim_task', { task: 'shop-99' });
  };
  const { agent } = await (await startSession(program, place, { play })).ended;

  const { first } = agent;
  const [paragraph = ''] = INSTRUCTIONS.split('\n');
  expect(
    'the first paragraph of the instructions is shown before anything is called',
    first.all.includes(paragraph),
    first.all.slice(0, 300),
  );
  if (name === 'claude') {
    const given = first.tools.map((tool) => tool.name);
    expect(
      'the three tools of the first minute are there at once',
      FIRST_TOOLS.every((tool) => given.includes(`mcp__cairn__${tool}`)),
      given,
    );
  }
  for (const [step, { text }] of Object.entries(shown)) {
    expect(`the answer of ${step} is shown as text`, !/"(ref|lock_token|structuredContent)":/.test(text), text);
  }
  for (const step of ['resume', 'create', 'claim'] as const) {
    const text = shown[step]?.text ?? '';
    expect(`the answer of ${step} says what is next`, /^Next: /m.test(text), text);
  }
  const refusal = shown.refusal?.text ?? '';
  const [, code, hint] = /(not_found: ).*(list_tasks shows)/s.exec(refusal) ?? [];
  expect('a refusal shows its code and a hint', Boolean(code && hint), refusal);
  const done = (await place.log()).map(({ type }) => type);
  const story = ['task.created', 'task.claimed', 'task.completed'];
  expect(
    'the task is created, claimed and completed',
    story.every((type) => done.includes(type)),
    done,
  );
}
