import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { COLUMNS, INDEXES, VIEW_COLUMNS } from '../support/task-core.ts';

// The names that users and their SQL rely on.
let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});

afterAll(() => scratch.drop());

async function query<Row>(sql: string, values: unknown[] = []): Promise<Row[]> {
  const { rows } = await scratch.sql.query(sql, values);
  return rows;
}

describe('the task core', () => {
  test('has its tables and columns, of the right types', async () => {
    const columns = await query<{ name: string; columns: Record<string, string> }>(
      `select a.attrelid::regclass::text as name, jsonb_object_agg(a.attname, format_type(a.atttypid, null)) as columns
         from pg_attribute a where a.attrelid::regclass::text = any ($1) and a.attnum > 0 and not a.attisdropped group by 1`,
      [Object.keys(COLUMNS)],
    );

    const found = Object.fromEntries(columns.map((row) => [row.name, row.columns]));
    expect(found).toMatchObject(COLUMNS);
  });

  test('has its indexes', async () => {
    const indexes = await query<{ name: string }>(
      `select indexname as name from pg_indexes where schemaname = 'public'`,
    );

    const names = new Set(indexes.map(({ name }) => name));
    expect(INDEXES.filter((index) => !names.has(index))).toEqual([]);
    const partial = await query(
      `select indexname as name from pg_indexes where indexname in ('idx_tasks_locked_at', 'idx_events_task_id') and indexdef ~ 'WHERE' order by 1`,
    );
    expect(partial).toEqual([{ name: 'idx_events_task_id' }, { name: 'idx_tasks_locked_at' }]);
  });

  test('has its views, which show what the one who asks may see', async () => {
    const views = await query<{ name: string; options: string[]; columns: string[]; grants: string[] }>(
      `select c.relname as name, c.reloptions as options,
         array(select g.grantee::regrole || ' ' || g.privilege_type from aclexplode(c.relacl) g where g.grantee <> c.relowner) as grants,
         array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0) as columns
         from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'v' order by 1`,
    );

    expect(views.map(({ name }) => name)).toEqual(Object.keys(VIEW_COLUMNS).sort());
    for (const { name, options, columns, grants } of views) {
      expect(options).toEqual(['security_invoker=true']);
      // A function reads the audit trail as the view has it.
      const readers = ['authenticated SELECT', ...(name === 'audit_logs' ? ['cairn_owner SELECT'] : [])];
      expect([name, grants.toSorted()]).toEqual([name, readers]);
      expect(columns).toEqual(expect.arrayContaining(VIEW_COLUMNS[name] ?? []));
    }
  });

  test('has its policies: own rows, no change of events, tokens of the user itself', async () => {
    const policies = await query<{ name: string; commands: string[] }>(
      `select tablename as name, array_agg(lower(cmd) order by cmd) as commands from pg_policies
         where schemaname = 'public' and roles = '{authenticated}' and tablename = any ($1) group by 1 order by 1`,
      [Object.keys(COLUMNS)],
    );

    const every = ['delete', 'insert', 'select', 'update'];
    const expected: Record<string, string[]> = { events: ['insert', 'select'], oauth_tokens: ['select'] };
    expect(policies).toEqual(
      Object.keys(COLUMNS)
        .sort()
        .map((name) => ({ name, commands: expected[name] ?? every })),
    );
  });
});
