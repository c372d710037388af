import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import { callIn } from '../../../src/services/callers.ts';
import { registerAgent } from '../../../src/services/runner.ts';
import { append, type Caller, createProject, createTask, hold, record, verify } from '../../support/commands.ts';
import { test } from '../../support/world.ts';
import { upTo, WRITERS } from '../../support/writers.ts';

describe('racing', () => {
  /** What several may want to call something at once: each but the first reads that the name is taken. */
  const named: Record<string, (who: Caller) => Promise<unknown>> = {
    'a project': createProject,
    'a preset': (who) => saved(who, 'preset', { name: 'triage', content: 'Triage it.' }),
    'a constraint profile': (who) => saved(who, 'profile', { name: 'careful' }),
  };
  const saved = (who: Caller, kind: string, data: object) =>
    record(who, { stream: `${kind}:${randomUUID()}`, type: `${kind}.saved`, data });

  test.for(Object.entries(named))(
    'to name %s the same lets one win and tells the others',
    async ([, name], { as, withWriters }) => {
      const results = await withWriters(as('ada'), (writers) => Promise.allSettled(writers.map((who) => name(who))));

      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const codes = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
      expect(new Set(codes)).toEqual(new Set(['already_exists']));
    },
  );

  test('to be the runner of a name lets one win and tells the others', async ({ as, withWriters }) => {
    const agent = { name: 'box', type: 'claude', driver: 'pipe' };
    const results = await withWriters(as('ada'), (writers) =>
      Promise.allSettled(writers.map((who) => registerAgent({ ...as('ada'), ...who }, { agent }))),
    );

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(new Set(codes)).toEqual(new Set(['lock_held']));
  });

  test('the first calls of an agent, from several hooks at once, are calls of one agent', async ({
    as,
    withWriters,
  }) => {
    const box = as('box');
    const agent = { name: 'box', type: 'claude', driver: 'hook' };
    const calls = await withWriters(box, (writers) =>
      Promise.all(writers.map(({ db }) => callIn({ ...box, db }, { agent, asked: { takes: 'nothing' } }))),
    );

    expect(calls.map((call) => 'nothing' in call)).toEqual(Array(WRITERS).fill(true));
    expect(await verify(box)).toMatchObject({ ok: true, events: 1 });
  });

  test('tasks that a rule creates each get a number of their own', async ({ as, withWriters }) => {
    const actions = ['task.noted', 'task.claimed'].map((on) => ({
      on,
      do: { create_task: { title: 'Review {ref}' } },
    }));
    await createProject(as('ada'), { rules: { triggers: actions } });
    for (const _ of upTo(WRITERS)) await createTask(as('ada'));

    const answers = await withWriters(as('ada'), async (writers) => {
      await Promise.all(writers.map((who, at) => hold(who, `web-${at + 1}`)));
      const noted = { type: 'task.noted', data: { text: 'Look.', kind: 'note' } };
      const notes = writers.map((who, at) => append(who, [{ stream: `task:web-${at + 1}`, ...noted }]));
      const created = writers.map((who) => createTask(who));
      return Promise.all([Promise.all(notes), Promise.all(created)]);
    });

    const followed = answers[0].flatMap((answer) => answer.followed);
    expect(followed.map(({ type }) => type)).toEqual(Array(WRITERS).fill('task.created'));
    expect(new Set([...followed, ...answers[1]].map(({ ref }) => ref)).size).toBe(2 * WRITERS);
    expect(await verify(as('ada'))).toMatchObject({ ok: true, events: 1 + 6 * WRITERS });
  });

  test('to add the two dependencies of a cycle lets one win', async ({ as, withWriters }) => {
    await createProject(as('ada'));
    const depend = (who: Caller, task: number, on: number) =>
      record(who, { stream: `task:web-${task}`, type: 'task.dependencies_changed', data: { add: [`web-${on}`] } });
    // Ten pairs of chains; each pair may be joined at one end, not at both.
    const starts = upTo(10).map((pair) => pair * 6 - 5);
    for (const _ of upTo(60)) await createTask(as('ada'));
    for (const start of starts) {
      for (const at of [0, 1, 3, 4]) await depend(as('ada'), start + at, start + at + 1);
    }

    const results = await withWriters(as('ada'), async ([one, other]) => {
      const pairs = [];
      for (const start of starts) {
        pairs.push(
          await Promise.allSettled([
            depend(one as Caller, start + 2, start + 3),
            depend(other as Caller, start + 5, start),
          ]),
        );
      }
      return pairs;
    });

    for (const pair of results) {
      const codes = pair.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
      expect(codes).toEqual(['dependency_cycle']);
    }
  });
});
