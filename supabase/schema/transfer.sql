-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.apply_imported(tenant_id uuid, events public.events[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_model app.read_models;
  v_ids uuid[] := array(select distinct app.stream_id(e.stream) from unnest(events) e);
  v_tasks uuid[] := array(
    select unnest(v_ids)
    union
    select e.task_id from unnest(v_ids) i cross join lateral (
      select x.task_id from app.task_dependencies x
      where x.tenant_id = apply_imported.tenant_id and x.depends_on = i offset 0) e
    union
    -- Includes their current and former parents.
    select (e.payload ->> 'parent')::uuid from unnest(events) e
      where e.event_type in ('task.created', 'task.updated') and e.payload ->> 'parent' is not null
    union
    select t.parent_id from unnest(app.tasks_among(tenant_id, v_ids)) t where t.parent_id is not null);
  v_was public.tasks[] := app.tasks_among(tenant_id, v_tasks);
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'with written as (
         insert into public.%1$I as x select (f.folded).* from (
           select app.%3$I(e.event order by e.version) as folded from (
             select n.stream, n.version, app.upcast_event(n) as event from unnest($2) n
             where starts_with(n.stream, %4$L)
             union all
             select %4$L || l.id, l.version,
               app.snapshot_event((l.tenant_id, %4$L || l.id, l.version, 0, null, to_jsonb(l)))
             from unnest($3) i cross join lateral (
               select t.* from public.%1$I t where t.tenant_id = (select $1) and t.id = i offset 0) l) e
           group by e.stream) f
         on conflict (tenant_id, id) do update set %2$s returning x as folded)
       select %5$s from written w', v_model.table_name,
      (select string_agg(format('%1$s = excluded.%1$s', c), ', ') from unnest(app.folded_columns(v_model)) c),
      'fold_' || v_model.category, v_model.category || ':',
      case when v_model.searched then format('app.index_%s(w.folded)', v_model.category) else '1' end)
      using tenant_id, events, v_ids;
  end loop;
  insert into app.task_counts (tenant_id, project_id)
    select e.tenant_id, e.project_id
    from unnest(events) e
    where e.event_type = 'project.created';
  perform app.link_among(tenant_id, v_tasks, v_was);
  perform app.index_event(e) from unnest(events) e;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_chain_end(event public.events, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_by uuid;
begin
  if event.prev_hash is null or actor.role = 'owner' then
    return;
  elsif event.project_id is null then
    select e.imported_by into v_by from public.events e
      where e.tenant_id = event.tenant_id and e.project_id is null order by e.seq desc limit 1;
  else
    select e.imported_by into v_by from public.events e
      where e.tenant_id = event.tenant_id and e.project_id = event.project_id
      order by e.seq desc limit 1;
  end if;
  if v_by is distinct from actor.user_id then
    perform app.fail('forbidden', 'The workspace has this project, and something happened in it here.', null,
      'Only an owner imports more of its history.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_cycles(tenant_id uuid, events public.events[])
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_ids uuid[] := array(
    select distinct e.task_id from unnest(events) e
    where starts_with(e.event_type, 'task.') and e.payload ?| '{add,parent}');
  v_member uuid;
begin
  if v_ids = '{}' then
    return;
  end if;
  v_member := coalesce((
      select app.find_cycle_member(array_agg(r), array_agg(e.depends_on))
      from app.reached_tasks(tenant_id, v_ids) r
      cross join lateral (
        select x.depends_on from app.task_dependencies x
        where x.tenant_id = check_cycles.tenant_id and x.task_id = r
        offset 0) e),
    (
      with recursive above (id, parent_id) as (
        select t.id, t.parent_id
        from unnest(v_ids) i
        cross join lateral (
          select x.id, x.parent_id
          from public.tasks x
          where x.tenant_id = check_cycles.tenant_id and x.id = i
          offset 0) t
        union
        select t.id, t.parent_id
        from above a
        cross join lateral (
          select x.id, x.parent_id
          from public.tasks x
          where x.tenant_id = check_cycles.tenant_id and x.id = a.parent_id
          offset 0) t)
      select app.find_cycle_member(array_agg(a.id), array_agg(a.parent_id))
      from above a
      where a.parent_id is not null));
  if v_member is not null then
    perform app.fail('invalid_input',
      format('Task %s would wait for itself or be a part of itself.',
        (select t.ref from public.tasks t where t.tenant_id = check_cycles.tenant_id and t.id = v_member)),
      null,
      'Export the history again; move one that an earlier version recorded so with `cairn db backup` and '
        || '`cairn db restore`.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_imported(event public.events, source bigint, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if num_nulls(event.id, event.user_id, event.stream, event.version, event.payload, event.hash, event.payload_hash,
        event.actor, event.created_at) > 0
      or not exists (select from app.event_types t
        where t.event_type = event.event_type and event.schema_version between 1 and t.schema_version)
      or jsonb_typeof(event.payload) <> 'object'
      or event.stream !~ '^[a-z]+:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      or split_part(event.stream, ':', 1) <> split_part(event.event_type, '.', 1) then
    perform app.fail('invalid_input', format('Line %s is not an event that this version knows.', source));
  elsif event.created_at not between 'epoch' and app.now() + interval '5 minutes'
      or event.redacted_at not between 'epoch' and app.now() + interval '5 minutes' then
    perform app.fail('invalid_input', format('The times of event %s are not between 1970 and now.', source), null,
      'created_at and redacted_at may be up to 5 minutes ahead; compare the clocks of both machines.');
  elsif event.actor ->> 'user' is distinct from event.user_id::text
      or event.actor - '{user,agent,client}'::text[] <> '{}' then
    perform app.fail('invalid_input', format('The actor of event %s does not match its user_id.', source), null,
      'An actor is the user of the event, and the names of agent and client.');
  elsif greatest(char_length(event.actor ->> 'agent'), char_length(event.actor ->> 'client')) > 480 then
    perform app.fail('invalid_input',
      format('The agent or client of event %s has a name of more than 480 characters.', source));
  elsif event.prev_hash is distinct from app.chain_head(event.tenant_id, event.project_id)
      or event.hash <> app.event_hash(event)
      or app.is_in_place(event) is not true
      or exists (select from public.events e where e.tenant_id = event.tenant_id and e.id = event.id)
      or octet_length(event.payload_hash) <> 32
      or octet_length(event.cleaned_hash) <> 32
      or event.redacted_at is null
        and coalesce(event.cleaned_hash, event.payload_hash) <> app.payload_hash(event.payload)
      or event.redacted_at is not null and event.payload <> app.blank_payload(event) then
    perform app.fail('invalid_input', format('The chain is broken at event %s of the file.', source), null,
      'The file was changed or is not whole. Export it again.');
  end if;
  perform app.check_chain_end(event, actor);
  if event.event_type = 'project.created'
      and exists (select from public.projects p
        where p.tenant_id = event.tenant_id and p.slug = event.payload ->> 'slug') then
    perform app.fail('already_exists', format('This workspace has another project %s.', event.payload ->> 'slug'), null,
      'Import into another workspace; refs are built from the slug.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.data_fault(event public.events)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_message text;
  v_detail text;
begin
  perform app.check_recorded(event);
  return null;
exception
  when sqlstate 'PT400' then
    get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail;
    return jsonb_build_object('message', v_message, 'details', v_detail::jsonb -> 'details');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_cycle_member(waiting uuid[], awaited uuid[])
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_ids uuid[];
  v_waiting integer[];
  v_awaited integer[];
  v_open integer[];
  v_first integer[];
  v_queue integer[];
  v_last integer;
  v_at integer := 0;
  v_edge integer;
begin
  if coalesce(cardinality(waiting), 0) = 0 then
    return null;
  end if;
  with ends as (
    select u.edge, s.is_waiting, s.id, dense_rank() over (order by s.id)::integer as node
    from unnest(waiting, awaited) with ordinality u (one, other, edge)
      cross join lateral (values (true, u.one), (false, u.other)) s (is_waiting, id)),
  edges as materialized (
    select max(e.node) filter (where e.is_waiting) as waits, max(e.node) filter (where not e.is_waiting) as for_node
    from ends e group by e.edge)
  select array_agg(e.waits order by e.for_node), array_agg(e.for_node order by e.for_node),
      (select array_agg(distinct x.id order by x.id) from ends x)
    into v_waiting, v_awaited, v_ids from edges e;
  v_open := array_fill(0, array[cardinality(v_ids)]);
  v_first := v_open;
  for v_edge in reverse cardinality(v_waiting) .. 1 loop
    v_open[v_waiting[v_edge]] := v_open[v_waiting[v_edge]] + 1;
    v_first[v_awaited[v_edge]] := v_edge;
  end loop;
  v_queue := array(select n from generate_subscripts(v_open, 1) n where v_open[n] = 0);
  v_last := cardinality(v_queue);
  while v_at < v_last loop
    v_at := v_at + 1;
    v_edge := nullif(v_first[v_queue[v_at]], 0);
    while v_awaited[v_edge] = v_queue[v_at] loop
      v_open[v_waiting[v_edge]] := v_open[v_waiting[v_edge]] - 1;
      if v_open[v_waiting[v_edge]] = 0 then
        v_last := v_last + 1;
        v_queue[v_last] := v_waiting[v_edge];
      end if;
      v_edge := v_edge + 1;
    end loop;
  end loop;
  if v_last = cardinality(v_ids) then
    return null;
  end if;
  for v_edge in 1 .. cardinality(v_waiting) loop
    if v_open[v_awaited[v_edge]] > 0 then
      v_first[v_waiting[v_edge]] := v_awaited[v_edge];
      v_last := v_waiting[v_edge];
    end if;
  end loop;
  -- After as many steps as there are tasks, the walk is within a cycle.
  for v_step in 1 .. cardinality(v_ids) loop
    v_last := v_first[v_last];
  end loop;
  return v_ids[v_last];
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fit_imported(event public.events, source bigint)
 RETURNS public.events
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_fault jsonb := app.data_fault(event);
begin
  if v_fault is not null and event.cleaned_hash is null then
    event.payload := app.clean_payload(event);
    event.cleaned_hash := app.payload_hash(event.payload);
    v_fault := app.data_fault(event);
  elsif not app.has_clean_actor(event) then
    event.cleaned_hash := coalesce(event.cleaned_hash, app.payload_hash(event.payload));
  end if;
  if v_fault is not null then
    perform app.fail('invalid_input',
      format('The data of event %s of the file is not valid. %s', source, v_fault ->> 'message'), v_fault -> 'details',
      'A later version refuses what an earlier one recorded; move it with `cairn db backup` and `cairn db restore`.');
  end if;
  return event;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.import_users(users jsonb, tenant_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if coalesce(jsonb_typeof(users), 'null') <> 'array'
      or jsonb_array_length(users) > 5000
      or exists (select from jsonb_array_elements(users) u
        where app.as_uuid(u ->> 'id') is null
          or not app.validate_field(coalesce(u -> 'name', 'null'), 'line', 200, null)) then
    perform app.fail('invalid_input', 'users must be a list of at most 5000, each with an id and a name of one line.',
      jsonb_build_object('field', 'users'));
  end if;
  insert into app.user_names (tenant_id, user_id, name)
    select distinct on (u ->> 'id') import_users.tenant_id, (u ->> 'id')::uuid, u ->> 'name'
    from jsonb_array_elements(users) u
    on conflict do nothing;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_continued(event public.events)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select event.project_id is null and exists (
    select from public.events e
    where e.tenant_id = event.tenant_id
      and e.project_id is null
      and e.prev_hash is not distinct from event.prev_hash)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_in_place(event public.events)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_id uuid := app.stream_id(event.stream);
  v_category text := split_part(event.stream, ':', 1);
  v_task uuid := case v_category
    when 'task' then v_id
    when 'event' then event.task_id
    else app.as_uuid(event.payload ->> 'task') end;
  v_last bigint;
begin
  select e.version into v_last from public.events e
    where e.tenant_id = event.tenant_id and e.stream = event.stream
    order by e.version desc limit 1;
  if not found then
    select a.version into v_last from app.archived_streams a
      where a.tenant_id = event.tenant_id and a.stream = event.stream;
  end if;
  if event.version <> coalesce(v_last, 0) + 1 or event.task_id is distinct from v_task then
    return false;
  elsif v_task is not null and (event.stream <> 'task:' || v_task or event.version > 1)
      and event.project_id is distinct from app.stream_project(event.tenant_id, 'task:' || v_task) then
    return false;
  elsif event.version > 1 then
    return event.project_id is not distinct from app.stream_project(event.tenant_id, event.stream);
  elsif v_category = 'project' then
    return event.project_id = v_id;
  elsif v_category = 'event' then
    return app.is_redaction_in_place(event);
  elsif event.project_id is null then
    return app.may_concern_workspace(v_category);
  end if;
  return event.project_id = app.stream_project(event.tenant_id, 'project:' || event.project_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_redaction_in_place(redaction public.events)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_named public.events;
begin
  select * into v_named from public.events e
    where e.tenant_id = redaction.tenant_id and e.id = app.stream_id(redaction.stream);
  if v_named.id is not null then
    return (v_named.project_id, v_named.task_id) is not distinct from (redaction.project_id, redaction.task_id);
  end if;
  return (select p.archived_to > 0 from app.positions p where p.tenant_id = redaction.tenant_id)
    and redaction.project_id is not distinct from app.stream_project(redaction.tenant_id,
      'project:' || redaction.project_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.link_among(tenant_id uuid, ids uuid[], was public.tasks[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  -- Includes tasks that no longer have dependencies: the fold of their first event counted all that they had.
  v_linked uuid[] := array(select distinct t.id from unnest(was || app.tasks_among(tenant_id, ids)) t
    where t.dependencies <> '{}' or t.open_dependencies <> 0);
  v_task public.tasks;
begin
  foreach v_task in array app.tasks_among(tenant_id, v_linked) loop
    perform app.write_edges(v_task);
    v_task.open_dependencies := app.count_open_dependencies(v_task);
    update public.tasks t set open_dependencies = v_task.open_dependencies
      where t.tenant_id = v_task.tenant_id and t.id = v_task.id and t.open_dependencies <> v_task.open_dependencies;
  end loop;
  update public.tasks t set open_parts = p.n
    from unnest(ids) i cross join lateral (
      select count(*)::integer as n from public.tasks c
      where c.tenant_id = link_among.tenant_id and c.parent_id = i and app.open_part_of(c) is not null offset 0) p
    where t.tenant_id = link_among.tenant_id and t.id = i and t.open_parts is distinct from p.n;
  update app.task_counts c
    set (pending, ready, in_progress, blocked, completed, cancelled, unproven)
        = (c.pending + d.pending, c.ready + d.ready, c.in_progress + d.in_progress, c.blocked + d.blocked,
          c.completed + d.completed, c.cancelled + d.cancelled, c.unproven + d.unproven)
    from (
      select t.project_id,
        sum(t.n * (t.status = 'pending')::integer) as pending,
        sum(t.n * t.ready) as ready,
        sum(t.n * (t.status = 'in_progress')::integer) as in_progress,
        sum(t.n * (t.status = 'blocked')::integer) as blocked,
        sum(t.n * (t.status = 'completed')::integer) as completed,
        sum(t.n * (t.status = 'cancelled')::integer) as cancelled,
        sum(t.n * t.unproven) as unproven
      from (
        select 1 as n, x.project_id, x.status, app.is_ready(x) as ready, app.is_unproven(x) as unproven
        from unnest(app.tasks_among(tenant_id, ids)) x
        union all
        select -1, x.project_id, x.status, app.is_ready(x), app.is_unproven(x)
        from unnest(was) x) t
      group by t.project_id) d
    where c.tenant_id = link_among.tenant_id and c.project_id = d.project_id;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.may_concern_workspace(category text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select exists (
    select from app.read_models m
    join pg_attribute a on a.attrelid = format('public.%I', m.table_name)::regclass and a.attname = 'project_id'
    where m.category = may_concern_workspace.category and not a.attnotnull)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.read_imported(item jsonb, place bigint)
 RETURNS public.events
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return jsonb_populate_record(null::public.events, case jsonb_typeof(item) when 'object' then item else '{}' end);
exception
  when data_exception or feature_not_supported then
    perform app.fail('invalid_input', format('Line %s is not an event: a value has the wrong form.',
      coalesce(substring(item ->> 'seq' from '^[0-9]{1,18}$'), place::text)), null,
      'Export the history again; its events are imported as they are.');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.stream_project(tenant_id uuid, stream text)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_project uuid;
begin
  select e.project_id into v_project from public.events e
    where e.tenant_id = stream_project.tenant_id and e.stream = stream_project.stream
    order by e.version limit 1;
  if not found then
    select a.project_id into v_project from app.archived_streams a
      where a.tenant_id = stream_project.tenant_id and a.stream = stream_project.stream;
  end if;
  return v_project;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.tasks_among(tenant_id uuid, ids uuid[])
 RETURNS public.tasks[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return array(
    select t
    from unnest(ids) i
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = tasks_among.tenant_id and x.id = i
      offset 0) t);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.export_events(project text DEFAULT NULL::text, after_seq bigint DEFAULT 0, page_size integer DEFAULT 500, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 1000);
  v_after bigint := coalesce(after_seq, 0);
  v_found public.events[];
  v_archived_to bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
begin
  if project is null then
    perform app.refuse_limited(v_actor);
  end if;
  if v_after < v_archived_to then
    return jsonb_build_object('events', '[]'::jsonb, 'users', '[]'::jsonb, 'next_seq', v_archived_to, 'archive',
      jsonb_build_object('project_id', v_project, 'after', v_after, 'before', v_archived_to + 1, 'rising', true));
  end if;
  v_found := app.read_events(v_actor.tenant_id, v_project, null, '{}', v_after, null, true, v_size);
  return jsonb_strip_nulls(jsonb_build_object(
      'next_seq', case when cardinality(v_found) = v_size then (v_found[v_size]).seq end))
    || jsonb_build_object(
      'events', (
        select coalesce(jsonb_agg(to_jsonb(e) - 'tenant_id'
            - case when e.imported_by is null then '{imported_by,imported_at}'::text[] else '{}' end
            - case when e.cleaned_hash is null then '{cleaned_hash}'::text[] else '{}' end
            order by e.seq), '[]')
        from unnest(v_found) e),
      'users', (
        select coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name) order by u.id), '[]')
        from (
          select x.id, app.user_name(x.id) as name
          from (select distinct e.user_id as id from unnest(v_found) e) x) u
        where u.name is not null));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.import_events(events jsonb, users jsonb DEFAULT '[]'::jsonb, apart boolean DEFAULT false, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_event public.events;
  v_known bytea;
  v_imported public.events[] := '{}';
  v_seq bigint;
  v_source bigint;
  v_left integer := 0;
  v_apart boolean := coalesce(apart, false);
begin
  perform app.refuse_limited(v_actor);
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 500 then
    perform app.fail('invalid_input', 'events must be a list of 1 to 500 events.',
      jsonb_build_object('field', 'events'),
      'Import a longer history in several calls, in its order.');
  end if;
  perform app.import_users(users, v_actor.tenant_id);
  select p.seq into v_seq from app.positions p where p.tenant_id = v_actor.tenant_id for no key update;
  for v_event in
    select r.* from jsonb_array_elements(events) with ordinality e (item, at)
      cross join lateral app.read_imported(e.item, e.at) r
      order by e.at
  loop
    v_source := v_event.seq;
    v_event.tenant_id := v_actor.tenant_id;
    select e.hash into v_known from public.events e
      where e.tenant_id = v_actor.tenant_id and e.stream = v_event.stream and e.version = v_event.version;
    continue when v_known = v_event.hash;
    -- What is of the workspace itself is one chain, which does not join that of another.
    v_apart := v_apart or app.is_continued(v_event);
    if v_event.project_id is null and v_apart then
      v_left := v_left + 1;
      continue;
    end if;
    perform app.check_imported(v_event, v_source, v_actor);
    v_event := app.fit_imported(v_event, v_source);
    v_seq := v_seq + 1;
    v_event.seq := v_seq;
    v_event.imported_by := v_actor.user_id;
    v_event.imported_at := app.now();
    insert into public.users (id, name) values (v_event.user_id, 'imported') on conflict do nothing;
    insert into public.events select v_event.*;
    v_imported := v_imported || v_event;
  end loop;
  update app.positions p set seq = v_seq where p.tenant_id = v_actor.tenant_id;
  begin
    perform app.apply_imported(v_actor.tenant_id, v_imported);
  exception
    when integrity_constraint_violation or data_exception then
      perform app.fail('invalid_input', 'The events do not follow from one another.', null,
        'Export the history again, whole. If this workspace has presets, profiles or open alerts of its own that are '
        || 'named like those of the file, import into an empty one.');
  end;
  perform app.check_cycles(v_actor.tenant_id, v_imported);
  return jsonb_build_object('imported', cardinality(v_imported),
    'skipped', jsonb_array_length(events) - cardinality(v_imported) - v_left,
    'left_out', v_left,
    'cleaned', (select count(*) from unnest(v_imported) e where e.cleaned_hash is not null), 'position', v_seq);
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.export_events(text,bigint,integer,jsonb) to authenticated;
grant execute on function public.export_events(text,bigint,integer,jsonb) to cairn_server;
grant execute on function public.export_events(text,bigint,integer,jsonb) to service_role;
grant execute on function public.import_events(jsonb,jsonb,boolean,jsonb) to authenticated;
grant execute on function public.import_events(jsonb,jsonb,boolean,jsonb) to cairn_server;
grant execute on function public.import_events(jsonb,jsonb,boolean,jsonb) to service_role;
