import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { bearerAccess } from '../src/auth/bearer.ts';
import { createPat } from '../src/auth/issue.ts';
import { hashSecret } from '../src/auth/secrets.ts';
import type { AuthSettings } from '../src/auth/settings.ts';
import type { Store } from '../src/auth/store.ts';
import { readConfig } from '../src/config.ts';
import { createLog } from '../src/log.ts';
import { refuseOpenDoor } from '../src/server/http.ts';
import { type AuthWorld, connect, REDIRECT, rawClient, registerClient, startAuthWorld } from './support/auth-world.ts';
import { type Asked, callOf, INITIALIZE, sendRaw } from './support/raw-http.ts';

// What docs/security.md says is withstood; `npm run mutants` takes each mitigation away to see a test here fail.

let world: AuthWorld;
const others: AuthWorld[] = [];

beforeAll(async () => {
  world = await startAuthWorld();
});
afterEach(async () => {
  for (const other of others.splice(0)) await other.close();
});
afterAll(() => world?.close());

async function another(options: Parameters<typeof startAuthWorld>[0]): Promise<AuthWorld> {
  const other = await startAuthWorld(options);
  others.push(other);
  return other;
}

async function clientOf(on: AuthWorld = world) {
  return rawClient(on, String((await registerClient(on.origin))['client_id']));
}

async function call(token: string, { origin }: Pick<AuthWorld, 'origin'> = world, headers = {}): Promise<number> {
  const asked = callOf('list_projects');
  const sent = { ...asked.headers, authorization: `Bearer ${token}`, ...headers };
  return (await sendRaw(new URL('/mcp', origin), { ...asked, headers: sent })).status;
}

