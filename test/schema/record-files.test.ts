import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archiveRecords, importRecords, readRecords, removeFiles } from '../../src/services/records.ts';
import { SYSTEM } from '../../src/workers/claims.ts';
import { blobs } from '../support/blobs.ts';
import type { Caller } from '../support/commands.ts';
import { collect, type HeronWorld, openHeronWorld, type Row, see, tenantOf } from '../support/herons.ts';
import type { Scratch } from '../support/scratch.ts';

// What of records lies in files, while others read, import and change.

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

const archive = () => world.archive();
const drop = () => world.drop();

describe('a part that is in files', () => {
  const old = { daysAgo: 66 };
  let mine: Row[];

  beforeAll(async () => {
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), ...old, count: 6_000 });
    mine = await collect(readRecords({ ...ada, blobs }));
    await archive();
    await drop();
  });

  test('stays as it is when another workspace, or its own, imports into its time', async () => {
    const [row] = mine;
    const anew = { ...row, number: 9_999_999 };

    expect(await importRecords(ada, { table_name: 'herons', records: [JSON.stringify(anew)] })).toEqual({
      imported: 0,
      skipped: 1,
    });
    expect(await importRecords(bob, { table_name: 'herons', records: [JSON.stringify(anew)] })).toEqual({
      imported: 1,
      skipped: 0,
    });

    expect(await collect(readRecords({ ...ada, blobs }))).toEqual(mine);
    await archive();
    await drop();
    expect(await collect(readRecords({ ...ada, blobs }))).toEqual(mine);
    expect(await collect(readRecords({ ...bob, blobs }))).toEqual([anew]);
  });

  test('is read to its end though it leaves the table meanwhile', async () => {
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 38, count: 12_000 });
    const before = await collect(readRecords({ ...ada, blobs }));
    const reading = readRecords({ ...ada, blobs });
    const read: Row[] = [];
    for await (const { records } of reading) {
      for (const record of records) read.push(JSON.parse(record));
      if (read.length === 11_000) {
        await archive();
        expect(await drop()).toHaveLength(1);
      }
    }

    expect(read).toEqual(before);
  });

  test('has its files once, and those before them are removed', async () => {
    const flock = randomUUID();
    await see(scratch, { tenant: tenantOf(ada), flock, daysAgo: 59, count: 2 });
    await archive();
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 59 });
    await archive();
    const files = await readdir(folder);

    expect(await removeFiles(world.server)).toBe(1);

    expect(await readdir(folder)).toHaveLength(files.length - 1);
    expect(await drop()).toHaveLength(1);
    expect((await collect(readRecords({ ...ada, blobs }))).filter((row) => row['flock'] === flock)).toHaveLength(2);
  });

  test('is written anew if a row of it was changed', async () => {
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 73, count: 2 });
    await archive();
    await scratch.sql.query(`update public.herons set said = 'new' where seen_at < now() - interval '72 days'`);

    expect(await drop()).toEqual([]);
    expect(await archive()).toMatchObject([{ records: 2 }]);
    expect(await drop()).toHaveLength(1);
    const rows = await collect(readRecords({ ...ada, blobs }));
    expect(rows.filter((row) => row['said'] === 'new')).toHaveLength(2);
  });

  test('keeps its files when a worker that slept finds nothing more of it in the table', async () => {
    for (const daysAgo of [80, 87]) {
      await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo, count: 2 });
    }
    const before = await collect(readRecords({ ...ada, blobs }));
    const slept = archiveRecords(world.server, folder);
    await slept.next();
    await archive();
    expect(await drop()).toHaveLength(2);

    expect(await slept.next()).toMatchObject({ value: { records: 0 } });

    const { rows } = await scratch.sql.query(
      'select starts_at, location from app.record_archives where tenant_id = $1 order by starts_at limit 1',
      [tenantOf(ada)],
    );
    const manifest = { table: 'herons', ...rows[0], checksum: '0', parts: [] };
    const emptying = scratch.db.call('archive_records', { manifest }, { ...SYSTEM, tenant_id: tenantOf(ada) });
    await expect(emptying).rejects.toMatchObject({ code: 'invalid_input' });
    await removeFiles(world.server);
    expect(await collect(readRecords({ ...ada, blobs }))).toEqual(before);
  });

  test('has its records as they were: large numbers, and what a terminal would act on', async () => {
    await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 52, count: 2 });
    await scratch.sql.query(
      `update public.herons set number = 9007199254740993 - number, said = E'\\x1b[31mred\\x1b[0m\\u202e'
       where seen_at between now() - interval '53 days' and now() - interval '51 days'`,
    );
    const { rows } = await scratch.sql.query(
      `select (to_jsonb(h) - 'tenant_id')::text as row from public.herons h where number > 9007199254740000 order by number`,
    );

    await archive();
    await drop();

    const read = [];
    for await (const { records } of readRecords({ ...ada, blobs })) read.push(...records);
    expect(read.filter((record) => record.includes('900719925474'))).toEqual(rows.map(({ row }) => row));
  });
});

test('large records are read and archived, a few a page', async () => {
  const flock = randomUUID();
  await see(scratch, { tenant: tenantOf(bob), flock, count: 5 });
  await scratch.sql.query(`update public.herons set said = repeat('word ', 1000000) where flock = $1`, [flock]);

  const sizes = [];
  for await (const { records } of readRecords({ ...bob, blobs })) sizes.push(records.length);

  expect(sizes.slice(-3)).toEqual([2, 2, 1]);
});
