import { execFile } from 'node:child_process';
import { type AddressInfo, connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { pendingMigrations } from '../../src/db/schema/migrate.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { schemaOf, storedSchema } from '../support/schema.ts';

// The CLI is 135 MB: it is not among the dependencies (CONTRIBUTING.md, Checks).
const CLI = process.env.CAIRN_TEST_SUPABASE_CLI;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Opens a port of this machine in front of a server that listens at a socket alone, which the CLI cannot reach. */
async function openPort({ host, port }: pg.ClientConfig): Promise<{ port: number; close(): void }> {
  const server = createServer((client) => {
    const upstream = connect(`${host}/.s.PGSQL.${port}`);
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

test.skipIf(CLI === undefined || process.platform === 'win32')(
  'supabase db push on an empty PostgreSQL makes the same schema and leaves nothing pending',
  { timeout: 120_000 },
  async () => {
    const database = await createEmptyDatabase();
    const { user, database: name } = database.connection;
    const open = await openPort(database.connection);
    const remote = `postgresql://${user}:none@127.0.0.1:${open.port}/${name}?sslmode=disable`;
    const push = () => promisify(execFile)(CLI ?? '', ['db', 'push', `--remote=${remote}`, '--workdir', ROOT, '--yes']);

    await push();

    const client = await database.connect();
    expect(await schemaOf(client)).toEqual(await storedSchema());
    expect(await pendingMigrations(client)).toEqual([]);
    expect((await push()).stdout).toContain('up to date');
    await client.end();
    open.close();
    await database.drop();
  },
);
