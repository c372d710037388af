import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { archiveEvents, verifyArchives } from '../../src/services/archive.ts';
import { listEvents } from '../../src/services/events.ts';
import { exportEvents, importEvents } from '../../src/services/transfer.ts';
import { ask } from '../support/ask.ts';
import { directoryStore, lossyStore } from '../support/blobs.ts';
import { call } from '../support/calls.ts';
import { asRecorded, createTask, note, replay, verify } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { archiveUntil } from '../support/killed-archiving.ts';
import { hashTables } from '../support/rows.ts';
import { test } from '../support/world.ts';

const DAY = 86_400;
const BEFORE = new Date(Date.now() + 200 * DAY * 1_000).toISOString();

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn archive é-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Clock = { advance(by: { seconds: number }): Promise<void> };

/** A year of work, then some of this year. */
async function liveLong(ctx: Context, clock: Clock): Promise<void> {
  await fillWorkspace(ctx);
  await note(ctx, 'The last of the year.');
  await clock.advance({ seconds: 400 * DAY });
  await createTask(ctx, { title: 'Feed the pelican' });
  await note(ctx, 'The first of this year.');
}

async function archive(ctx: Context, segment = 7): Promise<number> {
  let events = 0;
  for await (const part of archiveEvents(ctx, { before: BEFORE, store: directoryStore(folder), segment })) {
    events += part.events;
  }
  return events;
}

async function count(sql: pg.Pool, tenant: string | undefined): Promise<number> {
  const { rows } = await sql.query('select count(*)::int as n from public.events where tenant_id = $1', [tenant]);
  return rows[0].n;
}

async function exported(ctx: Context): Promise<object[]> {
  const events: object[] = [];
  for await (const page of exportEvents(ctx, undefined)) events.push(...page.events);
  return events;
}

/** Everything of the timeline, page by page, in one direction. */
async function timeline(ctx: Context, input: object): Promise<unknown[]> {
  const events: unknown[] = [];
  let cursor: unknown;
  do {
    const page = await call(ctx, 'list_events', { ...input, cursor, page_size: 4 });
    events.push(...(page['events'] as unknown[]));
    cursor = page['next_cursor'];
  } while (cursor !== undefined);
  return events;
}

describe('events that were archived', () => {
  test('leave the table, and are read as before', async ({ as, clock, sql, people }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    const reads: [string, () => Promise<unknown>][] = [
      ['timeline, newest first', () => timeline(ada, { project: 'web' })],
      ['timeline, oldest first', () => timeline(ada, { project: '*', after_seq: 0 })],
      ['timeline from the middle', () => timeline(ada, { project: 'web', after_seq: 5, include_data: true })],
      ['timeline before a position', () => timeline(ada, { project: 'web', before_seq: 6 })],
      ['timeline of a task', () => timeline(ada, { task: 'web-1' })],
      ['notes', () => timeline(ada, { project: 'web', types: ['project.noted'], kinds: ['note'] })],
      ['waiting from the start', () => call(ada, 'wait_for_events', { after_seq: 0 })],
      ['state as of a position', () => call(ada, 'get_state', { project: 'web', seq: 6 })],
      ['state as of a time', () => call(ada, 'get_state', { project: 'web', at: BEFORE })],
      ['state now', () => call(ada, 'get_state', { project: 'web' })],
      ['the latest checkpoint', () => call(ada, 'get_checkpoint', { project: 'web' })],
      ['export', () => exported(ada)],
    ];
    const before = await Promise.all(reads.map(async ([what, read]) => [what, await read()]));

    const moved = await archive(ada);

    expect(moved).toBeGreaterThan(14);
    expect(await count(sql, people.owner.tenant_id)).toBe(2);
    for (const [at, [what, read]] of reads.entries()) expect([what, await read()]).toEqual(before[at]);
    expect(await archive(ada)).toBe(0);
  });

  test('leave a chain that goes on and is verified, with the files and without', async ({ as, clock }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    const moved = await archive(ada);
    await note(ada, 'The chain goes on.');

    expect(await verify(ada)).toMatchObject({ ok: true, events: 3, position: moved + 3 });
    expect(await verifyArchives(ada)).toEqual({ events: moved });
  });

  test('are the start from which everything is made anew', async ({ as, clock, sql, people }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    await archive(ada);
    const task = await call(ada, 'claim_task', { task: 'web-5' });
    await call(ada, 'complete_task', { task: 'web-5', lock_token: task.task.lock_token });
    const live = async () =>
      (await hashTables(sql, people.owner.tenant_id)).filter((row) => !/search/.test(JSON.stringify(row)));
    const before = await live();

    await replay(ada);

    expect(await live()).toEqual(before);
    expect(await verify(ada)).toMatchObject({ ok: true });
  });

  test('come along with an export, positions and hashes as they were', async ({ as, asStranger, clock }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    await archive(ada);
    await clock.setForStranger();

    for await (const page of exportEvents(ada, undefined)) {
      if (page.events.length > 0) await importEvents(asStranger('eve'), page);
    }

    const events = await exported(ada);
    expect(asRecorded(await exported(asStranger('eve')))).toEqual(events);
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });

  test('are shown with who imported them', async ({ as, asStranger, clock }) => {
    await liveLong(as('ada'), clock);
    await clock.setForStranger();
    for await (const page of exportEvents(as('ada'), undefined)) await importEvents(asStranger('eve'), page);
    await archive(asStranger('eve'));

    const { events } = await listEvents(asStranger('eve'), { include_data: false, page_size: 100 });

    expect(new Set(events.map(({ imported_by }) => imported_by))).toEqual(new Set(['stranger']));
  });
});

