-- A history on the move: whole events leave page by page, and come in with the versions and hashes that they had.

-- export_events(project?, after_seq, page_size) -> {events: [whole rows], users: [{id, name}], next_seq?}, oldest first, with those whom the
-- events name; without a project, the workspace.
create function public.export_events(project text default null, after_seq bigint default 0, page_size integer default 500, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 1000);
  v_found public.events[];
  v_archived_to bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
begin
  if project is null then
    perform app.refuse_limited(v_actor);
  end if;
  if after_seq < v_archived_to then
    return jsonb_build_object('events', '[]'::jsonb, 'users', '[]'::jsonb, 'next_seq', v_archived_to,
      'archive', jsonb_build_object('project_id', v_project, 'after', after_seq, 'before', v_archived_to + 1, 'rising', true));
  end if;
  v_found := app.read_events(v_actor.tenant_id, v_project, null, '{}', after_seq, null, true, v_size);
  return jsonb_strip_nulls(jsonb_build_object(
    'next_seq', case when cardinality(v_found) = v_size then (v_found[v_size]).seq end))
    || jsonb_build_object('events', (select coalesce(jsonb_agg(to_jsonb(v_found[i]) - 'tenant_id' order by i), '[]') from generate_series(1, cardinality(v_found)) i),
      'users', (select coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name) order by u.id), '[]') from public.users u
        where u.id in (select (v_found[i]).user_id from generate_series(1, cardinality(v_found)) i)));
end
$$;

create function app.check_imported(event public.events, source bigint)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if num_nulls(event.id, event.user_id, event.stream, event.version, event.payload, event.hash, event.payload_hash, event.actor, event.created_at) > 0
      or not exists (select from app.event_types t where t.event_type = event.event_type and t.schema_version >= event.schema_version) then
    perform app.fail('invalid_input', format('Line %s is not an event that this version knows.', source));
  end if;
  if event.prev_hash is distinct from app.chain_head(event.tenant_id, event.project_id)
      or event.hash <> app.event_hash(event)
      or starts_with(event.stream, 'task:') and event.task_id is distinct from app.stream_id(event.stream)
      or exists (select from public.events e where e.tenant_id = event.tenant_id and e.id = event.id)
      or event.redacted_at is null and event.payload_hash <> app.payload_hash(event.payload)
      or event.redacted_at is not null and event.payload <> app.blanked(event) then
    perform app.fail('invalid_input', format('The chain is broken at event %s of the file.', source), null, 'The file was changed or is not whole. Export it again.');
  end if;
  if event.event_type = 'project.created' and exists (select from public.projects p where p.tenant_id = event.tenant_id and p.slug = event.payload ->> 'slug') then
    perform app.fail('already_exists', format('This workspace has another project %s.', event.payload ->> 'slug'), null, 'Import into another workspace; refs are built from the slug.');
  end if;
end
$$;

-- Those whom imported events name, so that each is called as where the events come from. Who has signed in here keeps their name.
create function app.import_users(users jsonb)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  if coalesce(jsonb_typeof(users), 'null') <> 'array' or jsonb_array_length(users) > 5000 or exists (select from jsonb_array_elements(users) u
      where app.as_uuid(u ->> 'id') is null or not app.fits(coalesce(u -> 'name', 'null'), 'line', 200, null)) then
    perform app.fail('invalid_input', 'users is a list of at most 5000, each with an id and a name of one line.', jsonb_build_object('field', 'users'));
  end if;
  insert into public.users (id, name) select distinct on (u ->> 'id') (u ->> 'id')::uuid, u ->> 'name' from jsonb_array_elements(users) u on conflict (id) do nothing;
end
$$;

-- Some tasks, each by its key: a page is read alike from a table of any size, also one of which the planner knows nothing yet.
create function app.tasks_among(tenant_id uuid, ids uuid[])
  returns public.tasks[]
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return array(select t from unnest(ids) i cross join lateral (
    select x.* from public.tasks x where x.tenant_id = tasks_among.tenant_id and x.id = i offset 0) t);
end
$$;

-- Edges, open dependencies and counts of some tasks, from what they were to what their rows say.
create function app.link_among(tenant_id uuid, ids uuid[], was public.tasks[])
  returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_linked uuid[] := array(select distinct t.id from unnest(was || app.tasks_among(tenant_id, ids)) t where t.dependencies <> '{}');
  v_task public.tasks;
