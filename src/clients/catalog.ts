import { posix, win32 } from 'node:path';
import type { Host } from '../config.ts';

/** The command that starts Cairn. `passes` names secrets in the client's own environment that the process must see. */
export type ServerCommand = { command: string; args: string[]; env: Record<string, string>; passes: readonly string[] };

/** Formats a server for one client; some clients need the project in a repository's file. */
type Entry = (server: ServerCommand, project: string | undefined) => Record<string, unknown>;

export type Client = {
  id: string;
  name: string;
  format: 'json' | 'toml';
  /** The object of the file that holds the servers. */
  key: string;
  userFile(host: Host): string;
  /** The path from the root of a repository, where the client reads such a file. */
  projectFile?: string;
  /** The traces that a used client leaves below the home directory or in a repository. */
  traces(host: Host): string[];
  projectTraces?: string[];
  programs: string[];
  entry: Entry;
  /** The step that makes the client read its file again. */
  reload: string;
};

/** The path rules of the host, which may differ from the machine that runs this. */
export function pathOf({ platform }: Host): typeof posix {
  return platform === 'win32' ? win32 : posix;
}

/** Returns the directory of user settings: `~/.config`, `~/Library/Application Support`, `%APPDATA%`. */
function settingsDir(host: Host): string {
  const { join } = pathOf(host);
  if (host.platform === 'win32') return host.env['APPDATA'] || join(host.home, 'AppData', 'Roaming');
  if (host.platform === 'darwin') return join(host.home, 'Library', 'Application Support');
  return host.env['XDG_CONFIG_HOME'] || join(host.home, '.config');
}

function inHome(...names: string[]): (host: Host) => string {
  return (host) => pathOf(host).join(host.home, ...names);
}

function inSettings(...names: string[]): (host: Host) => string {
  return (host) => pathOf(host).join(settingsDir(host), ...names);
}

/** Returns the environment of the process; secrets by reference in the client's syntax, so that none is stored. */
function environment(
  { env, passes }: ServerCommand,
  reference?: (name: string) => string,
): { env?: ServerCommand['env'] } {
  const references = reference === undefined ? [] : passes.map((name) => [name, reference(name)]);
  const all = { ...env, ...Object.fromEntries(references) };
  return Object.keys(all).length === 0 ? {} : { env: all };
}

function naming(args: string[], project: string | undefined): string[] {
  return project === undefined ? args : [...args, '--project', project];
}

// Zed uses ~/.config on macOS too.
const zedDir = (host: Host) =>
  host.platform === 'darwin'
    ? inHome('.config', 'zed')(host)
    : inSettings(host.platform === 'win32' ? 'Zed' : 'zed')(host);

const claudeDir = (host: Host) => host.env['CLAUDE_CONFIG_DIR'] || inHome('.claude')(host);

const codexDir = (host: Host) => host.env['CODEX_HOME'] || inHome('.codex')(host);

