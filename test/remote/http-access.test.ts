import { connect } from 'node:net';
import { Hono } from 'hono';
import { afterEach, describe, expect, vi } from 'vitest';
import type { Access, Principal, RouteEnv } from '../../src/auth/access.ts';
import { type Flags, readConfig } from '../../src/config.ts';
import type { Scope } from '../../src/context.ts';
import { DomainError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { type HttpParts, type HttpServer, serveHttp } from '../../src/server/http/server.ts';
import { SCOPES } from '../../src/tools/catalog.ts';
import { ACCEPT, callOf, INITIALIZE, sendRaw } from '../support/raw-http.ts';
import { test as base } from '../support/world.ts';

type Door = {
  /** Starts a server that trusts the user that a request names. */
  serve(limits?: HttpParts['limits'], routes?: Access['routes'], flags?: Flags): Promise<URL>;
  /** Whom it lets in no more. */
  revoked: Set<string>;
};

const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const test = base.extend<Door>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads a fixture's dependencies from this pattern.
  revoked: async ({}, use) => use(new Set()),
  serve: async ({ users: { owner, stranger }, revoked }, use) => {
    const actors = { ada: owner.actor, bob: stranger.actor };
    const access = (routes: Access['routes']): Access => ({
      async authenticate({ headers }): Promise<Principal | Response> {
        const name = headers.get('x-name') ?? 'ada';
        if ((name !== 'ada' && name !== 'bob') || revoked.has(name)) {
          return new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer' } });
        }
        const { user_id, tenant_id } = actors[name];
        const scopes = (headers.get('x-scopes')?.split(' ') ?? SCOPES) as Scope[];
        return { id: name, actor: { user_id, ...(tenant_id && { tenant_id }) }, scopes: new Set(scopes) };
      },
      challenge: (needed) => new Response(null, { status: 403, headers: { 'www-authenticate': needed.join(' ') } }),
      routes,
    });
    await use(async (limits = {}, routes = new Hono(), flags = {}) => {
      const config = readConfig({ port: '0', output: 'both', ...flags }, {});
      const log = createLog('silent');
      const server = await serveHttp({ config, log, db: owner.db, access: access(routes), limits });
      servers.push(server);
      return new URL('/mcp', server.publicUrl);
    });
  },
});

async function open(url: URL, name: string, headers = {}): Promise<Record<string, string>> {
  const reply = await sendRaw(url, { ...INITIALIZE, headers: { ...ACCEPT, 'x-name': name, ...headers } });
  return { ...ACCEPT, 'x-name': name, 'mcp-session-id': String(reply.headers['mcp-session-id']) };
}

const ping = (url: URL, headers: Record<string, string>) =>
  sendRaw(url, { method: 'POST', headers, body: '{"jsonrpc":"2.0","id":2,"method":"ping"}' });

const call = (url: URL, headers: Record<string, string>, name: string) => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name, arguments: {} } });
  return sendRaw(url, { method: 'POST', headers, body });
};

