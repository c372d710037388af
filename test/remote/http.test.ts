import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Agent, CLIENT_KINDS, type ClientKind, connectTo } from '../support/client.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { ACCEPT, type Asked, callOf, INITIALIZE, sendRaw } from '../support/raw-http.ts';
import { type Serving, startServing } from '../support/serve.ts';

let world: LocalWorld;
let flags: string[];
let serving: Serving;

beforeAll(async () => {
  world = await openLocalWorld();
  flags = ['--data-dir', world.dataDir];
  serving = await startServing(flags);
});
afterAll(async () => {
  await serving?.stop();
  await world?.close();
});

const send = (path: string, asked: Asked) => sendRaw(new URL(path, serving.url), asked);

describe.each(CLIENT_KINDS)('over HTTP, the %s', (kind: ClientKind) => {
  const slug = `h${CLIENT_KINDS.indexOf(kind) + 1}`;
  let planner: Agent;
  let worker: Agent;

  beforeAll(async () => {
    planner = await connectTo(kind, 'planner', { url: serving.url });
    worker = await connectTo(kind, 'worker', { url: serving.url, headers: { 'cairn-agent': 'bob' } });
  });
  afterAll(async () => {
    await Promise.all([planner?.close(), worker?.close()]);
  });

  test('sees the default toolset and is told how to use it', async () => {
    expect((await planner.listTools()).map(({ name }) => name)).toHaveLength(19);
    expect(planner.instructions()).toContain('resume_project first');
  });

  test('hands a task over', async () => {
    await planner.call('create_project', { slug, name: 'Shop' });
    await planner.call('create_tasks', { project: slug, tasks: [{ title: 'Build the API' }] });
    const claimed = await planner.call('claim_task', { project: slug });
    expect(claimed.data['task']).toMatchObject({ locked_by: expect.stringMatching(/^planner#[0-9a-f]{4}$/) });
    const { ref, lock_token } = claimed.data['task'] as { ref: string; lock_token: number };

    const refused = await worker.call('claim_task', { task: ref });
    expect(refused).toMatchObject({ isError: true, text: expect.stringMatching(/^lock_held: .*planner#/) });
    await planner.call('release_task', { task: ref, lock_token, outcome: 'paused', reason: 'Lunch.' });
    const taken = await worker.call('claim_task', { task: ref });

    expect(taken.data['task']).toMatchObject({ locked_by: 'bob' });
  });

  test('is refused a tool that there is not', async () => {
    await expect(planner.call('drop_database')).rejects.toMatchObject({ code: -32602 });
  });

  test('reads resources, gets prompts and completes', async () => {
    expect(await planner.readResource(`cairn://projects/${slug}/tasks/${slug}-1`)).toContain(`${slug}-1 [medium]`);
    expect(await planner.listResources()).toContain(`cairn://projects/${slug}`);
    expect(await planner.getPrompt('start_work', { project: slug })).toContain(slug);
    const prompt = { type: 'ref/prompt', name: 'start_work' } as const;
    expect(await planner.complete(prompt, { name: 'project', value: slug })).toEqual([slug]);
  });

  test('waits for what another agent does', async () => {
    const { position } = (await worker.call('list_events', { project: slug })).data;
    const waiting = worker.call('wait_for_events', { project: slug, after_seq: position, timeout_seconds: 20 });

    await planner.call('record_event', { project: slug, kind: 'risk', text: 'It may rain.' });

    expect((await waiting).data['events']).toMatchObject([{ type: 'project.noted', kind: 'risk' }]);
  });
});

describe('the door of /mcp', () => {
  test.each(['evil.example', 'evil.example:7070', 'localhost.evil.example', '127.0.0.1.evil.example'])(
    'does not open to the name %s',
    async (host) => {
      expect(
        await send('/mcp', { ...callOf('list_projects'), headers: { ...callOf('x').headers, host } }),
      ).toMatchObject({
        status: 421,
      });
    },
  );

  test.each(['https://evil.example', 'http://localhost.evil.example', 'null', 'garbage'])(
    'lets no page of %s in',
    async (origin) => {
      const call = callOf('list_projects');
      const reply = await send('/mcp', { ...call, headers: { ...call.headers, origin } });

      expect(reply.status).toBe(403);
      expect(reply.headers).not.toHaveProperty('access-control-allow-origin');
    },
  );

  test('shares its answers with pages of its own origin alone', async () => {
    const call = callOf('list_projects');
    const own = await send('/mcp', { ...call, headers: { ...call.headers, origin: serving.url.origin } });
    const local = await send('/mcp', { ...call, headers: { ...call.headers, origin: 'http://localhost:6274' } });

    expect(own.headers['access-control-allow-origin']).toBe(serving.url.origin);
    expect(local).toMatchObject({ status: 200 });
    expect(local.headers).not.toHaveProperty('access-control-allow-origin');
  });

  test.each([
    ['application/json', 'application/json'],
    ['text/event-stream', 'text/event-stream'],
    ['*/*', 'text/event-stream'],
    [undefined, 'text/event-stream'],
  ])('answers a client that accepts %s', async (accept, type) => {
    const headers = { 'content-type': 'application/json', ...(accept && { accept }) };

    const opened = await send('/mcp/', { ...INITIALIZE, headers });
    const session = { ...headers, 'mcp-session-id': String(opened.headers['mcp-session-id']) };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'ping' });
    const pinged = await send('/mcp', { method: 'POST', headers: session, body });
    const call = callOf('list_projects');
    const { accept: _, ...others } = call.headers;
    const called = await send('/mcp/', { ...call, headers: { ...others, ...(accept && { accept }) } });

    expect(opened).toMatchObject({ status: 200, headers: { 'content-type': expect.stringContaining(type) } });
    expect(pinged).toMatchObject({ status: 200, headers: { 'content-type': expect.stringContaining(type) } });
    expect(called).toMatchObject({ status: 200 });
  });

  test('refuses what is not JSON', async () => {
    const { headers } = callOf('list_projects');

    expect(await send('/mcp', { method: 'POST', headers, body: '{"jsonrpc":' })).toMatchObject({ status: 400 });
    const latin = Buffer.from('{"text":"\u00e9"}', 'latin1');
    expect(await send('/mcp', { method: 'POST', headers, body: latin })).toMatchObject({
      status: 400,
      text: expect.stringContaining('not UTF-8'),
    });
    expect(
      await send('/mcp', { method: 'POST', headers: { ...headers, 'content-type': 'text/plain' }, body: '{}' }),
    ).toMatchObject({ status: 415 });
    expect(
      await send('/mcp', { method: 'POST', headers: { ...headers, 'content-encoding': 'gzip' }, body: '{}' }),
    ).toMatchObject({ status: 415 });
    expect(await send('/mcp', { method: 'PUT', headers, body: '{}' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST, DELETE' },
    });
  });

  test.each([
    ['declared', { 'content-length': '1048577' }],
    ['sent in chunks', { 'transfer-encoding': 'chunked' }],
  ])('refuses a body over 1 MiB, %s', async (_, framing) => {
    const body = Buffer.alloc(1_048_577, 0x20);
    const headers = { ...callOf('list_projects').headers, ...framing };

    const reply = await send('/mcp', { method: 'POST', headers, body });

    expect(reply.status).toBe(413);
  });

  test('compares the headers of a request with its body', async () => {
    const call = callOf('list_projects');
    const reply = await send('/mcp', { ...call, headers: { ...call.headers, 'mcp-name': 'search' } });

    expect(reply.status).toBe(400);
    expect(JSON.parse(reply.text)).toMatchObject({ error: { code: -32020 } });
  });
});

describe('a session of the 2025 protocols', () => {
  test('is not found under an id that was made up, or after it was ended', async () => {
    const opened = await send('/mcp', INITIALIZE);
    const session = { ...ACCEPT, 'mcp-session-id': String(opened.headers['mcp-session-id']) };
    const ping = { method: 'POST', body: '{"jsonrpc":"2.0","id":2,"method":"ping"}' };

    expect(await send('/mcp', { ...ping, headers: session })).toMatchObject({ status: 200 });
    expect(await send('/mcp', { ...ping, headers: { ...session, 'mcp-session-id': 'x' } })).toMatchObject({
      status: 404,
    });
    expect(await send('/mcp', { ...ping, headers: ACCEPT })).toMatchObject({ status: 400 });
    expect(await send('/mcp', { method: 'DELETE', headers: session })).toMatchObject({ status: 200 });
    expect(await send('/mcp', { ...ping, headers: session })).toMatchObject({ status: 404 });
  });
});

describe('an operator', () => {
  test('sees that it lives and is ready, and what it does', async () => {
    await send('/mcp', callOf('list_projects'));

    expect(await send('/healthz', { headers: { host: '10.0.0.7' } })).toMatchObject({ status: 200 });
    expect(await send('/readyz', {})).toMatchObject({ status: 200 });
    const { text } = await send('/metrics', {});
    expect(text).toMatch(/^cairn_tool_calls_total\{tool="list_projects",outcome="ok"\} \d+$/m);
    expect(text).toMatch(/^cairn_http_request_seconds_count\{route="\/mcp",method="POST",status="200"\} \d+$/m);
    expect(text).toMatch(/^cairn_sessions \d+$/m);
  });

  test('shows nobody the metrics who comes through a proxy', async () => {
    expect(await send('/metrics', { headers: { 'x-forwarded-for': '203.0.113.9' } })).toMatchObject({ status: 404 });
  });

  test('finds a request in the log by its id, and no secret', async () => {
    const secret = 'cairn_at_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';
    const call = callOf('list_projects');
    const headers = { ...call.headers, authorization: `Bearer ${secret}`, 'x-request-id': 'from-the-proxy-1' };

    const reply = await send(`/mcp?access_token=${secret}`, { ...call, headers });
    await send(`/${secret}`, {});

    expect(reply.headers['x-request-id']).toBe('from-the-proxy-1');
    const line = await vi.waitUntil(() => serving.log.find((line) => line.includes('from-the-proxy-1')), 10_000);
    expect(JSON.parse(line)).toMatchObject({ status: 200, path: '/mcp', rpc: 'tools/call', tool: 'list_projects' });
    await vi.waitUntil(() => serving.log.some((line) => line.includes('/[redacted]')), 10_000);
    expect(serving.log.join('\n')).not.toContain(secret);
  });

  test.each([
    ['--host', '0.0.0.0'],
    ['--host', '::'],
    ['--public-url', 'https://cairn.example.com'],
  ])('is refused %s %s without authorization', async (...open) => {
    await expect(startServing([...flags, ...open])).rejects.toThrow(/serves only this machine\.\nStart it with --auth/);
  });

  test('ends where it cannot serve what was asked for', async () => {
    await expect(startServing([...flags, '--toolsets', 'core'])).rejects.toThrow(/exited with 1: .*no toolset core/s);
  });

  test('is told when the port is taken', async () => {
    const again = startServing([...flags, '--port', serving.url.port]);

    await expect(again).rejects.toThrow(/Cannot listen on 127\.0\.0\.1:\d+/);
  });
});

describe('told to stop', () => {
  // Windows has no signal that a process could answer.
  test.skipIf(process.platform === 'win32')(
    'finishes what is in flight, ends what waits, and takes no more',
    async () => {
      const other = await startServing(flags);
      const agent = await connectTo('v2 client, 2026 protocol', 'waiter', { url: other.url });
      const waiting = agent.call('wait_for_events', { timeout_seconds: 50 });
      const session = await connectTo('v2 client, 2025 protocol', 'idle', { url: other.url });
      await vi.waitUntil(async () => (await countRequests(other)) > 0, 10_000);

      other.kill('SIGTERM');

      expect(await waiting).toMatchObject({ isError: false });
      expect(await other.exited).toBe(0);
      await Promise.allSettled([agent.close(), session.close()]);
    },
  );
});

/** Requests that are being answered, the one that asks for it not among them. */
async function countRequests({ url }: Serving): Promise<number> {
  const text = await (await fetch(new URL('/metrics', url))).text();
  return Number(/^cairn_requests_in_flight (\d+)$/m.exec(text)?.[1]) - 1;
}
