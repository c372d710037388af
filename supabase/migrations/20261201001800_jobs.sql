-- Jobs: work that is due again and again. A row each, with the lease of its run and how the last one ended.
create table app.jobs (
  -- The nil workspace for a job of the whole installation.
  tenant_id uuid not null,
  kind text not null check (kind ~ '^[a-z][a-z_]{0,39}$'),
  every_seconds integer not null check (every_seconds between 1 and 31622400),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  next_run_at timestamptz not null,
  paused_at timestamptz,
  token bigint not null default 0,
  holder text,
  started_at timestamptz,
  lease_expires_at timestamptz,
  last_run_at timestamptz,
  last_outcome text check (last_outcome in ('succeeded', 'failed', 'lost')),
  duration_ms bigint,
  error text check (char_length(error) <= 300),
  failures_in_row integer not null default 0,
  last_succeeded_at timestamptz,
  primary key (tenant_id, kind),
  check ((holder is null) = (lease_expires_at is null)),
  check ((holder is null) = (started_at is null))
);

-- What is due, across workspaces: no text, so that a worker may read it before it enters one.
create table app.due_work (
  tenant_id uuid not null,
  kind text not null,
  due_at timestamptz not null,
  primary key (tenant_id, kind)
);

create index idx_due_work_due_at on app.due_work (kind, due_at);
