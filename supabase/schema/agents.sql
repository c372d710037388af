-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.agent_runs (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  task_id uuid,
  user_id uuid not null,
  agent_id uuid not null,
  agent_name text not null,
  command_id uuid,
  parent_run_id uuid,
  mode public.agent_mode not null,
  status public.agent_run_status not null,
  attempt integer not null,
  attempts_max integer not null,
  priority integer not null,
  delivery_mode text not null,
  delivery_path text,
  delivered_at timestamp with time zone,
  acked_at timestamp with time zone,
  expires_at timestamp with time zone,
  interrupt_requested boolean not null,
  interrupt_reason text,
  waiting_for text,
  paused_until timestamp with time zone,
  lock_token bigint,
  end_reason text,
  error text,
  result text,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  steps_count integer,
  tokens_in bigint,
  tokens_out bigint,
  cost_credits bigint,
  duration_ms bigint,
  metrics jsonb,
  subagents jsonb,
  constraint agent_runs_pkey PRIMARY KEY (tenant_id, id),
  constraint agent_runs_tenant_id_command_id_fkey FOREIGN KEY (tenant_id, command_id) REFERENCES public.commands(tenant_id, id),
  constraint agent_runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint agent_runs_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint agent_runs_tenant_id_task_id_fkey FOREIGN KEY (tenant_id, task_id) REFERENCES public.tasks(tenant_id, id),
  constraint agent_runs_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint agent_runs_attempt_check CHECK ((attempt >= 0)),
  constraint agent_runs_attempts_max_check CHECK ((attempts_max > 0)),
  constraint agent_runs_check CHECK (((status = ANY (ARRAY['completed'::public.agent_run_status, 'failed'::public.agent_run_status, 'cancelled'::public.agent_run_status, 'timed_out'::public.agent_run_status])) = (ended_at IS NOT NULL))),
  constraint agent_runs_check1 CHECK (((status = ANY (ARRAY['running'::public.agent_run_status, 'waiting_input'::public.agent_run_status, 'waiting_approval'::public.agent_run_status, 'paused'::public.agent_run_status])) <= (lock_token IS NOT NULL))),
  constraint agent_runs_delivery_mode_check CHECK ((delivery_mode = ANY (ARRAY['turn'::text, 'steer'::text, 'interrupt'::text]))),
  constraint agent_runs_priority_check CHECK (((priority >= 0) AND (priority <= 100))),
  constraint agent_runs_subagents_check CHECK ((jsonb_typeof(subagents) = 'array'::text))
);
CREATE INDEX idx_agent_runs_active ON public.agent_runs USING btree (tenant_id, agent_id) WHERE (status = ANY (ARRAY['running'::public.agent_run_status, 'waiting_input'::public.agent_run_status, 'waiting_approval'::public.agent_run_status, 'paused'::public.agent_run_status]));
CREATE INDEX idx_agent_runs_agent ON public.agent_runs USING btree (tenant_id, agent_id, created_at DESC, id DESC);
CREATE INDEX idx_agent_runs_command_id ON public.agent_runs USING btree (tenant_id, command_id);
CREATE INDEX idx_agent_runs_created ON public.agent_runs USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX idx_agent_runs_ended ON public.agent_runs USING btree (tenant_id, agent_id) INCLUDE (project_id, duration_ms) WHERE ((ended_at IS NOT NULL) AND (started_at IS NOT NULL));
CREATE INDEX idx_agent_runs_expiry ON public.agent_runs USING btree (tenant_id, agent_id, expires_at) WHERE (status = 'queued'::public.agent_run_status);
CREATE INDEX idx_agent_runs_joining ON public.agent_runs USING btree (tenant_id, agent_id, priority DESC, created_at, id) WHERE ((status = 'queued'::public.agent_run_status) AND (delivery_mode <> 'turn'::text));
CREATE INDEX idx_agent_runs_open ON public.agent_runs USING btree (tenant_id, status, priority, created_at) WHERE (ended_at IS NULL);
CREATE INDEX idx_agent_runs_parent_run_id ON public.agent_runs USING btree (tenant_id, parent_run_id);
CREATE INDEX idx_agent_runs_project_id ON public.agent_runs USING btree (project_id);
CREATE INDEX idx_agent_runs_queue ON public.agent_runs USING btree (tenant_id, agent_id, priority DESC, created_at, id) WHERE (status = 'queued'::public.agent_run_status);
CREATE INDEX idx_agent_runs_task_id ON public.agent_runs USING btree (tenant_id, task_id);
CREATE INDEX idx_agent_runs_user_id ON public.agent_runs USING btree (user_id);
alter table public.agent_runs enable row level security;
alter table public.agent_runs force row level security;
create policy door on public.agent_runs as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.agent_runs as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.agent_runs as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.agent_runs as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.agent_runs as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.agent_runs as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

