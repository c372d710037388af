-- Presets: commands worth repeating, as templates with variables.
create table public.command_presets (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  user_id uuid not null references public.users,
  name text not null,
  description text,
  content text not null,
  type text not null check (type in ('natural', 'investigate', 'review', 'plan', 'synthesize')),
  target_agent_types text[],
  variables jsonb not null check (jsonb_typeof(variables) = 'array'),
  usage_count integer not null default 0,
  last_used_at timestamptz,
  removed_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects
);

-- A name is looked up among those of all users.
create unique index idx_command_presets_name on public.command_presets (tenant_id, lower(name), user_id)
  where removed_at is null;

create index idx_command_presets_usage_count on public.command_presets (tenant_id, usage_count desc, id desc)
  where removed_at is null;

create index idx_command_presets_project_id on public.command_presets (project_id);

create index idx_command_presets_user_id on public.command_presets (user_id);
