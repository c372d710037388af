import { resolve } from 'node:path';
import type { Config, Host } from '../config.ts';
import { defaultDataDir } from '../default-directories.ts';
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
  /** The file goes into a repository, for colleagues on other systems too. */
  shared: boolean;
};

/** Returns the command that starts this program: as published, or this clone. No file may hold secrets. */
export function serverCommand(config: Database, launch: Launch): ServerCommand {
  const { command, args } = program(launch);
  const { dataDir, databaseUrl, supabaseUrl, supabasePublishableKey: key, supabaseSecretKey: secret } = config;
  if (databaseUrl !== undefined) return { command, args, env: {}, passes: ['DATABASE_URL'] };
  if (supabaseUrl !== undefined) {
    const env = { SUPABASE_URL: supabaseUrl, ...(key !== undefined && { SUPABASE_PUBLISHABLE_KEY: key }) };
    return { command, args, env, passes: secret === undefined ? [] : ['SUPABASE_SECRET_KEY'] };
  }
  // A shared file names no path of this machine: users of the variable have it where their clients start.
  const said = launch.host.env[DATA_DIR];
  if (launch.shared && said && resolve(said) === dataDir) return { command, args, env: {}, passes: [DATA_DIR] };
  const options = ownOptions({ dataDir }, launch.host);
  // Clients quote an argument for the program they start, here cmd, and not for cmd's own parsing.
  const odd = command === 'cmd' ? options.find((word) => /["%!^&|<>]|\p{Cc}/u.test(word)) : undefined;
  if (odd !== undefined) throw unquotable(odd, 'or keep it where it is by default');
  return { command, args: [...args, ...options], env: {}, passes: [] };
}

/** Lists the options that every line that starts Cairn must repeat, because they are not the default. */
function ownOptions({ dataDir }: Pick<Config, 'dataDir'>, host: Host): string[] {
  return dataDir === defaultDataDir(host.env) ? [] : ['--data-dir', dataDir];
}

function program({ cli, host, shared }: Launch): { command: string; args: string[] } {
  if (!isPublished(cli)) return { command: 'node', args: [cli] };
  // On Windows npx is a script, which only a shell starts; a shared file holds the command for other systems.
  if (host.platform === 'win32' && !shared) return { command: 'cmd', args: ['/c', 'npx', ...PACKAGE] };
  return { command: 'npx', args: PACKAGE };
}

/**
 * Formats a hook as a shell line. It runs an installed program directly: npx starts slower than a hook may take. `words`
 * are the event, and the client where it is not Claude Code.
 */
export function hookCommand(
  words: readonly string[],
  config: Pick<Config, 'dataDir'>,
  { cli, host }: Omit<Launch, 'shared'>,
): string {
  const isTemporary = /[\\/]_npx[\\/]/.test(cli);
  const program = isTemporary ? ['npx', ...PACKAGE] : ['node', cli];
  return [...program, ...ownOptions(config, host), 'hook', ...words].map((word) => quoted(word, host)).join(' ');
}

/** Quotes a word of a shell line so that the shell passes it on unchanged. Raises invalid_input if that is not safe. */
export function quoted(word: string, { platform }: Pick<Host, 'platform'>): string {
  return platform === 'win32' ? quotedOnWindows(word) : quotedForShell(word);
}

/** Quotes a word so that a POSIX shell interprets nothing in it. */
function quotedForShell(word: string): string {
  return /^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Quotes a word for Git Bash, cmd and PowerShell alike, since the shell is unknown: refuses characters that any of them
 * interprets.
 */
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
