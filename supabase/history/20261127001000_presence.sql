-- Which processes are there, when each last said so, and that one has ended: its locks are free two minutes later.
-- A process that is silent may be a laptop asleep, so silence ends nothing; a lost connection, where it is known, does.

create table app.presence (
  tenant_id uuid not null references public.tenants (id),
  process uuid not null,
  user_id uuid not null,
  agent text check (char_length(agent) <= 120),
  client text check (char_length(client) <= 120),
  -- A connection of the process holds `app.presence_lock` while it lives.
  watched boolean not null,
  started_at timestamptz not null,
  beat_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, process)
) with (fillfactor = 50);
revoke all on table app.presence from public, anon, authenticated, service_role;
alter table app.presence enable row level security;
alter table app.presence force row level security;
grant select, insert, update, delete on table app.presence to cairn_owner;
create policy door on app.presence for all to cairn_owner
  using (tenant_id = app.tenant()) with check (tenant_id = app.tenant());

-- `process` took the lock and knows its token; `renewed_by` is the one that last kept it, whose end shortens it.
alter table public.task_leases add column renewed_by uuid, add column session_ended_at timestamptz;
create index idx_task_leases_renewed_by on public.task_leases (tenant_id, renewed_by);

create function app.presence_lock(tenant_id uuid, process uuid) returns bigint language sql immutable
  return hashtextextended(concat_ws(' ', tenant_id, 'process', process), 0);

-- How long ago that was, in its largest unit: `2 minutes ago`.
create function app.ago(at timestamptz) returns text language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_seconds bigint := greatest(0, extract(epoch from app.now() - at))::bigint;
  v_size integer := case when v_seconds < 60 then 1 when v_seconds < 3600 then 60 else 3600 end;
  v_unit text := case v_size when 1 then 'second' when 60 then 'minute' else 'hour' end;
begin
  if v_seconds = 0 then
    return 'just now';
  end if;
  return format('%s %s%s ago', v_seconds / v_size, v_unit, case when v_seconds / v_size <> 1 then 's' else '' end);
end
$$;

-- How the session that keeps a task's lock ended: `ended 2 minutes ago`; null while it goes on, or nobody knows.
create function app.session_state(task public.tasks) returns text language sql stable
begin atomic
  select 'ended ' || app.ago(l.session_ended_at) from public.task_leases l
  where l.tenant_id = task.tenant_id and l.task_id = task.id and l.lock_token = task.lock_token
    and l.session_ended_at is not null;
end;

-- Whether that process may be at work beside the caller's. One that nobody watches counts for a minute after it spoke.
create function app.may_be_present(tenant_id uuid, process uuid) returns boolean language sql stable
begin atomic
  select exists (select from app.presence p
    where p.tenant_id = may_be_present.tenant_id and p.process = may_be_present.process and p.ended_at is null
      and (p.watched or p.beat_at > app.now() - interval '1 minute'));
end;

create or replace function app.keep_lease(was public.tasks, task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'task.claimed' then
    insert into public.task_leases (tenant_id, task_id, project_id, lock_token, ttl_seconds, expires_at, process,
        renewed_by)
      values (task.tenant_id, task.id, task.project_id, task.lock_token, (event.payload ->> 'ttl_seconds')::integer,
        event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer), app.current_process(),
        app.current_process())
      on conflict (tenant_id, task_id) do update
        set (lock_token, ttl_seconds, expires_at, process, renewed_by, session_ended_at)
        = (excluded.lock_token, excluded.ttl_seconds, excluded.expires_at, excluded.process, excluded.renewed_by, null);
  elsif was.status = 'in_progress' and task.status <> 'in_progress' then
    delete from public.task_leases l where l.tenant_id = task.tenant_id and l.task_id = task.id;
  elsif expect ->> 'lock_token' is not null then
    perform app.extend_lease(task, event.created_at);
  end if;
end
$$;

