import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type GenerateResult, generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { openEngine } from '../../src/db/open.ts';
import { createLog } from '../../src/log.ts';
import { freePort } from '../support/free-port.ts';

const log = createLog('silent');

let dataDir: string;
let port: number;
let stop: () => Promise<void>;

const fileOf = (name: string) => join(dataDir, name);

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-tls-'));
  if (process.getuid?.() === 0) await chmod(dataDir, 0o755);
  port = await freePort();
  const ca = await issue('Cairn test authority', { cA: true });
  await writeFile(fileOf('ca.pem'), ca.cert);
  await writeFile(fileOf('other.pem'), (await issue('Another authority', { cA: true })).cert);
  const first = await ensureServer({ dataDir, log });
  await serveTls(first.connection, await issue('localhost', { cA: false, by: ca }));
  await stopServer({ dataDir });
  await first.release();
  const server = await ensureServer({ dataDir, log });
  stop = () => server.release();
}, 120_000);

afterAll(async () => {
  await stop?.();
  await stopServer({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
});

function issue(name: string, { cA, by }: { cA: boolean; by?: GenerateResult }): Promise<GenerateResult> {
  return generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: cA, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: name.replaceAll(' ', '-') }] },
    ],
    ...(by === undefined ? {} : { ca: { key: by.private, cert: by.cert } }),
  });
}

/** Makes the server accept only TCP with TLS from its next start. */
async function serveTls(connection: pg.ClientConfig, { cert, private: key }: GenerateResult): Promise<void> {
  const cluster = fileOf('pg');
  const { uid, gid } = await stat(cluster);
  const files = {
    'server.crt': cert,
    'server.key': key,
    'pg_hba.conf': 'local all all trust\nhostssl all all all trust\n',
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(cluster, name), text, { mode: 0o600 });
    if (process.getuid?.() === 0) await chown(join(cluster, name), uid, gid);
  }
  const client = new pg.Client(connection);
  await client.connect();
  for (const setting of [`listen_addresses = '127.0.0.1'`, `port = ${port}`, 'ssl = on']) {
    await client.query(`alter system set ${setting}`);
  }
  await client.end();
}

/** Returns whether the connection that DATABASE_URL asks for is encrypted. */
async function connect(query: string, host = 'localhost'): Promise<boolean> {
  const engine = await openEngine(
    readConfig({ databaseUrl: `postgres://cairn@${host}:${port}/cairn?${query}` }, {}),
    log,
  );
  try {
    const client = await engine.connect();
    const { rows } = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    await client.end();
    return rows[0].ssl;
  } finally {
    await engine.close();
  }
}

// On Windows the server asks for its password.
describe.skipIf(process.platform === 'win32')('a server with TLS and a certificate of its own authority', () => {
  test.for([
    ['verify-full', 'ca.pem'],
    // The driver treats it like verify-full.
    ['require', 'ca.pem'],
  ])('is reached with sslmode=%s and that authority', async ([sslmode, file]) => {
    expect(await connect(`sslmode=${sslmode}&sslrootcert=${encodeURIComponent(fileOf(file ?? ''))}`)).toBe(true);
  });

  test('is reached with sslmode=no-verify by who does not ask whose it is', async () => {
    expect(await connect('sslmode=no-verify')).toBe(true);
  });

  test.for([
    ['verify-full without an authority', 'sslmode=verify-full', 'localhost', /not accepted: /],
    ['require without an authority', 'sslmode=require', 'localhost', /not accepted: /],
    ['verify-full and another authority', 'sslmode=verify-full&sslrootcert=other.pem', 'localhost', /not accepted: /],
    [
      'verify-full under another name',
      'sslmode=verify-full&sslrootcert=ca.pem',
      '127.0.0.1',
      /not accepted: .*altnames/,
    ],
  ] as const)('is refused with sslmode=%s', async ([, query, host, message]) => {
    const attempt = connect(
      query.replace(/[\w]+\.pem/, (name) => encodeURIComponent(fileOf(name))),
      host,
    );

    await expect(attempt).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringMatching(message),
      hint: expect.stringContaining('sslrootcert'),
    });
  });

  test('refuses who comes without TLS', async () => {
    await expect(connect('sslmode=disable')).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      hint: expect.stringContaining('sslmode'),
    });
  });
});

test('an authority whose file is not there is told before anything is tried', async () => {
  await expect(connect('sslmode=verify-full&sslrootcert=/nowhere/ca.pem')).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('/nowhere/ca.pem'),
  });
});
