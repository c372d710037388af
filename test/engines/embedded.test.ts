import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureServer, serverStatus, stopServer } from '../../src/db/embedded/shared-server.ts';
import { inspectProcess } from '../../src/db/process.ts';
import { createLog } from '../../src/log.ts';
import { query, serverPid, startProcess } from '../support/embedded.ts';

const log = createLog('silent');

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-embedded-'));
});

afterEach(async () => {
  await stopServer({ dataDir }).catch(() => {});
  await rm(dataDir, { recursive: true, force: true });
});

describe('the embedded server', () => {
  test('starts on an empty directory, keeps its data over a restart, and stops when the last one leaves', async () => {
    const first = await ensureServer({ dataDir, log });
    await query(first, `create table notes as select 'kept' as note`);
    await first.release();
    const between = await serverStatus(dataDir);

    const second = await ensureServer({ dataDir, log });

    expect(between).toMatchObject({ running: false });
    expect(await query(second, 'select note from notes')).toEqual([{ note: 'kept' }]);
    // The session that watches counts until the server knows its name.
    await expect
      .poll(() => serverStatus(dataDir), { timeout: 10_000 })
      .toMatchObject({ running: true, connections: 1 });
    await second.release();
  });

  test('is private, durable and of the expected encoding', async () => {
    const server = await ensureServer({ dataDir, log });

    const rows = await query(
      server,
      `select current_setting('listen_addresses') as addresses, current_setting('fsync') as fsync,
        current_setting('server_encoding') as encoding, current_setting('lc_collate', true) as lc,
        current_setting('unix_socket_permissions') as mode, current_setting('data_checksums') as checksums`,
    );

    expect(rows).toMatchObject([{ addresses: '', fsync: 'on', encoding: 'UTF8', mode: '0700', checksums: 'on' }]);
    await server.release();
  });

  test('is shared by eight processes that start in the same second on an empty directory', async () => {
    const processes = Array.from({ length: 8 }, () => startProcess(dataDir));
    await Promise.all(processes.map(({ ready }) => ready));

    await expect
      .poll(() => serverStatus(dataDir), { timeout: 10_000 })
      .toMatchObject({ running: true, connections: 8 });
    for (const { child } of processes) child.stdin?.end();
    await Promise.all(processes.map(({ child }) => once(child, 'exit')));
    expect(await serverStatus(dataDir)).toMatchObject({ running: false });
  });

  test('is warm for whoever comes second', async () => {
    const first = await ensureServer({ dataDir, log });
    await (await ensureServer({ dataDir, log })).release();

    const started = performance.now();
    const second = await ensureServer({ dataDir, log });
    const elapsed = performance.now() - started;

    // Usually under 10 ms; the bound is for a busy machine, and far below a start.
    expect(elapsed).toBeLessThan(1_000);
    await second.release();
    expect(await serverStatus(dataDir)).toMatchObject({ running: true });
    await first.release();
  });

  test('outlives a killed process, and the next one to leave stops it', async () => {
    const { child, ready } = startProcess(dataDir);
    await ready;
    child.kill('SIGKILL');
    await once(child, 'exit');
    const orphaned = await serverStatus(dataDir);

    await (await ensureServer({ dataDir, log })).release();

    expect(orphaned).toMatchObject({ running: true });
    expect(await serverStatus(dataDir)).toMatchObject({ running: false });
  });

  test('stops itself when all its users were killed and nobody comes', async () => {
    const started = await Promise.all([1, 2, 3].map(() => startProcess(dataDir, { idleSeconds: 1 })));
    await Promise.all(started.map(({ ready }) => ready));
    const pid = await serverPid(dataDir);

    for (const { child } of started) child.kill('SIGKILL');

    // Asking the server itself would count as a user.
    await expect.poll(() => inspectProcess(pid), { timeout: 20_000 }).toBeNull();
    const next = await ensureServer({ dataDir, log });
    expect(await query(next, 'select 1 as one')).toEqual([{ one: 1 }]);
    await next.release();
  });

  test('stays while a single user is there, however long it says nothing', async () => {
    const { child, ready } = startProcess(dataDir, { idleSeconds: 1 });
    await ready;
    const pid = await serverPid(dataDir);
    const server = await ensureServer({ dataDir, log });

    const looks = new Set<string>();
    const look = async () => {
      const sql = `select l.virtualtransaction as look from pg_locks l join pg_stat_activity a using (pid)
        where a.application_name = 'cairn idle watch' and l.locktype = 'virtualxid'`;
      for (const row of await query(server, sql)) looks.add(String(row['look']));
      return looks.size;
    };
    await expect.poll(look, { interval: 20, timeout: 10_000 }).toBeGreaterThan(0);
    child.kill('SIGKILL');
    // Ten looks at an empty server are its end.
    await expect.poll(look, { interval: 20, timeout: 20_000 }).toBeGreaterThan(15);

    expect(await inspectProcess(pid)).not.toBeNull();
    await server.release();
    expect(await inspectProcess(pid)).toBeNull();
  });

  test('comes back after it was killed, with everything that was committed', async () => {
    const server = await ensureServer({ dataDir, log });
    await query(server, 'create table counted (n int)');
    await query(server, 'insert into counted select generate_series(1, 1000)');
    process.kill(await serverPid(dataDir), 'SIGKILL');

    await server.revive();

    expect(await query(server, 'select count(*)::int as n from counted')).toEqual([{ n: 1000 }]);
    await server.release();
  });

  test('comes back after it was killed together with all its users', async () => {
    const { child, ready } = startProcess(dataDir);
    await ready;
    process.kill(await serverPid(dataDir), 'SIGKILL');
    child.kill('SIGKILL');
    await once(child, 'exit');

    const server = await ensureServer({ dataDir, log });

    expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.release();
  });

  test('is not confused when another process has the id that a dead server left behind', async () => {
    await (await ensureServer({ dataDir, log })).release();
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const lines = [stranger.pid, join(dataDir, 'pg'), 0, 5432, join(dataDir, 'run'), '', '', 'ready'];
    await writeFile(join(dataDir, 'pg', 'postmaster.pid'), `${lines.join('\n')}\n`);

    const server = await ensureServer({ dataDir, log });

    expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.release();
    stranger.kill('SIGKILL');
  });

  test('cleans up after a start that was interrupted', async () => {
    await chmod(dataDir, 0o755);
    await mkdir(join(dataDir, 'pg.draft-1'));
    await writeFile(join(dataDir, 'pg.draft-1', 'PG_VERSION'), '18\n');

    const server = await ensureServer({ dataDir, log });

    expect(await readdir(dataDir)).not.toContain('pg.draft-1');
    await server.release();
  });
});
