-- Chats: what programs report over OTLP that no runner drives. Each session of such a program is a run of mode chat.

-- How long a chat lives without a word of it.
create or replace function app.get_chat_seconds() returns integer language sql immutable
  return 1800;

-- The run of a session: its id follows from who reports it, so that nobody can name another's.
create or replace function app.chat_id(session text, actor app.actor) returns uuid language sql immutable as $$
  select md5(jsonb_build_array('chat', actor.tenant_id, actor.user_id, actor.project_id, session)::text)::uuid
$$;

create or replace function app.check_chat(chat jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.check_form('chat', jsonb_typeof(chat) = 'object'
    and coalesce(jsonb_typeof(chat -> 'session') = 'string' and char_length(chat ->> 'session') between 1 and 200
      and chat ->> 'program' ~ '^[a-z0-9][a-z0-9._-]{0,39}$' and app.as_uuid(chat ->> 'program') is null
      and chat ->> 'program' not in ('all', 'system') and chat ->> 'type' ~ '^[a-z]{1,40}$'
      and coalesce(jsonb_typeof(chat -> 'project'), 'string') = 'string', false),
    'an object with session, program and type, each short, and perhaps a project');
end
$$;

-- Takes one of what a person's programs may begin in a time. Raises rate_limited.
create or replace function app.take_reporting(what text, actor app.actor, most integer, seconds integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_taken constant jsonb := app.take_rate(concat_ws(' ', what, actor.user_id), most, seconds);
begin
  if v_taken -> 'allowed' = 'false' then
    perform app.fail('rate_limited', format('Your programs have begun %s %s within %s seconds, the most there can be.',
        most, what, seconds), v_taken - 'allowed',
      'Let each program name its session (session.id or gen_ai.conversation.id): all of one session is one run.');
  end if;
end
$$;

-- The first name of a program that no agent has, also none that a token cannot see because it is limited to a project.
create or replace function app.free_agent_name(tenant_id uuid, program text)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Finds the agent as which a person's program reports, or registers it. It may have another name by now.
create or replace function app.find_reporter(chat jsonb, actor app.actor, at timestamptz)
  returns public.agents
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Notes that a chat goes on, and that its agent is there; a minute later again.
create or replace function app.renew_chat(run public.agent_runs, actor app.actor, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Finds the run of a session, or begins it: in the project of the token, or else in the one that its program names,
-- where there is such a one.
create or replace function app.open_chat(chat jsonb, actor app.actor, at timestamptz)
  returns public.agent_runs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- add_chat_steps(chat {session, program, type, project?}, steps, links?) -> {run, agent, stored, keeps_content}: steps
-- of a session of a program that no runner drives, as add_steps takes them but for their trace, which is the run's. The
-- first of a session begin its run; those that come after its end are added all the same. Raises invalid_input,
-- rate_limited.
create or replace function public.add_chat_steps(
  chat jsonb,
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
$$;

-- Requests the end of the chats of a workspace of which nothing was heard for half an hour. That all their steps have
-- ended would be no sign: most programs never tell the end of a turn, and between two turns all have.
create or replace function app.check_run_completion(tenant_id uuid, at timestamptz)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;
