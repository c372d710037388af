-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.chat_id(session text, actor app.actor)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select md5(jsonb_build_array('chat', actor.tenant_id, actor.user_id, actor.project_id, session)::text)::uuid
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_chat(chat jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform app.check_form('chat', jsonb_typeof(chat) = 'object'
    and coalesce(jsonb_typeof(chat -> 'session') = 'string' and char_length(chat ->> 'session') between 1 and 200
      and chat ->> 'program' ~ '^[a-z0-9][a-z0-9._-]{0,39}$' and app.as_uuid(chat ->> 'program') is null
      and chat ->> 'program' not in ('all', 'system') and chat ->> 'type' ~ '^[a-z]{1,40}$'
      and coalesce(jsonb_typeof(chat -> 'project'), 'string') = 'string', false),
    'an object with session, program and type, each short, and perhaps a project');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_run_completion(tenant_id uuid, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object('stream', 'run:' || c.id, 'verb', true, 'type', 'run.finished',
    'data', '{"status": "completed", "end_reason": "completed"}'::jsonb) order by c.id), '[]')
  from (
    select r.id from public.agent_runs r
    left join public.projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
    where r.tenant_id = $1 and r.status = 'running' and r.ended_at is null and app.is_chat(r) and p.archived_at is null
      and not exists (
        select from public.leases l
        where l.tenant_id = r.tenant_id and l.kind = 'run' and l.id = r.id and l.expires_at > $2)
    order by r.priority, r.created_at limit 200) c
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_reporter(chat jsonb, actor app.actor, at timestamp with time zone)
 RETURNS public.agents
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_agent public.agents;
begin
  for v_try in 1..2 loop
    select * into v_agent from public.agents a
      where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and a.driver = 'otlp' and a.retired_at is null
        and a.config ->> 'program' = chat ->> 'program' and a.project_id is not distinct from actor.project_id
      order by a.created_at limit 1;
    if found then
      return v_agent;
    end if;
    perform app.lock_agent_name(actor.tenant_id, chat ->> 'program');
  end loop;
  perform app.take_reporting('agents', actor, 20, 86400);
  v_agent.id := app.uuid_v7();
  perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
    'type', 'agent.registered', 'data', jsonb_strip_nulls(jsonb_build_object(
      'name', app.free_agent_name(actor.tenant_id, chat ->> 'program'), 'type', chat -> 'type', 'driver', 'otlp',
      'config', jsonb_build_object('program', chat -> 'program'), 'project', actor.project_id)))), actor);
  perform app.ensure_settling(actor.tenant_id, at);
  select * into v_agent from public.agents a where a.tenant_id = actor.tenant_id and a.id = v_agent.id;
  return v_agent;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.free_agent_name(tenant_id uuid, program text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_project constant text := coalesce(current_setting('app.project_id', true), '');
  v_name text;
begin
  -- Not as an option of the function, which takes a superuser.
  perform set_config('app.project_id', '', true);
  select n.name into v_name
    from (
      select g as at, concat_ws('-', program, nullif(g, 1)) as name from generate_series(1, 1000) g) n
    where not exists (
      select from public.agents a
      where a.tenant_id = free_agent_name.tenant_id and a.retired_at is null and lower(a.name) = n.name)
    order by n.at limit 1;
  perform set_config('app.project_id', v_project, true);
  return v_name;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_chat_seconds()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
RETURN 1800;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.open_chat(chat jsonb, actor app.actor, at timestamp with time zone)
 RETURNS public.agent_runs
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_id constant uuid := app.chat_id(chat ->> 'session', actor);
  v_run public.agent_runs;
  v_agent public.agents;
  v_lease public.leases;
begin
  for v_try in 1..2 loop
    select * into v_run from public.agent_runs r where r.tenant_id = actor.tenant_id and r.id = v_id;
    if found then
      perform app.renew_chat(v_run, actor, at);
      return v_run;
    end if;
    -- Of two first reports of a session the second finds the run of the first.
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', actor.tenant_id, 'chat', v_id), 0));
  end loop;
  perform app.take_reporting('runs', actor, 600, 3600);
  v_agent := app.find_reporter(chat, actor, at);
  perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'run:' || v_id, 'verb', true,
    'type', 'run.opened', 'data', jsonb_strip_nulls(jsonb_build_object('agent_id', v_agent.id,
      'agent_name', v_agent.name, 'project', coalesce(actor.project_id, (
        select p.id from public.projects p
        where p.tenant_id = actor.tenant_id and p.slug = lower(chat ->> 'project') and p.archived_at is null)))))),
    actor);
  select * into strict v_run from public.agent_runs r where r.tenant_id = actor.tenant_id and r.id = v_id;
  v_lease := app.new_run_lease(v_run);
  v_lease.ttl_seconds := app.get_chat_seconds();
  perform app.take_lease(v_lease, at, true);
  perform app.renew_chat(v_run, actor, at);
  return v_run;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.renew_chat(run public.agent_runs, actor app.actor, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_agent public.agents;
  v_goes_on boolean;
begin
  if run.ended_at is null then
    perform app.extend_lease(l.tenant_id, l.kind, l.id, l.token, at, actor.user_id)
      from public.leases l
      where l.tenant_id = run.tenant_id and l.kind = 'run' and l.id = run.id and l.token = run.lock_token
        and l.expires_at < at + make_interval(secs => app.get_chat_seconds() - 60);
  end if;
  select * into v_agent from public.agents a
    where a.tenant_id = run.tenant_id and a.id = run.agent_id and a.retired_at is null
      and coalesce(a.seen_at < at - interval '1 minute', true) for no key update;
  if v_agent.id is null then
    return;
  end if;
  v_goes_on := coalesce(v_agent.seen_at >= at - interval '15 minutes', false);
  perform app.enter_connect(v_agent, v_goes_on, actor);
  update public.agents a
    set status = 'online', activity_state = 'processing', seen_at = at, disconnected_at = null,
      connected_at = case when v_goes_on then a.connected_at else at end
    where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.take_reporting(what text, actor app.actor, most integer, seconds integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_taken constant jsonb := app.take_rate(concat_ws(' ', what, actor.user_id), most, seconds);
begin
  if v_taken -> 'allowed' = 'false' then
    perform app.fail('rate_limited', format('Your programs have begun %s %s within %s seconds, the most there can be.',
        most, what, seconds), v_taken - 'allowed',
      'Let each program name its session (session.id or gen_ai.conversation.id): all of one session is one run.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.add_chat_steps(chat jsonb, steps jsonb, links jsonb DEFAULT '[]'::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_now constant timestamptz := app.now();
  v_run public.agent_runs;
  v_stored integer;
begin
  perform app.check_chat(chat);
  perform app.check_steps(steps, links);
  v_run := app.open_chat(chat, v_actor, v_now);
  perform app.ensure_partition('agent_steps', v_run.created_at);
  v_stored := app.store_steps(v_run, (
    select coalesce(jsonb_agg(s || jsonb_build_object('trace_id', replace(v_run.id::text, '-', ''))), '[]')
    from jsonb_array_elements(steps) s), links, v_now);
  perform app.relink_steps(v_run, links);
  return jsonb_build_object('run', v_run.id, 'agent', v_run.agent_name, 'stored', v_stored,
    'keeps_content', app.keeps_content(v_run));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.add_chat_steps(jsonb,jsonb,jsonb,jsonb) to authenticated;
grant execute on function public.add_chat_steps(jsonb,jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.add_chat_steps(jsonb,jsonb,jsonb,jsonb) to service_role;
