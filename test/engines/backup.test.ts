import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { createLog } from '../../src/log.ts';
import { cairn as run } from '../support/cairn.ts';
import { query } from '../support/embedded.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { type RawAgent, startRaw } from '../support/raw-agent.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const NOTES = 30;
const EARLIER = '1ac68c1';
// A text of characters that COPY would interpret.
const ODD = 'a\\b\n\\.\nc\td — "日本" \u0000'.replace('\u0000', '');

let world: LocalWorld;
let agent: RawAgent;
let directory: string;
let whole: string;

beforeAll(async () => {
  world = await openLocalWorld();
  directory = await mkdtemp(join(tmpdir(), 'cairn-backups-'));
  // The user that the server runs as, where tests run as root, must reach what is in it.
  await chmod(directory, 0o755);
  whole = join(directory, 'whole');
  agent = await startRaw(['--data-dir', world.dataDir, '--project', 'web']);
  await agent.call('create_project', { slug: 'web', name: 'Web' });
  await agent.call('create_tasks', { tasks: [{ title: 'First', description: ODD }, { title: 'Second' }] });
  for (let at = 0; at < NOTES; at += 1) await agent.call('record_event', { text: `${ODD} ${at}` });
  const [first] = await world.rows<{ at: Date }>(
    `select min(created_at) as at from public.events where event_type = 'project.noted'`,
  );
  await run(['--data-dir', world.dataDir, 'events', 'archive', '--before', first?.at.toISOString() ?? '']);
  // While an agent uses it.
  expect(await cairn('backup', whole, world)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Not in it: 3 archived events'),
  });
});
afterAll(async () => {
  await agent.close();
  await world.close();
  const names = await readdir(directory);
  await Promise.all(names.map((name) => stopServer({ dataDir: join(directory, name) }).catch(() => {})));
  await rm(directory, { recursive: true, force: true });
});

type Run = { code: number; stdout: string; stderr: string };

