import { randomUUID } from 'node:crypto';
import type { SupabaseClient } from '@supabase/supabase-js';
import { describe, expect, inject } from 'vitest';
import { FUNCTIONS } from '../../src/db/functions.ts';
import { projectClient } from '../../src/db/supabase/client.ts';
import { supabaseDatabase } from '../../src/db/supabase/database.ts';
import type { Caller } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { expectNothingForeign, liveElsewhere, settle } from '../support/foreign.ts';
import { type Relation, relations } from '../support/relations.ts';
import { rowsOf } from '../support/rows.ts';
import { PUBLISHABLE_KEY, type SupabaseProject, startSupabase } from '../support/supabase.ts';
import { test as base } from '../support/world.ts';

/** Someone at PostgREST's own door, past Cairn: with supabase-js as a dashboard has it, and with the port. */
type Visitor = Caller & { client: SupabaseClient; id: string };

const test = base.extend<{
  project: SupabaseProject;
  visit: (name: string) => Promise<Visitor>;
  anonymous: SupabaseClient;
}>({
  project: [
    async ({ engine: _ }, use) => {
      const project = await startSupabase(inject('server'));
      await use(project);
      await project.close();
    },
    { scope: 'worker' },
  ],
  visit: async ({ project }, use) =>
    use(async (name) => {
      const { access_token, user } = await project.auth.signIn(`${name}-${randomUUID()}@cairn.test`);
      const reached = { url: project.url, key: PUBLISHABLE_KEY };
      const session = { user_id: user.id, accessToken: async () => access_token, renew: async () => {} };
      const db = supabaseDatabase({ project: reached, session });
      await db.call('list_projects', {}, { user_id: user.id });
      const client = projectClient(reached, (input, init) => {
        const headers = new Headers(init?.headers);
        headers.set('authorization', `Bearer ${access_token}`);
        return fetch(input, { ...init, headers });
      });
      return { db, client, id: user.id, actor: { user_id: user.id, tenant_id: user.id, agent: name, client: 'test' } };
    }),
  anonymous: async ({ project }, use) => use(projectClient({ url: project.url, key: PUBLISHABLE_KEY })),
});

const WRITES: [
  name: string,
  write: (client: SupabaseClient, relation: Relation, id: string) => PromiseLike<Written>,
][] = [
  ['insert', (client, { name, first }, id) => client.from(name).insert({ [first]: id } as never)],
  ['upsert', (client, { name, first }, id) => client.from(name).upsert({ [first]: id } as never)],
  [
    'update',
    (client, { name, first }, id) =>
      client
        .from(name)
        .update({ [first]: id })
        .eq(first, id),
  ],
  ['delete', (client, { name, first }, id) => client.from(name).delete().eq(first, id)],
];
// Not allowed, or a view that nobody could write to.
const REFUSED = /^(42501|55000)$/;

// From the catalogue, so that a new one is not forgotten. Triggers cannot be called.
const CALLABLE = `select p.proname as name, p.proargnames[1:p.pronargs - p.pronargdefaults] as required from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype`;
type Callable = { name: string; required: string[] };
const nulls = (names: string[]) => Object.fromEntries(names.map((name) => [name, null]));

type Written = { error: { code: string; message: string; details: unknown } | null; status: number };

