import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../src/runner/find-program.ts';

describe.skipIf(process.platform === 'win32')('a program', () => {
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'cairn-program-'));
    await mkdir(join(home, 'bin', 'ibis'), { recursive: true });
    await mkdir(join(home, 'shop'));
    for (const path of ['bin/heron', 'shop/agent.sh']) {
      await writeFile(join(home, path), '#!/bin/sh\n');
      await chmod(join(home, path), 0o755);
    }
    await writeFile(join(home, 'bin', 'notes'), 'Not a program.\n', { mode: 0o644 });
  });

  afterAll(() => rm(home, { recursive: true, force: true }));

  const find = (command: string, PATH?: string) =>
    findProgram(command, { cwd: join(home, 'shop'), env: PATH === undefined ? {} : { PATH } });

  test('is found on PATH by its name, and by its path from a folder on', () => {
    const bin = join(home, 'bin');

    expect(find('heron', `/none:${bin}`)).toBe(join(bin, 'heron'));
    expect(find('heron', '../bin')).toBe(join(bin, 'heron'));
    expect(find('./agent.sh', bin)).toBe(join(home, 'shop', 'agent.sh'));
    expect(find('../bin/heron')).toBe(join(bin, 'heron'));
    // An empty part is the folder itself.
    expect(find('agent.sh', `${bin}:`)).toBe(join(home, 'shop', 'agent.sh'));
    expect(find('sh')).toMatch(/\/sh$/);
  });

  test.for(['agent.sh', 'notes', 'ibis', 'none', '', '../bin/notes', '../bin', './none'])(
    'is not what cannot be started: %j',
    (command) => {
      expect(find(command, join(home, 'bin'))).toBeUndefined();
    },
  );
});
