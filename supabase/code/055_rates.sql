-- Rates: so much of a thing in a window, counted for all processes.

-- Takes one of a bucket in the door's workspace: {allowed, retry_after_seconds}. The window begins with the first one;
-- those that are refused lengthen nothing.
create or replace function app.take_rate(bucket text, most integer, seconds integer)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_taken app.rates;
begin
  insert into app.rates as r (tenant_id, bucket, count, ends_at)
    values (app.get_tenant_id(), take_rate.bucket, 1, v_now + make_interval(secs => seconds))
    on conflict on constraint rates_pkey do update
      set count = case when r.ends_at <= v_now then 1 else least(r.count, most) + 1 end,
        ends_at = case when r.ends_at <= v_now then excluded.ends_at else r.ends_at end
    returning * into v_taken;
  return jsonb_build_object(
    'allowed', v_taken.count <= most,
    'retry_after_seconds', case when v_taken.count <= most
      then 0
      -- Who began it may have looked at the clock later.
      else least(ceil(extract(epoch from v_taken.ends_at - v_now))::integer, seconds) end);
end
$$;
