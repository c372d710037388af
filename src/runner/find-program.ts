import { accessSync, constants, lstatSync, statSync } from 'node:fs';
import { posix, win32 } from 'node:path';
import process from 'node:process';

type Where = {
  /** From which a path is looked up. */
  cwd: string;
  env: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
};

const EXTENSIONS = ['.exe', '.com', '.cmd', '.bat'];
// What a program finds that was started without PATH (execvp(3)).
const UNIX_PATH = '/bin:/usr/bin';

/** Finds the file of a program that is named by its path, or by a name that PATH has; undefined where there is none. */
export function findProgram(
  command: string,
  { cwd, env, platform = process.platform }: Where,
  isProgram: (path: string) => boolean = platform === 'win32' ? isThere : isExecutable,
): string | undefined {
  const isWindows = platform === 'win32';
  const { resolve, delimiter, extname } = isWindows ? win32 : posix;
  const extensions = isWindows ? [...(extname(command) === '' ? [] : ['']), ...EXTENSIONS] : [''];
  const searched = isWindows ? (variable(env, 'PATH') ?? '') : (env['PATH'] ?? UNIX_PATH);
  // On Unix an empty one is the folder in which the program is started.
  const folders = isPath(command, platform) ? [''] : searched.split(delimiter).filter((at) => !isWindows || at !== '');
  return folders
    .flatMap((folder) => extensions.map((extension) => resolve(cwd, folder, `${command}${extension}`)))
    .find(isProgram);
}

/** Tells whether a program is named by its path. */
export function isPath(command: string, platform: NodeJS.Platform = process.platform): boolean {
  return platform === 'win32' ? /[\\/]/.test(command) : command.includes('/');
}

/** Reads a variable of Windows, whose names have no case. */
export function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return Object.entries(env).find(([given]) => given.toLowerCase() === name.toLowerCase())?.[1];
}

/** What the Store of Windows installed is a link that leads nowhere, and starts. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
