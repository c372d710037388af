-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.check_agents_max(agent public.agents, actor app.actor, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.count_driven(tenant_id uuid, at timestamp with time zone, but uuid DEFAULT NULL::uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.driven_agents(tenant_id uuid, at timestamp with time zone)
 RETURNS SETOF public.agents
 LANGUAGE sql
 STABLE
AS $function$
  select a.*
  from public.leases l
  join public.agents a on a.tenant_id = l.tenant_id and a.id = l.id
  where l.tenant_id = driven_agents.tenant_id and l.kind = 'agent' and l.expires_at > at
    and a.retired_at is null and app.has_no_runner(a) is not true
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_agents_max(tenant_id uuid)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce((t.agent_settings ->> 'agents_max')::integer, 50)
  from public.tenants t where t.id = get_agents_max.tenant_id
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.named_few(names text[])
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select string_agg(app.quoted_name(n.name), ', ' order by n.at)
    || case when cardinality(names) > 10 then format(' and %s more', cardinality(names) - 10) else '' end
  from unnest(names[1:10]) with ordinality n (name, at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.set_agents_max(agents_max integer DEFAULT NULL::integer, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.set_agents_max(integer,jsonb) to authenticated;
grant execute on function public.set_agents_max(integer,jsonb) to cairn_server;
grant execute on function public.set_agents_max(integer,jsonb) to service_role;
