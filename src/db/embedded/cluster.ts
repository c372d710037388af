import { createHash, randomBytes } from 'node:crypto';
import { lchown, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeAtomically } from '../../atomic-write.ts';
import { readBounded } from '../../bounded-read.ts';
import { DomainError } from '../../errors.ts';
import { type Binaries, executable } from './binaries.ts';
import { run } from './run.ts';
import { type Account, makePrivateDir } from './system-account.ts';

/** The superuser and the database. Permissions on the socket's directory decide who may connect. */
export const SUPERUSER = 'cairn';
export const DATABASE = 'cairn';

const PORT = 5432;
// The shortest limit of our systems is 104 bytes with the closing NUL (macOS; Linux has 108).
const SOCKET_PATH_BYTES_MAX = 103;
const BYTES_MAX = 16_384;

/** The paths of one data directory. */
export function layout(dataDir: string) {
  return {
    dataDir,
    cluster: join(dataDir, 'pg'),
    pidFile: join(dataDir, 'pg', 'postmaster.pid'),
    versionFile: join(dataDir, 'pg', 'PG_VERSION'),
    lock: join(dataDir, 'lock'),
    log: join(dataDir, 'server.log'),
    passwordFile: join(dataDir, 'password'),
    socketDir: socketDirectory(dataDir),
  };
}

export type Layout = ReturnType<typeof layout>;

function socketDirectory(dataDir: string): string {
  const inside = join(dataDir, 'run');
  if (Buffer.byteLength(join(inside, `.s.PGSQL.${PORT}`)) <= SOCKET_PATH_BYTES_MAX) return inside;
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const short = join(tmpdir(), `cairn-${hash}`);
  return Buffer.byteLength(short) < 80 ? short : `/tmp/cairn-${hash}`;
}

/** Reads a file of the server's directory, where its account may put a link or a pipe; empty if there is none. */
export function readIfFile(file: string): string {
  try {
    return readBounded(file, BYTES_MAX, { followsLink: false }) ?? '';
  } catch {
    return '';
  }
}

/** Refuses a cluster of another major version: PostgreSQL cannot read its files. */
export async function checkVersion({ versionFile, cluster }: Layout, binaries: Binaries): Promise<void> {
  const version = readIfFile(versionFile).trim();
  if (version === '' || version === binaries.major) return;
  throw new DomainError(
    'unavailable',
    `The data in ${cluster} belongs to PostgreSQL ${version}; this cairn brings PostgreSQL ${binaries.major}.`,
    {
      hint: `Export it with the cairn that made it (\`cairn events export\`) and import it into a new --data-dir, or set DATABASE_URL.`,
      retryable: false,
    },
  );
}

/**
 * Creates the cluster if there is none. It appears under its name only when complete, so an interrupted start leaves
 * nothing.
 */
export async function ensureCluster(paths: Layout, binaries: Binaries, account: Account | null): Promise<boolean> {
  const { dataDir, cluster, versionFile, passwordFile } = paths;
  if (await stat(versionFile).catch(() => null)) return false;

  // The caller holds the lock: any other draft is left from a dead process.
  const drafts = (await readdir(dataDir)).filter((name) => name.startsWith('pg.draft-'));
  await Promise.all(drafts.map((name) => rm(join(dataDir, name), { recursive: true, force: true })));
  const draft = join(dataDir, `pg.draft-${process.pid}`);
  const options = [
    '--username',
    SUPERUSER,
    '--encoding',
    'UTF8',
    '--locale',
    'C',
    '--data-checksums',
    '--no-instructions',
  ];
  if (process.platform === 'win32') {
    await writeAtomically(passwordFile, randomBytes(24).toString('base64url'));
    options.push('--auth=scram-sha-256', `--pwfile=${passwordFile}`);
  } else {
    options.push('--auth=trust');
  }
  try {
    // We create it, since the account may not be able to: in the data directory it only needs to pass through.
    await mkdir(draft, { mode: 0o700 });
    if (account !== null) await lchown(draft, account.uid, account.gid);
    await run(executable(binaries, 'initdb'), ['--pgdata', draft, ...options], account);
    await rename(draft, cluster);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  return true;
}

/** Writes the server's settings: sized for one laptop, reachable only by its owner. Returns the port. */
export async function configure(paths: Layout, account: Account | null): Promise<number> {
  const { cluster, socketDir } = paths;
  const windows = process.platform === 'win32';
  const file = join(cluster, 'postgresql.conf');
  const port = windows ? await freePort(await portOf(file)) : PORT;
  if (!windows) await makePrivateDir(socketDir, account);
  const settings = {
    port,
    listen_addresses: windows ? '127.0.0.1' : '',
    ...(windows
      ? {}
      : { unix_socket_directories: `"${socketDir.replaceAll('"', '""')}"`, unix_socket_permissions: '0700' }),
    // Each process takes up to five.
    max_connections: 200,
    shared_buffers: '48MB',
    fsync: 'on',
    // Planning with the compiler costs more than our statements take.
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
  };
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${String(value).replace(/['\\]/g, '$&$&')}'`,
  );
  const text = `# Written at every start. Own settings: alter system set ...\n${lines.join('\n')}\n`;
  // When root writes into a directory of the account, the account may have put a link there.
  await writeAtomically(file, text, { replacesLink: true, owner: account });
  return port;
}

/** Returns the port of the last start: processes that outlive a restart look for the server there. */
async function portOf(settingsFile: string): Promise<number> {
  const settings = await readFile(settingsFile, 'utf8').catch(() => '');
  return Number(/^port = '(\d+)'$/m.exec(settings)?.[1] ?? 0);
}

async function freePort(wanted: number): Promise<number> {
  const found = await new Promise<number | null>((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(null));
    probe.listen(wanted, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
    });
  });
  if (found !== null) return found;
  if (wanted === 0) throw new DomainError('unavailable', 'No port of 127.0.0.1 is free for the embedded database.');
  return freePort(0);
}
