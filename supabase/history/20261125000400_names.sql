-- Names of people, agents, programs and workspaces are cleaned on every way in, and shown to those who share a
-- workspace with whoever has them.

-- Puts a name on one line, or answers null when nobody can see any of it: without control characters, without what
-- turns the direction of text or takes no room, white space as single spaces. `cleanName` in src/text.ts does the same;
-- a test compares them for every character.
create function app.clean_name(value text, size_max integer) returns text language sql immutable
  return case when value ~ '^[!-~]+( [!-~]+)*$' then rtrim(left(value, size_max))
    else nullif(rtrim(left(btrim(regexp_replace(regexp_replace(
      left(value, 4 * size_max),
      '[\u0001-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F'
        || '\u200B-\u200F\u202A-\u202E\u2060-\u206F\u2800\u3164\uE000-\uF8FF\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB'
        || '\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U0010FFFF]', '', 'g'),
      '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')),
      size_max)), '') end;

-- Writes a name within a sentence: a plain word as it is, anything else in quotes, so that it never reads as the
-- sentence's own words.
create function app.quoted_name(name text) returns text language sql immutable
  return case when name ~ '^[A-Za-z0-9_.@#+/-]{1,100}$' then name
    else to_json(coalesce(app.clean_name(name, 120), ''))::text end;

-- Cleans a column of a row that is written, whoever writes it. Arguments: the column, its size, and what is called so
-- when nobody can see the name.
create function app.clean_column()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := to_jsonb(new) ->> tg_argv[0];
  v_clean text := coalesce(app.clean_name(v_name, tg_argv[1]::integer), tg_argv[2]);
begin
  if v_name <> v_clean then
    new := jsonb_populate_record(new, jsonb_build_object(tg_argv[0], v_clean));
  end if;
  return new;
end
$$;
create trigger users_clean_name before insert or update of name on public.users
  for each row execute function app.clean_column('name', '200', 'user');
create trigger users_clean_email before insert or update of email on public.users
  for each row execute function app.clean_column('email', '320', '-');
create trigger tenants_clean_name before insert or update of name on public.tenants
  for each row execute function app.clean_column('name', '200', 'workspace');
create trigger clients_clean_name before insert or update of client_name on app.oauth_clients
  for each row execute function app.clean_column('client_name', '100', 'Unnamed client');
create trigger grants_clean_name before insert or update of client_name on app.oauth_grants
  for each row execute function app.clean_column('client_name', '100', 'Unnamed client');
create trigger tokens_clean_name before insert or update of name on public.oauth_tokens
  for each row when (new.name is not null) execute function app.clean_column('name', '100', 'Unnamed token');
create trigger invitations_clean_email before insert or update of email on app.invitations
  for each row when (new.email is not null) execute function app.clean_column('email', '320', '-');

-- Here a workspace keeps the names of people who are no members of it: those whom an import named, and members of the
-- past.
create table app.user_names (
  tenant_id uuid not null references public.tenants,
  user_id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  primary key (tenant_id, user_id)
);
create trigger user_names_clean before insert or update of name on app.user_names
  for each row execute function app.clean_column('name', '200', 'user');

-- Keeps the names of before: of people who were only ever named by events, and of members that were removed. Names that
-- were stored before are cleaned first, by the triggers above. Forced row security would hide the rows from a role that
-- owns the tables and is no superuser.
do $$
declare
  v_tables constant regclass[] := '{public.users, public.tenants, public.events, public.memberships, public.oauth_tokens,
    app.auth_events, app.oauth_clients, app.oauth_grants, app.invitations}';
  v_table regclass;
