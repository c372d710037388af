import { connect } from 'node:net';
import { Hono } from 'hono';
import { afterEach, describe, expect } from 'vitest';
import type { Access, RouteEnv } from '../../src/auth/access.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type HttpParts, type HttpServer, serveHttp } from '../../src/server/http/server.ts';
import { callOf } from '../support/raw-http.ts';
import { test as base } from '../support/world.ts';

const MIB = 1_048_576;
const CHUNK = Buffer.alloc(65_536, 0x20);

const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const test = base.extend<{ serve(limits?: HttpParts['limits']): Promise<URL> }>({
  serve: async ({ users: { owner } }, use) => {
    const access: Access = {
      async authenticate({ headers }) {
        if (headers.get('authorization') === 'Bearer old') return new Response('The token is over.', { status: 401 });
        return { id: 'ada', actor: owner.actor, scopes: 'all' };
      },
      challenge: () => new Response(null, { status: 403 }),
      routes: new Hono<RouteEnv>().all('*', async ({ req }) => new Response(await req.raw.text())),
    };
    await use(async (limits = {}) => {
      const config = readConfig({ port: '0' }, {});
      const server = await serveHttp({ config, log: createLog('silent'), db: owner.db, access, limits });
      servers.push(server);
      return server.publicUrl;
    });
  },
});

/** Sends the whole body before it reads a byte, as simple clients do. */
async function sendThenRead(url: URL, head: string[], size: number): Promise<string> {
  const socket = connect({ host: url.hostname, port: Number(url.port) }).pause();
  socket.write([...head, `Content-Length: ${size}`, 'Connection: close', '', ''].join('\r\n'));
  for (let left = size; left > 0; left -= CHUNK.length) {
    const part = CHUNK.subarray(0, Math.min(left, CHUNK.length));
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.write(part, () => resolve(void socket.off('error', reject)));
    });
  }
  return String(Buffer.concat(await socket.toArray()));
}

function headOf(url: URL, path: string, headers: Record<string, string> = {}): string[] {
  const given = { ...callOf('list_projects').headers, ...headers };
  return [`POST ${path} HTTP/1.1`, `Host: ${url.host}`, ...Object.entries(given).map(([name, of]) => `${name}: ${of}`)];
}

describe('a body that is too large', () => {
  test.for([
    ['/mcp', 8 * MIB, /larger than 1048576 bytes/],
    ['/oauth/token', 8 * MIB, /larger than 32768 bytes/],
    ['/login', 40_000, /larger than 32768 bytes/],
  ] as const)('of %s, %i bytes sent before anything is read, is told why', async ([path, size, why], { serve }) => {
    const url = await serve();

    const answer = await sendThenRead(url, headOf(url, path), size);

    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(answer).toMatch(why);
  });

  test.for(['/mcp', '/oauth/token'])(
    'of %s is told why to fetch, of known length and in chunks',
    async (path, { serve }) => {
      const url = new URL(path, await serve());
      const { headers } = callOf('list_projects');
      const chunks = () => ReadableStream.from([Buffer.alloc(3 * MIB), Buffer.alloc(MIB)]);

      for (const body of [Buffer.alloc(4 * MIB), chunks()]) {
        const reply = await fetch(url, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);

        expect(reply.status).toBe(413);
        expect(await reply.text()).toMatch(/The body is larger than/);
      }
    },
  );

  test('that never ends is read to a bound of bytes', async ({ serve }) => {
    const url = await serve({ discardBytesMax: 2 * MIB, discardMs: 60_000 });
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    const over = new Promise((resolve) =>
      socket
        .once('close', resolve)
        .on('error', () => {})
        .resume(),
    );
    socket.write([...headOf(url, '/mcp'), 'Transfer-Encoding: chunked', '', ''].join('\r\n'));
    let sent = 0;
    const chunk = Buffer.concat([Buffer.from(`${CHUNK.length.toString(16)}\r\n`), CHUNK, Buffer.from('\r\n')]);
    // Once it is closed each further write would fail at once, without end.
    const send = (failure?: Error | null) => {
      if (failure || socket.destroyed) return;
      sent += chunk.length;
      socket.write(chunk, send);
    };
    send();

    await over;

    expect(sent).toBeLessThan(80 * MIB);
  });

  test('that drips is read for a bound of time', async ({ serve }) => {
    const url = await serve({ discardMs: 100 });
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    socket.write([...headOf(url, '/mcp'), `Content-Length: ${2 * MIB}`, '', 'a bit'].join('\r\n'));

    const answer = String(Buffer.concat(await socket.toArray()));

    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

test('a refusal of another kind is read as well by who sends all of it first', async ({ serve }) => {
  const url = await serve();

  const answer = await sendThenRead(url, headOf(url, '/mcp', { authorization: 'Bearer old' }), 8 * MIB);

  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(answer).toMatch(/The token is over/);
});
