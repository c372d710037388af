import { afterAll, beforeAll, expect, test } from 'vitest';
import { createScratch, type Scratch } from '../support/scratch.ts';

// Tests calls at sign-in, when only a secret, a client's id or a person is known, and what a worker asks before it
// enters a workspace; docs/scale.md explains the effect on sharding.
const WITHOUT_WORKSPACE = [
  'app.find_invitation',
  'app.grant_access',
  'app.provision_user',
  'public.accept_invitation',
  'public.answer_authorization',
  'public.due_jobs',
  'public.end_session',
  'public.get_client',
  'public.get_session',
  'public.list_auth_events',
  'public.open_authorization',
  'public.take_login_code',
];

const NO_ALIAS = /^(|set|where|on|order|limit|group|cross|join|left|for|union|with)$/;

let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => scratch.drop());

test('every statement on rows of workspaces names the workspace, but those that find out which it is', async () => {
  const { rows: tables } = await scratch.sql.query<{ name: string }>(
    `select distinct table_schema || '.' || table_name as name from information_schema.columns
      where table_schema in ('app', 'public') and column_name = 'tenant_id'`,
  );
  const { rows: functions } = await scratch.sql.query<{ name: string; source: string }>(
    `select n.nspname || '.' || p.proname as name, p.prosrc as source from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('app', 'public') and p.prosrc <> ''`,
  );
  const names = tables.map(({ name }) => name.replace('.', '\\.')).join('|');
  const touched = new RegExp(String.raw`\b(?:from|update|join) (?:${names})\b(?: as)?(?: (\w+))?`, 'g');
  const isNamed = (statement: string, alias = '') =>
    statement.includes('tenant_id') && (NO_ALIAS.test(alias) || statement.includes(`${alias}.tenant_id`));

  const found = functions.filter(({ source }) =>
    source
      .split(';')
      .some((statement) => [...statement.matchAll(touched)].some(([, alias]) => !isNamed(statement, alias))),
  );

  expect(tables.length).toBeGreaterThan(10);
  expect([...new Set(found.map(({ name }) => name))].sort()).toEqual(WITHOUT_WORKSPACE);
});

test('every key of a table of workspaces begins with the workspace, or is a secret of its own', async () => {
  const { rows } = await scratch.sql.query<{ name: string }>(
    `select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid
       join pg_namespace n on n.oid = c.relnamespace join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id'
      where n.nspname in ('app', 'public') and i.indisunique and i.indkey[0] <> t.attnum order by 1`,
  );

  expect(rows.map(({ name }) => name).filter((name) => !/_(hash|client_id)$/.test(name))).toEqual([]);
});
