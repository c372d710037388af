import { lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLIENTS } from '../src/clients/catalog.ts';
import { findOutside, makeEdits, planEdit, planUndo, undoEdits } from '../src/clients/changes.ts';
import { detectClients } from '../src/clients/detect.ts';
import type { Edit } from '../src/clients/edits.ts';
import { hookCommand, serverCommand } from '../src/clients/launch.ts';
import { planInit, type Wanted } from '../src/clients/plan.ts';
import type { Host } from '../src/config.ts';

const ENTRY = { command: 'npx', args: ['-y', 'cairn-mcp'] };
const json: Edit = { kind: 'json', path: ['mcpServers', 'cairn'], value: ENTRY };

describe('where clients keep their configuration', () => {
  const hosts: Record<string, Host> = {
    linux: { platform: 'linux', home: '/home/ada', env: {} },
    darwin: { platform: 'darwin', home: '/Users/ada', env: {} },
    win32: { platform: 'win32', home: 'C:\\Users\\ada', env: { APPDATA: 'C:\\Users\\ada\\AppData\\Roaming' } },
  };

  test.each([
    ['claude-code', '/home/ada/.claude.json', '/Users/ada/.claude.json', 'C:\\Users\\ada\\.claude.json'],
    [
      'claude-desktop',
      '/home/ada/.config/Claude/claude_desktop_config.json',
      '/Users/ada/Library/Application Support/Claude/claude_desktop_config.json',
      'C:\\Users\\ada\\AppData\\Roaming\\Claude\\claude_desktop_config.json',
    ],
    ['cursor', '/home/ada/.cursor/mcp.json', '/Users/ada/.cursor/mcp.json', 'C:\\Users\\ada\\.cursor\\mcp.json'],
    [
      'vscode',
      '/home/ada/.config/Code/User/mcp.json',
      '/Users/ada/Library/Application Support/Code/User/mcp.json',
      'C:\\Users\\ada\\AppData\\Roaming\\Code\\User\\mcp.json',
    ],
    ['codex', '/home/ada/.codex/config.toml', '/Users/ada/.codex/config.toml', 'C:\\Users\\ada\\.codex\\config.toml'],
    [
      'gemini',
      '/home/ada/.gemini/settings.json',
      '/Users/ada/.gemini/settings.json',
      'C:\\Users\\ada\\.gemini\\settings.json',
    ],
    [
      'windsurf',
      '/home/ada/.codeium/windsurf/mcp_config.json',
      '/Users/ada/.codeium/windsurf/mcp_config.json',
      'C:\\Users\\ada\\.codeium\\windsurf\\mcp_config.json',
    ],
    [
      'zed',
      '/home/ada/.config/zed/settings.json',
      '/Users/ada/.config/zed/settings.json',
      'C:\\Users\\ada\\AppData\\Roaming\\Zed\\settings.json',
    ],
  ])('%s', (id, ...files) => {
    const client = CLIENTS.find((one) => one.id === id);

    expect(['linux', 'darwin', 'win32'].map((name) => client?.userFile(hosts[name] as Host))).toEqual(files);
  });

  test('follows the variables that the clients follow', () => {
    const env = { XDG_CONFIG_HOME: '/xdg', CODEX_HOME: '/codex', CLAUDE_CONFIG_DIR: '/claude' };
    const files = CLIENTS.map(({ userFile }) => userFile({ platform: 'linux', home: '/home/ada', env }));

    for (const file of [
      '/xdg/zed/settings.json',
      '/xdg/Code/User/mcp.json',
      '/codex/config.toml',
      '/claude/.claude.json',
    ]) {
      expect(files).toContain(file);
    }
  });

  test('a server is started as the system and the file need it', () => {
    const cli = 'C:\\npm\\_npx\\1\\node_modules\\cairn-mcp\\dist\\cli.js';
    const windows = hosts['win32'] as Host;
    const config = { dataDir: 'D:\\my data' };

    expect(serverCommand(config, { cli, host: windows, shared: false })).toEqual({
      command: 'cmd',
      args: ['/c', 'npx', '-y', 'cairn-mcp', '--data-dir', 'D:\\my data'],
      env: {},
      passes: [],
    });
    expect(serverCommand(config, { cli, host: windows, shared: true }).command).toBe('npx');
    const remote = { dataDir: '/d', databaseUrl: 'postgres://ada:secret@db/cairn' };
    const clone = serverCommand(remote, { cli: '/src/cairn/dist/cli.js', host: hosts['linux'] as Host, shared: true });
    expect(clone).toEqual({ command: 'node', args: ['/src/cairn/dist/cli.js'], env: {}, passes: ['DATABASE_URL'] });
    const supabase = { dataDir: '/d', supabaseUrl: 'https://x.supabase.co', supabaseSecretKey: 'secret' };
    expect(serverCommand(supabase, { cli, host: windows, shared: true })).toMatchObject({
      env: { SUPABASE_URL: 'https://x.supabase.co' },
      passes: ['SUPABASE_SECRET_KEY'],
    });
    for (const { entry } of CLIENTS) expect(JSON.stringify(entry(clone, 'web'))).not.toContain('secret');
    const installed = { cli: '/opt/My Tools/node_modules/cairn-mcp/dist/cli.js', host: windows };
    expect(hookCommand('stop', config, installed)).toBe(
      'node "/opt/My Tools/node_modules/cairn-mcp/dist/cli.js" --data-dir "D:/my data" hook stop',
    );
    expect(hookCommand('stop', config, { cli, host: windows })).toMatch(/^npx -y cairn-mcp .* hook stop$/);
  });
});