describe('a session', () => {
  test('answers to the principal that opened it, and to no other', async ({ serve }) => {
    const url = await serve();
    const session = await open(url, 'ada');

    expect(await ping(url, { ...session, 'x-name': 'bob' })).toMatchObject({ status: 404 });
    expect(await sendRaw(url, { method: 'DELETE', headers: { ...session, 'x-name': 'bob' } })).toMatchObject({
      status: 404,
    });
    expect(await sendRaw(url, { headers: { ...session, 'x-name': 'bob' } })).toMatchObject({ status: 404 });
    expect(await ping(url, session)).toMatchObject({ status: 200 });
  });

  test('acts with the rights of each request, not with those it was opened with', async ({ serve }) => {
    const url = await serve();
    const session = await open(url, 'ada');

    expect(await call(url, session, 'create_project')).toMatchObject({ status: 200 });
    expect(await call(url, { ...session, 'x-scopes': 'projects:read' }, 'create_project')).toMatchObject({
      status: 403,
      headers: { 'www-authenticate': 'projects:write' },
    });
    expect(await ping(url, { ...session, 'x-name': 'nobody' })).toMatchObject({ status: 401 });
  });

  test('ends when nobody uses it, and not while a stream of it is open', async ({ serve }) => {
    const url = await serve({ idleMs: 150 });
    const [idle, streaming] = [await open(url, 'ada'), await open(url, 'ada')];
    const leave = new AbortController();
    const stream = await fetch(url, { headers: streaming, signal: leave.signal });
    expect(stream.status).toBe(200);

    const count = async () => (await sendRaw(new URL('/metrics', url), {})).text;
    await vi.waitUntil(async () => (await count()).includes('cairn_sessions 1\n'), { timeout: 20_000 });

    expect(await ping(url, idle)).toMatchObject({ status: 404 });
    expect(await ping(url, streaming)).toMatchObject({ status: 200 });
    leave.abort();
    await vi.waitUntil(async () => (await count()).includes('cairn_sessions 0\n'), { timeout: 20_000 });
  });

  test('makes room for another where there is no more, at the cost of who has most', async ({ serve }) => {
    const url = await serve({ sessionsMax: 3 });
    const adas = [await open(url, 'ada'), await open(url, 'ada'), await open(url, 'ada')];

    const bobs = await open(url, 'bob');

    expect(await ping(url, bobs)).toMatchObject({ status: 200 });
    expect(await Promise.all(adas.map(async (session) => (await ping(url, session)).status))).toEqual([404, 200, 200]);
  });

  test('is refused where all that there are have something open', async ({ serve }) => {
    const url = await serve({ sessionsMax: 1 });
    const leave = new AbortController();
    await fetch(url, { headers: await open(url, 'ada'), signal: leave.signal });

    const refused = await sendRaw(url, { ...INITIALIZE, headers: { ...ACCEPT, 'x-name': 'bob' } });

    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '60' } });
    leave.abort();
  });
});

describe('a request', () => {
  test('is refused before anything else is told', async ({ serve }) => {
    const url = await serve();
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      const reply = await sendRaw(url, { method, headers: { 'x-name': 'nobody' } });
      expect(reply).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' }, text: '' });
    }
  });

  test.for([
    ['create_project', 'projects:write'],
    ['list_tasks', 'tasks:read'],
  ])('to call %s is refused with what it needs', async ([tool = '', scope], { serve }) => {
    const url = await serve();
    const asked = callOf(tool);

    const reply = await sendRaw(url, { ...asked, headers: { ...asked.headers, 'x-scopes': 'projects:read' } });

    expect(reply).toMatchObject({ status: 403, headers: { 'www-authenticate': scope } });
  });

  test('to read a resource is refused with what that needs', async ({ serve }) => {
    const url = await serve();
    const session = await open(url, 'ada');
    const params = { uri: 'cairn://projects/web/tasks/web-1' };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 4, method: 'resources/read', params });

    const reply = await sendRaw(url, { method: 'POST', headers: { ...session, 'x-scopes': 'projects:read' }, body });

    expect(reply).toMatchObject({ status: 403, headers: { 'www-authenticate': 'tasks:read' } });
  });

  test('ends what waits when its sender leaves', async ({ serve }) => {
    const url = await serve();
    const { method, headers, body } = callOf('wait_for_events', { timeout_seconds: 50 });
    const leave = new AbortController();
    const left = fetch(url, { method, headers, body: String(body), signal: leave.signal }).catch(({ name }) => name);
    const calls = async () => (await sendRaw(new URL('/metrics', url), {})).text;
    await vi.waitUntil(async () => (await calls()).includes('cairn_requests_in_flight 2\n'), { timeout: 20_000 });

    leave.abort();

    expect(await left).toBe('AbortError');
    const counted = 'cairn_tool_calls_total{tool="wait_for_events"';
    await vi.waitUntil(async () => (await calls()).includes(counted), { timeout: 20_000 });
  });

  test('to another path is answered by its route', async ({ serve }) => {
    const routes = new Hono<RouteEnv>()
      .post('/fails', () => {
        throw new Error('the password is hunter2');
      })
      .post('/refuses', () => {
        throw new DomainError('rate_limited', 'Too often.', { hint: 'Wait a minute.' });
      })
      .post('/echo', async ({ req }) => new Response(await req.raw.text()));
    const url = await serve({}, routes);

    const post = (path: string, body: string | Buffer) => sendRaw(new URL(path, url), { method: 'POST', body });
    expect(await post('/echo', 'hello')).toMatchObject({ status: 200, text: 'hello' });
    expect(await post('/other', 'hello')).toMatchObject({ status: 404 });
    expect(await post('/refuses', '')).toMatchObject({ status: 429, text: expect.stringContaining('Wait a minute.') });
    expect(await post('/fails', '')).toMatchObject({ status: 500, text: expect.not.stringContaining('hunter2') });
    expect(await post('/echo', Buffer.alloc(32_769, 'x'))).toMatchObject({ status: 413 });
    const { text } = await sendRaw(new URL('/metrics', url), {});
    const counted = [
      ...text.matchAll(/^cairn_http_request_seconds_count\{route="(\w+)",method="POST",status="(\d+)"\}/gm),
    ];
    expect(counted.map(([, route, status]) => `${route} ${status}`).sort()).toEqual([
      'none 404',
      'none 413',
      'pages 200',
      'pages 429',
      'pages 500',
    ]);
  });
});

