import type pg from 'pg';
import { describe, expect } from 'vitest';
import { ask } from '../support/ask.ts';
import { createProject, createTask, hold, record } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { expectNothingForeign, liveElsewhere, settle } from '../support/foreign.ts';
import { createScratch, mutate, type Scratch } from '../support/scratch.ts';
import { test } from '../support/world.ts';

// Each wall is removed on purpose, in a separate database, to show that the other walls hold.
describe('with a wall removed on purpose', () => {
  async function inScratch(work: (scratch: Scratch) => Promise<void>): Promise<void> {
    const scratch = await createScratch();
    try {
      await work(scratch);
    } finally {
      await scratch.drop();
    }
  }

  test('a query that forgot its tenant finds no foreign row: row level security holds', () =>
    inScratch(async ({ sql, signIn }) => {
      const [ada, eve] = [await signIn('ada'), await signIn('eve')];
      await fillWorkspace(eve, 'zoo');
      await settle(ada);
      const slugs = async () => {
        const { projects } = await ask<{ projects: { slug: string }[] }>(ada, 'list_projects', {});
        return projects.map(({ slug }) => slug).sort();
      };

      await mutate(sql, 'public.list_projects', ['x.tenant_id = v_actor.tenant_id', 'true']);

      expect(await slugs()).toEqual(['own']);
      // And it is row level security that holds, not luck.
      await sql.query('alter table public.projects disable row level security');
      expect(await slugs()).toEqual(['own', 'zoo']);
    }));

  test('functions that forgot every tenant filter there is learn nothing foreign', () =>
    inScratch(async ({ sql, signIn }) => {
      const [ada, eve] = [await signIn('ada'), await signIn('eve')];
      const { ids, shorts } = await liveElsewhere(eve);
      await settle(ada);

      const forgotten = await forgetTenants(sql);

      expect(forgotten).toBeGreaterThan(60);
      await expectNothingForeign(ada, ids, ids);
      await expectNothingForeign(ada, shorts, ids);
      const { rows } = await sql.query(
        `select c.oid::regclass::text as name from pg_class c where relrowsecurity and relnamespace = 'public'::regnamespace`,
      );
      for (const { name } of rows) await sql.query(`alter table ${name} disable row level security`);
      await expect(expectNothingForeign(ada, ids, ids)).rejects.toThrow();
    }));

  test('what is for the server alone is refused to who is signed in: not only by privileges', () =>
    inScratch(async ({ sql, signIn }) => {
      const ada = await signIn('ada');
      const { rows: functions } = await sql.query<{ name: string; call: string }>(
        `select p.proname as name, format('select public.%I(%s)', p.proname, (select string_agg(format('%I => null', a), ', ')
            from unnest(p.proargnames[:p.pronargs]) a)) as call
           from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosrc ~ 'app\\.(authenticate_(server|workspace|person)|caller_is_server)\\('`,
      );
      await sql.query('grant execute on all functions in schema public to authenticated');
      await sql.query(
        `select set_config('request.jwt.claims', $1, false), set_config('role', 'authenticated', false)`,
        [JSON.stringify({ sub: ada.actor.user_id })],
      );

      const refused = [];
      for (const { name, call } of functions) {
        const because = await sql.query(call).catch(({ message }) => message);
        if (/^Only the server (does this|signs users in)\.$/.test(because)) refused.push(name);
      }
      await sql.query('reset role');

      expect(functions.length).toBeGreaterThan(30);
      expect(refused).toEqual(functions.map(({ name }) => name));
    }));

  test('a late holder gets through without the fencing check, so the test of it can fail', () =>
    inScratch(async ({ sql, signIn }) => {
      const ada = await signIn('ada');
      const bob = { ...ada, actor: { ...ada.actor, agent: 'bob' } };
      await createProject(ada);
      const lateHolderIsRefused = async () => {
        const { ref } = await createTask(ada);
        const late = await hold(ada, ref);
        await hold(bob, ref, { take_over: true });
        const attempt = record(ada, {
          stream: `task:${ref}`,
          type: 'task.completed',
          data: {},
          expect: { lock_token: late },
        });
        await expect(attempt).rejects.toMatchObject({ code: 'lock_lost' });
      };

      await lateHolderIsRefused();
      await mutate(sql, 'app.check_holder', ['v_token <> task.lock_token::text', 'false']);

      await expect(lateHolderIsRefused()).rejects.toThrow(/resolved/);
    }));
});

/** Takes `x.tenant_id = …` out of every function but those that find out who acts. Answers with how many there were. */
async function forgetTenants(sql: pg.Client): Promise<number> {
  const filter = /\b\w+\.tenant_id = (?!any\b)[\w.[\]]+(\([^()]*\))?/g;
  const { rows } = await sql.query<{ definition: string }>(
    `select pg_get_functiondef(p.oid) as definition from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('app', 'public') and p.prokind = 'f' and p.proname not in ('authenticate', 'provision_user', 'my_tenants', 'sign_in')`,
  );
  let forgotten = 0;
  for (const { definition } of rows) {
    const mutated = definition.replace(filter, () => {
      forgotten += 1;
      return 'true';
    });
    if (mutated !== definition) await sql.query(mutated);
  }
  return forgotten;
}
