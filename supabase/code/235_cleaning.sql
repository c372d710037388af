-- Cleaning: makes what an earlier version recorded fit what this one allows, for imports.

-- Removes the characters that app.is_clean refuses. Line breaks of every system become a line feed.
create or replace function app.clean_text(value text) returns text language sql immutable
  return regexp_replace(regexp_replace(value, '\r\n?', E'\n', 'g'),
    '[\u0001-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]', '', 'g');

-- Cleans a text and puts it on one line; null if nothing visible is left.
create or replace function app.clean_line(value text, size_max integer) returns text language sql immutable
  return (select case when app.clean_name(c.line, size_max) is not null then c.line end
    from rtrim(left(btrim(regexp_replace(app.clean_text(value), '\s+', ' ', 'g')), size_max)) c (line));

-- Replaces each value below the given number of levels with a word.
create or replace function app.cut_json(value jsonb, levels integer)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(value) not in ('object', 'array') then
    return value;
  elsif levels = 0 then
    return '"[cleaned]"';
  elsif jsonb_typeof(value) = 'object' then
    return (select coalesce(jsonb_object_agg(e.key, app.cut_json(e.value, levels - 1)), '{}') from jsonb_each(value) e);
  end if;
  return (
    select coalesce(jsonb_agg(app.cut_json(e.value, levels - 1) order by e.ordinality), '[]')
    from jsonb_array_elements(value) with ordinality e);
end
$$;

-- Cleans the texts and keys of a value in its text form, in which control characters are escapes; null if the value is
-- still too large.
create or replace function app.clean_json(value jsonb, size_max integer)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_clean jsonb := regexp_replace(app.clean_text(value::text),
    '(\\["\\nt])|\\(?:[bfr]|u[0-9a-f]{4})', '\1', 'g')::jsonb;
begin
  if octet_length(v_clean::text) > size_max then
    return null;
  end if;
  return case when app.is_clean_json(v_clean) then v_clean else app.cut_json(v_clean, 32) end;
end
$$;