describe('a signed-in user who calls PostgREST directly', () => {
  test('reads and counts the rows of the own workspace and no other, in every table and view', async ({
    visit,
    sql,
  }) => {
    const [ada, eve] = [await visit('ada'), await visit('eve')];
    await fillWorkspace(ada);
    await fillWorkspace(eve);
    const foreign = new Set(Object.values(await rowsOf(sql, eve.id)).flatMap((rows) => rows.flatMap(uuids)));
    for (const id of Object.values(await rowsOf(sql, ada.id)).flatMap((rows) => rows.flatMap(uuids)))
      foreign.delete(id);

    for (const { name, tenant, columns } of await relations(sql, ['r', 'v'], ['public'])) {
      const asked = columns.length === 0 ? '*' : columns.join(',');
      const { data, count, error } = await ada.client.from(name).select(asked, { count: 'exact' });
      if (columns.length === 0) {
        expect([name, error?.code]).toEqual([name, '42501']);
        continue;
      }
      expect([name, error]).toEqual([name, null]);
      expect([name, uuids(JSON.stringify(data)).filter((id) => foreign.has(id))]).toEqual([name, []]);
      if (tenant === null) continue;
      const own = await sql.query(`select count(*)::int as count from ${name} where tenant_id = $1`, [ada.id]);
      expect([name, count]).toEqual([name, own.rows[0].count]);
    }
    expect(foreign.size).toBeGreaterThan(20);
  });

  test('cannot tell a foreign row from one that is not there', async ({ visit, sql }) => {
    const [ada, eve] = [await visit('ada'), await visit('eve')];
    await fillWorkspace(eve);
    const rows = await rowsOf(sql, eve.id);

    for (const { name, columns } of await relations(sql, ['r', 'v'], ['public'])) {
      for (const column of ['id', 'tenant_id', 'task_id', 'project_id'].filter((each) => columns.includes(each))) {
        const found = uuids((rows[name] ?? []).join(' ')).at(1) ?? eve.id;
        const ask = async (id: string) => {
          const { data, count, error, status } = await ada.client
            .from(name)
            .select(column, { count: 'exact' })
            .eq(column, id);
          return { name, column, data, count, error, status };
        };
        for (const id of [found, eve.id])
          expect(await ask(id)).toEqual({ ...(await ask(randomUUID())), data: [], count: 0 });
      }
    }
  });

  test.for(WRITES)('does not %s in any table or view, whoever the row is of', async ([_, write], { visit, sql }) => {
    const [ada, eve] = [await visit('ada'), await visit('eve')];
    await fillWorkspace(ada);
    const before = await rowsOf(sql, ada.id);

    for (const relation of await relations(sql, ['r', 'v'], ['public'])) {
      const own = await write(ada.client, relation, ada.id);
      const foreign = await write(ada.client, relation, eve.id);

      expect([relation.name, own.error?.code]).toEqual([relation.name, expect.stringMatching(REFUSED)]);
      expect([relation.name, foreign.error]).toEqual([relation.name, own.error]);
    }
    expect(await rowsOf(sql, ada.id)).toEqual(before);
  });

  test('learns nothing of another workspace from any function', async ({ visit }) => {
    const [ada, eve] = [await visit('ada'), await visit('eve')];
    const { ids, shorts } = await liveElsewhere(eve);
    await settle(ada);

    expect(await expectNothingForeign(ada, ids, ids)).toBeGreaterThan(45);
    await expectNothingForeign(ada, shorts, ids);
  });

  test('calls none of the functions for the server alone', async ({ visit, sql }) => {
    const ada = await visit('ada');
    const { rows } = await sql.query<Callable>(
      `${CALLABLE} and not has_function_privilege('authenticated', p.oid, 'execute')`,
    );

    for (const { name, required } of rows) {
      const { error, status } = await ada.client.rpc(name, nulls(required));
      expect([name, status, error?.code]).toEqual([name, 403, '42501']);
    }
    expect(rows.length).toBeGreaterThan(0);
  });

  test('finds nothing of the schema that holds the machinery', async ({ visit, sql }) => {
    const ada = await visit('ada');

    for (const { name } of await relations(sql, ['r', 'v'], ['app'])) {
      const { error, status } = await ada.client.from(name.replace('app.', '')).select('*');
      expect([name, status, error?.code]).toEqual([name, 404, 'PGRST205']);
    }
  });
});

describe('someone who did not sign in', () => {
  test('reads and writes no table or view', async ({ anonymous, visit, sql }) => {
    const eve = await visit('eve');
    await fillWorkspace(eve);

    for (const relation of await relations(sql, ['r', 'v'], ['public'])) {
      const { error, status } = await anonymous.from(relation.name).select('*', { count: 'exact' });
      expect([relation.name, status, error?.code]).toEqual([relation.name, 401, '42501']);
      for (const [, write] of WRITES) {
        const written = await write(anonymous, relation, eve.id);
        expect([relation.name, written.error?.code]).toEqual([relation.name, expect.stringMatching(REFUSED)]);
      }
    }
  });

  test('calls no function', async ({ anonymous, sql }) => {
    const { rows } = await sql.query<Callable>(CALLABLE);

    for (const { name, required } of rows) {
      const { error, status } = await anonymous.rpc(name, nulls(required));
      expect([name, status, error?.code]).toEqual([name, 401, '42501']);
    }
    expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(FUNCTIONS)));
  });
});

function uuids(text: string): string[] {
  return text.match(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g) ?? [];
}
