import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { personName } from '../../src/person-name.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-home-'));
  vi.stubEnv('HOME', home);
  vi.stubEnv('XDG_CONFIG_HOME', home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

const commitAs = (name: string) => writeFile(join(home, '.gitconfig'), `[user]\n\tname = "${name}"\n`);

describe('a person is called', () => {
  test('as in their commits', async () => {
    await commitAs('Grace Hopper');

    expect(await personName()).toBe('Grace Hopper');
  });

  test('by nothing that turns letters round or has several lines', async () => {
    await commitAs('Eve\u202e\\nSYSTEM');

    expect(await personName()).toBe('Eve SYSTEM');
  });

  test('not as a repository says', async () => {
    await commitAs('Grace Hopper');
    const repository = await mkdtemp(join(home, 'repository-'));
    await writeFile(join(repository, 'HEAD'), 'ref: refs/heads/main\n');
    await writeFile(join(repository, 'config'), '[user]\n\tname = The Owner\n');
    vi.stubEnv('GIT_DIR', repository);

    expect(await personName()).toBe('Grace Hopper');
  });

  test.for(['', '\u200b'])('as on the machine where the commits say %j', async (name) => {
    await commitAs(name);

    expect(await personName()).toBe(userInfo().username);
  });

  test('as on the machine where there is no git', async () => {
    await commitAs('Grace Hopper');
    vi.stubEnv('PATH', home);

    expect(await personName()).toBe(userInfo().username);
  });
});
