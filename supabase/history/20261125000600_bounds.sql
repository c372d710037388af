-- Limits that hold whatever a caller leaves out or nests: null is no number, objects are looked into.

-- Tells whether all texts and keys of a value are clean, and none of it is deeper than 32 levels. In the text of jsonb
-- a control character is an escape, and a backslash is two.
create function app.is_clean_json(value jsonb) returns boolean language sql immutable
  return app.is_clean(value::text)
    and replace(value::text, '\\', '') !~ '\\([bfr]|u00)'
    and not jsonb_path_exists(value, 'strict $.**{32} ? (@.type() == "object" || @.type() == "array")');

create or replace function app.fits(value jsonb, kind text, size_max integer, one_of text[])
  returns boolean
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text := jsonb_typeof(value);
  v_text text := case when v_type in ('string', 'number') then value #>> '{}' end;
begin
  case kind
    when 'text' then return v_type = 'string' and char_length(v_text) <= size_max and app.is_clean(v_text);
    when 'line' then
      return v_type = 'string' and char_length(v_text) <= size_max
        and v_text ~ '\S' and v_text !~ '[\n\t]' and app.is_clean(v_text);
    when 'one_of' then return v_type = 'string' and v_text = any (one_of);
    when 'ref' then return v_type = 'string' and char_length(v_text) between 1 and size_max;
    when 'integer' then return v_type = 'number' and v_text ~ '^[0-9]{1,9}$' and v_text::integer <= size_max;
    when 'boolean' then return v_type = 'boolean';
    when 'object', 'array' then
      return v_type = kind and octet_length(value::text) <= size_max and app.is_clean_json(value);
    else
      return v_type = 'array' and jsonb_array_length(value) <= size_max and not exists (
        select from jsonb_array_elements(value) item
        where jsonb_typeof(item) <> 'string'
          or item #>> '{}' !~ '\S'
          or char_length(item #>> '{}') > case kind when 'ref[]' then 80 else 1000 end
          or not app.is_clean(item #>> '{}'));
  end case;
end
$$;

create or replace function app.page_size(asked integer, most integer)
  returns integer
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if (asked between 1 and most) is not true then
    perform app.fail('invalid_input',
      format('page_size is %s; allowed is 1 to %s.', coalesce(asked::text, 'null'), most),
      jsonb_build_object('field', 'page_size'));
  end if;
  return asked;
end
$$;

-- Refuses any other number of a caller in the same way.
create function app.check_number(field text, given bigint, from_number bigint, most bigint)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if (given between from_number and most) is not true then
    perform app.fail('invalid_input',
      format('%s is %s; allowed is %s to %s.', field, coalesce(given::text, 'null'), from_number, most),
      jsonb_build_object('field', field));
  end if;
end
$$;

-- Finds the answer of an earlier, equal command with this key, or null. The advisory lock makes a repeat wait for the
-- first.
create or replace function app.recall(actor app.actor, command jsonb)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key app.idempotency_keys;
  v_name text;
  v_lock bigint;
begin
  if command ->> 'key' is null then
    return null;
  end if;
  if char_length(command ->> 'key') not between 1 and 200 then
    perform app.fail('invalid_input', 'idempotency_key has 1 to 200 characters.',
      jsonb_build_object('field', 'idempotency_key'));
  end if;
  if char_length(command ->> 'fingerprint') > 200 then
    perform app.fail('invalid_input', 'fingerprint has at most 200 characters.',
      jsonb_build_object('field', 'fingerprint'));
  end if;
  v_name := app.key_name(actor, command);
  v_lock := hashtextextended(concat_ws(' ', actor.tenant_id, actor.user_id, v_name), 0);
  if not pg_try_advisory_xact_lock(v_lock) then
    perform pg_advisory_xact_lock(v_lock);
  end if;
  select * into v_key from app.idempotency_keys k
    where k.tenant_id = actor.tenant_id and k.user_id = actor.user_id and k.key = v_name;
  if not found then
    return null;
  end if;
  if v_key.fingerprint <> coalesce(command ->> 'fingerprint', '') then
    perform app.fail('idempotency_mismatch', 'This idempotency_key was used before for another request.', null,
      'Use a new key for a new request; repeat the request unchanged to get its first answer again.');
  end if;
  return v_key.result;
end
$$;

-- claim_task(task?, project?, filters?, ttl_seconds, take_over, command) -> {task: {…, lock_token}, gates?, previous?}
-- or, when nothing is ready, {counts, next_expiry?, hint}. Without `task` it takes the best ready one. Raises
-- not_found, lock_held, illegal_transition, gate_unmet, invalid_input.
create or replace function public.claim_task(task text default null, project text default null,
    filters jsonb default '{}', ttl_seconds integer default 3600, take_over boolean default false,
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

-- extend_lock(task, lock_token, ttl_seconds) -> {ref, lock_token, locked_until}. Writes no event. Raises lock_lost.
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
  return jsonb_build_object('ref', v_task.ref, 'lock_token', v_task.lock_token, 'locked_until', v_until);
end
$$;

-- get_task(task, timeline_size) -> the task with its artifacts and its latest events. Raises not_found.
create or replace function public.get_task(task text, timeline_size integer default 10, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_task public.tasks := app.find_task(task, v_actor.tenant_id);
begin
  perform app.check_number('timeline_size', timeline_size, 0, 100);
  return app.task_full(v_task, (
    select p.rules from public.projects p
    where p.tenant_id = v_task.tenant_id and p.id = v_task.project_id)) || jsonb_build_object(
    'dependents', app.dependents(v_task),
    'artifacts', (select coalesce(jsonb_agg(app.artifact_full(a) - 'task' order by a.created_at desc), '[]') from (
      select * from public.artifacts x where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id
      order by x.created_at desc limit 20) a),
    'timeline', (select coalesce(jsonb_agg(app.event_brief(app.upcast(e)) order by e.seq desc), '[]') from (
      select * from public.events x where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id
      order by x.seq desc limit timeline_size) e));
end
$$;
