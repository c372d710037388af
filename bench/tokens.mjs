// Fills the tables of the authorization server, so that a token is looked for among others.
import pg from 'pg';
import { ensureServer } from '../dist/db/embedded.js';
import { createLog } from '../dist/log.js';

/** Of the owner of the data directory. @param {string} dataDir @param {{ tokens: number, clients: number, resource: string }} wanted */
export async function seedTokens(dataDir, { tokens, clients, resource }) {
  const server = await ensureServer({ dataDir, log: createLog('silent') });
  const sql = new pg.Client(server.connection);
  await sql.connect();
  try {
    await sql.query(
      `insert into app.oauth_clients (tenant_id, client_id, kind, client_name, redirect_uris)
       select app.nobody(), 'dcr_' || n, 'dcr', 'Client ' || n, array['http://localhost/callback'] from generate_series(1, $1::int) n`,
      [clients],
    );
    await sql.query(
      `insert into public.oauth_tokens (tenant_id, id, user_id, kind, name, access_token, expires_at, scope, resource, client_id)
       select u.id, gen_random_uuid(), u.id, 'pat', 'Token ' || n, encode(sha256(n::text::bytea), 'hex'), now() + interval '1 day', 'tasks:read', $2, 'pat'
       from generate_series(1, $1::int) n, (select m.user_id as id from public.memberships m where m.user_id = m.tenant_id limit 1) u`,
      [tokens, resource],
    );
    await sql.query('analyze public.oauth_tokens, app.oauth_clients');
  } finally {
    await sql.end();
    await server.release();
  }
}
