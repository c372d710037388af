-- Reading the log: timelines of a task, a project or the workspace, open questions, and where the log stands.

-- One line that says what happened. Stored text is quoted, quotes within it escaped: it is data, whoever wrote it.
create function app.event_text(event public.events) returns text language sql stable as $$
  select left(replace(split_part(event.event_type, '.', 2), '_', ' ')
    || coalesce(' ' || (event.payload ->> 'outcome'), '')
    || coalesce(' [' || (event.payload ->> 'kind') || ']', '')
    || coalesce(' ' || (event.payload ->> 'type'), '')
    || coalesce(': ' || to_json(regexp_replace(left(coalesce(event.payload ->> 'title', event.payload ->> 'text', event.payload ->> 'reason',
         event.payload ->> 'summary', event.payload ->> 'label', event.payload ->> 'name', event.payload ->> 'note', event.payload ->> 'topic'), 400),
         '\s+', ' ', 'g')), ''), 600)
$$;

-- An event, in today's shape, as lists show it. Reads nothing itself, so that a list of many costs one query.
create function app.event_brief(event public.events, task_ref text default null) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object('seq', event.seq, 'id', event.id, 'at', event.created_at, 'type', event.event_type, 'by', app.by(event),
    'task', task_ref, 'kind', event.payload ->> 'kind', 'text', app.event_text(event), 'redacted', case when event.redacted_at is not null then true end))
$$;

-- Questions among the latest 300 notes that none of them answers.
create function app.open_questions(project public.projects, size integer)
  returns setof public.events
  language sql
  stable
as $$
  with notes as (
    select e.id, e.seq, e.payload ->> 'kind' as kind, e.payload ->> 'answers' as answers from public.events e
    where e.tenant_id = project.tenant_id and e.project_id = project.id and e.event_type in ('task.noted', 'project.noted')
    order by e.seq desc limit 300),
  open as (
    select q.id, q.seq from notes q where q.kind = 'question' and not exists (select from notes a where a.answers = q.id::text)
    order by q.seq desc limit size)
  select e.* from open q cross join lateral (select * from public.events x where x.tenant_id = project.tenant_id and x.id = q.id limit 1) e
    order by q.seq desc
$$;

-- list_events(project?, task?, filters?, after_seq?, before_seq?, cursor?, page_size, archived?) -> {events, next_cursor?, position}; or {archive}
-- where the page reaches into the archive: what to look for there, to be passed as `archived`, whole events. Newest
-- first; oldest first when after_seq is given, so that a reader that follows positions misses nothing and repeats nothing. Each with
-- its project where the whole workspace is read.
-- Filters: types[] (task.completed, or task. for all of a category), kinds[] (of notes), include_data. With neither project nor
-- task it reads the whole workspace. Raises not_found, invalid_input.
create function public.list_events(project text default null, task text default null, filters jsonb default '{}', after_seq bigint default null,
    before_seq bigint default null, cursor text default null, page_size integer default 20, archived jsonb default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'types', 'kinds', 'include_data');
  v_task uuid := case when task is not null then app.find_task_id(task, v_actor.tenant_id) end;
  v_everywhere boolean := task is null and project is null;
  v_project uuid := case when v_everywhere then v_actor.project_id when task is null then (app.find_project(project, v_actor)).id end;
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
  select p.seq, p.archived_to, app.read_events(v_actor.tenant_id, v_project, v_task, v_filters, v_after, v_before, v_rising, v_size + 1)
    into v_position, v_archived_to, v_found from app.positions p where p.tenant_id = v_actor.tenant_id;
  if archived is not null then
    v_found := app.join_archived(v_found, archived, v_filters, v_actor.tenant_id, v_rising, v_size + 1);
  elsif v_after < v_archived_to and (v_rising or cardinality(v_found) <= v_size) then
    -- The page reaches into the archive: whoever has the files asks again with what they hold of it.
    return jsonb_build_object('archive', jsonb_build_object('project_id', v_project, 'task_id', v_task, 'after', v_after,
      'before', least(v_before, v_archived_to + 1), 'rising', v_rising, 'size', v_size + 1));
  end if;
  return jsonb_strip_nulls(jsonb_build_object('position', v_position,
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(jsonb_build_object('of', v_question, 'seq', (v_found[v_size]).seq)) end,
    'events', (select coalesce(jsonb_agg(app.event_brief(app.upcast(e), (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
        || case when v_data then jsonb_build_object('data', (app.upcast(e)).payload) else '{}' end
        || case when v_everywhere then jsonb_build_object('project',
          (select p.slug from public.projects p where p.tenant_id = e.tenant_id and p.id = e.project_id)) else '{}' end
        order by case when v_rising then e.seq else -e.seq end), '[]')
      from unnest(v_found[:v_size]) e)));
end
$$;

-- Events of the table and of the archive as one page.
create function app.join_archived(recent public.events[], archived jsonb, filters jsonb, tenant_id uuid, rising boolean, size integer)
  returns public.events[]
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return array(select u.event from (
      select x as event from unnest(recent) x
      union all
      select jsonb_populate_record(null::public.events, a || jsonb_build_object('tenant_id', join_archived.tenant_id)) from jsonb_array_elements(archived) a) u
    where app.event_passes((u.event).event_type, (u.event).payload, filters)
    order by case when rising then (u.event).seq else -(u.event).seq end limit size);
end
$$;

-- get_position() -> {position}: the latest of the workspace, for whoever waits for it to grow.
create function public.get_position(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_actor app.actor := app.enter(actor);
begin
  return jsonb_build_object('position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id));
end
$$;

create function app.event_passes(event_type text, payload jsonb, filters jsonb) returns boolean language sql immutable as $$
  select (not filters ? 'kinds' or filters -> 'kinds' ? (payload ->> 'kind'))
    and (not filters ? 'types' or filters -> 'types' ?| array[event_type, split_part(event_type, '.', 1) || '.'])
$$;

-- One branch a reach and a direction, so that each is a walk along its own index from the position on.
create function app.read_events(tenant_id uuid, project_id uuid, task_id uuid, filters jsonb, after_seq bigint, before_seq bigint, rising boolean, size integer)
  returns public.events[]
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_before bigint := coalesce(before_seq, 9223372036854775807);
begin
  if read_events.task_id is not null then
    return case when rising
      then array(select e from public.events e where e.tenant_id = read_events.tenant_id and e.task_id = read_events.task_id and e.seq > after_seq and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters) order by e.seq limit size)
      else array(select e from public.events e where e.tenant_id = read_events.tenant_id and e.task_id = read_events.task_id and e.seq > after_seq and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters) order by e.seq desc limit size) end;
  elsif read_events.project_id is not null then
    return case when rising
      then array(select e from public.events e where e.tenant_id = read_events.tenant_id and e.project_id = read_events.project_id and e.seq > after_seq and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters) order by e.seq limit size)
      else array(select e from public.events e where e.tenant_id = read_events.tenant_id and e.project_id = read_events.project_id and e.seq > after_seq and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters) order by e.seq desc limit size) end;
  end if;
  return case when rising
    then array(select e from public.events e where e.tenant_id = read_events.tenant_id and e.seq > after_seq and e.seq < v_before
      and app.event_passes(e.event_type, e.payload, filters) order by e.seq limit size)
    else array(select e from public.events e where e.tenant_id = read_events.tenant_id and e.seq > after_seq and e.seq < v_before
      and app.event_passes(e.event_type, e.payload, filters) order by e.seq desc limit size) end;
end
$$;
