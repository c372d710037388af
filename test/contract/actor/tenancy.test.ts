import type pg from 'pg';
import { describe, expect } from 'vitest';
import { ARCHIVE_FUNCTIONS, type FunctionName } from '../../../src/db/functions.ts';
import { newId } from '../../../src/events/ids.ts';
import { ask } from '../../support/ask.ts';
import { READS } from '../../support/categories.ts';
import { append, type Caller, claim, createProject, hold, record, verify } from '../../support/commands.ts';
import { fillWorkspace } from '../../support/fill-workspace.ts';
import { EVERY_FUNCTION, expectNothingForeign, liveElsewhere, settle } from '../../support/foreign.ts';
import { test } from '../../support/world.ts';

describe('another workspace', () => {
  test('is as if it were not there, whatever one calls and however one names it', async ({ as, asStranger }) => {
    const { ids, shorts } = await liveElsewhere(asStranger('eve'));
    await settle(as('ada'));

    const calls = await expectNothingForeign(as('ada'), ids, ids);
    await expectNothingForeign(as('ada'), shorts, ids);

    expect(calls).toBeGreaterThan(45);
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });

  test.for(EVERY_FUNCTION.filter((fn) => fn !== 'sign_in'))(
    'cannot be entered by %s, and looks like one that does not exist',
    async (fn, { as, people }) => {
      const into = (tenant_id: string | undefined) =>
        as('ada')
          .db.call(fn, minimalArgs(fn), { ...as('ada').actor, tenant_id: tenant_id ?? '' })
          .catch((error) => ({ ...error, message: error.message }));

      const foreign = await into(people.stranger.tenant_id);

      expect(foreign).toMatchObject({ code: 'forbidden' });
      expect(foreign).toEqual(await into(newId()));
    },
  );

  test('is as if it were not there for a workspace that is empty', async ({ as, asStranger }) => {
    const { ids, shorts } = await liveElsewhere(asStranger('eve'));

    await expectNothingForeign(as('ada'), ids, ids);
    await expectNothingForeign(as('ada'), shorts, ids);

    for (const fn of ['get_task', 'list_artifacts', 'claim_task', 'extend_lock'] as const) {
      const attempt = as('ada').db.call(fn, { ...minimalArgs(fn), task: ids.task }, as('ada').actor);
      await expect(attempt, fn).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('may use the same ids, slugs and keys', async ({ as, asStranger }) => {
    const { ids } = await liveElsewhere(asStranger('eve'));
    await createProject(as('ada'), { slug: 'zoo' });
    const title = { project: 'zoo', title: 'x', choice: 'x', rationale: 'x' };

    const { events } = await append(
      as('ada'),
      [
        { stream: `task:${ids.task}`, type: 'task.created', data: { title: 'Mine' } },
        { stream: `decision:${ids.decision}`, type: 'decision.recorded', data: title },
        { stream: `checkpoint:${ids.checkpoint}`, type: 'checkpoint.saved', data: { label: 'x', summary: 'x' } },
        { stream: `session:${ids.session}`, type: 'session.saved', data: {} },
      ],
      { key: 'finish-zoo-1', fingerprint: 'other' },
    );

    expect(events.map(({ version }) => version)).toEqual([1, 1, 1, 1]);
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is not written to by an import that names it', async ({ as, asStranger, people }) => {
    await fillWorkspace(as('ada'), 'zoo');
    const { events } = await ask<{ events: object[] }>(as('ada'), 'export_events', { project: 'zoo' });
    const named = events.map((event) => ({ ...event, tenant_id: people.owner.tenant_id }));

    await asStranger('eve').db.call('import_events', { events: named }, asStranger('eve').actor);

    expect((await verify(as('ada'))).events).toBe(events.length);
    expect((await verify(asStranger('eve'))).events).toBe(events.length);
  });
});

const FOR_MEMBERS: FunctionName[] = [
  'add_chat_steps',
  'add_output',
  'add_steps',
  'adopt_locks',
  'append_events',
  'beat_agent',
  'call_in',
  'claim_run',
  'claim_task',
  'decide_approval',
  'decide_memory',
  'extend_lock',
  'purge_idempotency_keys',
  'register_agent',
  'report_presence',
  'report_run',
  'stop_agents',
];
const FOR_ADMINS: FunctionName[] = [
  ...(Object.keys(ARCHIVE_FUNCTIONS) as FunctionName[]),
  'import_events',
  'import_records',
  'redact_event',
  'replay_events',
  'set_agents_max',
  'set_model_price',
  'set_output_quota',
  'set_output_search',
];

function minimalArgs(fn: FunctionName): Record<string, unknown> {
  const args: Partial<Record<FunctionName, object>> = {
    append_events: { events: [{ stream: 'project:web', type: 'project.noted', data: { text: 'x', kind: 'note' } }] },
    ...READS,
    add_chat_steps: { chat: { session: 's', program: 'heron', type: 'other' }, steps: [] },
    add_output: { run: newId(), lock_token: 1 },
    add_steps: { run: newId(), lock_token: 1, steps: [] },
    get_run: { run: newId() },
    list_steps: { run: newId() },
    set_model_price: { model: 'heron' },
    adopt_locks: { tasks: ['web-2'] },
    beat_agent: { agent: 'pelican-web', token: 1 },
    call_in: { agent: { name: 'a', type: 'claude', driver: 'hook' } },
    claim_run: { agent: 'pelican-web', token: 1 },
    register_agent: { agent: { name: 'a', type: 'claude', driver: 'pipe' } },
    list_output: { run: newId() },
    get_approval: { approval: newId() },
    decide_approval: { approval: newId(), decision: 'denied' },
    decide_memory: { memory: newId(), decision: 'approved' },
    report_run: { run: newId(), lock_token: 1, events: [] },
    stop_agents: { reach: 'workspace', stopped: true },
    extend_lock: { task: 'web-2', lock_token: 2 },
    import_events: { events: [{}] },
    import_records: { table_name: 'herons', records: [{}] },
    read_records: { table_name: 'herons', starts_at: '2026-01-01T00:00:00Z' },
    redact_event: { event: '1', reason: 'x' },
    search: { query: 'pelican' },
    set_agents_max: { agents_max: 50 },
    set_output_quota: { megabytes: 1 },
    set_output_search: { enabled: true },
    suggest_refs: { kind: 'task' },
  };
  return { ...args[fn] };
}

describe('in a shared workspace', () => {
  /** The stranger joins the owner's workspace. */
  async function join(
    sql: pg.Pool,
    role: string,
    {
      people,
      asStranger,
    }: { people: { owner: Caller['actor']; stranger: Caller['actor'] }; asStranger: (agent: string) => Caller },
  ): Promise<Caller> {
    await sql.query('insert into public.memberships (tenant_id, user_id, role) values ($1, $2, $3)', [
      people.owner.tenant_id,
      people.stranger.user_id,
      role,
    ]);
    const { db, actor } = asStranger('vic');
    return { db, actor: { ...actor, tenant_id: people.owner.tenant_id ?? '', process: newId() } };
  }

  test('a viewer reads everything and every write is forbidden', async ({ as, asStranger, people, sql }) => {
    const { run, approval } = await fillWorkspace(as('ada'));
    const named: Partial<Record<FunctionName, object>> = {
      get_approval: { approval },
      ...Object.fromEntries(['get_run', 'list_output', 'list_steps'].map((name) => [name, { run }])),
    };
    const viewer = await join(sql, 'viewer', { people, asStranger });
    const before = await verify(as('ada'));

    for (const fn of EVERY_FUNCTION.filter((name) => !['sign_in', 'read_records'].includes(name))) {
      const attempt = viewer.db.call(fn, { ...minimalArgs(fn), ...named[fn] }, viewer.actor);
      if ([...FOR_MEMBERS, ...FOR_ADMINS].includes(fn))
        await expect(attempt, fn).rejects.toMatchObject({ code: 'forbidden' });
      else expect([fn, await attempt]).toEqual([fn, expect.any(Object)]);
    }

    expect(await verify(as('ada'))).toEqual(before);
  });

  test('a member works, but does not rebuild, import, redact or break locks', async ({
    as,
    asStranger,
    people,
    sql,
  }) => {
    await fillWorkspace(as('ada'));
    const member = await join(sql, 'member', { people, asStranger });

    for (const fn of FOR_ADMINS) {
      await expect(member.db.call(fn, minimalArgs(fn), member.actor), fn).rejects.toMatchObject({ code: 'forbidden' });
    }
    const breaking = record(member, { stream: 'task:web-2', type: 'task.lock_broken', data: { reason: 'Mine.' } });

    await expect(breaking).rejects.toMatchObject({ code: 'forbidden' });
    await expect(hold(member, 'web-2')).rejects.toMatchObject({ code: 'lock_held' });
    expect(await claim(member)).toMatchObject({ hint: expect.any(String) });
  });

  test('an event names the user who acted, and keys are the own', async ({ as, asStranger, people, sql }) => {
    await createProject(as('ada'));
    const member = await join(sql, 'member', { people, asStranger });
    const note = [{ stream: 'project:web', type: 'project.noted', data: { text: 'Hello.', kind: 'note' } }];
    await append(as('ada'), note, { key: 'same', fingerprint: 'a' });

    await append(member, note, { key: 'same', fingerprint: 'b' });

    const { rows } = await sql.query(
      `select user_id, actor ->> 'user' as actor from public.events where tenant_id = $1 order by seq`,
      [people.owner.tenant_id],
    );
    const [ada, vic] = [people.owner.user_id, people.stranger.user_id].map((user) => ({ user_id: user, actor: user }));
    expect(rows).toEqual([ada, ada, vic]);
  });
});
