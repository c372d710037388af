import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { append, type Caller, createProject, createTask, type Request, redact, verify } from '../support/commands.ts';
import { createScratch, mutate, type Scratch } from '../support/scratch.ts';
import { upTo } from '../support/writers.ts';

// The consequences of a command are complete where they must be, bounded where they may be, and reported briefly. Four
// counts as many here.

const POLICY_MAX = 4;
const TRIGGERED_MAX = 4;

let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
  await mutate(scratch.sql, 'app.policy_max', ['2000', String(POLICY_MAX)]);
  await mutate(scratch.sql, 'app.triggered_max', ['200', String(TRIGGERED_MAX)]);
});
afterAll(() => scratch.drop());

const changed = (task: string, type: string, data: object = { reason: 'Not needed.' }): Request => ({
  stream: `task:${task}`,
  type: `task.${type}`,
  data,
});

/** web-1, for which so many others wait. */
async function plan(dependents: number, rules: object = {}): Promise<Caller> {
  const ada = await scratch.signIn('ada');
  await createProject(ada, { rules });
  await createTask(ada);
  for (const _ of upTo(dependents)) await createTask(ada, { dependencies: ['web-1'] });
  return ada;
}

async function statuses({ db, actor }: Caller): Promise<string[]> {
  const { tasks } = await ask<{ tasks: { status: string }[] }>({ db, actor }, 'list_tasks', { project: 'web' });
  return tasks.map(({ status }) => status);
}

async function risks({ db, actor }: Caller): Promise<string[]> {
  const filters = { types: ['project.noted'], kinds: ['risk'] };
  const { events } = await ask<{ events: { text: string }[] }>({ db, actor }, 'list_events', { filters });
  return events.map(({ text }) => text);
}

describe('a cancelled task', () => {
  test('blocks all that wait for it, as many as a command may change', async () => {
    const ada = await plan(POLICY_MAX);

    const { followed } = await append(ada, [changed('web-1', 'cancelled')]);

    expect(followed.map(({ type }) => type)).toEqual(upTo(POLICY_MAX).map(() => 'task.blocked'));
    expect(await statuses(ada)).toEqual(['cancelled', ...upTo(POLICY_MAX).map(() => 'blocked')]);
  });

  test('that more wait for is refused whole, and says how to go on', async () => {
    const ada = await plan(POLICY_MAX + 1);

    const refused = append(ada, [changed('web-1', 'cancelled')]);

    await expect(refused).rejects.toMatchObject({
      code: 'illegal_transition',
      details: { dependents_max: POLICY_MAX },
      hint: expect.stringContaining('remove_dependencies'),
    });
    expect(new Set(await statuses(ada))).toEqual(new Set(['pending']));
    await append(ada, [changed('web-2', 'dependencies_changed', { remove: ['web-1'] })]);
    await append(ada, [changed('web-1', 'cancelled')]);
    expect(await statuses(ada)).toEqual(['cancelled', 'pending', ...upTo(POLICY_MAX).map(() => 'blocked')]);
  });

  test('counts with what the others of its command change', async () => {
    const ada = await plan(2);
    await createTask(ada);
    for (const _ of upTo(POLICY_MAX - 1)) await createTask(ada, { dependencies: ['web-4'] });

    const refused = append(ada, [changed('web-1', 'cancelled'), changed('web-4', 'cancelled')]);

    await expect(refused).rejects.toMatchObject({ details: { dependents_max: POLICY_MAX - 2 } });
    expect(new Set(await statuses(ada))).toEqual(new Set(['pending']));
  });

  test('goes together with one that waits for it, or for which the same wait', async () => {
    const ada = await plan(1);
    await createTask(ada);
    await createTask(ada, { dependencies: ['web-1', 'web-3'] });

    const { followed } = await append(ada, [
      changed('web-1', 'cancelled'),
      changed('web-2', 'cancelled'),
      changed('web-3', 'cancelled'),
    ]);

    expect(followed).toMatchObject([{ type: 'task.blocked', ref: 'web-4' }]);
    expect(await statuses(ada)).toEqual(['cancelled', 'cancelled', 'cancelled', 'blocked']);
    expect(await verify(ada)).toMatchObject({ ok: true });
  });

  test('by a rule, that more wait for than a command may change, is noted and undoes nothing', async () => {
    const set_status = { status: 'cancelled' };
    const rules = { triggers: [{ on: 'task.noted', do: { set_status } }] };
    const ada = await plan(POLICY_MAX + 1, rules);

    await append(ada, [changed('web-1', 'noted', { kind: 'note', text: 'Look.' })]);

    expect(new Set(await statuses(ada))).toEqual(new Set(['pending']));
    expect(await risks(ada)).toEqual([expect.stringContaining('could not do task.cancelled')]);
    expect(await verify(ada)).toMatchObject({ ok: true });
  });
});

