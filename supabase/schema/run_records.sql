-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.run_outputs (
  tenant_id uuid not null,
  run_id uuid not null,
  attempt integer not null,
  next_sequence integer not null,
  last_sequence integer not null,
  bytes bigint not null,
  dropped_bytes bigint not null,
  paced_until timestamp with time zone not null,
  left_out jsonb default '[]'::jsonb not null,
  last_bytes bigint default 0 not null,
  constraint run_outputs_pkey PRIMARY KEY (tenant_id, run_id, attempt),
  constraint run_outputs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint run_outputs_attempt_check CHECK ((attempt > 0)),
  constraint run_outputs_bytes_check CHECK ((bytes >= 0)),
  constraint run_outputs_dropped_bytes_check CHECK ((dropped_bytes >= 0)),
  constraint run_outputs_last_bytes_check CHECK ((last_bytes >= 0)),
  constraint run_outputs_last_sequence_check CHECK ((last_sequence >= '-1'::integer)),
  constraint run_outputs_left_out_check CHECK ((jsonb_typeof(left_out) = 'array'::text)),
  constraint run_outputs_next_sequence_check CHECK ((next_sequence >= 0))
);
alter table app.run_outputs enable row level security;
alter table app.run_outputs force row level security;
create policy door on app.run_outputs as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table public.agent_messages (
  tenant_id uuid not null,
  project_id uuid,
  run_id uuid not null,
  seq integer not null,
  role text not null,
  parts jsonb not null,
  tokens bigint,
  created_at timestamp with time zone not null,
  run_created_at timestamp with time zone not null,
  constraint agent_messages_pkey PRIMARY KEY (tenant_id, run_id, seq, run_created_at),
  constraint agent_messages_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint agent_messages_parts_check CHECK ((jsonb_typeof(parts) = 'array'::text)),
  constraint agent_messages_seq_check CHECK ((seq >= 0)),
  constraint agent_messages_tokens_check CHECK ((tokens >= 0))
) partition by RANGE (run_created_at);
alter table public.agent_messages enable row level security;
alter table public.agent_messages force row level security;
create policy door on public.agent_messages as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.agent_messages as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.agent_messages as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.agent_messages as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.agent_messages as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.agent_messages as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

create table public.agent_steps (
  tenant_id uuid not null,
  project_id uuid,
  run_id uuid not null,
  trace_id text not null,
  span_id text not null,
  parent_span_id text,
  kind text not null,
  name text not null,
  tool_type public.tool_type,
  status public.agent_step_status not null,
  started_at timestamp with time zone not null,
  completed_at timestamp with time zone,
  duration_ms bigint,
  tokens_in bigint,
  tokens_out bigint,
  tokens_cached bigint,
  cost_credits bigint,
  tool_call_id text,
  envelope_id uuid,
  error text,
  content jsonb,
  attributes jsonb,
  run_created_at timestamp with time zone not null,
  model text,
  tokens_cache_written bigint,
  cost_usd numeric,
  waited_ms bigint,
  created_at timestamp with time zone not null,
  constraint agent_steps_pkey PRIMARY KEY (tenant_id, trace_id, span_id, run_created_at),
  constraint agent_steps_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint agent_steps_attributes_check CHECK ((jsonb_typeof(attributes) = 'object'::text)),
  constraint agent_steps_cost_credits_check CHECK ((cost_credits >= 0)),
  constraint agent_steps_cost_usd_check CHECK ((cost_usd >= (0)::numeric)),
  constraint agent_steps_duration_ms_check CHECK ((duration_ms >= 0)),
  constraint agent_steps_kind_check CHECK ((kind = ANY (ARRAY['llm_prompt'::text, 'tool_call'::text, 'response'::text]))),
  constraint agent_steps_model_check CHECK (((char_length(model) >= 1) AND (char_length(model) <= 120))),
  constraint agent_steps_parent_span_id_check CHECK ((parent_span_id ~ '^[0-9a-f]{16}$'::text)),
  constraint agent_steps_span_id_check CHECK ((span_id ~ '^[0-9a-f]{16}$'::text)),
  constraint agent_steps_tokens_cache_written_check CHECK ((tokens_cache_written >= 0)),
  constraint agent_steps_tokens_cached_check CHECK ((tokens_cached >= 0)),
  constraint agent_steps_tokens_in_check CHECK ((tokens_in >= 0)),
  constraint agent_steps_tokens_out_check CHECK ((tokens_out >= 0)),
  constraint agent_steps_trace_id_check CHECK ((trace_id ~ '^[0-9a-f]{32}$'::text)),
  constraint agent_steps_waited_ms_check CHECK ((waited_ms >= 0))
) partition by RANGE (run_created_at);
CREATE INDEX idx_agent_steps_parent ON ONLY public.agent_steps USING btree (tenant_id, parent_span_id) WHERE (parent_span_id IS NOT NULL);
CREATE INDEX idx_agent_steps_run_started ON ONLY public.agent_steps USING btree (tenant_id, run_id, started_at);
CREATE TRIGGER steps_price BEFORE INSERT OR UPDATE ON public.agent_steps FOR EACH ROW WHEN ((new.kind = 'llm_prompt'::text)) EXECUTE FUNCTION app.price_step();
CREATE TRIGGER trigger_update_run_statistics AFTER INSERT ON public.agent_steps REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION app.update_run_statistics();
CREATE TRIGGER trigger_update_run_usage AFTER UPDATE ON public.agent_steps REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION app.update_run_statistics();
alter table public.agent_steps enable row level security;
alter table public.agent_steps force row level security;
create policy door on public.agent_steps as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.agent_steps as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.agent_steps as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.agent_steps as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.agent_steps as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.agent_steps as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

