import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { FunctionName } from '../../src/db/functions.ts';
import { DomainError } from '../../src/errors.ts';
import { warmUp } from '../../src/server/stdio/warm-up.ts';
import { plan } from '../support/calls.ts';
import { test } from '../support/world.ts';

/** The context, and what is called through it: in order, and how many at once. */
function watched(ctx: Context, each: (fn: FunctionName) => void = () => {}) {
  const seen = { calls: [] as FunctionName[], now: 0, atOnce: 0 };
  const db: Context['db'] = {
    ...ctx.db,
    async call(fn, args, actor) {
      seen.calls.push(fn);
      seen.now += 1;
      seen.atOnce = Math.max(seen.atOnce, seen.now);
      each(fn);
      return ctx.db.call(fn, args, actor).finally(() => {
        seen.now -= 1;
      });
    },
  };
  return { ctx: { ...ctx, db }, seen };
}

const here = () => new AbortController().signal;

describe('warming a young process up', () => {
  test('reads what an agent reads first, and changes nothing', async ({ as, sql, people }) => {
    await plan(as('ada'), [{ title: 'Write the docs' }]);
    const rows = async () => {
      const of = (table: string) => `(select json_agg(t order by t::text) from ${table} t where t.tenant_id = $1)`;
      const tables = ['public.events', 'public.tasks', 'public.projects', 'app.presence', 'app.positions'];
      const { rows } = await sql.query(`select ${tables.map(of).join(', ')}`, [people.owner.tenant_id]);
      return JSON.stringify(rows);
    };
    const before = await rows();
    const { ctx, seen } = watched(as('ada'));

    await warmUp(ctx, here());

    expect(seen.calls).toEqual(['resume_project', 'list_tasks', 'get_task']);
    expect(await rows()).toBe(before);
  });

  test('keeps to one connection, so that a call meanwhile has the other', async ({ as }) => {
    await plan(as('ada'), [{ title: 'Write the docs' }]);
    const { ctx, seen } = watched(as('ada'));

    await warmUp(ctx, here());

    expect(seen.atOnce).toBe(1);
  });

  test('ends with the call under way when the process leaves', async ({ as }) => {
    await plan(as('ada'), [{ title: 'Write the docs' }]);
    const leaving = new AbortController();
    const { ctx, seen } = watched(as('ada'), () => leaving.abort());

    await warmUp(ctx, leaving.signal);

    expect(seen.calls).toEqual(['resume_project']);
  });

  test('fails unsaid, without a project and without a database', async ({ as }) => {
    const away: Context['db'] = {
      ...as('ada').db,
      call: () => Promise.reject(new DomainError('unavailable', 'The database is away.')),
    };

    await expect(warmUp(as('ada'), here())).resolves.toBeUndefined();
    await expect(warmUp({ ...as('ada'), db: away }, here())).resolves.toBeUndefined();
  });
});
