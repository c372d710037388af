-- What runs used is found by project and run, and a row of nothing is none.
drop function if exists app.usage_between(uuid, date, date);
delete from public.run_usage u where u.requests = 0;

-- What hangs under a span is found by it: a report whose parents come last names hundreds.
create index idx_agent_steps_parent on public.agent_steps (tenant_id, parent_span_id)
  where parent_span_id is not null;

-- A price is of a model and its versions, no more of all whose names begin so: what has the price of another is named.
-- No name that is priced has a slash.
delete from public.model_prices p where p.model like '%/%';
insert into public.model_prices (model, price_in, price_out, price_cached, price_cache_written, updated_at, updated_by)
  select p.*, '2026-12-01', 'cairn'
  from (
    values ('claude-3-haiku', 0.25, 1.25, 0.03, 0.3),
      ('claude-3-opus', 15, 75, 1.5, 18.75),
      ('claude-3-5-sonnet', 3, 15, 0.3, 3.75),
      ('claude-opus-4-0', 15, 75, 1.5, 18.75),
      ('claude-opus-4-1', 15, 75, 1.5, 18.75),
      ('claude-sonnet-4-0', 3, 15, 0.3, 3.75),
      ('claude-sonnet-4-5', 3, 15, 0.3, 3.75),
      ('claude-sonnet-4-6', 3, 15, 0.3, 3.75),
      ('gpt-4.1-mini', 0.4, 1.6, 0.1, 0.4),
      ('gpt-4.1-nano', 0.1, 0.4, 0.025, 0.1),
      ('gpt-4o', 2.5, 10, 1.25, 2.5),
      ('gpt-4o-mini', 0.15, 0.6, 0.075, 0.15),
      ('gpt-5-chat', 1.25, 10, 0.125, 1.25),
      ('gpt-5-codex', 1.25, 10, 0.125, 1.25),
      ('gpt-5-pro', 15, 120, 15, 15),
      ('gpt-5.1-chat', 1.25, 10, 0.125, 1.25),
      ('gpt-5.1-codex', 1.25, 10, 0.125, 1.25),
      ('gpt-5.1-codex-max', 1.25, 10, 0.125, 1.25),
      ('o3', 2, 8, 0.5, 2),
      ('o3-mini', 1.1, 4.4, 0.55, 1.1),
      ('o4-mini-deep-research', 2, 8, 0.5, 2)) p
  on conflict on constraint model_prices_pkey do nothing;
