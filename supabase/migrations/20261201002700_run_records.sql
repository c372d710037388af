-- What runs report in volume: what they printed, their steps, their messages. Foreign keys but the workspace's would
-- make dropping a partition slow: the verbs that add records check the run.

create table public.terminal_outputs (
  tenant_id uuid not null references public.tenants,
  project_id uuid,
  id uuid not null,
  run_id uuid not null,
  command_id uuid,
  agent_id uuid not null,
  attempt integer not null check (attempt > 0),
  stream_type text not null check (stream_type in ('stdout', 'stderr')),
  content text not null check (octet_length(content) between 1 and 16384),
  ansi_codes boolean not null,
  "timestamp" timestamptz not null,
  sequence integer not null check (sequence >= 0),
  created_at timestamptz not null,
  primary key (tenant_id, run_id, attempt, sequence, "timestamp")
) partition by range ("timestamp");

create index idx_terminal_outputs_command_id on public.terminal_outputs (tenant_id, command_id, sequence);
create index idx_terminal_outputs_timestamp on public.terminal_outputs using brin ("timestamp");

-- How far the output of an attempt has come: below `next_sequence` nothing is missing. Not in the log, and kept when
-- the output itself is deleted.
create table app.run_outputs (
  tenant_id uuid not null references public.tenants,
  run_id uuid not null,
  attempt integer not null check (attempt > 0),
  next_sequence integer not null check (next_sequence >= 0),
  last_sequence integer not null check (last_sequence >= -1),
  bytes bigint not null check (bytes >= 0),
  dropped_bytes bigint not null check (dropped_bytes >= 0),
  paced_until timestamptz not null,
  primary key (tenant_id, run_id, attempt)
);

-- A step is a span of a trace. It is opened by one and closed by another.
create table public.agent_steps (
  tenant_id uuid not null references public.tenants,
  project_id uuid,
  run_id uuid not null,
  trace_id text not null check (trace_id ~ '^[0-9a-f]{32}$'),
  span_id text not null check (span_id ~ '^[0-9a-f]{16}$'),
  parent_span_id text check (parent_span_id ~ '^[0-9a-f]{16}$'),
  kind text not null,
  name text not null,
  tool_type public.tool_type,
  status public.agent_step_status not null,
  started_at timestamptz not null,
  completed_at timestamptz,
  duration_ms bigint check (duration_ms >= 0),
  tokens_in bigint check (tokens_in >= 0),
  tokens_out bigint check (tokens_out >= 0),
  tokens_cached bigint check (tokens_cached >= 0),
  cost_credits bigint check (cost_credits >= 0),
  tool_call_id text,
  envelope_id uuid,
  error text,
  content jsonb,
  attributes jsonb check (jsonb_typeof(attributes) = 'object'),
  run_created_at timestamptz not null,
  primary key (tenant_id, trace_id, span_id, run_created_at)
) partition by range (run_created_at);

create index idx_agent_steps_run_started on public.agent_steps (tenant_id, run_id, started_at);

create table public.agent_messages (
  tenant_id uuid not null references public.tenants,
  project_id uuid,
  run_id uuid not null,
  seq integer not null check (seq >= 0),
  role text not null,
  parts jsonb not null check (jsonb_typeof(parts) = 'array'),
  tokens bigint check (tokens >= 0),
  created_at timestamptz not null,
  run_created_at timestamptz not null,
  primary key (tenant_id, run_id, seq, run_created_at)
) partition by range (run_created_at);
