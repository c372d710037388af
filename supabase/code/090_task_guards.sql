-- The guards of tasks: the events that may happen now.

-- Lists what a move still lacks.
create or replace function app.unmet_gates(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language sql
  stable
as $$
  select app.unmet_work(task, rules, move, event) || app.unmet_checks(task, rules, move, event)
$$;

-- Lists what it lacks of the work itself. A claim says once that every criterion needs an answer: the briefing lists
-- them already.
create or replace function app.unmet_work(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_require jsonb;
  v_missing text[] := '{}';
begin
  for v_require in select g -> 'require' from jsonb_array_elements(rules -> 'gates') g
      where g ->> 'on' = move and app.match_condition(g -> 'when', event.payload, task.priority) loop
    v_missing := v_missing
      || array(
        select format('an artifact of type %s (add_artifact)', r.type)
        from jsonb_array_elements_text(v_require -> 'artifacts') with ordinality r (type, at)
        where not exists (
          select from public.artifacts x
          where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = r.type)
        order by r.at)
      || case
        when not v_require ? 'evidence' or task.acceptance_criteria = '{}' then '{}'
        when event.event_type is null then array[format('%s evidence (%s) for each criterion',
          v_require ->> 'evidence', app.evidence_of(v_require ->> 'evidence'))]
        else app.missing_evidence(task, v_require ->> 'evidence', event.payload -> 'evidence') end
      || case when v_require ? 'decision'
          and not exists (select from public.decisions d where d.tenant_id = task.tenant_id and d.task_id = task.id)
        then array['a decision for this task (record_decision with task)']
        else '{}' end
      || case when v_require ? 'clean_scope' and not app.is_scope_clean(task, rules)
        then array['a diff artifact naming its files, all in scope (add_artifact type diff, files)']
        else '{}' end;
  end loop;
  return v_missing;
end
$$;

-- Lists what others have to say to it.
create or replace function app.unmet_checks(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language sql
  stable
as $$
  select case when task.approved_at is null and exists (
        select from jsonb_array_elements(rules -> 'gates') g
        where g ->> 'on' = move and g -> 'require' ? 'approval'
          and app.match_condition(g -> 'when', event.payload, task.priority))
      then array[format('approval by a person (`cairn approve %s`)', task.ref)] else '{}' end
    || case when move = 'complete' and app.awaits_review(task, event)
      then array[format('review by %s', app.quoted_name(task.reviewer))] else '{}' end
$$;

-- Tells whether a completion lacks nothing but what others have to say: it is submitted to them.
create or replace function app.is_submission(task public.tasks, rules jsonb, event public.events)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return event.event_type = 'task.completed' and event.causation_id is null and task.status = 'in_progress'
    and (rules ? 'gates' or task.reviewer is not null)
    and app.unmet_checks(task, rules, 'complete', event) <> '{}'
    and app.unmet_work(task, rules, 'complete', event) = '{}';
end
$$;

-- Tells whether a task, before it counts as done, is checked by another than who completes it.
create or replace function app.awaits_review(task public.tasks, event public.events)
  returns boolean
  language sql
  stable
as $$
  select task.reviewer is not null and event.causation_id is null
    and (event.event_type is null or event.actor ->> 'agent' is not null or not app.may_review(event, task.reviewer))
$$;

-- Tells whether the task's last diff names its files, and each is in the current scope.
create or replace function app.is_scope_clean(task public.tasks, rules jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_files text[] := (
    select x.files from public.artifacts x
    where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = 'diff'
    order by x.created_at desc, x.id desc limit 1);
begin
  return cardinality(v_files) > 0 is true
    and app.out_of_scope(app.effective_scope(rules, task.constraints), v_files) is null;
end
$$;

-- Refuses a move that the status does not allow, and lists the allowed ones.
create or replace function app.check_move(task public.tasks, event_type text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_allowed text[];
begin
  if exists (
      select from app.task_moves m
      where m.event_type = check_move.event_type and m.from_status = task.status) then
    return;
  elsif not exists (select from app.task_moves m where m.event_type = check_move.event_type) then
    return;
  end if;
  -- A review's own moves follow from what a caller does.
  v_allowed := array(
    select replace(m.event_type, 'task.', '') from app.task_moves m
    where m.from_status = task.status and m.event_type not in ('task.submitted', 'task.returned')
    order by 1);
  perform app.fail('illegal_transition',
    format('Task %s is %s; it cannot be %s.', task.ref, task.status, replace(event_type, 'task.', '')),
    jsonb_strip_nulls(jsonb_build_object(
      'status', task.status,
      'allowed', v_allowed,
      'blocked_reason', task.blocked_reason)),
    case when event_type = 'task.completed' and task.status = 'pending'
      then 'Claim it first with claim_task, then complete it with the lock_token.'
      else format('From %s it can be %s.', task.status, array_to_string(v_allowed, ', ')) end);
end
$$;

-- Lets a person act without a token on claims under their own name.
create or replace function app.check_holder(
  task public.tasks,
  event public.events,
  expect jsonb,
  expires_at timestamptz,
  role text
)
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
      perform app.fail('lock_lost',
        format('Your lock on task %s has expired; nobody has taken the task since.', task.ref),
        jsonb_build_object('status', task.status, 'locked_by', task.locked_by),
        format('claim_task %s takes it again, with a new lock_token.', task.ref));
    elsif task.lock_token is null or v_token <> task.lock_token::text or expires_at <= event.created_at then
      perform app.fail('lock_lost',
        format('You no longer hold task %s: the lock_token %s is not the live one.', task.ref, left(v_token, 20)),
        jsonb_strip_nulls(jsonb_build_object('status', task.status, 'locked_by', task.locked_by)),
        'Stop work on it: another agent may have taken over. '
          || 'get_task shows its state; claim_task takes it again if it is free.');
    end if;
  elsif task.status = 'in_progress' and (event.actor ->> 'agent' is null and app.role_rank(role) >= 3
      -- An agent keeps its token, unless it says that it cannot, as in a shell: each command is a program of its own.
      or (event.actor ->> 'agent' is null or expect -> 'own_lock' = 'true' and expires_at > event.created_at)
        and task.locked_by_user = event.user_id and task.locked_by = app.actor_name(event)) then
    return;
  elsif task.status = 'in_progress' and expires_at <= event.created_at
      and event.event_type in ('task.released', 'task.submitted', 'task.completed') then
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

create or replace function app.check_gates(task public.tasks, rules jsonb, move text, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text[] := app.unmet_gates(task, rules, move, event);
begin
  if cardinality(v_missing) > 0 then
    perform app.fail('gate_unmet',
      format('Task %s cannot %s yet. Missing: %s.', task.ref, move, array_to_string(v_missing, '; ')),
      jsonb_build_object('missing', v_missing),
      'Provide what is missing, then repeat the call'
        || coalesce(
          ' with all of the evidence, each note saying what shows it (a command and what it printed, a test, a '
            || 'diff): evidence: '
            || case move when 'complete' then app.evidence_wanted(task, rules, event) end,
          '')
        || '.');
  end if;
end
$$;

-- Refuses forbidden dependencies; `field` is the tool's name of the list, `subject` the task.
create or replace function app.check_added(event public.events, added uuid[], field text, subject text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ref text;
begin
  select d.ref into v_ref from app.tasks_with(event.tenant_id, added) d
    where d.status = 'cancelled' or d.project_id <> event.project_id limit 1;
  if found then
    perform app.fail('invalid_input',
      format('%s cannot depend on %s: it is cancelled or of another project.', subject, v_ref),
      jsonb_build_object('field', field), 'Leave it out, or if it is cancelled reopen it first.');
  end if;
end
$$;

create or replace function app.guard_new_task(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.id is not null then
    perform app.fail('already_exists', format('The task %s exists.', task.ref));
  end if;
  if event.payload ? 'dependencies' then
    perform app.check_added(event,
      array(select app.as_uuid(x) from jsonb_array_elements_text(event.payload -> 'dependencies') x),
      'dependencies', 'A task');
  end if;
end
$$;

-- Finds the dependencies that lead from a task back to itself, as a path of refs, or null. Searches breadth first, each
-- task once.
create or replace function app.find_cycle(task public.tasks, added uuid[])
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_via jsonb;
  v_back uuid[] := array[task.id];
begin
  -- Nothing leads back to a task that none waits for.
  if task.id <> all (added) and not exists (select app.dependents_of(task.tenant_id, task.id)) then
    return null;
  elsif not exists (select from app.reached_tasks(task.tenant_id, added) r where r = task.id) then
    return null;
  end if;
  -- The first that led to each. It was reached before, so that going back ends.
  select jsonb_object_agg(l.depends_on, l.task_id) into v_via from (
    select distinct on (e.depends_on) e.depends_on, r.id as task_id
    from app.reached_tasks(task.tenant_id, added) with ordinality r (id, place)
      cross join lateral (
        select x.depends_on from app.task_dependencies x
        where x.tenant_id = task.tenant_id and x.task_id = r.id offset 0) e
    order by e.depends_on, r.place) l;
  while v_back[cardinality(v_back)] <> all (added) loop
    v_back := v_back || (v_via ->> v_back[cardinality(v_back)]::text)::uuid;
  end loop;
  return app.path_text(task, v_back);
end
$$;

create or replace function app.check_evidence(task public.tasks, evidence jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_item jsonb;
begin
  for v_at in 0 .. jsonb_array_length(evidence) - 1 loop
    v_item := evidence -> v_at;
    if jsonb_typeof(v_item) <> 'object'
        or not app.validate_field(
          coalesce(v_item -> 'criterion', 'null'), 'integer', cardinality(task.acceptance_criteria), null)
        or v_item -> 'criterion' = '0'
        or v_item - '{criterion,note,artifact}'::text[] <> '{}' then
      perform app.fail('invalid_input',
        format('Evidence names a criterion from 1 to %s of task %s, with a note or an artifact.',
          cardinality(task.acceptance_criteria), task.ref),
        jsonb_build_object('field', 'evidence'), 'get_task shows the criteria in order.');
    end if;
    if not (app.clean_name(v_item ->> 'note', 4000) is not null or v_item ? 'artifact')
        or v_item ? 'note' and not app.validate_field(v_item -> 'note', 'text', 4000, null) then
      perform app.fail('invalid_input',
        format('The evidence for criterion %s needs a note of at most 4000 characters or an artifact id.',
          v_item ->> 'criterion'),
        jsonb_build_object('field', 'evidence'),
        'Say in the note what shows it: a command and what it printed, a test, a diff.');
    end if;
    if v_item ? 'artifact' then
      perform from public.artifacts a
        where a.tenant_id = task.tenant_id and a.task_id = task.id and a.id = app.as_uuid(v_item ->> 'artifact');
      if not found then
        perform app.fail('not_found', format('Task %s has no artifact %s.', task.ref, left(v_item ->> 'artifact', 80)),
          null, 'add_artifact returns the id to name here.');
      end if;
    end if;
  end loop;
end
$$;

create or replace function app.check_dependencies(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_added uuid[] := array(select x::uuid from jsonb_array_elements_text(event.payload -> 'add') x);
  v_other text;
begin
  if task.status in ('completed', 'cancelled') then
    perform app.fail('illegal_transition',
      format('Task %s is %s; its dependencies cannot change.', task.ref, task.status), null, 'Reopen it first.');
  end if;
  perform app.check_added(event, v_added, 'add_dependencies', task.ref);
  if cardinality(task.dependencies) + cardinality(v_added) > 100 then
    perform app.fail('invalid_input', format('Task %s would have more than 100 dependencies.', task.ref),
      jsonb_build_object('field', 'add_dependencies'));
  end if;
  v_other := app.find_cycle(task, v_added);
  if v_other is not null then
    perform app.fail('dependency_cycle', format('That would make a cycle: %s.', v_other),
      jsonb_build_object('cycle', v_other), 'Each task waits for the one after it. Leave one of them out.');
  end if;
end
$$;

-- Lets a task only narrow its project's limits. (Paths need no check: a file must satisfy the task's list and the
-- project's.)
create or replace function app.check_constraints(constraints jsonb, rules jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  perform app.check_scope(constraints, 'constraints');
  foreach v_key in array array['files_max', 'lines_max'] loop
    if (constraints ->> v_key)::integer > (rules -> 'scope' ->> v_key)::integer then
      perform app.fail('invalid_input',
        format('constraints.%s is %s; the project allows at most %s.', v_key, constraints ->> v_key,
          rules -> 'scope' ->> v_key),
        jsonb_build_object('field', 'constraints.' || v_key), 'A task may narrow the project''s scope, not widen it.');
    end if;
  end loop;
end
$$;

-- Guards decide whether an event may happen now. They run under the stream's lock, before anything is recorded, and
-- are skipped when the read model is rebuilt.
create or replace function app.guard_task(
  task public.tasks,
  event public.events,
  expect jsonb,
  project public.projects,
  role text
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_expires timestamptz := app.lease_expires_at(task);
begin
  if project.archived_at is not null then
    perform app.refuse_archived(project);
  end if;
  -- A call with a lost token is refused at once, whatever its event; a live token extends the lease.
  if expect ->> 'lock_token' is not null then
    perform app.check_holder(task, event, expect, v_expires, role);
  end if;
  case
    when event.event_type = 'task.noted' then
      null;
    when event.event_type = 'task.created' then
      perform app.guard_new_task(task, event);
    when event.event_type = 'task.claimed' then
      perform app.check_move(task, event.event_type);
      perform app.guard_claim(task, event, project.rules, v_expires);
    -- A review completes what was submitted.
    when event.event_type = 'task.completed' and event.causation_id is not null then
      null;
    when event.event_type in ('task.released', 'task.submitted', 'task.completed', 'task.blocked', 'task.cancelled')
        or event.event_type = 'task.updated' and event.payload - '{priority,labels,rank}'::text[] <> '{}' then
      if event.causation_id is null and expect ->> 'lock_token' is null then
        perform app.check_holder(task, event, expect, v_expires, role);
      end if;
      perform app.check_move(task, event.event_type);
    when event.event_type in ('task.lock_broken', 'task.approved', 'task.unblocked', 'task.reopened') then
      perform app.check_authority(task, event, project.rules, role);
      perform app.check_move(task, event.event_type);
    when event.event_type = 'task.dependencies_changed' then
      perform app.check_dependencies(task, event);
    else
      perform app.check_move(task, event.event_type);
  end case;
  if event.payload ? 'evidence' then
    perform app.check_evidence(task, event.payload -> 'evidence');
  end if;
  if (project.rules ? 'gates' or task.reviewer is not null)
      and event.event_type in ('task.completed', 'task.cancelled', 'task.reopened') then
    perform app.check_gates(task, project.rules, case event.event_type
      when 'task.cancelled' then 'cancel' when 'task.reopened' then 'reopen' else 'complete' end, event);
  end if;
  if event.event_type = 'task.updated' and event.payload ? 'reviewer' and event.actor ->> 'agent' is not null then
    perform app.fail('forbidden', 'A person says who checks a task, once it is there.', null,
      format('Ask a person to run: cairn edit %s --reviewer NAME', task.ref));
  end if;
  if event.payload ? 'constraints' then
    perform app.check_constraints(event.payload -> 'constraints', project.rules);
  end if;
end
$$;

-- Refuses actions beyond holding a task: break another's lock, approve, go on after the last attempt.
create or replace function app.check_authority(task public.tasks, event public.events, rules jsonb, role text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'task.lock_broken' and app.role_rank(role) < 3 then
    perform app.fail('forbidden', 'Only an owner or admin of the workspace may break a lock.', null,
      'Ask one, or wait until the lock expires.');
  elsif event.event_type = 'task.approved' and event.actor ->> 'agent' is not null then
    perform app.fail('forbidden', 'An approval is given by a person, not by an agent.', null,
      format('Ask a person to run: cairn approve %s', task.ref));
  elsif event.event_type in ('task.unblocked', 'task.reopened') and event.actor ->> 'agent' is not null
      and task.attempts >= (rules ->> 'attempts_max')::integer then
    perform app.fail('forbidden',
      format('Task %s was given up %s, the most its project allows: a person decides whether it is tried again.',
        task.ref, app.times(task.attempts)),
      null, format('Ask a person to run: cairn unblock %s', task.ref));
  end if;
end
$$;

-- Completes an event before the guard judges it: ids for refs, the number, the previous lock.
create or replace function app.prepare_task(task public.tasks, event public.events, project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_payload jsonb := event.payload;
  v_key text;
  v_number integer;
begin
  if v_payload ?| '{dependencies,add,remove,parent,discovered_from,dependency}' then
    foreach v_key in array array['dependencies', 'add', 'remove'] loop
      if v_payload ? v_key then
        v_payload := jsonb_set(v_payload, array[v_key],
          coalesce((
            select jsonb_agg(distinct app.find_task_id(x, event.tenant_id))
            from jsonb_array_elements_text(v_payload -> v_key) x), '[]'));
      end if;
    end loop;
    foreach v_key in array array['parent', 'discovered_from', 'dependency'] loop
      if v_payload ->> v_key is not null then
        v_payload := jsonb_set(v_payload, array[v_key],
          to_jsonb(app.find_task_id(v_payload ->> v_key, event.tenant_id)));
      end if;
    end loop;
  end if;
  case event.event_type
    when 'task.noted' then v_payload := app.resolve_answer(event);
    when 'task.created' then
      select coalesce(max(t.number), 0) + 1 into v_number from public.tasks t
        where t.tenant_id = project.tenant_id and t.project_id = project.id;
      v_payload := v_payload - 'project'
        || jsonb_build_object('project_id', project.id, 'number', v_number, 'ref', project.slug || '-' || v_number);
    when 'task.claimed' then
      if task.status = 'in_progress' and app.lease_expires_at(task) <= event.created_at then
        v_payload := v_payload || '{"lapsed": true}';
      end if;
    when 'task.released' then
      v_payload := v_payload
        || jsonb_strip_nulls(jsonb_build_object(
          'lock_token', task.lock_token,
          'lapsed', case when event.causation_id is not null then true end,
          'exhausted', case when v_payload ->> 'outcome' = 'failed'
              and task.attempts + 1 >= (project.rules ->> 'attempts_max')::integer
            then true end));
    when 'task.submitted' then
      v_payload := v_payload || jsonb_strip_nulls(jsonb_build_object('lock_token', task.lock_token));
    when 'task.completed' then
      v_payload := v_payload || jsonb_strip_nulls(jsonb_build_object('lock_token', task.lock_token,
        'unproven', app.list_unproven(app.evolve_task(task, event))));
    else
  end case;
  return v_payload;
end
$$;

-- Refuses a parent of another project, and one that is the task itself or one of its parts: `lock_streams` lets one
-- move at a time come here. An existing cycle ends the walk. A new task, whose row is empty, has no parts yet.
create or replace function app.check_parent(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_parent public.tasks := app.find_task(event.payload ->> 'parent', event.tenant_id);
begin
  if v_parent.project_id <> event.project_id then
    perform app.fail('invalid_input', format('Task %s is of another project; it has no part here.', v_parent.ref),
      jsonb_build_object('field', 'parent'), 'Choose a parent of the same project, or name it as discovered_from.');
  end if;
  if exists (
      with recursive above as (
        select t.id, t.parent_id
        from public.tasks t
        where t.tenant_id = event.tenant_id and t.id = v_parent.id
        union
        select t.id, t.parent_id
        from above a
        join public.tasks t on t.tenant_id = task.tenant_id and t.id = a.parent_id)
      select from above a
      where a.id = task.id) then
    perform app.fail('dependency_cycle', format('Task %s would be a part of itself.', task.ref),
      jsonb_build_object('field', 'parent'), 'Choose another parent, or "" for none.');
  end if;
end
$$;

-- The allowed moves: an event of this type leads from one status to another.
select app.set_rows('app.task_moves', '[
  ["task.claimed", "pending", "in_progress"],
  ["task.claimed", "in_progress", "in_progress"],
  ["task.released", "in_progress", "pending"],
  ["task.lock_broken", "in_progress", "pending"],
  ["task.blocked", "pending", "blocked"],
  ["task.blocked", "in_progress", "blocked"],
  ["task.unblocked", "blocked", "pending"],
  ["task.submitted", "in_progress", "blocked"],
  ["task.returned", "blocked", "pending"],
  ["task.completed", "in_progress", "completed"],
  ["task.cancelled", "pending", "cancelled"],
  ["task.cancelled", "in_progress", "cancelled"],
  ["task.cancelled", "blocked", "cancelled"],
  ["task.reopened", "completed", "pending"],
  ["task.reopened", "cancelled", "pending"]]');
