-- Driven agents: how many a workspace lets runners drive at once.

-- Lists the agents of a workspace that a runner drives now. Those whose hooks or tools call in are started by people.
create or replace function app.driven_agents(tenant_id uuid, at timestamptz)
  returns setof public.agents
  language sql
  stable
as $$
  select a.*
  from public.leases l
  join public.agents a on a.tenant_id = l.tenant_id and a.id = l.id
  where l.tenant_id = driven_agents.tenant_id and l.kind = 'agent' and l.expires_at > at
    and a.retired_at is null and app.has_no_runner(a) is not true
$$;

-- Counts them, all but one: each run that an agent may do beside another counts as an agent. Those that a token cannot
-- see, because it is limited to a project, count too.
create or replace function app.count_driven(tenant_id uuid, at timestamptz, but uuid default null)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project constant text := coalesce(current_setting('app.project_id', true), '');
  v_driven bigint;
begin
  -- Not as an option of the function, which takes a superuser.
  perform set_config('app.project_id', '', true);
  select coalesce(sum(app.runs_at_once(a)), 0) into v_driven
    from app.driven_agents(count_driven.tenant_id, at) a where a.id is distinct from but;
  perform set_config('app.project_id', v_project, true);
  return v_driven;
end
$$;

create or replace function app.get_agents_max(tenant_id uuid) returns integer language sql stable as $$
  select coalesce((t.agent_settings ->> 'agents_max')::integer, 50)
  from public.tenants t where t.id = get_agents_max.tenant_id
$$;

-- Names the first ten of some agents, and says that there are more.
create or replace function app.named_few(names text[]) returns text language sql immutable as $$
  select string_agg(app.quoted_name(n.name), ', ' order by n.at)
    || case when cardinality(names) > 10 then format(' and %s more', cardinality(names) - 10) else '' end
  from unnest(names[1:10]) with ordinality n (name, at)
$$;

-- Refuses an agent beyond those that its workspace lets runners drive at once. Registrations wait for one another, so
-- that of two for the last place the second sees the first. One that comes back within its lease has its place. Raises
-- rate_limited.
create or replace function app.check_agents_max(agent public.agents, actor app.actor, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_wanted constant integer := app.runs_at_once(agent);
  v_max integer;
  v_driven bigint;
  v_names text[];
begin
  if exists (
      select from app.driven_agents(actor.tenant_id, at) a
      where a.id = agent.id and app.runs_at_once(a) >= v_wanted) then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', actor.tenant_id, 'agents'), 0));
  v_max := app.get_agents_max(actor.tenant_id);
  v_driven := app.count_driven(actor.tenant_id, at, agent.id);
  if v_driven + v_wanted > v_max then
    select array_agg(a.name order by lower(a.name)) into v_names
      from app.driven_agents(actor.tenant_id, at) a where a.id is distinct from agent.id;
    perform app.fail('rate_limited',
      concat_ws(': ', format('Runners drive %s of at most %s agents of this workspace', v_driven, v_max),
        app.named_few(v_names)) || '.',
      jsonb_build_object('agents_max', v_max, 'driven', v_driven, 'agents', coalesce(v_names[1:100], '{}')),
      case when v_wanted > 1 then 'Say a smaller --at-once, end a runner,' else 'End a runner,' end
        || ' or let an owner or admin of the workspace allow more: cairn agents limit NUMBER');
  end if;
end
$$;

-- set_agents_max(agents_max?) -> {agents_max, driven}: how many agents the workspace lets runners drive at once;
-- without a value it only answers. None that is driven ends by it. For owners and admins, in person. Raises forbidden.
create or replace function public.set_agents_max(agents_max integer default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
begin
  perform app.refuse_limited(v_actor);
  if agents_max is not null then
    perform app.refuse_agent(v_actor, 'How many agents a workspace may have is decided', 'cairn agents limit');
    perform app.check_form('agents_max', agents_max between 1 and 10000, 'a number of 1 to 10,000');
    update public.tenants t
      set agent_settings = t.agent_settings || jsonb_build_object('agents_max', agents_max)
      where t.id = v_actor.tenant_id;
    perform app.record_audit(jsonb_build_object('type', 'agents.limited',
      'data', jsonb_build_object('agents_max', agents_max)), actor);
  end if;
  return jsonb_build_object('agents_max', app.get_agents_max(v_actor.tenant_id),
    'driven', app.count_driven(v_actor.tenant_id, app.now()));
end
$$;
