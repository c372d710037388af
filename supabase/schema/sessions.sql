-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.evolve_session(session public.agent_sessions, event public.events)
 RETURNS public.agent_sessions
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'session.saved' then
    session.tenant_id := event.tenant_id;
    session.id := app.stream_id(event.stream);
    session.project_id := event.project_id;
    session.user_id := event.user_id;
    session.created_at := event.created_at;
  end if;
  session.snapshot := coalesce(event.payload -> 'snapshot', session.snapshot, '{}');
  session.summary := coalesce(event.payload ->> 'summary', session.summary);
  session.version := event.version;
  session.updated_at := event.created_at;
  return session;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.session_full(session public.agent_sessions)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', session.id,
    'summary', session.summary,
    'snapshot', session.snapshot,
    'created_at', session.created_at,
    'updated_at', session.updated_at))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_sessions(project text DEFAULT NULL::text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 5, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := (app.find_project(project, v_actor)).id;
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'sessions ' || v_project);
  v_found jsonb[];
begin
  select array_agg(app.session_full(s) order by s.updated_at desc, s.id desc) into v_found
    from (
      select * from public.agent_sessions x
      where x.tenant_id = v_actor.tenant_id
        and x.project_id = v_project
        and (v_after is null or (x.updated_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.updated_at desc, x.id desc limit v_size + 1) s;
  return app.build_page('sessions', v_found, v_size, 'sessions ' || v_project, '{id}', '{updated_at}');
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_sessions(text,text,integer,jsonb) to authenticated;
grant execute on function public.list_sessions(text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_sessions(text,text,integer,jsonb) to service_role;