function cairn(
  verb: 'backup' | 'restore',
  file: string,
  { dataDir, flags = [] }: { dataDir: string; flags?: string[] },
): Promise<Run> {
  return promisify(execFile)(process.execPath, [CLI, 'db', verb, file, '--data-dir', dataDir, ...flags]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

/** Reads every table except the presence of processes. */
/** All but what whoever reads it may change: who is there, and the jobs of a worker that has begun meanwhile. */
async function contentOf(dataDir: string): Promise<Record<string, unknown>[]> {
  const server = await ensureServer({ dataDir, log: createLog('silent') });
  try {
    const tables = await query(
      server,
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('app', 'public')
         and tablename not in ('presence', 'due_work', 'jobs') order by 1`,
    );
    const parts = tables.map(
      ({ name }) =>
        `select '${name}' as name, count(*)::int, md5(string_agg(x::text, ' ' order by x::text)) from ${name} x`,
    );
    return await query(server, `${parts.join(' union all ')} order by 1`);
  } finally {
    await server.release();
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

describe('a backup', () => {
  test('is restored into an empty directory, row by row, and verified, and reads the archive on', async () => {
    const dataDir = join(directory, 'empty');

    const restored = await cairn('restore', whole, { dataDir });

    expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining(`Verified ${NOTES} events`) });
    expect(await contentOf(dataDir)).toEqual(await contentOf(world.dataDir));
    const next = await startRaw(['--data-dir', dataDir, '--project', 'web']);
    expect(await next.call('record_event', { text: 'On we go.' })).toMatchObject({ data: { seq: NOTES + 4 } });
    expect(await next.call('list_events', { after_seq: 0 })).toMatchObject({
      data: { events: expect.arrayContaining([expect.objectContaining({ seq: 1 })]) },
    });
    await next.close();
    expect(await readdir(dataDir)).not.toContainEqual(expect.stringContaining('restore-'));
  });

  test('of an earlier commit is restored and migrated', async () => {
    const dataDir = join(directory, 'earlier');

    const restored = await cairn(
      'restore',
      fileURLToPath(new URL(`../fixtures/databases/${EARLIER}.backup`, import.meta.url)),
      { dataDir },
    );

    expect(restored).toMatchObject({ code: 0, stdout: expect.stringMatching(/Verified \d+ events/) });
    expect(await run(['--data-dir', dataDir, 'doctor', '--json'])).toMatchObject({ code: 0 });
  });

  test('does not overwrite a database or a file unless told, and then puts the database aside', async () => {
    const dataDir = join(directory, 'taken');
    await cairn('restore', whole, { dataDir });

    const refused = await cairn('restore', whole, { dataDir });
    const again = await cairn('backup', whole, { dataDir });
    const replaced = await cairn('restore', whole, { dataDir, flags: ['--replace', '--json'] });

    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--replace') });
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') });
    expect(JSON.parse(replaced.stdout)).toMatchObject({
      data_dir: dataDir,
      aside: expect.stringContaining('pg.replaced-'),
    });
    expect(await readdir(dataDir)).toContainEqual(expect.stringMatching(/^pg\.replaced-/));
    expect(await contentOf(dataDir)).toEqual(await contentOf(world.dataDir));
  });

  test('that was interrupted leaves no file', async () => {
    const server = await ensureServer({ dataDir: world.dataDir, log: createLog('silent') });
    const holder = new pg.Client(server.connection);
    await holder.connect();
    await holder.query('begin; lock table public.users in access exclusive mode');
    const file = join(directory, 'interrupted');
    const child: ChildProcess = spawn(process.execPath, [CLI, 'db', 'backup', file, '--data-dir', world.dataDir], {
      stdio: 'ignore',
    });
    const isWaiting = async () => (await holder.query('select from pg_locks where not granted')).rowCount === 1;
    await expect.poll(isWaiting, { timeout: 20_000 }).toBe(true);
    const parts = async () => (await readdir(directory)).filter((name) => /^interrupted\..*\.part$/.test(name));
    expect(await parts()).toHaveLength(1);

    child.kill('SIGTERM');
    await expect.poll(parts, { timeout: 20_000 }).toEqual([]);
    await holder.query('rollback');
    await holder.end();
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];

    expect(code).not.toBe(0);
    expect(await isThere(file)).toBe(false);
    await server.release();
  });

  test('of a directory without a database is refused', async () => {
    const nothing = await cairn('backup', join(directory, 'nothing'), { dataDir: join(directory, 'nowhere') });

    expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no database in') });
    expect(await isThere(join(directory, 'nowhere'))).toBe(false);
  });
});

describe('restoring restores nothing of', () => {
  const lines = async () =>
    gunzipSync(await readFile(whole))
      .toString()
      .split('\n');
  const packed = (all: string[]) => gzipSync(all.join('\n'));

  test.each<[string, () => Promise<Buffer>, string]>([
    ['a file cut in the middle', async () => (await readFile(whole)).subarray(0, 2_000), 'not whole'],
    ['a file without its last line', async () => packed((await lines()).slice(0, -2).concat('')), 'not whole'],
    ['an empty file', async () => Buffer.of(), 'not whole'],
    ['a file that is something else', async () => Buffer.from('Dear diary'), 'damaged'],
    ['packed text that is something else', async () => gzipSync('Dear diary\n'), 'no backup of cairn'],
    [
      'a file that was changed',
      async () => packed((await lines()).map((line) => line.replace('Second', 'Secret'))),
      'hash differs',
    ],
    [
      'another schema',
      async () =>
        packed((await lines()).map((line, at) => (at === 0 ? line.replace(/"2026\d+"\]/, '"20990101000000"]') : line))),
      'schema 20990101000000',
    ],
    [
      'a newer format',
      async () =>
        packed((await lines()).map((line, at) => (at === 0 ? line.replace('"version":1', '"version":2') : line))),
      'Update cairn',
    ],
  ])('%s', async (name, make, reason) => {
    const file = join(directory, `${name}.backup`);
    await writeFile(file, await make());
    const dataDir = join(directory, `${name} restored`);

    const refused = await cairn('restore', file, { dataDir });

    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) });
    expect(await isThere(dataDir)).toBe(false);
  });
});
