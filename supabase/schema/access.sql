-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Types

create type app.bearer as (
  id uuid,
  kind text,
  user_id uuid,
  grant_id uuid,
  role text,
  scope text,
  project_id uuid,
  client_id text,
  client_name text,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  refused text,
  agent text
);

-- Tables

create table app.auth_events (
  tenant_id uuid not null,
  id uuid default app.uuid_v7() not null,
  at timestamp with time zone not null,
  type text not null,
  user_id uuid,
  client_id text,
  subject_id uuid,
  ip inet,
  data jsonb default '{}'::jsonb not null,
  constraint auth_events_pkey PRIMARY KEY (tenant_id, id),
  constraint auth_events_data_check CHECK ((pg_column_size(data) <= 4096)),
  constraint auth_events_type_check CHECK ((type ~ '^[a-z]+\.[a-z_]+$'::text))
);
CREATE INDEX idx_auth_events_audited ON app.auth_events USING btree (tenant_id, type, at DESC, id DESC) WHERE (type = ANY (ARRAY['agents.resumed'::text, 'agents.stopped'::text, 'session.ended'::text, 'session.started'::text]));
CREATE INDEX idx_auth_events_subject_id ON app.auth_events USING btree (tenant_id, subject_id, at) WHERE (subject_id IS NOT NULL);
alter table app.auth_events enable row level security;
alter table app.auth_events force row level security;
create policy door on app.auth_events as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_or_admin on app.auth_events as permissive for select to authenticated using (((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)) AND ((user_id = ( SELECT auth.uid() AS uid)) OR (tenant_id IN ( SELECT m.tenant_id
   FROM public.memberships m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND (m.role = ANY (ARRAY['owner'::text, 'admin'::text]))))))));

create table app.auth_sessions (
  tenant_id uuid not null,
  session_hash text not null,
  user_id uuid not null,
  amr text[] not null,
  auth_at timestamp with time zone not null,
  last_seen_at timestamp with time zone not null,
  idle_seconds integer not null,
  expires_at timestamp with time zone not null,
  created_ip inet,
  constraint auth_sessions_pkey PRIMARY KEY (tenant_id, session_hash),
  constraint auth_sessions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint auth_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint auth_sessions_idle_seconds_check CHECK (((idle_seconds >= 60) AND (idle_seconds <= 604800))),
  constraint auth_sessions_session_hash_check CHECK ((session_hash ~ '^[0-9a-f]{64}$'::text))
);
CREATE UNIQUE INDEX idx_auth_sessions_session_hash ON app.auth_sessions USING btree (session_hash);
alter table app.auth_sessions enable row level security;
alter table app.auth_sessions force row level security;
create policy door on app.auth_sessions as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.auth_sessions as permissive for delete to cairn_keeper using ((expires_at < now()));
create policy presented on app.auth_sessions as permissive for select to cairn_owner using ((session_hash = ( SELECT app.get_credential_hash() AS get_credential_hash)));

