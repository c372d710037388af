import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { restoreAsItWas } from '../../src/db/backup.ts';
import { ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { lastVersion } from '../../src/db/schema/migrate.ts';
import { createLog } from '../../src/log.ts';
import { cairn } from '../support/cairn.ts';
import { query } from '../support/embedded.ts';
import { keptBackup, keptCommits } from '../support/kept.ts';

const log = createLog('silent');

let home: string;
let dataDir: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-upgrade-'));
  await chmod(home, 0o755);
  dataDir = join(home, 'data');
});

afterEach(async () => {
  await stopServer({ dataDir }).catch(() => {});
  await rm(home, { recursive: true, force: true });
});

/** The databases of earlier commits, as each left it; a copy costs a tenth of restoring one. */
const restored = new Map<string, { kept: string; events: number }>();

/** Puts the database of an earlier commit into the data directory. */
async function begin(commit: string): Promise<number> {
  const { kept, events } = restored.get(commit) ?? (await restoreOnce(commit));
  await promisify(execFile)('cp', ['-a', `${kept}/.`, dataDir]);
  return events;
}

async function restoreOnce(commit: string): Promise<{ kept: string; events: number }> {
  const kept = join(inject('scratch'), `upgrade-${commit}`);
  const server = await ensureServer({ dataDir: kept, log });
  const client = new pg.Client(server.connection);
  await client.connect();
  await restoreAsItWas(client, keptBackup(commit));
  await client.end();
  const [row] = await query(server, 'select count(*)::int as events from public.events');
  await server.release();
  const made = { kept, events: Number(row?.['events']) };
  restored.set(commit, made);
  return made;
}

const copies = async () =>
  (await readdir(dataDir)).filter((name) => name.startsWith('upgrade-') && name.endsWith('.backup'));

// One that was kept is enough: test/engines/upgrade.test.ts walks them all.
describe.each((await keptCommits()).slice(-1))('an embedded database of commit %s', (commit) => {
  test('is copied once and upgraded by whichever of many processes comes first, and the copy restores', async () => {
    const events = await begin(commit);

    const runs = await Promise.all(
      Array.from({ length: 4 }, () => cairn(['migrate', '--data-dir', dataDir, '--json'])),
    );

    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const applied = runs.flatMap(({ stdout }) => JSON.parse(stdout).applied as string[]);
    expect(applied.filter((name) => name === 'code')).toEqual(['code']);
    const [copy = '', ...others] = await copies();
    expect(others).toEqual([]);
    const again = join(home, 'again');
    const back = await cairn(['db', 'restore', join(dataDir, copy), '--data-dir', again, '--json']);
    await stopServer({ dataDir: again });
    expect(JSON.parse(back.stdout)).toMatchObject({ events });
  });
});

test('an upgrade that was killed goes on without another copy, and the one before it stays', async () => {
  const [commit = ''] = await keptCommits();
  await begin(commit);
  await writeFile(join(dataDir, 'upgrade-20260101000000.backup'), 'The copy of the upgrade that was killed.');
  await writeFile(join(dataDir, 'upgrade-20260101000000.backup.1.part'), 'Half a copy.');
  await writeFile(join(dataDir, 'upgrade-unfinished'), lastVersion());

  expect((await cairn(['migrate', '--data-dir', dataDir])).code).toBe(0);

  expect(await copies()).toEqual(['upgrade-20260101000000.backup']);
  expect(await readdir(dataDir)).not.toContain('upgrade-unfinished');
});

test('an upgrade that waits for another session gives up in time, and nobody waits behind it for good', {
  timeout: 60_000,
}, async () => {
  const [commit = ''] = await keptCommits();
  await begin(commit);
  const server = await ensureServer({ dataDir, log });
  const reader = new pg.Client(server.connection);
  await reader.connect();
  await reader.query('begin; lock table public.tasks in share update exclusive mode');

  const { code, stderr } = await cairn(['migrate', '--data-dir', dataDir]);

  expect([code, stderr]).toEqual([1, expect.stringContaining('Another session uses these tables')]);
  await reader.query('commit');
  await reader.end();
  await server.release();
  expect((await cairn(['migrate', '--data-dir', dataDir])).code).toBe(0);
});

test('a database that cannot be copied is not upgraded, but when that is said', async () => {
  const [commit = ''] = await keptCommits();
  await begin(commit);
  // A directory stands where the copy would be.
  await rm(join(dataDir, 'upgrade-lock'), { recursive: true, force: true });
  await writeFile(join(dataDir, 'upgrade-lock'), 'No directory.');

  const refused = await cairn(['tasks', '--data-dir', dataDir]);
  expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('cannot be used (EEXIST)') });

  const forced = await cairn(['migrate', '--no-backup', '--data-dir', dataDir, '--json']);
  expect(JSON.parse(forced.stdout).applied).toContain('code');
  expect(await copies()).toEqual([]);
});