begin
  foreach v_task in array app.tasks_among(tenant_id, v_linked) loop
    perform app.write_edges(v_task);
    v_task.open_dependencies := app.count_open_dependencies(v_task);
    update public.tasks t set open_dependencies = v_task.open_dependencies
      where t.tenant_id = v_task.tenant_id and t.id = v_task.id and t.open_dependencies <> v_task.open_dependencies;
  end loop;
  update app.task_counts c set (pending, ready, in_progress, blocked, completed, cancelled)
      = (c.pending + d.pending, c.ready + d.ready, c.in_progress + d.in_progress, c.blocked + d.blocked, c.completed + d.completed, c.cancelled + d.cancelled)
    from (
      select t.project_id, sum(t.n * (t.status = 'pending')::integer) as pending, sum(t.n * t.ready) as ready, sum(t.n * (t.status = 'in_progress')::integer) as in_progress,
        sum(t.n * (t.status = 'blocked')::integer) as blocked, sum(t.n * (t.status = 'completed')::integer) as completed, sum(t.n * (t.status = 'cancelled')::integer) as cancelled
      from (select 1 as n, x.project_id, x.status, app.is_ready(x) as ready from unnest(app.tasks_among(tenant_id, ids)) x
        union all select -1, x.project_id, x.status, app.is_ready(x) from unnest(was) x) t group by t.project_id) d
    where c.tenant_id = link_among.tenant_id and c.project_id = d.project_id;
end
$$;

-- Folds on from the live rows with events that were just recorded. It looks at what they touch alone, so that a page of an import costs
-- the same however long the log is.
create function app.fold_on(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_model app.read_models;
  v_ids uuid[] := array(select distinct app.stream_id(e.stream) from unnest(events) e);
  v_tasks uuid[] := array(select unnest(v_ids) union select e.task_id from unnest(v_ids) i cross join lateral (
    select x.task_id from app.task_dependencies x where x.tenant_id = fold_on.tenant_id and x.depends_on = i offset 0) e);
  v_was public.tasks[] := app.tasks_among(tenant_id, v_tasks);
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'with written as (
         insert into public.%1$I as x select (f.folded).* from (
           select app.%3$I(e.event order by e.version) as folded from (
             select n.stream, n.version, app.upcast(n) as event from unnest($2) n where starts_with(n.stream, %4$L)
             union all
             select %4$L || l.id, l.version, app.snapshot_event((l.tenant_id, %4$L || l.id, l.version, 0, null, to_jsonb(l))) from unnest($3) i
               cross join lateral (select t.* from public.%1$I t where t.tenant_id = $1 and t.id = i offset 0) l) e
           group by e.stream) f
         on conflict (tenant_id, id) do update set %2$s returning x as folded)
       select %5$s from written w', v_model.table_name,
      (select string_agg(format('%1$I = excluded.%1$I', a.attname), ', ') from pg_catalog.pg_attribute a
        where a.attrelid = format('public.%I', v_model.table_name)::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'open_dependencies'),
      'fold_' || v_model.category, v_model.category || ':',
      coalesce(to_regproc('app.index_' || v_model.category) || '(w.folded)', '1'))
      using tenant_id, events, v_ids;
  end loop;
  insert into app.task_counts (tenant_id, project_id) select e.tenant_id, e.project_id from unnest(events) e where e.event_type = 'project.created';
  perform app.link_among(tenant_id, v_tasks, v_was);
  perform app.index_event(e) from unnest(events) e;
end
$$;

-- import_events(events, users?) -> {imported, skipped, position}. Events and users as export_events gave them, in order; versions and hashes
-- stay, positions follow on (and so are the same in an empty workspace). What is there already is skipped, so that an import can be resumed.
create function public.import_events(events jsonb, users jsonb default '[]', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set statement_timeout = '1min'
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
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 5000 then
    perform app.fail('invalid_input', 'events is a list of 1 to 5000 events.');
  end if;
  perform app.import_users(users);
  select p.seq into v_seq from app.positions p where p.tenant_id = v_actor.tenant_id for no key update;
  for v_event in select r.* from jsonb_array_elements(events) with ordinality e (item, at)
      cross join lateral jsonb_populate_record(null::public.events, case jsonb_typeof(e.item) when 'object' then e.item else '{}' end) r order by e.at loop
    v_source := v_event.seq;
    v_event.tenant_id := v_actor.tenant_id;
    select e.hash into v_known from public.events e where e.tenant_id = v_actor.tenant_id and e.stream = v_event.stream and e.version = v_event.version;
    continue when v_known = v_event.hash;
    perform app.check_imported(v_event, v_source);
    v_seq := v_seq + 1;
    v_event.seq := v_seq;
    insert into public.users (id, name) values (v_event.user_id, 'imported') on conflict (id) do nothing;
    insert into public.events select v_event.*;
    v_imported := v_imported || v_event;
  end loop;
  update app.positions p set seq = v_seq where p.tenant_id = v_actor.tenant_id;
  perform app.fold_on(v_actor.tenant_id, v_imported);
  return jsonb_build_object('imported', cardinality(v_imported), 'skipped', jsonb_array_length(events) - cardinality(v_imported), 'position', v_seq);
end
$$;
