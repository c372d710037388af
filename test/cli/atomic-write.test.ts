import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pipeAtomically, realPathOf, writeAtomically, writeOutput } from '../../src/atomic-write.ts';

const named = vi.hoisted(() => ({ next: undefined as string | undefined }));
// Someone who foresaw the name after all.
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return { ...crypto, randomUUID: () => named.next ?? crypto.randomUUID() };
});

/** Runs it with the rights that an account which is no superuser has in the folder. */
async function asNobody<T>(mode: number, run: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  await chmod(folder, mode);
  if (isRoot) process.seteuid?.(65_534);
  try {
    return await run();
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(folder, 0o755);
  }
}

let folder: string;
let victim: string;

beforeEach(async () => {
  folder = join(await realpath(await mkdtemp(join(tmpdir(), 'cairn write-'))), 'folder');
  victim = join(folder, '..', 'victim');
  await mkdir(folder);
  await writeFile(victim, 'mine');
});
afterEach(async () => {
  named.next = undefined;
  await rm(join(folder, '..'), { recursive: true });
});

type Writer = (file: string) => Promise<void>;

describe.skipIf(process.platform === 'win32')('a file that is written', () => {
  const writers: [[string, Writer], [string, Writer], [string, Writer]] = [
    ['as text', (file) => writeAtomically(file, 'new')],
    ['as bytes', (file) => writeAtomically(file, Buffer.from('new'))],
    ['from streams', (file) => pipeAtomically([Readable.from(['n', 'ew'])], file)],
  ];

  test.each(writers)('%s is whole, private, and alone in its directory', async (_, write) => {
    const file = join(folder, 'x');

    await write(file);

    expect(await readFile(file, 'utf8')).toBe('new');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['x']);
  });

  test.each(writers)('%s goes through no link that a name which could be foreseen leads to', async (_, write) => {
    const file = join(folder, 'x');
    await writeFile(file, 'old', { mode: 0o640 });
    for (const ending of ['.part', '.0.part', '.cairn-part', `.${process.pid}.draft`, '.tmp'])
      await symlink(victim, file + ending);

    await write(file);

    expect(await readFile(victim, 'utf8')).toBe('mine');
    expect([await readFile(file, 'utf8'), (await stat(file)).mode & 0o777]).toEqual(['new', 0o640]);
  });

  test.each(writers)('%s under a name that was guessed is refused, and what is there stays', async (_, write) => {
    named.next = 'guessed';
    await symlink(victim, join(folder, 'x.guessed.part'));
    await writeFile(join(folder, 'x'), 'old');

    await expect(write(join(folder, 'x'))).rejects.toThrow('EEXIST');

    expect(await readFile(victim, 'utf8')).toBe('mine');
    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('old');
  });

  test.each(writers.slice(0, 2))('%s leaves a link a link, and a link to nothing too', async (_, write) => {
    await symlink(victim, join(folder, 'link'));
    await symlink('../new', join(folder, 'nowhere'));

    await write(join(folder, 'link'));
    await write(join(folder, 'nowhere'));

    expect(await readlink(join(folder, 'link'))).toBe(victim);
    expect(await readFile(victim, 'utf8')).toBe('new');
    expect(await readlink(join(folder, 'nowhere'))).toBe('../new');
    expect(await readFile(join(folder, '..', 'new'), 'utf8')).toBe('new');
  });

  test.each([writers[2], ['as text', (file: string) => writeOutput(file, 'new')] as const])(
    'that a person named, %s, takes the place of a link, and follows those of /dev',
    async (_, write) => {
      await symlink(victim, join(folder, 'link'));

      await write(join(folder, 'link'));

      expect(await readFile(victim, 'utf8')).toBe('mine');
      expect(await readFile(join(folder, 'link'), 'utf8')).toBe('new');
      await expect(write('/dev/null')).resolves.toBeUndefined();
      expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
    },
  );

  test.skipIf(!existsSync('/dev/shm'))(
    'where anybody may write takes the place of a link, under /dev too',
    async () => {
      const shared = await mkdtemp('/dev/shm/cairn-test-');
      try {
        await symlink(victim, join(shared, 'link'));

        await writeOutput(join(shared, 'link'), 'new');

        expect(await readFile(victim, 'utf8')).toBe('mine');
      } finally {
        await rm(shared, { recursive: true });
      }
    },
  );

  test('where someone else may write takes the place of a link', async () => {
    await symlink(victim, join(folder, 'link'));

    await writeAtomically(join(folder, 'link'), 'new', { replacesLink: true });

    expect(await readFile(victim, 'utf8')).toBe('mine');
    expect((await lstat(join(folder, 'link'))).isFile()).toBe(true);
  });

  test.skipIf(process.platform === 'win32')('where someone else may write takes the place of a pipe', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);

    await writeAtomically(join(folder, 'pipe'), 'new', { replacesLink: true });

    expect(await readFile(join(folder, 'pipe'), 'utf8')).toBe('new');
  });

  describe('in a directory that takes no new file', () => {
    beforeEach(async () => {
      await writeFile(join(folder, 'x'), 'old');
      await chmod(join(folder, 'x'), 0o666);
      await chmod(join(folder, '..'), 0o755);
    });

    const write = (options: object) =>
      asNobody(0o555, () => writeAtomically(join(folder, 'x'), 'new', options).catch(({ code }) => code));

    test('is written in place', async () => {
      expect(await write({})).toBe(undefined);
      expect(await readFile(join(folder, 'x'), 'utf8')).toBe('new');
    });

    test('is not written in place where someone else may write', async () => {
      expect(await write({ replacesLink: true })).toBe('EACCES');
      expect(await readFile(join(folder, 'x'), 'utf8')).toBe('old');
    });
  });

  test('is not written in place where its owner cannot be kept', async () => {
    await writeFile(join(folder, 'x'), 'old');
    await chmod(join(folder, 'x'), 0o666);
    await chmod(join(folder, '..'), 0o755);

    const refused = await asNobody(0o777, () =>
      writeAtomically(join(folder, 'x'), 'new', { owner: { uid: 0, gid: 0 } }).catch((error) => error),
    );

    expect(refused).toMatchObject({ code: 'EPERM', syscall: 'fchown' });
    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['x']);
  });

  test('under a path that was followed before replaces a link that came since', async () => {
    await symlink(victim, join(folder, 'x'));

    await writeAtomically(join(folder, 'x'), 'new', { isReal: true });

    expect(await readFile(victim, 'utf8')).toBe('mine');
    expect((await lstat(join(folder, 'x'))).isFile()).toBe(true);
  });

  test('that fails halfway leaves the old one, and nothing beside it', async () => {
    await writeFile(join(folder, 'x'), 'old');
    const broken = Readable.from(
      (function* () {
        yield 'half';
        throw new Error('broken');
      })(),
    );

    await expect(pipeAtomically([broken, createGzip()], join(folder, 'x'))).rejects.toMatchObject({ code: 'internal' });

    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['x']);
  });

  test('is blamed for what fails in it, and for nothing that fails in what flows', async () => {
    const refused = Object.assign(new Error('connection lost'), { code: '08006' });
    const reset = Object.assign(new Error('read'), { code: 'ECONNRESET', errno: -104, syscall: 'read' });
    const codes = [];
    for (const error of [refused, reset]) {
      const failing = new Readable({
        read() {
          this.destroy(error);
        },
      });
      codes.push(await pipeAtomically([failing, createGzip()], join(folder, 'x')).catch(({ code }) => code));
    }

    await expect(pipeAtomically([Readable.from(['x'])], join(folder, 'no', 'x'))).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('ENOENT'),
    });
    expect(codes).toEqual(['unavailable', 'unavailable']);
    expect(await readdir(folder)).toEqual([]);
  });

  test.skipIf(process.platform !== 'linux')('on a full disk is blamed for that', async () => {
    await expect(pipeAtomically([Readable.from(['x'])], '/dev/full')).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('ENOSPC'),
    });
  });

  test('to a device is written into it', async () => {
    await writeAtomically('/dev/null', 'new');
    await pipeAtomically([Readable.from(['new'])], '/dev/null');

    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });
});

test.skipIf(process.platform === 'win32')(
  'the real path of a file follows links to files, to directories and to nothing',
  async () => {
    const outside = join(folder, '..');
    await symlink(victim, join(folder, 'file'));
    await symlink(outside, join(folder, 'directory'));
    await symlink('missing/further', join(folder, 'nowhere'));
    await symlink('round', join(folder, 'round'));

    const real = await Promise.all(
      ['file', 'directory/new/x', 'nowhere/x', 'plain/x'].map((path) => realPathOf(join(folder, path))),
    );

    expect(real).toEqual([
      join(outside, 'victim'),
      join(outside, 'new/x'),
      join(folder, 'missing/further/x'),
      join(folder, 'plain/x'),
    ]);
    await expect(realPathOf(join(folder, 'round'))).rejects.toMatchObject({ code: 'ELOOP' });
  },
);
