import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cairn } from '../support/cairn.ts';

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-cache-'));
});

afterAll(() => rm(home, { recursive: true, force: true }));

const at = (directory: string) => ({ env: { HOME: directory, USERPROFILE: directory } });

describe('what V8 compiled for an earlier start', () => {
  test('is not missed where it cannot be kept', async () => {
    const file = join(home, 'file');
    await writeFile(file, '');

    for (const nowhere of [file, join(home, 'none'), '']) {
      expect(await cairn(['--version'], at(nowhere))).toMatchObject({ code: 0, stderr: '' });
    }
  });

  // Node.js 20 keeps none.
  test.runIf('enableCompileCache' in module)('is kept for the user alone, where caches are', async () => {
    await cairn(['--version'], at(home));

    const kept = await readdir(home, { recursive: true });
    expect(kept.filter((path) => /cairn/i.test(path)).length).toBeGreaterThan(2);
  });
});
