-- The log: what happened, in order, for good. Types and their data, positions, the hash chain, idempotency.
create table public.events (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  seq bigint not null check (seq > 0),
  project_id uuid,
  task_id uuid,
  user_id uuid not null references public.users,
  event_type text not null,
  payload jsonb not null,
  created_at timestamptz not null,
  stream text not null,
  version bigint not null check (version > 0),
  actor jsonb not null,
  schema_version integer not null default 1,
  correlation_id uuid,
  causation_id uuid,
  payload_hash bytea not null,
  prev_hash bytea,
  hash bytea not null,
  redacted_at timestamptz,
  -- Whose import brought the event, and when. The hash covers what happened, not how it came here.
  imported_by uuid references public.users,
  imported_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, stream, version),
  unique (tenant_id, seq),
  check ((imported_by is null) = (imported_at is null))
);

create index idx_events_project_id on public.events (tenant_id, project_id, seq);

create index idx_events_task_id on public.events (tenant_id, task_id, seq) where task_id is not null;

create index idx_events_user_id on public.events (user_id);

create index idx_events_event_type on public.events (event_type);

create index idx_events_created_at on public.events (created_at desc);

create index idx_events_project_created on public.events (project_id, created_at desc);

create index idx_events_task_created on public.events (task_id, created_at desc);

create index idx_events_notes on public.events (tenant_id, project_id, seq)
  where event_type in ('task.noted', 'project.noted');

-- The last position of each workspace. Taken last in a transaction, so positions appear in commit order, without gaps.
create table app.positions (
  tenant_id uuid primary key references public.tenants,
  seq bigint not null default 0,
  -- Events up to here are in files.
  archived_to bigint not null default 0 check (archived_to between 0 and seq)
) with (fillfactor = 50);

-- What archived events leave behind: of each stream its last version and what it had made, of each chain its last hash.
create table app.archived_streams (
  tenant_id uuid not null references public.tenants,
  stream text not null,
  version bigint not null,
  seq bigint not null,
  project_id uuid,
  state jsonb,
  primary key (tenant_id, stream)
);

create table app.archived_chains (
  tenant_id uuid not null references public.tenants,
  project_id uuid,
  hash bytea not null,
  unique nulls not distinct (tenant_id, project_id)
);

create table app.idempotency_keys (
  tenant_id uuid not null,
  user_id uuid not null,
  key text not null,
  fingerprint text not null,
  result jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, user_id, key)
);

create index idx_idempotency_keys_created_at on app.idempotency_keys (created_at);

-- The closed list of event types, and of the fields each may carry. A field's size is characters for text, items
-- for a list, bytes for json, the largest value for an integer.
create table app.event_types (
  event_type text primary key,
  schema_version integer not null default 1,
  -- The fields that no event of the type may be without.
  required text[] not null,
  -- Only the door itself makes these, as what follows from another event.
  internal boolean not null default false
);

create table app.event_fields (
  event_type text not null references app.event_types,
  field text not null,
  kind text not null check (kind in (
    'text', 'line', 'ref', 'ref[]', 'text[]', 'label[]', 'integer', 'number', 'boolean', 'object', 'array', 'one_of')),
  required boolean not null,
  size_max integer,
  one_of text[],
  -- The door itself adds the field. No caller may say it, and a history that is imported has it.
  by_door boolean not null default false,
  primary key (event_type, field)
);

-- An event as the door has judged and versioned it (no version: nothing was to do), the row it made, and the triggers
-- it may set off.
create type app.applied as (
  event public.events,
  state jsonb,
  triggers jsonb
);
