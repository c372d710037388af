-- Old events in files: the one way in which an event leaves the table.

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

-- plan_archive(before, size) -> {first_seq, last_seq, events}: the next events of the log that are all older than a
-- time, at most `size`; events is 0 when there are none. For the server's role, and owners.
create or replace function public.plan_archive(
  before timestamptz default null,
  size integer default 20000,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_from bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
  v_to bigint := (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id);
begin
  if before is null then
    perform app.fail('invalid_input', 'before must be a time: events older than it are archived.',
      jsonb_build_object('field', 'before'));
  end if;
  v_to := least(v_to, v_from + least(greatest(size, 1), 50000),
    (select min(e.seq) - 1 from public.events e where e.tenant_id = v_actor.tenant_id and e.created_at >= before));
  return jsonb_build_object('first_seq', v_from + 1, 'last_seq', v_to, 'events', v_to - v_from);
end
$$;

-- The streams that events up to a position belong to, each with its version and what it had made by then. Null for a
-- stream of no table.
create or replace function app.states_at(tenant_id uuid, last_seq bigint, streams text[])
  returns table (stream text, version bigint, seq bigint, project_id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_states jsonb := '{}';
  v_found jsonb;
begin
  for v_model in select * from app.read_models loop
    select coalesce(jsonb_object_agg(v_model.category || ':' || f.id, f.state), '{}') into v_found
      from app.fold_streams(v_model.category, states_at.tenant_id, null, states_at.last_seq, states_at.streams) f;
    v_states := v_states || v_found;
  end loop;
  return query select distinct on (e.stream) e.stream, e.version, e.seq, e.project_id, v_states -> e.stream
    from public.events e
    where e.tenant_id = states_at.tenant_id and e.seq <= states_at.last_seq and e.stream = any (states_at.streams)
    order by e.stream, e.version desc;
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
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_from bigint := app.check_archivable(v_actor.tenant_id, last_seq);
  v_streams text[] := array(
    select distinct e.stream from public.events e
    where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq);
begin
  return jsonb_build_object(
    'streams', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('stream', s.stream, 'version', s.version))
          || jsonb_build_object('state', s.state)
        order by s.seq), '[]')
      from app.states_at(v_actor.tenant_id, last_seq, v_streams) s),
    'chains', (
      select coalesce(jsonb_agg(jsonb_build_object('project_id', c.project_id, 'hash', c.hash)), '[]')
      from (
        select distinct on (e.project_id) e.project_id, e.hash
        from public.events e
        where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq
        order by e.project_id, e.seq desc) c));
end
$$;

-- Owned by cairn_keeper, the only role whose removal of an event the last wall lets pass.
create or replace function app.remove_events(last_seq bigint)
  returns void
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  delete from public.events e where e.tenant_id = app.get_tenant_id() and e.seq <= last_seq
$$;

