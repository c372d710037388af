-- Checkpoints: where a project stands, so that another agent resumes there; and what changed since.
create table public.checkpoints (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null references public.users,
  label text not null,
  repo_ref text,
  summary text not null,
  resume_instructions text,
  snapshot jsonb not null,
  saved_by text not null,
  version bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects
);

create index idx_checkpoints_project_id on public.checkpoints (project_id);

create index idx_checkpoints_user_id on public.checkpoints (user_id);

create index idx_checkpoints_created_at on public.checkpoints (tenant_id, created_at desc);

create index idx_checkpoints_project_created on public.checkpoints (project_id, created_at desc);

-- Agent sessions: the older form of a checkpoint, kept readable and writable.
create table public.agent_sessions (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null references public.users,
  snapshot jsonb not null default '{}',
  summary text,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects
);

create index idx_agent_sessions_project_updated on public.agent_sessions (project_id, updated_at desc);
