-- The base of every chapter: errors, time, ids, and checks of values.

-- The closed table of error codes, each with PostgREST's HTTP status (SQLSTATE PTnnn).
create or replace function app.error_status(code text) returns text language sql immutable as $$
  select case code
    when 'invalid_input' then '400' when 'unauthenticated' then '401' when 'insufficient_scope' then '403'
    when 'forbidden' then '403' when 'not_found' then '404' when 'already_exists' then '409'
    when 'illegal_transition' then '409' when 'version_conflict' then '409' when 'lock_held' then '409'
    when 'lock_lost' then '409' when 'dependency_cycle' then '409' when 'gate_unmet' then '409'
    when 'scope_violation' then '409' when 'idempotency_mismatch' then '409' when 'payload_too_large' then '413'
    when 'rate_limited' then '429' when 'unavailable' then '503' else '500' end
$$;

create or replace function app.fail(code text, message text, details jsonb default null, hint text default null)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'PT' || app.error_status(code),
    message = message,
    detail = jsonb_strip_nulls(jsonb_build_object('code', code, 'details', details))::text,
    hint = coalesce(hint, '');
end
$$;

create or replace function app.now() returns timestamptz language sql volatile as $$ select clock_timestamp() $$;

-- Returns a text's uuid, or null: 36 characters, of which all but the four dashes are hexadecimal digits. Compares
-- before it casts, so that a bad one raises no exception.
create or replace function app.as_uuid(value text) returns uuid language sql immutable
  return case when value like '________-____-____-____-____________'
      and translate(value, '0123456789abcdefABCDEF', '') = '----'
    then value::uuid end;

-- Refuses control characters (but tab and line feed) and characters that reorder text: people and models read stored
-- text.
create or replace function app.is_clean(value text) returns boolean language sql immutable as $$
  select value !~ '[\u0001-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]'
$$;

create or replace function app.validate_field(
  value jsonb,
  kind text,
  size_max integer,
  one_of text[],
  item_max integer default null
)
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
    when 'said' then
      return v_type = 'string' and char_length(v_text) <= size_max and app.is_visible(v_text) and app.is_clean(v_text);
    when 'line' then
      return v_type = 'string' and char_length(v_text) <= size_max
        and app.clean_name(v_text, size_max) is not null and v_text !~ '[\n\t]' and app.is_clean(v_text);
    when 'one_of' then return v_type = 'string' and v_text = any (one_of);
    when 'ref' then return v_type = 'string' and char_length(v_text) between 1 and size_max;
    when 'integer' then return v_type = 'number' and v_text ~ '^[0-9]{1,9}$' and v_text::integer <= size_max;
    when 'positive' then return v_type = 'number' and v_text ~ '^[1-9][0-9]{0,8}$' and v_text::integer <= size_max;
    when 'number' then
      -- Refuses numbers that double precision cannot hold, or holds as zero.
      return v_type = 'number' and abs(v_text::numeric) <= 1e15
        and (v_text::numeric = 0 or abs(v_text::numeric) >= 1e-15);
    when 'fraction' then
      return v_type = 'number' and v_text::numeric <= 1 and (v_text::numeric = 0 or v_text::numeric >= 1e-15);
    when 'boolean' then return v_type = 'boolean';
    when 'object', 'array' then
      return v_type = kind and octet_length(value::text) <= size_max and app.is_clean_json(value);
    when 'label[]' then
      return v_type = 'array' and jsonb_array_length(value) <= size_max and not exists (
        select from jsonb_array_elements(value) item
        where jsonb_typeof(item) <> 'string' or app.clean_name(item #>> '{}', item_max) is distinct from item #>> '{}');
    else
      return v_type = 'array' and jsonb_array_length(value) <= size_max and not exists (
        select from jsonb_array_elements(value) item
        where jsonb_typeof(item) <> 'string'
          or not app.is_visible(item #>> '{}')
          or char_length(item #>> '{}') > coalesce(item_max, case kind when 'ref[]' then 80 else 1000 end)
          or not app.is_clean(item #>> '{}'));
  end case;
end
$$;

-- Refs contain slugs, so slugs are short and plain.
create or replace function app.is_slug(value text) returns boolean language sql immutable
  return value ~ '^[a-z][a-z0-9-]{0,30}$';

-- Tells whether each reference is an id, as the door stores them.
create or replace function app.are_ids(value jsonb) returns boolean language sql immutable
  return case jsonb_typeof(value)
    when 'null' then true
    when 'array' then not exists (select from jsonb_array_elements_text(value) v where app.as_uuid(v) is null)
    else app.as_uuid(value #>> '{}') is not null end;

-- Tells whether all texts and keys of a value are clean, and it is at most 32 levels deep. In the text of jsonb a
-- control character is an escape, and a backslash is two.
create or replace function app.is_clean_json(value jsonb) returns boolean language sql immutable
  return app.is_clean(value::text)
    and replace(value::text, '\\', '') !~ '\\([bfr]|u00)'
    and not jsonb_path_exists(value, 'strict $.**{32} ? (@.type() == "object" || @.type() == "array")');

-- Formats the time since then in its largest unit: `2 minutes ago`.
create or replace function app.format_age(at timestamptz) returns text language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_seconds bigint := greatest(0, extract(epoch from app.now() - at))::bigint;
  v_size integer := case when v_seconds < 60 then 1 when v_seconds < 3600 then 60 else 3600 end;
  v_unit text := case v_size when 1 then 'second' when 60 then 'minute' else 'hour' end;
begin
  if v_seconds = 0 then
    return 'just now';
  end if;
  return format('%s %s%s ago', v_seconds / v_size, v_unit, case when v_seconds / v_size <> 1 then 's' else '' end);
end
$$;

-- Recreates policies and triggers whose definition changed: `create policy …; create trigger …`. That locks their
-- table, so an unchanged one is left alone; its comment keeps the hash of its definition.
create or replace function app.define_on_tables(definitions text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_definition text;
  v_parts text[];
  v_table regclass;
  v_hash text;
begin
  foreach v_definition in array regexp_split_to_array(regexp_replace(definitions, '^ *--.*$', '', 'gn'), ';') loop
    v_definition := btrim(v_definition, E' \n');
    continue when v_definition = '';
    v_parts := regexp_match(v_definition, '^create (policy|trigger) (\w+) .*?\mon ([a-z_.]+)');
    v_table := v_parts[3];
    v_hash := (
      select coalesce(obj_description(p.oid, 'pg_policy'), '') from pg_policy p
      where v_parts[1] = 'policy' and p.polrelid = v_table and p.polname = v_parts[2]
      union all
      select coalesce(obj_description(t.oid, 'pg_trigger'), '') from pg_trigger t
      where v_parts[1] = 'trigger' and t.tgrelid = v_table and t.tgname = v_parts[2]);
    continue when v_hash = md5(v_definition);
    if v_hash is not null then
      execute format('drop %s %I on %s', v_parts[1], v_parts[2], v_table);
    end if;
    execute v_definition;
    execute format('comment on %s %I on %s is %L', v_parts[1], v_parts[2], v_table, md5(v_definition));
  end loop;
end
$$;
