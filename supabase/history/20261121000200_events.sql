-- The log: what happened, in order, for good. Types and their data, positions, the hash chain, idempotency.

create table public.events (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  seq bigint not null check (seq > 0),
  project_id uuid,
  task_id uuid,
  user_id uuid not null references public.users,
  event_type text not null,
  payload jsonb not null,
  created_at timestamptz not null,
  stream text not null,
  version bigint not null check (version > 0),
  actor jsonb not null,
  schema_version integer not null default 1,
  correlation_id uuid,
  causation_id uuid,
  payload_hash bytea not null,
  prev_hash bytea,
  hash bytea not null,
  redacted_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, stream, version),
  unique (tenant_id, seq)
);
create index idx_events_project_id on public.events (tenant_id, project_id, seq);
create index idx_events_task_id on public.events (tenant_id, task_id, seq) where task_id is not null;
create index idx_events_user_id on public.events (user_id);
create index idx_events_event_type on public.events (event_type);
create index idx_events_created_at on public.events (created_at desc);
create index idx_events_project_created on public.events (project_id, created_at desc);
create index idx_events_task_created on public.events (task_id, created_at desc);
create index idx_events_notes on public.events (tenant_id, project_id, seq) where event_type in ('task.noted', 'project.noted');

-- The last wall behind missing privileges and missing policies. Only the keeper's functions (redact, archive) pass.
create function app.refuse_rewrite()
  returns trigger
  language plpgsql
  set search_path = ''
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
create trigger events_append_only before update or delete on public.events
  for each row execute function app.refuse_rewrite();
create trigger events_no_truncate before truncate on public.events
  for each statement execute function app.refuse_rewrite();

-- The last position of each workspace. Taken last in a transaction, so positions appear in commit order, without gaps.
create table app.positions (
  tenant_id uuid primary key references public.tenants,
  seq bigint not null default 0,
  -- Events up to here are in files.
  archived_to bigint not null default 0 check (archived_to between 0 and seq)
) with (fillfactor = 50);

-- What archived events leave behind: of each stream its last version and what it had made, of each chain its last hash.
create table app.archived_streams (
  tenant_id uuid not null references public.tenants,
  stream text not null,
  version bigint not null,
  seq bigint not null,
  project_id uuid,
  state jsonb,
  primary key (tenant_id, stream)
);
create table app.archived_chains (
  tenant_id uuid not null references public.tenants,
  project_id uuid,
  hash bytea not null,
  unique nulls not distinct (tenant_id, project_id)
);

create table app.idempotency_keys (
  tenant_id uuid not null,
  user_id uuid not null,
  key text not null,
  fingerprint text not null,
  result jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, user_id, key)
);
create index idx_idempotency_keys_created_at on app.idempotency_keys (created_at);

-- The closed list of event types, and of the fields each may carry. A field's size is characters for text, items
-- for a list, bytes for json, the largest value for an integer.
create table app.event_types (
  event_type text primary key,
  schema_version integer not null default 1,
  -- The fields that no event of the type may be without.
  required text[] not null,
  -- Only the door itself makes these, as what follows from another event.
  internal boolean not null default false
);
create table app.event_fields (
  event_type text not null references app.event_types,
  field text not null,
  kind text not null check (kind in ('text', 'line', 'ref', 'ref[]', 'text[]', 'integer', 'boolean', 'object', 'array', 'one_of')),
  required boolean not null,
  size_max integer,
  one_of text[],
  primary key (event_type, field)
);

-- One row of event_fields a word: `title!:line:300` is a required single line of at most 300 characters.
create function app.declare_event(event_type text, variadic fields text[] default '{}')
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  insert into app.event_types (event_type, required)
    values (declare_event.event_type, array(select split_part(f, '!', 1) from unnest(fields) f where split_part(f, ':', 1) like '%!'));
  insert into app.event_fields (event_type, field, kind, required, size_max, one_of)
    select declare_event.event_type, rtrim(split_part(f, ':', 1), '!'), split_part(f, ':', 2),
      split_part(f, ':', 1) like '%!',
      case when split_part(f, ':', 2) <> 'one_of' then nullif(split_part(f, ':', 3), '')::integer end,
      case when split_part(f, ':', 2) = 'one_of' then string_to_array(split_part(f, ':', 3), '|') end
    from unnest(fields) f;
end
$$;

-- Control characters (but tab and line feed) and characters that reorder text: stored text is shown to people and models.
create function app.is_clean(value text) returns boolean language sql immutable as $$
  select value !~ '[\u0001-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]'
$$;

