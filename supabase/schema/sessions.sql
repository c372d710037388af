-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.apply_session(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_session public.agent_sessions;
  v_project public.projects;
begin
  select * into v_session from public.agent_sessions s
    where s.tenant_id = event.tenant_id and s.id = app.stream_id(event.stream) for no key update;
  perform app.guard_session(v_session, event);
  v_project := app.find_project(coalesce(v_session.project_id::text, event.payload ->> 'project'), actor);
  perform app.refuse_archived(v_project);
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_session.version, expect, 'session');
  v_session := app.evolve_session(v_session, event);
  insert into public.agent_sessions select v_session.*
    on conflict (tenant_id, id) do update set (snapshot, summary, version, updated_at)
      = (excluded.snapshot, excluded.summary, excluded.version, excluded.updated_at);
  return (event, app.session_full(v_session), null)::app.applied;
end
$function$;
-- owner cairn_owner

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

CREATE OR REPLACE FUNCTION app.guard_session(session public.agent_sessions, event public.events)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if session.id is null and event.event_type = 'session.updated' then
    perform app.fail('not_found', 'There is no such session in this workspace.', null, 'list_sessions shows the ids.');
  elsif session.id is not null and event.event_type = 'session.saved' then
    perform app.fail('already_exists', format('The session %s exists.', session.id));
  end if;
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
