import type pg from 'pg';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { call } from '../support/calls.ts';
import { append, exportAll, importAll, record, redact, replay, verify } from '../support/commands.ts';
import { evaluate } from '../support/evaluate.ts';
import { forge, payloadOf } from '../support/forge.ts';
import { rowsOf } from '../support/rows.ts';
import { test } from '../support/world.ts';

const BRANCH = { name: 'branch', description: 'What to look at.', default: 'main' };
const DEPTH = { name: 'depth', description: 'How far.' };
const REVIEW = {
  name: 'Review',
  type: 'review',
  content: 'Review {{branch}}, {{ depth }}.',
  variables: [BRANCH, DEPTH],
};

/** Another member of the owner's workspace. */
async function join(sql: pg.Pool, ctx: Context, other: Context): Promise<Context> {
  const tenant_id = ctx.actor.tenant_id ?? '';
  await sql.query('insert into public.memberships (tenant_id, user_id, role) values ($1, $2, $3)', [
    tenant_id,
    other.actor.user_id,
    'member',
  ]);
  return { ...other, actor: { ...other.actor, tenant_id } };
}

describe('a preset', () => {
  test('is saved, changed in what is named, listed and removed', async ({ as }) => {
    const saved = await call(as('ada'), 'save_preset', { ...REVIEW, description: 'x', target_agent_types: ['claude'] });
    expect(saved).toMatchObject({ ...REVIEW, target_agent_types: ['claude'], usage_count: 0 });

    const changed = await call(as('bob'), 'save_preset', { name: 'review', description: '', target_agent_types: [] });

    expect(changed).toMatchObject({ ...REVIEW, id: saved.id });
    expect(changed).not.toHaveProperty('description');
    expect(changed).not.toHaveProperty('target_agent_types');
    const { presets } = await call(as('ada'), 'list_presets');
    expect(presets).toEqual([changed]);
    const removed = await call(as('ada'), 'remove_preset', { preset: 'REVIEW' });
    expect(removed).toMatchObject({ id: saved.id, removed_at: expect.any(String) });
    expect(await call(as('ada'), 'list_presets')).toEqual({ presets: [] });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is natural and for all, unless it says otherwise, and has a content', async ({ as }) => {
    const saved = await call(as('ada'), 'save_preset', { name: 'Go', content: 'Go on.' });
    expect(saved).toMatchObject({ type: 'natural', variables: [] });

    const empty = call(as('ada'), 'save_preset', { name: 'Stop' });
    await expect(empty).rejects.toMatchObject({ code: 'invalid_input', details: { field: 'content' } });
  });

  test('has a name that its owner gave to no other, in any case, until it is removed', async ({ as }) => {
    const { id } = await call(as('ada'), 'save_preset', REVIEW);
    const save = (name: string) =>
      record(as('ada'), { stream: `preset:${newId()}`, type: 'preset.saved', data: { name, content: 'x' } });

    await expect(save('review')).rejects.toMatchObject({
      code: 'already_exists',
      hint: expect.stringContaining('save_preset'),
    });

    await call(as('ada'), 'remove_preset', { preset: id });
    expect(await save('review')).toMatchObject({ version: 1 });
  });

  test('that was removed takes no change', async ({ as }) => {
    const { id } = await call(as('ada'), 'save_preset', REVIEW);
    await call(as('ada'), 'remove_preset', { preset: 'Review' });

    for (const [type, data] of [
      ['preset.changed', { description: 'x' }],
      ['preset.removed', {}],
    ] as const) {
      const late = record(as('ada'), { stream: `preset:${id}`, type, data });
      await expect(late).rejects.toMatchObject({ code: 'illegal_transition' });
    }

    const missing = call(as('ada'), 'remove_preset', { preset: 'Review' });
    await expect(missing).rejects.toMatchObject({ code: 'not_found', hint: 'list_presets shows their names.' });
  });

  test.for([
    ['{{when}}', 'when'],
    ['{{ branch }} and {{Branch}}', 'Branch'],
    ['{{to-do}}', 'to-do'],
  ])('whose content has %s undeclared is refused, by what names it', async ([content, variable], { as }) => {
    const saving = call(as('ada'), 'save_preset', { name: 'Review', content, variables: [BRANCH] });

    await expect(saving).rejects.toMatchObject({
      code: 'invalid_input',
      message: `The content has {{${variable}}}, which is not declared.`,
      details: { field: 'content', variable },
    });
  });

  test('keeps the variables that its content has', async ({ as }) => {
    await call(as('ada'), 'save_preset', REVIEW);

    const without = call(as('ada'), 'save_preset', { name: 'Review', variables: [BRANCH] });
    await expect(without).rejects.toMatchObject({ code: 'invalid_input', details: { variable: 'depth' } });
    const beyond = call(as('ada'), 'save_preset', { name: 'Review', content: 'Go to {{place}}.' });
    await expect(beyond).rejects.toMatchObject({ code: 'invalid_input', details: { variable: 'place' } });

    const changed = await call(as('ada'), 'save_preset', { name: 'Review', content: '{{branch}} {a} {{#if x}} {{}}' });
    expect(changed).toMatchObject({ content: '{{branch}} {a} {{#if x}} {{}}', variables: REVIEW.variables });
  });

  test.for([
    ['a name that is none', [{ name: 'Branch', description: '' }]],
    ['a name twice', [BRANCH, BRANCH]],
    ['no description', [{ name: 'branch' }]],
    ['a default that is no text', [{ ...DEPTH, default: 1 }]],
    ['another field', [{ ...DEPTH, type: 'text' }]],
    ['no object', ['branch']],
    ['a control character', [{ ...DEPTH, description: '\u0007' }]],
    ['too many', Array.from({ length: 33 }, (_, at) => ({ name: `v${at}`, description: '' }))],
  ])('with variables of which one has %s is refused', async ([, variables], { as }) => {
    const data = { name: 'Review', content: 'Go on.', variables };

    const recording = record(as('ada'), { stream: `preset:${newId()}`, type: 'preset.saved', data });

    await expect(recording).rejects.toMatchObject({ code: 'invalid_input', details: { field: 'variables' } });
  });

  test('is saved once by a call that is repeated', async ({ as }) => {
    const input = { ...REVIEW, idempotency_key: 'k' };
    const first = await call(as('ada'), 'save_preset', input);

    expect(await call(as('ada'), 'save_preset', input)).toEqual(first);

    const { events } = await call(as('ada'), 'list_events', { project: '*', types: ['preset.'] });
    expect(events).toHaveLength(1);
  });

  test('is saved once of many at the same time', async ({ as }) => {
    const data = { name: 'Review', content: 'x' };
    const saves = Array.from({ length: 20 }, () =>
      record(as('ada'), { stream: `preset:${newId()}`, type: 'preset.saved', data }),
    );

    const settled = await Promise.allSettled(saves);

    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const save of settled) if (save.status === 'rejected') expect(save.reason.code).toBe('already_exists');
  });

  test('of another workspace is not found', async ({ as, asStranger }) => {
    const { id } = await call(as('ada'), 'save_preset', REVIEW);

    expect(await call(asStranger('eve'), 'list_presets')).toEqual({ presets: [] });
    for (const preset of [id, 'Review']) {
      const removing = call(asStranger('eve'), 'remove_preset', { preset });
      await expect(removing).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('of another person is found after the own, and changed by an admin alone', async ({ as, asStranger, sql }) => {
    const [ada, eve] = [as('ada'), await join(sql, as('ada'), asStranger('eve'))];
    const { id } = await call(ada, 'save_preset', REVIEW);

    expect(await call(eve, 'list_presets', { preset: 'review' })).toMatchObject({ presets: [{ id, by: 'owner' }] });
    const removing = call(eve, 'remove_preset', { preset: 'Review' });
    await expect(removing).rejects.toMatchObject({
      code: 'forbidden',
      hint: expect.stringContaining('save_preset'),
    });

    const own = await call(eve, 'save_preset', { ...REVIEW, description: 'Mine.' });

    expect(own.id).not.toBe(id);
    expect(own).not.toHaveProperty('by');
    expect(await call(eve, 'list_presets', { preset: 'Review' })).toMatchObject({ presets: [{ id: own.id }] });
    expect(await call(ada, 'list_presets', { preset: 'Review' })).toMatchObject({ presets: [{ id }] });
    expect((await call(ada, 'list_presets')).presets).toHaveLength(2);
    // The owner of the workspace is above an admin.
    expect(await call(ada, 'remove_preset', { preset: own.id })).toMatchObject({ id: own.id, by: 'stranger' });
  });

  test('is listed page by page, the most used first; of a project, and of all', async ({ as, sql }) => {
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    await call(as('ada'), 'create_project', { slug: 'shop', name: 'Shop' });
    const ids = [];
    for (const name of ['a', 'b', 'c']) ids.push((await call(as('ada'), 'save_preset', { name, content: 'x' })).id);
    await call(as('ada'), 'save_preset', { name: 'd', content: 'x', project: 'shop' });
    for (const used of [0, 0, 1]) {
      await evaluate(sql, as('ada'), ['app.count_preset_use(app.find_preset($2, actor))', ids[used]]);
    }
    const names: unknown[] = [];
    let cursor: unknown;
    do {
      const page = await call(as('ada'), 'list_presets', { page_size: 1, cursor });
      names.push(...(page.presets as { name: string }[]).map(({ name }) => name));
      cursor = page.next_cursor;
    } while (cursor !== undefined);

    expect(names).toEqual(['a', 'b', 'd', 'c']);
    const { presets } = await call(as('ada'), 'list_presets', { project: 'web' });
    expect(presets).toMatchObject([{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    expect(await call(as('ada'), 'list_presets', { preset: 'D' })).toMatchObject({ presets: [{ project: 'shop' }] });
    expect(await call(as('ada'), 'list_presets', { preset: 'nope' })).toEqual({ presets: [] });
  });
});

test('a use is counted beside the log, and stays when the preset changes or is rebuilt', async ({ as, sql }) => {
  const { id } = await call(as('ada'), 'save_preset', REVIEW);

  await Promise.all(
    Array.from({ length: 5 }, () =>
      evaluate(sql, as('ada'), ['app.count_preset_use(app.find_preset($2, actor))', 'Review']),
    ),
  );

  const used = { id, usage_count: 5, last_used_at: expect.any(String) };
  expect(await call(as('ada'), 'list_presets')).toMatchObject({ presets: [used] });
  expect(await verify(as('ada'))).toMatchObject({ ok: true });
  expect(await call(as('ada'), 'save_preset', { name: 'Review', description: 'x' })).toMatchObject(used);
  await replay(as('ada'));
  expect(await call(as('ada'), 'list_presets')).toMatchObject({ presets: [used] });
});

test('two presets whose texts are redacted are still two, rebuilt as they are', async ({ as, sql }) => {
  const [first, second] = [newId(), newId()];
  await append(as('ada'), [
    { stream: `preset:${first}`, type: 'preset.saved', data: REVIEW },
    { stream: `preset:${second}`, type: 'preset.saved', data: { ...REVIEW, name: 'Other' } },
  ]);

  await redact(as('ada'), 1);
  await redact(as('ada'), 2);

  const { presets } = await call(as('ada'), 'list_presets');
  const blank = { content: '[redacted]', variables: [], type: 'review' };
  const named = (presets as { name: string }[]).map(({ name }) => name);
  expect(presets).toMatchObject([blank, blank]);
  expect(named.sort()).toEqual([first, second].sort());
  await call(as('ada'), 'save_preset', REVIEW);
  expect(await verify(as('ada'))).toMatchObject({ ok: true });
  const before = await rowsOf(sql, as('ada').actor.tenant_id);
  await replay(as('ada'));
  expect(await rowsOf(sql, as('ada').actor.tenant_id)).toEqual(before);
});

test('neither is changed by a token that is limited to a project', async ({ as }) => {
  await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
  const { project } = (await call(as('ada'), 'get_project', { project: 'web' })) as never as {
    project: { id: string };
  };
  const limited = { ...as('ada'), actor: { ...as('ada').actor, project_id: project.id } };

  const refused = { code: 'forbidden', message: expect.stringContaining('limited to') };
  await expect(call(limited, 'save_preset', REVIEW)).rejects.toMatchObject(refused);
  await expect(call(limited, 'save_profile', { name: 'Careful' })).rejects.toMatchObject(refused);
  await call(as('ada'), 'save_preset', { ...REVIEW, project: 'web' });
  await call(as('ada'), 'save_preset', { ...REVIEW, name: 'Of all' });
  expect(await call(limited, 'list_presets')).toMatchObject({ presets: [{ name: 'Review' }] });
});

test('presets come into another workspace, with their variables as the door takes them', async ({
  as,
  asStranger,
  sql,
}) => {
  const { id } = await call(as('ada'), 'save_preset', REVIEW);
  const events = await exportAll(as('ada'), null);
  const forged = structuredClone(events);
  Object.assign(payloadOf(forged, 'preset.saved'), { variables: [{ name: 'No name', description: '' }] });

  const importing = importAll(asStranger('eve'), await forge(sql, forged));
  await expect(importing).rejects.toMatchObject({ code: 'invalid_input' });

  expect(await importAll(asStranger('eve'), events)).toMatchObject({ imported: 1 });
  expect(await call(asStranger('eve'), 'list_presets')).toMatchObject({ presets: [{ ...REVIEW, id, usage_count: 0 }] });
});
