-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Types

create type app.audit_question as (
  tenant_id uuid,
  caller uuid,
  everyone boolean,
  kind text,
  user_id uuid,
  agent_id uuid,
  command_id uuid,
  since timestamp with time zone,
  before_at timestamp with time zone,
  before_id uuid,
  most integer
);

-- Tables

create table public.audit_entries (
  tenant_id uuid not null,
  id uuid not null,
  event_type text not null,
  user_id uuid,
  agent_id uuid,
  command_id uuid,
  details jsonb not null,
  ip_address inet,
  user_agent text,
  created_at timestamp with time zone not null,
  constraint audit_entries_pkey PRIMARY KEY (tenant_id, id, created_at),
  constraint audit_entries_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint audit_entries_details_check CHECK (((jsonb_typeof(details) = 'object'::text) AND (pg_column_size(details) <= 4096))),
  constraint audit_entries_event_type_check CHECK ((event_type = ANY (ARRAY['agent_connect'::text, 'agent_disconnect'::text, 'preset_used'::text, 'retention_run'::text]))),
  constraint audit_entries_user_agent_check CHECK ((char_length(user_agent) <= 500))
) partition by RANGE (created_at);
CREATE INDEX idx_audit_entries_agent_id ON ONLY public.audit_entries USING btree (tenant_id, agent_id, event_type, created_at DESC, id DESC) WHERE (agent_id IS NOT NULL);
CREATE INDEX idx_audit_entries_command_id ON ONLY public.audit_entries USING btree (tenant_id, command_id) WHERE (command_id IS NOT NULL);
CREATE INDEX idx_audit_entries_event_type ON ONLY public.audit_entries USING btree (tenant_id, event_type, created_at DESC, id DESC);
CREATE INDEX idx_audit_entries_user_id ON ONLY public.audit_entries USING btree (tenant_id, user_id, event_type, created_at DESC, id DESC);
alter table public.audit_entries enable row level security;
alter table public.audit_entries force row level security;
create policy door on public.audit_entries as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.audit_entries as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.audit_entries as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_or_admin on public.audit_entries as restrictive for select to authenticated using (((user_id = ( SELECT auth.uid() AS uid)) OR (tenant_id IN ( SELECT m.tenant_id
   FROM public.memberships m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND (m.role = ANY (ARRAY['owner'::text, 'admin'::text])))))));
create policy own_select on public.audit_entries as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.audit_entries as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));

-- Functions

