-- What was left out of the output of runs, and how much of it a workspace has added in a day.

-- `left_out`: [{from, below, bytes, why}], the sequences that were not kept, in order. `last_bytes`: of `bytes`, those
-- of its end, which came after something was left out.
alter table app.run_outputs
  add column left_out jsonb not null default '[]' check (jsonb_typeof(left_out) = 'array'),
  add column last_bytes bigint not null default 0 check (last_bytes >= 0);

-- A workspace's runs share several rows, so that they do not wait for one another.
create table app.output_days (
  tenant_id uuid not null references public.tenants,
  slot integer not null check (slot between 0 and 15),
  day date not null,
  bytes bigint not null check (bytes >= 0),
  primary key (tenant_id, slot)
);

drop function if exists public.add_output(text, bigint, jsonb, jsonb);
drop function if exists app.store_output(public.agent_runs, jsonb, timestamptz);
drop function if exists app.insert_output(public.agent_runs, app.run_outputs, jsonb, bigint, timestamptz);
drop function if exists public.list_output(text, integer, integer, integer, jsonb);
