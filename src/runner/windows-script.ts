import { existsSync, readFileSync } from 'node:fs';
import { win32 } from 'node:path';
import { findProgram, variable } from './find-program.ts';

type Spawned = { command: string; args: readonly string[]; verbatim?: true };

type Files = { exists(path: string): boolean; read(path: string): string };
const FILES: Files = { exists: existsSync, read: (path) => readFileSync(path, 'utf8') };

// What npm writes last in the script of a program: the file that it starts, with all arguments.
const STARTS = /"%(?:~dp0|dp0%)\\?([^"%\r\n]+)"\s+%\*/;

/**
 * Finds what Windows can start for a program: it starts no script by its name. That of npm is passed over for the file
 * that it starts, so that no shell reads the arguments and no shell stands between a signal and the agent; any other is
 * given to cmd.exe.
 */
export function onWindows(
  { command, args, cwd, env }: { command: string; args: readonly string[]; cwd: string; env: NodeJS.ProcessEnv },
  files: Files = FILES,
): Spawned {
  const path = findProgram(command, { cwd, env, platform: 'win32' }, files.exists) ?? command;
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

/** The script prefers the node.exe beside it. */
function nodeBeside(path: string, { exists }: Files): string {
  const beside = win32.join(win32.dirname(path), 'node.exe');
  return exists(beside) ? beside : 'node.exe';
}

/** Quotes an argument as programs of Windows read their command line: a backslash counts only before a quote. */
function quoted(arg: string): string {
  return `"${arg.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}

/** Escapes what cmd.exe would interpret; a script hands its arguments on, and they are read a second time. */
function escaped(text: string): string {
  return text.replace(/[()[\]%!^"`<>&|;, *?]/g, '^$&');
}