describe('archiving', () => {
  test('that is interrupted between any two steps loses nothing, and a repeat goes on', async ({ as, clock }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    const before = await exported(ada);
    for (const step of ['write 1', 'write 2', 'write 3', 'read 4', 'archive_events'] as const) {
      await expect(archiveUntil(ada, step, { folder, before: BEFORE }), step).rejects.toThrow();
      expect(await exported(ada), step).toEqual(before);
      expect(await verify(ada), step).toMatchObject({ ok: true });
    }

    await archive(ada);

    expect(await exported(ada)).toEqual(before);
    expect(await verify(ada)).toMatchObject({ ok: true });
    expect(await verifyArchives(ada)).not.toHaveProperty('difference');
  });

  test('does not remove what was not read back as it was', async ({ as, clock, sql, people }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    const kept = await count(sql, people.owner.tenant_id);

    const attempt = archiveEvents(ada, { before: BEFORE, store: lossyStore(folder) }).next();

    await expect(attempt).rejects.toMatchObject({ code: 'unavailable' });
    expect(await count(sql, people.owner.tenant_id)).toBe(kept);
  });

  test('by many at once moves each event once, and leaves the files that the log names', async ({ as, clock }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    const before = await exported(ada);

    await Promise.allSettled(Array.from({ length: 6 }, () => archive(ada)));
    await archive(ada);

    expect(await exported(ada)).toEqual(before);
    expect(await verifyArchives(ada)).not.toHaveProperty('difference');
  });

  test('is refused for events that are not those of the file', async ({ as, clock, people }) => {
    await liveLong(as('ada'), clock);
    const good = { first_seq: 1, last_seq: 3, events: 3, location: folder, file: 'x.jsonl.gz', sha256: '0'.repeat(64) };

    for (const manifest of [
      { ...good, last_hash: '\\x00' },
      { ...good, first_seq: 2 },
      { ...good, last_seq: 99 },
    ]) {
      const attempt = as('ada').db.call('archive_events', { manifest }, people.owner);
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_input' });
    }
  });
});

