-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.event_brief(event public.events, task_ref text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_strip_nulls(jsonb_build_object(
    'seq', event.seq, 'id', event.id, 'at', event.created_at, 'type', event.event_type, 'by', app.actor_name(event),
    'task', task_ref, 'kind', event.payload ->> 'kind', 'text', app.event_text(event),
    'redacted', case when event.redacted_at is not null then true end,
    'cleaned', case when event.cleaned_hash is not null then true end,
    'imported_by', case when event.imported_by is not null
      then coalesce(app.user_name(event.imported_by), event.imported_by::text) end,
    'imported_at', event.imported_at))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.event_passes(event_type text, payload jsonb, filters jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select (not filters ? 'kinds' or filters -> 'kinds' ? (payload ->> 'kind'))
    and (not filters ? 'types' or filters -> 'types' ?| array[event_type, split_part(event_type, '.', 1) || '.'])
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.event_text(event public.events)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select left(replace(split_part(event.event_type, '.', 2), '_', ' ')
    || coalesce(' ' || (event.payload ->> 'outcome'), '')
    || coalesce(' [' || (event.payload ->> 'kind') || ']', '')
    || coalesce(' ' || (event.payload ->> 'type'), '')
    || case when event.payload ? 'unproven'
      then ', unproven '
        || trim(both '[]' from jsonb_path_query_array(event.payload, '$.unproven[*] ? (@.type() == "number")')::text)
      else '' end
    || coalesce(': ' || to_json(regexp_replace(left(coalesce(
      event.payload ->> 'title',
      event.payload ->> 'text',
      event.payload ->> 'reason',
      event.payload ->> 'summary',
      event.payload ->> 'label',
      event.payload ->> 'name',
      event.payload ->> 'note',
      event.payload ->> 'topic'), 400), '\s+', ' ', 'g')), ''), 600)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.join_archived(recent public.events[], archived jsonb, filters jsonb, tenant_id uuid, rising boolean, size integer)
 RETURNS public.events[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return array(select u.event from (
      select x as event from unnest(recent) x
      union all
      select jsonb_populate_record(a.event, jsonb_build_object('tenant_id', join_archived.tenant_id))
      from app.read_events_given('archived', archived) a) u
    where app.event_passes((u.event).event_type, (u.event).payload, filters)
    order by case when rising then (u.event).seq else -(u.event).seq end limit size);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.open_questions(tenant_id uuid, project_id uuid, task_id uuid, before_seq bigint, size integer)
 RETURNS SETOF public.events
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_seqs bigint[];
begin
  if open_questions.task_id is not null then
    v_seqs := array(select u.seq from app.unanswered u
      where u.tenant_id = open_questions.tenant_id and u.task_id = open_questions.task_id and u.seq < before_seq
      order by u.seq desc limit size);
  else
    v_seqs := array(select u.seq from app.unanswered u
      where u.tenant_id = open_questions.tenant_id and u.project_id = open_questions.project_id and u.seq < before_seq
      order by u.seq desc limit size);
  end if;
  return query select e.*
    from unnest(v_seqs) s (seq)
    cross join lateral (
      select x.* from public.events x
      where x.tenant_id = open_questions.tenant_id and x.seq = s.seq
      offset 0) e
    order by s.seq desc;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.read_events(tenant_id uuid, project_id uuid, task_id uuid, filters jsonb, after_seq bigint, before_seq bigint, rising boolean, size integer)
 RETURNS public.events[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_before bigint := coalesce(before_seq, 9223372036854775807);
begin
  if read_events.task_id is not null then
    return case when rising
      then array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.task_id = read_events.task_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq limit size)
      else array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.task_id = read_events.task_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq desc limit size) end;
  elsif read_events.project_id is not null then
    return case when rising
      then array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.project_id = read_events.project_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq limit size)
      else array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.project_id = read_events.project_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq desc limit size) end;
  end if;
  return case when rising
    then array(
      select e from public.events e
      where e.tenant_id = read_events.tenant_id
        and e.seq > after_seq
        and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters)
      order by e.seq limit size)
    else array(
      select e from public.events e
      where e.tenant_id = read_events.tenant_id
        and e.seq > after_seq
        and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters)
      order by e.seq desc limit size) end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.read_events_given(field text, events jsonb)
 RETURNS TABLE(ordinality bigint, seq bigint, stream text, project_id uuid, redacted_at timestamp with time zone, event public.events)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  begin
    if jsonb_typeof(events) = 'array' and not exists (
        select from jsonb_array_elements(events) e
        where jsonb_typeof(e) <> 'object' or jsonb_typeof(e -> 'payload') is distinct from 'object') then
      return query
        select e.at, r.seq, r.stream, r.project_id, r.redacted_at, r
        from jsonb_array_elements(events) with ordinality e (item, at)
          cross join lateral jsonb_populate_record(null::public.events, e.item) r;
      return;
    end if;
  exception
    when data_exception or program_limit_exceeded then null;
  end;
  perform app.refuse_events(field);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.refuse_events(field text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform app.fail('invalid_input', format('%s must be a list of events as export_events returns them.', field),
    jsonb_build_object('field', field), 'Pass the events of an answer unchanged, in their order.');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_position(actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return jsonb_build_object('position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_events(project text DEFAULT NULL::text, task text DEFAULT NULL::text, filters jsonb DEFAULT '{}'::jsonb, after_seq bigint DEFAULT NULL::bigint, before_seq bigint DEFAULT NULL::bigint, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, archived jsonb DEFAULT NULL::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'types', 'kinds', 'include_data');
  v_task uuid := case when task is not null then app.find_task_id(task, v_actor.tenant_id) end;
  v_everywhere boolean := task is null and project is null;
  v_project uuid := case
    when v_everywhere then v_actor.project_id
    when task is null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := md5(concat_ws(' ', v_task, v_project, v_filters, after_seq is not null));
  v_cursor bigint := app.decode_cursor(cursor, v_question) ->> 'seq';
  v_rising boolean := after_seq is not null;
  v_data boolean := coalesce((v_filters ->> 'include_data')::boolean, false);
  v_after bigint := case when v_rising then greatest(after_seq, v_cursor) else 0 end;
  v_before bigint := case when v_rising then before_seq else least(before_seq, v_cursor) end;
  v_found public.events[];
  v_position bigint;
  v_archived_to bigint;
begin
  -- One statement, so one snapshot: a reader that goes on from the position has seen all before it.
  select p.seq,
      p.archived_to,
      app.read_events(v_actor.tenant_id, v_project, v_task, v_filters, v_after, v_before, v_rising, v_size + 1)
    into v_position, v_archived_to, v_found
    from app.positions p
    where p.tenant_id = v_actor.tenant_id;
  if archived is not null then
    v_found := app.join_archived(v_found, archived, v_filters, v_actor.tenant_id, v_rising, v_size + 1);
  elsif v_after < v_archived_to and (v_rising or cardinality(v_found) <= v_size) then
    -- The page reaches into the archive: whoever has the files asks again with what they hold of it.
    return jsonb_build_object('archive', jsonb_build_object(
      'project_id', v_project,
      'task_id', v_task,
      'after', v_after,
      'before', least(v_before, v_archived_to + 1),
      'rising', v_rising,
      'size', v_size + 1));
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'position', v_position,
    'next_cursor', case when cardinality(v_found) > v_size
      then app.encode_cursor(jsonb_build_object('of', v_question, 'seq', (v_found[v_size]).seq)) end,
    'events', (
      select coalesce(jsonb_agg(app.event_brief(app.upcast_event(e),
          (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          || case when v_data then jsonb_build_object('data', (app.upcast_event(e)).payload) else '{}' end
          || case when v_everywhere
            then jsonb_build_object('project', (
              select p.slug from public.projects p
              where p.tenant_id = e.tenant_id and p.id = e.project_id))
            else '{}' end
        order by case when v_rising then e.seq else -e.seq end), '[]')
      from unnest(v_found[:v_size]) e)));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.get_position(jsonb) to authenticated;
grant execute on function public.get_position(jsonb) to cairn_server;
grant execute on function public.get_position(jsonb) to service_role;
grant execute on function public.list_events(text,text,jsonb,bigint,bigint,text,integer,jsonb,jsonb) to authenticated;
grant execute on function public.list_events(text,text,jsonb,bigint,bigint,text,integer,jsonb,jsonb) to cairn_server;
grant execute on function public.list_events(text,text,jsonb,bigint,bigint,text,integer,jsonb,jsonb) to service_role;
