-- The archive: the one way in which an event leaves the table, after it was written to a file and read back. What stays is the boundary:
-- the last hash of each chain, and of each stream its version and what it made, so that the chain goes on and a rebuild starts there.

create table app.archives (
  tenant_id uuid not null references public.tenants,
  first_seq bigint not null check (first_seq > 0),
  last_seq bigint not null,
  events bigint not null,
  location text not null check (char_length(location) between 1 and 1000),
  file text not null check (file ~ '^[a-z0-9][a-z0-9.-]{0,199}$'),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null,
  primary key (tenant_id, first_seq),
  check (last_seq = first_seq + events - 1)
);

create function app.check_archiving(actor app.actor, last_seq bigint)
  returns bigint
  language plpgsql
  set search_path = ''
as $$
declare
  v_position app.positions;
begin
  select * into v_position from app.positions p where p.tenant_id = actor.tenant_id for no key update;
  if last_seq is null or last_seq <= v_position.archived_to or last_seq > v_position.seq then
    perform app.fail('invalid_input', format('The archive ends at %s, the log at %s: %s is not between them.', v_position.archived_to, v_position.seq, last_seq),
      jsonb_build_object('field', 'last_seq'));
  end if;
  return v_position.archived_to;
end
$$;

-- plan_archive(before, size) -> {first_seq, last_seq, events}: the next events of the log that are all older than a time, at most `size`;
-- events is 0 when there are none. For the server's role, and owners.
create function public.plan_archive(before timestamptz default null, size integer default 20000, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  v_actor app.actor := app.enter_person(actor, 'owner');
  v_from bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
  v_to bigint := (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id);
begin
  if before is null then
    perform app.fail('invalid_input', 'before is the time that archived events are older than.', jsonb_build_object('field', 'before'));
  end if;
  v_to := least(v_to, v_from + least(greatest(size, 1), 50000), (select min(e.seq) - 1 from public.events e where e.tenant_id = v_actor.tenant_id and e.created_at >= before));
  return jsonb_build_object('first_seq', v_from + 1, 'last_seq', v_to, 'events', v_to - v_from);
end
$$;

-- The streams that events up to a position belong to, each with its version and what it had made by then. Null for a stream of no table.
create function app.states_at(tenant_id uuid, last_seq bigint, streams text[])
  returns table (stream text, version bigint, seq bigint, project_id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_model app.read_models;
  v_states jsonb := '{}';
  v_found jsonb;
begin
  for v_model in select * from app.read_models loop
    select coalesce(jsonb_object_agg(v_model.category || ':' || f.id, f.state), '{}') into v_found
      from app.folded(v_model.category, states_at.tenant_id, null, states_at.last_seq, states_at.streams) f;
    v_states := v_states || v_found;
  end loop;
  return query select distinct on (e.stream) e.stream, e.version, e.seq, e.project_id, v_states -> e.stream
    from public.events e where e.tenant_id = states_at.tenant_id and e.seq <= states_at.last_seq and e.stream = any (states_at.streams) order by e.stream, e.version desc;
end
$$;

-- snapshot_events(last_seq) -> {streams: [{stream, version, state?}], chains: [{project_id?, hash}]}: the boundary as it will be after
-- archiving up to there, of what the events up to there changed. For the server's role, and owners.
create function public.snapshot_events(last_seq bigint default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter_person(actor, 'owner');
  v_from bigint := app.check_archiving(v_actor, last_seq);
  v_streams text[] := array(select distinct e.stream from public.events e where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq);
begin
  return jsonb_build_object(
    'streams', (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('stream', s.stream, 'version', s.version)) || jsonb_build_object('state', s.state) order by s.seq), '[]')
      from app.states_at(v_actor.tenant_id, last_seq, v_streams) s),
    'chains', (select coalesce(jsonb_agg(jsonb_build_object('project_id', c.project_id, 'hash', c.hash)), '[]') from (
      select distinct on (e.project_id) e.project_id, e.hash from public.events e
      where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq order by e.project_id, e.seq desc) c));
end
$$;

-- Owned by cairn_keeper, the only role whose removal of an event the last wall lets pass.
create function app.remove_events(last_seq bigint)
  returns void
  language sql
  security definer
  set search_path = ''
