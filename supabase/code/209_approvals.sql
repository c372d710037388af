-- Approvals: what an agent asks a person before it goes on. Nobody's answer in time is a no.

-- How an approval is now: whoever looks sees at once that its time is over.
create or replace function app.approval_state(approval public.approvals, at timestamptz)
  returns text
  language sql
  immutable
as $$
  select case when approval.status = 'pending' and approval.expires_at <= at then 'expired' else approval.status end
$$;

-- What an agent asks while it has one run is asked for that.
create or replace function app.prepare_approval(event public.events, actor app.actor)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run uuid;
begin
  if event.event_type = 'approval.requested' and event.causation_id is null and not event.payload ? 'run'
      and actor.agent is not null then
    v_run := (app.own_active_run(actor)).id;
  end if;
  return event.payload || jsonb_strip_nulls(jsonb_build_object('run', v_run));
end
$$;

create or replace function app.guard_approval(approval public.approvals, event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_state constant text := app.approval_state(approval, event.created_at);
begin
  if event.event_type = 'approval.requested' then
    if event.causation_id is null and event.payload ->> 'kind' = 'task' then
      perform app.fail('invalid_input', 'A review is asked for by submitting the task.',
        jsonb_build_object('field', 'kind'), 'The task''s holder submits it by completing it.');
    elsif event.payload ->> 'kind' <> 'task' and not event.payload ? 'ttl_seconds' then
      perform app.fail('invalid_input', 'ttl_seconds is missing: nobody''s answer by then is a no.',
        jsonb_build_object('field', 'ttl_seconds'));
    elsif event.payload ? 'run' and not exists (
        select from public.agent_runs r
        join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
        where r.tenant_id = event.tenant_id and r.id = app.as_uuid(event.payload ->> 'run')
          and a.user_id = event.user_id) then
      perform app.fail('not_found', 'A question is asked for a run of an agent of yours, or for none.', null,
        'list_runs shows the ids.');
    elsif (
        select count(*)
        from (
          select from public.approvals a
          where a.tenant_id = event.tenant_id and a.status = 'pending' and a.expires_at > event.created_at
          limit 500) p) = 500 then
      perform app.fail('rate_limited', '500 questions of agents wait for a person in this workspace.', null,
        'Wait until some are answered: `cairn approvals` lists them.');
    end if;
  elsif v_state <> (case event.event_type when 'approval.expired' then 'expired' else 'pending' end) then
    perform app.fail('illegal_transition', case v_state
      when 'pending' then format('"%s" still waits for an answer.', left(approval.title, 200))
      when 'expired' then format('"%s" was not answered in time.', left(approval.title, 200))
      when 'withdrawn' then format('"%s" is not asked any more.', left(approval.title, 200))
      else format('"%s" was %s by %s.', left(approval.title, 200), v_state, approval.decided_by) end, null,
      'list_approvals shows what waits for a person.');
  elsif event.event_type = 'approval.decided' and approval.kind = 'task' then
    perform app.check_reviewer(approval, event);
  elsif event.event_type = 'approval.decided' then
    perform app.refuse_agent(actor, 'An answer is given', 'cairn approvals');
    perform app.check_owner(approval.user_id, actor, format('The question "%s"', left(approval.title, 200)));
    if approval.kind = 'question' and event.payload ->> 'decision' = 'approved' and not event.payload ? 'answer' then
      perform app.fail('invalid_input', format('"%s" is a question: it takes an answer.', left(approval.title, 200)),
        jsonb_build_object('field', 'answer'), coalesce('One of: ' || array_to_string(approval.options, ', ') || '.',
          'Answer it in words.'));
    end if;
  elsif event.event_type = 'approval.withdrawn' and event.causation_id is null then
    perform app.check_owner(approval.user_id, actor, format('The question "%s"', left(approval.title, 200)));
  end if;
end
$$;

create or replace function app.evolve_approval(approval public.approvals, event public.events)
  returns public.approvals
  language plpgsql
  immutable
as $$
begin
  if event.event_type = 'approval.requested' then
    approval := jsonb_populate_record(approval, app.begin_row(event) || '{"status": "pending"}');
    approval.run_id := app.as_uuid(event.payload ->> 'run');
    approval.asked_by := app.actor_name(event);
    approval.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
  else
    approval.status := coalesce(event.payload ->> 'decision', split_part(event.event_type, '.', 2));
    approval.answer := event.payload ->> 'answer';
    approval.note := event.payload ->> 'note';
    approval.decided_by := app.actor_name(event);
    approval.decided_at := event.created_at;
  end if;
  approval.updated_at := event.created_at;
  approval.version := event.version;
  return approval;
end
$$;

create or replace function app.approval_full(approval public.approvals)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_state constant text := app.approval_state(approval, app.now());
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', approval.id,
    'kind', approval.kind,
    'title', approval.title,
    'options', to_jsonb(approval.options),
    'state', v_state,
    'asked_by', approval.asked_by,
    'asked_of', approval.asked_of,
    'project', (select p.slug from public.projects p
      where p.tenant_id = approval.tenant_id and p.id = approval.project_id),
    'task', (select t.ref from public.tasks t where t.tenant_id = approval.tenant_id and t.id = approval.task_id),
    'run', approval.run_id,
    'command', (select r.command_id from public.agent_runs r
      where r.tenant_id = approval.tenant_id and r.id = approval.run_id),
    'expires_at', approval.expires_at,
    'decided_by', case when v_state in ('approved', 'denied') then approval.decided_by end,
    'decided_at', approval.decided_at,
    'answer', approval.answer,
    'note', approval.note,
    'created_at', approval.created_at))
    -- What an agent shows may have nulls of its own.
    || case when approval.detail is null then '{}' else jsonb_build_object('detail', approval.detail) end;
