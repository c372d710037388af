import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Binaries, findBinaries } from '../../src/db/embedded/binaries.ts';
import { ensureServer, serverStatus, stopServer } from '../../src/db/embedded/shared-server.ts';
import { createLog } from '../../src/log.ts';
import { EMBEDDED, query, serverPid, startProcess } from '../support/embedded.ts';

const log = createLog('silent');
const isRoot = process.getuid?.() === 0;

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-embedded-'));
});

afterEach(async () => {
  await stopServer({ dataDir }).catch(() => {});
  await rm(dataDir, { recursive: true, force: true });
});

describe('the embedded server', () => {
  test.each(['a b', 'Grüße — 日本', `it's, "so" $HOME 100%`])('works in a directory named %s', async (name) => {
    await chmod(dataDir, 0o755);
    const within = join(dataDir, name);

    const first = await ensureServer({ dataDir: within, log });
    const second = await ensureServer({ dataDir: within, log });

    expect(await query(second, 'select 1 as one')).toEqual([{ one: 1 }]);
    await first.release();
    await second.release();
    expect(await serverStatus(within)).toMatchObject({ running: false });
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

  test.runIf(isRoot)('is shared by processes of an ordinary user, and belongs to that user', async ({ skip }) => {
    const user = { uid: 65_534, gid: 65_534 };
    const tried = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', `import ${JSON.stringify(EMBEDDED)}`],
      user,
    );
    skip(tried.status !== 0, 'an ordinary user cannot run this node or read this build');
    await chown(dataDir, user.uid, user.gid);
    const [first, second] = [startProcess(dataDir, user), startProcess(dataDir, user)];

    await Promise.all([first.ready, second.ready]);

    expect((await stat(`/proc/${await serverPid(dataDir)}`)).uid).toBe(user.uid);
    for (const { child } of [first, second]) child.stdin?.end();
    await Promise.all([first, second].map(({ child }) => once(child, 'exit')));
    expect(await serverStatus(dataDir)).toMatchObject({ running: false });
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
