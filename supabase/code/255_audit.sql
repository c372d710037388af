-- The audit trail: what the server and people did, recorded and read.

-- Cuts values that exceed the size of an audit row, and marks them: an event is recorded however much a stranger sent.
create or replace function app.cut_audited(data jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max constant integer := 4096;
  v_cut jsonb;
begin
  if pg_column_size(data) <= v_max then
    return data;
  end if;
  select jsonb_object_agg(left(d.key, 60), case jsonb_typeof(d.value)
      when 'string' then to_jsonb(left(d.value #>> '{}', 300))
      when 'array' then (select jsonb_agg(left(e.value, 100))
        from jsonb_array_elements_text(d.value) with ordinality e where e.ordinality <= 5)
      when 'object' then to_jsonb(left(d.value::text, 300))
      else d.value end) || '{"cut": true}'
    into v_cut from jsonb_each(data) d;
  return case when pg_column_size(v_cut) <= v_max then v_cut
    else jsonb_build_object('cut', true, 'begins', left(data::text, 500)) end;
end
$$;

-- Records an event of the door's workspace; `event` is {type, user_id?, client_id?, subject_id?, data?}.
create or replace function app.record_audit(event jsonb, actor jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.auth_events (tenant_id, at, type, user_id, client_id, subject_id, ip, data)
  values (app.get_tenant_id(), app.now(), event ->> 'type',
    coalesce(app.as_uuid(event ->> 'user_id'), app.get_caller_id()),
    left(event ->> 'client_id', 500), app.as_uuid(event ->> 'subject_id'), app.read_ip(actor),
    app.cut_audited(coalesce(jsonb_strip_nulls(event -> 'data'), '{}')));
end
$$;

-- record_auth_event(event {type, user_id?, client_id?, data?}) -> {}: a refusal by the server before the user was
-- known.
create or replace function public.record_auth_event(event jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  perform app.record_audit(event, actor);
  return '{}';
end
$$;

-- list_auth_events(chosen {since?, type?, user_id?, client_id?, unowned?}, before?, page_size) -> {events: [{id, at,
-- type, user_id?, user?, client_id?, client?, subject_id?, ip?, data?}], next_before?}, the newest first. `client` is
-- the program's name at its admission, or its present one.
create or replace function public.list_auth_events(
  chosen jsonb default '{}',
  before text default null,
  page_size integer default 50,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_tenant uuid := case when (chosen ->> 'unowned')::boolean then app.get_nil_id() else v_actor.tenant_id end;
  v_size integer := app.page_size(page_size, 200);
  v_found app.auth_events[];
begin
  perform set_config('app.tenant_id', v_tenant::text, true);
  select array_agg(f order by f.id desc) into v_found from (
    select * from app.auth_events e
      where e.tenant_id = v_tenant and (before is null or e.id < app.as_uuid(before))
        and (chosen ->> 'since' is null or e.at >= (chosen ->> 'since')::timestamptz)
        and (chosen ->> 'type' is null or e.type = chosen ->> 'type' or starts_with(e.type, (chosen ->> 'type') || '.'))
        and (chosen ->> 'user_id' is null or e.user_id = app.as_uuid(chosen ->> 'user_id'))
        and (chosen ->> 'client_id' is null or e.client_id = chosen ->> 'client_id')
      order by e.id desc limit v_size + 1) f;
  -- People have their names in the workspace of who asks, of what belongs to none too.
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
  return jsonb_strip_nulls(jsonb_build_object(
    'events', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'id', e.id,
          'at', e.at,
          'type', e.type,
          'user_id', e.user_id,
          'user', app.user_name(e.user_id),
          'client_id', e.client_id,
          'client', coalesce((
              select g.client_name from app.oauth_grants g
              where g.tenant_id = v_actor.tenant_id and g.id = e.subject_id),
            (select c.client_name from app.oauth_clients c where c.client_id = e.client_id),
            (select t.name from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.id = e.subject_id)),
          'subject_id', e.subject_id,
          'ip', host(e.ip),
          'data', nullif(e.data, '{}'))
        order by e.id desc), '[]')
      from unnest(v_found[:v_size]) e),
    'next_before', case when cardinality(v_found) > v_size then (v_found[v_size]).id end));
end
$$;
