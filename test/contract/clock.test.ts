import { describe, expect } from 'vitest';
import { call, plan, take } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { test } from '../support/world.ts';

describe('a clock', () => {
  test('that is put back changes no order, loses no event and leaves the chain whole', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'First' }, { title: 'Second' }]);
    const before = await call(as('ada'), 'record_event', { project: 'web', text: 'Before.' });
    const lock = await take(as('ada'), 'web-1', { ttl_seconds: 60 });

    await clock.advance({ seconds: -86_400 });
    const after = await call(as('ada'), 'record_event', { project: 'web', text: 'After.' });
    const completed = await call(as('ada'), 'complete_task', { ...lock, summary: 'Done.' });

    const { events } = await call(as('ada'), 'list_events', { project: 'web', after_seq: before['seq'] });
    expect((events as { seq: number }[]).map(({ seq }) => seq)).toEqual(
      [4, 5, 6].map((step) => step + Number(before['seq']) - 3),
    );
    expect(after['seq']).toBe(Number(before['seq']) + 2);
    expect(completed).toMatchObject({ task: { status: 'completed' } });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('that is put forward ends leases, and another agent goes on', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'First' }]);
    const lock = await take(as('ada'), 'web-1', { ttl_seconds: 60 });

    await clock.advance({ seconds: 86_400 });
    await take(as('bob'), 'web-1');

    await expect(call(as('ada'), 'complete_task', { ...lock, summary: 'Late.' })).rejects.toMatchObject({
      code: 'lock_lost',
    });
  });
});