begin
  foreach v_table in array v_tables loop
    execute format('alter table %s no force row level security', v_table);
  end loop;
  update public.users u set name = u.name, email = u.email
    where u.name is distinct from app.clean_name(u.name, 200) or u.email is distinct from app.clean_name(u.email, 320);
  update public.tenants t set name = t.name where t.name is distinct from app.clean_name(t.name, 200);
  update app.oauth_clients c set client_name = c.client_name
    where c.client_name is distinct from app.clean_name(c.client_name, 100);
  update app.oauth_grants g set client_name = g.client_name
    where g.client_name is distinct from app.clean_name(g.client_name, 100);
  update public.oauth_tokens t set name = t.name where t.name is distinct from app.clean_name(t.name, 100);
  update app.invitations i set email = i.email where i.email is distinct from app.clean_name(i.email, 320);
  insert into app.user_names (tenant_id, user_id, name)
    select e.tenant_id, u.id, u.name
      from public.users u
        cross join lateral (select distinct x.tenant_id from public.events x where x.user_id = u.id) e
      where u.name <> 'imported' and not exists (select from public.memberships m where m.user_id = u.id)
    union
    select distinct a.tenant_id, u.id, u.name
      from app.auth_events a join public.users u on u.id = a.user_id
      join public.tenants t on t.id = a.tenant_id
      where a.type = 'member.removed';
  foreach v_table in array v_tables loop
    execute format('alter table %s force row level security', v_table);
  end loop;
end
$$;

revoke all on table app.user_names from public, anon, authenticated, service_role;
alter table app.user_names enable row level security;
alter table app.user_names force row level security;
grant select, insert, update, delete on table app.user_names to cairn_owner;
create policy door on app.user_names for all to cairn_owner
  using (tenant_id = app.tenant())
  with check (tenant_id = app.tenant());

-- A user is seen by those in a workspace that the user belongs to, and by itself. An import may still add one, and
-- learns nothing by it.
drop policy door on public.users;
create policy door_read on public.users for select to cairn_owner
  using (id = app.caller() or exists (
    select from public.memberships m where m.tenant_id = app.tenant() and m.user_id = users.id));
create policy door_insert on public.users for insert to cairn_owner with check (true);
create policy door_update on public.users for update to cairn_owner
  using (id = app.caller())
  with check (id = app.caller());

-- Finds the name of a user in the workspace that the door is in, or null: a member's own, else the one that is kept
-- there.
create function app.user_name(user_id uuid)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant uuid := app.tenant();
  v_name text;
begin
  select u.name into v_name from public.memberships m join public.users u on u.id = m.user_id
    where m.tenant_id = v_tenant and m.user_id = user_name.user_id;
  if not found then
    select n.name into v_name from app.user_names n where n.tenant_id = v_tenant and n.user_id = user_name.user_id;
  end if;
  return v_name;
end
$$;

-- A member who leaves keeps the name there.
create function app.keep_name()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.user_names as n (tenant_id, user_id, name)
    select old.tenant_id, u.id, u.name from public.users u where u.id = old.user_id
    on conflict (tenant_id, user_id) do update set name = excluded.name;
  return old;
end
$$;
create trigger memberships_keep_name before delete on public.memberships
  for each row execute function app.keep_name();

