-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.archives (
  tenant_id uuid not null,
  first_seq bigint not null,
  last_seq bigint not null,
  events bigint not null,
  location text not null,
  file text not null,
  sha256 text not null,
  created_at timestamp with time zone not null,
  constraint archives_pkey PRIMARY KEY (tenant_id, first_seq),
  constraint archives_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint archives_check CHECK ((last_seq = ((first_seq + events) - 1))),
  constraint archives_file_check CHECK ((file ~ '^[a-z0-9][a-z0-9.-]{0,199}$'::text)),
  constraint archives_first_seq_check CHECK ((first_seq > 0)),
  constraint archives_location_check CHECK (((char_length(location) >= 1) AND (char_length(location) <= 1000))),
  constraint archives_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
);
alter table app.archives enable row level security;
alter table app.archives force row level security;
create policy door on app.archives as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table app.read_models (
  category text not null,
  table_name text not null,
  place integer not null,
  searched boolean default false not null,
  triggering boolean default false not null,
  kept text[] default '{}'::text[] not null,
  constraint read_models_place_key UNIQUE (place),
  constraint read_models_table_name_key UNIQUE (table_name),
  constraint read_models_pkey PRIMARY KEY (category)
);
alter table app.read_models enable row level security;
alter table app.read_models force row level security;
create policy read on app.read_models as permissive for select to cairn_keeper, cairn_owner using (true);

-- Rows that are part of the schema

-- app.read_models: (agent,agents,11,f,f,"{status,activity_state,connected_at,disconnected_at,seen_at,health_metrics}")
-- app.read_models: (alert,agent_alerts,8,f,t,{})
-- app.read_models: (approval,approvals,14,f,f,{})
-- app.read_models: (artifact,artifacts,3,t,t,{})
-- app.read_models: (checkpoint,checkpoints,5,t,t,{})
-- app.read_models: (command,commands,12,f,f,{})
-- app.read_models: (decision,decisions,4,t,t,{})
-- app.read_models: (memory,agent_memory,16,t,f,{})
-- app.read_models: (message,messages,7,f,f,{})
-- app.read_models: (preset,command_presets,10,f,f,"{usage_count,last_used_at}")
-- app.read_models: (profile,execution_constraints,9,f,f,{})
-- app.read_models: (project,projects,1,t,f,{})
-- app.read_models: (report,investigation_reports,15,t,t,{vector_embedding})
-- app.read_models: (run,agent_runs,13,f,f,"{steps_count,tokens_in,tokens_out,cost_credits,subagents}")
-- app.read_models: (session,agent_sessions,6,f,f,{})
-- app.read_models: (task,tasks,2,t,t,"{open_dependencies,open_parts}")

-- Functions

