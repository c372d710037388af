-- Several may be told at once that a session has ended, and go on with what it held: one of them gets it.

drop function public.claim_task(text, text, jsonb, integer, boolean, jsonb, jsonb);

-- claim_task(task?, project?, filters?, ttl_seconds, take_over, take_over_from?) -> the task with its lock_token, or
-- why there is none. `take_over_from` takes a lock over only while it is of that agent.
create function public.claim_task(task text default null, project text default null,
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
begin
  if v_result is not null then
    return v_result;
  end if;
  perform app.check_number('ttl_seconds', ttl_seconds, 1, 86400);
  if task is not null then
    v_id := app.find_task_id(task, v_actor.tenant_id);
    select p.* into v_project from public.tasks t
      join public.projects p on p.tenant_id = t.tenant_id and p.id = t.project_id
      where t.tenant_id = v_actor.tenant_id and t.id = v_id;
    if take_over_from is not null then
      select take_over and t.locked_by = take_over_from into take_over from public.tasks t
        where t.tenant_id = v_actor.tenant_id and t.id = v_id for no key update;
    end if;
    v_events := app.give_up_lapsed(v_project, v_id);
  else
    v_filters := app.check_filters(filters, v_actor.tenant_id, 'priority', 'parent', 'query');
    v_project := app.find_project(project, v_actor);
    if v_project.archived_at is not null then
      perform app.refuse_archived(v_project);
    end if;
    v_events := app.give_up_lapsed(v_project, null);
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
      'ttl_seconds', ttl_seconds, 'take_over', nullif(take_over, false))))), v_actor);
  return app.remember(v_actor, command, app.claim_briefing(v_result -> 'events' -> -1, v_project));
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
        then format('Go on with it: claim_task with take_over: true, from: %s. Or claim another ready task (claim_task '
          || 'without task).', app.quoted_name(task.locked_by))
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

-- What the user's own sessions, which have ended, still hold: [{ref, locked_by}], until the locks lapse.
create or replace function app.left_locks(project public.projects, actor app.actor) returns jsonb language sql stable
begin atomic
  select jsonb_agg(jsonb_build_object('ref', f.ref, 'locked_by', f.locked_by)) from (
    select t.ref, t.locked_by from public.task_leases l
      join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.task_id
    where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at > app.now()
      and l.session_ended_at is not null and t.lock_token = l.lock_token and t.status = 'in_progress'
      and t.locked_by_user = actor.user_id
    order by t.locked_at limit 10) f;
end;

-- adopt_locks(tasks) -> {adopted: [ref]}: the caller's process goes on with the locks of an earlier one of its session,
-- whose tokens it has been shown. Of several workers that are shown them one is told that it has them.
create function public.adopt_locks(tasks jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_process uuid := app.current_process();
  v_name text := coalesce(v_actor.agent, v_actor.client, 'user');
  v_now timestamptz := app.now();
  v_adopted text[];
begin
  if not coalesce(app.fits(tasks, 'ref[]', 100, null), false) then
    perform app.fail('invalid_input', 'tasks is a list of at most 100 refs.', null, 'Name them: ["web-12"].');
  end if;
  with own as (
    update public.task_leases l
      set process = v_process, renewed_by = v_process, session_ended_at = null,
        expires_at = greatest(l.expires_at, v_now + make_interval(secs => l.ttl_seconds))
      from public.tasks t
      where l.tenant_id = v_actor.tenant_id and t.tenant_id = l.tenant_id and t.id = l.task_id
        and t.ref in (select jsonb_array_elements_text(adopt_locks.tasks)) and t.status = 'in_progress'
        and t.lock_token = l.lock_token and t.locked_by_user = v_actor.user_id and l.expires_at > v_now
        and (t.locked_by = v_name or starts_with(t.locked_by, v_name || '/'))
        and l.process is distinct from v_process and not app.may_be_present(l.tenant_id, l.process)
      returning t.ref)
  select array_agg(o.ref) into v_adopted from own o;
  return jsonb_build_object('adopted', to_jsonb(coalesce(v_adopted, '{}')));
end
$$;

select app.secure_functions();
