-- Decisions: what was chosen among which options, and why; a later one may supersede an earlier one.
create table public.decisions (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid,
  user_id uuid not null references public.users,
  title text not null,
  options jsonb not null check (jsonb_typeof(options) = 'array'),
  choice text not null,
  rationale text not null,
  supersedes uuid,
  superseded_by uuid,
  decided_by text not null,
  version bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects
);

create index idx_decisions_project_id on public.decisions (project_id);

create index idx_decisions_user_id on public.decisions (user_id);

create index idx_decisions_created_at on public.decisions (tenant_id, created_at desc);

create index idx_decisions_project_created on public.decisions (project_id, created_at desc);

create index idx_decisions_task_id on public.decisions (tenant_id, task_id) where task_id is not null;
