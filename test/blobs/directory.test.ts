import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashOf } from '../../src/blobs/store.ts';
import { directoryStore } from '../support/blobs.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-directory-'));
});
afterAll(() => rm(folder, { recursive: true }));

const BLOB = { bytes: Buffer.from('Feed the pelican'), extension: '.txt' };
const NAME = `${hashOf(BLOB.bytes)}.txt`;

describe('a directory of blobs', () => {
  test('is made with the first one, for this account alone', async () => {
    const directory = join(folder, 'new', 'deep');

    await directoryStore(directory).write(BLOB);

    if (process.platform !== 'win32') expect((await stat(directory)).mode & 0o077).toBe(0);
    expect(await readFile(join(directory, NAME))).toEqual(BLOB.bytes);
  });

  test('that is a file is refused', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'x');

    for (const directory of [file, join(file, 'below')]) {
      await expect(directoryStore(directory).write(BLOB)).rejects.toMatchObject({
        code: 'invalid_input',
        hint: expect.stringMatching(/Name a directory/),
      });
    }
  });

  test.skipIf(process.platform === 'win32')('writes through no link in the place of a blob', async () => {
    const directory = join(folder, 'links');
    await mkdir(directory);
    const target = join(folder, 'target');
    await symlink(target, join(directory, NAME));

    await expect(directoryStore(directory).write(BLOB)).rejects.toMatchObject({ code: 'already_exists' });
    await writeFile(target, 'Dear diary');
    await expect(directoryStore(directory).write(BLOB)).rejects.toMatchObject({ code: 'already_exists' });

    expect(await readFile(target, 'utf8')).toBe('Dear diary');
  });

  test('says so where a directory has the name of a blob', async () => {
    const directory = join(folder, 'odd');
    await mkdir(join(directory, NAME), { recursive: true });

    const read = directoryStore(directory).read({ name: NAME, sha256: hashOf(BLOB.bytes) });

    await expect(read).rejects.toMatchObject({ code: 'unavailable', retryable: false });
  });
});
