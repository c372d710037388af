import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { type AuthServer, createAuthServer } from './gotrue.ts';
import { createRest, type Rest } from './postgrest.ts';
import type { Reply } from './reply.ts';
import { createStorage, type Storage } from './storage.ts';

// The interface of a hosted Supabase project over a real PostgreSQL: the gateway that knows the keys, PostgREST's `rpc`
// and tables, the sign-in part of the Auth server, and the archive part of Storage. The clients are the real ones.

export const PUBLISHABLE_KEY = 'sb_publishable_for-tests';
export const SECRET_KEY = 'sb_secret_for-tests';

export type SupabaseProject = {
  url: string;
  auth: AuthServer;
  rest: Rest;
  storage: Storage;
  /** Called before each request; may answer it, or break its connection, as a network would. */
  disturb(by: Disturbance | null): void;
  /** Counts the requests. */
  requests(): number;
  close(): Promise<void>;
};

export type Disturbance = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => 'done' | 'lose answer' | 'go on';

/** `connection` is a superuser's: it makes the role that PostgREST connects as. */
export async function startSupabase(connection: pg.ClientConfig): Promise<SupabaseProject> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const auth = await createAuthServer(`${url}/auth/v1`);
  const rest = createRest({ connection: await authenticator(connection), verify: auth.verify });
  const storage = createStorage();
  let disturb: Disturbance | null = null;
  let requests = 0;

  server.on('request', async (request, response) => {
    requests += 1;
    const path = new URL(request.url ?? '/', url).pathname;
    const disturbed = disturb?.(request, response, path) ?? 'go on';
    if (disturbed === 'done') return;
    const reply = await answer(request, { auth, rest, storage, url });
    if (disturbed === 'lose answer') {
      request.socket.destroy();
      return;
    }
    const { status, headers, body } = reply;
    const sent = Buffer.isBuffer(body) || body === undefined ? (body ?? '') : JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(sent);
  });

  return {
    url,
    auth,
    rest,
    storage,
    disturb(by) {
      disturb = by;
    },
    requests: () => requests,
    async close() {
      server.close();
      server.closeAllConnections();
      await rest.close();
    },
  };
}

type Parts = { auth: AuthServer; rest: Rest; storage: Storage; url: string };

/** The gateway: a known `apikey`, which stands for a role where nobody is signed in. */
async function answer(request: IncomingMessage, { auth, rest, storage, url }: Parts): Promise<Reply> {
  const { pathname, searchParams } = new URL(request.url ?? '/', url);
  const bytes = await read(request);
  const body = bytes.toString('utf8');
  const given = { method: request.method ?? 'GET', searchParams, body };
  // A browser brings no key.
  if (pathname === '/auth/v1/authorize' || pathname === '/auth/v1/.well-known/jwks.json') {
    return auth.handle({ ...given, path: pathname.slice('/auth/v1'.length), bearer: undefined });
  }
  const { method, headers } = request;
  const stored = {
    method: method ?? 'GET',
    path: decodeURIComponent(pathname.slice('/storage/v1/'.length)),
    upsert: headers['x-upsert'] === 'true',
    bytes,
    token: searchParams.get('token'),
  };
  // Nor does who was given a signed URL.
  if (method === 'GET' && stored.path.startsWith('object/sign/')) return storage.handle({ ...stored, role: 'anon' });
  const key = String(request.headers['apikey'] ?? '');
  const role = { [PUBLISHABLE_KEY]: 'anon', [SECRET_KEY]: 'service_role' }[key];
  if (role === undefined) {
    const message = key === '' ? 'No API key found in request' : 'Invalid API key';
    return { status: 401, body: { message, hint: 'Double check the provided API key' } };
  }
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const bearer = token === undefined || token === key ? undefined : token;
  if (pathname.startsWith('/auth/v1/'))
    return auth.handle({ ...given, path: pathname.slice('/auth/v1'.length), bearer });
  if (pathname.startsWith('/storage/v1/')) return storage.handle({ ...stored, role });
  if (!pathname.startsWith('/rest/v1/'))
    return { status: 404, body: { message: 'no Route matched with those values' } };
  const prefer = String(request.headers['prefer'] ?? '');
  return rest.handle({ ...given, path: pathname.slice('/rest/v1/'.length), bearer, role, prefer });
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The role that PostgREST connects as: it may become the others, and nothing else. */
async function authenticator(connection: pg.ClientConfig): Promise<pg.ClientConfig> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock(7226913006)');
    const { rowCount } = await client.query(`select from pg_roles where rolname = 'authenticator'`);
    if (rowCount === 0) await client.query('create role authenticator login noinherit');
    await client.query('grant anon, authenticated, service_role to authenticator');
    await client.query('commit');
  } finally {
    await client.end();
  }
  return { ...connection, user: 'authenticator' };
}
