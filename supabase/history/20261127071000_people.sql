-- A person needs no token for what they hold; whoever ends a task is told which became ready, whoever resumes how many ask.

-- The pending tasks that nothing stands in the way of, now that others have ended: refs, the best first, at most 20.
create function app.freed_by(events public.events[])
  returns jsonb
  language sql
  stable
as $$
  with ended as (
    select e.tenant_id, e.task_id from unnest(events) e where e.event_type in ('task.completed', 'task.cancelled')),
  after as (
    select e.tenant_id, d.id from ended e cross join lateral app.dependents_of(e.tenant_id, e.task_id) d (id)
    union
    select e.tenant_id, t.parent_id from ended e
      join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id),
  freed as (
    select t.ref, app.priority_rank(t.priority) as rank, t.number from after a
      join public.tasks t on t.tenant_id = a.tenant_id and t.id = a.id
    where app.is_ready(t) = 1
    order by app.priority_rank(t.priority), t.number limit 20)
  select jsonb_strip_nulls(jsonb_build_object('freed', (select jsonb_agg(f.ref order by f.rank, f.number) from freed f)))
$$;

create or replace function app.append(events jsonb, actor app.actor)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_queue jsonb[] := array(select e from jsonb_array_elements(events) with ordinality x (e, at) order by at);
  v_asked integer := cardinality(v_queue);
  v_at integer := 0;
  v_request jsonb;
  v_event public.events;
  v_applied app.applied;
  v_now timestamptz;
  v_events public.events[] := '{}';
  v_new public.events[] := '{}';
  v_states jsonb[] := '{}';
  v_follow jsonb;
  v_depth integer;
  v_room integer := app.policy_max();
  v_triggered integer := 0;
  v_cut uuid[] := '{}';
begin
  if v_asked > 1
      or events -> 0 ->> 'type' in ('task.dependencies_changed', 'task.completed', 'task.cancelled', 'task.reopened')
      or events -> 0 -> 'data' ?| '{dependencies,parent}' then
    perform app.lock_streams(events, actor);
  end if;
  v_now := app.now();
  while v_at < cardinality(v_queue) loop
    v_at := v_at + 1;
    v_request := v_queue[v_at];
    continue when v_at > v_asked and app.is_settled(v_request, actor.tenant_id);
    v_applied := case when v_request ? 'trigger' then app.apply_trigger(v_request, actor, v_now, v_room)
      else app.apply_request(v_request, actor, v_now, v_room) end;
    v_event := v_applied.event;
    v_event.correlation_id := coalesce(v_events[1].id, v_event.id);
    v_states := v_states || case when v_at <= v_asked then v_applied.state else v_applied.state -> 'ref' end;
    v_events := v_events || v_event;
    if v_event.version is not null then
      v_new := v_new || v_event;
      if v_event.payload ?| '{text,reason,summary,evidence}' then
        perform app.index_event(v_event);
      end if;
      v_depth := coalesce((v_request ->> 'depth')::integer, 0);
      foreach v_follow in array app.follow_ups(v_event, v_applied.triggers, v_depth) loop
        if not v_follow ? 'trigger' then
          v_room := v_room - 1;
        elsif v_triggered < app.triggered_max() then
          v_triggered := v_triggered + 1;
        else
          continue when v_event.project_id = any (v_cut);
          v_cut := v_cut || v_event.project_id;
          v_follow := app.note_cut() || jsonb_build_object('stream', 'project:' || v_event.project_id);
        end if;
        v_queue := v_queue || app.caused(v_follow, v_event, v_depth);
      end loop;
    end if;
  end loop;
  return app.answer(v_events, v_states, v_asked,
      case when v_new <> '{}' then app.record_events(v_new) - cardinality(v_new) end)
    || case when events @? '$[*].type ? (@ == "task.completed" || @ == "task.cancelled")' then app.freed_by(v_new)
      else '{}' end;
end
$$;

-- A person is one: what they hold under their own name is theirs without a token.
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
    if task.status = 'in_progress' and v_token = task.lock_token::text and expires_at <= event.created_at then
      perform app.fail('lock_lost', format('Your lock on task %s has expired; nobody has taken the task since.', task.ref),
        jsonb_build_object('status', task.status, 'locked_by', task.locked_by),
        format('claim_task %s takes it again, with a new lock_token.', task.ref));
    elsif task.lock_token is null or v_token <> task.lock_token::text or expires_at <= event.created_at then
      perform app.fail('lock_lost',
        format('You no longer hold task %s: the lock_token %s is not the live one.', task.ref, left(v_token, 20)),
        jsonb_strip_nulls(jsonb_build_object('status', task.status, 'locked_by', task.locked_by)),
        'Stop work on it: another agent may have taken over. '
          || 'get_task shows its state; claim_task takes it again if it is free.');
    end if;
  elsif task.status = 'in_progress' and event.actor ->> 'agent' is null
      and (app.role_rank(role) >= 3 or task.locked_by_user = event.user_id and task.locked_by = app.by(event)) then
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

-- The latest five of the open questions, and how many there are where that is more.
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
  v_questions public.events[] := array(select q from app.open_questions(v_project, 300) q);
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
    'ready', (select jsonb_agg(app.task_brief(t)) from app.ready_tasks(v_project, '{}', v_actor, null, 5) t),
    'questions', (
      select jsonb_agg(app.event_brief(app.upcast(e),
        (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id)))
      from unnest(v_questions[:5]) e),
    'questions_open', case when cardinality(v_questions) > 5 then cardinality(v_questions) end,
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
