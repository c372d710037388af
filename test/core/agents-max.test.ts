import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { setAgentsMax } from '../../src/services/agents.ts';
import { registerAgent } from '../../src/services/runner.ts';
import { callerOf } from '../support/callers.ts';
import { call, person, plan } from '../support/calls.ts';
import { runnerOf } from '../support/runners.ts';
import { untilWaits } from '../support/screens.ts';
import { test } from '../support/world.ts';

const limited = (ctx: Context, agents_max?: number) => setAgentsMax(person(ctx), { agents_max });

describe('the agents that runners drive at once', () => {
  test('are fifty at most in a workspace, or what it says; one beyond is told who they are', async ({ as, clock }) => {
    expect(await limited(as('ada'))).toEqual({ agents_max: 50, driven: 0 });
    expect(await limited(as('ada'), 2)).toEqual({ agents_max: 2, driven: 0 });
    const first = await runnerOf(as('ada'), 'heron-2');
    await runnerOf(as('bob'), 'heron-1');

    await expect(runnerOf(as('ada'), 'heron-3')).rejects.toMatchObject({
      code: 'rate_limited',
      message: 'Runners drive 2 of at most 2 agents of this workspace: heron-1, heron-2.',
      details: { agents_max: 2, driven: 2, agents: ['heron-1', 'heron-2'] },
      hint: expect.stringMatching(/^End a runner, or let an owner or admin .*: cairn agents limit NUMBER$/),
    });
    expect(await limited(as('ada'))).toEqual({ agents_max: 2, driven: 2 });

    await first.beat({ leaving: true });
    await runnerOf(as('ada'), 'heron-3');
    await clock.advance({ seconds: 46 });
    await runnerOf(as('ada'), 'heron-2');
    expect(await limited(as('ada'))).toEqual({ agents_max: 2, driven: 1 });
  });

  test('count each run that one does at once, and one that comes back keeps its place', async ({ as }) => {
    await limited(as('ada'), 3);
    await runnerOf(as('ada'), 'heron-1', { config: { runs_at_once: 2 } });
    await expect(runnerOf(as('ada'), 'heron-2', { config: { runs_at_once: 2 } })).rejects.toMatchObject({
      code: 'rate_limited',
      hint: expect.stringMatching(/^Say a smaller --at-once, end a runner, or /),
    });
    const { token } = await runnerOf(as('ada'), 'heron-2');

    await limited(as('ada'), 1);
    const back = (runs_at_once: number) => {
      const about = { name: 'heron-2', type: 'claude', driver: 'pipe' as const, config: { runs_at_once } };
      return registerAgent(as('ada'), { agent: about, token });
    };
    await expect(back(2)).rejects.toMatchObject({ code: 'rate_limited' });
    expect(await back(1)).toMatchObject({ agent: { state: 'online' } });
  });

  test('are those of this workspace, and none that people started by hand', async ({ as, asStranger }) => {
    await limited(as('ada'), 1);
    await runnerOf(asStranger('eve'), 'heron-1');
    await callerOf(as('heron-2')).next();

    await runnerOf(as('ada'), 'heron-3');
    await expect(runnerOf(as('ada'), 'heron-4')).rejects.toMatchObject({ details: { agents: ['heron-3'] } });
  });

  test('name the first ten', async ({ as }) => {
    for (let n = 10; n < 22; n += 1) await runnerOf(as('ada'), `heron-${n}`);
    await limited(as('ada'), 12);

    await expect(runnerOf(as('ada'), 'ibis')).rejects.toMatchObject({
      message: expect.stringMatching(/: heron-10, .*heron-19 and 2 more\.$/),
    });
  });

  test('count for a token that sees one project alone, which is not told their names', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const { project } = (await call(as('ada'), 'get_project')) as unknown as { project: { id: string } };
    await limited(as('ada'), 1);
    await runnerOf(as('ada'), 'heron-1');
    const ctx = { ...as('ada'), actor: { ...as('ada').actor, project_id: project.id } };

    await expect(runnerOf(ctx, 'heron-2')).rejects.toMatchObject({
      message: 'Runners drive 1 of at most 1 agents of this workspace.',
      details: { driven: 1, agents: [] },
    });
  });

  test('are never more because two began at the same moment', async ({ as, sql }) => {
    await limited(as('ada'), 1);
    const client = await sql.connect();
    try {
      await client.query('begin');
      const agent = { name: 'heron-1', type: 'claude', driver: 'pipe' };
      await client.query('select public.register_agent($1, null, $2)', [agent, as('ada').actor]);
      const second = runnerOf(as('ada'), 'heron-2');
      second.catch(() => {});
      await untilWaits(client);
      await client.query('commit');

      await expect(second).rejects.toMatchObject({ code: 'rate_limited', details: { agents: ['heron-1'] } });
    } finally {
      client.release();
    }
  });
});

test('how many there may be is said by a person who is an administrator, on the trail of access', async ({
  as,
  sql,
}) => {
  const { db, actor } = as('ada');

  await expect(setAgentsMax(as('ada'), { agents_max: 9 })).rejects.toMatchObject({
    code: 'forbidden',
    message: 'How many agents a workspace may have is decided by a person, not by an agent.',
  });
  const one = { db, actor: { ...person(as('ada')).actor, project_id: crypto.randomUUID() } };
  await expect(setAgentsMax(one, {})).rejects.toMatchObject({ code: 'forbidden' });
  for (const agents_max of [0, 10_001]) {
    await expect(limited(as('ada'), agents_max)).rejects.toMatchObject({ code: 'invalid_input' });
  }
  await limited(as('ada'), 9);
  await limited(as('ada'));
  const trail = `select type, data from app.auth_events where tenant_id = $1 and type ~ '^agents' order by id`;
  const { rows } = await sql.query(trail, [actor.tenant_id]);
  expect(rows).toMatchObject([{ type: 'agents.limited', data: { agents_max: 9 } }]);
  await sql.query(`update public.memberships set role = 'member' where tenant_id = $1`, [actor.tenant_id]);
  await expect(limited(as('ada'), 99)).rejects.toMatchObject({ code: 'forbidden' });
});