test('a file that was changed or is gone is found, and what is newer is read without it', async ({ as, clock }) => {
  const ada = as('ada');
  await liveLong(ada, clock);
  await archive(ada, 100);
  const name = (await readdir(folder)).find(
    (file) => file.startsWith(String(ada.actor.tenant_id)) && /-[0-9a-f]{64}\.jsonl\.gz$/.test(file),
  );
  const path = join(folder, name ?? '');
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(1));

  await expect(verifyArchives(ada)).rejects.toMatchObject({ code: 'unavailable' });
  await rm(path);
  await expect(call(ada, 'list_events', { project: 'web' })).rejects.toMatchObject({ code: 'unavailable' });
  expect(await call(ada, 'list_events', { project: 'web', page_size: 1 })).toMatchObject({ events: [{}] });
  expect(await verify(ada)).toMatchObject({ ok: true });
  await writeFile(path, bytes);
  expect(await verifyArchives(ada)).not.toHaveProperty('difference');
});

describe('a file that a changed log names', () => {
  const lines = (bytes: Buffer) => gunzipSync(bytes).toString().trim().split('\n');
  const pathOf = async (ctx: Context) => {
    const { archives } = await ask<{ archives: { file: string }[] }>(ctx, 'list_archives', {});
    return join(folder, archives[0]?.file ?? '');
  };
  const packed = (all: string[]) => gzipSync(`${all.join('\n')}\n`);
  const user = JSON.stringify({ user: { id: '00000000-0000-0000-0000-000000000000', name: 'x' } });

  test.for<[what: string, (bytes: Buffer) => Buffer]>([
    [
      'events in another order',
      (bytes) => packed([...lines(bytes).slice(0, 2), ...lines(bytes).slice(2, 4).reverse(), ...lines(bytes).slice(4)]),
    ],
    ['fewer events', (bytes) => packed(lines(bytes).filter((_, at) => at !== 3))],
    [
      'fewer events and an end that says so',
      (bytes) => {
        const [header = '', ...rest] = lines(bytes).slice(0, -2);
        const events = rest.filter((line) => 'seq' in JSON.parse(line));
        const end = { events: events.length, last_hash: JSON.parse(events.at(-1) ?? '').hash };
        return packed([header, ...rest, JSON.stringify({ end })]);
      },
    ],
    [
      'a hundred million empty lines',
      (bytes) => gzipSync(`${lines(bytes)[0]}${'\n'.repeat(100_000_000)}`, { level: 1 }),
    ],
    ['a million users', (bytes) => packed([lines(bytes)[0] ?? '', ...Array<string>(1_000_000).fill(user)])],
    ['a line without an end', (bytes) => gzipSync(`${lines(bytes)[0]}\n${' '.repeat(100_000_000)}`, { level: 1 })],
    ['what is not packed', () => Buffer.from('Dear diary')],
  ])('is refused, with %s in it', { timeout: 60_000 }, async ([, change], { as, clock, sql }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    await archive(ada, 100);
    const path = await pathOf(ada);
    const bytes = change(await readFile(path));
    await writeFile(path, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await sql.query('update app.archives set sha256 = $1 where tenant_id = $2', [sha256, ada.actor.tenant_id]);

    const started = performance.now();
    await expect(verifyArchives(ada)).rejects.toMatchObject({ code: 'unavailable' });

    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('is in the place where archives are', async ({ sql }) => {
    for (const file of ['../outside.jsonl.gz', '/etc/passwd', 'a\\..\\b.jsonl.gz', '']) {
      const values = `gen_random_uuid(), 1, 1, 1, '/a', $1, repeat('0', 64), now()`;
      const named = sql.query(`insert into app.archives values (${values})`, [file]);

      await expect(named).rejects.toMatchObject({ constraint: 'archives_file_check' });
    }
  });

  test.skipIf(process.platform === 'win32')('is not waited for where a pipe took its place', async ({ as, clock }) => {
    const ada = as('ada');
    await liveLong(ada, clock);
    await archive(ada, 100);
    const path = await pathOf(ada);
    await rm(path);
    execFileSync('mkfifo', [path]);

    await expect(verifyArchives(ada)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
