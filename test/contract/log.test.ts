import pg from 'pg';
import { describe, expect, inject } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { ask } from '../support/ask.ts';
import {
  append,
  type Caller,
  claim,
  createProject,
  createTask,
  type EventBrief,
  hold,
  note,
  record,
  verify,
} from '../support/commands.ts';
import { hashTables } from '../support/rows.ts';
import { test } from '../support/world.ts';
import { upTo, WRITERS } from '../support/writers.ts';

/** A little of everything: new tasks in a batch, a claim, a note, an artifact, a completion, a refusal. */
async function work(who: Caller): Promise<void> {
  const [first, second] = [newId(), newId()];
  await append(who, [
    { stream: `task:${first}`, type: 'task.created', data: { title: 'First' } },
    { stream: `task:${second}`, type: 'task.created', data: { title: 'Second', dependencies: [first] } },
  ]);
  const { task } = await claim(who);
  await note(who, 'Still here.');
  if (task === undefined) return;
  const token = { lock_token: task.lock_token };
  const artifact = { task: task.ref, type: 'document', ref: 'docs/log.md' };
  await record(who, { stream: `artifact:${newId()}`, type: 'artifact.added', data: artifact, expect: token });
  await record(who, { stream: `task:${task.ref}`, type: 'task.completed', data: {}, expect: token });
  await expect(
    record(who, { stream: `task:${task.ref}`, type: 'task.blocked', data: { reason: 'late' } }),
  ).rejects.toMatchObject({ code: 'illegal_transition' });
}

async function readAll({ db, actor }: Caller, after: number): Promise<EventBrief[]> {
  const page = { after_seq: after, page_size: 100 };
  return (await ask<{ events: EventBrief[] }>({ db, actor }, 'list_events', page)).events;
}

