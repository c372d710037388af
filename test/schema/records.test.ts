import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { importRecords, makePartitions, readRecords, removeFiles } from '../../src/services/records.ts';
import { SYSTEM } from '../../src/workers/claims.ts';
import { partitions as partitionsJob } from '../../src/workers/partitions.ts';
import { retention as retentionJob } from '../../src/workers/retention.ts';
import { blobs } from '../support/blobs.ts';
import type { Caller } from '../support/commands.ts';
import { collect, type HeronWorld, openHeronWorld, partitions, see, tenantOf } from '../support/herons.ts';
import type { Scratch } from '../support/scratch.ts';

// A table of records, declared by one line after everything else.

let world: HeronWorld;
let scratch: Scratch;
let ada: Caller;
let bob: Caller;
let folder: string;

beforeAll(async () => {
  world = await openHeronWorld();
  ({ scratch, ada, bob, folder } = world);
});
afterAll(() => world.close());

const server = () => world.server;
const archive = () => world.archive();
const drop = () => world.drop();

describe('partitions', () => {
  test('are made two months ahead, once, by however many at once', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, () => makePartitions(server(), {})));

    expect(made.flatMap((one) => one.made)).toEqual([]);
    expect((await partitions(scratch)).length).toBeGreaterThanOrEqual(9);
  });

  test('are out of everybody’s reach, however they are named', async () => {
    for (const name of await partitions(scratch)) {
      const { rows } = await scratch.sql.query(
        `select relrowsecurity and relforcerowsecurity as secured,
           has_table_privilege('authenticated', oid, 'select') or has_table_privilege('cairn_owner', oid, 'select')
             or has_table_privilege('service_role', oid, 'select') or has_table_privilege('anon', oid, 'select') as open
         from pg_class where oid = ('app.' || $1)::regclass`,
        [name],
      );
      expect([name, rows[0]]).toEqual([name, { secured: true, open: false }]);
    }
  });

  test('are made for a time that was forgotten, and for none that nothing takes', async () => {
    const [ensure, some] = [`select app.ensure_partition('herons', now() - make_interval(days => $1))`, 21];
    const before = await partitions(scratch);

    await scratch.sql.query(ensure, [some]);

    expect((await partitions(scratch)).length).toBe(before.length + 1);
    await expect(scratch.sql.query(ensure, [31])).rejects.toMatchObject({ code: 'PT400' });
    await expect(scratch.sql.query(ensure, [-2])).rejects.toMatchObject({ code: 'PT400' });
  });

  test('of a table that is partitioned by something else are refused when it is declared', async () => {
    await scratch.sql.query('create table public.gulls (tenant_id uuid primary key) partition by hash (tenant_id)');

    await expect(scratch.sql.query(`select app.define_records('gulls', 'week')`)).rejects.toThrow(
      /partitioned by range/,
    );
  });
});

