import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBrief, writeBrief } from '../../src/brief-files.ts';

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-briefs-'));
});

afterAll(() => rm(home, { recursive: true, force: true }));

describe('the file of a brief', () => {
  test.each(['../web', 'web/..', 'Web', 'web\n', '', 'x'.repeat(32)])('is of no project called %j', async (project) => {
    await expect(writeBrief(home, project, 'x')).rejects.toThrow();
    expect(readBrief(home, project)).toBeUndefined();
  });

  test('holds at most 2,000 bytes', async () => {
    await expect(writeBrief(home, 'web', 'x'.repeat(2_001))).rejects.toThrow(RangeError);
    await writeFile(join(home, 'brief-large.txt'), 'x'.repeat(2_001));

    expect(readBrief(home, 'large')).toBeUndefined();
  });

  test.skipIf(process.platform === 'win32')('is for its owner alone, whatever lay there', async () => {
    await writeFile(join(home, 'brief-open.txt'), 'x');
    await chmod(join(home, 'brief-open.txt'), 0o666);

    await writeBrief(home, 'open', 'brief');

    expect((await stat(join(home, 'brief-open.txt'))).mode & 0o777).toBe(0o600);
  });

  test.skipIf(process.platform === 'win32')('is no link to another', async () => {
    const target = join(home, 'secret');
    await writeFile(target, 'secret');
    await symlink(target, join(home, 'brief-linked.txt'));

    expect(readBrief(home, 'linked')).toBeUndefined();
    await writeBrief(home, 'linked', 'brief');

    expect(await readFile(target, 'utf8')).toBe('secret');
    expect(readBrief(home, 'linked')).toBe('brief');
  });

  test.skipIf(process.platform === 'win32')('is no pipe, for which nobody waits', async () => {
    execFileSync('mkfifo', [join(home, 'brief-pipe.txt')]);

    expect(readBrief(home, 'pipe')).toBeUndefined();
    await writeBrief(home, 'pipe', 'brief');

    expect(readBrief(home, 'pipe')).toBe('brief');
  });
});
