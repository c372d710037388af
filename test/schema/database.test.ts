import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listSchemaFiles } from '../../src/db/schema/files.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { lacks } from '../support/needs.ts';
import { installPlpgsqlCheck } from '../support/plpgsql-check.ts';
import { schemaOf, storedSchema } from '../support/schema.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

// Conventions of the schema, once for all functions and tables, on a database without the tests' clock.
let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});

afterAll(() => scratch.drop());

async function query<Row>(sql: string, values: unknown[] = []): Promise<Row[]> {
  const { rows } = await scratch.sql.query(sql, values);
  return rows;
}

const IN_SCHEMAS = `join pg_namespace n on n.oid = p.pronamespace where n.nspname = any ($1)`;

describe('a function', () => {
  test('of the schema app is executable by nobody, but for what policies and a view call', async () => {
    const open = await query<{ name: string; role: string }>(
      `select p.oid::regprocedure::text as name, r.rolname as role from pg_proc p
         cross join (select * from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'cairn_server')) r
         ${IN_SCHEMAS} and has_function_privilege(r.oid, p.oid, 'execute')`,
      [['app']],
    );

    expect(open.toSorted((one, other) => one.name.localeCompare(other.name))).toEqual([
      { name: 'app.audit_kind(text,jsonb)', role: 'authenticated' },
      { name: 'app.my_tenants()', role: 'authenticated' },
    ]);
  });

  test('looks for names in pg_catalog first and in temporary objects last, or only computes', async () => {
    const loose = await query(
      `select p.oid::regprocedure::text as name from pg_proc p join pg_language l on l.oid = p.prolang ${IN_SCHEMAS}
         and p.proconfig @> array['search_path=pg_catalog, pg_temp'] is not true and p.prokind = 'f'
         and (p.prosecdef or p.prorettype = 'trigger'::regtype or l.lanname = 'plpgsql' and p.provolatile <> 'i')`,
      [['app', 'public']],
    );

    expect(loose).toEqual([]);
  });

  test('that a policy calls has that path too, or a body whose names were resolved when it was made', async () => {
    const loose = await query(
      `select distinct p.oid::regprocedure::text as name from pg_policy y
         join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = y.oid and d.refclassid = 'pg_proc'::regclass
         join pg_proc p on p.oid = d.refobjid ${IN_SCHEMAS}
         and p.proconfig @> array['search_path=pg_catalog, pg_temp'] is not true and p.prosqlbody is null`,
      [['app']],
    );

    expect(loose).toEqual([]);
  });

  test('is at most 60 lines long', async () => {
    const long = await query<{ name: string; lines: number }>(
      `select p.proname as name, cardinality(string_to_array(trim(E'\\n' from p.prosrc), E'\\n')) as lines from pg_proc p ${IN_SCHEMAS}
         and p.prokind = 'f' and cardinality(string_to_array(trim(E'\\n' from p.prosrc), E'\\n')) > 60`,
      [['app', 'public']],
    );

    expect(long).toEqual([]);
  });

  test('is written in lines of at most 120 columns', async () => {
    const wide: string[] = [];
    for (const folder of ['code', 'migrations']) {
      const directory = new URL(`../../supabase/${folder}/`, import.meta.url);
      for (const file of (await readdir(directory)).filter((name) => /^\d+_.*\.sql$/.test(name))) {
        const lines = (await readFile(new URL(file, directory), 'utf8')).split('\n');
        wide.push(...lines.flatMap((line, at) => (line.length > 120 ? [`${file}:${at + 1}`] : [])));
      }
    }

    expect(wide).toEqual([]);
  });

  test('passes plpgsql_check', async (context) => {
    const own = await createScratch();
    context.onTestFinished(() => own.drop());
    const missing = await installPlpgsqlCheck(own.sql);
    if (lacks(`plpgsql_check-${process.env.CAIRN_TEST_PG ?? 'bundled'}`, missing === null))
      return context.skip(missing ?? '');

    // Noise: app.fail never returns, parameters make all apply_ functions alike, array_append takes any element; the
    // lists of columns in what rebuild and apply_imported execute are quoted by format, of the catalogue, and so is what
    // a declared category is written out of, whose name is checked.
    const { rows: problems } = await own.sql.query(
      `select p.oid::regprocedure::text as name, c.level, c.lineno, c.message, c.query
         from pg_proc p join pg_language l on l.oid = p.prolang
         left join lateral (
           select min(t.tgrelid) as relid, max(t.tgoldtable::text) as old, max(t.tgnewtable::text) as new
           from pg_trigger t where t.tgfoid = p.oid) t on true
         cross join lateral plpgsql_check_function_tb(p.oid::regprocedure, coalesce(t.relid, 0),
           oldtable => t.old, newtable => t.new,
           performance_warnings => false, extra_warnings => false, security_warnings => true) c
         ${IN_SCHEMAS} and l.lanname = 'plpgsql' and p.proname not like 'plpgsql%'
         and not (c.level = 'warning' and c.message = 'target type is different type than source type')
         and not (c.level = 'security' and p.proname in ('rebuild_model', 'apply_imported', 'write_folds', 'write_apply'))`,
      [['app', 'public']],
    );

    expect(problems).toEqual([]);
  });
});