describe('positions', () => {
  test('have no gaps, and versions none in their stream, when many write at once', async ({
    as,
    withWriters,
    sql,
    people,
  }) => {
    await createProject(as('planner'));

    await withWriters(as('ada'), (writers) =>
      Promise.all(
        writers.map(async (writer) => {
          for (const _ of upTo(4)) await work(writer);
        }),
      ),
    );

    const { rows: events } = await sql.query(
      'select seq::int, stream, version::int from public.events where tenant_id = $1 order by seq',
      [people.owner.tenant_id],
    );
    expect(events.length).toBeGreaterThan(WRITERS * 4 * 5);
    expect(events.map(({ seq }) => seq)).toEqual(upTo(events.length));
    for (const stream of new Set(events.map((event) => event.stream))) {
      const versions = events.filter((event) => event.stream === stream).map(({ version }) => version);
      expect(versions).toEqual(upTo(versions.length));
    }
    expect(await verify(as('planner'))).toMatchObject({ ok: true, position: events.length });
  });

  test('let a reader who follows them miss nothing and repeat nothing', async ({ as, withWriters, people, sql }) => {
    await createProject(as('planner'));
    const seen: EventBrief[] = [];
    let writing = true;

    const reader = (async () => {
      for (let last = false; !last; ) {
        last = !writing;
        seen.push(...(await readAll(as('reader'), seen.at(-1)?.seq ?? 0)));
      }
    })();
    await withWriters(as('ada'), (writers) =>
      Promise.all(
        writers.map(async (writer) => {
          for (const _ of upTo(3)) await work(writer);
        }),
      ),
    );
    writing = false;
    await reader;
    // The last page may have been full.
    for (let more = [seen.at(-1)]; more.length > 0; ) {
      const page = await readAll(as('reader'), seen.at(-1)?.seq ?? 0);
      seen.push(...page);
      more = page;
    }

    const { rows } = await sql.query('select id from public.events where tenant_id = $1 order by seq', [
      people.owner.tenant_id,
    ]);
    expect(seen.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  });

  test('and the events beside them are of one moment, however many write', async ({ as, withWriters }) => {
    await createProject(as('planner'));
    const apart: object[] = [];
    let writing = true;

    const reader = (async () => {
      const { db, actor } = as('reader');
      while (writing) {
        const page = await ask<{ events: EventBrief[]; position: number }>({ db, actor }, 'list_events', {
          page_size: 1,
        });
        if (page.events[0]?.seq !== page.position) apart.push(page);
      }
    })();
    await withWriters(as('ada'), (writers) =>
      Promise.all(
        writers.map(async (writer) => {
          for (const at of upTo(40)) await note(writer, `Note ${at}.`);
        }),
      ),
    );
    writing = false;
    await reader;

    expect(apart).toEqual([]);
  });

  test('are taken last: whoever writes does not wait for a slow command that has none yet', async ({
    as,
    sql,
    people,
  }) => {
    await createProject(as('planner'));
    const { ref } = await createTask(as('planner'));
    const slow = new pg.Client(inject('server'));
    await slow.connect();
    await slow.query('begin');
    await slow.query('select from public.tasks where tenant_id = $1 for update', [people.owner.tenant_id]);

    const waiting = hold(as('ada'), ref);
    const fast = await note(as('bob'), 'Quick.');
    await slow.query('rollback');
    await slow.end();

    expect(fast.seq).toBe(3);
    expect(await waiting).toBe(2);
    const { rows } = await sql.query('select event_type from public.events where tenant_id = $1 order by seq', [
      people.owner.tenant_id,
    ]);
    expect(rows.map((row) => row.event_type)).toEqual([
      'project.created',
      'task.created',
      'project.noted',
      'task.claimed',
    ]);
  });
});

describe('versions', () => {
  test('count the events of one stream from 1, and a wrong expectation is refused', async ({ as }) => {
    await createProject(as('ada'));
    const task = await createTask(as('ada'));
    const update = (version: number) =>
      record(as('ada'), {
        stream: `task:${task.ref}`,
        type: 'task.updated',
        data: { priority: 'high' },
        expect: { version },
      });

    const second = await update(1);

    expect([task.version, second.version, second.state.version]).toEqual([1, 2, 2]);
    await expect(update(1)).rejects.toMatchObject({ code: 'version_conflict', details: { version: 2 } });
  });

  test('let one of many updates that expect the same win', async ({ as, withWriters }) => {
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'));
    const event = { stream: `task:${ref}`, type: 'task.updated', data: { priority: 'low' }, expect: { version: 1 } };

    const results = await withWriters(as('ada'), (writers) =>
      Promise.allSettled(writers.map((who) => record(who, event))),
    );

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(new Set(codes)).toEqual(new Set(['version_conflict']));
  });
});

test('events of one command share a correlation, and what followed names its cause', async ({ as, sql, people }) => {
  await createProject(as('ada'));
  const base = await createTask(as('ada'));
  const dependent = await createTask(as('ada'), { dependencies: [base.ref] });

  const { events, followed } = await append(as('ada'), [
    { stream: `task:${base.ref}`, type: 'task.cancelled', data: { reason: 'Another way.' } },
    { stream: 'project:web', type: 'project.noted', data: { text: 'Changed course.', kind: 'note' } },
  ]);

  expect(followed).toMatchObject([{ type: 'task.blocked', ref: dependent.ref }]);
  const { rows } = await sql.query(
    'select event_type, correlation_id, causation_id from public.events where tenant_id = $1 and seq > 3 order by seq',
    [people.owner.tenant_id],
  );
  const cause = events[0]?.id;
  expect(rows).toEqual([
    { event_type: 'task.cancelled', correlation_id: cause, causation_id: null },
    { event_type: 'project.noted', correlation_id: cause, causation_id: null },
    { event_type: 'task.blocked', correlation_id: cause, causation_id: cause },
  ]);
});

describe('a refused command', () => {
  test('changes nothing, position and counts included', async ({ as, sql, people }) => {
    await createProject(as('ada'));
    const { ref, id } = await createTask(as('ada'));
    await hold(as('bob'), ref);
    const before = await hashTables(sql, people.owner.tenant_id);
    const good = { stream: 'project:web', type: 'project.noted', data: { text: 'Fine.', kind: 'note' } };
    const refusals: [string, Parameters<typeof append>[1]][] = [
      ['lock_held', [good, { stream: `task:${ref}`, type: 'task.completed', data: {} }]],
      ['not_found', [good, { stream: 'task:web-99', type: 'task.noted', data: { text: 'Hm.', kind: 'note' } }]],
      ['invalid_input', [good, { stream: `task:${newId()}`, type: 'task.created', data: {} }]],
      ['invalid_input', [good, { stream: `task:${newId()}`, type: 'task.created', data: { title: 'a\u0007b' } }]],
      ['invalid_input', [good, { stream: `task:${ref}`, type: 'task.exploded', data: {} }]],
      ['invalid_input', [good, { stream: 'project:web', type: 'task.noted', data: { text: 'x', kind: 'note' } }]],
      ['invalid_input', [good, { stream: `task:${ref}`, type: 'task.claimed', data: { ttl_seconds: 5 } }]],
      ['forbidden', [good, { stream: `task:${ref}`, type: 'task.warned', data: { dependency: id, reason: 'x' } }]],
      ['already_exists', [good, { stream: `task:${id}`, type: 'task.created', data: { title: 'Again' } }]],
      ['already_exists', [{ stream: `project:${newId()}`, type: 'project.created', data: { slug: 'web', name: 'W' } }]],
      ['version_conflict', [good, { ...good, expect: { version: 99 } }]],
      ['dependency_cycle', [{ stream: `task:${ref}`, type: 'task.dependencies_changed', data: { add: [ref] } }]],
    ];

    for (const [code, events] of refusals) {
      await expect(append(as('ada'), events, { key: newId() }), code).rejects.toMatchObject({ code });
    }

    expect(await hashTables(sql, people.owner.tenant_id)).toEqual(before);
  });
});
