import { chown, lchown, lstat, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, DomainError } from '../../errors.ts';

/** The user that a server runs as, if not our own: PostgreSQL refuses to run as root. */
export type Account = { uid: number; gid: number };

/**
 * Chooses the account for the server of `dataDir`: null means our own, otherwise we are root and must become someone
 * else.
 */
async function chooseAccount(dataDir: string): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  // Keeps the last owner: a `postgres` user that appears later must not take over data of `nobody`.
  const owner = await stat(join(dataDir, 'pg')).catch(() => null);
  if (owner !== null && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const user = users.find((fields) => fields[0] === name);
    if (user !== undefined) return { uid: Number(user[2]), gid: Number(user[3]) };
  }
  throw new DomainError('unavailable', 'PostgreSQL refuses to run as root, and there is no user postgres or nobody.', {
    hint: 'Run cairn as another user, or set DATABASE_URL.',
    retryable: false,
  });
}

/** Creates the data directory if necessary, hands it to the account, and proves that it is usable. */
export async function prepareDataDir(dataDir: string): Promise<Account | null> {
  try {
    await mkdir(dirname(dataDir), { recursive: true });
    await mkdir(dataDir, { mode: 0o700 }).catch(ignoreExisting);
    const account = await chooseAccount(dataDir);
    // A directory with someone's files in it is not ours to give away.
    if (account !== null && (await readdir(dataDir)).length === 0) await chown(dataDir, account.uid, account.gid);
    if (account !== null && !(await canTraverse(dataDir, account))) throw notTraversable(dataDir);
    return account;
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw unusable(dataDir, error);
  }
}

/** Tells whether the account may pass through every directory down to this one. */
export async function canTraverse(directory: string, account: Account): Promise<boolean> {
  const { mode, uid, gid } = await stat(directory);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  if ((mode & bit) === 0) return false;
  return dirname(directory) === directory || canTraverse(dirname(directory), account);
}

/** Makes a private directory at a path that others could have created first, as in a shared temporary directory. */
export async function makePrivateDir(directory: string, account: Account | null): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32') return;
  const found = await lstat(directory);
  const allowed = [process.getuid?.(), account?.uid];
  if (!found.isDirectory() || !allowed.includes(found.uid) || (found.mode & 0o077) !== 0) {
    throw new DomainError('unavailable', `The directory ${directory} is not private to you.`, {
      hint: 'Remove it, then start cairn again.',
      retryable: false,
    });
  }
  if (account !== null) await lchown(directory, account.uid, account.gid);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

function notTraversable(dataDir: string): DomainError {
  return new DomainError(
    'unavailable',
    `As root, cairn runs its database as another user, who may not enter ${dataDir}.`,
    {
      hint: 'Choose a directory such as /var/lib/cairn with --data-dir or CAIRN_DATA_DIR.',
      retryable: false,
    },
  );
}

export function unusable(dataDir: string, cause: unknown): DomainError {
  const code = codeOf(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new DomainError('unavailable', `The disk that holds ${dataDir} is full.`, {
      hint: 'Free some space, then start cairn again.',
      cause,
    });
  }
  return new DomainError('unavailable', `The data directory ${dataDir} cannot be used (${code || String(cause)}).`, {
    hint: 'Choose a directory you may write to with --data-dir or CAIRN_DATA_DIR.',
    retryable: false,
    cause,
  });
}
