-- The audit trail: what the server and people did, recorded and read.

select app.define_records('audit_entries', 'month', keep_days => 30);

-- The kind under which an event of the log, or of the trail of access, is on the audit trail; null if it is not.
create or replace function app.audit_kind(event_type text, payload jsonb) returns text language sql immutable as $$
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
$$;

-- Enters what happened beside the log in the workspace of the call, with the address and the program that it came from.
create or replace function app.enter_audit(
  event_type text,
  actor app.actor,
  user_id uuid default null,
  agent_id uuid default null,
  command_id uuid default null,
  details jsonb default '{}'
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Why an agent counts as gone that has said nothing for long: a runner missed its beats, hooks and tools are silent.
create or replace function app.why_silent(agent public.agents) returns text language sql immutable as $$
  select case when app.has_no_runner(agent) then 'silent' else 'lost' end
$$;

-- Enters that an agent is gone, unless it was. It is given as it was before.
create or replace function app.enter_disconnect(agent public.agents, reason text, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if agent.seen_at is not null and agent.disconnected_at is null then
    perform app.enter_audit('agent_disconnect', actor, agent.user_id, agent.id,
      details => jsonb_build_object('reason', reason, 'seen_at', agent.seen_at));
  end if;
end
$$;

-- Enters that an agent is there, unless it was and `goes_on`. It is given as it was before.
create or replace function app.enter_connect(agent public.agents, goes_on boolean, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if goes_on and agent.seen_at is not null and agent.disconnected_at is null then
    return;
  end if;
  perform app.enter_disconnect(agent, app.why_silent(agent), actor);
  perform app.enter_audit('agent_connect', actor, agent.user_id, agent.id);
end
$$;

-- Enters what became of records of a workspace, or of the beginning of its log. It acts in that workspace from then on.
create or replace function app.enter_retention(tenant_id uuid, details jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('app.tenant_id', tenant_id::text, true);
  perform app.enter_audit('retention_run', null, details => details);
end
$$;

-- The streams of the log that a command, or an agent, is told of in: their runs, with what was asked in them.
create or replace function app.audited_streams(question app.audit_question)
  returns setof text
  language sql
  stable
as $$
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
$$;

-- Finds the latest events of the log that a question is about: those of certain streams, or of each type by itself.
create or replace function app.audited_events(question app.audit_question)
  returns table (at timestamptz, id uuid)
  language sql
  stable
as $$
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
$$;

-- Finds the latest that a question is about of what is beside the log: of whoever asks, or of everyone.
create or replace function app.audited_besides(question app.audit_question)
  returns table (at timestamptz, id uuid)
  language sql
  stable
as $$
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
$$;

-- Finds a member of the workspace by id, name or address of mail. Raises not_found.
create or replace function app.find_member(person text, actor app.actor)
  returns uuid
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- list_audit(kind?, person?, agent?, command?, since?, until?, cursor?, page_size) -> {entries: [{id, at, kind,
-- user_id?, user?, agent_id?, agent?, command?, details?, ip?, program?}], next_cursor?}, the newest first, of the last
-- 30 days: what the view audit_logs has. Owners and admins see all, others of what is beside the log their own. Raises
-- not_found.
create or replace function public.list_audit(
  kind text default null,
  person text default null,
  agent text default null,
  command text default null,
  since timestamptz default null,
  until timestamptz default null,
  cursor text default null,
  page_size integer default 50,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  -- What is asked decides which index is read.
  set plan_cache_mode = force_custom_plan
  set enable_seqscan = off
as $$
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
$$;

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

-- What is beside the log, a member sees of itself, and an owner or an admin of everyone.
select app.define_on_tables($policies$
  create policy own_or_admin on public.audit_entries as restrictive for select to authenticated
    using (user_id = (select auth.uid()) or tenant_id in (
      select m.tenant_id from public.memberships m
      where m.user_id = (select auth.uid()) and m.role in ('owner', 'admin')));
  create policy own_or_admin on app.auth_events for select to authenticated
    using (tenant_id in (select app.my_tenants()) and (user_id = (select auth.uid()) or tenant_id in (
      select m.tenant_id from public.memberships m
      where m.user_id = (select auth.uid()) and m.role in ('owner', 'admin'))));
$policies$);
