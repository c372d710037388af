-- Arguments of a wrong shape are refused in Cairn's words, not in PostgreSQL's: each kind of argument in one place.

-- Events as an export or an archive holds them, in order. The field is the argument that they came in.
create function app.read_events_given(field text, events jsonb)
  returns table (
    ordinality bigint,
    seq bigint,
    stream text,
    project_id uuid,
    redacted_at timestamptz,
    event public.events
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  begin
    if jsonb_typeof(events) = 'array' and not exists (
        select from jsonb_array_elements(events) e
        where jsonb_typeof(e) <> 'object' or jsonb_typeof(e -> 'payload') is distinct from 'object') then
      return query
        select e.at, r.seq, r.stream, r.project_id, r.redacted_at, r
        from jsonb_array_elements(events) with ordinality e (item, at)
          cross join lateral jsonb_populate_record(null::public.events, e.item) r;
      return;
    end if;
  exception
    when data_exception or program_limit_exceeded then null;
  end;
  perform app.refuse_events(field);
end
$$;

create function app.refuse_events(field text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.fail('invalid_input', format('%s is a list of events as export_events answers with them.', field),
    jsonb_build_object('field', field), 'Pass the events of an answer unchanged, in their order.');
end
$$;

create or replace function app.join_archived(recent public.events[], archived jsonb, filters jsonb, tenant_id uuid,
    rising boolean, size integer)
  returns public.events[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return array(select u.event from (
      select x as event from unnest(recent) x
      union all
      select jsonb_populate_record(a.event, jsonb_build_object('tenant_id', join_archived.tenant_id))
      from app.read_events_given('archived', archived) a) u
    where app.event_passes((u.event).event_type, (u.event).payload, filters)
    order by case when rising then (u.event).seq else -(u.event).seq end limit size);
end
$$;

-- From the archive one state after another is folded; what nothing created is no state.
create or replace function app.state_of(category text, tenant_id uuid, project_id uuid, up_to bigint,
    archived jsonb)
  returns table (id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if archived is null then
    return query select * from app.folded(category, tenant_id, project_id, up_to, null);
    return;
  end if;
  begin
    return query execute format(
      $fold$select (f.folded).id, to_jsonb(f.folded) from (
         select app.%I(app.upcast(e.event) order by (e.event).version) as folded
         from app.read_events_given('archived', $1) e
         where starts_with(e.stream, $2) group by e.stream) f
       where (f.folded).id is not null$fold$, 'fold_' || category)
      using archived, category || ':';
  exception
    when data_exception or program_limit_exceeded then
      perform app.refuse_events('archived');
  end;
end
$$;

create or replace function public.get_state(project text default null, seq bigint default null,
    at timestamptz default null, archived jsonb default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_seq bigint := coalesce(seq, case when at is not null then (
    select coalesce(max(e.seq), 0) from public.events e
    where e.tenant_id = v_actor.tenant_id and e.project_id = v_project.id and e.created_at <= get_state.at)
    else (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id) end);
  v_archived_to bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
  v_state jsonb;
begin
  if archived is not null then
    v_seq := coalesce(seq, (select max(a.seq) from app.read_events_given('archived', archived) a), 0);
  elsif v_seq < v_archived_to then
    return jsonb_build_object('archive', jsonb_build_object('project_id', v_project.id, 'after', 0,
      'before', coalesce(seq, v_archived_to) + 1, 'at', at, 'rising', true));
  end if;
  v_state := (select f.state from app.state_of('project', v_actor.tenant_id, v_project.id, v_seq, archived) f);
  if v_state is null then
    perform app.fail('not_found', format('The project %s did not exist then.', v_project.slug), null,
      'Its timeline (list_events) shows its first position.');
  end if;
  return (
    with tasks as materialized (
      select f.state as t from app.state_of('task', v_actor.tenant_id, v_project.id, v_seq, archived) f)
    select jsonb_build_object('project', jsonb_strip_nulls(jsonb_build_object(
        'slug', v_state -> 'slug', 'name', v_state -> 'name', 'description', nullif(v_state ->> 'description', ''),
        'rules', v_state -> 'rules', 'archived_at', v_state -> 'archived_at')),
      'position', v_seq, 'total', (select count(*) from tasks),
      'counts', (
        select coalesce(jsonb_object_agg(c.status, c.n), '{}')
        from (select x.t ->> 'status' as status, count(*) as n from tasks x group by 1) c),
      'tasks', (
        select coalesce(jsonb_agg(o.brief order by o.number), '[]')
        from (
          select (x.t ->> 'number')::integer as number, jsonb_strip_nulls(jsonb_build_object('ref', x.t -> 'ref',
            'title', x.t -> 'title', 'status', x.t -> 'status', 'priority', x.t -> 'priority',
            'locked_by', x.t -> 'locked_by', 'blocked_reason', x.t -> 'blocked_reason')) as brief
          from tasks x order by 1 limit 200) o)));
end
$$;

create or replace function public.check_events(events jsonb default '[]', chains jsonb default '{}',
    actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_difference jsonb;
begin
  if jsonb_typeof(chains) is distinct from 'object' then
    perform app.fail('invalid_input', 'chains is an object: of each project the hash of the last event before.',
      jsonb_build_object('field', 'chains'), 'Pass the chains of the answer before, or {} to begin.');
  end if;
  select jsonb_build_object('seq', c.seq, 'stream', c.stream, 'wrong', coalesce(c.wrong, 'chain')) into v_difference
  from (
    select x.ordinality as at, x.seq, x.stream, app.wrong_column(x.event) as wrong,
      (x.event).prev_hash::text is not distinct from coalesce(
        lag((x.event).hash::text) over (partition by x.project_id order by x.ordinality),
        chains ->> coalesce(x.project_id::text, '')) as links,
      (x.event).hash = app.event_hash(x.event) as hashes,
      case when x.redacted_at is null then (x.event).payload_hash = app.payload_hash((x.event).payload)
        else (x.event).payload = app.blanked(x.event) end as pays
    from app.read_events_given('events', events) x) c
  where (c.links and c.hashes and c.pays and c.wrong is null) is not true order by c.at limit 1;
  if v_difference is not null then
    return jsonb_build_object('chains', chains, 'difference', v_difference);
  end if;
  return jsonb_build_object('chains', chains || (
    select coalesce(jsonb_object_agg(coalesce(l.project_id::text, ''), (l.event).hash), '{}') from (
      select distinct on (x.project_id) x.project_id, x.event from app.read_events_given('events', events) x
      order by x.project_id, x.ordinality desc) l));
end
$$;

drop function app.events_in(jsonb);

-- Also of a payload whose fields are not what their type says.
create or replace function app.blanked(event public.events)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select event.payload || coalesce(jsonb_object_agg(f.field, case f.kind
      when 'object' then '{}' when 'array' then '[]'
      when 'text[]' then (
        select coalesce(jsonb_agg('[redacted]'::text), '[]')
        from jsonb_path_query(event.payload -> f.field, 'strict $ ? (@.type() == "array")[*]'))
      else '"[redacted]"' end), '{}')
  from app.event_fields f
  where f.event_type = event.event_type and event.payload ? f.field
    and f.kind in ('text', 'line', 'text[]', 'object', 'array')
$$;

create or replace function app.check_filters(filters jsonb, tenant_id uuid, variadic allowed text[])
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  filters := jsonb_strip_nulls(coalesce(filters, '{}'));
  if jsonb_typeof(filters) <> 'object' then
    perform app.fail('invalid_input', 'filters is an object.', jsonb_build_object('field', 'filters'),
      'Filters: ' || array_to_string(allowed, ', ') || '.');
  end if;
  if filters = '{}' then
    return filters;
  end if;
  select k into v_key from jsonb_object_keys(filters) k where k <> all (allowed) limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no filter %s.', left(v_key, 80)),
      jsonb_build_object('field', left(v_key, 200)), 'Filters: ' || array_to_string(allowed, ', ') || '.');
  end if;
  select f.key into v_key from jsonb_each(filters) f
    where not app.fits(f.value,
      case when f.key in ('parent', 'query') then 'text'
        when f.key in ('ready', 'mine', 'include_data') then 'boolean' else 'text[]' end, 200, null)
    limit 1;
  if found then
    perform app.fail('invalid_input', format('The filter %s is not valid: allowed is %s.', v_key,
      case when v_key in ('parent', 'query') then 'a text of at most 200 characters'
        when v_key in ('ready', 'mine', 'include_data') then 'true or false' else 'a list of at most 200 texts' end),
      jsonb_build_object('field', v_key), 'Leave it out, or pass what is allowed.');
  end if;
  if filters ? 'parent' then
    filters := jsonb_set(filters, '{parent}', to_jsonb(app.find_task_id(filters ->> 'parent', tenant_id)));
  end if;
  return filters;
end
$$;

-- A caller can make a cursor up: what is in it is a place in a list, or it is none.
create or replace function app.decode_cursor(cursor text, question text)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_position jsonb;
begin
  if cursor is null or cursor = '' then
    return null;
  end if;
  begin
    v_position := convert_from(decode(
      rpad(translate(cursor, '-_', '+/'), (4 * ceil(length(cursor) / 4.0))::integer, '='), 'base64'), 'UTF8')::jsonb;
    perform (v_position ->> 'at')::timestamptz, (v_position ->> 'id')::uuid, (v_position ->> 'rank')::smallint,
      (v_position ->> 'number')::integer, (v_position ->> 'seq')::bigint;
    if (v_position ->> 'from')::integer < 0 then
      v_position := null;
    end if;
  exception
    when others then v_position := null;
  end;
  if v_position ->> 'of' is distinct from question then
    perform app.fail('invalid_input', 'The cursor is not valid for this list.', jsonb_build_object('field', 'cursor'),
      'Pass the next_cursor of the page before, with the same filters, or none to start again.');
  end if;
  return v_position;
end
$$;

create or replace function public.search(
  query text,
  project text default null,
  kinds jsonb default null,
  cursor text default null,
  page_size integer default 10,
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
  v_actor app.actor := app.enter(actor);
  v_project uuid := case when project is null then v_actor.project_id else (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 50);
  v_question text := md5(concat_ws(' ', query, v_project, kinds));
  v_from integer := coalesce((app.decode_cursor(cursor, v_question) ->> 'from')::integer, 0);
  v_words tsquery := app.search_query(query);
  v_any tsquery := app.any_word(v_words);
  v_reach tsquery := ('''=t' || v_actor.tenant_id || '''')::tsquery;
  v_kind text;
  v_found jsonb[];
  v_ranked integer;
begin
  if kinds is not null and not app.fits(kinds, 'text[]', 100, null) then
    perform app.fail('invalid_input', 'kinds is a list of at most 100 texts.', jsonb_build_object('field', 'kinds'),
      'Kinds: task, event, decision, checkpoint, artifact, project.');
  end if;
  select k into v_kind from jsonb_array_elements_text(kinds) k
    where k not in ('task', 'event', 'decision', 'checkpoint', 'artifact', 'project') limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no kind %s.', left(v_kind, 40)),
      jsonb_build_object('field', 'kinds'), 'Kinds: task, event, decision, checkpoint, artifact, project.');
  end if;
  if v_project is not null then
    v_reach := v_reach && ('''=p' || v_project || '''')::tsquery;
  end if;
  if jsonb_array_length(kinds) > 0 then
    v_reach := v_reach
      && (select string_agg('''=k' || k || '''', ' | ') from jsonb_array_elements_text(kinds) k)::tsquery;
  end if;
  -- One more than the page is ranked, for the cursor alone. A document that is gone makes the page shorter, not the
  -- last.
  select array_agg(h.hit order by h.place) filter (where h.hit is not null), count(*) into v_found, v_ranked from (
    select r.place, d.doc - 'body' || jsonb_build_object('kind', r.kind, 'id', r.id,
      'score', round(r.score::numeric, 3),
      'snippet', app.search_snippet(left(d.doc ->> 'body', least(20000, 400000 / v_size)), v_words, v_any)) as hit
    from (select m.kind, m.id, ts_rank(m.words, v_any) as score,
          row_number() over (order by ts_rank(m.words, v_any) desc, m.id desc) as place from (
        select * from app.search_documents s
        where s.words @@ (v_reach && v_words) and s.tenant_id = v_actor.tenant_id limit 1000) m
      order by place offset v_from limit v_size + 1) r
    cross join lateral (select case when r.place <= v_from + v_size
      then app.found_document(r.kind, v_actor.tenant_id, r.id) end as doc offset 0) d) h;
  return jsonb_strip_nulls(jsonb_build_object('hits', to_jsonb(coalesce(v_found, '{}')),
    'next_cursor', case when v_ranked > v_size
      then app.encode_cursor(jsonb_build_object('of', v_question, 'from', v_from + v_size)) end));
end
$$;

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
  if jsonb_typeof(command) <> 'object' then
    perform app.fail('invalid_input', 'command is an object with key and fingerprint.',
      jsonb_build_object('field', 'command'), 'Leave it out where the call is not to be repeated.');
  elsif command ->> 'key' is null then
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

create or replace function app.lock_streams(events jsonb, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event jsonb;
  v_project uuid;
  v_ref text;
  v_id uuid;
  v_added jsonb;
  v_new text[] := '{}';
  v_tasks uuid[] := '{}';
  v_turned uuid[] := '{}';
  v_projects uuid[] := '{}';
begin
  if jsonb_path_exists(events, '$[*] ? (@.type == "task.updated" && @.data.parent != null)') then
    -- One move at a time: of two the second sees the first. Before all rows, for a move holds it until it is done.
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', actor.tenant_id, 'parents'), 0));
  end if;
  for v_event in select e from jsonb_array_elements(events) with ordinality x (e, at) order by at loop
    if v_event ->> 'type' = 'task.created' then
      v_new := v_new || (v_event ->> 'stream');
      if v_project is null or v_event -> 'data' ->> 'project' is distinct from v_ref then
        v_ref := v_event -> 'data' ->> 'project';
        v_project := (app.find_project(v_ref, actor)).id;
        v_projects := v_projects || v_project;
      end if;
    elsif v_event ->> 'stream' like 'task:%' then
      v_id := app.find_task_id(substring(v_event ->> 'stream' from 6), actor.tenant_id);
      v_tasks := v_tasks || v_id;
      if v_event ->> 'type' = 'task.dependencies_changed' then
        v_projects := v_projects || (
          select t.project_id from public.tasks t where t.tenant_id = actor.tenant_id and t.id = v_id);
      elsif v_event ->> 'type' in ('task.completed', 'task.cancelled', 'task.reopened') then
        v_turned := v_turned || v_id;
      end if;
    end if;
    v_added := coalesce(v_event -> 'data' -> 'dependencies', v_event -> 'data' -> 'add');
    -- Whether it is a list of refs is judged with the rest of the event.
    if jsonb_typeof(v_added) = 'array' then
      v_tasks := v_tasks || array(select app.find_task_id(d, actor.tenant_id)
        from jsonb_array_elements_text(v_added) d
        where 'task:' || d <> all (v_new));
    end if;
  end loop;
  if cardinality(v_projects) > 0 then
    perform from (select distinct i as id from unnest(v_projects) i order by 1) s
      cross join lateral (
        select from public.projects p where p.tenant_id = actor.tenant_id and p.id = s.id for no key update) p;
  end if;
  if cardinality(v_turned) > 0 then
    v_tasks := v_tasks || array(select d from unnest(v_turned) i cross join app.dependents_of(actor.tenant_id, i) d);
  end if;
  if cardinality(v_tasks) > 0 then
    perform from (select distinct i as id from unnest(v_tasks) i order by 1) s
      cross join lateral (
        select from public.tasks t where t.tenant_id = actor.tenant_id and t.id = s.id for no key update) t;
  end if;
end
$$;

create or replace function public.append_events(events jsonb, command jsonb default '{}', actor jsonb default '{}')
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
  v_request jsonb;
  v_expect jsonb;
begin
  if v_result is not null then
    return v_result;
  end if;
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 200 then
    perform app.fail('invalid_input', 'events is a list of 1 to 200 events.', jsonb_build_object('field', 'events'));
  end if;
  for v_at in 0 .. jsonb_array_length(events) - 1 loop
    v_request := events -> v_at;
    if jsonb_typeof(v_request) <> 'object' or v_request ?| '{trigger,causation,depth,project}'
        or v_request ->> 'type' = 'task.claimed' then
      perform app.fail('invalid_input',
        'An event has stream, type, data and expect, nothing else; claims are made by claim_task.',
        jsonb_build_object('field', 'events'));
    elsif v_request -> 'expect' <> 'null' then
      v_expect := v_request -> 'expect';
      if jsonb_typeof(v_expect) <> 'object' or v_expect - '{version,lock_token}'::text[] <> '{}'
          or concat(coalesce(v_expect ->> 'version', '0'), ' ', coalesce(v_expect ->> 'lock_token', '0'))
            !~ '^[0-9]{1,18} [0-9]{1,18}$' then
        perform app.fail('invalid_input', 'expect has version and lock_token, each a whole number.',
          jsonb_build_object('field', 'expect'), 'Leave out what you do not expect.');
      end if;
    end if;
  end loop;
  return app.remember(v_actor, command, app.append(events, v_actor));
end
$$;

select app.secure_functions();
