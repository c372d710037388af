-- What agents ask a person before they go on.

create table public.approvals (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  task_id uuid,
  run_id uuid,
  user_id uuid not null references public.users,
  kind text not null check (kind in ('permission', 'question')),
  title text not null,
  detail jsonb,
  options text[],
  asked_by text not null,
  status text not null check (status in ('pending', 'approved', 'denied', 'expired', 'withdrawn')),
  expires_at timestamptz not null,
  decided_by text,
  decided_at timestamptz,
  answer text,
  note text,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  foreign key (tenant_id, task_id) references public.tasks,
  foreign key (tenant_id, run_id) references public.agent_runs,
  check ((status = 'pending') = (decided_at is null))
);

create index idx_approvals_pending on public.approvals (tenant_id, expires_at) where status = 'pending';
create index idx_approvals_created on public.approvals (tenant_id, created_at desc, id desc);
create index idx_approvals_run_id on public.approvals (tenant_id, run_id);
create index idx_approvals_task_id on public.approvals (tenant_id, task_id);
create index idx_approvals_project_id on public.approvals (project_id);
create index idx_approvals_user_id on public.approvals (user_id);

-- An artifact belongs to a task, or to a run that has none.
alter table public.artifacts
  alter column task_id drop not null,
  add column run_id uuid,
  add column storage_key text,
  add column sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  add column size_bytes bigint check (size_bytes >= 0),
  add column media_type text,
  add check (task_id is not null or run_id is not null);

create index idx_artifacts_run_id on public.artifacts (tenant_id, run_id) where run_id is not null;

-- Whether a run goes on by itself when the limit of its provider is over.
alter table public.commands add column resumes boolean not null default true;
