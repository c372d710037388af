-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.rates (
  tenant_id uuid not null,
  bucket text collate "C" not null,
  count integer not null,
  ends_at timestamp with time zone not null,
  constraint rates_pkey PRIMARY KEY (tenant_id, bucket),
  constraint auth_attempts_bucket_check CHECK (((char_length(bucket) >= 1) AND (char_length(bucket) <= 400)))
);
alter table app.rates enable row level security;
alter table app.rates force row level security;
create policy door on app.rates as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.rates as permissive for delete to cairn_keeper using ((ends_at < now()));

-- Functions

CREATE OR REPLACE FUNCTION app.take_rate(bucket text, most integer, seconds integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant delete on app.rates to cairn_keeper;
grant delete, insert, select, update on app.rates to cairn_owner;
