import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TOOLSETS, toolNamed } from '../../src/tools/catalog.ts';
import { bytes, type Malformed, NODE_OPTIONS, openFuzzer, runsOr, trimmed, visible, word } from '../support/fuzz.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { ACCEPT, callOf, INITIALIZE, sendRaw } from '../support/raw-http.ts';
import { type Serving, startServing } from '../support/serve.ts';

// `npm run fuzz` sends 10,000.
const RUNS = runsOr(1_000);
const SECRET = 'cairn_at_fuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuz';

let world: LocalWorld;
let serving: Serving;
let session: string;
let fuzzer: ReturnType<typeof openFuzzer>;

beforeAll(async () => {
  world = await openLocalWorld();
  serving = await startServing(['--data-dir', world.dataDir, '--toolsets', 'all'], { NODE_OPTIONS });
  fuzzer = openFuzzer(serving);
  session = String((await sendRaw(serving.url, INITIALIZE)).headers['mcp-session-id']);
});
afterAll(async () => {
  fuzzer?.close();
  await serving?.stop();
  await world?.close();
});

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom(SECRET, '\u0000', '\ud800', 1e308, -1, '__proto__', 'x'.repeat(70_000)),
);

const tool = word('list_projects', 'claim_task', 'search', 'create_tasks', 'wait_for_events', 'redact_event');
const meta = fc.oneof(
  value,
  fc.record(
    {
      'io.modelcontextprotocol/protocolVersion': word('2026-07-28', '2025-11-25', '9999-01-01'),
      'io.modelcontextprotocol/clientCapabilities': fc.oneof(fc.constant({}), value),
      'io.modelcontextprotocol/clientInfo': fc.oneof(fc.constant({ name: 'fuzz', version: '1' }), value),
      progressToken: value,
    },
    { requiredKeys: [] },
  ),
);
const message = fc.record(
  {
    jsonrpc: fc.oneof({ weight: 6, arbitrary: fc.constant('2.0') }, value),
    id: fc.oneof(fc.integer(), fc.string(), value),
    method: word(
      'tools/call',
      'tools/list',
      'initialize',
      'resources/read',
      'prompts/get',
      'completion/complete',
      'server/discover',
      'resources/subscribe',
      'ping',
    ),
    params: fc.oneof(
      value,
      fc.record(
        {
          name: fc.oneof(tool, value),
          uri: fc.oneof(word('cairn://projects/web', 'cairn://projects/%00', 'file:///etc/passwd'), value),
          // A wait would only slow the run down.
          arguments: fc.dictionary(word('project', 'task', 'query', 'page_size', 'tasks'), value),
          protocolVersion: word('2025-11-25', '2024-11-05'),
          capabilities: value,
          clientInfo: value,
          cursor: value,
          _meta: meta,
        },
        { requiredKeys: [] },
      ),
    ),
    result: value,
    error: value,
  },
  { requiredKeys: [] },
);
const nested = fc.integer({ min: 1, max: 100_000 }).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`);
const body = fc.oneof(
  { weight: 8, arbitrary: message.map((sent) => JSON.stringify(sent)) },
  { weight: 2, arbitrary: fc.array(message, { maxLength: 5 }).map((batch) => JSON.stringify(batch)) },
  fc.json(),
  fc.string(),
  nested,
  bytes,
);

const malformed: fc.Arbitrary<Malformed> = fc.record({
  method: fc.oneof(
    { weight: 12, arbitrary: fc.constant('POST') },
    fc.constantFrom('GET', 'DELETE', 'PUT', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE', 'PROPFIND'),
  ),
  path: word('/mcp', '/mcp', '/mcp', `/mcp?access_token=${SECRET}`, '/mcp/', '/MCP', '//mcp', '/mcp%00', '/..').map(
    (text) => `/${encodeURI(text).replace(/^\//, '')}`,
  ),
  headers: fc
    .record(
      {
        'content-type': word('application/json', 'application/json; charset=utf-8', 'text/plain'),
        accept: word('application/json, text/event-stream', '*/*'),
        'mcp-protocol-version': word('2026-07-28', '2025-11-25'),
        'mcp-method': word('tools/call', 'tools/list', '=?base64?dG9vbHMvbGlzdA==?='),
        'mcp-name': fc.oneof(tool, fc.constant('=?base64?////?=')),
        'mcp-session-id': word('0', '00000000-0000-4000-8000-000000000000'),
        authorization: fc.constantFrom(`Bearer ${SECRET}`, `bearer ${SECRET}${SECRET}`, 'Basic Og=='),
        cookie: fc.constant(`session=${SECRET}`),
        'cairn-agent': visible,
        'x-request-id': visible,
        origin: word('http://localhost:1', 'null'),
        'x-forwarded-for': visible,
        'last-event-id': visible,
      },
      { requiredKeys: [] },
    )
    .map(trimmed),
  body,
});

/** Requests that follow their protocol except in the arguments, so that these reach the tools. */
const inSession = fc
  .record({ jsonrpc: fc.constant('2.0'), id: fc.integer(), method: fc.constant('tools/call'), params: calls() })
  .map((sent): Malformed => {
    const headers = { ...ACCEPT, 'mcp-session-id': session, authorization: `Bearer ${SECRET}` };
    return { method: 'POST', path: '/mcp', headers, body: JSON.stringify(sent) };
  });
const onItsOwn = calls().map(({ name, arguments: args }): Malformed => {
  const { method, headers, body } = callOf(name, args);
  return { method, path: '/mcp', headers, body };
});

function calls() {
  const names = TOOLSETS.flatMap(({ tools }) => tools.map((tool) => tool.name)).filter(
    (name) => name !== 'wait_for_events',
  );
  return fc.constantFrom(...names).chain((name) => {
    const known = Object.keys(toolNamed(name).input.shape);
    return fc.record({
      name: fc.constant(name),
      arguments: fc.dictionary(word('no_such_field', ...known), value, { maxKeys: 4 }),
    });
  });
}

describe('/mcp', () => {
  test(
    `answers ${RUNS} malformed requests, each in time and as what it is`,
    async ({ annotate }) => {
      const samples = fc.sample(fc.oneof(malformed, inSession, onItsOwn), RUNS);
      const { statuses, figures } = await fuzzer.endure(samples, [SECRET]);

      expect(statuses.size).toBeGreaterThan(4);
      await annotate(figures);
    },
    120_000 + RUNS * 30,
  );

  test('closes on what is no HTTP, and serves on', async () => {
    const port = Number(serving.url.port);
    const garbage = [
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
      'GET\r\n\r\n',
      'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
      'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n',
      `GET /mcp HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
      'GET /mcp HTTP/1.1\r\n\r\n',
    ];
    for (const text of garbage) {
      const socket = connect({ host: '127.0.0.1', port });
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('error', () => {});
      socket.end(text);
      await once(socket, 'close');
      expect(answer).toMatch(/^(HTTP\/1\.1 4\d\d|$)/);
    }

    expect(await sendRaw(serving.url, callOf('list_projects'))).toMatchObject({ status: 200 });
    expect(await sendRaw(serving.url, INITIALIZE)).toMatchObject({ status: 200 });
  });
});
