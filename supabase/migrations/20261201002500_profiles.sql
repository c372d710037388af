-- Profiles: limits under a name, for the commands that agents are given.
create table public.execution_constraints (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  user_id uuid not null references public.users,
  name text not null,
  description text,
  time_limit_ms integer check (time_limit_ms > 0),
  token_budget bigint check (token_budget > 0),
  memory_limit_mb integer check (memory_limit_mb > 0),
  cpu_limit_percent integer check (cpu_limit_percent > 0),
  silence_limit_ms integer check (silence_limit_ms > 0),
  is_default boolean not null,
  removed_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  check (not is_default or removed_at is null)
);

create unique index idx_execution_constraints_name on public.execution_constraints (tenant_id, lower(name))
  where removed_at is null;

-- A unique index that looks at the end of a statement: an import may write the new default before the former one.
alter table public.execution_constraints add constraint execution_constraints_default
  exclude using btree (tenant_id with =) where (is_default) deferrable;

create index idx_execution_constraints_listed on public.execution_constraints (tenant_id, (not is_default), lower(name))
  where removed_at is null;

create index idx_execution_constraints_project_id on public.execution_constraints (project_id);

create index idx_execution_constraints_user_id on public.execution_constraints (user_id);
