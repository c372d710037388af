import { resolve } from 'node:path';
import type { Config, Host } from '../config.ts';
import { defaultDataDir } from '../config.ts';
import { DomainError } from '../errors.ts';
import { escaped } from '../text.ts';
import type { ServerCommand } from './catalog.ts';

const DATA_DIR = 'CAIRN_DATA_DIR';
const PACKAGE = ['-y', 'cairn-mcp'];

type Database = Pick<
  Config,
  'dataDir' | 'databaseUrl' | 'supabaseUrl' | 'supabasePublishableKey' | 'supabaseSecretKey'
>;

type Launch = {
  /** The program that runs now. */
  cli: string;
  host: Host;
  /** Written into a repository, for colleagues on other systems too. */
  shared: boolean;
};

/** How a client starts what runs here: as published, or this very clone. Secrets belong into no file. */
export function serverCommand(config: Database, launch: Launch): ServerCommand {
  const { command, args } = program(launch);
  const { dataDir, databaseUrl, supabaseUrl, supabasePublishableKey: key, supabaseSecretKey: secret } = config;
  if (databaseUrl !== undefined) return { command, args, env: {}, passes: ['DATABASE_URL'] };
  if (supabaseUrl !== undefined) {
    const env = { SUPABASE_URL: supabaseUrl, ...(key !== undefined && { SUPABASE_PUBLISHABLE_KEY: key }) };
    return { command, args, env, passes: secret === undefined ? [] : ['SUPABASE_SECRET_KEY'] };
  }
  // A file for everyone says no path of this machine: whoever set the variable has it where their clients start.
  const said = launch.host.env[DATA_DIR];
  if (launch.shared && said && resolve(said) === dataDir) return { command, args, env: {}, passes: [DATA_DIR] };
  const options = ownOptions({ dataDir }, launch.host);
  // Clients quote an argument for the program that they start, which is cmd here, and not for what cmd makes of it.
  const odd = command === 'cmd' ? options.find((word) => /["%!^&|<>]|\p{Cc}/u.test(word)) : undefined;
  if (odd !== undefined) throw unquotable(odd, 'or keep it where it is by default');
  return { command, args: [...args, ...options], env: {}, passes: [] };
}

/** What must be said on every line that starts Cairn, because it is not as usual. */
function ownOptions({ dataDir }: Pick<Config, 'dataDir'>, host: Host): string[] {
  return dataDir === defaultDataDir(host.env) ? [] : ['--data-dir', dataDir];
}

function program({ cli, host, shared }: Launch): { command: string; args: string[] } {
  if (!isPublished(cli)) return { command: 'node', args: [cli] };
  // On Windows npx is a script, which only a shell starts; a file that is shared says what works elsewhere.
  if (host.platform === 'win32' && !shared) return { command: 'cmd', args: ['/c', 'npx', ...PACKAGE] };
  return { command: 'npx', args: PACKAGE };
}

/** A hook as a line for a shell. npx takes longer to start than a hook may take: what is installed is run itself. */
export function hookCommand(
  event: string,
  config: Pick<Config, 'dataDir'>,
  { cli, host }: Omit<Launch, 'shared'>,
): string {
  const isTemporary = /[\\/]_npx[\\/]/.test(cli);
  const program = isTemporary ? ['npx', ...PACKAGE] : ['node', cli];
  return [...program, ...ownOptions(config, host), 'hook', event].map((word) => quoted(word, host)).join(' ');
}

/** A word of a line for a shell, as the shell hands it on. Raises invalid_input where no way to write it is safe. */
export function quoted(word: string, { platform }: Pick<Host, 'platform'>): string {
  return platform === 'win32' ? quotedOnWindows(word) : quotedForShell(word);
}

/** A word for a POSIX shell, which takes nothing in it for its own. */
function quotedForShell(word: string): string {
  return /^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A word for Git Bash, cmd and PowerShell alike, since nobody knows which one runs it: what one of them takes for its own is refused. */
function quotedOnWindows(word: string): string {
  const path = word.replaceAll('\\', '/');
  if (/["$`%!^\u201c-\u201e]|\p{Cc}/u.test(path)) throw unquotable(word, 'or leave the hooks out with --no-hooks');
  return /^[\w:./-]+$/.test(path) ? path : `"${path}"`;
}

function unquotable(word: string, otherwise: string): DomainError {
  return new DomainError('invalid_input', `A shell would take a part of ${escaped(word)} for a command of its own.`, {
    hint: `Name a directory without such characters with --data-dir, ${otherwise}.`,
  });
}

function isPublished(cli: string): boolean {
  return /[\\/]node_modules[\\/]/.test(cli);
}
