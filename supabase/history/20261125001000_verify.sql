-- Verifying holds up nobody, and looks at the columns beside the hash; a redaction costs one look at the workspace.

-- Finds the first of an event's columns that is not what the hash covers says it is, or null. Nothing says it of `id`,
-- `correlation_id` and `causation_id`.
create function app.wrong_column(event public.events) returns text language sql stable as $$
  select case
    when event.user_id::text is distinct from event.actor ->> 'user' then 'user_id'
    when event.task_id::text is distinct from case split_part(event.stream, ':', 1)
        when 'task' then split_part(event.stream, ':', 2)
        when 'event' then event.task_id::text
        when 'artifact' then event.payload ->> 'task'
        when 'decision' then event.payload ->> 'task' end then 'task_id'
    when event.project_id::text <> case
        when starts_with(event.stream, 'project:') then split_part(event.stream, ':', 2)
        else event.payload ->> 'project_id' end then 'project_id' end
$$;

-- Finds the first event whose link, hash, version or column is wrong, or null. Each event is looked at once, alone;
-- what has to be sorted is narrow.
create or replace function app.broken_event(tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('seq', c.seq, 'stream', c.stream, 'version', c.version, 'wrong', case
      when not c.links then 'prev_hash' when not c.hashes then 'hash' when not c.pays then 'payload'
      when not c.counts then 'version' else coalesce(c.wrong, 'seq') end)
  from (
    select e.seq, e.stream, e.version, e.hashes, e.pays, e.wrong,
      e.prev_hash is not distinct from coalesce(lag(e.hash) over (partition by e.project_id order by e.seq), (
        select c.hash from app.archived_chains c
        where c.tenant_id = broken_event.tenant_id and c.project_id is not distinct from e.project_id)) as links,
      e.version = coalesce(a.version, 0) + row_number() over (partition by e.stream order by e.version) as counts,
      e.seq = (select p.archived_to from app.positions p where p.tenant_id = broken_event.tenant_id)
        + row_number() over (order by e.seq) as follows
    from (
      select x.seq, x.project_id, x.stream, x.version, x.prev_hash, x.hash, x.hash = app.event_hash(x) as hashes,
        case when x.redacted_at is null then x.payload_hash = app.payload_hash(x.payload)
          else x.payload = app.blanked(x) and exists (
            select from public.events r where r.tenant_id = x.tenant_id and r.stream = 'event:' || x.id) end as pays,
        coalesce(app.wrong_column(x), case when starts_with(x.stream, 'event:') and exists (
          select from public.events o where o.tenant_id = x.tenant_id and o.id = app.stream_id(x.stream)
            and o.task_id is distinct from x.task_id) then 'task_id' end) as wrong
      from public.events x where x.tenant_id = broken_event.tenant_id offset 0) e
    left join app.archived_streams a on a.tenant_id = broken_event.tenant_id and a.stream = e.stream) c
  where not (c.links and c.hashes and c.pays and c.counts and c.wrong is null and c.follows) order by c.seq limit 1
$$;

-- Lists the tasks of which the row and its dependencies' rows say different numbers of open ones. Each is looked up by
-- its key.
create or replace function app.miscounted_tasks(tenant_id uuid)
  returns table (id uuid, live integer, log integer)
  language sql
  stable
as $$
  select t.id, t.open_dependencies, o.n
  from public.tasks t cross join lateral (
    select count(*)::integer as n from app.tasks_with($1, t.dependencies) d where d.status <> 'completed') o
  where t.tenant_id = $1 and t.open_dependencies <> o.n
$$;

-- Compares the log with itself and with the live rows. Stable, so that all of it reads the snapshot of the statement
-- that calls it: what writers commit meanwhile is not there, and none of them has to wait.
create function app.compare_log(tenant_id uuid)
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
    execute format('select count(*) from public.%I x where x.tenant_id = $1', v_model.table_name) into v_rows using tenant_id;
    v_tables := v_tables || jsonb_build_object('table', v_model.table_name, 'rows', v_rows);
  end loop;
  v_difference := coalesce(v_difference, app.differing_link(tenant_id));
  return jsonb_strip_nulls(jsonb_build_object('ok', v_difference is null,
    'events', (select count(*) from public.events e where e.tenant_id = compare_log.tenant_id),
    'position', v_position, 'tables', v_tables, 'difference', v_difference));
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
  v_actor app.actor := app.enter(actor);
begin
  perform app.refuse_limited(v_actor);
  return app.compare_log(v_actor.tenant_id);
end
$$;

-- Reads what no writer changes, the beginning of the log, and so holds up none; archive_events does while it runs.
create function app.check_archivable(tenant_id uuid, last_seq bigint)
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

create or replace function app.check_archiving(actor app.actor, last_seq bigint)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform from app.positions p where p.tenant_id = actor.tenant_id for no key update;
  return app.check_archivable(actor.tenant_id, last_seq);
end
$$;

-- snapshot_events(last_seq) -> {streams: [{stream, version, state?}], chains: [{project_id?, hash}]}: the boundary as
-- it will be after archiving up to there, of what the events up to there changed. For the server's role, and owners.
create or replace function public.snapshot_events(last_seq bigint default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter_person(actor, 'owner');
  v_from bigint := app.check_archivable(v_actor.tenant_id, last_seq);
  v_streams text[] := array(
    select distinct e.stream from public.events e where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq);
begin
  return jsonb_build_object(
    'streams', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('stream', s.stream, 'version', s.version))
        || jsonb_build_object('state', s.state) order by s.seq), '[]')
      from app.states_at(v_actor.tenant_id, last_seq, v_streams) s),
    'chains', (
      select coalesce(jsonb_agg(jsonb_build_object('project_id', c.project_id, 'hash', c.hash)), '[]') from (
        select distinct on (e.project_id) e.project_id, e.hash from public.events e
        where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq order by e.project_id, e.seq desc) c));
