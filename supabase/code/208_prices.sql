-- What requests to models cost.

-- The name of a model without who provides it: anthropic/, us.anthropic., an address up to its last slash.
create or replace function app.price_name(model text) returns text language sql immutable as $$
  select regexp_replace(lower(model), '^(.*/)?(([a-z-]+[.])?anthropic[.])?', '')
$$;

-- The price of a model: of its name, or of one of which it is a version, a dated one, the latest or a preview. Else a
-- gpt-5-pro cost what a gpt-5 does, of which its name begins.
create or replace function app.price_of(model text)
  returns public.model_prices
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.*
  from app.price_name(price_of.model) n(name)
  join public.model_prices p on starts_with(n.name, p.model) and substr(n.name, length(p.model) + 1) ~ ('^'
    -- -001, -0613, -20251001, -2025-10-01, -v1; -preview-09-2025, -preview-05-06; @20251001, :free
    '(-([0-9]{3,4}|[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|v[0-9]+|latest|preview(-[0-9]{2}-([0-9]{2}|[0-9]{4}))?))*'
    '([@:].*)?$')
  order by length(p.model) desc limit 1
$$;

-- What tokens cost in dollars; null where their model has no price. Those that were read from a cache or written to one
-- are among those in.
create or replace function app.cost_of(step public.agent_steps)
  returns numeric
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select trim_scale((
      greatest(coalesce(step.tokens_in, 0) - coalesce(step.tokens_cached, 0)
        - coalesce(step.tokens_cache_written, 0), 0) * (p).price_in
      + coalesce(step.tokens_cached, 0) * (p).price_cached
      + coalesce(step.tokens_cache_written, 0) * (p).price_cache_written
      + coalesce(step.tokens_out, 0) * (p).price_out) / 1000000)
  from app.price_of(step.model) p
$$;

-- set_model_price(model, price_in?, price_out?, price_cached?, price_cache_written?) -> {model, price_in, price_out,
-- price_cached, price_cache_written, updated_at, updated_by, removed?}: dollars for a million tokens of the
-- model, its versions and previews, whoever provides it; null in and out remove the price. What was used before keeps
-- what it cost. Raises forbidden, not_found, invalid_input.
create or replace function public.set_model_price(
  model text,
  price_in numeric default null,
  price_out numeric default null,
  price_cached numeric default null,
  price_cache_written numeric default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_model constant text := app.price_name(model);
  v_cached constant numeric := coalesce(price_cached, price_in);
  v_written constant numeric := coalesce(price_cache_written, price_in);
  v_price public.model_prices;
begin
  perform app.refuse_agent(v_actor, 'What models cost is decided', 'cairn prices');
  perform app.refuse_guest(v_actor, 'says what models cost', 'cairn prices');
  perform app.check_form('model', v_model ~ '^[a-z0-9][a-z0-9._:-]{0,119}$', 'the name of a model');
  perform app.check_form('prices', num_nulls(price_in, price_out) <> 1
    and coalesce(least(price_in, price_out, v_cached, v_written) >= 0
      and greatest(price_in, price_out, v_cached, v_written) <= 100000, true),
    'dollars for a million tokens in and out, from 0 to 100,000');
  if price_in is null then
    delete from public.model_prices p where p.model = v_model returning * into v_price;
    if v_price.model is null then
      perform app.fail('not_found', format('No price is set for "%s".', v_model), null,
        'See the models with `cairn prices`.');
    end if;
  else
    insert into public.model_prices
      values (v_model, price_in, price_out, v_cached, v_written, app.now(), app.actor_name(v_actor))
      on conflict on constraint model_prices_pkey do update
        set (price_in, price_out, price_cached, price_cache_written, updated_at, updated_by) = (excluded.price_in,
          excluded.price_out, excluded.price_cached, excluded.price_cache_written, excluded.updated_at,
          excluded.updated_by)
      returning * into v_price;
  end if;
  return to_jsonb(v_price) || case when price_in is null then '{"removed": true}'::jsonb else '{}' end;
end
$$;

-- list_model_prices() -> {prices: [{model, price_in, price_out, price_cached, price_cache_written, updated_at,
-- updated_by}]}: dollars for a million tokens.
create or replace function public.list_model_prices(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return jsonb_build_object('prices', coalesce((
    select jsonb_agg(to_jsonb(p) order by p.model)
    from public.model_prices p), '[]'));
end
$$;

select app.define_on_tables($policies$
  create policy door on public.model_prices for all to cairn_owner using (true) with check (true);
  create policy read on public.model_prices for select to authenticated using (true);
$policies$);
