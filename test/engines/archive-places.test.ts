import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { blobStores } from '../../src/blobs/open.ts';
import type { Context } from '../../src/context.ts';
import type { Database } from '../../src/db/database.ts';
import { projectClient } from '../../src/db/supabase/client.ts';
import { supabaseDatabase } from '../../src/db/supabase/database.ts';
import { createLog } from '../../src/log.ts';
import { archiveEvents } from '../../src/services/archive.ts';
import { blobs } from '../support/blobs.ts';
import type { Ran } from '../support/cairn.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { call } from '../support/calls.ts';
import { type Caller, createProject, note, verify } from '../support/commands.ts';
import { databaseUrl } from '../support/database-url.ts';
import { signIn } from '../support/engine.ts';
import { openLocalWorld } from '../support/local-world.ts';
import { startRaw } from '../support/raw-agent.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { PUBLISHABLE_KEY, SECRET_KEY, type SupabaseProject, startSupabase } from '../support/supabase.ts';

const DAY_MS = 86_400_000;
const NOWHERE = 'postgres://x@127.0.0.1:1/x';
const TOMORROW = new Date(Date.now() + DAY_MS).toISOString().slice(0, 10);

test('cairn events archive moves them for every process of the machine, and is refused where there are others', async () => {
  const world = await openLocalWorld();
  const flags = ['--data-dir', world.dataDir];
  const agent = await startRaw(flags);
  await agent.call('create_project', { slug: 'web', name: 'Web' });
  for (const at of [1, 2, 3]) await agent.call('record_event', { project: 'web', text: `Note ${at}.` });
  const { data: before } = await agent.call('list_events', { project: 'web' });

  const moved = await cairnHere([...flags, 'events', 'archive', '--before', TOMORROW]);
  const elsewhere = await cairnHere(['--database-url', NOWHERE, 'events', 'archive', '--before', TOMORROW]);

  expect(moved).toMatchObject({ code: 0, stdout: expect.stringContaining('Archived 4 events.') });
  expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('--one-machine') });
  expect((await agent.call('list_events', { project: 'web' })).data).toEqual(before);
  expect(await world.rows('select from public.events')).toHaveLength(0);
  expect(await cairnHere([...flags, 'events', 'verify'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Checked 4 events in the archive.'),
  });
  await agent.close();
  await world.close();
});

test('cairn events archive, verify, export and redact look after the workspace that is named, and after no other', async () => {
  const scratch = await createScratch();
  const directory = await mkdtemp(join(tmpdir(), 'cairn-places-'));
  const [ada, eve] = [await scratch.signIn('ada'), await scratch.signIn('eve')];
  for (const who of [ada, eve]) {
    await createProject(who);
    await note(who, 'Old.');
  }
  const events = (name: string, ...options: string[]) =>
    cairnHere(['--database-url', databaseUrl(scratch.connection), 'events', name, ...options]);
  const of = ({ actor }: Caller) => ['--workspace', String(actor.tenant_id)];

  const exported = await events('export', ...of(ada));
  const moved = await events('archive', '--before', TOMORROW, '--to', directory, '--one-machine', ...of(ada));
  const verified = await events('verify', ...of(ada));
  const unknown = await events('verify', '--workspace', randomUUID());

  expect(moved).toMatchObject({ code: 0, stdout: expect.stringContaining('Archived 2 events.') });
  const { rows } = await scratch.sql.query('select tenant_id, count(*)::int as n from public.events group by 1');
  expect(rows).toEqual([{ tenant_id: eve.actor.tenant_id, n: 2 }]);
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('Checked 2 events in the archive.') });
  expect(linesOf(await events('export', ...of(ada)))).toEqual(linesOf(exported));
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('workspace') });
  const redacted = await events('redact', '2', '--reason', 'A password leaked.', ...of(eve));
  expect(redacted).toMatchObject({ code: 0, stdout: expect.stringContaining('Redacted event #2 (project.noted).') });
  await rm(directory, { recursive: true });
  await scratch.drop();
});

/** Without the header, which says when. */
function linesOf({ stdout }: Ran): unknown[] {
  return stdout
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line));
}

