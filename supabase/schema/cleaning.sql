-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.are_rules(rules jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform app.check_rules(rules);
  return true;
exception
  when sqlstate 'PT400' then
    return false;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_actor(event public.events)
 RETURNS public.events
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_evidence(evidence jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(c.item ORDER BY c.at), '[]'::jsonb) AS "coalesce"
    FROM ( SELECT e.at,
                 CASE jsonb_typeof((e.item -> 'note'::text))
                     WHEN 'string'::text THEN (e.item || jsonb_build_object('note', "left"((e.item ->> 'note'::text), 4000)))
                     ELSE e.item
                 END AS item
            FROM jsonb_array_elements(clean_evidence.evidence) WITH ORDINALITY e(item, at)) c
   WHERE app.is_evidence(jsonb_build_array(c.item));
END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_field(value jsonb, field app.event_fields)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_json(value jsonb, size_max integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_clean jsonb := regexp_replace(app.clean_text(value::text),
    '(\\["\\nt])|\\(?:[bfr]|u[0-9a-f]{4})', '\1', 'g')::jsonb;
begin
  if octet_length(v_clean::text) > size_max then
    return null;
  end if;
  return case when app.is_clean_json(v_clean) then v_clean else app.cut_json(v_clean, 32) end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_line(value text, size_max integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN (SELECT CASE WHEN (app.clean_name(c.line, clean_line.size_max) IS NOT NULL) THEN c.line ELSE NULL::text END AS "case" FROM rtrim("left"(btrim(regexp_replace(app.clean_text(clean_line.value), '\s+'::text, ' '::text, 'g'::text)), clean_line.size_max)) c(line));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_payload(event public.events)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_rules(rules jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_scope(scope jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_text(value text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN regexp_replace(regexp_replace(value, '\r\n?'::text, '
'::text, 'g'::text), '[\u0001-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]'::text, ''::text, 'g'::text);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.cut_json(value jsonb, levels integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.has_clean_actor(event public.events)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN ((NOT (((event).actor ->> 'agent'::text) IS DISTINCT FROM app.clean_name(((event).actor ->> 'agent'::text), 120))) AND (NOT (((event).actor ->> 'client'::text) IS DISTINCT FROM app.clean_name(((event).actor ->> 'client'::text), 120))));
-- owner cairn_owner
