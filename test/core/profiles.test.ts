import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { call, person } from '../support/calls.ts';
import { append, record, redact, replay, verify } from '../support/commands.ts';
import { rowsOf } from '../support/rows.ts';
import { test } from '../support/world.ts';

const MINUTE_MS = 60_000;

describe('a profile', () => {
  test('is saved, changed in what is named, listed and removed', async ({ as }) => {
    const saved = await call(person(as('ada')), 'save_profile', {
      name: 'Careful',
      description: 'For the night.',
      time_limit_ms: MINUTE_MS,
      token_budget: 200_000,
    });
    expect(saved).toMatchObject({ name: 'Careful', time_limit_ms: MINUTE_MS, is_default: false });

    const changed = await call(as('bob'), 'save_profile', { name: 'careful', token_budget: 0, cpu_limit_percent: 80 });

    expect(changed).toMatchObject({ id: saved.id, name: 'Careful', time_limit_ms: MINUTE_MS, cpu_limit_percent: 80 });
    expect(changed).not.toHaveProperty('token_budget');
    const { profiles } = await call(person(as('ada')), 'list_profiles');
    expect(profiles).toEqual([changed]);
    const removed = await call(person(as('ada')), 'remove_profile', { profile: saved.id });
    expect(removed).toMatchObject({ id: saved.id, removed_at: expect.any(String) });
    expect(await call(person(as('ada')), 'list_profiles')).toEqual({ profiles: [] });
    expect(await verify(person(as('ada')))).toMatchObject({ ok: true });
  });

  test('has a name that no other one has, in any case, until it is removed', async ({ as }) => {
    const { id } = await call(person(as('ada')), 'save_profile', { name: 'Careful' });
    const save = (name: string) =>
      record(person(as('ada')), { stream: `profile:${newId()}`, type: 'profile.saved', data: { name } });

    await expect(save('careful')).rejects.toMatchObject({
      code: 'already_exists',
      hint: expect.stringContaining('save_profile'),
    });

    await call(person(as('ada')), 'remove_profile', { profile: id });
    expect(await save('careful')).toMatchObject({ version: 1 });
    const again = record(person(as('ada')), {
      stream: `profile:${id}`,
      type: 'profile.saved',
      data: { name: 'other' },
    });
    await expect(again).rejects.toMatchObject({ code: 'already_exists' });
  });

  test('that was removed takes no change', async ({ as }) => {
    const { id } = await call(person(as('ada')), 'save_profile', { name: 'Careful' });
    await call(person(as('ada')), 'remove_profile', { profile: 'careful' });

    for (const [type, data] of [
      ['profile.changed', { time_limit_ms: 1 }],
      ['profile.removed', {}],
    ] as const) {
      const late = record(person(as('ada')), { stream: `profile:${id}`, type, data });
      await expect(late).rejects.toMatchObject({ code: 'illegal_transition' });
    }

    const missing = call(person(as('ada')), 'remove_profile', { profile: 'careful' });
    await expect(missing).rejects.toMatchObject({ code: 'not_found', hint: 'list_profiles shows their names.' });
  });

  test.for([
    ['time_limit_ms', -1],
    ['token_budget', 1_000_000_000],
    ['memory_limit_mb', 1.5],
    ['is_default', 'perhaps'],
  ])('with a %s of %s is refused', async ([field, value], { as }) => {
    const data = { name: 'Careful', [String(field)]: value };

    const saving = call(person(as('ada')), 'save_profile', data);
    await expect(saving).rejects.toMatchObject({ code: 'invalid_input', details: { field } });
    const recording = record(person(as('ada')), { stream: `profile:${newId()}`, type: 'profile.saved', data });
    await expect(recording).rejects.toMatchObject({ code: 'invalid_input', details: { field } });
  });

  test('is saved once by a call that is repeated', async ({ as }) => {
    const input = { name: 'Careful', is_default: true, idempotency_key: 'k' };
    const first = await call(person(as('ada')), 'save_profile', input);

    expect(await call(person(as('ada')), 'save_profile', input)).toEqual(first);

    const { events } = await call(person(as('ada')), 'list_events', { project: '*', types: ['profile.'] });
    expect(events).toHaveLength(1);
  });

  test('is saved once of many at the same time', async ({ as }) => {
    const saves = Array.from({ length: 20 }, () =>
      record(person(as('ada')), { stream: `profile:${newId()}`, type: 'profile.saved', data: { name: 'Careful' } }),
    );

    const settled = await Promise.allSettled(saves);

    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const save of settled) if (save.status === 'rejected') expect(save.reason.code).toBe('already_exists');
  });

  test('of another workspace is not found', async ({ as, asStranger }) => {
    const { id } = await call(person(as('ada')), 'save_profile', { name: 'Careful', is_default: true });

    expect(await call(person(asStranger('eve')), 'list_profiles')).toEqual({ profiles: [] });
    for (const profile of [id, 'Careful']) {
      const removing = call(person(asStranger('eve')), 'remove_profile', { profile });
      await expect(removing).rejects.toMatchObject({ code: 'not_found' });
    }
    await call(person(asStranger('eve')), 'save_profile', { name: 'Careful', is_default: true });
    expect(await call(person(as('ada')), 'list_profiles')).toMatchObject({ profiles: [{ id, is_default: true }] });
  });

  test('is listed page by page, the default first, then by name; of a project, and of all', async ({ as }) => {
    await call(person(as('ada')), 'create_project', { slug: 'web', name: 'Web' });
    await call(person(as('ada')), 'create_project', { slug: 'shop', name: 'Shop' });
    for (const name of ['c', 'B', 'a']) await call(person(as('ada')), 'save_profile', { name });
    await call(person(as('ada')), 'save_profile', { name: 'd', is_default: true });
    await call(person(as('ada')), 'save_profile', { name: 'e', project: 'shop' });
    const names: unknown[] = [];
    let cursor: unknown;
    do {
      const page = await call(person(as('ada')), 'list_profiles', { page_size: 1, cursor });
      names.push(...(page.profiles as { name: string }[]).map(({ name }) => name));
      cursor = page.next_cursor;
    } while (cursor !== undefined);

    expect(names).toEqual(['d', 'a', 'B', 'c', 'e']);
    const { profiles } = await call(person(as('ada')), 'list_profiles', { project: 'web' });
    expect(profiles).toMatchObject([{ name: 'd' }, { name: 'a' }, { name: 'B' }, { name: 'c' }]);
    const { profiles: found } = await call(person(as('ada')), 'list_profiles', { profile: 'E' });
    expect(found).toMatchObject([{ name: 'e', project: 'shop' }]);
    expect(await call(person(as('ada')), 'list_profiles', { profile: 'nope' })).toEqual({ profiles: [] });
  });
});