describe('a token', () => {
  test('is not ended by another client, which is told nothing', async () => {
    const { tokens } = await connect(world, await world.signIn());
    const other = await clientOf();

    expect((await other.revoke(tokens.access_token)).status).toBe(200);
    expect(await call(tokens.access_token)).toBe(200);
  });

  test('administers only while its user is an administrator', async () => {
    const { user_id } = await world.signIn();
    const { token } = await createPat(
      world.db,
      { user_id },
      { name: 'ci', scope: 'tasks:read admin', days: 1, resource: world.mcp.href },
    );
    const scopes = async () => {
      const request = new Request(world.mcp, { headers: { authorization: `Bearer ${token}` } });
      const found = await bearerAccess(world.store, world.settings).authenticate(request, { address: '' });
      return found instanceof Response ? [] : [...found.scopes];
    };
    expect(await scopes()).toContain('admin');

    await query(`update public.memberships set role = 'member' where user_id = $1`, [user_id]);

    expect(await scopes()).toEqual(['tasks:read']);
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
      const { user_id } = await world.signIn();
      const pat = { name: 'ci', scope: 'projects:write tasks:read', days: 1, resource: world.mcp.href };
      const { token, id } = await createPat(world.db, { user_id }, pat);
      expect([await call(token), await call(token)]).toEqual([200, 200]);

      await world.db.call('revoke_access', { chosen: { id } }, { user_id });
      const headers = { ...asked.headers, authorization: `Bearer ${token}` };
      const reply = await sendRaw(world.mcp, { ...asked, headers });

      expect(reply).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringContaining('revoked') } });
      expect(reply.headers['mcp-session-id']).toBeUndefined();
      const refusals = `select from app.auth_events where subject_id = $1 and type = 'token.refused'`;
      expect(await query(refusals, [id])).toHaveLength(1);
      expect(await query('select from public.projects where tenant_id = $1', [user_id])).toEqual([]);
    });
  });

  test('is asked about again for what hangs on a role, and acts with the role of the moment', async () => {
    const { user_id } = await world.signIn();
    const pat = { name: 'ci', scope: 'projects:write admin', days: 1, resource: world.mcp.href };
    const { token } = await createPat(world.db, { user_id }, pat);
    const use = async (name: string, args = {}) => {
      const asked = callOf(name, args);
      return sendRaw(world.mcp, { ...asked, headers: { ...asked.headers, authorization: `Bearer ${token}` } });
    };
    expect(await use('list_projects')).toMatchObject({ status: 200 });
    expect(await use('list_members')).toMatchObject({ status: 200 });

    await query(`update public.memberships set role = 'viewer' where user_id = $1`, [user_id]);

    expect(await use('list_members')).toMatchObject({ status: 403 });
    expect(await use('create_project', { slug: 'web', name: 'Web' })).toMatchObject({
      text: expect.stringContaining('This needs the role member'),
    });
    await query('delete from public.memberships where user_id = $1', [user_id]);
    expect(await use('list_projects')).toMatchObject({ status: 401 });
  });

  test('that is there no more is not known, whoever remembers it', async () => {
    const { user_id } = await world.signIn();
    const pat = { name: 'ci', scope: 'projects:read', days: 1, resource: world.mcp.href };
    const { token, id } = await createPat(world.db, { user_id }, pat);
    expect(await call(token)).toBe(200);

    await query('delete from public.oauth_tokens where id = $1', [id]);

    expect(await call(token)).toBe(401);
  });

  test('that names another workspace than its own is not known', async () => {
    const { client, tokens } = await connect(world, await world.signIn());
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
    const { user_id } = await world.signIn();
    const pat = { name: 'ci', scope: 'tasks:read', days: 1, resource: world.mcp.href };
    const { token } = await createPat(world.db, { user_id }, pat);
    const store = { authenticateToken: () => expect.unreachable('It asked.') } as unknown as Store;
    const typo = `${token.slice(0, 20)}${token[20] === 'x' ? 'y' : 'x'}${token.slice(21)}`;

    const request = new Request(world.mcp, { headers: { authorization: `Bearer ${typo}` } });
    const answer = await bearerAccess(store, world.settings).authenticate(request, { address: '' });

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

    const tables = await query(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('app', 'public')`,
    );
    for (const { name } of tables) {
      expect(await query(`select from ${name} t where t::text like any ($1)`, [traces])).toEqual([]);
    }
    expect(lines.length).toBeGreaterThan(3);
    for (const secret of secrets) expect(lines.join('')).not.toContain(secret);
    expect(await call(hashSecret(tokens.access_token), on)).toBe(401);
    expect((await client.refresh(hashSecret(tokens.refresh_token))).status).toBe(400);
  });

  test('is redacted from whatever is logged', () => {
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => void lines.push(line) });

    log.info({ headers: { authorization: 'Bearer cairn_at_0123456789' } }, 'cairn_se_0123456789');

    expect(lines.join('')).toContain('Bearer [redacted]');
    expect(lines.join('')).not.toContain('0123456789');
  });
});

describe('the door', () => {
  const knock = async (headers: Record<string, string>, path = '/mcp') =>
    (await sendRaw(new URL(path, world.origin), { ...callOf('x'), headers: { ...callOf('x').headers, ...headers } }))
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
      expect(await knock({ origin: world.origin })).toBe(401);
    },
  );

  test.for([
    [{ host: '0.0.0.0' }, true],
    [{ host: '::' }, true],
    [{ publicUrl: 'https://cairn.example' }, true],
    [{ host: '0.0.0.0', publicUrl: 'https://cairn.example', auth: true }, false],
    [{}, false],
  ] as const)('with %j is refused without authorization: %s', ([flags, refused]) => {
    const opening = () => refuseOpenDoor(readConfig(flags, {}));

    if (refused) expect(opening).toThrow('serves this machine alone');
    else expect(opening).not.toThrow();
  });

  test.for([
    ['/oauth/register', 40_000],
    ['/mcp', 1_100_000],
  ] as const)('of %s takes no body of %i bytes', async ([path, size]) => {
    const { tokens } = await connect(world, await world.signIn());
    const body = JSON.stringify({ redirect_uris: [REDIRECT], pad: 'x'.repeat(size) });
    const headers = { ...callOf('x').headers, authorization: `Bearer ${tokens.access_token}` };

    const reply = await sendRaw(new URL(path, world.origin), { method: 'POST', headers, body }).catch(
      ({ code }) => code,
    );

    // A sender that does not stop may find the connection gone before it reads the answer.
    expect(['EPIPE', 'ECONNRESET', 413]).toContain(typeof reply === 'string' ? reply : reply.status);
  });
});

describe('one network', () => {
  const few: Partial<AuthSettings> = { registrationsMax: 2 };

  test('registers so many clients an hour, whatever address it claims to have', async () => {
    await query(`delete from app.auth_attempts where bucket like 'register %'`);
    const { origin } = await another({ settings: few });
    const register = (from: string) =>
      fetch(new URL('/oauth/register', origin), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': from },
        body: JSON.stringify({ redirect_uris: [REDIRECT] }),
      }).then(({ status }) => status);

    const statuses = [await register('192.0.2.1'), await register('192.0.2.2'), await register('192.0.2.3')];

    expect(statuses).toEqual([201, 201, 429]);
  });

  test('names at most twenty addresses for a client', async () => {
    const redirect_uris = Array.from({ length: 21 }, (_, number) => `https://app.example/${number}`);

    expect(await registerClient(world.origin, { redirect_uris })).toMatchObject({ status: 400 });
  });
});

async function query(sql: string, values: unknown[] = []): Promise<Record<string, string>[]> {
  const client = new pg.Client(inject('server'));
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}
