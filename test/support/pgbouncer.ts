import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { freePort } from './free-port.ts';

/** True if the transaction pooler is installed (Debian: pgbouncer). */
export const hasPgbouncer = spawnSync('pgbouncer', ['--version']).status === 0;

// Fewer than the clients, so that they truly share them.
const SERVER_CONNECTIONS = 2;

export type Pooler = { connection: pg.ClientConfig; stop(): Promise<void> };

/** PgBouncer in transaction mode before this server, with these settings beside its defaults. */
export async function startPgbouncer(server: pg.ClientConfig, settings: Record<string, string> = {}): Promise<Pooler> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-pgbouncer-'));
  const port = await freePort();
  const file = join(directory, 'pgbouncer.ini');
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    default_pool_size: SERVER_CONNECTIONS,
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  const target = `host=${server.host} port=${server.port} user=${server.user}`;
  await writeFile(file, `[databases]\n* = ${target}\n[pgbouncer]\n${lines.join('\n')}\n`);
  // It refuses to run as root; whoever runs the server may enter the directory of its socket.
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot ? await stat(String(server.host)) : null;
  if (owner !== null) await Promise.all([directory, file].map((path) => chown(path, owner.uid, owner.gid)));
  const child = spawn('pgbouncer', ['-q', file], {
    stdio: 'ignore',
    ...(owner === null ? {} : { uid: owner.uid, gid: owner.gid }),
  });
  const { user, database, password } = server;
  const connection = { user, database, ...(password && { password }), host: '127.0.0.1', port, ssl: false };
  await expect.poll(() => answers(connection), { timeout: 20_000 }).toBe(true);
  return {
    connection,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(connection: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client(connection);
  client.on('error', () => {});
  return client
    .connect()
    .then(() => true)
    .catch(() => false)
    .finally(() => client.end().catch(() => {}));
}
