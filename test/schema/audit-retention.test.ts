import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { archiveEvents } from '../../src/services/archive.ts';
import { listAudit } from '../../src/services/audit.ts';
import { dropPartitions, removeFiles } from '../../src/services/records.ts';
import { blobs, directoryStore } from '../support/blobs.ts';
import { type Caller, createProject, replay, verify } from '../support/commands.ts';
import { type HeronWorld, openHeronWorld, see, tenantOf } from '../support/herons.ts';

// What is removed by age is on the audit trail of the workspaces that it was of, and of no other.

let world: HeronWorld;

beforeAll(async () => {
  world = await openHeronWorld();
});
afterAll(() => world.close());

async function removed(who: Caller): Promise<object[]> {
  const { entries } = await listAudit(who, { kind: 'retention_run', page_size: 200 });
  return entries.map(({ details }) => details ?? {}).toReversed();
}

test('records of a workspace that went into files, left their table and the files themselves are entered', async () => {
  const { scratch, ada, bob, server } = world;
  await see(scratch, { tenant: tenantOf(ada), flock: randomUUID(), daysAgo: 45, count: 3 });

  await world.archive();
  await dropPartitions(server);
  await scratch.sql.query(`update app.record_archives set starts_at = starts_at - interval '98 days',
    ends_at = ends_at - interval '98 days'`);
  await removeFiles(server);

  const told = { table: 'herons', starts_at: expect.any(String), ends_at: expect.any(String) };
  expect(await removed(ada)).toEqual([
    { ...told, records: 3, done: 'archived' },
    { ...told, done: 'dropped' },
    { ...told, records: 3, done: 'deleted' },
  ]);
  expect(await removed(bob)).toEqual([]);
});

test('entries leave with the month that ended thirty days ago, and the log is what it was', async () => {
  const { scratch, bob, server } = world;
  await createProject(bob, { slug: 'web' });
  await scratch.sql.query(
    `select app.make_partitions(now() - make_interval(days => d)) from unnest('{70,5}'::integer[]) d`,
  );
  const months = async () =>
    (
      await scratch.sql.query(`select app.partition_start(inhrelid::regclass) as starts_at from pg_inherits
         where inhparent = 'public.audit_entries'::regclass order by 1`)
    ).rows.map(({ starts_at }) => starts_at);
  for (const days of [70, 5]) {
    await scratch.sql.query(
      `insert into public.audit_entries (tenant_id, id, event_type, details, created_at)
       values ($1, gen_random_uuid(), 'agent_connect', '{}', now() - make_interval(days => $2))`,
      [tenantOf(bob), days],
    );
  }
  const before = await months();

  await dropPartitions(server);

  const after = await months();
  expect(after).toHaveLength(before.length - 1);
  const kept = after.filter((starts_at) => starts_at < new Date());
  expect(kept.length).toBeGreaterThanOrEqual(1);
  const { entries } = await listAudit(bob, { page_size: 50 });
  expect(entries.map(({ kind }) => kind)).toEqual(['retention_run', 'agent_connect']);
  expect(entries[0]).toMatchObject({ details: { table: 'audit_entries', done: 'dropped' } });
  expect(await verify(bob)).toMatchObject({ ok: true });
  const whole = await verify(bob);
  await replay(bob);
  expect(await verify(bob)).toEqual(whole);
});

test('the beginning of a log that went into files is entered', async () => {
  const { scratch, bob } = world;
  const store = directoryStore(await mkdtemp(join(inject('scratch'), 'audit-')));
  const ctx = { ...bob, blobs, log: createLog('silent'), scopes: 'all' as const };

  for await (const _ of archiveEvents(ctx, { before: new Date(Date.now() + 86_400_000).toISOString(), store }));

  expect((await removed(bob)).at(-1)).toMatchObject({ table: 'events', first_seq: 1, records: 1, done: 'archived' });
  const { rows } = await scratch.sql.query(
    'select archived_to::integer as seq from app.positions where tenant_id = $1',
    [tenantOf(bob)],
  );
  expect(rows).toEqual([{ seq: 1 }]);
});
