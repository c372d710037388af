// The agent programs: how each is started with a home of its own and a model on loopback, and how it names what Cairn
// offers.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import type { ClientName } from './given.ts';
import type { ShownTool } from './models/wire.ts';
import type { Place } from './place.ts';

/** The folder into which `npm install --prefix` put the programs. */
const INSTALLED = resolve(process.env.CAIRN_TEST_CLIENTS ?? fileURLToPath(new URL('.clients', PACKAGE_ROOT)));
const bin = (name: string) => join(INSTALLED, 'node_modules', '.bin', name);
const GEMINI = join(INSTALLED, 'node_modules/@google/gemini-cli/bundle/gemini.js');

export type Program = {
  title: string;
  /** The file that must exist. */
  file: string;
  command: string[];
  /** The name for `cairn init --client`. */
  client: string;
  /** The file that `cairn init` writes for it in a repository. */
  config: string;
  /** The arguments of one session that is asked to go. */
  session: string[];
  env(url: string, place: Place): Record<string, string>;
  prepare?(url: string, place: Place): Promise<void>;
  /** How `cairn agent run` drives it; `asks` are the arguments with which it asks before it runs a command. */
  driven: { type: string; driver: string; args: string[]; asks: string[] };
  /** The client's tool that runs a command in a shell; `asked` where it has to ask for leave. */
  shell: { tool: string; input: (command: string, asked?: boolean) => object };
  /** The client's tool that starts a sub-agent, and the name that a person is shown. */
  subagent?: { tool: string | ShownTool; input: (prompt: string) => object; name: RegExp };
  /** The client's tool that finds tools, if the client hides tools. */
  search?: { tool: string; input: (tools: string[]) => object };
};

export const PROGRAMS: Record<ClientName, Program> = {
  claude: {
    title: 'Claude Code',
    file: bin('claude'),
    command: [bin('claude')],
    client: 'claude-code',
    config: '.mcp.json',
    session: ['-p', 'go', '--permission-mode', 'bypassPermissions', '--output-format', 'stream-json', '--verbose'],
    env: (url) => ({
      ANTHROPIC_API_KEY: 'none',
      ANTHROPIC_BASE_URL: url,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_TELEMETRY: '1',
      // Run as root, it asks for permission unless it is told that it runs in a sandbox.
      IS_SANDBOX: '1',
    }),
    /** Else it waits for a person to approve what a repository brings. */
    prepare: async (_url, { home }) => {
      await write(join(home, '.claude', 'settings.json'), JSON.stringify({ enableAllProjectMcpServers: true }));
    },
    driven: { type: 'claude', driver: 'claude', args: ['--permission-mode', 'bypassPermissions'], asks: [] },
    shell: { tool: 'Bash', input: (command) => ({ command, description: 'Work' }) },
    subagent: {
      tool: 'Agent',
      input: (prompt) => ({ prompt, description: 'Look at the cart', subagent_type: 'Explore' }),
      name: /Explore: Look at the cart/,
    },
    search: {
      tool: 'ToolSearch',
      input: (tools) => ({ query: `select:${tools.map((tool) => `mcp__cairn__${tool}`).join(',')}`, max_results: 20 }),
    },
  },
  codex: {
    title: 'Codex',
    file: bin('codex'),
    command: [bin('codex')],
    client: 'codex',
    config: '.codex/config.toml',
    session: ['exec', '--json', '--skip-git-repo-check', 'go'],
    env: (_url, { home }) => ({ CODEX_HOME: join(home, '.codex'), STAND_IN_KEY: 'none', RUST_LOG: 'error' }),
    prepare: async (url, place) => {
      await write(join(place.home, '.codex', 'config.toml'), codexSettings(url, place.cwd));
    },
    driven: {
      type: 'codex',
      driver: 'codex',
      args: [],
      asks: ['-c', 'approval_policy="on-request"', '-c', 'sandbox_mode="read-only"'],
    },
    shell: {
      tool: 'exec_command',
      input: (cmd, asked) => ({ cmd, ...(asked && { sandbox_permissions: 'require_escalated', justification: cmd }) }),
    },
    subagent: {
      tool: { name: 'spawn_agent', namespace: 'multi_agent_v1' },
      input: (message) => ({ message, agent_type: 'explorer' }),
      name: /^explorer: [A-Z]/,
    },
    search: { tool: 'tool_search', input: (tools) => ({ query: tools.join(' '), limit: 20 }) },
  },
  gemini: {
    title: 'Gemini CLI',
    file: GEMINI,
    command: [process.execPath, GEMINI],
    client: 'gemini',
    config: '.gemini/settings.json',
    session: ['-p', 'go', '--yolo', '-o', 'json'],
    driven: { type: 'gemini', driver: 'acp', args: ['--acp', '--yolo'], asks: ['--acp'] },
    shell: { tool: 'run_shell_command', input: (command) => ({ command, description: 'Work' }) },
    env: (url) => ({
      GEMINI_API_KEY: 'none',
      GOOGLE_GEMINI_BASE_URL: url,
      GEMINI_CLI_TRUST_WORKSPACE: 'true',
    }),
    prepare: async (_url, { home }) => {
      const settings = {
        security: { auth: { selectedType: 'gemini-api-key' } },
        privacy: { usageStatisticsEnabled: false },
        general: { disableAutoUpdate: true },
      };
      await write(join(home, '.gemini', 'settings.json'), JSON.stringify(settings));
    },
  },
};

export function isInstalled(name: ClientName): boolean {
  return existsSync(PROGRAMS[name].file);
}

function codexSettings(url: string, cwd: string): string {
  return `model = "gpt-5.5"
model_provider = "stand-in"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
mcp_oauth_credentials_store = "file"

[analytics]
enabled = false

[model_providers.stand-in]
name = "stand-in"
base_url = "${url}/v1"
env_key = "STAND_IN_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false

[projects."${cwd}"]
trust_level = "trusted"
`;
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, text);
}
