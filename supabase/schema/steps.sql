-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.model_prices (
  model text not null,
  price_in numeric not null,
  price_out numeric not null,
  price_cached numeric not null,
  price_cache_written numeric not null,
  updated_at timestamp with time zone not null,
  updated_by text not null,
  constraint model_prices_pkey PRIMARY KEY (model),
  constraint model_prices_model_check CHECK ((model ~ '^[a-z0-9][a-z0-9._:/-]{0,119}$'::text)),
  constraint model_prices_price_cache_written_check CHECK (((price_cache_written >= (0)::numeric) AND (price_cache_written <= (100000)::numeric))),
  constraint model_prices_price_cached_check CHECK (((price_cached >= (0)::numeric) AND (price_cached <= (100000)::numeric))),
  constraint model_prices_price_in_check CHECK (((price_in >= (0)::numeric) AND (price_in <= (100000)::numeric))),
  constraint model_prices_price_out_check CHECK (((price_out >= (0)::numeric) AND (price_out <= (100000)::numeric)))
);
alter table public.model_prices enable row level security;
alter table public.model_prices force row level security;
create policy door on public.model_prices as permissive for all to cairn_owner using (true) with check (true);
create policy read on public.model_prices as permissive for select to authenticated using (true);

create table public.run_usage (
  tenant_id uuid not null,
  run_id uuid not null,
  model text not null,
  day date not null,
  project_id uuid,
  requests integer not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  tokens_cached bigint not null,
  tokens_cache_written bigint not null,
  cost_usd numeric not null,
  tokens_unpriced bigint not null,
  constraint run_usage_pkey PRIMARY KEY (tenant_id, run_id, model, day),
  constraint run_usage_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id)
);
CREATE INDEX idx_run_usage_day ON public.run_usage USING btree (tenant_id, day);
CREATE INDEX idx_run_usage_project_id ON public.run_usage USING btree (project_id);
alter table public.run_usage enable row level security;
alter table public.run_usage force row level security;
create policy door on public.run_usage as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.run_usage as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.run_usage as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.run_usage as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.run_usage as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.run_usage as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.believed_time(run public.agent_runs, named timestamp with time zone, at timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when named < run.created_at - interval '1 day' or named > at + interval '1 day' then at else named end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_steps(steps jsonb, links jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.count_usage(used public.run_usage[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.keeps_content(run public.agent_runs)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce((
    select p.rules #>> '{traces,content}' = 'true'
    from public.projects p
    where p.tenant_id = run.tenant_id and p.id = run.project_id), false)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.merged_within(bytes integer, one jsonb, other jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when one is null or other is null then coalesce(one, other)
    when octet_length((one || other)::text) <= bytes then one || other
    else one end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.parent_of(step public.agent_steps, above jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when above ? step.parent_span_id and above ->> step.parent_span_id is distinct from step.span_id
    then above ->> step.parent_span_id else step.parent_span_id end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.price_step()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tg_op = 'INSERT'
      or (new.model, new.tokens_in, new.tokens_out, new.tokens_cached, new.tokens_cache_written)
        is distinct from (old.model, old.tokens_in, old.tokens_out, old.tokens_cached, old.tokens_cache_written) then
    new.cost_usd := app.cost_of(new);
  end if;
  return new;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.relink_steps(run public.agent_runs, links jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
 SET enable_material TO 'off'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.step_brief(step public.agent_steps)
 RETURNS json
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object('id', app.step_id(step), 'span_id', step.span_id, 'parent_span_id', step.parent_span_id,
    'kind', step.kind, 'name', step.name, 'tool_type', step.tool_type, 'status', step.status,
    'started_at', step.started_at, 'completed_at', step.completed_at, 'duration_ms', step.duration_ms,
    'waited_ms', step.waited_ms, 'model', step.model, 'tokens_in', step.tokens_in, 'tokens_out', step.tokens_out,
    'tokens_cached', step.tokens_cached, 'tokens_cache_written', step.tokens_cache_written, 'cost_usd', step.cost_usd,
    'tool_call_id', step.tool_call_id, 'error', step.error, 'content', step.content)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.step_files(run public.agent_runs)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select jsonb_agg(jsonb_build_object('records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256)
    order by a.part)
  from app.record_archives a
  join app.record_tables r on r.table_name = a.table_name
  where a.tenant_id = run.tenant_id and a.table_name = 'agent_steps'
    and a.starts_at = app.period_start(run.created_at, 'month') and app.is_in_files(r, a.starts_at, a.tenant_id)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.step_id(step public.agent_steps)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select md5(step.trace_id || step.span_id)::uuid
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.store_steps(run public.agent_runs, steps jsonb, links jsonb, at timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.tellings(steps jsonb)
 RETURNS SETOF public.agent_steps[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select array_agg(t.step order by t.at)
  from (
    select p.step, p.at,
      row_number() over (partition by (p.step).trace_id, (p.step).span_id order by p.at) as telling
    from (
      select s as step, row_number() over () as at
      from jsonb_populate_recordset(null::public.agent_steps, steps) s) p) t
  group by t.telling
  order by t.telling
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.update_run_statistics()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.usage_of(step public.agent_steps, sign integer)
 RETURNS public.run_usage
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select row(step.tenant_id, step.run_id, coalesce(step.model, 'unknown'),
    (step.started_at at time zone 'UTC')::date, step.project_id, sign, sign * coalesce(step.tokens_in, 0),
    sign * coalesce(step.tokens_out, 0), sign * coalesce(step.tokens_cached, 0),
    sign * coalesce(step.tokens_cache_written, 0), sign * coalesce(step.cost_usd, 0),
    case when step.cost_usd is null then sign * (coalesce(step.tokens_in, 0) + coalesce(step.tokens_out, 0))
      else 0 end)::public.run_usage
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.add_steps(run text, lock_token bigint, steps jsonb, links jsonb DEFAULT '[]'::jsonb, actor jsonb DEFAULT '{}'::jsonb)
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
  v_stored integer;
begin
  perform app.check_run_holder(v_run, lock_token, v_actor);
  perform app.check_steps(steps, links);
  perform app.ensure_partition('agent_steps', v_run.created_at);
  v_stored := app.store_steps(v_run, steps, links, app.now());
  perform app.relink_steps(v_run, links);
  return jsonb_build_object('agent', v_run.agent_name, 'stored', v_stored, 'keeps_content', app.keeps_content(v_run));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_run(run text, actor jsonb DEFAULT '{}'::jsonb)
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_steps(run text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 500, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS json
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.add_steps(text,bigint,jsonb,jsonb,jsonb) to authenticated;
grant execute on function public.add_steps(text,bigint,jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.add_steps(text,bigint,jsonb,jsonb,jsonb) to service_role;
grant execute on function public.get_run(text,jsonb) to authenticated;
grant execute on function public.get_run(text,jsonb) to cairn_server;
grant execute on function public.get_run(text,jsonb) to service_role;
grant execute on function public.list_steps(text,text,integer,jsonb) to authenticated;
grant execute on function public.list_steps(text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_steps(text,text,integer,jsonb) to service_role;
grant select on public.model_prices to authenticated;
grant delete, insert, select, update on public.model_prices to cairn_owner;
grant select on public.run_usage to authenticated;
grant delete, insert, select, update on public.run_usage to cairn_owner;
