-- Agent sessions: the older form of a checkpoint.

create or replace function app.evolve_session(session public.agent_sessions, event public.events)
  returns public.agent_sessions
  language plpgsql
  immutable
as $$
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
$$;

create or replace function app.session_full(session public.agent_sessions) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', session.id,
    'summary', session.summary,
    'snapshot', session.snapshot,
    'created_at', session.created_at,
    'updated_at', session.updated_at))
$$;

-- list_sessions(project?, cursor?, page_size) -> {sessions, next_cursor?}, latest first.
create or replace function public.list_sessions(
  project text default null,
  cursor text default null,
  page_size integer default 5,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
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
$$;

select app.define_category('session', 'agent_sessions', searched => false, triggering => false);
