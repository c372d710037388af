-- The log as the source of truth: fold it, verify it, rebuild from it, redact it.
-- The tables that are folds of one stream each, in the order in which their keys refer to one another.
create table app.read_models (
  category text primary key,
  table_name text not null unique,
  place integer not null unique
);

-- The archive: the one way in which an event leaves the table, after it was written to a file and read back. What
-- stays is the boundary: the last hash of each chain, and of each stream its version and what it made, so that the
-- chain goes on and a rebuild starts there.
create table app.archives (
  tenant_id uuid not null references public.tenants,
  first_seq bigint not null check (first_seq > 0),
  last_seq bigint not null,
  events bigint not null,
  location text not null check (char_length(location) between 1 and 1000),
  file text not null check (file ~ '^[a-z0-9][a-z0-9.-]{0,199}$'),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null,
  primary key (tenant_id, first_seq),
  check (last_seq = first_seq + events - 1)
);
