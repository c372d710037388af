import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeSocketFolder, removeSocket } from '../../src/runner/holder/socket-folder.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-sockets-'));
});

afterEach(() => rm(home, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('the socket of a holder', () => {
  test('is beside the state of runners, which no cleaner of temporary files removes', async () => {
    const path = await makeSocketFolder(join(home, 'runners'));

    expect(dirname(dirname(path))).toBe(join(home, 'runners'));
  });

  test('is among temporary files where its path would be too long', async () => {
    const path = await makeSocketFolder(join(home, 'x'.repeat(100)));

    expect(dirname(dirname(path))).toBe(tmpdir());
    await rm(dirname(path), { recursive: true });
    expect(await readdir(join(home, 'x'.repeat(100)))).toEqual([]);
  });

  test('is removed with its folder, and nothing else is, whatever a path says', async () => {
    const path = await makeSocketFolder(join(home, 'runners'));
    const server = createServer();
    // A server that ends in order takes its socket along.
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await mkdir(join(home, 'kept'));
    await writeFile(join(home, 'kept', 'holder'), 'A file.\n');

    await removeSocket(join(home, 'kept', 'holder'));
    await removeSocket(join(home, 'kept'));
    await removeSocket(path);

    expect(await readdir(join(home, 'kept'))).toEqual(['holder']);
    expect(await readdir(join(home, 'runners'))).toEqual([]);
    server.close();
  });
});