test('what rules ask for is cut at the bound and noted once; what policy asks for is not', async () => {
  const triggers = ['task.cancelled', 'task.blocked'].map((on) => ({ on, do: { create_task: { title: 'Look' } } }));
  const ada = await plan(POLICY_MAX, { triggers });
  await createTask(ada);

  const { followed } = await append(ada, [changed('web-6', 'cancelled'), changed('web-1', 'cancelled')]);

  const count = (type: string) => followed.filter((event) => event.type === type).length;
  expect([count('task.blocked'), count('task.created')]).toEqual([POLICY_MAX, TRIGGERED_MAX]);
  expect(await risks(ada)).toEqual([expect.stringContaining('The rest was left out.')]);
  expect(await verify(ada)).toMatchObject({ ok: true });
});

describe('of many consequences', () => {
  beforeAll(() => mutate(scratch.sql, 'app.policy_max', [`select ${POLICY_MAX}`, 'select 2000']));

  test('an answer shows the first fifty and says how many there are', async () => {
    const ada = await plan(60);

    const answer = await append(ada, [changed('web-1', 'cancelled')]);

    expect(answer).toMatchObject({ followed_total: 60 });
    expect(answer.followed).toHaveLength(50);
    expect(answer.followed[0]).toMatchObject({ seq: 64, ref: 'web-2' });
  });

  test('a redaction misses none', async () => {
    const ada = await scratch.signIn('ada');
    await createProject(ada);
    await createTask(ada);
    const leaf = (): Request => ({
      stream: `task:${crypto.randomUUID()}`,
      type: 'task.created',
      data: { title: 'Leaf', dependencies: ['web-1'] },
    });
    for (const _ of upTo(5)) await append(ada, upTo(100).map(leaf));
    const { events } = await append(ada, [changed('web-1', 'cancelled', { reason: 'The password is swordfish.' })]);

    await redact(ada, events[0]?.seq ?? 0);

    const { rows } = await scratch.sql.query(
      `select (select count(*)::int from public.events where tenant_id = $1 and payload::text like '%swordfish%') as events,
         (select count(*)::int from public.tasks t where tenant_id = $1 and t::text like '%swordfish%') as tasks`,
      [ada.actor.tenant_id],
    );
    expect(rows).toEqual([{ events: 0, tasks: 0 }]);
    expect(await verify(ada)).toMatchObject({ ok: true });
  });
});

test('a long cycle is shown from both ends', async () => {
  const ada = await plan(0);
  for (const at of upTo(24)) await createTask(ada, { dependencies: [`web-${at}`] });

  const refused = append(ada, [changed('web-1', 'dependencies_changed', { add: ['web-25'] })]);

  await expect(refused).rejects.toMatchObject({
    code: 'dependency_cycle',
    details: {
      cycle: expect.stringMatching(/^web-1 → web-25 → .* → web-16 → … 5 more → web-10 → .* → web-2 → web-1$/),
    },
  });
});
