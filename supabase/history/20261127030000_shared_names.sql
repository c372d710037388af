-- Locks are shared by nothing but their token: neither by a process that borrows it, nor by silence, nor by a repeat.

-- Whether that process of the user may be at work beside the caller's: one that says nothing for longer than any beat is
-- taken to be earlier.
create or replace function app.may_be_present(tenant_id uuid, user_id uuid, process uuid) returns boolean
  language sql stable
begin atomic
  select exists (select from app.presence p
    where p.tenant_id = may_be_present.tenant_id and p.user_id = may_be_present.user_id
      and p.process = may_be_present.process and p.ended_at is null
      and p.beat_at > app.now() - interval '90 seconds');
end;

-- Whether that process of the user is there, or silent: it has not ended.
create function app.has_not_ended(tenant_id uuid, user_id uuid, process uuid) returns boolean language sql stable
begin atomic
  select exists (select from app.presence p where p.tenant_id = has_not_ended.tenant_id
    and p.user_id = has_not_ended.user_id and p.process = has_not_ended.process and p.ended_at is null);
end;

create or replace function app.renew_leases(actor app.actor, names text[], at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_process uuid := app.current_process();
begin
  update public.task_leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)), session_ended_at = null,
      renewed_by = case when l.renewed_by <> v_process and app.has_not_ended(l.tenant_id, actor.user_id, l.renewed_by)
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

-- Who shows the token has the lock; the process that took it keeps it until it ends.
create or replace function app.extend_lease(task public.tasks, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_process uuid := app.current_process();
begin
  update public.task_leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)), session_ended_at = null,
      (process, renewed_by) = (
        select case when k.is_kept then l.process else coalesce(v_process, l.process) end,
          case when k.is_kept then l.process else v_process end
        from (select l.process is not null
          and app.has_not_ended(l.tenant_id, task.locked_by_user, l.process) as is_kept) k)
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
  insert into public.task_leases as l (tenant_id, task_id, project_id, lock_token, ttl_seconds, expires_at)
    values (v_task.tenant_id, v_task.id, v_task.project_id, v_task.lock_token, extend_lock.ttl_seconds, v_until)
    on conflict (tenant_id, task_id) do update set ttl_seconds = excluded.ttl_seconds, expires_at = excluded.expires_at;
  perform app.extend_lease(v_task, v_event.created_at);
  return jsonb_build_object('ref', v_task.ref, 'lock_token', v_task.lock_token, 'locked_until', v_until);
end
$$;

create or replace function app.watch_process(actor app.actor) returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not app.caller_is_server() then
    return false;
  end if;
  -- A machine that is gone says nothing: the server asks, and is sure within a minute. Over a socket this is nothing.
  perform set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false);
  perform pg_try_advisory_lock(app.presence_lock(actor.tenant_id, app.current_process()));
  return true;
end
$$;

drop function app.give_up_lapsed(public.projects, uuid);

create function app.give_up_lapsed(project public.projects, task_id uuid, actor app.actor)
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
        -- Who comes back before another has claimed goes on.
        and not (t.id is not distinct from give_up_lapsed.task_id and t.locked_by_user = actor.user_id
          and t.locked_by = coalesce(actor.agent, actor.client, 'user'))
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

-- claim_task(task?, project?, filters?, ttl_seconds, take_over, take_over_from?) -> the task with its lock_token, or
-- why there is none. `take_over_from` takes a lock over only while it is of that agent.
create or replace function public.claim_task(task text default null, project text default null,
    filters jsonb default '{}', ttl_seconds integer default 3600, take_over boolean default false,
    take_over_from text default null,
    command jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_result jsonb := app.recall(v_actor, command);
  v_filters jsonb;
  v_project public.projects;
  v_id uuid;
  v_events jsonb;
  v_takes_over boolean := take_over;
begin
  if v_result is not null then
    return v_result;
  end if;
  perform app.check_number('ttl_seconds', ttl_seconds, 1, 86400);
  if take_over_from is not null and (task is null or take_over is not true) then
    perform app.fail('invalid_input', 'from says whose lock is taken over.', jsonb_build_object('field', 'from'),
      'Name the task, and pass take_over: true.');
  end if;
  if task is not null then
    v_id := app.find_task_id(task, v_actor.tenant_id);
    select p.* into v_project from public.tasks t
      join public.projects p on p.tenant_id = t.tenant_id and p.id = t.project_id
      where t.tenant_id = v_actor.tenant_id and t.id = v_id;
    if take_over_from is not null then
      select take_over and t.locked_by = take_over_from into v_takes_over from public.tasks t
        where t.tenant_id = v_actor.tenant_id and t.id = v_id for no key update;
    end if;
    v_events := app.give_up_lapsed(v_project, v_id, v_actor);
  else
    v_filters := app.check_filters(filters, v_actor.tenant_id, 'priority', 'parent', 'query');
    v_project := app.find_project(project, v_actor);
    if v_project.archived_at is not null then
      perform app.refuse_archived(v_project);
    end if;
    v_events := app.give_up_lapsed(v_project, null, v_actor);
    v_id := app.lock_next_task(v_project, v_filters, v_actor);
    if v_id is null and v_events = '[]' then
      return app.nothing_ready(v_project, v_filters);
    end if;
  end if;
  if v_id is null or task is not null and v_events <> '[]' then
    perform app.append(v_events, v_actor);
    return app.remember(v_actor, command, app.nothing_ready(v_project, coalesce(v_filters, '{}'))
      || case when task is null then '{}' else jsonb_build_object('hint', format(
        'Task %s was given up as often as its project allows and is blocked for a person. Claim another one.',
        task)) end);
  end if;
  v_result := app.append(v_events || jsonb_build_array(jsonb_build_object(
    'stream', 'task:' || v_id, 'type', 'task.claimed', 'data', jsonb_strip_nulls(jsonb_build_object(
      'ttl_seconds', ttl_seconds, 'take_over', nullif(v_takes_over, false))))), v_actor);
  return app.remember(v_actor, command, app.claim_briefing(v_result -> 'events' -> -1, v_project));
end
$$;

create or replace function app.check_text_version(task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'task.updated' and task.status = 'completed'
      and event.payload -> 'acceptance_criteria' <> to_jsonb(task.acceptance_criteria) then
    perform app.fail('illegal_transition', format('Task %s is completed: its criteria are what it was shown by.', task.ref),
      jsonb_build_object('field', 'acceptance_criteria'),
      'Reopen it (update_task with status reopened), then change them.');
  end if;
  if event.event_type <> 'task.updated' or event.causation_id is not null
      or not event.payload ?| '{title,description,acceptance_criteria}'
      or expect ->> 'lock_token' is not null or expect ->> 'version' = task.version::text then
    return;
  end if;
  perform app.fail('version_conflict',
    case when expect ->> 'version' is null
      then format('You do not hold task %s: say on which version of its text yours is based.', task.ref)
      else format('Task %s is at version %s, not %s.', task.ref, task.version, left(expect ->> 'version', 20)) end,
    jsonb_build_object('version', task.version, 'title', task.title, 'description', nullif(task.description, ''),
      'acceptance_criteria', to_jsonb(task.acceptance_criteria)),
    format('Work your change into the text as it stands now (get_task shows all of it), then repeat with '
      || 'expected_version %s.', task.version));
end
$$;

select app.secure_functions();
