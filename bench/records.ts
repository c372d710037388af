// What the records of a month cost: a table of small rows, as an agent's steps are, in a workspace. They are added,
// archived to a directory, dropped with their partition, and read back from the files.
import { join } from 'node:path';
import type pg from 'pg';
import { blobStores } from '../src/blobs/open.ts';
import type { Database } from '../src/db/database.ts';
import { signInAs } from '../src/local.ts';
import { archiveRecords, dropPartitions, readRecords } from '../src/services/records.ts';
import { SYSTEM } from '../src/workers/claims.ts';
import { table } from './section.ts';

const BATCH = 10_000;
const STEPS = `
  create table public.bench_steps (
    tenant_id uuid not null references public.tenants,
    run uuid not null,
    number bigint not null,
    ended_at timestamptz not null,
    name text not null,
    content jsonb not null,
    primary key (tenant_id, run, number, ended_at)
  ) partition by range (ended_at);
  select app.define_records('bench_steps', 'month', archive_days => 30);`;
const ADD = `
  insert into public.bench_steps
  select $1, md5((n / 1000)::text)::uuid, n, $2::timestamptz + n * interval '1 millisecond', 'step ' || n % 17,
    jsonb_build_object('tool', 'read_file', 'path', md5(n::text), 'tokens', n % 4096, 'text', repeat(md5(n::text), 4))
  from generate_series($3::bigint, $4::bigint) n`;

type Measured = { db: Database; sql: pg.Client };

/** Measures so many records of a month that is over, and their files in a directory. */
export async function measureRecords({ db, sql }: Measured, directory: string, count: number): Promise<string[]> {
  const { tenant_id, user_id } = await signInAs(
    { db, actor: SYSTEM },
    { identity: { issuer: 'bench', subject: 'records', name: 'Records' } },
  );
  const keeper = { db, actor: SYSTEM, blobs: blobStores({}) };
  const month = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 3, 2)).toISOString();
  await sql.query(STEPS);
  await sql.query('select app.make_partitions($1)', [month]);
  const added = await timedSeconds(async () => {
    for (let from = 1; from <= count; from += BATCH) {
      await sql.query(ADD, [tenant_id, month, from, Math.min(count, from + BATCH - 1)]);
    }
  });
  await sql.query('analyze public.bench_steps');
  const bytes = await sizeOf(sql);
  const reader = { ...keeper, actor: { user_id, tenant_id } };
  const read = await timedSeconds(() => countAll(reader, count));
  const archived = await timedSeconds(async () => {
    for await (const _part of archiveRecords(keeper, join(directory, 'archive')));
  });
  const dropped = await timedSeconds(async () => {
    const names = await dropPartitions(keeper);
    if (names.length !== 1) throw new Error(`${names.length} partitions were dropped.`);
  });
  const back = await timedSeconds(() => countAll(reader, count));
  const row = (what: string, seconds: number) => [
    what,
    `${seconds.toFixed(1)} s`,
    Math.round(count / seconds).toLocaleString('en'),
    (seconds / added).toFixed(2),
  ];
  return [
    ...table(
      [
        `${count.toLocaleString('en')} records of a month, ${Math.round(bytes / count)} bytes each`,
        'time',
        'records a second',
        'times adding them',
      ],
      [
        row('added, in batches of 10,000', added),
        row('read from the table', read),
        row('archived: written, read back, counted', archived),
        row('dropped with their partition', dropped),
        row('read from the files', back),
      ],
    ),
  ];
}

async function sizeOf(sql: pg.Client): Promise<number> {
  const { rows } = await sql.query<{ bytes: string }>(
    `select sum(pg_total_relation_size(inhrelid)) as bytes from pg_inherits
     where inhparent = 'public.bench_steps'::regclass`,
  );
  return Number(rows[0]?.bytes);
}

async function countAll(reader: Parameters<typeof readRecords>[0], wanted: number): Promise<void> {
  let seen = 0;
  for await (const { records } of readRecords(reader, 'bench_steps')) seen += records.length;
  if (seen !== wanted) throw new Error(`${seen} of ${wanted} records were read.`);
}

async function timedSeconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}
