-- What runs used and what that cost.

-- What the runs of a workspace, of a project or one of them used between two days of UTC, by model and day. Of a run
-- whose requests nobody reported there is what its runner counted.
create or replace function app.usage_between(tenant_id uuid, since date, until date, project_id uuid, run_id uuid)
  returns setof public.run_usage
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  -- One run is found by its key, all of them by the day.
  with used as (
    select u.* from public.run_usage u where u.tenant_id = $1 and u.run_id = $5 and u.day between $2 and $3
    union all
    select u.* from public.run_usage u where $5 is null and u.tenant_id = $1 and u.day between $2 and $3
  ), runs as (
    select r.* from public.agent_runs r where r.tenant_id = $1 and r.id = $5
    union all
    select r.* from public.agent_runs r
    where $5 is null and r.tenant_id = $1 and r.created_at >= $2::timestamp at time zone 'UTC' - interval '30 days'
  )
  select u.* from used u where $4 is null or u.project_id = $4
  union all
  select r.tenant_id, r.id, 'not told', (r.started_at at time zone 'UTC')::date, r.project_id, 0,
    coalesce(r.tokens_in, 0), coalesce(r.tokens_out, 0), 0, 0, 0, coalesce(r.tokens_in, 0) + coalesce(r.tokens_out, 0)
  from runs r
  where (r.started_at at time zone 'UTC')::date between $2 and $3 and r.tokens_in + r.tokens_out > 0
    and ($4 is null or r.project_id = $4)
    and not exists (select from public.run_usage u where u.tenant_id = r.tenant_id and u.run_id = r.id)
$$;

-- What the steps that are not in files say that runs used.
create or replace function app.counted_usage(tenant_id uuid)
  returns setof public.run_usage
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select u.tenant_id, u.run_id, u.model, u.day, u.project_id, sum(u.requests)::integer, sum(u.tokens_in)::bigint,
    sum(u.tokens_out)::bigint, sum(u.tokens_cached)::bigint, sum(u.tokens_cache_written)::bigint, sum(u.cost_usd),
    sum(u.tokens_unpriced)::bigint
  from app.months_of_steps($1) m
  join public.agent_steps s on s.tenant_id = $1 and s.run_created_at >= m.starts_at and s.run_created_at < m.ends_at
  cross join app.usage_of(s, 1) u
  where s.kind = 'llm_prompt'
  group by 1, 2, 3, 4, 5
$$;

-- Lists where the rows of use and the steps say different things.
create or replace function app.miscounted_usage(tenant_id uuid)
  returns table (live jsonb, log jsonb)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with kept as (
    select u.*
    from app.months_of_steps($1) m
    join public.agent_runs r on r.tenant_id = $1 and r.created_at >= m.starts_at and r.created_at < m.ends_at
    join public.run_usage u on u.tenant_id = r.tenant_id and u.run_id = r.id)
  select to_jsonb(k), to_jsonb(c)
  from kept k
  full join app.counted_usage($1) c on c.run_id = k.run_id and c.model = k.model and c.day = k.day
  where to_jsonb(k) is distinct from to_jsonb(c)
$$;

create or replace function app.rebuild_usage(tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.run_usage u
    using app.miscounted_usage($1) m
    where u.tenant_id = $1 and u.run_id = (m.live ->> 'run_id')::uuid and u.model = m.live ->> 'model'
      and u.day = (m.live ->> 'day')::date;
  insert into public.run_usage
    select c.* from app.counted_usage($1) c
    on conflict on constraint run_usage_pkey do nothing;
end
$$;

-- What a run is counted under in a list of costs.
create or replace function app.cost_key(by text, run public.agent_runs, used public.run_usage)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case by
    when 'run' then run.id::text
    when 'command' then run.command_id::text
    when 'task' then (select t.ref from public.tasks t where t.tenant_id = run.tenant_id and t.id = run.task_id)
    when 'agent' then run.agent_name
    when 'model' then used.model
    when 'day' then used.day::text end
$$;

-- What a row of used tokens adds up to, by key and in all. A run waited once, whatever models and days it is counted
-- under: by these only the total says how long.
create or replace function app.costs_between(
  by text,
  tenant_id uuid,
  since date,
  until date,
  project_id uuid,
  agent_id uuid,
  run_id uuid
)
  returns table (key text, is_total boolean, runs bigint, requests bigint, tokens_in numeric, tokens_out numeric,
    tokens_cached numeric, tokens_cache_written numeric, tokens_unpriced numeric, cost_usd numeric, waited_ms numeric)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with used as (
    select app.cost_key($1, r, u) as key, u.*, (r.metrics ->> 'waited_ms')::numeric as waited_ms
    from app.usage_between($2, $3, $4, $5, $7) u
    join public.agent_runs r on r.tenant_id = u.tenant_id and r.id = u.run_id
    where $6 is null or r.agent_id = $6
  ), waits as (
    select w.key, grouping(w.key) = 1 as is_total, sum(w.waited_ms) as waited_ms
    from (select distinct on (u.run_id) u.key, u.waited_ms from used u order by u.run_id) w
    group by grouping sets ((1), ())
  ), sums as (
    select s.key, grouping(s.key) = 1 as is_total, count(distinct s.run_id) as runs, sum(s.requests) as requests,
      sum(s.tokens_in) as tokens_in, sum(s.tokens_out) as tokens_out, sum(s.tokens_cached) as tokens_cached,
      sum(s.tokens_cache_written) as tokens_cache_written, sum(s.tokens_unpriced) as tokens_unpriced,
      sum(s.cost_usd) as cost_usd
    from used s
    group by grouping sets ((1), ())
  )
  select s.*, case when s.is_total or $1 not in ('model', 'day') then w.waited_ms end
  from sums s
  left join waits w on w.is_total = s.is_total and w.key is not distinct from s.key
$$;

-- list_costs(by run|command|task|agent|model|day, since?, until?, project?, agent?, run?, page_size) -> {costs: [{key,
-- runs, requests, tokens_in, tokens_out, tokens_cached, tokens_cache_written, tokens_unpriced, cost_usd, waited_ms}],
-- not_listed, total, since, until}: what runs used, dearest first, in the last 30 days or between two days of UTC. Each
-- request is counted once, in the run that made it; cost_usd is of the tokens whose model has a price; waited_ms is
-- null by model and day. A key is null for runs without one. `not_listed` says how many more there are.
create or replace function public.list_costs(
  by text default 'agent',
  since date default null,
  until date default null,
  project text default null,
  agent text default null,
  run text default null,
  page_size integer default 50,
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
    select jsonb_build_object('since', v_since, 'until', v_until,
      'total', jsonb_agg(jsonb_strip_nulls(to_jsonb(c) - '{key,is_total,place}'::text[]))
        filter (where c.is_total) -> 0,
      'costs', coalesce(jsonb_agg(to_jsonb(c) - '{is_total,place}'::text[] order by c.place)
        filter (where not c.is_total and c.place <= v_size), '[]'),
      'not_listed', greatest(count(*) filter (where not c.is_total) - v_size, 0))
    from (
      select s.*, row_number() over (partition by s.is_total order by s.cost_usd desc, s.tokens_in desc, s.key) as place
      from app.costs_between(by, v_actor.tenant_id, v_since, v_until, v_project, v_agent, v_run) s) c);
end
$$;
