import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Binaries, findBinaries } from '../src/db/embedded/binaries.ts';
import { type EmbeddedServer, ensureServer, serverStatus, stopServer } from '../src/db/embedded.ts';
import { createLog } from '../src/log.ts';

const log = createLog('silent');
const EMBEDDED = new URL('../dist/db/embedded.js', import.meta.url).href;
const isRoot = process.getuid?.() === 0;

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-embedded-'));
});

afterEach(async () => {
  await stopServer({ dataDir }).catch(() => {});
  await rm(dataDir, { recursive: true, force: true });
});

async function query(server: EmbeddedServer, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(server.connection);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A process of its own that holds the server until its standard input ends. It prints "ready" once it is there. */
function startProcess(): { child: ChildProcess; ready: Promise<void> } {
  const script = `
    import { ensureServer } from ${JSON.stringify(EMBEDDED)};
    const log = { info() {} };
    const server = await ensureServer({ dataDir: ${JSON.stringify(dataDir)}, log });
    console.log('ready');
    process.stdin.resume().on('end', () => server.release());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, ready: once(child.stdout as NodeJS.ReadableStream, 'data').then(() => {}) };
}

async function serverPid(): Promise<number> {
  return Number((await readFile(join(dataDir, 'pg', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

describe('the embedded server', () => {
  test('starts on an empty directory, keeps its data over a restart, and stops when the last one leaves', async () => {
    const first = await ensureServer({ dataDir, log });
    await query(first, `create table notes as select 'kept' as note`);
    await first.release();
    const between = await serverStatus(dataDir);

    const second = await ensureServer({ dataDir, log });

    expect(between).toMatchObject({ running: false });
    expect(await query(second, 'select note from notes')).toEqual([{ note: 'kept' }]);
    expect(await serverStatus(dataDir)).toMatchObject({ running: true, connections: 1 });
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
    const processes = Array.from({ length: 8 }, startProcess);
    await Promise.all(processes.map(({ ready }) => ready));

    const status = await serverStatus(dataDir);

    expect(status).toMatchObject({ running: true, connections: 8 });
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
    expect(elapsed).toBeLessThan(200);
    await second.release();
    expect(await serverStatus(dataDir)).toMatchObject({ running: true });
    await first.release();
  });

  test('outlives a killed process, and the next one to leave stops it', async () => {
    const { child, ready } = startProcess();
    await ready;
    child.kill('SIGKILL');
    await once(child, 'exit');
    const orphaned = await serverStatus(dataDir);

    await (await ensureServer({ dataDir, log })).release();

    expect(orphaned).toMatchObject({ running: true });
    expect(await serverStatus(dataDir)).toMatchObject({ running: false });
  });

  test('comes back after it was killed, with everything that was committed', async () => {
    const server = await ensureServer({ dataDir, log });
    await query(server, 'create table counted (n int)');
    await query(server, 'insert into counted select generate_series(1, 1000)');
    process.kill(await serverPid(), 'SIGKILL');

    await server.revive();

    expect(await query(server, 'select count(*)::int as n from counted')).toEqual([{ n: 1000 }]);
    await server.release();
  });

  test('comes back after it was killed together with all its users', async () => {
    const { child, ready } = startProcess();
    await ready;
    process.kill(await serverPid(), 'SIGKILL');
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

  test('finds a short place for its socket when the path is long', async () => {
    const deep = join(dataDir, 'a'.repeat(60), 'b'.repeat(60));
    await chmod(dataDir, 0o755);

    const server = await ensureServer({ dataDir: deep, log });

    expect(Buffer.byteLength(server.connection.host)).toBeLessThan(90);
    await server.release();
  });

  test('runs from a package whose symbolic links npm did not restore', async () => {
    const installed = await findBinaries();
    const directory = join(dataDir, 'native');
    await cp(installed.directory, directory, { recursive: true, filter: isNoLink(installed) });
    await chmod(dataDir, 0o755);

    const server = await ensureServer({ dataDir, log, binaries: { ...installed, directory } });

    expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.release();
  });

  test.runIf(isRoot)(
    'runs from a copy when the account of the server may not read the installed binaries',
    async () => {
      const installed = await findBinaries();
      const home = join(dataDir, 'home');
      await mkdir(home, { mode: 0o700 });
      await cp(installed.directory, join(home, 'native'), { recursive: true });
      await chmod(dataDir, 0o755);

      const server = await ensureServer({ dataDir, log, binaries: { ...installed, directory: join(home, 'native') } });

      expect(await readdir(dataDir)).toContain(`server-${installed.version}`);
      await server.release();
    },
  );
});

/** Leaves out what the postinstall script of the package makes. */
function isNoLink({ directory }: Binaries): (source: string) => Promise<boolean> {
  const links = readFile(join(directory, 'pg-symlinks.json'), 'utf8')
    .catch(() => '[]')
    .then(
      (list) => new Set((JSON.parse(list) as { target: string }[]).map(({ target }) => join(directory, '..', target))),
    );
  return async (source) => !(await links).has(source);
}

describe('the embedded server refuses', () => {
  test('a cluster of another major version', async () => {
    await mkdir(join(dataDir, 'pg'));
    await writeFile(join(dataDir, 'pg', 'PG_VERSION'), '12\n');

    await expect(ensureServer({ dataDir, log })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringContaining('PostgreSQL 12'),
    });
  });

  test('a data directory that cannot be one', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');

    await expect(ensureServer({ dataDir: join(file, 'data'), log })).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('--data-dir'),
    });
    await expect(ensureServer({ dataDir: file, log })).rejects.toMatchObject({ code: 'unavailable' });
  });

  test.runIf(isRoot)('as another user than root, a data directory it may not write to', async ({ skip }) => {
    // A node installed under the home of root is out of reach of anyone else.
    const other = { uid: 65_534, gid: 65_534 };
    skip(spawnSync(process.execPath, ['--version'], other).status !== 0, 'the other user cannot run this node');
    await chmod(dataDir, 0o555);
    const script = `import { ensureServer } from ${JSON.stringify(EMBEDDED)};
      await ensureServer({ dataDir: ${JSON.stringify(dataDir)}, log: {} }).catch(({ code, hint }) => console.log(code, hint));`;

    const child = spawn(process.execPath, ['--input-type=module', '-e', script], other);

    const [output] = await once(child.stdout, 'data');
    expect(String(output)).toMatch(/^unavailable Choose a directory you may write to/);
  });

  test.runIf(isRoot)('as root, a directory that the account of the server may not enter', async () => {
    await writeFile(join(dataDir, 'private'), '');

    await expect(ensureServer({ dataDir: join(dataDir, 'data'), log })).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('/var/lib/cairn'),
    });
  });

  test('a system without binaries, and names the way out', async () => {
    await expect(findBinaries('/nonexistent/module.js')).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('DATABASE_URL'),
    });
  });
});
