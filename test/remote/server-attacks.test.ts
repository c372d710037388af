import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bearerAccess } from '../../src/auth/resource/bearer.ts';
import { hashSecret } from '../../src/auth/secrets.ts';
import { createPat } from '../../src/auth/server/issue.ts';
import type { Store } from '../../src/auth/store.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { refuseUnprotectedHost } from '../../src/server/http/server.ts';
import { type AuthWorld, connect, newClient, REDIRECT, registerClient, useAuthWorld } from '../support/auth-world.ts';
import { type Asked, callOf, INITIALIZE, sendRaw } from '../support/raw-http.ts';
import { mintEachKind } from '../support/secrets.ts';

// Tests the threats of docs/security.md; `npm run mutants` removes each mitigation to see a test here fail.

const { own, another } = useAuthWorld();

async function call(token: string, { origin }: Pick<AuthWorld, 'origin'> = own(), headers = {}): Promise<number> {
  const asked = callOf('list_projects');
  const sent = { ...asked.headers, authorization: `Bearer ${token}`, ...headers };
  return (await sendRaw(new URL('/mcp', origin), { ...asked, headers: sent })).status;
}

describe('a token', () => {
  test('is not ended by another client, which is told nothing', async () => {
    const { tokens } = await connect(own(), await own().signIn());
    const other = await newClient(own());

    expect((await other.revoke(tokens.access_token)).status).toBe(200);
    expect(await call(tokens.access_token)).toBe(200);
  });

  test('administers only while its user is an administrator', async () => {
    const { user_id } = await own().signIn();
    const { token } = await createPat(
      own().db,
      { user_id },
      { name: 'ci', scope: 'tasks:read admin', days: 1, resource: own().mcp.href },
    );
    const scopes = async () => {
      const request = new Request(own().mcp, { headers: { authorization: `Bearer ${token}` } });
      const found = await bearerAccess(own().store, own().settings).authenticate(request, { address: '' });
      return found instanceof Response ? [] : [...found.scopes];
    };
    expect(await scopes()).toContain('admin');

    await own().query(`update public.memberships set role = 'member' where user_id = $1`, [user_id]);

    expect(await scopes()).toEqual(['tasks:read']);
    const pat = { name: 'again', scope: 'admin', days: 1, resource: own().mcp.href };
    await expect(createPat(own().db, { user_id }, pat)).rejects.toMatchObject({ code: 'forbidden' });
  });

  describe('that was let in a moment ago, and is revoked elsewhere,', () => {
    const inputs: [name: string, asked: Asked][] = [
      ['a call', callOf('list_projects')],
      ['a call that changes something', callOf('create_project', { slug: 'late', name: 'Late' })],
      ['a call with arguments that are not valid', callOf('get_task', { nothing: 1 })],
      ['a call of no tool', callOf('no_such_tool')],
      ['a call whose headers name another', { ...callOf('list_projects'), body: String(callOf('get_task').body) }],
      ['a body that is no JSON', { ...callOf('list_projects'), body: 'no JSON' }],
      ['a session', { ...INITIALIZE, headers: callOf('list_projects').headers }],
    ];
    test.for(inputs)('is refused with %s', async ([, asked]) => {
      const { user_id } = await own().signIn();
      const pat = { name: 'ci', scope: 'projects:write tasks:read', days: 1, resource: own().mcp.href };
      const { token, id } = await createPat(own().db, { user_id }, pat);
      expect([await call(token), await call(token)]).toEqual([200, 200]);

      await own().db.call('revoke_access', { chosen: { id } }, { user_id });
      const headers = { ...asked.headers, authorization: `Bearer ${token}` };
      const reply = await sendRaw(own().mcp, { ...asked, headers });

      expect(reply).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringContaining('revoked') } });
      expect(reply.headers['mcp-session-id']).toBeUndefined();
      const refusals = `select from app.auth_events where subject_id = $1 and type = 'token.refused'`;
      expect(await own().query(refusals, [id])).not.toEqual([]);
      expect(await own().query('select from public.projects where tenant_id = $1', [user_id])).toEqual([]);
    });
  });

  test('is asked about again for what hangs on a role, and acts with the role of the moment', async () => {
    const { user_id } = await own().signIn();
    const pat = { name: 'ci', scope: 'projects:write admin', days: 1, resource: own().mcp.href };
    const { token } = await createPat(own().db, { user_id }, pat);
    const use = async (name: string, args = {}) => {
      const asked = callOf(name, args);
      return sendRaw(own().mcp, { ...asked, headers: { ...asked.headers, authorization: `Bearer ${token}` } });
    };
    expect(await use('list_projects')).toMatchObject({ status: 200 });
    expect(await use('list_members')).toMatchObject({ status: 200 });

    await own().query(`update public.memberships set role = 'viewer' where user_id = $1`, [user_id]);

    expect(await use('list_members')).toMatchObject({ status: 403 });
    expect(await use('create_project', { slug: 'web', name: 'Web' })).toMatchObject({
      text: expect.stringContaining('This needs the role member'),
    });
    await own().query('delete from public.memberships where user_id = $1', [user_id]);
    expect(await use('list_projects')).toMatchObject({ status: 401 });
  });

  test('that is there no more is not known, whoever remembers it', async () => {
    const { user_id } = await own().signIn();
    const pat = { name: 'ci', scope: 'projects:read', days: 1, resource: own().mcp.href };
    const { token, id } = await createPat(own().db, { user_id }, pat);
    expect(await call(token)).toBe(200);

    await own().query('delete from public.oauth_tokens where id = $1', [id]);

    expect(await call(token)).toBe(401);
  });

  test('that names another workspace than its own is not known', async () => {
    const { client, tokens } = await connect(own(), await own().signIn());
    const elsewhere = (token: string) => {
      const [prefix = '', body = ''] = [token.slice(0, 9), token.slice(9)];
      const bytes = Buffer.from(body, 'base64url');
      return prefix + Buffer.concat([randomBytes(16), bytes.subarray(16)]).toString('base64url');
    };
    expect(elsewhere(tokens.access_token)).toHaveLength(tokens.access_token.length);

    expect(await call(elsewhere(tokens.access_token))).toBe(401);
    expect((await client.refresh(elsewhere(tokens.refresh_token))).status).toBe(400);
    expect((await client.revoke(elsewhere(tokens.access_token))).status).toBe(200);
    expect(await call(tokens.access_token)).toBe(200);
  });

  test('with a typing error is refused without asking the database', async () => {
    const { user_id } = await own().signIn();
    const pat = { name: 'ci', scope: 'tasks:read', days: 1, resource: own().mcp.href };
    const { token } = await createPat(own().db, { user_id }, pat);
    const store = { authenticateToken: () => expect.unreachable('It asked.') } as unknown as Store;
    const typo = `${token.slice(0, 20)}${token[20] === 'x' ? 'y' : 'x'}${token.slice(21)}`;

    const request = new Request(own().mcp, { headers: { authorization: `Bearer ${typo}` } });
    const answer = await bearerAccess(store, own().settings).authenticate(request, { address: '' });

    expect(answer).toMatchObject({ status: 401 });
  });
});