describe('a table', () => {
  const TABLES = `from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('app', 'public') and c.relkind in ('r', 'p')`;

  test('has row level security, for its owner too', async () => {
    const tables = await query<{ name: string; enabled: boolean; forced: boolean }>(
      `select c.oid::regclass::text as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced ${TABLES}`,
    );

    expect(tables.length).toBeGreaterThan(20);
    expect(tables.filter(({ enabled, forced }) => !enabled || !forced)).toEqual([]);
  });

  test('is written by cairn_owner, purged by cairn_keeper, and the logs are only appended to', async () => {
    const writers = await query<{ name: string; grantee: string; privileges: string }>(
      `select c.oid::regclass::text as name, a.grantee::regrole::text as grantee, string_agg(lower(a.privilege_type), ',' order by 1) as privileges
         from (select c.* ${TABLES}) c cross join lateral aclexplode(c.relacl) a
         where a.privilege_type <> 'SELECT' and a.grantee <> c.relowner group by 1, 2`,
    );

    // The keeper deletes what is over, and its policies show it nothing else.
    expect([...new Set(writers.map(({ grantee }) => grantee))].sort()).toEqual(['cairn_keeper', 'cairn_owner']);
    expect(new Set(writers.filter(({ grantee }) => grantee === 'cairn_keeper').map((row) => row.privileges))).toEqual(
      new Set(['delete']),
    );
    expect(writers.filter(({ privileges }) => /truncate|trigger|references|maintain/.test(privileges))).toEqual([]);
    expect(writers.filter(({ name }) => name.endsWith('events')).sort()).toEqual([
      { name: 'app.auth_events', grantee: 'cairn_owner', privileges: 'insert' },
      // For the archive alone: remove_events.
      { name: 'events', grantee: 'cairn_keeper', privileges: 'delete' },
      { name: 'events', grantee: 'cairn_owner', privileges: 'insert' },
    ]);
    const columns = await query(
      `select a.attrelid::regclass::text as name, a.attname as column, g.grantee::regrole::text as grantee
         from pg_attribute a cross join lateral aclexplode(a.attacl) g where g.privilege_type <> 'SELECT' order by 2`,
    );
    expect(columns).toEqual([
      { name: 'events', column: 'payload', grantee: 'cairn_keeper' },
      { name: 'events', column: 'redacted_at', grantee: 'cairn_keeper' },
    ]);
  });

  test('is read by the door and, in public, by signed-in users', async () => {
    const readers = await query<{ name: string; grantee: string }>(
      `select c.oid::regclass::text as name, a.grantee::regrole::text as grantee from (select c.* ${TABLES}) c
         cross join lateral aclexplode(c.relacl) a where a.privilege_type = 'SELECT' and a.grantee <> c.relowner`,
    );

    expect(
      readers.filter(({ grantee }) => !['authenticated', 'cairn_owner', 'cairn_keeper'].includes(grantee)),
    ).toEqual([]);
    expect(readers.filter(({ name, grantee }) => grantee === 'authenticated' && name.startsWith('app.'))).toEqual([]);
    expect(readers).not.toContainEqual({ name: 'oauth_tokens', grantee: 'authenticated' });
  });

  test('has the tenant first in its keys', async () => {
    const keys = await query<{ name: string; first: string }>(
      `select k.conrelid::regclass::text as name, (select a.attname from pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[1]) as first
         from pg_constraint k join (select c.oid ${TABLES}) c on c.oid = k.conrelid where k.contype in ('p', 'u')`,
    );

    const own = [
      'users',
      'tenants',
      'app.record_tables',
      'app.event_types',
      'app.event_fields',
      'app.task_moves',
      'app.read_models',
      'system_config',
      'system_config_history',
      'model_prices',
    ];
    expect(keys.filter(({ name, first }) => first !== 'tenant_id' && !own.includes(name))).toEqual([]);
  });
});

