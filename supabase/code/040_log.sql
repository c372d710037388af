-- The log: event types and their data, positions, the hash chain, idempotency.

-- The last wall behind missing privileges and missing policies. Only functions of cairn_keeper (redact, archive) pass.
create or replace function app.refuse_rewrite()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op <> 'TRUNCATE' and current_user = 'cairn_keeper' then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  perform app.fail('forbidden', format('The log is append-only: %s of events is not possible.', lower(tg_op)),
    null, 'To hide a leaked secret use redact_event; to rebuild the read model use replay_events.');
  return null;
end
$$;

-- Declares an event type: one row of event_fields a word. `title!:line:300` is a required single line of at most 300
-- characters, `files:text[]:50:500` a list of at most 50 texts of at most 500, `number+:integer:9` a field that the
-- door adds and no caller may say. The word `creates` declares that such an event begins its stream, `internal` that
-- the door alone makes it, as what follows from another, `verb_only` that only a verb of Cairn records it, such as a
-- worker's. Takes locks only where something changes.
create or replace function app.declare_event(event_type text, variadic words text[] default '{}')
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_type app.event_types;
  v_fields app.event_fields[];
  -- A superuser is not bound, nor is the owner before the tables are secured: that spares a new database the changes.
  v_is_bound constant boolean := row_security_active('app.event_types');
begin
  v_fields := array(
    select row(
        declare_event.event_type, rtrim(w.name, '!+'), w.kind, w.name like '%!',
        case when w.kind <> 'one_of' then w.size::integer end,
        case when w.kind = 'one_of' then string_to_array(w.size, '|') end,
        w.name like '%+',
        w.item::integer)::app.event_fields
    from unnest(words) x
    cross join lateral (
      select split_part(x, ':', 1) as name, split_part(x, ':', 2) as kind, nullif(split_part(x, ':', 3), '') as size,
        nullif(split_part(x, ':', 4), '') as item) w
    where x like '%:%'
    order by 1);
  v_type := row(declare_event.event_type, 1,
    array(select split_part(w, '!', 1) from unnest(words) w where w like '%!:%'),
    'internal' = any (words), 'creates' = any (words), 'verb_only' = any (words));
  if v_type = (select t from app.event_types t where t.event_type = declare_event.event_type)
      and v_fields = array(
        select f from app.event_fields f
        where f.event_type = declare_event.event_type
        order by f) then
    return;
  end if;
  if v_is_bound then
    alter table app.event_types no force row level security;
    alter table app.event_fields no force row level security;
  end if;
  delete from app.event_fields f where f.event_type = declare_event.event_type;
  insert into app.event_types values (v_type.*)
    on conflict on constraint event_types_pkey do update
      set (schema_version, required, internal, creates, verb_only)
          = (excluded.schema_version, excluded.required, excluded.internal, excluded.creates, excluded.verb_only);
  insert into app.event_fields select (f).* from unnest(v_fields) f;
  if v_is_bound then
    alter table app.event_types force row level security;
    alter table app.event_fields force row level security;
  end if;
end
$$;

