-- What follows from an event in the same transaction: dependency policy, and the triggers of a project's rules.
-- Messages that triggers enqueue, for whoever works them off.
create table public.messages (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null references public.users,
  topic text not null,
  payload jsonb not null,
  version bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects
);

create index idx_messages_topic on public.messages (tenant_id, topic, created_at);
