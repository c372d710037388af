-- Expired rows: tokens, codes, sessions, logins, invitations, clients, idempotency keys.

-- Deletes expired rows in every workspace. It runs as cairn_keeper, whose policies show it only such rows.
create or replace function app.purge_expired()
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table text;
  v_count bigint;
  v_purged jsonb := '{}';
begin
  foreach v_table in array array['public.oauth_tokens', 'app.oauth_codes', 'app.authorization_requests',
      'app.auth_sessions', 'app.login_codes', 'app.login_states', 'app.rates', 'app.invitations',
      'app.oauth_clients', 'app.idempotency_keys'] loop
    execute format('delete from %s', v_table);
    get diagnostics v_count = row_count;
    v_purged := v_purged || jsonb_build_object(split_part(v_table, '.', 2), v_count);
  end loop;
  return v_purged;
end
$$;

-- purge_auth() -> {<table>: count}: deletes expired rows that are no longer needed to recognise misuse or a repeat: of
-- access, after which it is named, and of whatever else expires.
create or replace function public.purge_auth(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return app.purge_expired();
end
$$;
