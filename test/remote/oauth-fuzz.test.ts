import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuthServing, startAuthServing } from '../support/auth-serving.ts';
import { REDIRECT, rawClient, registerClient } from '../support/auth-world.ts';
import { bytes, NODE_OPTIONS, openFuzzer, runsOr } from '../support/fuzz.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { malformedForms, method, uuid } from '../support/malformed-forms.ts';
import { mintEachKind } from '../support/secrets.ts';

// `npm run fuzz` sends 10,000 to each endpoint.
const RUNS = runsOr(100);

let world: LocalWorld;
let serving: AuthServing;
let fuzzer: ReturnType<typeof openFuzzer>;
let forms: ReturnType<typeof malformedForms>;
let csrf: string;
let workspace: string;
let secrets: string[];
let clients: string[];
let request: string;

beforeAll(async () => {
  world = await openLocalWorld();
  // Each request says where it is from, so that what limits tries does not answer for what lies behind it.
  const flags = ['--log-level', 'debug', '--trusted-proxies', '1'];
  serving = await startAuthServing({ dataDir: world.dataDir, flags, env: { NODE_OPTIONS } });
  fuzzer = openFuzzer(serving);
  const browser = await serving.signIn();
  const { text } = await browser.open('/account');
  csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';
  workspace = /name="workspace" value="([^"]+)"/.exec((await browser.open('/admin')).text)?.[1] ?? '';
  const confidential = await registerClient(serving.origin, { token_endpoint_auth_method: 'client_secret_post' });
  const open = await registerClient(serving.origin, { token_endpoint_auth_method: 'none' });
  clients = [String(confidential['client_id']), String(open['client_id'])];
  const asked = await browser.fetch(rawClient(serving, String(open['client_id'])).authorizationUrl());
  request = new URL(asked.headers.get('location') ?? '', serving.origin).searchParams.get('request') ?? '';
  expect([csrf, workspace, request]).not.toContain('');
  secrets = [...mintEachKind(workspace), String(confidential['client_secret']), request, ...browser.cookies.values()];
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  forms = malformedForms({ secrets, clients, cookie });
});
afterAll(async () => {
  fuzzer?.close();
  await serving?.stop();
  await world?.close();
});

const text = (...near: string[]) => forms.text(...near);
const client_id = () => text(...clients, 'dcr_x', 'https://10.0.0.1/client', 'https://localhost/client.json');
const redirect_uri = () =>
  text(REDIRECT, 'http://localhost:1/callback', 'https://evil.example/', 'javascript:alert(1)');
const resource = () => text(serving.mcp.href, serving.origin, 'https://other.example/mcp', ':');
const ofClient = () => ({ client_id: client_id(), client_secret: text(), resource: resource() });

