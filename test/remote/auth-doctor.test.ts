import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type AuthServing, startAuthServing } from '../support/auth-serving.ts';
import { cairn } from '../support/cairn.ts';
import { freePort } from '../support/free-port.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';

type Answered = { status: number; headers: IncomingHttpHeaders; body: string };
type Fault = (answered: Answered, asked: { method: string; path: string }) => Partial<Answered> | undefined;

let world: LocalWorld;
let serving: AuthServing;
let front: Server;
let url: string;
/** The fault of the proxy in front. */
let fault: Fault | undefined;

beforeAll(async () => {
  world = await openLocalWorld();
  const port = await freePort();
  url = `http://127.0.0.1:${port}/mcp`;
  serving = await startAuthServing({
    dataDir: world.dataDir,
    flags: ['--public-url', new URL(url).origin, '--no-client-documents'],
  });
  front = createServer((incoming, outgoing) => {
    const { method = '', url: path = '', headers } = incoming;
    const passed = request(new URL(path, serving.origin), { method, headers }, async (response) => {
      const body = (await response.toArray()).join('');
      const right = { status: response.statusCode ?? 0, headers: response.headers, body };
      const given = { ...right, ...fault?.(right, { method, path }) };
      const kept = Object.entries(given.headers).filter(
        ([name, value]) => value !== undefined && !/^(content-length|transfer-encoding|connection)$/.test(name),
      );
      outgoing.writeHead(given.status, Object.fromEntries(kept)).end(given.body);
    });
    incoming.pipe(passed);
  }).listen(port, '127.0.0.1');
});
afterEach(async () => {
  fault = undefined;
  // Each run registers as every client.
  await world.rows('truncate app.rates');
});
afterAll(async () => {
  front?.close();
  await serving?.stop();
  await world?.close();
});

type Finding = { check: string; ok: boolean; advice?: string };

async function examine(): Promise<{ code: number | null; wrong: string[]; right: string[] }> {
  const { code, stdout } = await cairn(['auth', 'doctor', url, '--json']);
  const findings = JSON.parse(stdout) as Finding[];
  const named = (well: boolean) => findings.filter(({ ok }) => ok === well).map(({ check }) => check);
  return { code, wrong: named(false), right: named(true) };
}

const without = (headers: IncomingHttpHeaders, name: string) => ({ headers: { ...headers, [name]: undefined } });

/** Changes a field of a metadata document. */
const metadata =
  (path: string, change: object): Fault =>
  ({ body }, asked) =>
    asked.path.startsWith(`/.well-known/${path}`)
      ? { body: JSON.stringify({ ...JSON.parse(body), ...change }) }
      : undefined;

const at =
  (path: string, change: (answered: Answered) => Partial<Answered>): Fault =>
  (answered, asked) =>
    asked.path.startsWith(path) ? change(answered) : undefined;

const FAULTS: [check: string, fault: Fault][] = [
  ['it asks for a token (401)', at('/mcp', () => ({ status: 403, headers: { 'content-type': 'text/html' } }))],
  ['the challenge says where to ask', at('/mcp', ({ headers }) => without(headers, 'www-authenticate'))],
  [
    'its clock agrees with this one',
    at('/mcp', ({ headers }) => ({ headers: { ...headers, date: 'Thu, 01 Jan 2026 00:00:00 GMT' } })),
  ],
  [
    'the resource metadata names exactly this address',
    metadata('oauth-protected-resource', { resource: 'http://inside:7070/mcp' }),
  ],
  ['the authorization server has metadata', at('/.well-known/oauth-authorization-server', () => ({ status: 404 }))],
  [
    'the issuer is the address it was found by',
    metadata('oauth-authorization-server', { issuer: 'http://inside:7070' }),
  ],
  ['it has PKCE S256', metadata('oauth-authorization-server', { code_challenge_methods_supported: ['plain'] })],
  [
    'it names itself in its answers (RFC 9207)',
    metadata('oauth-authorization-server', { authorization_response_iss_parameter_supported: false }),
  ],
  [
    'programs in a browser may call it',
    at('/oauth/token', ({ headers }) => without(headers, 'access-control-allow-origin')),
  ],
  [
    'it redirects nobody to an address it does not know',
    at('/oauth/authorize', () => ({ status: 302, headers: { location: 'https://example.com/x' } })),
  ],
  [
    'Cursor may register',
    at('/oauth/register', ({ body, ...rest }) => ({ ...rest, body: body.replace('cursor:', 'https:') })),
  ],
];

