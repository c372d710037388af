// The loop of every client: what its model is shown at the start, and of each answer.

import { heldIn } from '../../../build/bench/everyday.js';
import { INSTRUCTIONS } from '../../../build/src/server/instructions.js';
import { withEach } from '../place.mjs';
import { PROGRAMS } from '../programs.mjs';
import { startSession } from '../session.mjs';

const FIRST_TOOLS = ['resume_project', 'claim_task', 'complete_task'];
const TASKS = [
  { key: 'cart', title: 'Write the cart', acceptance_criteria: ['The tests pass'] },
  { title: 'Write the page', dependencies: ['cart'] },
];

/** @param {import('../parts.mjs').Given} given */
export async function loop(given) {
  await withEach(given, loopOf);
}

/** @param {string} name @param {import('../place.mjs').Place} place @param {import('../expectations.mjs').Expect} expect */
async function loopOf(name, place, expect) {
  const program = PROGRAMS[name];
  await place.init(program.client);
  const shown = {};
  const play = async (agent) => {
    shown.resume = await agent.call('resume_project');
    shown.create = await agent.call('create_tasks', { tasks: TASKS });
    shown.claim = await agent.call('claim_task');
    const held = heldIn(shown.claim.text);
    const evidence = [{ criterion: 1, note: '3 passed' }];
    shown.complete = await agent.call('complete_task', { ...held, summary: 'The cart is there.', evidence });
    shown.refusal = await agent.call('claim_task', { task: 'shop-99' });
  };
  const { agent } = await (await startSession(program, place, { play })).ended;

  const [first] = agent.requests;
  const [paragraph] = INSTRUCTIONS.split('\n');
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
  for (const step of ['resume', 'create', 'claim']) {
    expect(`the answer of ${step} says what is next`, /^Next: /m.test(shown[step].text), shown[step].text);
  }
  const [, code, hint] = /(not_found: ).*(list_tasks shows)/s.exec(shown.refusal.text) ?? [];
  expect('a refusal shows its code and a hint', Boolean(code && hint), shown.refusal.text);
  const done = (await place.log()).map(({ type }) => type);
  const story = ['task.created', 'task.claimed', 'task.completed'];
  expect(
    'the task is created, claimed and completed',
    story.every((type) => done.includes(type)),
    done,
  );
}