const ENDPOINTS = {
  metadata: () =>
    forms.requestsTo({
      paths: [
        'oauth-protected-resource',
        'oauth-authorization-server',
        'openid-configuration',
        'oauth-protected-resource/mcp',
        'oauth-authorization-server/mcp',
        '',
      ].map((name) => `/.well-known/${name}`),
      methods: ['GET'],
      fields: { resource: resource() },
    }),
  register: () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), text(REDIRECT));
    // Values as many and as long as a body holds, and slightly more.
    const long = fc
      .record({ count: fc.integer({ min: 1, max: 25 }), length: fc.integer({ min: 1_000, max: 2_100 }) })
      .map(({ count, length }) =>
        Array.from({ length: count }, (_, at) => `https://a.example/${at}${'x'.repeat(length)}`),
      );
    const uris = fc.oneof({ weight: 4, arbitrary: fc.array(redirect_uri(), { maxLength: 25 }) }, long, value);
    const metadata = fc.record(
      {
        redirect_uris: uris,
        client_name: value,
        client_uri: fc.oneof(value, fc.webUrl()),
        token_endpoint_auth_method: fc.oneof(
          text('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'),
          value,
        ),
        grant_types: value,
        application_type: fc.oneof(text('web', 'native'), value),
        jwks_uri: value,
        software_statement: value,
      },
      { requiredKeys: ['redirect_uris'] },
    );
    const nested = fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth));
    return fc.record({
      method: method('POST'),
      path: fc.constant('/oauth/register'),
      headers: forms.headersOf('application/json'),
      body: fc.oneof({ weight: 12, arbitrary: metadata.map((said) => JSON.stringify(said)) }, fc.json(), nested, bytes),
    });
  },
  authorize: () =>
    forms.requestsTo({
      paths: ['/oauth/authorize'],
      methods: ['GET'],
      fields: {
        response_type: text('code', 'token'),
        client_id: client_id(),
        redirect_uri: redirect_uri(),
        code_challenge: text('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'),
        code_challenge_method: text('S256', 'plain'),
        scope: text('tasks:read', 'admin offline_access', ' '),
        state: text('xyz'),
        resource: resource(),
        prompt: text('none', 'consent'),
      },
    }),
  consent: () =>
    forms.requestsTo({
      paths: ['/oauth/consent'],
      methods: ['GET', 'POST'],
      fields: {
        request: text(request),
        csrf: text(csrf),
        decision: text('allow', 'deny'),
        tenant_id: fc.oneof(uuid, text(workspace)),
        scope: text('tasks:read'),
      },
    }),
  token: () =>
    forms.requestsTo({
      paths: ['/oauth/token'],
      methods: ['POST'],
      fields: {
        grant_type: text('authorization_code', 'refresh_token', 'client_credentials', 'password'),
        code: text(),
        redirect_uri: redirect_uri(),
        code_verifier: text('v'.repeat(43)),
        refresh_token: text(),
        scope: text('tasks:read admin', ' '),
        ...ofClient(),
      },
    }),
  revoke: () =>
    forms.requestsTo({
      paths: ['/oauth/revoke'],
      methods: ['POST'],
      fields: { token: text(), token_type_hint: text('access_token', 'refresh_token'), ...ofClient() },
    }),
  login: () =>
    forms.requestsTo({
      paths: [
        '/login',
        '/login/email',
        '/login/code',
        '/login/owner',
        '/login/oidc/google',
        '/login/oidc/google/callback',
        '/invite',
      ],
      methods: ['GET', 'POST'],
      fields: {
        csrf: text(csrf),
        next: text('/account', '//evil.example', '/\\evil.example'),
        password: text('correct horse battery staple'),
        repeated: text('correct horse battery staple'),
        email: text('ada@example.com'),
        code: text('123456'),
        state: text(),
      },
    }),
  account: () =>
    forms.requestsTo({
      paths: ['/', '/account', '/account/revoke', '/account/tokens'],
      methods: ['GET', 'POST'],
      fields: {
        csrf: text(csrf),
        workspace: fc.oneof(text(workspace), uuid),
        id: fc.oneof(uuid, text()),
        name: text('nightly build'),
        days: text('30', '0', '1e9', '-1'),
        scope: text('tasks:read', 'admin'),
        [`before-${workspace}`]: fc.oneof(uuid, text()),
      },
    }),
  admin: () =>
    forms.requestsTo({
      paths: ['/admin', '/admin/revoke', '/admin/members', '/admin/invitations'],
      methods: ['GET', 'POST'],
      fields: {
        csrf: text(csrf),
        workspace: fc.oneof(text(workspace), uuid),
        id: fc.oneof(uuid, text()),
        user_id: fc.oneof(uuid, text()),
        client_id: client_id(),
        role: text('owner', 'viewer', 'king'),
        do: text('remove', 'withdraw', 'invite'),
        email: text('ada@example.com'),
        invitation: fc.oneof(uuid, text()),
        connections: fc.oneof(uuid, text()),
        events: fc.oneof(uuid, text()),
      },
    }),
};

describe('malformed requests', () => {
  test.for(Object.keys(ENDPOINTS) as (keyof typeof ENDPOINTS)[])(
    `to %s are answered, ${RUNS} of them, each in time and as what it is`,
    { timeout: 120_000 + RUNS * 30 },
    async (name, { annotate }) => {
      const { statuses, figures } = await fuzzer.endure(fc.sample(ENDPOINTS[name](), RUNS), secrets);

      expect(statuses.size).toBeGreaterThan(1);
      await annotate(figures);
    },
  );
});
