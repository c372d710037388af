-- What follows from an event in the same transaction: dependency policy, and the triggers of a project's rules.

-- Messages that triggers enqueue, for whoever works them off.
create table public.messages (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null references public.users,
  topic text not null,
  payload jsonb not null,
  version bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects
);
create index idx_messages_topic on public.messages (tenant_id, topic, created_at);

select app.declare_event('message.enqueued', 'project!:ref:80', 'topic!:line:100', 'payload!:object:65536');
update app.event_types set internal = true where event_type = 'message.enqueued';

create function app.evolve_message(message public.messages, event public.events)
  returns public.messages
  language plpgsql
  immutable
as $$
begin
  message.tenant_id := event.tenant_id;
  message.id := app.stream_id(event.stream);
  message.project_id := event.project_id;
  message.user_id := event.user_id;
  message.topic := event.payload ->> 'topic';
  message.payload := event.payload -> 'payload';
  message.version := event.version;
  message.created_at := event.created_at;
  return message;
end
$$;

create function app.apply_message(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = ''
as $$
declare
  v_message public.messages;
begin
  event.project_id := (app.find_project(event.payload ->> 'project', actor)).id;
  event.payload := event.payload - 'project';
  event.version := 1;
  v_message := app.evolve_message(v_message, event);
  insert into public.messages select v_message.*;
  return (event, to_jsonb(v_message), null)::app.applied;
end
$$;

-- A cancelled task blocks the dependents that wait for it, a reopened one frees those it had blocked; dependents in progress
-- are warned of either. A superseded decision is marked.
create function app.follow_policy(event public.events)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_ref text;
begin
  if event.event_type = 'decision.recorded' and event.payload ? 'supersedes' then
    return jsonb_build_array(jsonb_build_object('stream', 'decision:' || (event.payload ->> 'supersedes'), 'type', 'decision.superseded',
      'data', jsonb_build_object('by', app.stream_id(event.stream))));
  elsif event.event_type not in ('task.cancelled', 'task.reopened') then
    return '[]';
  end if;
  v_ref := (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id);
  return (select coalesce(jsonb_agg(jsonb_build_object('stream', 'task:' || d.id, 'type', case
        when d.status = 'blocked' then 'task.unblocked' when d.status = 'pending' then 'task.blocked' else 'task.warned' end,
      'data', case when d.status = 'blocked' then jsonb_build_object('reason', format('Its dependency %s was reopened.', v_ref))
        else jsonb_build_object('dependency', event.task_id, 'reason', left(format('Its dependency %s was %s: %s', v_ref, split_part(event.event_type, '.', 2), event.payload ->> 'reason'), 4000)) end)
      order by d.id), '[]')
    from app.task_dependencies e join public.tasks d on d.tenant_id = e.tenant_id and d.id = e.task_id
    where e.tenant_id = event.tenant_id and e.depends_on = event.task_id
      and (d.status = 'in_progress'
        or event.event_type = 'task.cancelled' and d.status = 'pending'
        or event.event_type = 'task.reopened' and d.blocked_by = event.task_id));
end
$$;

create function app.fill_template(template text, task public.tasks) returns text language sql immutable as $$
  select left(replace(replace(template, '{ref}', coalesce(task.ref, '')), '{title}', coalesce(task.title, '')), 300)
$$;

-- The event that a trigger's action makes of the event that set it off.
create function app.follow_action(action jsonb, event public.events, task public.tasks)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_body jsonb := action -> (select k from jsonb_object_keys(action) k limit 1);
begin
  return case
    when action ? 'create_task' then jsonb_build_object('stream', 'task:' || app.uuid_v7(), 'type', 'task.created',
      'data', v_body - 'depends_on_source' || jsonb_build_object('project', event.project_id, 'title', app.fill_template(v_body ->> 'title', task))
        || case when task.id is null then '{}' when coalesce((v_body ->> 'depends_on_source')::boolean, false)
          then jsonb_build_object('dependencies', jsonb_build_array(task.id), 'discovered_from', task.id)
          else jsonb_build_object('discovered_from', task.id) end)
    when action ? 'set_status' then case when coalesce(case v_body ->> 'task' when 'parent' then task.parent_id else task.id end) is not null then
      jsonb_build_object('stream', 'task:' || case v_body ->> 'task' when 'parent' then task.parent_id else task.id end, 'type', 'task.' || (v_body ->> 'status'),
        'data', jsonb_build_object('reason', coalesce(v_body ->> 'reason', format('A rule of the project, on %s.', event.event_type)))) end
    when action ? 'save_checkpoint' then jsonb_build_object('stream', 'checkpoint:' || app.uuid_v7(), 'type', 'checkpoint.saved',
      'data', jsonb_build_object('project', event.project_id, 'label', v_body ->> 'label', 'summary', format('Saved by a rule of the project, on %s.', app.event_text(event))))
    else jsonb_build_object('stream', 'message:' || app.uuid_v7(), 'type', 'message.enqueued',
      'data', jsonb_build_object('project', event.project_id, 'topic', v_body ->> 'topic',
        'payload', jsonb_strip_nulls(jsonb_build_object('event_id', event.id, 'event_type', event.event_type, 'task', task.ref, 'data', event.payload)))) end;
end
$$;

-- What follows from an event: [{stream, type, data, trigger?}]. Triggers see no more than three events in a row.
create function app.follow_ups(event public.events, triggers jsonb, depth integer)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_follow jsonb := app.follow_policy(event);
  v_task public.tasks;
  v_trigger jsonb;
begin
  if triggers is null or depth >= 3 then
    return v_follow;
  end if;
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id;
  for v_trigger in select t from jsonb_array_elements(triggers) t
      where t ->> 'on' = event.event_type and app.meets(t -> 'when', event.payload, v_task.priority) loop
    v_follow := v_follow || coalesce(app.follow_action(v_trigger -> 'do', event, v_task) || '{"trigger": true}', '[]');
  end loop;
  return v_follow;
end
$$;
