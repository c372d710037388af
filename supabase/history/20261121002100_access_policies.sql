-- Which rows of remote access are seen before their workspace is known, and which ones the keeper may purge.

create policy presented on app.auth_sessions for select to cairn_owner using (session_hash = (select app.presented()));
create policy presented on app.login_codes for select to cairn_owner using (code_hash = (select app.presented()));
create policy presented on app.invitations for select to cairn_owner using (invitation_hash = (select app.presented()));
-- A client is known to every workspace; what it was granted is not.
create policy everybody on app.oauth_clients for select to cairn_owner using (true);
create policy everybody on app.user_identities for select to cairn_owner using (user_id = (select app.caller()));
-- The names of one's own workspaces, to choose from.
create policy member on public.tenants for select to cairn_owner
  using (id in (select m.tenant_id from public.memberships m where m.user_id = (select app.caller())));

create policy expired on public.oauth_tokens for delete to cairn_keeper using (coalesce(refresh_expires_at, expires_at) < now() - interval '30 days');
create policy expired on app.oauth_codes for delete to cairn_keeper using (expires_at < now() - interval '1 day');
create policy expired on app.authorization_requests for delete to cairn_keeper using (expires_at < now());
create policy expired on app.auth_sessions for delete to cairn_keeper using (expires_at < now());
create policy expired on app.login_codes for delete to cairn_keeper using (expires_at < now());
create policy expired on app.login_states for delete to cairn_keeper using (expires_at < now());
create policy expired on app.auth_attempts for delete to cairn_keeper using (ends_at < now());
create policy expired on app.invitations for delete to cairn_keeper using (expires_at < now() - interval '90 days');
-- A client that registered itself and was never authorized, and one that no grant can be alive of.
create policy expired on app.oauth_clients for delete to cairn_keeper using (kind <> 'static' and (
  authorized_at is null and created_at < now() - interval '1 day' or coalesce(last_used_at, created_at) < now() - interval '180 days'));
grant delete on public.oauth_tokens, app.oauth_codes, app.authorization_requests, app.auth_sessions, app.login_codes, app.login_states,
  app.auth_attempts, app.invitations, app.oauth_clients to cairn_keeper;
