import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { setOutputSearch } from '../../src/services/output.ts';
import { dropPartitions } from '../../src/services/records.ts';
import { SYSTEM } from '../../src/workers/claims.ts';
import { person } from '../support/calls.ts';
import { replay, verify } from '../support/commands.ts';
import { begunRun, completed, pieces } from '../support/runners.ts';
import { createScratch } from '../support/scratch.ts';
import { endedRun, found, rowsOfSearch, switched, untilWaits } from '../support/screens.ts';
import { contextOf, test } from '../support/world.ts';

describe('switched off', () => {
  test('nothing is left of it, and an end at that moment is waited for', async ({ as, sql }) => {
    await switched(as('ada'), true);
    await endedRun(as('ada'), ['quokka\n']);
    const { run, lock_token, add } = await begunRun(as('ada'), 'egret-1');
    await add(pieces(['quokka\n']));
    const client = await sql.connect();
    try {
      await client.query('begin');
      const report = [run, lock_token, JSON.stringify([completed]), as('ada').actor];
      await client.query('select public.report_run($1, $2, $3, $4)', report);
      const off = switched(as('ada'), false);
      await untilWaits(client);
      await client.query('commit');
      expect(await off).toEqual({ enabled: false });
    } finally {
      client.release();
    }

    await endedRun(as('ada'), ['quokka\n'], 'ibis-1');
    expect(await found(as('ada'), 'quokka')).toEqual([]);
    expect(await rowsOfSearch({ as, sql })).toEqual([[], []]);
    await replay(as('ada'));
    expect(await rowsOfSearch({ as, sql })).toEqual([[], []]);
    await switched(as('ada'), true);
    expect(await found(as('ada'), 'quokka')).toEqual([]);
  });

  test('of a workspace is not of another', async ({ as, asStranger }) => {
    for (const ctx of [as('ada'), asStranger('eve')]) {
      await switched(ctx, true);
      await endedRun(ctx, ['quokka\n']);
    }

    await switched(as('ada'), false);

    expect(await found(as('ada'), 'quokka')).toEqual([]);
    expect(await found(asStranger('eve'), 'quokka')).toHaveLength(1);
  });

  test('or on it is by a person who is an administrator, on the trail of access', async ({ as, sql }) => {
    const { db, actor } = as('ada');

    await expect(setOutputSearch(as('ada'), { enabled: true })).rejects.toMatchObject({
      code: 'forbidden',
      message: 'Whether search finds what agents print is decided by a person, not by an agent.',
    });
    const limited = { db, actor: { ...person(as('ada')).actor, project_id: crypto.randomUUID() } };
    await expect(setOutputSearch(limited, {})).rejects.toMatchObject({ code: 'forbidden' });
    await switched(as('ada'), true);
    await switched(as('ada'), false);
    const trail = `select type from app.auth_events where tenant_id = $1 and type ~ '^output' order by id`;
    const { rows } = await sql.query(trail, [actor.tenant_id]);
    expect(rows).toEqual([{ type: 'output.searched' }, { type: 'output.unsearched' }]);
    await sql.query(`update public.memberships set role = 'member' where tenant_id = $1`, [actor.tenant_id]);
    await expect(switched(as('ada'), true)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

test('a rebuild of search finds the same words, loses none and makes up none', async ({ as, sql }) => {
  await switched(as('ada'), true);
  await endedRun(as('ada'), ['quokka\n']);
  await begunRun(as('ada'), 'egret-1');
  const before = await rowsOfSearch({ as, sql });
  expect(before.map((rows) => rows.length)).toEqual([1, 1]);

  await replay(as('ada'));
  expect(await rowsOfSearch({ as, sql })).toEqual(before);
  await sql.query(`delete from app.search_documents where tenant_id = $1`, [as('ada').actor.tenant_id]);
  await replay(as('ada'));

  expect(await rowsOfSearch({ as, sql })).toEqual(before);
  expect(await found(as('ada'), 'quokka')).toHaveLength(1);
  expect(await verify(as('ada'))).toMatchObject({ ok: true });
});

test('words are forgotten with the output, in every workspace, not before', async () => {
  const scratch = await createScratch();
  try {
    const ctxs = [contextOf(await scratch.signIn('ada'))('ada'), contextOf(await scratch.signIn('eve'))('eve')];
    for (const ctx of ctxs) {
      await switched(ctx, true);
      await endedRun(ctx, ['quokka\n']);
      await endedRun(ctx, ['quokka\n'], 'egret-1');
    }
    const aged = (days: number) =>
      scratch.sql.query(
        `update app.run_screens s set printed_at = now() - make_interval(days => $1) from public.agent_runs r
         where r.id = s.run_id and r.agent_name = 'egret-1'`,
        [days],
      );
    const server = { db: scratch.db, actor: SYSTEM };
    const counted = () => Promise.all(ctxs.map(async (ctx) => (await found(ctx, 'quokka')).length));

    await aged(89);
    await dropPartitions(server);
    expect(await counted()).toEqual([2, 2]);

    await aged(98);
    await dropPartitions(server);
    expect(await counted()).toEqual([1, 1]);
    const { rows } = await scratch.sql.query(`select from app.search_documents where kind = 'output'`);
    expect(rows).toHaveLength(2);
    const [ada] = ctxs as [Context];
    await replay(ada);
    expect(await found(ada, 'quokka')).toHaveLength(1);
  } finally {
    await scratch.drop();
  }
});