describe('the default', () => {
  const defaultsOf = async (ctx: Parameters<typeof call>[0]) =>
    ((await call(ctx, 'list_profiles')).profiles as { name: string; is_default: boolean }[])
      .filter(({ is_default }) => is_default)
      .map(({ name }) => name);

  test('moves from one profile to another in one append', async ({ as }) => {
    await call(person(as('ada')), 'save_profile', { name: 'a', is_default: true });

    await call(person(as('ada')), 'save_profile', { name: 'b', is_default: true });
    expect(await defaultsOf(person(as('ada')))).toEqual(['b']);
    await call(person(as('ada')), 'save_profile', { name: 'a', is_default: true });
    expect(await defaultsOf(person(as('ada')))).toEqual(['a']);
    await call(person(as('ada')), 'save_profile', { name: 'a', is_default: true });

    expect(await defaultsOf(person(as('ada')))).toEqual(['a']);
    await call(person(as('ada')), 'remove_profile', { profile: 'a' });
    expect(await defaultsOf(person(as('ada')))).toEqual([]);
    expect(await verify(person(as('ada')))).toMatchObject({ ok: true });
  });

  test('is set, changed and taken away by a person, and by no agent', async ({ as }) => {
    const refused = { code: 'forbidden', message: 'The default profile is decided by a person, not by an agent.' };
    await expect(call(as('ada'), 'save_profile', { name: 'a', is_default: true })).rejects.toMatchObject(refused);
    await call(person(as('ada')), 'save_profile', { name: 'a', time_limit_ms: MINUTE_MS, is_default: true });

    for (const change of [{ time_limit_ms: 0 }, { is_default: false }])
      await expect(call(as('ada'), 'save_profile', { name: 'a', ...change })).rejects.toMatchObject(refused);
    await expect(call(as('ada'), 'remove_profile', { profile: 'a' })).rejects.toMatchObject(refused);
    await expect(call(as('ada'), 'save_profile', { name: 'b', is_default: true })).rejects.toMatchObject(refused);

    await call(as('ada'), 'save_profile', { name: 'b', time_limit_ms: 1 });
    expect(await defaultsOf(as('ada'))).toEqual(['a']);
  });

  test('is one: a second is refused', async ({ as }) => {
    await call(person(as('ada')), 'save_profile', { name: 'a', is_default: true });
    const { id } = await call(person(as('ada')), 'save_profile', { name: 'b' });

    for (const event of [
      { stream: `profile:${id}`, type: 'profile.changed', data: { is_default: true } },
      { stream: `profile:${newId()}`, type: 'profile.saved', data: { name: 'c', is_default: true } },
    ]) {
      await expect(record(person(as('ada')), event)).rejects.toMatchObject({
        code: 'already_exists',
        message: 'The profile a is the default.',
        hint: expect.stringContaining('save_profile'),
      });
    }
    expect(await defaultsOf(person(as('ada')))).toEqual(['a']);
  });

  test('of many at the same time is one', async ({ as }) => {
    await call(person(as('ada')), 'save_profile', { name: 'first', is_default: true });

    await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) =>
        call(person(as('ada')), 'save_profile', { name: `p${at}`, is_default: true }),
      ),
    );

    expect(await defaultsOf(person(as('ada')))).toHaveLength(1);
    expect(await verify(person(as('ada')))).toMatchObject({ ok: true });
  });

  test('that moved to an older profile is imported whatever the order of the rows', async ({ as, asStranger }) => {
    await call(person(as('ada')), 'save_profile', { name: 'a' });
    await call(person(as('ada')), 'save_profile', { name: 'b', is_default: true });
    await call(person(as('ada')), 'save_profile', { name: 'a', is_default: true });
    const { events } = (await person(as('ada')).db.call('export_events', {}, person(as('ada')).actor)) as {
      events: object[];
    };
    const take = (some: object[]) =>
      person(asStranger('eve')).db.call('import_events', { events: some }, person(asStranger('eve')).actor);

    await take(events.slice(0, 2));
    await take(events.slice(2));

    expect(await defaultsOf(person(asStranger('eve')))).toEqual(['a']);
    expect(await verify(person(asStranger('eve')))).toMatchObject({ ok: true });
  });
});

