-- The log as the source of truth: fold it, verify it, rebuild from it, redact it.

create or replace function app.fold_streams(
  category text,
  tenant_id uuid,
  project_id uuid,
  up_to bigint,
  streams text[]
)
  returns table (id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query execute format('select f.id, to_jsonb(f.state) from app.%I($1, $2, $3, $4) f',
    'folded_' || (select m.table_name from app.read_models m where m.category = fold_streams.category))
    using tenant_id, project_id, up_to, streams;
end
$$;

-- Writes what the log says of some streams, or of all, where the live rows say otherwise; then what spans rows:
-- edges, open dependencies, counts, search.
create or replace function app.rebuild_model(tenant_id uuid, streams text[], kept jsonb default null)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'insert into public.%1$I select (d.log).* from app.differing_%1$s($1, $2) d where (d.log).id is not null
       on conflict (tenant_id, id) do update set %2$s', v_model.table_name,
      (select string_agg(format('%1$s = excluded.%1$s', c), ', ') from unnest(app.folded_columns(v_model)) c))
      using tenant_id, streams;
  end loop;
  perform app.restore_kept(tenant_id, kept);
  perform app.rebuild_links(tenant_id);
  perform app.rebuild_search(tenant_id, streams);
end
$$;

-- Saves the columns that no fold makes, before all rows go; by table.
create or replace function app.save_kept(tenant_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_rows jsonb;
  v_saved jsonb := '{}';
begin
  for v_model in select * from app.read_models m where m.kept <> '{}' loop
    execute format('select jsonb_agg(to_jsonb(k)) from (select x.id, %s from public.%I x where x.tenant_id = $1) k',
      (select string_agg(format('x.%I', c), ', ') from unnest(v_model.kept) c), v_model.table_name)
      into v_rows using tenant_id;
    v_saved := v_saved || jsonb_strip_nulls(jsonb_build_object(v_model.table_name, v_rows));
  end loop;
  return v_saved;
end
$$;

create or replace function app.restore_kept(tenant_id uuid, saved jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models m where saved ? m.table_name loop
    execute format(
      'update public.%2$I x set (%1$s) = (select %1$s from jsonb_populate_record(null::public.%2$I, k.value))
       from jsonb_array_elements($2) k where x.tenant_id = $1 and x.id = (k.value ->> ''id'')::uuid',
      (select string_agg(format('%I', c), ', ') from unnest(v_model.kept) c), v_model.table_name)
      using tenant_id, saved -> v_model.table_name;
  end loop;
end
$$;

create or replace function app.rebuild_links(tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.task_dependencies e
    where e.tenant_id = rebuild_links.tenant_id
      and not exists (
        select from public.tasks t
        where t.tenant_id = e.tenant_id and t.id = e.task_id and e.depends_on = any (t.dependencies));
  insert into app.task_dependencies (tenant_id, task_id, depends_on)
    select t.tenant_id, t.id, d
    from public.tasks t, unnest(t.dependencies) d
    where t.tenant_id = rebuild_links.tenant_id and t.dependencies <> '{}'
    on conflict do nothing;
  update public.tasks t set open_dependencies = m.log
    from app.miscounted_tasks(rebuild_links.tenant_id) m
    where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  update public.tasks t set open_parts = m.log
    from app.miscounted_parts(rebuild_links.tenant_id) m
    where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  update public.agent_runs r set steps_count = m.log
    from app.miscounted_runs(rebuild_links.tenant_id) m
    where r.tenant_id = rebuild_links.tenant_id and r.id = m.id;
  perform app.rebuild_usage(rebuild_links.tenant_id);
  insert into app.task_counts
    select *
    from app.counted_tasks(rebuild_links.tenant_id)
    except
    select *
    from app.task_counts c
    where c.tenant_id = rebuild_links.tenant_id
    on conflict on constraint task_counts_pkey do update
      set (pending, ready, in_progress, blocked, completed, cancelled, unproven)
          = (excluded.pending, excluded.ready, excluded.in_progress, excluded.blocked, excluded.completed,
            excluded.cancelled, excluded.unproven);
  delete from public.leases l
    where l.tenant_id = rebuild_links.tenant_id
      and l.kind = 'task'
      and not exists (
        select from public.tasks t
        where t.tenant_id = l.tenant_id and t.id = l.id and t.lock_token = l.token);
  perform app.rebuild_labels(rebuild_links.tenant_id);
  perform app.rebuild_unanswered(rebuild_links.tenant_id);
end
$$;

-- Lists the tasks of which the row and its dependencies' rows say different numbers of open ones. Each is looked up by
-- its key.
create or replace function app.miscounted_tasks(tenant_id uuid)
  returns table (id uuid, live integer, log integer)
  language sql
  stable
as $$
  select t.id, t.open_dependencies, o.n
  from public.tasks t
  cross join lateral (
    select count(*)::integer as n from app.tasks_with($1, t.dependencies) d
    where d.status <> 'completed') o
  where t.tenant_id = $1 and t.open_dependencies <> o.n
$$;

-- Lists the months of runs whose steps are not in files: what is counted of them can be counted again.
create or replace function app.months_of_steps(tenant_id uuid)
  returns table (starts_at timestamptz, ends_at timestamptz)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select m.starts_at, app.period_start(m.starts_at, 'month', 1)
  from (
    select distinct app.period_start(r.created_at, 'month') as starts_at
    from public.agent_runs r
    where r.tenant_id = $1) m
  join app.record_tables t on t.table_name = 'agent_steps'
  where not app.is_in_files(t, m.starts_at, $1)
$$;

-- Lists the runs whose row and whose steps say different numbers of these.
create or replace function app.miscounted_runs(tenant_id uuid)
  returns table (id uuid, live integer, log integer)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select r.id, coalesce(r.steps_count, 0), o.n
  from app.months_of_steps($1) m
  join public.agent_runs r on r.tenant_id = $1 and r.created_at >= m.starts_at and r.created_at < m.ends_at
  cross join lateral (
    select count(*)::integer as n
    from public.agent_steps s
    where s.tenant_id = $1 and s.run_id = r.id and s.run_created_at >= m.starts_at and s.run_created_at < m.ends_at) o
  where coalesce(r.steps_count, 0) <> o.n
$$;

-- Lists what rows count of others, where it is wrong.
create or replace function app.miscounted(tenant_id uuid)
  returns table (table_name text, column_name text, id uuid, live integer, log integer)
  language sql
  stable
as $$
  select 'tasks', 'open_dependencies', m.* from app.miscounted_tasks(miscounted.tenant_id) m
  union all
  select 'tasks', 'open_parts', m.* from app.miscounted_parts(miscounted.tenant_id) m
  union all
  select 'agent_runs', 'steps_count', m.* from app.miscounted_runs(miscounted.tenant_id) m
$$;

create or replace function app.counted_tasks(tenant_id uuid)
  returns setof app.task_counts
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.tenant_id,
    p.id,
    count(*) filter (where t.status = 'pending')::integer,
    coalesce(sum(app.is_ready(t)) filter (where t.id is not null), 0)::integer,
    count(*) filter (where t.status = 'in_progress')::integer,
    count(*) filter (where t.status = 'blocked')::integer,
    count(*) filter (where t.status = 'completed')::integer,
    count(*) filter (where t.status = 'cancelled')::integer,
    coalesce(sum(app.is_unproven(t)) filter (where t.id is not null), 0)::integer
  from public.projects p
  left join public.tasks t on t.tenant_id = p.tenant_id and t.project_id = p.id
  where p.tenant_id = counted_tasks.tenant_id
  group by p.tenant_id, p.id
$$;

-- The documents of some streams; for all, those that are missing: what the door wrote of unchanged rows still holds.
create or replace function app.rebuild_search(tenant_id uuid, streams text[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.search_documents as d (tenant_id, kind, id, words)
    select rebuild_search.tenant_id,
      s.kind,
      s.id,
      app.search_vector(s.kind, rebuild_search.tenant_id, s.project_id, s.content)
    from app.list_searchable(rebuild_search.tenant_id) s
    where s.content is not null
      and (s.stream = any (streams)
        or streams is null
          and not exists (
            select from app.search_documents x
            where x.tenant_id = rebuild_search.tenant_id and x.kind = s.kind and x.id = s.id))
    on conflict on constraint search_documents_pkey do update set words = excluded.words
      where d.words <> excluded.words;
end
$$;

-- Also of a payload whose fields are not what their type says.
create or replace function app.blank_payload(event public.events)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select event.payload || coalesce(jsonb_object_agg(f.field, case
      when f.kind = 'object' then '{}' when f.kind = 'array' then '[]'
      when f.kind in ('text[]', 'label[]') then (
        select coalesce(jsonb_agg('[redacted]'::text), '[]')
        from jsonb_path_query(event.payload -> f.field, 'strict $ ? (@.type() == "array")[*]'))
      else '"[redacted]"' end), '{}')
  from app.event_fields f
  where f.event_type = event.event_type and event.payload ? f.field
    and f.kind in ('text', 'said', 'line', 'text[]', 'label[]', 'object', 'array')
$$;

-- Finds the first event whose link, hash, version or column is wrong, or null. Each event is looked at once, alone;
-- what has to be sorted is narrow.
create or replace function app.broken_event(tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'seq', c.seq,
    'stream', c.stream,
    'version', c.version,
    'wrong', case
      when not c.links then 'prev_hash'
      when not c.hashes then 'hash'
      when not c.pays then 'payload'
      when not c.counts then 'version'
      else coalesce(c.wrong, 'seq') end)
  from (
    select e.seq,
      e.stream,
      e.version,
      e.hashes,
      e.pays,
      e.wrong,
      e.prev_hash
        is not distinct from coalesce(lag(e.hash) over (partition by e.project_id order by e.seq),
          (
            select c.hash from app.archived_chains c
            where c.tenant_id = broken_event.tenant_id and c.project_id is not distinct from e.project_id)) as links,
      e.version = coalesce(a.version, 0) + row_number() over (partition by e.stream order by e.version) as counts,
      e.seq = (
        select p.archived_to from app.positions p
        where p.tenant_id = broken_event.tenant_id) + row_number() over (order by e.seq) as follows
    from (
      select x.seq,
        x.project_id,
        x.stream,
        x.version,
        x.prev_hash,
        x.hash,
        x.hash = app.event_hash(x) as hashes,
        case when x.redacted_at is null
          then coalesce(x.cleaned_hash, x.payload_hash) = app.payload_hash(x.payload)
          else x.payload = app.blank_payload(x)
            and exists (
              select from public.events r
              where r.tenant_id = x.tenant_id and r.stream = 'event:' || x.id) end as pays,
        coalesce(app.wrong_column(x),
          case when starts_with(x.stream, 'event:')
              and exists (
                select from public.events o
                where o.tenant_id = x.tenant_id
                  and o.id = app.stream_id(x.stream)
                  and o.task_id is distinct from x.task_id)
            then 'task_id' end) as wrong
      from public.events x
      where x.tenant_id = broken_event.tenant_id
      offset 0) e
    left join app.archived_streams a on a.tenant_id = broken_event.tenant_id and a.stream = e.stream) c
  where not (c.links and c.hashes and c.pays and c.counts and c.wrong is null and c.follows)
  order by c.seq limit 1
$$;

-- No chain shows that its last event is gone; the workspace's counter does.
create or replace function app.missing_end(tenant_id uuid, last_seq bigint)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('seq', last_seq, 'wrong', 'missing')
  where last_seq <> coalesce((select max(e.seq) from public.events e where e.tenant_id = missing_end.tenant_id),
    (select p.archived_to from app.positions p where p.tenant_id = missing_end.tenant_id))
$$;

-- The first row in which a live table and the fold of the log differ, or null.
create or replace function app.differing_row(model app.read_models, tenant_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_difference jsonb;
begin
  execute format(
    'select jsonb_build_object(''table'', $2, ''id'', d.id, ''columns'', (
         select jsonb_object_agg(k, jsonb_build_object(''live'', d.live -> k, ''log'', d.log -> k))
         from jsonb_object_keys(coalesce(d.live, d.log) - $3) k
         where d.live -> k is distinct from d.log -> k))
     from (select x.id, to_jsonb(x.live) as live, to_jsonb(x.log) as log from app.%I($1, null) x limit 1) d',
    'differing_' || model.table_name)
    into v_difference using tenant_id, model.table_name, model.kept;
  return v_difference;
end
$$;

create or replace function app.differing_link(tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select *
  from (
    (
      select jsonb_build_object(
        'table', m.table_name,
        'id', m.id,
        'columns', jsonb_build_object(m.column_name, jsonb_build_object('live', m.live, 'log', m.log)))
      from app.miscounted(differing_link.tenant_id) m
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'run_usage', 'id', coalesce(m.live ->> 'run_id', m.log ->> 'run_id'),
        'columns', jsonb_build_object('live', m.live, 'log', m.log))
      from app.miscounted_usage(differing_link.tenant_id) m
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'task_dependencies', 'id', coalesce(e.task_id, x.task_id))
      from (select * from app.task_dependencies where task_dependencies.tenant_id = differing_link.tenant_id) e
      full join (
        select t.id as task_id, d as depends_on
        from public.tasks t, unnest(t.dependencies) d
        where t.tenant_id = differing_link.tenant_id) x on x.task_id = e.task_id and x.depends_on = e.depends_on
      where e.task_id is null or x.task_id is null
      limit 1)
    union all
    (
      select jsonb_build_object(
        'table', 'task_counts',
        'id', coalesce(l.project_id, c.project_id),
        'columns', jsonb_build_object('live', to_jsonb(l), 'log', to_jsonb(c)))
      from (select * from app.task_counts where task_counts.tenant_id = differing_link.tenant_id) l
      full join app.counted_tasks(differing_link.tenant_id) c on c.project_id = l.project_id
      where to_jsonb(l) is distinct from to_jsonb(c)
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'task_labels', 'id', coalesce(l.task_id, r.task_id))
      from (select * from app.task_labels x where x.tenant_id = differing_link.tenant_id) l
      full join app.labels_of_tasks(differing_link.tenant_id) r on r.task_id = l.task_id and r.label = l.label
      where to_jsonb(l) is distinct from to_jsonb(r)
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'unanswered', 'id', coalesce(u.id, q.id))
      from (select * from app.unanswered x where x.tenant_id = differing_link.tenant_id) u
      full join app.unanswered_in_log(differing_link.tenant_id) q on q.id = u.id
      where to_jsonb(u) is distinct from to_jsonb(q)
      limit 1)) d
  limit 1
$$;

-- Raises an alert for a log that does not verify, and settles it when it does. What is wrong may keep the alert out of
-- the log; the caller is told all the same.
create or replace function app.report_verified(result jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if (result ->> 'ok')::boolean then
    perform app.settle_alert('log_unverified');
  else
    perform app.raise_alert('log_unverified', 'critical', 'The log does not verify.',
      jsonb_build_object('difference', (result -> 'difference') - 'columns'), 'log_unverified');
  end if;
exception
  when others then null;
end
$$;

-- verify_events() -> {ok, events, position, tables: [{table, rows}], difference?}. Recomputes every hash, link, version
-- and position, folds the log beside the live tables and compares row by row, as of one moment.
create or replace function public.verify_events(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  -- A plan made while a table was empty would be kept for when it is full.
  set plan_cache_mode = force_custom_plan
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_result jsonb;
begin
  perform app.refuse_limited(v_actor);
  v_result := app.compare_log(v_actor.tenant_id);
  perform app.report_verified(v_result);
  return v_result;
end
$$;

-- Rows that no event made, or all.
create or replace function app.remove_rows(tenant_id uuid, all_rows boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  delete from app.task_dependencies d where d.tenant_id = remove_rows.tenant_id and all_rows;
  delete from app.task_counts c where c.tenant_id = remove_rows.tenant_id and all_rows;
  for v_model in select * from app.read_models order by place desc loop
    execute format(
      'delete from public.%1$I x where x.tenant_id = $1 and ($2
         or not exists (select from public.events e where e.tenant_id = $1 and e.stream = %2$L || x.id)
           and not exists (select from app.archived_streams a where a.tenant_id = $1 and a.stream = %2$L || x.id))',
      v_model.table_name, v_model.category || ':') using tenant_id, all_rows;
  end loop;
end
$$;

-- Keeps autovacuum, but no reader and no writer, from the tables until the end of the transaction: it would see one
-- that is being filled as empty, and every plan made after that would read the workspace for each row. Two workspaces
-- are replayed one after the other.
create or replace function app.hold_off_autovacuum()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models order by place loop
    execute format('lock table public.%I in share update exclusive mode', v_model.table_name);
  end loop;
  lock table app.task_dependencies, app.task_counts, app.task_labels, app.unanswered, app.search_documents
    in share update exclusive mode;
end
$$;

-- replay_events() -> {events, tables}. Folds the log again and makes the read model equal to it. For owners and admins.
create or replace function public.replay_events(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_kept jsonb;
begin
  perform app.refuse_limited(v_actor);
  perform from app.positions p where p.tenant_id = v_actor.tenant_id for no key update;
  perform app.hold_off_autovacuum();
  begin
    perform app.remove_rows(v_actor.tenant_id, false);
    perform app.rebuild_model(v_actor.tenant_id, null);
  exception
    -- A row that was tampered with is in the way of another: each gets its place when all are gone.
    when unique_violation or foreign_key_violation then
      v_kept := app.save_kept(v_actor.tenant_id);
      perform app.remove_rows(v_actor.tenant_id, true);
      perform app.rebuild_model(v_actor.tenant_id, null, v_kept);
  end;
  return jsonb_build_object(
    'events', (select count(*) from public.events e where e.tenant_id = v_actor.tenant_id),
    'tables', (select jsonb_agg(m.table_name order by m.place) from app.read_models m));
end
$$;

-- From the archive one state after another is folded; what nothing created is no state.
create or replace function app.state_of(
  category text,
  tenant_id uuid,
  project_id uuid,
  up_to bigint,
  archived jsonb
)
  returns table (id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if archived is null then
    return query select * from app.fold_streams(category, tenant_id, project_id, up_to, null);
    return;
  end if;
  begin
    return query execute format(
      $fold$select (f.folded).id, to_jsonb(f.folded) from (
         select app.%I(app.upcast_event(e.event) order by (e.event).version) as folded
         from app.read_events_given('archived', $1) e
         where starts_with(e.stream, $2) group by e.stream) f
       where (f.folded).id is not null$fold$, 'fold_' || category)
      using archived, category || ':';
  exception
    when data_exception or program_limit_exceeded then
      perform app.refuse_events('archived');
  end;
end
$$;

-- get_state(project?, seq?, at?) -> {project, position, counts, tasks, total}, or the archive that it needs.
create or replace function public.get_state(
  project text default null,
  seq bigint default null,
  at timestamptz default null,
  archived jsonb default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_last bigint := (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id);
  -- Beyond the last position is the last one.
  v_seq bigint := least(v_last, coalesce(seq, case when at is null then v_last else (
    select coalesce(max(e.seq), 0) from public.events e
    where e.tenant_id = v_actor.tenant_id and e.project_id = v_project.id and e.created_at <= get_state.at) end));
  v_archived_to bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
  v_state jsonb;
begin
  if archived is not null then
    v_seq := coalesce(seq, (select max(a.seq) from app.read_events_given('archived', archived) a), 0);
  elsif v_seq < v_archived_to then
    return jsonb_build_object('archive', jsonb_build_object('project_id', v_project.id, 'after', 0,
      'before', coalesce(seq, v_archived_to) + 1, 'at', at, 'rising', true));
  end if;
  v_state := (select f.state from app.state_of('project', v_actor.tenant_id, v_project.id, v_seq, archived) f);
  if v_state is null then
    perform app.fail('not_found', format('The project %s did not exist then.', v_project.slug), null,
      'Its timeline (list_events) shows its first position.');
  end if;
  return (
    with tasks as materialized (
      select f.state as t from app.state_of('task', v_actor.tenant_id, v_project.id, v_seq, archived) f)
    select jsonb_build_object('project', jsonb_strip_nulls(jsonb_build_object(
        'slug', v_state -> 'slug', 'name', v_state -> 'name', 'description', nullif(v_state ->> 'description', ''),
        'rules', v_state -> 'rules', 'archived_at', v_state -> 'archived_at')),
      'position', v_seq, 'total', (select count(*) from tasks),
      'counts', (
        select coalesce(jsonb_object_agg(c.status, c.n), '{}')
        from (select x.t ->> 'status' as status, count(*) as n from tasks x group by 1) c),
      'tasks', (
        select coalesce(jsonb_agg(o.brief order by o.number), '[]')
        from (
          select (x.t ->> 'number')::integer as number, jsonb_strip_nulls(jsonb_build_object('ref', x.t -> 'ref',
            'title', x.t -> 'title', 'status', x.t -> 'status', 'priority', x.t -> 'priority',
            'labels', nullif(x.t -> 'labels', '[]'),
            'locked_by', x.t -> 'locked_by', 'blocked_reason', x.t -> 'blocked_reason',
            'unproven', app.list_unproven(jsonb_populate_record(null::public.tasks, x.t)))) as brief
          from tasks x order by 1 limit 200) o)));
end
$$;

-- The record of a redaction has a stream of its own, named after the event; nothing is folded from it.
create or replace function app.apply_redaction(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_redacted public.events := app.find_event(app.stream_id(event.stream)::text, actor);
begin
  event.project_id := v_redacted.project_id;
  event.task_id := v_redacted.task_id;
  event.version := 1 + (
    select count(*) from public.events e
    where e.tenant_id = event.tenant_id and e.stream = event.stream);
  return (event,
    app.event_brief(app.upcast_event(v_redacted),
      (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id)),
    null)::app.applied;
end
$$;

-- Owned by cairn_keeper, the only role whose update of an event the last wall lets pass.
create or replace function app.blank_event(event public.events)
  returns void
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  update public.events e set payload = app.blank_payload(event), redacted_at = app.now()
  where e.tenant_id = event.tenant_id and e.id = event.id
$$;

-- redact_event(event, reason) -> the blanked event. On the record (event.redacted), and gone from the read model, the
-- search and remembered answers; the chain still verifies, for it is made of payload hashes. For owners and admins.
create or replace function public.redact_event(event text, reason text, actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_event public.events := app.find_event(event, v_actor);
  v_copies public.events[];
begin
  perform app.refuse_limited(v_actor);
  if v_event.event_type = 'event.redacted'
      or v_event.redacted_at is not null
        and exists (
          select from public.events e
          where e.tenant_id = v_event.tenant_id and e.stream = 'event:' || v_event.id) then
    perform app.fail('illegal_transition', format('Event #%s is redacted already.', v_event.seq));
  end if;
  v_copies := case when v_event.redacted_at is null then app.copies_of(v_event) else array[v_event] end;
  perform app.append_checked((
    select jsonb_agg(jsonb_build_object('stream', 'event:' || c.id, 'type', 'event.redacted',
      'data', jsonb_build_object('reason', reason), 'causation', c.id) order by c.seq)
    from unnest(v_copies) c), v_actor);
  perform app.blank_event(c) from unnest(v_copies) c where c.redacted_at is null;
  perform app.rebuild_model(v_actor.tenant_id, array(select distinct c.stream from unnest(v_copies) c));
  delete from app.idempotency_keys k where k.tenant_id = v_actor.tenant_id and k.created_at >= v_event.created_at;
  v_event := app.find_event(v_event.id::text, v_actor);
  return app.event_brief(app.upcast_event(v_event),
    (select t.ref from public.tasks t where t.tenant_id = v_event.tenant_id and t.id = v_event.task_id));
end
$$;

-- Finds the first of an event's columns that is not what the hash covers says it is, or null. Nothing says it of `id`,
-- `correlation_id` and `causation_id`.
create or replace function app.wrong_column(event public.events) returns text language sql stable as $$
  select case
    when event.user_id::text is distinct from event.actor ->> 'user' then 'user_id'
    when event.task_id::text is distinct from case split_part(event.stream, ':', 1)
        when 'task' then split_part(event.stream, ':', 2)
        when 'event' then event.task_id::text
        else event.payload ->> 'task' end then 'task_id'
    when event.project_id::text <> case
        when starts_with(event.stream, 'project:') then split_part(event.stream, ':', 2)
        else event.payload ->> 'project_id' end then 'project_id' end
$$;

-- Compares the log with itself and with the live rows. Stable, so that all of it reads the snapshot of the statement
-- that calls it: what writers commit meanwhile is not there, and none of them has to wait.
create or replace function app.compare_log(tenant_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_difference jsonb;
  v_tables jsonb := '[]';
  v_rows bigint;
  v_position bigint := (select p.seq from app.positions p where p.tenant_id = compare_log.tenant_id);
begin
  v_difference := coalesce(app.broken_event(tenant_id), app.missing_end(tenant_id, v_position));
  for v_model in select * from app.read_models order by place loop
    v_difference := coalesce(v_difference, app.differing_row(v_model, tenant_id));
    execute format('select count(*) from public.%I x where x.tenant_id = $1', v_model.table_name)
      into v_rows
      using tenant_id;
    v_tables := v_tables || jsonb_build_object('table', v_model.table_name, 'rows', v_rows);
  end loop;
  v_difference := coalesce(v_difference, app.differing_link(tenant_id));
  return jsonb_strip_nulls(jsonb_build_object('ok', v_difference is null,
    'events', (select count(*) from public.events e where e.tenant_id = compare_log.tenant_id),
    'position', v_position, 'tables', v_tables, 'difference', v_difference));
end
$$;

-- Reads what no writer changes, the beginning of the log, and so holds up none; archive_events does while it runs.
create or replace function app.check_archivable(tenant_id uuid, last_seq bigint)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_position app.positions;
begin
  select * into v_position from app.positions p where p.tenant_id = check_archivable.tenant_id;
  if last_seq is null or last_seq <= v_position.archived_to or last_seq > v_position.seq then
    perform app.fail('invalid_input', format('The archive ends at %s, the log at %s: %s is not between them.',
      v_position.archived_to, v_position.seq, last_seq), jsonb_build_object('field', 'last_seq'));
  end if;
  return v_position.archived_to;
end
$$;

-- Lists an event and what it caused in its own command, which may carry its words on: a dependent's reason, a trigger's
-- message. They are no further away than a command is long: what is asked, what policy and rules make of it, and what
-- is noted instead.
create or replace function app.copies_of(event public.events)
  returns public.events[]
  language sql
  stable
as $$
  with recursive
    command as materialized (
      select e.id, e.causation_id from public.events e
      where e.tenant_id = event.tenant_id and e.correlation_id = event.correlation_id
        and e.seq > event.seq and e.seq <= event.seq + 200 + app.policy_max() + 2 * app.triggered_max()),
    copies (id) as (
      select event.id
      union
      select m.id from copies c join command m on m.causation_id = c.id)
  select array_agg(x.found order by (x.found).seq) from copies c cross join lateral (
    select e as found from public.events e where e.tenant_id = event.tenant_id and e.id = c.id
      and e.redacted_at is null and e.event_type <> 'event.redacted' offset 0) x
$$;