create table public.terminal_outputs (
  tenant_id uuid not null,
  project_id uuid,
  id uuid not null,
  run_id uuid not null,
  command_id uuid,
  agent_id uuid not null,
  attempt integer not null,
  stream_type text not null,
  content text not null,
  ansi_codes boolean not null,
  "timestamp" timestamp with time zone not null,
  sequence integer not null,
  created_at timestamp with time zone not null,
  constraint terminal_outputs_pkey PRIMARY KEY (tenant_id, run_id, attempt, sequence, "timestamp"),
  constraint terminal_outputs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint terminal_outputs_attempt_check CHECK ((attempt > 0)),
  constraint terminal_outputs_content_check CHECK (((octet_length(content) >= 1) AND (octet_length(content) <= 16384))),
  constraint terminal_outputs_sequence_check CHECK ((sequence >= 0)),
  constraint terminal_outputs_stream_type_check CHECK ((stream_type = ANY (ARRAY['stdout'::text, 'stderr'::text])))
) partition by RANGE ("timestamp");
CREATE INDEX idx_terminal_outputs_command_id ON ONLY public.terminal_outputs USING btree (tenant_id, command_id, sequence);
CREATE INDEX idx_terminal_outputs_timestamp ON ONLY public.terminal_outputs USING brin ("timestamp");
alter table public.terminal_outputs enable row level security;
alter table public.terminal_outputs force row level security;
create policy door on public.terminal_outputs as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.terminal_outputs as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.terminal_outputs as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.terminal_outputs as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.terminal_outputs as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.terminal_outputs as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.check_chunks(run public.agent_runs, chunks jsonb, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_left_out(left_out jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.count_output(run public.agent_runs, bytes bigint, at timestamp with time zone)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into app.output_days as d (tenant_id, slot, day, bytes)
    values (run.tenant_id, hashtext(run.id::text) & 15, (at at time zone 'UTC')::date, count_output.bytes)
    on conflict on constraint output_days_pkey do update
      set day = excluded.day, bytes = excluded.bytes + case when d.day = excluded.day then d.bytes else 0 end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_quota(run public.agent_runs, loses boolean, is_first boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_attempt_bytes_min()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
RETURN 10485760;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_last_bytes_max()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
RETURN 5242880;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_output_bytes_max()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
RETURN 52428800;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_output_quota()
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce((select (c.value ->> 'bytes')::bigint from public.system_config c where c.key = 'output_per_day'),
    2000000000)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.insert_output(run public.agent_runs, kept app.run_outputs, chunks jsonb, room bigint, at timestamp with time zone, OUT stored bigint, OUT bytes bigint, OUT dropped_from integer, OUT dropped bigint)
 RETURNS record
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_flood(kept app.run_outputs)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select kept.left_out @> '[{"why": "run"}]'
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.leave_out(kept app.run_outputs, first integer, below integer, bytes bigint, why text)
 RETURNS app.run_outputs
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_output(run public.agent_runs, at timestamp with time zone)
 RETURNS app.run_outputs
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.next_missing(run public.agent_runs, sequence integer, at timestamp with time zone)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
  select $2 + count(*)::integer
  from (
    select o.sequence, row_number() over (order by o.sequence) - 1 as place
    from public.terminal_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt and o.sequence >= $2
      and o."timestamp" between lower(app.output_times(run, at)) and upper(app.output_times(run, at))
    order by o.sequence limit 2000) s
  where s.sequence = $2 + s.place
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.output_files(run public.agent_runs, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select jsonb_agg(jsonb_build_object('records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256)
    order by a.starts_at, a.part)
  from app.record_archives a
  join app.record_tables r on r.table_name = a.table_name
  where a.tenant_id = run.tenant_id and a.table_name = 'terminal_outputs'
    and a.starts_at <= upper(app.output_times(run, at)) and a.ends_at > lower(app.output_times(run, at))
    and app.is_in_files(r, a.starts_at, a.tenant_id)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.output_room(kept app.run_outputs)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case
    when jsonb_array_length(kept.left_out) >= 20 then 0
    when app.is_flood(kept) then app.get_last_bytes_max() - kept.last_bytes
    else greatest(app.get_output_bytes_max() - sum(o.bytes - o.last_bytes),
      app.get_attempt_bytes_min() - kept.bytes) end
  from app.run_outputs o where o.tenant_id = kept.tenant_id and o.run_id = kept.run_id
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.output_room_today(run public.agent_runs, at timestamp with time zone)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select app.get_output_quota() - coalesce(sum(d.bytes), 0)::bigint
  from app.output_days d where d.tenant_id = run.tenant_id and d.day = (at at time zone 'UTC')::date
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.output_start(run public.agent_runs, attempt integer, last_bytes integer, pieces integer)
 RETURNS integer
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.output_times(run public.agent_runs, at timestamp with time zone)
 RETURNS tstzrange
 LANGUAGE sql
 STABLE
AS $function$
  select tstzrange(run.started_at - interval '1 day', coalesce(run.ended_at, at) + interval '1 day', '[]')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.over_quota(at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object('code', 'rate_limited', 'allowed_bytes', app.get_output_quota(),
    'until', (date_trunc('day', at at time zone 'UTC') + interval '1 day') at time zone 'UTC',
    'hint', 'Print less. Whoever runs the server may allow more: cairn output-quota.')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.store_chunks(run public.agent_runs, INOUT kept app.run_outputs, chunks jsonb, at timestamp with time zone, OUT stored bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.store_output(run public.agent_runs, chunks jsonb, left_out jsonb, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.add_output(run text, lock_token bigint, chunks jsonb DEFAULT '[]'::jsonb, left_out jsonb DEFAULT NULL::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_output(run text, attempt integer DEFAULT NULL::integer, after_sequence integer DEFAULT NULL::integer, last_bytes integer DEFAULT NULL::integer, page_size integer DEFAULT 100, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.set_output_quota(megabytes integer, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant delete, insert, select, update on app.run_outputs to cairn_owner;
grant execute on function public.add_output(text,bigint,jsonb,jsonb,jsonb) to authenticated;
grant execute on function public.add_output(text,bigint,jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.add_output(text,bigint,jsonb,jsonb,jsonb) to service_role;
grant execute on function public.list_output(text,integer,integer,integer,integer,jsonb) to authenticated;
grant execute on function public.list_output(text,integer,integer,integer,integer,jsonb) to cairn_server;
grant execute on function public.list_output(text,integer,integer,integer,integer,jsonb) to service_role;
grant execute on function public.set_output_quota(integer,jsonb) to authenticated;
grant execute on function public.set_output_quota(integer,jsonb) to cairn_server;
grant execute on function public.set_output_quota(integer,jsonb) to service_role;
grant select on public.agent_messages to authenticated;
grant insert, select on public.agent_messages to cairn_owner;
grant select on public.agent_steps to authenticated;
grant delete, insert, select, update on public.agent_steps to cairn_owner;
grant select on public.terminal_outputs to authenticated;
grant insert, select on public.terminal_outputs to cairn_owner;
