-- The end of what a run printed, as plain text, where a workspace has its search find it. Not in the log: made of the
-- output when the run ends, kept as long as the output is, and what the search's documents are made anew of.
create table app.run_screens (
  tenant_id uuid not null references public.tenants,
  project_id uuid,
  run_id uuid not null,
  -- The earliest of it.
  printed_at timestamptz not null,
  content text not null check (char_length(content) between 1 and 16384),
  primary key (tenant_id, run_id)
);

create index idx_run_screens_printed_at on app.run_screens (printed_at);