describe('a secret', () => {
  test('is in no table and no line of the log once it was handed out, and what a table holds opens nothing', async () => {
    const lines: string[] = [];
    const on = await another({ log: createLog('trace', { write: (line) => void lines.push(line) }) });
    const browser = await on.signIn();
    const { client, code, tokens } = await connect(on, browser);
    const { token: pat } = await createPat(
      on.db,
      { user_id: browser.user_id },
      { name: 'ci', scope: 'tasks:read', days: 1, resource: on.mcp.href },
    );
    const secrets = [code, tokens.access_token, tokens.refresh_token, pat, ...browser.jar.values()];
    const traces = secrets.flatMap((secret) => [
      `%${secret}%`,
      `%${Buffer.from(secret.slice(0, 24)).toString('hex')}%`,
    ]);
    expect(await call(tokens.access_token, on)).toBe(200);
    await sendRaw(new URL(`/mcp?access_token=${pat}`, on.origin), callOf('list_projects'));
    await sendRaw(new URL(`/${tokens.refresh_token}`, on.origin), {});
    await sendRaw(new URL('/login/oidc/acme/callback?code=of-another-server', on.origin), {});

    const tables = await own().query(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('app', 'public')`,
    );
    for (const { name } of tables) {
      expect(await own().query(`select from ${name} t where t::text like any ($1)`, [traces])).toEqual([]);
    }
    expect(lines.length).toBeGreaterThan(3);
    for (const secret of [...secrets, 'of-another-server']) expect(lines.join('')).not.toContain(secret);
    expect(await call(hashSecret(tokens.access_token), on)).toBe(401);
    expect((await client.refresh(hashSecret(tokens.refresh_token))).status).toBe(400);
  });

  test('is redacted from whatever is logged', () => {
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => void lines.push(line) });

    log.info({ headers: { authorization: 'Bearer cairn_at_0123456789' } }, 'cairn_se_0123456789');
    const secrets = mintEachKind(crypto.randomUUID());
    for (const secret of secrets) log.info({ deep: { given: secret } }, `It was ${secret}.`);

    expect(lines.join('')).toContain('Bearer [redacted]');
    expect(lines.join('')).not.toContain('0123456789');
    expect(secrets.filter((secret) => lines.join('').includes(secret.slice(9)))).toEqual([]);
  });
});

describe('the server', () => {
  const knock = async (headers: Record<string, string>, path = '/mcp') =>
    (await sendRaw(new URL(path, own().origin), { ...callOf('x'), headers: { ...callOf('x').headers, ...headers } }))
      .status;

  test.for(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example'])(
    'does not open to the name %s',
    async (host) => {
      expect(await knock({ host })).toBe(421);
      expect(await knock({ host }, '/.well-known/oauth-authorization-server')).toBe(421);
    },
  );

  test.for(['https://evil.example', 'http://localhost.evil.example', 'null'])(
    'lets no page of %s in',
    async (origin) => {
      expect(await knock({ origin })).toBe(403);
      expect(await knock({ origin: own().origin })).toBe(401);
    },
  );

  test.for([
    [{ host: '0.0.0.0' }, true],
    [{ host: '::' }, true],
    [{ publicUrl: 'https://cairn.example' }, true],
    [{ host: '0.0.0.0', publicUrl: 'https://cairn.example', auth: true }, false],
    [{}, false],
  ] as const)('with %j is refused without authorization: %s', ([flags, refused]) => {
    const opening = () => refuseUnprotectedHost(readConfig(flags, {}));

    if (refused) expect(opening).toThrow('serves only this machine');
    else expect(opening).not.toThrow();
  });

  test.for([
    ['/oauth/register', 40_000],
    ['/mcp', 1_100_000],
  ] as const)('of %s takes no body of %i bytes', async ([path, size]) => {
    const { tokens } = await connect(own(), await own().signIn());
    const body = JSON.stringify({ redirect_uris: [REDIRECT], pad: 'x'.repeat(size) });
    const headers = { ...callOf('x').headers, authorization: `Bearer ${tokens.access_token}` };

    const reply = await sendRaw(new URL(path, own().origin), { method: 'POST', headers, body });

    expect(reply.status).toBe(413);
  });
});

describe('one network', () => {
  const randomAddress = () => `10.${[...crypto.getRandomValues(new Uint8Array(3))].join('.')}`;

  test('is the one that a request comes from, whatever address it claims to have', async () => {
    const claimed = randomAddress();
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': claimed };
    const body = JSON.stringify({ redirect_uris: [REDIRECT] });

    const { status } = await fetch(new URL('/oauth/register', own().origin), { method: 'POST', headers, body });

    expect(status).toBe(201);
    const buckets = await own().query('select bucket from app.rates where bucket = $1', [`register ${claimed}`]);
    expect(buckets).toEqual([]);
  });

  test.for(['register', 'authorize', 'token', 'revoke'])('asks /oauth/%s so many times', async (name) => {
    const { access } = await another({ settings: { registrationsMax: 2, requestsMax: 2 } });
    const address = randomAddress();
    const body = JSON.stringify({ redirect_uris: [REDIRECT] });
    const request = () =>
      name === 'authorize'
        ? new Request(new URL('/oauth/authorize?client_id=x', own().origin))
        : new Request(new URL(`/oauth/${name}`, own().origin), { method: 'POST', body });
    const ask = async () => (await access.routes.fetch(request(), { address })).status;

    const statuses = [await ask(), await ask(), await ask()];

    expect(statuses.slice(0, 2)).not.toContain(429);
    expect(statuses[2]).toBe(429);
  });

  test('has at most a hundred personal access tokens of a person', async () => {
    const { user_id } = await own().signIn();
    const make = () =>
      createPat(own().db, { user_id }, { name: 'ci', scope: 'tasks:read', days: 1, resource: own().mcp.href });
    for (let count = 0; count < 100; count++) await make();

    await expect(make()).rejects.toMatchObject({ code: 'payload_too_large' });
  });

  test('names at most twenty addresses for a client', async () => {
    const redirect_uris = Array.from({ length: 21 }, (_, number) => `https://app.example/${number}`);

    expect(await registerClient(own().origin, { redirect_uris })).toMatchObject({ status: 400 });
  });
});