describe('cairn auth doctor', () => {
  test('finds nothing to change where all is well', async () => {
    expect(await examine()).toMatchObject({ code: 0, wrong: [] });

    const { code, stdout } = await cairn(['auth', 'doctor', url], { env: { NO_COLOR: '1' } });
    expect(code).toBe(0);
    expect(stdout).toContain('ok  Claude Code may register');
    expect(stdout).toContain('ok  Codex registers: the server fetches no documents of clients');
  });

  test.for(FAULTS)('finds that it does not hold: %s', async ([check, wrong]) => {
    fault = wrong;

    const found = await examine();

    expect(found.code).toBe(1);
    expect(found.wrong).toContain(check);
    expect(found.wrong.filter((name) => name !== check && name !== 'the challenge says where to ask')).toEqual([]);
  });

  test.for([
    [
      'are not fetched',
      ['--client-document-hosts', 'claude.ai,chatgpt.com'],
      /could not be fetched: ECONNREFUSED\. .*HTTPS_PROXY/,
    ],
    [
      'are of hosts that are not admitted',
      ['--client-document-hosts', 'vscode.dev'],
      /^Add (claude\.ai|chatgpt\.com) to/,
    ],
  ] as const)('says what to set where the documents of real clients %s', async ([, flags, advice]) => {
    const HTTPS_PROXY = `http://127.0.0.1:${await freePort()}`;
    const other = await startAuthServing({ dataDir: world.dataDir, flags: [...flags], env: { HTTPS_PROXY } });

    const { code, stdout } = await cairn(['auth', 'doctor', other.mcp.href, '--json']);
    await other.stop();

    const wrong = (JSON.parse(stdout) as Finding[]).filter(({ ok }) => !ok);
    expect([code, wrong.map(({ check }) => check)]).toEqual([
      1,
      ['Claude Code is known by its document at claude.ai', 'Codex is known by its document at chatgpt.com'],
    ]);
    for (const { advice: told } of wrong) expect(told).toMatch(advice);
    for (const { advice: told } of wrong) expect(told).toContain('--no-client-documents');
  });

  test('finds that a cache keeps old metadata', async () => {
    fault = metadata('oauth-authorization-server', { client_id_metadata_document_supported: true });
    const { code, stdout } = await cairn(['auth', 'doctor', url, '--json']);
    const [first] = (JSON.parse(stdout) as Finding[]).filter(({ ok }) => !ok);
    expect([code, first?.advice]).toEqual([1, expect.stringContaining('let no cache keep')]);
  });

  test.for(['openid-configuration', 'oauth-authorization-server'])(
    'looks at another authorization server by its %s, and registers nothing there',
    async (document) => {
      const asked: string[] = [];
      const other = createServer(({ method, url: path = '' }, response) => {
        asked.push(`${method} ${path}`);
        const said = {
          [`/.well-known/${document}`]: {
            issuer,
            jwks_uri: `${issuer}/keys`,
            registration_endpoint: `${issuer}/register`,
            code_challenge_methods_supported: ['S256'],
          },
          '/keys': { keys: [{ kty: 'EC' }] },
        }[path];
        response.writeHead(said === undefined ? 404 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(said ?? {}));
      }).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const issuer = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      fault = metadata('oauth-protected-resource', { authorization_servers: [issuer] });

      const { code, wrong, right } = await examine();
      other.close();

      expect([code, wrong]).toEqual([0, []]);
      expect(right).toContain('its keys can be fetched');
      expect(asked.filter((line) => !line.startsWith('GET '))).toEqual([]);
    },
  );

  test('finds that nobody answers, and that an address is none', async () => {
    const silent = await cairn(['auth', 'doctor', `http://127.0.0.1:${await freePort()}/mcp`]);
    expect(silent).toMatchObject({ code: 1, stdout: expect.stringContaining('no  it answers') });

    expect(await cairn(['auth', 'doctor', 'not an address'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not an address'),
    });
  });
});
