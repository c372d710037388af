import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diffLines } from '../src/commands/diff.ts';
import { slugOf } from '../src/commands/init.ts';
import { cairn, type Ran } from './support/cairn.ts';

let home: string;
let repository: string;
let flags: string[];

const run = (...args: string[]): Promise<Ran> => {
  // A home of its own on every system, and no client's settings but those.
  const env = { HOME: home, USERPROFILE: home, APPDATA: home, XDG_CONFIG_HOME: join(home, '.config'), PATH: '' };
  return cairn([...flags, ...args], { cwd: join(repository, 'src'), env });
};

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-init-'));
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  repository = join(home, 'My Shöp 2');
  await mkdir(join(repository, '.git'), { recursive: true });
  await mkdir(join(repository, 'src'));
  flags = ['--data-dir', join(home, 'data')];
});

afterAll(async () => {
  await run('db', 'stop');
  await rm(home, { recursive: true, force: true });
});

describe('cairn init', () => {
  test('without a client to be found names those there are', async () => {
    expect(await run('init', '--yes')).toMatchObject({ code: 1, stderr: expect.stringContaining('claude-code') });
    expect(await run('init', '--client', 'emacs')).toMatchObject({ code: 2 });
  });

  test('shows first, and writes nothing where nobody can be asked', async () => {
    await mkdir(join(home, '.cursor'));

    const shown = await run('init', '--dry-run');

    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain(`${join(repository, '.cursor', 'mcp.json')} (new)`);
    expect(shown.stdout).toContain('  +   "project": "my-shop-2"');
    expect(await run('init')).toMatchObject({ code: 1, stderr: expect.stringContaining('--yes') });
    await expect(readFile(join(repository, '.cairn.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('sets up what was found; from then on commands below the repository need no project', async () => {
    const first = await run('init', '--yes', '--json');
    const again = await run('init', '--yes');

    expect(JSON.parse(first.stdout)).toMatchObject({ written: true, clients: ['cursor'], project: 'my-shop-2' });
    expect(again.stdout).toBe('Everything is set up already.\n');
    expect(JSON.parse((await run('status', '--json')).stdout)).toMatchObject({ project: { slug: 'my-shop-2' } });
  });

  test('a client that was told of it starts it', async () => {
    const { mcpServers } = JSON.parse(await readFile(join(repository, '.cursor', 'mcp.json'), 'utf8'));
    const { args } = mcpServers.cairn as { args: string[] };
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };

    const input = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`;
    const { stdout } = await cairn(args.slice(1), { input });

    expect(JSON.parse(stdout)).toMatchObject({ result: { serverInfo: { name: 'cairn' } } });
  });

  test('takes it all back, and keeps the project', async () => {
    await writeFile(join(repository, 'AGENTS.md'), `${await readFile(join(repository, 'AGENTS.md'), 'utf8')}\nMine.\n`);

    expect(await run('init', '--undo')).toMatchObject({ code: 1 });
    expect(await run('init', '--undo', '--yes')).toMatchObject({ code: 0 });

    expect(await readFile(join(repository, 'AGENTS.md'), 'utf8')).toBe('\nMine.\n');
    await expect(readFile(join(repository, '.cairn.json'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await run('init', '--undo', '--yes')).stdout).toBe('There is nothing to undo here.\n');
    expect(JSON.parse((await run('status', '--json')).stdout)).toMatchObject({ project: { slug: 'my-shop-2' } });
  });
});

test.each([
  ['My Shöp 2', 'my-shop-2'],
  ['2048.game', 'game'],
  ['支払い', 'project'],
  [`${'long-'.repeat(10)}name`, 'long-long-long-long-long-long-l'],
])('the directory %j suggests the project %j', (directory, slug) => {
  expect(slugOf(directory)).toBe(slug);
});

test('a difference shows the lines that change, and two around them', () => {
  expect(diffLines('a\nb\nc\nd\ne\nf\n', 'a\nb\nc\nX\nY\ne\nf\n')).toEqual([
    '    b',
    '    c',
    '  - d',
    '  + X',
    '  + Y',
    '    e',
    '    f',
  ]);
  expect(diffLines('', 'a\n')).toEqual(['  + a']);
});
