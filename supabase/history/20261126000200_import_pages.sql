-- An import holds the position of its workspace for a short time: a call takes a page, and looks for cycles once.

-- A task of a cycle. `waiting` and `awaited` are the ends of edges; where an edge leads, those that go on from there
-- are among them. Who waits for nobody is taken away until nobody is left; whoever is left waits for one of these.
create function app.find_cycle_member(waiting uuid[], awaited uuid[])
  returns uuid
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
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
  -- As many steps as there are tasks end within a cycle.
  for v_step in 1 .. cardinality(v_ids) loop
    v_last := v_first[v_last];
  end loop;
  return v_ids[v_last];
end
$$;

drop function app.check_circles(uuid, public.events[]);

-- Refuses tasks that wait for themselves or are parts of themselves after some events. Raises invalid_input.
-- One walk over what all the events lead to, however many they are.
create function app.check_cycles(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
    from app.reached_tasks(tenant_id, v_ids) r cross join lateral (
      select x.depends_on from app.task_dependencies x
      where x.tenant_id = check_cycles.tenant_id and x.task_id = r offset 0) e), (
    with recursive above (id, parent_id) as (
      select t.id, t.parent_id from unnest(v_ids) i cross join lateral (
        select x.id, x.parent_id from public.tasks x
        where x.tenant_id = check_cycles.tenant_id and x.id = i offset 0) t
      union
      select t.id, t.parent_id from above a cross join lateral (
        select x.id, x.parent_id from public.tasks x
        where x.tenant_id = check_cycles.tenant_id and x.id = a.parent_id offset 0) t)
    select app.find_cycle_member(array_agg(a.id), array_agg(a.parent_id)) from above a where a.parent_id is not null));
  if v_member is not null then
    perform app.fail('invalid_input',
      format('Task %s would wait for itself or be a part of itself.',
        (select t.ref from public.tasks t where t.tenant_id = check_cycles.tenant_id and t.id = v_member)), null,
      'Export the history again; move one that an earlier version recorded so with `cairn db backup` and '
        || '`cairn db restore`.');
  end if;
end
$$;

-- A statement that is put together is planned for its values: the workspace is a query, so that it is none of those
-- that statistics know or miss.
create or replace function app.fold_on(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_ids uuid[] := array(select distinct app.stream_id(e.stream) from unnest(events) e);
  v_tasks uuid[] := array(
    select unnest(v_ids)
    union
    select e.task_id from unnest(v_ids) i cross join lateral (
      select x.task_id from app.task_dependencies x
      where x.tenant_id = fold_on.tenant_id and x.depends_on = i offset 0) e);
  v_was public.tasks[] := app.tasks_among(tenant_id, v_tasks);
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'with written as (
         insert into public.%1$I as x select (f.folded).* from (
           select app.%3$I(e.event order by e.version) as folded from (
             select n.stream, n.version, app.upcast(n) as event from unnest($2) n where starts_with(n.stream, %4$L)
             union all
             select %4$L || l.id, l.version,
               app.snapshot_event((l.tenant_id, %4$L || l.id, l.version, 0, null, to_jsonb(l)))
             from unnest($3) i cross join lateral (
               select t.* from public.%1$I t where t.tenant_id = (select $1) and t.id = i offset 0) l) e
           group by e.stream) f
         on conflict (tenant_id, id) do update set %2$s returning x as folded)
       select %5$s from written w', v_model.table_name,
      (
        select string_agg(format('%1$I = excluded.%1$I', a.attname), ', ') from pg_attribute a
        where a.attrelid = format('public.%I', v_model.table_name)::regclass and a.attnum > 0 and not a.attisdropped
          and a.attname <> 'open_dependencies'),
      'fold_' || v_model.category, v_model.category || ':',
      coalesce(to_regproc('app.index_' || v_model.category) || '(w.folded)', '1'))
      using tenant_id, events, v_ids;
  end loop;
  insert into app.task_counts (tenant_id, project_id)
    select e.tenant_id, e.project_id from unnest(events) e where e.event_type = 'project.created';
  perform app.link_among(tenant_id, v_tasks, v_was);
  perform app.index_event(e) from unnest(events) e;
end
$$;

create or replace function public.import_events(events jsonb, users jsonb default '[]', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
  -- By the statistics of other workspaces this one is empty, and any index as good as the right one.
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'admin');
  v_event public.events;
  v_known bytea;
  v_imported public.events[] := '{}';
  v_seq bigint;
  v_source bigint;
begin
  perform app.refuse_limited(v_actor);
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 500 then
    perform app.fail('invalid_input', 'events is a list of 1 to 500 events.', jsonb_build_object('field', 'events'),
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
    perform app.check_imported(v_event, v_source, v_actor);
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
    perform app.fold_on(v_actor.tenant_id, v_imported);
  exception
    when integrity_constraint_violation or data_exception then
      perform app.fail('invalid_input', 'The events do not follow from one another.', null,
        'Export the history again, whole.');
  end;
  perform app.check_cycles(v_actor.tenant_id, v_imported);
  return jsonb_build_object('imported', cardinality(v_imported),
    'skipped', jsonb_array_length(events) - cardinality(v_imported), 'position', v_seq);
end
$$;

select app.secure_functions();