create table public.agents (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  user_id uuid not null,
  name text not null,
  type text not null,
  driver text not null,
  host_machine text,
  config jsonb not null,
  paused_at timestamp with time zone,
  paused_by text,
  pause_reason text,
  retired_at timestamp with time zone,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  status text,
  activity_state text,
  connected_at timestamp with time zone,
  disconnected_at timestamp with time zone,
  seen_at timestamp with time zone,
  health_metrics jsonb,
  constraint agents_pkey PRIMARY KEY (tenant_id, id),
  constraint agents_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint agents_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint agents_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint agents_activity_state_check CHECK ((activity_state = ANY (ARRAY['idle'::text, 'processing'::text, 'queued'::text]))),
  constraint agents_check CHECK (((paused_at IS NULL) = (paused_by IS NULL))),
  constraint agents_config_check CHECK ((jsonb_typeof(config) = 'object'::text)),
  constraint agents_status_check CHECK ((status = ANY (ARRAY['online'::text, 'offline'::text, 'connecting'::text, 'error'::text])))
);
CREATE UNIQUE INDEX idx_agents_name ON public.agents USING btree (tenant_id, COALESCE(project_id, '00000000-0000-0000-0000-000000000000'::uuid), lower(name)) WHERE (retired_at IS NULL);
CREATE INDEX idx_agents_project_id ON public.agents USING btree (project_id);
CREATE INDEX idx_agents_type_status ON public.agents USING btree (tenant_id, type, status);
CREATE INDEX idx_agents_user_id ON public.agents USING btree (user_id);
alter table public.agents enable row level security;
alter table public.agents force row level security;
create policy door on public.agents as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.agents as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.agents as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.agents as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.agents as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.agents as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

create table public.commands (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  task_id uuid,
  user_id uuid not null,
  sent_by text not null,
  by_person boolean not null,
  content text not null,
  type text not null,
  mode text not null,
  target_agents uuid[] not null,
  broadcast boolean not null,
  status text not null,
  priority integer not null,
  execution_constraints jsonb not null,
  preset_id uuid,
  constraint_id uuid,
  repeatable boolean not null,
  expires_at timestamp with time zone not null,
  started_at timestamp with time zone,
  completed_at timestamp with time zone,
  error text,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  resumes boolean default true not null,
  constraint commands_pkey PRIMARY KEY (tenant_id, id),
  constraint commands_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint commands_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint commands_tenant_id_task_id_fkey FOREIGN KEY (tenant_id, task_id) REFERENCES public.tasks(tenant_id, id),
  constraint commands_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint commands_check CHECK (((status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])) = (completed_at IS NOT NULL))),
  constraint commands_execution_constraints_check CHECK ((jsonb_typeof(execution_constraints) = 'object'::text)),
  constraint commands_mode_check CHECK ((mode = ANY (ARRAY['turn'::text, 'steer'::text, 'interrupt'::text]))),
  constraint commands_priority_check CHECK (((priority >= 0) AND (priority <= 100))),
  constraint commands_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'queued'::text, 'executing'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
  constraint commands_target_agents_check CHECK ((cardinality(target_agents) > 0)),
  constraint commands_type_check CHECK ((type = ANY (ARRAY['natural'::text, 'investigate'::text, 'review'::text, 'plan'::text, 'synthesize'::text])))
);
CREATE INDEX idx_commands_created ON public.commands USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX idx_commands_project_id ON public.commands USING btree (project_id);
CREATE INDEX idx_commands_status_created ON public.commands USING btree (tenant_id, status, created_at);
CREATE INDEX idx_commands_task_id ON public.commands USING btree (tenant_id, task_id);
CREATE INDEX idx_commands_user_id ON public.commands USING btree (user_id);
alter table public.commands enable row level security;
alter table public.commands force row level security;
create policy door on public.commands as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.commands as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.commands as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.commands as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.commands as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.commands as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

create table public.system_config (
  key text not null,
  value jsonb not null,
  version bigint not null,
  updated_at timestamp with time zone not null,
  updated_by text not null,
  constraint system_config_pkey PRIMARY KEY (key),
  constraint system_config_key_check CHECK ((key ~ '^[a-z][a-z0-9_.]{0,79}$'::text))
);
alter table public.system_config enable row level security;
alter table public.system_config force row level security;
create policy door on public.system_config as permissive for all to cairn_owner using (true) with check (true);

create table public.system_config_history (
  key text not null,
  version bigint not null,
  value jsonb not null,
  changed_at timestamp with time zone not null,
  changed_by text not null,
  constraint system_config_history_pkey PRIMARY KEY (key, version)
);
alter table public.system_config_history enable row level security;
alter table public.system_config_history force row level security;
create policy door on public.system_config_history as permissive for all to cairn_owner using (true) with check (true);

