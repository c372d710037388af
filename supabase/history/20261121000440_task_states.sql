-- The states of a task: what each event makes of it.

create function app.text_list(value jsonb)
  returns text[]
  language plpgsql
  immutable
as $$
begin
  if value is null then
    return '{}';
  end if;
  return array(select x from jsonb_array_elements_text(value) with ordinality e (x, at) order by at);
end
$$;

create function app.unlock_task(task public.tasks, status text)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task.status := status;
  task.locked_at := null;
  task.locked_by := null;
  task.locked_by_user := null;
  task.lock_token := null;
  task.blocked_reason := null;
  task.blocked_by := null;
  task.completed_at := null;
  return task;
end
$$;

-- What people write stands in the payload under the names of its columns, but for the parent.
create function app.evolve_task_text(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task := jsonb_populate_record(task, payload);
  if payload ? 'parent' then
    task.parent_id := (payload ->> 'parent')::uuid;
  end if;
  return task;
end
$$;

create function app.evolve_new_task(event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
declare
  v_task public.tasks;
begin
  v_task.tenant_id := event.tenant_id;
  v_task.id := app.stream_id(event.stream);
  v_task.project_id := event.project_id;
  v_task.user_id := event.user_id;
  v_task.created_by := app.by(event);
  v_task.created_at := event.created_at;
  v_task.status := 'pending';
  v_task.priority := 'medium';
  v_task.description := '';
  v_task.acceptance_criteria := '{}';
  v_task.constraints := '{}';
  v_task.dependencies := '{}';
  -- As the plan is made. Which are completed is no matter of this stream: see count_open_dependencies.
  v_task.open_dependencies := coalesce(jsonb_array_length(event.payload -> 'dependencies'), 0);
  v_task.attempts := 0;
  v_task.evidence := '[]';
  return app.evolve_task_text(v_task, event.payload);
end
$$;

-- Evolve turns an event into the next state. It never refuses and reads nothing else: the event has happened.
create function app.evolve_task(task public.tasks, event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'task.created' then task := app.evolve_new_task(event);
    when 'task.noted' then null;
    when 'task.claimed' then
      task.status := 'in_progress';
      task.locked_at := event.created_at;
      task.locked_by := app.by(event);
      task.locked_by_user := event.user_id;
      task.lock_token := event.version;
      task.warning := null;
      task.attempts := task.attempts + case when event.payload ? 'lapsed' then 1 else 0 end;
    when 'task.updated' then task := app.evolve_task_text(task, event.payload);
    when 'task.dependencies_changed' then task := app.evolve_dependencies(task, event.payload);
    when 'task.released' then
      task.last_outcome := event.payload ->> 'outcome';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := case when event.payload ? 'lapsed' then task.locked_by else app.by(event) end;
      task := app.unlock_task(task, case when event.payload ? 'exhausted' then 'blocked' else 'pending' end);
      task.attempts := task.attempts + case task.last_outcome when 'failed' then 1 else 0 end;
      if event.payload ? 'exhausted' then
        task.blocked_reason := format('It was given up %s times, the most its project allows; a person decides. Last reason: %s', task.attempts, task.last_reason);
      end if;
    when 'task.lock_broken' then
      task.last_outcome := 'lock_broken';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := task.locked_by;
      task := app.unlock_task(task, 'pending');
    when 'task.blocked' then
      task := app.unlock_task(task, 'blocked');
      task.blocked_reason := event.payload ->> 'reason';
      task.blocked_by := (event.payload ->> 'dependency')::uuid;
    when 'task.unblocked' then
      task := app.unlock_task(task, 'pending');
      task.attempts := 0;
    when 'task.completed' then
      task := app.unlock_task(task, 'completed');
      task.completed_at := event.created_at;
      task.summary := event.payload ->> 'summary';
      task.evidence := coalesce(event.payload -> 'evidence', '[]');
    when 'task.cancelled' then
      task := app.unlock_task(task, 'cancelled');
      task.last_outcome := 'cancelled';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.by(event);
    when 'task.reopened' then
      task := app.unlock_task(task, 'pending');
      task.last_outcome := 'reopened';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.by(event);
      task.approved_at := null;
    when 'task.warned' then task.warning := event.payload ->> 'reason';
    when 'task.approved' then task.approved_at := event.created_at;
    else
  end case;
  task.version := event.version;
  task.updated_at := event.created_at;
  return task;
end
$$;

-- Dropping the cancelled dependency that blocked a task decides the question: the task is free again.
create function app.evolve_dependencies(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
declare
  v_removed uuid[] := app.text_list(payload -> 'remove')::uuid[];
begin
  task.dependencies := array(
    select d from unnest(task.dependencies) with ordinality o (d, at) where d <> all (v_removed)
    union all
    select a from unnest(app.text_list(payload -> 'add')::uuid[]) a where a <> all (task.dependencies));
  if task.blocked_by = any (v_removed) then
    task := app.unlock_task(task, 'pending');
  end if;
  return task;
end
$$;
