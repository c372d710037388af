import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { decideMemory } from '../../src/services/memory.ts';
import { ask } from '../support/ask.ts';
import { call, person } from '../support/calls.ts';
import { createProject, exportAll, importAll, record, replay, verify } from '../support/commands.ts';
import { recalled, remember, texts } from '../support/remembering.ts';
import { test } from '../support/world.ts';

const ASKING = { memory: { approval: true } };

describe('what a person says of a memory', () => {
  test('lets it be given, where the project asks for that', async ({ as }) => {
    await createProject(as('ada'), { rules: ASKING });
    const { id, status } = await remember(as('ada'), { key: 'port', text: '8443' });
    expect(status).toBe('proposed');
    const everywhere = await call(as('ada'), 'remember', { key: 'x', text: 'of all', scope: 'workspace' });
    expect(await recalled(as('bob'))).toEqual({ memories: [] });
    expect((await call(as('bob'), 'search', { query: '8443' }))['hits']).toEqual([]);
    expect(await recalled(as('bob'), { include_all: true })).toMatchObject({ memories: [{ status: 'noted' }] });
    expect(await recalled(person(as('bob')), { include_all: true })).toMatchObject({
      memories: [{ status: 'proposed' }, { status: 'noted' }],
    });

    for (const memory of [id, everywhere.id]) await decideMemory(person(as('ada')), { memory, decision: 'approved' });

    expect(texts(await recalled(as('bob')))).toEqual(['8443', 'of all']);
    expect((await call(as('bob'), 'search', { query: '8443' }))['hits']).toHaveLength(1);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is not put aside by what an agent notes: that waits for a person', async ({ as }) => {
    await createProject(as('ada'));
    const { id } = await remember(as('ada'), { key: 'port', text: '8443' });
    await decideMemory(person(as('ada')), { memory: id, decision: 'approved' });

    const other = await remember(as('eve'), { key: 'port', text: '666' });
    const third = await remember(as('eve'), { key: 'port', text: '667' });

    expect([other.status, third.status]).toEqual(['proposed', 'proposed']);
    expect(texts(await recalled(as('bob')))).toEqual(['8443']);
    await decideMemory(person(as('ada')), { memory: third.id, decision: 'approved' });
    expect(await recalled(as('bob'))).toMatchObject({ memories: [{ text: '667', supersedes: { text: '8443' } }] });
    const late = decideMemory(person(as('ada')), { memory: other.id, decision: 'approved' });
    await expect(late).rejects.toMatchObject({
      code: 'illegal_transition',
      message: expect.stringContaining('superseded'),
    });
  });

  test('takes it back, and what it had superseded is given again', async ({ as }) => {
    await createProject(as('ada'));
    const ids: string[] = [];
    for (const text of ['one', 'two', 'three']) ids.push((await remember(as('ada'), { key: 'port', text: text })).id);
    const forget = (at: number) => decideMemory(person(as('ada')), { memory: ids[at] ?? '', decision: 'forgotten' });

    await forget(1);
    expect(texts(await recalled(as('ada')))).toEqual(['three']);
    await forget(2);
    expect(await recalled(as('ada'), { include_all: true })).toMatchObject({ memories: [{ text: 'one' }] });
    expect(texts(await recalled(as('ada')))).toEqual(['one']);
    expect((await call(as('ada'), 'search', { query: 'three' }))['hits']).toEqual([]);
    await expect(forget(2)).rejects.toMatchObject({ code: 'illegal_transition' });
    await replay(as('ada'));
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('keeps it from every agent, whatever it asks for, while it waits and when it is declined', async ({ as }) => {
    await createProject(as('ada'), { rules: ASKING });
    const { id: memory } = await remember(as('ada'), { key: 'port', text: '8443' });
    for (const status of ['proposed', 'declined']) {
      for (const asked of [{}, { include_all: true }, { include_all: true, key: 'port' }])
        expect(await recalled(as('bob'), asked)).toEqual({ memories: [] });
      expect(await recalled(person(as('bob')), { include_all: true })).toMatchObject({ memories: [{ status }] });
      if (status === 'proposed') await decideMemory(person(as('ada')), { memory, decision: 'declined' });
    }
  });

  test('is declined once', async ({ as }) => {
    await createProject(as('ada'), { rules: ASKING });
    const { id: memory } = await remember(as('ada'), { key: 'port', text: '8443' });
    expect(await decideMemory(person(as('ada')), { memory, decision: 'declined' })).toMatchObject({
      status: 'declined',
    });

    for (const decision of ['approved', 'declined', 'forgotten'] as const) {
      await expect(decideMemory(person(as('ada')), { memory, decision })).rejects.toMatchObject({
        code: 'illegal_transition',
      });
    }
    const unknown = decideMemory(person(as('ada')), { memory: newId(), decision: 'forgotten' });
    await expect(unknown).rejects.toMatchObject({ code: 'not_found' });
    const other = ask(person(as('ada')), 'decide_memory', { memory, decision: 'superseded' });
    await expect(other).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('is said by no agent, no token of one project, and by no other member', async ({ as, asStranger, sql }) => {
    const project_id = await createProject(as('ada'), { rules: ASKING });
    const { id: memory } = await remember(as('ada'), { key: 'port', text: '8443' });
    const alone = person(as('ada'));
    const { tenant_id = '' } = alone.actor;
    const eve = person(asStranger('eve'));
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      ...[tenant_id, eve.actor.user_id],
    ]);

    for (const decision of ['approved', 'declined', 'forgotten'] as const) {
      for (const ctx of [
        as('ada'),
        { ...alone, actor: { ...alone.actor, project_id } },
        { ...eve, actor: { ...eve.actor, tenant_id } },
      ]) {
        await expect(decideMemory(ctx, { memory, decision })).rejects.toMatchObject({ code: 'forbidden' });
      }
    }
    for (const type of ['approved', 'superseded', 'restored', 'forgotten']) {
      const data = type === 'superseded' ? { by: memory } : {};
      const forged = record(person(as('ada')), { stream: `memory:${memory}`, type: `memory.${type}`, data });
      await expect(forged).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  test('is no word of an agent in a file that is imported, either', async ({ as, asStranger }) => {
    await createProject(as('ada'), { rules: ASKING });
    const { id: memory } = await remember(as('ada'), { key: 'port', text: '8443' });
    await decideMemory(person(as('ada')), { memory, decision: 'approved' });
    const file = await exportAll(as('ada'));
    const approval = file.find(({ event_type }) => event_type === 'memory.approved');

    const actor = { ...(approval?.['actor'] as object), agent: 'eve' };
    const forged = file.map((event) => (event === approval ? { ...event, actor } : event));

    await expect(importAll(asStranger('eve'), forged)).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

test('a rule that asks for a yes to memories is true or false', async ({ as }) => {
  for (const memory of [{ approval: 'yes' }, { other: true }, true]) {
    const refused = createProject(as('ada'), { slug: 'zoo', rules: { memory } });
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('rules.memory'),
    });
  }
});
