import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { slugOf } from '../../src/cli/setup/init.ts';
import { diffLines } from '../../src/cli/terminal/diff.ts';
import { cairn, type Ran } from '../support/cairn.ts';
import { cairnHere } from '../support/cairn-here.ts';

let home: string;
let repository: string;
let flags: string[];

const run = (...args: string[]): Promise<Ran> => {
  // A home of its own on every system, and no client's settings but those.
  const env = { HOME: home, USERPROFILE: home, APPDATA: home, XDG_CONFIG_HOME: join(home, '.config'), PATH: '' };
  return cairnHere([...flags, ...args], { cwd: join(repository, 'src'), env });
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

describe.skipIf(process.platform === 'win32')('cairn init in a repository of a stranger', () => {
  let place: string;
  let strange: string;
  let outside: string;

  beforeEach(async () => {
    place = await mkdtemp(join(home, 'strange-'));
    [strange, outside] = [join(place, 'repository'), join(place, 'mine')];
    await mkdir(join(strange, '.git'), { recursive: true });
    await mkdir(outside);
    await writeFile(join(outside, 'profile'), '# mine\n');
    await writeFile(join(strange, '.cairn.json'), '{ "project": "web" }\n');
  });

  const init = (...args: string[]) => {
    const env = { HOME: home, USERPROFILE: home, XDG_CONFIG_HOME: join(place, '.config'), PATH: '' };
    return cairn([...flags, 'init', '--client', 'claude-code', 'cursor', 'vscode', ...args], { cwd: strange, env });
  };

  test('goes through no link in the place of a file that is not finished', async () => {
    await writeFile(join(strange, 'AGENTS.md'), '# Build\ntouch RAN\n');
    for (const file of ['AGENTS.md', 'CLAUDE.md', '.mcp.json', '.cairn.json']) {
      for (const ending of ['cairn-part', 'part', 'tmp'])
        await symlink('../mine/profile', join(strange, `${file}.${ending}`));
    }

    expect(await init('--yes')).toMatchObject({ code: 0 });

    expect(await readFile(join(outside, 'profile'), 'utf8')).toBe('# mine\n');
    expect((await lstat(join(strange, 'AGENTS.md'))).isFile()).toBe(true);
  });

  test.each([
    ['a file', 'AGENTS.md', '../mine/profile'],
    ['a directory', '.vscode', '../mine'],
    ['what is not there yet', '.cursor', '../mine/new'],
    ['a chain of links', 'CLAUDE.md', 'AGENTS.md'],
    ['what git keeps', '.mcp.json', '.git/hooks/post-checkout'],
  ])('shows where a link to %s leads, and with --yes writes nothing at all', async (_, link, to) => {
    await symlink(to, join(strange, link));
    if (to === 'AGENTS.md') await symlink('../mine/profile', join(strange, 'AGENTS.md'));

    const shown = await init('--dry-run');
    const refused = await init('--yes');

    expect(shown.stdout).toContain('  ! leads to ');
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/outside of this repository\.\n.*--follow-links/),
    });
    expect((await readdir(strange)).filter((name) => !/^(\.git|\.cairn\.json|AGENTS\.md)$/.test(name))).toEqual(
      to === 'AGENTS.md' || link !== 'AGENTS.md' ? [link] : [],
    );
    expect(await readdir(outside)).toEqual(['profile']);
    expect(await readFile(join(outside, 'profile'), 'utf8')).toBe('# mine\n');
  });

  test('follows a link that the person allowed, and undoes what it did there, not what is put there since', async () => {
    await symlink('../mine/profile', join(strange, 'AGENTS.md'));
    await symlink('../mine/new', join(strange, '.cursor'));

    expect(await init('--yes', '--follow-links')).toMatchObject({ code: 0 });
    expect(await readFile(join(outside, 'profile'), 'utf8')).toContain('cairn:start');
    expect(await readdir(join(outside, 'new'))).toEqual(['mcp.json']);
    expect(await init('--undo', '--yes')).toMatchObject({ code: 1, stderr: expect.stringContaining('--follow-links') });
    expect(await init('--undo', '--yes', '--follow-links')).toMatchObject({ code: 0 });

    expect(await readFile(join(outside, 'profile'), 'utf8')).toBe('# mine\n');
    expect((await lstat(join(strange, 'AGENTS.md'))).isSymbolicLink()).toBe(true);
    expect(await readdir(outside)).toEqual(['profile']);
  });

  test('takes a link within the repository for what it is', async () => {
    await mkdir(join(strange, 'docs'));
    await writeFile(join(strange, 'docs', 'agents.md'), '# Agents\n');
    await symlink('docs/agents.md', join(strange, 'AGENTS.md'));

    expect(await init('--yes')).toMatchObject({ code: 0 });

    expect((await lstat(join(strange, 'AGENTS.md'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(strange, 'docs', 'agents.md'), 'utf8')).toContain('cairn:start');
  });

  test.each([
    ['a pipe', 'AGENTS.md', (file: string) => execFileSync('mkfifo', [file])],
    ['a device', '.mcp.json', (file: string) => symlink('/dev/zero', file)],
    ['a directory', '.mcp.json', (file: string) => mkdir(file)],
    ['17 MB', 'AGENTS.md', (file: string) => writeFile(file, Buffer.alloc(17 * 1_048_576, 'a\n'))],
  ])('does not read %s', { timeout: 20_000 }, async (_, name, put) => {
    await put(join(strange, name));

    expect(await init('--dry-run')).toMatchObject({ code: 1, stderr: expect.stringContaining(name) });
  });

  test('sets up the rest where one file cannot be read, says so, and undoes the rest', async () => {
    await mkdir(join(strange, '.mcp.json'));

    const made = await init('--yes');
    const shown = await init('--undo', '--yes', '--json');

    expect(made).toMatchObject({ code: 1, stderr: expect.stringContaining('.mcp.json cannot be read') });
    expect(made.stdout).toContain('.cursor/mcp.json (new)');
    expect(shown).toMatchObject({ code: 0 });
    expect(await readdir(strange)).toEqual(['.cairn.json', '.git', '.mcp.json']);
  });

  test('says of a page that is too large what to do about it', { timeout: 20_000 }, async () => {
    await writeFile(join(strange, 'AGENTS.md'), Buffer.alloc(17 * 1_048_576, 'a\n'));

    const { stderr } = await init('--dry-run');

    expect(stderr).toMatch(/AGENTS\.md is larger than 16 MB\.\n.*--no-instructions/);
  });

  test('shows no escape of a page on the terminal', async () => {
    await writeFile(join(strange, 'AGENTS.md'), 'a\u001b[2J\u202eb\n');

    const { stdout } = await init('--dry-run');

    expect(stdout).toContain('a[2Jb');
    expect(stdout).not.toMatch(/(?!\n)\p{Cc}|\p{Bidi_Control}/u);
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
  expect(diffLines('\u001b[2Ja\nb\u202e\n', '\u001b[2Ja\nc\u0007\n')).toEqual(['    [2Ja', '  - b', '  + c']);
});
