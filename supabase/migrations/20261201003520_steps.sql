-- What a step used and cost, and what runs used by model and day.

alter table public.agent_steps
  add check (kind in ('llm_prompt', 'tool_call', 'response')),
  add column model text check (char_length(model) between 1 and 120),
  add column tokens_cache_written bigint check (tokens_cache_written >= 0),
  -- Dollars, exact: tokens times a price a million of them.
  add column cost_usd numeric check (cost_usd >= 0),
  -- How long it waited for a person.
  add column waited_ms bigint check (waited_ms >= 0),
  add column created_at timestamptz not null;

-- Prices in dollars for a million tokens, by the longest beginning of a model's name. Whoever runs the server changes
-- them; they belong to no workspace.
create table public.model_prices (
  model text primary key check (model ~ '^[a-z0-9][a-z0-9._:/-]{0,119}$'),
  price_in numeric not null check (price_in between 0 and 100000),
  price_out numeric not null check (price_out between 0 and 100000),
  price_cached numeric not null check (price_cached between 0 and 100000),
  price_cache_written numeric not null check (price_cache_written between 0 and 100000),
  updated_at timestamptz not null,
  updated_by text not null
);

-- What the requests of a run to models used, by model and day of UTC: kept as steps are added, and when these are in
-- files. `tokens_in` counts what was read from a cache or written to one, too.
create table public.run_usage (
  tenant_id uuid not null references public.tenants,
  run_id uuid not null,
  model text not null,
  day date not null,
  project_id uuid,
  requests integer not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  tokens_cached bigint not null,
  tokens_cache_written bigint not null,
  cost_usd numeric not null,
  -- Of requests to models without a price.
  tokens_unpriced bigint not null,
  -- No key to runs and projects: a replay makes those anew.
  primary key (tenant_id, run_id, model, day)
);

create index idx_run_usage_day on public.run_usage (tenant_id, day);
create index idx_run_usage_project_id on public.run_usage (project_id);

insert into public.model_prices (model, price_in, price_out, price_cached, price_cache_written, updated_at, updated_by)
  select p.*, '2026-12-01', 'cairn'
  from (
    values ('claude-opus-4', 15, 75, 1.5, 18.75),
      ('claude-opus-4-5', 5, 25, 0.5, 6.25),
      ('claude-opus-4-6', 5, 25, 0.5, 6.25),
      ('claude-sonnet-4', 3, 15, 0.3, 3.75),
      ('claude-haiku-4-5', 1, 5, 0.1, 1.25),
      ('claude-3-5-haiku', 0.8, 4, 0.08, 1),
      ('claude-3-7-sonnet', 3, 15, 0.3, 3.75),
      ('gpt-5', 1.25, 10, 0.125, 1.25),
      ('gpt-5-mini', 0.25, 2, 0.025, 0.25),
      ('gpt-5-nano', 0.05, 0.4, 0.005, 0.05),
      ('gpt-5.1', 1.25, 10, 0.125, 1.25),
      ('gpt-5.1-codex-mini', 0.25, 2, 0.025, 0.25),
      ('gpt-4.1', 2, 8, 0.5, 2),
      ('o4-mini', 1.1, 4.4, 0.275, 1.1),
      ('gemini-2.5-pro', 1.25, 10, 0.125, 1.25),
      ('gemini-2.5-flash', 0.3, 2.5, 0.03, 0.3),
      ('gemini-2.5-flash-lite', 0.1, 0.4, 0.01, 0.1),
      ('gemini-3-pro', 2, 12, 0.2, 2)) p;
