-- Reports: what an investigation found.

create table public.investigation_reports (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  command_id uuid,
  run_id uuid,
  agent_id uuid,
  user_id uuid not null references public.users,
  title text not null,
  summary text,
  status text not null check (status in ('draft', 'in_progress', 'complete')),
  content jsonb not null check (jsonb_typeof(content) = 'object'),
  attachments jsonb[],
  -- Numbers and no type of an extension: what makes them may cast them.
  vector_embedding real[],
  written_by text not null,
  changed_by text,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  completed_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  foreign key (tenant_id, command_id) references public.commands,
  foreign key (tenant_id, run_id) references public.agent_runs,
  foreign key (tenant_id, agent_id) references public.agents,
  check ((status = 'complete') = (completed_at is not null))
);

create index idx_investigation_reports_created on public.investigation_reports (tenant_id, created_at desc, id desc);
create index idx_investigation_reports_status on public.investigation_reports (tenant_id, status, created_at);
create index idx_investigation_reports_command_id on public.investigation_reports (tenant_id, command_id);
create index idx_investigation_reports_run_id on public.investigation_reports (tenant_id, run_id);
create index idx_investigation_reports_agent_id on public.investigation_reports (tenant_id, agent_id);
create index idx_investigation_reports_project_id on public.investigation_reports (project_id);
create index idx_investigation_reports_user_id on public.investigation_reports (user_id);
-- Finds reports with a finding of some severity.
create index idx_investigation_reports_content on public.investigation_reports using gin (content jsonb_path_ops);