describe('records', () => {
  test('are seen by their workspace alone, whoever asks', async () => {
    const flock = randomUUID();
    await see(scratch, { tenant: tenantOf(ada), flock, count: 3 });

    expect(await collect(readRecords({ ...ada, blobs }, 'herons'))).toHaveLength(3);
    expect(await collect(readRecords({ ...bob, blobs }, 'herons'))).toEqual([]);
    await scratch.sql.query('begin');
    await scratch.sql.query('set local role authenticated');
    await scratch.sql.query(`select set_config('request.jwt.claims', $1, true)`, [
      JSON.stringify({ sub: bob.actor.user_id, role: 'authenticated' }),
    ]);
    const { rows } = await scratch.sql.query('select count(*)::integer as seen from public.herons');
    await scratch.sql.query('rollback');
    expect(rows).toEqual([{ seen: 0 }]);
  });

  test('are not verified, replayed or changed', async () => {
    const { rows } = await scratch.sql.query(
      `select has_table_privilege('cairn_owner', 'public.herons', 'update') as change,
         has_table_privilege('cairn_owner', 'public.herons', 'insert') as add,
         exists (select from app.read_models where table_name = 'herons') as folded`,
    );

    expect(rows).toEqual([{ change: false, add: true, folded: false }]);
  });

  test('that are old are moved to files, leave their table, and are read as before', async () => {
    const [mine, hers] = [randomUUID(), randomUUID()];
    await see(scratch, { tenant: tenantOf(ada), flock: mine, daysAgo: 45, count: 11_000 });
    await see(scratch, { tenant: tenantOf(bob), flock: hers, daysAgo: 45, count: 2 });
    const before = await collect(readRecords({ ...ada, blobs }));

    expect(await drop()).toEqual([]);
    const moved = await archive();

    expect(moved.map(({ records }) => records).sort()).toEqual([11_000, 2]);
    expect(await drop()).toHaveLength(1);
    expect(await collect(readRecords({ ...ada, blobs }))).toEqual(before);
    expect(await collect(readRecords({ ...bob, blobs }))).toHaveLength(2);
    expect(await archive()).toEqual([]);
  });

  test('that come late are moved with the next run, and none is lost', async () => {
    const flock = randomUUID();
    await see(scratch, { tenant: tenantOf(ada), flock, daysAgo: 60, count: 2 });
    await archive();
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 60 });

    expect(await drop()).toEqual([]);
    expect(await archive()).toMatchObject([{ records: 3 }]);
    expect(await drop()).toHaveLength(1);
  });

  test('that are too old to keep are deleted, and so are their files', async () => {
    await scratch.sql.query(`update app.record_archives set starts_at = starts_at - interval '98 days',
      ends_at = ends_at - interval '98 days'`);
    const files = (await readdir(folder)).length;
    expect(files).toBeGreaterThan(0);
    const { rows } = await scratch.sql.query(`select (select count(*) from app.record_archives)::integer
       + (select count(*) from app.replaced_record_files)::integer as kept`);

    expect(await removeFiles(server())).toBe(rows[0].kept);
    expect(await removeFiles(server())).toBe(0);
    expect(await collect(readRecords({ ...bob, blobs }))).toEqual([]);

    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 120 });
    expect(await drop()).toHaveLength(1);
  });

  test('are kept by jobs: partitions made, old records in files, what is in files dropped', async () => {
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 53, count: 2 });
    const kept = await collect(readRecords({ ...ada, blobs }));
    await scratch.sql.query(`drop table app.${(await partitions(scratch)).at(-1)}`);
    const config = readConfig({ dataDir: folder, databaseUrl: 'postgres://nowhere' }, {});
    const machine = { ...server(), config, log: createLog('silent'), connect: scratch.connect };
    const given = { actor: SYSTEM, signal: new AbortController().signal };
    const before = await partitions(scratch);

    await retentionJob.run(machine, { ...given, settings: {} });
    await partitionsJob.run(machine, { ...given, settings: {} });
    expect((await partitions(scratch)).length).toBe(before.length + 1);

    await retentionJob.run(machine, { ...given, settings: { to: folder } });
    await partitionsJob.run(machine, { ...given, settings: {} });
    expect((await partitions(scratch)).length).toBe(before.length);
    expect(await collect(readRecords({ ...ada, blobs }))).toEqual(kept);
    const { rows } = await scratch.sql.query(`select reltuples from pg_class where oid = 'public.herons'::regclass`);
    expect(rows[0].reltuples).toBeGreaterThanOrEqual(0);
  });

  test('of a table that is none are refused', async () => {
    const reading = scratch.db.call('read_records', { table_name: 'users', starts_at: '2026-01-01' }, ada.actor);

    await expect(reading).rejects.toMatchObject({ code: 'not_found', message: 'There are no records users.' });
  });

  test('are read after a record, and after nothing else', async () => {
    const args = { table_name: 'herons', starts_at: new Date().toISOString(), after: '{"flock": "x"}' };

    await expect(scratch.db.call('read_records', args, ada.actor)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('are in files only if the files have all of them', async () => {
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 75, count: 2 });
    const { rows } = await scratch.sql.query(`select now() - interval '75 days' as at`);
    const parts = [{ records: 1, file: 'a.gz', sha256: 'a'.repeat(64) }];
    const manifest = { table: 'herons', starts_at: rows[0].at, location: folder, checksum: '0', parts };
    const system = { ...SYSTEM, tenant_id: tenantOf(ada) };

    await expect(scratch.db.call('archive_records', { manifest }, system)).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'The files hold other records of herons than the table.',
    });
    expect(await archive()).toMatchObject([{ records: 2 }]);
  });

  test('come into another workspace, once', async () => {
    const rows = (await collect(readRecords({ ...ada, blobs }, 'herons'))).slice(0, 3);
    expect(rows).toHaveLength(3);

    const into = (records: object[]) =>
      importRecords(bob, { table_name: 'herons', records: records.map((record) => JSON.stringify(record)) });
    expect(await into(rows)).toEqual({ imported: 3, skipped: 0 });
    expect(await into(rows)).toEqual({ imported: 0, skipped: 3 });
    expect(await collect(readRecords({ ...bob, blobs }, 'herons'))).toEqual(rows);
    await expect(into([{ ...rows[0], number: 'three' }])).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(into([{ ...rows[0], number: 9, said: null }])).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(into([])).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(into([{ ...rows[0], flock: 'x'.repeat(9_999) }])).rejects.toMatchObject({
      message: expect.stringMatching(/^.{0,400}$/),
    });
  });
});
