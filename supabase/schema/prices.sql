-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.cost_of(step public.agent_steps)
 RETURNS numeric
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select trim_scale((
      greatest(coalesce(step.tokens_in, 0) - coalesce(step.tokens_cached, 0)
        - coalesce(step.tokens_cache_written, 0), 0) * (p).price_in
      + coalesce(step.tokens_cached, 0) * (p).price_cached
      + coalesce(step.tokens_cache_written, 0) * (p).price_cache_written
      + coalesce(step.tokens_out, 0) * (p).price_out) / 1000000)
  from app.price_of(step.model) p
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.price_name(model text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select regexp_replace(lower(model), '^(.*/)?(([a-z-]+[.])?anthropic[.])?', '')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.price_of(model text)
 RETURNS public.model_prices
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select p.*
  from app.price_name(price_of.model) n(name)
  join public.model_prices p on starts_with(n.name, p.model) and substr(n.name, length(p.model) + 1) ~ ('^'
    -- -001, -0613, -20251001, -2025-10-01, -v1; -preview-09-2025, -preview-05-06; @20251001, :free
    '(-([0-9]{3,4}|[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|v[0-9]+|latest|preview(-[0-9]{2}-([0-9]{2}|[0-9]{4}))?))*'
    '([@:].*)?$')
  order by length(p.model) desc limit 1
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_model_prices(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return jsonb_build_object('prices', coalesce((
    select jsonb_agg(to_jsonb(p) order by p.model)
    from public.model_prices p), '[]'));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.set_model_price(model text, price_in numeric DEFAULT NULL::numeric, price_out numeric DEFAULT NULL::numeric, price_cached numeric DEFAULT NULL::numeric, price_cache_written numeric DEFAULT NULL::numeric, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_model_prices(jsonb) to authenticated;
grant execute on function public.list_model_prices(jsonb) to cairn_server;
grant execute on function public.list_model_prices(jsonb) to service_role;
grant execute on function public.set_model_price(text,numeric,numeric,numeric,numeric,jsonb) to authenticated;
grant execute on function public.set_model_price(text,numeric,numeric,numeric,numeric,jsonb) to cairn_server;
grant execute on function public.set_model_price(text,numeric,numeric,numeric,numeric,jsonb) to service_role;
