-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.concerned_tasks(event public.events)
 RETURNS SETOF public.tasks
 LANGUAGE sql
 STABLE
AS $function$
  select d.* from app.tasks_with(event.tenant_id, array(select app.dependents_of(event.tenant_id, event.task_id))) d
  where d.status = 'in_progress'
    or event.event_type = 'task.cancelled' and d.status = 'pending'
    or event.event_type = 'task.reopened' and d.blocked_by = event.task_id
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_message(message public.messages, event public.events)
 RETURNS public.messages
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fill_template(template text, task public.tasks)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select left(replace(replace(template, '{ref}', coalesce(task.ref, '')), '{title}', coalesce(task.title, '')), 300)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_action(action jsonb, event public.events, task public.tasks)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_body jsonb := action -> (select k from jsonb_object_keys(action) k limit 1);
  v_target uuid := case when v_body ->> 'task' = 'parent' then (
      select p.id from public.tasks p
      where p.tenant_id = task.tenant_id and p.id = task.parent_id and p.project_id = event.project_id)
    else task.id end;
begin
  return case
    when action ? 'create_task' then jsonb_build_object('stream', 'task:' || app.uuid_v7(), 'type', 'task.created',
      'data', v_body - 'depends_on_source'
        || jsonb_build_object('project', event.project_id, 'title', app.fill_template(v_body ->> 'title', task))
        || case when task.id is null then '{}' when coalesce((v_body ->> 'depends_on_source')::boolean, false)
          then jsonb_build_object('dependencies', jsonb_build_array(task.id), 'discovered_from', task.id)
          else jsonb_build_object('discovered_from', task.id) end)
    when action ? 'set_status' then case when v_target is not null then jsonb_build_object(
      'stream', 'task:' || v_target, 'type', 'task.' || (v_body ->> 'status'),
      'data', jsonb_build_object('reason',
        coalesce(nullif(v_body ->> 'reason', ''), format('A rule of the project, on %s.', event.event_type)))) end
    when action ? 'save_checkpoint' then jsonb_build_object(
      'stream', 'checkpoint:' || app.uuid_v7(), 'type', 'checkpoint.saved',
      'data', jsonb_build_object('project', event.project_id, 'label', v_body ->> 'label',
        'summary', format('Saved by a rule of the project, on %s.', app.event_text(event))))
    else jsonb_build_object('stream', 'message:' || app.uuid_v7(), 'type', 'message.enqueued',
      'data', jsonb_build_object('project', event.project_id, 'topic', v_body ->> 'topic',
        'payload', jsonb_strip_nulls(jsonb_build_object('event_id', event.id, 'event_type', event.event_type,
          'task', task.ref, 'data', event.payload)))) end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_alerts(event public.events)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_key text := 'task_given_up:' || event.task_id;
  v_ref text;
begin
  if event.event_type in ('run.silent', 'run.finished') then
    return array_remove(array[app.request_alert(event.tenant_id, 'run_silent:' || app.stream_id(event.stream),
      app.silent_alert(event))], null);
  elsif event.event_type in ('task.unblocked', 'task.cancelled') then
    return array_remove(array[app.request_alert(event.tenant_id, v_key)], null);
  elsif event.event_type <> 'task.released' or not event.payload ? 'exhausted' then
    return '{}';
  end if;
  v_ref := (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id);
  return array_remove(array[app.request_alert(event.tenant_id, v_key, jsonb_build_object(
    'kind', 'task_given_up',
    'severity', 'high',
    'title', format('Task %s was given up as often as its project allows.', v_ref),
    'details', jsonb_build_object('task', v_ref, 'reason', event.payload -> 'reason'),
    'project', event.project_id))], null);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_policy(event public.events)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_ref text;
  v_reason text;
begin
  if event.event_type = 'decision.recorded' and event.payload ? 'supersedes' then
    return array[jsonb_build_object(
      'stream', 'decision:' || (event.payload ->> 'supersedes'),
      'type', 'decision.superseded',
      'data', jsonb_build_object('by', app.stream_id(event.stream)))];
  elsif event.event_type not in ('task.cancelled', 'task.reopened') then
    return '{}';
  end if;
  v_ref := (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id);
  v_reason := left(format('Its dependency %s was %s: %s',
    v_ref, split_part(event.event_type, '.', 2), event.payload ->> 'reason'), 4000);
  return array(
    select jsonb_build_object('stream', 'task:' || d.id, 'type', case d.status
        when 'blocked' then 'task.unblocked' when 'pending' then 'task.blocked' else 'task.warned' end,
      'data', case d.status
        when 'blocked' then jsonb_build_object('reason', format('Its dependency %s was reopened.', v_ref))
        else jsonb_build_object('dependency', event.task_id, 'reason', v_reason) end)
    from app.concerned_tasks(event) d order by d.id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_ups(event public.events, triggers jsonb, depth integer)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_follow jsonb[] := app.follow_policy(event) || app.follow_alerts(event) || app.follow_commands(event)
    || app.follow_runs(event) || app.follow_approvals(event) || app.follow_reviews(event)
    || app.follow_memory(event);
  v_task public.tasks;
  v_trigger jsonb;
  v_action jsonb;
begin
  if triggers is null or depth >= 3 then
    return v_follow;
  end if;
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id;
  for v_trigger in select t from jsonb_array_elements(triggers) t
      where t ->> 'on' = event.event_type and app.match_condition(t -> 'when', event.payload, v_task.priority) loop
    v_action := app.follow_action(v_trigger -> 'do', event, v_task);
    if v_action is not null then
      v_follow := v_follow || (v_action || '{"trigger": true}');
    end if;
  end loop;
  return v_follow;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_settled(request jsonb, tenant_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if request ? 'trigger' or request ->> 'stream' not like 'task:%' then
    return false;
  end if;
  return not exists (select from public.tasks t
    where t.tenant_id = is_settled.tenant_id and t.id = app.stream_id(request ->> 'stream')
      and t.status = case request ->> 'type'
        when 'task.blocked' then 'pending' when 'task.warned' then 'in_progress'
        when 'task.released' then 'in_progress' else 'blocked' end);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.silent_alert(event public.events)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object(
    'kind', 'run_silent',
    'severity', 'medium',
    'title', format('%s gives no sign of work.', r.agent_name),
    'details', jsonb_build_object('run', r.id, 'seconds', event.payload -> 'seconds'),
    'project', r.project_id)
  from public.agent_runs r
  where event.event_type = 'run.silent' and r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.triggered_max()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$ select 200 $function$;
-- owner cairn_owner