end
$$;

-- Lists what follows from an event for approvals and the runs that wait for them: a run that asks opens one, its answer
-- lets the run go on, also one that is there when it is asked again; what the end of a run, or one that goes on by
-- itself, leaves open is not asked any more.
create or replace function app.follow_approvals(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ask constant jsonb := event.payload -> 'ask';
begin
  if event.event_type = 'run.waiting' and v_ask is not null and not exists (
      select from public.approvals a
      where a.tenant_id = event.tenant_id and a.id = app.as_uuid(v_ask ->> 'id')) then
    return array[jsonb_build_object('stream', concat('approval:', v_ask ->> 'id'), 'type', 'approval.requested',
      'data', jsonb_strip_nulls(jsonb_build_object('kind', v_ask -> 'kind', 'title', v_ask -> 'title',
        'options', v_ask -> 'options', 'ttl_seconds', v_ask -> 'ttl_seconds', 'run', app.stream_id(event.stream),
        'project', event.project_id, 'task', event.task_id))
        -- What an agent shows may have nulls of its own.
        || case when v_ask ? 'detail' then jsonb_build_object('detail', v_ask -> 'detail') else '{}' end)];
  elsif event.event_type in ('run.finished', 'run.requeued')
      or event.event_type = 'run.resumed' and event.causation_id is null then
    return array(
      select jsonb_build_object('stream', 'approval:' || a.id, 'type', case
        when a.expires_at <= event.created_at then 'approval.expired' else 'approval.withdrawn' end, 'verb', true)
      from public.approvals a
      where a.tenant_id = event.tenant_id and a.run_id = app.stream_id(event.stream) and a.status = 'pending'
      order by a.id);
  elsif event.event_type in ('approval.decided', 'approval.expired', 'approval.withdrawn')
      -- A runner asks again what it does not know to be taken: the answer may be there already.
      or event.event_type = 'run.waiting' and v_ask is not null then
    return array(
      select jsonb_build_object('stream', 'run:' || r.id, 'type', 'run.resumed', 'verb', true)
      from public.approvals a
      join public.agent_runs r on r.tenant_id = a.tenant_id and r.id = a.run_id
      where a.tenant_id = event.tenant_id
        and a.id = coalesce(app.as_uuid(v_ask ->> 'id'), app.stream_id(event.stream))
        and r.status in ('waiting_input', 'waiting_approval')
        and not exists (
          select from public.approvals o
          where o.tenant_id = a.tenant_id and o.run_id = a.run_id and o.status = 'pending'));
  end if;
  return '{}';
end
$$;

-- Finds an approval by its id, or as the review of a task by the task's ref or id. Raises not_found.
create or replace function app.find_approval(ref text, actor app.actor)
  returns public.approvals
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := app.as_uuid(ref);
  v_approval public.approvals;
begin
  if v_id is null and ref ~ '-[0-9]{1,9}$' then
    v_approval := app.open_review(actor.tenant_id, app.find_task_id(ref, actor.tenant_id));
  else
    select * into v_approval from public.approvals a where a.tenant_id = actor.tenant_id and a.id = v_id;
    if not found then
      v_approval := app.open_review(actor.tenant_id, v_id);
    end if;
  end if;
  if v_approval.id is null then
    perform app.fail('not_found', case when v_id is null then format('%s waits for no review.', left(ref, 80))
      else format('There is no question %s in this workspace.', left(ref, 80)) end, null,
      'list_approvals shows what waits, with ids.');
  end if;
  return v_approval;
end
$$;

-- The same, locked behind its run or the task that is reviewed, as everywhere.
create or replace function app.lock_approval(ref text, actor app.actor)
  returns public.approvals
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_approval public.approvals := app.find_approval(ref, actor);
begin
  perform from public.agent_runs r
    where r.tenant_id = v_approval.tenant_id and r.id = v_approval.run_id for no key update;
  if v_approval.kind = 'task' then
    perform from public.tasks t
      where t.tenant_id = v_approval.tenant_id and t.id = v_approval.task_id for no key update;
  end if;
  select * into v_approval from public.approvals a
    where a.tenant_id = v_approval.tenant_id and a.id = v_approval.id for no key update;
  return v_approval;
end
$$;

-- decide_approval(approval, decision approved|denied, answer?, note?) -> the approval: a person's answer to an agent.
-- The same answer again changes nothing. Raises not_found, forbidden, illegal_transition.
create or replace function public.decide_approval(
  approval text,
  decision text,
  answer text default null,
  note text default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_approval public.approvals := app.lock_approval(approval, v_actor);
begin
  if v_approval.status = decision and v_approval.answer is not distinct from answer
      and v_approval.decided_by = app.actor_name(v_actor) then
    return app.approval_full(v_approval);
  end if;
  return app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'approval:' || v_approval.id,
    'type', 'approval.decided', 'verb', true, 'data',
    jsonb_strip_nulls(jsonb_build_object('decision', decision, 'answer', answer, 'note', note)))), v_actor)
    -> 'events' -> 0 -> 'state';