-- Who shows the token has the lock, in whatever process.
create or replace function app.extend_lease(task public.tasks, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update public.task_leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)),
      process = coalesce(app.current_process(), l.process), renewed_by = app.current_process(), session_ended_at = null
    where l.tenant_id = task.tenant_id and l.task_id = task.id and l.lock_token = task.lock_token;
end
$$;

-- extend_lock(task, lock_token, ttl_seconds) -> {ref, lock_token, locked_until}: how long the lock lasts from now on.
create or replace function public.extend_lock(task text, lock_token bigint, ttl_seconds integer default 3600,
    actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_id uuid := app.find_task_id(task, v_actor.tenant_id);
  v_task public.tasks;
  v_event public.events;
  v_until timestamptz;
begin
  perform app.check_number('ttl_seconds', ttl_seconds, 1, 86400);
  perform app.check_number('lock_token', lock_token, 0, 9223372036854775807);
  select * into v_task from public.tasks t
    where t.tenant_id = v_actor.tenant_id and t.id = v_id for no key update;
  v_event.created_at := app.now();
  perform app.check_holder(v_task, v_event, jsonb_build_object('lock_token', lock_token),
    app.lease_expires_at(v_task), v_actor.role);
  v_until := v_event.created_at + make_interval(secs => extend_lock.ttl_seconds);
  insert into public.task_leases as l (tenant_id, task_id, project_id, lock_token, ttl_seconds, expires_at, process,
      renewed_by)
    values (v_task.tenant_id, v_task.id, v_task.project_id, v_task.lock_token, extend_lock.ttl_seconds, v_until,
      app.current_process(), app.current_process())
    on conflict (tenant_id, task_id) do update
      set (ttl_seconds, expires_at, process, renewed_by, session_ended_at)
      = (excluded.ttl_seconds, excluded.expires_at, coalesce(excluded.process, l.process), excluded.renewed_by, null);
  return jsonb_build_object('ref', v_task.ref, 'lock_token', v_task.lock_token, 'locked_until', v_until);
end
$$;

create or replace function app.guard_claim(task public.tasks, event public.events, rules jsonb, expires_at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_own boolean := task.locked_by_user = event.user_id;
  v_session text;
  v_waiting text[];
begin
  if task.status = 'in_progress' and expires_at > event.created_at
      and not (v_is_own and coalesce((event.payload ->> 'take_over')::boolean, false)) then
    v_session := app.session_state(task);
    perform app.fail('lock_held',
      format('Task %s is held by %s%s.', task.ref, app.quoted_name(task.locked_by), '; its session ' || v_session),
      jsonb_build_object('locked_by', task.locked_by, 'locked_until', expires_at),
      case when v_is_own and v_session is not null
        then 'Go on with it: claim_task with take_over: true. Or claim another ready task (claim_task without task).'
        else 'Claim another ready task (claim_task without task), or wait until the lock expires. '
          || case when v_is_own then 'Only if that was you, and no other worker or session of yours, take your lock '
            || 'back: pass take_over: true.' else '' end end);
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

-- The locks of who asks, with the token of each that it cannot know any more or has asked for by the worker's name:
-- beside others that may go by the name, the token is with the one that claimed.
create or replace function app.own_locks(project public.projects, actor app.actor, is_named boolean)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := coalesce(actor.agent, actor.client, 'user');
  v_process uuid := app.current_process();
begin
  return (
    select jsonb_agg(app.task_brief(t.task) || case when (is_named or t.is_earlier) and t.is_live
        then jsonb_build_object('lock_token', (t.task).lock_token) else '{}' end)
    from (
      select x as task, l.expires_at > app.now() as is_live,
        v_process is null
          or l.process is distinct from v_process and not app.may_be_present(l.tenant_id, l.process) as is_earlier
      from app.tasks_by_status(project, 'in_progress', 100) x
        join public.task_leases l on l.tenant_id = x.tenant_id and l.task_id = x.id and l.lock_token = x.lock_token
      where x.locked_by_user = actor.user_id) t
    where (t.task).locked_by = v_name
      or not is_named and t.is_earlier and starts_with((t.task).locked_by, v_name || '/')
    limit 10);
end
$$;

-- What the user's own sessions, which have ended, still hold: refs, until the locks lapse.
create function app.left_locks(project public.projects, actor app.actor) returns jsonb language sql stable
begin atomic
  select jsonb_agg(f.ref) from (
    select t.ref from public.task_leases l join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.task_id
    where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at > app.now()
      and l.session_ended_at is not null and t.lock_token = l.lock_token and t.status = 'in_progress'
      and t.locked_by_user = actor.user_id
    order by t.locked_at limit 10) f;
end;

-- Renews what is held under these names, and what the caller's own process, which was taken to have ended, still holds.
-- A lock that a call is changing at this moment is skipped: the call renews it.
create function app.renew_leases(actor app.actor, names text[], at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_process uuid := app.current_process();
begin
  update public.task_leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)), session_ended_at = null,
      renewed_by = case when l.renewed_by <> v_process and app.may_be_present(l.tenant_id, l.renewed_by)
        then l.renewed_by else v_process end
    from (
      select x.task_id from public.task_leases x
        join public.tasks t on t.tenant_id = x.tenant_id and t.id = x.task_id and t.lock_token = x.lock_token
      where x.tenant_id = actor.tenant_id and t.locked_by_user = actor.user_id
        and (x.renewed_by = v_process and x.session_ended_at is not null
          or t.locked_by = any (names) and x.expires_at > at)
      for update of x skip locked) own
    where l.tenant_id = actor.tenant_id and l.task_id = own.task_id;
end
$$;

-- Ends the watched processes whose connection is gone, and shortens what ended ones hold.
create function app.end_lost_sessions(tenant_id uuid, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_locks bigint[];
begin
  if exists (select from app.presence p where p.tenant_id = end_lost_sessions.tenant_id and p.ended_at is null
      and p.watched and p.beat_at < at) then
    v_locks := array(select (l.classid::bigint << 32) | l.objid::bigint from pg_locks l
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select d.oid from pg_database d where d.datname = current_database()));
    -- Its last sign of life is the best that is known of when it was.
    update app.presence p set ended_at = p.beat_at
      where p.tenant_id = end_lost_sessions.tenant_id and p.ended_at is null and p.watched and p.beat_at < at
        and app.presence_lock(p.tenant_id, p.process) <> all (v_locks);
  end if;
  update public.task_leases l
    set expires_at = least(l.expires_at, at + interval '2 minutes'), session_ended_at = ended.ended_at
    from (
      select x.task_id, p.ended_at from public.task_leases x
        join app.presence p on p.tenant_id = x.tenant_id and p.process = x.renewed_by
      where x.tenant_id = end_lost_sessions.tenant_id and p.ended_at is not null and x.session_ended_at is null
      for update of x skip locked) ended
    where l.tenant_id = end_lost_sessions.tenant_id and l.task_id = ended.task_id;
end
$$;

-- Lets the caller's connection tell of the process's end, where the connection is the process's own: that is so for the
-- server's role alone, and only behind no pooler, which the caller knows.
create function app.watch_process(actor app.actor) returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not app.caller_is_server() then
    return false;
  end if;
  perform pg_try_advisory_lock(app.presence_lock(actor.tenant_id, app.current_process()));
  return true;
end
$$;

-- report_presence(agents, watched, ended) -> {}: the actor's process is there, or has ended, and these agents of it
-- called something lately. It is operation, like all that a lease is, and no event.
create function public.report_presence(agents jsonb default '[]', watched boolean default false,
    ended boolean default false, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_process uuid := app.current_process();
  v_ended boolean := coalesce(ended, false);
  v_watched boolean;
  v_now timestamptz := app.now();
begin
  if v_process is null then
    perform app.fail('invalid_input', 'It is not said which process is there.', null,
      'Name it: actor.process, a UUID.');
  elsif not coalesce(app.fits(agents, 'text[]', 100, null), false) then
    perform app.fail('invalid_input', 'agents is a list of at most 100 names.', null,
      'Name them: ["claude-code#f33e"].');
  end if;
  v_watched := coalesce(watched, false) and not v_ended and app.watch_process(v_actor);
  insert into app.presence as p (tenant_id, process, user_id, agent, client, watched, started_at, beat_at, ended_at)
    values (v_actor.tenant_id, v_process, v_actor.user_id, v_actor.agent, v_actor.client, v_watched, v_now, v_now,
      case when v_ended then v_now end)
    on conflict on constraint presence_pkey do update
      set agent = coalesce(excluded.agent, p.agent), client = coalesce(excluded.client, p.client),
        watched = excluded.watched, beat_at = excluded.beat_at, ended_at = excluded.ended_at
      where p.user_id = excluded.user_id;
  if not v_ended then
    perform app.renew_leases(v_actor, array(select jsonb_array_elements_text(agents)), v_now);
  end if;
  -- From here on it is not the caller who acts: a process that ended has ended in every project.
  perform set_config('app.project_id', '', true);
  perform app.end_lost_sessions(v_actor.tenant_id, v_now);
  delete from app.presence p where p.tenant_id = v_actor.tenant_id and (p.beat_at < v_now - interval '7 days'
    or p.process in (select k.process from app.presence k where k.tenant_id = v_actor.tenant_id
      order by k.beat_at desc offset 1000));
  return '{}';
end
$$;

create or replace function app.task_brief(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz;
  v_session text;
  v_parent text;
begin
  if task.lock_token is not null then
    v_until := app.lease_expires_at(task);
    v_session := app.session_state(task);
  end if;
  if task.parent_id is not null then
    select p.ref into v_parent from public.tasks p where p.tenant_id = task.tenant_id and p.id = task.parent_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'ref', task.ref, 'title', task.title, 'status', task.status, 'priority', task.priority,
    'ready', task.status = 'pending' and task.open_dependencies = 0
      or task.status = 'in_progress' and v_until <= app.now(),
    'locked_by', task.locked_by, 'locked_until', v_until, 'session', v_session,
    'open_dependencies', nullif(task.open_dependencies, 0), 'blocked_reason', left(task.blocked_reason, 300),
    'warning', left(task.warning, 300), 'attempts', nullif(task.attempts, 0), 'completed_at', task.completed_at,
    'parent', v_parent));
end
$$;

-- resume_project(project?) -> everything an agent needs to go on, in one call: the latest checkpoint, what changed
-- since, what it holds, who works on what, what sessions that ended still hold, what is ready, what is open, what was
-- decided.
create or replace function public.resume_project(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_checkpoint public.checkpoints := app.latest_checkpoint(v_project);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project),
    'checkpoint', case when v_checkpoint.id is not null
      then app.checkpoint_full(v_checkpoint, v_project.slug) - 'snapshot' end,
    'since', app.changes_since(v_project, coalesce(app.checkpoint_position(v_checkpoint), 0)),
    'mine', app.own_locks(v_project, v_actor, actor ->> 'worker' is not null),
    'left', app.left_locks(v_project, v_actor),
    'in_progress', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'blocked', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'blocked', 5) t),
    'ready', (select jsonb_agg(app.task_brief(t)) from app.ready_tasks(v_project, 5) t),
    'questions', (
      select jsonb_agg(app.event_brief(app.upcast(e),
        (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id)))
      from app.open_questions(v_project, 5) e),
    'decisions', (
      select jsonb_agg(app.decision_brief(d))
      from (
        select * from public.decisions x
        where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null
        order by x.created_at desc limit 5) d),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;

select app.secure_functions();