as $$
  delete from public.events e where e.tenant_id = app.tenant() and e.seq <= last_seq
$$;

-- archive_events(manifest {first_seq, last_seq, events, last_hash, location, file, sha256}) -> {archived_to}. Keeps the boundary and removes
-- the events, which whoever calls has written to that file and read back. For the server's role alone, and owners.
create function public.archive_events(manifest jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter_person(actor, 'owner');
  v_last bigint := (manifest ->> 'last_seq')::bigint;
  v_from bigint := app.check_archiving(v_actor, v_last);
  v_streams text[] := array(select distinct e.stream from public.events e where e.tenant_id = v_actor.tenant_id and e.seq <= v_last);
begin
  if (manifest ->> 'first_seq')::bigint <> v_from + 1 or (manifest ->> 'events')::bigint <> v_last - v_from
      or manifest ->> 'last_hash' is distinct from (select e.hash::text from public.events e where e.tenant_id = v_actor.tenant_id and e.seq = v_last) then
    perform app.fail('invalid_input', format('The file is not of the events %s to %s of this workspace.', v_from + 1, v_last), null, 'Archive again: what was written is written anew.');
  end if;
  insert into app.archived_streams as a (tenant_id, stream, version, seq, project_id, state)
    select v_actor.tenant_id, s.stream, s.version, s.seq, s.project_id, s.state from app.states_at(v_actor.tenant_id, v_last, v_streams) s
    on conflict (tenant_id, stream) do update set version = excluded.version, seq = excluded.seq, state = excluded.state;
  insert into app.archived_chains as a (tenant_id, project_id, hash)
    select distinct on (e.project_id) e.tenant_id, e.project_id, e.hash from public.events e
      where e.tenant_id = v_actor.tenant_id and e.seq <= v_last order by e.project_id, e.seq desc
    on conflict (tenant_id, project_id) do update set hash = excluded.hash;
  insert into app.archives (tenant_id, first_seq, last_seq, events, location, file, sha256, created_at)
    values (v_actor.tenant_id, v_from + 1, v_last, v_last - v_from, manifest ->> 'location', manifest ->> 'file', manifest ->> 'sha256', app.now());
  delete from app.search_documents d using public.events e
    where d.tenant_id = v_actor.tenant_id and d.kind = 'event' and e.tenant_id = d.tenant_id and e.id = d.id and e.seq <= v_last;
  update app.positions p set archived_to = v_last where p.tenant_id = v_actor.tenant_id;
  perform app.remove_events(v_last);
  return jsonb_build_object('archived_to', v_last);
end
$$;

-- list_archives() -> {archived_to, archives: [{first_seq, last_seq, events, location, file, sha256}]}, oldest first.
create function public.list_archives(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  v_actor app.actor := app.enter(actor);
begin
  return jsonb_build_object('archived_to', (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id),
    'archives', (select coalesce(jsonb_agg(to_jsonb(a) - 'tenant_id' - 'created_at' order by a.first_seq), '[]') from app.archives a where a.tenant_id = v_actor.tenant_id));
end
$$;

-- check_events(events, chains) -> {chains, difference?}. Follows the chains of events that are not in the table: `chains` is the last hash of
-- each project so far, by id, empty for the workspace's own.
create function public.check_events(events jsonb default '[]', chains jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_event public.events;
  v_chain text;
begin
  for v_event in select * from jsonb_populate_recordset(null::public.events, events) loop
    v_chain := coalesce(v_event.project_id::text, '');
    if v_event.prev_hash::text is distinct from chains ->> v_chain or v_event.hash <> app.event_hash(v_event)
        or v_event.redacted_at is null and v_event.payload_hash <> app.payload_hash(v_event.payload)
        or v_event.redacted_at is not null and v_event.payload <> app.blanked(v_event) then
      return jsonb_build_object('chains', chains, 'difference', jsonb_build_object('seq', v_event.seq, 'stream', v_event.stream, 'wrong', 'chain'));
    end if;
    chains := chains || jsonb_build_object(v_chain, v_event.hash);
  end loop;
  return jsonb_build_object('chains', chains);
end
$$;
