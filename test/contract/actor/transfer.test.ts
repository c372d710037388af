import { describe, expect } from 'vitest';
import { newId } from '../../../src/events/ids.ts';
import {
  asRecorded,
  createProject,
  createTask,
  type Exported,
  exportAll,
  importAll,
  note,
  record,
  redact,
  verify,
} from '../../support/commands.ts';
import { fillWorkspace } from '../../support/fill-workspace.ts';
import { rowsOf } from '../../support/rows.ts';
import { test } from '../../support/world.ts';

describe('a project that is exported and imported', () => {
  test('keeps its history: versions, hashes and positions in an empty workspace', async ({
    as,
    asStranger,
    sql,
    people,
  }) => {
    await fillWorkspace(as('ada'));
    const events = await exportAll(as('ada'));

    const result = await importAll(asStranger('eve'), events);

    const count = events.length;
    expect(result).toEqual({ imported: count, skipped: 0, left_out: 0, cleaned: 0, position: count });
    expect(asRecorded(await exportAll(asStranger('eve')))).toEqual(events);
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true, events: count });
    const rows = `select (to_jsonb(t) - 'tenant_id')::text as row from public.tasks t where tenant_id = $1 order by 1`;
    expect((await sql.query(rows, [people.stranger.tenant_id])).rows).toEqual(
      (await sql.query(rows, [people.owner.tenant_id])).rows,
    );
  });

  test('comes with its whole workspace when no project is named', async ({ as, asStranger }) => {
    await fillWorkspace(as('ada'));
    await fillWorkspace(as('ada'), 'api');
    const events = await exportAll(as('ada'), null);

    await importAll(asStranger('eve'), events);

    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(asRecorded(await exportAll(asStranger('eve'), null))).toEqual(events);
    expect(asRecorded(await exportAll(asStranger('eve'), 'api'))).toEqual(await exportAll(as('ada'), 'api'));
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });

  test('takes the positions that follow where the workspace has a history already, and goes on', async ({
    as,
    asStranger,
  }) => {
    await fillWorkspace(as('ada'));
    const events = await exportAll(as('ada'));
    await createProject(asStranger('eve'), { slug: 'other' });

    const { position } = await importAll(asStranger('eve'), events);
    const task = await createTask(asStranger('eve'), { project: 'web' });

    expect(position).toBe(1 + events.length);
    expect(task.ref).toBe('web-5');
    const again = await exportAll(asStranger('eve'));
    const hashes = (list: Exported[]) => list.map(({ stream, version, hash }) => ({ stream, version, hash }));
    expect(hashes(again.slice(0, -1))).toEqual(hashes(events));
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });

  test('is resumed where an import stopped', async ({ as, asStranger }) => {
    await fillWorkspace(as('ada'));
    const events = await exportAll(as('ada'));
    const half = events.slice(0, 9);
    await importAll(asStranger('eve'), half);

    const rest = await importAll(asStranger('eve'), events);
    const again = await importAll(asStranger('eve'), events);

    expect(rest).toMatchObject({ imported: events.length - 9, skipped: 9 });
    expect(again).toEqual({ imported: 0, skipped: events.length, left_out: 0, cleaned: 0, position: events.length });
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });

  test.for<[what: string, change: (events: Exported[]) => unknown]>([
    ['changed payload', (events) => Object.assign(events[3]?.payload ?? {}, { title: 'x' })],
    ['changed actor', (events) => Object.assign(events[3] ?? {}, { actor: { user: newId() } })],
    ['changed task', (events) => Object.assign(events[3] ?? {}, { task_id: newId() })],
    ['changed hash', (events) => Object.assign(events[3] ?? {}, { hash: events[2]?.['hash'] })],
    ['missing event', (events) => events.splice(3, 1)],
    ['exchanged order', (events) => events.splice(3, 2, events[4] as Exported, events[3] as Exported)],
    [
      'payload changed as if redacted',
      (events) => Object.assign(events[3] ?? {}, { payload: { title: 'x' }, redacted_at: new Date() }),
    ],
    ['unknown type', (events) => Object.assign(events[3] ?? {}, { event_type: 'task.exploded' })],
    ['newer schema version', (events) => Object.assign(events[3] ?? {}, { schema_version: 99 })],
    ['event without an id', (events) => Object.assign(events[3] ?? {}, { id: null })],
    ['id that another event has', (events) => Object.assign(events[3] ?? {}, { id: events[2]?.['id'] })],
    ['event that is no object', (events) => events.splice(3, 1, 'x' as unknown as Exported)],
  ])('is refused with a %s, and nothing is written', async ([, change], { as, asStranger, sql, people }) => {
    await fillWorkspace(as('ada'));
    const events = await exportAll(as('ada'));
    change(events);
    const before = await rowsOf(sql, people.stranger.tenant_id);

    await expect(importAll(asStranger('eve'), events)).rejects.toMatchObject({ code: 'invalid_input' });

    expect(await rowsOf(sql, people.stranger.tenant_id)).toEqual(before);
  });

  test('is refused where another project has its slug', async ({ as, asStranger }) => {
    await fillWorkspace(as('ada'));
    await createProject(asStranger('eve'));

    const attempt = importAll(asStranger('eve'), await exportAll(as('ada')));

    await expect(attempt).rejects.toMatchObject({ code: 'already_exists' });
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true, events: 1 });
  });

  test('keeps its redactions', async ({ as, asStranger }) => {
    await fillWorkspace(as('ada'));
    const { seq } = await note(as('ada'), 'The password is hunter2.');
    await redact(as('ada'), seq);

    await importAll(asStranger('eve'), await exportAll(as('ada')));

    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });

  test('has tasks that depend on nothing any more', async ({ as, asStranger }) => {
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'));
    const other = await createTask(as('ada'), { dependencies: [ref] });
    await record(as('ada'), {
      stream: `task:${other.ref}`,
      type: 'task.dependencies_changed',
      data: { remove: [ref] },
    });

    await importAll(asStranger('eve'), await exportAll(as('ada')));

    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });
});
