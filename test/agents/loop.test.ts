import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Agent, criteriaIn, heldIn, nextIn, openTeam, refIn, toolsIn } from './agent.ts';

let team: Awaited<ReturnType<typeof openTeam>>;
beforeEach(async () => {
  team = await openTeam();
});
afterEach(() => team.end());

const STEPS_MAX = 60;

/** The steps of the loop that the instructions teach, as the first tool that each names. */
function stepsOf(agent: Agent): string[] {
  const steps = agent.instructions.split('\n').filter((line) => /^\d+\. /.test(line));
  return steps.map((step) => toolsIn(step, agent)[0] ?? '');
}

/** Goes to the next step that the answer names, or that the instructions put after it, until nothing is left to do. */
async function work(agent: Agent): Promise<void> {
  const [resume = '', claim = '', , , , checkpoint = ''] = stepsOf(agent);
  let answer = await agent.call(resume);
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const next = nextIn(answer);
    const held = heldIn(answer);
    if (held !== undefined) {
      const evidence = criteriaIn(answer).map((criterion) => ({ criterion, note: 'I tried it.' }));
      const finish = toolsIn(next ?? '', agent).find((tool) => tool.startsWith('complete')) ?? '';
      answer = await agent.call(finish, { ...held, summary: 'It is done.', evidence });
    } else if (/^Nothing to claim/.test(answer)) {
      break;
    } else {
      answer = await agent.call(toolsIn(next ?? '', agent)[0] ?? claim);
    }
  }
  await agent.call(checkpoint, { label: 'All done', summary: 'Nothing is left.' });
}

const TASKS = [
  { key: 'schema', title: 'Design the schema', acceptance_criteria: ['Prices are in cents'], priority: 'high' },
  {
    key: 'api',
    title: 'Build the API',
    acceptance_criteria: ['It answers 201', 'It refuses nonsense'],
    dependencies: ['schema'],
  },
  { title: 'Build the page', dependencies: ['api'] },
];

describe('an agent that knows only what it is told', () => {
  test('is led from an empty workspace to its first task', async () => {
    const ada = await team.join('ada');

    const first = await ada.call(stepsOf(ada)[0] ?? '');
    const [create = ''] = toolsIn(first, ada);
    const made = await ada.call(create, { slug: 'shop', name: 'Shop' });
    const resumed = await ada.call(stepsOf(ada)[0] ?? '');
    const [plan = ''] = toolsIn(nextIn(resumed) ?? '', ada);
    const planned = await ada.call(plan, { tasks: TASKS });
    const held = heldIn(await ada.call(toolsIn(nextIn(planned) ?? '', ada)[0] ?? ''));

    expect(made).toContain('shop');
    expect(held).toMatchObject({ task: 'shop-1' });
    expect(ada.calls.map(({ refused }) => refused)).toEqual([true, false, false, false, false]);
  });

  test('finishes a plan in its order, and leaves a checkpoint', async () => {
    const ada = await team.join('ada');
    await ada.call('create_project', { slug: 'shop', name: 'Shop' });
    await ada.call('create_tasks', { tasks: TASKS });

    const bob = await team.join('bob');
    await work(bob);

    const finished = bob.calls.filter(({ tool }) => tool === 'complete_task').map(({ args }) => args.task);
    expect(finished).toEqual(['shop-1', 'shop-2', 'shop-3']);
    expect(bob.calls.filter(({ refused }) => refused)).toEqual([]);
    expect(bob.calls.at(-1)?.tool).toBe('save_checkpoint');
  });

  test('shares the work with others: each task is done once', async () => {
    const planner = await team.join('planner');
    await planner.call('create_project', { slug: 'shop', name: 'Shop' });
    await planner.call('create_tasks', { tasks: Array.from({ length: 12 }, (_, at) => ({ title: `Part ${at + 1}` })) });

    const workers = await Promise.all(['ada', 'bob', 'cleo'].map((name) => team.join(name)));
    await Promise.all(workers.map(work));

    const finished = workers.flatMap(({ calls }) => calls.filter(({ tool }) => tool === 'complete_task'));
    expect(new Set(finished.map(({ args }) => args.task)).size).toBe(12);
    expect(finished.filter(({ refused }) => refused)).toEqual([]);
    expect(finished).toHaveLength(12);
  });

  test('finds what to do next and starts in one call', async () => {
    const ada = await team.join('ada');
    await ada.call('create_project', { slug: 'shop', name: 'Shop' });
    await ada.call('create_tasks', { tasks: [{ ...TASKS[0], description: 'Tables for carts.' }] });
    const bob = await team.join('bob');

    const answer = await bob.call(stepsOf(bob)[1] ?? '');

    expect(heldIn(answer)).toMatchObject({ task: 'shop-1' });
    expect(answer).toContain('Tables for carts.');
    expect(criteriaIn(answer)).toEqual([1]);
    expect(toolsIn(nextIn(answer) ?? '', bob)).toEqual(['add_artifact', 'complete_task', 'release_task']);
  });

  test('resumes what another one left in one call', async () => {
    const ada = await team.join('ada');
    await ada.call('create_project', { slug: 'shop', name: 'Shop' });
    await ada.call('create_tasks', { tasks: TASKS });
    const held = heldIn(await ada.call('claim_task'));
    await ada.call('save_checkpoint', {
      label: 'Half way',
      summary: 'The tables are there.',
      resume_instructions: 'Add the index on carts.',
    });
    await ada.call('release_task', { ...held, outcome: 'paused', reason: 'My context is full.' });
    await ada.leave();

    const bob = await team.join('bob');
    const answer = await bob.call(stepsOf(bob)[0] ?? '');

    expect(answer).toContain('The tables are there.');
    expect(answer).toContain('Add the index on carts.');
    expect(refIn(answer)).toBe('shop-1');
    expect(toolsIn(nextIn(answer) ?? '', bob)).toEqual(['claim_task']);
    expect(answer.length).toBeLessThan(8_000);
  });

  test('that lost its token to a compaction gets its task back by what it is told next', async () => {
    const ada = await team.join('ada');
    await ada.call('create_project', { slug: 'shop', name: 'Shop' });
    await ada.call('create_tasks', { tasks: TASKS });
    const before = heldIn(await ada.call('claim_task'));

    const resumed = await ada.call('resume_project');

    expect(nextIn(resumed)).toMatch(/^if you lost the token of shop-1, claim_task shop-1 with take_over: true; else /);
    const again = heldIn(await ada.call('claim_task', { task: 'shop-1', take_over: true }));

    expect(again?.task).toBe('shop-1');
    expect(again?.lock_token).toBeGreaterThan(before?.lock_token ?? 0);
  });
});