describe('a sender', () => {
  test('that takes ages for its headers is closed on', async ({ serve }) => {
    const url = await serve({ headersMs: 100 });
    const socket = connect({ host: '127.0.0.1', port: Number(url.port) });
    socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\n');

    const chunks = await socket.toArray();

    expect(String(chunks[0])).toMatch(/^HTTP\/1\.1 408/);
  });
});

describe('a principal', () => {
  test('that may not administer is not shown how', async ({ serve }) => {
    const url = await serve({}, undefined, { toolsets: 'all' });
    const list = async (scopes: string) => {
      const session = { ...(await open(url, 'ada', { 'x-scopes': scopes })), 'x-scopes': scopes };
      return sendRaw(url, { method: 'POST', headers: session, body: '{"jsonrpc":"2.0","id":2,"method":"tools/list"}' });
    };

    expect((await list('projects:write tasks:write')).text).not.toContain('redact_event');
    expect((await list('projects:write tasks:write admin')).text).toContain('redact_event');
    const asked = callOf('redact_event');
    const refused = await sendRaw(url, { ...asked, headers: { ...asked.headers, 'x-scopes': 'tasks:write' } });
    expect(refused).toMatchObject({ status: 403, headers: { 'www-authenticate': 'admin' } });
  });
});

describe('a stream', () => {
  test('ends soon after its principal has lost the right to it', async ({ serve, revoked }) => {
    const url = await serve({ recheckMs: 100 });
    const stream = await fetch(url, { headers: await open(url, 'ada') });
    expect(stream.status).toBe(200);

    revoked.add('ada');

    await expect(stream.text()).rejects.toThrow('terminated');
  });
});

describe('the metrics', () => {
  const scrape = async (url: URL, headers: Record<string, string>) =>
    (await sendRaw(new URL('/metrics', url), { headers })).status;

  test.for(['evil.example', '10.0.0.7', 'cairn.example.com', 'localhost.evil.example'])(
    'are for nobody who comes by the name %s, which is none of this machine',
    async (host, { serve }) => {
      const url = await serve();

      expect([await scrape(url, {}), await scrape(url, { host })]).toEqual([200, 404]);
    },
  );

  test('are for who has the token alone, where there is one', async ({ serve }) => {
    const metricsToken = 'a token for the scraper';
    const url = await serve({}, undefined, { metricsToken });

    const [none, wrong, right] = [
      await scrape(url, {}),
      await scrape(url, { authorization: `Bearer ${metricsToken}x` }),
      await scrape(url, {
        authorization: `Bearer ${metricsToken}`,
        host: 'cairn:7070',
        'x-forwarded-for': '192.0.2.1',
      }),
    ];

    expect([none, wrong, right]).toEqual([404, 404, 200]);
  });
});