create function app.fits(value jsonb, kind text, size_max integer, one_of text[])
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_type text := jsonb_typeof(value);
  v_text text := case when v_type in ('string', 'number') then value #>> '{}' end;
begin
  case kind
    when 'text' then return v_type = 'string' and char_length(v_text) <= size_max and app.is_clean(v_text);
    when 'line' then return v_type = 'string' and char_length(v_text) <= size_max and v_text ~ '\S' and v_text !~ '[\n\t]' and app.is_clean(v_text);
    when 'one_of' then return v_type = 'string' and v_text = any (one_of);
    when 'ref' then return v_type = 'string' and char_length(v_text) between 1 and size_max;
    when 'integer' then return v_type = 'number' and v_text ~ '^[0-9]{1,9}$' and v_text::integer <= size_max;
    when 'boolean' then return v_type = 'boolean';
    when 'object' then return v_type = 'object' and octet_length(value::text) <= size_max;
    when 'array' then return v_type = 'array' and octet_length(value::text) <= size_max;
    else
      return v_type = 'array' and jsonb_array_length(value) <= size_max and not exists (
        select from jsonb_array_elements(value) item where jsonb_typeof(item) <> 'string' or item #>> '{}' !~ '\S'
          or char_length(item #>> '{}') > case kind when 'ref[]' then 80 else 1000 end or not app.is_clean(item #>> '{}'));
  end case;
end
$$;

-- The type of an event. Refuses unknown types, unknown or missing fields, and values of the wrong kind or past their limit. `path`
-- is where the data stands in what the caller sent.
create function app.check_data(event_type text, data jsonb, path text default '')
  returns app.event_types
  language plpgsql
  set search_path = ''
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
    select r into v_missing from unnest(v_type.required) r where not data ? r limit 1;
    perform app.fail('invalid_input', format('%s needs the field %s.', event_type, v_missing), jsonb_build_object('field', path || v_missing));
  end if;
  select d.key, f.* into v_field from jsonb_each(data) d
    left join app.event_fields f on f.event_type = check_data.event_type and f.field = d.key
    where f.field is null or not app.fits(d.value, f.kind, f.size_max, f.one_of) and not (d.value = 'null' and f.kind = 'ref' and not f.required) limit 1;
  if not found then
    return v_type;
  elsif v_field.field is null then
    perform app.fail('invalid_input', format('%s has no field %s.', event_type, left(v_field.key, 80)), jsonb_build_object('field', path || v_field.key));
  end if;
  perform app.fail('invalid_input', format('%s of %s is not valid: allowed is %s.', v_field.field, event_type,
    case v_field.kind when 'one_of' then 'one of ' || array_to_string(v_field.one_of, ', ')
      when 'line' then 'one line of 1 to ' || v_field.size_max || ' characters without control characters'
      when 'text' then 'text of at most ' || v_field.size_max || ' characters without control characters'
      when 'integer' then 'a whole number from 0 to ' || v_field.size_max
      else v_field.kind || coalesce(' of size at most ' || v_field.size_max, '') end),
    jsonb_build_object('field', path || v_field.field));
end
$$;

-- An old event in today's shape: one step per schema version, shared by rebuilds and reads. None is needed yet.
create function app.upcast(event public.events) returns public.events language sql stable as $$
  select event
$$;

create function app.payload_hash(payload jsonb) returns bytea language sql stable as $$
  select sha256(convert_to(payload::text, 'UTF8'))
$$;

-- Over project-local fields only, so that an import into another workspace keeps the chain.
create function app.event_hash(event public.events) returns bytea language sql stable as $$
  select sha256(coalesce(event.prev_hash, ''::bytea)
    || convert_to(jsonb_build_array(event.stream, event.version, event.event_type, event.schema_version,
         (extract(epoch from event.created_at) * 1000000)::bigint, event.actor)::text, 'UTF8')
    || event.payload_hash)
$$;

create function app.chain_head(tenant_id uuid, project_id uuid)
  returns bytea
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_hash bytea;
begin
  if project_id is null then
    select e.hash into v_hash from public.events e where e.tenant_id = chain_head.tenant_id and e.project_id is null order by e.seq desc limit 1;
  else
    select e.hash into v_hash from public.events e where e.tenant_id = chain_head.tenant_id and e.project_id = chain_head.project_id order by e.seq desc limit 1;
  end if;
  if not found then
    select c.hash into v_hash from app.archived_chains c where c.tenant_id = chain_head.tenant_id and c.project_id is not distinct from chain_head.project_id;
  end if;
  return v_hash;
end
$$;

-- Takes the positions and records the events; the last thing a command does. Returns the last position.
create function app.record_events(pending public.events[])
  returns bigint
  language plpgsql
  set search_path = ''
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

-- An event as the door has judged and versioned it (no version: nothing was to do), the row it made, and the triggers it may set off.
create type app.applied as (event public.events, state jsonb, triggers jsonb);

create function app.stream_id(stream text) returns uuid language sql immutable as $$
  select split_part(stream, ':', 2)::uuid
$$;

create function app.by(event public.events) returns text language sql immutable as $$
  select coalesce(event.actor ->> 'agent', event.actor ->> 'client', 'user')
$$;

-- Cursors are opaque to clients: base64url of what the page ended with and of the question it belongs to.
create function app.encode_cursor(place jsonb) returns text language sql immutable as $$
  select translate(encode(convert_to(place::text, 'UTF8'), 'base64'), E'+/=\n', '-_')
$$;

create function app.decode_cursor(cursor text, question text)
  returns jsonb
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_position jsonb;
begin
  if cursor is null or cursor = '' then
    return null;
  end if;
  begin
    v_position := convert_from(decode(rpad(translate(cursor, '-_', '+/'), (4 * ceil(length(cursor) / 4.0))::integer, '='), 'base64'), 'UTF8')::jsonb;
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

create function app.page_size(asked integer, most integer)
  returns integer
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if asked not between 1 and most then
    perform app.fail('invalid_input', format('page_size is %s; allowed is 1 to %s.', asked, most), jsonb_build_object('field', 'page_size'));
  end if;
  return asked;
end
$$;

-- What a command's key is kept as. A token that is limited to a project has keys of its own, and so no answer that was given beyond it.
create function app.key_name(actor app.actor, command jsonb) returns text language sql stable as $$
  select concat_ws(' ', actor.project_id, command ->> 'key')
$$;

-- The answer of an earlier, equal command with this key, or null. The advisory lock makes a repeat wait for the first.
create function app.recall(actor app.actor, command jsonb)
  returns jsonb
  language plpgsql
  set search_path = ''
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
    perform app.fail('invalid_input', 'idempotency_key has 1 to 200 characters.', jsonb_build_object('field', 'idempotency_key'));
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

create function app.remember(actor app.actor, command jsonb, result jsonb)
  returns jsonb
  language plpgsql
  set search_path = ''
as $$
begin
  if command ->> 'key' is not null then
    insert into app.idempotency_keys (tenant_id, user_id, key, fingerprint, result, created_at)
      values (actor.tenant_id, actor.user_id, app.key_name(actor, command), coalesce(command ->> 'fingerprint', ''), result, app.now());
  end if;
  return result;
end
$$;

-- purge_idempotency_keys() -> {purged}. Keys of this workspace older than a week; a repeat after that is a new request.
create function public.purge_idempotency_keys(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_purged bigint;
begin
  perform app.refuse_limited(v_actor);
  delete from app.idempotency_keys k where k.tenant_id = v_actor.tenant_id and k.created_at < app.now() - interval '7 days';
  get diagnostics v_purged = row_count;
  return jsonb_build_object('purged', v_purged);
end
$$;

-- The next version of a stream whose last is `current`. Raises version_conflict if the caller expected another.
create function app.next_version(current bigint, expect jsonb, what text)
  returns bigint
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if expect ->> 'version' is not null and expect ->> 'version' <> coalesce(current, 0)::text then
    perform app.fail('version_conflict', format('The %s is at version %s, not %s.', what, coalesce(current, 0), left(expect ->> 'version', 20)),
      jsonb_build_object('version', coalesce(current, 0)), 'Read it again, look at what changed, then repeat with the new version.');
  end if;
  return coalesce(current, 0) + 1;
end
$$;

-- The event that a position or a uuid names. Raises not_found.
create function app.find_event(ref text, actor app.actor)
  returns public.events
  language plpgsql
  stable
  set search_path = ''
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
    perform app.fail('not_found', format('There is no event %s in this workspace.', left(ref, 80)), null, 'list_events shows positions (#12).');
  end if;
  return v_event;
end
$$;

-- A note's payload with the question it answers by id, however the caller named it.
create function app.resolve_answer(event public.events)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
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
create function app.page(name text, items jsonb[], size integer, question text, id_path text[], at_path text[])
  returns jsonb
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(name, to_jsonb(coalesce(items[:size], '{}')),
    'next_cursor', case when cardinality(items) > size then app.encode_cursor(
      jsonb_build_object('of', question, 'id', items[size] #> id_path, 'at', items[size] #> at_path)) end));
end
$$;
