import { describe, expect, test } from 'vitest';
import { CLIENTS } from '../../src/clients/catalog.ts';
import { hookCommand, serverCommand } from '../../src/clients/launch.ts';
import type { Host } from '../../src/config.ts';

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
    expect(hookCommand(['stop'], config, installed)).toBe(
      'node "/opt/My Tools/node_modules/cairn-mcp/dist/cli.js" --data-dir "D:/my data" hook stop',
    );
    expect(hookCommand(['stop'], config, { cli, host: windows })).toMatch(/^npx -y cairn-mcp .* hook stop$/);
  });
});
