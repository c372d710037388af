import { existsSync, readFileSync } from 'node:fs';
import { win32 } from 'node:path';

type Spawned = { command: string; args: readonly string[]; verbatim?: true };

type Files = { exists(path: string): boolean; read(path: string): string };
const FILES: Files = { exists: existsSync, read: (path) => readFileSync(path, 'utf8') };

// What npm writes last in the script of a program: the file that it starts, with all arguments.
const STARTS = /"%(?:~dp0|dp0%)\\?([^"%\r\n]+)"\s+%\*/;
const EXTENSIONS = ['', '.exe', '.com', '.cmd', '.bat'];

/**
 * Finds what Windows can start for a program: it starts no script by its name. That of npm is passed over for the file
 * that it starts, so that no shell reads the arguments and no shell stands between a signal and the agent; any other is
 * given to cmd.exe.
 */
export function onWindows(
  { command, args, env }: { command: string; args: readonly string[]; env: NodeJS.ProcessEnv },
  files: Files = FILES,
): Spawned {
  const path = find(command, env, files) ?? command;
  if (!/\.(cmd|bat)$/i.test(path)) return { command: path, args };
  const started = STARTS.exec(files.read(path))?.[1];
  const target = started === undefined ? undefined : win32.join(win32.dirname(path), started);
  if (target !== undefined && files.exists(target)) {
    if (/\.exe$/i.test(target)) return { command: target, args };
    if (/\.[cm]?js$/i.test(target)) return { command: nodeBeside(path, files), args: [target, ...args] };
  }
  const line = [escaped(path), ...args.map((arg) => escaped(escaped(quoted(arg))))].join(' ');
  const shell = variable(env, 'ComSpec') ?? 'cmd.exe';
  return { command: shell, args: ['/d', '/s', '/c', `"${line}"`], verbatim: true };
}

function find(command: string, env: NodeJS.ProcessEnv, { exists }: Files): string | undefined {
  const isPath = /[\\/]/.test(command);
  const folders = isPath ? [''] : (variable(env, 'PATH') ?? '').split(';').filter((folder) => folder !== '');
  const extensions = win32.extname(command) === '' ? EXTENSIONS.slice(1) : EXTENSIONS;
  const all = folders.flatMap((folder) => extensions.map((extension) => win32.join(folder, `${command}${extension}`)));
  return all.find(exists);
}

/** The script prefers the node.exe beside it. */
function nodeBeside(path: string, { exists }: Files): string {
  const beside = win32.join(win32.dirname(path), 'node.exe');
  return exists(beside) ? beside : 'node.exe';
}

/** Names of variables have no case there. */
function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return Object.entries(env).find(([given]) => given.toLowerCase() === name.toLowerCase())?.[1];
}

/** Quotes an argument as programs of Windows read their command line: a backslash counts only before a quote. */
function quoted(arg: string): string {
  return `"${arg.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}

/** Escapes what cmd.exe would interpret; a script hands its arguments on, and they are read a second time. */
function escaped(text: string): string {
  return text.replace(/[()[\]%!^"`<>&|;, *?]/g, '^$&');
}