test('two profiles whose texts are redacted are still two, rebuilt as they are', async ({ as, sql }) => {
  const [first, second] = [newId(), newId()];
  await append(person(as('ada')), [
    { stream: `profile:${first}`, type: 'profile.saved', data: { name: 'a', time_limit_ms: 1, is_default: true } },
    { stream: `profile:${second}`, type: 'profile.saved', data: { name: 'b', description: 'A secret.' } },
  ]);

  await redact(person(as('ada')), 1);
  await redact(person(as('ada')), 2);

  const { profiles } = await call(person(as('ada')), 'list_profiles');
  expect(profiles).toMatchObject([
    { name: first, time_limit_ms: 1, is_default: true },
    { name: second, description: '[redacted]' },
  ]);
  await call(person(as('ada')), 'save_profile', { name: 'a' });
  expect(await verify(person(as('ada')))).toMatchObject({ ok: true });
  const before = await rowsOf(sql, person(as('ada')).actor.tenant_id);
  await replay(person(as('ada')));
  expect(await rowsOf(sql, person(as('ada')).actor.tenant_id)).toEqual(before);
});

test('a profile is found by its id or name in SQL, or refused', async ({ as, sql }) => {
  const { id } = await call(person(as('ada')), 'save_profile', { name: 'Careful' });
  const find = async (ref: string) => {
    const { rows } = await sql.query(
      `with entered as materialized (select app.authenticate($2) as actor)
       select (app.find_profile($1, actor)).name from entered`,
      [ref, person(as('ada')).actor],
    );
    return rows;
  };

  expect(await find('CAREFUL')).toEqual([{ name: 'Careful' }]);
  expect(await find(id)).toEqual([{ name: 'Careful' }]);

  await expect(find('nope')).rejects.toMatchObject({
    message: 'There is no profile nope in this workspace.',
    hint: expect.stringContaining('list_profiles'),
  });
});
