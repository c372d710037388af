-- Projects: a slug, a description and the rules that their tasks obey.
create table public.projects (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  user_id uuid not null references public.users,
  slug text not null,
  name text not null,
  description text not null default '',
  rules jsonb not null default '{}',
  version bigint not null,
  archived_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, slug)
);

create index idx_projects_user_id on public.projects (user_id);

-- How many tasks a project has in each state, kept with each change so that no read has to count them.
create table app.task_counts (
  tenant_id uuid not null,
  project_id uuid not null,
  pending integer not null default 0,
  ready integer not null default 0,
  in_progress integer not null default 0,
  blocked integer not null default 0,
  completed integer not null default 0,
  cancelled integer not null default 0,
  unproven integer not null default 0,
  primary key (tenant_id, project_id),
  foreign key (tenant_id, project_id) references public.projects
) with (fillfactor = 50);
