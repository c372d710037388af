import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Access } from '../../src/auth/access.ts';
import { createExternalAuth } from '../../src/auth/resource/external.ts';
import { issuerKeys } from '../../src/auth/resource/issuer-keys.ts';
import { authStore } from '../../src/auth/store.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type HttpServer, serveHttp } from '../../src/server/http/server.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

const RESOURCE = 'https://cairn.example.com/mcp';
const SCOPE = 'projects:read projects:write tasks:write';

let scratch: Scratch;
let front: Server;
let issuer: string;
let served: JWK[];
let asked: string[];
let key: CryptoKey;
let publicKey: CryptoKey;
let access: Access;
let server: HttpServer;

beforeAll(async () => {
  scratch = await createScratch();
  ({ privateKey: key, publicKey } = await generateKeyPair('RS256', { extractable: true }));
  served = [{ ...(await exportJWK(publicKey)), kid: 'k1', use: 'sig' }];
  asked = [];
  front = createServer(({ url = '' }, response) => {
    asked.push(url);
    const document = {
      '/realm/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
      '/realm/keys': { keys: served },
      '/other/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
    }[url];
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(front.address() as AddressInfo).port}/realm`;
  const publicUrl = 'https://cairn.example.com';
  access = createExternalAuth({
    store: authStore(scratch.db),
    settings: { issuer: publicUrl, allowAdmin: false },
    issuer,
    keys: issuerKeys({ issuer, allowPrivate: true }),
    signUp: { emails: [], domains: ['cairn.test'], linkByEmail: false },
    log: createLog('silent'),
  });
  const config = { ...readConfig({ auth: true, publicUrl, output: 'both' }, {}), port: 0 };
  server = await serveHttp({ config, log: createLog('silent'), db: scratch.db, access });
});
afterAll(async () => {
  await server?.close();
  front?.close();
  await scratch?.drop();
});

type Bent = { claims?: object; header?: object; signer?: CryptoKey | Uint8Array };

const now = () => Math.floor(Date.now() / 1_000);
const claimsOf = (bent: object = {}) => ({
  iss: issuer,
  aud: RESOURCE,
  sub: 'ada',
  email: 'ada@cairn.test',
  email_verified: true,
  exp: now() + 300,
  scope: SCOPE,
  ...bent,
});

const mint = ({ claims = {}, header = {}, signer = key }: Bent = {}) =>
  new SignJWT(claimsOf(claims)).setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'at+jwt', ...header }).sign(signer);

async function call(token: string, tool = 'list_projects', args: object = {}) {
  const asked = callOf(tool, args);
  const url = new URL('/mcp', `http://127.0.0.1:${server.address.port}`);
  return sendRaw(url, { ...asked, headers: { ...asked.headers, authorization: `Bearer ${token}` } });
}

describe('a token of an external issuer', () => {
  test('acts for the user of its issuer and subject', async () => {
    const created = await call(await mint(), 'create_project', { slug: 'web', name: 'Web' });
    const again = await call(await mint({ header: { typ: 'JWT' } }), 'list_projects');
    const other = await call(await mint({ claims: { sub: 'eve', email: 'eve@cairn.test' } }), 'list_projects');

    expect([created.status, again.status, other.status]).toEqual([200, 200, 200]);
    expect([again.text.includes('"web"'), other.text.includes('"web"')]).toEqual([true, false]);
    const { rows } = await scratch.sql.query('select issuer, subject from app.user_identities order by subject');
    expect(rows).toEqual([
      { issuer, subject: 'ada' },
      { issuer, subject: 'eve' },
    ]);
  });

  test.each<[string, Bent]>([
    ['another issuer', { claims: { iss: 'https://evil.example' } }],
    ['another audience', { claims: { aud: 'https://cairn.example.com' } }],
    ['several audiences', { claims: { aud: [RESOURCE, 'https://other.example'] } }],
    ['no audience', { claims: { aud: undefined } }],
    ['a past', { claims: { exp: 1 } }],
    ['no end', { claims: { exp: undefined } }],
    ['a time that has not come', { claims: { nbf: Math.floor(Date.now() / 1_000) + 600 } }],
    ['no subject', { claims: { sub: undefined } }],
    ['another type', { header: { typ: 'dpop+jwt' } }],
    ['the mark of an ID token', { claims: { nonce: 'n' } }],
    ['a key that is not known', { header: { kid: 'k2' } }],
  ])('with %s is refused', async (_, bent) => {
    const reply = await call(await mint(bent));

    expect([reply.status, reply.headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/error="invalid_token".*resource_metadata="https:\/\/cairn\.example\.com\//),
    ]);
  });

  test('is believed for no signature but of the issuer', async () => {
    const stranger = await generateKeyPair('RS256', { extractable: true });
    const pem = new TextEncoder().encode(await exportSPKI(publicKey));
    const tokens = [
      await mint({ signer: stranger.privateKey }),
      await mint({ header: { alg: 'HS256' }, signer: pem }),
      await mint({ header: { jwk: await exportJWK(stranger.publicKey) }, signer: stranger.privateKey }),
      new UnsecuredJWT(claimsOf()).encode(),
      'not.a.token',
    ];

    const replies = await Promise.all(tokens.map((token) => call(token)));

    expect(replies.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
  });

  test('does no more than its scopes say, admin never', async () => {
    const reading = await mint({ claims: { scope: 'tasks:write admin openid' } });
    const headers = { authorization: `Bearer ${reading}` };
    const principal = await access.authenticate(new Request(RESOURCE, { headers }), { address: '' });

    const refused = await call(reading, 'list_projects');
    const allowed = await call(await mint({ claims: { scope: undefined, scp: ['projects:write'] } }), 'list_projects');

    expect(principal).toMatchObject({ scopes: new Set(['tasks:write']) });
    expect([refused.status, allowed.status]).toEqual([403, 200]);
    expect(refused.headers['www-authenticate']).toMatch(/error="insufficient_scope".*scope="projects:read"/);
  });

  test('of somebody without an account is refused for good', async () => {
    const reply = await call(await mint({ claims: { sub: 'mallory', email: 'mallory@evil.example' } }));

    expect([reply.status, reply.headers['www-authenticate']]).toEqual([403, undefined]);
  });

  test('cannot choose a workspace that its user is no member of', async () => {
    const { actor } = await scratch.signIn('bob');

    const reply = await call(await mint({ claims: { cairn_workspace: actor.tenant_id } }));

    expect(reply.text).toMatch(/forbidden: .*"isError":true/);
  });

  test('with unknown keys does not make the server ask again and again', async () => {
    await call(await mint());
    const before = asked.length;

    await Promise.all(Array.from({ length: 20 }, async (_, at) => call(await mint({ header: { kid: `x${at}` } }))));

    expect(asked.length - before).toBeLessThanOrEqual(1);
  });
});

test('the resource metadata names the external issuer, and our own endpoints are gone', async () => {
  const at = (path: string) => fetch(`http://127.0.0.1:${server.address.port}${path}`);

  const metadata = await (await at('/.well-known/oauth-protected-resource/mcp')).json();
  const gone = ['/.well-known/oauth-authorization-server', '/oauth/authorize', '/oauth/token', '/oauth/register'];

  expect(metadata).toMatchObject({ resource: RESOURCE, authorization_servers: [issuer] });
  for (const path of gone) expect([path, (await at(path)).status]).toEqual([path, 404]);
});

test('an issuer whose metadata is of another one has no keys', async () => {
  const keys = issuerKeys({ issuer: issuer.replace('/realm', '/other'), allowPrivate: true });

  await expect(keys({ alg: 'RS256', kid: 'k1' }, { payload: '', signature: '' })).rejects.toMatchObject({
    code: 'unavailable',
  });
});

test('an issuer on a private network needs the operator’s word', async () => {
  expect(() => issuerKeys({ issuer, allowPrivate: false })).toThrow(/not reached over TLS/);
  const keys = issuerKeys({ issuer: issuer.replace('http:', 'https:'), allowPrivate: false });
  let knocks = 0;
  front.on('connection', () => {
    knocks += 1;
  });

  await expect(keys({ alg: 'RS256' }, { payload: '', signature: '' })).rejects.toMatchObject({ code: 'unavailable' });

  expect(knocks).toBe(0);
});
