-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.ask_again(review public.approvals, task public.tasks, event public.events)
 RETURNS jsonb[]
 LANGUAGE sql
 STABLE
AS $function$
  select array(
    select jsonb_build_object('stream', 'command:' || app.uuid_v7(), 'type', 'command.sent', 'data',
      jsonb_build_object('to', jsonb_build_array(a.id), 'task', task.id, 'content', left(
        format('Changes are asked for on %s, which you submitted: %s', task.ref, event.payload ->> 'note'), 16000)))
    from public.agents a
    where event.actor ->> 'agent' is null
      and a.tenant_id = event.tenant_id and lower(a.name) = lower(review.asked_by) and a.retired_at is null
      and app.takes_commands_of(a, event.user_id) and (a.project_id is null or a.project_id = event.project_id))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_reviewer(review public.approvals, event public.events)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_asked_of constant text := case when review.asked_of is null then 'a person'
    else app.quoted_name(review.asked_of) end;
begin
  if app.session_name(event.actor ->> 'agent') = app.session_name(review.asked_by) then
    perform app.fail('forbidden', 'Whoever did the work does not check it.', null,
      format('It waits for %s.', v_asked_of));
  elsif not app.may_review(event, review.asked_of) then
    perform app.fail('forbidden', format('"%s" is answered by %s%s.', left(review.title, 200), v_asked_of,
        case when review.asked_of is null then ', not by an agent' end), null,
      'Leave it to them. A person may name another: cairn edit REF --reviewer NAME.');
  elsif event.payload ->> 'decision' = 'denied' and app.clean_name(event.payload ->> 'note', 2000) is null then
    perform app.fail('invalid_input', 'Say what is to be changed: the next holder reads it.',
      jsonb_build_object('field', 'note'));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_reviews(event public.events)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_id uuid;
  v_task public.tasks;
  v_review public.approvals;
  v_completed jsonb;
begin
  if event.event_type not in ('task.submitted', 'task.approved', 'task.unblocked',
      'task.completed', 'task.cancelled', 'approval.decided') then
    return '{}';
  end if;
  if event.event_type = 'approval.decided' then
    select * into v_review from public.approvals a
      where a.tenant_id = event.tenant_id and a.id = app.stream_id(event.stream);
  else
    v_review := app.open_review(event.tenant_id, event.task_id);
    -- Most tasks are never reviewed.
    if v_review.id is null and event.event_type <> 'task.submitted' then
      return '{}';
    end if;
  end if;
  v_id := coalesce(event.task_id, v_review.task_id);
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = v_id;
  if event.event_type = 'task.submitted' then
    return array[jsonb_build_object('stream', 'approval:' || app.uuid_v7(), 'type', 'approval.requested',
      'data', jsonb_strip_nulls(jsonb_build_object('kind', 'task', 'task', v_task.id, 'asked_of', v_task.reviewer,
        'title', left(format('Is %s done? %s', v_task.ref, v_task.title), 500),
        'detail', case when v_task.summary is not null then jsonb_build_object('summary', left(v_task.summary, 4000))
          end)))];
  end if;
  v_completed := jsonb_build_object('stream', 'task:' || v_task.id, 'type', 'task.completed', 'data',
    jsonb_strip_nulls(jsonb_build_object('summary', v_task.summary, 'evidence', v_task.evidence)));
  if event.event_type = 'approval.decided' then
    return case
      when v_review.kind <> 'task' or event.causation_id is not null then '{}'
      when v_review.status = 'denied' then array[jsonb_build_object('stream', 'task:' || v_task.id,
        'type', 'task.returned', 'data', jsonb_build_object('reason', event.payload -> 'note'))]
        || app.ask_again(v_review, v_task, event)
      -- A gate asks for the approval of a person: only theirs is on the task.
      when event.actor ->> 'agent' is not null then array[v_completed]
      else array[jsonb_build_object('stream', 'task:' || v_task.id, 'type', 'task.approved', 'data',
        jsonb_strip_nulls(jsonb_build_object('note', event.payload -> 'note'))), v_completed] end;
  end if;
  return case
    when event.event_type = 'task.approved' then array[jsonb_build_object('stream', 'approval:' || v_review.id,
      'type', 'approval.decided', 'verb', true, 'data', '{"decision": "approved"}'::jsonb), v_completed]
    else array[jsonb_build_object('stream', 'approval:' || v_review.id, 'type', 'approval.withdrawn')] end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_member_name(tenant_id uuid, name text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select exists (
    select from public.memberships m
    join public.users u on u.id = m.user_id
    where m.tenant_id = is_member_name.tenant_id and lower(u.name) = lower(is_member_name.name))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.may_review(event public.events, asked_of text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when event.actor ->> 'agent' is not null then lower(asked_of) in
      (lower(event.actor ->> 'agent'), lower(split_part(event.actor ->> 'agent', '#', 1)))
      and not app.is_member_name(event.tenant_id, asked_of)
    else asked_of is null or lower(asked_of) = lower(app.actor_name(event)) or exists (
      select from public.users u
      left join public.memberships m on m.tenant_id = event.tenant_id and m.user_id = u.id
      where u.id = event.user_id and (lower(u.name) = lower(asked_of) or app.role_rank(m.role) >= 3)) end is true
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.open_review(tenant_id uuid, task_id uuid)
 RETURNS public.approvals
 LANGUAGE sql
 STABLE
AS $function$
  select a.* from public.approvals a
  where a.tenant_id = open_review.tenant_id and a.task_id = open_review.task_id and a.kind = 'task'
    and a.status = 'pending'
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.session_name(agent text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select lower(split_part(agent, '/', 1))
$function$;
-- owner cairn_owner