-- A user's personal workspace has the user's own id, so that two first calls at once make one.
create or replace function app.provision_user(user_id uuid, name text, email text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := coalesce(app.clean_name(provision_user.name, 200), app.clean_name(provision_user.email, 200), 'user');
begin
  perform set_config('app.user_id', provision_user.user_id::text, true);
  perform set_config('app.tenant_id', provision_user.user_id::text, true);
  -- A user whom only imported events named is called from now on as the server that signs them in says.
  insert into public.users as u (id, name, email) values (provision_user.user_id, v_name, provision_user.email)
    on conflict (id) do update set name = excluded.name, email = excluded.email
    where not exists (select from public.memberships m where m.user_id = u.id);
  insert into public.tenants (id, name) values (provision_user.user_id, v_name) on conflict do nothing;
  insert into app.positions (tenant_id) values (provision_user.user_id) on conflict do nothing;
  insert into public.memberships (tenant_id, user_id, role)
    values (provision_user.user_id, provision_user.user_id, 'owner') on conflict do nothing;
end
$$;

-- Every callable function begins here: who calls, in which workspace, is the role enough, is the token good that the
-- call came with, and what is it limited to. What is no project is one that nothing belongs to. Raises unauthenticated,
-- forbidden.
create or replace function app.enter(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  v_actor.user_id := case when app.caller_is_server() then app.as_uuid(actor ->> 'user_id') else app.signed_in() end;
  if v_actor.user_id is null then
    perform app.fail('unauthenticated', 'Nobody is signed in.', null, 'Sign in, then try again.');
  end if;
  -- An agent whose name nobody can see is still one, and no person.
  v_actor.agent := coalesce(app.clean_name(actor ->> 'agent', 120), case when actor ->> 'agent' <> '' then 'agent' end);
  v_actor.client := app.clean_name(actor ->> 'client', 120);
  v_actor.user_id := set_config('app.user_id', v_actor.user_id::text, true);
  v_actor.tenant_id := app.as_uuid(actor ->> 'tenant_id');
  v_actor.project_id := case when actor ->> 'project_id' is not null
    then coalesce(app.as_uuid(actor ->> 'project_id'), app.nobody()) end;
  if actor ? 'proof' then
    v_actor := app.prove_token(v_actor, actor -> 'proof');
  elsif v_actor.tenant_id is null then
    select m.tenant_id, m.role into v_actor.tenant_id, v_actor.role from public.memberships m
      where m.user_id = v_actor.user_id order by (m.tenant_id = m.user_id) desc, m.created_at limit 1;
    if not found then
      perform app.provision_user(v_actor.user_id,
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email', null);
      v_actor.tenant_id := v_actor.user_id;
      v_actor.role := 'owner';
    end if;
  else
    select m.role into v_actor.role from public.memberships m
      where m.tenant_id = v_actor.tenant_id and m.user_id = v_actor.user_id;
  end if;
  if app.role_rank(v_actor.role) < app.role_rank(role_min) or v_actor.role is null then
    perform app.fail('forbidden',
      format('This needs the role %s in the workspace; you have %s.', role_min, coalesce(v_actor.role, 'none')),
      null, 'Ask an owner of the workspace.');
  end if;
  v_actor.tenant_id := set_config('app.tenant_id', v_actor.tenant_id::text, true);
  v_actor.project_id := nullif(set_config('app.project_id', coalesce(v_actor.project_id::text, ''), true), '');
  return v_actor;
end
$$;

-- Calls of the server's own role alone begin here, before anybody is known: they act in no workspace. Raises forbidden.
create or replace function app.enter_server(actor jsonb, secret_hash text default null)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server does this.');
  end if;
  v_actor.tenant_id := app.nobody();
  v_actor.client := app.clean_name(actor ->> 'client', 500);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true), set_config('app.user_id', '', true),
    set_config('app.project_id', '', true), set_config('app.presented', coalesce(secret_hash, ''), true);
  return v_actor;
end
$$;

-- sign_in(identity {issuer, subject, name?, email?}) -> {user_id, tenant_id, role}. For the server's role alone: it
-- vouches for the identity. The first time it makes the user and a personal workspace.
create or replace function public.sign_in(identity jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_user uuid := app.user_of(identity);
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server signs users in.');
  end if;
  if coalesce(identity ->> 'issuer', '') = '' or coalesce(identity ->> 'subject', '') = '' then
    perform app.fail('invalid_input', 'An identity has an issuer and a subject.');
  end if;
  perform app.provision_user(v_user,
    coalesce(app.clean_name(identity ->> 'name', 200), identity ->> 'subject'), left(identity ->> 'email', 320));
  v_actor := app.enter(jsonb_build_object('user_id', v_user)
    || jsonb_strip_nulls(jsonb_build_object('tenant_id', actor ->> 'tenant_id')));
  return jsonb_build_object('user_id', v_actor.user_id, 'tenant_id', v_actor.tenant_id, 'role', v_actor.role);
end
$$;

-- list_connections(chosen {all?, user_id?, client_id?, ended?}, before?, page_size) -> {connections: [{id, kind,
-- user_id, user, client_id, client, client_kind, redirect_host?, scope, project?, resource, created_at, created_ip?,
-- last_used_at?, last_used_ip?, expires_at, revoked_at?, revoked_reason?}], next_before?}: the actor's own, or with
-- `all` everybody's, for admins. Newest first.
create or replace function public.list_connections(chosen jsonb default '{}', before text default null,
    page_size integer default 50, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_person(actor);
  v_all boolean := coalesce((chosen ->> 'all')::boolean, false);
  v_size integer := app.page_size(page_size, 100);
  v_found jsonb[];
begin
  if v_all then
    perform app.require_role(v_actor, 'admin', 'Seeing the connections of others');
  end if;
  select array_agg(f.connection) into v_found from (
    select jsonb_strip_nulls(jsonb_build_object('id', c.id, 'kind', c.kind, 'user_id', c.user_id,
      'user', coalesce(app.user_name(c.user_id), 'former member'), 'client_id', c.client_id, 'client', c.client_name,
      'client_kind', c.client_kind, 'redirect_host', c.redirect_host, 'scope', c.scope,
      'project', coalesce(p.slug, c.project_id::text), 'resource', c.resource, 'created_at', c.created_at,
      'created_ip', host(c.created_ip), 'last_used_at', c.last_used_at, 'last_used_ip', host(c.last_used_ip),
      'expires_at', c.expires_at, 'revoked_at', c.revoked_at, 'revoked_reason', c.revoked_reason)) as connection
    from (
      select g.id, 'oauth' as kind, g.user_id, g.client_id, g.client_name, g.client_kind, g.redirect_host, g.scope,
          null::uuid as project_id, g.resource, g.created_at, g.created_ip,
          g.last_used_at, g.last_used_ip, g.expires_at, g.revoked_at, g.revoked_reason
        from app.oauth_grants g where g.tenant_id = v_actor.tenant_id
      union all
      select t.id, 'pat', t.user_id, t.client_id, t.name, 'pat', null, t.scope, t.project_id, t.resource,
          t.created_at, t.created_ip, t.last_used_at, t.last_used_ip, t.expires_at, t.revoked_at, null
        from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.kind = 'pat') c
      left join public.projects p on p.tenant_id = v_actor.tenant_id and p.id = c.project_id
    where (v_all or c.user_id = v_actor.user_id)
      and (chosen ->> 'user_id' is null or c.user_id = app.as_uuid(chosen ->> 'user_id'))
      and (chosen ->> 'client_id' is null or c.client_id = chosen ->> 'client_id')
      and (coalesce((chosen ->> 'ended')::boolean, false) or c.revoked_at is null and c.expires_at > app.now())
      and (before is null or c.id < app.as_uuid(before))
    order by c.id desc limit v_size + 1) f;
  return jsonb_strip_nulls(jsonb_build_object('connections', coalesce(to_jsonb(v_found[1:v_size]), '[]'),
    'next_before', case when cardinality(v_found) > v_size then v_found[v_size] ->> 'id' end));
end
$$;

-- list_auth_events(chosen {since?, type?, user_id?, client_id?, unowned?}, before?, page_size) -> {events: [{id, at,
-- type, user_id?, user?, client_id?, subject_id?, ip?, data?}], next_before?}: newest first, for admins. `type` is a
-- whole type or its first word. `unowned` shows what belongs to no workspace (clients that registered, logins that
-- failed): for the operator.
create or replace function public.list_auth_events(chosen jsonb default '{}', before text default null,
    page_size integer default 50, actor jsonb default '{}')
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
          'user', app.user_name(e.user_id), 'client_id', e.client_id, 'subject_id', e.subject_id, 'ip', host(e.ip),
          'data', nullif(e.data, '{}')) order by e.id desc), '[]')
        from unnest(v_found[:v_size]) e),
    'next_before', case when cardinality(v_found) > v_size then (v_found[v_size]).id end));
