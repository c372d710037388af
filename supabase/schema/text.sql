-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.clean_column()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_name text := to_jsonb(new) ->> tg_argv[0];
  v_clean text := coalesce(app.clean_name(v_name, tg_argv[1]::integer), tg_argv[2]);
begin
  if v_name <> v_clean then
    new := jsonb_populate_record(new, jsonb_build_object(tg_argv[0], v_clean));
  end if;
  return new;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.clean_name(value text, size_max integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN CASE WHEN (value ~ '^[!-~]+( [!-~]+)*$'::text) THEN rtrim("left"(value, size_max)) ELSE NULLIF(rtrim("left"(btrim(regexp_replace(regexp_replace("left"(value, (4 * size_max)), (('[\u0001-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F'::text || '\u200B-\u200F\u202A-\u202E\u2060-\u206F\u2800\u3164\uE000-\uF8FF\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB'::text) || '\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U0010FFFF]'::text), ''::text, 'g'::text), '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+'::text, ' '::text, 'g'::text)), size_max)), ''::text) END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_label(label text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN app.lower_case(NORMALIZE(label, NFC));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_text(content text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if octet_length(content) = char_length(content) then
    return app.lower_case(content);
  end if;
  content := app.lower_case(normalize(content, nfkd));
  content := regexp_replace(content, '([a-z\u03b1-\u03c9])[\u0300-\u036f]+', '\1', 'g');
  content := regexp_replace(content,
    '[\u00ad\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]+', '', 'g');
  content := replace(replace(replace(normalize(content, nfc), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
  return translate(content, 'ςёıøłđ', 'σеiold');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_dense(sign text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN ('{[3584,3840),[4096,4256),[6016,6144),[11904,12256),[12293,12296),[12353,42192),[44032,55216),[63744,64256),[131072,205744)}'::int4multirange @> ascii(sign));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_visible(value text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN ((value ~ '[!-~]'::text) OR (app.clean_name(value, char_length(value)) IS NOT NULL));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.keep_name()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into app.user_names as n (tenant_id, user_id, name)
    select old.tenant_id, u.id, u.name from public.users u where u.id = old.user_id
    on conflict (tenant_id, user_id) do update set name = excluded.name;
  return old;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lower_case(content text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN lower((content COLLATE pg_c_utf8));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.name_words(name text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_parts text[] := regexp_split_to_array(
    regexp_replace(regexp_replace(app.split_names(left(name, 200)), '([A-Za-z])([0-9])', '\1 \2', 'g'),
      '([0-9])([A-Za-z])', '\1 \2', 'g'),
    ' ');
begin
  return (
    select string_agg(distinct lower(array_to_string(v_parts[p.first : p.first + s.size - 1], '')), ' ')
    from generate_subscripts(v_parts, 1) p (first)
    cross join generate_series(1, 3) s (size)
    where p.first + s.size - 1 <= cardinality(v_parts)) || ' ' || lower(name);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.pair_characters(content text, of_query boolean)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
BEGIN ATOMIC
 SELECT string_agg(
         CASE
             WHEN (NOT p.is_dense) THEN p.c
             WHEN p.is_next_dense THEN (((' '::text || p.c) || p.next) || ' '::text)
             WHEN (pair_characters.of_query AND p.was_dense) THEN ' '::text
             ELSE ((' '::text || p.c) || ' '::text)
         END, ''::text ORDER BY p.at) AS string_agg
    FROM ( SELECT d.c,
             d.at,
             d.is_dense,
             lead(d.c) OVER o AS next,
             COALESCE(lead(d.is_dense) OVER o, false) AS is_next_dense,
             COALESCE(lag(d.is_dense) OVER o, false) AS was_dense
            FROM ( SELECT c.c,
                     c.at,
                     app.is_dense(c.c) AS is_dense
                    FROM string_to_table(pair_characters.content, NULL::text) WITH ORDINALITY c(c, at)) d
           WINDOW o AS (ORDER BY d.at)) p;
END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.quoted_name(name text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN CASE WHEN (name ~ '^[A-Za-z0-9_.@#+/-]{1,100}$'::text) THEN name ELSE (to_json(COALESCE(app.clean_name(name, 120), ''::text)))::text END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.shell_word(word text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN CASE WHEN (word ~ '^[A-Za-z0-9_@%+:,./-]+$'::text) THEN word ELSE concat('''', replace(word, ''''::text, '''\'''''::text), '''') END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.split_names(content text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN regexp_replace(regexp_replace(content, '([a-z0-9])([A-Z])'::text, '\1 \2'::text, 'g'::text), '([A-Z])([A-Z][a-z])'::text, '\1 \2'::text, 'g'::text);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.times(count integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN CASE WHEN (count = 1) THEN 'once'::text ELSE format('%s times'::text, count) END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.user_name(user_id uuid)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_tenant uuid := app.get_tenant_id();
  v_name text;
begin
  select u.name into v_name from public.memberships m join public.users u on u.id = m.user_id
    where m.tenant_id = v_tenant and m.user_id = user_name.user_id;
  if not found then
    select n.name into v_name from app.user_names n where n.tenant_id = v_tenant and n.user_id = user_name.user_id;
  end if;
  return v_name;
end
$function$;
-- owner cairn_owner
