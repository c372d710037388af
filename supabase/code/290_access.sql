-- Administration of access: connections, clients, members, the served addresses.

create or replace function app.require_role(actor app.actor, role_min text, what text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if app.role_rank(actor.role) < app.role_rank(role_min) then
    perform app.fail('forbidden',
      format('%s needs the role %s in the workspace; you have %s.', what, role_min, actor.role), null,
      'Ask an owner of the workspace.');
  end if;
end
$$;

-- list_connections(chosen {all?, user_id?, client_id?, ended?}, before?, page_size) -> {connections: [{id, kind,
-- user_id, user, client_id, client, client_kind, redirect_host?, scope, project?, resource, created_at, created_ip?,
-- last_used_at?, last_used_ip?, expires_at, revoked_at?, revoked_reason?}], next_before?}: the actor's own, or with
-- `all` everybody's, for admins. Newest first.
create or replace function public.list_connections(
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
  v_actor app.actor := app.authenticate_person(actor);
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
      'project', coalesce(p.slug, c.project_id::text), 'agent', c.agent, 'resource', c.resource,
      'created_at', c.created_at, 'created_ip', host(c.created_ip), 'last_used_at', c.last_used_at,
      'last_used_ip', host(c.last_used_ip), 'expires_at', c.expires_at, 'revoked_at', c.revoked_at,
      'revoked_reason', c.revoked_reason)) as connection
    from (
      select g.id, 'oauth' as kind, g.user_id, g.client_id, g.client_name, g.client_kind, g.redirect_host, g.scope,
          null::uuid as project_id, null as agent, g.resource, g.created_at, g.created_ip,
          g.last_used_at, g.last_used_ip, g.expires_at, g.revoked_at, g.revoked_reason
        from app.oauth_grants g where g.tenant_id = v_actor.tenant_id
      union all
      select t.id, 'pat', t.user_id, t.client_id, t.name, 'pat', null, t.scope, t.project_id, t.agent, t.resource,
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

-- revoke_access(chosen {id?, user_id?, client_id?, everything?}, reason) -> {grants, tokens, pats}: counts of live
-- ones. One's own, or as an admin anybody's; without a named user a non-admin's own. Refused at the next request
-- everywhere.
create or replace function public.revoke_access(chosen jsonb, reason text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_chosen jsonb := jsonb_strip_nulls(jsonb_build_object(
    'id', chosen ->> 'id',
    'user_id', chosen ->> 'user_id',
    'client_id', chosen ->> 'client_id'));
begin
  if v_chosen = '{}' and not coalesce((chosen ->> 'everything')::boolean, false) then
    perform app.fail('invalid_input', 'Nothing is named to revoke.', null,
      'Name an id, a user or a client, or everything.');
  end if;
  if chosen ->> 'id' is not null and app.as_uuid(chosen ->> 'id') is null
      or chosen ->> 'user_id' is not null and app.as_uuid(chosen ->> 'user_id') is null then
    perform app.fail('invalid_input', 'An id must be a UUID.', null, 'List the connections for their ids.');
  end if;
  if app.role_rank(v_actor.role) < app.role_rank('admin') then
    if coalesce(app.as_uuid(chosen ->> 'user_id'), v_actor.user_id) <> v_actor.user_id then
      perform app.require_role(v_actor, 'admin', 'Revoking the access of others');
    end if;
    v_chosen := v_chosen || jsonb_build_object('user_id', v_actor.user_id);
  end if;
  return app.end_access(v_chosen, coalesce(nullif(reason, ''), 'Revoked by hand.'), actor);
end
$$;

-- list_clients() -> {clients: [{client_id, kind, client_name, redirect_hosts, grants, users, last_used_at?,
-- blocked_at?}]}: clients of the workspace's grants, and static ones it added; at most 200, the most recently used
-- first. For admins.
create or replace function public.list_clients(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
begin
  return jsonb_build_object('clients', coalesce((
    select jsonb_agg(f.client order by f.used desc nulls last)
    from (
      select jsonb_strip_nulls(jsonb_build_object(
          'client_id', x.client_id,
          'kind', coalesce(c.kind, max(g.client_kind)),
          'client_name', coalesce(c.client_name, max(g.client_name)),
          'redirect_hosts', to_jsonb(array_agg(distinct g.redirect_host) filter (where g.redirect_host is not null)),
          'grants', count(g.id) filter (where g.revoked_at is null and g.expires_at > app.now()),
          'users', count(distinct g.user_id) filter (where g.revoked_at is null),
          'last_used_at', max(g.last_used_at),
          'blocked_at', b.created_at)) as client,
        max(g.last_used_at) as used
      from (
        select g.client_id from app.oauth_grants g
        where g.tenant_id = v_actor.tenant_id
        union
        select c.client_id from app.oauth_clients c
        where c.tenant_id = v_actor.tenant_id
        union
        select b.client_id from app.client_blocks b
        where b.tenant_id = v_actor.tenant_id) x
      left join app.oauth_grants g on g.tenant_id = v_actor.tenant_id and g.client_id = x.client_id
      left join app.oauth_clients c on c.client_id = x.client_id
      left join app.client_blocks b on b.tenant_id = v_actor.tenant_id and b.client_id = x.client_id
      group by x.client_id, c.kind, c.client_name, b.created_at
      order by used desc nulls last, x.client_id limit 200) f), '[]'));
end
$$;

-- block_client(client_id, blocked) -> {blocked, revoked: {grants, tokens, pats}}: an admin blocks a client in the
-- workspace, or unblocks it.
create or replace function public.block_client(client_id text, blocked boolean default true, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_revoked jsonb := '{}';
begin
  if blocked then
    insert into app.client_blocks as b (tenant_id, client_id, blocked_by, created_at)
      values (v_actor.tenant_id, block_client.client_id, v_actor.user_id, app.now())
      on conflict on constraint client_blocks_pkey do nothing;
    v_revoked := app.end_access(jsonb_build_object('client_id', block_client.client_id),
      'The client was blocked.', actor);
  else
    delete from app.client_blocks b where b.tenant_id = v_actor.tenant_id and b.client_id = block_client.client_id;
  end if;
  perform app.record_audit(jsonb_build_object(
    'type', case when blocked then 'client.blocked' else 'client.unblocked' end,
    'client_id', block_client.client_id), actor);
  return jsonb_build_object('blocked', blocked, 'revoked', v_revoked);
end
$$;

-- save_static_client(client {client_id, client_name, redirect_uris, token_endpoint_auth_method, client_secret_hash?})
-- -> client: for admins. Saving again applies the changes; a new secret ends the old one.
create or replace function public.save_static_client(client jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_client app.oauth_clients;
begin
  -- An authorization request names nothing but the client_id, so that all workspaces share them.
  if exists (
      select from app.oauth_clients c
      where c.client_id = client ->> 'client_id' and c.tenant_id <> v_actor.tenant_id) then
    perform app.fail('already_exists', 'Another client of this server has that client_id.',
      jsonb_build_object('field', 'client_id'), 'Choose another one.');
  end if;
  insert into app.oauth_clients as c (tenant_id, client_id, kind, client_name, redirect_uris,
    token_endpoint_auth_method, client_secret_hash, created_ip, created_at)
    select v_actor.tenant_id,
      n.client_id,
      'static',
      n.client_name,
      n.redirect_uris,
      n.token_endpoint_auth_method,
      n.client_secret_hash,
      app.read_ip(actor),
      app.now()
    from jsonb_populate_record(null::app.oauth_clients, client) n
    on conflict (tenant_id, client_id) do update
      set client_name = excluded.client_name,
        redirect_uris = excluded.redirect_uris,
        token_endpoint_auth_method = excluded.token_endpoint_auth_method,
        client_secret_hash = excluded.client_secret_hash
    returning * into v_client;
  perform app.record_audit(jsonb_build_object('type', 'client.saved', 'client_id', v_client.client_id), actor);
  return app.client_view(v_client) - 'client_secret_hash';
end
$$;

-- remove_client(client_id) -> {removed, revoked}: a static client of the workspace, and its grants. For admins.
create or replace function public.remove_client(client_id text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
begin
  delete from app.oauth_clients c where c.tenant_id = v_actor.tenant_id and c.client_id = remove_client.client_id;
  if not found then
    perform app.fail('not_found', 'This workspace has added no client of that name.', null,
      'A client that registered itself is blocked, not removed.');
  end if;
  perform app.record_audit(jsonb_build_object('type', 'client.removed', 'client_id', remove_client.client_id), actor);
  return jsonb_build_object(
    'removed', true,
    'revoked', app.end_access(jsonb_build_object('client_id', remove_client.client_id),
      'The client was removed.', actor));
end
$$;

-- create_pat(pat {id, token_hash, name, scope, project?, agent?, resource, ttl_seconds}) -> {id, name, scope, project?,
-- agent?, expires_at}: for the actor. `admin` only for admins, and not within a project; `agents:run` with the name of
-- an agent. Raises not_found, forbidden, invalid_input, payload_too_large.
create or replace function public.create_pat(pat jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_now timestamptz := app.now();
  v_expires timestamptz := v_now + make_interval(secs => (pat ->> 'ttl_seconds')::integer);
  v_agent constant text := app.clean_name(pat ->> 'agent', 60);
  v_project public.projects;
begin
  if pat ->> 'project' is not null then
    v_project := app.find_project(pat ->> 'project', v_actor);
  end if;
  if 'admin' = any (string_to_array(pat ->> 'scope', ' ')) then
    perform app.require_role(v_actor, 'admin', 'A token with the scope admin');
    if v_project.id is not null then
      perform app.fail('invalid_input',
        'What the scope admin allows concerns the whole workspace: a token for one project cannot have it.',
        jsonb_build_object('field', 'scope'), 'Leave out the scope admin, or the project.');
    end if;
  end if;
  if (v_agent is not null) <> ('agents:run' = any (string_to_array(pat ->> 'scope', ' '))) then
    perform app.fail('invalid_input', 'A token with the scope agents:run names the agent that it drives.',
      jsonb_build_object('field', 'agent'), 'Name the agent and the scope agents:run, or neither.');
  end if;
  perform app.check_agent_name(v_agent);
  if v_expires not between v_now and v_now + interval '366 days' then
    perform app.fail('invalid_input', 'expires is too late: a personal access token lives at most 366 days.',
      jsonb_build_object('field', 'expires'), 'Choose fewer days.');
  end if;
  if (
      select count(*) from public.oauth_tokens t
      where t.tenant_id = v_actor.tenant_id
        and t.user_id = v_actor.user_id
        and t.kind = 'pat'
        and t.revoked_at is null
        and t.expires_at > v_now) >= 100 then
    perform app.fail('payload_too_large',
      'You have 100 personal access tokens in this workspace, the most there can be.', null,
      'Revoke those that nothing uses.');
  end if;
  insert into public.oauth_tokens (tenant_id, id, user_id, kind, name, access_token, expires_at, scope, resource,
    project_id, agent, client_id, created_ip, created_at, updated_at)
    values (v_actor.tenant_id, (pat ->> 'id')::uuid, v_actor.user_id, 'pat', pat ->> 'name', pat ->> 'token_hash',
      v_expires, pat ->> 'scope', pat ->> 'resource', v_project.id, v_agent, 'pat', app.read_ip(actor), v_now, v_now);
  perform app.record_audit(jsonb_build_object(
    'type', 'pat.created',
    'subject_id', pat ->> 'id',
    'data', jsonb_build_object(
      'name', pat ->> 'name',
      'scope', pat ->> 'scope',
      'project', v_project.slug,
      'agent', v_agent,
      'expires_at', v_expires)), actor);
  return jsonb_strip_nulls(jsonb_build_object(
    'id', pat ->> 'id',
    'name', pat ->> 'name',
    'scope', pat ->> 'scope',
    'project', v_project.slug,
    'agent', v_agent,
    'expires_at', v_expires));
end
$$;

-- list_members() -> {members: [{user_id, name, email?, role, since, connections}], invitations: [{id, email?, role,
-- invited_by, expires_at}]}: at most 500 of each. `connections` are grants and personal tokens. Any member sees the
-- members; invitations are for admins.
create or replace function public.list_members(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
begin
  return jsonb_build_object(
    'members', (
      select coalesce(jsonb_agg(m.member), '[]')
      from (
        select jsonb_strip_nulls(jsonb_build_object(
          'user_id', u.id,
          'name', u.name,
          'email', u.email,
          'role', m.role,
          'since', m.created_at,
          'connections', coalesce(c.n, 0))) as member
        from public.memberships m
        join public.users u on u.id = m.user_id
        left join (
          select a.user_id, count(*) as n
          from (
            select g.user_id from app.oauth_grants g
            where g.tenant_id = v_actor.tenant_id and g.revoked_at is null and g.expires_at > app.now()
            union all
            select t.user_id from public.oauth_tokens t
            where t.tenant_id = v_actor.tenant_id
              and t.kind = 'pat'
              and t.revoked_at is null
              and t.expires_at > app.now()) a
          group by a.user_id) c on c.user_id = m.user_id
        where m.tenant_id = v_actor.tenant_id
        order by app.role_rank(m.role) desc, m.created_at limit 500) m),
    'invitations', (
      select coalesce(jsonb_agg(i.invitation), '[]')
      from (
        select jsonb_strip_nulls(jsonb_build_object(
          'id', i.id,
          'email', i.email,
          'role', i.role,
          'invited_by', i.invited_by,
          'expires_at', i.expires_at)) as invitation
        from app.invitations i
        where i.tenant_id = v_actor.tenant_id
          and i.accepted_at is null
          and i.revoked_at is null
          and i.expires_at > app.now()
          and app.role_rank(v_actor.role) >= app.role_rank('admin')
        order by i.created_at desc limit 500) i));
end
$$;

create or replace function app.require_known_role(role text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if role not in ('owner', 'admin', 'member', 'viewer') then
    perform app.fail('invalid_input', format('There is no role %s.', left(role, 80)), null,
      'Roles: owner, admin, member, viewer.');
  end if;
end
$$;

-- invite_member(invitation {id, invitation_hash, email?, role, ttl_seconds}) -> {id, role, email?, expires_at}: for
-- admins; only an owner makes owners.
create or replace function public.invite_member(invitation jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_expires timestamptz := app.now() + make_interval(secs => (invitation ->> 'ttl_seconds')::integer);
begin
  perform app.require_known_role(coalesce(invitation ->> 'role', ''));
  if char_length(invitation ->> 'email') > 320 then
    perform app.fail('invalid_input', 'An e-mail address must have at most 320 characters.');
  end if;
  if invitation ->> 'role' = 'owner' then
    perform app.require_role(v_actor, 'owner', 'Inviting an owner');
  end if;
  insert into app.invitations (tenant_id, id, invitation_hash, email, role, invited_by, created_at, expires_at)
    values (v_actor.tenant_id, (invitation ->> 'id')::uuid, invitation ->> 'invitation_hash',
      nullif(invitation ->> 'email', ''), invitation ->> 'role', v_actor.user_id, app.now(), v_expires);
  perform app.record_audit(jsonb_build_object('type', 'invitation.created', 'subject_id', invitation ->> 'id',
    'data', jsonb_build_object('role', invitation ->> 'role', 'email', invitation ->> 'email')), actor);
  return jsonb_strip_nulls(jsonb_build_object(
    'id', invitation ->> 'id',
    'role', invitation ->> 'role',
    'email', nullif(invitation ->> 'email', ''),
    'expires_at', v_expires));
end
$$;

-- revoke_invitation(invitation) -> {revoked}: for admins.
create or replace function public.revoke_invitation(invitation text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
begin
  update app.invitations i set revoked_at = app.now()
    where i.tenant_id = v_actor.tenant_id
      and i.id = app.as_uuid(invitation)
      and i.accepted_at is null
      and i.revoked_at is null;
  if found then
    perform app.record_audit(jsonb_build_object('type', 'invitation.revoked', 'subject_id', invitation), actor);
    return jsonb_build_object('revoked', true);
  end if;
  return jsonb_build_object('revoked', false);
end
$$;

-- set_member(user_id, role?) -> {role?, revoked?, invitations?}: changes a member's role, or without one removes the
-- member, whose access ends at once. Also ends the member's invitations beyond the new role, and counts them. For
-- admins; only an owner changes owners, and the last owner stays.
create or replace function public.set_member(user_id text, role text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_user uuid := app.as_uuid(set_member.user_id);
  v_before text;
  v_withdrawn jsonb;
begin
  perform app.require_known_role(role);
  -- All roles of the workspace, in one order: two owners who demote each other at once would leave none.
  perform from public.memberships m where m.tenant_id = v_actor.tenant_id order by m.user_id for update;
  select m.role into v_before from public.memberships m where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
  if v_before is null then
    perform app.fail('not_found', 'There is no such member.', null, 'List the members for their ids.');
  elsif 'owner' in (v_before, role) then
    perform app.require_role(v_actor, 'owner', 'Changing an owner');
    if v_before = 'owner'
        and role is distinct from 'owner'
        and (
          select count(*) from public.memberships m
          where m.tenant_id = v_actor.tenant_id and m.role = 'owner') = 1 then
      perform app.fail('forbidden',
        'The last owner of a workspace can be neither removed nor given a lower role.', null,
        'Make somebody else an owner first.');
    end if;
  end if;
  perform app.record_audit(jsonb_build_object(
      'type', case when role is null then 'member.removed' else 'member.changed' end,
    'user_id', v_user,
    'data', jsonb_build_object('before', v_before, 'role', role, 'by', v_actor.user_id)), actor);
  v_withdrawn := jsonb_strip_nulls(jsonb_build_object('invitations',
    nullif(app.withdraw_invitations(v_user, role, actor), 0)));
  if role is not null then
    update public.memberships m set role = set_member.role where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
    return jsonb_build_object('role', role) || v_withdrawn;
  end if;
  delete from public.memberships m where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
  return v_withdrawn || jsonb_build_object('revoked',
    app.end_access(jsonb_build_object('user_id', v_user), 'The member was removed.', actor));
end
$$;

create or replace function app.may_invite(inviter_role text, role text) returns boolean language sql immutable as $$
  select app.role_rank(inviter_role) >= app.role_rank('admin') and (role <> 'owner' or inviter_role = 'owner')
$$;

-- Withdraws, in the door's workspace, invitations that a member with this role now, or none, may no longer have made,
-- and those that would restore the member's lost rights: an invitation for any address that the member can open.
-- Returns how many.
create or replace function app.withdraw_invitations(member uuid, role text, actor jsonb)
  returns integer
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant text := current_setting('app.tenant_id', true);
  v_emails text[];
  v_count integer;
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  v_emails := array(select lower(i.email) from app.user_identities i
    where i.tenant_id = app.get_nil_id() and i.user_id = member and i.email_verified);
  perform set_config('app.tenant_id', v_tenant, true);
  with withdrawn as (
    update app.invitations i set revoked_at = app.now()
      where i.tenant_id = app.get_tenant_id() and i.accepted_at is null and i.revoked_at is null
        and (i.invited_by = member and not app.may_invite(withdraw_invitations.role, i.role)
          or lower(i.email) = any (v_emails) and app.role_rank(i.role) > app.role_rank(withdraw_invitations.role))
      returning i.id, i.role),
    audited as (select app.record_audit(jsonb_build_object('type', 'invitation.revoked', 'subject_id', w.id,
      'data', jsonb_build_object('why', 'member_changed', 'role', w.role, 'member', member)), actor) from withdrawn w)
  select count(*) into v_count from withdrawn w cross join (select count(*) from audited) t;
  return v_count;
end
$$;

-- save_served_url(public_url) -> {}: a server reports the address that it is reached at. The last ten are kept.
create or replace function public.save_served_url(public_url text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  insert into app.served_urls as s (tenant_id, public_url, served_at)
    values (v_actor.tenant_id, save_served_url.public_url, app.now())
    on conflict on constraint served_urls_pkey do update set served_at = excluded.served_at;
  delete from app.served_urls s
    where s.tenant_id = v_actor.tenant_id
      and s.public_url not in (
        select k.public_url from app.served_urls k
        where k.tenant_id = v_actor.tenant_id
        order by k.served_at desc, k.public_url limit 10);
  return '{}';
end
$$;

-- list_served_urls() -> {served: [{public_url, served_at}]}, the newest first.
create or replace function public.list_served_urls(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('served', (
    select coalesce(jsonb_agg(jsonb_build_object('public_url', s.public_url, 'served_at', s.served_at)
      order by s.served_at desc, s.public_url), '[]')
    from app.served_urls s
    where s.tenant_id = v_actor.tenant_id));
end
$$;