end
$$;

-- Refuses who does not hold the task. A token must be the live one; without a token, nobody else may hold the task.
create or replace function app.check_holder(task public.tasks, event public.events, expect jsonb,
    expires_at timestamptz, role text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_token text := expect ->> 'lock_token';
begin
  if v_token is not null then
    if task.lock_token is null or v_token <> task.lock_token::text or expires_at <= event.created_at then
      perform app.fail('lock_lost',
        format('You no longer hold task %s: the lock_token %s is not the live one.', task.ref, left(v_token, 20)),
        jsonb_strip_nulls(jsonb_build_object('status', task.status, 'locked_by', task.locked_by)),
        'Stop work on it: another agent may have taken over. '
          || 'get_task shows its state; claim_task takes it again if it is free.');
    end if;
  elsif task.status = 'in_progress' and event.actor ->> 'agent' is null and app.role_rank(role) >= 3 then
    return;
  elsif task.status = 'in_progress' and expires_at <= event.created_at
      and event.event_type in ('task.released', 'task.completed') then
    -- Leaving the token out must not do what the token no longer does.
    perform app.fail('lock_lost',
      format('Nobody holds task %s any more: the lock of %s expired.', task.ref, app.quoted_name(task.locked_by)),
      jsonb_build_object('status', task.status, 'locked_by', task.locked_by),
      'Claim it with claim_task, then pass the lock_token.');
  elsif task.status = 'in_progress' and expires_at > event.created_at then
    perform app.fail('lock_held', format('Task %s is held by %s.', task.ref, app.quoted_name(task.locked_by)),
      jsonb_build_object('locked_by', task.locked_by, 'locked_until', expires_at),
      'If that is you, pass the lock_token that claim_task returned. '
        || 'Otherwise leave a note with record_event, or claim another task.');
  end if;
end
$$;

create or replace function app.guard_claim(task public.tasks, event public.events, rules jsonb, expires_at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_own boolean := task.locked_by_user = event.user_id
    and (task.locked_by = app.by(event) or coalesce((event.payload ->> 'take_over')::boolean, false));
  v_waiting text[];
begin
  if task.status = 'in_progress' and expires_at > event.created_at and not v_own then
    perform app.fail('lock_held', format('Task %s is held by %s.', task.ref, app.quoted_name(task.locked_by)),
      jsonb_build_object('locked_by', task.locked_by, 'locked_until', expires_at),
      'Claim another ready task (claim_task without task), or wait until the lock expires. '
        || 'If that was you under another name, pass take_over: true.');
  end if;
  if task.status = 'pending' then
    v_waiting := app.waiting_for(task);
    if cardinality(v_waiting) > 0 then
      perform app.fail('illegal_transition',
        format('Task %s is not ready: it waits for %s.', task.ref, array_to_string(v_waiting, '; ')),
        jsonb_build_object('waiting_for', v_waiting),
        'Claim what it waits for, or claim_task without task for the next ready one.');
    end if;
  end if;
  if rules ? 'gates' then
    perform app.check_gates(task, rules, 'claim', event);
  end if;
end
$$;

-- Ends the lapsed claims that were the last attempt their project allows, of one task or of any, by releases that leave
-- the task blocked for a person, each caused by the claim that lapsed.
create or replace function app.give_up_lapsed(project public.projects, task_id uuid)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not coalesce(project.rules ? 'attempts_max', false) then
    return '[]';
  end if;
  return (
    with worn_out as (
      select t.id, t.ref, t.lock_token, t.locked_by from public.task_leases l
        join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.task_id and t.lock_token = l.lock_token
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()
        and t.attempts + 1 >= (project.rules ->> 'attempts_max')::integer
        and (give_up_lapsed.task_id is null or t.id = give_up_lapsed.task_id)
      order by t.id limit 20 for no key update of t skip locked)
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'task:' || w.id, 'type', 'task.released',
        'data', jsonb_build_object('outcome', 'failed',
          'reason', format('The claim of %s lapsed.', app.quoted_name(w.locked_by))),
        'causation', coalesce((
          select e.id from public.events e
          where e.tenant_id = project.tenant_id and e.stream = 'task:' || w.id and e.version = w.lock_token), w.id))
      order by w.id), '[]') from worn_out w);
end
$$;
