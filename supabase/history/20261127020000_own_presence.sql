-- A presence is a user's: nobody's word reaches what another holds. A process is lost when its connection is, and its
-- silence too where the server was restarted; and one's own locks come before what others left.

alter table app.presence drop constraint presence_pkey;
alter table app.presence add primary key (tenant_id, user_id, process);

-- Whether that process of the user may be at work beside the caller's. One that nobody watches counts for a minute after
-- it spoke.
create function app.may_be_present(tenant_id uuid, user_id uuid, process uuid) returns boolean language sql stable
begin atomic
  select exists (select from app.presence p
    where p.tenant_id = may_be_present.tenant_id and p.user_id = may_be_present.user_id
      and p.process = may_be_present.process and p.ended_at is null
      and (p.watched or p.beat_at > app.now() - interval '1 minute'));
end;

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
    select jsonb_agg(app.task_brief(o.task) || case when (is_named or o.is_earlier) and o.is_live
        then jsonb_build_object('lock_token', (o.task).lock_token) else '{}' end order by (o.task).locked_at)
    from (
      select t.task, l.expires_at > app.now() as is_live, e.is_earlier
      from public.task_leases l
        cross join lateral (
          select x as task from public.tasks x
          where x.tenant_id = l.tenant_id and x.id = l.task_id and x.lock_token = l.lock_token
            and x.status = 'in_progress' and x.locked_by_user = actor.user_id
            and (x.locked_by = v_name or starts_with(x.locked_by, v_name || '/')) offset 0) t
        cross join lateral (
          select v_process is null or l.process is distinct from v_process
            and not app.may_be_present(l.tenant_id, actor.user_id, l.process) as is_earlier) e
      where l.tenant_id = project.tenant_id and l.project_id = project.id
        and ((t.task).locked_by = v_name or not is_named and e.is_earlier)
      order by (t.task).locked_at limit 10) o);
end
$$;

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
      renewed_by = case when l.renewed_by <> v_process and app.may_be_present(l.tenant_id, actor.user_id, l.renewed_by)
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

create or replace function public.adopt_locks(tasks jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_process uuid := app.current_process();
  v_name text := coalesce(v_actor.agent, v_actor.client, 'user');
  v_now timestamptz := app.now();
  v_adopted text[];
begin
  if v_process is null then
    perform app.fail('invalid_input', 'It is not said which process goes on with the locks.', null,
      'Name it: actor.process, a UUID.');
  elsif not coalesce(app.fits(tasks, 'ref[]', 100, null), false) then
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
        and l.process is distinct from v_process and not app.may_be_present(l.tenant_id, v_actor.user_id, l.process)
      returning t.ref)
  select array_agg(o.ref) into v_adopted from own o;
  return jsonb_build_object('adopted', to_jsonb(coalesce(v_adopted, '{}')));
end
$$;

drop function app.may_be_present(uuid, uuid);

-- Ends the watched processes whose connection is gone, and shortens what ended ones hold. After a restart of the server
-- all connections are gone: a process that lives says so again within a beat.
create or replace function app.end_lost_sessions(tenant_id uuid, at timestamptz)
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
      from (
        select x.user_id, x.process from app.presence x
        where x.tenant_id = end_lost_sessions.tenant_id and x.ended_at is null and x.watched and x.beat_at < at
          and (x.beat_at > pg_postmaster_start_time() or x.beat_at < at - interval '25 seconds')
          and app.presence_lock(x.tenant_id, x.process) <> all (v_locks)
        order by x.user_id, x.process for update skip locked) lost
      where p.tenant_id = end_lost_sessions.tenant_id and p.user_id = lost.user_id and p.process = lost.process;
  end if;
  update public.task_leases l
    set expires_at = least(l.expires_at, at + interval '2 minutes'), session_ended_at = ended.ended_at
    from (
      select x.task_id, p.ended_at from public.task_leases x
        join public.tasks t on t.tenant_id = x.tenant_id and t.id = x.task_id and t.lock_token = x.lock_token
        join app.presence p on p.tenant_id = x.tenant_id and p.user_id = t.locked_by_user and p.process = x.renewed_by
      where x.tenant_id = end_lost_sessions.tenant_id and p.ended_at is not null and x.session_ended_at is null
      order by x.task_id for update of x skip locked) ended
    where l.tenant_id = end_lost_sessions.tenant_id and l.task_id = ended.task_id;
end
$$;

-- report_presence(agents, watched, ended) -> {}: the actor's process is there, or has ended, and these agents of it
-- called something lately. It is operation, like all that a lease is, and no event.
create or replace function public.report_presence(agents jsonb default '[]', watched boolean default false,
    ended boolean default false, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_process uuid := app.current_process();
  v_ended boolean := coalesce(ended, false);
  v_watched boolean;
  v_is_new boolean;
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
    returning xmax = 0 into v_is_new;
  if not v_ended then
    perform app.renew_leases(v_actor, array(select jsonb_array_elements_text(agents)), v_now);
  end if;
  -- From here on it is not the caller who acts: a process that ended has ended in every project.
  perform set_config('app.project_id', '', true);
  perform app.end_lost_sessions(v_actor.tenant_id, v_now);
  if v_is_new then
    delete from app.presence p where p.tenant_id = v_actor.tenant_id and (p.beat_at < v_now - interval '7 days'
      or p.user_id = v_actor.user_id and p.process in (
        select k.process from app.presence k where k.tenant_id = v_actor.tenant_id and k.user_id = v_actor.user_id
        order by k.beat_at desc offset 100));
  end if;
  return '{}';
end
$$;

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
  elsif task.status = 'in_progress' and event.actor ->> 'agent' is null and app.role_rank(role) >= 3 then
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
      'ttl_seconds', ttl_seconds, 'take_over', nullif(v_takes_over, false))))), v_actor);
  return app.remember(v_actor, command, app.claim_briefing(v_result -> 'events' -> -1, v_project));