end
$$;

-- Records, for runs of an agent or all, what was not answered in time: at most 200.
create or replace function app.expire_approvals(actor app.actor, runs uuid[], at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_late uuid[] := array(
    select a.id from public.approvals a
    where a.tenant_id = actor.tenant_id and a.status = 'pending' and a.expires_at <= at
      and (runs is null or a.run_id = any (runs))
    order by a.expires_at, a.id limit 200);
begin
  if v_late = '{}' then
    return;
  end if;
  perform from public.agent_runs r
    where r.tenant_id = actor.tenant_id and r.id in (
      select a.run_id from public.approvals a where a.tenant_id = actor.tenant_id and a.id = any (v_late))
    order by r.id for no key update;
  v_late := array(
    select a.id from public.approvals a
    left join public.projects p on p.tenant_id = a.tenant_id and p.id = a.project_id
    where a.tenant_id = actor.tenant_id and a.id = any (v_late) and a.status = 'pending' and p.archived_at is null
    order by a.id for no key update of a);
  if v_late <> '{}' then
    perform app.append_checked((
      select jsonb_agg(jsonb_build_object('stream', 'approval:' || l, 'type', 'approval.expired', 'verb', true))
      from unnest(v_late) l), actor);
  end if;
end
$$;

-- What became of the questions that a runner says are open of its run; those that wait are left out.
create or replace function app.answers_to(run public.agent_runs, asks jsonb, at timestamptz)
  returns jsonb
  language sql
  stable
as $$
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('ask', a.id, 'decision', app.approval_state(a, at),
    'answer', a.answer, 'note', a.note, 'by', case when a.status in ('approved', 'denied') then a.decided_by end)))
  from public.approvals a
  where a.tenant_id = run.tenant_id and a.run_id = run.id
    and a.id in (select app.as_uuid(x) from jsonb_array_elements_text(asks) x)
    and app.approval_state(a, at) <> 'pending'
$$;

-- get_approval(approval) -> the approval. Raises not_found.
create or replace function public.get_approval(approval text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return app.approval_full(app.find_approval(approval, v_actor));
end
$$;

-- list_approvals(project?, include_decided, cursor?, page_size) -> {approvals, next_cursor?}, the latest first: those
-- that wait for a person, or all. Nobody can answer in an archived project.
create or replace function public.list_approvals(
  project text default null,
  include_decided boolean default false,
  cursor text default null,
  page_size integer default 20,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'approvals', v_project, include_decided);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_now timestamptz := app.now();
  v_found jsonb[];
begin
  if include_decided then
    v_found := array(
      select app.approval_full(a)
      from public.approvals a
      where a.tenant_id = v_actor.tenant_id
        and (v_project is null or a.project_id = v_project)
        and (v_after is null or (a.created_at, a.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by a.created_at desc, a.id desc limit v_size + 1);
  else
    v_found := array(
      select app.approval_full(a)
      from public.approvals a
      left join public.projects p on p.tenant_id = a.tenant_id and p.id = a.project_id
      where a.tenant_id = v_actor.tenant_id and a.status = 'pending' and (a.expires_at <= v_now) is not true
        and p.archived_at is null
        and (v_project is null or a.project_id = v_project)
        and (v_after is null or (a.created_at, a.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by a.created_at desc, a.id desc limit v_size + 1);
  end if;
  return app.build_page('approvals', v_found, v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('approval', 'approvals', searched => false, triggering => false);
