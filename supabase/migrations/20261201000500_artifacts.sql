-- Artifacts: what work on a task produced, and the evidence that its criteria are met.
create table public.artifacts (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid not null,
  user_id uuid not null references public.users,
  type text not null check (type in ('diff', 'pr', 'test_report', 'document', 'other')),
  ref text not null,
  summary text,
  tier text not null check (tier in ('reported', 'observed', 'ci')),
  files text[] not null default '{}',
  lines_changed integer,
  added_by text not null,
  version bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, task_id) references public.tasks
);

create index idx_artifacts_task_id on public.artifacts (task_id);

create index idx_artifacts_user_id on public.artifacts (user_id);

create index idx_artifacts_type on public.artifacts (type);

create index idx_artifacts_created_at on public.artifacts (tenant_id, created_at desc);

create index idx_artifacts_task_created on public.artifacts (task_id, created_at desc);