end
$$;

create or replace function app.evidence_wanted(task public.tasks, rules jsonb, event public.events)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rank integer := (
    select max(app.tier_rank(g -> 'require' ->> 'evidence')) from jsonb_array_elements(rules -> 'gates') g
    where g ->> 'on' = 'complete' and g -> 'require' ? 'evidence'
      and app.meets(g -> 'when', event.payload, task.priority)
      and app.missing_evidence(task, g -> 'require' ->> 'evidence', event.payload -> 'evidence') <> '{}');
  v_most integer := least(cardinality(task.acceptance_criteria), 10);
begin
  if v_rank is null then
    return null;
  end if;
  return (
    select '[' || string_agg(format('{"criterion": %s, %s}', c.at,
      case v_rank when 1 then '"note": ""' else '"artifact": "id from add_artifact"' end), ', ' order by c.at)
      || case when v_most < cardinality(task.acceptance_criteria) then ', and so on' else '' end || ']'
    from generate_series(1, v_most) c (at));
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
    perform app.fail('gate_unmet', format('Task %s cannot %s yet. Missing: %s.', task.ref, move, array_to_string(v_missing, '; ')),
      jsonb_build_object('missing', v_missing), 'Provide what is missing, then repeat the call'
        || coalesce(' with all of the evidence, each note saying what shows it (a command and what it printed, a test, a '
          || 'diff): evidence: ' || case move when 'complete' then app.evidence_wanted(task, rules, event) end, '') || '.');
  end if;
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
    if jsonb_typeof(v_item) <> 'object' or not app.fits(coalesce(v_item -> 'criterion', 'null'), 'integer', cardinality(task.acceptance_criteria), null)
        or v_item -> 'criterion' = '0' or v_item - '{criterion,note,artifact}'::text[] <> '{}' then
      perform app.fail('invalid_input', format('Evidence names a criterion from 1 to %s of task %s, with a note or an artifact.', cardinality(task.acceptance_criteria), task.ref),
        jsonb_build_object('field', 'evidence'), 'get_task shows the criteria in order.');
    end if;
    if not (coalesce(v_item ->> 'note', '') ~ '\S' or v_item ? 'artifact') or v_item ? 'note' and not app.fits(v_item -> 'note', 'text', 4000, null) then
      perform app.fail('invalid_input', format('The evidence for criterion %s needs a note of at most 4000 characters or an artifact id.', v_item ->> 'criterion'),
        jsonb_build_object('field', 'evidence'),
        'Say in the note what shows it: a command and what it printed, a test, a diff.');
    end if;
    if v_item ? 'artifact' then
      perform from public.artifacts a where a.tenant_id = task.tenant_id and a.task_id = task.id and a.id = app.as_uuid(v_item ->> 'artifact');
      if not found then
        perform app.fail('not_found', format('Task %s has no artifact %s.', task.ref, left(v_item ->> 'artifact', 80)), null, 'add_artifact returns the id to name here.');
      end if;
    end if;
  end loop;
end
$$;

create or replace function app.search_snippet(content text, query text, words tsquery, any_word tsquery)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := coalesce(content, '');
  v_words tsvector;
  v_at integer;
  v_from integer := 1;
  v_to integer := length(coalesce(content, ''));
begin
  -- Where it is at all, by large pieces first.
  for v_place in 1 .. length(v_text) by 3700 loop
    v_from := v_place;
    v_to := v_place + 4000;
    exit when to_tsvector('pg_catalog.russian', app.search_text(substr(v_text, v_place, 4000))) @@ words;
    v_from := 1;
    v_to := length(v_text);
  end loop;
  for v_place in v_from .. least(v_to, length(v_text)) by 200 loop
    v_words := to_tsvector('pg_catalog.russian', app.search_text(substr(v_text, v_place, 300)));
    if v_words @@ any_word then
      v_at := coalesce(v_at, v_place);
      if v_words @@ words then
        v_at := v_place;
        exit;
      end if;
    end if;
  end loop;
  -- A little before, so that the first word is whole.
  v_text := case
    when v_at > 100 then regexp_replace(substr(v_text, v_at - 100, 500), '^\S{0,100}\s', '')
    else left(v_text, 500)
  end;
  return app.mark_words(v_text, any_word, array(select m[1] from regexp_matches(query,
    '([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u3007\u3041-\ufaff\U00020000-\U000323af]+)',
    'g') m));
end
$$;

select app.secure_functions();
