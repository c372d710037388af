import { createHash, randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import type { PublicFetch } from '../../src/auth/public-fetch.ts';
import { derive, hashSecret, isSecret, mintSecret } from '../../src/auth/secrets.ts';
import { createAuth } from '../../src/auth/server/endpoints.ts';
import type { Browser, ConsentView } from '../../src/auth/server/views.ts';
import { type AuthSettings, authSettings } from '../../src/auth/settings.ts';
import { authStore, type Store } from '../../src/auth/store.ts';
import { readConfig } from '../../src/config.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { createLog, type Log } from '../../src/log.ts';
import { type HttpParts, serveHttp } from '../../src/server/http/server.ts';
import { freePort } from './free-port.ts';
import { prepareDatabase } from './world.ts';

export const REDIRECT = 'http://localhost:8976/callback';

export type AuthWorld = Awaited<ReturnType<typeof startAuthWorld>>;
type Options = {
  settings?: Partial<AuthSettings>;
  fetchDocument?: PublicFetch;
  log?: Log;
  port?: number;
  limits?: HttpParts['limits'];
};

/** A server with authorization, over the database of the run; its pages answer with what a page would show. */
export async function startAuthWorld({
  settings: given = {},
  fetchDocument,
  log = createLog('silent'),
  port,
  limits = {},
}: Options = {}) {
  await prepareDatabase();
  const db = postgresDatabase({ connection: inject('server'), connectionsMax: 4 });
  const store = authStore(db);
  const publicUrl = new URL(`http://localhost:${port ?? (await freePort())}`);
  const settings = authSettings(publicUrl, {
    registrationsAllMax: 1e8,
    registrationsMax: 1e6,
    requestsMax: 1e6,
    ...given,
  });
  const access = createAuth({
    store,
    settings,
    log,
    browser: plainBrowser(store),
    ...(fetchDocument === undefined ? {} : { fetchDocument }),
  });
  const flags = { host: '127.0.0.1', port: publicUrl.port, publicUrl: publicUrl.origin, auth: true, toolsets: 'all' };
  const config = readConfig(flags, {});
  const server = await serveHttp({ config, log, db, access, limits });
  return {
    db,
    store,
    settings,
    access,
    origin: publicUrl.origin,
    mcp: new URL('/mcp', publicUrl),
    /** A browser in which a new user is signed in. */
    async signIn(name = 'ada') {
      const identity = { issuer: 'https://idp.test', subject: randomUUID(), name };
      const admitted = await store.admitIdentity(identity, { open: true }, {});
      if ('refused' in admitted) throw new Error(admitted.refused);
      return openBrowser(publicUrl, store, admitted.user_id);
    },
    /** Queries as the superuser, bypassing the functions. */
    async query(sql: string, values: unknown[] = []): Promise<Record<string, string>[]> {
      const client = new pg.Client(inject('server'));
      await client.connect();
      try {
        return (await client.query(sql, values)).rows;
      } finally {
        await client.end();
      }
    },
    async close() {
      await server.close();
      await db.close();
    },
  };
}

/** The world of a test file, and others beside it that close with the test that asked for them. */
export function useAuthWorld() {
  let world: AuthWorld;
  const others: AuthWorld[] = [];
  beforeAll(async () => {
    world = await startAuthWorld();
  });
  afterEach(async () => {
    for (const other of others.splice(0)) await other.close();
  });
  afterAll(() => world?.close());
  return {
    own: () => world,
    async another(options: Options): Promise<AuthWorld> {
      const other = await startAuthWorld(options);
      others.push(other);
      return other;
    },
  };
}

function cookie(request: Request, name: string): string | undefined {
  return new RegExp(`(?:^|; )${name}=([\\w-]+)`).exec(request.headers.get('cookie') ?? '')?.[1];
}

function plainBrowser(store: Store): Browser {
  return {
    async session(request, from) {
      const kept = cookie(request, 'txn');
      const txn = kept !== undefined && isSecret('txn', kept) ? kept : mintSecret('txn').secret;
      const sid = cookie(request, 'sid');
      const session = sid === undefined ? undefined : await store.getSession(hashSecret(sid), from);
      return { txn, cookie: `txn=${txn}; Path=/`, csrf: derive(txn, `csrf ${sid ?? ''}`), session };
    },
    consent: (view) => Response.json(view),
    problem: (view) => Response.json(view, { status: view.status }),
  };
}

export type TestBrowser = Awaited<ReturnType<typeof openBrowser>>;

async function openBrowser(origin: URL, store: Store, user_id: string) {
  const sid = mintSecret('session');
  await store.startSession(
    { session_hash: sid.hash, amr: ['pwd'], idle_seconds: 3_600, max_seconds: 86_400 },
    { user_id },
  );
  const jar = new Map([['sid', sid.secret]]);

  async function go(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const cookies = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(new URL(url, origin), {
      redirect: 'manual',
      ...init,
      headers: { cookie: cookies, ...init.headers },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return response;
  }

  /** Opens the address that a client gave, up to the consent page. */
  async function open(url: string | URL): Promise<Response> {
    const first = await go(url);
    const location = first.headers.get('location');
    return first.status === 303 && location?.startsWith('/oauth/consent') ? go(location) : first;
  }

  function answer(
    view: ConsentView,
    given: { decision?: string; scope?: string[]; tenant_id?: string; csrf?: string } = {},
    headers: Record<string, string> = {},
  ) {
    const form = new URLSearchParams({
      request: view.request,
      csrf: given.csrf ?? view.csrf,
      decision: given.decision ?? 'allow',
      tenant_id: given.tenant_id ?? view.workspaces[0]?.tenant_id ?? '',
    });
    for (const scope of given.scope ?? view.scopes.map((item) => item.scope)) form.append('scope', scope);
    return go('/oauth/consent', { method: 'POST', body: form, headers });
  }

  /** All of it: what the client is sent back to. */
  async function allow(url: string | URL, given: Parameters<typeof answer>[1] = {}): Promise<URL> {
    const page = await open(url);
    if (page.status !== 200) throw new Error(`no consent page: ${page.status} ${await page.text()}`);
    const answered = await answer((await page.json()) as ConsentView, given);
    const location = answered.headers.get('location');
    if (location === null) throw new Error(`no answer: ${answered.status} ${await answered.text()}`);
    return new URL(location);
  }

  return { user_id, go, open, answer, allow, jar };
}

const VERIFIER = randomBytes(32).toString('base64url');

/** A client that does by hand what libraries do, so that each step can be bent. */
export function rawClient(
  { origin, mcp }: Pick<AuthWorld, 'origin' | 'mcp'>,
  client_id: string,
  redirect_uri = REDIRECT,
) {
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(new URL(path, origin), { method: 'POST', body: new URLSearchParams(form), headers });
  return {
    client_id,
    authorizationUrl(bent: Record<string, string | undefined> = {}): URL {
      const url = new URL('/oauth/authorize', origin);
      const asked: Record<string, string | undefined> = {
        response_type: 'code',
        client_id,
        redirect_uri,
        state: 'state-1',
        scope: 'projects:read projects:write tasks:read tasks:write',
        resource: mcp.href,
        code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
        code_challenge_method: 'S256',
        ...bent,
      };
      for (const [name, value] of Object.entries(asked)) if (value !== undefined) url.searchParams.set(name, value);
      return url;
    },
    redeem: (code: string, bent: Record<string, string> = {}) =>
      post('/oauth/token', {
        grant_type: 'authorization_code',
        client_id,
        redirect_uri,
        code,
        code_verifier: VERIFIER,
        resource: mcp.href,
        ...bent,
      }),
    refresh: (refresh_token: string, bent: Record<string, string> = {}) =>
      post('/oauth/token', { grant_type: 'refresh_token', client_id, refresh_token, resource: mcp.href, ...bent }),
    revoke: (token: string, bent: Record<string, string> = {}) => post('/oauth/revoke', { client_id, token, ...bent }),
  };
}

type Tokens = { access_token: string; refresh_token: string; scope: string; expires_in: number };

export async function registerClient(origin: string, metadata: object = {}): Promise<Record<string, unknown>> {
  const response = await fetch(new URL('/oauth/register', origin), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Test client', redirect_uris: [REDIRECT], ...metadata }),
  });
  return { status: response.status, ...((await response.json()) as object) };
}

/** A client that has registered. */
export async function newClient(world: AuthWorld, metadata: object = {}): Promise<ReturnType<typeof rawClient>> {
  return rawClient(world, String((await registerClient(world.origin, metadata))['client_id']));
}

/** Reads the consent page that a person sees. */
export async function consentOf(browser: TestBrowser, url: URL): Promise<ConsentView> {
  return (await (await browser.open(url)).json()) as ConsentView;
}

/** A client that is connected, and its tokens. */
export async function connect(world: AuthWorld, browser: TestBrowser, given: Parameters<TestBrowser['allow']>[1] = {}) {
  const client = await newClient(world);
  const back = await browser.allow(client.authorizationUrl(), given);
  const code = back.searchParams.get('code') ?? '';
  const response = await client.redeem(code);
  return { client, code, tokens: (await response.json()) as Tokens };
}