-- Makes these the rows of a registry table: a list of lists of its columns. Takes locks only where something changes.
create or replace function app.set_rows(table_name regclass, rows jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_columns text[] := array(
    select a.attname from pg_attribute a
    where a.attrelid = table_name and a.attnum > 0 and not a.attisdropped
    order by a.attnum);
  v_wanted jsonb := (
    select jsonb_agg(jsonb_object(v_columns, array(select jsonb_array_elements_text(r.value))) order by r.value)
    from jsonb_array_elements(rows) r);
  v_query text := format('select x.* from jsonb_populate_recordset(null::%s, $1) x', table_name);
  v_differs boolean;
begin
  execute format('select exists ((%1$s except table %2$s) union all (table %2$s except %1$s))', v_query, table_name)
    into v_differs using v_wanted;
  if v_differs then
    execute format('alter table %s no force row level security', table_name);
    execute format('delete from %s', table_name);
    execute format('insert into %s %s', table_name, v_query) using v_wanted;
    execute format('alter table %s force row level security', table_name);
  end if;
end
$$;

-- Finds the type of an event. Refuses unknown types, unknown or missing fields, and values of the wrong kind or past
-- their limit. `path` is where the data stands in what the caller sent. Recorded data is as the door leaves it: with
-- what it adds (to an object as much again as a caller may say), without the project, with ids for refs.
create or replace function app.check_data(
  event_type text,
  data jsonb,
  path text default '',
  recorded boolean default false
)
  returns app.event_types
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_type app.event_types;
  v_missing text;
  v_field record;
begin
  select * into v_type from app.event_types t where t.event_type = check_data.event_type;
  if not found then
    perform app.fail('invalid_input', format('There is no event type %s.', left(event_type, 80)));
  elsif not data ?& v_type.required then
    select r into v_missing from unnest(v_type.required) r
      where not data ? r and not (recorded and r = 'project') limit 1;
    if found then
      perform app.fail('invalid_input', format('%s needs the field %s.', event_type, v_missing),
        jsonb_build_object('field', path || v_missing));
    end if;
  end if;
  select d.key, f.* into v_field from jsonb_each(data) d
    left join app.event_fields f
      on f.event_type = check_data.event_type and f.field = d.key and (recorded or not f.by_door)
    where f.field is null
      or not app.validate_field(d.value, f.kind,
          case when recorded and f.kind = 'object' then 2 * f.size_max else f.size_max end, f.one_of, f.item_max)
        and not (d.value = 'null' and f.kind in ('ref', 'number') and not f.required)
      or recorded and f.kind in ('ref', 'ref[]') and f.field not in ('slug', 'ref') and not app.are_ids(d.value)
    limit 1;
  if not found then
    return v_type;
  elsif v_field.field is null then
    perform app.fail('invalid_input', format('%s has no field %s.', event_type, left(v_field.key, 80)),
      jsonb_build_object('field', path || left(v_field.key, 200)));
  end if;
  perform app.fail('invalid_input', format('%s of %s is not valid: allowed is %s.', v_field.field, event_type,
    case v_field.kind when 'one_of' then 'one of ' || array_to_string(v_field.one_of, ', ')
      when 'line' then 'one line of 1 to ' || v_field.size_max || ' characters without control characters'
      when 'text' then 'text of at most ' || v_field.size_max || ' characters without control characters'
      when 'said' then 'text of 1 to ' || v_field.size_max || ' characters without control characters'
      when 'integer' then 'a whole number from 0 to ' || v_field.size_max
      when 'positive' then 'a whole number from 1 to ' || v_field.size_max
      when 'number' then 'zero, or a number from 10^-15 to 10^15 on either side of it'
      when 'fraction' then 'a number from 0 to 1'
      when 'label[]' then
        format('a list of at most %s labels, each one line of 1 to %s characters that can be seen', v_field.size_max,
          v_field.item_max)
      when 'text[]' then
        format('a list of at most %s texts, each of 1 to %s characters without control characters', v_field.size_max,
          v_field.item_max)
      when 'object' then
        'an object of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      when 'array' then
        'a list of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      else v_field.kind || coalesce(' of size at most ' || v_field.size_max, '') end),
    jsonb_build_object('field', path || v_field.field));
end
$$;

-- An old event in today's shape: one step per schema version, shared by rebuilds and reads. None is needed yet. One
-- that an import cleaned is read with clean names.
create or replace function app.upcast_event(event public.events) returns public.events language sql stable as $$
  select case when event.cleaned_hash is null then event else app.clean_actor(event) end
$$;

-- Hands what archived events of a stream have left to a fold, as an event before all others.
create or replace function app.snapshot_event(left_behind app.archived_streams)
  returns public.events
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event public.events;
begin
  v_event.tenant_id := left_behind.tenant_id;
  v_event.stream := left_behind.stream;
  v_event.version := left_behind.version;
  v_event.event_type := 'archive.snapshot';
  v_event.payload := left_behind.state;
  return v_event;
end
$$;

create or replace function app.payload_hash(payload jsonb) returns bytea language sql stable as $$
  select sha256(convert_to(payload::text, 'UTF8'))
$$;

-- Over project-local fields only, so that an import into another workspace keeps the chain.
create or replace function app.event_hash(event public.events) returns bytea language sql stable as $$
  select sha256(coalesce(event.prev_hash, ''::bytea)
    || convert_to(jsonb_build_array(event.stream, event.version, event.event_type, event.schema_version,
         (extract(epoch from event.created_at) * 1000000)::bigint, event.actor)::text, 'UTF8')
    || event.payload_hash)
$$;

create or replace function app.chain_head(tenant_id uuid, project_id uuid)
  returns bytea
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_hash bytea;
begin
  if project_id is null then
    select e.hash into v_hash from public.events e
      where e.tenant_id = chain_head.tenant_id and e.project_id is null
      order by e.seq desc limit 1;
  else
    select e.hash into v_hash from public.events e
      where e.tenant_id = chain_head.tenant_id and e.project_id = chain_head.project_id
      order by e.seq desc limit 1;
  end if;
  if not found then
    select c.hash into v_hash from app.archived_chains c
      where c.tenant_id = chain_head.tenant_id and c.project_id is not distinct from chain_head.project_id;
  end if;
  return v_hash;
end
$$;

-- Takes the positions and records the events; the last thing a command does. Returns the last position.
create or replace function app.record_events(pending public.events[])
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event public.events;
  v_seq bigint;
  v_head bytea;
  v_project uuid;
begin
  update app.positions p set seq = p.seq + cardinality(pending)
    where p.tenant_id = pending[1].tenant_id returning p.seq - cardinality(pending) into strict v_seq;
  foreach v_event in array pending loop
    if v_head is null or v_event.project_id is distinct from v_project then
      v_project := v_event.project_id;
      v_head := app.chain_head(v_event.tenant_id, v_project);
    end if;
    v_seq := v_seq + 1;
    v_event.seq := v_seq;
    v_event.prev_hash := v_head;
    v_event.payload_hash := app.payload_hash(v_event.payload);
    v_event.hash := app.event_hash(v_event);
    v_head := v_event.hash;
    insert into public.events select v_event.*;
  end loop;
  return v_seq;
end
$$;

create or replace function app.stream_id(stream text) returns uuid language sql immutable as $$
  select split_part(stream, ':', 2)::uuid
$$;

-- Cursors are opaque to clients: base64url of what the page ended with and of the question it belongs to.
create or replace function app.encode_cursor(place jsonb) returns text language sql immutable as $$
  select translate(encode(convert_to(place::text, 'UTF8'), 'base64'), E'+/=\n', '-_')
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
      (v_position ->> 'place')::double precision,
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

-- Returns the name under which a command's key is stored. A token that is limited to a project has separate keys, so
-- that it gets no stored result from outside the project.
create or replace function app.key_name(actor app.actor, command jsonb) returns text language sql stable as $$
  select concat_ws(' ', actor.project_id, command ->> 'key')
$$;

-- Finds the answer of an earlier, equal command with this key, or null. The advisory lock makes a repeat wait for the
-- first.
create or replace function app.find_idempotent_result(actor app.actor, command jsonb)
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
    perform app.fail('invalid_input', 'command must be an object with key and fingerprint.',
      jsonb_build_object('field', 'command'), 'Leave it out where the call is not to be repeated.');
  elsif command ->> 'key' is null then
    return null;
  end if;
  if char_length(command ->> 'key') not between 1 and 200 then
    perform app.fail('invalid_input', 'idempotency_key must have 1 to 200 characters.',
      jsonb_build_object('field', 'idempotency_key'));
  end if;
  if char_length(command ->> 'fingerprint') > 200 then
    perform app.fail('invalid_input', 'fingerprint must have at most 200 characters.',
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

create or replace function app.save_idempotent_result(actor app.actor, command jsonb, result jsonb)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if command ->> 'key' is not null then
    insert into app.idempotency_keys (tenant_id, user_id, key, fingerprint, result, created_at)
      values (actor.tenant_id, actor.user_id, app.key_name(actor, command), coalesce(command ->> 'fingerprint', ''),
        result, app.now());
  end if;
  return result;
end
$$;

-- How long the answer to a request is kept: a repeat after that is a new request.
create or replace function app.get_key_lifetime() returns interval language sql immutable
  return interval '7 days';

-- purge_idempotency_keys() -> {purged}. Deletes keys of this workspace that are too old; purge_auth does so in all.
create or replace function public.purge_idempotency_keys(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_purged bigint;
begin
  perform app.refuse_limited(v_actor);
  delete from app.idempotency_keys k
    where k.tenant_id = v_actor.tenant_id and k.created_at < app.now() - app.get_key_lifetime();
  get diagnostics v_purged = row_count;
  return jsonb_build_object('purged', v_purged);
end
$$;

-- The next version of a stream whose last is `current`. Raises version_conflict if the caller expected another.
create or replace function app.next_version(current bigint, expect jsonb, what text)
  returns bigint
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if expect ->> 'version' is not null and expect ->> 'version' <> coalesce(current, 0)::text then
    perform app.fail('version_conflict',
      format('The %s is at version %s, not %s.', what, coalesce(current, 0), left(expect ->> 'version', 20)),
      jsonb_build_object('version', coalesce(current, 0)),
      'Read it again, look at what changed, then repeat with the new version.');
  end if;
  return coalesce(current, 0) + 1;
end
$$;

-- The event that a position or a uuid names. Raises not_found.
create or replace function app.find_event(ref text, actor app.actor)
  returns public.events
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event public.events;
begin
  if ref ~ '^#?[0-9]{1,18}$' then
    select * into v_event from public.events e where e.tenant_id = actor.tenant_id and e.seq = ltrim(ref, '#')::bigint;
  else
    select * into v_event from public.events e where e.tenant_id = actor.tenant_id and e.id = app.as_uuid(ref);
  end if;
  if v_event.id is null then
    perform app.fail('not_found', format('There is no event %s in this workspace.', left(ref, 80)), null,
      'list_events shows positions (#12).');
  end if;
  return v_event;
end
$$;

-- A note's payload with the question it answers by id, however the caller named it.
create or replace function app.resolve_answer(event public.events)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if not event.payload ? 'answers' then
    return event.payload;
  end if;
  v_actor.tenant_id := event.tenant_id;
  return event.payload || jsonb_build_object('answers', (app.find_event(event.payload ->> 'answers', v_actor)).id);
end
$$;

-- A page of a list ordered by a time and an id: one row more than asked for says that there is a next page.
create or replace function app.build_page(
  name text,
  items jsonb[],
  size integer,
  question text,
  id_path text[],
  at_path text[]
)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(name, to_jsonb(coalesce(items[:size], '{}')),
    'next_cursor', case when cardinality(items) > size then app.encode_cursor(
      jsonb_build_object('of', question, 'id', items[size] #> id_path, 'at', items[size] #> at_path)) end));
end
$$;

-- Checks a recorded event as the door checks a new one. Raises invalid_input.
create or replace function app.check_recorded(event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_slug text;
begin
  perform app.check_data(event.event_type, event.payload, '', true);
  if event.event_type = 'project.created' and not app.is_slug(event.payload ->> 'slug') then
    perform app.fail('invalid_input', 'The slug must be 1 to 31 lower-case letters, digits and dashes.',
      jsonb_build_object('field', 'slug'));
  elsif event.event_type = 'task.created' then
    v_slug := coalesce((
        select p.slug from public.projects p
        where p.tenant_id = event.tenant_id and p.id = event.project_id),
      (
        select e.payload ->> 'slug' from public.events e
        where e.tenant_id = event.tenant_id and e.stream = 'project:' || event.project_id and e.version = 1));
    if event.payload ->> 'project_id' is distinct from event.project_id::text
        or event.payload ->> 'ref' is distinct from v_slug || '-' || (event.payload ->> 'number') then
      perform app.fail('invalid_input', 'The ref and project_id must be those of the event''s project.',
        jsonb_build_object('field', 'ref'));
    end if;
  elsif event.event_type in ('task.approved', 'memory.approved') and event.actor ->> 'agent' is not null then
    perform app.fail('invalid_input', format('A person approves a %s: the actor must name no agent.',
        split_part(event.event_type, '.', 1)), jsonb_build_object('field', 'actor'));
  elsif event.event_type like 'report.%' then
    perform app.check_report_items(event.payload);
  elsif event.event_type = 'memory.remembered' then
    perform app.check_form('scope', app.memory_subject(event) is not null, 'one that has a subject');
  end if;
  -- A task waits for tasks that were there before.
  if event.event_type in ('task.created', 'task.dependencies_changed') and exists (
      select from jsonb_array_elements_text(
        coalesce(event.payload -> 'dependencies', '[]') || coalesce(event.payload -> 'add', '[]')) d
      where app.as_uuid(d) = event.task_id
        or app.stream_project(event.tenant_id, 'task:' || app.as_uuid(d)) is distinct from event.project_id) then
    perform app.fail('invalid_input', 'Dependencies must be earlier tasks of the same project.',
      jsonb_build_object('field', 'dependencies'));
  end if;
  if event.event_type in ('task.created', 'task.updated') and event.payload ->> 'parent' is not null
      and app.stream_project(event.tenant_id, 'task:' || app.as_uuid(event.payload ->> 'parent'))
        is distinct from event.project_id then
    perform app.fail('invalid_input', 'The parent must be an earlier task of the same project.',
      jsonb_build_object('field', 'parent'));
  end if;
  if event.payload ? 'rules' then
    perform app.check_rules(event.payload -> 'rules');
  end if;
  if event.payload ? 'variables' then
    perform app.check_variables(event.payload -> 'variables');
  end if;
  if event.payload ? 'constraints' then
    perform app.check_scope(event.payload -> 'constraints', 'constraints');
  end if;
  if event.payload ? 'evidence' and not app.is_evidence(event.payload -> 'evidence') then
    perform app.fail('invalid_input', 'evidence must be a list of {criterion, note or artifact}.',
      jsonb_build_object('field', 'evidence'));
  end if;
end
$$;

-- Refuses any other number of a caller in the same way.
create or replace function app.check_number(field text, given bigint, from_number bigint, most bigint)
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

-- Judges, evolves and writes the event that a request asks for. Refuses one that concerns more tasks than the command
-- has room for: all of them have to follow.
create or replace function app.apply_request(request jsonb, actor app.actor, at timestamptz, room integer)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_applied app.applied := app.apply_event(app.new_event(request, actor, at),
    coalesce(request -> 'expect', '{}'), actor);
  v_event public.events := v_applied.event;
begin
  if v_event.event_type in ('task.cancelled', 'task.reopened')
      and (select count(*) from (select from app.concerned_tasks(v_event) limit room + 1) t) > room then
    perform app.fail('illegal_transition',
      format('Task %s cannot be %s: more than %s tasks that depend on it would change with it.',
        v_applied.state ->> 'ref', split_part(v_event.event_type, '.', 2), room),
      jsonb_build_object('dependents_max', room),
      'Take it out of the dependencies of some (update_task with remove_dependencies) or cancel those, '
      'then repeat the call.');
  end if;
  return v_applied;
end
$$;

select app.define_on_tables($triggers$
  create trigger events_append_only before update or delete on public.events
    for each row execute function app.refuse_rewrite();

  create trigger events_no_truncate before truncate on public.events
    for each statement execute function app.refuse_rewrite();
$triggers$);