describe('a category', () => {
  type Source = { name: string; volatility: string; source: string };
  let functions: Map<string, Source>;
  let types: { event_type: string; category: string }[];

  beforeAll(async () => {
    const rows = await query<Source>(
      `select p.proname as name, p.provolatile as volatility, p.prosrc as source from pg_proc p ${IN_SCHEMAS}`,
      [['app']],
    );
    functions = new Map(rows.map((row) => [row.name, row]));
    types = await query(`select event_type, split_part(event_type, '.', 1) as category from app.event_types`);
  });

  test('refuses to create what is there, and to change what is not', async () => {
    const models = await query<{ category: string }>('select category from app.read_models');
    const others = { project: 'app.guard_project(', task: 'app.guard_task(' };

    for (const { category } of models) {
      const check = { [category]: `app.check_stream('${category}'`, ...others }[category];
      expect([category, functions.get(`apply_${category}`)?.source]).toEqual([
        category,
        expect.stringContaining(`perform ${check}`),
      ]);
    }
  });

  test('has an evolve that computes and reads nothing', async () => {
    const models = await query<{ category: string }>('select category from app.read_models');

    for (const { category } of models) {
      const evolve = functions.get(`evolve_${category}`);
      expect([category, evolve?.volatility]).toEqual([category, 'i']);
    }
    for (const { name, volatility, source } of functions.values()) {
      if (volatility !== 'i') continue;
      expect([name, source]).toEqual([
        name,
        expect.not.stringMatching(/\b(from|join|into|update)\s+(public|app)\.\w+\b(?!\()/),
      ]);
      const called = [...source.matchAll(/\bapp\.(\w+)\(/g)].map(([, callee = '']) => functions.get(callee));
      // app.fail is the one call that computes nothing: it ends the command.
      const impure = called.filter((callee) => callee && callee.volatility !== 'i' && callee.name !== 'fail');
      expect([name, impure.map((callee) => callee?.name)]).toEqual([name, []]);
    }
  });

  test('enters by the one door', () => {
    const door = functions.get('apply_event')?.source ?? '';

    for (const category of new Set(types.map((type) => type.category))) {
      expect(door).toMatch(new RegExp(`when '${category}' then return app\\.apply_\\w+\\(event, expect, actor\\);`));
    }
  });

  test('handles each of its event types', () => {
    const unhandled = types.filter(({ event_type, category }) => {
      const alone = types.filter((type) => type.category === category).length === 1;
      // A note changes nothing but the version.
      return !alone && !event_type.endsWith('.noted') && !mentions(category, event_type);
    });

    expect(unhandled).toEqual([]);
  });

  function mentions(category: string, type: string): boolean {
    const { source } = functions.get(`evolve_${category}`) ?? { source: '' };
    const others = types.filter((other) => other.category === category && source.includes(`'${other.event_type}'`));
    return (
      source.includes(`'${type}'`) || (/\n {2}else\n/.test(source) && others.length === 1) || /session/.test(category)
    );
  }

  test('has no event type in TypeScript that SQL does not know', async () => {
    const directory = new URL('../../src/events/', import.meta.url);
    const files = await readdir(directory);
    const sources = await Promise.all(files.map((file) => readFile(new URL(file, directory), 'utf8')));

    const constructed = sources.flatMap((source) =>
      [...source.matchAll(/'([a-z]+\.[a-z_]+)'/g)].map(([, type]) => type),
    );

    expect(constructed.length).toBeGreaterThan(10);
    const known = new Set(types.map(({ event_type }) => event_type));
    expect(constructed.filter((type) => !known.has(type ?? ''))).toEqual([]);
  });
});

test('the log cannot be truncated with what it hangs on', async () => {
  // Not in the database that others use: it would wait for every table, and others for it.
  await expect(query('truncate public.tenants cascade')).rejects.toMatchObject({ code: 'PT403' });
});

test('the dumped schema is the schema, on every version of PostgreSQL', async () => {
  const client = await scratch.connect();

  const schema = await schemaOf(client);
  await client.end();

  expect(schema, 'npm run schema').toEqual(await storedSchema());
});

test('the version of each chapter is a time, as the Supabase CLI has it', async () => {
  const { history, versioned } = listSchemaFiles();
  const versions = [...history, ...versioned].map(({ version }) => version);

  const times = versions.map((version) => version.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6.000Z'));
  expect(times.filter((time) => new Date(time).toISOString() !== time)).toEqual([]);
});

test('the error codes of SQL are those of TypeScript, with the same status', async () => {
  const [row] = await query<{ source: string }>(`select prosrc as source from pg_proc where proname = 'error_status'`);

  const inSql = Object.fromEntries(
    [...(row?.source ?? '').matchAll(/when '(\w+)' then '(\d+)'/g)].map(([, code, status]) => [code, Number(status)]),
  );

  const { internal, ...others } = ERROR_CODES;
  expect(inSql).toEqual(Object.fromEntries(Object.entries(others).map(([code, { status }]) => [code, status])));
  expect(await query(`select app.error_status('internal')::int as status`)).toEqual([{ status: internal.status }]);
  const raised = await query<{ code: string }>(
    `select distinct (regexp_matches(prosrc, 'app\\.fail\\(\\s*''(\\w+)''', 'g'))[1] as code from pg_proc`,
  );
  expect(raised.map(({ code }) => code).filter((code) => !Object.hasOwn(ERROR_CODES, code))).toEqual([]);
});
