import { expect } from 'vitest';
import { END_REASONS, ENUMS, EVENTS, FUNCTIONS, LATER, RELATIONS, TRIGGERS, words } from '../required-names.ts';
import { test } from '../support/world.ts';

test.for(Object.entries(RELATIONS))(
  '%s is there, with the columns that were promised',
  async ([name, promised], { sql }) => {
    const { rows: kinds } = await sql.query(
      `select case when relkind in ('r', 'p') then 'table' when relkind = 'v' then 'view' end as is
     from pg_class where relnamespace = 'public'::regnamespace and relname = $1`,
      [name],
    );
    const { rows } = await sql.query(
      `select column_name from information_schema.columns where table_schema = 'public' and table_name = $1`,
      [name],
    );

    expect(kinds).toEqual([{ is: promised.is }]);
    expect(rows.map((row) => row.column_name)).toEqual(expect.arrayContaining(words(promised.columns)));
  },
);

const VALUES = Object.entries(RELATIONS).flatMap(([name, { values = {} }]) =>
  Object.entries(values).map(([column, promised]) => [name, column, promised] as const),
);

test.for(VALUES)('%s.%s takes the values that were promised', async ([name, column, promised], { sql }) => {
  // A check of one column, or what a view says.
  const { rows } = await sql.query<{ definition: string }>(
    `select pg_get_constraintdef(c.oid) as definition
     from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
     where c.contype = 'c' and c.conrelid = $1::text::regclass and a.attname = $2
     union all
     select pg_get_viewdef(oid) from pg_class where oid = $1::text::regclass and relkind = 'v'`,
    [`public.${name}`, column],
  );

  const literals = rows.flatMap(({ definition }) => [...definition.matchAll(/'(\w+)'/g)].map(([, value]) => value));

  expect(literals).toEqual(expect.arrayContaining(words(promised)));
});

test.for(Object.entries(ENUMS))('the type %s has its values', async ([name, values], { sql }) => {
  const { rows } = await sql.query(
    `select enumlabel as value from pg_enum e join pg_type t on t.oid = e.enumtypid
     where t.typnamespace = 'public'::regnamespace and t.typname = $1 order by enumsortorder`,
    [name],
  );

  expect(rows.map(({ value }) => value)).toEqual(words(values));
});

test('the event types that were promised are declared', async ({ sql }) => {
  const promised = Object.entries(EVENTS).flatMap(([category, types]) =>
    words(types).map((type) => `${category}.${type}`),
  );

  const { rows } = await sql.query('select event_type from app.event_types');

  const declared = rows.map((row) => row.event_type);
  expect(promised.filter((type) => !declared.includes(type))).toEqual([]);
});

test('a run ends for the reasons that were promised', async ({ sql }) => {
  const { rows } = await sql.query(
    `select one_of from app.event_fields where event_type = 'run.finished' and field = 'end_reason'`,
  );

  expect(rows).toEqual([{ one_of: expect.arrayContaining(words(END_REASONS)) }]);
});

test('the functions that were promised are there', async ({ sql }) => {
  const { rows } = await sql.query(
    `select proname as name from pg_proc
     where proname = any ($1::text[]) and pronamespace in ('public'::regnamespace, 'app'::regnamespace)`,
    [words(FUNCTIONS)],
  );

  expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(words(FUNCTIONS)));
});

test.for(Object.entries(TRIGGERS))('%s has the triggers that were promised', async ([name, promised], { sql }) => {
  const { rows } = await sql.query(
    'select tgname as name from pg_trigger where tgrelid = $1::text::regclass and not tgisinternal',
    [`public.${name}`],
  );

  expect(rows.map((row) => row.name)).toEqual(expect.arrayContaining(words(promised)));
});

test('what was promised for later is not there, or belongs among what is', async ({ sql }) => {
  const { rows } = await sql.query(
    `select relname as name from pg_class where relname = any ($1::text[]) and relnamespace = 'public'::regnamespace
     union all
     select proname from pg_proc
     where proname = any ($2::text[] || $3::text[]) and pronamespace in ('public'::regnamespace, 'app'::regnamespace)
     union all
     select tgname from pg_trigger where tgname = any ($3::text[])
     union all
     select event_type from app.event_types where event_type = any ($4::text[])`,
    [LATER.relations, LATER.functions, LATER.triggers, LATER.events].map(words),
  );

  expect(rows.map(({ name }) => `${name}: move it up in test/required-names.ts`)).toEqual([]);
});
