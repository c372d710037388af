import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { generate } from 'selfsigned';
import { describe, expect, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { proxyTo } from '../../src/proxy.ts';
import { httpPort } from '../../src/runner/port-http.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { openLocalWorld } from '../support/local-world.ts';
import { serveRunners } from '../support/runner-server.ts';
import { send } from './drive.ts';
import { test } from './ways.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const PROGRAM = fileURLToPath(new URL('stand-ins/program.mjs', import.meta.url));
const HOST = 'cairn.example';

/** Takes TLS for a name that nobody here knows, and passes it on. */
async function startTls() {
  const { private: key, cert } = await generate([{ name: 'commonName', value: HOST }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: HOST }] },
    ],
  });
  let to = 0;
  const server = createServer({ key, cert }, (socket) => {
    const on = connect(to, '127.0.0.1');
    on.pipe(socket).pipe(on);
    socket.on('error', () => on.destroy());
    on.on('error', () => socket.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    cert,
    url: new URL(`https://${HOST}:${port}`),
    passTo(local: URL) {
      to = Number(local.port);
    },
    close: () => server.close(),
  };
}

describe('a runner behind a proxy', () => {
  test('reaches its server through it', { timeout: 60_000 }, async ({ as }) => {
    const elsewhere = await openLocalWorld();
    const [tls, proxy] = [await startTls(), await startConnectProxy()];
    const server = await serveRunners(as('ada'), {}, tls.url);
    tls.passTo(server.url);
    const { token } = await server.tokenOf(as('heron'), { agent: 'heron' });
    const ca = join(elsewhere.dataDir, 'ca.pem');
    await writeFile(ca, tls.cert);
    const runner = spawn(
      process.execPath,
      [CLI, 'agent', 'run', '--url', tls.url.origin, '--name', 'heron', '--', process.execPath, PROGRAM],
      {
        env: {
          ...{ PATH: process.env['PATH'], HOME: elsewhere.dataDir, CAIRN_DATA_DIR: elsewhere.dataDir },
          ...{
            CAIRN_TOKEN: token,
            NODE_EXTRA_CA_CERTS: ca,
            HTTPS_PROXY: proxy.url,
            NO_PROXY: `${HOST}:1,other.example`,
          },
        },
      },
    );
    let said = '';
    for (const stream of [runner.stdout, runner.stderr]) {
      stream.on('data', (chunk) => {
        said += chunk;
      });
    }

    await vi.waitUntil(() => said.includes('waits for commands'), { timeout: 30_000 });
    await send(as('ada'), 'Hello.');
    await vi.waitUntil(() => said.includes('completed'), { timeout: 30_000 });
    const ended = once(runner, 'exit');
    runner.kill('SIGTERM');

    expect(await ended).toEqual([0, null]);
    expect(new Set(proxy.asked)).toEqual(new Set([`${HOST} Basic ${Buffer.from('ada:secret').toString('base64')}`]));
    proxy.close();
    tls.close();
    await server.close();
    await elsewhere.close();
  });

  test('is told of the proxy, without its password, when its server cannot be reached', async () => {
    const proxy = `http://ada:secret@127.0.0.1:${await freePort()}`;
    const port = httpPort({ url: new URL(`https://${HOST}`), proxy }, 'heron');

    const refused = await port.claim(1, []).catch((error) => error);

    expect(refused).toMatchObject({ code: 'unavailable', hint: expect.stringContaining(new URL(proxy).host) });
    expect(`${refused.message} ${refused.hint}`).not.toContain('secret');
  });

  test.for([
    ['https://cairn.example', { HTTPS_PROXY: 'proxy:1' }, 'http://proxy:1'],
    ['https://cairn.example', { HTTP_PROXY: 'http://proxy:2' }, 'http://proxy:2'],
    ['https://cairn.example', { HTTPS_PROXY: 'http://proxy:1', HTTP_PROXY: 'http://proxy:2' }, 'http://proxy:1'],
    ['https://cairn.example', { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: '.example' }, undefined],
    ['https://cairn.example:8443', { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'cairn.example:8443' }, undefined],
    ['https://cairn.example', { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'cairn.example:8443' }, 'http://proxy:1'],
    ['https://cairn.example', { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: '*' }, undefined],
    ['https://localhost:7070', { HTTPS_PROXY: 'http://proxy:1' }, undefined],
    ['http://127.0.0.1:7070', { HTTP_PROXY: 'http://proxy:2' }, undefined],
    ['https://cairn.example', {}, undefined],
  ] as const)('goes to %s with %j by %s', ([url, env, by]) => {
    expect(proxyTo(new URL(url), readConfig({}, env))).toBe(by);
  });
});
