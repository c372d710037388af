import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { archiveRecords, dropPartitions } from '../../src/services/records.ts';
import { SYSTEM } from '../../src/workers/claims.ts';
import { blobs } from './blobs.ts';
import type { Caller } from './commands.ts';
import { createScratch, type Scratch } from './scratch.ts';

/** A table of records as a chapter would make it: what was seen, kept 90 days and in files after 30. */
export const HERONS = `
  create table public.herons (
    tenant_id uuid not null references public.tenants,
    project_id uuid,
    flock uuid not null,
    number bigint not null,
    seen_at timestamptz not null,
    said text not null,
    loud boolean generated always as (said = upper(said)) stored,
    primary key (tenant_id, flock, number, seen_at)
  ) partition by range (seen_at);
  create index idx_herons_seen_at on public.herons using brin (seen_at);
  select app.define_records('herons', 'week', archive_days => 30, keep_days => 90);`;

export async function createHerons({ sql }: Scratch): Promise<void> {
  await sql.query(HERONS);
}

export type Seen = { tenant: string; flock: string; daysAgo?: number; count?: number };

/** Adds so many records of a flock; makes the partitions of their times, also of those that nothing takes any more. */
export async function see({ sql }: Scratch, { tenant, flock, daysAgo = 0, count = 1 }: Seen): Promise<void> {
  await sql.query(`select app.make_partitions(now() - make_interval(days => $1))`, [daysAgo]);
  await sql.query(
    `insert into public.herons (tenant_id, flock, number, seen_at, said)
     select $1, $2, n, now() - make_interval(days => $3) + n * interval '1 microsecond', 'word ' || n
     from generate_series(1, $4) n`,
    [tenant, flock, daysAgo, count],
  );
}

export async function partitions({ sql }: Scratch): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    `select relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'public.herons'::regclass order by 1`,
  );
  return rows.map(({ name }) => name);
}

export type Row = Record<string, unknown>;

/** Reads everything there is, in the order in which it comes. */
export async function collect(pages: AsyncIterable<{ records: string[] }>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const { records } of pages) for (const record of records) all.push(JSON.parse(record));
  return all;
}

export type HeronWorld = Awaited<ReturnType<typeof openHeronWorld>>;

/** A database with that table, two people in workspaces of their own, and a directory for files. */
export async function openHeronWorld() {
  const scratch = await createScratch();
  const [ada, bob] = [await scratch.signIn('ada'), await scratch.signIn('bob')];
  await createHerons(scratch);
  const folder = await mkdtemp(join(inject('scratch'), 'records-'));
  const server = { db: scratch.db, actor: SYSTEM, blobs };
  return {
    scratch,
    ada,
    bob,
    folder,
    server,
    async archive() {
      const moved = [];
      for await (const part of archiveRecords(server, folder)) moved.push(part);
      return moved;
    },
    /** Drops what may go, and answers with the partitions of that table among it. */
    async drop() {
      return (await dropPartitions(server)).filter((name) => name.startsWith('herons_'));
    },
    async close() {
      await scratch.drop();
      await rm(folder, { recursive: true });
    },
  };
}

export const tenantOf = ({ actor }: Caller) => actor.tenant_id ?? '';
