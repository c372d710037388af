import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { time } from '../../src/tools/render.ts';
import { callTool } from '../../src/tools/tool.ts';
import { ask } from '../support/ask.ts';
import {
  append,
  claim,
  createTask,
  type Exported,
  exportAll,
  hold,
  importAll,
  note,
  record,
  verify,
} from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { filledHistory } from '../support/filled-workspace.ts';
import { add, dependent, first, forge, payloadOf, redactionOf, waitFor } from '../support/forge.ts';
import { rowsOf } from '../support/rows.ts';
import { test } from '../support/world.ts';

// Files that somebody made or changed: who can read this can make every hash of them right.

type Change = (events: Exported[]) => unknown;

describe('a history whose hashes are right', () => {
  test.for<[what: string, change: Change, field?: string]>([
    ['a slug that is none', (all) => Object.assign(payloadOf(all, 'project.created'), { slug: 'up../## x' }), 'slug'],
    [
      'rules that this version does not know',
      (all) => Object.assign(payloadOf(all, 'project.created'), { rules: { surplus: 1 } }),
    ],
    [
      'constraints that this version does not know',
      (all) => Object.assign(payloadOf(all, 'task.created'), { constraints: { surplus: 1 } }),
    ],
    ['a text that is none', (all) => Object.assign(payloadOf(all, 'task.created'), { title: ['x'] })],
    ['a field that is none', (all) => Object.assign(payloadOf(all, 'task.created'), { surplus: true })],
    ['a field too few', (all) => delete payloadOf(all, 'decision.recorded')['rationale']],
    ['a choice that is none', (all) => Object.assign(payloadOf(all, 'task.created'), { priority: 'urgent' })],
    ['a ref of another task', (all) => Object.assign(payloadOf(all, 'task.created'), { ref: 'web-7' })],
    ['a ref instead of an id', (all) => Object.assign(payloadOf(all, 'artifact.added'), { task: 'web-1' })],
    ['an actor who is more', (all) => Object.assign(first(all, 'task.created')['actor'] as object, { role: 'owner' })],
    ['another user than its actor', (all) => Object.assign(first(all, 'task.created'), { user_id: newId() })],
    [
      'an event of another category',
      (all) => Object.assign(first(all, 'task.created'), { stream: `project:${newId()}` }),
    ],
    ['a stream that is none', (all) => Object.assign(first(all, 'session.saved'), { stream: 'session:x' })],
    ['a version left out', (all) => Object.assign(first(all, 'task.claimed'), { version: 7 })],
    ['an artifact of no task', (all) => Object.assign(first(all, 'artifact.added'), { task_id: null })],
    ['a project that is not there', (all) => Object.assign(first(all, 'session.saved'), { project_id: newId() })],
    ['no project', (all) => Object.assign(first(all, 'session.saved'), { project_id: null })],
    [
      'a year that is far away',
      (all) => Object.assign(first(all, 'task.created'), { created_at: '200000-01-01T00:00Z' }),
    ],
    [
      'a time before computers',
      (all) => Object.assign(first(all, 'task.created'), { created_at: '1969-12-31T00:00Z' }),
    ],
    [
      'a redaction that is to come',
      (all) => Object.assign(first(all, 'task.claimed'), { redacted_at: '2900-01-01T00:00Z' }),
    ],
    [
      'a number past all',
      (all) => Object.assign(payloadOf(all, 'task.created'), { number: 1e8, ref: 'web-100000000' }),
    ],
    [
      'a redacted list that is none',
      (all) => {
        Object.assign(payloadOf(all, 'task.created'), { acceptance_criteria: 'x' });
        Object.assign(first(all, 'task.created'), { redacted_at: first(all, 'task.created')['created_at'] });
      },
    ],
    ['a dependency on itself', (all) => waitFor(all, first(all, 'task.created')['task_id'])],
    [
      'a dependency that comes later',
      (all) => waitFor(all, all.findLast(({ event_type }) => event_type === 'task.created')?.['task_id']),
    ],
    ['dependencies in a circle', (all) => add(all, 'task.dependencies_changed', { add: [dependent(all)['task_id']] })],
    [
      'a parent that is a part of it',
      (all) => {
        const [task, other] = [first(all, 'task.created'), dependent(all)];
        Object.assign(other.payload, { parent: task['task_id'] });
        add(all, 'task.updated', { parent: other['task_id'] });
      },
    ],
    ['a parent that is no task here', (all) => add(all, 'task.updated', { parent: newId() }), 'parent'],
    ['an approval by an agent', (all) => add(all, 'task.approved', { agent: 'ada' })],
    ['an approval by an agent that nobody sees', (all) => add(all, 'task.approved', { agent: '\u3164' })],
    ['a redaction of what is not there', (all) => redactionOf(all, newId(), first(all, 'task.created')['project_id'])],
    ['a redaction in another project', (all) => redactionOf(all, first(all, 'session.saved')['id'], newId())],
    ['a redaction in no project', (all) => redactionOf(all, first(all, 'session.saved')['id'], null)],
    [
      'a redaction of another task',
      (all) => redactionOf(all, first(all, 'task.created')['id'], first(all, 'task.created')['project_id']),
    ],
  ])('is refused with %s, and nothing is written', async ([, change, field], { engine, asStranger, sql, people }) => {
    const events = await filledHistory(engine);
    change(events);
    const forged = await forge(sql, events);
    const before = await rowsOf(sql, people.stranger.tenant_id);

    await expect(importAll(asStranger('eve'), forged)).rejects.toMatchObject({
      code: 'invalid_input',
      ...(field !== undefined && { details: { field } }),
    });

    expect(await rowsOf(sql, people.stranger.tenant_id)).toEqual(before);
  });

  test.for<[what: string, change: object]>([
    ['a time that is none', { created_at: 'x' }],
    ['a version that no column holds', { version: 1e30 }],
    ['an id that is none', { id: 'zz' }],
    ['a hash that is none', { hash: 'zz' }],
    ['a position that is none', { seq: 'x' }],
    ['a year that no hash can hold', { created_at: 'infinity' }],
  ])('is refused with %s, and the error names its place', async ([, change], { engine, asStranger }) => {
    const [event] = await filledHistory(engine);

    const attempt = importAll(asStranger('eve'), [{ ...event, ...change }]);

    await expect(attempt).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(/(Line|event) \d/),
    });
  });

  test('is taken as it was, where nothing else was changed', async ({ as, asStranger, sql }) => {
    await fillWorkspace(as('ada'));

    const result = await importAll(asStranger('eve'), await forge(sql, await exportAll(as('ada'))));

    expect(result).toMatchObject({ skipped: 0 });
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });

  test('is refused where its events do not follow from one another', async ({ as, asStranger, sql }) => {
    await fillWorkspace(as('ada'));
    const events = await exportAll(as('ada'));
    Object.assign(first(events, 'task.claimed'), { event_type: 'task.noted', payload: { kind: 'note', text: 'x' } });
    const late = events.findIndex(({ event_type }) => event_type === 'task.created') + 1;
    Object.assign(events[late]?.payload ?? {}, { number: 1, ref: 'web-1' });

    const attempt = importAll(asStranger('eve'), await forge(sql, events));

    await expect(attempt).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

test('whatever the door adds to an event is imported', async ({ as, asStranger, clock, sql }) => {
  const { run } = await fillWorkspace(as('ada'));
  const { db, actor } = as('ada');
  const { project } = await ask<{ project: { version: number } }>({ db, actor }, 'get_project', { project: 'web' });
  await append(as('ada'), [
    {
      stream: 'project:web',
      type: 'project.updated',
      data: { rules: { attempts_max: 2 } },
      expect: { version: project.version },
    },
  ]);
  const task = await createTask(as('ada'), { project: 'web', priority: 'critical', parent: 'web-1' });
  await hold(as('ada'), task.ref, { ttl_seconds: 1 });
  await clock.advance({ seconds: 100 });
  await hold(as('bob'), task.ref, { ttl_seconds: 1 });
  await clock.advance({ seconds: 100 });
  await claim(as('cyd'), { task: task.ref });
  await record(as('ada'), { stream: `task:${task.ref}`, type: 'task.unblocked', data: {} }).catch(() => undefined);
  const { ref } = await createTask(as('ada'), { project: 'web', acceptance_criteria: ['It runs'] });
  const held = { lock_token: await hold(as('ada'), ref) };
  await record(as('ada'), { stream: `task:${ref}`, type: 'task.completed', data: {}, expect: held });
  const { ref: checked } = await createTask(as('ada'), { project: 'web', reviewer: 'bob' });
  const own = { lock_token: await hold(as('ada'), checked) };
  await record(as('ada'), { stream: `task:${checked}`, type: 'task.completed', data: {}, expect: own });
  const noted = { scope: 'agent', key: 'x', text: 'x', source: 1, project: 'web' };
  await append(as('pelican-web'), [
    { stream: `memory:${newId()}`, type: 'memory.remembered', data: noted },
    { stream: `report:${newId()}`, type: 'report.saved', data: { title: 'x', run, project: 'web' } },
  ]);
  const events = await exportAll(as('ada'));

  await importAll(asStranger('eve'), events);

  const { rows: fields } = await sql.query(
    'select event_type, field from app.event_fields where by_door order by 1, 2',
  );
  const added = fields.filter(({ event_type, field }) =>
    events.some((event) => event.event_type === event_type && field in event.payload),
  );
  expect(added).toEqual(fields);
  expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
});

describe('an imported event', () => {
  test('says who imported it, whatever the file says of that', async ({ as, asStranger, people, sql }) => {
    const { rows } = await sql.query('select name from public.users where id = $1', [people.stranger.user_id]);
    const mark = `(imported by ${rows[0].name})`;
    await fillWorkspace(as('ada'));
    const { seq } = await note(as('ada'), 'Which colour?', { kind: 'question' });
    const events = (await exportAll(as('ada'))).map((event) => ({ ...event, imported_by: people.owner.user_id }));
    await importAll(asStranger('eve'), events);
    const { seq: own } = await note(asStranger('eve'), 'Pink.', { kind: 'answer', answers: String(seq) });

    const read = (tool: string, args: object) => callTool(asStranger('eve') as Context, toolNamed(tool), args);
    const timeline = await read('list_events', { project: 'web', page_size: 100 });

    const lines = timeline.text.split('\n').filter((line) => line.startsWith('#'));
    expect(lines.filter((line) => !line.includes(mark))).toEqual([expect.stringMatching(new RegExp(`^#${own} `))]);
    const found = (timeline.structured['events'] as { imported_by?: string; imported_at?: string }[]).slice(1);
    expect(new Set(found.map(({ imported_by }) => imported_by))).toEqual(new Set([rows[0].name]));
    expect(found.every(({ imported_at }) => imported_at !== undefined)).toBe(true);
    expect((await read('get_task', { task: 'web-1' })).text).toContain(mark);
    const questions = (await read('resume_project', { project: 'web' })).text.split('\n');
    expect(questions.find((line) => line.includes('Which colour'))).toContain(mark);
  });
});

test.for([
  ['2026-11-25T10:00:00.5+01:00', '2026-11-25T09:00:00Z'],
  ['200000-01-01T00:00:00+00:00', '200000-01-01T00:00:00+00:00'],
  ['infinity', 'infinity'],
])('the time %s is shown as %s', ([at, shown]) => {
  expect(time(at as string)).toBe(shown);
});

describe('the history of a project that is there', () => {
  type World = Parameters<Parameters<typeof test>[2] & object>[0];

  /** The stranger is an admin of the owner's workspace. */
  async function asAdmin({ sql, people, asStranger }: Pick<World, 'sql' | 'people' | 'asStranger'>) {
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'admin')`, [
      people.owner.tenant_id,
      people.stranger.user_id,
    ]);
    return { ...asStranger('vic'), actor: { ...asStranger('vic').actor, tenant_id: people.owner.tenant_id ?? '' } };
  }

  /** An approval of web-1 by the owner, months ago, at the end of its chain. */
  async function approval(sql: World['sql'], events: Exported[]): Promise<Exported[]> {
    const last = events.at(-1) as Exported;
    const task = first(events, 'task.created');
    const version = 1 + events.filter(({ stream }) => stream === task.stream).length;
    const user = first(events, 'project.created')['user_id'];
    const forged = {
      ...task,
      ...{ id: newId(), version, event_type: 'task.approved', payload: { note: 'Go ahead.' }, actor: { user } },
    };
    return forge(sql, [forged as Exported], new Map([[last['project_id'], last['hash']]]));
  }

  test('is not gone on with by an admin', async ({ as, asStranger, sql, people }) => {
    await fillWorkspace(as('ada'));
    const admin = await asAdmin({ sql, people, asStranger });
    const more = await approval(sql, await exportAll(as('ada')));

    await expect(importAll(admin, more)).rejects.toMatchObject({ code: 'forbidden' });

    await expect(importAll(as('ada'), more)).resolves.toMatchObject({ imported: 1 });
  });

  test('is gone on with by the admin who imported its end, and by no other chain', async ({
    as,
    asStranger,
    sql,
    people,
  }) => {
    await fillWorkspace(as('ada'));
    const admin = await asAdmin({ sql, people, asStranger });
    await fillWorkspace(asStranger('eve'), 'api');
    const events = await exportAll(asStranger('eve'), 'api');

    await importAll(admin, events.slice(0, 9));
    const rest = await importAll(admin, events);

    expect(rest).toMatchObject({ imported: events.length - 9, skipped: 9 });
    const own = events.at(-1) as Exported;
    const [more] = await approval(sql, await exportAll(as('ada')));
    const elsewhere = { ...(more as Exported), project_id: own['project_id'] };
    const smuggled = await forge(sql, [elsewhere], new Map([[own['project_id'], own['hash']]]));
    await expect(importAll(admin, smuggled)).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
