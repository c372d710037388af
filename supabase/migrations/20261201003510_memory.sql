-- Memory: what agents remember across runs.

create table public.agent_memory (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  task_id uuid,
  run_id uuid,
  user_id uuid not null references public.users,
  scope text not null check (scope in ('run', 'agent', 'project', 'workspace')),
  -- The run, agent, project or workspace that it is for.
  subject_id uuid not null,
  kind text not null check (kind in ('fact', 'preference', 'procedure', 'hypothesis')),
  key text not null,
  text text not null,
  confidence double precision not null check (confidence between 0 and 1),
  source_event_id uuid,
  noted_by text not null,
  status text not null check (status in ('noted', 'proposed', 'approved', 'declined', 'forgotten')),
  decided_by text,
  decided_at timestamptz,
  superseded_by uuid,
  expires_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  foreign key (tenant_id, task_id) references public.tasks,
  foreign key (tenant_id, run_id) references public.agent_runs
);

create index idx_agent_memory_subject_id on public.agent_memory (tenant_id, subject_id, lower(key));
create index idx_agent_memory_created on public.agent_memory (tenant_id, created_at desc, id desc);
create index idx_agent_memory_superseded_by on public.agent_memory (tenant_id, superseded_by)
  where superseded_by is not null;
create index idx_agent_memory_task_id on public.agent_memory (tenant_id, task_id) where task_id is not null;
create index idx_agent_memory_run_id on public.agent_memory (tenant_id, run_id) where run_id is not null;
create index idx_agent_memory_project_id on public.agent_memory (project_id);
create index idx_agent_memory_user_id on public.agent_memory (user_id);

-- A field may be a number from 0 to 1.
alter table app.event_fields drop constraint event_fields_kind_check;
alter table app.event_fields add constraint event_fields_kind_check check (kind in (
    'text', 'said', 'line', 'ref', 'ref[]', 'text[]', 'label[]', 'integer', 'positive', 'number', 'fraction', 'boolean',
    'object', 'array', 'one_of'));