describe('a bucket of the Supabase project', () => {
  let scratch: Scratch;
  let project: SupabaseProject;
  let db: Database;

  beforeAll(async () => {
    scratch = await createScratch();
    project = await startSupabase(scratch.connection);
    db = supabaseDatabase({ project: { url: project.url, key: SECRET_KEY } });
  });
  afterEach(() => project.disturb(null));
  afterAll(async () => {
    await project.close();
    await scratch.drop();
  });

  const storesWith = (key: string) => blobStores({ supabaseUrl: project.url, supabaseSecretKey: key });

  /** Someone with three events. */
  async function ada(): Promise<Context> {
    const who = await signIn(db, 'ada');
    await createProject(who);
    await note(who, 'First.');
    await note(who, 'Second.');
    return { ...who, blobs: storesWith(SECRET_KEY), log: createLog('silent'), scopes: 'all' };
  }

  async function archive(ctx: Context, bucket: string, open = ctx.blobs): Promise<number> {
    let events = 0;
    const store = await open(`supabase:${bucket}`);
    for await (const part of archiveEvents(ctx, { before: TOMORROW, store })) events += part.events;
    return events;
  }

  async function kept(ctx: Context): Promise<number> {
    const { rows } = await scratch.sql.query('select from public.events where tenant_id = $1', [ctx.actor.tenant_id]);
    return rows.length;
  }

  test('takes the events in, and every replica with the key reads them', async () => {
    const env = { SUPABASE_URL: project.url, SUPABASE_SECRET_KEY: SECRET_KEY };
    project.storage.createBucket('replicas');
    const { storage } = projectClient({ url: project.url, key: SECRET_KEY });
    const [one, other] = await Promise.all([startRaw([], env), startRaw([], env)]);
    await one.call('create_project', { slug: 'web', name: 'Web' });
    await one.call('record_event', { project: 'web', text: 'Old.' });
    const { data: before } = await one.call('list_events', { project: 'web' });

    const moved = await cairnHere(['events', 'archive', '--before', TOMORROW, '--to', 'supabase:replicas'], { env });

    expect(moved).toMatchObject({ code: 0, stdout: expect.stringContaining('Archived 2 events.') });
    const { data: files } = await storage.from('replicas').list();
    expect(files?.map(({ name }) => name.replace(/^[^.]*/, ''))).toEqual(['.jsonl.gz', '.snapshot.jsonl.gz', '.json']);
    for (const replica of [one, other]) {
      expect((await replica.call('list_events', { project: 'web' })).data).toEqual(before);
    }
    expect(await cairnHere(['events', 'verify'], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Checked 2 events in the archive.'),
    });
    await Promise.all([one.close(), other.close()]);
  });

  test.for<[string, string, object]>([
    ['is not there', 'missing', { code: 'unavailable', retryable: false, hint: /Create the private bucket missing/ }],
    ['everybody can read', 'public', { code: 'forbidden', hint: /Make it private/ }],
    ['takes no file of that size', 'small', { code: 'payload_too_large', hint: /file size limit/ }],
    ['has another name than buckets have', 'a/b', { code: 'invalid_input', hint: /supabase:archive/ }],
  ])('that %s is refused, and nothing leaves the table', async ([, bucket, refusal]) => {
    const ctx = await ada();
    project.storage.createBucket('public', { public: true });
    project.storage.createBucket('small', { file_size_limit: 10 });

    await expect(archive(ctx, bucket)).rejects.toMatchObject(matching(refusal));

    expect(await kept(ctx)).toBe(3);
  });

  test('is refused with a key that is not the secret one, and nothing leaves the table', async () => {
    const ctx = await ada();
    project.storage.createBucket('private');

    await expect(archive(ctx, 'private', storesWith('sb_secret_old'))).rejects.toMatchObject(
      matching({ code: 'forbidden', hint: /SUPABASE_SECRET_KEY/ }),
    );
    await expect(archive(ctx, 'private', storesWith(PUBLISHABLE_KEY))).rejects.toMatchObject({ retryable: false });
    expect(await kept(ctx)).toBe(3);
  });

  test('that cannot be reached says so in the end, and a repeat goes on', async () => {
    const ctx = await ada();
    project.storage.createBucket('away');
    project.disturb((request, _, path) => {
      if (!path.startsWith('/storage/')) return 'go on';
      request.socket.destroy();
      return 'done';
    });

    await expect(archive(ctx, 'away')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(await kept(ctx)).toBe(3);
    project.disturb(null);

    expect(await archive(ctx, 'away')).toBe(3);
    expect(await verify(ctx)).toMatchObject({ ok: true });
  });

  test('whose answers are lost gets no file twice', async () => {
    const ctx = await ada();
    const { files } = project.storage.createBucket('lossy');
    const lost = new Set<string>();
    project.disturb((request, _, path) => {
      if (request.method !== 'POST' || !path.startsWith('/storage/') || lost.has(path)) return 'go on';
      lost.add(path);
      return 'lose answer';
    });

    expect(await archive(ctx, 'lossy')).toBe(3);

    expect([lost.size, files.size]).toEqual([3, 3]);
  });

  test('from which a file is gone, or that is gone itself, is told to who reads', async () => {
    const ctx = await ada();
    const { files } = project.storage.createBucket('gone');
    await archive(ctx, 'gone');
    const read = () => call(ctx, 'list_events', { project: 'web' });
    expect(await read()).toMatchObject({ events: [{}, {}, {}] });

    files.clear();
    await expect(read()).rejects.toMatchObject(
      matching({ code: 'unavailable', hint: /jsonl.gz back to supabase:gone/ }),
    );
    project.storage.buckets.delete('gone');
    await expect(read()).rejects.toMatchObject(matching({ code: 'unavailable', hint: /Create the private bucket/ }));
  });

  test('is not read without the secret key', async () => {
    const ctx = await ada();
    project.storage.createBucket('secret');
    await archive(ctx, 'secret');

    await expect(call({ ...ctx, blobs }, 'list_events', { project: 'web' })).rejects.toMatchObject(
      matching({ code: 'unavailable', hint: /SUPABASE_SECRET_KEY/ }),
    );
  });
});

/** Patterns as what their text is held against. */
function matching(expected: object): object {
  return Object.fromEntries(
    Object.entries(expected).map(([key, value]) => [
      key,
      value instanceof RegExp ? expect.stringMatching(value) : value,
    ]),
  );
}
