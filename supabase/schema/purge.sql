-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.purge_expired()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION public.purge_auth(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return app.purge_expired();
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function app.purge_expired() to cairn_owner;
grant execute on function public.purge_auth(jsonb) to cairn_server;
grant execute on function public.purge_auth(jsonb) to service_role;
