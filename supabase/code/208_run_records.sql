-- The records of runs: what they printed, in order; their steps and messages.

-- Output is a month in the database and two more in files; traces are kept for good.
select app.define_records('terminal_outputs', 'week', archive_days => 30, keep_days => 90);
select app.define_records('agent_steps', 'month', archive_days => 90, appended => false);
select app.define_records('agent_messages', 'month', archive_days => 90);

-- A run may store 50 MB, over all its attempts, and each attempt at least 10; of one that prints more, its end besides.
create or replace function app.get_output_bytes_max() returns bigint language sql immutable return 52428800;
create or replace function app.get_attempt_bytes_min() returns bigint language sql immutable return 10485760;
create or replace function app.get_last_bytes_max() returns bigint language sql immutable return 5242880;

-- When something of a run may have been printed: a day is left for clocks that differ.
create or replace function app.output_times(run public.agent_runs, at timestamptz) returns tstzrange language sql stable
as $$
  select tstzrange(run.started_at - interval '1 day', coalesce(run.ended_at, at) + interval '1 day', '[]')
$$;

-- Refuses chunks that are not of a run: their form, their sizes, their times.
create or replace function app.check_chunks(run public.agent_runs, chunks jsonb, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_formed boolean;
  v_bytes bigint;
  v_times timestamptz[];
  v_time timestamptz;
begin
  begin
    select count(*) <= 1000 and count(distinct c.sequence) = count(*) and coalesce(bool_and((c.sequence >= 0
          and c.stream in ('stdout', 'stderr') and c.content <> '' and isfinite(c."at")) is true), true)
          and coalesce(max(octet_length(c.content)), 0) <= 16384,
        coalesce(sum(octet_length(c.content)), 0), array[min(c."at"), max(c."at")]
      into v_is_formed, v_bytes, v_times
      from jsonb_to_recordset(chunks) c (sequence integer, stream text, content text, "at" timestamptz, ansi boolean);
  exception
    when data_exception then
      v_is_formed := false;
  end;
  perform app.check_form('chunks', v_is_formed, 'a list of at most 1,000 {sequence, stream, content, at, ansi?}, each '
    'sequence once, each stream stdout or stderr, each content of 1 to 16,384 bytes');
  perform app.check_form('chunks', v_bytes <= 262144, 'of at most 262,144 bytes together');
  foreach v_time in array array_remove(v_times, null) loop
    if not app.output_times(run, at) @> v_time then
      perform app.fail('invalid_input', format('A chunk says that it was printed at %s, when the run was not on.',
          to_char(v_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
        jsonb_build_object('field', 'chunks', 'now', at, 'started_at', run.started_at),
        'The clock of its machine is wrong: compare it with the server''s.');
    end if;
    perform app.ensure_partition('terminal_outputs', v_time);
  end loop;
end
$$;

create or replace function app.check_left_out(left_out jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_formed boolean;
begin
  begin
    v_is_formed := left_out is null or (jsonb_typeof(left_out) = 'object' and (left_out ->> 'below')::integer > 0
      and (left_out ->> 'bytes')::bigint between 1 and 1125899906842624
      and coalesce(left_out ->> 'why', 'run') in ('run', 'lost')) is true;
  exception
    when data_exception then
      v_is_formed := false;
  end;
  perform app.check_form('left_out', v_is_formed,
    '{below, bytes, why?}: the sequence that comes next, how many bytes, and run or lost');
end
$$;

-- Locks how far the output of a run's attempt has come.
create or replace function app.lock_output(run public.agent_runs, at timestamptz)
  returns app.run_outputs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept app.run_outputs;
begin
  insert into app.run_outputs (tenant_id, run_id, attempt, next_sequence, last_sequence, bytes, dropped_bytes,
      paced_until)
    select run.tenant_id, run.id, run.attempt, 0, -1, 0, 0, at
    where not exists (
      select from app.run_outputs o
      where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt)
    on conflict do nothing;
  select * into strict v_kept from app.run_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt for no key update;
  return v_kept;
end
$$;

-- Finds the first sequence, from one on, that an attempt lacks; looks 2,000 ahead.
create or replace function app.next_missing(run public.agent_runs, sequence integer, at timestamptz)
  returns integer
  language sql
  stable
as $$
  select $2 + count(*)::integer
  from (
    select o.sequence, row_number() over (order by o.sequence) - 1 as place
    from public.terminal_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt and o.sequence >= $2
      and o."timestamp" between lower(app.output_times(run, at)) and upper(app.output_times(run, at))
    order by o.sequence limit 2000) s
  where s.sequence = $2 + s.place
$$;

-- Tells whether an attempt printed more than is kept: from then on only its end is.
create or replace function app.is_flood(kept app.run_outputs) returns boolean language sql immutable as $$
  select kept.left_out @> '[{"why": "run"}]'
$$;

-- How many bytes an attempt may still store. None where so many places of it are left out that more could not be told.
create or replace function app.output_room(kept app.run_outputs)
  returns bigint
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_array_length(kept.left_out) >= 20 then 0
    when app.is_flood(kept) then app.get_last_bytes_max() - kept.last_bytes
    else greatest(app.get_output_bytes_max() - sum(o.bytes - o.last_bytes),
      app.get_attempt_bytes_min() - kept.bytes) end
  from app.run_outputs o where o.tenant_id = kept.tenant_id and o.run_id = kept.run_id
$$;

-- Notes that sequences of an attempt are not kept, and why: `run` for what one run may store, `day` for what its
-- workspace may in a day, `lost` for what a runner that was killed took with it. Those that follow one another are one
-- place.
create or replace function app.leave_out(kept app.run_outputs, first integer, below integer, bytes bigint, why text)
  returns app.run_outputs
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_last jsonb := kept.left_out -> -1;
begin
  if v_last ->> 'why' = why and (v_last ->> 'below')::integer >= first or jsonb_array_length(kept.left_out) >= 20 then
    kept.left_out := jsonb_set(kept.left_out, '{-1}', v_last || jsonb_build_object(
      'below', greatest((v_last ->> 'below')::integer, leave_out.below),
      'bytes', (v_last ->> 'bytes')::bigint + leave_out.bytes));
  else
    kept.left_out := kept.left_out
      || jsonb_build_object('from', first, 'below', leave_out.below, 'bytes', leave_out.bytes, 'why', why);
  end if;
  kept.dropped_bytes := kept.dropped_bytes + leave_out.bytes;
  kept.next_sequence := greatest(kept.next_sequence, leave_out.below);
  kept.last_sequence := greatest(kept.last_sequence, leave_out.below - 1);
  return kept;
end
$$;

-- Adds those chunks that are not there; answers how many they were, their bytes, and of those for which there is no
-- room the first sequence and the bytes.
create or replace function app.insert_output(
  run public.agent_runs,
  kept app.run_outputs,
  chunks jsonb,
  room bigint,
  at timestamptz,
  out stored bigint,
  out bytes bigint,
  out dropped_from integer,
  out dropped bigint
)
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  with given as (
    select c.*, octet_length(c.content) as size, sum(octet_length(c.content)) over (order by c.sequence) as upto
    from jsonb_to_recordset(chunks) c (sequence integer, stream text, content text, "at" timestamptz, ansi boolean)
    where c.sequence >= kept.next_sequence
      and (c.sequence > kept.last_sequence or not exists (
        select from public.terminal_outputs o
        where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt
          and o.sequence = c.sequence
          and o."timestamp" between lower(app.output_times(run, $5)) and upper(app.output_times(run, $5)))
    )
  ), added as (
    insert into public.terminal_outputs (tenant_id, project_id, id, run_id, command_id, agent_id, attempt, stream_type,
        content, ansi_codes, "timestamp", sequence, created_at)
      select run.tenant_id, run.project_id, app.uuid_v7(), run.id, run.command_id, run.agent_id, run.attempt, g.stream,
        g.content, coalesce(g.ansi, strpos(g.content, chr(27)) > 0), g."at", g.sequence, $5
      from given g
      where g.upto <= room
      on conflict do nothing
      returning octet_length(content) as size
  )
  select (select count(*) from added), (select coalesce(sum(a.size), 0) from added a), min(g.sequence),
    coalesce(sum(g.size), 0)
  from given g where g.upto > room
$$;

-- What a workspace may add to the output of its runs in a day, by UTC.
create or replace function app.get_output_quota() returns bigint language sql stable as $$
  select coalesce((select (c.value ->> 'bytes')::bigint from public.system_config c where c.key = 'output_per_day'),
    2000000000)
$$;

-- How many bytes the workspace of a run may still add today. What it was refused counts too, so that nothing is kept in
-- pieces; calls at the same moment may together add a little more.
create or replace function app.output_room_today(run public.agent_runs, at timestamptz)
  returns bigint
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select app.get_output_quota() - coalesce(sum(d.bytes), 0)::bigint
  from app.output_days d where d.tenant_id = run.tenant_id and d.day = (at at time zone 'UTC')::date
$$;

-- Counts what a run adds today.
create or replace function app.count_output(run public.agent_runs, bytes bigint, at timestamptz)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  insert into app.output_days as d (tenant_id, slot, day, bytes)
    values (run.tenant_id, hashtext(run.id::text) & 15, (at at time zone 'UTC')::date, count_output.bytes)
    on conflict on constraint output_days_pkey do update
      set day = excluded.day, bytes = excluded.bytes + case when d.day = excluded.day then d.bytes else 0 end
$$;

-- Stores chunks as far as there is room, and notes how far the attempt has come.
create or replace function app.store_chunks(
  run public.agent_runs,
  inout kept app.run_outputs,
  chunks jsonb,
  at timestamptz,
  out stored bigint
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room constant bigint := app.output_room(kept);
  v_today constant bigint := app.output_room_today(run, at);
  v_added record;
  v_first integer;
  v_last integer;
begin
  select * into v_added from app.insert_output(run, kept, chunks, least(v_room, v_today), at);
  select min((c ->> 'sequence')::integer), max((c ->> 'sequence')::integer) into v_first, v_last
    from jsonb_array_elements(chunks) c;
  stored := v_added.stored;
  kept.bytes := kept.bytes + v_added.bytes;
  kept.last_bytes := kept.last_bytes + case when app.is_flood(kept) then v_added.bytes else 0 end;
  -- More than 16 MB a second and a run is asked to let others go first.
  kept.paced_until := greatest(kept.paced_until, at) + v_added.bytes * interval '1 second' / 16777216;
  if v_added.dropped > 0 then
    kept := app.leave_out(kept, v_added.dropped_from, v_last + 1, v_added.dropped,
      case when v_today < v_room then 'day' else 'run' end);
  elsif kept.last_sequence < kept.next_sequence and v_first <= kept.next_sequence
      and v_last - v_first + 1 = jsonb_array_length(chunks) then
    kept.next_sequence := greatest(kept.next_sequence, v_last + 1);
  else
    kept.next_sequence := app.next_missing(run, kept.next_sequence, at);
  end if;
  kept.last_sequence := greatest(kept.last_sequence, v_last);
  perform app.count_output(run, v_added.bytes + case when v_today < v_room then v_added.dropped else 0 end, at);
end
$$;

-- What tells a holder that its workspace may add no more today.
create or replace function app.over_quota(at timestamptz) returns jsonb language sql stable as $$
  select jsonb_build_object('code', 'rate_limited', 'allowed_bytes', app.get_output_quota(),
    'until', (date_trunc('day', at at time zone 'UTC') + interval '1 day') at time zone 'UTC',
    'hint', 'Print less. Whoever runs the server may allow more: cairn output-quota.')
$$;

-- Raises an alert where an attempt begins to lose output because its workspace has used up its day, one for each
-- project. The first output of another day resolves it.
create or replace function app.follow_quota(run public.agent_runs, loses boolean, is_first boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key constant text := 'output_quota:' || coalesce(run.project_id::text, 'workspace');
begin
  if loses then
    perform app.record_alert(v_key, jsonb_build_object(
      'kind', 'output_quota',
      'severity', 'medium',
      'title', 'What agents print is not kept any more today.',
      'details', jsonb_build_object('run', run.id) || app.over_quota(app.now()),
      'project', run.project_id));
  elsif is_first then
    perform app.settle_alert(v_key);
  end if;
end
$$;

-- Stores what the holder of an attempt sends: what it left out, and chunks after it.
create or replace function app.store_output(run public.agent_runs, chunks jsonb, left_out jsonb, at timestamptz)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept app.run_outputs := app.lock_output(run, at);
  v_below constant integer := left_out ->> 'below';
  v_added record;
  v_stored bigint := 0;
  v_places integer;
  v_dropped bigint;
  v_is_first boolean := false;
  v_is_over boolean;
  v_pause integer;
begin
  if v_below > v_kept.next_sequence then
    v_kept := app.leave_out(v_kept, v_kept.next_sequence, v_below, (left_out ->> 'bytes')::bigint,
      coalesce(left_out ->> 'why', 'run'));
  end if;
  v_places := jsonb_array_length(v_kept.left_out);
  v_dropped := v_kept.dropped_bytes;
  if jsonb_array_length(chunks) > 0 then
    v_is_first := app.output_room_today(run, at) = app.get_output_quota();
    select * into v_added from app.store_chunks(run, v_kept, chunks, at);
    v_kept := v_added.kept;
    v_stored := v_added.stored;
    v_pause := 1000 * extract(epoch from v_kept.paced_until - at) - 1000;
  end if;
  update app.run_outputs o
    set next_sequence = v_kept.next_sequence, last_sequence = v_kept.last_sequence, bytes = v_kept.bytes,
      last_bytes = v_kept.last_bytes, left_out = v_kept.left_out, dropped_bytes = v_kept.dropped_bytes,
      paced_until = v_kept.paced_until
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt;
  v_is_over := v_kept.dropped_bytes > v_dropped and v_kept.left_out -> -1 ->> 'why' = 'day';
  perform app.follow_quota(run, v_is_over and jsonb_array_length(v_kept.left_out) > v_places, v_is_first);
  return jsonb_strip_nulls(jsonb_build_object('next_seq', v_kept.next_sequence, 'stored', v_stored,
    'dropped_bytes', nullif(v_kept.dropped_bytes, 0), 'full', case when app.is_flood(v_kept) then true end,
    'over_quota', case when v_is_over then app.over_quota(at) end,
    'pause_ms', case when v_pause > 0 then v_pause end));
end
$$;

-- add_output(run, lock_token, chunks [{sequence, stream, content, at, ansi?}], left_out? {below, bytes, why?}) ->
-- {next_seq, stored, dropped_bytes?, full?, over_quota?, pause_ms?}: what an attempt of a run printed, for its runner,
-- also after its end. Sequences count from 0 in each attempt; what is there already changes nothing, and below next_seq
-- nothing is missing. `left_out` says how many bytes from next_seq to below a sequence its holder does not send: it
-- keeps no more of a run (`run`), or a runner was killed that had them (`lost`). Without chunks and it, it only
-- answers. Once a run has printed more than is kept, `full` asks to keep the last 5 MB of the attempt and to send
-- them at its end, after what was left out; `over_quota` says that its workspace has used up its day. What there is no
-- room for is counted. Raises lock_lost, invalid_input.
create or replace function public.add_output(
  run text,
  lock_token bigint,
  chunks jsonb default '[]',
  left_out jsonb default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_now timestamptz := app.now();
  v_answer jsonb;
begin
  perform app.check_run_holder(v_run, lock_token, v_actor);
  perform app.check_left_out(left_out);
  perform app.check_chunks(v_run, chunks, v_now);
  v_answer := app.store_output(v_run, chunks, left_out, v_now);
  -- It may have ended meanwhile.
  select * into v_run from public.agent_runs r where r.tenant_id = v_run.tenant_id and r.id = v_run.id;
  if v_run.ended_at is not null and (v_answer ->> 'stored')::integer > 0 then
    perform app.keep_screen(v_run);
  end if;
  return v_answer;
end
$$;

-- set_output_quota(megabytes) -> {megabytes}: what each workspace may add to the output of runs in a day. For the user
-- who runs the server. Raises forbidden, invalid_input.
create or replace function public.set_output_quota(megabytes integer, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
begin
  perform app.refuse_agent(v_actor, 'How much output a workspace keeps is decided', 'cairn output-quota');
  perform app.refuse_guest(v_actor, 'says how much output a workspace keeps', 'cairn output-quota');
  perform app.check_form('megabytes', megabytes between 1 and 1000000000, 'a number of 1 to 1,000,000,000');
  perform app.set_config_value('output_per_day', jsonb_build_object('bytes', 1000000 * megabytes::bigint),
    app.actor_name(v_actor));
  return jsonb_build_object('megabytes', megabytes);
end
$$;

-- The files that hold output of a run's time, in the order of their records.
create or replace function app.output_files(run public.agent_runs, at timestamptz)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(jsonb_build_object('records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256)
    order by a.starts_at, a.part)
  from app.record_archives a
  join app.record_tables r on r.table_name = a.table_name
  where a.tenant_id = run.tenant_id and a.table_name = 'terminal_outputs'
    and a.starts_at <= upper(app.output_times(run, at)) and a.ends_at > lower(app.output_times(run, at))
    and app.is_in_files(r, a.starts_at, a.tenant_id)
$$;

-- The piece after which the last bytes of an attempt are, of its last pieces; null without a wish.
create or replace function app.output_start(
  run public.agent_runs,
  attempt integer,
  last_bytes integer,
  pieces integer
)
  returns integer
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select min(s.sequence) - 1
  from (
    select p.sequence, sum(p.size) over (order by p.sequence desc) as upto
    from (
      select o.sequence, octet_length(o.content) as size
      from public.terminal_outputs o
      where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = $2
        and o."timestamp" between lower(app.output_times(run, app.now())) and upper(app.output_times(run, app.now()))
      order by o.sequence desc limit pieces) p) s
  where s.upto <= last_bytes
$$;

-- list_output(run, attempt?, after_sequence?, last_bytes?, page_size) -> {run, agent, attempt, attempts, chunks
-- [{sequence, stream, content, ansi, at}], next_sequence?, last_sequence?, ended, dropped_bytes?, left_out? [{from,
-- below, bytes, why}], files?}: what an attempt of a run has printed, by default the latest, in order, at most 256 KB
-- an answer. `last_bytes`: only so many of the end. `next_sequence`: there is more after it. `left_out`: the sequences
-- of the attempt that were not kept. `files` hold older parts.
create or replace function public.list_output(
  run text,
  attempt integer default null,
  after_sequence integer default null,
  last_bytes integer default null,
  page_size integer default 100,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_attempt integer := coalesce(attempt, v_run.attempt);
  v_size integer := app.page_size(page_size, 1000);
  v_now timestamptz := app.now();
  v_times tstzrange := app.output_times(v_run, v_now);
  v_from timestamptz := lower(v_times);
  v_to timestamptz := upper(v_times);
  v_after integer := coalesce(after_sequence, app.output_start(v_run, v_attempt, last_bytes, v_size), -1);
  v_row record;
  v_chunks jsonb[] := '{}';
  v_bytes integer := 0;
  v_last integer;
  v_next integer;
begin
  for v_row in
    select * from public.terminal_outputs o
    where o.tenant_id = v_run.tenant_id and o.run_id = v_run.id and o.attempt = v_attempt
      and o.sequence > v_after and o."timestamp" between v_from and v_to
    order by o.sequence, o."timestamp" limit v_size + 1
  loop
    v_bytes := v_bytes + octet_length(v_row.content);
    if cardinality(v_chunks) = v_size or v_bytes > 262144 then
      v_next := v_last;
      exit;
    end if;
    v_last := v_row.sequence;
    v_chunks := v_chunks || jsonb_build_object('sequence', v_row.sequence, 'stream', v_row.stream_type,
      'content', v_row.content, 'ansi', v_row.ansi_codes, 'at', v_row."timestamp");
  end loop;
  return jsonb_strip_nulls(jsonb_build_object('run', v_run.id, 'agent', v_run.agent_name, 'attempt', v_attempt,
      'attempts', v_run.attempt, 'chunks', to_jsonb(v_chunks), 'next_sequence', v_next,
      'ended', v_run.ended_at is not null or v_attempt < v_run.attempt,
      'files', app.output_files(v_run, v_now)))
    || coalesce((
      select jsonb_strip_nulls(jsonb_build_object('last_sequence', nullif(o.last_sequence, -1), 'dropped_bytes',
        nullif(o.dropped_bytes, 0), 'left_out', nullif(o.left_out, '[]')))
      from app.run_outputs o
      where o.tenant_id = v_run.tenant_id and o.run_id = v_run.id and o.attempt = v_attempt), '{}');
end
$$;
