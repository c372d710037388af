// Tokens of an authorization server, with the grants and clients that they belong to: more than people would click
// together.
import pg from 'pg';
import { mintWorkspaceSecret } from '../src/auth/secrets.ts';
import { ensureServer } from '../src/db/embedded/shared-server.ts';
import { createLog } from '../src/log.ts';

export type Token = { secret: string; grant_id: string; actor: { user_id: string; tenant_id: string } };

/** Gives the owner of a data directory so many tokens, each of its own grant, of so many clients. */
export async function seedTokens(
  dataDir: string,
  { tokens, clients, resource }: { tokens: number; clients: number; resource: string },
): Promise<Token[]> {
  return withDatabase(dataDir, async (sql) => {
    const { rows: owners } = await sql.query<Token['actor']>(
      'select user_id, tenant_id from public.memberships where user_id = tenant_id limit 1',
    );
    const [actor] = owners;
    if (actor === undefined) throw new Error(`${dataDir} has no owner.`);
    const secrets = Array.from({ length: tokens }, () => mintWorkspaceSecret('access', actor.tenant_id));
    await sql.query(
      `insert into app.oauth_clients (tenant_id, client_id, kind, client_name, redirect_uris)
       select app.get_nil_id(), 'dcr_' || n, 'dcr', 'Client ' || n, array['http://localhost/callback'] from generate_series(0, $1::int - 1) n`,
      [clients],
    );
    const { rows } = await sql.query<{ grant_id: string; access_token: string }>(
      `with granted as (
         insert into app.oauth_grants (tenant_id, id, user_id, client_id, client_name, client_kind, redirect_host, resource, scope, created_at, expires_at)
         select $1, gen_random_uuid(), $2, 'dcr_' || n % $3::int, 'Client', 'dcr', 'localhost', $4, 'projects:write tasks:write', now(), now() + interval '1 day'
           from generate_series(1, $5::int) n returning *),
       numbered as (select *, row_number() over () as n from granted)
       insert into public.oauth_tokens (tenant_id, id, user_id, grant_id, access_token, expires_at, scope, resource, client_id)
       select tenant_id, gen_random_uuid(), user_id, id, ($6::text[])[n], expires_at, scope, resource, client_id from numbered
       returning grant_id, access_token`,
      [actor.tenant_id, actor.user_id, clients, resource, tokens, secrets.map(({ hash }) => hash)],
    );
    await sql.query('analyze public.oauth_tokens, app.oauth_grants, app.oauth_clients');
    const grants = new Map(rows.map(({ grant_id, access_token }) => [access_token, grant_id]));
    return secrets.map(({ secret, hash }) => ({ secret, grant_id: grants.get(hash) ?? '', actor }));
  });
}

/** Ends the grant of a token, as an admin elsewhere does. */
export async function endToken(dataDir: string, { grant_id, actor }: Token): Promise<void> {
  await withDatabase(dataDir, (sql) =>
    sql.query('select public.revoke_access(chosen => $1, actor => $2)', [
      JSON.stringify({ id: grant_id }),
      JSON.stringify(actor),
    ]),
  );
}

async function withDatabase<T>(dataDir: string, run: (sql: pg.Client) => Promise<T>): Promise<T> {
  const server = await ensureServer({ dataDir, log: createLog('silent') });
  const sql = new pg.Client(server.connection);
  await sql.connect();
  try {
    return await run(sql);
  } finally {
    await sql.end();
    await server.release();
  }
}
