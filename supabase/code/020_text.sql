-- Texts and names: cleaned, folded, compared, in any script.

-- Lower case of all scripts, whatever the locale of the database: by the server's own rules.
do $do$
begin
  execute format(
    'create or replace function app.lower_case(content text) returns text language sql immutable '
    'return lower(content%s)',
    coalesce((
      select ' collate pg_catalog.' || quote_ident(c.collname) from pg_catalog.pg_collation c
      where c.collname in ('pg_c_utf8', 'und-x-icu') and c.collnamespace = 'pg_catalog'::regnamespace
      order by c.collname limit 1), ''));
end
$do$;

-- Puts a name on one line, or returns null if nobody can see any of it: removes control characters and characters that
-- turn the direction of text or take no room, and folds white space. `cleanName` in src/text.ts does the same; a test
-- compares them for every character.
create or replace function app.clean_name(value text, size_max integer) returns text language sql immutable
  return case when value ~ '^[!-~]+( [!-~]+)*$' then rtrim(left(value, size_max))
    else nullif(rtrim(left(btrim(regexp_replace(regexp_replace(
      left(value, 4 * size_max),
      '[\u0001-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F'
        || '\u200B-\u200F\u202A-\u202E\u2060-\u206F\u2800\u3164\uE000-\uF8FF\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB'
        || '\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U0010FFFF]', '', 'g'),
      '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')),
      size_max)), '') end;

-- Tells whether anybody can see any of a text.
create or replace function app.is_visible(value text) returns boolean language sql immutable
  return value ~ '[!-~]' or app.clean_name(value, char_length(value)) is not null;

-- Writes a name within a sentence: a plain word as it is, anything else in quotes, so that it never reads as the
-- sentence's own words.
create or replace function app.quoted_name(name text) returns text language sql immutable
  return case when name ~ '^[A-Za-z0-9_.@#+/-]{1,100}$' then name
    else to_json(coalesce(app.clean_name(name, 120), ''))::text end;

-- Writes a word of a command line, so that a shell takes it as one and interprets nothing in it.
create or replace function app.shell_word(word text) returns text language sql immutable
  return case when word ~ '^[A-Za-z0-9_@%+:,./-]+$' then word
    else concat('''', replace(word, '''', '''\'''''), '''') end;

-- Cleans a column of each written row. Arguments: the column, its size, and the replacement if nobody can see the name.
create or replace function app.clean_column()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := to_jsonb(new) ->> tg_argv[0];
  v_clean text := coalesce(app.clean_name(v_name, tg_argv[1]::integer), tg_argv[2]);
begin
  if v_name <> v_clean then
    new := jsonb_populate_record(new, jsonb_build_object(tg_argv[0], v_clean));
  end if;
  return new;
end
$$;

-- Finds the name of a user in the door's workspace, or null: a member's own, otherwise the one that is kept there.
create or replace function app.user_name(user_id uuid)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Keeps the name of a member who leaves.
create or replace function app.keep_name()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.user_names as n (tenant_id, user_id, name)
    select old.tenant_id, u.id, u.name from public.users u where u.id = old.user_id
    on conflict (tenant_id, user_id) do update set name = excluded.name;
  return old;
end
$$;

-- Folds what readers take for equal: capitals, accents, wide and narrow forms, optional vowel marks.
create or replace function app.fold_text(content text) returns text language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Tells whether a character's script writes no blanks between words or, like Hangul, joins words together.
create or replace function app.is_dense(sign text) returns boolean language sql immutable
  return '{[3584,3840),[4096,4256),[6016,6144),[11904,12256),[12293,12296),[12353,42192),[44032,55216),[63744,64256),
    [131072,205744)}'::int4multirange @> ascii(sign);

-- Writes text of such scripts as pairs of neighbours: any part of it is then found in order. In a text the last of a
-- run also stands alone, so that a search for a single character finds what begins with it; in a query it is left out.
create or replace function app.pair_characters(content text, of_query boolean) returns text language sql immutable
begin atomic
  select string_agg(
    case when not p.is_dense then p.c
      when p.is_next_dense then ' ' || p.c || p.next || ' '
      when of_query and p.was_dense then ' '
      else ' ' || p.c || ' ' end, '' order by p.at)
  from (
    select d.*, lead(d.c) over o as next, coalesce(lead(d.is_dense) over o, false) as is_next_dense,
      coalesce(lag(d.is_dense) over o, false) as was_dense
    from (
      select c.c, c.at, app.is_dense(c.c) as is_dense from string_to_table(content, null) with ordinality c (c, at)) d
    window o as (order by d.at)) p;
end;

-- Splits the names of code: getUserById, HTTPServer.
create or replace function app.split_names(content text) returns text language sql immutable
  return regexp_replace(regexp_replace(content, '([a-z0-9])([A-Z])', '\1 \2', 'g'),
    '([A-Z])([A-Z][a-z])', '\1 \2', 'g');

-- Lists the words that find a name of code: itself, its parts, and neighbouring parts together, so that OAuth2Client is
-- found as oauth and as oauth2. Digits are separate parts.
create or replace function app.name_words(name text) returns text language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Says how often: once, 2 times.
create or replace function app.times(count integer) returns text language sql immutable
  return case when count = 1 then 'once' else format('%s times', count) end;

-- Folds a label for comparison: without case.
create or replace function app.fold_label(label text) returns text language sql immutable
  return app.lower_case(normalize(label, nfc));