-- Questions among archived events are open no longer.
create or replace function public.archive_events(manifest jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_last bigint := (manifest ->> 'last_seq')::bigint;
  v_from bigint := app.check_archiving(v_actor, v_last);
  v_streams text[] := array(
    select distinct e.stream from public.events e
    where e.tenant_id = v_actor.tenant_id and e.seq <= v_last);
begin
  if (manifest ->> 'first_seq')::bigint <> v_from + 1
      or (manifest ->> 'events')::bigint <> v_last - v_from
      or manifest ->> 'last_hash' is distinct from (
        select e.hash::text from public.events e
        where e.tenant_id = v_actor.tenant_id and e.seq = v_last) then
    perform app.fail('invalid_input',
      format('The file is not of the events %s to %s of this workspace.', v_from + 1, v_last), null,
      'Archive again: what was written is written anew.');
  end if;
  insert into app.archived_streams as a (tenant_id, stream, version, seq, project_id, state)
    select v_actor.tenant_id, s.stream, s.version, s.seq, s.project_id, s.state
    from app.states_at(v_actor.tenant_id, v_last, v_streams) s
    on conflict (tenant_id, stream) do update
      set version = excluded.version, seq = excluded.seq, state = excluded.state;
  insert into app.archived_chains as a (tenant_id, project_id, hash)
    select distinct on (e.project_id) e.tenant_id, e.project_id, e.hash
    from public.events e
    where e.tenant_id = v_actor.tenant_id and e.seq <= v_last
    order by e.project_id, e.seq desc
    on conflict (tenant_id, project_id) do update set hash = excluded.hash;
  insert into app.archives (tenant_id, first_seq, last_seq, events, location, file, sha256, created_at)
    values (v_actor.tenant_id, v_from + 1, v_last, v_last - v_from, manifest ->> 'location', manifest ->> 'file',
      manifest ->> 'sha256', app.now());
  delete from app.search_documents d using public.events e
    where d.tenant_id = v_actor.tenant_id
      and d.kind = 'event'
      and e.tenant_id = d.tenant_id
      and e.id = d.id
      and e.seq <= v_last;
  delete from app.unanswered u where u.tenant_id = v_actor.tenant_id and u.seq <= v_last;
  update app.positions p set archived_to = v_last where p.tenant_id = v_actor.tenant_id;
  perform app.remove_events(v_last);
  perform app.enter_retention(v_actor.tenant_id, jsonb_build_object('table', 'events', 'first_seq', v_from + 1,
    'last_seq', v_last, 'records', v_last - v_from, 'done', 'archived'));
  return jsonb_build_object('archived_to', v_last);
end
$$;

-- list_archives() -> {archived_to, archives: [{first_seq, last_seq, events, location, file, sha256}]}, oldest first.
create or replace function public.list_archives(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return jsonb_build_object(
    'archived_to', (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id),
    'archives', (
      select coalesce(jsonb_agg(to_jsonb(a) - 'tenant_id' - 'created_at' order by a.first_seq), '[]')
      from app.archives a
      where a.tenant_id = v_actor.tenant_id));
end
$$;

-- check_events(events, chains) -> {chains, difference?}. Follows the chains of events that are not in the table:
-- `chains` is the last hash of each project so far, by id, empty for the workspace's own.
create or replace function public.check_events(
  events jsonb default '[]',
  chains jsonb default '{}',
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_difference jsonb;
begin
  if jsonb_typeof(chains) is distinct from 'object' then
    perform app.fail('invalid_input',
      'chains must be an object that maps each project to the hash of its last event before.',
      jsonb_build_object('field', 'chains'), 'Pass the chains of the answer before, or {} to begin.');
  end if;
  select jsonb_build_object('seq', c.seq, 'stream', c.stream, 'wrong', coalesce(c.wrong, 'chain')) into v_difference
    from (
      select x.ordinality as at,
        x.seq,
        x.stream,
        app.wrong_column(x.event) as wrong,
        (x.event).prev_hash::text
          is not distinct from coalesce(lag((x.event).hash::text) over (partition by x.project_id
              order by x.ordinality),
            chains ->> coalesce(x.project_id::text, '')) as links,
        (x.event).hash = app.event_hash(x.event) as hashes,
        case when x.redacted_at is null
          then coalesce((x.event).cleaned_hash, (x.event).payload_hash) = app.payload_hash((x.event).payload)
          else (x.event).payload = app.blank_payload(x.event) end as pays
      from app.read_events_given('events', events) x) c
    where (c.links and c.hashes and c.pays and c.wrong is null) is not true
    order by c.at limit 1;
  if v_difference is not null then
    return jsonb_build_object('chains', chains, 'difference', v_difference);
  end if;
  return jsonb_build_object('chains', chains || (
    select coalesce(jsonb_object_agg(coalesce(l.project_id::text, ''), (l.event).hash), '{}') from (
      select distinct on (x.project_id) x.project_id, x.event from app.read_events_given('events', events) x
      order by x.project_id, x.ordinality desc) l));
end
$$;
