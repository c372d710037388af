import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLIENTS } from '../../src/clients/catalog.ts';
import { clientsWithHooks, findOutside, makeEdits, planEdit, planUndo, undoEdits } from '../../src/clients/changes.ts';
import { detectClients } from '../../src/clients/detect.ts';
import { type Edit, revertEdit } from '../../src/clients/edits.ts';
import { planInit } from '../../src/clients/plan.ts';
import type { Wanted } from '../../src/clients/wanted.ts';
import type { Host } from '../../src/config.ts';

const ENTRY = { command: 'npx', args: ['-y', 'cairn-mcp'] };
const json: Edit = { kind: 'json', path: ['mcpServers', 'cairn'], value: ENTRY };

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
    hook: (event, client) => `node /opt/cairn/dist/cli.js hook ${event} ${client}`,
    ...more,
  });

  const undo = async () => undoEdits(await planUndo(repository, state), repository, state);

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

    await undo();

    expect(await readFile(join(repository, 'AGENTS.md'), 'utf8')).toBe('# Agents');
    for (const file of [...files, '.cairn.json', '.cursor', '.vscode', '.claude']) {
      await expect(stat(join(repository, file))).rejects.toMatchObject({ code: 'ENOENT' });
    }
    expect(await planUndo(repository, state)).toEqual([]);
  });

  test('installs hooks for each client that runs them, beside those of others, and takes out ours alone', async () => {
    const files = {
      codex: join(home, '.codex', 'hooks.json'),
      gemini: join(home, '.gemini', 'settings.json'),
      cursor: join(home, '.cursor', 'hooks.json'),
    };
    const other = { command: 'their hook stop' };
    await mkdir(join(home, '.cursor'));
    await writeFile(files.cursor, JSON.stringify({ version: 1, hooks: { stop: [other] } }));
    await makeEdits(await planInit(wanted(), host), repository, state);
    const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'));

    expect((await read(files.codex)).hooks.Stop).toEqual([
      { hooks: [{ type: 'command', command: 'node /opt/cairn/dist/cli.js hook stop codex', timeout: 5 }] },
    ]);
    expect((await read(files.gemini)).hooks.AfterTool[0].hooks[0]).toMatchObject({ timeout: 5_000 });
    expect((await read(files.cursor)).hooks).toMatchObject({
      stop: [other, { command: 'node /opt/cairn/dist/cli.js hook stop cursor', loop_limit: 7 }],
      postToolUse: [{ command: 'node /opt/cairn/dist/cli.js hook after-tools cursor' }],
    });
    const claude = await read(join(repository, '.claude', 'settings.local.json'));
    expect(claude.hooks.Stop).toMatchObject([{ hooks: [{ timeout: 5 }, { asyncRewake: true, timeout: 86_400 }] }]);
    expect(clientsWithHooks(state).sort()).toEqual(['claude-code', 'codex', 'cursor', 'gemini']);
    await writeFile(files.cursor, JSON.stringify({ ...(await read(files.cursor)), mine: 1 }));

    await undo();

    expect(await read(files.cursor)).toEqual({ version: 1, hooks: { stop: [other] }, mine: 1 });
    for (const file of [files.codex, files.gemini]) await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('for the user writes server and hooks of Gemini CLI into one file, and undoes both', async () => {
    const file = join(home, '.gemini', 'settings.json');
    await makeEdits(await planInit(wanted({ scope: 'user' }), host), repository, state);
    const written = JSON.parse(await readFile(file, 'utf8'));
    expect(written).toMatchObject({ mcpServers: { cairn: {} }, hooks: { AfterAgent: [{}] } });
    await writeFile(file, JSON.stringify({ ...written, mine: 1 }));

    await undo();

    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ mcpServers: {}, mine: 1 });
  });

  test('replaces hooks that an earlier program installed, and undoes them by its notes', async () => {
    const file = join(repository, '.claude', 'settings.local.json');
    const old = { hooks: [{ type: 'command', command: 'node /old/dist/cli.js hook stop', timeout: 5 }] };
    await mkdir(join(repository, '.claude'));
    await writeFile(file, JSON.stringify({ hooks: { Stop: [old], PreCompact: [old] } }));
    const noted: Edit = { kind: 'hooks', commands: { Stop: 'x', PreCompact: 'x' } };
    expect(JSON.parse(revertEdit(noted, await readFile(file, 'utf8'), file))).toEqual({});

    await makeEdits(await planInit(wanted(), host), repository, state);

    const { hooks } = JSON.parse(await readFile(file, 'utf8'));
    expect(JSON.stringify(hooks)).not.toContain('/old/');
    expect(hooks.Stop).toHaveLength(1);
    expect(await planInit(wanted(), host)).toEqual([]);
  });

  test('for the user alone leaves the repository to its binding', async () => {
    const planned = await planInit(wanted({ scope: 'user', instructions: false }), host);

    const inRepository = planned.map(({ file }) => file).filter((file) => file.startsWith(repository));
    expect(inRepository).toEqual([join(repository, '.cairn.json')]);
    // The hooks of Claude Code, Codex and Cursor have files of their own.
    expect(planned).toHaveLength(CLIENTS.length + 4);
  });

  test('undone after a person went on in the file takes out our part alone', async () => {
    const file = join(home, '.cursor', 'mcp.json');
    await makeEdits([(await planEdit(file, json)) as never], repository, state);
    const content = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...content, mine: 1 }));

    await undo();

    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ mcpServers: {}, mine: 1 });
  });

  test('undone once brings back what was there before the first of several', async () => {
    const file = join(home, 'x.json');
    await writeFile(file, '{ "mine": 1 }');
    for (const command of ['one', 'two']) {
      const edit: Edit = { kind: 'json', path: ['mcpServers', 'cairn'], value: { command } };
      await makeEdits([(await planEdit(file, edit)) as never], repository, state);
    }

    await undo();

    expect(await readFile(file, 'utf8')).toBe('{ "mine": 1 }');
  });

  test('undone without the copy of what was there loses nothing but our part', async () => {
    const file = join(home, 'x.json');
    await writeFile(file, '{ "mine": 1 }');
    await makeEdits([(await planEdit(file, json)) as never], repository, state);
    for (const name of await readdir(state)) if (name.endsWith('.backup')) await rm(join(state, name));

    await undo();

    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ mcpServers: {}, mine: 1 });
  });

  test('goes on without a file that cannot be read, and undoes that one once it can', async () => {
    const [broken, whole] = [join(repository, '.mcp.json'), join(repository, '.cursor', 'mcp.json')];
    await makeEdits(await planInit(wanted(), host), repository, state);
    const content = await readFile(broken, 'utf8');
    await rm(broken);
    await mkdir(broken);
    const told: string[] = [];
    const planned = await planUndo(repository, state, (_, file) => told.push(file));
    const again: string[] = [];
    const others = await planInit(wanted({ project: 'other' }), host, (_, file) => again.push(file));

    await undoEdits(planned, repository, state);

    expect([told, again]).toEqual([[broken], [broken]]);
    expect(others.map(({ file }) => file)).toContain(join(repository, '.cairn.json'));
    await expect(stat(whole)).rejects.toMatchObject({ code: 'ENOENT' });
    await rm(broken, { recursive: true });
    await writeFile(broken, content);
    await undo();
    await expect(stat(broken)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test.skipIf(process.platform === 'win32')('follows no link that came after the plan was shown', async () => {
    const [file, mine] = [join(repository, '.mcp.json'), join(home, 'mine.json')];
    await writeFile(mine, '{}');
    const planned = await planEdit(file, json);
    await symlink(mine, file);

    await expect(makeEdits([planned as never], repository, state)).rejects.toMatchObject({ code: 'version_conflict' });

    await rm(file);
    await makeEdits([planned as never], repository, state);
    const undoing = await planUndo(repository, state);
    await rm(file);
    await symlink(mine, file);
    await expect(undoEdits(undoing, repository, state)).rejects.toMatchObject({ code: 'version_conflict' });
    expect(await readFile(mine, 'utf8')).toBe('{}');
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

    await undo();

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