/** The clients that `cairn init` knows, with the files that each documents. */
export const CLIENTS: readonly Client[] = [
  {
    id: 'claude-code',
    name: 'Claude Code',
    format: 'json',
    key: 'mcpServers',
    userFile: (host) => pathOf(host).join(host.env['CLAUDE_CONFIG_DIR'] || host.home, '.claude.json'),
    projectFile: '.mcp.json',
    traces: (host) => [claudeDir(host), inHome('.claude.json')(host)],
    projectTraces: ['.claude', '.mcp.json', 'CLAUDE.md'],
    programs: ['claude'],
    // It starts servers in the repository, which has the file that binds it.
    entry: (server) => ({
      type: 'stdio',
      command: server.command,
      args: server.args,
      ...environment(server, (name) => `\${${name}}`),
    }),
    reload: 'start a new session and approve the server; /mcp shows it',
  },
  {
    id: 'claude-desktop',
    name: 'Claude Desktop',
    format: 'json',
    key: 'mcpServers',
    userFile: inSettings('Claude', 'claude_desktop_config.json'),
    traces: (host) => [inSettings('Claude')(host)],
    programs: [],
    entry: (server) => ({ command: server.command, args: server.args, ...environment(server) }),
    reload: 'quit it and start it again',
  },
  {
    id: 'cursor',
    name: 'Cursor',
    format: 'json',
    key: 'mcpServers',
    userFile: inHome('.cursor', 'mcp.json'),
    projectFile: '.cursor/mcp.json',
    traces: (host) => [inHome('.cursor')(host)],
    projectTraces: ['.cursor'],
    programs: ['cursor', 'cursor-agent'],
    entry: (server, project) => ({
      type: 'stdio',
      command: server.command,
      args: naming(server.args, project),
      ...environment(server, (name) => `\${env:${name}}`),
    }),
    reload: 'switch it on under Settings, MCP',
  },
  {
    id: 'vscode',
    name: 'VS Code',
    format: 'json',
    key: 'servers',
    userFile: inSettings('Code', 'User', 'mcp.json'),
    projectFile: '.vscode/mcp.json',
    traces: (host) => [inSettings('Code', 'User')(host)],
    projectTraces: ['.vscode'],
    programs: ['code'],
    entry: (server, project) => ({
      type: 'stdio',
      command: server.command,
      args: server.args,
      ...(project === undefined ? {} : { cwd: `\${workspaceFolder}` }),
      ...environment(server, (name) => `\${env:${name}}`),
    }),
    reload: 'run the command "MCP: List Servers" and start it',
  },
  {
    id: 'codex',
    name: 'Codex',
    format: 'toml',
    key: 'mcp_servers',
    userFile: (host) => pathOf(host).join(codexDir(host), 'config.toml'),
    projectFile: '.codex/config.toml',
    traces: (host) => [codexDir(host)],
    projectTraces: ['.codex'],
    programs: ['codex'],
    entry: (server) => ({
      command: server.command,
      args: server.args,
      // The first start downloads the package; Codex waits 10 seconds by default.
      startup_timeout_sec: 60,
      ...environment(server),
      ...(server.passes.length === 0 ? {} : { env_vars: [...server.passes] }),
    }),
    reload: 'start a new session; in a repository Codex must trust it',
  },
  {
    id: 'gemini',
    name: 'Gemini CLI',
    format: 'json',
    key: 'mcpServers',
    userFile: inHome('.gemini', 'settings.json'),
    projectFile: '.gemini/settings.json',
    traces: (host) => [inHome('.gemini')(host)],
    projectTraces: ['.gemini', 'GEMINI.md'],
    programs: ['gemini'],
    entry: (server) => ({
      command: server.command,
      args: server.args,
      ...environment(server, (name) => `$${name}`),
    }),
    reload: 'start a new session; /mcp shows it',
  },
  {
    id: 'windsurf',
    name: 'Windsurf',
    format: 'json',
    key: 'mcpServers',
    userFile: inHome('.codeium', 'windsurf', 'mcp_config.json'),
    traces: (host) => [inHome('.codeium', 'windsurf')(host)],
    programs: ['windsurf'],
    entry: (server) => ({
      command: server.command,
      args: server.args,
      ...environment(server, (name) => `\${env:${name}}`),
    }),
    reload: 'press refresh in the MCP panel of Cascade',
  },
  {
    id: 'zed',
    name: 'Zed',
    format: 'json',
    key: 'context_servers',
    userFile: (host) => pathOf(host).join(zedDir(host), 'settings.json'),
    projectFile: '.zed/settings.json',
    traces: (host) => [zedDir(host)],
    projectTraces: ['.zed'],
    programs: ['zed', 'zeditor'],
    entry: ({ command, args, env }, project) => ({ source: 'custom', command, args: naming(args, project), env }),
    reload: 'it notices; the Agent panel shows it',
  },
];