describe('setting up', () => {
  let home: string;
  let repository: string;
  let state: string;
  let host: Host;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'cairn home-'));
    repository = join(home, 'shop');
    state = join(home, 'state');
    await mkdir(join(repository, '.git'), { recursive: true });
    host = { platform: process.platform, home, env: { APPDATA: join(home, 'AppData') } };
  });

  afterEach(() => rm(home, { recursive: true }));

  const wanted = (more: Partial<Wanted> = {}): Wanted => ({
    clients: CLIENTS,
    scope: 'project',
    repository,
    project: 'shop',
    hooks: true,
    instructions: true,
    server: () => ({ ...ENTRY, env: {}, passes: [] }),
    hook: (event) => `node /opt/cairn/dist/cli.js hook ${event}`,
    ...more,
  });

  test('finds the clients that are used, and only those', async () => {
    await mkdir(join(home, '.cursor'));
    await mkdir(join(repository, '.gemini'));
    await mkdir(join(home, 'bin'));
    await writeFile(join(home, 'bin', process.platform === 'win32' ? 'codex.cmd' : 'codex'), '');

    const found = await detectClients({ ...host, env: { ...host.env, PATH: join(home, 'bin') } }, repository);

    expect(found.map(({ id }) => id)).toEqual(['cursor', 'codex', 'gemini']);
  });

  test('writes each file once, and undoing leaves no trace of it', async () => {
    await writeFile(join(repository, 'AGENTS.md'), '# Agents');
    await makeEdits(await planInit(wanted(), host), repository, state);

    expect(await planInit(wanted(), host)).toEqual([]);
    expect(JSON.parse(await readFile(join(repository, '.cairn.json'), 'utf8'))).toEqual({ project: 'shop' });
    const files = [
      '.mcp.json',
      '.cursor/mcp.json',
      '.vscode/mcp.json',
      '.codex/config.toml',
      '.gemini/settings.json',
      '.zed/settings.json',
      'CLAUDE.md',
      '.claude/settings.local.json',
    ];
    for (const file of files) expect(await readFile(join(repository, file), 'utf8')).toContain('cairn');

    await undoEdits(repository, state);

    expect(await readFile(join(repository, 'AGENTS.md'), 'utf8')).toBe('# Agents');
    for (const file of [...files, '.cairn.json', '.cursor', '.vscode', '.claude']) {
      await expect(stat(join(repository, file))).rejects.toMatchObject({ code: 'ENOENT' });
    }
    expect(await planUndo(repository, state)).toEqual([]);
  });

  test('for the user alone leaves the repository to its binding', async () => {
    const planned = await planInit(wanted({ scope: 'user', instructions: false }), host);

    const inRepository = planned.map(({ file }) => file).filter((file) => file.startsWith(repository));
    expect(inRepository).toEqual([join(repository, '.cairn.json')]);
    expect(planned).toHaveLength(CLIENTS.length + 2);
  });

  test('undone after a person went on in the file takes out our part alone', async () => {
    const file = join(home, '.cursor', 'mcp.json');
    await makeEdits([(await planEdit(file, json)) as never], repository, state);
    const content = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...content, mine: 1 }));

    await undoEdits(repository, state);

    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ mcpServers: {}, mine: 1 });
  });

  test('undone once brings back what was there before the first of several', async () => {
    const file = join(home, 'x.json');
    await writeFile(file, '{ "mine": 1 }');
    for (const command of ['one', 'two']) {
      const edit: Edit = { kind: 'json', path: ['mcpServers', 'cairn'], value: { command } };
      await makeEdits([(await planEdit(file, edit)) as never], repository, state);
    }

    await undoEdits(repository, state);

    expect(await readFile(file, 'utf8')).toBe('{ "mine": 1 }');
  });

  test('does not undo what another repository did', async () => {
    const edit: Edit = { kind: 'json', path: ['project'], value: 'shop' };
    await makeEdits([(await planEdit(join(home, 'x.json'), edit)) as never], join(home, 'other'), state);

    expect(await planUndo(repository, state)).toEqual([]);
  });

  test.skipIf(process.platform === 'win32')('keeps a link a link, and a private file private', async () => {
    const real = join(home, 'dotfiles.json');
    const link = join(home, 'link.json');
    await writeFile(real, '{}', { mode: 0o600 });
    await symlink(real, link);

    await makeEdits([(await planEdit(link, json)) as never], repository, state);

    expect(JSON.parse(await readFile(real, 'utf8'))).toMatchObject({ mcpServers: { cairn: ENTRY } });
    expect((await stat(real)).mode & 0o777).toBe(0o600);
  });

  test.skipIf(process.platform === 'win32')('tells which files links lead out of the repository', async () => {
    await symlink(home, join(repository, '.vscode'));
    await symlink('../planted.json', join(repository, '.mcp.json'));
    await symlink('.git/config', join(repository, 'CLAUDE.md'));
    await mkdir(join(repository, 'own'));
    await symlink('own', join(repository, '.cursor'));

    const outside = await findOutside(await planInit(wanted(), host), repository);

    expect(outside.map(({ file }) => relative(repository, file)).sort()).toEqual([
      '.mcp.json',
      '.vscode/mcp.json',
      'CLAUDE.md',
    ]);
  });

  test.skipIf(process.platform === 'win32')('undone removes the file that a link leads to, and no link', async () => {
    const link = join(repository, '.mcp.json');
    await symlink('../elsewhere/new.json', link);
    await makeEdits([(await planEdit(link, json)) as never], repository, state);
    expect(await readFile(join(home, 'elsewhere', 'new.json'), 'utf8')).toContain('cairn');

    await undoEdits(repository, state);

    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    await expect(stat(join(home, 'elsewhere'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('teaches Claude Code once where its page leads to the common one', async () => {
    await writeFile(join(repository, 'AGENTS.md'), '# Agents\n');
    await writeFile(join(repository, 'CLAUDE.md'), 'See:\n@AGENTS.md\n');

    const planned = await planInit(wanted(), host);

    const pages = planned.map(({ file }) => file).filter((file) => file.endsWith('.md'));
    expect(pages).toEqual([join(repository, 'AGENTS.md')]);
  });
});
