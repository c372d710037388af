-- An import holds the position of its workspace for a short time: a call takes a page, and looks for circles once.

-- A task that waits, by way of others too, for one in a circle. `waiting` and `awaited` are the ends of edges; where an
-- edge leads, those that go on from there are among them. Who waits for nobody is taken away until nobody is left.
create function app.find_circle(waiting uuid[], awaited uuid[])
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
  v_queue integer[] := '{}';
  v_last integer := 0;
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
  for v_node in 1 .. cardinality(v_ids) loop
    if v_open[v_node] = 0 then
      v_last := v_last + 1;
      v_queue[v_last] := v_node;
    end if;
  end loop;
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
  return (select v_ids[n] from generate_subscripts(v_open, 1) n where v_open[n] > 0 limit 1);
end
$$;

-- One walk over what all the events lead to, however many they are.
create or replace function app.check_circles(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids uuid[] := array(
    select distinct e.task_id from unnest(events) e
    where starts_with(e.event_type, 'task.') and e.payload ?| '{add,parent}');
  v_circle uuid;
begin
  if v_ids = '{}' then
    return;
  end if;
  v_circle := coalesce((
    select app.find_circle(array_agg(r), array_agg(e.depends_on))
    from app.reached_tasks(tenant_id, v_ids) r cross join lateral (
      select x.depends_on from app.task_dependencies x
      where x.tenant_id = check_circles.tenant_id and x.task_id = r offset 0) e), (
    with recursive above (id, parent_id) as (
      select t.id, t.parent_id from unnest(v_ids) i cross join lateral (
        select x.id, x.parent_id from public.tasks x
        where x.tenant_id = check_circles.tenant_id and x.id = i offset 0) t
      union
      select t.id, t.parent_id from above a cross join lateral (
        select x.id, x.parent_id from public.tasks x
        where x.tenant_id = check_circles.tenant_id and x.id = a.parent_id offset 0) t)
    select app.find_circle(array_agg(a.id), array_agg(a.parent_id)) from above a where a.parent_id is not null));
  if v_circle is not null then
    perform app.fail('invalid_input',
      format('Task %s would wait for itself or be a part of itself, or another that it leads to would.',
        (select t.ref from public.tasks t where t.tenant_id = check_circles.tenant_id and t.id = v_circle)), null,
      'Export the history again; move one that an earlier version recorded so with `cairn db backup` and '
        || '`cairn db restore`.');
  end if;
end
$$;

create or replace function public.import_events(events jsonb, users jsonb default '[]', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
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
  perform app.check_circles(v_actor.tenant_id, v_imported);
  return jsonb_build_object('imported', cardinality(v_imported),
    'skipped', jsonb_array_length(events) - cardinality(v_imported), 'position', v_seq);
end
$$;

-- With statistics of other workspaces a new one looks empty, and any index of it as good as the right one. Without them
-- its size is not guessed, and the index of the task, or of what it waits for, is the best.
alter table app.task_dependencies alter column tenant_id set statistics 0;

select app.secure_functions();