-- Functions

CREATE OR REPLACE FUNCTION app.agent_full(agent public.agents)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_now constant timestamptz := app.now();
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', agent.id,
    'name', agent.name,
    'type', agent.type,
    'driver', agent.driver,
    'host', agent.host_machine,
    'project', (select p.slug from public.projects p where p.tenant_id = agent.tenant_id and p.id = agent.project_id),
    'state', app.agent_state(agent, v_now),
    'seen_at', agent.seen_at,
    'connected_at', agent.connected_at,
    'paused_at', agent.paused_at,
    'paused_by', agent.paused_by,
    'pause_reason', agent.pause_reason,
    'stopped', app.stop_reason(agent),
    'modes', case when jsonb_typeof(agent.config -> 'modes') = 'array' then agent.config -> 'modes' end,
    'accepts', agent.config ->> 'accepts',
    'reach', app.reach_of(agent),
    'health', agent.health_metrics,
    'running', (
      select jsonb_agg(app.run_brief(r, agent, v_now) order by r.started_at)
      from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
        and app.is_active(r)),
    'queued', (
      select count(*)
      from (
        select from public.agent_runs r
        where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued' limit 1000) q),
    'version', agent.version));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.agent_health(agent public.agents)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(agent.health_metrics, '{}') - '{commands_processed,average_response_time}'::text[]
    || jsonb_strip_nulls(jsonb_build_object('commands_processed', count(*),
      'average_response_time', round(avg(r.duration_ms))))
  from public.agent_runs r
  where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
    and r.ended_at is not null and r.started_at is not null
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.agent_state(agent public.agents, at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when agent.retired_at is not null then 'retired'
    when agent.seen_at is null then 'connecting'
    when agent.disconnected_at >= agent.seen_at then 'offline'
    when app.has_no_runner(agent)
      then case when agent.seen_at < at - interval '15 minutes' then 'offline' else 'online' end
    when agent.seen_at < at - app.get_beat_patience() then 'lost'
    else coalesce(agent.status, 'online') end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_agent_name(name text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if app.as_uuid(name) is not null or lower(name) in ('all', 'system') or name ~ ':|^-' then
    perform app.fail('invalid_input', format('An agent cannot be called %s.', name),
      jsonb_build_object('field', 'name'),
      'Choose a name such as claude-1: not all or system, no UUID, without a colon and no dash before it.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_form(field text, is_valid boolean, allowed text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if is_valid is not true then
    perform app.fail('invalid_input', format('%s must be %s.', field, allowed), jsonb_build_object('field', field));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_owner(owner uuid, actor app.actor, what text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if owner is distinct from actor.user_id and app.role_rank(actor.role) < 3 then
    perform app.fail('forbidden', format('%s is another person''s.', what), null,
      'Its owner or an administrator of the workspace does this.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_agent(agent public.agents, event public.events)
 RETURNS public.agents
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  case event.event_type
    when 'agent.registered' then
      agent := jsonb_populate_record(agent, '{"config": {}}' || app.begin_row(event));
    when 'agent.renamed' then
      agent.name := event.payload ->> 'name';
    when 'agent.configured' then
      agent := jsonb_populate_record(agent, event.payload);
    when 'agent.paused' then
      agent.paused_at := event.created_at;
      agent.paused_by := app.actor_name(event);
      agent.pause_reason := event.payload ->> 'reason';
    when 'agent.resumed' then
      agent.paused_at := null;
      agent.paused_by := null;
      agent.pause_reason := null;
    when 'agent.retired' then
      agent.retired_at := event.created_at;
  end case;
  if event.redacted_at is not null and event.payload ? 'name' then
    agent.name := agent.id;
  end if;
  agent.updated_at := event.created_at;
  agent.version := event.version;
  return agent;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_agent(ref text, actor app.actor)
 RETURNS public.agents
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_agent public.agents;
begin
  select * into v_agent from public.agents a
    where a.tenant_id = actor.tenant_id
      and (a.id = app.as_uuid(ref) or a.retired_at is null and lower(a.name) = lower(ref))
    order by a.id = app.as_uuid(ref) desc nulls last, a.created_at limit 1;
  if not found then
    perform app.fail('not_found', format('There is no agent %s in this workspace.', left(ref, 80)), null,
      'list_agents shows those there are; `cairn agent run -- claude` starts one.');
  end if;
  return v_agent;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_agent_of_any_time(ref text, actor app.actor)
 RETURNS public.agents
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_retired public.agents;
begin
  select * into v_retired from public.agents a
    where a.tenant_id = actor.tenant_id and a.retired_at is not null and lower(a.name) = lower(ref)
      and not exists (
        select from public.agents o
        where o.tenant_id = a.tenant_id and o.retired_at is null and lower(o.name) = lower(a.name))
    order by a.retired_at desc limit 1;
  return case when v_retired.id is null then app.find_agent(ref, actor) else v_retired end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.finish_agent(agent public.agents, event public.events, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if event.event_type = 'agent.retired' then
    perform app.enter_disconnect(agent, 'retired', actor);
    perform from public.commands c
      where c.tenant_id = agent.tenant_id and c.id in (
        select r.command_id from public.agent_runs r
        where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.ended_at is null)
      order by c.id for no key update;
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_beat_patience()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
RETURN '00:00:30'::interval;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_agent(agent public.agents, event public.events, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_name constant text := event.payload ->> 'name';
begin
  if agent.retired_at is not null then
    perform app.fail('illegal_transition', format('The agent %s is retired.', agent.name), null,
      'Its runner registers a new one under the same name.');
  elsif event.event_type in ('agent.renamed', 'agent.configured', 'agent.resumed', 'agent.retired') then
    perform app.check_owner(agent.user_id, actor, format('The agent %s', agent.name));
  end if;
  if event.event_type = 'agent.resumed' then
    perform app.refuse_agent(actor, 'A stop is taken back', format('cairn go-on %s', app.shell_word(agent.name)));
  end if;
  perform app.check_agent_name(v_name);
  if v_name is not null then
    perform app.lock_agent_name(event.tenant_id, v_name);
  end if;
  if exists (
      select from public.agents a
      where a.tenant_id = event.tenant_id and a.retired_at is null and lower(a.name) = lower(v_name)
        and a.id is distinct from agent.id) then
    perform app.fail('already_exists', format('There is another agent %s in this workspace.', v_name),
      jsonb_build_object('field', 'name'), 'Choose another name'
        || case when event.event_type = 'agent.registered' then ' with --name.' else '.' end);
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.has_no_runner(agent public.agents)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select agent.driver in ('hook', 'pull', 'otlp')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_agent_name(tenant_id uuid, name text)
 RETURNS void
 LANGUAGE sql
AS $function$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', tenant_id, 'agent', lower(name)), 0))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_agent_named(name text, actor app.actor)
 RETURNS public.agents
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_agent public.agents;
begin
  for v_try in 1..2 loop
    select * into v_agent from public.agents a
      where a.tenant_id = actor.tenant_id and a.retired_at is null and lower(a.name) = lower(lock_agent_named.name)
      for no key update;
    exit when v_agent.id is not null;
    perform app.lock_agent_name(actor.tenant_id, name);
  end loop;
  if v_agent.driver = 'otlp' then
    perform app.fail('already_exists', format('The agent %s is a program that only reports.', v_agent.name),
      jsonb_build_object('field', 'name'), 'Choose another name with --name or CAIRN_AGENT, or rename that one.');
  end if;
  return v_agent;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.runs_at_once(agent public.agents)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when agent.config ->> 'runs_at_once' ~ '^[1-9][0-9]{0,2}$'
    then (agent.config ->> 'runs_at_once')::integer else 1 end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.takes_commands_of(agent public.agents, user_id uuid)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select agent.user_id = takes_commands_of.user_id or agent.config ->> 'accepts' is not distinct from 'workspace'
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_agent(agent text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_agent constant public.agents := app.find_agent(agent, v_actor);
begin
  return app.agent_full(v_agent) || jsonb_build_object('health', app.agent_health(v_agent));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_agents(include_retired boolean DEFAULT false, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'agents', include_retired);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('agents', array(
    select app.agent_full(a) || jsonb_build_object('created_at', a.created_at)
    from public.agents a
    where a.tenant_id = v_actor.tenant_id
      and (include_retired or a.retired_at is null)
      and (v_after is null or (a.created_at, a.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by a.created_at desc, a.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.get_agent(text,jsonb) to authenticated;
grant execute on function public.get_agent(text,jsonb) to cairn_server;
grant execute on function public.get_agent(text,jsonb) to service_role;
grant execute on function public.list_agents(boolean,text,integer,jsonb) to authenticated;
grant execute on function public.list_agents(boolean,text,integer,jsonb) to cairn_server;
grant execute on function public.list_agents(boolean,text,integer,jsonb) to service_role;
grant select on public.agent_runs to authenticated;
grant delete, insert, select, update on public.agent_runs to cairn_owner;
grant select on public.agents to authenticated;
grant delete, insert, select, update on public.agents to cairn_owner;
grant select on public.commands to authenticated;
grant delete, insert, select, update on public.commands to cairn_owner;
grant delete, insert, select, update on public.system_config to cairn_owner;
grant delete, insert, select, update on public.system_config_history to cairn_owner;
