-- Steps of runs: prompts, tool calls and answers as one tree, what they used and what that cost.

-- Whether a project keeps what was said: prompts, arguments, answers.
create or replace function app.keeps_content(run public.agent_runs) returns boolean language sql stable as $$
  select coalesce((
    select p.rules #>> '{traces,content}' = 'true'
    from public.projects p
    where p.tenant_id = run.tenant_id and p.id = run.project_id), false)
$$;

create or replace function app.check_steps(steps jsonb, links jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_formed boolean;
begin
  begin
    select count(*) <= 1000 and coalesce(bool_and((s.trace_id ~ '^[0-9a-f]{32}$' and s.span_id ~ '^[0-9a-f]{16}$'
          and (s.parent_span_id is null or s.parent_span_id ~ '^[0-9a-f]{16}$')
          and s.status is not null and s.kind in ('llm_prompt', 'tool_call', 'response')
          and char_length(s.name) between 1 and 200 and isfinite(s.started_at)
          and coalesce(isfinite(s.completed_at), true)
          and least(s.tokens_in, s.tokens_out, s.tokens_cached, s.tokens_cache_written, s.waited_ms, 0) >= 0
          and greatest(s.tokens_in, s.tokens_out, s.tokens_cached, s.tokens_cache_written, s.waited_ms, 0) < 1e15
          and char_length(coalesce(s.error, '')) <= 2000 and coalesce(char_length(s.model), 1) between 1 and 120
          and char_length(coalesce(s.tool_call_id, '')) <= 200
          and octet_length(coalesce(s.content, '{}')::text) <= 65536
          and coalesce(jsonb_typeof(s.attributes) = 'object' and octet_length(s.attributes::text) <= 16384, true))
          is true), true)
      into v_is_formed
      from jsonb_populate_recordset(null::public.agent_steps, steps) s;
  exception
    when data_exception then
      v_is_formed := false;
  end;
  perform app.check_form('steps', v_is_formed and jsonb_typeof(steps) = 'array', 'a list of at most 1,000 {trace_id, '
    'span_id, parent_span_id?, kind, name, status, started_at, …}, as docs/telemetry.md has them');
  perform app.check_form('links', jsonb_typeof(links) = 'array' and not exists (
      select from jsonb_array_elements(links) l
      where (l ->> 'from' ~ '^[0-9a-f]{16}$' and coalesce(l ->> 'to', repeat('0', 16)) ~ '^[0-9a-f]{16}$')
        is not true), 'a list of {from, to?}: span ids');
end
$$;

-- A time that a producer names, or that of receipt where it cannot be: its run was not on. One that is not named is not
-- known.
create or replace function app.believed_time(run public.agent_runs, named timestamptz, at timestamptz)
  returns timestamptz
  language sql
  immutable
as $$
  select case when named < run.created_at - interval '1 day' or named > at + interval '1 day' then at else named end
$$;

-- What two reports say, or only the first where both are too much.
create or replace function app.merged_within(bytes integer, one jsonb, other jsonb)
  returns jsonb
  language sql
  immutable
as $$
  select case when one is null or other is null then coalesce(one, other)
    when octet_length((one || other)::text) <= bytes then one || other
    else one end
$$;

-- What a step hangs under, where `above` says what is above spans that are not kept.
create or replace function app.parent_of(step public.agent_steps, above jsonb) returns text language sql immutable as $$
  select case when above ? step.parent_span_id and above ->> step.parent_span_id is distinct from step.span_id
    then above ->> step.parent_span_id else step.parent_span_id end
$$;

-- The steps of a report as lists in which each step is once: what it says of a step again is in the next list.
create or replace function app.tellings(steps jsonb)
  returns setof public.agent_steps[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(t.step order by t.at)
  from (
    select p.step, p.at,
      row_number() over (partition by (p.step).trace_id, (p.step).span_id order by p.at) as telling
    from (
      select s as step, row_number() over () as at
      from jsonb_populate_recordset(null::public.agent_steps, steps) s) p) t
  group by t.telling
  order by t.telling
$$;

-- Adds steps of a run, or what is told of them once more: a step that has ended stays so, numbers grow, what is not
-- said again stays. Whatever order they come in, they come to the same, also within one report.
create or replace function app.store_steps(run public.agent_runs, steps jsonb, links jsonb, at timestamptz)
  returns integer
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_keeps constant boolean := app.keeps_content(run);
  -- Most parents are told of in one report with what is under them: hung there at once, nothing is written twice.
  v_above constant jsonb := (select jsonb_object_agg(l ->> 'from', l -> 'to') from jsonb_array_elements(links) l);
  v_told public.agent_steps[];
  v_rows integer;
  v_stored integer := 0;
begin
  for v_told in select app.tellings(steps) loop
    insert into public.agent_steps as s (tenant_id, project_id, run_id, trace_id, span_id, parent_span_id, kind, name,
        tool_type, status, started_at, completed_at, duration_ms, tokens_in, tokens_out, tokens_cached,
        tokens_cache_written, waited_ms, model, tool_call_id, error, content, attributes, run_created_at, created_at)
      select run.tenant_id, run.project_id, run.id, g.trace_id, g.span_id, app.parent_of(g, v_above), g.kind,
        g.name, g.tool_type, g.status, app.believed_time(run, g.started_at, $4),
        app.believed_time(run, g.completed_at, $4), g.duration_ms, g.tokens_in, g.tokens_out, g.tokens_cached,
        g.tokens_cache_written, g.waited_ms, g.model, g.tool_call_id, g.error, case when v_keeps then g.content end,
        g.attributes, run.created_at, $4
      from unnest(v_told) g
      on conflict on constraint agent_steps_pkey do update
        set parent_span_id = coalesce(excluded.parent_span_id, s.parent_span_id),
          -- Who knows more of it says more.
          name = case when char_length(excluded.name) > char_length(s.name) then excluded.name else s.name end,
          tool_type = coalesce(s.tool_type, excluded.tool_type),
          -- In this order one ends: who saw that it failed saw more than who saw that it ended.
          status = greatest(s.status, excluded.status),
          -- The time of a receipt moves none that is known.
          started_at = least(s.started_at, coalesce(nullif(excluded.started_at, $4), s.started_at)),
          completed_at = coalesce(greatest(s.completed_at, nullif(excluded.completed_at, $4)), excluded.completed_at),
          duration_ms = greatest(s.duration_ms, excluded.duration_ms),
          tokens_in = greatest(s.tokens_in, excluded.tokens_in),
          tokens_out = greatest(s.tokens_out, excluded.tokens_out),
          tokens_cached = greatest(s.tokens_cached, excluded.tokens_cached),
          tokens_cache_written = greatest(s.tokens_cache_written, excluded.tokens_cache_written),
          waited_ms = greatest(s.waited_ms, excluded.waited_ms),
          model = coalesce(s.model, excluded.model),
          tool_call_id = coalesce(s.tool_call_id, excluded.tool_call_id),
          error = coalesce(s.error, excluded.error),
          content = app.merged_within(65536, s.content, excluded.content),
          attributes = app.merged_within(16384, s.attributes, excluded.attributes)
        where s.run_id = excluded.run_id;
    get diagnostics v_rows = row_count;
    -- The first list has all of them.
    v_stored := greatest(v_stored, v_rows);
  end loop;
  return v_stored;
end
$$;

-- Hangs what was stored before, under spans that are not kept, under those above them, by the index of parents.
create or replace function app.relink_steps(run public.agent_runs, links jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  -- Planned anew, for a table that was small a minute ago.
  set plan_cache_mode = force_custom_plan
  set enable_material = off
as $$
begin
  if links = '[]' then
    return;
  end if;
  update public.agent_steps s set parent_span_id = l."to"
    from jsonb_to_recordset(links) l ("from" text, "to" text)
    -- Written so, no index of the run is taken, of which the planner believes that it has few steps.
    where s.tenant_id = run.tenant_id and s.run_id is not distinct from run.id and s.run_created_at = run.created_at
      and s.parent_span_id = l."from" and s.span_id is distinct from l."to";
end
$$;

-- add_steps(run, lock_token, steps [{trace_id, span_id, parent_span_id?, kind, name, tool_type?, status, started_at,
-- completed_at?, duration_ms?, tokens_in?, tokens_out?, tokens_cached?, tokens_cache_written?, waited_ms?, model?,
-- tool_call_id?, error?, content?, attributes?}], links? [{from, to?}]) -> {agent, stored, keeps_content}: what an
-- agent did, for the runner of its run, also after its end. What is told twice changes nothing. `links` says what is
-- above spans that are not kept. Raises lock_lost, invalid_input.
create or replace function public.add_steps(
  run text,
  lock_token bigint,
  steps jsonb,
  links jsonb default '[]',
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
  v_stored integer;
begin
  perform app.check_run_holder(v_run, lock_token, v_actor);
  perform app.check_steps(steps, links);
  perform app.ensure_partition('agent_steps', v_run.created_at);
  v_stored := app.store_steps(v_run, steps, links, app.now());
  perform app.relink_steps(v_run, links);
  return jsonb_build_object('agent', v_run.agent_name, 'stored', v_stored, 'keeps_content', app.keeps_content(v_run));
end
$$;

-- What a request to a model adds to what its run used, or takes from it.
create or replace function app.usage_of(step public.agent_steps, sign integer)
  returns public.run_usage
  language sql
  immutable
as $$
  select row(step.tenant_id, step.run_id, coalesce(step.model, 'unknown'),
    (step.started_at at time zone 'UTC')::date, step.project_id, sign, sign * coalesce(step.tokens_in, 0),
    sign * coalesce(step.tokens_out, 0), sign * coalesce(step.tokens_cached, 0),
    sign * coalesce(step.tokens_cache_written, 0), sign * coalesce(step.cost_usd, 0),
    case when step.cost_usd is null then sign * (coalesce(step.tokens_in, 0) + coalesce(step.tokens_out, 0))
      else 0 end)::public.run_usage
$$;

-- Adds up what was used. Where no request is left, as of a step whose day turned out to be the one before, no row is.
create or replace function app.count_usage(used public.run_usage[])
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  insert into public.run_usage as u
    select a.tenant_id, a.run_id, a.model, a.day, a.project_id, sum(a.requests), sum(a.tokens_in), sum(a.tokens_out),
      sum(a.tokens_cached), sum(a.tokens_cache_written), sum(a.cost_usd), sum(a.tokens_unpriced)
    from unnest(used) a
    group by 1, 2, 3, 4, 5
    having (sum(a.requests), sum(a.tokens_in), sum(a.tokens_out), sum(a.tokens_cached), sum(a.tokens_cache_written),
      sum(a.cost_usd), sum(a.tokens_unpriced)) <> (0, 0, 0, 0, 0, 0, 0)
    order by 1, 2, 3, 4
    on conflict on constraint run_usage_pkey do update
      set requests = u.requests + excluded.requests,
        tokens_in = u.tokens_in + excluded.tokens_in,
        tokens_out = u.tokens_out + excluded.tokens_out,
        tokens_cached = u.tokens_cached + excluded.tokens_cached,
        tokens_cache_written = u.tokens_cache_written + excluded.tokens_cache_written,
        cost_usd = u.cost_usd + excluded.cost_usd,
        tokens_unpriced = u.tokens_unpriced + excluded.tokens_unpriced;
  delete from public.run_usage u
    using (
      select a.tenant_id, a.run_id, a.model, a.day from unnest(used) a
      group by 1, 2, 3, 4
      having sum(a.requests) < 0) a
    where u.tenant_id = a.tenant_id and u.run_id = a.run_id and u.model = a.model and u.day = a.day and u.requests = 0
$$;

-- Prices a request when what it used is known, and again when more of it is; not when only the price has changed.
create or replace function app.price_step()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT'
      or (new.model, new.tokens_in, new.tokens_out, new.tokens_cached, new.tokens_cache_written)
        is distinct from (old.model, old.tokens_in, old.tokens_out, old.tokens_cached, old.tokens_cache_written) then
    new.cost_usd := app.cost_of(new);
  end if;
  return new;
end
$$;

-- Keeps the number of steps of each run, and what it used, as steps are added and changed. A trigger has the rows of
-- one kind of statement, so there are two.
create or replace function app.update_run_statistics()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    update public.agent_runs r set steps_count = coalesce(r.steps_count, 0) + a.steps
      from (select s.tenant_id, s.run_id, count(*)::integer as steps from added s group by 1, 2) a
      where r.tenant_id = a.tenant_id and r.id = a.run_id;
    perform app.count_usage(array(select app.usage_of(s, 1) from added s where s.kind = 'llm_prompt'));
  else
    perform app.count_usage(array(
      select app.usage_of(s, 1) from added s where s.kind = 'llm_prompt'
      union all
      select app.usage_of(s, -1) from removed s where s.kind = 'llm_prompt'));
  end if;
  return null;
end
$$;

select app.define_on_tables($triggers$
  create trigger steps_price before insert or update on public.agent_steps for each row
    when (new.kind = 'llm_prompt') execute function app.price_step();

  create trigger trigger_update_run_statistics after insert on public.agent_steps
    referencing new table as added for each statement execute function app.update_run_statistics();

  create trigger trigger_update_run_usage after update on public.agent_steps
    referencing new table as added old table as removed for each statement
    execute function app.update_run_statistics();
$triggers$);

-- A step is known by its span; a list and a reference want one id.
create or replace function app.step_id(step public.agent_steps) returns uuid language sql immutable as $$
  select md5(step.trace_id || step.span_id)::uuid
$$;

-- A step as it is listed; null is what is not known of it. A tree has thousands: json takes half the time of jsonb,
-- which sorts the keys of each.
create or replace function app.step_brief(step public.agent_steps) returns json language sql stable as $$
  select json_build_object('id', app.step_id(step), 'span_id', step.span_id, 'parent_span_id', step.parent_span_id,
    'kind', step.kind, 'name', step.name, 'tool_type', step.tool_type, 'status', step.status,
    'started_at', step.started_at, 'completed_at', step.completed_at, 'duration_ms', step.duration_ms,
    'waited_ms', step.waited_ms, 'model', step.model, 'tokens_in', step.tokens_in, 'tokens_out', step.tokens_out,
    'tokens_cached', step.tokens_cached, 'tokens_cache_written', step.tokens_cache_written, 'cost_usd', step.cost_usd,
    'tool_call_id', step.tool_call_id, 'error', step.error, 'content', step.content)
$$;

-- list_steps(run, cursor?, page_size) -> {run, agent, steps, ended, next_cursor, files}: what a run did, oldest first,
-- the tree by parent_span_id. `files` hold its steps once they are old. What there is not is null.
create or replace function public.list_steps(
  run text,
  cursor text default null,
  page_size integer default 500,
  actor jsonb default '{}'
)
  returns json
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_size integer := app.page_size(page_size, 2000);
  v_question text := concat_ws(' ', 'steps', v_run.id);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_steps json[] := array(
    select app.step_brief(s)
    from public.agent_steps s
    where s.tenant_id = v_run.tenant_id and s.run_id = v_run.id and s.run_created_at = v_run.created_at
      and (v_after is null
        or (s.started_at, app.step_id(s)) > ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by s.started_at, app.step_id(s) limit v_size + 1);
begin
  return json_build_object('run', v_run.id, 'agent', v_run.agent_name, 'ended', v_run.ended_at is not null,
    'files', app.step_files(v_run),
    'next_cursor', case when cardinality(v_steps) > v_size then app.encode_cursor(jsonb_build_object('of', v_question,
      'id', v_steps[v_size] -> 'id', 'at', v_steps[v_size] -> 'started_at')) end,
    'steps', array_to_json(v_steps[:v_size]));
end
$$;

-- get_run(run) -> the run as list_runs has it, with {usage: [{model, requests, tokens_in, tokens_out, tokens_cached,
-- tokens_cache_written, cost_usd, tokens_unpriced}], cost_usd?, waited_ms?, steps_count?}.
create or replace function public.get_run(run text, actor jsonb default '{}')
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
  v_agent public.agents;
  v_used jsonb;
begin
  select * into v_agent from public.agents a where a.tenant_id = v_run.tenant_id and a.id = v_run.agent_id;
  select jsonb_build_object(
      'usage', coalesce(jsonb_agg(to_jsonb(g) order by g.cost_usd desc, g.model), '[]'), 'cost_usd', sum(g.cost_usd))
    into v_used
    from (
      select u.model, sum(u.requests) as requests, sum(u.tokens_in) as tokens_in, sum(u.tokens_out) as tokens_out,
        sum(u.tokens_cached) as tokens_cached, sum(u.tokens_cache_written) as tokens_cache_written,
        sum(u.tokens_unpriced) as tokens_unpriced, sum(u.cost_usd) as cost_usd
      from public.run_usage u
      where u.tenant_id = v_run.tenant_id and u.run_id = v_run.id
      group by u.model) g;
  return app.run_brief(v_run, v_agent, app.now()) || jsonb_strip_nulls(v_used || jsonb_build_object(
    'steps_count', v_run.steps_count, 'waited_ms', (v_run.metrics ->> 'waited_ms')::numeric));
end
$$;

-- The files that hold the steps of a run, in the order of their records.
create or replace function app.step_files(run public.agent_runs)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(jsonb_build_object('records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256)
    order by a.part)
  from app.record_archives a
  join app.record_tables r on r.table_name = a.table_name
  where a.tenant_id = run.tenant_id and a.table_name = 'agent_steps'
    and a.starts_at = app.period_start(run.created_at, 'month') and app.is_in_files(r, a.starts_at, a.tenant_id)
$$;
