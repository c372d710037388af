-- Where servers with authorization are reached, so that tokens and invitations are made for an address that somebody serves;
-- and the names of programs beside what they did.

create table app.served_urls (
  tenant_id uuid not null,
  public_url text not null check (char_length(public_url) <= 500 and public_url ~ '^https?://[^/?#]+$'),
  served_at timestamptz not null,
  primary key (tenant_id, public_url)
);
revoke all on table app.served_urls from public, anon, authenticated, service_role;
alter table app.served_urls enable row level security;
alter table app.served_urls force row level security;
grant select, insert, update, delete on table app.served_urls to cairn_owner;
create policy door on app.served_urls for all to cairn_owner
  using (tenant_id = app.tenant()) with check (tenant_id = app.tenant());

-- save_served_url(public_url) -> {}: a server says that it is reached there. The ten that said so last are kept.
create function public.save_served_url(public_url text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_server(actor);
begin
  insert into app.served_urls as s (tenant_id, public_url, served_at) values (v_actor.tenant_id, save_served_url.public_url, app.now())
    on conflict on constraint served_urls_pkey do update set served_at = excluded.served_at;
  delete from app.served_urls s where s.tenant_id = v_actor.tenant_id and s.public_url not in (
    select k.public_url from app.served_urls k where k.tenant_id = v_actor.tenant_id order by k.served_at desc, k.public_url limit 10);
  return '{}';
end
$$;

-- list_served_urls() -> {served: [{public_url, served_at}]}, the newest first.
create function public.list_served_urls(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_server(actor);
begin
  return jsonb_build_object('served', (
    select coalesce(jsonb_agg(jsonb_build_object('public_url', s.public_url, 'served_at', s.served_at) order by s.served_at desc, s.public_url), '[]')
    from app.served_urls s where s.tenant_id = v_actor.tenant_id));
end
$$;

-- list_auth_events(chosen {since?, type?, user_id?, client_id?, unowned?}, before?, page_size) -> {events: [{id, at, type, user_id?, user?, client_id?,
-- client?, subject_id?, ip?, data?}], next_before?}, the newest first. `client` is what the program was called when it was let in, or is called now.
create or replace function public.list_auth_events(chosen jsonb default '{}', before text default null, page_size integer default 50,
    actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_person(actor, 'admin');
  v_tenant uuid := case when (chosen ->> 'unowned')::boolean then app.nobody() else v_actor.tenant_id end;
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
      select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'at', e.at, 'type', e.type, 'user_id', e.user_id,
          'user', app.user_name(e.user_id), 'client_id', e.client_id,
          'client', coalesce(
            (select g.client_name from app.oauth_grants g where g.tenant_id = v_actor.tenant_id and g.id = e.subject_id),
            (select c.client_name from app.oauth_clients c where c.client_id = e.client_id),
            (select t.name from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.id = e.subject_id)), 'subject_id', e.subject_id, 'ip', host(e.ip),
          'data', nullif(e.data, '{}')) order by e.id desc), '[]')
        from unnest(v_found[:v_size]) e),
    'next_before', case when cardinality(v_found) > v_size then (v_found[v_size]).id end));
end
$$;

select app.secure_functions();