CREATE OR REPLACE FUNCTION app.apply_redaction(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.blank_event(event public.events)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update public.events e set payload = app.blank_payload(event), redacted_at = app.now()
  where e.tenant_id = event.tenant_id and e.id = event.id
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION app.blank_payload(event public.events)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select event.payload || coalesce(jsonb_object_agg(f.field, case
      when f.kind = 'object' then '{}' when f.kind = 'array' then '[]'
      when f.kind in ('text[]', 'label[]') then (
        select coalesce(jsonb_agg('[redacted]'::text), '[]')
        from jsonb_path_query(event.payload -> f.field, 'strict $ ? (@.type() == "array")[*]'))
      else '"[redacted]"' end), '{}')
  from app.event_fields f
  where f.event_type = event.event_type and event.payload ? f.field
    and f.kind in ('text', 'said', 'line', 'text[]', 'label[]', 'object', 'array')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.broken_event(tenant_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_archivable(tenant_id uuid, last_seq bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.compare_log(tenant_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.copies_of(event public.events)
 RETURNS public.events[]
 LANGUAGE sql
 STABLE
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.counted_tasks(tenant_id uuid)
 RETURNS SETOF app.task_counts
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_link(tenant_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_row(model app.read_models, tenant_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_streams(category text, tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state jsonb)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query execute format('select f.id, to_jsonb(f.state) from app.%I($1, $2, $3, $4) f',
    'folded_' || (select m.table_name from app.read_models m where m.category = fold_streams.category))
    using tenant_id, project_id, up_to, streams;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.hold_off_autovacuum()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models order by place loop
    execute format('lock table public.%I in share update exclusive mode', v_model.table_name);
  end loop;
  lock table app.task_dependencies, app.task_counts, app.task_labels, app.unanswered, app.search_documents
    in share update exclusive mode;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.miscounted(tenant_id uuid)
 RETURNS TABLE(table_name text, column_name text, id uuid, live integer, log integer)
 LANGUAGE sql
 STABLE
AS $function$
  select 'tasks', 'open_dependencies', m.* from app.miscounted_tasks(miscounted.tenant_id) m
  union all
  select 'tasks', 'open_parts', m.* from app.miscounted_parts(miscounted.tenant_id) m
  union all
  select 'agent_runs', 'steps_count', m.* from app.miscounted_runs(miscounted.tenant_id) m
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.miscounted_runs(tenant_id uuid)
 RETURNS TABLE(id uuid, live integer, log integer)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select r.id, coalesce(r.steps_count, 0), o.n
  from app.months_of_steps($1) m
  join public.agent_runs r on r.tenant_id = $1 and r.created_at >= m.starts_at and r.created_at < m.ends_at
  cross join lateral (
    select count(*)::integer as n
    from public.agent_steps s
    where s.tenant_id = $1 and s.run_id = r.id and s.run_created_at >= m.starts_at and s.run_created_at < m.ends_at) o
  where coalesce(r.steps_count, 0) <> o.n
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.miscounted_tasks(tenant_id uuid)
 RETURNS TABLE(id uuid, live integer, log integer)
 LANGUAGE sql
 STABLE
AS $function$
  select t.id, t.open_dependencies, o.n
  from public.tasks t
  cross join lateral (
    select count(*)::integer as n from app.tasks_with($1, t.dependencies) d
    where d.status <> 'completed') o
  where t.tenant_id = $1 and t.open_dependencies <> o.n
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.missing_end(tenant_id uuid, last_seq bigint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select jsonb_build_object('seq', last_seq, 'wrong', 'missing')
  where last_seq <> coalesce((select max(e.seq) from public.events e where e.tenant_id = missing_end.tenant_id),
    (select p.archived_to from app.positions p where p.tenant_id = missing_end.tenant_id))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.months_of_steps(tenant_id uuid)
 RETURNS TABLE(starts_at timestamp with time zone, ends_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.starts_at, app.period_start(m.starts_at, 'month', 1)
  from (
    select distinct app.period_start(r.created_at, 'month') as starts_at
    from public.agent_runs r
    where r.tenant_id = $1) m
  join app.record_tables t on t.table_name = 'agent_steps'
  where not app.is_in_files(t, m.starts_at, $1)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rebuild_links(tenant_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rebuild_model(tenant_id uuid, streams text[], kept jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rebuild_search(tenant_id uuid, streams text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.remove_rows(tenant_id uuid, all_rows boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.report_verified(result jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.restore_kept(tenant_id uuid, saved jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.save_kept(tenant_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.state_of(category text, tenant_id uuid, project_id uuid, up_to bigint, archived jsonb)
 RETURNS TABLE(id uuid, state jsonb)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.wrong_column(event public.events)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when event.user_id::text is distinct from event.actor ->> 'user' then 'user_id'
    when event.task_id::text is distinct from case split_part(event.stream, ':', 1)
        when 'task' then split_part(event.stream, ':', 2)
        when 'event' then event.task_id::text
        else event.payload ->> 'task' end then 'task_id'
    when event.project_id::text <> case
        when starts_with(event.stream, 'project:') then split_part(event.stream, ':', 2)
        else event.payload ->> 'project_id' end then 'project_id' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_state(project text DEFAULT NULL::text, seq bigint DEFAULT NULL::bigint, at timestamp with time zone DEFAULT NULL::timestamp with time zone, archived jsonb DEFAULT NULL::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.redact_event(event text, reason text, actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.replay_events(actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.verify_events(actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_result jsonb;
begin
  perform app.refuse_limited(v_actor);
  v_result := app.compare_log(v_actor.tenant_id);
  perform app.report_verified(v_result);
  return v_result;
end
$function$;
-- owner cairn_owner

-- Privileges

grant delete, insert, select, update on app.archives to cairn_owner;
grant select on app.read_models to cairn_keeper;
grant select on app.read_models to cairn_owner;
grant execute on function app.blank_event(public.events) to cairn_owner;
grant execute on function app.blank_payload(public.events) to cairn_keeper;
grant execute on function public.get_state(text,bigint,timestamp with time zone,jsonb,jsonb) to authenticated;
grant execute on function public.get_state(text,bigint,timestamp with time zone,jsonb,jsonb) to cairn_server;
grant execute on function public.get_state(text,bigint,timestamp with time zone,jsonb,jsonb) to service_role;
grant execute on function public.redact_event(text,text,jsonb) to authenticated;
grant execute on function public.redact_event(text,text,jsonb) to cairn_server;
grant execute on function public.redact_event(text,text,jsonb) to service_role;
grant execute on function public.replay_events(jsonb) to authenticated;
grant execute on function public.replay_events(jsonb) to cairn_server;
grant execute on function public.replay_events(jsonb) to service_role;
grant execute on function public.verify_events(jsonb) to authenticated;
grant execute on function public.verify_events(jsonb) to cairn_server;
grant execute on function public.verify_events(jsonb) to service_role;
