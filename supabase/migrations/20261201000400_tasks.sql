-- Tasks, who waits for whom, live locks, and what is kept so that no list has to search: labels, open questions.

-- Indexes call these three: each row keeps what they said of it.
create function app.priority_rank(priority text) returns smallint language sql immutable as $$
  select (case priority when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end)::smallint
$$;

-- What orders the tasks of one priority: those without a rank come last.
create function app.rank_order(rank double precision) returns double precision language sql immutable
  return coalesce(rank, 'infinity');

-- The numbers of the criteria that no evidence answers; null where there is none.
create function app.unproven_criteria(criteria text[], evidence jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_answered jsonb[];
begin
  if cardinality(criteria) = 0 then
    return null;
  end if;
  v_answered := array(
    select e.value -> 'criterion' from jsonb_array_elements(evidence) e
    where jsonb_typeof(e.value) = 'object' and e.value ? 'criterion'
      and (e.value ? 'artifact' or e.value ->> 'note' ~ '\S'));
  return (
    select jsonb_agg(c.at order by c.at) from generate_series(1, cardinality(criteria)) c (at)
    where to_jsonb(c.at) <> all (v_answered));
end
$$;

create table public.tasks (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null references public.users,
  created_by text not null,
  number integer not null check (number > 0),
  ref text not null,
  title text not null,
  description text not null default '',
  acceptance_criteria text[] not null default '{}',
  constraints jsonb not null default '{}',
  dependencies uuid[] not null default '{}',
  parent_id uuid,
  discovered_from uuid,
  status text not null check (status in ('pending', 'in_progress', 'blocked', 'completed', 'cancelled')),
  priority text not null check (priority in ('low', 'medium', 'high', 'critical')),
  open_dependencies integer not null default 0 check (open_dependencies >= 0),
  blocked_reason text,
  blocked_by uuid,
  warning text,
  locked_at timestamptz,
  locked_by text,
  locked_by_user uuid,
  lock_token bigint,
  attempts integer not null default 0,
  last_outcome text,
  last_reason text,
  last_agent text,
  summary text,
  evidence jsonb not null default '[]',
  approved_at timestamptz,
  completed_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Counted beside the task, as its open dependencies are: no part of its stream.
  open_parts integer default 0 check (open_parts >= 0),
  labels text[] not null default '{}' check (cardinality(labels) <= 20),
  rank double precision check (rank > '-infinity' and rank < 'infinity'),
  primary key (tenant_id, id),
  unique (tenant_id, project_id, number),
  foreign key (tenant_id, project_id) references public.projects,
  check ((status = 'in_progress') = (lock_token is not null)),
  check ((status = 'in_progress') = (locked_by is not null)),
  check ((status = 'blocked') = (blocked_reason is not null)),
  check ((status = 'completed') = (completed_at is not null))
) with (fillfactor = 80);

create index idx_tasks_status on public.tasks (status);

create index idx_tasks_locked_at on public.tasks (locked_at) where locked_at is not null;

create index idx_tasks_priority on public.tasks (priority);

create index idx_tasks_project_status on public.tasks (tenant_id, project_id, status, number);

create index idx_tasks_parent on public.tasks (tenant_id, parent_id) where parent_id is not null;

-- Who waits for whom: the edges of tasks.dependencies, so that dependents are found by an index.
create table app.task_dependencies (
  tenant_id uuid not null,
  task_id uuid not null,
  depends_on uuid not null,
  primary key (tenant_id, task_id, depends_on),
  foreign key (tenant_id, task_id) references public.tasks
);

create index idx_task_dependencies_depends_on on app.task_dependencies (tenant_id, depends_on);

-- Live locks and how long they hold. Operation, not state: extended without an event, no part of a rebuild. A task in
-- progress without a row here (after an import) is taken to be held for an hour from its claim.
create table public.task_leases (
  tenant_id uuid not null,
  task_id uuid not null,
  project_id uuid not null,
  lock_token bigint not null,
  ttl_seconds integer not null check (ttl_seconds between 1 and 86400),
  expires_at timestamptz not null,
  -- The process that took the lock and knows its token, and the one that last kept it, whose end shortens it.
  process uuid,
  renewed_by uuid,
  session_ended_at timestamptz,
  primary key (tenant_id, task_id)
) with (fillfactor = 50);

create index idx_task_leases_expires_at on public.task_leases (tenant_id, project_id, expires_at);

create index idx_task_leases_renewed_by on public.task_leases (tenant_id, renewed_by);

-- The allowed moves: an event of this type, from this status, leads to that one.
create table app.task_moves (
  event_type text not null,
  from_status text not null,
  to_status text not null,
  primary key (event_type, from_status)
);

create index idx_tasks_unproven on public.tasks (tenant_id, project_id, number)
  where status = 'completed' and app.unproven_criteria(acceptance_criteria, evidence) is not null;

create index idx_tasks_ready
  on public.tasks (tenant_id, project_id, app.priority_rank(priority), app.rank_order(rank), number)
  where status = 'pending' and open_dependencies = 0 and open_parts = 0;

-- What waits for a person, each found by a lookup however much was said: questions that nobody has answered, tasks
-- whose holder's session has ended, tasks that need an approval. The open questions among the events that are in the
-- table. A condition on the payload of an event could use no index beside the policies of `events`, for the operators
-- of jsonb are not leakproof; so what is open is kept.
create table app.unanswered (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid,
  seq bigint not null,
  primary key (tenant_id, id)
);

create index idx_unanswered_project on app.unanswered (tenant_id, project_id, seq);

create index idx_unanswered_task on app.unanswered (tenant_id, task_id, seq) where task_id is not null;

-- Tasks with a label are looked up. `@>` is not leakproof: beside the policies of `tasks` it could use no index, so
-- each label of a task is a row, whose columns order it as claims and lists do.
create table app.task_labels (
  tenant_id uuid not null,
  project_id uuid not null,
  task_id uuid not null,
  -- As `app.fold_label` writes it.
  label text not null,
  number integer not null,
  priority_rank smallint not null,
  rank_order double precision not null,
  is_ready boolean not null,
  primary key (tenant_id, task_id, label),
  foreign key (tenant_id, task_id) references public.tasks (tenant_id, id) on delete cascade
) with (fillfactor = 80);

create index idx_task_labels_ready
  on app.task_labels (tenant_id, project_id, label, priority_rank, rank_order, number) where is_ready;

create index idx_task_labels_number on app.task_labels (tenant_id, project_id, label, number);