end
$$;

-- Reads events as they stand in files, in order.
create function app.events_in(events jsonb)
  returns table (ordinality bigint, seq bigint, stream text, project_id uuid, redacted_at timestamptz, event public.events)
  language sql
  stable
as $$
  select e.at, r.seq, r.stream, r.project_id, r.redacted_at, r
  from jsonb_array_elements(events) with ordinality e (item, at)
    cross join lateral jsonb_populate_record(null::public.events, e.item) r
$$;

-- check_events(events, chains) -> {chains, difference?}. Follows the chains of events that are not in the table:
-- `chains` is the last hash of each project so far, by id, empty for the workspace's own.
create or replace function public.check_events(events jsonb default '[]', chains jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_difference jsonb;
begin
  select jsonb_build_object('seq', c.seq, 'stream', c.stream, 'wrong', coalesce(c.wrong, 'chain')) into v_difference
  from (
    select x.ordinality as at, x.seq, x.stream, app.wrong_column(x.event) as wrong,
      (x.event).prev_hash::text is not distinct from coalesce(
        lag((x.event).hash::text) over (partition by x.project_id order by x.ordinality),
        chains ->> coalesce(x.project_id::text, '')) as links,
      (x.event).hash = app.event_hash(x.event) as hashes,
      case when x.redacted_at is null then (x.event).payload_hash = app.payload_hash((x.event).payload)
        else (x.event).payload = app.blanked(x.event) end as pays
    from app.events_in(events) x) c
  where (c.links and c.hashes and c.pays and c.wrong is null) is not true order by c.at limit 1;
  if v_difference is not null then
    return jsonb_build_object('chains', chains, 'difference', v_difference);
  end if;
  return jsonb_build_object('chains', chains || (
    select coalesce(jsonb_object_agg(coalesce(l.project_id::text, ''), (l.event).hash), '{}') from (
      select distinct on (x.project_id) x.project_id, x.event from app.events_in(events) x
      order by x.project_id, x.ordinality desc) l));
end
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
  v_actor app.actor := app.enter(actor, 'admin');
  v_event public.events := app.find_event(event, v_actor);
  v_copies public.events[];
begin
  perform app.refuse_limited(v_actor);
  if v_event.redacted_at is not null or v_event.event_type = 'event.redacted' then
    perform app.fail('illegal_transition', format('Event #%s is redacted already.', v_event.seq));
  end if;
  v_copies := app.copies_of(v_event);
  perform app.append((
    select jsonb_agg(jsonb_build_object('stream', 'event:' || c.id, 'type', 'event.redacted',
      'data', jsonb_build_object('reason', reason), 'causation', c.id) order by c.seq) from unnest(v_copies) c), v_actor);
  perform app.blank_event(c) from unnest(v_copies) c;
  perform app.rebuild(v_actor.tenant_id, array(select distinct c.stream from unnest(v_copies) c));
  delete from app.idempotency_keys k where k.tenant_id = v_actor.tenant_id and k.created_at >= v_event.created_at;
  v_event := app.find_event(v_event.id::text, v_actor);
  return app.event_brief(app.upcast(v_event), (
    select t.ref from public.tasks t where t.tenant_id = v_event.tenant_id and t.id = v_event.task_id));
end
$$;

-- Lists an event and what it caused in its own command, which may carry its words on: a dependent's reason, a trigger's
-- message. They are no further away than a command is long: what is asked, what policy and rules make of it, and what
-- is noted instead.
create function app.copies_of(event public.events)
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
