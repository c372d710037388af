-- Agents that can be sent commands, the commands, one run for each agent that a command is for, and what stops them.

create type public.agent_run_status as enum ('pending', 'queued', 'running', 'waiting_input', 'waiting_approval',
  'paused', 'completed', 'failed', 'cancelled', 'timed_out');
create type public.agent_step_status as enum ('pending', 'running', 'completed', 'failed', 'skipped', 'cancelled');
create type public.tool_type as enum ('llm', 'code', 'shell', 'browser', 'search', 'file', 'connector', 'mcp', 'image',
  'data', 'subagent', 'human');
create type public.agent_mode as enum ('chat', 'task', 'plan', 'review', 'investigate', 'synthesize', 'code',
  'research', 'wide_research', 'autonomous', 'scheduled', 'reflection');

-- What the runner reports with each beat is not in the log: status, activity, times and health.
create table public.agents (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  user_id uuid not null references public.users,
  name text not null,
  type text not null,
  driver text not null,
  host_machine text,
  config jsonb not null check (jsonb_typeof(config) = 'object'),
  paused_at timestamptz,
  paused_by text,
  pause_reason text,
  retired_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  status text check (status in ('online', 'offline', 'connecting', 'error')),
  activity_state text check (activity_state in ('idle', 'processing', 'queued')),
  connected_at timestamptz,
  disconnected_at timestamptz,
  seen_at timestamptz,
  health_metrics jsonb,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  check ((paused_at is null) = (paused_by is null))
);

-- Whoever is limited to a project sees no name outside of it.
create unique index idx_agents_name on public.agents
  (tenant_id, coalesce(project_id, '00000000-0000-0000-0000-000000000000'), lower(name)) where retired_at is null;
create index idx_agents_type_status on public.agents (tenant_id, type, status);
create index idx_agents_project_id on public.agents (project_id);
create index idx_agents_user_id on public.agents (user_id);

create table public.commands (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  task_id uuid,
  user_id uuid not null references public.users,
  sent_by text not null,
  by_person boolean not null,
  content text not null,
  type text not null check (type in ('natural', 'investigate', 'review', 'plan', 'synthesize')),
  mode text not null check (mode in ('turn', 'steer', 'interrupt')),
  target_agents uuid[] not null check (cardinality(target_agents) > 0),
  broadcast boolean not null,
  status text not null check (status in ('pending', 'queued', 'executing', 'completed', 'failed', 'cancelled')),
  priority integer not null check (priority between 0 and 100),
  execution_constraints jsonb not null check (jsonb_typeof(execution_constraints) = 'object'),
  preset_id uuid,
  constraint_id uuid,
  repeatable boolean not null,
  expires_at timestamptz not null,
  started_at timestamptz,
  completed_at timestamptz,
  error text,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  foreign key (tenant_id, task_id) references public.tasks,
  check ((status in ('completed', 'failed', 'cancelled')) = (completed_at is not null))
);

create index idx_commands_status_created on public.commands (tenant_id, status, created_at);
create index idx_commands_created on public.commands (tenant_id, created_at desc, id desc);
create index idx_commands_project_id on public.commands (project_id);
create index idx_commands_task_id on public.commands (tenant_id, task_id);
create index idx_commands_user_id on public.commands (user_id);

-- What is counted of a run beside its stream is not in the log until it ends. An import of a project brings its runs,
-- but not the agents of the workspace that it comes from.
create table public.agent_runs (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  task_id uuid,
  user_id uuid not null references public.users,
  agent_id uuid not null,
  agent_name text not null,
  command_id uuid,
  parent_run_id uuid,
  mode public.agent_mode not null,
  status public.agent_run_status not null,
  attempt integer not null check (attempt >= 0),
  attempts_max integer not null check (attempts_max > 0),
  priority integer not null check (priority between 0 and 100),
  delivery_mode text not null check (delivery_mode in ('turn', 'steer', 'interrupt')),
  delivery_path text,
  delivered_at timestamptz,
  acked_at timestamptz,
  expires_at timestamptz,
  interrupt_requested boolean not null,
  interrupt_reason text,
  waiting_for text,
  paused_until timestamptz,
  lock_token bigint,
  end_reason text,
  error text,
  result text,
  started_at timestamptz,
  ended_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  steps_count integer,
  tokens_in bigint,
  tokens_out bigint,
  cost_credits bigint,
  duration_ms bigint,
  metrics jsonb,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  foreign key (tenant_id, task_id) references public.tasks,
  foreign key (tenant_id, command_id) references public.commands,
  check ((status in ('completed', 'failed', 'cancelled', 'timed_out')) = (ended_at is not null)),
  check ((status in ('running', 'waiting_input', 'waiting_approval', 'paused')) <= (lock_token is not null))
);

create index idx_agent_runs_queue on public.agent_runs (tenant_id, agent_id, priority desc, created_at, id)
  where status = 'queued';
create index idx_agent_runs_joining on public.agent_runs (tenant_id, agent_id, priority desc, created_at, id)
  where status = 'queued' and delivery_mode <> 'turn';
create index idx_agent_runs_active on public.agent_runs (tenant_id, agent_id)
  where status in ('running', 'waiting_input', 'waiting_approval', 'paused');
create index idx_agent_runs_open on public.agent_runs (tenant_id, status, priority, created_at) where ended_at is null;
create index idx_agent_runs_created on public.agent_runs (tenant_id, created_at desc, id desc);
create index idx_agent_runs_agent on public.agent_runs (tenant_id, agent_id, created_at desc, id desc);
create index idx_agent_runs_command_id on public.agent_runs (tenant_id, command_id);
create index idx_agent_runs_task_id on public.agent_runs (tenant_id, task_id);
create index idx_agent_runs_parent_run_id on public.agent_runs (tenant_id, parent_run_id);
create index idx_agent_runs_project_id on public.agent_runs (project_id);
create index idx_agent_runs_user_id on public.agent_runs (user_id);

-- Settings of the whole installation, and what they were. They belong to no workspace, so they are not in the log.
create table public.system_config (
  key text primary key check (key ~ '^[a-z][a-z0-9_.]{0,79}$'),
  value jsonb not null,
  version bigint not null,
  updated_at timestamptz not null,
  updated_by text not null
);

create table public.system_config_history (
  key text not null,
  version bigint not null,
  value jsonb not null,
  changed_at timestamptz not null,
  changed_by text not null,
  primary key (key, version)
);

alter table public.tenants
  add column agent_enabled boolean not null default true,
  add column agent_settings jsonb not null default '{}' check (jsonb_typeof(agent_settings) = 'object');

-- It takes what no fold makes, too.
drop function if exists app.rebuild_model(uuid, text[]);

-- An import goes on with its next page.
drop function if exists public.import_events(jsonb, jsonb, jsonb);