-- Cleans the value of a field by its kind; null if it still does not fit.
create or replace function app.clean_field(value jsonb, field app.event_fields)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_items text[] := array(
    select i #>> '{}' from jsonb_path_query(value, 'strict $ ? (@.type() == "array")[*]') i);
begin
  case
    when field.kind = 'object' and jsonb_typeof(value) = 'object' then
      return app.clean_json(value, 2 * field.size_max);
    when field.kind = 'array' and jsonb_typeof(value) = 'array' then
      return app.clean_json(value, field.size_max);
    when field.kind = 'text[]' and jsonb_typeof(value) = 'array' then
      -- Keeps empty items, because evidence names criteria by their position.
      return to_jsonb(array(
        select case when app.is_visible(c.text) then c.text else '[cleaned]' end
        from unnest(v_items[:field.size_max]) with ordinality i (item, at)
        cross join lateral (select left(app.clean_text(i.item), field.item_max) as text) c
        order by i.at));
    when field.kind = 'label[]' and jsonb_typeof(value) = 'array' then
      return to_jsonb((array(
        select i.name
        from (select app.clean_name(u, field.item_max) as name, at from unnest(v_items) with ordinality x (u, at)) i
        where i.name is not null
        group by i.name
        order by min(i.at)))[:field.size_max]);
    when field.kind = 'text' and jsonb_typeof(value) = 'string' then
      return to_jsonb(left(app.clean_text(value #>> '{}'), field.size_max));
    when field.kind = 'said' and jsonb_typeof(value) = 'string' then
      return (
        select case when app.is_visible(c.text) then to_jsonb(c.text) when field.required then '"[cleaned]"' end
        from left(app.clean_text(value #>> '{}'), field.size_max) c (text));
    when field.kind = 'line' and jsonb_typeof(value) = 'string' then
      return to_jsonb(coalesce(app.clean_line(value #>> '{}', field.size_max),
        case when field.required then '[cleaned]' end));
    else
      return null;
  end case;
end
$$;

-- Cleans the lists and limits of a scope. A glob that is too long or has too many wildcards allows nothing; if it
-- denies, it then denies everything with the same beginning.
create or replace function app.clean_scope(scope jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_items text[];
begin
  if jsonb_typeof(scope) <> 'object' then
    return null;
  end if;
  foreach v_key in array array['paths', 'deny', 'notes'] loop
    continue when not scope ? v_key;
    v_items := array(
      select g #>> '{}' from jsonb_path_query(scope -> v_key, 'strict $ ? (@.type() == "array")[*]') g);
    v_items := array(
      select case when v_key = 'notes' then left(g, 1000)
        when char_length(g) <= 1000 and app.count_wildcards(g) <= 16 then g
        when v_key = 'deny' then left(substring(g from '^[^*?]*'), 998) || '**' end
      from unnest(v_items[:50]) with ordinality i (g, at)
      where g ~ '\S'
      order by at);
    scope := scope || jsonb_build_object(v_key, to_jsonb(array_remove(v_items, null)));
  end loop;
  foreach v_key in array array['files_max', 'lines_max'] loop
    if scope ? v_key and not app.validate_field(scope -> v_key, 'integer', 1000000, null) then
      scope := scope - v_key;
    end if;
  end loop;
  return scope;
end
$$;

create or replace function app.are_rules(rules jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.check_rules(rules);
  return true;
exception
  when sqlstate 'PT400' then
    return false;
end
$$;

-- Removes rules that do not fit. Rules that this version does not know stay, so that the checks refuse them.
create or replace function app.clean_rules(rules jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  if rules ? 'scope' then
    rules := rules || jsonb_build_object('scope', app.clean_scope(rules -> 'scope'));
  end if;
  foreach v_key in array array['gates', 'triggers'] loop
    if jsonb_typeof(rules -> v_key) = 'array' and not app.are_rules(jsonb_build_object(v_key, rules -> v_key)) then
      rules := rules || jsonb_build_object(v_key, (
        select coalesce(jsonb_agg(r.value order by r.ordinality), '[]')
        from jsonb_array_elements(rules -> v_key) with ordinality r
        where r.ordinality <= 20 and app.are_rules(jsonb_build_object(v_key, jsonb_build_array(r.value)))));
    end if;
  end loop;
  foreach v_key in array array['scope', 'gates', 'triggers', 'attempts_max'] loop
    if rules ? v_key and not app.are_rules(jsonb_build_object(v_key, rules -> v_key)) then
      rules := rules - v_key;
    end if;
  end loop;
  return rules;
end
$$;

-- Removes invalid evidence, and cuts the notes of the rest.
create or replace function app.clean_evidence(evidence jsonb) returns jsonb language sql immutable
begin atomic
  select coalesce(jsonb_agg(c.item order by c.at), '[]')
  from (
    select e.at, case jsonb_typeof(e.item -> 'note')
        when 'string' then e.item || jsonb_build_object('note', left(e.item ->> 'note', 4000))
        else e.item end as item
    from jsonb_array_elements(evidence) with ordinality e (item, at)) c
  where app.is_evidence(jsonb_build_array(c.item));
end;

-- Makes the data of an event fit today's checks: cleans and cuts texts, and removes optional fields that still do not
-- fit. Required fields, references, choices, fields that the door adds and unknown fields stay, so that the checks
-- refuse them.
create or replace function app.clean_payload(event public.events)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_payload jsonb := event.payload;
  v_field app.event_fields;
  v_value jsonb;
begin
  for v_field in
    select f.* from app.event_fields f
    where f.event_type = event.event_type
      and event.payload ? f.field
      and f.kind not in ('one_of', 'ref', 'ref[]')
      and not f.by_door
  loop
    v_value := v_payload -> v_field.field;
    continue when v_value = 'null' and v_field.kind = 'number' and not v_field.required
      or app.validate_field(v_value, v_field.kind,
        case v_field.kind when 'object' then 2 * v_field.size_max else v_field.size_max end, v_field.one_of,
        v_field.item_max);
    v_value := app.clean_field(v_value, v_field);
    if v_value is not null then
      v_payload := v_payload || jsonb_build_object(v_field.field, v_value);
    elsif not v_field.required then
      v_payload := v_payload - v_field.field;
    end if;
  end loop;
  if v_payload ? 'rules' then
    v_payload := v_payload || jsonb_build_object('rules', app.clean_rules(v_payload -> 'rules'));
  end if;
  if v_payload ? 'constraints' then
    v_payload := v_payload || jsonb_build_object('constraints', app.clean_scope(v_payload -> 'constraints'));
  end if;
  if v_payload ? 'evidence' then
    v_payload := v_payload || jsonb_build_object('evidence', app.clean_evidence(v_payload -> 'evidence'));
  end if;
  return v_payload;
end
$$;

-- Tells whether the names of agent and client are those that the door would record.
create or replace function app.has_clean_actor(event public.events) returns boolean language sql immutable
  return event.actor ->> 'agent' is not distinct from app.clean_name(event.actor ->> 'agent', 120)
    and event.actor ->> 'client' is not distinct from app.clean_name(event.actor ->> 'client', 120);

-- Returns an event with the names of its agent and client cleaned. The hash covers the names, so they are cleaned
-- whenever they are read. Cleaning never makes a client `ci`.
create or replace function app.clean_actor(event public.events)
  returns public.events
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent text := event.actor ->> 'agent';
  v_client text := app.clean_name(event.actor ->> 'client', 120);
begin
  event.actor := jsonb_strip_nulls(jsonb_build_object(
    'user', event.actor -> 'user',
    'agent', coalesce(app.clean_name(v_agent, 120), case when v_agent is not null then 'agent' end),
    'client', case when v_client <> 'ci' or event.actor ->> 'client' = 'ci' then v_client end));
  return event;
end
$$;