CREATE OR REPLACE FUNCTION app.audit_kind(event_type text, payload jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case event_type
    when 'agent.paused' then 'emergency_stop'
    when 'agent.resumed' then 'emergency_stop'
    when 'agents.stopped' then 'emergency_stop'
    when 'agents.resumed' then 'emergency_stop'
    when 'approval.requested' then 'approval_requested'
    when 'approval.decided' then 'approval_decided'
    when 'command.sent' then 'command_sent'
    when 'command.completed' then 'command_completed'
    when 'command.failed' then 'command_completed'
    when 'command.cancelled' then 'command_completed'
    when 'preset.saved' then 'preset_created'
    when 'run.delivered' then 'command_delivered'
    when 'run.interrupt_requested' then 'command_interrupted'
    when 'run.finished' then case payload ->> 'end_reason'
      when 'token_limit' then 'token_limit_exceeded'
      when 'time_limit' then 'time_limit_exceeded'
      when 'expired' then 'command_expired' end
    when 'session.started' then 'user_login'
    when 'session.ended' then 'user_logout' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.audited_besides(question app.audit_question)
 RETURNS TABLE(at timestamp with time zone, id uuid)
 LANGUAGE sql
 STABLE
AS $function$
  select x.created_at, x.id
  from unnest('{agent_connect,agent_disconnect,preset_used,retention_run}'::text[]) k (kind)
  cross join lateral (
    select a.created_at, a.id from public.audit_entries a
    where a.tenant_id = question.tenant_id and a.event_type = k.kind
      and a.created_at >= question.since
      and (a.created_at, a.id) < (question.before_at, question.before_id)
      and (question.everyone or a.user_id = question.caller)
      and (question.user_id is null or a.user_id = question.user_id)
      and (question.agent_id is null or a.agent_id = question.agent_id)
      and (question.command_id is null or a.command_id = question.command_id)
    order by a.created_at desc, a.id desc limit question.most) x
  where k.kind = coalesce(question.kind, k.kind)
  union all
  select x.at, x.id
  from unnest('{session.started,session.ended,agents.stopped,agents.resumed}'::text[]) t (type)
  cross join lateral (
    select u.at, u.id from app.auth_events u
    where u.tenant_id = question.tenant_id and u.type = t.type
      and u.type in ('agents.resumed', 'agents.stopped', 'session.ended', 'session.started')
      and u.at >= question.since
      and (u.at, u.id) < (question.before_at, question.before_id)
      and (question.everyone or u.user_id = question.caller)
      and (question.user_id is null or u.user_id = question.user_id)
    order by u.at desc, u.id desc limit question.most) x
  where app.audit_kind(t.type, '{}') = coalesce(question.kind, app.audit_kind(t.type, '{}'))
    and question.agent_id is null and question.command_id is null
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.audited_events(question app.audit_question)
 RETURNS TABLE(at timestamp with time zone, id uuid)
 LANGUAGE sql
 STABLE
AS $function$
  select x.created_at, x.id
  from app.event_types t
  cross join lateral (
    select e.created_at, e.id from public.events e
    where e.tenant_id = question.tenant_id and e.event_type = t.event_type
      -- As the index has it.
      and e.event_type in ('agent.paused', 'agent.resumed', 'approval.decided', 'approval.requested',
        'command.cancelled', 'command.completed', 'command.failed', 'command.sent', 'preset.saved', 'run.delivered',
        'run.interrupt_requested')
      and e.created_at >= question.since
      and (e.created_at, e.id) < (question.before_at, question.before_id)
      and (question.user_id is null or e.user_id = question.user_id)
    order by e.created_at desc, e.id desc limit question.most) x
  where app.audit_kind(t.event_type, '{}') = coalesce(question.kind, app.audit_kind(t.event_type, '{}'))
    and question.agent_id is null and question.command_id is null
  union all
  (
    select e.created_at, e.id from public.events e
    where coalesce(question.kind, 'command_expired')
        in ('token_limit_exceeded', 'time_limit_exceeded', 'command_expired')
      and e.tenant_id = question.tenant_id and e.event_type = 'run.finished'
      and e.payload ->> 'end_reason' in ('token_limit', 'time_limit', 'expired')
      and app.audit_kind(e.event_type, e.payload) = coalesce(question.kind, app.audit_kind(e.event_type, e.payload))
      and e.created_at >= question.since
      and (e.created_at, e.id) < (question.before_at, question.before_id)
      and (question.user_id is null or e.user_id = question.user_id)
      and question.agent_id is null and question.command_id is null
    order by e.created_at desc, e.id desc limit question.most)
  union all
  select e.created_at, e.id
  from app.audited_streams(question) s (stream)
  -- By itself, so that no index of times is taken for one of streams.
  cross join lateral (
    select * from public.events e where e.tenant_id = question.tenant_id and e.stream = s.stream offset 0) e
  where (question.agent_id is not null or question.command_id is not null)
    and coalesce(question.kind, '')
      not in ('agent_connect', 'agent_disconnect', 'preset_used', 'retention_run', 'user_login', 'user_logout')
    and app.audit_kind(e.event_type, e.payload) = coalesce(question.kind, app.audit_kind(e.event_type, e.payload))
    and e.created_at >= question.since
    and (e.created_at, e.id) < (question.before_at, question.before_id)
    and (question.user_id is null or e.user_id = question.user_id)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.audited_streams(question app.audit_question)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
AS $function$
  with runs as (
    select r.id, r.command_id from public.agent_runs r
    where question.command_id is not null and r.tenant_id = question.tenant_id and r.command_id = question.command_id
      and (question.agent_id is null or r.agent_id = question.agent_id)
    union all
    -- One waits for thirty days at most, and is not at work for longer.
    select r.id, r.command_id from public.agent_runs r
    where question.command_id is null and r.tenant_id = question.tenant_id and r.agent_id = question.agent_id
      and r.created_at >= question.since - interval '60 days'
  )
  select 'run:' || r.id from runs r
  union
  select 'command:' || r.command_id from runs r
  union
  select 'approval:' || a.id from runs r
    join public.approvals a on a.tenant_id = question.tenant_id and a.run_id = r.id
  union
  select 'agent:' || question.agent_id where question.command_id is null
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.cut_audited(data jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.enter_audit(event_type text, actor app.actor, user_id uuid DEFAULT NULL::uuid, agent_id uuid DEFAULT NULL::uuid, command_id uuid DEFAULT NULL::uuid, details jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_now constant timestamptz := app.now();
begin
  perform app.ensure_partition('audit_entries', v_now);
  insert into public.audit_entries (tenant_id, id, event_type, user_id, agent_id, command_id, details, ip_address,
      user_agent, created_at)
    values (app.get_tenant_id(), app.uuid_v7(), event_type, coalesce(user_id, actor.user_id), agent_id, command_id,
      app.cut_audited(jsonb_strip_nulls(jsonb_build_object('by', actor.agent) || details)),
      nullif(current_setting('app.ip', true), '')::inet, actor.client, v_now);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.enter_connect(agent public.agents, goes_on boolean, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if goes_on and agent.seen_at is not null and agent.disconnected_at is null then
    return;
  end if;
  perform app.enter_disconnect(agent, app.why_silent(agent), actor);
  perform app.enter_audit('agent_connect', actor, agent.user_id, agent.id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.enter_disconnect(agent public.agents, reason text, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if agent.seen_at is not null and agent.disconnected_at is null then
    perform app.enter_audit('agent_disconnect', actor, agent.user_id, agent.id,
      details => jsonb_build_object('reason', reason, 'seen_at', agent.seen_at));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.enter_retention(tenant_id uuid, details jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform set_config('app.tenant_id', tenant_id::text, true);
  perform app.enter_audit('retention_run', null, details => details);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_member(person text, actor app.actor)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_user uuid := coalesce(app.as_uuid(person), (
    select m.user_id from public.memberships m join public.users u on u.id = m.user_id
    where m.tenant_id = actor.tenant_id and lower(person) in (lower(u.name), lower(u.email))
    -- A name is what its owner makes it, and may be another's address.
    order by (lower(u.email) = lower(person)) is true desc, m.created_at, m.user_id limit 1));
begin
  if v_user is null then
    perform app.fail('not_found', format('%s is no member of this workspace.', app.quoted_name(left(person, 80))), null,
      '`cairn auth members` shows those there are; a former one is named by id.');
  end if;
  return v_user;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.record_audit(event jsonb, actor jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into app.auth_events (tenant_id, at, type, user_id, client_id, subject_id, ip, data)
  values (app.get_tenant_id(), app.now(), event ->> 'type',
    coalesce(app.as_uuid(event ->> 'user_id'), app.get_caller_id()),
    left(event ->> 'client_id', 500), app.as_uuid(event ->> 'subject_id'), app.read_ip(actor),
    app.cut_audited(coalesce(jsonb_strip_nulls(event -> 'data'), '{}')));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.why_silent(agent public.agents)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when app.has_no_runner(agent) then 'silent' else 'lost' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_audit(kind text DEFAULT NULL::text, person text DEFAULT NULL::text, agent text DEFAULT NULL::text, command text DEFAULT NULL::text, since timestamp with time zone DEFAULT NULL::timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, cursor text DEFAULT NULL::text, page_size integer DEFAULT 50, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_asked app.audit_question;
  v_size integer := app.page_size(page_size, 200);
  v_question text := concat_ws(' ', 'audit', kind, person, agent, command, since, until);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found uuid[];
begin
  perform app.refuse_limited(v_actor);
  v_asked.tenant_id := v_actor.tenant_id;
  v_asked.caller := v_actor.user_id;
  v_asked.everyone := app.role_rank(v_actor.role) >= app.role_rank('admin');
  v_asked.kind := kind;
  v_asked.user_id := case when person is not null then app.find_member(person, v_actor) end;
  v_asked.agent_id := case when agent is not null then (app.find_agent_of_any_time(agent, v_actor)).id end;
  v_asked.command_id := case when command is not null then (app.find_command(command, v_actor)).id end;
  v_asked.since := greatest(since, app.now() - interval '30 days');
  v_asked.before_at := coalesce((v_after ->> 'at')::timestamptz, until, 'infinity');
  v_asked.before_id := coalesce((v_after ->> 'id')::uuid, app.get_nil_id());
  v_asked.most := v_size + 1;
  v_found := array(
    select f.id from (
      select * from app.audited_events(v_asked) union all select * from app.audited_besides(v_asked)) f
    order by f.at desc, f.id desc limit v_asked.most);
  return app.build_page('entries', array(
    select jsonb_strip_nulls(jsonb_build_object(
      'id', l.id,
      'at', l.created_at,
      'kind', l.event_type,
      'user_id', l.user_id,
      'user', app.user_name(l.user_id),
      'agent_id', l.agent_id,
      'agent', (select a.name from public.agents a where a.tenant_id = l.tenant_id and a.id = l.agent_id),
      'command', l.command_id,
      'details', nullif(l.details, '{}'),
      'ip', host(l.ip_address),
      'program', l.user_agent))
    from public.audit_logs l
    where l.tenant_id = v_actor.tenant_id and l.id = any (v_found)
    order by l.created_at desc, l.id desc), v_size, v_question, '{id}', '{at}');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_auth_events(chosen jsonb DEFAULT '{}'::jsonb, before text DEFAULT NULL::text, page_size integer DEFAULT 50, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.record_auth_event(event jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  perform app.record_audit(event, actor);
  return '{}';
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function app.audit_kind(text,jsonb) to authenticated;
grant execute on function public.list_audit(text,text,text,text,timestamp with time zone,timestamp with time zone,text,integer,jsonb) to authenticated;
grant execute on function public.list_audit(text,text,text,text,timestamp with time zone,timestamp with time zone,text,integer,jsonb) to cairn_server;
grant execute on function public.list_audit(text,text,text,text,timestamp with time zone,timestamp with time zone,text,integer,jsonb) to service_role;
grant execute on function public.list_auth_events(jsonb,text,integer,jsonb) to cairn_server;
grant execute on function public.list_auth_events(jsonb,text,integer,jsonb) to service_role;
grant execute on function public.record_auth_event(jsonb,jsonb) to cairn_server;
grant execute on function public.record_auth_event(jsonb,jsonb) to service_role;
grant select on public.audit_entries to authenticated;
grant insert, select on public.audit_entries to cairn_owner;
