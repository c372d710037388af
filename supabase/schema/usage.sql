-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.cost_key(by text, run public.agent_runs, used public.run_usage)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case by
    when 'run' then run.id::text
    when 'command' then run.command_id::text
    when 'task' then (select t.ref from public.tasks t where t.tenant_id = run.tenant_id and t.id = run.task_id)
    when 'agent' then run.agent_name
    when 'model' then used.model
    when 'day' then used.day::text end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.counted_usage(tenant_id uuid)
 RETURNS SETOF public.run_usage
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select u.tenant_id, u.run_id, u.model, u.day, u.project_id, sum(u.requests)::integer, sum(u.tokens_in)::bigint,
    sum(u.tokens_out)::bigint, sum(u.tokens_cached)::bigint, sum(u.tokens_cache_written)::bigint, sum(u.cost_usd),
    sum(u.tokens_unpriced)::bigint
  from app.months_of_steps($1) m
  join public.agent_steps s on s.tenant_id = $1 and s.run_created_at >= m.starts_at and s.run_created_at < m.ends_at
  cross join app.usage_of(s, 1) u
  where s.kind = 'llm_prompt'
  group by 1, 2, 3, 4, 5
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.miscounted_usage(tenant_id uuid)
 RETURNS TABLE(live jsonb, log jsonb)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with kept as (
    select u.*
    from app.months_of_steps($1) m
    join public.agent_runs r on r.tenant_id = $1 and r.created_at >= m.starts_at and r.created_at < m.ends_at
    join public.run_usage u on u.tenant_id = r.tenant_id and u.run_id = r.id)
  select to_jsonb(k), to_jsonb(c)
  from kept k
  full join app.counted_usage($1) c on c.run_id = k.run_id and c.model = k.model and c.day = k.day
  where to_jsonb(k) is distinct from to_jsonb(c)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rebuild_usage(tenant_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  delete from public.run_usage u
    using app.miscounted_usage($1) m
    where u.tenant_id = $1 and u.run_id = (m.live ->> 'run_id')::uuid and u.model = m.live ->> 'model'
      and u.day = (m.live ->> 'day')::date;
  insert into public.run_usage
    select c.* from app.counted_usage($1) c
    on conflict on constraint run_usage_pkey do nothing;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.usage_between(tenant_id uuid, since date, until date)
 RETURNS SETOF public.run_usage
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select u.*
  from public.run_usage u
  where u.tenant_id = $1 and u.day between $2 and $3
  union all
  select r.tenant_id, r.id, 'not told', (r.started_at at time zone 'UTC')::date, r.project_id, 0,
    coalesce(r.tokens_in, 0), coalesce(r.tokens_out, 0), 0, 0, 0, coalesce(r.tokens_in, 0) + coalesce(r.tokens_out, 0)
  from public.agent_runs r
  where r.tenant_id = $1 and r.created_at >= $2::timestamp at time zone 'UTC' - interval '30 days'
    and (r.started_at at time zone 'UTC')::date between $2 and $3
    and r.tokens_in + r.tokens_out > 0
    and not exists (select from public.run_usage u where u.tenant_id = r.tenant_id and u.run_id = r.id)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_costs(by text DEFAULT 'agent'::text, since date DEFAULT NULL::date, until date DEFAULT NULL::date, project text DEFAULT NULL::text, agent text DEFAULT NULL::text, run text DEFAULT NULL::text, page_size integer DEFAULT 50, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_size integer := app.page_size(page_size, 500);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_agent uuid := case when agent is not null then (app.find_agent(agent, v_actor)).id end;
  v_run uuid := case when run is not null then (app.find_run(run, v_actor)).id end;
  v_until date := coalesce(until, (app.now() at time zone 'UTC')::date);
  v_since date := coalesce(since, v_until - 29);
begin
  perform app.check_form('by', by in ('run', 'command', 'task', 'agent', 'model', 'day'),
    'run, command, task, agent, model or day');
  perform app.check_form('since', v_since between v_until - 366 and v_until, 'a day of the year before until');
  return (
    with used as (
      select app.cost_key(by, r, u) as key, u.*, (r.metrics ->> 'waited_ms')::numeric as waited_ms
      from app.usage_between(v_actor.tenant_id, v_since, v_until) u
      join public.agent_runs r on r.tenant_id = u.tenant_id and r.id = u.run_id
      where (v_project is null or r.project_id = v_project) and (v_agent is null or r.agent_id = v_agent)
        and (v_run is null or r.id = v_run)
    ), waits as (
      select w.key, grouping(w.key) = 1 as is_total, sum(w.waited_ms) as waited_ms
      from (select distinct u.key, u.run_id, u.waited_ms from used u) w
      group by grouping sets ((1), ())
    ), sums as (
      select s.key, grouping(s.key) = 1 as is_total, count(distinct s.run_id) as runs, sum(s.requests) as requests,
        sum(s.tokens_in) as tokens_in, sum(s.tokens_out) as tokens_out, sum(s.tokens_cached) as tokens_cached,
        sum(s.tokens_cache_written) as tokens_cache_written, sum(s.tokens_unpriced) as tokens_unpriced,
        sum(s.cost_usd) as cost_usd
      from used s
      group by grouping sets ((1), ())
    ), costs as (
      select s.*, w.waited_ms
      from sums s
      join waits w on w.is_total = s.is_total and w.key is not distinct from s.key
    )
    select jsonb_build_object('since', v_since, 'until', v_until,
      'total', (
        select jsonb_strip_nulls(to_jsonb(s) - '{key,is_total}'::text[]) from costs s where s.is_total),
      'costs', coalesce((
        select jsonb_agg(to_jsonb(t) - 'is_total' order by t.cost_usd desc, t.tokens_in desc, t.key)
        from (
          select * from costs s where not s.is_total
          order by s.cost_usd desc, s.tokens_in desc, s.key limit v_size) t), '[]')));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_costs(text,date,date,text,text,text,integer,jsonb) to authenticated;
grant execute on function public.list_costs(text,date,date,text,text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_costs(text,date,date,text,text,text,integer,jsonb) to service_role;