create table app.authorization_requests (
  tenant_id uuid not null,
  request_hash text not null,
  txn_hash text not null,
  client_id text not null,
  redirect_uri text not null,
  scope text not null,
  resource text not null,
  state text,
  code_challenge text not null,
  user_id uuid,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint authorization_requests_pkey PRIMARY KEY (tenant_id, request_hash),
  constraint authorization_requests_code_challenge_check CHECK (((char_length(code_challenge) >= 43) AND (char_length(code_challenge) <= 128))),
  constraint authorization_requests_redirect_uri_check CHECK ((char_length(redirect_uri) <= 2000)),
  constraint authorization_requests_request_hash_check CHECK ((request_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint authorization_requests_state_check CHECK ((char_length(state) <= 2000)),
  constraint authorization_requests_txn_hash_check CHECK ((txn_hash ~ '^[0-9a-f]{64}$'::text))
);
CREATE INDEX idx_authorization_requests_expires_at ON app.authorization_requests USING btree (expires_at);
alter table app.authorization_requests enable row level security;
alter table app.authorization_requests force row level security;
create policy door on app.authorization_requests as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.authorization_requests as permissive for delete to cairn_keeper using ((expires_at < now()));

create table app.client_blocks (
  tenant_id uuid not null,
  client_id text not null,
  blocked_by uuid not null,
  created_at timestamp with time zone default now() not null,
  constraint client_blocks_pkey PRIMARY KEY (tenant_id, client_id),
  constraint client_blocks_blocked_by_fkey FOREIGN KEY (blocked_by) REFERENCES public.users(id),
  constraint client_blocks_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint client_blocks_client_id_check CHECK ((char_length(client_id) <= 500))
);
alter table app.client_blocks enable row level security;
alter table app.client_blocks force row level security;
create policy door on app.client_blocks as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table app.invitations (
  tenant_id uuid not null,
  id uuid not null,
  invitation_hash text not null,
  email text,
  role text not null,
  invited_by uuid not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  accepted_by uuid,
  accepted_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint invitations_pkey PRIMARY KEY (tenant_id, id),
  constraint invitations_accepted_by_fkey FOREIGN KEY (accepted_by) REFERENCES public.users(id),
  constraint invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES public.users(id),
  constraint invitations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint invitations_email_check CHECK ((char_length(email) <= 320)),
  constraint invitations_invitation_hash_check CHECK ((invitation_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint invitations_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text, 'viewer'::text])))
);
CREATE UNIQUE INDEX idx_invitations_invitation_hash ON app.invitations USING btree (invitation_hash);
CREATE TRIGGER invitations_clean_email BEFORE INSERT OR UPDATE OF email ON app.invitations FOR EACH ROW WHEN ((new.email IS NOT NULL)) EXECUTE FUNCTION app.clean_column('email', '320', '-');
alter table app.invitations enable row level security;
alter table app.invitations force row level security;
create policy door on app.invitations as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.invitations as permissive for delete to cairn_keeper using ((expires_at < (now() - '90 days'::interval)));
create policy presented on app.invitations as permissive for select to cairn_owner using ((invitation_hash = ( SELECT app.get_credential_hash() AS get_credential_hash)));

create table app.login_codes (
  tenant_id uuid not null,
  code_hash text not null,
  user_id uuid not null,
  expires_at timestamp with time zone not null,
  constraint login_codes_pkey PRIMARY KEY (tenant_id, code_hash),
  constraint login_codes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint login_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint login_codes_code_hash_check CHECK ((code_hash ~ '^[0-9a-f]{64}$'::text))
);
CREATE UNIQUE INDEX idx_login_codes_code_hash ON app.login_codes USING btree (code_hash);
alter table app.login_codes enable row level security;
alter table app.login_codes force row level security;
create policy door on app.login_codes as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.login_codes as permissive for delete to cairn_keeper using ((expires_at < now()));
create policy presented on app.login_codes as permissive for select to cairn_owner using ((code_hash = ( SELECT app.get_credential_hash() AS get_credential_hash)));

create table app.login_states (
  tenant_id uuid not null,
  state_hash text not null,
  txn_hash text not null,
  provider text not null,
  next text not null,
  expires_at timestamp with time zone not null,
  constraint login_states_pkey PRIMARY KEY (tenant_id, state_hash),
  constraint login_states_next_check CHECK ((char_length(next) <= 2000)),
  constraint login_states_provider_check CHECK ((char_length(provider) <= 100)),
  constraint login_states_state_hash_check CHECK ((state_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint login_states_txn_hash_check CHECK ((txn_hash ~ '^[0-9a-f]{64}$'::text))
);
alter table app.login_states enable row level security;
alter table app.login_states force row level security;
create policy door on app.login_states as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.login_states as permissive for delete to cairn_keeper using ((expires_at < now()));

create table app.oauth_clients (
  tenant_id uuid not null,
  client_id text not null,
  kind text not null,
  client_name text not null,
  client_uri text,
  redirect_uris text[] not null,
  token_endpoint_auth_method text default 'none'::text not null,
  client_secret_hash text,
  application_type text,
  created_ip inet,
  created_at timestamp with time zone default now() not null,
  fetched_at timestamp with time zone,
  fresh_until timestamp with time zone,
  authorized_at timestamp with time zone,
  last_used_at timestamp with time zone,
  constraint oauth_clients_pkey PRIMARY KEY (tenant_id, client_id),
  constraint oauth_clients_application_type_check CHECK ((application_type = ANY (ARRAY['web'::text, 'native'::text]))),
  constraint oauth_clients_check CHECK (((token_endpoint_auth_method = 'none'::text) = (client_secret_hash IS NULL))),
  constraint oauth_clients_client_id_check CHECK (((char_length(client_id) >= 1) AND (char_length(client_id) <= 500))),
  constraint oauth_clients_client_name_check CHECK (((char_length(client_name) >= 1) AND (char_length(client_name) <= 100))),
  constraint oauth_clients_client_secret_hash_check CHECK ((client_secret_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint oauth_clients_client_uri_check CHECK ((char_length(client_uri) <= 500)),
  constraint oauth_clients_kind_check CHECK ((kind = ANY (ARRAY['static'::text, 'dcr'::text, 'cimd'::text]))),
  constraint oauth_clients_redirect_uris_check CHECK (((cardinality(redirect_uris) >= 1) AND (cardinality(redirect_uris) <= 20))),
  constraint oauth_clients_token_endpoint_auth_method_check CHECK ((token_endpoint_auth_method = ANY (ARRAY['none'::text, 'client_secret_basic'::text, 'client_secret_post'::text])))
);
CREATE UNIQUE INDEX idx_oauth_clients_client_id ON app.oauth_clients USING btree (client_id);
CREATE TRIGGER clients_clean_name BEFORE INSERT OR UPDATE OF client_name ON app.oauth_clients FOR EACH ROW EXECUTE FUNCTION app.clean_column('client_name', '100', 'Unnamed client');
alter table app.oauth_clients enable row level security;
alter table app.oauth_clients force row level security;
create policy door on app.oauth_clients as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy everybody on app.oauth_clients as permissive for select to cairn_owner using (true);
create policy expired on app.oauth_clients as permissive for delete to cairn_keeper using (((kind <> 'static'::text) AND (((authorized_at IS NULL) AND (created_at < (now() - '1 day'::interval))) OR (COALESCE(last_used_at, created_at) < (now() - '180 days'::interval)))));

create table app.oauth_codes (
  tenant_id uuid not null,
  code_hash text not null,
  grant_id uuid not null,
  redirect_uri text not null,
  code_challenge text not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  constraint oauth_codes_pkey PRIMARY KEY (tenant_id, code_hash),
  constraint oauth_codes_tenant_id_grant_id_fkey FOREIGN KEY (tenant_id, grant_id) REFERENCES app.oauth_grants(tenant_id, id) ON DELETE CASCADE,
  constraint oauth_codes_code_hash_check CHECK ((code_hash ~ '^[0-9a-f]{64}$'::text))
);
alter table app.oauth_codes enable row level security;
alter table app.oauth_codes force row level security;
create policy door on app.oauth_codes as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.oauth_codes as permissive for delete to cairn_keeper using ((expires_at < (now() - '1 day'::interval)));

create table app.oauth_grants (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  client_id text not null,
  client_name text not null,
  client_kind text not null,
  redirect_host text not null,
  resource text not null,
  scope text not null,
  created_ip inet,
  created_at timestamp with time zone not null,
  last_used_at timestamp with time zone,
  last_used_ip inet,
  expires_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  revoked_reason text,
  constraint oauth_grants_pkey PRIMARY KEY (tenant_id, id),
  constraint oauth_grants_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint oauth_grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint oauth_grants_revoked_reason_check CHECK ((char_length(revoked_reason) <= 200))
);
CREATE INDEX idx_oauth_grants_client_id ON app.oauth_grants USING btree (client_id) WHERE (revoked_at IS NULL);
CREATE INDEX idx_oauth_grants_user_id ON app.oauth_grants USING btree (tenant_id, user_id) WHERE (revoked_at IS NULL);
CREATE TRIGGER grants_clean_name BEFORE INSERT OR UPDATE OF client_name ON app.oauth_grants FOR EACH ROW EXECUTE FUNCTION app.clean_column('client_name', '100', 'Unnamed client');
alter table app.oauth_grants enable row level security;
alter table app.oauth_grants force row level security;
create policy door on app.oauth_grants as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table app.passwords (
  tenant_id uuid not null,
  user_id uuid not null,
  password_hash text not null,
  updated_at timestamp with time zone not null,
  constraint passwords_pkey PRIMARY KEY (tenant_id, user_id),
  constraint passwords_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint passwords_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint passwords_password_hash_check CHECK (((char_length(password_hash) >= 20) AND (char_length(password_hash) <= 500)))
);
alter table app.passwords enable row level security;
alter table app.passwords force row level security;
create policy door on app.passwords as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table app.served_urls (
  tenant_id uuid not null,
  public_url text not null,
  served_at timestamp with time zone not null,
  constraint served_urls_pkey PRIMARY KEY (tenant_id, public_url),
  constraint served_urls_public_url_check CHECK (((char_length(public_url) <= 500) AND (public_url ~ '^https?://[^/?#]+$'::text)))
);
alter table app.served_urls enable row level security;
alter table app.served_urls force row level security;
create policy door on app.served_urls as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table app.user_identities (
  tenant_id uuid not null,
  issuer text not null,
  subject text not null,
  user_id uuid not null,
  email text,
  email_verified boolean default false not null,
  created_at timestamp with time zone not null,
  last_login_at timestamp with time zone not null,
  constraint user_identities_pkey PRIMARY KEY (tenant_id, issuer, subject),
  constraint user_identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint user_identities_email_check CHECK ((char_length(email) <= 320)),
  constraint user_identities_issuer_check CHECK (((char_length(issuer) >= 1) AND (char_length(issuer) <= 500))),
  constraint user_identities_subject_check CHECK (((char_length(subject) >= 1) AND (char_length(subject) <= 500)))
);
CREATE INDEX idx_user_identities_email ON app.user_identities USING btree (tenant_id, lower(email)) WHERE email_verified;
CREATE INDEX idx_user_identities_user_id ON app.user_identities USING btree (user_id);
alter table app.user_identities enable row level security;
alter table app.user_identities force row level security;
create policy door on app.user_identities as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy everybody on app.user_identities as permissive for select to cairn_owner using ((user_id = ( SELECT app.get_caller_id() AS get_caller_id)));

create table public.oauth_tokens (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  kind text default 'oauth'::text not null,
  name text,
  grant_id uuid,
  access_token text not null,
  refresh_token text,
  token_type text default 'Bearer'::text not null,
  expires_at timestamp with time zone not null,
  refresh_expires_at timestamp with time zone,
  refresh_used_at timestamp with time zone,
  refresh_uses integer default 0 not null,
  scope text default ''::text not null,
  resource text not null,
  project_id uuid,
  client_id text not null,
  created_ip inet,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  last_used_at timestamp with time zone,
  last_used_ip inet,
  revoked_at timestamp with time zone,
  parent_id uuid,
  agent text,
  constraint oauth_tokens_pkey PRIMARY KEY (tenant_id, id),
  constraint oauth_tokens_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint oauth_tokens_tenant_id_grant_id_fkey FOREIGN KEY (tenant_id, grant_id) REFERENCES app.oauth_grants(tenant_id, id) ON DELETE CASCADE,
  constraint oauth_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint oauth_tokens_access_token_check CHECK ((access_token ~ '^[0-9a-f]{64}$'::text)),
  constraint oauth_tokens_agent_check CHECK (((char_length(agent) >= 1) AND (char_length(agent) <= 60))),
  constraint oauth_tokens_check CHECK (((kind = 'pat'::text) = (grant_id IS NULL))),
  constraint oauth_tokens_check1 CHECK (((kind = 'pat'::text) = (name IS NOT NULL))),
  constraint oauth_tokens_check2 CHECK (((kind = 'pat'::text) OR (project_id IS NULL))),
  constraint oauth_tokens_check3 CHECK (((refresh_token IS NULL) = (refresh_expires_at IS NULL))),
  constraint oauth_tokens_kind_check CHECK ((kind = ANY (ARRAY['oauth'::text, 'pat'::text]))),
  constraint oauth_tokens_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
  constraint oauth_tokens_names_agent CHECK (((agent IS NOT NULL) = COALESCE(('agents:run'::text = ANY (string_to_array(scope, ' '::text))), false))),
  constraint oauth_tokens_refresh_token_check CHECK ((refresh_token ~ '^[0-9a-f]{64}$'::text))
);
CREATE UNIQUE INDEX idx_oauth_tokens_access_token ON public.oauth_tokens USING btree (tenant_id, access_token);
CREATE INDEX idx_oauth_tokens_grant_id ON public.oauth_tokens USING btree (tenant_id, grant_id);
CREATE INDEX idx_oauth_tokens_parent_id ON public.oauth_tokens USING btree (tenant_id, parent_id) WHERE (parent_id IS NOT NULL);
CREATE UNIQUE INDEX idx_oauth_tokens_refresh_token ON public.oauth_tokens USING btree (tenant_id, refresh_token) WHERE (refresh_token IS NOT NULL);
CREATE INDEX idx_oauth_tokens_user_id ON public.oauth_tokens USING btree (user_id) WHERE (revoked_at IS NULL);
CREATE TRIGGER tokens_clean_name BEFORE INSERT OR UPDATE OF name ON public.oauth_tokens FOR EACH ROW WHEN ((new.name IS NOT NULL)) EXECUTE FUNCTION app.clean_column('name', '100', 'Unnamed token');
alter table public.oauth_tokens enable row level security;
alter table public.oauth_tokens force row level security;
create policy door on public.oauth_tokens as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on public.oauth_tokens as permissive for delete to cairn_keeper using ((COALESCE(refresh_expires_at, expires_at) < (now() - '30 days'::interval)));
create policy own_select on public.oauth_tokens as permissive for select to authenticated using ((user_id = ( SELECT auth.uid() AS uid)));

-- Functions

CREATE OR REPLACE FUNCTION app.may_invite(inviter_role text, role text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select app.role_rank(inviter_role) >= app.role_rank('admin') and (role <> 'owner' or inviter_role = 'owner')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.require_known_role(role text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if role not in ('owner', 'admin', 'member', 'viewer') then
    perform app.fail('invalid_input', format('There is no role %s.', left(role, 80)), null,
      'Roles: owner, admin, member, viewer.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.require_role(actor app.actor, role_min text, what text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if app.role_rank(actor.role) < app.role_rank(role_min) then
    perform app.fail('forbidden',
      format('%s needs the role %s in the workspace; you have %s.', what, role_min, actor.role), null,
      'Ask an owner of the workspace.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.withdraw_invitations(member uuid, role text, actor jsonb)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.block_client(client_id text, blocked boolean DEFAULT true, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.create_pat(pat jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.invite_member(invitation jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_clients(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_connections(chosen jsonb DEFAULT '{}'::jsonb, before text DEFAULT NULL::text, page_size integer DEFAULT 50, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_members(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_served_urls(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('served', (
    select coalesce(jsonb_agg(jsonb_build_object('public_url', s.public_url, 'served_at', s.served_at)
      order by s.served_at desc, s.public_url), '[]')
    from app.served_urls s
    where s.tenant_id = v_actor.tenant_id));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.remove_client(client_id text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.revoke_access(chosen jsonb, reason text DEFAULT NULL::text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.revoke_invitation(invitation text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.save_served_url(public_url text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.save_static_client(client jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.set_member(user_id text, role text DEFAULT NULL::text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant select (at), select (data), select (id), select (ip), select (tenant_id), select (type), select (user_id) on app.auth_events to authenticated;
grant insert, select on app.auth_events to cairn_owner;
grant delete on app.auth_sessions to cairn_keeper;
grant delete, insert, select, update on app.auth_sessions to cairn_owner;
grant delete on app.authorization_requests to cairn_keeper;
grant delete, insert, select, update on app.authorization_requests to cairn_owner;
grant delete, insert, select, update on app.client_blocks to cairn_owner;
grant delete on app.invitations to cairn_keeper;
grant delete, insert, select, update on app.invitations to cairn_owner;
grant delete on app.login_codes to cairn_keeper;
grant delete, insert, select, update on app.login_codes to cairn_owner;
grant delete on app.login_states to cairn_keeper;
grant delete, insert, select, update on app.login_states to cairn_owner;
grant delete on app.oauth_clients to cairn_keeper;
grant delete, insert, select, update on app.oauth_clients to cairn_owner;
grant delete on app.oauth_codes to cairn_keeper;
grant delete, insert, select, update on app.oauth_codes to cairn_owner;
grant delete, insert, select, update on app.oauth_grants to cairn_owner;
grant delete, insert, select, update on app.passwords to cairn_owner;
grant delete, insert, select, update on app.served_urls to cairn_owner;
grant delete, insert, select, update on app.user_identities to cairn_owner;
grant execute on function public.block_client(text,boolean,jsonb) to cairn_server;
grant execute on function public.block_client(text,boolean,jsonb) to service_role;
grant execute on function public.create_pat(jsonb,jsonb) to cairn_server;
grant execute on function public.create_pat(jsonb,jsonb) to service_role;
grant execute on function public.invite_member(jsonb,jsonb) to cairn_server;
grant execute on function public.invite_member(jsonb,jsonb) to service_role;
grant execute on function public.list_clients(jsonb) to cairn_server;
grant execute on function public.list_clients(jsonb) to service_role;
grant execute on function public.list_connections(jsonb,text,integer,jsonb) to cairn_server;
grant execute on function public.list_connections(jsonb,text,integer,jsonb) to service_role;
grant execute on function public.list_members(jsonb) to cairn_server;
grant execute on function public.list_members(jsonb) to service_role;
grant execute on function public.list_served_urls(jsonb) to cairn_server;
grant execute on function public.list_served_urls(jsonb) to service_role;
grant execute on function public.remove_client(text,jsonb) to cairn_server;
grant execute on function public.remove_client(text,jsonb) to service_role;
grant execute on function public.revoke_access(jsonb,text,jsonb) to cairn_server;
grant execute on function public.revoke_access(jsonb,text,jsonb) to service_role;
grant execute on function public.revoke_invitation(text,jsonb) to cairn_server;
grant execute on function public.revoke_invitation(text,jsonb) to service_role;
grant execute on function public.save_served_url(text,jsonb) to cairn_server;
grant execute on function public.save_served_url(text,jsonb) to service_role;
grant execute on function public.save_static_client(jsonb,jsonb) to cairn_server;
grant execute on function public.save_static_client(jsonb,jsonb) to service_role;
grant execute on function public.set_member(text,text,jsonb) to cairn_server;
grant execute on function public.set_member(text,text,jsonb) to service_role;
grant select (agent), select (client_id), select (created_at), select (expires_at), select (id), select (kind), select (last_used_at), select (name), select (project_id), select (revoked_at), select (scope), select (tenant_id), select (token_type), select (updated_at), select (user_id) on public.oauth_tokens to authenticated;
grant delete on public.oauth_tokens to cairn_keeper;
grant delete, insert, select, update on public.oauth_tokens to cairn_owner;
