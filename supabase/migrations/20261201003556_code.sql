-- Made by `npm run schema` of cairn 0.1.0: supabase/code as one file, for the Supabase CLI. Do not edit.

do $$
declare
  v_program text := (select a.program from supabase_migrations.cairn_applied a where a.name = 'code');
begin
  if string_to_array(split_part(v_program, '-', 1), '.')::integer[] > array[0, 1, 0] then
    raise exception 'The database has the code of cairn %, which is newer than 0.1.0.', v_program
      using hint = 'Update this clone, or leave the database to the newer one.';
  end if;
end
$$;

set local check_function_bodies = off;

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

-- Actors, their workspace, and the limits of their token.

-- Policies call these and must inline them: no clause, but bodies whose names PostgreSQL resolves here and now.
create or replace function app.get_tenant_id() returns uuid language sql stable
  return nullif(current_setting('app.tenant_id', true), '')::uuid;

create or replace function app.get_caller_id() returns uuid language sql stable
  return nullif(current_setting('app.user_id', true), '')::uuid;

-- Returns the signed-in user of the verified claims, as auth.uid() does. Our functions' owner may not enter a hosted
-- project's schema auth, and the migrating role may not let it in.
create or replace function app.get_signed_in_id() returns uuid language sql stable
  return app.as_uuid(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub');

-- Lists the signed-in user's workspaces; policies read it as `tenant_id in (select app.my_tenants())`, once a
-- statement.
create or replace function app.my_tenants()
  returns setof uuid
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select m.tenant_id from public.memberships m where m.user_id = (select app.get_signed_in_id())
$$;

create or replace function app.role_rank(role text) returns integer language sql immutable as $$
  select case role when 'owner' then 4 when 'admin' then 3 when 'member' then 2 when 'viewer' then 1 else 0 end
$$;

-- Creates a user's personal workspace; it has the user's own id, so that two first calls at once make one.
create or replace function app.provision_user(user_id uuid, name text, email text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := coalesce(app.clean_name(provision_user.name, 200), app.clean_name(provision_user.email, 200), 'user');
begin
  perform set_config('app.user_id', provision_user.user_id::text, true);
  perform set_config('app.tenant_id', provision_user.user_id::text, true);
  -- A user whom only imported events named is called from now on as the server that signs them in says.
  insert into public.users as u (id, name, email) values (provision_user.user_id, v_name, provision_user.email)
    on conflict (id) do update set name = excluded.name, email = excluded.email
    where not exists (select from public.memberships m where m.user_id = u.id);
  insert into public.tenants (id, name) values (provision_user.user_id, v_name) on conflict do nothing;
  insert into app.positions (tenant_id) values (provision_user.user_id) on conflict do nothing;
  insert into public.memberships (tenant_id, user_id, role)
    values (provision_user.user_id, provision_user.user_id, 'owner') on conflict do nothing;
end
$$;

-- Tells whether the server's own role calls, which is trusted to name the actor. `role` is set by SET ROLE (PostgREST
-- does so for each request); a definer function does not change it.
create or replace function app.caller_is_server()
  returns boolean
  language sql
  stable
as $$
  select pg_has_role(coalesce(nullif(current_setting('role', true), 'none'), session_user), 'cairn_server', 'member')
$$;

-- Every callable function begins here. Checks the caller, the workspace, the role, the token of the call and its limit.
-- A name of no project counts as an empty project. Raises unauthenticated, forbidden.
create or replace function app.authenticate(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  v_actor.user_id := case
    when app.caller_is_server() then app.as_uuid(actor ->> 'user_id')
    else app.get_signed_in_id() end;
  if v_actor.user_id is null then
    perform app.fail('unauthenticated', 'Nobody is signed in.', null, 'Sign in, then try again.');
  end if;
  -- An agent whose name nobody can see is still one, and no person; one that calls itself `system` is not Cairn itself.
  v_actor.agent := coalesce(nullif(app.clean_name(actor ->> 'agent', 120), 'system'),
    case when actor ->> 'agent' <> '' then 'agent' end);
  v_actor.client := app.clean_name(actor ->> 'client', 120);
  v_actor.user_id := set_config('app.user_id', v_actor.user_id::text, true);
  v_actor.tenant_id := app.as_uuid(actor ->> 'tenant_id');
  v_actor.project_id := case when actor ->> 'project_id' is not null
    then coalesce(app.as_uuid(actor ->> 'project_id'), app.get_nil_id()) end;
  v_actor.drives := actor ->> 'drives';
  if actor ? 'proof' then
    v_actor := app.prove_token(v_actor, actor -> 'proof');
  elsif v_actor.tenant_id is null then
    select m.tenant_id, m.role into v_actor.tenant_id, v_actor.role from public.memberships m
      where m.user_id = v_actor.user_id
      order by (m.tenant_id = m.user_id) desc, m.created_at limit 1;
    if not found then
      perform app.provision_user(v_actor.user_id,
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email', null);
      v_actor.tenant_id := v_actor.user_id;
      v_actor.role := 'owner';
    end if;
  else
    select m.role into v_actor.role from public.memberships m
      where m.tenant_id = v_actor.tenant_id and m.user_id = v_actor.user_id;
  end if;
  if app.role_rank(v_actor.role) < app.role_rank(role_min) or v_actor.role is null then
    perform app.fail('forbidden',
      format('This needs the role %s in the workspace; you have %s.', role_min, coalesce(v_actor.role, 'none')),
      null, 'Ask an owner of the workspace.');
  end if;
  -- A token that drives an agent speaks as this agent, whatever name its caller sends.
  v_actor.agent := coalesce(v_actor.drives, v_actor.agent);
  v_actor.tenant_id := set_config('app.tenant_id', v_actor.tenant_id::text, true);
  v_actor.project_id := nullif(set_config('app.project_id', coalesce(v_actor.project_id::text, ''), true), '');
  perform set_config('app.process', coalesce(app.as_uuid(actor ->> 'process')::text, ''), true),
    -- The server alone knows it.
    set_config('app.ip', case when actor ? 'ip' and app.caller_is_server() then actor ->> 'ip' else '' end, true);
  return v_actor;
end
$$;

-- Returns the id for a new user of an identity; Supabase's users already have one.
create or replace function app.user_of(identity jsonb) returns uuid language sql immutable as $$
  select case when identity ->> 'issuer' = 'supabase'
    then app.as_uuid(identity ->> 'subject')
    else encode(substring(sha256(convert_to(
      jsonb_build_array(identity ->> 'issuer', identity ->> 'subject')::text, 'UTF8')) for 16), 'hex')::uuid end
$$;

-- sign_in(identity {issuer, subject, name?, email?}) -> {user_id, tenant_id, role}. Only for the server's role: it
-- vouches for the identity. The first call creates the user and a personal workspace.
create or replace function public.sign_in(identity jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_user uuid := app.user_of(identity);
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server signs users in.');
  end if;
  if coalesce(identity ->> 'issuer', '') = '' or coalesce(identity ->> 'subject', '') = '' then
    perform app.fail('invalid_input', 'An identity has an issuer and a subject.');
  end if;
  perform app.provision_user(v_user,
    coalesce(app.clean_name(identity ->> 'name', 200), identity ->> 'subject'), left(identity ->> 'email', 320));
  v_actor := app.authenticate(jsonb_build_object('user_id', v_user)
    || jsonb_strip_nulls(jsonb_build_object('tenant_id', actor ->> 'tenant_id')));
  return jsonb_build_object('user_id', v_actor.user_id, 'tenant_id', v_actor.tenant_id, 'role', v_actor.role);
end
$$;

-- Returns an actor's name in a workspace: as an agent, otherwise through a client.
create or replace function app.actor_name(actor app.actor) returns text language sql immutable
  return coalesce(actor.agent, actor.client, 'user');

create or replace function app.actor_name(event public.events) returns text language sql immutable as $$
  select coalesce(event.actor ->> 'agent', event.actor ->> 'client', 'user')
$$;

-- Rows without a workspace yet (a client that registered itself, a login that has not happened) carry this tenant.
create or replace function app.get_nil_id() returns uuid language sql immutable
  return '00000000-0000-0000-0000-000000000000'::uuid;

-- A row may be found by its secret before its workspace is known: policies open the one row of the presented hash.
create or replace function app.get_credential_hash() returns text language sql stable
  return nullif(current_setting('app.credential_hash', true), '');

-- The project that limits the token of the call; null without a limit.
create or replace function app.get_token_project() returns uuid language sql stable
  return nullif(current_setting('app.project_id', true), '')::uuid;

-- Tells whether the call may reach rows of a project. It is worded so that the planner drops it for a call without a
-- limit.
create or replace function app.token_allows_project(project_id uuid) returns boolean language sql stable
  return (token_allows_project.project_id <> app.get_token_project()) is not true;

-- Protects the workspace's own data, outside of projects. Raises forbidden if the token is limited to a project.
create or replace function app.refuse_limited(actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_slug text;
begin
  if actor.project_id is not null then
    select p.slug into v_slug from public.projects p where p.tenant_id = actor.tenant_id and p.id = actor.project_id;
    perform app.fail('forbidden',
      format('This token is limited to %s.', coalesce('the project ' || v_slug, 'a project that is gone')), null,
      'Other projects, and what concerns all of them, need a token without --project. Ask the person you work for.');
  end if;
end
$$;

-- Tells whether an actor is a person with all rights of their own: no agent, and no token of one project.
create or replace function app.is_person(actor app.actor) returns boolean language sql immutable as $$
  select actor.agent is null and actor.project_id is null
$$;

-- Refuses an agent, and a limited token, what a person alone decides; `what` begins the sentence, as 'What models cost
-- is decided'. Raises forbidden.
create or replace function app.refuse_agent(actor app.actor, what text, command text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.refuse_limited(actor);
  if actor.agent is not null then
    perform app.fail('forbidden', format('%s by a person, not by an agent.', what), null,
      format('Ask the person to run `%s` in a terminal of their own.', command));
  end if;
end
$$;

-- The user of the machine that a server runs on.
create or replace function app.get_local_owner() returns uuid language sql immutable as $$
  select app.user_of('{"issuer": "local", "subject": "owner"}')
$$;

-- Refuses all but the user who runs the server what concerns all workspaces; `what` ends the sentence, as 'says what
-- models cost'. Raises forbidden.
create or replace function app.refuse_guest(actor app.actor, what text, command text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Nobody who signs in has this id.
  if actor.user_id <> app.get_local_owner() then
    perform app.fail('forbidden', format('Whoever runs the server %s.', what), null,
      format('Call `%s` on the machine of the server.', command));
  end if;
end
$$;

-- Calls only for the server's own role begin here, before the user is known: they act in no workspace. Raises
-- forbidden.
create or replace function app.authenticate_server(actor jsonb, secret_hash text default null)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server does this.');
  end if;
  v_actor.tenant_id := app.get_nil_id();
  v_actor.client := app.clean_name(actor ->> 'client', 500);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true), set_config('app.user_id', '', true),
    set_config('app.project_id', '', true), set_config('app.ip', '', true),
    set_config('app.credential_hash', coalesce(secret_hash, ''), true);
  return v_actor;
end
$$;

-- The same in the workspace that a secret names: only this one is searched for its hash. Raises forbidden.
create or replace function app.authenticate_workspace(actor jsonb)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  v_actor.tenant_id := coalesce(app.as_uuid(actor ->> 'tenant_id'), v_actor.tenant_id);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
  return v_actor;
end
$$;

-- The same for work that nobody asked for, in a workspace: its actor is `system`, which is no person. Raises forbidden.
create or replace function app.authenticate_system(actor jsonb)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
begin
  v_actor.user_id := app.get_nil_id();
  v_actor.agent := 'system';
  return v_actor;
end
$$;

-- Who records what nobody asked for in a workspace: `system`, for its first owner. Without an owner it has no user.
create or replace function app.system_actor(tenant_id uuid)
  returns app.actor
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  v_actor.tenant_id := system_actor.tenant_id;
  v_actor.agent := 'system';
  select m.user_id, m.role into v_actor.user_id, v_actor.role
    from public.memberships m
    where m.tenant_id = system_actor.tenant_id and m.role = 'owner'
    order by m.created_at, m.user_id limit 1;
  return v_actor;
end
$$;

-- Either that, or a member who is not limited to a project. Raises unauthenticated, forbidden.
create or replace function app.authenticate_reader(actor jsonb)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if app.as_uuid(actor ->> 'user_id') = app.get_nil_id() then
    return app.authenticate_system(actor);
  end if;
  v_actor := app.authenticate(actor);
  perform app.refuse_limited(v_actor);
  return v_actor;
end
$$;

-- The same for a person whom the server has authenticated, in a workspace where the role suffices, and without a limit.
-- Raises forbidden, unauthenticated.
create or replace function app.authenticate_person(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server does this.');
  end if;
  perform set_config('app.credential_hash', '', true);
  v_actor := app.authenticate(actor, role_min);
  perform app.refuse_limited(v_actor);
  return v_actor;
end
$$;

create or replace function app.read_ip(actor jsonb)
  returns inet
  language sql
  stable
as $$
  select case when app.caller_is_server() then nullif(actor ->> 'ip', '')::inet end
$$;

select app.define_on_tables($triggers$
  create trigger users_clean_name before insert or update of name on public.users
    for each row execute function app.clean_column('name', '200', 'user');

  create trigger users_clean_email before insert or update of email on public.users
    for each row execute function app.clean_column('email', '320', '-');

  create trigger tenants_clean_name before insert or update of name on public.tenants
    for each row execute function app.clean_column('name', '200', 'workspace');

  create trigger user_names_clean before insert or update of name on app.user_names
    for each row execute function app.clean_column('name', '200', 'user');

  create trigger memberships_keep_name before delete on public.memberships
    for each row execute function app.keep_name();
$triggers$);

-- Owners, row level security and grants of what the chapters make.

-- Functions run as cairn_owner, which policies bind; signed-in users may call functions that verify the caller, and the
-- server's own role those that trust it.
create or replace function app.secure_functions()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_function record;
  v_by_keeper constant text[] := array['blank_event', 'due_records', 'forget_screens', 'measure_records',
    'purge_expired', 'record_files_to_remove', 'remove_events', 'told_workspaces', 'unarchived_records',
    'workspaces_in'];
begin
  grant create on schema public, app to cairn_owner, cairn_keeper;
  for v_function in
    select
      p.oid::regprocedure as name,
      n.nspname as schema,
      case when p.proname = any (v_by_keeper) and n.nspname = 'app' then 'cairn_keeper' else 'cairn_owner' end as owner,
      p.prosrc ~ 'app\.(caller_is_server|authenticate_(server|workspace|system|person))\(' as for_server
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname = 'app'
        or n.nspname = 'public' and p.prosecdef and p.prosrc ~ 'app\.(authenticate|caller_is_server)')
      and p.proowner not in ('cairn_owner'::regrole, 'cairn_keeper'::regrole)
      -- They are for the owner of the tables, the role that migrates.
      and not (n.nspname = 'app' and p.proname in ('make_partitions', 'drop_partition', 'analyze_records'))
  loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function.name);
    execute format('alter routine %s owner to %I', v_function.name, v_function.owner);
    if v_function.schema = 'public' then
      execute format('grant execute on function %s to cairn_server, service_role', v_function.name);
      if not v_function.for_server then
        execute format('grant execute on function %s to authenticated', v_function.name);
      end if;
    end if;
  end loop;
  revoke create on schema public, app from cairn_owner, cairn_keeper;
end
$$;

-- Secures a table: row level security, forced, and the grants and policies that follow from its columns. A limited
-- token cannot reach rows without a project.
create or replace function app.secure_table(name regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := (select c.relname from pg_class c where c.oid = name);
  v_schema text := (select c.relnamespace::regnamespace::text from pg_class c where c.oid = name);
  v_path text := format('%I.%I', v_schema, v_name);
  v_has_tenant boolean := exists (
    select from pg_attribute a
    where a.attrelid = name and a.attname = 'tenant_id' and not a.attisdropped);
  v_own constant text := 'tenant_id in (select app.my_tenants())';
  v_is_registry constant boolean := v_name in ('event_types', 'event_fields', 'task_moves', 'read_models',
    'record_tables');
  v_is_appended constant boolean := v_name in ('events', 'auth_events')
    or exists (select from app.record_tables r where r.table_name = v_name and r.appended);
begin
  if not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = name) then
    execute format('revoke all on table %s from public, anon, authenticated, service_role', name);
    execute format('alter table %s enable row level security', name);
    execute format('alter table %s force row level security', name);
  end if;
  if v_is_registry then
    execute format('grant select on table %s to cairn_owner, cairn_keeper', name);
    perform app.define_on_tables(format(
      'create policy read on %s for select to cairn_owner, cairn_keeper using (true)', v_path));
  else
    execute format('grant select, insert on table %s to cairn_owner', name);
  end if;
  if not v_is_registry and not v_is_appended then
    execute format('grant update, delete on table %s to cairn_owner', name);
  end if;
  if v_schema = 'public' and v_name not in ('oauth_tokens', 'system_config', 'system_config_history') then
    execute format('grant select on table %s to authenticated', name);
  end if;
  if v_has_tenant and v_name not in ('events', 'memberships', 'search_documents') then
    perform app.define_on_tables(format(
      'create policy door on %s for all to cairn_owner using (tenant_id = app.get_tenant_id()) '
      'with check (tenant_id = app.get_tenant_id())', v_path));
  end if;
  -- Whatever else lets a row through: a token that is limited to a project reaches that one alone. Of what hangs on
  -- another row (edges, texts to search), that row is what is told.
  if app.project_of_rows(name) is not null then
    perform app.define_on_tables(format(
      'create policy reach on %s as restrictive for all to cairn_owner using (app.token_allows_project(%s)) '
      'with check (app.token_allows_project(%2$s))', v_path, app.project_of_rows(name)));
  end if;
  -- The second wall for signed-in users: no privilege but select lets them reach the other three.
  if v_schema = 'public' and v_has_tenant and v_name not in ('events', 'memberships', 'oauth_tokens') then
    perform app.define_on_tables(format(
      'create policy own_select on %1$s for select to authenticated using (%2$s);
      create policy own_insert on %1$s for insert to authenticated with check (%2$s);
      create policy own_update on %1$s for update to authenticated using (%2$s) with check (%2$s);
      create policy own_delete on %1$s for delete to authenticated using (%2$s);', v_path, v_own));
  end if;
end
$$;

-- Finds the expression of the project of a table's rows; null if they have none. A token itself belongs to no project.
create or replace function app.project_of_rows(name regclass)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select format(case when a.attnotnull then '%I' else 'coalesce(%I, app.get_nil_id())' end, a.attname)
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid
  where c.oid = name
    and not a.attisdropped
    and a.attname = case c.relname when 'projects' then 'id' when 'oauth_tokens' then null else 'project_id' end
$$;

-- Secures all tables of `app`, and Cairn's own in `public`, which another application may share.
create or replace function app.secure_tables()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table regclass;
begin
  -- Listed before: a table that a query reads cannot be altered.
  foreach v_table in array array(
    select c.oid::regclass
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and (n.nspname = 'app' or n.nspname = 'public' and (
      c.relname in ('users', 'tenants', 'memberships', 'events', 'leases', 'oauth_tokens', 'system_config',
        'system_config_history', 'model_prices', 'run_usage')
      or exists (select from app.read_models m where m.table_name = c.relname)
      or exists (select from app.record_tables r where r.table_name = c.relname))))
  loop
    perform app.secure_table(v_table);
  end loop;
end
$$;

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

-- Made by `npm run schema` from src/events: the event types, and the limits of their data. Do not edit.

select app.declare_event('agent.configured', 'verb_only', 'type:line:40',
  'driver:one_of:claude|codex|acp|pipe|pty|hook|pull|otlp', 'host_machine:line:200', 'config:object:8192');

select app.declare_event('agent.paused', 'reason:text:300');

select app.declare_event('agent.registered', 'creates', 'verb_only', 'type!:line:40',
  'driver!:one_of:claude|codex|acp|pipe|pty|hook|pull|otlp', 'host_machine:line:200', 'config:object:8192',
  'name!:line:60', 'project:ref:80');

select app.declare_event('agent.renamed', 'name!:line:60');

select app.declare_event('agent.resumed');

select app.declare_event('agent.retired');

select app.declare_event('alert.acknowledged', 'note:text:2000');

select app.declare_event('alert.raised', 'creates', 'verb_only', 'severity!:one_of:low|medium|high|critical',
  'title!:line:300', 'details!:object:16384', 'kind!:line:100', 'dedup_key!:line:200', 'project:ref:80');

select app.declare_event('alert.repeated', 'verb_only', 'severity!:one_of:low|medium|high|critical', 'title!:line:300',
  'details!:object:16384');

select app.declare_event('alert.resolved', 'note:text:2000');

select app.declare_event('alert.snoozed', 'note:text:2000', 'seconds!:positive:2592000');

select app.declare_event('approval.decided', 'verb_only', 'decision!:one_of:approved|denied', 'answer:text:4000',
  'note:text:2000');

select app.declare_event('approval.expired', 'verb_only');

select app.declare_event('approval.requested', 'creates', 'kind!:one_of:permission|question|task', 'title!:line:500',
  'detail:object:16384', 'options:text[]:20:200', 'ttl_seconds:positive:604800', 'run:ref:80', 'task:ref:80',
  'project:ref:80', 'asked_of:line:120');

select app.declare_event('approval.withdrawn');

select app.declare_event('artifact.added', 'creates', 'task:ref:80', 'run:ref:80', 'project:ref:80',
  'type!:one_of:diff|pr|test_report|document|other', 'ref!:line:2000', 'summary:text:4000', 'files:text[]:500:500',
  'lines_changed:integer:999999999', 'storage_key:line:1000', 'sha256:line:64', 'size_bytes:integer:999999999',
  'media_type:line:200');

select app.declare_event('checkpoint.saved', 'creates', 'label!:line:200', 'summary!:said:10000',
  'resume_instructions:text:10000', 'repo_ref:line:500', 'snapshot:object:65536', 'project:ref:80');

select app.declare_event('command.cancelled', 'reason:text:2000');

select app.declare_event('command.completed', 'internal');

select app.declare_event('command.failed', 'internal', 'error:text:2000');

select app.declare_event('command.sent', 'creates', 'to:text[]:100:80', 'content:said:16000', 'preset:ref:80',
  'values:object:8192', 'type:one_of:natural|investigate|review|plan|synthesize', 'mode:one_of:turn|steer|interrupt',
  'priority:integer:100', 'profile:ref:80', 'execution_constraints:object:2000', 'ttl_seconds:positive:2592000',
  'repeatable:boolean', 'resumes:boolean', 'task:ref:80', 'project:ref:80', 'target_agents+:ref[]:100:80',
  'broadcast+:boolean', 'sent_by+:line:120', 'by_person+:boolean');

select app.declare_event('command.started', 'internal');

select app.declare_event('decision.recorded', 'creates', 'title!:line:300', 'options:array:40000', 'choice!:said:2000',
  'rationale!:said:10000', 'supersedes:ref:80', 'project:ref:80', 'task:ref:80');

select app.declare_event('decision.superseded', 'internal', 'by!:ref:80');

select app.declare_event('event.redacted', 'internal', 'reason!:said:4000');

select app.declare_event('memory.approved', 'verb_only');

select app.declare_event('memory.declined', 'verb_only');

select app.declare_event('memory.forgotten', 'verb_only');

select app.declare_event('memory.remembered', 'creates', 'key!:line:200', 'text!:said:2000',
  'kind:one_of:fact|preference|procedure|hypothesis', 'confidence:fraction', 'ttl_seconds:positive:315360000',
  'source:positive:999999999', 'task:ref:80', 'scope!:one_of:run|agent|project|workspace', 'run:ref:80',
  'project:ref:80', 'agent_id+:ref:80', 'source_event_id+:ref:80', 'status+:one_of:noted|proposed');

select app.declare_event('memory.restored', 'internal');

select app.declare_event('memory.superseded', 'internal', 'by!:ref:80');

select app.declare_event('message.enqueued', 'creates', 'internal', 'project!:ref:80', 'topic!:line:100',
  'payload!:object:65536');

select app.declare_event('preset.changed', 'description:text:2000', 'content:said:16000',
  'type:one_of:natural|investigate|review|plan|synthesize', 'target_agent_types:text[]:20:40',
  'variables:array:160000');

select app.declare_event('preset.removed');

select app.declare_event('preset.saved', 'creates', 'description:text:2000', 'content!:said:16000',
  'type:one_of:natural|investigate|review|plan|synthesize', 'target_agent_types:text[]:20:40',
  'variables:array:160000', 'name!:line:100', 'project:ref:80');

select app.declare_event('profile.changed', 'description:text:2000', 'time_limit_ms:integer:999999999',
  'token_budget:integer:999999999', 'memory_limit_mb:integer:999999999', 'cpu_limit_percent:integer:999999999',
  'silence_limit_ms:integer:999999999', 'is_default:boolean');

select app.declare_event('profile.removed');

select app.declare_event('profile.saved', 'creates', 'description:text:2000', 'time_limit_ms:integer:999999999',
  'token_budget:integer:999999999', 'memory_limit_mb:integer:999999999', 'cpu_limit_percent:integer:999999999',
  'silence_limit_ms:integer:999999999', 'is_default:boolean', 'name!:line:100', 'project:ref:80');

select app.declare_event('project.archived', 'reason:text:2000');

select app.declare_event('project.created', 'creates', 'slug!:ref:31', 'name!:line:200', 'description:text:20000',
  'rules:object:65536');

select app.declare_event('project.noted', 'text!:said:20000', 'kind!:one_of:note|question|answer|progress|risk',
  'answers:ref:80');

select app.declare_event('project.unarchived');

select app.declare_event('project.updated', 'name:line:200', 'description:text:20000', 'rules:object:65536');

select app.declare_event('report.changed', 'title:line:300', 'summary:text:4000', 'sections:array:200000',
  'findings:array:200000', 'recommendations:array:100000', 'attachments:array:200000', 'metadata:object:16384',
  'replace:boolean');

select app.declare_event('report.completed');

select app.declare_event('report.saved', 'creates', 'title!:line:300', 'summary:text:4000', 'sections:array:200000',
  'findings:array:200000', 'recommendations:array:100000', 'attachments:array:200000', 'metadata:object:16384',
  'run:ref:80', 'project:ref:80', 'command_id+:ref:80', 'agent_id+:ref:80');

select app.declare_event('run.acknowledged', 'verb_only');

select app.declare_event('run.claimed', 'verb_only', 'lock_token:positive:999999999');

select app.declare_event('run.delivered', 'verb_only', 'path!:line:200');

select app.declare_event('run.finished', 'verb_only', 'status!:one_of:completed|failed|cancelled|timed_out',
  'end_reason!:one_of:completed|interrupted|cancelled|time_limit|token_limit|memory_limit|cpu_limit|silent|usage_limit|'
  'emergency_stop|expired|lost|crashed|error',
  'error:text:2000', 'result:text:20000', 'metrics:object:8192');

select app.declare_event('run.interrupt_requested', 'reason:text:2000');

select app.declare_event('run.opened', 'creates', 'verb_only', 'agent_id!:ref:80', 'agent_name!:line:60',
  'project:ref:80');

select app.declare_event('run.paused', 'verb_only', 'seconds!:positive:2592000', 'reason:text:2000');

select app.declare_event('run.queued', 'creates', 'internal', 'agent_id!:ref:80', 'agent_name!:line:60',
  'command_id:ref:80', 'task:ref:80', 'project:ref:80', 'mode!:line:40', 'priority!:integer:100',
  'delivery_mode!:one_of:turn|steer|interrupt', 'ttl_seconds!:positive:2592000');

select app.declare_event('run.requeued', 'verb_only', 'reason:text:2000');

select app.declare_event('run.resumed', 'verb_only');

select app.declare_event('run.silent', 'verb_only', 'seconds!:positive:2592000');

select app.declare_event('run.waiting', 'verb_only', 'for!:one_of:input|approval', 'text:text:2000',
  'ask:object:24576');

select app.declare_event('session.saved', 'creates', 'summary:text:10000', 'snapshot:object:262144', 'project:ref:80');

select app.declare_event('session.updated', 'summary:text:10000', 'snapshot:object:262144');

select app.declare_event('task.approved', 'note:text:4000');

select app.declare_event('task.blocked', 'reason!:said:4000', 'dependency:ref:80');

select app.declare_event('task.cancelled', 'reason!:said:4000');

select app.declare_event('task.claimed', 'ttl_seconds!:positive:86400', 'take_over:boolean', 'lapsed+:boolean');

select app.declare_event('task.completed', 'summary:text:10000', 'evidence:array:400000',
  'lock_token+:positive:999999999', 'unproven+:array:400');

select app.declare_event('task.created', 'creates', 'title!:line:300', 'description:text:20000',
  'acceptance_criteria:text[]:50:1000', 'constraints:object:16384', 'dependencies:ref[]:100:80', 'parent:ref:80',
  'discovered_from:ref:80', 'priority:one_of:low|medium|high|critical', 'rank:number', 'labels:label[]:20:50',
  'reviewer:line:120', 'project:ref:80', 'project_id+:ref:36', 'number+:positive:99999999', 'ref+:ref:41');

select app.declare_event('task.dependencies_changed', 'add:ref[]:100:80', 'remove:ref[]:100:80');

select app.declare_event('task.lock_broken', 'reason!:said:4000');

select app.declare_event('task.noted', 'text!:said:20000', 'kind!:one_of:note|question|answer|progress|risk',
  'answers:ref:80');

select app.declare_event('task.released', 'outcome!:one_of:paused|failed', 'reason!:said:4000', 'lapsed+:boolean',
  'exhausted+:boolean', 'lock_token+:positive:999999999');

select app.declare_event('task.reopened', 'reason!:said:4000');

select app.declare_event('task.returned', 'internal', 'reason!:said:4000');

select app.declare_event('task.submitted', 'internal', 'summary:text:10000', 'evidence:array:400000',
  'lock_token+:positive:999999999');

select app.declare_event('task.unblocked', 'reason:text:4000');

select app.declare_event('task.updated', 'title:line:300', 'description:text:20000',
  'acceptance_criteria:text[]:50:1000', 'constraints:object:16384', 'priority:one_of:low|medium|high|critical',
  'rank:number', 'labels:label[]:20:50', 'parent:ref:80', 'reviewer:text:120');

select app.declare_event('task.warned', 'internal', 'dependency!:ref:80', 'reason!:said:4000');

-- Categories: what a chapter of state gets from its last line. It is written out as static SQL, so that plans stay
-- cached and plpgsql_check sees it.

-- Writes the call of a function of `app` with the arguments that it names; null if there is no such function.
create or replace function app.write_call(function_name text, arguments jsonb)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_names text[] := (
    select coalesce(p.proargnames, '{}') from pg_proc p
    where p.pronamespace = 'app'::regnamespace and p.proname = function_name);
  v_unknown text := (select n from unnest(v_names) n where not arguments ? n limit 1);
begin
  if v_unknown is not null then
    raise exception 'app.% takes %; a category can give it %.', function_name, v_unknown,
      (select string_agg(k, ', ') from jsonb_object_keys(arguments) k);
  end if;
  if v_names is null then
    return null;
  end if;
  return format('app.%I(%s)', function_name,
    (select string_agg(arguments ->> x.name, ', ' order by x.at) from unnest(v_names) with ordinality x (name, at)));
end
$$;

-- Lists the columns that a category's folds make, without those that the registry names as kept.
create or replace function app.folded_columns(model app.read_models)
  returns text[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(quote_ident(a.attname) order by a.attnum) from pg_attribute a
  where a.attrelid = format('public.%I', model.table_name)::regclass
    and a.attnum > 0
    and not a.attisdropped
    and a.attname <> all (model.kept)
$$;

-- Refuses to create what is there, and to change what is not.
create or replace function app.check_stream(category text, stream text, is_there boolean, creates boolean)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if is_there and creates then
    perform app.fail('already_exists', format('The %s %s exists.', category, app.stream_id(stream)));
  elsif not is_there and not creates then
    perform app.fail('not_found',
      format('There is no %s %s in this workspace.', category, app.stream_id(stream)), null,
      format('list_%ss shows the ids.', category));
  end if;
end
$$;

-- What a row has from the event that creates its stream: what its data says, whose it is, and when.
create or replace function app.begin_row(event public.events) returns jsonb language sql immutable as $$
  select event.payload || jsonb_build_object(
    'tenant_id', event.tenant_id,
    'id', app.stream_id(event.stream),
    'project_id', event.project_id,
    'task_id', event.task_id,
    'user_id', event.user_id,
    'created_at', event.created_at)
$$;

-- Declares a category of state, whose chapter has made its table, event types and functions before. Writes out the
-- registry's row, the folds, the index of what is searched, the apply function, the dispatch; secures the table.
--   The chapter brings evolve_<category>(<category>, event), which is pure. It may bring guard_<category>(…), which may
-- refuse; prepare_<category>(…) -> the payload as it is recorded; finish_<category>(…), which runs when the row is
-- written; <category>_full(…) -> the answer. Each names what it takes: <category> (the row), event, expect, project,
-- slug, task (which a guard has locked), actor, role. Events of types that create need a new stream, others one that
-- is there.
--   If it is searched: <category>_text(row) -> the words, and found_<category>(row) -> {ref?, title, at, by?, body}.
-- `triggering`: rules may wait for its events. `kept`: columns that are no matter of one stream; the folds do not make
-- them, and verify does not compare them. A category may bring its own apply_<category>.
create or replace function app.define_category(
  category text,
  table_name text,
  searched boolean default true,
  triggering boolean default true,
  kept text[] default '{}',
  own_apply boolean default false
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models := app.register_category(category, table_name, searched, triggering, kept);
begin
  perform app.write_folds(v_model);
  if searched then
    perform app.write_index(v_model);
  end if;
  if not own_apply then
    perform app.write_apply(v_model);
  end if;
  perform app.write_dispatch();
  perform app.write_found_document();
  perform app.write_list_searchable();
  perform app.secure_table(format('public.%I', table_name)::regclass);
end
$$;

-- The registry lists the tables in the order in which their keys refer to one another: that of their declaration.
create or replace function app.register_category(
  category text,
  table_name text,
  searched boolean,
  triggering boolean,
  kept text[]
)
  returns app.read_models
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_was app.read_models;
  v_model app.read_models;
begin
  -- Functions are named after it.
  if category !~ '^[a-z]+$' then
    raise exception 'A category is one word of lower-case letters, not %.', category;
  end if;
  select * into v_was from app.read_models m where m.category = register_category.category;
  v_model := row(category, table_name,
    coalesce(v_was.place, (select coalesce(max(m.place), 0) + 1 from app.read_models m)), searched, triggering, kept);
  if v_model is distinct from v_was then
    alter table app.read_models no force row level security;
    delete from app.read_models m where m.category = register_category.category;
    insert into app.read_models select v_model.*;
    alter table app.read_models force row level security;
  end if;
  return v_model;
end
$$;

-- A snapshot of before a column was added lacks it: it takes the default of the column then, if that is a constant.
create or replace function app.column_defaults(model app.read_models)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_defaults jsonb;
begin
  execute 'select jsonb_build_object(' || coalesce((
      select string_agg(format('%L, %s', a.attname, pg_get_expr(d.adbin, d.adrelid)), ', ' order by a.attnum)
      from pg_attribute a
      join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = format('public.%I', model.table_name)::regclass
        and a.attname <> all (model.kept)
        and pg_get_expr(d.adbin, d.adrelid) ~ '^(''[^'']*''::[a-z]+(\[\])?|-?[0-9.]+|true|false)$'), '') || ')'
    into v_defaults;
  return v_defaults;
end
$$;

-- fold_<category> makes a row of a stream's events; folded_<table> the rows of the log up to a position, of a project
-- or all, of some streams or all; differing_<table> finds where those and the live rows are not the same. A fold goes
-- on from what archived events of its stream have left, which is handed to it as an event before all others.
create or replace function app.write_folds(model app.read_models)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_columns constant text[] := app.folded_columns(model);
begin
  execute format($model$
create or replace function app.fold_step(state public.%1$I, event public.events)
  returns public.%1$I
  language plpgsql
  immutable
as $body$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.%1$I, %5$L || event.payload);
  end if;
  return app.evolve_%2$s(state, event);
end
$body$;

create or replace aggregate app.fold_%2$s(public.events) (sfunc = app.fold_step, stype = public.%1$I);

create or replace function app.folded_%1$s(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
  returns table (id uuid, state public.%1$I)
  language sql
  stable
as $body$
  select (f.folded).id, f.folded
  from (
    select app.fold_%2$s(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, '%2$s:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, '%2$s:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$body$;

create or replace function app.differing_%1$s(tenant_id uuid, streams text[])
  returns table (id uuid, live public.%1$I, log public.%1$I)
  language sql
  stable
as $body$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_%1$s($1, null, null, $2) f
  full join (
    select x as live, x.* from public.%1$I x
    where x.tenant_id = $1 and ($2 is null or '%2$s:' || x.id = any ($2))) l on l.id = f.id
  where (%3$s)
    is distinct from (%4$s)
$body$
    $model$, model.table_name, model.category,
    (select string_agg('l.' || c, ', ') from unnest(v_columns) c),
    (select string_agg('(f.state).' || c, ', ') from unnest(v_columns) c),
    app.column_defaults(model));
end
$$;

create or replace function app.write_index(model app.read_models)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format($model$
create or replace function app.index_%1$s(%1$s public.%2$I) returns void language sql as $body$
  select app.index_text('%1$s', %1$s.tenant_id, %1$s.id, %1$s.%3$I, app.%1$s_text(%1$s))
$body$
    $model$, model.category, model.table_name, app.project_column(model));
end
$$;

-- A project belongs to itself.
create or replace function app.project_column(model app.read_models) returns text language sql immutable as $$
  select case when model.category = 'project' then 'id' else 'project_id' end
$$;

-- apply_<category> places an event, judges it, evolves the row and writes it. An event belongs to the project of the
-- task that it names, else to that of its row, else to the one that it names.
create or replace function app.write_apply(model app.read_models)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_has_task constant boolean := exists (
    select from pg_attribute a
    where a.attrelid = format('public.%I', model.table_name)::regclass and a.attname = 'task_id');
  v_needs_project constant boolean := (
    select a.attnotnull from pg_attribute a
    where a.attrelid = format('public.%I', model.table_name)::regclass and a.attname = 'project_id');
  v_given constant jsonb := '{"event": "event", "expect": "expect", "project": "v_project", "slug": "v_project.slug",
    "actor": "actor", "role": "actor.role"}' || jsonb_build_object(model.category, 'v_row')
    || case when v_has_task then jsonb_build_object('task', 'v_task') else '{}' end;
  v_guard constant text := app.write_call('guard_' || model.category, v_given);
  v_place constant text := format('coalesce(%s)', concat_ws(', ',
    case when v_has_task then 'v_task.project_id::text' end, 'v_row.project_id::text',
    $text$event.payload ->> 'project'$text$, case when not v_needs_project then 'actor.project_id::text' end));
begin
  execute format($model$
create or replace function app.apply_%1$s(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $body$
declare
  v_row public.%2$I;%3$s
  v_project public.projects;
begin
  select * into v_row from public.%2$I x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('%1$s', event.stream, v_row.id is not null, event.event_type in (%12$s));%4$s
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';%5$s
  event.version := app.next_version(v_row.version, expect, '%1$s');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;%6$s
  v_row := app.evolve_%1$s(v_row, event);
  insert into public.%2$I select v_row.*
    on conflict (tenant_id, id) do update set (%7$s)
      = (%8$s);%9$s
  return (event, %10$s, %11$s)::app.applied;
end
$body$
    $model$, model.category, model.table_name,
    case when v_has_task then e'\n  v_task public.tasks;' end,
    app.write_place(v_place, v_has_task, v_guard like '%v\_task%', v_needs_project),
    e'\n  event.payload := ' || app.write_call('prepare_' || model.category, v_given) || ';',
    e'\n  perform ' || v_guard || ';',
    (select string_agg(c, ', ') from unnest(app.folded_columns(model)) c where c not in ('tenant_id', 'id')),
    (select string_agg('excluded.' || c, ', ') from unnest(app.folded_columns(model)) c
      where c not in ('tenant_id', 'id')),
    coalesce(case when model.searched then format(e'\n  perform app.index_%s(v_row);', model.category) end, '')
      || coalesce(e'\n  perform ' || app.write_call('finish_' || model.category, v_given) || ';', ''),
    coalesce(app.write_call(model.category || '_full', v_given), 'to_jsonb(v_row)'),
    case when model.triggering then $text$v_project.rules -> 'triggers'$text$ else 'null' end,
    (select string_agg(quote_literal(t.event_type), ', ' order by t.event_type) from app.event_types t
      where starts_with(t.event_type, model.category || '.') and t.creates));
end
$$;

-- The lines of apply_<category> that find the task and the project of an event. A guard that judges the task has it
-- locked.
create or replace function app.write_place(place text, has_task boolean, locks_task boolean, needs_project boolean)
  returns text
  language sql
  stable
as $$
  select case when has_task then format($lines$
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id%s;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;$lines$, case when locks_task then ' for no key update' end) else '' end
  || case when needs_project then format($lines$
  v_project := app.find_project(%s, actor);$lines$, place) else format($lines$
  if %1$s is not null then
    v_project := app.find_project(%1$s, actor);
  end if;$lines$, place) end
$$;

create or replace function app.write_dispatch()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format($dispatch$
create or replace function app.apply_event(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $body$
begin
  case split_part(event.stream, ':', 1)%s
    when 'event' then return app.apply_redaction(event, expect, actor);
    else perform app.fail('invalid_input', format('There is no stream %%s.', left(event.stream, 80)));
  end case;
end
$body$
    $dispatch$, (
    select string_agg(
      format(e'\n    when ''%1$s'' then return app.apply_%1$s(event, expect, actor);', m.category), '' order by m.place)
    from app.read_models m));
end
$$;

-- found_document shows what a search has found; list_kinds names what can be searched.
create or replace function app.write_found_document()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format($dispatch$
create or replace function app.found_document(kind text, tenant_id uuid, id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $body$
begin
  case kind%1$s
    when 'output' then return (
      select app.found_screen(x) from app.run_screens x
      where x.tenant_id = found_document.tenant_id and x.run_id = found_document.id);
    else return (
      select app.found_event(x) from public.events x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
  end case;
end
$body$;

create or replace function app.list_kinds() returns text[] language sql immutable as $body$
  select array[%2$s, 'event', 'output']
$body$
    $dispatch$, (
    select string_agg(format($case$
    when '%1$s' then return (
      select app.found_%1$s(x) from public.%2$I x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);$case$, m.category, m.table_name), ''
      order by m.place)
    from app.read_models m where m.searched), (
    select string_agg(quote_literal(m.category), ', ' order by m.place) from app.read_models m where m.searched));
end
$$;

create or replace function app.write_list_searchable()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format($dispatch$
create or replace function app.list_searchable(tenant_id uuid)
  returns table (kind text, id uuid, project_id uuid, stream text, content text)
  language sql
  stable
as $body$%s
  select 'event', x.id, x.project_id, x.stream, app.searchable_text(x)
  from public.events x
  where x.tenant_id = $1
  union all
  select 'output', x.run_id, x.project_id, 'run:' || x.run_id, x.content
  from app.run_screens x
  where x.tenant_id = $1
$body$
    $dispatch$, (
    select string_agg(format($part$
  select '%1$s', x.id, x.%3$I, '%1$s:' || x.id, app.%1$s_text(x)
  from public.%2$I x
  where x.tenant_id = $1
  union all$part$, m.category, m.table_name, app.project_column(m)), '' order by m.place)
    from app.read_models m where m.searched));
end
$$;

-- Records: what machines report in volume (output, steps, usage). Rows in partitions by time, with a retention; they
-- are no events and nothing folds them, so verify and replay leave them alone.

-- Declares a table of records, which its chapter has made before: partitioned by range of one time, its key led by the
-- workspace and with that time in it. Its partitions are of a week or a month, by UTC.
--   Records older than `archive_days` are moved to files where there is a place for them, those older than `keep_days`
-- are deleted, their files too; one of both may be null, for never. With `appended` rows are only added.
create or replace function app.define_records(
  table_name text,
  period text,
  archive_days integer default null,
  keep_days integer default null,
  appended boolean default true
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table regclass := format('public.%I', table_name)::regclass;
  v_wanted constant app.record_tables := row(table_name, period, appended, archive_days, keep_days);
begin
  if app.time_of_records(v_table) is null or (app.key_of_records(v_table))[1] <> 'tenant_id' then
    raise exception '% must be partitioned by range of a timestamptz, and its primary key begin with tenant_id.',
      table_name;
  end if;
  if coalesce(archive_days, keep_days) is null then
    raise exception '% must be archived or deleted some day.', table_name;
  end if;
  if not exists (select from app.record_tables r where r = v_wanted) then
    alter table app.record_tables no force row level security;
    insert into app.record_tables as r select v_wanted.*
      on conflict on constraint record_tables_pkey do update
        set (period, appended, archive_days, keep_days)
          = (excluded.period, excluded.appended, excluded.archive_days, excluded.keep_days);
    alter table app.record_tables force row level security;
  end if;
  perform app.secure_table(v_table);
  perform app.make_partitions();
end
$$;

-- Finds the column that a table is partitioned by; null if that is not one time.
create or replace function app.time_of_records(name regclass)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select a.attname
  from pg_partitioned_table p
  join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
  where p.partrelid = name and p.partstrat = 'r' and p.partnatts = 1 and a.atttypid = 'timestamptz'::regtype
$$;

create or replace function app.key_of_records(name regclass)
  returns text[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(a.attname::text order by k.at)
  from pg_constraint c
  cross join unnest(c.conkey) with ordinality k (attnum, at)
  join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
  where c.conrelid = name and c.contype = 'p'
$$;

-- Writes the columns of the key after the workspace, each in a form that takes its name and its type.
create or replace function app.write_key(name regclass, form text)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format(form, a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by k.at)
  from unnest((app.key_of_records(name))[2:]) with ordinality k (name, at)
  join pg_attribute a on a.attrelid = write_key.name and a.attname = k.name
$$;

-- Writes the columns that are not generated.
create or replace function app.given_columns(name regclass)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
  where a.attrelid = name and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
$$;

-- The begin of the week or the month that a time is in, so many further on.
create or replace function app.period_start(at timestamptz, period text, further integer default 0)
  returns timestamptz
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select (date_trunc(period, at at time zone 'UTC') + further * ('1 ' || period)::interval) at time zone 'UTC'
$$;

-- A partition is named after its table and the day on which it begins.
create or replace function app.name_partition(records app.record_tables, starts_at timestamptz)
  returns text
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select format('app.%I', records.table_name || to_char(starts_at at time zone 'UTC', '_YYYYMMDD'))
$$;

create or replace function app.partition_start(child regclass)
  returns timestamptz
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select (right(child::text, 8)::date)::timestamp at time zone 'UTC'
$$;

create or replace function app.list_partitions(records app.record_tables)
  returns table (child regclass, starts_at timestamptz, ends_at timestamptz)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.child, app.partition_start(p.child), app.period_start(app.partition_start(p.child), records.period, 1)
  from (
    select i.inhrelid::regclass as child from pg_inherits i
    where i.inhparent = format('public.%I', records.table_name)::regclass) p
  order by 2
$$;

-- Makes the partition that begins then, if there is none. A table that is attached locks out nobody. What secures the
-- table does not reach a partition that is named itself, so nobody may do that but who counts what is old.
create or replace function app.make_partition(records app.record_tables, starts_at timestamptz)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_path constant text := app.name_partition(records, starts_at);
begin
  if to_regclass(v_path) is not null then
    return null;
  end if;
  execute format('create table %s (like public.%I including defaults including constraints including generated)',
    v_path, records.table_name);
  execute format('revoke all on table %s from public, anon, authenticated, service_role', v_path);
  execute format('alter table %s enable row level security', v_path);
  execute format('alter table %s force row level security', v_path);
  execute format('grant select on table %s to cairn_keeper', v_path);
  execute format('create policy keeper_read on %s for select to cairn_keeper using (true)', v_path);
  execute format('alter table public.%I attach partition %s for values from (%L) to (%L)',
    records.table_name, v_path, starts_at, app.period_start(starts_at, records.period, 1));
  return split_part(v_path, '.', 2);
end
$$;

-- Makes the partitions of the next two months, and of a time that is wanted; returns their names. Runs as the role that
-- migrates, over the tables of the registry alone.
create or replace function app.make_partitions(wanted timestamptz default null)
  returns text[]
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_records app.record_tables;
  v_now constant timestamptz := app.now();
  v_made text[] := '{}';
begin
  perform pg_advisory_xact_lock(hashtextextended('cairn partitions', 0));
  for v_records in select r.* from app.record_tables r order by r.table_name loop
    v_made := v_made || array(
      select app.make_partition(v_records, s.starts_at)
      from (
        select app.period_start(v_now, v_records.period, n) as starts_at from generate_series(0, 9) n
        union
        select app.period_start(wanted, v_records.period) where wanted is not null) s
      where s.starts_at <= v_now + interval '2 months'
      order by s.starts_at);
  end loop;
  return array_remove(v_made, null);
end
$$;

-- Drops one partition that may go, and returns {name, table, starts_at, ends_at, workspaces}; null if none may, or
-- whoever uses it does not leave it in time. Its table is locked for the drop, so what follows in the transaction is
-- short. Runs as the role that migrates.
create or replace function app.drop_partition()
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_now constant timestamptz := app.now();
  v_found record;
  v_workspaces uuid[];
begin
  for v_found in
    select r as records, p.child, p.child::text as name, p.starts_at, p.ends_at
    from app.record_tables r cross join lateral app.list_partitions(r) p
    where p.ends_at <= v_now
    order by p.starts_at
  loop
    continue when not app.is_disposable(v_found.records, v_found.child, v_found.ends_at, v_now);
    begin
      -- Who adds a record late is waited for.
      execute format('lock table %s in share row exclusive mode', v_found.child);
      if app.is_disposable(v_found.records, v_found.child, v_found.ends_at, v_now) then
        v_workspaces := array(select app.workspaces_in(v_found.child));
        execute format('drop table %s', v_found.child);
        return jsonb_build_object('name', split_part(v_found.name, '.', 2), 'table', (v_found.records).table_name,
          'starts_at', v_found.starts_at, 'ends_at', v_found.ends_at, 'workspaces', v_workspaces);
      end if;
    exception
      when lock_not_available then
        null;
    end;
  end loop;
  return null;
end
$$;

-- Refreshes the statistics of the tables themselves: autovacuum knows their partitions alone. Runs as the role that
-- migrates, which owns them.
create or replace function app.analyze_records()
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
begin
  for v_name in select r.table_name from app.record_tables r loop
    execute format('analyze public.%I', v_name);
  end loop;
end
$$;

-- Refuses records of a time that their table does not take any more, or not yet; else makes sure of its partition. A
-- verb that adds records begins with it, for the first and the last of their times.
create or replace function app.ensure_partition(table_name text, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_records app.record_tables;
  v_days integer;
begin
  select * into strict v_records from app.record_tables r where r.table_name = ensure_partition.table_name;
  v_days := least(v_records.archive_days, v_records.keep_days, 366);
  if at is null or at not between app.now() - make_interval(days => v_days) and app.now() + interval '1 day' then
    perform app.fail('invalid_input',
      format('The time of a record is not one of the last %s days.', v_days), null,
      'Send its own time; if that is what it says, compare the clocks of both machines.');
  end if;
  if to_regclass(app.name_partition(v_records, app.period_start(at, v_records.period))) is null then
    perform app.make_partitions(at);
  end if;
end
$$;

-- Tells whether a partition may go: its records are too old to keep, or all of them are in files.
create or replace function app.is_disposable(
  records app.record_tables,
  child regclass,
  ends_at timestamptz,
  at timestamptz
)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(ends_at + make_interval(days => records.keep_days) <= at, false)
    or coalesce(ends_at + make_interval(days => records.archive_days) <= at, false)
      and not exists (select from app.unarchived_records(records.table_name, child))
$$;

-- Measures the records of each workspace in a partition: how many, and a checksum of their content, in whatever order.
-- Runs as cairn_keeper, which sees the partitions of all workspaces.
create or replace function app.measure_records(child regclass)
  returns table (tenant_id uuid, records bigint, checksum numeric)
  language plpgsql
  stable
  strict
  security definer
  set search_path = pg_catalog, pg_temp
  -- A row as text depends on them.
  set timezone = 'UTC'
  set datestyle = 'ISO'
  set extra_float_digits = 1
as $$
begin
  return query execute format(
    'select x.tenant_id, count(*), sum(hashtextextended(x::text, 0)::numeric) from %s x group by 1', child);
end
$$;

-- Finds the workspaces that have records in a partition, by its key, whatever its size.
create or replace function app.workspaces_in(child regclass)
  returns setof uuid
  language plpgsql
  stable
  strict
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant uuid;
begin
  loop
    execute format('select x.tenant_id from %s x where $1 is null or x.tenant_id > $1 order by 1 limit 1', child)
      into v_tenant using v_tenant;
    exit when v_tenant is null;
    return next v_tenant;
  end loop;
end
$$;

-- Finds the workspaces that have records in a partition which are not in files as they are.
create or replace function app.unarchived_records(table_name text, child regclass)
  returns table (tenant_id uuid)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select m.tenant_id
  from app.measure_records(child) m
  where (m.records, m.checksum) is distinct from (
    select (sum(a.records)::bigint, min(a.checksum)) from app.record_archives a
    where a.tenant_id = m.tenant_id and a.table_name = $1 and a.starts_at = app.partition_start(child))
$$;

select app.define_on_tables($policies$
  create policy keeper_read on app.record_archives for select to cairn_keeper using (true);
  create policy keeper_read on app.replaced_record_files for select to cairn_keeper using (true);
$policies$);

-- Full-text search: the index, and how words are found again.

-- This configuration stems English and Russian words, which it tells apart by their letters; others stay as they are.
create or replace function app.search_vector(kind text, tenant_id uuid, project_id uuid, content text)
  returns tsvector
  language sql
  stable
as $$
  select array_to_tsvector(array_remove(array['=t' || tenant_id, '=p' || project_id, '=k' || kind], null))
    || to_tsvector('pg_catalog.russian', app.search_text(left(content, 30000)))
$$;

create or replace function app.index_text(kind text, tenant_id uuid, id uuid, project_id uuid, content text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.search_documents as d (tenant_id, kind, id, words)
    values (index_text.tenant_id, index_text.kind, index_text.id,
      app.search_vector(index_text.kind, index_text.tenant_id, index_text.project_id, content))
    on conflict on constraint search_documents_pkey do update set words = excluded.words
      where d.words <> excluded.words;
end
$$;

-- Returns the searchable text of an event.
create or replace function app.searchable_text(event public.events) returns text language sql stable as $$
  select nullif(concat_ws(' ', case when event.event_type like '%.noted' then event.payload ->> 'text' end,
    event.payload ->> 'reason',
    case when event.event_type = 'task.completed' then concat_ws(' ', event.payload ->> 'summary', (
      select string_agg(n #>> '{}', ' ') from jsonb_path_query(event.payload, '$.evidence[*].note') n)) end), '')
$$;

create or replace function app.index_event(event public.events)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := app.searchable_text(event);
begin
  if v_text is not null then
    perform app.index_text('event', event.tenant_id, event.id, event.project_id, v_text);
  end if;
end
$$;

-- Shows an event that a search has found.
create or replace function app.found_event(event public.events)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_build_object(
    'ref', (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id),
    'title', event.event_type || ' #' || event.seq, 'at', event.created_at,
    'by', app.actor_name(app.upcast_event(event)),
    'body', app.searchable_text(event));
end
$$;

-- search(query, project?, kinds?, cursor?, page_size) -> {hits: [{kind, id, ref?, title, snippet, by?, at, score}],
-- next_cursor?}, best first. Words are joined by and; "quoted phrases", or and NOT work, and - means nothing, because
-- text is full of it. It ranks at most 1,000 matches of a query. A snippet covers the first 20,000 characters, or each
-- hit's share of 400,000 for the page. Raises invalid_input.
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is null then v_actor.project_id else (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 50);
  v_question text := md5(concat_ws(' ', query, v_project, kinds));
  v_from integer := coalesce((app.decode_cursor(cursor, v_question) ->> 'from')::integer, 0);
  v_words tsquery := app.search_query(query);
  v_any tsquery := app.any_word(v_words);
  v_reach tsquery := ('''=t' || v_actor.tenant_id || '''')::tsquery;
  v_kind text;
  v_hint constant text := 'Kinds: ' || array_to_string(app.list_kinds(), ', ') || '.';
  v_found jsonb[];
  v_ranked integer;
begin
  if kinds is not null and not app.validate_field(kinds, 'text[]', 100, null) then
    perform app.fail('invalid_input', 'kinds must be a list of at most 100 texts.',
      jsonb_build_object('field', 'kinds'),
      v_hint);
  end if;
  select k into v_kind from jsonb_array_elements_text(kinds) k where k <> all (app.list_kinds()) limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no kind %s.', left(v_kind, 40)),
      jsonb_build_object('field', 'kinds'), v_hint);
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
      'snippet', app.search_snippet(left(d.doc ->> 'body', least(20000, 400000 / v_size)), query, v_words,
        v_any)) as hit
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

-- suggest_refs(kind, prefix) -> {values, total, has_more}: slugs, refs of open tasks, or checkpoint ids with this
-- prefix.
create or replace function public.suggest_refs(kind text, prefix text default '', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_prefix text := lower(left(coalesce(prefix, ''), 80));
  v_values text[];
begin
  v_values := case kind
    when 'project' then array(
      select p.slug from public.projects p
      where p.tenant_id = v_actor.tenant_id and p.archived_at is null and starts_with(p.slug, v_prefix)
      order by p.updated_at desc limit 101)
    when 'task' then array(
      select t.ref
      from public.projects p
      cross join lateral (
        select x.ref, x.number
        from public.tasks x
        where x.tenant_id = v_actor.tenant_id
          and x.project_id = p.id
          and x.status in ('pending', 'in_progress', 'blocked')
          and starts_with(x.ref, v_prefix)
        order by x.number limit 101) t
      where p.tenant_id = v_actor.tenant_id
        and p.archived_at is null
        and (starts_with(p.slug || '-', v_prefix) or starts_with(v_prefix, p.slug || '-'))
      order by t.number limit 101)
    else array(
      select c.id::text from public.checkpoints c
      where c.tenant_id = v_actor.tenant_id and starts_with(c.id::text, v_prefix)
      order by c.created_at desc limit 101) end;
  return jsonb_build_object(
    'values', to_jsonb(v_values[:100]),
    'total', cardinality(v_values[:100]),
    'has_more', cardinality(v_values) > 100);
end
$$;

-- Lists the words of a query, as its text quotes them.
create or replace function app.list_words(query text) returns setof text language sql immutable as $$
  select m[1] from regexp_matches(query, '(''(?:[^'']|'''')*'')', 'g') m
$$;

-- Parses a search query. Raises invalid_input without a word and for more than 32.
create or replace function app.search_query(query text)
  returns tsquery
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_words tsquery := '';
  v_group tsquery := '';
  v_negates boolean := false;
  v_word text;
  v_item tsquery;
begin
  for v_word in select m[1] from regexp_matches(left(query, 500), '("[^"]*"|[^\s"]+)', 'g') m loop
    if v_word in ('or', 'OR') then
      v_words := v_words || v_group;
      v_group := '';
    elsif v_word = 'NOT' then
      v_negates := true;
    else
      v_item := app.search_item(v_word);
      if numnode(v_item) > 0 then
        v_group := v_group && case when v_negates then !! v_item else v_item end;
      end if;
      v_negates := false;
    end if;
  end loop;
  v_words := v_words || v_group;
  if numnode(v_words) = 0 then
    perform app.fail('invalid_input', 'query has no word to search for: signs and words such as "the" do not count.',
      jsonb_build_object('field', 'query'), 'Use the words you expect in the text: payment retry.');
  end if;
  if (select count(*) from app.list_words(v_words::text)) > 32 then
    perform app.fail('invalid_input', 'query has more than 32 words.', jsonb_build_object('field', 'query'),
      'Use the few words you expect in the text. Each part of a name such as web-1 counts, and in Chinese, Japanese '
        || 'and Korean each character.');
  end if;
  return v_words;
end
$$;

-- Joins the non-negated words of a query by or: ranking and marking then take time linear in the text. ts_rank takes
-- quadratic time in words joined by and; ts_headline brings a query into conjunctive form, which has 2^n parts for n
-- pairs joined by or.
create or replace function app.any_word(words tsquery) returns tsquery language sql immutable as $$
  select coalesce(string_agg(distinct w, ' | '), '''=''')::tsquery from app.list_words(
    regexp_replace(words::text, '!(?:''(?:[^'']|'''')*''|\( (?:''(?:[^'']|'''')*''|[^'')])*\))', '', 'g')) w
$$;

-- Shows the best place in a text: the first that meets the whole query, otherwise the first with a word of it. Searches
-- it as it was indexed, a few lines at a time.
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
  -- Finds the large piece that has a match first.
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

-- Prepares text for the parser of words. Adds the parts of code names and, at the end of a text, the whole names; keeps
-- the sign of C++ and C#, and versions as numbers. Removes punctuation, which belongs to no word and would make the
-- parser backtrack.
create or replace function app.search_text(content text, of_query boolean default false) returns text
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := content;
  v_names text;
begin
  if v_text ~ '[a-z0-9][A-Z]|[A-Z][A-Z][a-z]' then
    if not of_query then
      select string_agg(app.name_words(n[1]), ' ') into v_names
        from regexp_matches(v_text,
          '[A-Za-z0-9]*(?:[a-z0-9][A-Z]|[A-Z][A-Z][a-z])[A-Za-z0-9]*', 'g') n;
    end if;
    v_text := app.split_names(v_text);
  end if;
  v_text := app.fold_text(v_text);
  if v_text ~ '[a-z](\+\+|#)' then
    v_text := regexp_replace(v_text, '\m([a-z])\+\+', '\1 \1plusplus ', 'g');
    v_text := regexp_replace(v_text, '\m([a-z])#(?![a-z0-9])', '\1 \1sharp ', 'g');
  end if;
  if v_text ~ '\mv[0-9]' then
    v_text := regexp_replace(v_text, '\mv([0-9])', 'v \1', 'g');
  end if;
  v_text := regexp_replace(v_text, '[!-/:-@[-`{-~]+', ' ', 'g');
  if octet_length(v_text) > char_length(v_text) then
    v_text := regexp_replace(v_text, '[\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u02c2-\u02df'
      '\u037e\u0387\u055a-\u055f\u0589\u058a\u05be\u05f3\u05f4\u0600-\u060f\u061b-\u061f\u066a-\u066d\u06d4'
      '\u0700-\u070d\u0964\u0965\u0970\u0e2f\u0e3f\u0e4f\u0e5a\u0e5b\u104a-\u104f\u10fb\u1360-\u1368\u17d4-\u17db'
      '\u1800-\u180e\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030'
      '\u303d-\u303f\u30fb\ufe00-\ufe6f\ufeff-\uff0f\uff5f-\uff65\ufff0-\uffff\U0001f000-\U0001faff]+', ' ', 'g');
    if v_text ~ '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ufaff\U00020000-\U000323af]' then
      v_text := app.pair_characters(v_text, of_query);
    end if;
  end if;
  return concat_ws(' ', v_text, v_names);
end
$$;

-- Parses one item of a query: a word, the parts of a name in their order, a phrase.
create or replace function app.search_item(item text) returns tsquery language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := app.search_text(item, true);
  v_item tsquery := phraseto_tsquery('pg_catalog.russian', v_text);
  v_whole tsquery;
begin
  if item ~ '^\S*([a-z0-9][A-Z]|[A-Z][A-Z][a-z])\S*$' then
    v_whole := phraseto_tsquery('pg_catalog.russian', app.search_text(lower(item), true));
    -- The first part of MySQL is a stop word, and the rest alone would match anywhere.
    v_item := case when numnode(v_item) < 2 * regexp_count(v_text, '\S+') - 1 then v_whole else v_item || v_whole end;
  end if;
  -- A single character of those that are written in pairs.
  if v_item::text ~ '''[^ -~]''' then
    v_item := (
      select string_agg(w || case when w ~ '^''.''$' and app.is_dense(substr(w, 2)) then ':*' else '' end, ' <-> ')
      from app.list_words(v_item::text) w)::tsquery;
  end if;
  return v_item;
end
$$;

-- Marks the words of a text that match a query, without the punctuation beside them: at most 24 words, with some before
-- the first. In scripts without blanks it marks the query's own runs, in the 160 characters around the first. Prepares
-- all words at once, separated by a character that no stored text has.
create or replace function app.mark_words(content text, any_word tsquery, runs text[]) returns text
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_beside constant text := '[!-/:-@[-`{-~\u2000-\u206f\u3000-\u303f«»]';
  v_run text;
  v_words text[];
  v_ready text[];
begin
  foreach v_run in array runs loop
    if strpos(content, v_run) > 0 then
      content := replace(substr(content, greatest(1, strpos(content, v_run) - 40), 160), v_run, '**' || v_run || '**');
      return regexp_replace(btrim(content), '\s+', ' ', 'g');
    end if;
  end loop;
  v_words := regexp_split_to_array(btrim(content), '\s+');
  v_ready := string_to_array(app.search_text(array_to_string(v_words, e' \x01 '), true), e'\x01');
  return (
    select string_agg(case when w.is_hit
        then regexp_replace(w.word, format('^(%1$s*)(.*?)(%1$s*)$', v_beside), '\1**\2**\3')
        else w.word end,
      ' '
      order by w.at)
    from (
      select h.*, coalesce(min(h.at) filter (where h.is_hit) over (), 1) as first
      from (
        select u.word, u.at, to_tsvector('pg_catalog.russian', coalesce(u.ready, '')) @@ any_word as is_hit
        from unnest(v_words, v_ready) with ordinality u (word, ready, at)
        where u.word is not null) h) w
    where w.at between w.first - 4 and greatest(w.first - 4, 1) + 23);
end
$$;

-- Rates: so much of a thing in a window, counted for all processes.

-- Takes one of a bucket in the door's workspace: {allowed, retry_after_seconds}. The window begins with the first one;
-- those that are refused lengthen nothing.
create or replace function app.take_rate(bucket text, most integer, seconds integer)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_taken app.rates;
begin
  insert into app.rates as r (tenant_id, bucket, count, ends_at)
    values (app.get_tenant_id(), take_rate.bucket, 1, v_now + make_interval(secs => seconds))
    on conflict on constraint rates_pkey do update
      set count = case when r.ends_at <= v_now then 1 else least(r.count, most) + 1 end,
        ends_at = case when r.ends_at <= v_now then excluded.ends_at else r.ends_at end
    returning * into v_taken;
  return jsonb_build_object(
    'allowed', v_taken.count <= most,
    'retry_after_seconds', case when v_taken.count <= most
      then 0
      -- Who began it may have looked at the clock later.
      else least(ceil(extract(epoch from v_taken.ends_at - v_now))::integer, seconds) end);
end
$$;

-- Path globs: the files that a scope covers.

-- Writes the wildcards of a glob as single characters: \x01 for `**/`, \x02 for `**`, \x03 for `*`. Joins neighbours
-- that together mean `**`: repeated ones add nothing and cost quadratic time.
create or replace function app.glob_tokens(glob text) returns text language sql immutable as $$
  select regexp_replace(regexp_replace(
    replace(replace(replace(glob, '**/', E'\x01'), '**', E'\x02'), '*', E'\x03'),
    E'[\x01\x03]*(?:\x02|\x01\x03)[\x01\x02\x03]*', E'\x02', 'g'), E'\x01+', E'\x01', 'g')
$$;

create or replace function app.count_wildcards(glob text) returns integer language sql immutable as $$
  select length(regexp_replace(app.glob_tokens(glob), E'[^\x01\x02\x03?]', '', 'g'))
$$;

-- `**` spans folders, `*` and `?` stay within one.
create or replace function app.glob_pattern(glob text) returns text language sql immutable as $$
  select '^' || replace(replace(replace(replace(
    regexp_replace(app.glob_tokens(glob), '([.+^$(){}|\[\]\\])', '\\\1', 'g'),
    '?', '[^/]'), E'\x01', '(?:.*/)?'), E'\x02', '.*'), E'\x03', '[^/]*') || '$'
$$;

-- Explains why the files of a diff cannot be compared with a scope; null if they can. The time of one comparison grows
-- at most with the characters of the file times those of the glob. 200 million of these take a second or two, and
-- hundreds of files and globs have fewer.
create or replace function app.scope_excess(scope jsonb, files text[])
  returns text
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_globs text[] := array(select g from unnest(array['paths', 'project_paths', 'deny']) k
    cross join jsonb_array_elements_text(scope -> k) g);
  v_glob text := (select g from unnest(v_globs) g where app.count_wildcards(g) > 16 limit 1);
  v_globs_length bigint := (select sum(length(g) + 10) from unnest(v_globs) g);
  v_files_length bigint := (select sum(length(f) + 10) from unnest(files) f);
begin
  if v_glob is not null then
    return format('the glob %s has more than 16 wildcards', to_json(left(v_glob, 80)));
  elsif v_globs_length * v_files_length > 200000000 then
    return format('its %s files have %s characters, too many for globs of %s', cardinality(files), v_files_length,
      v_globs_length);
  end if;
  return null;
end
$$;

-- Lists the files that match no glob. Compiles each glob once for all files: PostgreSQL keeps few of them.
create or replace function app.unmatched_files(globs jsonb, files text[])
  returns text[]
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_pattern text;
begin
  for v_pattern in select app.glob_pattern(g) from jsonb_array_elements_text(globs) g loop
    exit when files = '{}';
    files := array(select f from unnest(files) f where f !~ v_pattern);
  end loop;
  return files;
end
$$;

-- Lists the files of a diff that a scope does not allow, or null. Call it only if scope_excess returns null.
create or replace function app.files_outside(scope jsonb, files text[])
  returns text[]
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_outside text[] := '{}';
  v_allowed text[];
begin
  if scope ? 'paths' then
    v_outside := app.unmatched_files(scope -> 'paths', files);
  end if;
  if scope ? 'project_paths' then
    v_outside := v_outside || app.unmatched_files(scope -> 'project_paths', files);
  end if;
  v_allowed := app.unmatched_files(scope -> 'deny', files);
  return (select array_agg(f order by at) from unnest(files) with ordinality x (f, at)
    where f = any (v_outside) or f <> all (v_allowed) or f ~ '(^|/)\.\.(/|$)');
end
$$;

-- Writes a path that ends with the task, as refs. `back` goes from its end to its second task. Cuts a long one in the
-- middle.
create or replace function app.path_text(task public.tasks, back uuid[])
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_length integer := cardinality(back);
  v_shown uuid[] := case when v_length > 20 then back[:10] || back[v_length - 9:] else back end;
  v_refs text[] := array(
    select (select t.ref from public.tasks t where t.tenant_id = task.tenant_id and t.id = s.id)
    from unnest(v_shown) with ordinality s (id, at)
    order by s.at desc);
begin
  return concat_ws(' → ', task.ref, array_to_string(v_refs[:10], ' → '),
    case when v_length > 20 then format('… %s more', v_length - 20) end,
    nullif(array_to_string(v_refs[11:], ' → '), ''));
end
$$;

-- Projects: rules, guard, projection, answers.

-- Finds the project of a slug or uuid; by default the one that limits the token, or the only unarchived one. Raises
-- not_found, invalid_input.
create or replace function app.find_project(ref text, actor app.actor)
  returns public.projects
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := case when ref is null then actor.project_id else app.as_uuid(ref) end;
  v_project public.projects;
  v_slugs text[];
begin
  if ref is null and v_id is null then
    select array_agg(p.slug order by p.updated_at desc) into v_slugs
      from (
        select * from public.projects q
        where q.tenant_id = actor.tenant_id and q.archived_at is null
        order by q.updated_at desc limit 20) p;
    if cardinality(v_slugs) is distinct from 1 then
      perform app.fail('invalid_input',
        case when v_slugs is null then 'There is no project yet.' else 'Which project? There are several.' end,
        jsonb_build_object('field', 'project', 'projects', v_slugs),
        case when v_slugs is null
          then 'Create one with create_project.'
          else 'Pass project: ' || array_to_string(v_slugs, ', ') || '.' end);
    end if;
    ref := v_slugs[1];
  end if;
  if v_id is null then
    select * into v_project from public.projects p where p.tenant_id = actor.tenant_id and p.slug = lower(ref);
  else
    select * into v_project from public.projects p where p.tenant_id = actor.tenant_id and p.id = v_id;
  end if;
  if not found then
    perform app.fail('not_found',
      format('There is no project %s in this workspace.', left(coalesce(ref, v_id::text), 80)), null,
      'list_projects shows what there is.');
  end if;
  return v_project;
end
$$;

-- Refuses a rule with its path and the allowed values.
create or replace function app.bad_rule(path text, allowed text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.fail('invalid_input', format('Rule %s is not valid: allowed is %s.', left(path, 200), allowed),
    jsonb_build_object('field', path), 'docs/rules.md lists every rule with an example.');
end
$$;

create or replace function app.check_keys(value jsonb, path text, variadic allowed text[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  if jsonb_typeof(value) <> 'object' then
    perform app.bad_rule(path, 'an object with ' || array_to_string(allowed, ', '));
  end if;
  select k into v_key from jsonb_object_keys(value) k where k <> all (allowed) limit 1;
  if found then
    perform app.bad_rule(path || '.' || v_key, 'only ' || array_to_string(allowed, ', '));
  end if;
end
$$;

-- Scope rules and task constraints have one shape: {paths, deny, files_max, lines_max, notes}.
create or replace function app.check_scope(scope jsonb, path text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  perform app.check_keys(scope, path, 'paths', 'deny', 'files_max', 'lines_max', 'notes');
  foreach v_key in array array['paths', 'deny', 'notes'] loop
    if scope ? v_key and not app.validate_field(scope -> v_key, 'text[]', 50, null) then
      perform app.bad_rule(path || '.' || v_key, 'a list of at most 50 texts of at most 1000 characters');
    end if;
  end loop;
  foreach v_key in array array['paths', 'deny'] loop
    if exists (select from jsonb_array_elements_text(scope -> v_key) g where app.count_wildcards(g) > 16) then
      perform app.bad_rule(path || '.' || v_key, 'in each glob at most 16 wildcards (**, * and ?)');
    end if;
  end loop;
  foreach v_key in array array['files_max', 'lines_max'] loop
    if scope ? v_key and not app.validate_field(scope -> v_key, 'integer', 1000000, null) then
      perform app.bad_rule(path || '.' || v_key, 'a whole number from 0 to 1000000');
    end if;
  end loop;
end
$$;

create or replace function app.check_when(condition jsonb, path text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if condition is null then
    return;
  end if;
  perform app.check_keys(condition, path, 'priority', 'kind', 'type', 'outcome');
  if exists (select from jsonb_each(condition) c where not app.validate_field(c.value, 'text[]', 10, null)) then
    perform app.bad_rule(path, 'for each key a list of values');
  end if;
end
$$;

create or replace function app.check_gate(gate jsonb, path text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.check_keys(gate, path, 'on', 'require', 'when');
  if coalesce(gate ->> 'on', '') not in ('claim', 'complete', 'cancel', 'reopen') then
    perform app.bad_rule(path || '.on', 'claim, complete, cancel or reopen');
  end if;
  perform app.check_keys(coalesce(gate -> 'require', 'null'), path || '.require', 'artifacts', 'evidence', 'decision',
    'approval', 'clean_scope');
  if gate -> 'require' ? 'artifacts'
      and (not app.validate_field(gate -> 'require' -> 'artifacts', 'text[]', 5, null)
        or exists (
          select from jsonb_array_elements_text(gate -> 'require' -> 'artifacts') a
          where a not in ('diff', 'pr', 'test_report', 'document', 'other'))) then
    perform app.bad_rule(path || '.require.artifacts', 'a list of diff, pr, test_report, document, other');
  end if;
  if gate -> 'require' ? 'evidence'
      and coalesce(gate -> 'require' ->> 'evidence', '') not in ('reported', 'observed', 'ci') then
    perform app.bad_rule(path || '.require.evidence', 'reported, observed or ci');
  end if;
  if exists (
      select from jsonb_each(gate -> 'require') r
      where r.key in ('decision', 'approval', 'clean_scope') and r.value <> 'true') then
    perform app.bad_rule(path || '.require', 'true for decision, approval and clean_scope');
  end if;
  perform app.check_when(gate -> 'when', path || '.when');
end
$$;

create or replace function app.check_action(action jsonb, path text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text := (
    select string_agg(k, ',')
    from jsonb_object_keys(case jsonb_typeof(action) when 'object' then action else '{}' end) k);
  v_body jsonb := action -> v_kind;
begin
  case v_kind
    when 'create_task' then
      perform app.check_keys(v_body, path || '.create_task', 'title', 'description', 'acceptance_criteria', 'priority',
        'depends_on_source');
      if v_body ? 'depends_on_source'
          and not app.validate_field(v_body -> 'depends_on_source', 'boolean', null, null) then
        perform app.bad_rule(path || '.create_task.depends_on_source', 'true or false');
      end if;
      perform app.check_data('task.created', v_body - 'depends_on_source', path || '.create_task.');
    when 'set_status' then
      perform app.check_keys(v_body, path || '.set_status', 'status', 'task', 'reason');
      if coalesce(v_body ->> 'status', '') not in ('blocked', 'unblocked', 'cancelled', 'reopened')
          or coalesce(v_body ->> 'task', 'self') not in ('self', 'parent') then
        perform app.bad_rule(path || '.set_status',
          'status blocked, unblocked, cancelled or reopened; task self or parent');
      end if;
      perform app.check_data('task.blocked',
        jsonb_build_object('reason', coalesce(nullif(v_body -> 'reason', '""'), '"rule"')), path || '.set_status.');
    when 'save_checkpoint' then
      perform app.check_keys(v_body, path || '.save_checkpoint', 'label');
      if not app.validate_field(coalesce(v_body -> 'label', 'null'), 'line', 200, null) then
        perform app.bad_rule(path || '.save_checkpoint.label', 'one line of 1 to 200 characters');
      end if;
    when 'enqueue' then
      perform app.check_keys(v_body, path || '.enqueue', 'topic');
      if coalesce(v_body ->> 'topic', '') !~ '^[a-z][a-z0-9_.-]{0,99}$' then
        perform app.bad_rule(path || '.enqueue.topic', 'lower-case letters, digits, dots, dashes, at most 100');
      end if;
    else
      perform app.bad_rule(path, 'one of create_task, set_status, save_checkpoint, enqueue');
  end case;
end
$$;

-- Checks a rule that is on or off.
create or replace function app.check_switch(rules jsonb, rule text, field text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if rules ? rule then
    perform app.check_keys(rules -> rule, 'rules.' || rule, field);
    if not app.validate_field(coalesce(rules -> rule -> field, 'true'), 'boolean', null, null) then
      perform app.bad_rule(format('rules.%s.%s', rule, field), 'true or false');
    end if;
  end if;
end
$$;

-- Checks rules = {scope, gates, triggers, attempts_max, limits, memory, traces}. Raises invalid_input naming the path
-- of the first bad rule.
create or replace function app.check_rules(rules jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rule jsonb;
  v_at bigint;
begin
  perform app.check_keys(rules, 'rules', 'scope', 'gates', 'triggers', 'attempts_max', 'limits', 'memory', 'traces');
  perform app.check_switch(rules, 'memory', 'approval');
  perform app.check_switch(rules, 'traces', 'content');
  if rules ? 'limits' then
    perform app.check_keys(rules -> 'limits', 'rules.limits', variadic app.limit_names());
    perform app.check_limits(rules -> 'limits');
  end if;
  if rules ? 'scope' then
    perform app.check_scope(rules -> 'scope', 'rules.scope');
  end if;
  if rules ? 'attempts_max'
      and (not app.validate_field(rules -> 'attempts_max', 'integer', 100, null) or rules -> 'attempts_max' = '0') then
    perform app.bad_rule('rules.attempts_max', 'a whole number from 1 to 100');
  end if;
  if not app.validate_field(coalesce(rules -> 'gates', '[]'), 'array', 20000, null)
      or not app.validate_field(coalesce(rules -> 'triggers', '[]'), 'array', 40000, null)
      or jsonb_array_length(coalesce(rules -> 'gates', '[]')) > 20
      or jsonb_array_length(coalesce(rules -> 'triggers', '[]')) > 20 then
    perform app.bad_rule('rules', 'at most 20 gates and 20 triggers, each a list');
  end if;
  for v_rule, v_at in select g.value, g.ordinality - 1
      from jsonb_array_elements(rules -> 'gates') with ordinality g loop
    perform app.check_gate(v_rule, format('rules.gates[%s]', v_at));
  end loop;
  for v_rule, v_at in select t.value, t.ordinality - 1
      from jsonb_array_elements(rules -> 'triggers') with ordinality t loop
    perform app.check_keys(v_rule, format('rules.triggers[%s]', v_at), 'on', 'when', 'do');
    if not exists (
        select from app.event_types e
        join app.read_models m on starts_with(e.event_type, m.category || '.')
        where e.event_type = v_rule ->> 'on' and m.triggering) then
      perform app.bad_rule(format('rules.triggers[%s].on', v_at), format('an event type of %s, such as task.completed',
        (select string_agg(m.category, ', ' order by m.place) from app.read_models m where m.triggering)));
    end if;
    perform app.check_when(v_rule -> 'when', format('rules.triggers[%s].when', v_at));
    perform app.check_action(v_rule -> 'do', format('rules.triggers[%s].do', v_at));
  end loop;
end
$$;

-- Tells whether an event on a task meets a rule's `when`. Each key lists the values it may have.
create or replace function app.match_condition(condition jsonb, payload jsonb, priority text)
  returns boolean
  language sql
  immutable
as $$
  select condition is null or not exists (
    select from jsonb_each(condition) c
    where not c.value ? coalesce(case c.key when 'priority' then priority else payload ->> c.key end, ''))
$$;

-- Returns the scope of a task: the project's, narrowed by the task's constraints. A path must satisfy both lists.
create or replace function app.effective_scope(rules jsonb, constraints jsonb)
  returns jsonb
  language sql
  immutable
as $$
  select nullif(jsonb_strip_nulls(jsonb_build_object(
    'paths', coalesce(constraints -> 'paths', rules -> 'scope' -> 'paths'),
    'project_paths', case when constraints ? 'paths' then rules -> 'scope' -> 'paths' end,
    'deny', nullif(coalesce(rules -> 'scope' -> 'deny', '[]') || coalesce(constraints -> 'deny', '[]'), '[]'),
    'files_max', least((rules -> 'scope' ->> 'files_max')::integer, (constraints ->> 'files_max')::integer),
    'lines_max', least((rules -> 'scope' ->> 'lines_max')::integer, (constraints ->> 'lines_max')::integer),
    'notes', nullif(coalesce(rules -> 'scope' -> 'notes', '[]')
      || coalesce(constraints -> 'notes', '[]'), '[]'))), '{}')
$$;

-- The same, or all files if scope and files are too large to compare.
create or replace function app.out_of_scope(scope jsonb, files text[]) returns text[] language sql immutable as $$
  select case when app.scope_excess(scope, files) is null then app.files_outside(scope, files)
    else nullif(files, '{}') end
$$;

-- Refuses to archive a project in which agents work. Locks what waits in queues, so that nobody starts it meanwhile.
create or replace function app.check_at_rest(project public.projects, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_active text;
begin
  -- First the commands, as everywhere.
  perform from public.commands c
    where c.tenant_id = project.tenant_id and c.id in (
      select r.command_id from public.agent_runs r
      where r.tenant_id = project.tenant_id and r.project_id = project.id and r.ended_at is null)
    order by c.id for no key update;
  perform from public.agent_runs r
    where r.tenant_id = project.tenant_id and r.project_id = project.id and r.ended_at is null
    order by r.id for no key update;
  select string_agg(format('%s (%s)', a.agent_name, a.id), ', ' order by a.id) into v_active from (
    select r.id, r.agent_name from public.agent_runs r
    where r.tenant_id = project.tenant_id and r.project_id = project.id and app.is_active(r)
      and not app.is_chat(r)
    order by r.id limit 5) a;
  if v_active is not null then
    perform app.fail('lock_held', format('Runs go on in %s: %s.', project.slug, v_active), null,
      'Interrupt them (interrupt_run, `cairn runs interrupt ID`), or retire an agent whose runner is gone.');
  elsif exists (select from public.leases l
      where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
        and l.expires_at > at) then
    perform app.fail('lock_held', format('Agents are working in %s.', project.slug), null,
      'list_tasks with status in_progress shows who; archive when they have released their tasks.');
  end if;
end
$$;

-- Guards decide whether an event may happen now. They run under the stream's lock, before anything is recorded, and
-- are skipped when the read model is rebuilt.
create or replace function app.guard_project(project public.projects, event public.events)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'project.created' then
    if not app.is_slug(event.payload ->> 'slug') then
      perform app.fail('invalid_input', format('%s is not a slug.', event.payload ->> 'slug'),
        jsonb_build_object('field', 'slug'),
        'A slug has 1 to 31 lower-case letters, digits and dashes and begins with a letter: web, api-v2.');
    end if;
    -- If two callers want the same slug at once, the second waits and then sees that it is taken.
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', event.tenant_id, 'slug',
      event.payload ->> 'slug'), 0));
    if project.id is not null or exists (select from public.projects p
        where p.tenant_id = event.tenant_id and p.slug = event.payload ->> 'slug') then
      perform app.fail('already_exists', format('The project %s exists.', event.payload ->> 'slug'), null,
        'Use it, or choose another slug; a slug never changes, for refs are built from it.');
    end if;
  elsif project.id is null then
    perform app.fail('not_found', 'There is no such project in this workspace.', null,
      'list_projects shows what there is.');
  elsif project.archived_at is not null and event.event_type <> 'project.unarchived' then
    perform app.fail('illegal_transition', format('The project %s is archived.', project.slug), null,
      'Call unarchive_project first.');
  elsif project.archived_at is null and event.event_type = 'project.unarchived' then
    perform app.fail('illegal_transition', format('The project %s is not archived.', project.slug));
  elsif event.event_type = 'project.archived' then
    perform app.check_at_rest(project, event.created_at);
  end if;
  if event.payload ? 'rules' then
    perform app.check_rules(event.payload -> 'rules');
  end if;
end
$$;

-- Evolve turns an event into the next state. It never refuses and reads nothing else: the event has happened.
create or replace function app.evolve_project(project public.projects, event public.events)
  returns public.projects
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'project.created' then
    project.tenant_id := event.tenant_id;
    project.id := app.stream_id(event.stream);
    project.user_id := event.user_id;
    project.slug := event.payload ->> 'slug';
    project.created_at := event.created_at;
    project.description := '';
    project.rules := '{}';
  end if;
  if event.event_type in ('project.created', 'project.updated') then
    project.name := coalesce(event.payload ->> 'name', project.name);
    project.description := coalesce(event.payload ->> 'description', project.description);
    project.rules := coalesce(event.payload -> 'rules', project.rules);
  elsif event.event_type = 'project.archived' then
    project.archived_at := event.created_at;
  elsif event.event_type = 'project.unarchived' then
    project.archived_at := null;
  end if;
  project.version := event.version;
  project.updated_at := event.created_at;
  return project;
end
$$;

create or replace function app.write_project(project public.projects)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.projects
    select project.*
    on conflict (tenant_id, id) do update
      set (name, description, rules, version, archived_at, updated_at)
          = (excluded.name, excluded.description, excluded.rules, excluded.version, excluded.archived_at,
            excluded.updated_at);
end
$$;

create or replace function app.project_brief(project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_counts app.task_counts;
  v_lapsed bigint;
begin
  select * into v_counts from app.task_counts c where c.tenant_id = project.tenant_id and c.project_id = project.id;
  if v_counts.in_progress > 0 then
    select count(*) into v_lapsed from app.lapsed_tasks(project);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'id', project.id, 'slug', project.slug, 'name', project.name, 'description', nullif(project.description, ''),
    'archived_at', project.archived_at, 'updated_at', project.updated_at,
    'tasks', jsonb_build_object('pending', coalesce(v_counts.pending, 0),
      'ready', coalesce(v_counts.ready, 0) + coalesce(v_lapsed, 0),
      'in_progress', coalesce(v_counts.in_progress, 0), 'blocked', coalesce(v_counts.blocked, 0),
      'completed', coalesce(v_counts.completed, 0), 'cancelled', coalesce(v_counts.cancelled, 0),
      'unproven', nullif(v_counts.unproven, 0), 'lapsed', nullif(v_lapsed, 0))));
end
$$;

create or replace function app.apply_project(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project public.projects;
begin
  if event.event_type = 'project.created' then
    perform app.refuse_limited(actor);
    event.payload := event.payload || jsonb_build_object('rules', app.with_default_gates(event.payload -> 'rules'));
  end if;
  select * into v_project from public.projects p
    where p.tenant_id = event.tenant_id and p.id = app.stream_id(event.stream) for no key update;
  event.project_id := app.stream_id(event.stream);
  event.payload := app.resolve_answer(event);
  perform app.guard_project(v_project, event);
  perform app.check_project_version(v_project, event, expect);
  event.version := app.next_version(v_project.version, expect, 'project');
  v_project := app.evolve_project(v_project, event);
  perform app.write_project(v_project);
  if event.event_type = 'project.created' then
    insert into app.task_counts (tenant_id, project_id) values (event.tenant_id, event.project_id);
  end if;
  perform app.index_project(v_project);
  return (event, app.project_brief(v_project)
    || jsonb_build_object('rules', v_project.rules, 'version', v_project.version), null)::app.applied;
end
$$;

create or replace function app.refuse_archived(project public.projects)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if project.archived_at is not null then
    perform app.fail('illegal_transition', format('The project %s is archived.', project.slug), null,
      'Call unarchive_project first.');
  end if;
end
$$;

-- Shows a project that a search has found.
create or replace function app.found_project(project public.projects) returns jsonb language sql immutable as $$
  select jsonb_build_object(
    'ref', project.slug,
    'title', project.name,
    'at', project.updated_at,
    'body', concat_ws(' ', project.name, project.description))
$$;

create or replace function app.project_text(project public.projects) returns text language sql stable as $$
  select concat_ws(' ', project.slug, project.name, project.description)
$$;

-- Limits how many events one command may cause by dependency policy, and how many by rules.
create or replace function app.policy_max() returns integer language sql immutable as $$ select 2000 $$;

-- Replacing a list of labels, like a text, needs the version that the caller saw, unless it holds the task.
create or replace function app.check_text_version(task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'task.updated' and task.status = 'completed'
      and event.payload -> 'acceptance_criteria' <> to_jsonb(task.acceptance_criteria) then
    perform app.fail('illegal_transition',
      format('Task %s is completed: its criteria are what it was shown by.', task.ref),
      jsonb_build_object('field', 'acceptance_criteria'),
      'Reopen it (update_task with status reopened), then change them.');
  end if;
  if event.event_type <> 'task.updated' or event.causation_id is not null
      or not (event.payload ?| '{title,description,acceptance_criteria,constraints}'
        or event.payload ? 'labels' and task.labels <> '{}')
      or expect ->> 'lock_token' is not null or expect ->> 'version' = task.version::text then
    return;
  end if;
  perform app.fail('version_conflict',
    case when expect ->> 'version' is null
      then format('You do not hold task %s: say on which version of its %s yours is based.', task.ref,
        case when event.payload ?| '{title,description,acceptance_criteria,constraints}' then 'text' else 'labels' end)
      else format('Task %s is at version %s, not %s.', task.ref, task.version, left(expect ->> 'version', 20)) end,
    jsonb_build_object('version', task.version, 'title', task.title, 'description', nullif(task.description, ''),
      'acceptance_criteria', to_jsonb(task.acceptance_criteria), 'constraints', nullif(task.constraints, '{}'),
      'labels', nullif(to_jsonb(task.labels), '[]')),
    format('Work your change into the task as it stands now (get_task shows all of it), then repeat with '
      || 'expected_version %s.', task.version));
end
$$;

-- Raises version_conflict, with the present text, if a change names no version, or an old one. Nobody loses a missing
-- text, or a new project's first one.
create or replace function app.check_project_version(project public.projects, event public.events, expect jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lost jsonb;
begin
  if event.event_type <> 'project.updated' or event.causation_id is not null
      or expect ->> 'version' = project.version::text then
    return;
  end if;
  v_lost := jsonb_strip_nulls(jsonb_build_object(
    'description', case when event.payload ->> 'description' <> project.description
      then nullif(project.description, '') end,
    'rules', case when event.payload -> 'rules' <> project.rules
      and project.rules not in ('{}', app.with_default_gates('{}')) then project.rules end));
  if v_lost <> '{}' then
    perform app.fail('version_conflict',
      format('Project %s has this already: say on which version of it yours is based.', project.slug),
      jsonb_build_object('version', project.version) || v_lost,
      format('Work your change into what stands there now, then repeat with expected_version %s.', project.version));
  end if;
end
$$;

-- list_projects(include_archived, cursor?, page_size) -> {projects, next_cursor?}, latest change first.
create or replace function public.list_projects(
  include_archived boolean default false,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'projects');
  v_found jsonb[];
begin
  select array_agg(app.project_brief(p) order by p.updated_at desc, p.id desc) into v_found
    from (
      select * from public.projects x
      where x.tenant_id = v_actor.tenant_id
        and (include_archived or x.archived_at is null)
        and (v_after is null or (x.updated_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.updated_at desc, x.id desc limit v_size + 1) p;
  return app.build_page('projects', v_found, v_size, 'projects', '{id}', '{updated_at}');
end
$$;

-- get_project(project?) -> its context: rules, counts, latest checkpoint, holders and their tasks, ready tasks, latest
-- decisions.
create or replace function public.get_project(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_checkpoint public.checkpoints := app.latest_checkpoint(v_project);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project)
      || jsonb_build_object('rules', v_project.rules, 'version', v_project.version),
    'checkpoint', case when v_checkpoint.id is not null then app.checkpoint_brief(v_checkpoint) end,
    'in_progress', (
      select coalesce(jsonb_agg(app.task_brief(t)), '[]')
      from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'ready', (
      select coalesce(jsonb_agg(app.task_brief(t)), '[]')
      from app.ready_tasks(v_project, '{}', v_actor, null, 10) t),
    'decisions', (
      select coalesce(jsonb_agg(app.decision_brief(d)), '[]')
      from (
        select * from public.decisions x
        where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null
        order by x.created_at desc limit 5) d),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;

-- A project is the place of all others, and of itself.
select app.define_category('project', 'projects', triggering => false, own_apply => true);

-- Leases: who holds a thing, until when. The same rules for tasks and whatever else is claimed: a token only grows, a
-- lease that has expired is taken over inside the next claim, and a late holder is refused.

-- Takes the lease of a thing: returns it, or null while somebody else holds it. `wanted` names the thing, its holder
-- and the seconds; its token, if it has one, counts what the thing itself counts.
create or replace function app.take_lease(wanted public.leases, at timestamptz, take_over boolean default false)
  returns public.leases
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_process uuid := app.current_process();
  v_taken public.leases;
begin
  insert into public.leases as l (tenant_id, kind, id, project_id, token, holder, ttl_seconds, expires_at, process,
      renewed_by)
    values (wanted.tenant_id, wanted.kind, wanted.id, wanted.project_id, coalesce(wanted.token, 1), wanted.holder,
      wanted.ttl_seconds, at + make_interval(secs => wanted.ttl_seconds), v_process, v_process)
    on conflict (tenant_id, kind, id) do update
      set (project_id, token, holder, ttl_seconds, expires_at, process, renewed_by, session_ended_at)
        = (excluded.project_id, greatest(l.token + 1, excluded.token), excluded.holder, excluded.ttl_seconds,
          excluded.expires_at, excluded.process, excluded.renewed_by, null)
      where take_over or l.expires_at <= at
    returning * into v_taken;
  return v_taken;
end
$$;

-- Renews a lease for its holder: returns its end, or null if the token is not its own any more. The process that took
-- the lease keeps it, as long as that process of the user has not ended.
create or replace function app.extend_lease(
  tenant_id uuid,
  kind text,
  id uuid,
  token bigint,
  at timestamptz,
  user_id uuid default null
)
  returns timestamptz
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_process uuid := app.current_process();
  v_until timestamptz;
begin
  update public.leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)), session_ended_at = null,
      (process, renewed_by) = (
        select case when k.is_kept then l.process else coalesce(v_process, l.process) end,
          case when k.is_kept then l.process else v_process end
        from (select l.process is not null
          and app.has_not_ended(l.tenant_id, extend_lease.user_id, l.process) as is_kept) k)
    where l.tenant_id = extend_lease.tenant_id and l.kind = extend_lease.kind and l.id = extend_lease.id
      and l.token = extend_lease.token
    returning l.expires_at into v_until;
  return v_until;
end
$$;

-- Refuses whoever does not hold the lease, or no longer.
create or replace function app.check_lease(tenant_id uuid, kind text, id uuid, token bigint, at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
      select from public.leases l
      where l.tenant_id = check_lease.tenant_id and l.kind = check_lease.kind and l.id = check_lease.id
        and l.token = check_lease.token and l.expires_at > at) then
    perform app.fail('lock_lost', format('The lease of the %s %s is not yours any more.', kind, id), null,
      'Stop work on it: another may have taken over.');
  end if;
end
$$;

-- Gives a lease back. Its row stays, so that the next token is higher.
create or replace function app.release_lease(tenant_id uuid, kind text, id uuid, token bigint, at timestamptz)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update public.leases l set expires_at = least(l.expires_at, at)
    where l.tenant_id = release_lease.tenant_id and l.kind = release_lease.kind and l.id = release_lease.id
      and l.token = release_lease.token;
  return found;
end
$$;

-- Finding tasks, their leases, and whether they are ready.

-- Finds the id of the task that a ref (web-12) or uuid names. Raises not_found.
create or replace function app.find_task_id(ref text, tenant_id uuid)
  returns uuid
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := app.as_uuid(ref);
  v_number text := substring(ref from '-([0-9]{1,9})$');
begin
  if v_id is not null then
    select t.id into v_id from public.tasks t where t.tenant_id = find_task_id.tenant_id and t.id = v_id;
  elsif v_number is not null then
    select t.id into v_id
      from public.projects p
      join public.tasks t on t.tenant_id = p.tenant_id and t.project_id = p.id
      where p.tenant_id = find_task_id.tenant_id
        and p.slug = lower(left(find_task_id.ref, -1 - length(v_number)))
        and t.number = v_number::integer;
  end if;
  if v_id is null then
    perform app.fail('not_found', format('There is no task %s in this workspace.', left(ref, 80)),
      jsonb_build_object('task', left(ref, 80)), 'list_tasks shows the refs there are (web-12).');
  end if;
  return v_id;
end
$$;

create or replace function app.find_task(ref text, tenant_id uuid)
  returns public.tasks
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Not inside the query: where there is no row to compare with it would not be called, and not raise.
  v_id uuid := app.find_task_id(find_task.ref, find_task.tenant_id);
  v_task public.tasks;
begin
  select * into v_task from public.tasks t where t.tenant_id = find_task.tenant_id and t.id = v_id;
  return v_task;
end
$$;

create or replace function app.lease_expires_at(task public.tasks)
  returns timestamptz
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.lock_token is null then
    return null;
  end if;
  return coalesce((
      select l.expires_at from public.leases l
      where l.tenant_id = task.tenant_id and l.kind = 'task' and l.id = task.id and l.token = task.lock_token),
    task.locked_at + interval '1 hour');
end
$$;

-- Lists what keeps a task from being claimed by its ref. app.is_claimable decides for claims without a ref.
create or replace function app.waiting_for(task public.tasks)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_expires timestamptz;
begin
  case task.status
    when 'pending' then
      if task.open_dependencies = 0 then
        return '{}';
      end if;
      return array(
        select format('%s (%s): %s', d.ref, d.status, d.title) from app.tasks_with(task.tenant_id, task.dependencies) d
        where d.status <> 'completed' order by d.number limit 10);
    when 'in_progress' then
      v_expires := app.lease_expires_at(task);
      if v_expires <= app.now() then
        return '{}';
      end if;
      return array[format('held by %s until %s', app.quoted_name(task.locked_by),
        to_char(v_expires at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))];
    when 'blocked' then return array['blocked: ' || task.blocked_reason];
    else return array['it is ' || task.status];
  end case;
end
$$;

create or replace function app.is_ready(task public.tasks) returns integer language sql immutable as $$
  select (coalesce(task.status, '') = 'pending'
    and task.open_dependencies = 0
    and coalesce(task.open_parts, 0) = 0)::integer
$$;

-- Tells whether a task waits for who checks it.
create or replace function app.is_submitted(task public.tasks) returns boolean language sql immutable
  return task.status = 'blocked' and task.last_outcome is not distinct from 'submitted';

-- Returns the parent of which a task is an open part.
create or replace function app.open_part_of(task public.tasks) returns uuid language sql immutable
  return case when task.status not in ('completed', 'cancelled') then task.parent_id end;

-- Tells whether a claim without a named task may take this one; `expires_at` is the end of a current claim, past or
-- future.
create or replace function app.is_claimable(task public.tasks, expires_at timestamptz)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.status <> 'in_progress' then
    return app.is_ready(task) = 1;
  elsif expires_at > app.now() or coalesce(task.open_parts, 0) > 0 then
    return false;
  end if;
  -- Given up as often as its project allows, the next claim blocks it.
  return task.attempts + 1 < coalesce((select (p.rules ->> 'attempts_max')::integer from public.projects p
    where p.tenant_id = task.tenant_id and p.id = task.project_id), 2147483647);
end
$$;

-- Lists tasks of a project whose claims have lapsed, and that another may take.
create or replace function app.lapsed_tasks(project public.projects)
  returns setof public.tasks
  language sql
  stable
as $$
  select t.* from public.leases l
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = l.tenant_id and x.id = l.id and x.lock_token = l.token offset 0) t
  where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id and l.expires_at <= app.now()
    and t.status = 'in_progress' and app.is_claimable(t, l.expires_at)
$$;

-- Adjusts the counts of open parts of a task's old and new parent, if they changed.
create or replace function app.count_part(was public.tasks, task public.tasks) returns void language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change record;
  v_ready integer;
begin
  if app.open_part_of(was) is not distinct from app.open_part_of(task) then
    return;
  end if;
  for v_change in select c.parent_id, c.step
      from (values (app.open_part_of(was), -1), (app.open_part_of(task), 1)) c (parent_id, step)
      where c.parent_id is not null
      order by c.parent_id loop
    with changed as (
      update public.tasks t set open_parts = t.open_parts + v_change.step
        where t.tenant_id = task.tenant_id and t.id = v_change.parent_id
        returning t.status, t.open_dependencies, t.open_parts)
    select case when c.open_parts = 0 then 1 when c.open_parts = v_change.step then -1 else 0 end into v_ready
      from changed c where c.status = 'pending' and c.open_dependencies = 0;
    if v_ready <> 0 then
      perform app.count_tasks(task.tenant_id, task.project_id, 'pending', 'pending', 0, v_ready);
    end if;
  end loop;
end
$$;

-- Lists tasks whose stored count of open parts is wrong.
create or replace function app.miscounted_parts(tenant_id uuid) returns table (id uuid, live integer, log integer)
  language sql stable as $$
  select t.id, t.open_parts, coalesce(p.n, 0)
  from public.tasks t left join (
    select c.parent_id, count(*)::integer as n from public.tasks c
    where c.tenant_id = miscounted_parts.tenant_id and app.open_part_of(c) is not null group by c.parent_id) p
    on p.parent_id = t.id
  where t.tenant_id = miscounted_parts.tenant_id and t.open_parts is distinct from coalesce(p.n, 0)
$$;

-- The guards of tasks: the events that may happen now.

-- Lists what a move still lacks.
create or replace function app.unmet_gates(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language sql
  stable
as $$
  select app.unmet_work(task, rules, move, event) || app.unmet_checks(task, rules, move, event)
$$;

-- Lists what it lacks of the work itself. A claim says once that every criterion needs an answer: the briefing lists
-- them already.
create or replace function app.unmet_work(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_require jsonb;
  v_missing text[] := '{}';
begin
  for v_require in select g -> 'require' from jsonb_array_elements(rules -> 'gates') g
      where g ->> 'on' = move and app.match_condition(g -> 'when', event.payload, task.priority) loop
    v_missing := v_missing
      || array(
        select format('an artifact of type %s (add_artifact)', r.type)
        from jsonb_array_elements_text(v_require -> 'artifacts') with ordinality r (type, at)
        where not exists (
          select from public.artifacts x
          where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = r.type)
        order by r.at)
      || case
        when not v_require ? 'evidence' or task.acceptance_criteria = '{}' then '{}'
        when event.event_type is null then array[format('%s evidence (%s) for each criterion',
          v_require ->> 'evidence', app.evidence_of(v_require ->> 'evidence'))]
        else app.missing_evidence(task, v_require ->> 'evidence', event.payload -> 'evidence') end
      || case when v_require ? 'decision'
          and not exists (select from public.decisions d where d.tenant_id = task.tenant_id and d.task_id = task.id)
        then array['a decision for this task (record_decision with task)']
        else '{}' end
      || case when v_require ? 'clean_scope' and not app.is_scope_clean(task, rules)
        then array['a diff artifact naming its files, all in scope (add_artifact type diff, files)']
        else '{}' end;
  end loop;
  return v_missing;
end
$$;

-- Lists what others have to say to it.
create or replace function app.unmet_checks(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language sql
  stable
as $$
  select case when task.approved_at is null and exists (
        select from jsonb_array_elements(rules -> 'gates') g
        where g ->> 'on' = move and g -> 'require' ? 'approval'
          and app.match_condition(g -> 'when', event.payload, task.priority))
      then array[format('approval by a person (`cairn approve %s`)', task.ref)] else '{}' end
    || case when move = 'complete' and app.awaits_review(task, event)
      then array[format('review by %s', app.quoted_name(task.reviewer))] else '{}' end
$$;

-- Tells whether a completion lacks nothing but what others have to say: it is submitted to them.
create or replace function app.is_submission(task public.tasks, rules jsonb, event public.events)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return event.event_type = 'task.completed' and event.causation_id is null and task.status = 'in_progress'
    and (rules ? 'gates' or task.reviewer is not null)
    and app.unmet_checks(task, rules, 'complete', event) <> '{}'
    and app.unmet_work(task, rules, 'complete', event) = '{}';
end
$$;

-- Tells whether a task, before it counts as done, is checked by another than who completes it.
create or replace function app.awaits_review(task public.tasks, event public.events)
  returns boolean
  language sql
  stable
as $$
  select task.reviewer is not null and event.causation_id is null
    and (event.event_type is null or event.actor ->> 'agent' is not null or not app.may_review(event, task.reviewer))
$$;

-- Tells whether the task's last diff names its files, and each is in the current scope.
create or replace function app.is_scope_clean(task public.tasks, rules jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_files text[] := (
    select x.files from public.artifacts x
    where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = 'diff'
    order by x.created_at desc, x.id desc limit 1);
begin
  return cardinality(v_files) > 0 is true
    and app.out_of_scope(app.effective_scope(rules, task.constraints), v_files) is null;
end
$$;

-- Refuses a move that the status does not allow, and lists the allowed ones.
create or replace function app.check_move(task public.tasks, event_type text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_allowed text[];
begin
  if exists (
      select from app.task_moves m
      where m.event_type = check_move.event_type and m.from_status = task.status) then
    return;
  elsif not exists (select from app.task_moves m where m.event_type = check_move.event_type) then
    return;
  end if;
  -- A review's own moves follow from what a caller does.
  v_allowed := array(
    select replace(m.event_type, 'task.', '') from app.task_moves m
    where m.from_status = task.status and m.event_type not in ('task.submitted', 'task.returned')
    order by 1);
  perform app.fail('illegal_transition',
    format('Task %s is %s; it cannot be %s.', task.ref, task.status, replace(event_type, 'task.', '')),
    jsonb_strip_nulls(jsonb_build_object(
      'status', task.status,
      'allowed', v_allowed,
      'blocked_reason', task.blocked_reason)),
    case when event_type = 'task.completed' and task.status = 'pending'
      then 'Claim it first with claim_task, then complete it with the lock_token.'
      else format('From %s it can be %s.', task.status, array_to_string(v_allowed, ', ')) end);
end
$$;

-- Lets a person act without a token on claims under their own name.
create or replace function app.check_holder(
  task public.tasks,
  event public.events,
  expect jsonb,
  expires_at timestamptz,
  role text
)
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
      perform app.fail('lock_lost',
        format('Your lock on task %s has expired; nobody has taken the task since.', task.ref),
        jsonb_build_object('status', task.status, 'locked_by', task.locked_by),
        format('claim_task %s takes it again, with a new lock_token.', task.ref));
    elsif task.lock_token is null or v_token <> task.lock_token::text or expires_at <= event.created_at then
      perform app.fail('lock_lost',
        format('You no longer hold task %s: the lock_token %s is not the live one.', task.ref, left(v_token, 20)),
        jsonb_strip_nulls(jsonb_build_object('status', task.status, 'locked_by', task.locked_by)),
        'Stop work on it: another agent may have taken over. '
          || 'get_task shows its state; claim_task takes it again if it is free.');
    end if;
  elsif task.status = 'in_progress' and (event.actor ->> 'agent' is null and app.role_rank(role) >= 3
      -- An agent keeps its token, unless it says that it cannot, as in a shell: each command is a program of its own.
      or (event.actor ->> 'agent' is null or expect -> 'own_lock' = 'true' and expires_at > event.created_at)
        and task.locked_by_user = event.user_id and task.locked_by = app.actor_name(event)) then
    return;
  elsif task.status = 'in_progress' and expires_at <= event.created_at
      and event.event_type in ('task.released', 'task.submitted', 'task.completed') then
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

create or replace function app.guard_claim(task public.tasks, event public.events, rules jsonb, expires_at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_own boolean := task.locked_by_user = event.user_id;
  v_session text;
  v_waiting text[];
begin
  if task.status = 'in_progress' and expires_at > event.created_at
      and not (v_is_own and coalesce((event.payload ->> 'take_over')::boolean, false)) then
    v_session := app.session_state(task);
    perform app.fail('lock_held',
      format('Task %s is held by %s%s.', task.ref, app.quoted_name(task.locked_by), '; its session ' || v_session),
      jsonb_build_object('locked_by', task.locked_by, 'locked_until', expires_at),
      case when v_is_own and v_session is not null
        then format('Go on with it: claim_task with take_over: true, from: %s. Or claim another ready task (claim_task '
          || 'without task).', app.quoted_name(task.locked_by))
        else 'Claim another ready task (claim_task without task), or wait until the lock expires. '
          || case when v_is_own then 'Only if that was you, and no other worker or session of yours, take your lock '
            || 'back: pass take_over: true.' else '' end end);
  end if;
  if task.status = 'pending' then
    v_waiting := app.waiting_for(task);
    if cardinality(v_waiting) > 0 then
      perform app.fail('illegal_transition',
        format('Task %s is not ready: it waits for %s.', task.ref, array_to_string(v_waiting, '; ')),
        jsonb_build_object('waiting_for', v_waiting),
        'Claim what it waits for, or claim_task without task for the next ready one.');
    end if;
  end if;
  if rules ? 'gates' then
    perform app.check_gates(task, rules, 'claim', event);
  end if;
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
    perform app.fail('gate_unmet',
      format('Task %s cannot %s yet. Missing: %s.', task.ref, move, array_to_string(v_missing, '; ')),
      jsonb_build_object('missing', v_missing),
      'Provide what is missing, then repeat the call'
        || coalesce(
          ' with all of the evidence, each note saying what shows it (a command and what it printed, a test, a '
            || 'diff): evidence: '
            || case move when 'complete' then app.evidence_wanted(task, rules, event) end,
          '')
        || '.');
  end if;
end
$$;

-- Refuses forbidden dependencies; `field` is the tool's name of the list, `subject` the task.
create or replace function app.check_added(event public.events, added uuid[], field text, subject text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ref text;
begin
  select d.ref into v_ref from app.tasks_with(event.tenant_id, added) d
    where d.status = 'cancelled' or d.project_id <> event.project_id limit 1;
  if found then
    perform app.fail('invalid_input',
      format('%s cannot depend on %s: it is cancelled or of another project.', subject, v_ref),
      jsonb_build_object('field', field), 'Leave it out, or if it is cancelled reopen it first.');
  end if;
end
$$;

create or replace function app.guard_new_task(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.id is not null then
    perform app.fail('already_exists', format('The task %s exists.', task.ref));
  end if;
  if event.payload ? 'dependencies' then
    perform app.check_added(event,
      array(select app.as_uuid(x) from jsonb_array_elements_text(event.payload -> 'dependencies') x),
      'dependencies', 'A task');
  end if;
end
$$;

-- Finds the dependencies that lead from a task back to itself, as a path of refs, or null. Searches breadth first, each
-- task once.
create or replace function app.find_cycle(task public.tasks, added uuid[])
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_via jsonb;
  v_back uuid[] := array[task.id];
begin
  -- Nothing leads back to a task that none waits for.
  if task.id <> all (added) and not exists (select app.dependents_of(task.tenant_id, task.id)) then
    return null;
  elsif not exists (select from app.reached_tasks(task.tenant_id, added) r where r = task.id) then
    return null;
  end if;
  -- The first that led to each. It was reached before, so that going back ends.
  select jsonb_object_agg(l.depends_on, l.task_id) into v_via from (
    select distinct on (e.depends_on) e.depends_on, r.id as task_id
    from app.reached_tasks(task.tenant_id, added) with ordinality r (id, place)
      cross join lateral (
        select x.depends_on from app.task_dependencies x
        where x.tenant_id = task.tenant_id and x.task_id = r.id offset 0) e
    order by e.depends_on, r.place) l;
  while v_back[cardinality(v_back)] <> all (added) loop
    v_back := v_back || (v_via ->> v_back[cardinality(v_back)]::text)::uuid;
  end loop;
  return app.path_text(task, v_back);
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
    if jsonb_typeof(v_item) <> 'object'
        or not app.validate_field(
          coalesce(v_item -> 'criterion', 'null'), 'integer', cardinality(task.acceptance_criteria), null)
        or v_item -> 'criterion' = '0'
        or v_item - '{criterion,note,artifact}'::text[] <> '{}' then
      perform app.fail('invalid_input',
        format('Evidence names a criterion from 1 to %s of task %s, with a note or an artifact.',
          cardinality(task.acceptance_criteria), task.ref),
        jsonb_build_object('field', 'evidence'), 'get_task shows the criteria in order.');
    end if;
    if not (app.clean_name(v_item ->> 'note', 4000) is not null or v_item ? 'artifact')
        or v_item ? 'note' and not app.validate_field(v_item -> 'note', 'text', 4000, null) then
      perform app.fail('invalid_input',
        format('The evidence for criterion %s needs a note of at most 4000 characters or an artifact id.',
          v_item ->> 'criterion'),
        jsonb_build_object('field', 'evidence'),
        'Say in the note what shows it: a command and what it printed, a test, a diff.');
    end if;
    if v_item ? 'artifact' then
      perform from public.artifacts a
        where a.tenant_id = task.tenant_id and a.task_id = task.id and a.id = app.as_uuid(v_item ->> 'artifact');
      if not found then
        perform app.fail('not_found', format('Task %s has no artifact %s.', task.ref, left(v_item ->> 'artifact', 80)),
          null, 'add_artifact returns the id to name here.');
      end if;
    end if;
  end loop;
end
$$;

create or replace function app.check_dependencies(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_added uuid[] := array(select x::uuid from jsonb_array_elements_text(event.payload -> 'add') x);
  v_other text;
begin
  if task.status in ('completed', 'cancelled') then
    perform app.fail('illegal_transition',
      format('Task %s is %s; its dependencies cannot change.', task.ref, task.status), null, 'Reopen it first.');
  end if;
  perform app.check_added(event, v_added, 'add_dependencies', task.ref);
  if cardinality(task.dependencies) + cardinality(v_added) > 100 then
    perform app.fail('invalid_input', format('Task %s would have more than 100 dependencies.', task.ref),
      jsonb_build_object('field', 'add_dependencies'));
  end if;
  v_other := app.find_cycle(task, v_added);
  if v_other is not null then
    perform app.fail('dependency_cycle', format('That would make a cycle: %s.', v_other),
      jsonb_build_object('cycle', v_other), 'Each task waits for the one after it. Leave one of them out.');
  end if;
end
$$;

-- Lets a task only narrow its project's limits. (Paths need no check: a file must satisfy the task's list and the
-- project's.)
create or replace function app.check_constraints(constraints jsonb, rules jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  perform app.check_scope(constraints, 'constraints');
  foreach v_key in array array['files_max', 'lines_max'] loop
    if (constraints ->> v_key)::integer > (rules -> 'scope' ->> v_key)::integer then
      perform app.fail('invalid_input',
        format('constraints.%s is %s; the project allows at most %s.', v_key, constraints ->> v_key,
          rules -> 'scope' ->> v_key),
        jsonb_build_object('field', 'constraints.' || v_key), 'A task may narrow the project''s scope, not widen it.');
    end if;
  end loop;
end
$$;

-- Guards decide whether an event may happen now. They run under the stream's lock, before anything is recorded, and
-- are skipped when the read model is rebuilt.
create or replace function app.guard_task(
  task public.tasks,
  event public.events,
  expect jsonb,
  project public.projects,
  role text
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_expires timestamptz := app.lease_expires_at(task);
begin
  if project.archived_at is not null then
    perform app.refuse_archived(project);
  end if;
  -- A call with a lost token is refused at once, whatever its event; a live token extends the lease.
  if expect ->> 'lock_token' is not null then
    perform app.check_holder(task, event, expect, v_expires, role);
  end if;
  case
    when event.event_type = 'task.noted' then
      null;
    when event.event_type = 'task.created' then
      perform app.guard_new_task(task, event);
    when event.event_type = 'task.claimed' then
      perform app.check_move(task, event.event_type);
      perform app.guard_claim(task, event, project.rules, v_expires);
    -- A review completes what was submitted.
    when event.event_type = 'task.completed' and event.causation_id is not null then
      null;
    when event.event_type in ('task.released', 'task.submitted', 'task.completed', 'task.blocked', 'task.cancelled')
        or event.event_type = 'task.updated' and event.payload - '{priority,labels,rank}'::text[] <> '{}' then
      if event.causation_id is null and expect ->> 'lock_token' is null then
        perform app.check_holder(task, event, expect, v_expires, role);
      end if;
      perform app.check_move(task, event.event_type);
    when event.event_type in ('task.lock_broken', 'task.approved', 'task.unblocked', 'task.reopened') then
      perform app.check_authority(task, event, project.rules, role);
      perform app.check_move(task, event.event_type);
    when event.event_type = 'task.dependencies_changed' then
      perform app.check_dependencies(task, event);
    else
      perform app.check_move(task, event.event_type);
  end case;
  if event.payload ? 'evidence' then
    perform app.check_evidence(task, event.payload -> 'evidence');
  end if;
  if (project.rules ? 'gates' or task.reviewer is not null)
      and event.event_type in ('task.completed', 'task.cancelled', 'task.reopened') then
    perform app.check_gates(task, project.rules, case event.event_type
      when 'task.cancelled' then 'cancel' when 'task.reopened' then 'reopen' else 'complete' end, event);
  end if;
  if event.event_type = 'task.updated' and event.payload ? 'reviewer' and event.actor ->> 'agent' is not null then
    perform app.fail('forbidden', 'A person says who checks a task, once it is there.', null,
      format('Ask a person to run: cairn edit %s --reviewer NAME', task.ref));
  end if;
  if event.payload ? 'constraints' then
    perform app.check_constraints(event.payload -> 'constraints', project.rules);
  end if;
end
$$;

-- Refuses actions beyond holding a task: break another's lock, approve, go on after the last attempt.
create or replace function app.check_authority(task public.tasks, event public.events, rules jsonb, role text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'task.lock_broken' and app.role_rank(role) < 3 then
    perform app.fail('forbidden', 'Only an owner or admin of the workspace may break a lock.', null,
      'Ask one, or wait until the lock expires.');
  elsif event.event_type = 'task.approved' and event.actor ->> 'agent' is not null then
    perform app.fail('forbidden', 'An approval is given by a person, not by an agent.', null,
      format('Ask a person to run: cairn approve %s', task.ref));
  elsif event.event_type in ('task.unblocked', 'task.reopened') and event.actor ->> 'agent' is not null
      and task.attempts >= (rules ->> 'attempts_max')::integer then
    perform app.fail('forbidden',
      format('Task %s was given up %s, the most its project allows: a person decides whether it is tried again.',
        task.ref, app.times(task.attempts)),
      null, format('Ask a person to run: cairn unblock %s', task.ref));
  end if;
end
$$;

-- Completes an event before the guard judges it: ids for refs, the number, the previous lock.
create or replace function app.prepare_task(task public.tasks, event public.events, project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_payload jsonb := event.payload;
  v_key text;
  v_number integer;
begin
  if v_payload ?| '{dependencies,add,remove,parent,discovered_from,dependency}' then
    foreach v_key in array array['dependencies', 'add', 'remove'] loop
      if v_payload ? v_key then
        v_payload := jsonb_set(v_payload, array[v_key],
          coalesce((
            select jsonb_agg(distinct app.find_task_id(x, event.tenant_id))
            from jsonb_array_elements_text(v_payload -> v_key) x), '[]'));
      end if;
    end loop;
    foreach v_key in array array['parent', 'discovered_from', 'dependency'] loop
      if v_payload ->> v_key is not null then
        v_payload := jsonb_set(v_payload, array[v_key],
          to_jsonb(app.find_task_id(v_payload ->> v_key, event.tenant_id)));
      end if;
    end loop;
  end if;
  case event.event_type
    when 'task.noted' then v_payload := app.resolve_answer(event);
    when 'task.created' then
      select coalesce(max(t.number), 0) + 1 into v_number from public.tasks t
        where t.tenant_id = project.tenant_id and t.project_id = project.id;
      v_payload := v_payload - 'project'
        || jsonb_build_object('project_id', project.id, 'number', v_number, 'ref', project.slug || '-' || v_number);
    when 'task.claimed' then
      if task.status = 'in_progress' and app.lease_expires_at(task) <= event.created_at then
        v_payload := v_payload || '{"lapsed": true}';
      end if;
    when 'task.released' then
      v_payload := v_payload
        || jsonb_strip_nulls(jsonb_build_object(
          'lock_token', task.lock_token,
          'lapsed', case when event.causation_id is not null then true end,
          'exhausted', case when v_payload ->> 'outcome' = 'failed'
              and task.attempts + 1 >= (project.rules ->> 'attempts_max')::integer
            then true end));
    when 'task.submitted' then
      v_payload := v_payload || jsonb_strip_nulls(jsonb_build_object('lock_token', task.lock_token));
    when 'task.completed' then
      v_payload := v_payload || jsonb_strip_nulls(jsonb_build_object('lock_token', task.lock_token,
        'unproven', app.list_unproven(app.evolve_task(task, event))));
    else
  end case;
  return v_payload;
end
$$;

-- Refuses a parent of another project, and one that is the task itself or one of its parts: `lock_streams` lets one
-- move at a time come here. An existing cycle ends the walk. A new task, whose row is empty, has no parts yet.
create or replace function app.check_parent(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_parent public.tasks := app.find_task(event.payload ->> 'parent', event.tenant_id);
begin
  if v_parent.project_id <> event.project_id then
    perform app.fail('invalid_input', format('Task %s is of another project; it has no part here.', v_parent.ref),
      jsonb_build_object('field', 'parent'), 'Choose a parent of the same project, or name it as discovered_from.');
  end if;
  if exists (
      with recursive above as (
        select t.id, t.parent_id
        from public.tasks t
        where t.tenant_id = event.tenant_id and t.id = v_parent.id
        union
        select t.id, t.parent_id
        from above a
        join public.tasks t on t.tenant_id = task.tenant_id and t.id = a.parent_id)
      select from above a
      where a.id = task.id) then
    perform app.fail('dependency_cycle', format('Task %s would be a part of itself.', task.ref),
      jsonb_build_object('field', 'parent'), 'Choose another parent, or "" for none.');
  end if;
end
$$;

-- The allowed moves: an event of this type leads from one status to another.
select app.set_rows('app.task_moves', '[
  ["task.claimed", "pending", "in_progress"],
  ["task.claimed", "in_progress", "in_progress"],
  ["task.released", "in_progress", "pending"],
  ["task.lock_broken", "in_progress", "pending"],
  ["task.blocked", "pending", "blocked"],
  ["task.blocked", "in_progress", "blocked"],
  ["task.unblocked", "blocked", "pending"],
  ["task.submitted", "in_progress", "blocked"],
  ["task.returned", "blocked", "pending"],
  ["task.completed", "in_progress", "completed"],
  ["task.cancelled", "pending", "cancelled"],
  ["task.cancelled", "in_progress", "cancelled"],
  ["task.cancelled", "blocked", "cancelled"],
  ["task.reopened", "completed", "pending"],
  ["task.reopened", "cancelled", "pending"]]');

-- The projection of tasks: how events change a task and the rows beside it.

create or replace function app.text_list(value jsonb)
  returns text[]
  language plpgsql
  immutable
as $$
begin
  if value is null then
    return '{}';
  end if;
  return array(select x from jsonb_array_elements_text(value) with ordinality e (x, at) order by at);
end
$$;

create or replace function app.unlock_task(task public.tasks, status text)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task.status := status;
  task.locked_at := null;
  task.locked_by := null;
  task.locked_by_user := null;
  task.lock_token := null;
  task.blocked_reason := null;
  task.blocked_by := null;
  task.completed_at := null;
  -- It waits for its review no longer.
  if task.last_outcome = 'submitted' then
    task.last_outcome := null;
    task.last_reason := null;
    task.last_agent := null;
  end if;
  return task;
end
$$;

-- The payload has people's text under the names of its columns, except the parent.
create or replace function app.evolve_task_text(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task := jsonb_populate_record(task, payload);
  if payload ? 'parent' then
    task.parent_id := (payload ->> 'parent')::uuid;
  end if;
  if payload ->> 'reviewer' = '' then
    task.reviewer := null;
  end if;
  if payload ? 'labels' then
    task.labels := app.merge_labels(task.labels);
  end if;
  return task;
end
$$;

create or replace function app.evolve_new_task(event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
declare
  v_task public.tasks;
begin
  v_task.tenant_id := event.tenant_id;
  v_task.id := app.stream_id(event.stream);
  v_task.project_id := event.project_id;
  v_task.user_id := event.user_id;
  v_task.created_by := app.actor_name(event);
  v_task.created_at := event.created_at;
  v_task.status := 'pending';
  v_task.priority := 'medium';
  v_task.description := '';
  v_task.acceptance_criteria := '{}';
  v_task.constraints := '{}';
  v_task.labels := '{}';
  v_task.dependencies := '{}';
  -- Counts all of them. Which are completed does not depend on this stream: see count_open_dependencies.
  v_task.open_dependencies := coalesce(jsonb_array_length(event.payload -> 'dependencies'), 0);
  v_task.open_parts := 0;
  v_task.attempts := 0;
  v_task.evidence := '[]';
  return app.evolve_task_text(v_task, event.payload);
end
$$;

create or replace function app.evolve_review(task public.tasks, event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task := app.unlock_task(task, case event.event_type when 'task.returned' then 'pending' else 'blocked' end);
  task.last_agent := app.actor_name(event);
  if event.event_type = 'task.returned' then
    task.last_outcome := 'changes_requested';
    task.last_reason := event.payload ->> 'reason';
    return task;
  end if;
  task.blocked_reason := format('It was submitted, and waits for review by %s.',
    case when task.reviewer is null then 'a person' else app.quoted_name(task.reviewer) end);
  task.last_outcome := 'submitted';
  task.last_reason := event.payload ->> 'summary';
  task.summary := event.payload ->> 'summary';
  task.evidence := coalesce(event.payload -> 'evidence', '[]');
  return task;
end
$$;

-- Evolve turns an event into the next state. It never refuses and reads nothing else: the event has happened.
create or replace function app.evolve_task(task public.tasks, event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'task.created' then task := app.evolve_new_task(event);
    when 'task.claimed' then
      task.status := 'in_progress';
      task.locked_at := event.created_at;
      task.locked_by := app.actor_name(event);
      task.locked_by_user := event.user_id;
      task.lock_token := event.version;
      task.warning := null;
      task.attempts := task.attempts + case when event.payload ? 'lapsed' then 1 else 0 end;
    when 'task.updated' then task := app.evolve_task_text(task, event.payload);
    when 'task.dependencies_changed' then task := app.evolve_dependencies(task, event.payload);
    when 'task.released' then
      task.last_outcome := event.payload ->> 'outcome';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := case when event.payload ? 'lapsed' then task.locked_by else app.actor_name(event) end;
      task := app.unlock_task(task, case when event.payload ? 'exhausted' then 'blocked' else 'pending' end);
      task.attempts := task.attempts + case task.last_outcome when 'failed' then 1 else 0 end;
      if event.payload ? 'exhausted' then
        task.blocked_reason := format(
          'It was given up %s, the most its project allows; a person decides. Last reason: %s',
          app.times(task.attempts), task.last_reason);
      end if;
    when 'task.lock_broken' then
      task.last_outcome := 'lock_broken';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := task.locked_by;
      task := app.unlock_task(task, 'pending');
    when 'task.blocked' then
      task := app.unlock_task(task, 'blocked');
      task.blocked_reason := event.payload ->> 'reason';
      task.blocked_by := (event.payload ->> 'dependency')::uuid;
    when 'task.unblocked' then
      task := app.unlock_task(task, 'pending');
      task.attempts := 0;
    when 'task.submitted', 'task.returned' then task := app.evolve_review(task, event);
    when 'task.completed' then
      task := app.unlock_task(task, 'completed');
      task.completed_at := event.created_at;
      task.summary := event.payload ->> 'summary';
      task.evidence := coalesce(event.payload -> 'evidence', '[]');
    when 'task.cancelled' then
      task := app.unlock_task(task, 'cancelled');
      task.last_outcome := 'cancelled';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.actor_name(event);
    when 'task.reopened' then
      task := app.unlock_task(task, 'pending');
      task.last_outcome := 'reopened';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.actor_name(event);
      task.approved_at := null;
    when 'task.warned' then task.warning := event.payload ->> 'reason';
    when 'task.approved' then task.approved_at := event.created_at;
    else end case;
  task.version := event.version;
  task.updated_at := event.created_at;
  return task;
end
$$;

-- Dropping the cancelled dependency that blocked a task settles the question: the task is free again.
create or replace function app.evolve_dependencies(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
declare
  v_removed uuid[] := app.text_list(payload -> 'remove')::uuid[];
begin
  task.dependencies := array(
    select d from unnest(task.dependencies) with ordinality o (d, at)
    where d <> all (v_removed)
    union all
    select a from unnest(app.text_list(payload -> 'add')::uuid[]) a
    where a <> all (task.dependencies));
  if task.blocked_by = any (v_removed) then
    task := app.unlock_task(task, 'pending');
  end if;
  return task;
end
$$;

create or replace function app.write_task(task public.tasks, is_new boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if is_new then
    insert into public.tasks select task.*;
    return;
  end if;
  update public.tasks t set (title, description, acceptance_criteria, constraints, dependencies, parent_id, status,
      priority, labels, rank, open_dependencies, blocked_reason, blocked_by, warning, locked_at, locked_by,
      locked_by_user, lock_token, attempts, last_outcome, last_reason, last_agent, summary, evidence, approved_at,
      reviewer, completed_at, version, updated_at)
    = (task.title, task.description, task.acceptance_criteria, task.constraints, task.dependencies, task.parent_id,
      task.status, task.priority, task.labels, task.rank, task.open_dependencies, task.blocked_reason, task.blocked_by,
      task.warning, task.locked_at, task.locked_by, task.locked_by_user, task.lock_token, task.attempts,
      task.last_outcome, task.last_reason, task.last_agent, task.summary, task.evidence, task.approved_at,
      task.reviewer, task.completed_at, task.version, task.updated_at)
    where t.tenant_id = task.tenant_id and t.id = task.id;
end
$$;

-- The second projection of tasks: the number of open dependencies, and edges. It is a pure function of the tasks
-- themselves.
create or replace function app.count_open_dependencies(task public.tasks)
  returns integer
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (select count(*) from app.tasks_with(task.tenant_id, task.dependencies) d where d.status <> 'completed');
end
$$;

create or replace function app.write_edges(task public.tasks)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.task_dependencies e
    where e.tenant_id = task.tenant_id and e.task_id = task.id and e.depends_on <> all (task.dependencies);
  insert into app.task_dependencies (tenant_id, task_id, depends_on)
    select task.tenant_id, task.id, d from unnest(task.dependencies) d on conflict do nothing;
end
$$;

-- Moves a task of a project from one count to another; counts ready and unproven tasks beside their status.
create or replace function app.count_tasks(
  tenant_id uuid,
  project_id uuid,
  was text,
  becomes text,
  was_ready integer,
  ready integer,
  unproven integer default 0
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update app.task_counts c set
    ready = c.ready + count_tasks.ready - was_ready,
    pending = c.pending + (becomes = 'pending')::integer - coalesce((was = 'pending')::integer, 0),
    in_progress = c.in_progress + (becomes = 'in_progress')::integer - coalesce((was = 'in_progress')::integer, 0),
    blocked = c.blocked + (becomes = 'blocked')::integer - coalesce((was = 'blocked')::integer, 0),
    completed = c.completed + (becomes = 'completed')::integer - coalesce((was = 'completed')::integer, 0),
    cancelled = c.cancelled + (becomes = 'cancelled')::integer - coalesce((was = 'cancelled')::integer, 0),
    unproven = c.unproven + count_tasks.unproven
  where c.tenant_id = count_tasks.tenant_id and c.project_id = count_tasks.project_id;
end
$$;

-- Frees the dependents of a completed task and holds back those of a reopened one.
create or replace function app.free_dependents(task public.tasks, difference integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ready integer;
begin
  with changed as (
    update public.tasks d set open_dependencies = d.open_dependencies + difference
    from app.task_dependencies e
    where e.tenant_id = task.tenant_id and e.depends_on = task.id and d.tenant_id = e.tenant_id and d.id = e.task_id
    returning d.status, d.open_dependencies, d.open_parts)
  select coalesce(sum(case
    when c.open_dependencies = 0 then 1
    when c.open_dependencies = difference then -1
    else 0 end), 0)
  into v_ready
  from changed c
  where c.status = 'pending' and c.open_parts = 0;
  if v_ready <> 0 then
    perform app.count_tasks(task.tenant_id, task.project_id, 'pending', 'pending', 0, v_ready);
  end if;
end
$$;

-- Keeps the lease in step with the lock: a claim starts it, the holder's calls extend it, the end of the lock removes
-- it.
create or replace function app.keep_lease(was public.tasks, task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lease public.leases;
begin
  if event.event_type = 'task.claimed' then
    -- The guard has judged whether it may be taken.
    v_lease.tenant_id := task.tenant_id;
    v_lease.kind := 'task';
    v_lease.id := task.id;
    v_lease.project_id := task.project_id;
    v_lease.token := task.lock_token;
    v_lease.holder := task.locked_by;
    v_lease.ttl_seconds := (event.payload ->> 'ttl_seconds')::integer;
    perform app.take_lease(v_lease, event.created_at, true);
  elsif was.status = 'in_progress' and task.status <> 'in_progress' then
    delete from public.leases l where l.tenant_id = task.tenant_id and l.kind = 'task' and l.id = task.id;
  elsif expect ->> 'lock_token' is not null then
    perform app.renew_lease(task, event.created_at);
  end if;
end
$$;

-- Extends the lease. A caller with the token has the lock; the process that took it keeps it until it ends.
create or replace function app.renew_lease(task public.tasks, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.extend_lease(task.tenant_id, 'task', task.id, task.lock_token, at, task.locked_by_user);
end
$$;

-- Tells whether the holder repeats a release or completion that succeeded before, with the same token. A completion may
-- have been a submission.
create or replace function app.is_repeat(task public.tasks, event public.events, expect jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type not in ('task.released', 'task.completed')
      or task.status = 'in_progress'
      or expect ->> 'lock_token' is null then
    return false;
  end if;
  return exists (
    select from public.events e
    where e.tenant_id = event.tenant_id
      and e.stream = event.stream
      and e.version > (expect ->> 'lock_token')::bigint
      and e.event_type in (event.event_type, case event.event_type when 'task.completed' then 'task.submitted' end)
      and e.payload ->> 'lock_token' = expect ->> 'lock_token'
      and e.actor = event.actor);
end
$$;

create or replace function app.task_text(task public.tasks)
  returns text
  language sql
  stable
as $$
  select concat_ws(' ', task.ref, task.title, task.description, array_to_string(task.acceptance_criteria, ' '),
    array_to_string(task.labels, ' '))
$$;

create or replace function app.apply_task(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_was public.tasks;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_was from public.tasks t
    where t.tenant_id = event.tenant_id and t.id = app.stream_id(event.stream) for no key update;
  if v_was.id is null and event.event_type <> 'task.created' then
    perform app.find_task_id(app.stream_id(event.stream)::text, event.tenant_id);
  end if;
  v_project := app.find_project(
    case when v_was.id is null then event.payload ->> 'project' else v_was.project_id::text end, actor);
  if app.is_repeat(v_was, event, expect) then
    event.version := null;
    return (event, app.task_full(v_was, v_project.rules), null)::app.applied;
  end if;
  event.project_id := v_project.id;
  event.task_id := app.stream_id(event.stream);
  if v_was.id is null or v_project.rules ? 'triggers' then
    -- A new task's number is taken under the project's lock, which comes before the counts'; a trigger may create one.
    select * into v_project from public.projects p
      where p.tenant_id = v_project.tenant_id and p.id = v_project.id for no key update;
  end if;
  if app.is_submission(v_was, v_project.rules, event) then
    event.event_type := 'task.submitted';
  end if;
  event.payload := app.prepare_task(v_was, event, v_project);
  perform app.guard_task(v_was, event, expect, v_project, actor.role);
  perform app.check_text_version(v_was, event, expect);
  event.version := app.next_version(v_was.version, expect, 'task');
  if (event.payload ->> 'parent')::uuid <> coalesce(v_was.parent_id, app.get_nil_id()) then
    perform app.check_parent(v_was, event);
  end if;
  v_task := app.evolve_task(v_was, event);
  if v_task.dependencies = coalesce(v_was.dependencies, '{}') then
    perform app.write_task(v_task, v_was.id is null);
  else
    v_task.open_dependencies := app.count_open_dependencies(v_task);
    perform app.write_task(v_task, v_was.id is null);
    perform app.write_edges(v_task);
  end if;
  perform app.count_part(v_was, v_task);
  if v_was.lock_token is not null or v_task.lock_token is not null then
    perform app.keep_lease(v_was, v_task, event, expect);
  end if;
  if event.event_type in ('task.created', 'task.updated') then
    perform app.index_task(v_task);
  end if;
  if (v_was.status, v_was.open_dependencies, app.is_unproven(v_was))
      is distinct from (v_task.status, v_task.open_dependencies, app.is_unproven(v_task)) then
    perform app.count_tasks(v_task.tenant_id, v_task.project_id, v_was.status, v_task.status,
      coalesce(app.is_ready(v_was), 0), app.is_ready(v_task), app.is_unproven(v_task) - app.is_unproven(v_was));
    if (coalesce(v_was.status, '') = 'completed') <> (v_task.status = 'completed') then
      perform app.free_dependents(v_task, case when v_task.status = 'completed' then -1 else 1 end);
    end if;
  end if;
  return (event, app.task_full(v_task, v_project.rules), v_project.rules -> 'triggers')::app.applied;
end
$$;

-- These find tasks by their keys and dependencies, each looked up by itself. Otherwise a cached plan from a small
-- workspace would read all of its tasks for a few.
create or replace function app.tasks_with(tenant_id uuid, ids uuid[])
  returns setof public.tasks
  language sql
  stable
as $$
  select t.*
  from unnest(ids) i
  cross join lateral (select x.* from public.tasks x where x.tenant_id = tasks_with.tenant_id and x.id = i offset 0) t
$$;

create or replace function app.dependents_of(tenant_id uuid, task_id uuid) returns setof uuid language sql stable as $$
  select e.task_id from app.task_dependencies e
  where e.tenant_id = dependents_of.tenant_id and e.depends_on = dependents_of.task_id offset 0
$$;

-- Lists some tasks and all their dependencies, each once and after the one that led to it.
create or replace function app.reached_tasks(tenant_id uuid, start uuid[])
  returns setof uuid
  language sql
  stable
as $$
  with recursive reached (id) as (
    select unnest(start)
    union
    select e.depends_on from reached r cross join lateral (
      select x.depends_on from app.task_dependencies x
      where x.tenant_id = reached_tasks.tenant_id and x.task_id = r.id offset 0) e)
  select r.id from reached r
$$;

-- Lists tasks by rank within their priority; returns the total of those that became ready if not all are named.
create or replace function app.freed_by(events public.events[])
  returns jsonb
  language sql
  stable
as $$
  with ended as (
    select e.tenant_id, e.task_id
    from unnest(events) e
    where e.event_type in ('task.completed', 'task.cancelled')),
  after as (
    select e.tenant_id, d.id
    from ended e
    cross join lateral app.dependents_of(e.tenant_id, e.task_id) d (id)
    union
    select e.tenant_id, t.parent_id
    from ended e
    join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id),
  freed as (
    select t.ref, row_number() over (order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number) as place
    from after a
    join public.tasks t on t.tenant_id = a.tenant_id and t.id = a.id
    where app.is_ready(t) = 1)
  select jsonb_strip_nulls(jsonb_build_object(
    'freed', jsonb_agg(f.ref order by f.place) filter (where f.place <= 20),
    'freed_total', case when count(*) > 20 then count(*) end))
  from freed f
$$;

-- Shows a task that a search has found.
create or replace function app.found_task(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'ref', task.ref, 'title', task.title, 'at', task.updated_at, 'by', task.created_by,
    'unproven', app.list_unproven(task),
    'body', concat_ws(' ', task.title, task.description, array_to_string(task.acceptance_criteria, ' '),
      array_to_string(task.labels, ' '))));
end
$$;

-- Open dependencies and open parts are no matter of one stream: rebuild_links counts them.
select app.define_category('task', 'tasks', kept => '{open_dependencies,open_parts}', own_apply => true);

-- Labels and ranks of tasks.

-- Keeps each label once, in its first spelling.
create or replace function app.merge_labels(labels text[]) returns text[] language sql immutable
  return array(
    select l.label from unnest(labels) with ordinality l (label, at)
    where not exists (
      select from unnest(labels) with ordinality e (label, at)
      where e.at < l.at and app.fold_label(e.label) = app.fold_label(l.label))
    order by l.at);

-- Tells whether all of the wanted labels are there.
create or replace function app.has_labels(labels text[], wanted jsonb) returns boolean language sql immutable
  return array(select app.fold_label(l) from unnest(labels) l)
    @> array(select app.fold_label(w) from jsonb_array_elements_text(wanted) w);

-- Lists the label rows of a task.
create or replace function app.label_rows(task public.tasks) returns setof app.task_labels
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select distinct task.tenant_id, task.project_id, task.id, app.fold_label(l), task.number,
    app.priority_rank(task.priority), app.rank_order(task.rank), app.is_ready(task) = 1
  from unnest(task.labels) l
$$;

create or replace function app.labels_of_tasks(tenant_id uuid) returns setof app.task_labels
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select r.* from public.tasks t cross join lateral app.label_rows(t) r
  where t.tenant_id = labels_of_tasks.tenant_id and t.labels <> '{}'
$$;

create or replace function app.rebuild_labels(tenant_id uuid) returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  delete from app.task_labels l using (
      select * from app.task_labels x where x.tenant_id = rebuild_labels.tenant_id
      except select * from app.labels_of_tasks(rebuild_labels.tenant_id)) wrong
    where l.tenant_id = wrong.tenant_id and l.task_id = wrong.task_id and l.label = wrong.label;
  insert into app.task_labels
    select * from app.labels_of_tasks(rebuild_labels.tenant_id)
    except select * from app.task_labels x where x.tenant_id = rebuild_labels.tenant_id;
$$;

create or replace function app.keep_labels() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_task public.tasks := new;
begin
  delete from app.task_labels l
    where l.tenant_id = new.tenant_id and l.task_id = new.id
    and l.label not in (select r.label from app.label_rows(v_task) r);
  insert into app.task_labels select * from app.label_rows(v_task)
    on conflict on constraint task_labels_pkey do update set (project_id, number, priority_rank, rank_order, is_ready)
      = (excluded.project_id, excluded.number, excluded.priority_rank, excluded.rank_order, excluded.is_ready);
  return null;
end
$$;

-- Returns the requested label that fewest tasks of the project have, folded for comparison; null without any.
create or replace function app.rarest_label(project public.projects, filters jsonb) returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select w.label
  from (
    select f.label, count(*) over () as labels
    from (select distinct app.fold_label(l) as label from jsonb_array_elements_text(filters -> 'labels') l) f) w
  order by case when w.labels > 1 then (
      select count(*)
      from (
        select from app.task_labels x
        where x.tenant_id = project.tenant_id and x.project_id = project.id and x.label = w.label
        limit 200) c) end,
    w.label limit 1
$$;

-- Lists the ready tasks that have the label and pass the filters, in the order of claims.
create or replace function app.ready_labelled(
  project public.projects,
  label text,
  filters jsonb,
  actor app.actor,
  after jsonb,
  size integer
)
  returns setof public.tasks
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rank smallint := coalesce((after ->> 'rank')::smallint, -1);
  v_place double precision := app.rank_order((after ->> 'place')::double precision);
  v_number integer := coalesce((after ->> 'number')::integer, 0);
begin
  return query select *
    from (
      (
        select t.*
        from app.task_labels l
        cross join lateral (
          select x.* from public.tasks x
          where x.tenant_id = l.tenant_id and x.id = l.task_id
          offset 0) t
        where l.tenant_id = project.tenant_id
          and l.project_id = project.id
          and l.label = ready_labelled.label
          and l.is_ready
          and (l.priority_rank, l.rank_order, l.number) > (v_rank, v_place, v_number)
          and app.task_passes(t, filters, actor)
        order by l.priority_rank, l.rank_order, l.number limit size)
      union all
      (
        select t.* from app.lapsed_tasks(project) t
        where app.task_passes(t, filters, actor)
          and (app.priority_rank(t.priority), app.rank_order(t.rank), t.number) > (v_rank, v_place, v_number))) t
    order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size;
end
$$;

select app.define_on_tables($triggers$
  create trigger tasks_keep_labels after insert on public.tasks for each row
    when (new.labels <> '{}') execute function app.keep_labels();

  create trigger tasks_change_labels after update on public.tasks for each row
    when ((old.labels <> '{}' or new.labels <> '{}')
      and (old.labels, old.project_id, old.number, old.priority, old.rank, old.status, old.open_dependencies,
        old.open_parts) is distinct from (new.labels, new.project_id, new.number, new.priority, new.rank, new.status,
        new.open_dependencies, new.open_parts))
    execute function app.keep_labels();
$triggers$);

-- Claims: which agent gets which task, for how long, with which briefing.

create or replace function app.task_brief(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz;
  v_session text;
  v_parent text;
begin
  if task.lock_token is not null then
    v_until := app.lease_expires_at(task);
    v_session := app.session_state(task);
  end if;
  if task.parent_id is not null then
    select p.ref into v_parent from public.tasks p where p.tenant_id = task.tenant_id and p.id = task.parent_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'ref', task.ref, 'title', task.title, 'status', task.status, 'priority', task.priority, 'rank', task.rank,
    'labels', nullif(task.labels, '{}'),
    'ready', app.is_claimable(task, v_until),
    'locked_by', task.locked_by, 'locked_until', v_until, 'session', v_session,
    'open_dependencies', nullif(task.open_dependencies, 0), 'open_parts', nullif(task.open_parts, 0),
    'blocked_reason', left(task.blocked_reason, 300),
    'submitted', nullif(app.is_submitted(task), false),
    'warning', left(task.warning, 300), 'attempts', nullif(task.attempts, 0), 'completed_at', task.completed_at,
    'unproven', app.list_unproven(task), 'parent', v_parent));
end
$$;

-- Shows a task whole, but for its artifacts, timeline and dependents. Fields that most tasks lack cost no query.
create or replace function app.task_full(task public.tasks, rules jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_task jsonb := app.task_brief(task) || jsonb_strip_nulls(jsonb_build_object(
    'id', task.id, 'project', left(task.ref, length(task.ref) - length(task.number::text) - 1), 'version', task.version,
    'description', nullif(task.description, ''), 'acceptance_criteria', to_jsonb(task.acceptance_criteria),
    'dependencies', '[]'::jsonb, 'rank', task.rank,
    'constraints', nullif(task.constraints, '{}'), 'summary', task.summary,
    'scope', case when rules ? 'scope' or task.constraints <> '{}'
      then app.effective_scope(rules, task.constraints) end,
    'last_outcome', task.last_outcome, 'last_reason', task.last_reason, 'last_agent', task.last_agent,
    'approved_at', task.approved_at, 'reviewer', task.reviewer,
    'created_by', task.created_by, 'created_at', task.created_at, 'updated_at', task.updated_at));
begin
  if task.dependencies <> '{}' then
    v_task := v_task || jsonb_build_object('dependencies', (
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'ref', d.ref, 'title', d.title, 'status', d.status, 'unproven', app.list_unproven(d),
        'outcome', left(d.summary, 500))) order by d.number)
      from app.tasks_with(task.tenant_id, task.dependencies) d));
  end if;
  if task.discovered_from is not null then
    v_task := v_task
      || jsonb_strip_nulls(jsonb_build_object('discovered_from', (
        select d.ref from public.tasks d
        where d.tenant_id = task.tenant_id and d.id = task.discovered_from)));
  end if;
  if task.open_parts > 0 then
    v_task := v_task
      || jsonb_build_object('parts', (
        select jsonb_agg(p.ref)
        from (
          select c.ref from public.tasks c
          where c.tenant_id = task.tenant_id and c.parent_id = task.id and c.status not in ('completed', 'cancelled')
          order by c.number limit 20) p));
  end if;
  if task.evidence <> '[]' then
    v_task := v_task || jsonb_build_object('evidence', (
      select jsonb_agg(jsonb_strip_nulls(to_jsonb(g) || jsonb_build_object('stale', nullif(g.stale, false))))
      from app.graded_evidence(task, task.evidence) g));
  end if;
  if task.status = 'pending' and task.open_dependencies > 0 then
    v_task := v_task || jsonb_build_object('waiting_for', app.waiting_for(task));
  end if;
  return v_task;
end
$$;

create or replace function app.list_dependents(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('ref', d.ref, 'title', d.title, 'status', d.status)
      order by d.number), '[]')
    from (
      select t.*
      from app.task_dependencies e
      join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id
      where e.tenant_id = task.tenant_id and e.depends_on = task.id
      order by t.number limit 20) d);
end
$$;

create or replace function app.tasks_by_status(project public.projects, status text, size integer)
  returns setof public.tasks
  language sql
  stable
as $$
  select t.* from public.tasks t
  where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = tasks_by_status.status
  order by t.number limit size
$$;

-- Lists the ready tasks of a project in the order of claims; `after` is {rank, number} of the last one seen.
create or replace function app.ready_tasks(
  project public.projects,
  filters jsonb,
  actor app.actor,
  after jsonb,
  size integer
)
  returns setof public.tasks
  language sql
  stable
as $$
  select * from (
    (select t.* from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
        and app.task_passes(t, filters, actor)
        and (after is null or (app.priority_rank(t.priority), app.rank_order(t.rank), t.number)
          > ((after ->> 'rank')::smallint, app.rank_order((after ->> 'place')::double precision),
            (after ->> 'number')::integer))
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size)
    union all
    (select t.* from app.lapsed_tasks(project) t
      where app.task_passes(t, filters, actor)
        and (after is null or (app.priority_rank(t.priority), app.rank_order(t.rank), t.number)
          > ((after ->> 'rank')::smallint, app.rank_order((after ->> 'place')::double precision),
            (after ->> 'number')::integer)))) t
  order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size
$$;

-- Tells whether a task passes the filters of list_tasks and claim_task. Absent filters pass all.
create or replace function app.task_passes(task public.tasks, filters jsonb, actor app.actor)
  returns boolean
  language sql
  stable
as $$
  select (not filters ? 'status' or filters -> 'status' ? task.status)
    and (not filters ? 'priority' or filters -> 'priority' ? task.priority)
    and (not filters ? 'labels' or app.has_labels(task.labels, filters -> 'labels'))
    and (not filters ? 'parent' or task.parent_id = (filters ->> 'parent')::uuid)
    and (not filters ? 'query' or position(app.fold_text(filters ->> 'query') in app.fold_text(task.title)) > 0)
    and (not coalesce((filters ->> 'mine')::boolean, false)
      or task.locked_by_user = actor.user_id and task.locked_by = app.actor_name(actor))
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
    perform app.fail('invalid_input', 'filters must be an object.', jsonb_build_object('field', 'filters'),
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
    where not app.validate_field(f.value,
      case when f.key in ('parent', 'query') then 'text'
        when f.key in ('ready', 'mine', 'unproven', 'include_data') then 'boolean' else 'text[]' end, 200, null)
    limit 1;
  if found then
    perform app.fail('invalid_input',
      format('The filter %s is not valid: allowed is %s.', v_key,
        case
          when v_key in ('parent', 'query') then 'a text of at most 200 characters'
          when v_key in ('ready', 'mine', 'unproven', 'include_data') then 'true or false'
          else 'a list of at most 200 texts' end),
      jsonb_build_object('field', v_key), 'Leave it out, or pass what is allowed.');
  end if;
  if filters ? 'parent' then
    filters := jsonb_set(filters, '{parent}', to_jsonb(app.find_task_id(filters ->> 'parent', tenant_id)));
  end if;
  return filters;
end
$$;

-- Locks the best claimable task: the first ready one by priority and age, or one whose lock has lapsed. Skips rows that
-- another claim is just taking, so that many agents at once get different tasks.
create or replace function app.lock_next_task(project public.projects, filters jsonb, actor app.actor)
  returns uuid
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ready public.tasks;
  v_lapsed public.tasks;
  v_label text := app.rarest_label(project, filters);
  v_id uuid;
  v_gated boolean := jsonb_path_exists(project.rules, '$.gates[*] ? (@.on == "claim")');
begin
  if filters = '{}' and not v_gated then
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit 1 for no key update skip locked;
  elsif v_label is not null then
    for v_id in select l.task_id from app.task_labels l
        where l.tenant_id = project.tenant_id and l.project_id = project.id and l.label = v_label and l.is_ready
        order by l.priority_rank, l.rank_order, l.number loop
      -- Locked is only what passes; it is looked at again, for it may have been changed meanwhile.
      select * into v_ready from public.tasks t where t.tenant_id = project.tenant_id and t.id = v_id;
      if app.task_passes(v_ready, filters, actor)
          and (not v_gated or app.unmet_gates(v_ready, project.rules, 'claim', null) = '{}') then
        select * into v_ready from public.tasks t
          where t.tenant_id = project.tenant_id and t.id = v_id
          for no key update skip locked;
        exit when app.is_ready(v_ready) = 1 and app.task_passes(v_ready, filters, actor);
      end if;
      v_ready := null;
    end loop;
  else
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
        and app.task_passes(t, filters, actor)
        and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit 1 for no key update skip locked;
  end if;
  if exists (select from public.leases l
      where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
        and l.expires_at <= app.now()) then
    select t.* into v_lapsed from public.tasks t
      where t.tenant_id = project.tenant_id and t.id in (select x.id from app.lapsed_tasks(project) x)
        and t.status = 'in_progress' and app.task_passes(t, filters, actor)
        and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number
      limit 1 for no key update of t skip locked;
  end if;
  if v_ready.id is null
      or (app.priority_rank(v_lapsed.priority), app.rank_order(v_lapsed.rank), v_lapsed.number)
        < (app.priority_rank(v_ready.priority), app.rank_order(v_ready.rank), v_ready.number) then
    return v_lapsed.id;
  end if;
  return v_ready.id;
end
$$;

-- Ends lapsed claims that were the project's last allowed attempt, of one task or of any, by releases that leave the
-- task blocked for a person; the lapsed claim is the cause of each.
create or replace function app.give_up_lapsed(project public.projects, task_id uuid, actor app.actor)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not coalesce(project.rules ? 'attempts_max', false) then
    return '[]';
  end if;
  return (
    with worn_out as (
      select t.id, t.ref, t.lock_token, t.locked_by from public.leases l
        join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.id and t.lock_token = l.token
      where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
        and l.expires_at <= app.now() and t.attempts + 1 >= (project.rules ->> 'attempts_max')::integer
        and (give_up_lapsed.task_id is null or t.id = give_up_lapsed.task_id)
        -- The holder continues if it returns before another agent has claimed the task.
        and not (t.id is not distinct from give_up_lapsed.task_id and t.locked_by_user = actor.user_id
          and t.locked_by = app.actor_name(actor))
      order by t.id limit 20 for no key update of t skip locked)
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'task:' || w.id, 'type', 'task.released',
        'data', jsonb_build_object('outcome', 'failed',
          'reason', format('The claim of %s lapsed.', app.quoted_name(w.locked_by))),
        'causation', coalesce((
          select e.id from public.events e
          where e.tenant_id = project.tenant_id and e.stream = 'task:' || w.id and e.version = w.lock_token), w.id))
      order by w.id), '[]') from worn_out w);
end
$$;

-- Explains why there is nothing to claim, and what to do about it.
create or replace function app.nothing_ready(project public.projects, filters jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_counts jsonb := app.project_brief(project) -> 'tasks';
  v_next timestamptz;
begin
  select min(l.expires_at) into v_next from public.leases l
    where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id;
  return jsonb_strip_nulls(jsonb_build_object(
    'task', null,
    'project', project.slug,
    'counts', v_counts,
    'next_expiry', v_next,
    'hint', case
      when filters <> '{}' and (v_counts ->> 'ready')::integer > 0
        then 'Other tasks are ready: claim without the filters.'
      when (v_counts ->> 'ready')::integer > 0
        then 'A rule of the project holds back what is ready: claim one by its ref to see what it needs.'
      when (v_counts ->> 'in_progress')::integer > 0
        then 'All that is ready is held. Wait with wait_for_events, or plan more with create_tasks.'
      when (v_counts ->> 'blocked')::integer > 0
        then 'What is left is blocked: list_tasks with status blocked shows why.'
      when (v_counts ->> 'pending')::integer > 0
        then 'Pending tasks wait for others: list_tasks with status pending shows for which.'
      else 'Nothing is left to do. Save a checkpoint, or plan more with create_tasks.' end));
end
$$;

-- Finds a task that a run of whoever acts holds for it: the run's claim is the agent's, which may have lost the token.
-- Another claim would fence off the runner.
create or replace function app.held_by_own_run(task_id uuid, actor app.actor)
  returns public.tasks
  language sql
  stable
as $$
  select t.*
  from public.tasks t
  join public.agent_runs r on r.tenant_id = t.tenant_id and r.task_id = t.id and r.lock_token = t.lock_token
  where t.tenant_id = actor.tenant_id and t.id = held_by_own_run.task_id and t.status = 'in_progress'
    and t.locked_by_user = actor.user_id and t.locked_by = actor.agent and r.ended_at is null
    and app.lease_expires_at(t) > app.now()
$$;

-- claim_task(task?, project?, filters?, ttl_seconds, take_over, take_over_from?) -> the task with its lock_token, or
-- why there is none. Without `task` it takes the first ready one by priority, rank and number; `filters` are priority,
-- labels (all of them), parent and query.
create or replace function public.claim_task(
  task text default null,
  project text default null,
  filters jsonb default '{}',
  ttl_seconds integer default 3600,
  take_over boolean default false,
  take_over_from text default null,
  command jsonb default '{}',
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_result jsonb := app.find_idempotent_result(v_actor, command);
  v_filters jsonb;
  v_project public.projects;
  v_id uuid;
  v_events jsonb;
  v_takes_over boolean := take_over;
  v_held public.tasks;
begin
  if v_result is not null then
    return v_result;
  end if;
  perform app.check_number('ttl_seconds', ttl_seconds, 1, 86400);
  if take_over_from is not null and (task is null or take_over is not true) then
    perform app.fail('invalid_input', 'from is given without the task whose lock is taken over.',
      jsonb_build_object('field', 'from'),
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
    if v_takes_over then
      v_held := app.held_by_own_run(v_id, v_actor);
    end if;
    if v_held.id is not null then
      return app.save_idempotent_result(v_actor, command, app.claim_briefing(jsonb_build_object(
        'state', app.task_full(v_held, v_project.rules), 'version', v_held.lock_token), v_project));
    end if;
    v_events := app.give_up_lapsed(v_project, v_id, v_actor);
  else
    v_filters := app.check_filters(filters, v_actor.tenant_id, 'priority', 'labels', 'parent', 'query');
    v_project := app.find_project(project, v_actor);
    if v_project.archived_at is not null then
      perform app.refuse_archived(v_project);
    end if;
    v_events := app.give_up_lapsed(v_project, null, v_actor);
    v_id := app.lock_next_task(v_project, v_filters, v_actor);
    if v_id is null and v_events = '[]' then
      return app.nothing_ready(v_project, v_filters);
    end if;
  end if;
  if v_id is null or task is not null and v_events <> '[]' then
    perform app.append_checked(v_events, v_actor);
    return app.save_idempotent_result(v_actor, command, app.nothing_ready(v_project, coalesce(v_filters, '{}'))
      || case when task is null then '{}' else jsonb_build_object('hint', format(
        'Task %s was given up as often as its project allows and is blocked for a person. Claim another one.',
        task)) end);
  end if;
  v_result := app.append_checked(v_events || jsonb_build_array(jsonb_build_object(
    'stream', 'task:' || v_id, 'type', 'task.claimed', 'data', jsonb_strip_nulls(jsonb_build_object(
      'ttl_seconds', ttl_seconds, 'take_over', nullif(v_takes_over, false))))), v_actor);
  return app.save_idempotent_result(v_actor, command, app.claim_briefing(v_result -> 'events' -> -1, v_project));
end
$$;

-- Returns all that a holder needs to start: the task with its scope and its dependencies' outcomes, the requirements of
-- completion, and why the last holder gave up.
create or replace function app.claim_briefing(claimed jsonb, project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_state jsonb := claimed -> 'state';
  v_gates text[];
begin
  if project.rules ? 'gates' or v_state ? 'reviewer' then
    v_gates := app.unmet_gates(app.find_task(v_state ->> 'id', project.tenant_id), project.rules, 'complete', null);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'task', v_state || jsonb_build_object('lock_token', claimed -> 'version'),
    'gates', nullif(to_jsonb(v_gates), '[]'),
    'previous', case when v_state ? 'last_outcome' then jsonb_build_object(
      'outcome', v_state -> 'last_outcome',
      'reason', v_state -> 'last_reason',
      'by', v_state -> 'last_agent') end));
end
$$;

-- extend_lock(task, lock_token, ttl_seconds) -> {ref, lock_token, locked_until}: how long the lock lasts from now on.
create or replace function public.extend_lock(
  task text,
  lock_token bigint,
  ttl_seconds integer default 3600,
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
  v_actor app.actor := app.authenticate(actor, 'member');
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
  insert into public.leases as l (tenant_id, kind, id, project_id, token, holder, ttl_seconds, expires_at)
    values (v_task.tenant_id, 'task', v_task.id, v_task.project_id, v_task.lock_token, v_task.locked_by,
      extend_lock.ttl_seconds, v_until)
    on conflict (tenant_id, kind, id) do update
      set ttl_seconds = excluded.ttl_seconds, expires_at = excluded.expires_at;
  perform app.renew_lease(v_task, v_event.created_at);
  return jsonb_build_object('ref', v_task.ref, 'lock_token', v_task.lock_token, 'locked_until', v_until);
end
$$;

-- list_tasks(project?, filters?, cursor?, page_size) -> {project, counts, tasks, next_cursor?}. With `ready` in the
-- order of claims, otherwise by number.
create or replace function public.list_tasks(
  project text default null,
  filters jsonb default '{}',
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'status', 'priority', 'labels', 'ready', 'mine',
    'parent', 'query', 'unproven');
  v_size integer := app.page_size(page_size, 100);
  v_question text := md5(v_project.id || v_filters::text);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_label text := app.rarest_label(v_project, v_filters);
  v_found public.tasks[];
begin
  if coalesce((v_filters ->> 'unproven')::boolean, false) then
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id and t.status = 'completed'
        and app.unproven_criteria(t.acceptance_criteria, t.evidence) is not null
        and not coalesce((v_filters ->> 'ready')::boolean, false)
        and app.task_passes(t, v_filters, v_actor) and t.number > coalesce((v_after ->> 'number')::integer, 0)
      order by t.number limit v_size + 1);
  elsif coalesce((v_filters ->> 'ready')::boolean, false) and v_label is not null then
    v_found := array(
      select t from app.ready_labelled(v_project, v_label, v_filters, v_actor, v_after, v_size + 1) t);
  elsif coalesce((v_filters ->> 'ready')::boolean, false) then
    v_found := array(select t from app.ready_tasks(v_project, v_filters, v_actor, v_after, v_size + 1) t);
  elsif v_label is not null then
    v_found := array(
      select t
      from app.task_labels l
      cross join lateral (
        select x.* from public.tasks x
        where x.tenant_id = l.tenant_id and x.id = l.task_id
        offset 0) t
      where l.tenant_id = v_project.tenant_id
        and l.project_id = v_project.id
        and l.label = v_label
        and l.number > coalesce((v_after ->> 'number')::integer, 0)
        and app.task_passes(t, v_filters, v_actor)
      order by l.number limit v_size + 1);
  elsif jsonb_array_length(v_filters -> 'status') = 1 or coalesce((v_filters ->> 'mine')::boolean, false) then
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id
        and t.status = coalesce(v_filters -> 'status' ->> 0, 'in_progress')
        and app.task_passes(t, v_filters, v_actor) and t.number > coalesce((v_after ->> 'number')::integer, 0)
      order by t.number limit v_size + 1);
  else
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id
        and app.task_passes(t, v_filters, v_actor) and t.number > coalesce((v_after ->> 'number')::integer, 0)
      order by t.number limit v_size + 1);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'project', v_project.slug, 'counts', app.project_brief(v_project) -> 'tasks',
    'tasks', (select coalesce(jsonb_agg(app.task_brief(v_found[i]) order by i), '[]') from generate_series(1,
      least(v_size, cardinality(v_found))) i),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(jsonb_build_object('of', v_question,
      'rank', app.priority_rank((v_found[v_size]).priority), 'place', (v_found[v_size]).rank,
      'number', (v_found[v_size]).number)) end));
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
  v_actor app.actor := app.authenticate(actor);
  v_task public.tasks := app.find_task(task, v_actor.tenant_id);
begin
  perform app.check_number('timeline_size', timeline_size, 0, 100);
  return app.task_full(v_task,
    (select p.rules from public.projects p where p.tenant_id = v_task.tenant_id and p.id = v_task.project_id))
    || jsonb_build_object(
      'dependents', app.list_dependents(v_task),
      'artifacts', (
        select coalesce(jsonb_agg(app.artifact_full(a) - 'task' order by a.created_at desc), '[]')
        from (
          select * from public.artifacts x
          where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id
          order by x.created_at desc limit 20) a),
      'timeline', (
        select coalesce(jsonb_agg(app.event_brief(app.upcast_event(e)) order by e.seq desc), '[]')
        from (
          select * from public.events x
          where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id
          order by x.seq desc limit timeline_size) e));
end
$$;

-- The caller's process, by its own word: the name tells who knows what, and gives no right.
create or replace function app.current_process() returns uuid language sql stable
  return nullif(current_setting('app.process', true), '')::uuid;

-- Lists the caller's locks. Adds the token of each that the caller cannot know any more, or took in this process under
-- its present name: if others may share a name, only the claiming one knows the token.
create or replace function app.own_locks(project public.projects, actor app.actor, is_named boolean)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := app.actor_name(actor);
  v_process uuid := app.current_process();
begin
  return (
    select jsonb_agg(app.task_brief(o.task) || case when (is_named and o.is_same or o.is_earlier) and o.is_live
        then jsonb_build_object('lock_token', (o.task).lock_token) else '{}' end order by (o.task).locked_at)
    from (
      select t.task, l.expires_at > app.now() as is_live, e.is_earlier, l.process = v_process as is_same
      from public.leases l
        cross join lateral (
          select x as task from public.tasks x
          where x.tenant_id = l.tenant_id and x.id = l.id and x.lock_token = l.token
            and x.status = 'in_progress' and x.locked_by_user = actor.user_id
            and (x.locked_by = v_name or starts_with(x.locked_by, v_name || '/')) offset 0) t
        cross join lateral (
          select v_process is null or l.process is distinct from v_process
            and not app.may_be_present(l.tenant_id, actor.user_id, l.process) as is_earlier) e
      where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
        and ((t.task).locked_by = v_name or not is_named and e.is_earlier)
      order by (t.task).locked_at limit 10) o);
end
$$;

-- adopt_locks(tasks) -> {adopted: [ref]}: the caller's process takes over locks of an earlier process of its session,
-- whose tokens it has been shown. Only one of several workers that were shown them gets each lock.
create or replace function public.adopt_locks(tasks jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_process uuid := app.current_process();
  v_name text := app.actor_name(v_actor);
  v_now timestamptz := app.now();
  v_adopted text[];
begin
  if v_process is null then
    perform app.fail('invalid_input', 'actor.process is missing: it names the process that takes over the locks.', null,
      'It is a UUID.');
  elsif not coalesce(app.validate_field(tasks, 'ref[]', 100, null), false) then
    perform app.fail('invalid_input', 'tasks must be a list of at most 100 refs.', null, 'Name them: ["web-12"].');
  end if;
  with own as (
    update public.leases l
      set process = v_process, renewed_by = v_process, session_ended_at = null,
        expires_at = greatest(l.expires_at, v_now + make_interval(secs => l.ttl_seconds))
      from public.tasks t
      where l.tenant_id = v_actor.tenant_id and l.kind = 'task' and t.tenant_id = l.tenant_id and t.id = l.id
        and t.ref in (select jsonb_array_elements_text(adopt_locks.tasks)) and t.status = 'in_progress'
        and t.lock_token = l.token and t.locked_by_user = v_actor.user_id and l.expires_at > v_now
        and (t.locked_by = v_name or starts_with(t.locked_by, v_name || '/'))
        and l.process is distinct from v_process and not app.may_be_present(l.tenant_id, v_actor.user_id, l.process)
      returning t.ref)
  select array_agg(o.ref) into v_adopted from own o;
  return jsonb_build_object('adopted', to_jsonb(coalesce(v_adopted, '{}')));
end
$$;

-- Presence of processes, and the locks of those that ended.

create or replace function app.presence_lock(tenant_id uuid, process uuid) returns bigint language sql immutable
  return hashtextextended(concat_ws(' ', tenant_id, 'process', process), 0);

-- Tells how the session that keeps a task's lock ended: `ended 2 minutes ago`; null while it goes on, or if unknown.
create or replace function app.session_state(task public.tasks) returns text language sql stable
begin atomic
  select 'ended ' || app.format_age(l.session_ended_at) from public.leases l
  where l.tenant_id = task.tenant_id and l.kind = 'task' and l.id = task.id and l.token = task.lock_token
    and l.session_ended_at is not null;
end;

-- Tells whether that process of the user may be at work beside the caller's: one that has been silent longer than any
-- beat counts as an earlier one.
create or replace function app.may_be_present(tenant_id uuid, user_id uuid, process uuid) returns boolean
  language sql stable
begin atomic
  select exists (select from app.presence p
    where p.tenant_id = may_be_present.tenant_id and p.user_id = may_be_present.user_id
      and p.process = may_be_present.process and p.ended_at is null
      and p.beat_at > app.now() - interval '90 seconds');
end;

-- Tells whether that process of the user has not ended: it may be silent.
create or replace function app.has_not_ended(tenant_id uuid, user_id uuid, process uuid)
  returns boolean
  language sql
  stable
begin atomic
  select exists (
    select from app.presence p
    where p.tenant_id = has_not_ended.tenant_id
      and p.user_id = has_not_ended.user_id
      and p.process = has_not_ended.process
      and p.ended_at is null);
end;

-- Lists locks that the user's own ended sessions still hold: [{ref, locked_by}], until the locks lapse.
create or replace function app.left_locks(project public.projects, actor app.actor) returns jsonb language sql stable
begin atomic
  select jsonb_agg(jsonb_build_object('ref', f.ref, 'locked_by', f.locked_by)) from (
    select t.ref, t.locked_by from public.leases l
      join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.id
    where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
      and l.expires_at > app.now() and l.session_ended_at is not null and t.lock_token = l.token
      and t.status = 'in_progress'
      and t.locked_by_user = actor.user_id
    order by t.locked_at limit 10) f;
end;

-- Renews the locks under these names, and those of the caller's own process if it was wrongly taken to have ended.
-- Skips a lock that a call is just changing: the call renews it.
create or replace function app.renew_leases(actor app.actor, names text[], at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_process uuid := app.current_process();
begin
  update public.leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)), session_ended_at = null,
      renewed_by = case when l.renewed_by <> v_process and app.has_not_ended(l.tenant_id, actor.user_id, l.renewed_by)
        then l.renewed_by else v_process end
    from (
      select x.id from public.leases x
        join public.tasks t on t.tenant_id = x.tenant_id and t.id = x.id and t.lock_token = x.token
      where x.tenant_id = actor.tenant_id and x.kind = 'task' and t.locked_by_user = actor.user_id
        and (x.renewed_by = v_process and x.session_ended_at is not null
          or t.locked_by = any (names) and x.expires_at > at)
      for update of x skip locked) own
    where l.tenant_id = actor.tenant_id and l.kind = 'task' and l.id = own.id;
end
$$;

-- Ends watched processes whose connection is gone, and shortens the locks of ended ones. After a restart of the server
-- all connections are gone: a living process reports again within a beat.
create or replace function app.end_lost_sessions(tenant_id uuid, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_locks bigint[];
begin
  if exists (
      select from app.presence p
      where p.tenant_id = end_lost_sessions.tenant_id and p.ended_at is null and p.watched and p.beat_at < at) then
    v_locks := array(
      select (l.classid::bigint << 32) | l.objid::bigint from pg_locks l
      where l.locktype = 'advisory'
        and l.granted
        and l.objsubid = 1
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
  update public.leases l
    set expires_at = least(l.expires_at, at + interval '2 minutes'), session_ended_at = ended.ended_at
    from (
      select x.id, p.ended_at from public.leases x
        join public.tasks t on t.tenant_id = x.tenant_id and t.id = x.id and t.lock_token = x.token
        join app.presence p on p.tenant_id = x.tenant_id and p.user_id = t.locked_by_user and p.process = x.renewed_by
      where x.tenant_id = end_lost_sessions.tenant_id and x.kind = 'task' and p.ended_at is not null
        and x.session_ended_at is null
      order by x.id for update of x skip locked) ended
    where l.tenant_id = end_lost_sessions.tenant_id and l.kind = 'task' and l.id = ended.id;
end
$$;

-- Lets the caller's connection show the end of its process, if the connection is its own: only for the server's role,
-- and only without a pooler, which the caller knows.
create or replace function app.watch_process(actor app.actor) returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not app.caller_is_server() then
    return false;
  end if;
  -- A machine that is gone says nothing: the server asks, and is sure within a minute. Over a socket this is nothing.
  perform set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false);
  perform pg_try_advisory_lock(app.presence_lock(actor.tenant_id, app.current_process()));
  return true;
end
$$;

-- report_presence(agents, watched, ended) -> {}: reports that the actor's process lives or has ended, and which agents
-- called lately. Like a lease, it is operational data and no event.
create or replace function public.report_presence(
  agents jsonb default '[]',
  watched boolean default false,
  ended boolean default false,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_process uuid := app.current_process();
  v_ended boolean := coalesce(ended, false);
  v_watched boolean;
  v_is_new boolean;
  v_now timestamptz := app.now();
begin
  if v_process is null then
    perform app.fail('invalid_input', 'actor.process is missing: it names the process that is present.', null,
      'It is a UUID.');
  elsif not coalesce(app.validate_field(agents, 'text[]', 100, null), false) then
    perform app.fail('invalid_input', 'agents must be a list of at most 100 names.', null,
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
    delete from app.presence p
      where p.tenant_id = v_actor.tenant_id
        and (p.beat_at < v_now - interval '7 days'
          or p.user_id = v_actor.user_id
            and p.process in (
              select k.process from app.presence k
              where k.tenant_id = v_actor.tenant_id and k.user_id = v_actor.user_id
              order by k.beat_at desc offset 100));
  end if;
  return '{}';
end
$$;

-- Questions that are open.

-- Lists the questions that the log has as open. The door stores the id of the note that an answer names in any way.
create or replace function app.unanswered_in_log(tenant_id uuid) returns setof app.unanswered
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select q.tenant_id, q.id, q.project_id, q.task_id, q.seq from public.events q
    where q.tenant_id = unanswered_in_log.tenant_id and q.event_type in ('task.noted', 'project.noted')
      and q.payload ->> 'kind' = 'question'
  except
  select q.tenant_id, q.id, q.project_id, q.task_id, q.seq from public.events a
    join public.events q on q.tenant_id = a.tenant_id and q.id = app.as_uuid(a.payload ->> 'answers')
    where a.tenant_id = unanswered_in_log.tenant_id and a.event_type in ('task.noted', 'project.noted')
$$;

create or replace function app.rebuild_unanswered(tenant_id uuid) returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  delete from app.unanswered u using (
      select * from app.unanswered x where x.tenant_id = rebuild_unanswered.tenant_id
      except select * from app.unanswered_in_log(rebuild_unanswered.tenant_id)) wrong
    where u.tenant_id = wrong.tenant_id and u.id = wrong.id;
  insert into app.unanswered
    select * from app.unanswered_in_log(rebuild_unanswered.tenant_id)
    except select * from app.unanswered x where x.tenant_id = rebuild_unanswered.tenant_id;
$$;

create or replace function app.keep_unanswered() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.unanswered u where u.tenant_id = new.tenant_id and u.id = app.as_uuid(new.payload ->> 'answers');
  if new.payload ->> 'kind' = 'question' then
    insert into app.unanswered (tenant_id, id, project_id, task_id, seq)
      values (new.tenant_id, new.id, new.project_id, new.task_id, new.seq);
  end if;
  return null;
end
$$;

-- Counts the open questions, up to a thousand.
create or replace function app.count_open_questions(tenant_id uuid, project_id uuid, task_id uuid) returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if count_open_questions.task_id is not null then
    return (
      select count(*)
      from (
        select from app.unanswered u
        where u.tenant_id = count_open_questions.tenant_id and u.task_id = count_open_questions.task_id
        limit 1000) q);
  end if;
  return (
    select count(*)
    from (
      select from app.unanswered u
      where u.tenant_id = count_open_questions.tenant_id and u.project_id = count_open_questions.project_id
      limit 1000) q);
end
$$;

-- list_questions(project?, task?, cursor?, page_size) -> {questions, open, next_cursor?}: the open ones of the task, or
-- of the project, the latest first, each with its full text. `open` counts them, up to a thousand.
create or replace function public.list_questions(
  project text default null,
  task text default null,
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
  v_actor app.actor := app.authenticate(actor);
  v_task uuid := case when task is not null then app.find_task_id(task, v_actor.tenant_id) end;
  v_project uuid := case when task is null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 20);
  v_question text := md5(concat_ws(' ', 'questions', v_task, v_project));
  v_before bigint := coalesce((app.decode_cursor(cursor, v_question) ->> 'seq')::bigint, 9223372036854775807);
  v_found public.events[] := array(
    select q from app.open_questions(v_actor.tenant_id, v_project, v_task, v_before, v_size + 1) q);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'questions', (
      select coalesce(jsonb_agg(app.event_brief(app.upcast_event(e),
          (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          || jsonb_build_object('text', (app.upcast_event(e)).payload ->> 'text')
        order by e.seq desc), '[]')
      from unnest(v_found[:v_size]) e),
    'open', app.count_open_questions(v_actor.tenant_id, v_project, v_task),
    'next_cursor', case when cardinality(v_found) > v_size
      then app.encode_cursor(jsonb_build_object('of', v_question, 'seq', (v_found[v_size]).seq)) end));
end
$$;

select app.define_on_tables($triggers$
  create trigger events_keep_unanswered after insert on public.events for each row
    when (new.event_type in ('task.noted', 'project.noted')) execute function app.keep_unanswered();
$triggers$);

-- Tasks that wait for a person: left by an ended session, or unapproved.

-- Lists tasks in progress whose holder's session has ended.
create or replace function app.left_tasks(project public.projects, size integer) returns setof public.tasks
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select t.* from public.leases l
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = l.tenant_id and x.id = l.id and x.lock_token = l.token offset 0) t
  where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
    and l.expires_at > app.now() and l.session_ended_at is not null and t.status = 'in_progress'
  order by t.locked_at limit size
$$;

-- Lists tasks that a gate keeps from a claim until a person approves. What a gate on completion asks for is asked when
-- the task is submitted, and not before there is something to check.
create or replace function app.unapproved_tasks(project public.projects, size integer) returns setof public.tasks
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_gates constant jsonb := (
    select jsonb_agg(g)
    from jsonb_array_elements(project.rules -> 'gates') g
    where g -> 'require' ? 'approval' and g ->> 'on' = 'claim');
begin
  if v_gates is not null then
    return query select t.* from public.tasks t
      where t.tenant_id = project.tenant_id
        and t.project_id = project.id
        and t.status = 'pending'
        and t.open_dependencies = 0
        and t.open_parts = 0
        and t.approved_at is null
        and exists (
          select from jsonb_array_elements(v_gates) g
          where app.match_condition(g -> 'when', '{}', t.priority))
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size;
  end if;
end
$$;

-- list_needs(project?) -> {left, left_count, unapproved, unapproved_count}: tasks that wait for a person. The first
-- five of each, and their number, up to a thousand.
create or replace function public.list_needs(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_left public.tasks[] := array(select t from app.left_tasks(v_project, 1000) t);
  v_unapproved public.tasks[] := array(select t from app.unapproved_tasks(v_project, 1000) t);
begin
  return jsonb_build_object(
    'left', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from unnest(v_left[:5]) t),
    'left_count', cardinality(v_left),
    'unapproved', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from unnest(v_unapproved[:5]) t),
    'unapproved_count', cardinality(v_unapproved));
end
$$;

-- Artifacts, and the evidence that they give.

create or replace function app.tier_rank(tier text) returns integer language sql immutable as $$
  select case tier when 'ci' then 3 when 'observed' then 2 when 'reported' then 1 else 0 end
$$;

-- Grades evidence by its source: an agent's word is reported, a diff, pull request or test report is observed, an
-- artifact from a client named ci is ci. Evidence older than the task's last diff is stale.
create or replace function app.graded_evidence(task public.tasks, evidence jsonb)
  returns table (criterion bigint, note text, artifact uuid, tier text, stale boolean)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not jsonb_path_exists(evidence, '$[*].artifact') then
    return query select (e.item ->> 'criterion')::bigint, e.item ->> 'note', null::uuid, 'reported', false
      from jsonb_array_elements(evidence) with ordinality e (item, at) order by e.at;
    return;
  end if;
  return query select (e.item ->> 'criterion')::bigint,
      e.item ->> 'note',
      a.id,
      coalesce(a.tier, 'reported'),
      coalesce(a.type <> 'diff' and coalesce(added.seq, 0) < last_diff.seq, false)
    from jsonb_array_elements(evidence) with ordinality e (item, at)
    left join public.artifacts a on a.tenant_id = task.tenant_id and a.id = app.as_uuid(e.item ->> 'artifact')
    left join public.events added
      on added.tenant_id = task.tenant_id and added.stream = 'artifact:' || a.id and added.version = 1
    left join lateral (
      select max(d.seq) as seq
      from public.artifacts x
      join public.events d on d.tenant_id = x.tenant_id and d.stream = 'artifact:' || x.id and d.version = 1
      where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = 'diff') last_diff on a.id is not null
    order by e.at;
end
$$;

-- Lists the criteria without evidence of the required tier (reported < observed < ci), or with evidence older than the
-- last diff.
create or replace function app.missing_evidence(task public.tasks, tier text, evidence jsonb)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(array_agg(format('%s evidence (%s) for criterion %s: "%s"%s', tier, app.evidence_of(tier), c.at,
        left(c.text, 120), case when best.stale then ' (what there is, is older than the last diff)' else '' end)
      order by c.at), '{}')
    from unnest(task.acceptance_criteria) with ordinality c (text, at)
    left join lateral (
      select bool_and(g.stale) as stale, max(app.tier_rank(g.tier)) filter (where not g.stale) as rank
      from app.graded_evidence(task, coalesce(evidence, '[]')) g
      where g.criterion = c.at) best on true
    where coalesce(best.rank, 0) < app.tier_rank(tier));
end
$$;

-- An artifact that the holder of a task adds is of the run that holds it, too.
create or replace function app.prepare_artifact(event public.events, expect jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run uuid;
begin
  if not event.payload ? 'run' and expect ->> 'lock_token' is not null then
    select r.id into v_run from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.task_id = event.task_id
        and r.lock_token = (expect ->> 'lock_token')::bigint
      limit 1;
  end if;
  return event.payload || jsonb_strip_nulls(jsonb_build_object('run', v_run));
end
$$;

create or replace function app.guard_artifact(
  event public.events,
  expect jsonb,
  task public.tasks,
  project public.projects,
  role text
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_scope jsonb := app.effective_scope(project.rules, task.constraints);
  v_files text[] := app.text_list(event.payload -> 'files');
  v_of constant text := coalesce('task ' || task.ref, 'the run');
  v_excess text;
  v_bad text[];
begin
  perform app.check_form('sha256', coalesce(event.payload ->> 'sha256' ~ '^[0-9a-f]{64}$', true), '64 hex digits');
  if (event.payload ? 'run' or task.id is null) and not exists (
      select from public.agent_runs r
      join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
      where r.tenant_id = event.tenant_id and r.id = app.as_uuid(event.payload ->> 'run')
        and a.user_id = event.user_id) then
    perform app.fail('not_found', 'An artifact belongs to a task, or to a run of an agent of yours.', null,
      'Name a task; list_runs shows the ids of runs.');
  elsif task.id is not null then
    perform app.check_holder(task, event, expect, app.lease_expires_at(task), role);
  end if;
  if event.payload ->> 'type' <> 'diff' or v_scope is null then
    return;
  end if;
  v_excess := app.scope_excess(v_scope, v_files);
  v_bad := case when v_excess is null then app.files_outside(v_scope, v_files) end;
  if v_excess is not null then
    perform app.fail('scope_violation',
      format('The diff cannot be compared with the scope of %s: %s.', v_of, v_excess),
      jsonb_build_object('files_count', cardinality(v_files)),
      'Add the diff in parts. If that does not help, the globs of the project or the task need fewer characters.');
  elsif v_bad is not null then
    perform app.fail('scope_violation',
      format('%s of the files are outside the scope of %s: %s.', cardinality(v_bad), v_of,
        array_to_string(v_bad[:10], ', ')),
      jsonb_build_object('files', to_jsonb(v_bad[:50]), 'scope', v_scope),
      'Revert those changes or put them into a task of their own (discovered_from), then add the diff again.');
  elsif cardinality(v_files) > (v_scope ->> 'files_max')::integer
      or (event.payload ->> 'lines_changed')::integer > (v_scope ->> 'lines_max')::integer then
    perform app.fail('scope_violation',
      format('The diff has %s files and %s lines; %s allows %s files and %s lines.', cardinality(v_files),
        coalesce(event.payload ->> 'lines_changed', '?'), v_of, coalesce(v_scope ->> 'files_max', 'any'),
        coalesce(v_scope ->> 'lines_max', 'any')),
      jsonb_build_object('scope', v_scope), 'Split the work: a smaller diff here, the rest in a new task.');
  end if;
end
$$;

create or replace function app.evolve_artifact(artifact public.artifacts, event public.events)
  returns public.artifacts
  language plpgsql
  immutable
as $$
begin
  artifact.tenant_id := event.tenant_id;
  artifact.id := app.stream_id(event.stream);
  artifact.project_id := event.project_id;
  artifact.task_id := event.task_id;
  artifact.run_id := app.as_uuid(event.payload ->> 'run');
  artifact.user_id := event.user_id;
  artifact.type := event.payload ->> 'type';
  artifact.ref := event.payload ->> 'ref';
  artifact.summary := event.payload ->> 'summary';
  artifact.tier := case
    when event.actor ->> 'client' = 'ci' then 'ci'
    when artifact.type in ('diff', 'pr', 'test_report') then 'observed'
    else 'reported' end;
  artifact.files := app.text_list(event.payload -> 'files');
  artifact.lines_changed := (event.payload ->> 'lines_changed')::integer;
  artifact.storage_key := event.payload ->> 'storage_key';
  artifact.sha256 := event.payload ->> 'sha256';
  artifact.size_bytes := (event.payload ->> 'size_bytes')::bigint;
  artifact.media_type := event.payload ->> 'media_type';
  artifact.added_by := app.actor_name(event);
  artifact.version := event.version;
  artifact.created_at := event.created_at;
  return artifact;
end
$$;

create or replace function app.artifact_full(artifact public.artifacts)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', artifact.id,
    'task', (select t.ref from public.tasks t where t.tenant_id = artifact.tenant_id and t.id = artifact.task_id),
    'run', artifact.run_id,
    'type', artifact.type,
    'ref', artifact.ref,
    'summary', artifact.summary,
    'tier', artifact.tier,
    'files', nullif(artifact.files, '{}'),
    'lines_changed', artifact.lines_changed,
    'size_bytes', artifact.size_bytes,
    'media_type', artifact.media_type,
    'by', artifact.added_by,
    'created_at', artifact.created_at));
end
$$;

create or replace function app.artifact_text(artifact public.artifacts) returns text language sql stable as $$
  select concat_ws(' ', artifact.type, artifact.ref, artifact.summary)
$$;

create or replace function app.finish_artifact(event public.events, expect jsonb, task public.tasks)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if expect ->> 'lock_token' is not null then
    perform app.renew_lease(task, event.created_at);
  end if;
end
$$;

-- Shows an artifact that a search has found.
create or replace function app.found_artifact(artifact public.artifacts) returns jsonb language sql stable as $$
  select jsonb_build_object(
    'ref', (select t.ref from public.tasks t where t.tenant_id = artifact.tenant_id and t.id = artifact.task_id),
    'title', artifact.type || ' ' || artifact.ref,
    'at', artifact.created_at,
    'by', artifact.added_by,
    'body', concat_ws(' ', artifact.ref, artifact.summary))
$$;

-- list_artifacts(task, cursor?, page_size) -> {artifacts, next_cursor?}, newest first. Raises not_found, invalid_input.
create or replace function public.list_artifacts(
  task text,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_task uuid := app.find_task_id(task, v_actor.tenant_id);
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'artifacts ' || v_task);
  v_found jsonb[];
begin
  select array_agg(app.artifact_full(a) order by a.created_at desc, a.id desc) into v_found
    from (
      select * from public.artifacts x
      where x.tenant_id = v_actor.tenant_id
        and x.task_id = v_task
        and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.created_at desc, x.id desc limit v_size + 1) a;
  return app.build_page('artifacts', v_found, v_size, 'artifacts ' || v_task, '{id}', '{created_at}');
end
$$;

-- Tells recorded evidence from other values. The guard of its task has judged the criteria and artifacts it names.
create or replace function app.is_evidence(evidence jsonb) returns boolean language sql immutable
  return not exists (select from jsonb_array_elements(evidence) e
    where jsonb_typeof(e) <> 'object'
      or case when jsonb_typeof(e) = 'object' then e - '{criterion,note,artifact}'::text[] <> '{}' end
      or not app.validate_field(coalesce(e -> 'criterion', 'null'), 'integer', 50, null)
      or e ? 'note' and not app.validate_field(e -> 'note', 'text', 4000, null)
      or e ? 'artifact' and app.as_uuid(e ->> 'artifact') is null);

-- Lists the unproven criteria of a completed task; null for every other task.
create or replace function app.list_unproven(task public.tasks)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.status = 'completed' then
    return app.unproven_criteria(task.acceptance_criteria, task.evidence);
  end if;
  return null;
end
$$;

create or replace function app.evidence_of(tier text) returns text language sql immutable as $$
  select case tier when 'reported' then 'a note or an artifact' when 'observed' then 'a diff, pr or test_report'
    else 'an artifact that ci added' end
$$;

-- Explains how the call must answer the criteria if a gate on completion misses evidence; null otherwise.
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
      and app.match_condition(g -> 'when', event.payload, task.priority)
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

-- Gives a new project without gates the default one.
create or replace function app.with_default_gates(rules jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return '{"gates": [{"on": "complete", "require": {"evidence": "reported"}}]}' || coalesce(rules, '{}');
end
$$;

create or replace function app.is_unproven(task public.tasks) returns integer language sql immutable
  return (app.list_unproven(task) is not null)::integer;

select app.define_category('artifact', 'artifacts');

-- Decisions, and those that a later one supersedes.

create or replace function app.guard_decision(event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_old public.decisions;
begin
  if event.payload ? 'supersedes' then
    select * into v_old from public.decisions d
      where d.tenant_id = event.tenant_id and d.id = app.as_uuid(event.payload ->> 'supersedes');
    if v_old.project_id is distinct from event.project_id then
      perform app.fail('not_found',
        format('There is no decision %s in this project.', left(event.payload ->> 'supersedes', 80)), null,
        'list_decisions shows the ids.');
    elsif v_old.superseded_by is not null then
      perform app.fail('illegal_transition', format('The decision "%s" is superseded already.', v_old.title),
        jsonb_build_object('superseded_by', v_old.superseded_by), 'Supersede the later one.');
    end if;
  end if;
end
$$;

create or replace function app.evolve_decision(decision public.decisions, event public.events)
  returns public.decisions
  language plpgsql
  immutable
as $$
begin
  if event.event_type = 'decision.recorded' then
    decision.tenant_id := event.tenant_id;
    decision.id := app.stream_id(event.stream);
    decision.project_id := event.project_id;
    decision.task_id := event.task_id;
    decision.user_id := event.user_id;
    decision.title := event.payload ->> 'title';
    decision.options := coalesce(event.payload -> 'options', '[]');
    decision.choice := event.payload ->> 'choice';
    decision.rationale := event.payload ->> 'rationale';
    decision.supersedes := (event.payload ->> 'supersedes')::uuid;
    decision.decided_by := app.actor_name(event);
    decision.created_at := event.created_at;
  else
    decision.superseded_by := (event.payload ->> 'by')::uuid;
  end if;
  decision.version := event.version;
  return decision;
end
$$;

create or replace function app.decision_brief(decision public.decisions) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', decision.id,
    'title', decision.title,
    'choice', left(decision.choice, 300),
    'superseded_by', decision.superseded_by,
    'created_at', decision.created_at))
$$;

create or replace function app.decision_full(decision public.decisions)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_strip_nulls(jsonb_build_object(
      'id', decision.id,
      'project', p.slug,
      'task', t.ref,
      'title', decision.title,
      'options', decision.options,
      'choice', decision.choice,
      'rationale', decision.rationale,
      'supersedes', decision.supersedes,
      'superseded_by', decision.superseded_by,
      'by', decision.decided_by,
      'created_at', decision.created_at))
    from public.projects p
    left join public.tasks t on t.tenant_id = decision.tenant_id and t.id = decision.task_id
    where p.tenant_id = decision.tenant_id and p.id = decision.project_id);
end
$$;

create or replace function app.decision_text(decision public.decisions) returns text language sql stable as $$
  select concat_ws(' ', decision.title, decision.choice, decision.rationale, decision.options::text)
$$;

-- Shows a decision that a search has found.
create or replace function app.found_decision(decision public.decisions) returns jsonb language sql immutable as $$
  select jsonb_build_object(
    'title', decision.title,
    'at', decision.created_at,
    'by', decision.decided_by,
    'body', concat_ws(' ', decision.title, decision.choice, decision.rationale))
$$;

-- list_decisions(project?, include_superseded, cursor?, page_size) -> {decisions, next_cursor?}, newest first.
create or replace function public.list_decisions(
  project text default null,
  include_superseded boolean default false,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := (app.find_project(project, v_actor)).id;
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'decisions ' || v_project);
  v_found jsonb[];
begin
  select array_agg(app.decision_full(d) order by d.created_at desc, d.id desc) into v_found
    from (
      select * from public.decisions x
      where x.tenant_id = v_actor.tenant_id
        and x.project_id = v_project
        and (include_superseded or x.superseded_by is null)
        and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.created_at desc, x.id desc limit v_size + 1) d;
  return app.build_page('decisions', v_found, v_size, 'decisions ' || v_project, '{id}', '{created_at}');
end
$$;

select app.define_category('decision', 'decisions');

-- Checkpoints: where a project stands, and what changed since.

create or replace function app.evolve_checkpoint(checkpoint public.checkpoints, event public.events)
  returns public.checkpoints
  language plpgsql
  immutable
as $$
begin
  checkpoint.tenant_id := event.tenant_id;
  checkpoint.id := app.stream_id(event.stream);
  checkpoint.project_id := event.project_id;
  checkpoint.user_id := event.user_id;
  checkpoint.label := event.payload ->> 'label';
  checkpoint.repo_ref := event.payload ->> 'repo_ref';
  checkpoint.summary := event.payload ->> 'summary';
  checkpoint.resume_instructions := event.payload ->> 'resume_instructions';
  checkpoint.snapshot := coalesce(event.payload -> 'snapshot', '{}');
  checkpoint.saved_by := app.actor_name(event);
  checkpoint.version := event.version;
  checkpoint.created_at := event.created_at;
  return checkpoint;
end
$$;

-- Takes the server's own snapshot: tasks by status, locks held, position in the log.
create or replace function app.take_snapshot(project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
      'tasks', app.project_brief(project) -> 'tasks',
      'locks', (
        select coalesce(jsonb_agg(jsonb_build_object('task', l.ref, 'by', l.locked_by, 'since', l.locked_at)), '[]')
        from (
          select t.* from public.tasks t
          where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'in_progress'
          order by t.number limit 50) l),
      'position', (select p.seq from app.positions p where p.tenant_id = project.tenant_id)));
end
$$;

-- Returns its event's position: later events have a higher one, in any workspace it was moved to.
create or replace function app.checkpoint_position(checkpoint public.checkpoints)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce((
      select e.seq from public.events e
      where e.tenant_id = checkpoint.tenant_id and e.stream = 'checkpoint:' || checkpoint.id and e.version = 1),
    (
      select a.seq from app.archived_streams a
      where a.tenant_id = checkpoint.tenant_id and a.stream = 'checkpoint:' || checkpoint.id));
end
$$;

create or replace function app.checkpoint_brief(checkpoint public.checkpoints) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', checkpoint.id,
    'label', checkpoint.label,
    'repo_ref', checkpoint.repo_ref,
    'position', app.checkpoint_position(checkpoint),
    'by', checkpoint.saved_by,
    'created_at', checkpoint.created_at))
$$;

create or replace function app.checkpoint_full(checkpoint public.checkpoints, slug text)
  returns jsonb
  language sql
  stable
as $$
  select app.checkpoint_brief(checkpoint)
    || jsonb_strip_nulls(jsonb_build_object(
      'project', slug,
      'summary', checkpoint.summary,
      'resume_instructions', checkpoint.resume_instructions,
      'snapshot', checkpoint.snapshot))
$$;

create or replace function app.checkpoint_text(checkpoint public.checkpoints) returns text language sql stable as $$
  select concat_ws(' ', checkpoint.label, checkpoint.summary, checkpoint.resume_instructions)
$$;

create or replace function app.prepare_checkpoint(event public.events, project public.projects)
  returns jsonb
  language sql
  stable
as $$
  select event.payload || jsonb_build_object('snapshot',
    coalesce(event.payload -> 'snapshot', '{}') || jsonb_build_object('server', app.take_snapshot(project)))
$$;

-- Shows a checkpoint that a search has found.
create or replace function app.found_checkpoint(checkpoint public.checkpoints)
  returns jsonb
  language sql
  immutable
as $$
  select jsonb_build_object(
    'title', checkpoint.label,
    'at', checkpoint.created_at,
    'by', checkpoint.saved_by,
    'body', concat_ws(' ', checkpoint.label, checkpoint.summary, checkpoint.resume_instructions))
$$;

create or replace function app.latest_checkpoint(project public.projects)
  returns public.checkpoints
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select c.* from public.checkpoints c
  where c.tenant_id = project.tenant_id and c.project_id = project.id
  order by c.created_at desc, c.id desc limit 1
$$;

create or replace function app.find_checkpoint(checkpoint text, project text, actor app.actor)
  returns public.checkpoints
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_checkpoint public.checkpoints;
begin
  if checkpoint is null then
    v_checkpoint := app.latest_checkpoint(app.find_project(project, actor));
  else
    select * into v_checkpoint from public.checkpoints c
      where c.tenant_id = actor.tenant_id and c.id = app.as_uuid(checkpoint);
  end if;
  if v_checkpoint.id is null then
    perform app.fail('not_found',
      coalesce(format('There is no checkpoint %s in this workspace.', left(checkpoint, 80)),
        'The project has no checkpoint yet.'),
      null, 'list_checkpoints shows what there is; save_checkpoint makes one.');
  end if;
  return v_checkpoint;
end
$$;

-- list_checkpoints(project?, cursor?, page_size) -> {checkpoints, next_cursor?}, latest first.
create or replace function public.list_checkpoints(
  project text default null,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := (app.find_project(project, v_actor)).id;
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'checkpoints ' || v_project);
  v_found jsonb[];
begin
  select array_agg(app.checkpoint_brief(c) order by c.created_at desc, c.id desc) into v_found
    from (
      select * from public.checkpoints x
      where x.tenant_id = v_actor.tenant_id
        and x.project_id = v_project
        and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.created_at desc, x.id desc limit v_size + 1) c;
  return app.build_page('checkpoints', v_found, v_size, 'checkpoints ' || v_project, '{id}', '{created_at}');
end
$$;

-- get_checkpoint(checkpoint?, project?) -> the checkpoint, by default the project's latest. Raises not_found.
create or replace function public.get_checkpoint(
  checkpoint text default null,
  project text default null,
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
  v_actor app.actor := app.authenticate(actor);
  v_checkpoint public.checkpoints := app.find_checkpoint(checkpoint, project, v_actor);
begin
  return app.checkpoint_full(v_checkpoint, (app.find_project(v_checkpoint.project_id::text, v_actor)).slug);
end
$$;

-- Summarizes a project's changes after a position: each task once, under its latest event. Reads at most the latest 500
-- events.
create or replace function app.changes_since(project public.projects, after_seq bigint)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with happened as (
      select e.seq, e.event_type, e.task_id, e.stream
      from public.events e
      where e.tenant_id = project.tenant_id and e.project_id = project.id and e.seq > after_seq
      order by e.seq desc limit 500),
    moved as (
      select distinct on (h.task_id) h.task_id, h.event_type, h.seq
      from happened h
      where h.event_type in ('task.created', 'task.claimed', 'task.completed', 'task.blocked', 'task.cancelled',
        'task.reopened', 'task.released', 'task.unblocked')
      order by h.task_id, h.seq desc),
    ranked as (
      select m.task_id,
        case m.event_type when 'task.claimed' then 'started' else replace(m.event_type, 'task.', '') end as change,
        row_number() over (partition by m.event_type order by m.seq desc) as place,
        count(*) over (partition by m.event_type) as n
      from moved m),
    grouped as (
      select r.change, max(r.n) as n, array_agg(app.task_brief(t) order by r.place) as tasks
      from ranked r
      cross join lateral (
        select * from public.tasks x
        where x.tenant_id = project.tenant_id and x.id = r.task_id
        limit 1) t
      where r.place <= 10
      group by r.change)
    select jsonb_strip_nulls(jsonb_build_object(
      'events', (select count(*) from happened),
      'counts', (select jsonb_object_agg(g.change, g.n) from grouped g),
      'tasks', (select jsonb_object_agg(g.change, g.tasks) from grouped g),
      'artifacts', nullif((select count(*) from happened h where h.event_type = 'artifact.added'), 0),
      'decisions', (
        select jsonb_agg(app.decision_brief(d) order by d.created_at desc)
        from public.decisions d
        where d.tenant_id = project.tenant_id
          and d.project_id = project.id
          and d.id in (
            select app.stream_id(h.stream) from happened h
            where h.event_type = 'decision.recorded'
            order by h.seq desc limit 10)),
      'notes', (
        select jsonb_agg(app.event_brief(app.upcast_event(e),
            (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          order by e.seq desc)
        from (
          select * from public.events n
          where n.tenant_id = project.tenant_id
            and n.project_id = project.id
            and n.seq > after_seq
            and n.seq >= (select min(h.seq) from happened h)
            and n.event_type in ('task.noted', 'project.noted')
          order by n.seq desc limit 10) e))));
end
$$;

-- compare_checkpoint(checkpoint?, project?) -> {checkpoint, changed, position}: the changes since it was saved.
create or replace function public.compare_checkpoint(
  checkpoint text default null,
  project text default null,
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
  v_actor app.actor := app.authenticate(actor);
  v_checkpoint public.checkpoints := app.find_checkpoint(checkpoint, project, v_actor);
begin
  return jsonb_build_object(
    'checkpoint', app.checkpoint_brief(v_checkpoint),
    'changed', app.changes_since(app.find_project(v_checkpoint.project_id::text, v_actor),
      app.checkpoint_position(v_checkpoint)),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id));
end
$$;

-- This note stands for the actions that rules require beyond the bound.
create or replace function app.note_cut() returns jsonb language sql stable as $$
  select jsonb_build_object(
    'trigger', true,
    'type', 'project.noted',
    'data', jsonb_build_object(
      'kind', 'risk',
      'text', format(
        'The rules of this project asked for more than %s events after one command. The rest was left out.',
        app.triggered_max())))
$$;

select app.define_category('checkpoint', 'checkpoints');

-- Agent sessions: the older form of a checkpoint.

create or replace function app.evolve_session(session public.agent_sessions, event public.events)
  returns public.agent_sessions
  language plpgsql
  immutable
as $$
begin
  if event.event_type = 'session.saved' then
    session.tenant_id := event.tenant_id;
    session.id := app.stream_id(event.stream);
    session.project_id := event.project_id;
    session.user_id := event.user_id;
    session.created_at := event.created_at;
  end if;
  session.snapshot := coalesce(event.payload -> 'snapshot', session.snapshot, '{}');
  session.summary := coalesce(event.payload ->> 'summary', session.summary);
  session.version := event.version;
  session.updated_at := event.created_at;
  return session;
end
$$;

create or replace function app.session_full(session public.agent_sessions) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', session.id,
    'summary', session.summary,
    'snapshot', session.snapshot,
    'created_at', session.created_at,
    'updated_at', session.updated_at))
$$;

-- list_sessions(project?, cursor?, page_size) -> {sessions, next_cursor?}, latest first.
create or replace function public.list_sessions(
  project text default null,
  cursor text default null,
  page_size integer default 5,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := (app.find_project(project, v_actor)).id;
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'sessions ' || v_project);
  v_found jsonb[];
begin
  select array_agg(app.session_full(s) order by s.updated_at desc, s.id desc) into v_found
    from (
      select * from public.agent_sessions x
      where x.tenant_id = v_actor.tenant_id
        and x.project_id = v_project
        and (v_after is null or (x.updated_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.updated_at desc, x.id desc limit v_size + 1) s;
  return app.build_page('sessions', v_found, v_size, 'sessions ' || v_project, '{id}', '{updated_at}');
end
$$;

select app.define_category('session', 'agent_sessions', searched => false, triggering => false);

-- Consequences of an event: dependency policy and the triggers of a project.

create or replace function app.evolve_message(message public.messages, event public.events)
  returns public.messages
  language plpgsql
  immutable
as $$
begin
  message.tenant_id := event.tenant_id;
  message.id := app.stream_id(event.stream);
  message.project_id := event.project_id;
  message.user_id := event.user_id;
  message.topic := event.payload ->> 'topic';
  message.payload := event.payload -> 'payload';
  message.version := event.version;
  message.created_at := event.created_at;
  return message;
end
$$;

-- A cancelled task blocks the dependents that wait for it, a reopened one frees those it had blocked; both warn
-- dependents in progress. A superseded decision is marked.
create or replace function app.follow_policy(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ref text;
  v_reason text;
begin
  if event.event_type = 'decision.recorded' and event.payload ? 'supersedes' then
    return array[jsonb_build_object(
      'stream', 'decision:' || (event.payload ->> 'supersedes'),
      'type', 'decision.superseded',
      'data', jsonb_build_object('by', app.stream_id(event.stream)))];
  elsif event.event_type not in ('task.cancelled', 'task.reopened') then
    return '{}';
  end if;
  v_ref := (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id);
  v_reason := left(format('Its dependency %s was %s: %s',
    v_ref, split_part(event.event_type, '.', 2), event.payload ->> 'reason'), 4000);
  return array(
    select jsonb_build_object('stream', 'task:' || d.id, 'type', case d.status
        when 'blocked' then 'task.unblocked' when 'pending' then 'task.blocked' else 'task.warned' end,
      'data', case d.status
        when 'blocked' then jsonb_build_object('reason', format('Its dependency %s was reopened.', v_ref))
        else jsonb_build_object('dependency', event.task_id, 'reason', v_reason) end)
    from app.concerned_tasks(event) d order by d.id);
end
$$;

-- The alert on a run that gives no sign of work; null for any other event of it.
create or replace function app.silent_alert(event public.events)
  returns jsonb
  language sql
  stable
as $$
  select jsonb_build_object(
    'kind', 'run_silent',
    'severity', 'medium',
    'title', format('%s gives no sign of work.', r.agent_name),
    'details', jsonb_build_object('run', r.id, 'seconds', event.payload -> 'seconds'),
    'project', r.project_id)
  from public.agent_runs r
  where event.event_type = 'run.silent' and r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream)
$$;

-- Raises an alert for a task that was given up as often as its project allows, and resolves it when the task is no
-- longer blocked; and for a run that gives no sign of work, until it ends.
create or replace function app.follow_alerts(event public.events)
  returns jsonb[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text := 'task_given_up:' || event.task_id;
  v_ref text;
begin
  if event.event_type in ('run.silent', 'run.finished') then
    return array_remove(array[app.request_alert(event.tenant_id, 'run_silent:' || app.stream_id(event.stream),
      app.silent_alert(event))], null);
  elsif event.event_type in ('task.unblocked', 'task.cancelled') then
    return array_remove(array[app.request_alert(event.tenant_id, v_key)], null);
  elsif event.event_type <> 'task.released' or not event.payload ? 'exhausted' then
    return '{}';
  end if;
  v_ref := (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id);
  return array_remove(array[app.request_alert(event.tenant_id, v_key, jsonb_build_object(
    'kind', 'task_given_up',
    'severity', 'high',
    'title', format('Task %s was given up as often as its project allows.', v_ref),
    'details', jsonb_build_object('task', v_ref, 'reason', event.payload -> 'reason'),
    'project', event.project_id))], null);
end
$$;

create or replace function app.fill_template(template text, task public.tasks) returns text language sql immutable as $$
  select left(replace(replace(template, '{ref}', coalesce(task.ref, '')), '{title}', coalesce(task.title, '')), 300)
$$;

-- Does nothing for a parent in another project, which an earlier version allowed.
create or replace function app.follow_action(action jsonb, event public.events, task public.tasks)
  returns jsonb
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_body jsonb := action -> (select k from jsonb_object_keys(action) k limit 1);
  v_target uuid := case when v_body ->> 'task' = 'parent' then (
      select p.id from public.tasks p
      where p.tenant_id = task.tenant_id and p.id = task.parent_id and p.project_id = event.project_id)
    else task.id end;
begin
  return case
    when action ? 'create_task' then jsonb_build_object('stream', 'task:' || app.uuid_v7(), 'type', 'task.created',
      'data', v_body - 'depends_on_source'
        || jsonb_build_object('project', event.project_id, 'title', app.fill_template(v_body ->> 'title', task))
        || case when task.id is null then '{}' when coalesce((v_body ->> 'depends_on_source')::boolean, false)
          then jsonb_build_object('dependencies', jsonb_build_array(task.id), 'discovered_from', task.id)
          else jsonb_build_object('discovered_from', task.id) end)
    when action ? 'set_status' then case when v_target is not null then jsonb_build_object(
      'stream', 'task:' || v_target, 'type', 'task.' || (v_body ->> 'status'),
      'data', jsonb_build_object('reason',
        coalesce(nullif(v_body ->> 'reason', ''), format('A rule of the project, on %s.', event.event_type)))) end
    when action ? 'save_checkpoint' then jsonb_build_object(
      'stream', 'checkpoint:' || app.uuid_v7(), 'type', 'checkpoint.saved',
      'data', jsonb_build_object('project', event.project_id, 'label', v_body ->> 'label',
        'summary', format('Saved by a rule of the project, on %s.', app.event_text(event))))
    else jsonb_build_object('stream', 'message:' || app.uuid_v7(), 'type', 'message.enqueued',
      'data', jsonb_build_object('project', event.project_id, 'topic', v_body ->> 'topic',
        'payload', jsonb_strip_nulls(jsonb_build_object('event_id', event.id, 'event_type', event.event_type,
          'task', task.ref, 'data', event.payload)))) end;
end
$$;

-- Lists the consequences of an event: [{stream, type, data, trigger?}]. Triggers see at most three events in a row.
create or replace function app.follow_ups(event public.events, triggers jsonb, depth integer)
  returns jsonb[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_follow jsonb[] := app.follow_policy(event) || app.follow_alerts(event) || app.follow_commands(event)
    || app.follow_runs(event) || app.follow_approvals(event) || app.follow_reviews(event)
    || app.follow_memory(event);
  v_task public.tasks;
  v_trigger jsonb;
  v_action jsonb;
begin
  if triggers is null or depth >= 3 then
    return v_follow;
  end if;
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id;
  for v_trigger in select t from jsonb_array_elements(triggers) t
      where t ->> 'on' = event.event_type and app.match_condition(t -> 'when', event.payload, v_task.priority) loop
    v_action := app.follow_action(v_trigger -> 'do', event, v_task);
    if v_action is not null then
      v_follow := v_follow || (v_action || '{"trigger": true}');
    end if;
  end loop;
  return v_follow;
end
$$;

create or replace function app.triggered_max() returns integer language sql immutable as $$ select 200 $$;

-- Lists the dependents that a cancelled or reopened task concerns: waiting ones, and those in progress although it is
-- open again.
create or replace function app.concerned_tasks(event public.events)
  returns setof public.tasks
  language sql
  stable
as $$
  select d.* from app.tasks_with(event.tenant_id, array(select app.dependents_of(event.tenant_id, event.task_id))) d
  where d.status = 'in_progress'
    or event.event_type = 'task.cancelled' and d.status = 'pending'
    or event.event_type = 'task.reopened' and d.blocked_by = event.task_id
$$;

-- Tells whether a policy's demand was met meanwhile, or can no longer be: another event of the same command was first.
create or replace function app.is_settled(request jsonb, tenant_id uuid)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if request ? 'trigger' or request ->> 'stream' not like 'task:%' then
    return false;
  end if;
  return not exists (select from public.tasks t
    where t.tenant_id = is_settled.tenant_id and t.id = app.stream_id(request ->> 'stream')
      and t.status = case request ->> 'type'
        when 'task.blocked' then 'pending' when 'task.warned' then 'in_progress'
        when 'task.released' then 'in_progress' else 'blocked' end);
end
$$;

select app.define_category('message', 'messages', searched => false, triggering => false);

-- Alerts: what somebody should look at, each open once until it is resolved.

create or replace function app.guard_alert(alert public.agent_alerts)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if alert.resolved_at is not null then
    perform app.fail('illegal_transition', format('The alert "%s" is resolved.', alert.title), null,
      'If its cause comes back, a new alert is raised.');
  end if;
end
$$;

-- A redacted alert has a key of its own: two with the same blank would count as one.
create or replace function app.evolve_alert(alert public.agent_alerts, event public.events)
  returns public.agent_alerts
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'alert.raised' then
      alert := jsonb_populate_record(alert, app.begin_row(event) || '{"raised_count": 1, "acknowledged": false}');
      alert.dedup_key := case when event.redacted_at is null then alert.dedup_key else alert.id::text end;
      alert.last_raised_at := event.created_at;
    when 'alert.repeated' then
      alert := jsonb_populate_record(alert, event.payload);
      alert.raised_count := alert.raised_count + 1;
      alert.last_raised_at := event.created_at;
    when 'alert.acknowledged' then
      alert.acknowledged := true;
      alert.acknowledged_by := app.actor_name(event);
      alert.acknowledged_at := event.created_at;
      alert.snoozed_until := null;
    when 'alert.snoozed' then
      alert.acknowledged := false;
      alert.acknowledged_by := null;
      alert.acknowledged_at := null;
      alert.snoozed_until := event.created_at + make_interval(secs => (event.payload ->> 'seconds')::integer);
    when 'alert.resolved' then
      alert.acknowledged := true;
      alert.resolved_by := app.actor_name(event);
      alert.resolved_at := event.created_at;
      alert.snoozed_until := null;
  end case;
  alert.version := event.version;
  return alert;
end
$$;

create or replace function app.alert_full(alert public.agent_alerts, slug text) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(to_jsonb(alert) || jsonb_build_object('project', slug, 'details', null))
    - '{tenant_id,project_id,user_id,dedup_key,acknowledged,version}'::text[]
    || jsonb_build_object('details', alert.details)
$$;

-- Tells whether an alert waits for somebody: nobody has acknowledged or resolved it, and it is not snoozed.
create or replace function app.is_waiting(alert public.agent_alerts) returns boolean language sql volatile as $$
  select not alert.acknowledged and coalesce(alert.snoozed_until <= app.now(), true)
$$;

-- list_alerts(project?, include_handled, cursor?, page_size) -> {alerts, next_cursor?}, the latest raised first: those
-- that wait for somebody, or all. Nobody can handle one of an archived project, which waits for nobody. Each of the two
-- reads an index of its own.
create or replace function public.list_alerts(
  project text default null,
  include_handled boolean default false,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'alerts', v_project, include_handled);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found jsonb[];
begin
  if include_handled then
    v_found := array(
      select app.alert_full(x, p.slug)
      from public.agent_alerts x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and (v_project is null or x.project_id = v_project)
        and (v_after is null or (x.last_raised_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.last_raised_at desc, x.id desc limit v_size + 1);
  else
    v_found := array(
      select app.alert_full(x, p.slug)
      from public.agent_alerts x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and not x.acknowledged
        and app.is_waiting(x)
        and p.archived_at is null
        and (v_project is null or x.project_id = v_project)
        and (v_after is null or (x.last_raised_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.last_raised_at desc, x.id desc limit v_size + 1);
  end if;
  return app.build_page('alerts', v_found, v_size, v_question, '{id}', '{last_raised_at}');
end
$$;

-- Lists the critical alerts of a project, and of the whole workspace, that wait for somebody: the latest five.
create or replace function app.critical_alerts(project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_agg(app.alert_full(a, case when a.project_id = project.id then project.slug end))
    from (
      select * from public.agent_alerts x
      where x.tenant_id = project.tenant_id
        and not x.acknowledged
        and x.severity = 'critical'
        and (x.project_id = project.id and project.archived_at is null or x.project_id is null)
        and app.is_waiting(x)
      order by x.last_raised_at desc, x.id desc limit 5) a);
end
$$;

-- Requests the event by which an alert {kind, severity, title, details, project?} opens, or repeats the open one with
-- its key, ten times an hour at most: a storm is one alert and few events. Without an alert, it resolves the open one.
-- It waits for whoever handles that one at this moment, and sees what they made of it.
create or replace function app.request_alert(tenant_id uuid, dedup_key text, alert jsonb default null)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_open uuid := (
    select a.id from public.agent_alerts a
    where a.tenant_id = $1 and a.dedup_key = $2 and a.resolved_at is null);
begin
  -- A verb that only reads settles what was never raised: it locks nothing, the table neither.
  if v_open is not null then
    select a.id into v_open from public.agent_alerts a
      where a.tenant_id = $1 and a.id = v_open and a.resolved_at is null
      for no key update;
  end if;
  return jsonb_build_object('verb', true, 'stream', 'alert:' || coalesce(v_open, app.uuid_v7())) || case
    when v_open is null and alert is null then null
    when v_open is null then '{"type": "alert.raised"}'
        || jsonb_build_object('data', alert || jsonb_build_object('dedup_key', dedup_key))
    when alert is null then '{"type": "alert.resolved"}'
    when (app.take_rate('alert ' || v_open, 10, 3600) ->> 'allowed')::boolean then '{"type": "alert.repeated"}'
        || jsonb_build_object('data', alert - '{kind,project}'::text[]) end;
end
$$;

-- Records that event for the door's workspace, by `system` for its first owner, as the last thing that a verb does: it
-- takes positions. Of two at once the second repeats the first.
create or replace function app.record_alert(dedup_key text, alert jsonb default null)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
  v_request jsonb;
begin
  if alert is not null then
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', app.get_tenant_id(), 'alert', dedup_key), 0));
  end if;
  v_request := app.request_alert(app.get_tenant_id(), dedup_key, alert);
  if v_request is not null then
    v_actor := app.system_actor(app.get_tenant_id());
    if v_actor.user_id is not null then
      perform app.append_checked(jsonb_build_array(v_request), v_actor);
    end if;
  end if;
end
$$;

-- Raises an alert in the door's workspace, or repeats the open one with its key.
create or replace function app.raise_alert(kind text, severity text, title text, details jsonb, dedup_key text)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  select app.record_alert(dedup_key, jsonb_build_object(
    'kind', kind, 'severity', severity, 'title', app.clean_name(title, 300), 'details', details))
$$;

-- Resolves the open alert with a key, whose cause is gone; does nothing where none is open.
create or replace function app.settle_alert(dedup_key text) returns void language sql as $$
  select app.record_alert(dedup_key)
$$;

select app.define_category('alert', 'agent_alerts', searched => false);

-- The one way in: guard, evolve, record.

-- Makes the event of a request, before it is judged.
create or replace function app.new_event(request jsonb, actor app.actor, at timestamptz)
  returns public.events
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event public.events;
  v_type app.event_types;
  v_id text := substring(request ->> 'stream' from position(':' in request ->> 'stream') + 1);
  v_category text := split_part(request ->> 'stream', ':', 1);
begin
  v_event.event_type := coalesce(request ->> 'type', '');
  v_event.payload := coalesce(request -> 'data', '{}');
  if jsonb_typeof(v_event.payload) <> 'object'
      or split_part(v_event.event_type, '.', 1) is distinct from v_category then
    perform app.fail('invalid_input',
      format('An event needs a stream, a type of the stream''s category, and data; %s on %s does not fit.',
        left(v_event.event_type, 80), left(coalesce(request ->> 'stream', 'null'), 80)));
  end if;
  v_type := app.check_data(v_event.event_type, v_event.payload);
  if app.as_uuid(v_id) is null then
    v_id := case v_category
      when 'task' then app.find_task_id(v_id, actor.tenant_id)
      when 'project' then (app.find_project(nullif(v_id, ''), actor)).id end;
    if v_id is null then
      perform app.fail('invalid_input', format('%s is not a stream.', left(request ->> 'stream', 80)));
    end if;
  end if;
  v_event.tenant_id := actor.tenant_id;
  v_event.id := app.uuid_v7();
  v_event.user_id := actor.user_id;
  v_event.created_at := at;
  v_event.stream := v_category || ':' || lower(v_id);
  v_event.actor := jsonb_strip_nulls(jsonb_build_object(
    'user', actor.user_id,
    'agent', actor.agent,
    'client', actor.client));
  v_event.causation_id := (request ->> 'causation')::uuid;
  v_event.schema_version := v_type.schema_version;
  if v_type.internal and v_event.causation_id is null or v_type.verb_only and not request ? 'verb' then
    perform app.fail('forbidden', format('%s is recorded by Cairn itself, not by callers.', v_event.event_type));
  end if;
  return v_event;
end
$$;

-- Locks, in sorted order, all streams that the events will touch: the parents of the workspace if a task moves, the
-- project if numbers or edges change, the tasks, their dependencies, and the dependents of those that open or close. A
-- single event that touches no dependency and no parent takes its locks when it is applied.
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
    -- No other call can lock a task that this call creates.
    elsif v_event ->> 'stream' like 'task:%' and v_event ->> 'stream' <> all (v_new) then
      v_id := app.find_task_id(substring(v_event ->> 'stream' from 6), actor.tenant_id);
      v_tasks := v_tasks || v_id;
      if v_event ->> 'type' = 'task.dependencies_changed' then
        v_projects := v_projects
          || (select t.project_id from public.tasks t where t.tenant_id = actor.tenant_id and t.id = v_id);
      elsif v_event ->> 'type' in ('task.completed', 'task.cancelled', 'task.reopened') then
        v_turned := v_turned || v_id;
      end if;
    end if;
    v_added := coalesce(v_event -> 'data' -> 'dependencies', v_event -> 'data' -> 'add');
    -- The checks of the event refuse a value that is not a list of refs.
    if jsonb_typeof(v_added) = 'array' then
      v_tasks := v_tasks || array(select app.find_task_id(d, actor.tenant_id)
        from jsonb_array_elements_text(v_added) d
        where 'task:' || d <> all (v_new));
    end if;
  end loop;
  if cardinality(v_projects) > 0 then
    perform from (select distinct i as id from unnest(v_projects) i order by 1) s
      cross join lateral (
        select from public.projects p
        where p.tenant_id = actor.tenant_id and p.id = s.id
        for no key update) p;
  end if;
  if cardinality(v_turned) > 0 then
    v_tasks := v_tasks || array(select d from unnest(v_turned) i cross join app.dependents_of(actor.tenant_id, i) d);
  end if;
  if cardinality(v_tasks) > 0 then
    perform from (select distinct i as id from unnest(v_tasks) i order by 1) s
      cross join lateral (
        select from public.tasks t
        where t.tenant_id = actor.tenant_id and t.id = s.id
        for no key update) t;
  end if;
end
$$;

-- A trigger must not undo the command that set it off: a refused action becomes a note in the project instead.
create or replace function app.apply_trigger(request jsonb, actor app.actor, at timestamptz, room integer)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_message text;
begin
  return app.apply_request(request, actor, at, room);
exception
  -- The whole command is repeated then.
  when deadlock_detected or serialization_failure then
    raise;
  when others then
    get stacked diagnostics v_message = message_text;
    return app.apply_event(
      app.new_event(
        request || jsonb_build_object(
          'stream', 'project:' || (request ->> 'project'),
          'type', 'project.noted',
          'data', jsonb_build_object(
            'kind', 'risk',
            'text', left(format('A trigger could not do %s: %s', request ->> 'type', v_message), 4000))),
        actor, at),
      '{}', actor);
end
$$;

-- Guards, evolves and writes the events in order, then their consequences; takes positions and records last.
create or replace function app.append_checked(events jsonb, actor app.actor)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_queue jsonb[] := array(select e from jsonb_array_elements(events) with ordinality x (e, at) order by at);
  v_asked integer := cardinality(v_queue);
  v_at integer := 0;
  v_request jsonb;
  v_event public.events;
  v_applied app.applied;
  v_now timestamptz;
  v_events public.events[] := '{}';
  v_new public.events[] := '{}';
  v_states jsonb[] := '{}';
  v_follow jsonb;
  v_depth integer;
  v_room integer := app.policy_max();
  v_triggered integer := 0;
  v_cut uuid[] := '{}';
begin
  if v_asked > 1
      or events -> 0 ->> 'type' in ('task.dependencies_changed', 'task.completed', 'task.cancelled', 'task.reopened')
      or events -> 0 -> 'data' ?| '{dependencies,parent}' then
    perform app.lock_streams(events, actor);
  end if;
  v_now := app.now();
  while v_at < cardinality(v_queue) loop
    v_at := v_at + 1;
    v_request := v_queue[v_at];
    continue when v_at > v_asked and app.is_settled(v_request, actor.tenant_id);
    v_applied := case when v_request ? 'trigger' then app.apply_trigger(v_request, actor, v_now, v_room)
      else app.apply_request(v_request, actor, v_now, v_room) end;
    v_event := v_applied.event;
    v_event.correlation_id := coalesce(v_events[1].id, v_event.id);
    v_states := v_states || case when v_at <= v_asked then v_applied.state else v_applied.state -> 'ref' end;
    v_events := v_events || v_event;
    if v_event.version is not null then
      v_new := v_new || v_event;
      if v_event.payload ?| '{text,reason,summary,evidence}' then
        perform app.index_event(v_event);
      end if;
      v_depth := coalesce((v_request ->> 'depth')::integer, 0);
      foreach v_follow in array app.follow_ups(v_event, v_applied.triggers, v_depth) loop
        if not v_follow ? 'trigger' then
          v_room := v_room - 1;
        elsif v_triggered < app.triggered_max() then
          v_triggered := v_triggered + 1;
        else
          continue when v_event.project_id = any (v_cut);
          v_cut := v_cut || v_event.project_id;
          v_follow := app.note_cut() || jsonb_build_object('stream', 'project:' || v_event.project_id);
        end if;
        v_queue := v_queue || app.mark_follow_up(v_follow, v_event, v_depth);
      end loop;
    end if;
  end loop;
  return app.build_answer(v_events, v_states, v_asked,
      case when v_new <> '{}' then app.record_events(v_new) - cardinality(v_new) end)
    || case when events @? '$[*].type ? (@ == "task.completed" || @ == "task.cancelled")' then app.freed_by(v_new)
      else '{}' end;
end
$$;

-- Marks a consequence with its cause, ready for the queue.
create or replace function app.mark_follow_up(follow_up jsonb, event public.events, depth integer)
  returns jsonb
  language sql
  immutable
as $$
  select follow_up || jsonb_build_object('causation', event.id, 'project', event.project_id, 'depth', depth + 1)
$$;

-- Builds a command's answer: the requested events with their states, and the first fifty consequences, with their
-- number if there are more. New ones follow the earlier position.
create or replace function app.build_answer(
  events public.events[],
  states jsonb[],
  asked integer,
  position_before bigint
)
  returns jsonb
  language sql
  immutable
as $$
  with items as (
    select e.ordinality as at,
      e.unnest as state,
      jsonb_build_object('stream', e.stream, 'type', e.event_type)
        || case when e.version is null
          then '{"repeated": true}'
          else jsonb_build_object(
            'seq', position_before + count(e.version) over (order by e.ordinality),
            'id', e.id,
            'version', e.version) end as item
    from rows from (unnest(events), unnest(states)) with ordinality e)
  select jsonb_build_object(
    'events', (
      select jsonb_agg(i.item || jsonb_build_object('state', i.state) order by i.at)
      from items i
      where i.at <= asked),
    'followed', (
      select coalesce(jsonb_agg(i.item || jsonb_strip_nulls(jsonb_build_object('ref', i.state)) order by i.at), '[]')
      from items i
      where i.at > asked and i.at <= asked + 50))
    || case when cardinality(events) > asked + 50
      then jsonb_build_object('followed_total', cardinality(events) - asked)
      else '{}' end
$$;

-- append_events(events [{stream, type, data, expect?: {version?, lock_token?, own_lock?}}], command {name, key?,
-- fingerprint?}) -> {events: [{seq, id, stream, type, version, state}], followed: […]}. All or nothing. `own_lock`
-- takes the lock of whoever acts without its token. Raises the guards' errors, version_conflict, idempotency_mismatch,
-- invalid_input.
create or replace function public.append_events(events jsonb, command jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_result jsonb := app.find_idempotent_result(v_actor, command);
  v_request jsonb;
  v_expect jsonb;
  v_created jsonb := '{}';
begin
  if v_result is not null then
    return v_result;
  end if;
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 200 then
    perform app.fail('invalid_input', 'events must be a list of 1 to 200 events.',
      jsonb_build_object('field', 'events'));
  end if;
  for v_at in 0 .. jsonb_array_length(events) - 1 loop
    v_request := events -> v_at;
    -- Nobody else can want a task that this call creates, and a person may close what nobody holds in one step; any
    -- other claim takes turns in claim_task.
    if jsonb_typeof(v_request) <> 'object' or v_request ?| '{trigger,causation,depth,project,verb}'
        or v_request ->> 'type' = 'task.claimed' and not v_created ? coalesce(v_request ->> 'stream', '')
          and (v_actor.agent is not null or events -> (v_at + 1) ->> 'type' is distinct from 'task.completed'
            or events -> (v_at + 1) ->> 'stream' is distinct from v_request ->> 'stream') then
      perform app.fail('invalid_input', 'An event has stream, type, data and expect, nothing else; claims are made by '
        || 'claim_task, but of a task that the same call creates, or that a person completes next.',
        jsonb_build_object('field', 'events'));
    elsif v_request -> 'expect' <> 'null' then
      v_expect := v_request -> 'expect';
      if jsonb_typeof(v_expect) <> 'object' or v_expect - '{version,lock_token,own_lock}'::text[] <> '{}'
          or concat(coalesce(v_expect ->> 'version', '0'), ' ', coalesce(v_expect ->> 'lock_token', '0'))
            !~ '^[0-9]{1,18} [0-9]{1,18}$' or coalesce(v_expect -> 'own_lock', 'true') <> 'true' then
        perform app.fail('invalid_input', 'expect may hold version and lock_token, each a whole number, and own_lock.',
          jsonb_build_object('field', 'expect'), 'Leave out what you do not expect.');
      end if;
    end if;
    if v_request ->> 'type' = 'task.created' and jsonb_typeof(v_request -> 'stream') = 'string' then
      v_created := v_created || jsonb_build_object(v_request ->> 'stream', true);
    end if;
  end loop;
  return app.save_idempotent_result(v_actor, command, app.append_checked(events, v_actor));
end
$$;

-- Profiles: limits under a name, for the commands that agents are given.

-- Of two that want a name or to be the default at once, the second waits and then sees the first.
create or replace function app.guard_profile(
  profile public.execution_constraints,
  event public.events,
  actor app.actor
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_default text;
begin
  perform app.refuse_limited(actor);
  -- It holds all commands that name no other.
  if profile.is_default or (event.payload ->> 'is_default')::boolean then
    perform app.refuse_agent(actor, 'The default profile is decided', 'cairn profiles');
  end if;
  if profile.removed_at is not null then
    perform app.fail('illegal_transition', format('The profile %s was removed.', app.quoted_name(profile.name)), null,
      'Save one of that name anew: save_profile.');
  end if;
  if event.payload ?| '{name,is_default}' then
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', event.tenant_id, 'profile'), 0));
  end if;
  if event.event_type = 'profile.saved' and exists (select from public.execution_constraints x
      where x.tenant_id = event.tenant_id
        and lower(x.name) = lower(event.payload ->> 'name')
        and x.removed_at is null) then
    perform app.fail('already_exists',
      format('There is a profile %s.', app.quoted_name(event.payload ->> 'name')), null,
      'Change that one (save_profile with its name does), or choose another name.');
  end if;
  if (event.payload ->> 'is_default')::boolean then
    select x.name into v_default from public.execution_constraints x
      where x.tenant_id = event.tenant_id and x.is_default and x.id <> app.stream_id(event.stream);
    if found then
      perform app.fail('already_exists', format('The profile %s is the default.', app.quoted_name(v_default)), null,
        'One at most is: save_profile takes it from that one first. Repeat the call.');
    end if;
  end if;
end
$$;

-- A limit of zero is none. A redacted profile has its id for a name: two with the same blank would count as one.
create or replace function app.evolve_profile(profile public.execution_constraints, event public.events)
  returns public.execution_constraints
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'profile.saved' then
      profile := jsonb_populate_record(profile, '{"is_default": false}' || app.begin_row(event));
      profile.name := case when event.redacted_at is null then profile.name else profile.id::text end;
    when 'profile.changed' then
      profile := jsonb_populate_record(profile, event.payload);
    when 'profile.removed' then
      profile.is_default := false;
      profile.removed_at := event.created_at;
  end case;
  profile.description := nullif(profile.description, '');
  profile.time_limit_ms := nullif(profile.time_limit_ms, 0);
  profile.token_budget := nullif(profile.token_budget, 0);
  profile.memory_limit_mb := nullif(profile.memory_limit_mb, 0);
  profile.cpu_limit_percent := nullif(profile.cpu_limit_percent, 0);
  profile.silence_limit_ms := nullif(profile.silence_limit_ms, 0);
  profile.version := event.version;
  profile.updated_at := event.created_at;
  return profile;
end
$$;

create or replace function app.profile_full(profile public.execution_constraints, slug text)
  returns jsonb
  language sql
  immutable
as $$
  select jsonb_strip_nulls(to_jsonb(profile) || jsonb_build_object('project', slug))
    - '{tenant_id,project_id,user_id,version}'::text[]
$$;

-- Finds a profile of the workspace by its id or its name, in any case; no removed one. Null if there is none.
create or replace function app.profile_named(ref text, tenant_id uuid)
  returns public.execution_constraints
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_profile public.execution_constraints;
begin
  select * into v_profile from public.execution_constraints x
    where x.tenant_id = profile_named.tenant_id and x.id = app.as_uuid(ref) and x.removed_at is null;
  if not found then
    select * into v_profile from public.execution_constraints x
      where x.tenant_id = profile_named.tenant_id and lower(x.name) = lower(ref) and x.removed_at is null;
  end if;
  return v_profile;
end
$$;

-- The same. Raises not_found.
create or replace function app.find_profile(ref text, actor app.actor)
  returns public.execution_constraints
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_profile public.execution_constraints := app.profile_named(ref, actor.tenant_id);
begin
  if v_profile.id is null then
    perform app.fail('not_found', format('There is no profile %s in this workspace.', app.quoted_name(left(ref, 80))),
      null, 'list_profiles shows their names.');
  end if;
  return v_profile;
end
$$;

-- list_profiles(project?, profile?, cursor?, page_size) -> {profiles, next_cursor?}, the default first, then by name:
-- those for a project and for the whole workspace, or all; with `profile`, an id or name, that one or none.
create or replace function public.list_profiles(
  project text default null,
  profile text default null,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'profiles', v_project);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found jsonb[];
begin
  if profile is not null then
    v_found := array(
      select app.profile_full(x, p.slug)
      from app.profile_named(profile, v_actor.tenant_id) x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.id is not null);
  else
    v_found := array(
      select app.profile_full(x, p.slug)
      from public.execution_constraints x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and x.removed_at is null
        and (v_project is null or x.project_id is null or x.project_id = v_project)
        and (v_after is null or (not x.is_default, lower(x.name)) > (true, v_after ->> 'name'))
      order by not x.is_default, lower(x.name) limit v_size + 1);
  end if;
  return jsonb_strip_nulls(jsonb_build_object('profiles', to_jsonb(v_found[:v_size]),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(
      jsonb_build_object('of', v_question, 'name', case when (v_found[v_size] -> 'is_default')::boolean then ''
        else lower(v_found[v_size] ->> 'name') end)) end));
end
$$;

select app.define_category('profile', 'execution_constraints', searched => false, triggering => false);

-- Presets: commands worth repeating, as templates with variables.

-- What in a template is a variable: `{{name}}`. Whatever else stands in braces is text.
create or replace function app.variable_pattern() returns text language sql immutable
  return '\{\{ *([A-Za-z0-9_-]{1,80}) *\}\}';

-- Tells whether a list is one of variables: {name, description, default?}, each name once.
create or replace function app.are_variables(variables jsonb) returns boolean language sql immutable as $$
  select case when jsonb_typeof(variables) <> 'array' or jsonb_array_length(variables) > 32 then false
    else not exists (
        select from jsonb_array_elements(variables) v
        where case when jsonb_typeof(v) <> 'object' then true
          else v - '{name,description,default}'::text[] <> '{}'
            or jsonb_typeof(v -> 'name') is distinct from 'string'
            or v ->> 'name' !~ '^[a-z][a-z0-9_]{0,39}$'
            or not app.validate_field(coalesce(v -> 'description', 'null'), 'text', 500, null)
            or v ? 'default' and not app.validate_field(v -> 'default', 'text', 4000, null) end)
      and (select count(distinct v -> 'name') = count(*) from jsonb_array_elements(variables) v) end
$$;

-- Raises invalid_input for a list that is none of variables.
create or replace function app.check_variables(variables jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not app.are_variables(variables) then
    perform app.fail('invalid_input',
      'variables must be a list of at most 32, each {name, description, default?}, and each name once.',
      jsonb_build_object('field', 'variables'),
      'A name has 1 to 40 lower-case letters, digits and _, and begins with a letter.');
  end if;
end
$$;

-- Of two that want a name at once, the second waits and then sees the first.
create or replace function app.guard_preset(preset public.command_presets, event public.events, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_content text := coalesce(event.payload ->> 'content', preset.content);
  v_variables jsonb := coalesce(event.payload -> 'variables', preset.variables, '[]');
  v_undeclared text;
begin
  perform app.refuse_limited(actor);
  if preset.removed_at is not null then
    perform app.fail('illegal_transition', format('The preset %s was removed.', app.quoted_name(preset.name)), null,
      'Save one of that name anew: save_preset.');
  elsif preset.user_id <> event.user_id and app.role_rank(actor.role) < app.role_rank('admin') then
    perform app.fail('forbidden', format('The preset %s is another person''s.', app.quoted_name(preset.name)), null,
      'Save one of your own under that name: save_preset. It is found first.');
  end if;
  perform app.check_variables(v_variables);
  v_undeclared := (
    select m[1] from regexp_matches(v_content, app.variable_pattern(), 'g') m
    where not v_variables @> jsonb_build_array(jsonb_build_object('name', m[1])) limit 1);
  if v_undeclared is not null then
    perform app.fail('invalid_input', format('The content has {{%s}}, which is not declared.', v_undeclared),
      jsonb_build_object('field', 'content', 'variable', v_undeclared),
      'Declare it in variables, as {name, description, default?}, or take it out.');
  end if;
  if event.event_type = 'preset.saved' then
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', event.tenant_id, 'preset', event.user_id), 0));
    if exists (select from public.command_presets x
        where x.tenant_id = event.tenant_id
          and lower(x.name) = lower(event.payload ->> 'name')
          and x.user_id = event.user_id
          and x.removed_at is null) then
      perform app.fail('already_exists',
        format('You have a preset %s.', app.quoted_name(event.payload ->> 'name')), null,
        'Change that one (save_preset with its name does), or choose another name.');
    end if;
  end if;
end
$$;

-- A redacted preset has its id for a name: two with the same blank would count as one.
create or replace function app.evolve_preset(preset public.command_presets, event public.events)
  returns public.command_presets
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'preset.saved' then
      preset := jsonb_populate_record(preset,
        '{"type": "natural", "variables": [], "usage_count": 0}' || app.begin_row(event));
      preset.name := case when event.redacted_at is null then preset.name else preset.id::text end;
    when 'preset.changed' then
      preset := jsonb_populate_record(preset, event.payload);
    when 'preset.removed' then
      preset.removed_at := event.created_at;
  end case;
  if event.payload ? 'content' then
    preset.content_by := event.actor ->> 'agent';
  end if;
  if event.payload ? 'variables' then
    preset.variables_by := event.actor ->> 'agent';
  end if;
  preset.description := nullif(preset.description, '');
  preset.target_agent_types := nullif(preset.target_agent_types, '{}');
  preset.version := event.version;
  preset.updated_at := event.created_at;
  return preset;
end
$$;

-- The agent whose words are in a command of a preset, or null: those of its content, or those that its variables have
-- by default.
create or replace function app.preset_author(preset public.command_presets) returns text language sql immutable as $$
  select coalesce(preset.content_by, case when preset.variables @? '$[*].default' then preset.variables_by end)
$$;

-- The name of its owner is told of another person's only.
create or replace function app.preset_full(preset public.command_presets, slug text, actor app.actor)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(to_jsonb(preset) || jsonb_build_object('project', slug,
      'words_of', app.preset_author(preset),
      'by', case when preset.user_id <> actor.user_id then coalesce(app.user_name(preset.user_id), 'user') end))
    - '{tenant_id,project_id,user_id,version,content_by,variables_by}'::text[];
end
$$;

-- Finds a preset by its id or its name, in any case; no removed one. Of a name one's own comes first, then the oldest
-- of others. Null if there is none.
create or replace function app.preset_named(ref text, actor app.actor)
  returns public.command_presets
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_preset public.command_presets;
begin
  select * into v_preset from public.command_presets x
    where x.tenant_id = actor.tenant_id and x.id = app.as_uuid(ref) and x.removed_at is null;
  if not found then
    select * into v_preset from public.command_presets x
      where x.tenant_id = actor.tenant_id and lower(x.name) = lower(ref) and x.removed_at is null
      order by x.user_id = actor.user_id desc, x.created_at, x.id limit 1;
  end if;
  return v_preset;
end
$$;

-- The same. Raises not_found.
create or replace function app.find_preset(ref text, actor app.actor)
  returns public.command_presets
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_preset public.command_presets := app.preset_named(ref, actor);
begin
  if v_preset.id is null then
    perform app.fail('not_found', format('There is no preset %s in this workspace.', app.quoted_name(left(ref, 80))),
      null, 'list_presets shows their names.');
  end if;
  return v_preset;
end
$$;

-- Fills a preset's template with the values given by name, or the defaults, in one pass: what a value holds is text.
-- Raises invalid_input.
create or replace function app.fill_preset(preset public.command_presets, given jsonb)
  returns text
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_names text[] := array(select v ->> 'name' from jsonb_array_elements(preset.variables) v);
  v_values jsonb := (
    select coalesce(jsonb_object_agg(v ->> 'name', coalesce(given ->> (v ->> 'name'), v ->> 'default')), '{}')
    from jsonb_array_elements(preset.variables) v);
  v_missing text[] := array(select n from unnest(v_names) n where v_values ->> n is null);
  v_unknown text := case when jsonb_typeof(given) = 'object'
    then (select k from jsonb_object_keys(given) k where k <> all (v_names) limit 1) end;
  v_details jsonb := jsonb_build_object('field', 'variables', 'allowed', v_names, 'missing', v_missing);
  v_hint text := case when v_names = '{}' then 'It has no variables.'
    else format('Its variables are %s.', array_to_string(v_names, ', ')) end;
  v_used text[] := array(select m[1] from regexp_matches(preset.content, app.variable_pattern(), 'g') m);
begin
  if v_unknown is not null then
    perform app.fail('invalid_input', format('The preset %s has no variable %s.', app.quoted_name(preset.name),
      app.quoted_name(left(v_unknown, 80))), v_details, v_hint);
  elsif v_missing <> '{}' then
    perform app.fail('invalid_input', format('The preset %s needs a value for %s.', app.quoted_name(preset.name),
      array_to_string(v_missing, ', ')), v_details, v_hint);
  end if;
  return (
    select string_agg(x.part || coalesce(v_values ->> v_used[x.at], ''), '' order by x.at)
    from regexp_split_to_table(preset.content, app.variable_pattern()) with ordinality x (part, at));
end
$$;

-- Counts that a command was made of a preset, which is no matter of its stream.
create or replace function app.count_preset_use(preset public.command_presets)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  update public.command_presets x set usage_count = x.usage_count + 1, last_used_at = app.now()
  where x.tenant_id = preset.tenant_id and x.id = preset.id
$$;

-- list_presets(project?, preset?, cursor?, page_size) -> {presets, next_cursor?}, the most used first: those for a
-- project and for the whole workspace, or all; with `preset`, an id or name, the one that it means, or none.
create or replace function public.list_presets(
  project text default null,
  preset text default null,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'presets', v_project);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found jsonb[];
begin
  if preset is not null then
    v_found := array(
      select app.preset_full(x, p.slug, v_actor)
      from app.preset_named(preset, v_actor) x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.id is not null);
  else
    v_found := array(
      select app.preset_full(x, p.slug, v_actor)
      from public.command_presets x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and x.removed_at is null
        and (v_project is null or x.project_id is null or x.project_id = v_project)
        and (v_after is null
          or (x.usage_count, x.id) < ((v_after ->> 'number')::integer, (v_after ->> 'id')::uuid))
      order by x.usage_count desc, x.id desc limit v_size + 1);
  end if;
  return jsonb_strip_nulls(jsonb_build_object('presets', to_jsonb(v_found[:v_size]),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(jsonb_build_object(
      'of', v_question, 'id', v_found[v_size] -> 'id', 'number', v_found[v_size] -> 'usage_count')) end));
end
$$;

select app.define_category('preset', 'command_presets', searched => false, triggering => false,
  kept => '{usage_count,last_used_at}');

-- Agents: assistants that can be sent commands, each reported by the runner that drives it.

-- Refuses what a caller sends in another form than is meant. Raises invalid_input.
create or replace function app.check_form(field text, is_valid boolean, allowed text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if is_valid is not true then
    perform app.fail('invalid_input', format('%s must be %s.', field, allowed), jsonb_build_object('field', field));
  end if;
end
$$;

-- Tells whether an agent's hooks, tools or reports speak for it, without a runner.
create or replace function app.has_no_runner(agent public.agents) returns boolean language sql immutable as $$
  select agent.driver in ('hook', 'pull', 'otlp')
$$;

-- How long an agent is believed to be there after its last beat: a runner beats every ten seconds.
create or replace function app.get_beat_patience() returns interval language sql immutable
  return interval '30 seconds';

-- Finds an agent by its name, whatever its case, or by its id. Raises not_found.
create or replace function app.find_agent(ref text, actor app.actor)
  returns public.agents
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
begin
  select * into v_agent from public.agents a
    where a.tenant_id = actor.tenant_id
      and (a.id = app.as_uuid(ref) or a.retired_at is null and lower(a.name) = lower(ref))
    order by a.id = app.as_uuid(ref) desc nulls last, a.created_at limit 1;
  if not found then
    perform app.fail('not_found', format('There is no agent %s in this workspace.', left(ref, 80)), null,
      'list_agents shows those there are; `cairn agent run -- claude` starts one.');
  end if;
  return v_agent;
end
$$;

-- Finds an agent as find_agent does, or else the last that was retired under that name. Raises not_found.
create or replace function app.find_agent_of_any_time(ref text, actor app.actor)
  returns public.agents
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_retired public.agents;
begin
  select * into v_retired from public.agents a
    where a.tenant_id = actor.tenant_id and a.retired_at is not null and lower(a.name) = lower(ref)
      and not exists (
        select from public.agents o
        where o.tenant_id = a.tenant_id and o.retired_at is null and lower(o.name) = lower(a.name))
    order by a.retired_at desc limit 1;
  return case when v_retired.id is null then app.find_agent(ref, actor) else v_retired end;
end
$$;

-- Refuses whoever is neither the owner of an agent or a run nor an administrator.
create or replace function app.check_owner(owner uuid, actor app.actor, what text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if owner is distinct from actor.user_id and app.role_rank(actor.role) < 3 then
    perform app.fail('forbidden', format('%s is another person''s.', what), null,
      'Its owner or an administrator of the workspace does this.');
  end if;
end
$$;

-- Refuses what no agent may be called: `--to` means something else by it, or a command line takes it for an option.
create or replace function app.check_agent_name(name text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if app.as_uuid(name) is not null or lower(name) in ('all', 'system') or name ~ ':|^-' then
    perform app.fail('invalid_input', format('An agent cannot be called %s.', name),
      jsonb_build_object('field', 'name'),
      'Choose a name such as claude-1: not all or system, no UUID, without a colon and no dash before it.');
  end if;
end
$$;

-- Lets one after the other take a name, so that the second sees that it is taken.
create or replace function app.lock_agent_name(tenant_id uuid, name text)
  returns void
  language sql
  volatile
as $$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', tenant_id, 'agent', lower(name)), 0))
$$;

-- Finds and locks the agent of a name, or the name while none has it: two that begin at once are one agent. Raises
-- already_exists.
create or replace function app.lock_agent_named(name text, actor app.actor)
  returns public.agents
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
begin
  for v_try in 1..2 loop
    select * into v_agent from public.agents a
      where a.tenant_id = actor.tenant_id and a.retired_at is null and lower(a.name) = lower(lock_agent_named.name)
      for no key update;
    exit when v_agent.id is not null;
    perform app.lock_agent_name(actor.tenant_id, name);
  end loop;
  if v_agent.driver = 'otlp' then
    perform app.fail('already_exists', format('The agent %s is a program that only reports.', v_agent.name),
      jsonb_build_object('field', 'name'), 'Choose another name with --name or CAIRN_AGENT, or rename that one.');
  end if;
  return v_agent;
end
$$;

create or replace function app.guard_agent(agent public.agents, event public.events, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name constant text := event.payload ->> 'name';
begin
  if agent.retired_at is not null then
    perform app.fail('illegal_transition', format('The agent %s is retired.', agent.name), null,
      'Its runner registers a new one under the same name.');
  elsif event.event_type in ('agent.renamed', 'agent.configured', 'agent.resumed', 'agent.retired') then
    perform app.check_owner(agent.user_id, actor, format('The agent %s', agent.name));
  end if;
  if event.event_type = 'agent.resumed' then
    perform app.refuse_agent(actor, 'A stop is taken back', format('cairn go-on %s', app.shell_word(agent.name)));
  end if;
  perform app.check_agent_name(v_name);
  if v_name is not null then
    perform app.lock_agent_name(event.tenant_id, v_name);
  end if;
  if exists (
      select from public.agents a
      where a.tenant_id = event.tenant_id and a.retired_at is null and lower(a.name) = lower(v_name)
        and a.id is distinct from agent.id) then
    perform app.fail('already_exists', format('There is another agent %s in this workspace.', v_name),
      jsonb_build_object('field', 'name'), 'Choose another name'
        || case when event.event_type = 'agent.registered' then ' with --name.' else '.' end);
  end if;
end
$$;

-- A redacted agent has a name of its own: two with the same blank would count as one.
create or replace function app.evolve_agent(agent public.agents, event public.events)
  returns public.agents
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'agent.registered' then
      agent := jsonb_populate_record(agent, '{"config": {}}' || app.begin_row(event));
    when 'agent.renamed' then
      agent.name := event.payload ->> 'name';
    when 'agent.configured' then
      agent := jsonb_populate_record(agent, event.payload);
    when 'agent.paused' then
      agent.paused_at := event.created_at;
      agent.paused_by := app.actor_name(event);
      agent.pause_reason := event.payload ->> 'reason';
    when 'agent.resumed' then
      agent.paused_at := null;
      agent.paused_by := null;
      agent.pause_reason := null;
    when 'agent.retired' then
      agent.retired_at := event.created_at;
  end case;
  if event.redacted_at is not null and event.payload ? 'name' then
    agent.name := agent.id;
  end if;
  agent.updated_at := event.created_at;
  agent.version := event.version;
  return agent;
end
$$;

-- What an agent still had ends with it. Its commands are locked first, as everywhere.
create or replace function app.finish_agent(agent public.agents, event public.events, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'agent.retired' then
    perform app.enter_disconnect(agent, 'retired', actor);
    perform from public.commands c
      where c.tenant_id = agent.tenant_id and c.id in (
        select r.command_id from public.agent_runs r
        where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.ended_at is null)
      order by c.id for no key update;
  end if;
end
$$;

-- Says how an agent is: retired, connecting (it has never been there), offline (it said goodbye), lost (it missed its
-- beats), error, or online. What is asked by hooks and tools does not beat: it is there for a quarter of an hour.
create or replace function app.agent_state(agent public.agents, at timestamptz) returns text language sql stable as $$
  select case
    when agent.retired_at is not null then 'retired'
    when agent.seen_at is null then 'connecting'
    when agent.disconnected_at >= agent.seen_at then 'offline'
    when app.has_no_runner(agent)
      then case when agent.seen_at < at - interval '15 minutes' then 'offline' else 'online' end
    when agent.seen_at < at - app.get_beat_patience() then 'lost'
    else coalesce(agent.status, 'online') end
$$;

-- Tells whether an agent takes the commands of a user: its owner's, and others' if its runner says so.
create or replace function app.takes_commands_of(agent public.agents, user_id uuid)
  returns boolean
  language sql
  immutable
as $$
  select agent.user_id = takes_commands_of.user_id or agent.config ->> 'accepts' is not distinct from 'workspace'
$$;

-- How many runs an agent does at once.
create or replace function app.runs_at_once(agent public.agents) returns integer language sql immutable as $$
  select case when agent.config ->> 'runs_at_once' ~ '^[1-9][0-9]{0,2}$'
    then (agent.config ->> 'runs_at_once')::integer else 1 end
$$;

create or replace function app.agent_full(agent public.agents)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := app.now();
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', agent.id,
    'name', agent.name,
    'type', agent.type,
    'driver', agent.driver,
    'host', agent.host_machine,
    'project', (select p.slug from public.projects p where p.tenant_id = agent.tenant_id and p.id = agent.project_id),
    'state', app.agent_state(agent, v_now),
    'seen_at', agent.seen_at,
    'connected_at', agent.connected_at,
    'paused_at', agent.paused_at,
    'paused_by', agent.paused_by,
    'pause_reason', agent.pause_reason,
    'stopped', app.stop_reason(agent),
    'modes', case when jsonb_typeof(agent.config -> 'modes') = 'array' then agent.config -> 'modes' end,
    'accepts', agent.config ->> 'accepts',
    'reach', app.reach_of(agent),
    'health', agent.health_metrics,
    'running', (
      select jsonb_agg(app.run_brief(r, agent, v_now) order by r.started_at)
      from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
        and app.is_active(r)),
    'queued', (
      select count(*)
      from (
        select from public.agent_runs r
        where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued' limit 1000) q),
    'version', agent.version));
end
$$;

-- How an agent fares: what its runner measures, and what its runs tell, whatever the runner says of that.
create or replace function app.agent_health(agent public.agents)
  returns jsonb
  language sql
  stable
as $$
  select coalesce(agent.health_metrics, '{}') - '{commands_processed,average_response_time}'::text[]
    || jsonb_strip_nulls(jsonb_build_object('commands_processed', count(*),
      'average_response_time', round(avg(r.duration_ms))))
  from public.agent_runs r
  where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
    and r.ended_at is not null and r.started_at is not null
$$;

-- get_agent(agent) -> the agent, by name or id, with what its runs tell of its health. Raises not_found.
create or replace function public.get_agent(agent text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_agent constant public.agents := app.find_agent(agent, v_actor);
begin
  return app.agent_full(v_agent) || jsonb_build_object('health', app.agent_health(v_agent));
end
$$;

-- list_agents(include_retired, cursor?, page_size) -> {agents, next_cursor?}, the latest registered first.
create or replace function public.list_agents(
  include_retired boolean default false,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'agents', include_retired);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('agents', array(
    select app.agent_full(a) || jsonb_build_object('created_at', a.created_at)
    from public.agents a
    where a.tenant_id = v_actor.tenant_id
      and (include_retired or a.retired_at is null)
      and (v_after is null or (a.created_at, a.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by a.created_at desc, a.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('agent', 'agents', searched => false, triggering => false,
  kept => '{status,activity_state,connected_at,disconnected_at,seen_at,health_metrics}');

-- Commands: what a person or an agent asks of agents. Each agent that a command is for gets a run, and the command's
-- status follows from its runs.

-- Finds the agents that a command is for: names, ids, `type:claude`, or `all`. Those of a type, or all, are those that
-- take it, without the sessions that are over; one that is named is refused if it does not. Raises not_found,
-- forbidden.
create or replace function app.find_targets(targets text[], project public.projects, actor app.actor)
  returns uuid[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target text;
  v_agent public.agents;
  v_found uuid[] := '{}';
begin
  foreach v_target in array targets loop
    if lower(v_target) = 'all' or v_target ~* '^type:' then
      v_found := v_found || array(
        select a.id from public.agents a
        where a.tenant_id = actor.tenant_id
          and a.retired_at is null
          and (lower(v_target) = 'all' or a.type = lower(substring(v_target from 6)))
          and app.takes_commands_of(a, actor.user_id)
          and (a.project_id is null or a.project_id = project.id)
          and a.driver <> 'otlp'
          and not (app.has_no_runner(a) and app.agent_state(a, app.now()) = 'offline')
        order by a.created_at, a.id limit 101);
      continue;
    end if;
    v_agent := app.find_agent(v_target, actor);
    if v_agent.retired_at is not null or not app.takes_commands_of(v_agent, actor.user_id) then
      perform app.fail('forbidden', format('%s takes no commands of yours.', v_agent.name), null,
        'Ask its owner to start it with --accept workspace, or send to an agent of your own.');
    elsif v_agent.driver = 'otlp' then
      perform app.fail('forbidden', format('%s takes no commands: it only reports.', v_agent.name), null,
        'Start its program with `cairn agent run -- PROGRAM`.');
    elsif v_agent.project_id <> project.id or v_agent.project_id is not null and project.id is null then
      perform app.fail('forbidden', format('%s works for one project alone.', v_agent.name), null,
        format('Pass project: %s.', (select p.slug from public.projects p
          where p.tenant_id = v_agent.tenant_id and p.id = v_agent.project_id)));
    end if;
    v_found := v_found || v_agent.id;
  end loop;
  v_found := array(select f.id from unnest(v_found) with ordinality f (id, at) group by f.id order by min(f.at));
  if cardinality(v_found) not between 1 and 100 then
    perform app.fail(case when v_found = '{}' then 'not_found' else 'invalid_input' end,
      case when v_found = '{}' then format('There is no agent for %s.', left(array_to_string(targets, ', '), 80))
        else 'A command is for at most 100 agents.' end,
      jsonb_build_object('field', 'to'),
      'list_agents shows those there are; `cairn agent run -- claude` starts one.');
  end if;
  return v_found;
end
$$;

create or replace function app.limit_names() returns text[] language sql immutable as $$
  select '{time_limit_ms,token_budget,memory_limit_mb,cpu_limit_percent,silence_limit_ms}'::text[]
$$;

-- Refuses limits that nobody knows, or that limit nothing.
create or replace function app.check_limits(limits jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_known constant text[] := app.limit_names();
  v_bad text := (
    select e.key from jsonb_each(limits) e
    where e.key <> all (v_known) or (jsonb_typeof(e.value) = 'number' and e.value #>> '{}' ~ '^[1-9][0-9]{0,12}$')
      is not true
    limit 1);
begin
  if v_bad is not null then
    perform app.fail('invalid_input', format('The limit %s is not valid.', left(v_bad, 80)),
      jsonb_build_object('field', 'limits'),
      format('Each is a whole number above 0: %s.', array_to_string(v_known, ', ')));
  end if;
end
$$;

-- The smallest of two sets of limits, each by name.
create or replace function app.smallest_limits(one jsonb, other jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_object_agg(l.name, l.most), '{}')
  from (
    select e.key as name, min((e.value #>> '{}')::bigint) as most
    from (select * from jsonb_each(one) union all select * from jsonb_each(other)) e
    where e.value <> 'null'
    group by e.key) l
$$;

create or replace function app.limits_of(profile public.execution_constraints)
  returns jsonb
  language sql
  immutable
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'time_limit_ms', profile.time_limit_ms,
    'token_budget', profile.token_budget,
    'memory_limit_mb', profile.memory_limit_mb,
    'cpu_limit_percent', profile.cpu_limit_percent,
    'silence_limit_ms', profile.silence_limit_ms))
$$;

create or replace function app.find_default_profile(tenant_id uuid)
  returns public.execution_constraints
  language sql
  stable
as $$
  select x.* from public.execution_constraints x
  where x.tenant_id = find_default_profile.tenant_id and x.is_default and x.removed_at is null
$$;

-- Fills in what a command leaves to its preset, its profile and its project: text, type and targets; limits, of which
-- the smallest count. Later changes of them leave the command as it is. Raises invalid_input, not_found.
create or replace function app.fill_command(payload jsonb, project public.projects, actor app.actor)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_preset public.command_presets;
  v_profile public.execution_constraints;
begin
  if payload ? 'preset' then
    if payload ? 'content' then
      perform app.fail('invalid_input', 'A command has content or a preset, not both.',
        jsonb_build_object('field', 'content'));
    end if;
    v_preset := app.find_preset(payload ->> 'preset', actor);
    payload := jsonb_strip_nulls(jsonb_build_object('type', v_preset.type, 'to', (
        select jsonb_agg('type:' || t) from unnest(v_preset.target_agent_types) t)))
      || payload || jsonb_build_object('preset', v_preset.id,
        'content', app.fill_preset(v_preset, coalesce(payload -> 'values', '{}')));
  end if;
  perform app.check_form('to', jsonb_array_length(payload -> 'to') > 0, 'a list of agents, type:claude, or all');
  perform app.check_form('content', payload ? 'content', 'what the agents shall do, or name a preset');
  perform app.check_limits(coalesce(payload -> 'execution_constraints', '{}'));
  v_profile := case when payload ? 'profile' then app.find_profile(payload ->> 'profile', actor)
    else app.find_default_profile(actor.tenant_id) end;
  return payload || jsonb_strip_nulls(jsonb_build_object('profile', v_profile.id)) || jsonb_build_object(
    'execution_constraints',
    app.smallest_limits(app.smallest_limits(app.limits_of(v_profile), coalesce(project.rules -> 'limits', '{}')),
      coalesce(payload -> 'execution_constraints', '{}')));
end
$$;

-- Refuses a command that cannot be carried out, and adds what it needs: its targets, and who it is from.
create or replace function app.prepare_command(
  command public.commands,
  event public.events,
  task public.tasks,
  project public.projects,
  actor app.actor
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_payload jsonb := event.payload;
  v_targets uuid[];
  v_author text;
begin
  if event.event_type <> 'command.sent' then
    return v_payload;
  end if;
  v_payload := app.fill_command(v_payload, project, actor);
  v_targets := app.find_targets(array(select jsonb_array_elements_text(v_payload -> 'to')), project, actor);
  if event.task_id is not null then
    if cardinality(v_targets) > 1 then
      perform app.fail('invalid_input', format('Task %s is for one agent, not %s.', task.ref, cardinality(v_targets)),
        jsonb_build_object('field', 'to'), 'Send it to one of them.');
    elsif task.status in ('completed', 'cancelled') then
      perform app.fail('illegal_transition', format('Task %s is %s.', task.ref, task.status), null,
        'Reopen it, or send the command without it.');
    end if;
  end if;
  -- Words of an agent are no order of the person who sends them.
  v_author := case when app.is_person(actor) then (
    select app.preset_author(p) from public.command_presets p
    where p.tenant_id = event.tenant_id and p.id = (v_payload ->> 'preset')::uuid) end;
  return '{"type": "natural", "mode": "turn", "priority": 50, "ttl_seconds": 86400, "repeatable": false,
      "resumes": true}'
    || v_payload || jsonb_build_object(
      'target_agents', v_targets,
      'broadcast', v_payload -> 'to' ? 'all',
      'sent_by', case when v_author is null then app.actor_name(actor)
        else left(format('%s, in a preset that %s sent', v_author, app.actor_name(actor)), 120) end,
      'by_person', app.is_person(actor) and v_author is null);
end
$$;

-- A preset counts the commands that name it.
create or replace function app.finish_command(command public.commands, event public.events, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'command.sent' and command.preset_id is not null then
    perform app.count_preset_use(p) from public.command_presets p
      where p.tenant_id = command.tenant_id and p.id = command.preset_id;
    perform app.enter_audit('preset_used', actor, command_id => command.id,
      details => jsonb_build_object('preset', command.preset_id));
  end if;
end
$$;

create or replace function app.guard_command(command public.commands, event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if command.completed_at is not null then
    perform app.fail('illegal_transition', format('The command %s is %s.', command.id, command.status), null,
      'Send it again if it is still needed.');
  elsif event.event_type = 'command.cancelled' and event.causation_id is null then
    perform app.check_owner(command.user_id, actor, format('The command %s', command.id));
  end if;
end
$$;

create or replace function app.evolve_command(command public.commands, event public.events)
  returns public.commands
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'command.sent' then
      command := jsonb_populate_record(command, app.begin_row(event) || '{"status": "queued"}');
      command.preset_id := event.payload ->> 'preset';
      command.constraint_id := event.payload ->> 'profile';
      command.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
    when 'command.started' then
      command.status := 'executing';
      command.started_at := event.created_at;
    when 'command.completed', 'command.failed', 'command.cancelled' then
      command.status := split_part(event.event_type, '.', 2);
      command.completed_at := event.created_at;
      command.error := coalesce(event.payload ->> 'error', event.payload ->> 'reason');
  end case;
  command.updated_at := event.created_at;
  command.version := event.version;
  return command;
end
$$;

-- Shows a command with the state of each of its runs, of which there are at most a hundred.
create or replace function app.command_full(command public.commands)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := app.now();
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', command.id,
    'content', command.content,
    'type', command.type,
    'mode', command.mode,
    'status', command.status,
    'priority', command.priority,
    'project', (select p.slug from public.projects p
      where p.tenant_id = command.tenant_id and p.id = command.project_id),
    'task', (select t.ref from public.tasks t where t.tenant_id = command.tenant_id and t.id = command.task_id),
    'sent_by', command.sent_by,
    'by_person', command.by_person,
    'limits', nullif(command.execution_constraints, '{}'),
    'expires_at', command.expires_at,
    'created_at', command.created_at,
    'started_at', command.started_at,
    'completed_at', command.completed_at,
    'error', command.error,
    'report', (app.report_of(command.tenant_id, command.id)).id,
    'runs', (
      select jsonb_agg(app.run_brief(r, a, v_now) order by r.agent_name)
      from public.agent_runs r
      left join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
      where r.tenant_id = command.tenant_id and r.command_id = command.id)));
end
$$;

-- Requests the end of runs that are open when their agent or their project goes.
create or replace function app.end_left_run(run public.agent_runs, why text) returns jsonb language sql immutable as $$
  select jsonb_build_object('stream', 'run:' || run.id, 'verb', true, 'type', 'run.finished',
    'data', jsonb_build_object('error', why) || case
      when app.is_chat(run) then '{"status": "completed", "end_reason": "completed"}'::jsonb
      when run.status in ('pending', 'queued')
      then '{"status": "cancelled", "end_reason": "cancelled"}'::jsonb
      else '{"status": "failed", "end_reason": "lost"}' end)
$$;

-- Lists what follows from an event for commands and runs: a command sent queues a run for each target; a cancelled one
-- ends those that wait and interrupts those that run; one that was to be interrupted does not go back to the queue; the
-- last run to end ends its command.
create or replace function app.follow_commands(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Most events are none of these, and whoever begins the expression below begins its four queries.
  if event.event_type not in ('command.sent', 'command.cancelled', 'agent.retired', 'project.archived',
      'run.claimed', 'run.requeued', 'run.finished') then
    return '{}';
  end if;
  return case event.event_type
    when 'command.sent' then array(
      select jsonb_build_object('stream', 'run:' || app.uuid_v7(), 'type', 'run.queued', 'data', jsonb_strip_nulls(
        jsonb_build_object('agent_id', a.id, 'agent_name', a.name, 'command_id', app.stream_id(event.stream),
          'task', event.task_id, 'project', event.project_id,
          'mode', app.mode_of_command(event.payload ->> 'type', event.task_id),
          'priority', event.payload -> 'priority', 'delivery_mode', event.payload -> 'mode',
          'ttl_seconds', event.payload -> 'ttl_seconds')))
      from jsonb_array_elements_text(event.payload -> 'target_agents') with ordinality t (id, at)
      join public.agents a on a.tenant_id = event.tenant_id and a.id = t.id::uuid
      order by t.at)
    when 'command.cancelled' then array(
      select jsonb_build_object('stream', 'run:' || r.id) || case when r.status in ('pending', 'queued')
        then '{"verb": true, "type": "run.finished", "data": {"status": "cancelled", "end_reason": "cancelled"}}'::jsonb
        else jsonb_build_object('type', 'run.interrupt_requested', 'data', jsonb_build_object('reason',
          coalesce(event.payload ->> 'reason', 'The command was cancelled.'))) end
      from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.command_id = app.stream_id(event.stream) and r.ended_at is null
        and event.causation_id is null
      order by r.id)
    when 'agent.retired' then array(
      select app.end_left_run(r, 'Its agent was retired.') from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.agent_id = app.stream_id(event.stream) and r.ended_at is null
      order by r.id limit 500)
    when 'project.archived' then array(
      select app.end_left_run(r, 'Its project was archived.') from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.project_id = event.project_id and r.ended_at is null
      order by r.id limit 500)
    when 'run.claimed' then array(
      select jsonb_build_object('stream', 'command:' || c.id, 'type', 'command.started')
      from public.agent_runs r
      join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
      where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream) and c.status in ('pending', 'queued'))
    when 'run.requeued' then array(
      select jsonb_build_object('stream', 'run:' || r.id, 'verb', true, 'type', 'run.finished',
        'data', app.interrupted_end(r))
      from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream) and r.interrupt_requested)
    when 'run.finished' then app.end_of_command(event) end;
end
$$;

-- Which mode a run of a command has: that of its type, unless a task says more.
create or replace function app.mode_of_command(type text, task_id uuid) returns text language sql immutable as $$
  select case when type <> 'natural' then type when task_id is not null then 'task' else 'chat' end
$$;

-- The event by which a command ends with its last run. Whoever records that has locked the command before.
create or replace function app.end_of_command(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select jsonb_build_object('stream', 'command:' || c.id, 'type', case
        when bool_or(x.status in ('failed', 'timed_out')) then 'command.failed'
        when bool_or(x.status = 'completed') then 'command.completed'
        else 'command.cancelled' end,
      'data', jsonb_strip_nulls(jsonb_build_object(
        'error', left(string_agg(x.error, '; ') filter (where x.status in ('failed', 'timed_out')), 2000),
        'reason', case when bool_and(x.status = 'cancelled') then min(x.end_reason) end)))
    from public.agent_runs r
    join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
    join public.agent_runs x on x.tenant_id = c.tenant_id and x.command_id = c.id
    where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream) and c.completed_at is null
    group by c.id
    having bool_and(x.ended_at is not null));
end
$$;

-- Finds a command by its id, without one the latest. Raises not_found.
create or replace function app.find_command(ref text, actor app.actor)
  returns public.commands
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_command public.commands;
begin
  if ref is null then
    select * into v_command from public.commands c where c.tenant_id = actor.tenant_id
      order by c.created_at desc, c.id desc limit 1;
  else
    select * into v_command from public.commands c where c.tenant_id = actor.tenant_id and c.id = app.as_uuid(ref);
  end if;
  if v_command.id is null then
    perform app.fail('not_found', concat_ws(' ', 'There is no command', left(ref, 80), 'in this workspace.'), null,
      'list_commands shows the ids.');
  end if;
  return v_command;
end
$$;

-- get_command(command?) -> the command with its runs, without one the latest. Raises not_found.
create or replace function public.get_command(command text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return app.command_full(app.find_command(command, v_actor));
end
$$;

-- list_commands(project?, status?, cursor?, page_size) -> {commands, next_cursor?}, the latest first.
create or replace function public.list_commands(
  project text default null,
  status text default null,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'commands', v_project, status);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('commands', array(
    select app.command_full(c)
    from public.commands c
    where c.tenant_id = v_actor.tenant_id
      and (v_project is null or c.project_id = v_project)
      and (list_commands.status is null or c.status = list_commands.status)
      and (v_after is null or (c.created_at, c.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by c.created_at desc, c.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('command', 'commands', searched => false, triggering => false);

-- Runs: one execution by one agent, from the queue to its end.

create or replace function app.is_active(run public.agent_runs) returns boolean language sql immutable as $$
  select run.status in ('running', 'waiting_input', 'waiting_approval', 'paused')
$$;

-- Tells whether a run is a session of a program that only reports: no command began it, and no runner holds it.
create or replace function app.is_chat(run public.agent_runs) returns boolean language sql immutable as $$
  select run.mode = 'chat' and run.command_id is null
$$;

-- The one run that the calling agent does now; null if it does none or several.
create or replace function app.own_active_run(actor app.actor)
  returns public.agent_runs
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_runs public.agent_runs[] := array(
    select r from public.agents a
    join public.agent_runs r on r.tenant_id = a.tenant_id and r.agent_id = a.id
    where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and lower(a.name) = lower(actor.agent)
      and app.is_active(r)
    limit 2);
begin
  return case when cardinality(v_runs) = 1 then v_runs[1] end;
end
$$;

-- Finds a run of an agent of the caller's by its id; without one the run that the calling agent does now, or null.
-- Raises not_found.
create or replace function app.find_own_run(ref text, actor app.actor)
  returns public.agent_runs
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
begin
  if ref is null then
    return app.own_active_run(actor);
  end if;
  select r.* into v_run from public.agent_runs r
    join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
    where r.tenant_id = actor.tenant_id and r.id = app.as_uuid(ref) and a.user_id = actor.user_id;
  if v_run.id is null then
    perform app.fail('not_found', format('There is no run %s of an agent of yours.', left(ref, 80)),
      jsonb_build_object('field', 'run'), 'list_runs shows the ids.');
  end if;
  return v_run;
end
$$;

-- The state in which a run ends for a reason.
create or replace function app.state_of_end(end_reason text) returns text language sql immutable as $$
  select case
    when end_reason = 'completed' then 'completed'
    when end_reason in ('interrupted', 'cancelled', 'emergency_stop', 'expired') then 'cancelled'
    when end_reason = 'time_limit' then 'timed_out'
    else 'failed' end
$$;

create or replace function app.guard_run(run public.agent_runs, event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if run.ended_at is not null then
    perform app.fail('illegal_transition', format('The run %s is %s.', run.id, run.status), null,
      'Send the command again if it is still needed.');
  elsif event.event_type = 'run.interrupt_requested' and app.is_chat(run) then
    perform app.fail('illegal_transition', format('Nothing reaches the run %s: its program only reports.', run.id),
      null, 'End it where it works.');
  elsif event.event_type = 'run.interrupt_requested' and event.causation_id is null
      and not exists (
        select from public.agents a
        where a.tenant_id = run.tenant_id and a.id = run.agent_id and a.user_id = actor.user_id) then
    perform app.check_owner(run.user_id, actor, format('The run %s', run.id));
  elsif event.event_type = 'run.claimed' and run.status <> 'queued'
      or event.event_type not in ('run.queued', 'run.opened', 'run.claimed', 'run.finished', 'run.interrupt_requested')
        and not app.is_active(run) then
    perform app.fail('illegal_transition', format('The run %s is %s.', run.id, run.status), null,
      'A run is claimed from the queue, and goes on while its agent holds it.');
  elsif event.event_type = 'run.waiting' and event.payload ? 'ask' then
    -- A review of a task is asked for by submitting it alone.
    perform app.check_form('ask', event.payload -> 'ask' ->> 'kind' in ('permission', 'question')
      and app.as_uuid(event.payload -> 'ask' ->> 'id') is not null, 'a permission or a question, with an id');
    if exists (
        select from public.approvals a
        where a.tenant_id = run.tenant_id and a.id = app.as_uuid(event.payload -> 'ask' ->> 'id')
          and a.run_id is distinct from run.id) then
      perform app.fail('already_exists', 'There is another question with this id.',
        jsonb_build_object('field', 'ask'), 'Give each question an id of its own.');
    end if;
  elsif event.event_type = 'run.finished'
      and event.payload ->> 'status' <> app.state_of_end(event.payload ->> 'end_reason') then
    perform app.fail('invalid_input', format('A run that ends as %s is %s, not %s.', event.payload ->> 'end_reason',
        app.state_of_end(event.payload ->> 'end_reason'), event.payload ->> 'status'),
      jsonb_build_object('field', 'status'), 'Report the state that belongs to the end_reason.');
  end if;
end
$$;

create or replace function app.evolve_run(run public.agent_runs, event public.events)
  returns public.agent_runs
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'run.queued' then
      run := jsonb_populate_record(run, '{"attempt": 0, "attempts_max": 3, "interrupt_requested": false}'
        || app.begin_row(event) || '{"status": "queued"}');
      run.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
    when 'run.opened' then
      run := jsonb_populate_record(run, '{"attempt": 1, "attempts_max": 1, "interrupt_requested": false,
        "mode": "chat", "priority": 0, "delivery_mode": "turn"}' || app.begin_row(event) || '{"status": "running"}');
      run.lock_token := event.version;
      run.started_at := event.created_at;
    when 'run.claimed' then
      run.status := 'running';
      run.attempt := run.attempt + 1;
      run.lock_token := coalesce((event.payload ->> 'lock_token')::bigint, event.version);
      run.started_at := coalesce(run.started_at, event.created_at);
    when 'run.delivered' then
      run.delivery_path := event.payload ->> 'path';
      run.delivered_at := event.created_at;
    when 'run.acknowledged' then
      run.acked_at := event.created_at;
    when 'run.waiting' then
      run.status := ('waiting_' || (event.payload ->> 'for'))::public.agent_run_status;
      run.waiting_for := event.payload ->> 'text';
    when 'run.paused' then
      run.status := 'paused';
      run.waiting_for := event.payload ->> 'reason';
      run.paused_until := event.created_at + make_interval(secs => (event.payload ->> 'seconds')::integer);
    when 'run.resumed' then
      run.status := 'running';
      run.waiting_for := null;
      run.paused_until := null;
    when 'run.silent' then
      null;
    when 'run.requeued' then
      run := app.take_back(run, event.payload ->> 'reason');
    when 'run.interrupt_requested' then
      run.interrupt_requested := true;
      run.interrupt_reason := event.payload ->> 'reason';
    when 'run.finished' then
      run := jsonb_populate_record(run, event.payload);
      run.waiting_for := null;
      run.paused_until := null;
      run.ended_at := event.created_at;
      run.duration_ms := extract(epoch from event.created_at - run.started_at) * 1000;
  end case;
  run.updated_at := event.created_at;
  run.version := event.version;
  return run;
end
$$;

-- The next state of a run that goes back to the queue.
create or replace function app.take_back(run public.agent_runs, reason text)
  returns public.agent_runs
  language plpgsql
  immutable
as $$
begin
  run.status := 'queued';
  run.error := reason;
  run.lock_token := null;
  run.delivery_path := null;
  run.delivered_at := null;
  run.acked_at := null;
  run.waiting_for := null;
  run.paused_until := null;
  return run;
end
$$;

create or replace function app.finish_run(run public.agent_runs)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if run.ended_at is not null then
    perform app.keep_screen(run);
  end if;
end
$$;

-- How a run ends that was to be interrupted, whoever ends it.
create or replace function app.interrupted_end(run public.agent_runs) returns jsonb language sql immutable as $$
  select jsonb_build_object('status', 'cancelled', 'end_reason', 'interrupted',
    'error', coalesce(run.interrupt_reason, 'It was interrupted.'))
$$;

-- Finds the lease of a run: with a task it is the task's, and its own only after the task has been given back.
create or replace function app.run_lease(run public.agent_runs)
  returns public.leases
  language sql
  stable
as $$
  select l.*
  from public.leases l
  where l.tenant_id = run.tenant_id
    and (l.kind, l.id) in (('run', run.id), ('task', run.task_id))
    and l.token = run.lock_token
  order by l.expires_at desc limit 1
$$;

-- Lists what follows from the end of a run, or its way back to the queue, for its task: if the claim of the run or a
-- later one of its agent still holds it, it is free. Locks the task, so that it is no other's claim that ends.
create or replace function app.follow_runs(event public.events)
  returns jsonb[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
  v_token bigint;
begin
  if event.event_type not in ('run.finished', 'run.requeued') then
    return '{}';
  end if;
  select * into v_run from public.agent_runs r
    where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream);
  if v_run.task_id is null or v_run.attempt = 0 then
    return '{}';
  end if;
  -- One that went back to the queue has no token any more.
  v_token := coalesce(v_run.lock_token, (
    select (e.payload ->> 'lock_token')::bigint from public.events e
    where e.tenant_id = event.tenant_id and e.stream = event.stream and e.event_type = 'run.claimed'
    order by e.version desc limit 1));
  perform from public.tasks t
    where t.tenant_id = event.tenant_id and t.id = v_run.task_id for no key update;
  return array(
    select jsonb_build_object('stream', 'task:' || t.id, 'type', 'task.released', 'data', jsonb_build_object(
      'outcome', 'paused', 'reason', left(format('The run of %s %s%s', v_run.agent_name,
        case when v_run.ended_at is null then 'went back to the queue' else 'ended as ' || v_run.end_reason end,
        coalesce(': ' || v_run.error, '.')), 4000)))
    from public.tasks t
    where t.tenant_id = event.tenant_id and t.id = v_run.task_id and t.status = 'in_progress'
      and (t.lock_token = v_token or exists (
        select from public.agents a
        where a.tenant_id = t.tenant_id and a.id = v_run.agent_id
          and (a.name, a.user_id) = (t.locked_by, t.locked_by_user))));
end
$$;

-- Says why nothing starts for all agents of a workspace now, or null.
create or replace function app.stop_reason(tenant_id uuid)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_stop jsonb := (select c.value from public.system_config c where c.key = 'emergency_stop');
begin
  if not (select t.agent_enabled from public.tenants t where t.id = stop_reason.tenant_id) then
    return concat_ws(': ', 'all agents of the workspace are stopped', (
      select t.agent_settings ->> 'stop_reason' from public.tenants t where t.id = stop_reason.tenant_id));
  elsif v_stop ->> 'on' = 'true' then
    return concat_ws(': ', 'all agents are stopped', v_stop ->> 'reason');
  end if;
  return null;
end
$$;

-- Says why nothing of an agent starts now, or null.
create or replace function app.stop_reason(agent public.agents)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if agent.paused_at is not null then
    return format('%s is stopped by %s%s', agent.name, agent.paused_by, coalesce(': ' || agent.pause_reason, ''));
  end if;
  return app.stop_reason(agent.tenant_id);
end
$$;

-- Whose limit a provider counts: the agents of one user and type share an account, unless their runners say which.
create or replace function app.account_of(agent public.agents) returns text language sql immutable as $$
  select coalesce(agent.config ->> 'account', agent.type)
$$;

-- When the provider allows more to an agent whose account met its limit, or null.
create or replace function app.limited_until(agent public.agents)
  returns timestamptz
  language sql
  stable
as $$
  select max(r.paused_until)
  from public.agent_runs r
  join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
  where r.tenant_id = agent.tenant_id and r.status = 'paused' and r.ended_at is null
    and a.user_id = agent.user_id and app.account_of(a) = app.account_of(agent)
$$;

-- Says why an agent takes no run now, whatever the run, or null. While it is busy it takes what joins or ends its turn.
create or replace function app.agent_hold(agent public.agents, joins boolean, at timestamptz)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_stopped constant text := app.stop_reason(agent);
  v_state constant text := app.agent_state(agent, at);
  v_limited timestamptz;
begin
  if v_stopped is not null then
    return v_stopped;
  elsif v_state in ('retired', 'connecting', 'offline', 'lost') then
    return case v_state
      when 'retired' then format('%s is retired', agent.name)
      when 'lost' then format('%s is not heard of since %s', agent.name, to_char(agent.seen_at at time zone 'UTC',
        'HH24:MI "UTC"'))
      else format(case when app.has_no_runner(agent) then '%s is not running'
        else '%s is not running; `cairn agent run --name %s -- PROGRAM` starts it' end, agent.name,
        app.shell_word(agent.name)) end;
  end if;
  v_limited := app.limited_until(agent);
  if v_limited > at then
    return format('the account of %s has met its provider''s limit, until %s', agent.name,
      to_char(v_limited at time zone 'UTC', 'HH24:MI "UTC"'));
  elsif not joins and app.runs_at_once(agent) <= (
      select count(*) from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r)) then
    return format('%s is busy', agent.name);
  end if;
  return null;
end
$$;

-- How a run is delivered by an agent that may not be able to interrupt, or to steer: then it joins its turn, or waits
-- for the next one.
create or replace function app.effective_mode(agent public.agents, mode text) returns text language sql immutable as $$
  select case
    when agent.config -> 'modes' ? mode then mode
    when mode = 'interrupt' and agent.config -> 'modes' ? 'steer' then 'steer'
    else 'turn' end
$$;

-- Says as what an agent takes a run that asks for more than it can, and why, or null.
create or replace function app.degraded(agent public.agents, mode text) returns text language sql immutable as $$
  select case when app.effective_mode(agent, mode) <> mode then
    format('taken as a %s: %s', app.effective_mode(agent, mode), case
      when agent.driver = 'hook' then 'hooks cannot ' || mode
      when agent.driver = 'pull' then 'it asks by itself'
      when mode = 'interrupt' and app.runs_at_once(agent) > 1 then 'of several runs at once none is interrupted'
      when agent.driver in ('claude', 'codex') then 'each of its runs has a process of its own'
      else format('%s cannot %s', agent.driver, mode) end) end
$$;

-- Says why a claim of a task would be refused, or null: the rule of its guard, asked before.
create or replace function app.task_hold(task public.tasks, rules jsonb)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text[];
begin
  if not app.is_claimable(task, app.lease_expires_at(task)) then
    return format('task %s %s', task.ref, case
      when task.status = 'in_progress' then 'is held by ' || task.locked_by
      when task.status = 'pending' then 'waits for other tasks'
      else 'is ' || task.status end);
  elsif rules ? 'gates' then
    v_missing := app.unmet_gates(task, rules, 'claim', null);
  end if;
  return case when cardinality(v_missing) > 0
    then format('task %s needs %s', task.ref, array_to_string(v_missing, '; ')) end;
end
$$;

-- Says why a run of the queue does not start, whoever its agent is, or null.
create or replace function app.run_hold(run public.agent_runs, agent public.agents, at timestamptz)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project public.projects;
begin
  if run.expires_at <= at then
    return 'it has expired';
  elsif not app.takes_commands_of(agent, run.user_id) then
    return format('%s takes commands of its owner alone', agent.name);
  elsif run.project_id is null then
    return null;
  end if;
  select * into v_project from public.projects p where p.tenant_id = run.tenant_id and p.id = run.project_id;
  if v_project.archived_at is not null then
    return format('the project %s is archived', v_project.slug);
  end if;
  return (
    select app.task_hold(t, v_project.rules) from public.tasks t
    where t.tenant_id = run.tenant_id and t.id = run.task_id);
end
$$;

-- The one answer to why a run has not started: its own reason, that of its agent, or how many come first; and as what
-- it is taken if not as it was sent.
create or replace function app.why_waiting(run public.agent_runs, agent public.agents, at timestamptz)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := coalesce(app.run_hold(run, agent, at),
    app.agent_hold(agent, app.effective_mode(agent, run.delivery_mode) <> 'turn', at));
  v_before integer;
begin
  if agent.id is null then
    return format('%s is not of this workspace', run.agent_name);
  elsif v_reason is null then
    v_before := app.runs_before(run, app.effective_mode(agent, run.delivery_mode) = 'steer', 100);
    v_reason := case when v_before > 0 then format('%s of the queue come%s first', case when v_before = 100
        then '100 or more' else v_before::text end, case when v_before = 1 then 's' else '' end)
      else app.when_taken(run, agent, at) end;
  end if;
  return concat_ws('; ', v_reason, app.degraded(agent, run.delivery_mode));
end
$$;

-- Says when an agent takes the first run of its queue. Without a runner it has to speak first.
create or replace function app.when_taken(run public.agent_runs, agent public.agents, at timestamptz)
  returns text
  language sql
  stable
as $$
  select case
    when agent.driver = 'pull' then format('%s takes it when it asks for the next', agent.name)
    when agent.driver <> 'hook' or agent.config -> 'wakes' = 'true' and agent.activity_state = 'idle'
        and agent.seen_at > at - app.get_beat_patience()
      then format('%s takes it next', agent.name)
    when app.effective_mode(agent, run.delivery_mode) = 'steer'
      then format('%s takes it at its next tool border, or at the end of its turn', agent.name)
    else format('%s takes it at the end of its turn', agent.name) end
$$;

-- Says what keeps an agent without a runner from being reached at any time, or null.
create or replace function app.reach_of(agent public.agents) returns text language sql immutable as $$
  select case agent.driver
    when 'pull' then 'asks by itself: nothing reaches it before'
    when 'otlp' then 'only reports: nothing reaches it'
    when 'hook' then 'hooks only: delivered at the next tool border; '
      || case when agent.config -> 'wakes' = 'true' then 'woken when idle' else 'cannot be woken' end end
$$;

-- Lists the first of an agent's queue, whether they can start or not: those that interrupt, and the others.
create or replace function app.queue_of(agent public.agents, most integer)
  returns setof public.agent_runs
  language sql
  stable
as $$
  (
    select r.* from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
      and r.delivery_mode <> 'turn' and r.delivery_mode = 'interrupt'
    order by r.priority desc, r.created_at, r.id limit most)
  union all
  (
    select r.* from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
      and r.delivery_mode <> 'interrupt'
    order by r.priority desc, r.created_at, r.id limit most)
$$;

-- Counts the runs of the same agent's queue that come before one.
create or replace function app.runs_before(run public.agent_runs, joining boolean, most integer)
  returns integer
  language sql
  stable
as $$
  select count(*)::integer
  from (
    (
      select from public.agent_runs r
      where r.tenant_id = run.tenant_id and r.agent_id = run.agent_id and r.status = 'queued'
        and r.delivery_mode <> 'turn' and r.delivery_mode = 'interrupt' and run.delivery_mode <> 'interrupt'
      limit most)
    union all
    (
      select from public.agent_runs r
      where r.tenant_id = run.tenant_id and r.agent_id = run.agent_id and r.status = 'queued'
        and (r.delivery_mode = 'interrupt') = (run.delivery_mode = 'interrupt')
        and (not joining or r.delivery_mode = 'steer')
        and r.priority >= run.priority
        and (r.priority > run.priority or (r.created_at, r.id) < (run.created_at, run.id))
      limit most)
    limit most) b
$$;

-- Shows a run in the list of its agent, its command, or all.
create or replace function app.run_brief(run public.agent_runs, agent public.agents, at timestamptz)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', run.id,
    'agent', coalesce(agent.name, run.agent_name),
    'command', run.command_id,
    'task', (select t.ref from public.tasks t where t.tenant_id = run.tenant_id and t.id = run.task_id),
    'status', run.status,
    'why', case when run.status = 'queued' then app.why_waiting(run, agent, at)
      when app.is_active(run) and not coalesce((app.run_lease(run)).expires_at > at, false)
        then format('%s is not heard of any more', run.agent_name)
      else run.waiting_for end,
    'mode', run.delivery_mode,
    'priority', run.priority,
    'attempt', nullif(run.attempt, 0),
    'delivery_path', run.delivery_path,
    'delivered_at', run.delivered_at,
    'acked_at', run.acked_at,
    'paused_until', run.paused_until,
    'interrupt_requested', nullif(run.interrupt_requested, false),
    'interrupt_reason', run.interrupt_reason,
    'end_reason', run.end_reason,
    'error', run.error,
    'result', run.result,
    'tokens_in', run.tokens_in,
    'tokens_out', run.tokens_out,
    'subagents', case when app.is_active(run) then run.subagents end,
    'started_at', run.started_at,
    'ended_at', run.ended_at,
    'duration_ms', run.duration_ms,
    'ended_by', case when run.metrics ->> 'ended_by' in ('itself', 'interrupt', 'term', 'kill', 'stop')
      then run.metrics ->> 'ended_by' end,
    'not_recorded', nullif(app.count_in(run.metrics, 'not_recorded'), 0),
    'created_at', run.created_at));
end
$$;

create or replace function app.run_full(run public.agent_runs)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
begin
  select * into v_agent from public.agents a where a.tenant_id = run.tenant_id and a.id = run.agent_id;
  return app.run_brief(run, v_agent, app.now()) || jsonb_build_object('version', run.version);
end
$$;

-- Finds a run by its id. Raises not_found.
create or replace function app.find_run(ref text, actor app.actor)
  returns public.agent_runs
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
begin
  select * into v_run from public.agent_runs r where r.tenant_id = actor.tenant_id and r.id = app.as_uuid(ref);
  if not found then
    perform app.fail('not_found', format('There is no run %s in this workspace.', left(ref, 80)), null,
      'list_runs shows the ids.');
  end if;
  return v_run;
end
$$;

-- list_runs(agent?, open_only, cursor?, page_size) -> {runs, next_cursor?}: those of the queue and all others, the
-- latest first, also of a retired agent.
create or replace function public.list_runs(
  agent text default null,
  open_only boolean default false,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_agent uuid := case when agent is not null then (app.find_agent_of_any_time(agent, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'runs', v_agent, open_only);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_now timestamptz := app.now();
begin
  return app.build_page('runs', array(
    select app.run_brief(r, a, v_now)
    from public.agent_runs r
    left join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
    where r.tenant_id = v_actor.tenant_id
      and (v_agent is null or r.agent_id = v_agent)
      and (not open_only or r.ended_at is null)
      and (v_after is null or (r.created_at, r.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by r.created_at desc, r.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

-- list_queue(agent?, page_size) -> {runs}: what the agents are doing and what waits for them, in the order in which it
-- is taken.
create or replace function public.list_queue(
  agent text default null,
  page_size integer default 50,
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
  v_actor app.actor := app.authenticate(actor);
  v_agent uuid := case when agent is not null then (app.find_agent(agent, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_now timestamptz := app.now();
begin
  return jsonb_build_object('runs', coalesce((
    select jsonb_agg(q.shown order by q.name, q.place, q.priority desc, q.created_at)
    from (
      select a.name, p.place, r.priority, r.created_at, app.run_brief(r, a, v_now) as shown
      from public.agents a
      cross join lateral (
        (
          select * from public.agent_runs x
          where x.tenant_id = a.tenant_id and x.agent_id = a.id and app.is_active(x)
          limit v_size)
        union all
        (
          select * from app.queue_of(a, v_size))) r
      cross join lateral (
        select case when r.status <> 'queued' then 0 when r.delivery_mode = 'interrupt' then 1 else 2 end as place) p
      where a.tenant_id = v_actor.tenant_id and a.retired_at is null and (v_agent is null or a.id = v_agent)
      order by a.name, p.place, r.priority desc, r.created_at limit v_size) q), '[]'));
end
$$;

select app.define_category('run', 'agent_runs', searched => false, triggering => false,
  kept => '{steps_count,tokens_in,tokens_out,cost_credits,subagents}');

-- Driven agents: how many a workspace lets runners drive at once.

-- Lists the agents of a workspace that a runner drives now. Those whose hooks or tools call in are started by people.
create or replace function app.driven_agents(tenant_id uuid, at timestamptz)
  returns setof public.agents
  language sql
  stable
as $$
  select a.*
  from public.leases l
  join public.agents a on a.tenant_id = l.tenant_id and a.id = l.id
  where l.tenant_id = driven_agents.tenant_id and l.kind = 'agent' and l.expires_at > at
    and a.retired_at is null and app.has_no_runner(a) is not true
$$;

-- Counts them, all but one: each run that an agent may do beside another counts as an agent. Those that a token cannot
-- see, because it is limited to a project, count too.
create or replace function app.count_driven(tenant_id uuid, at timestamptz, but uuid default null)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project constant text := coalesce(current_setting('app.project_id', true), '');
  v_driven bigint;
begin
  -- Not as an option of the function, which takes a superuser.
  perform set_config('app.project_id', '', true);
  select coalesce(sum(app.runs_at_once(a)), 0) into v_driven
    from app.driven_agents(count_driven.tenant_id, at) a where a.id is distinct from but;
  perform set_config('app.project_id', v_project, true);
  return v_driven;
end
$$;

create or replace function app.get_agents_max(tenant_id uuid) returns integer language sql stable as $$
  select coalesce((t.agent_settings ->> 'agents_max')::integer, 50)
  from public.tenants t where t.id = get_agents_max.tenant_id
$$;

-- Names the first ten of some agents, and says that there are more.
create or replace function app.named_few(names text[]) returns text language sql immutable as $$
  select string_agg(app.quoted_name(n.name), ', ' order by n.at)
    || case when cardinality(names) > 10 then format(' and %s more', cardinality(names) - 10) else '' end
  from unnest(names[1:10]) with ordinality n (name, at)
$$;

-- Refuses an agent beyond those that its workspace lets runners drive at once. Registrations wait for one another, so
-- that of two for the last place the second sees the first. One that comes back within its lease has its place. Raises
-- rate_limited.
create or replace function app.check_agents_max(agent public.agents, actor app.actor, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_wanted constant integer := app.runs_at_once(agent);
  v_max integer;
  v_driven bigint;
  v_names text[];
begin
  if exists (
      select from app.driven_agents(actor.tenant_id, at) a
      where a.id = agent.id and app.runs_at_once(a) >= v_wanted) then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', actor.tenant_id, 'agents'), 0));
  v_max := app.get_agents_max(actor.tenant_id);
  v_driven := app.count_driven(actor.tenant_id, at, agent.id);
  if v_driven + v_wanted > v_max then
    select array_agg(a.name order by lower(a.name)) into v_names
      from app.driven_agents(actor.tenant_id, at) a where a.id is distinct from agent.id;
    perform app.fail('rate_limited',
      concat_ws(': ', format('Runners drive %s of at most %s agents of this workspace', v_driven, v_max),
        app.named_few(v_names)) || '.',
      jsonb_build_object('agents_max', v_max, 'driven', v_driven, 'agents', coalesce(v_names[1:100], '{}')),
      case when v_wanted > 1 then 'Say a smaller --at-once, end a runner,' else 'End a runner,' end
        || ' or let an owner or admin of the workspace allow more: cairn agents limit NUMBER');
  end if;
end
$$;

-- set_agents_max(agents_max?) -> {agents_max, driven}: how many agents the workspace lets runners drive at once;
-- without a value it only answers. None that is driven ends by it. For owners and admins, in person. Raises forbidden.
create or replace function public.set_agents_max(agents_max integer default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
begin
  perform app.refuse_limited(v_actor);
  if agents_max is not null then
    perform app.refuse_agent(v_actor, 'How many agents a workspace may have is decided', 'cairn agents limit');
    perform app.check_form('agents_max', agents_max between 1 and 10000, 'a number of 1 to 10,000');
    update public.tenants t
      set agent_settings = t.agent_settings || jsonb_build_object('agents_max', agents_max)
      where t.id = v_actor.tenant_id;
    perform app.record_audit(jsonb_build_object('type', 'agents.limited',
      'data', jsonb_build_object('agents_max', agents_max)), actor);
  end if;
  return jsonb_build_object('agents_max', app.get_agents_max(v_actor.tenant_id),
    'driven', app.count_driven(v_actor.tenant_id, app.now()));
end
$$;

-- The queue: what a runner says and asks: that its agent is there, what comes next, what became of it.

-- Refuses a runner whose token names another agent. Raises forbidden.
create or replace function app.check_drives(agent text, actor app.actor)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if lower(agent) is distinct from lower(actor.drives) and actor.drives is not null then
    perform app.fail('forbidden', format('This token drives the agent %s alone.', actor.drives), null,
      format('Start the runner with --name %s, or make another token: cairn auth pat create --agent NAME.',
        app.shell_word(actor.drives)));
  end if;
end
$$;

-- Locks an agent for its runner, which shows that it is: of two runners under one name the second is refused. Raises
-- lock_lost, not_found.
create or replace function app.lock_agent(ref text, token bigint, actor app.actor)
  returns public.agents
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents := app.find_agent(ref, actor);
begin
  if v_agent.user_id <> actor.user_id then
    perform app.fail('forbidden', format('The agent %s is another person''s.', v_agent.name), null,
      'Register one of your own, under another name.');
  end if;
  perform app.check_drives(v_agent.name, actor);
  select * into v_agent from public.agents a
    where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id for no key update;
  if v_agent.retired_at is not null or not exists (
      select from public.leases l
      where l.tenant_id = v_agent.tenant_id and l.kind = 'agent' and l.id = v_agent.id
        and l.token = lock_agent.token) then
    perform app.fail('lock_lost', format('Another runner is %s now.', v_agent.name), null,
      'Stop this one, or start it under another name with --name.');
  end if;
  return v_agent;
end
$$;

-- register_agent(agent {name, type, driver, host_machine?, config?, project?}, token?) -> {agent, token}: a runner says
-- what it drives. One that comes back within its lease passes the token that it had. Raises lock_held while another is
-- there, already_exists, rate_limited.
create or replace function public.register_agent(agent jsonb, token bigint default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_agent public.agents;
  v_wanted public.agents;
  v_lease public.leases;
  v_change jsonb;
  v_goes_on boolean;
  v_now timestamptz := app.now();
begin
  perform app.check_form('agent', jsonb_typeof(agent) = 'object' and jsonb_typeof(agent -> 'name') = 'string',
    'an object with a name');
  perform app.check_drives(agent ->> 'name', v_actor);
  v_agent := app.lock_agent_named(agent ->> 'name', v_actor);
  v_change := agent - '{name,project}'::text[];
  v_wanted := v_agent;
  v_wanted.config := coalesce(agent -> 'config', v_agent.config);
  perform app.check_agents_max(v_wanted, v_actor, v_now);
  if v_agent.id is null then
    v_agent.id := app.uuid_v7();
    -- Whoever is limited to a project works for it alone.
    perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.registered', 'data',
      agent || jsonb_strip_nulls(jsonb_build_object('project', v_actor.project_id)))), v_actor);
  elsif v_agent.user_id <> v_actor.user_id then
    perform app.fail('already_exists', format('The agent %s is another person''s.', v_agent.name),
      jsonb_build_object('field', 'name'), 'Choose another name with --name.');
  elsif not to_jsonb(v_agent) @> v_change then
    perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.configured', 'data', v_change)), v_actor);
  end if;
  v_lease.tenant_id := v_actor.tenant_id;
  v_lease.kind := 'agent';
  v_lease.id := v_agent.id;
  v_lease.project_id := (
    select a.project_id from public.agents a where a.tenant_id = v_actor.tenant_id and a.id = v_agent.id);
  v_lease.holder := app.actor_name(v_actor);
  v_lease.ttl_seconds := 45;
  v_goes_on := exists (
    select from public.leases l
    where l.tenant_id = v_actor.tenant_id and l.kind = 'agent' and l.id = v_agent.id
      and l.token = register_agent.token);
  v_lease := app.take_lease(v_lease, v_now, v_goes_on);
  if v_lease.token is null then
    perform app.fail('lock_held', format('%s is already driven by another runner.', agent ->> 'name'), null,
      'Choose another name with --name, or end that runner: its name is free 45 seconds after its last sign.');
  end if;
  perform app.ensure_settling(v_actor.tenant_id, v_now);
  perform app.enter_connect(v_agent, v_goes_on, v_actor);
  update public.agents a
    set status = 'online', activity_state = 'idle', connected_at = v_now, seen_at = v_now, disconnected_at = null
    where a.tenant_id = v_actor.tenant_id and a.id = v_agent.id
    returning * into v_agent;
  return jsonb_build_object('agent', app.agent_full(v_agent), 'token', v_lease.token);
end
$$;

-- Renews the lease of a run for its runner, and of its task while the agent holds that.
create or replace function app.extend_run(run public.agent_runs, token bigint, user_id uuid, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz;
begin
  if run.ended_at is not null or run.lock_token is distinct from token then
    return;
  end if;
  if run.task_id is not null then
    v_until := app.extend_lease(run.tenant_id, 'task', run.task_id, token, at, user_id);
  end if;
  if coalesce(v_until <= at, true) then
    v_until := app.extend_lease(run.tenant_id, 'run', run.id, token, at, user_id);
  end if;
  -- The agent has given the task back, and the run goes on to its end.
  if v_until is null then
    perform app.take_lease(app.new_run_lease(run), at);
  end if;
end
$$;

-- Says what has become of a run that its runner believes to have: mine, with answers to what it asked, interrupt with
-- the reason, or lost.
create or replace function app.judge_held(agent public.agents, held jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
  v_answers jsonb;
  v_holder text;
begin
  select * into v_run from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.id = app.as_uuid(held ->> 'run');
  if v_run.ended_at is not null or v_run.lock_token is distinct from (held ->> 'lock_token')::bigint then
    return '{"state": "lost"}';
  elsif v_run.interrupt_requested then
    return jsonb_strip_nulls(jsonb_build_object('state', 'interrupt', 'reason', v_run.interrupt_reason));
  end if;
  v_answers := case when held ? 'asks' then app.answers_to(v_run, held -> 'asks', app.now()) end;
  if v_answers is not null then
    return jsonb_build_object('state', 'mine', 'answers', v_answers);
  end if;
  select t.locked_by into v_holder from public.tasks t
    where t.tenant_id = v_run.tenant_id and t.id = v_run.task_id and t.status = 'in_progress'
      and t.lock_token <> v_run.lock_token
      -- The agent may give it back and claim it anew.
      and (t.locked_by, t.locked_by_user) is distinct from (agent.name, agent.user_id);
  return case when v_holder is null then '{"state": "mine"}'::jsonb
    else jsonb_build_object('state', 'interrupt', 'reason', format('The task was taken over by %s.', v_holder)) end;
end
$$;

-- What a runner must know: whether all is stopped, which of its runs are to end or are lost, whether a claim would do
-- something.
create or replace function app.control_of(agent public.agents, held jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'stopped', app.stop_reason(agent),
    'runs', coalesce((
      select jsonb_agg(jsonb_build_object('run', h.value -> 'run') || app.judge_held(agent, h.value) order by h.at)
      from jsonb_array_elements(held) with ordinality h (value, at)), '[]'),
    'queued', app.awaits_claim(agent, held, app.now())));
end
$$;

-- Tells whether a claim would start a run, or settle one that its runner does not have. An agent without a runner asks
-- whether anything waits.
create or replace function app.awaits_claim(agent public.agents, held jsonb, at timestamptz)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_holding constant uuid[] := array(select app.as_uuid(h ->> 'run') from jsonb_array_elements(held) h);
begin
  if app.has_no_runner(agent) then
    return exists (
      select from app.first_of_queue(agent, false) r where app.run_hold(r, agent, at) is null);
  end if;
  -- What is left of another runner is settled whatever holds the agent: it may be what does.
  return exists (select from app.overdue_runs(agent, v_holding, at))
    or app.agent_hold(agent, true, at) is null and exists (
      select from app.first_of_queue(agent, app.agent_hold(agent, false, at) is not null) r
      where r.id <> all (v_holding) and app.run_hold(r, agent, at) is null);
end
$$;

-- The lease of a run that holds no task, under the token of its claim.
create or replace function app.new_run_lease(run public.agent_runs)
  returns public.leases
  language plpgsql
  immutable
as $$
declare
  v_lease public.leases;
begin
  v_lease.tenant_id := run.tenant_id;
  v_lease.kind := 'run';
  v_lease.id := run.id;
  v_lease.project_id := run.project_id;
  v_lease.token := run.lock_token;
  v_lease.holder := run.agent_id;
  v_lease.ttl_seconds := 120;
  return v_lease;
end
$$;

create or replace function app.check_beat(beat jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.check_form('beat', jsonb_typeof(beat) = 'object', 'an object');
  perform app.check_form('status', not beat ? 'status' or beat ->> 'status' in ('online', 'error'), 'online or error');
  perform app.check_form('health', not beat ? 'health' or app.validate_field(beat -> 'health', 'object', 4096, null),
    'an object of at most 4096 bytes');
  perform app.check_form('runs', not beat ? 'runs' or jsonb_typeof(beat -> 'runs') = 'array'
    and jsonb_array_length(case when jsonb_typeof(beat -> 'runs') = 'array' then beat -> 'runs' end) <= 100
    and not exists (
      select from jsonb_array_elements(case when jsonb_typeof(beat -> 'runs') = 'array' then beat -> 'runs' end) r
      where (jsonb_typeof(r) = 'object' and app.as_uuid(r ->> 'run') is not null
        and r ->> 'lock_token' ~ '^[0-9]{1,18}$'
        and coalesce(r ->> 'tokens_in', '0') ~ '^[0-9]{1,15}$'
        and coalesce(r ->> 'tokens_out', '0') ~ '^[0-9]{1,15}$'
        and (not r ? 'asks' or app.validate_field(r -> 'asks', 'text[]', 100, null))
        and (not r ? 'subagents' or app.validate_field(r -> 'subagents', 'text[]', 20, null, 120))) is not true),
    'a list of at most 100 {run, lock_token, tokens_in?, tokens_out?, asks?, subagents?}');
end
$$;

-- beat_agent(agent, token, beat {status?, health?, runs, leaving?}) -> {stopped?, runs, queued}: a sign of life, which
-- renews the agent and the runs that it names [{run, lock_token, tokens_in?, tokens_out?, asks?, subagents?}]. Answers
-- with what the runner must know, of each run too [{run, state, reason?, answers?}]. Raises lock_lost.
create or replace function public.beat_agent(
  agent text,
  token bigint,
  beat jsonb default '{}',
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_agent public.agents := app.lock_agent(agent, token, v_actor);
  v_now timestamptz := app.now();
  v_held jsonb := coalesce(beat -> 'runs', '[]');
  v_sent jsonb;
  v_run public.agent_runs;
begin
  perform app.check_beat(beat);
  perform app.extend_lease(v_agent.tenant_id, 'agent', v_agent.id, token, v_now, v_actor.user_id);
  for v_sent in select r from jsonb_array_elements(v_held) r order by r ->> 'run' loop
    update public.agent_runs r
      set tokens_in = greatest(r.tokens_in, (v_sent ->> 'tokens_in')::bigint),
        tokens_out = greatest(r.tokens_out, (v_sent ->> 'tokens_out')::bigint),
        subagents = v_sent -> 'subagents'
      where r.tenant_id = v_agent.tenant_id and r.agent_id = v_agent.id and r.id = app.as_uuid(v_sent ->> 'run')
        and r.lock_token = (v_sent ->> 'lock_token')::bigint
      returning * into v_run;
    if found then
      perform app.extend_run(v_run, v_run.lock_token, v_actor.user_id, v_now);
    end if;
  end loop;
  if beat -> 'leaving' = 'true' then
    perform app.enter_disconnect(v_agent, 'goodbye', v_actor);
  else
    perform app.enter_connect(v_agent, true, v_actor);
  end if;
  update public.agents a
    set status = coalesce(beat ->> 'status', 'online'), seen_at = v_now,
      disconnected_at = case when beat -> 'leaving' = 'true' then v_now end,
      activity_state = case when v_held <> '[]' then 'processing' else 'idle' end,
      health_metrics = coalesce(beat -> 'health', a.health_metrics)
    where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id;
  if beat -> 'leaving' = 'true' then
    perform app.release_lease(v_agent.tenant_id, 'agent', v_agent.id, token, v_now);
  end if;
  perform app.expire_approvals(v_actor, array(
    select app.as_uuid(r ->> 'run') from jsonb_array_elements(v_held) r), v_now);
  return app.control_of(v_agent, v_held);
end
$$;

-- get_control(agent, held [{run, lock_token}]) -> the answer of beat_agent, without a sign of life: whoever waits for a
-- runner asks at each hint, so that an interrupt and a stop arrive at once. Raises not_found.
create or replace function public.get_control(agent text, held jsonb default '[]', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_agent public.agents := app.find_agent(agent, v_actor);
begin
  perform app.check_drives(v_agent.name, v_actor);
  perform app.check_beat(jsonb_build_object('runs', held));
  return app.control_of(v_agent, held);
end
$$;

-- Requests what becomes of runs that their runner does not have any more, and of those that waited too long: one that
-- was to be interrupted is; one whose text has reached its agent ends as lost, unless its command may be repeated;
-- another goes back to the queue, three times at most.
create or replace function app.settle_lost_runs(agent public.agents, holding uuid[], at timestamptz)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- First the commands, as everywhere.
  perform from public.commands c
    where c.tenant_id = agent.tenant_id and c.id in (
      select r.command_id from app.overdue_runs(agent, holding, at) r)
    order by c.id for no key update;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'run:' || r.id, 'verb', true) || case
      when r.status = 'queued'
        then '{"type": "run.finished", "data": {"status": "cancelled", "end_reason": "expired"}}'::jsonb
      when r.interrupt_requested then jsonb_build_object('type', 'run.finished', 'data', app.interrupted_end(r))
      when r.attempt < r.attempts_max and (r.delivered_at is null or c.repeatable)
        then '{"type": "run.requeued", "data": {"reason": "Its runner ended."}}'
      else '{"type": "run.finished", "data": {"status": "failed", "end_reason": "lost",
        "error": "Its runner ended before it did."}}' end order by r.id), '[]')
    from app.overdue_runs(agent, holding, at) r
    left join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id);
end
$$;

-- Lists runs of an agent that are not held any more, or have waited too long: at most 50 of each.
create or replace function app.overdue_runs(agent public.agents, holding uuid[], at timestamptz)
  returns setof public.agent_runs
  language sql
  stable
as $$
  (
    select r.* from public.agent_runs r
    left join public.projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
      and app.is_active(r)
      and not app.is_chat(r)
      and r.id <> all (holding)
      and p.archived_at is null
    order by r.id limit 50)
  union all
  (
    select r.* from public.agent_runs r
    left join public.projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued' and r.expires_at <= at
      and p.archived_at is null
    order by r.expires_at limit 50)
$$;

-- claim_run(agent, token, holding [run]) -> {run, command, lock_token, task?}, or {nothing: why}: the next run of an
-- agent, for its runner, which names the runs that it has: others of this agent are lost. What interrupts comes first,
-- then the highest priority, then the oldest. Raises lock_lost.
create or replace function public.claim_run(
  agent text,
  token bigint,
  holding jsonb default '[]',
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_agent public.agents := app.lock_agent(agent, token, v_actor);
  v_now timestamptz := app.now();
  v_holding uuid[];
  v_events jsonb;
  v_run public.agent_runs;
begin
  perform app.check_form('holding', jsonb_typeof(holding) = 'array', 'a list of runs');
  v_holding := array(select app.as_uuid(h) from jsonb_array_elements_text(holding) h);
  v_events := app.settle_lost_runs(v_agent, v_holding, v_now);
  if v_events <> '[]' then
    perform app.append_checked(v_events, v_actor);
  end if;
  v_run := app.next_run(v_agent, v_now, holding => v_holding);
  if v_run.id is null then
    return jsonb_build_object('nothing', coalesce(app.stop_reason(v_agent), 'nothing waits for it'));
  end if;
  return app.start_run(v_run, v_agent, v_actor, v_now);
end
$$;

-- Lists the first of an agent's queue, those that interrupt before all others; `joining` only those that need not wait
-- for the end of a turn. Left out are those whose task is held or not ready, and those of people from whom the agent
-- takes none: however many they are, what comes after them is seen. A gate is looked at later, so that two hundred that
-- wait for one keep the rest back.
create or replace function app.first_of_queue(agent public.agents, joining boolean)
  returns setof public.agent_runs
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := app.now();
begin
  -- Spelled out in all: a function would be called for each run, and take ten times as long. One query for all, as a
  -- union of which one part is never begun, has no index for its order: of 10,000 runs it sorts all, and takes thirty
  -- times as long. `<> 'turn'` names the index of the few that are no turns.
  return query select r.* from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
      and r.delivery_mode <> 'turn' and r.delivery_mode = 'interrupt'
      and (not joining or app.effective_mode(agent, r.delivery_mode) <> 'turn')
      and app.takes_commands_of(agent, r.user_id)
      and (r.task_id is null or exists (
        select from public.tasks t
        where t.tenant_id = r.tenant_id and t.id = r.task_id
          and (app.is_ready(t) = 1 or t.status = 'in_progress' and not exists (
            select from public.leases l
            where l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
              and l.expires_at > v_now))))
    order by r.priority desc, r.created_at, r.id limit 200;
  if joining then
    return query select r.* from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
        and r.delivery_mode <> 'turn' and r.delivery_mode <> 'interrupt'
        and app.effective_mode(agent, r.delivery_mode) <> 'turn'
        and app.takes_commands_of(agent, r.user_id)
        and (r.task_id is null or exists (
          select from public.tasks t
          where t.tenant_id = r.tenant_id and t.id = r.task_id
            and (app.is_ready(t) = 1 or t.status = 'in_progress' and not exists (
              select from public.leases l
              where l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
                and l.expires_at > v_now))))
      order by r.priority desc, r.created_at, r.id limit 200;
  else
    return query select r.* from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
        and r.delivery_mode <> 'interrupt'
        and app.takes_commands_of(agent, r.user_id)
        and (r.task_id is null or exists (
          select from public.tasks t
          where t.tenant_id = r.tenant_id and t.id = r.task_id
            and (app.is_ready(t) = 1 or t.status = 'in_progress' and not exists (
              select from public.leases l
              where l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
                and l.expires_at > v_now))))
      order by r.priority desc, r.created_at, r.id limit 200;
  end if;
end
$$;

-- Finds and locks the next run of an agent whose row is locked: of two claims the second sees the first. What went back
-- to the queue while its runner still has it is left out: two turns would be of one run.
create or replace function app.next_run(
  agent public.agents,
  at timestamptz,
  joining boolean default false,
  holding uuid[] default '{}'
)
  returns public.agent_runs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
begin
  if app.agent_hold(agent, true, at) is not null then
    return null;
  end if;
  for v_run in select * from app.first_of_queue(agent, joining or app.agent_hold(agent, false, at) is not null) loop
    continue when v_run.id = any (holding) or app.run_hold(v_run, agent, at) is not null;
    perform from public.commands c
      where c.tenant_id = v_run.tenant_id and c.id = v_run.command_id for no key update;
    select * into v_run from public.agent_runs r
      where r.tenant_id = v_run.tenant_id and r.id = v_run.id and r.status = 'queued' for no key update;
    continue when not found;
    -- Another may have been quicker to its task.
    perform from public.tasks t
      where t.tenant_id = v_run.tenant_id and t.id = v_run.task_id for no key update;
    continue when app.run_hold(v_run, agent, at) is not null;
    return v_run;
  end loop;
  return null;
end
$$;

-- Claims a run, and its task with it; answers with all that the runner needs.
create or replace function app.start_run(
  run public.agent_runs,
  agent public.agents,
  actor app.actor,
  at timestamptz
)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer jsonb;
  v_token bigint;
  v_lease public.leases;
  -- Without a runner nobody renews it every ten seconds.
  v_seconds constant integer := case when app.has_no_runner(agent) then 3600 else 120 end;
begin
  actor.agent := agent.name;
  if run.task_id is not null then
    v_answer := app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'task:' || run.task_id,
      'type', 'task.claimed', 'data', jsonb_build_object('ttl_seconds', v_seconds))), actor);
    v_token := (v_answer -> 'events' -> 0 ->> 'version')::bigint;
  end if;
  v_answer := app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'run:' || run.id, 'verb', true,
    'type', 'run.claimed', 'data', jsonb_strip_nulls(jsonb_build_object('lock_token', v_token)))), actor);
  select * into run from public.agent_runs r where r.tenant_id = run.tenant_id and r.id = run.id;
  if v_token is null then
    v_lease := app.new_run_lease(run);
    v_lease.ttl_seconds := v_seconds;
    perform app.take_lease(v_lease, at, true);
  end if;
  return app.describe_started(run, agent);
end
$$;

-- All that whoever delivers a run needs.
create or replace function app.describe_started(run public.agent_runs, agent public.agents)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_command public.commands;
begin
  select * into v_command from public.commands c where c.tenant_id = run.tenant_id and c.id = run.command_id;
  return jsonb_strip_nulls(jsonb_build_object(
    'run', app.run_full(run),
    'lock_token', run.lock_token,
    'deliver', app.effective_mode(agent, run.delivery_mode),
    'keeps_content', nullif(app.keeps_content(run), false),
    'command', jsonb_build_object('id', v_command.id, 'content', v_command.content, 'type', v_command.type,
      'sent_by', v_command.sent_by, 'by_person', v_command.by_person, 'repeatable', v_command.repeatable,
      'resumes', v_command.resumes, 'limits', v_command.execution_constraints)));
end
$$;

-- A count among the figures of a run, or null.
create or replace function app.count_in(metrics jsonb, name text) returns bigint language sql immutable as $$
  select case when metrics ->> name ~ '^[0-9]{1,15}$' then (metrics ->> name)::bigint end
$$;

-- Refuses who does not hold a run, or did not until its end. Raises lock_lost, forbidden.
create or replace function app.check_run_holder(run public.agent_runs, lock_token bigint, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent text;
begin
  select a.name into v_agent from public.agents a
    where a.tenant_id = run.tenant_id and a.id = run.agent_id and a.user_id = actor.user_id
      and (not app.has_no_runner(a) or lower(a.name) = lower(actor.agent));
  if run.lock_token is distinct from check_run_holder.lock_token or not found then
    perform app.fail('lock_lost', format('The run %s is not yours any more.', run.id), null,
      'Stop work on it: it went back to the queue, or ended.');
  end if;
  perform app.check_drives(v_agent, actor);
end
$$;

-- report_run(run, lock_token, events [{type, data}]) -> the run: what its runner saw of it. A repeat of the end changes
-- nothing. Raises lock_lost.
create or replace function public.report_run(
  run text,
  lock_token bigint,
  events jsonb,
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_agent public.agents;
begin
  select * into v_agent from public.agents a where a.tenant_id = v_run.tenant_id and a.id = v_run.agent_id;
  perform from public.commands c where c.tenant_id = v_run.tenant_id and c.id = v_run.command_id for no key update;
  select * into v_run from public.agent_runs r
    where r.tenant_id = v_run.tenant_id and r.id = v_run.id for no key update;
  perform app.check_run_holder(v_run, lock_token, v_actor);
  if v_run.ended_at is not null then
    return app.run_full(v_run);
  end if;
  perform app.check_form('events', case when jsonb_typeof(events) = 'array'
      then jsonb_array_length(events) between 1 and 20
        and not exists (select from jsonb_array_elements(events) e where jsonb_typeof(e) <> 'object') end,
    'a list of 1 to 20 events');
  v_actor.agent := v_agent.name;
  perform app.append_checked((
    select jsonb_agg(jsonb_build_object('stream', 'run:' || v_run.id, 'verb', true, 'type', e.value ->> 'type',
      'data', coalesce(e.value -> 'data', '{}')) order by e.at)
    from jsonb_array_elements(events) with ordinality e (value, at)), v_actor);
  select * into v_run from public.agent_runs r where r.tenant_id = v_run.tenant_id and r.id = v_run.id;
  if v_run.ended_at is not null then
    perform app.release_lease(v_run.tenant_id, 'run', v_run.id, lock_token, app.now());
    -- What was counted after the last beat.
    update public.agent_runs r
      set tokens_in = greatest(r.tokens_in, app.count_in(v_run.metrics, 'tokens_in')),
        tokens_out = greatest(r.tokens_out, app.count_in(v_run.metrics, 'tokens_out'))
      where r.tenant_id = v_run.tenant_id and r.id = v_run.id
      returning * into v_run;
  end if;
  return app.run_full(v_run);
end
$$;

-- What stops agents: a switch for the whole installation, one for each workspace. That of one agent is an event of it.

-- Stores a setting of the installation, and what it was.
create or replace function app.set_config_value(key text, value jsonb, changed_by text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_config public.system_config;
begin
  insert into public.system_config as c (key, value, version, updated_at, updated_by)
    values (set_config_value.key, set_config_value.value, 1, app.now(), changed_by)
    on conflict on constraint system_config_pkey do update
      set (value, version, updated_at, updated_by)
        = (excluded.value, c.version + 1, excluded.updated_at, excluded.updated_by)
    returning * into v_config;
  insert into public.system_config_history (key, version, value, changed_at, changed_by)
    values (v_config.key, v_config.version, v_config.value, v_config.updated_at, v_config.updated_by);
end
$$;

-- stop_agents(reach workspace|installation, stopped, reason?) -> {reach, stopped, running}: nothing new starts, what
-- runs is interrupted by its runner, what is queued waits. Any member stops the workspace, an administrator lets it go
-- on, in person; only the user who runs the server does either for the installation. Raises forbidden.
create or replace function public.stop_agents(
  reach text,
  stopped boolean,
  reason text default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_reason constant text := app.clean_name(reason, 300);
begin
  perform app.refuse_limited(v_actor);
  if stopped is not true then
    perform app.refuse_agent(v_actor, 'A stop is taken back', 'cairn go-on');
  end if;
  if stopped is not true and app.role_rank(v_actor.role) < 3 then
    perform app.fail('forbidden', 'Only an administrator of the workspace lets its agents go on.', null,
      'Ask an owner of the workspace.');
  elsif reach = 'installation' then
    perform app.refuse_guest(v_actor, case when stopped then 'stops all workspaces; you stop yours'
      else 'lets all workspaces go on; you let yours' end,
      case when stopped then 'cairn stop --everywhere' else 'cairn go-on --everywhere' end);
    perform app.set_config_value('emergency_stop', jsonb_strip_nulls(jsonb_build_object('on', stopped is true,
      'reason', v_reason)), app.actor_name(v_actor));
  elsif reach = 'workspace' then
    update public.tenants t
      set agent_enabled = stopped is not true,
        agent_settings = (t.agent_settings - 'stop_reason')
          || jsonb_strip_nulls(jsonb_build_object('stop_reason', case when stopped then v_reason end))
      where t.id = v_actor.tenant_id;
  else
    perform app.fail('invalid_input', 'reach must be workspace or installation.', jsonb_build_object('field', 'reach'));
  end if;
  perform app.record_audit(jsonb_build_object('type', case when stopped then 'agents.stopped' else 'agents.resumed' end,
    'data', jsonb_build_object('reach', reach, 'reason', v_reason, 'agent', v_actor.agent)), actor);
  return jsonb_strip_nulls(jsonb_build_object('reach', reach, 'stopped', stopped is true, 'running', (
      select count(*) from public.agent_runs r
      where r.tenant_id = v_actor.tenant_id and app.is_active(r) and not app.is_chat(r)),
    'still', case when stopped is not true then app.stop_reason(v_actor.tenant_id) end));
end
$$;

select app.define_on_tables($policies$
  -- They belong to no workspace, and nobody but the functions of the door reads them.
  create policy door on public.system_config for all to cairn_owner using (true) with check (true);
  create policy door on public.system_config_history for all to cairn_owner using (true) with check (true);
$policies$);

-- Chats: what programs report over OTLP that no runner drives. Each session of such a program is a run of mode chat.

-- How long a chat lives without a word of it.
create or replace function app.get_chat_seconds() returns integer language sql immutable
  return 1800;

-- The run of a session: its id follows from who reports it, so that nobody can name another's.
create or replace function app.chat_id(session text, actor app.actor) returns uuid language sql immutable as $$
  select md5(jsonb_build_array('chat', actor.tenant_id, actor.user_id, actor.project_id, session)::text)::uuid
$$;

create or replace function app.check_chat(chat jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.check_form('chat', jsonb_typeof(chat) = 'object'
    and coalesce(jsonb_typeof(chat -> 'session') = 'string' and char_length(chat ->> 'session') between 1 and 200
      and chat ->> 'program' ~ '^[a-z0-9][a-z0-9._-]{0,39}$' and app.as_uuid(chat ->> 'program') is null
      and chat ->> 'program' not in ('all', 'system') and chat ->> 'type' ~ '^[a-z]{1,40}$'
      and coalesce(jsonb_typeof(chat -> 'project'), 'string') = 'string', false),
    'an object with session, program and type, each short, and perhaps a project');
end
$$;

-- Takes one of what a person's programs may begin in a time. Raises rate_limited.
create or replace function app.take_reporting(what text, actor app.actor, most integer, seconds integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_taken constant jsonb := app.take_rate(concat_ws(' ', what, actor.user_id), most, seconds);
begin
  if v_taken -> 'allowed' = 'false' then
    perform app.fail('rate_limited', format('Your programs have begun %s %s within %s seconds, the most there can be.',
        most, what, seconds), v_taken - 'allowed',
      'Let each program name its session (session.id or gen_ai.conversation.id): all of one session is one run.');
  end if;
end
$$;

-- The first name of a program that no agent has, also none that a token cannot see because it is limited to a project.
create or replace function app.free_agent_name(tenant_id uuid, program text)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project constant text := coalesce(current_setting('app.project_id', true), '');
  v_name text;
begin
  -- Not as an option of the function, which takes a superuser.
  perform set_config('app.project_id', '', true);
  select n.name into v_name
    from (
      select g as at, concat_ws('-', program, nullif(g, 1)) as name from generate_series(1, 1000) g) n
    where not exists (
      select from public.agents a
      where a.tenant_id = free_agent_name.tenant_id and a.retired_at is null and lower(a.name) = n.name)
    order by n.at limit 1;
  perform set_config('app.project_id', v_project, true);
  return v_name;
end
$$;

-- Finds the agent as which a person's program reports, or registers it. It may have another name by now.
create or replace function app.find_reporter(chat jsonb, actor app.actor, at timestamptz)
  returns public.agents
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
begin
  for v_try in 1..2 loop
    select * into v_agent from public.agents a
      where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and a.driver = 'otlp' and a.retired_at is null
        and a.config ->> 'program' = chat ->> 'program' and a.project_id is not distinct from actor.project_id
      order by a.created_at limit 1;
    if found then
      return v_agent;
    end if;
    perform app.lock_agent_name(actor.tenant_id, chat ->> 'program');
  end loop;
  perform app.take_reporting('agents', actor, 20, 86400);
  v_agent.id := app.uuid_v7();
  perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
    'type', 'agent.registered', 'data', jsonb_strip_nulls(jsonb_build_object(
      'name', app.free_agent_name(actor.tenant_id, chat ->> 'program'), 'type', chat -> 'type', 'driver', 'otlp',
      'config', jsonb_build_object('program', chat -> 'program'), 'project', actor.project_id)))), actor);
  perform app.ensure_settling(actor.tenant_id, at);
  select * into v_agent from public.agents a where a.tenant_id = actor.tenant_id and a.id = v_agent.id;
  return v_agent;
end
$$;

-- Notes that a chat goes on, and that its agent is there; a minute later again.
create or replace function app.renew_chat(run public.agent_runs, actor app.actor, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
  v_goes_on boolean;
begin
  if run.ended_at is null then
    perform app.extend_lease(l.tenant_id, l.kind, l.id, l.token, at, actor.user_id)
      from public.leases l
      where l.tenant_id = run.tenant_id and l.kind = 'run' and l.id = run.id and l.token = run.lock_token
        and l.expires_at < at + make_interval(secs => app.get_chat_seconds() - 60);
  end if;
  select * into v_agent from public.agents a
    where a.tenant_id = run.tenant_id and a.id = run.agent_id and a.retired_at is null
      and coalesce(a.seen_at < at - interval '1 minute', true) for no key update;
  if v_agent.id is null then
    return;
  end if;
  v_goes_on := coalesce(v_agent.seen_at >= at - interval '15 minutes', false);
  perform app.enter_connect(v_agent, v_goes_on, actor);
  update public.agents a
    set status = 'online', activity_state = 'processing', seen_at = at, disconnected_at = null,
      connected_at = case when v_goes_on then a.connected_at else at end
    where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id;
end
$$;

-- Finds the run of a session, or begins it: in the project of the token, or else in the one that its program names,
-- where there is such a one.
create or replace function app.open_chat(chat jsonb, actor app.actor, at timestamptz)
  returns public.agent_runs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := app.chat_id(chat ->> 'session', actor);
  v_run public.agent_runs;
  v_agent public.agents;
  v_lease public.leases;
begin
  for v_try in 1..2 loop
    select * into v_run from public.agent_runs r where r.tenant_id = actor.tenant_id and r.id = v_id;
    if found then
      perform app.renew_chat(v_run, actor, at);
      return v_run;
    end if;
    -- Of two first reports of a session the second finds the run of the first.
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', actor.tenant_id, 'chat', v_id), 0));
  end loop;
  perform app.take_reporting('runs', actor, 600, 3600);
  v_agent := app.find_reporter(chat, actor, at);
  perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'run:' || v_id, 'verb', true,
    'type', 'run.opened', 'data', jsonb_strip_nulls(jsonb_build_object('agent_id', v_agent.id,
      'agent_name', v_agent.name, 'project', coalesce(actor.project_id, (
        select p.id from public.projects p
        where p.tenant_id = actor.tenant_id and p.slug = lower(chat ->> 'project') and p.archived_at is null)))))),
    actor);
  select * into strict v_run from public.agent_runs r where r.tenant_id = actor.tenant_id and r.id = v_id;
  v_lease := app.new_run_lease(v_run);
  v_lease.ttl_seconds := app.get_chat_seconds();
  perform app.take_lease(v_lease, at, true);
  perform app.renew_chat(v_run, actor, at);
  return v_run;
end
$$;

-- add_chat_steps(chat {session, program, type, project?}, steps, links?) -> {run, agent, stored, keeps_content}: steps
-- of a session of a program that no runner drives, as add_steps takes them but for their trace, which is the run's. The
-- first of a session begin its run; those that come after its end are added all the same. Raises invalid_input,
-- rate_limited.
create or replace function public.add_chat_steps(
  chat jsonb,
  steps jsonb,
  links jsonb default '[]',
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_now constant timestamptz := app.now();
  v_run public.agent_runs;
  v_stored integer;
begin
  perform app.check_chat(chat);
  perform app.check_steps(steps, links);
  v_run := app.open_chat(chat, v_actor, v_now);
  perform app.ensure_partition('agent_steps', v_run.created_at);
  v_stored := app.store_steps(v_run, (
    select coalesce(jsonb_agg(s || jsonb_build_object('trace_id', replace(v_run.id::text, '-', ''))), '[]')
    from jsonb_array_elements(steps) s), links, v_now);
  perform app.relink_steps(v_run, links);
  return jsonb_build_object('run', v_run.id, 'agent', v_run.agent_name, 'stored', v_stored,
    'keeps_content', app.keeps_content(v_run));
end
$$;

-- Requests the end of the chats of a workspace of which nothing was heard for half an hour. That all their steps have
-- ended would be no sign: most programs never tell the end of a turn, and between two turns all have.
create or replace function app.check_run_completion(tenant_id uuid, at timestamptz)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('stream', 'run:' || c.id, 'verb', true, 'type', 'run.finished',
    'data', '{"status": "completed", "end_reason": "completed"}'::jsonb) order by c.id), '[]')
  from (
    select r.id from public.agent_runs r
    left join public.projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
    where r.tenant_id = $1 and r.status = 'running' and r.ended_at is null and app.is_chat(r) and p.archived_at is null
      and not exists (
        select from public.leases l
        where l.tenant_id = r.tenant_id and l.kind = 'run' and l.id = r.id and l.expires_at > $2)
    order by r.priority, r.created_at limit 200) c
$$;

-- What requests to models cost.

-- The name of a model without who provides it: anthropic/, us.anthropic., an address up to its last slash.
create or replace function app.price_name(model text) returns text language sql immutable as $$
  select regexp_replace(lower(model), '^(.*/)?(([a-z-]+[.])?anthropic[.])?', '')
$$;

-- The price of a model: of its name, or of one of which it is a version, a dated one, the latest or a preview. Else a
-- gpt-5-pro cost what a gpt-5 does, of which its name begins.
create or replace function app.price_of(model text)
  returns public.model_prices
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.*
  from app.price_name(price_of.model) n(name)
  join public.model_prices p on starts_with(n.name, p.model) and substr(n.name, length(p.model) + 1) ~ ('^'
    -- -001, -0613, -20251001, -2025-10-01, -v1; -preview-09-2025, -preview-05-06; @20251001, :free
    '(-([0-9]{3,4}|[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|v[0-9]+|latest|preview(-[0-9]{2}-([0-9]{2}|[0-9]{4}))?))*'
    '([@:].*)?$')
  order by length(p.model) desc limit 1
$$;

-- What tokens cost in dollars; null where their model has no price. Those that were read from a cache or written to one
-- are among those in.
create or replace function app.cost_of(step public.agent_steps)
  returns numeric
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select trim_scale((
      greatest(coalesce(step.tokens_in, 0) - coalesce(step.tokens_cached, 0)
        - coalesce(step.tokens_cache_written, 0), 0) * (p).price_in
      + coalesce(step.tokens_cached, 0) * (p).price_cached
      + coalesce(step.tokens_cache_written, 0) * (p).price_cache_written
      + coalesce(step.tokens_out, 0) * (p).price_out) / 1000000)
  from app.price_of(step.model) p
$$;

-- set_model_price(model, price_in?, price_out?, price_cached?, price_cache_written?) -> {model, price_in, price_out,
-- price_cached, price_cache_written, updated_at, updated_by, removed?}: dollars for a million tokens of the
-- model, its versions and previews, whoever provides it; null in and out remove the price. What was used before keeps
-- what it cost. Raises forbidden, not_found, invalid_input.
create or replace function public.set_model_price(
  model text,
  price_in numeric default null,
  price_out numeric default null,
  price_cached numeric default null,
  price_cache_written numeric default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_model constant text := app.price_name(model);
  v_cached constant numeric := coalesce(price_cached, price_in);
  v_written constant numeric := coalesce(price_cache_written, price_in);
  v_price public.model_prices;
begin
  perform app.refuse_agent(v_actor, 'What models cost is decided', 'cairn prices');
  perform app.refuse_guest(v_actor, 'says what models cost', 'cairn prices');
  perform app.check_form('model', v_model ~ '^[a-z0-9][a-z0-9._:-]{0,119}$', 'the name of a model');
  perform app.check_form('prices', num_nulls(price_in, price_out) <> 1
    and coalesce(least(price_in, price_out, v_cached, v_written) >= 0
      and greatest(price_in, price_out, v_cached, v_written) <= 100000, true),
    'dollars for a million tokens in and out, from 0 to 100,000');
  if price_in is null then
    delete from public.model_prices p where p.model = v_model returning * into v_price;
    if v_price.model is null then
      perform app.fail('not_found', format('No price is set for "%s".', v_model), null,
        'See the models with `cairn prices`.');
    end if;
  else
    insert into public.model_prices
      values (v_model, price_in, price_out, v_cached, v_written, app.now(), app.actor_name(v_actor))
      on conflict on constraint model_prices_pkey do update
        set (price_in, price_out, price_cached, price_cache_written, updated_at, updated_by) = (excluded.price_in,
          excluded.price_out, excluded.price_cached, excluded.price_cache_written, excluded.updated_at,
          excluded.updated_by)
      returning * into v_price;
  end if;
  return to_jsonb(v_price) || case when price_in is null then '{"removed": true}'::jsonb else '{}' end;
end
$$;

-- list_model_prices() -> {prices: [{model, price_in, price_out, price_cached, price_cache_written, updated_at,
-- updated_by}]}: dollars for a million tokens.
create or replace function public.list_model_prices(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return jsonb_build_object('prices', coalesce((
    select jsonb_agg(to_jsonb(p) order by p.model)
    from public.model_prices p), '[]'));
end
$$;

select app.define_on_tables($policies$
  create policy door on public.model_prices for all to cairn_owner using (true) with check (true);
  create policy read on public.model_prices for select to authenticated using (true);
$policies$);

-- The records of runs: what they printed, in order; their steps and messages.

-- Output is a month in the database and two more in files; traces are kept for good.
select app.define_records('terminal_outputs', 'week', archive_days => 30, keep_days => 90);
select app.define_records('agent_steps', 'month', archive_days => 90, appended => false);
select app.define_records('agent_messages', 'month', archive_days => 90);

-- A run may store 50 MB, over all its attempts, and each attempt at least 10; of one that prints more, its end besides.
create or replace function app.get_output_bytes_max() returns bigint language sql immutable return 52428800;
create or replace function app.get_attempt_bytes_min() returns bigint language sql immutable return 10485760;
create or replace function app.get_last_bytes_max() returns bigint language sql immutable return 5242880;

-- When something of a run may have been printed: a day is left for clocks that differ.
create or replace function app.output_times(run public.agent_runs, at timestamptz) returns tstzrange language sql stable
as $$
  select tstzrange(run.started_at - interval '1 day', coalesce(run.ended_at, at) + interval '1 day', '[]')
$$;

-- Refuses chunks that are not of a run: their form, their sizes, their times.
create or replace function app.check_chunks(run public.agent_runs, chunks jsonb, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_formed boolean;
  v_bytes bigint;
  v_times timestamptz[];
  v_time timestamptz;
begin
  begin
    select count(*) <= 1000 and count(distinct c.sequence) = count(*) and coalesce(bool_and((c.sequence >= 0
          and c.stream in ('stdout', 'stderr') and c.content <> '' and isfinite(c."at")) is true), true)
          and coalesce(max(octet_length(c.content)), 0) <= 16384,
        coalesce(sum(octet_length(c.content)), 0), array[min(c."at"), max(c."at")]
      into v_is_formed, v_bytes, v_times
      from jsonb_to_recordset(chunks) c (sequence integer, stream text, content text, "at" timestamptz, ansi boolean);
  exception
    when data_exception then
      v_is_formed := false;
  end;
  perform app.check_form('chunks', v_is_formed, 'a list of at most 1,000 {sequence, stream, content, at, ansi?}, each '
    'sequence once, each stream stdout or stderr, each content of 1 to 16,384 bytes');
  perform app.check_form('chunks', v_bytes <= 262144, 'of at most 262,144 bytes together');
  foreach v_time in array array_remove(v_times, null) loop
    if not app.output_times(run, at) @> v_time then
      perform app.fail('invalid_input', format('A chunk says that it was printed at %s, when the run was not on.',
          to_char(v_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
        jsonb_build_object('field', 'chunks', 'now', at, 'started_at', run.started_at),
        'The clock of its machine is wrong: compare it with the server''s.');
    end if;
    perform app.ensure_partition('terminal_outputs', v_time);
  end loop;
end
$$;

create or replace function app.check_left_out(left_out jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_formed boolean;
begin
  begin
    v_is_formed := left_out is null or (jsonb_typeof(left_out) = 'object' and (left_out ->> 'below')::integer > 0
      and (left_out ->> 'bytes')::bigint between 1 and 1125899906842624
      and coalesce(left_out ->> 'why', 'run') in ('run', 'lost')) is true;
  exception
    when data_exception then
      v_is_formed := false;
  end;
  perform app.check_form('left_out', v_is_formed,
    '{below, bytes, why?}: the sequence that comes next, how many bytes, and run or lost');
end
$$;

-- Locks how far the output of a run's attempt has come.
create or replace function app.lock_output(run public.agent_runs, at timestamptz)
  returns app.run_outputs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept app.run_outputs;
begin
  insert into app.run_outputs (tenant_id, run_id, attempt, next_sequence, last_sequence, bytes, dropped_bytes,
      paced_until)
    select run.tenant_id, run.id, run.attempt, 0, -1, 0, 0, at
    where not exists (
      select from app.run_outputs o
      where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt)
    on conflict do nothing;
  select * into strict v_kept from app.run_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt for no key update;
  return v_kept;
end
$$;

-- Finds the first sequence, from one on, that an attempt lacks; looks 2,000 ahead.
create or replace function app.next_missing(run public.agent_runs, sequence integer, at timestamptz)
  returns integer
  language sql
  stable
as $$
  select $2 + count(*)::integer
  from (
    select o.sequence, row_number() over (order by o.sequence) - 1 as place
    from public.terminal_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt and o.sequence >= $2
      and o."timestamp" between lower(app.output_times(run, at)) and upper(app.output_times(run, at))
    order by o.sequence limit 2000) s
  where s.sequence = $2 + s.place
$$;

-- Tells whether an attempt printed more than is kept: from then on only its end is.
create or replace function app.is_flood(kept app.run_outputs) returns boolean language sql immutable as $$
  select kept.left_out @> '[{"why": "run"}]'
$$;

-- How many bytes an attempt may still store. None where so many places of it are left out that more could not be told.
create or replace function app.output_room(kept app.run_outputs)
  returns bigint
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_array_length(kept.left_out) >= 20 then 0
    when app.is_flood(kept) then app.get_last_bytes_max() - kept.last_bytes
    else greatest(app.get_output_bytes_max() - sum(o.bytes - o.last_bytes),
      app.get_attempt_bytes_min() - kept.bytes) end
  from app.run_outputs o where o.tenant_id = kept.tenant_id and o.run_id = kept.run_id
$$;

-- Notes that sequences of an attempt are not kept, and why: `run` for what one run may store, `day` for what its
-- workspace may in a day, `lost` for what a runner that was killed took with it. Those that follow one another are one
-- place.
create or replace function app.leave_out(kept app.run_outputs, first integer, below integer, bytes bigint, why text)
  returns app.run_outputs
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_last jsonb := kept.left_out -> -1;
begin
  if v_last ->> 'why' = why and (v_last ->> 'below')::integer >= first or jsonb_array_length(kept.left_out) >= 20 then
    kept.left_out := jsonb_set(kept.left_out, '{-1}', v_last || jsonb_build_object(
      'below', greatest((v_last ->> 'below')::integer, leave_out.below),
      'bytes', (v_last ->> 'bytes')::bigint + leave_out.bytes));
  else
    kept.left_out := kept.left_out
      || jsonb_build_object('from', first, 'below', leave_out.below, 'bytes', leave_out.bytes, 'why', why);
  end if;
  kept.dropped_bytes := kept.dropped_bytes + leave_out.bytes;
  kept.next_sequence := greatest(kept.next_sequence, leave_out.below);
  kept.last_sequence := greatest(kept.last_sequence, leave_out.below - 1);
  return kept;
end
$$;

-- Adds those chunks that are not there; answers how many they were, their bytes, and of those for which there is no
-- room the first sequence and the bytes.
create or replace function app.insert_output(
  run public.agent_runs,
  kept app.run_outputs,
  chunks jsonb,
  room bigint,
  at timestamptz,
  out stored bigint,
  out bytes bigint,
  out dropped_from integer,
  out dropped bigint
)
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  with given as (
    select c.*, octet_length(c.content) as size, sum(octet_length(c.content)) over (order by c.sequence) as upto
    from jsonb_to_recordset(chunks) c (sequence integer, stream text, content text, "at" timestamptz, ansi boolean)
    where c.sequence >= kept.next_sequence
      and (c.sequence > kept.last_sequence or not exists (
        select from public.terminal_outputs o
        where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt
          and o.sequence = c.sequence
          and o."timestamp" between lower(app.output_times(run, $5)) and upper(app.output_times(run, $5)))
    )
  ), added as (
    insert into public.terminal_outputs (tenant_id, project_id, id, run_id, command_id, agent_id, attempt, stream_type,
        content, ansi_codes, "timestamp", sequence, created_at)
      select run.tenant_id, run.project_id, app.uuid_v7(), run.id, run.command_id, run.agent_id, run.attempt, g.stream,
        g.content, coalesce(g.ansi, strpos(g.content, chr(27)) > 0), g."at", g.sequence, $5
      from given g
      where g.upto <= room
      on conflict do nothing
      returning octet_length(content) as size
  )
  select (select count(*) from added), (select coalesce(sum(a.size), 0) from added a), min(g.sequence),
    coalesce(sum(g.size), 0)
  from given g where g.upto > room
$$;

-- What a workspace may add to the output of its runs in a day, by UTC.
create or replace function app.get_output_quota() returns bigint language sql stable as $$
  select coalesce((select (c.value ->> 'bytes')::bigint from public.system_config c where c.key = 'output_per_day'),
    2000000000)
$$;

-- How many bytes the workspace of a run may still add today. What it was refused counts too, so that nothing is kept in
-- pieces; calls at the same moment may together add a little more.
create or replace function app.output_room_today(run public.agent_runs, at timestamptz)
  returns bigint
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select app.get_output_quota() - coalesce(sum(d.bytes), 0)::bigint
  from app.output_days d where d.tenant_id = run.tenant_id and d.day = (at at time zone 'UTC')::date
$$;

-- Counts what a run adds today.
create or replace function app.count_output(run public.agent_runs, bytes bigint, at timestamptz)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  insert into app.output_days as d (tenant_id, slot, day, bytes)
    values (run.tenant_id, hashtext(run.id::text) & 15, (at at time zone 'UTC')::date, count_output.bytes)
    on conflict on constraint output_days_pkey do update
      set day = excluded.day, bytes = excluded.bytes + case when d.day = excluded.day then d.bytes else 0 end
$$;

-- Stores chunks as far as there is room, and notes how far the attempt has come.
create or replace function app.store_chunks(
  run public.agent_runs,
  inout kept app.run_outputs,
  chunks jsonb,
  at timestamptz,
  out stored bigint
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room constant bigint := app.output_room(kept);
  v_today constant bigint := app.output_room_today(run, at);
  v_added record;
  v_first integer;
  v_last integer;
begin
  select * into v_added from app.insert_output(run, kept, chunks, least(v_room, v_today), at);
  select min((c ->> 'sequence')::integer), max((c ->> 'sequence')::integer) into v_first, v_last
    from jsonb_array_elements(chunks) c;
  stored := v_added.stored;
  kept.bytes := kept.bytes + v_added.bytes;
  kept.last_bytes := kept.last_bytes + case when app.is_flood(kept) then v_added.bytes else 0 end;
  -- More than 16 MB a second and a run is asked to let others go first.
  kept.paced_until := greatest(kept.paced_until, at) + v_added.bytes * interval '1 second' / 16777216;
  if v_added.dropped > 0 then
    kept := app.leave_out(kept, v_added.dropped_from, v_last + 1, v_added.dropped,
      case when v_today < v_room then 'day' else 'run' end);
  elsif kept.last_sequence < kept.next_sequence and v_first <= kept.next_sequence
      and v_last - v_first + 1 = jsonb_array_length(chunks) then
    kept.next_sequence := greatest(kept.next_sequence, v_last + 1);
  else
    kept.next_sequence := app.next_missing(run, kept.next_sequence, at);
  end if;
  kept.last_sequence := greatest(kept.last_sequence, v_last);
  perform app.count_output(run, v_added.bytes + case when v_today < v_room then v_added.dropped else 0 end, at);
end
$$;

-- What tells a holder that its workspace may add no more today.
create or replace function app.over_quota(at timestamptz) returns jsonb language sql stable as $$
  select jsonb_build_object('code', 'rate_limited', 'allowed_bytes', app.get_output_quota(),
    'until', (date_trunc('day', at at time zone 'UTC') + interval '1 day') at time zone 'UTC',
    'hint', 'Print less. Whoever runs the server may allow more: cairn output-quota.')
$$;

-- Raises an alert where an attempt begins to lose output because its workspace has used up its day, one for each
-- project. The first output of another day resolves it.
create or replace function app.follow_quota(run public.agent_runs, loses boolean, is_first boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key constant text := 'output_quota:' || coalesce(run.project_id::text, 'workspace');
begin
  if loses then
    perform app.record_alert(v_key, jsonb_build_object(
      'kind', 'output_quota',
      'severity', 'medium',
      'title', 'What agents print is not kept any more today.',
      'details', jsonb_build_object('run', run.id) || app.over_quota(app.now()),
      'project', run.project_id));
  elsif is_first then
    perform app.settle_alert(v_key);
  end if;
end
$$;

-- Stores what the holder of an attempt sends: what it left out, and chunks after it.
create or replace function app.store_output(run public.agent_runs, chunks jsonb, left_out jsonb, at timestamptz)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept app.run_outputs := app.lock_output(run, at);
  v_below constant integer := left_out ->> 'below';
  v_added record;
  v_stored bigint := 0;
  v_places integer;
  v_dropped bigint;
  v_is_first boolean := false;
  v_is_over boolean;
  v_pause integer;
begin
  if v_below > v_kept.next_sequence then
    v_kept := app.leave_out(v_kept, v_kept.next_sequence, v_below, (left_out ->> 'bytes')::bigint,
      coalesce(left_out ->> 'why', 'run'));
  end if;
  v_places := jsonb_array_length(v_kept.left_out);
  v_dropped := v_kept.dropped_bytes;
  if jsonb_array_length(chunks) > 0 then
    v_is_first := app.output_room_today(run, at) = app.get_output_quota();
    select * into v_added from app.store_chunks(run, v_kept, chunks, at);
    v_kept := v_added.kept;
    v_stored := v_added.stored;
    v_pause := 1000 * extract(epoch from v_kept.paced_until - at) - 1000;
  end if;
  update app.run_outputs o
    set next_sequence = v_kept.next_sequence, last_sequence = v_kept.last_sequence, bytes = v_kept.bytes,
      last_bytes = v_kept.last_bytes, left_out = v_kept.left_out, dropped_bytes = v_kept.dropped_bytes,
      paced_until = v_kept.paced_until
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt;
  v_is_over := v_kept.dropped_bytes > v_dropped and v_kept.left_out -> -1 ->> 'why' = 'day';
  perform app.follow_quota(run, v_is_over and jsonb_array_length(v_kept.left_out) > v_places, v_is_first);
  return jsonb_strip_nulls(jsonb_build_object('next_seq', v_kept.next_sequence, 'stored', v_stored,
    'dropped_bytes', nullif(v_kept.dropped_bytes, 0), 'full', case when app.is_flood(v_kept) then true end,
    'over_quota', case when v_is_over then app.over_quota(at) end,
    'pause_ms', case when v_pause > 0 then v_pause end));
end
$$;

-- add_output(run, lock_token, chunks [{sequence, stream, content, at, ansi?}], left_out? {below, bytes, why?}) ->
-- {next_seq, stored, dropped_bytes?, full?, over_quota?, pause_ms?}: what an attempt of a run printed, for its runner,
-- also after its end. Sequences count from 0 in each attempt; what is there already changes nothing, and below next_seq
-- nothing is missing. `left_out` says how many bytes from next_seq to below a sequence its holder does not send: it
-- keeps no more of a run (`run`), or a runner was killed that had them (`lost`). Without chunks and it, it only
-- answers. Once a run has printed more than is kept, `full` asks to keep the last 5 MB of the attempt and to send
-- them at its end, after what was left out; `over_quota` says that its workspace has used up its day. What there is no
-- room for is counted. Raises lock_lost, invalid_input.
create or replace function public.add_output(
  run text,
  lock_token bigint,
  chunks jsonb default '[]',
  left_out jsonb default null,
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_now timestamptz := app.now();
  v_answer jsonb;
begin
  perform app.check_run_holder(v_run, lock_token, v_actor);
  perform app.check_left_out(left_out);
  perform app.check_chunks(v_run, chunks, v_now);
  v_answer := app.store_output(v_run, chunks, left_out, v_now);
  -- It may have ended meanwhile.
  select * into v_run from public.agent_runs r where r.tenant_id = v_run.tenant_id and r.id = v_run.id;
  if v_run.ended_at is not null and (v_answer ->> 'stored')::integer > 0 then
    perform app.keep_screen(v_run);
  end if;
  return v_answer;
end
$$;

-- set_output_quota(megabytes) -> {megabytes}: what each workspace may add to the output of runs in a day. For the user
-- who runs the server. Raises forbidden, invalid_input.
create or replace function public.set_output_quota(megabytes integer, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
begin
  perform app.refuse_agent(v_actor, 'How much output a workspace keeps is decided', 'cairn output-quota');
  perform app.refuse_guest(v_actor, 'says how much output a workspace keeps', 'cairn output-quota');
  perform app.check_form('megabytes', megabytes between 1 and 1000000000, 'a number of 1 to 1,000,000,000');
  perform app.set_config_value('output_per_day', jsonb_build_object('bytes', 1000000 * megabytes::bigint),
    app.actor_name(v_actor));
  return jsonb_build_object('megabytes', megabytes);
end
$$;

-- The files that hold output of a run's time, in the order of their records.
create or replace function app.output_files(run public.agent_runs, at timestamptz)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(jsonb_build_object('records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256)
    order by a.starts_at, a.part)
  from app.record_archives a
  join app.record_tables r on r.table_name = a.table_name
  where a.tenant_id = run.tenant_id and a.table_name = 'terminal_outputs'
    and a.starts_at <= upper(app.output_times(run, at)) and a.ends_at > lower(app.output_times(run, at))
    and app.is_in_files(r, a.starts_at, a.tenant_id)
$$;

-- The piece after which the last bytes of an attempt are, of its last pieces; null without a wish.
create or replace function app.output_start(
  run public.agent_runs,
  attempt integer,
  last_bytes integer,
  pieces integer
)
  returns integer
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select min(s.sequence) - 1
  from (
    select p.sequence, sum(p.size) over (order by p.sequence desc) as upto
    from (
      select o.sequence, octet_length(o.content) as size
      from public.terminal_outputs o
      where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = $2
        and o."timestamp" between lower(app.output_times(run, app.now())) and upper(app.output_times(run, app.now()))
      order by o.sequence desc limit pieces) p) s
  where s.upto <= last_bytes
$$;

-- list_output(run, attempt?, after_sequence?, last_bytes?, page_size) -> {run, agent, attempt, attempts, chunks
-- [{sequence, stream, content, ansi, at}], next_sequence?, last_sequence?, ended, dropped_bytes?, left_out? [{from,
-- below, bytes, why}], files?}: what an attempt of a run has printed, by default the latest, in order, at most 256 KB
-- an answer. `last_bytes`: only so many of the end. `next_sequence`: there is more after it. `left_out`: the sequences
-- of the attempt that were not kept. `files` hold older parts.
create or replace function public.list_output(
  run text,
  attempt integer default null,
  after_sequence integer default null,
  last_bytes integer default null,
  page_size integer default 100,
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
  v_actor app.actor := app.authenticate(actor);
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_attempt integer := coalesce(attempt, v_run.attempt);
  v_size integer := app.page_size(page_size, 1000);
  v_now timestamptz := app.now();
  v_times tstzrange := app.output_times(v_run, v_now);
  v_from timestamptz := lower(v_times);
  v_to timestamptz := upper(v_times);
  v_after integer := coalesce(after_sequence, app.output_start(v_run, v_attempt, last_bytes, v_size), -1);
  v_row record;
  v_chunks jsonb[] := '{}';
  v_bytes integer := 0;
  v_last integer;
  v_next integer;
begin
  for v_row in
    select * from public.terminal_outputs o
    where o.tenant_id = v_run.tenant_id and o.run_id = v_run.id and o.attempt = v_attempt
      and o.sequence > v_after and o."timestamp" between v_from and v_to
    order by o.sequence, o."timestamp" limit v_size + 1
  loop
    v_bytes := v_bytes + octet_length(v_row.content);
    if cardinality(v_chunks) = v_size or v_bytes > 262144 then
      v_next := v_last;
      exit;
    end if;
    v_last := v_row.sequence;
    v_chunks := v_chunks || jsonb_build_object('sequence', v_row.sequence, 'stream', v_row.stream_type,
      'content', v_row.content, 'ansi', v_row.ansi_codes, 'at', v_row."timestamp");
  end loop;
  return jsonb_strip_nulls(jsonb_build_object('run', v_run.id, 'agent', v_run.agent_name, 'attempt', v_attempt,
      'attempts', v_run.attempt, 'chunks', to_jsonb(v_chunks), 'next_sequence', v_next,
      'ended', v_run.ended_at is not null or v_attempt < v_run.attempt,
      'files', app.output_files(v_run, v_now)))
    || coalesce((
      select jsonb_strip_nulls(jsonb_build_object('last_sequence', nullif(o.last_sequence, -1), 'dropped_bytes',
        nullif(o.dropped_bytes, 0), 'left_out', nullif(o.left_out, '[]')))
      from app.run_outputs o
      where o.tenant_id = v_run.tenant_id and o.run_id = v_run.id and o.attempt = v_attempt), '{}');
end
$$;

-- Steps of runs: prompts, tool calls and answers as one tree, what they used and what that cost.

-- Whether a project keeps what was said: prompts, arguments, answers.
create or replace function app.keeps_content(run public.agent_runs) returns boolean language sql stable as $$
  select coalesce((
    select p.rules #>> '{traces,content}' = 'true'
    from public.projects p
    where p.tenant_id = run.tenant_id and p.id = run.project_id), false)
$$;

create or replace function app.check_steps(steps jsonb, links jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_formed boolean;
begin
  begin
    select count(*) <= 1000 and coalesce(bool_and((s.trace_id ~ '^[0-9a-f]{32}$' and s.span_id ~ '^[0-9a-f]{16}$'
          and (s.parent_span_id is null or s.parent_span_id ~ '^[0-9a-f]{16}$')
          and s.status is not null and s.kind in ('llm_prompt', 'tool_call', 'response')
          and char_length(s.name) between 1 and 200 and isfinite(s.started_at)
          and coalesce(isfinite(s.completed_at), true)
          and least(s.tokens_in, s.tokens_out, s.tokens_cached, s.tokens_cache_written, s.waited_ms, 0) >= 0
          and greatest(s.tokens_in, s.tokens_out, s.tokens_cached, s.tokens_cache_written, s.waited_ms, 0) < 1e15
          and char_length(coalesce(s.error, '')) <= 2000 and coalesce(char_length(s.model), 1) between 1 and 120
          and char_length(coalesce(s.tool_call_id, '')) <= 200
          and octet_length(coalesce(s.content, '{}')::text) <= 65536
          and coalesce(jsonb_typeof(s.attributes) = 'object' and octet_length(s.attributes::text) <= 16384, true))
          is true), true)
      into v_is_formed
      from jsonb_populate_recordset(null::public.agent_steps, steps) s;
  exception
    when data_exception then
      v_is_formed := false;
  end;
  perform app.check_form('steps', v_is_formed and jsonb_typeof(steps) = 'array', 'a list of at most 1,000 {trace_id, '
    'span_id, parent_span_id?, kind, name, status, started_at, …}, as docs/telemetry.md has them');
  perform app.check_form('links', jsonb_typeof(links) = 'array' and not exists (
      select from jsonb_array_elements(links) l
      where (l ->> 'from' ~ '^[0-9a-f]{16}$' and coalesce(l ->> 'to', repeat('0', 16)) ~ '^[0-9a-f]{16}$')
        is not true), 'a list of {from, to?}: span ids');
end
$$;

-- A time that a producer names, or that of receipt where it cannot be: its run was not on. One that is not named is not
-- known.
create or replace function app.believed_time(run public.agent_runs, named timestamptz, at timestamptz)
  returns timestamptz
  language sql
  immutable
as $$
  select case when named < run.created_at - interval '1 day' or named > at + interval '1 day' then at else named end
$$;

-- What two reports say, or only the first where both are too much.
create or replace function app.merged_within(bytes integer, one jsonb, other jsonb)
  returns jsonb
  language sql
  immutable
as $$
  select case when one is null or other is null then coalesce(one, other)
    when octet_length((one || other)::text) <= bytes then one || other
    else one end
$$;

-- What a step hangs under, where `above` says what is above spans that are not kept.
create or replace function app.parent_of(step public.agent_steps, above jsonb) returns text language sql immutable as $$
  select case when above ? step.parent_span_id and above ->> step.parent_span_id is distinct from step.span_id
    then above ->> step.parent_span_id else step.parent_span_id end
$$;

-- The steps of a report as lists in which each step is once: what it says of a step again is in the next list.
create or replace function app.tellings(steps jsonb)
  returns setof public.agent_steps[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(t.step order by t.at)
  from (
    select p.step, p.at,
      row_number() over (partition by (p.step).trace_id, (p.step).span_id order by p.at) as telling
    from (
      select s as step, row_number() over () as at
      from jsonb_populate_recordset(null::public.agent_steps, steps) s) p) t
  group by t.telling
  order by t.telling
$$;

-- Adds steps of a run, or what is told of them once more: a step that has ended stays so, numbers grow, what is not
-- said again stays. Whatever order they come in, they come to the same, also within one report.
create or replace function app.store_steps(run public.agent_runs, steps jsonb, links jsonb, at timestamptz)
  returns integer
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_keeps constant boolean := app.keeps_content(run);
  -- Most parents are told of in one report with what is under them: hung there at once, nothing is written twice.
  v_above constant jsonb := (select jsonb_object_agg(l ->> 'from', l -> 'to') from jsonb_array_elements(links) l);
  v_told public.agent_steps[];
  v_rows integer;
  v_stored integer := 0;
begin
  for v_told in select app.tellings(steps) loop
    insert into public.agent_steps as s (tenant_id, project_id, run_id, trace_id, span_id, parent_span_id, kind, name,
        tool_type, status, started_at, completed_at, duration_ms, tokens_in, tokens_out, tokens_cached,
        tokens_cache_written, waited_ms, model, tool_call_id, error, content, attributes, run_created_at, created_at)
      select run.tenant_id, run.project_id, run.id, g.trace_id, g.span_id, app.parent_of(g, v_above), g.kind,
        g.name, g.tool_type, g.status, app.believed_time(run, g.started_at, $4),
        app.believed_time(run, g.completed_at, $4), g.duration_ms, g.tokens_in, g.tokens_out, g.tokens_cached,
        g.tokens_cache_written, g.waited_ms, g.model, g.tool_call_id, g.error, case when v_keeps then g.content end,
        g.attributes, run.created_at, $4
      from unnest(v_told) g
      on conflict on constraint agent_steps_pkey do update
        set parent_span_id = coalesce(excluded.parent_span_id, s.parent_span_id),
          -- Who knows more of it says more.
          name = case when char_length(excluded.name) > char_length(s.name) then excluded.name else s.name end,
          tool_type = coalesce(s.tool_type, excluded.tool_type),
          -- In this order one ends: who saw that it failed saw more than who saw that it ended.
          status = greatest(s.status, excluded.status),
          -- The time of a receipt moves none that is known.
          started_at = least(s.started_at, coalesce(nullif(excluded.started_at, $4), s.started_at)),
          completed_at = coalesce(greatest(s.completed_at, nullif(excluded.completed_at, $4)), excluded.completed_at),
          duration_ms = greatest(s.duration_ms, excluded.duration_ms),
          tokens_in = greatest(s.tokens_in, excluded.tokens_in),
          tokens_out = greatest(s.tokens_out, excluded.tokens_out),
          tokens_cached = greatest(s.tokens_cached, excluded.tokens_cached),
          tokens_cache_written = greatest(s.tokens_cache_written, excluded.tokens_cache_written),
          waited_ms = greatest(s.waited_ms, excluded.waited_ms),
          model = coalesce(s.model, excluded.model),
          tool_call_id = coalesce(s.tool_call_id, excluded.tool_call_id),
          error = coalesce(s.error, excluded.error),
          content = app.merged_within(65536, s.content, excluded.content),
          attributes = app.merged_within(16384, s.attributes, excluded.attributes)
        where s.run_id = excluded.run_id;
    get diagnostics v_rows = row_count;
    -- The first list has all of them.
    v_stored := greatest(v_stored, v_rows);
  end loop;
  return v_stored;
end
$$;

-- Hangs what was stored before, under spans that are not kept, under those above them, by the index of parents.
create or replace function app.relink_steps(run public.agent_runs, links jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  -- Planned anew, for a table that was small a minute ago.
  set plan_cache_mode = force_custom_plan
  set enable_material = off
as $$
begin
  if links = '[]' then
    return;
  end if;
  update public.agent_steps s set parent_span_id = l."to"
    from jsonb_to_recordset(links) l ("from" text, "to" text)
    -- Written so, no index of the run is taken, of which the planner believes that it has few steps.
    where s.tenant_id = run.tenant_id and s.run_id is not distinct from run.id and s.run_created_at = run.created_at
      and s.parent_span_id = l."from" and s.span_id is distinct from l."to";
end
$$;

-- add_steps(run, lock_token, steps [{trace_id, span_id, parent_span_id?, kind, name, tool_type?, status, started_at,
-- completed_at?, duration_ms?, tokens_in?, tokens_out?, tokens_cached?, tokens_cache_written?, waited_ms?, model?,
-- tool_call_id?, error?, content?, attributes?}], links? [{from, to?}]) -> {agent, stored, keeps_content}: what an
-- agent did, for the runner of its run, also after its end. What is told twice changes nothing. `links` says what is
-- above spans that are not kept. Raises lock_lost, invalid_input.
create or replace function public.add_steps(
  run text,
  lock_token bigint,
  steps jsonb,
  links jsonb default '[]',
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_stored integer;
begin
  perform app.check_run_holder(v_run, lock_token, v_actor);
  perform app.check_steps(steps, links);
  perform app.ensure_partition('agent_steps', v_run.created_at);
  v_stored := app.store_steps(v_run, steps, links, app.now());
  perform app.relink_steps(v_run, links);
  return jsonb_build_object('agent', v_run.agent_name, 'stored', v_stored, 'keeps_content', app.keeps_content(v_run));
end
$$;

-- What a request to a model adds to what its run used, or takes from it.
create or replace function app.usage_of(step public.agent_steps, sign integer)
  returns public.run_usage
  language sql
  immutable
as $$
  select row(step.tenant_id, step.run_id, coalesce(step.model, 'unknown'),
    (step.started_at at time zone 'UTC')::date, step.project_id, sign, sign * coalesce(step.tokens_in, 0),
    sign * coalesce(step.tokens_out, 0), sign * coalesce(step.tokens_cached, 0),
    sign * coalesce(step.tokens_cache_written, 0), sign * coalesce(step.cost_usd, 0),
    case when step.cost_usd is null then sign * (coalesce(step.tokens_in, 0) + coalesce(step.tokens_out, 0))
      else 0 end)::public.run_usage
$$;

-- Adds up what was used. Where no request is left, as of a step whose day turned out to be the one before, no row is.
create or replace function app.count_usage(used public.run_usage[])
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  insert into public.run_usage as u
    select a.tenant_id, a.run_id, a.model, a.day, a.project_id, sum(a.requests), sum(a.tokens_in), sum(a.tokens_out),
      sum(a.tokens_cached), sum(a.tokens_cache_written), sum(a.cost_usd), sum(a.tokens_unpriced)
    from unnest(used) a
    group by 1, 2, 3, 4, 5
    having (sum(a.requests), sum(a.tokens_in), sum(a.tokens_out), sum(a.tokens_cached), sum(a.tokens_cache_written),
      sum(a.cost_usd), sum(a.tokens_unpriced)) <> (0, 0, 0, 0, 0, 0, 0)
    order by 1, 2, 3, 4
    on conflict on constraint run_usage_pkey do update
      set requests = u.requests + excluded.requests,
        tokens_in = u.tokens_in + excluded.tokens_in,
        tokens_out = u.tokens_out + excluded.tokens_out,
        tokens_cached = u.tokens_cached + excluded.tokens_cached,
        tokens_cache_written = u.tokens_cache_written + excluded.tokens_cache_written,
        cost_usd = u.cost_usd + excluded.cost_usd,
        tokens_unpriced = u.tokens_unpriced + excluded.tokens_unpriced;
  delete from public.run_usage u
    using (
      select a.tenant_id, a.run_id, a.model, a.day from unnest(used) a
      group by 1, 2, 3, 4
      having sum(a.requests) < 0) a
    where u.tenant_id = a.tenant_id and u.run_id = a.run_id and u.model = a.model and u.day = a.day and u.requests = 0
$$;

-- Prices a request when what it used is known, and again when more of it is; not when only the price has changed.
create or replace function app.price_step()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT'
      or (new.model, new.tokens_in, new.tokens_out, new.tokens_cached, new.tokens_cache_written)
        is distinct from (old.model, old.tokens_in, old.tokens_out, old.tokens_cached, old.tokens_cache_written) then
    new.cost_usd := app.cost_of(new);
  end if;
  return new;
end
$$;

-- Keeps the number of steps of each run, and what it used, as steps are added and changed. A trigger has the rows of
-- one kind of statement, so there are two.
create or replace function app.update_run_statistics()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    update public.agent_runs r set steps_count = coalesce(r.steps_count, 0) + a.steps
      from (select s.tenant_id, s.run_id, count(*)::integer as steps from added s group by 1, 2) a
      where r.tenant_id = a.tenant_id and r.id = a.run_id;
    perform app.count_usage(array(select app.usage_of(s, 1) from added s where s.kind = 'llm_prompt'));
  else
    perform app.count_usage(array(
      select app.usage_of(s, 1) from added s where s.kind = 'llm_prompt'
      union all
      select app.usage_of(s, -1) from removed s where s.kind = 'llm_prompt'));
  end if;
  return null;
end
$$;

select app.define_on_tables($triggers$
  create trigger steps_price before insert or update on public.agent_steps for each row
    when (new.kind = 'llm_prompt') execute function app.price_step();

  create trigger trigger_update_run_statistics after insert on public.agent_steps
    referencing new table as added for each statement execute function app.update_run_statistics();

  create trigger trigger_update_run_usage after update on public.agent_steps
    referencing new table as added old table as removed for each statement
    execute function app.update_run_statistics();
$triggers$);

-- A step is known by its span; a list and a reference want one id.
create or replace function app.step_id(step public.agent_steps) returns uuid language sql immutable as $$
  select md5(step.trace_id || step.span_id)::uuid
$$;

-- A step as it is listed; null is what is not known of it. A tree has thousands: json takes half the time of jsonb,
-- which sorts the keys of each.
create or replace function app.step_brief(step public.agent_steps) returns json language sql stable as $$
  select json_build_object('id', app.step_id(step), 'span_id', step.span_id, 'parent_span_id', step.parent_span_id,
    'kind', step.kind, 'name', step.name, 'tool_type', step.tool_type, 'status', step.status,
    'started_at', step.started_at, 'completed_at', step.completed_at, 'duration_ms', step.duration_ms,
    'waited_ms', step.waited_ms, 'model', step.model, 'tokens_in', step.tokens_in, 'tokens_out', step.tokens_out,
    'tokens_cached', step.tokens_cached, 'tokens_cache_written', step.tokens_cache_written, 'cost_usd', step.cost_usd,
    'tool_call_id', step.tool_call_id, 'error', step.error, 'content', step.content)
$$;

-- list_steps(run, cursor?, page_size) -> {run, agent, steps, ended, next_cursor, files}: what a run did, oldest first,
-- the tree by parent_span_id. `files` hold its steps once they are old. What there is not is null.
create or replace function public.list_steps(
  run text,
  cursor text default null,
  page_size integer default 500,
  actor jsonb default '{}'
)
  returns json
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_size integer := app.page_size(page_size, 2000);
  v_question text := concat_ws(' ', 'steps', v_run.id);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_steps json[] := array(
    select app.step_brief(s)
    from public.agent_steps s
    where s.tenant_id = v_run.tenant_id and s.run_id = v_run.id and s.run_created_at = v_run.created_at
      and (v_after is null
        or (s.started_at, app.step_id(s)) > ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by s.started_at, app.step_id(s) limit v_size + 1);
begin
  return json_build_object('run', v_run.id, 'agent', v_run.agent_name, 'ended', v_run.ended_at is not null,
    'files', app.step_files(v_run),
    'next_cursor', case when cardinality(v_steps) > v_size then app.encode_cursor(jsonb_build_object('of', v_question,
      'id', v_steps[v_size] -> 'id', 'at', v_steps[v_size] -> 'started_at')) end,
    'steps', array_to_json(v_steps[:v_size]));
end
$$;

-- get_run(run) -> the run as list_runs has it, with {usage: [{model, requests, tokens_in, tokens_out, tokens_cached,
-- tokens_cache_written, cost_usd, tokens_unpriced}], cost_usd?, waited_ms?, steps_count?}.
create or replace function public.get_run(run text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_agent public.agents;
  v_used jsonb;
begin
  select * into v_agent from public.agents a where a.tenant_id = v_run.tenant_id and a.id = v_run.agent_id;
  select jsonb_build_object(
      'usage', coalesce(jsonb_agg(to_jsonb(g) order by g.cost_usd desc, g.model), '[]'), 'cost_usd', sum(g.cost_usd))
    into v_used
    from (
      select u.model, sum(u.requests) as requests, sum(u.tokens_in) as tokens_in, sum(u.tokens_out) as tokens_out,
        sum(u.tokens_cached) as tokens_cached, sum(u.tokens_cache_written) as tokens_cache_written,
        sum(u.tokens_unpriced) as tokens_unpriced, sum(u.cost_usd) as cost_usd
      from public.run_usage u
      where u.tenant_id = v_run.tenant_id and u.run_id = v_run.id
      group by u.model) g;
  return app.run_brief(v_run, v_agent, app.now()) || jsonb_strip_nulls(v_used || jsonb_build_object(
    'steps_count', v_run.steps_count, 'waited_ms', (v_run.metrics ->> 'waited_ms')::numeric));
end
$$;

-- The files that hold the steps of a run, in the order of their records.
create or replace function app.step_files(run public.agent_runs)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(jsonb_build_object('records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256)
    order by a.part)
  from app.record_archives a
  join app.record_tables r on r.table_name = a.table_name
  where a.tenant_id = run.tenant_id and a.table_name = 'agent_steps'
    and a.starts_at = app.period_start(run.created_at, 'month') and app.is_in_files(r, a.starts_at, a.tenant_id)
$$;

-- What runs used and what that cost.

-- What the runs of a workspace, of a project or one of them used between two days of UTC, by model and day. Of a run
-- whose requests nobody reported there is what its runner counted.
create or replace function app.usage_between(tenant_id uuid, since date, until date, project_id uuid, run_id uuid)
  returns setof public.run_usage
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  -- One run is found by its key, all of them by the day.
  with used as (
    select u.* from public.run_usage u where u.tenant_id = $1 and u.run_id = $5 and u.day between $2 and $3
    union all
    select u.* from public.run_usage u where $5 is null and u.tenant_id = $1 and u.day between $2 and $3
  ), runs as (
    select r.* from public.agent_runs r where r.tenant_id = $1 and r.id = $5
    union all
    select r.* from public.agent_runs r
    where $5 is null and r.tenant_id = $1 and r.created_at >= $2::timestamp at time zone 'UTC' - interval '30 days'
  )
  select u.* from used u where $4 is null or u.project_id = $4
  union all
  select r.tenant_id, r.id, 'not told', (r.started_at at time zone 'UTC')::date, r.project_id, 0,
    coalesce(r.tokens_in, 0), coalesce(r.tokens_out, 0), 0, 0, 0, coalesce(r.tokens_in, 0) + coalesce(r.tokens_out, 0)
  from runs r
  where (r.started_at at time zone 'UTC')::date between $2 and $3 and r.tokens_in + r.tokens_out > 0
    and ($4 is null or r.project_id = $4)
    and not exists (select from public.run_usage u where u.tenant_id = r.tenant_id and u.run_id = r.id)
$$;

-- What the steps that are not in files say that runs used.
create or replace function app.counted_usage(tenant_id uuid)
  returns setof public.run_usage
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select u.tenant_id, u.run_id, u.model, u.day, u.project_id, sum(u.requests)::integer, sum(u.tokens_in)::bigint,
    sum(u.tokens_out)::bigint, sum(u.tokens_cached)::bigint, sum(u.tokens_cache_written)::bigint, sum(u.cost_usd),
    sum(u.tokens_unpriced)::bigint
  from app.months_of_steps($1) m
  join public.agent_steps s on s.tenant_id = $1 and s.run_created_at >= m.starts_at and s.run_created_at < m.ends_at
  cross join app.usage_of(s, 1) u
  where s.kind = 'llm_prompt'
  group by 1, 2, 3, 4, 5
$$;

-- Lists where the rows of use and the steps say different things.
create or replace function app.miscounted_usage(tenant_id uuid)
  returns table (live jsonb, log jsonb)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with kept as (
    select u.*
    from app.months_of_steps($1) m
    join public.agent_runs r on r.tenant_id = $1 and r.created_at >= m.starts_at and r.created_at < m.ends_at
    join public.run_usage u on u.tenant_id = r.tenant_id and u.run_id = r.id)
  select to_jsonb(k), to_jsonb(c)
  from kept k
  full join app.counted_usage($1) c on c.run_id = k.run_id and c.model = k.model and c.day = k.day
  where to_jsonb(k) is distinct from to_jsonb(c)
$$;

create or replace function app.rebuild_usage(tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.run_usage u
    using app.miscounted_usage($1) m
    where u.tenant_id = $1 and u.run_id = (m.live ->> 'run_id')::uuid and u.model = m.live ->> 'model'
      and u.day = (m.live ->> 'day')::date;
  insert into public.run_usage
    select c.* from app.counted_usage($1) c
    on conflict on constraint run_usage_pkey do nothing;
end
$$;

-- What a run is counted under in a list of costs.
create or replace function app.cost_key(by text, run public.agent_runs, used public.run_usage)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case by
    when 'run' then run.id::text
    when 'command' then run.command_id::text
    when 'task' then (select t.ref from public.tasks t where t.tenant_id = run.tenant_id and t.id = run.task_id)
    when 'agent' then run.agent_name
    when 'model' then used.model
    when 'day' then used.day::text end
$$;

-- What a row of used tokens adds up to, by key and in all. A run waited once, whatever models and days it is counted
-- under: by these only the total says how long.
create or replace function app.costs_between(
  by text,
  tenant_id uuid,
  since date,
  until date,
  project_id uuid,
  agent_id uuid,
  run_id uuid
)
  returns table (key text, is_total boolean, runs bigint, requests bigint, tokens_in numeric, tokens_out numeric,
    tokens_cached numeric, tokens_cache_written numeric, tokens_unpriced numeric, cost_usd numeric, waited_ms numeric)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with used as (
    select app.cost_key($1, r, u) as key, u.*, (r.metrics ->> 'waited_ms')::numeric as waited_ms
    from app.usage_between($2, $3, $4, $5, $7) u
    join public.agent_runs r on r.tenant_id = u.tenant_id and r.id = u.run_id
    where $6 is null or r.agent_id = $6
  ), waits as (
    select w.key, grouping(w.key) = 1 as is_total, sum(w.waited_ms) as waited_ms
    from (select distinct on (u.run_id) u.key, u.waited_ms from used u order by u.run_id) w
    group by grouping sets ((1), ())
  ), sums as (
    select s.key, grouping(s.key) = 1 as is_total, count(distinct s.run_id) as runs, sum(s.requests) as requests,
      sum(s.tokens_in) as tokens_in, sum(s.tokens_out) as tokens_out, sum(s.tokens_cached) as tokens_cached,
      sum(s.tokens_cache_written) as tokens_cache_written, sum(s.tokens_unpriced) as tokens_unpriced,
      sum(s.cost_usd) as cost_usd
    from used s
    group by grouping sets ((1), ())
  )
  select s.*, case when s.is_total or $1 not in ('model', 'day') then w.waited_ms end
  from sums s
  left join waits w on w.is_total = s.is_total and w.key is not distinct from s.key
$$;

-- list_costs(by run|command|task|agent|model|day, since?, until?, project?, agent?, run?, page_size) -> {costs: [{key,
-- runs, requests, tokens_in, tokens_out, tokens_cached, tokens_cache_written, tokens_unpriced, cost_usd, waited_ms}],
-- not_listed, total, since, until}: what runs used, dearest first, in the last 30 days or between two days of UTC. Each
-- request is counted once, in the run that made it; cost_usd is of the tokens whose model has a price; waited_ms is
-- null by model and day. A key is null for runs without one. `not_listed` says how many more there are.
create or replace function public.list_costs(
  by text default 'agent',
  since date default null,
  until date default null,
  project text default null,
  agent text default null,
  run text default null,
  page_size integer default 50,
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
  v_actor app.actor := app.authenticate(actor);
  v_size integer := app.page_size(page_size, 500);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_agent uuid := case when agent is not null then (app.find_agent(agent, v_actor)).id end;
  v_run uuid := case when run is not null then (app.find_run(run, v_actor)).id end;
  v_until date := coalesce(until, (app.now() at time zone 'UTC')::date);
  v_since date := coalesce(since, v_until - 29);
begin
  perform app.check_form('by', by in ('run', 'command', 'task', 'agent', 'model', 'day'),
    'run, command, task, agent, model or day');
  perform app.check_form('since', v_since between v_until - 366 and v_until, 'a day of the year before until');
  return (
    select jsonb_build_object('since', v_since, 'until', v_until,
      'total', jsonb_agg(jsonb_strip_nulls(to_jsonb(c) - '{key,is_total,place}'::text[]))
        filter (where c.is_total) -> 0,
      'costs', coalesce(jsonb_agg(to_jsonb(c) - '{is_total,place}'::text[] order by c.place)
        filter (where not c.is_total and c.place <= v_size), '[]'),
      'not_listed', greatest(count(*) filter (where not c.is_total) - v_size, 0))
    from (
      select s.*, row_number() over (partition by s.is_total order by s.cost_usd desc, s.tokens_in desc, s.key) as place
      from app.costs_between(by, v_actor.tenant_id, v_since, v_until, v_project, v_agent, v_run) s) c);
end
$$;

-- Approvals: what an agent asks a person before it goes on. Nobody's answer in time is a no.

-- How an approval is now: whoever looks sees at once that its time is over.
create or replace function app.approval_state(approval public.approvals, at timestamptz)
  returns text
  language sql
  immutable
as $$
  select case when approval.status = 'pending' and approval.expires_at <= at then 'expired' else approval.status end
$$;

-- What an agent asks while it has one run is asked for that.
create or replace function app.prepare_approval(event public.events, actor app.actor)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run uuid;
begin
  if event.event_type = 'approval.requested' and event.causation_id is null and not event.payload ? 'run'
      and actor.agent is not null then
    v_run := (app.own_active_run(actor)).id;
  end if;
  return event.payload || jsonb_strip_nulls(jsonb_build_object('run', v_run));
end
$$;

create or replace function app.guard_approval(approval public.approvals, event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_state constant text := app.approval_state(approval, event.created_at);
begin
  if event.event_type = 'approval.requested' then
    if event.causation_id is null and event.payload ->> 'kind' = 'task' then
      perform app.fail('invalid_input', 'A review is asked for by submitting the task.',
        jsonb_build_object('field', 'kind'), 'The task''s holder submits it by completing it.');
    elsif event.payload ->> 'kind' <> 'task' and not event.payload ? 'ttl_seconds' then
      perform app.fail('invalid_input', 'ttl_seconds is missing: nobody''s answer by then is a no.',
        jsonb_build_object('field', 'ttl_seconds'));
    elsif event.payload ? 'run' and not exists (
        select from public.agent_runs r
        join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
        where r.tenant_id = event.tenant_id and r.id = app.as_uuid(event.payload ->> 'run')
          and a.user_id = event.user_id) then
      perform app.fail('not_found', 'A question is asked for a run of an agent of yours, or for none.', null,
        'list_runs shows the ids.');
    elsif (
        select count(*)
        from (
          select from public.approvals a
          where a.tenant_id = event.tenant_id and a.status = 'pending' and a.expires_at > event.created_at
          limit 500) p) = 500 then
      perform app.fail('rate_limited', '500 questions of agents wait for a person in this workspace.', null,
        'Wait until some are answered: `cairn approvals` lists them.');
    end if;
  elsif v_state <> (case event.event_type when 'approval.expired' then 'expired' else 'pending' end) then
    perform app.fail('illegal_transition', case v_state
      when 'pending' then format('"%s" still waits for an answer.', left(approval.title, 200))
      when 'expired' then format('"%s" was not answered in time.', left(approval.title, 200))
      when 'withdrawn' then format('"%s" is not asked any more.', left(approval.title, 200))
      else format('"%s" was %s by %s.', left(approval.title, 200), v_state, approval.decided_by) end, null,
      'list_approvals shows what waits for a person.');
  elsif event.event_type = 'approval.decided' and approval.kind = 'task' then
    perform app.check_reviewer(approval, event);
  elsif event.event_type = 'approval.decided' then
    perform app.refuse_agent(actor, 'An answer is given', 'cairn approvals');
    perform app.check_owner(approval.user_id, actor, format('The question "%s"', left(approval.title, 200)));
    if approval.kind = 'question' and event.payload ->> 'decision' = 'approved' and not event.payload ? 'answer' then
      perform app.fail('invalid_input', format('"%s" is a question: it takes an answer.', left(approval.title, 200)),
        jsonb_build_object('field', 'answer'), coalesce('One of: ' || array_to_string(approval.options, ', ') || '.',
          'Answer it in words.'));
    end if;
  elsif event.event_type = 'approval.withdrawn' and event.causation_id is null then
    perform app.check_owner(approval.user_id, actor, format('The question "%s"', left(approval.title, 200)));
  end if;
end
$$;

create or replace function app.evolve_approval(approval public.approvals, event public.events)
  returns public.approvals
  language plpgsql
  immutable
as $$
begin
  if event.event_type = 'approval.requested' then
    approval := jsonb_populate_record(approval, app.begin_row(event) || '{"status": "pending"}');
    approval.run_id := app.as_uuid(event.payload ->> 'run');
    approval.asked_by := app.actor_name(event);
    approval.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
  else
    approval.status := coalesce(event.payload ->> 'decision', split_part(event.event_type, '.', 2));
    approval.answer := event.payload ->> 'answer';
    approval.note := event.payload ->> 'note';
    approval.decided_by := app.actor_name(event);
    approval.decided_at := event.created_at;
  end if;
  approval.updated_at := event.created_at;
  approval.version := event.version;
  return approval;
end
$$;

create or replace function app.approval_full(approval public.approvals)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_state constant text := app.approval_state(approval, app.now());
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', approval.id,
    'kind', approval.kind,
    'title', approval.title,
    'options', to_jsonb(approval.options),
    'state', v_state,
    'asked_by', approval.asked_by,
    'asked_of', approval.asked_of,
    'project', (select p.slug from public.projects p
      where p.tenant_id = approval.tenant_id and p.id = approval.project_id),
    'task', (select t.ref from public.tasks t where t.tenant_id = approval.tenant_id and t.id = approval.task_id),
    'run', approval.run_id,
    'command', (select r.command_id from public.agent_runs r
      where r.tenant_id = approval.tenant_id and r.id = approval.run_id),
    'expires_at', approval.expires_at,
    'decided_by', case when v_state in ('approved', 'denied') then approval.decided_by end,
    'decided_at', approval.decided_at,
    'answer', approval.answer,
    'note', approval.note,
    'created_at', approval.created_at))
    -- What an agent shows may have nulls of its own.
    || case when approval.detail is null then '{}' else jsonb_build_object('detail', approval.detail) end;
end
$$;

-- Lists what follows from an event for approvals and the runs that wait for them: a run that asks opens one, its answer
-- lets the run go on, also one that is there when it is asked again; what the end of a run, or one that goes on by
-- itself, leaves open is not asked any more.
create or replace function app.follow_approvals(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ask constant jsonb := event.payload -> 'ask';
begin
  if event.event_type = 'run.waiting' and v_ask is not null and not exists (
      select from public.approvals a
      where a.tenant_id = event.tenant_id and a.id = app.as_uuid(v_ask ->> 'id')) then
    return array[jsonb_build_object('stream', concat('approval:', v_ask ->> 'id'), 'type', 'approval.requested',
      'data', jsonb_strip_nulls(jsonb_build_object('kind', v_ask -> 'kind', 'title', v_ask -> 'title',
        'options', v_ask -> 'options', 'ttl_seconds', v_ask -> 'ttl_seconds', 'run', app.stream_id(event.stream),
        'project', event.project_id, 'task', event.task_id))
        -- What an agent shows may have nulls of its own.
        || case when v_ask ? 'detail' then jsonb_build_object('detail', v_ask -> 'detail') else '{}' end)];
  elsif event.event_type in ('run.finished', 'run.requeued')
      or event.event_type = 'run.resumed' and event.causation_id is null then
    return array(
      select jsonb_build_object('stream', 'approval:' || a.id, 'type', case
        when a.expires_at <= event.created_at then 'approval.expired' else 'approval.withdrawn' end, 'verb', true)
      from public.approvals a
      where a.tenant_id = event.tenant_id and a.run_id = app.stream_id(event.stream) and a.status = 'pending'
      order by a.id);
  elsif event.event_type in ('approval.decided', 'approval.expired', 'approval.withdrawn')
      -- A runner asks again what it does not know to be taken: the answer may be there already.
      or event.event_type = 'run.waiting' and v_ask is not null then
    return array(
      select jsonb_build_object('stream', 'run:' || r.id, 'type', 'run.resumed', 'verb', true)
      from public.approvals a
      join public.agent_runs r on r.tenant_id = a.tenant_id and r.id = a.run_id
      where a.tenant_id = event.tenant_id
        and a.id = coalesce(app.as_uuid(v_ask ->> 'id'), app.stream_id(event.stream))
        and r.status in ('waiting_input', 'waiting_approval')
        and not exists (
          select from public.approvals o
          where o.tenant_id = a.tenant_id and o.run_id = a.run_id and o.status = 'pending'));
  end if;
  return '{}';
end
$$;

-- Finds an approval by its id, or as the review of a task by the task's ref or id. Raises not_found.
create or replace function app.find_approval(ref text, actor app.actor)
  returns public.approvals
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := app.as_uuid(ref);
  v_approval public.approvals;
begin
  if v_id is null and ref ~ '-[0-9]{1,9}$' then
    v_approval := app.open_review(actor.tenant_id, app.find_task_id(ref, actor.tenant_id));
  else
    select * into v_approval from public.approvals a where a.tenant_id = actor.tenant_id and a.id = v_id;
    if not found then
      v_approval := app.open_review(actor.tenant_id, v_id);
    end if;
  end if;
  if v_approval.id is null then
    perform app.fail('not_found', case when v_id is null then format('%s waits for no review.', left(ref, 80))
      else format('There is no question %s in this workspace.', left(ref, 80)) end, null,
      'list_approvals shows what waits, with ids.');
  end if;
  return v_approval;
end
$$;

-- The same, locked behind its run or the task that is reviewed, as everywhere.
create or replace function app.lock_approval(ref text, actor app.actor)
  returns public.approvals
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_approval public.approvals := app.find_approval(ref, actor);
begin
  perform from public.agent_runs r
    where r.tenant_id = v_approval.tenant_id and r.id = v_approval.run_id for no key update;
  if v_approval.kind = 'task' then
    perform from public.tasks t
      where t.tenant_id = v_approval.tenant_id and t.id = v_approval.task_id for no key update;
  end if;
  select * into v_approval from public.approvals a
    where a.tenant_id = v_approval.tenant_id and a.id = v_approval.id for no key update;
  return v_approval;
end
$$;

-- decide_approval(approval, decision approved|denied, answer?, note?) -> the approval: a person's answer to an agent.
-- The same answer again changes nothing. Raises not_found, forbidden, illegal_transition.
create or replace function public.decide_approval(
  approval text,
  decision text,
  answer text default null,
  note text default null,
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
  v_actor app.actor := app.authenticate(actor, 'member');
  v_approval public.approvals := app.lock_approval(approval, v_actor);
begin
  if v_approval.status = decision and v_approval.answer is not distinct from answer
      and v_approval.decided_by = app.actor_name(v_actor) then
    return app.approval_full(v_approval);
  end if;
  return app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'approval:' || v_approval.id,
    'type', 'approval.decided', 'verb', true, 'data',
    jsonb_strip_nulls(jsonb_build_object('decision', decision, 'answer', answer, 'note', note)))), v_actor)
    -> 'events' -> 0 -> 'state';
end
$$;

-- Records, for runs of an agent or all, what was not answered in time: at most 200.
create or replace function app.expire_approvals(actor app.actor, runs uuid[], at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_late uuid[] := array(
    select a.id from public.approvals a
    where a.tenant_id = actor.tenant_id and a.status = 'pending' and a.expires_at <= at
      and (runs is null or a.run_id = any (runs))
    order by a.expires_at, a.id limit 200);
begin
  if v_late = '{}' then
    return;
  end if;
  perform from public.agent_runs r
    where r.tenant_id = actor.tenant_id and r.id in (
      select a.run_id from public.approvals a where a.tenant_id = actor.tenant_id and a.id = any (v_late))
    order by r.id for no key update;
  v_late := array(
    select a.id from public.approvals a
    left join public.projects p on p.tenant_id = a.tenant_id and p.id = a.project_id
    where a.tenant_id = actor.tenant_id and a.id = any (v_late) and a.status = 'pending' and p.archived_at is null
    order by a.id for no key update of a);
  if v_late <> '{}' then
    perform app.append_checked((
      select jsonb_agg(jsonb_build_object('stream', 'approval:' || l, 'type', 'approval.expired', 'verb', true))
      from unnest(v_late) l), actor);
  end if;
end
$$;

-- What became of the questions that a runner says are open of its run; those that wait are left out.
create or replace function app.answers_to(run public.agent_runs, asks jsonb, at timestamptz)
  returns jsonb
  language sql
  stable
as $$
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('ask', a.id, 'decision', app.approval_state(a, at),
    'answer', a.answer, 'note', a.note, 'by', case when a.status in ('approved', 'denied') then a.decided_by end)))
  from public.approvals a
  where a.tenant_id = run.tenant_id and a.run_id = run.id
    and a.id in (select app.as_uuid(x) from jsonb_array_elements_text(asks) x)
    and app.approval_state(a, at) <> 'pending'
$$;

-- get_approval(approval) -> the approval. Raises not_found.
create or replace function public.get_approval(approval text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return app.approval_full(app.find_approval(approval, v_actor));
end
$$;

-- list_approvals(project?, include_decided, cursor?, page_size) -> {approvals, next_cursor?}, the latest first: those
-- that wait for a person, or all. Nobody can answer in an archived project.
create or replace function public.list_approvals(
  project text default null,
  include_decided boolean default false,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'approvals', v_project, include_decided);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_now timestamptz := app.now();
  v_found jsonb[];
begin
  if include_decided then
    v_found := array(
      select app.approval_full(a)
      from public.approvals a
      where a.tenant_id = v_actor.tenant_id
        and (v_project is null or a.project_id = v_project)
        and (v_after is null or (a.created_at, a.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by a.created_at desc, a.id desc limit v_size + 1);
  else
    v_found := array(
      select app.approval_full(a)
      from public.approvals a
      left join public.projects p on p.tenant_id = a.tenant_id and p.id = a.project_id
      where a.tenant_id = v_actor.tenant_id and a.status = 'pending' and (a.expires_at <= v_now) is not true
        and p.archived_at is null
        and (v_project is null or a.project_id = v_project)
        and (v_after is null or (a.created_at, a.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by a.created_at desc, a.id desc limit v_size + 1);
  end if;
  return app.build_page('approvals', v_found, v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('approval', 'approvals', searched => false, triggering => false);

-- Agents without a runner: their hooks and their tools call in now and then, and take what waits.

-- Finds or registers the agent that calls in, under its own name, and locks it. One that has hooks stays so when its
-- tools ask. Raises forbidden, already_exists, lock_held while a runner drives it.
create or replace function app.lock_caller(about jsonb, actor app.actor, at timestamptz)
  returns public.agents
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
  v_lease public.leases;
  v_change jsonb := about - '{name,project}'::text[];
  v_is_driven boolean;
  v_events jsonb := '[]';
begin
  if lower(about ->> 'name') is distinct from lower(actor.agent) then
    perform app.fail('forbidden', 'An agent takes its own commands alone.', null, 'Call in under your own name.');
  end if;
  -- Whoever is limited to a project works for it alone.
  about := about || jsonb_strip_nulls(jsonb_build_object('project', actor.project_id));
  v_agent := app.lock_agent_named(about ->> 'name', actor);
  if v_agent.id is null then
    v_agent.id := app.uuid_v7();
    perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.registered', 'data', about)) || app.retire_callers(actor, at), actor);
    perform app.ensure_settling(actor.tenant_id, at);
  elsif v_agent.user_id <> actor.user_id then
    perform app.fail('already_exists', format('The agent %s is another person''s.', v_agent.name),
      jsonb_build_object('field', 'name'), 'Choose another name with CAIRN_AGENT.');
  end if;
  select * into v_lease from public.leases l
    where l.tenant_id = actor.tenant_id and l.kind = 'agent' and l.id = v_agent.id and l.expires_at > at;
  v_is_driven := v_lease.token is not null and v_agent.driver is not null and not app.has_no_runner(v_agent);
  if v_lease.token is null then
    v_lease.tenant_id := actor.tenant_id;
    v_lease.kind := 'agent';
    v_lease.id := v_agent.id;
    v_lease.project_id := actor.project_id;
    v_lease.holder := app.actor_name(actor);
    v_lease.ttl_seconds := 45;
    v_lease := app.take_lease(v_lease, at);
  end if;
  if v_is_driven or v_lease.token is null then
    perform app.fail('lock_held', format('A runner drives %s.', about ->> 'name'), null,
      'Its commands come through its runner.');
  end if;
  perform app.extend_lease(actor.tenant_id, 'agent', v_agent.id, v_lease.token, at, actor.user_id);
  if v_agent.driver = 'hook' and v_change ->> 'driver' = 'pull' then
    v_change := v_change - '{driver,config}'::text[];
  elsif v_agent.driver is not null and not app.has_no_runner(v_agent) then
    v_events := app.settle_lost_runs(v_agent, '{}', at);
  end if;
  if v_agent.driver is not null and not to_jsonb(v_agent) @> v_change then
    v_events := v_events || jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.configured', 'data', v_change);
  end if;
  if v_events <> '[]' then
    perform app.append_checked(v_events, actor);
  end if;
  return v_agent;
end
$$;

-- Requests the end of agents that a person's sessions have left behind: their names are those of sessions.
create or replace function app.retire_callers(actor app.actor, at timestamptz)
  returns jsonb
  language sql
  stable
as $$
  select coalesce(jsonb_agg(jsonb_build_object('stream', 'agent:' || c.id, 'type', 'agent.retired') order by c.id),
    '[]')
  from (
    select a.id
    from public.agents a
    left join public.projects p on p.tenant_id = a.tenant_id and p.id = a.project_id
    where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and a.retired_at is null
      and app.has_no_runner(a) and a.driver <> 'otlp' and a.seen_at < at - interval '1 day' and p.archived_at is null
    order by a.id limit 10) c
$$;

-- Requests the end of runs whose turn has ended, or that are to end, and locks their commands, as everywhere.
create or replace function app.end_caller_runs(agent public.agents, turn jsonb)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_stop constant text := app.stop_reason(agent);
begin
  perform from public.commands c
    where c.tenant_id = agent.tenant_id and c.id in (
      select r.command_id from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r))
    order by c.id for no key update;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'run:' || r.id, 'verb', true, 'type', 'run.finished', 'data',
      case
        when r.interrupt_requested then app.interrupted_end(r)
        when v_stop is not null then jsonb_build_object('status', 'cancelled', 'end_reason', 'emergency_stop',
          'error', 'Stopped: ' || v_stop)
        else turn end) order by r.id), '[]')
    from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r) and r.delivered_at is not null
      and (turn is not null or r.interrupt_requested or v_stop is not null));
end
$$;

-- Finds a run that the caller has: `any_of_them`, or only one whose text it was not told in five seconds, because the
-- process that took it was cut off.
create or replace function app.held_by_caller(agent public.agents, any_of_them boolean, at timestamptz)
  returns public.agent_runs
  language sql
  stable
as $$
  select r.*
  from public.agent_runs r
  where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r)
    and (any_of_them or r.delivered_at is null and r.updated_at < at - interval '5 seconds')
  order by r.priority desc, r.created_at, r.id limit 1
$$;

create or replace function app.check_call(agent jsonb, asked jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.check_form('agent', jsonb_typeof(agent) = 'object' and jsonb_typeof(agent -> 'name') = 'string'
    and agent ->> 'driver' in ('hook', 'pull'), 'an object with a name, and a driver: hook or pull');
  perform app.check_form('asked', jsonb_typeof(asked) = 'object' and (not asked ? 'takes'
    or asked ->> 'takes' in ('nothing', 'joining', 'next')), 'an object whose takes is nothing, joining or next');
  perform app.check_form('turn', not asked ? 'turn' or jsonb_typeof(asked -> 'turn') = 'object', 'an object');
end
$$;

-- call_in(agent {name, type, driver hook|pull, host_machine?, config?, project?}, asked {takes nothing|joining|next,
-- turn? {status, end_reason, result?}, again?, idle?}) -> {run, command, lock_token, deliver}, {interrupt: why} or
-- {nothing: why}: a sign of life of an agent without a runner. `turn` says that its turn has ended, and its runs with
-- it; `again` gives what it has not ended. Raises forbidden, lock_held, already_exists.
create or replace function public.call_in(agent jsonb, asked jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_now timestamptz := app.now();
  v_caller public.agents;
  v_takes constant text := coalesce(asked ->> 'takes', 'next');
  v_ended jsonb;
  v_run public.agent_runs;
begin
  perform app.check_call(agent, asked);
  v_caller := app.lock_caller(agent, v_actor, v_now);
  perform app.enter_connect(v_caller, v_caller.seen_at >= v_now - interval '15 minutes', v_actor);
  update public.agents a
    set status = 'online', seen_at = v_now, disconnected_at = null,
      connected_at = case when a.seen_at >= v_now - interval '15 minutes' then a.connected_at else v_now end,
      activity_state = case when asked -> 'idle' = 'true' then 'idle' else 'processing' end
    where a.tenant_id = v_actor.tenant_id and a.id = v_caller.id
    returning * into v_caller;
  v_ended := app.end_caller_runs(v_caller, asked -> 'turn');
  if v_ended <> '[]' then
    perform app.append_checked(v_ended, v_actor);
  end if;
  for v_run in
    select * from public.agent_runs r
    where r.tenant_id = v_caller.tenant_id and r.agent_id = v_caller.id and app.is_active(r) order by r.id
  loop
    perform app.extend_run(v_run, v_run.lock_token, v_actor.user_id, v_now);
  end loop;
  if v_ended @> '[{"data": {"status": "cancelled"}}]' and not asked ? 'turn' then
    return jsonb_build_object('interrupt', v_ended -> 0 -> 'data' -> 'error');
  elsif v_takes = 'nothing' then
    return '{"nothing": "nothing was asked for"}';
  end if;
  return app.give_to_caller(v_caller, v_takes, asked -> 'again' = 'true', v_actor, v_now);
end
$$;

-- The next run for an agent that calls in, with all that it needs, or why there is none.
create or replace function app.give_to_caller(
  agent public.agents,
  takes text,
  again boolean,
  actor app.actor,
  at timestamptz
)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs := app.held_by_caller(agent, coalesce(again, false), at);
  v_overdue jsonb;
begin
  if v_run.id is not null then
    return app.describe_started(v_run, agent) || '{"again": true}';
  end if;
  v_overdue := app.settle_lost_runs(agent, array(
    select r.id from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r)), at);
  if v_overdue <> '[]' then
    perform app.append_checked(v_overdue, actor);
  end if;
  v_run := app.next_run(agent, at, takes = 'joining');
  if v_run.id is null then
    return jsonb_build_object('nothing', coalesce(app.stop_reason(agent), 'nothing waits for it'));
  end if;
  update public.agents a set activity_state = 'processing'
    where a.tenant_id = agent.tenant_id and a.id = agent.id;
  return app.start_run(v_run, agent, actor, at);
end
$$;

-- Reviews: who checks a task before it counts as done. Its holder submits it, which opens an approval of kind `task`;
-- the answer completes the task, or returns it with words.

-- Tells whether a member of a workspace is called so.
create or replace function app.is_member_name(tenant_id uuid, name text) returns boolean language sql stable as $$
  select exists (
    select from public.memberships m
    join public.users u on u.id = m.user_id
    where m.tenant_id = is_member_name.tenant_id and lower(u.name) = lower(is_member_name.name))
$$;

-- Tells whether whoever acts may check what is asked of `asked_of`: a person of that name, without one an agent (codex:
-- all its sessions too), any person if it names nobody, and the workspace's owners and administrators always.
create or replace function app.may_review(event public.events, asked_of text)
  returns boolean
  language sql
  stable
as $$
  select case
    when event.actor ->> 'agent' is not null then lower(asked_of) in
      (lower(event.actor ->> 'agent'), lower(split_part(event.actor ->> 'agent', '#', 1)))
      and not app.is_member_name(event.tenant_id, asked_of)
    else asked_of is null or lower(asked_of) = lower(app.actor_name(event)) or exists (
      select from public.users u
      left join public.memberships m on m.tenant_id = event.tenant_id and m.user_id = u.id
      where u.id = event.user_id and (lower(u.name) = lower(asked_of) or app.role_rank(m.role) >= 3)) end is true
$$;

-- The session of an agent, for which its workers act: codex#7f3a of codex#7f3a/docs.
create or replace function app.session_name(agent text) returns text language sql immutable as $$
  select lower(split_part(agent, '/', 1))
$$;

-- Refuses the answer to a review by another than the one it is asked of, by who did the work, and changes without
-- words.
create or replace function app.check_reviewer(review public.approvals, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_asked_of constant text := case when review.asked_of is null then 'a person'
    else app.quoted_name(review.asked_of) end;
begin
  if app.session_name(event.actor ->> 'agent') = app.session_name(review.asked_by) then
    perform app.fail('forbidden', 'Whoever did the work does not check it.', null,
      format('It waits for %s.', v_asked_of));
  elsif not app.may_review(event, review.asked_of) then
    perform app.fail('forbidden', format('"%s" is answered by %s%s.', left(review.title, 200), v_asked_of,
        case when review.asked_of is null then ', not by an agent' end), null,
      'Leave it to them. A person may name another: cairn edit REF --reviewer NAME.');
  elsif event.payload ->> 'decision' = 'denied' and app.clean_name(event.payload ->> 'note', 2000) is null then
    perform app.fail('invalid_input', 'Say what is to be changed: the next holder reads it.',
      jsonb_build_object('field', 'note'));
  end if;
end
$$;

-- The review that a task waits for, if any.
create or replace function app.open_review(tenant_id uuid, task_id uuid)
  returns public.approvals
  language sql
  stable
as $$
  select a.* from public.approvals a
  where a.tenant_id = open_review.tenant_id and a.task_id = open_review.task_id and a.kind = 'task'
    and a.status = 'pending'
$$;

-- A command to the agent that did the work, if it takes commands of the person who wants changes: it goes on by itself.
-- An agent that checks needs no leave to send commands, so it sends none: its words are found with the next claim.
create or replace function app.ask_again(review public.approvals, task public.tasks, event public.events)
  returns jsonb[]
  language sql
  stable
as $$
  select array(
    select jsonb_build_object('stream', 'command:' || app.uuid_v7(), 'type', 'command.sent', 'data',
      jsonb_build_object('to', jsonb_build_array(a.id), 'task', task.id, 'content', left(
        format('Changes are asked for on %s, which you submitted: %s', task.ref, event.payload ->> 'note'), 16000)))
    from public.agents a
    where event.actor ->> 'agent' is null
      and a.tenant_id = event.tenant_id and lower(a.name) = lower(review.asked_by) and a.retired_at is null
      and app.takes_commands_of(a, event.user_id) and (a.project_id is null or a.project_id = event.project_id))
$$;

-- Lists what follows from an event for reviews. A task that leaves its review in another way is not asked for any more.
create or replace function app.follow_reviews(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid;
  v_task public.tasks;
  v_review public.approvals;
  v_completed jsonb;
begin
  if event.event_type not in ('task.submitted', 'task.approved', 'task.unblocked',
      'task.completed', 'task.cancelled', 'approval.decided') then
    return '{}';
  end if;
  if event.event_type = 'approval.decided' then
    select * into v_review from public.approvals a
      where a.tenant_id = event.tenant_id and a.id = app.stream_id(event.stream);
  else
    v_review := app.open_review(event.tenant_id, event.task_id);
    -- Most tasks are never reviewed.
    if v_review.id is null and event.event_type <> 'task.submitted' then
      return '{}';
    end if;
  end if;
  v_id := coalesce(event.task_id, v_review.task_id);
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = v_id;
  if event.event_type = 'task.submitted' then
    return array[jsonb_build_object('stream', 'approval:' || app.uuid_v7(), 'type', 'approval.requested',
      'data', jsonb_strip_nulls(jsonb_build_object('kind', 'task', 'task', v_task.id, 'asked_of', v_task.reviewer,
        'title', left(format('Is %s done? %s', v_task.ref, v_task.title), 500),
        'detail', case when v_task.summary is not null then jsonb_build_object('summary', left(v_task.summary, 4000))
          end)))];
  end if;
  v_completed := jsonb_build_object('stream', 'task:' || v_task.id, 'type', 'task.completed', 'data',
    jsonb_strip_nulls(jsonb_build_object('summary', v_task.summary, 'evidence', v_task.evidence)));
  if event.event_type = 'approval.decided' then
    return case
      when v_review.kind <> 'task' or event.causation_id is not null then '{}'
      when v_review.status = 'denied' then array[jsonb_build_object('stream', 'task:' || v_task.id,
        'type', 'task.returned', 'data', jsonb_build_object('reason', event.payload -> 'note'))]
        || app.ask_again(v_review, v_task, event)
      -- A gate asks for the approval of a person: only theirs is on the task.
      when event.actor ->> 'agent' is not null then array[v_completed]
      else array[jsonb_build_object('stream', 'task:' || v_task.id, 'type', 'task.approved', 'data',
        jsonb_strip_nulls(jsonb_build_object('note', event.payload -> 'note'))), v_completed] end;
  end if;
  return case
    when event.event_type = 'task.approved' then array[jsonb_build_object('stream', 'approval:' || v_review.id,
      'type', 'approval.decided', 'verb', true, 'data', '{"decision": "approved"}'::jsonb), v_completed]
    else array[jsonb_build_object('stream', 'approval:' || v_review.id, 'type', 'approval.withdrawn')] end;
end
$$;

-- Reading events: lists, positions, archived ones too.

-- Describes an event on one line. Quotes stored text and escapes quotes within it: it is data, whoever wrote it.
create or replace function app.event_text(event public.events)
  returns text
  language sql
  stable
as $$
  select left(replace(split_part(event.event_type, '.', 2), '_', ' ')
    || coalesce(' ' || (event.payload ->> 'outcome'), '')
    || coalesce(' [' || (event.payload ->> 'kind') || ']', '')
    || coalesce(' ' || (event.payload ->> 'type'), '')
    || case when event.payload ? 'unproven'
      then ', unproven '
        || trim(both '[]' from jsonb_path_query_array(event.payload, '$.unproven[*] ? (@.type() == "number")')::text)
      else '' end
    || coalesce(': ' || to_json(regexp_replace(left(coalesce(
      event.payload ->> 'title',
      event.payload ->> 'text',
      event.payload ->> 'reason',
      event.payload ->> 'summary',
      event.payload ->> 'label',
      event.payload ->> 'name',
      event.payload ->> 'note',
      event.payload ->> 'topic'), 400), '\s+', ' ', 'g')), ''), 600)
$$;

-- Shows an event in today's shape, as lists do. Looks up only the importing user, so that a list of many costs one
-- query.
create or replace function app.event_brief(event public.events, task_ref text default null)
  returns jsonb
  language sql
  stable
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'seq', event.seq, 'id', event.id, 'at', event.created_at, 'type', event.event_type, 'by', app.actor_name(event),
    'task', task_ref, 'kind', event.payload ->> 'kind', 'text', app.event_text(event),
    'redacted', case when event.redacted_at is not null then true end,
    'cleaned', case when event.cleaned_hash is not null then true end,
    'imported_by', case when event.imported_by is not null
      then coalesce(app.user_name(event.imported_by), event.imported_by::text) end,
    'imported_at', event.imported_at))
$$;

-- Lists questions among the latest 300 notes that none of them answers.
create or replace function app.open_questions(
  tenant_id uuid,
  project_id uuid,
  task_id uuid,
  before_seq bigint,
  size integer
)
  returns setof public.events
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_seqs bigint[];
begin
  if open_questions.task_id is not null then
    v_seqs := array(select u.seq from app.unanswered u
      where u.tenant_id = open_questions.tenant_id and u.task_id = open_questions.task_id and u.seq < before_seq
      order by u.seq desc limit size);
  else
    v_seqs := array(select u.seq from app.unanswered u
      where u.tenant_id = open_questions.tenant_id and u.project_id = open_questions.project_id and u.seq < before_seq
      order by u.seq desc limit size);
  end if;
  return query select e.*
    from unnest(v_seqs) s (seq)
    cross join lateral (
      select x.* from public.events x
      where x.tenant_id = open_questions.tenant_id and x.seq = s.seq
      offset 0) e
    order by s.seq desc;
end
$$;

-- list_events(project?, task?, filters?, after_seq?, before_seq?, cursor?, page_size, archived?) -> {events,
-- next_cursor?, position}; or {archive} if the page reaches into the archive: the search to make there, whose whole
-- events to pass as `archived`. Newest first; oldest first with after_seq, so that a reader that follows positions
-- misses nothing and repeats nothing. Each has its project if the whole workspace is read. Filters: types[]
-- (task.completed, or task. for all of a category), kinds[] (of notes), include_data. Without project and task it reads
-- the whole workspace. Raises not_found, invalid_input.
create or replace function public.list_events(
  project text default null,
  task text default null,
  filters jsonb default '{}',
  after_seq bigint default null,
  before_seq bigint default null,
  cursor text default null,
  page_size integer default 20,
  archived jsonb default null,
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
  v_actor app.actor := app.authenticate(actor);
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'types', 'kinds', 'include_data');
  v_task uuid := case when task is not null then app.find_task_id(task, v_actor.tenant_id) end;
  v_everywhere boolean := task is null and project is null;
  v_project uuid := case
    when v_everywhere then v_actor.project_id
    when task is null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := md5(concat_ws(' ', v_task, v_project, v_filters, after_seq is not null));
  v_cursor bigint := app.decode_cursor(cursor, v_question) ->> 'seq';
  v_rising boolean := after_seq is not null;
  v_data boolean := coalesce((v_filters ->> 'include_data')::boolean, false);
  v_after bigint := case when v_rising then greatest(after_seq, v_cursor) else 0 end;
  v_before bigint := case when v_rising then before_seq else least(before_seq, v_cursor) end;
  v_found public.events[];
  v_position bigint;
  v_archived_to bigint;
begin
  -- One statement, so one snapshot: a reader that goes on from the position has seen all before it.
  select p.seq,
      p.archived_to,
      app.read_events(v_actor.tenant_id, v_project, v_task, v_filters, v_after, v_before, v_rising, v_size + 1)
    into v_position, v_archived_to, v_found
    from app.positions p
    where p.tenant_id = v_actor.tenant_id;
  if archived is not null then
    v_found := app.join_archived(v_found, archived, v_filters, v_actor.tenant_id, v_rising, v_size + 1);
  elsif v_after < v_archived_to and (v_rising or cardinality(v_found) <= v_size) then
    -- The page reaches into the archive: whoever has the files asks again with what they hold of it.
    return jsonb_build_object('archive', jsonb_build_object(
      'project_id', v_project,
      'task_id', v_task,
      'after', v_after,
      'before', least(v_before, v_archived_to + 1),
      'rising', v_rising,
      'size', v_size + 1));
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'position', v_position,
    'next_cursor', case when cardinality(v_found) > v_size
      then app.encode_cursor(jsonb_build_object('of', v_question, 'seq', (v_found[v_size]).seq)) end,
    'events', (
      select coalesce(jsonb_agg(app.event_brief(app.upcast_event(e),
          (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          || case when v_data then jsonb_build_object('data', (app.upcast_event(e)).payload) else '{}' end
          || case when v_everywhere
            then jsonb_build_object('project', (
              select p.slug from public.projects p
              where p.tenant_id = e.tenant_id and p.id = e.project_id))
            else '{}' end
        order by case when v_rising then e.seq else -e.seq end), '[]')
      from unnest(v_found[:v_size]) e)));
end
$$;

-- Joins events of the table and of the archive into one page.
create or replace function app.join_archived(
  recent public.events[],
  archived jsonb,
  filters jsonb,
  tenant_id uuid,
  rising boolean,
  size integer
)
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

-- get_position() -> {position}: the latest of the workspace, for callers who wait for it to grow.
create or replace function public.get_position(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return jsonb_build_object('position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id));
end
$$;

create or replace function app.event_passes(event_type text, payload jsonb, filters jsonb)
  returns boolean
  language sql
  immutable
as $$
  select (not filters ? 'kinds' or filters -> 'kinds' ? (payload ->> 'kind'))
    and (not filters ? 'types' or filters -> 'types' ?| array[event_type, split_part(event_type, '.', 1) || '.'])
$$;

-- Has one branch per subject and direction, so that each walks its own index from the position on.
create or replace function app.read_events(
  tenant_id uuid,
  project_id uuid,
  task_id uuid,
  filters jsonb,
  after_seq bigint,
  before_seq bigint,
  rising boolean,
  size integer
)
  returns public.events[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_before bigint := coalesce(before_seq, 9223372036854775807);
begin
  if read_events.task_id is not null then
    return case when rising
      then array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.task_id = read_events.task_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq limit size)
      else array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.task_id = read_events.task_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq desc limit size) end;
  elsif read_events.project_id is not null then
    return case when rising
      then array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.project_id = read_events.project_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq limit size)
      else array(
        select e from public.events e
        where e.tenant_id = read_events.tenant_id
          and e.project_id = read_events.project_id
          and e.seq > after_seq
          and e.seq < v_before
          and app.event_passes(e.event_type, e.payload, filters)
        order by e.seq desc limit size) end;
  end if;
  return case when rising
    then array(
      select e from public.events e
      where e.tenant_id = read_events.tenant_id
        and e.seq > after_seq
        and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters)
      order by e.seq limit size)
    else array(
      select e from public.events e
      where e.tenant_id = read_events.tenant_id
        and e.seq > after_seq
        and e.seq < v_before
        and app.event_passes(e.event_type, e.payload, filters)
      order by e.seq desc limit size) end;
end
$$;

-- Reads events in the form of an export or an archive, in order. The field is the argument that held them.
create or replace function app.read_events_given(field text, events jsonb)
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

create or replace function app.refuse_events(field text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.fail('invalid_input', format('%s must be a list of events as export_events returns them.', field),
    jsonb_build_object('field', field), 'Pass the events of an answer unchanged, in their order.');
end
$$;

-- Reports: what an investigation found, written in parts until it is complete.

-- What the items of each list of a report hold: {field: [kind, size, whether it is needed, values]}.
create or replace function app.report_items() returns jsonb language sql immutable as $$
  select '{
    "sections": {"title": ["line", 200, true], "content": ["said", 20000, true],
      "type": ["one_of", null, false, ["text", "code"]], "order": ["integer", 9999, false]},
    "findings": {"description": ["said", 4000, true],
      "severity": ["one_of", null, true, ["low", "medium", "high", "critical"]], "evidence": ["text[]", 20, false]},
    "recommendations": {"action": ["said", 2000, true],
      "priority": ["one_of", null, true, ["low", "medium", "high", "critical"]], "rationale": ["text", 4000, false]},
    "attachments": {"name": ["line", 200, true], "type": ["line", 100, false], "url": ["line", 2000, false],
      "content": ["said", 20000, false], "artifact": ["ref", 80, false]}
  }'::jsonb
$$;

-- Tells whether a list has only objects with these fields.
create or replace function app.are_items(items jsonb, fields jsonb) returns boolean language sql immutable as $$
  select not exists (
    select from jsonb_array_elements(items) i
    where case when jsonb_typeof(i) <> 'object' then true
      else i - array(select jsonb_object_keys(fields)) <> '{}'
        or exists (
          select from jsonb_each(fields) f
          where case when i ? f.key
            then not app.validate_field(i -> f.key, f.value ->> 0, (f.value ->> 1)::integer,
              array(select jsonb_array_elements_text(f.value -> 3)))
            else (f.value ->> 2)::boolean end) end)
$$;

-- Adds items to those there are: one with the same name takes the place of the earlier one.
create or replace function app.merge_items(earlier jsonb, added jsonb, name text)
  returns jsonb
  language sql
  immutable
as $$
  with old as (
    select o.item, o.at from jsonb_array_elements(earlier) with ordinality o (item, at)
  ), new as (
    select distinct on (n.item ->> name) n.item, n.at
    from jsonb_array_elements(added) with ordinality n (item, at)
    order by n.item ->> name, n.at desc
  )
  select coalesce(jsonb_agg(x.item order by x.is_new, x.at), '[]')
  from (
    select coalesce(n.item, o.item) as item, false as is_new, o.at
    from old o
    left join new n on n.item ->> name = o.item ->> name
    union all
    select n.item, true, n.at
    from new n
    where not exists (select from old o where o.item ->> name = n.item ->> name)) x
$$;

-- A report of an agent that does one run is of that run; it is for the run's command.
create or replace function app.prepare_report(event public.events, actor app.actor)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
begin
  if event.event_type <> 'report.saved' then
    return event.payload;
  end if;
  v_run := app.find_own_run(event.payload ->> 'run', actor);
  return event.payload
    || jsonb_strip_nulls(jsonb_build_object('run', v_run.id, 'command_id', v_run.command_id,
      'agent_id', v_run.agent_id));
end
$$;

create or replace function app.guard_report(
  report public.investigation_reports,
  event public.events,
  actor app.actor
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_next public.investigation_reports;
  v_excess text;
begin
  if report.id is not null then
    perform app.check_owner(report.user_id, actor, format('The report "%s"', left(report.title, 200)));
  end if;
  if report.completed_at is not null then
    perform app.fail('illegal_transition', format('The report "%s" is complete.', left(report.title, 200)), null,
      'Save what is new as another report: save_report without report.');
  elsif event.event_type = 'report.completed' and coalesce(report.summary, '') = '' then
    perform app.fail('illegal_transition', format('The report "%s" has no summary.', left(report.title, 200)),
      jsonb_build_object('field', 'summary'), 'Give it one: save_report with summary and complete.');
  end if;
  perform app.check_report_items(event.payload);
  if exists (
      select from jsonb_array_elements(event.payload -> 'attachments') a
      where a ? 'artifact' and not exists (
        select from public.artifacts x
        where x.tenant_id = event.tenant_id and x.id = app.as_uuid(a ->> 'artifact'))) then
    perform app.fail('not_found', 'An attachment names no artifact of this workspace.',
      jsonb_build_object('field', 'attachments'), 'get_task shows the ids of a task''s artifacts.');
  end if;
  v_next := app.evolve_report(report, event);
  select string_agg(format('%s %s', l.most, l.name), ', ') into v_excess
    from (values ('sections', 100), ('findings', 500), ('recommendations', 200)) l (name, most)
    where jsonb_array_length(v_next.content -> l.name) > l.most;
  if v_excess is not null or cardinality(v_next.attachments) > 50
      or octet_length(concat(v_next.content, array_to_string(v_next.attachments, ''))) > 1000000 then
    perform app.fail('invalid_input', format('A report has at most %s.',
        coalesce(v_excess, '50 attachments, and 1 MB in all')), null,
      'Shorten it, keep what is long as an artifact and attach that, or begin another report.');
  end if;
end
$$;

-- Refuses items that are none of a report's. Raises invalid_input.
create or replace function app.check_report_items(payload jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_list record;
begin
  for v_list in select f.key as name, f.value as fields, payload -> f.key as items
      from jsonb_each(app.report_items()) f where payload ? f.key loop
    perform app.check_form(v_list.name, app.are_items(v_list.items, v_list.fields),
      format('a list of {%s}', (
        select string_agg(n.key || case when (n.value ->> 2)::boolean then '' else '?' end, ', ')
        from jsonb_each(v_list.fields) n)));
  end loop;
  perform app.check_form('attachments', not exists (
      select from jsonb_array_elements(payload -> 'attachments') a
      where (a ? 'url')::integer + (a ? 'content')::integer + (a ? 'artifact')::integer <> 1
        or a ->> 'url' !~* '^https?://'),
    'each with a url of http or https, a content or an artifact');
end
$$;

create or replace function app.evolve_report(report public.investigation_reports, event public.events)
  returns public.investigation_reports
  language plpgsql
  immutable
as $$
declare
  v_parts constant jsonb := event.payload - 'attachments';
  v_is_anew constant boolean := coalesce((event.payload ->> 'replace')::boolean, false);
begin
  case event.event_type
    when 'report.saved' then
      report := jsonb_populate_record(report, app.begin_row(event) - 'attachments' || '{"status": "draft",
        "content": {"sections": [], "findings": [], "recommendations": [], "metadata": {}}}');
      report.run_id := app.as_uuid(event.payload ->> 'run');
      report.written_by := app.actor_name(event);
    when 'report.changed' then
      report := jsonb_populate_record(report, v_parts);
      report.status := 'in_progress';
      report.changed_by := nullif(app.actor_name(event), report.written_by);
    when 'report.completed' then
      report.status := 'complete';
      report.completed_at := event.created_at;
  end case;
  report.summary := nullif(report.summary, '');
  report.content := report.content || (
    select coalesce(jsonb_object_agg(l.name, app.merge_items(
        case when v_is_anew then '[]' else report.content -> l.name end, event.payload -> l.name, l.key)), '{}')
    from (values ('sections', 'title'), ('findings', 'description'), ('recommendations', 'action')) l (name, key)
    where event.payload ? l.name);
  if event.payload ? 'metadata' then
    report.content := jsonb_set(report.content, '{metadata}', event.payload -> 'metadata');
  end if;
  if event.payload ? 'attachments' then
    report.attachments := nullif(array(select jsonb_array_elements(app.merge_items(
      case when v_is_anew then '[]' else to_jsonb(coalesce(report.attachments, '{}')) end,
      event.payload -> 'attachments', 'name'))), '{}');
  end if;
  report.updated_at := event.created_at;
  report.version := event.version;
  return report;
end
$$;

-- The report of a command: the latest complete one, or else the latest.
create or replace function app.report_of(tenant_id uuid, command_id uuid)
  returns public.investigation_reports
  language sql
  stable
as $$
  select x.* from public.investigation_reports x
  where x.tenant_id = report_of.tenant_id and x.command_id = report_of.command_id
  order by x.completed_at desc nulls last, x.created_at desc, x.id desc limit 1
$$;

-- What lists show of a report, and the whole begins with.
create or replace function app.report_head(report public.investigation_reports, slug text)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', report.id,
    'project', slug,
    'command', report.command_id,
    'run', report.run_id,
    'agent', (select a.name from public.agents a where a.tenant_id = report.tenant_id and a.id = report.agent_id),
    'title', report.title,
    'summary', report.summary,
    'status', report.status,
    'is_latest', case when report.completed_at is not null
      then (app.report_of(report.tenant_id, report.command_id)).id = report.id end,
    'written_by', report.written_by,
    'changed_by', report.changed_by,
    'created_at', report.created_at,
    'updated_at', report.updated_at,
    'completed_at', report.completed_at));
end
$$;

create or replace function app.report_brief(report public.investigation_reports, slug text)
  returns jsonb
  language sql
  stable
as $$
  select app.report_head(report, slug)
    || jsonb_strip_nulls(jsonb_build_object('summary', left(report.summary, 300), 'findings', (
      select jsonb_object_agg(f.severity, f.count)
      from (
        select f ->> 'severity' as severity, count(*) from jsonb_array_elements(report.content -> 'findings') f
        where f ? 'severity' group by 1) f)))
$$;

-- Lists that are empty are left out.
create or replace function app.report_full(report public.investigation_reports, slug text)
  returns jsonb
  language sql
  stable
as $$
  select app.report_head(report, slug)
    || coalesce((
      select jsonb_object_agg(c.key, c.value)
      from jsonb_each(report.content) c
      where c.value not in ('[]', '{}')), '{}')
    || case when report.attachments is null then '{}'
      else jsonb_build_object('attachments', to_jsonb(report.attachments)) end
$$;

create or replace function app.report_text(report public.investigation_reports)
  returns text
  language sql
  stable
as $$
  select concat_ws(' ', report.title, report.summary, (
    select string_agg(t #>> '{}', ' ')
    from jsonb_path_query(report.content, '$.*[*].*') t
    where jsonb_typeof(t) = 'string'), (
    select string_agg(concat_ws(' ', a ->> 'name', a ->> 'content'), ' ') from unnest(report.attachments) a))
$$;

-- Shows a report that a search has found.
create or replace function app.found_report(report public.investigation_reports)
  returns jsonb
  language sql
  stable
as $$
  select jsonb_build_object(
    'title', report.title,
    'at', report.updated_at,
    'by', report.written_by,
    'body', app.report_text(report))
$$;

-- get_report(report?, command?) -> the report in full: that of an id, or that of a command, which is its latest
-- complete one; without both the latest of the workspace. Raises not_found.
create or replace function public.get_report(
  report text default null,
  command text default null,
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
  v_actor app.actor := app.authenticate(actor);
  v_report public.investigation_reports;
begin
  if report is not null then
    select * into v_report from public.investigation_reports x
      where x.tenant_id = v_actor.tenant_id and x.id = app.as_uuid(get_report.report);
  elsif command is not null then
    v_report := app.report_of(v_actor.tenant_id, (app.find_command(command, v_actor)).id);
  else
    select * into v_report from public.investigation_reports x
      where x.tenant_id = v_actor.tenant_id
      order by x.created_at desc, x.id desc limit 1;
  end if;
  if v_report.id is null then
    perform app.fail('not_found', case
      when report is not null then format('There is no report %s in this workspace.', left(report, 80))
      when command is not null then format('The command %s has no report.', left(command, 80))
      else 'There is no report yet.' end, null, 'search with kinds: ["report"] finds reports by their words.');
  end if;
  return app.report_full(v_report, (
    select p.slug from public.projects p where p.tenant_id = v_report.tenant_id and p.id = v_report.project_id));
end
$$;

-- list_reports(project?, agent?, command?, status?, severity?, cursor?, page_size) -> {reports, next_cursor?}, the
-- latest first; with a severity those that have a finding of it. Raises not_found.
create or replace function public.list_reports(
  project text default null,
  agent text default null,
  command text default null,
  status text default null,
  severity text default null,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_agent uuid := case when agent is not null then (app.find_agent(agent, v_actor)).id end;
  v_command uuid := case when command is not null then (app.find_command(command, v_actor)).id end;
  v_finding jsonb := case when severity is not null
    then jsonb_build_object('findings', jsonb_build_array(jsonb_build_object('severity', severity))) end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'reports', v_project, v_agent, v_command, status, severity);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('reports', array(
    select app.report_brief(x, p.slug)
    from public.investigation_reports x
    left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
    where x.tenant_id = v_actor.tenant_id
      and (v_project is null or x.project_id = v_project)
      and (v_agent is null or x.agent_id = v_agent)
      and (v_command is null or x.command_id = v_command)
      and (list_reports.status is null or x.status = list_reports.status)
      and (v_finding is null or x.content @> v_finding)
      and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by x.created_at desc, x.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('report', 'investigation_reports', kept => '{vector_embedding}');

-- Memory: what agents remember across runs, each under a key. A later one supersedes it, and both stay on the record.

-- One at a time for each key: of two, the second sees the first.
create or replace function app.lock_memory_key(tenant_id uuid, subject_id uuid, key text)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', tenant_id, 'memory', subject_id, lower(key)), 0))
$$;

-- The run, agent, project or workspace that a memory is for.
create or replace function app.memory_subject(event public.events) returns uuid language sql immutable as $$
  select case event.payload ->> 'scope'
    when 'run' then app.as_uuid(event.payload ->> 'run')
    when 'agent' then app.as_uuid(event.payload ->> 'agent_id')
    when 'project' then event.project_id
    else event.tenant_id end
$$;

-- The registered agent that the caller works as; null for none.
create or replace function app.own_agent(actor app.actor) returns uuid language sql stable as $$
  select a.id from public.agents a
  where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and lower(a.name) = lower(actor.agent)
    and a.retired_at is null
  order by a.created_at desc limit 1
$$;

create or replace function app.asks_approval(rules jsonb) returns boolean language sql immutable as $$
  select coalesce((rules -> 'memory' ->> 'approval')::boolean, false)
$$;

-- Adds what the database knows of a memory: its run, its agent, its source. It waits for a person where its project
-- asks for that, or where a person has said yes to another of its key.
create or replace function app.prepare_memory(event public.events, project public.projects, actor app.actor)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
begin
  if event.event_type <> 'memory.remembered' then
    return event.payload;
  end if;
  v_run := app.find_own_run(event.payload ->> 'run', actor);
  event.payload := event.payload - 'source' || jsonb_strip_nulls(jsonb_build_object('run', v_run.id,
    'agent_id', app.own_agent(actor), 'source_event_id', case when event.payload ? 'source'
      then (app.find_event(event.payload ->> 'source', actor)).id end));
  perform app.check_form('scope', app.memory_subject(event) is not null,
    case event.payload ->> 'scope' when 'run' then 'another: you do no run, and none is named'
      when 'agent' then 'another: you are registered with next_command or a runner alone'
      else 'of a project that is named' end);
  if event.payload ->> 'scope' = 'workspace' then
    perform app.refuse_limited(actor);
    perform app.check_form('project', event.project_id is null, 'left out for what the whole workspace remembers');
  end if;
  perform app.lock_memory_key(event.tenant_id, app.memory_subject(event), event.payload ->> 'key');
  return event.payload || jsonb_build_object('status', case
    when app.asks_approval(project.rules) or exists (
      select from app.same_memories(event.tenant_id, app.memory_subject(event), event.payload ->> 'key') x
      where x.status = 'approved' and x.superseded_by is null) then 'proposed'
    else 'noted' end);
end
$$;

create or replace function app.same_memories(tenant_id uuid, subject_id uuid, key text)
  returns setof public.agent_memory
  language sql
  stable
as $$
  select x.* from public.agent_memory x
  where x.tenant_id = same_memories.tenant_id and x.subject_id = same_memories.subject_id
    and lower(x.key) = lower(same_memories.key)
$$;

create or replace function app.guard_memory(memory public.agent_memory, event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_subject constant uuid := app.memory_subject(event);
begin
  if event.event_type = 'memory.remembered' then
    if (
        select count(*)
        from (
          select from public.agent_memory x
          where x.tenant_id = event.tenant_id and x.subject_id = v_subject
            and x.superseded_by is null and x.status in ('noted', 'proposed', 'approved')
            and lower(x.key) <> lower(event.payload ->> 'key')
          limit 1000) m) = 1000 then
      perform app.fail('rate_limited', format('1000 things are remembered for this %s already.',
        event.payload ->> 'scope'), null,
        'Remember it under a key that is there (recall shows them), or ask a person to forget some: cairn memory.');
    end if;
  elsif event.causation_id is null then
    perform app.refuse_agent(actor, 'What agents remember is decided', 'cairn memory');
    perform app.check_owner(memory.user_id, actor, format('The memory "%s"', left(memory.key, 200)));
    if memory.status in ('declined', 'forgotten') or memory.superseded_by is not null
          and event.event_type <> 'memory.forgotten'
        or event.event_type = 'memory.approved' and memory.status = 'approved'
        or event.event_type = 'memory.declined' and memory.status <> 'proposed' then
      perform app.fail('illegal_transition', format('The memory "%s" is %s.', left(memory.key, 200), case
        when memory.status not in ('declined', 'forgotten') and memory.superseded_by is not null then 'superseded'
        else memory.status end), null, '`cairn memory list --all` shows what there is.');
    end if;
  end if;
end
$$;

-- A redacted memory has a key of its own: others with the same blank are not of one key.
create or replace function app.evolve_memory(memory public.agent_memory, event public.events)
  returns public.agent_memory
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'memory.remembered' then
      memory := jsonb_populate_record(memory, '{"kind": "fact", "status": "noted"}' || app.begin_row(event));
      memory.key := case when event.redacted_at is null then memory.key else memory.id::text end;
      memory.run_id := app.as_uuid(event.payload ->> 'run');
      memory.subject_id := app.memory_subject(event);
      memory.confidence := coalesce(memory.confidence, case memory.kind when 'hypothesis' then 0.5 else 0.8 end);
      memory.noted_by := app.actor_name(event);
      memory.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
    when 'memory.superseded' then
      memory.superseded_by := app.as_uuid(event.payload ->> 'by');
    when 'memory.restored' then
      memory.superseded_by := null;
    when 'memory.approved', 'memory.declined', 'memory.forgotten' then
      memory.status := split_part(event.event_type, '.', 2);
      memory.decided_by := app.actor_name(event);
      memory.decided_at := event.created_at;
  end case;
  memory.updated_at := event.created_at;
  memory.version := event.version;
  return memory;
end
$$;

-- Lists what follows for other memories of the same key: a new one supersedes them, one that is only proposed no more
-- than other proposals; what is forgotten leaves its place to the latest before it.
create or replace function app.follow_memory(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_memory public.agent_memory;
begin
  if event.event_type not in ('memory.remembered', 'memory.approved', 'memory.forgotten') then
    return '{}';
  end if;
  select * into v_memory from public.agent_memory x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream);
  if event.event_type = 'memory.forgotten' then
    return array(
      select jsonb_build_object('stream', 'memory:' || x.id, 'type', 'memory.restored')
      from app.same_memories(event.tenant_id, v_memory.subject_id, v_memory.key) x
      where x.status in ('noted', 'approved') and x.superseded_by is not null and v_memory.superseded_by is null
        and not exists (
          select from app.same_memories(event.tenant_id, v_memory.subject_id, v_memory.key) y
          where y.status in ('noted', 'approved') and y.superseded_by is null)
      order by x.created_at desc, x.id desc limit 1);
  end if;
  return array(
    select jsonb_build_object('stream', 'memory:' || x.id, 'type', 'memory.superseded',
      'data', jsonb_build_object('by', v_memory.id))
    from app.same_memories(event.tenant_id, v_memory.subject_id, v_memory.key) x
    where x.id <> v_memory.id and x.superseded_by is null
      and x.status in ('noted', 'approved', 'proposed')
      and (v_memory.status <> 'proposed' or x.status = 'proposed')
    order by x.id);
end
$$;

create or replace function app.age_in_days(at timestamptz) returns integer language sql stable as $$
  select greatest(0, floor(extract(epoch from app.now() - at) / 86400))::integer
$$;

-- Shows a memory with its source, its age, and the one that it supersedes.
create or replace function app.memory_full(memory public.agent_memory)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', memory.id,
    'scope', memory.scope,
    'kind', memory.kind,
    'key', memory.key,
    'text', memory.text,
    'confidence', memory.confidence,
    'noted_by', memory.noted_by,
    'age_days', app.age_in_days(memory.created_at),
    'run', memory.run_id,
    'project', (select p.slug from public.projects p
      where p.tenant_id = memory.tenant_id and p.id = memory.project_id),
    'task', (select t.ref from public.tasks t where t.tenant_id = memory.tenant_id and t.id = memory.task_id),
    'source', (select e.seq from public.events e
      where e.tenant_id = memory.tenant_id and e.id = memory.source_event_id),
    'status', memory.status,
    'decided_by', memory.decided_by,
    'is_expired', case when memory.expires_at <= app.now() then true end,
    'superseded_by', memory.superseded_by,
    'supersedes', (
      select jsonb_build_object('id', x.id, 'text', left(x.text, 120), 'noted_by', x.noted_by,
        'age_days', app.age_in_days(x.created_at))
      from public.agent_memory x
      where x.tenant_id = memory.tenant_id and x.superseded_by = memory.id
        and x.status in ('noted', 'approved')
      order by x.created_at desc, x.id desc limit 1),
    'expires_at', memory.expires_at,
    'created_at', memory.created_at));
end
$$;

-- What a person has not said yes to, or has taken back, is not found.
create or replace function app.memory_text(memory public.agent_memory) returns text language sql stable as $$
  select case when memory.status in ('noted', 'approved') then concat_ws(' ', memory.key, memory.text) else '' end
$$;

-- Shows a memory that a search has found.
create or replace function app.found_memory(memory public.agent_memory) returns jsonb language sql volatile as $$
  select jsonb_build_object(
    'title', concat(memory.kind, ' ', memory.key, case
      when memory.superseded_by is not null then ' (superseded)'
      when memory.expires_at <= app.now() then ' (expired)'
      end),
    'at', memory.created_at,
    'by', memory.noted_by,
    'body', app.memory_text(memory))
$$;

-- Finds what stands of what was remembered for some: the latest of each key, or the one before where that has expired.
create or replace function app.standing_memories(tenant_id uuid, subjects uuid[], at timestamptz)
  returns setof public.agent_memory
  language sql
  stable
as $$
  with recursive latest as (
    select x.* from public.agent_memory x
    where x.tenant_id = $1 and x.subject_id = any (subjects) and x.superseded_by is null
      and x.status in ('noted', 'approved')
    union all
    select x.* from latest l
    join public.agent_memory x on x.tenant_id = l.tenant_id and x.superseded_by = l.id
    where l.expires_at <= at and x.status in ('noted', 'approved')
  )
  select l.* from latest l where (l.expires_at <= at) is not true
$$;

-- Finds all that was remembered and not taken back. An agent is not given what waits for a person, who may say no.
create or replace function app.noted_memories(actor app.actor)
  returns setof public.agent_memory
  language sql
  stable
as $$
  select x.* from public.agent_memory x
  where x.tenant_id = actor.tenant_id
    and (x.status in ('noted', 'approved') or x.status <> 'forgotten' and app.is_person(actor))
$$;

-- Finds the memories that are given to a caller: of the workspace, the project (or all), its agent and the run that it
-- does, or of all where `everything` is wanted. The most relevant come first: those of the tasks that it holds, then
-- those of the narrowest scope, then the youngest; a doubtful one counts as older, by three days for each tenth of
-- doubt.
create or replace function app.given_memories(
  project public.projects,
  actor app.actor,
  chosen jsonb default '{}',
  words tsquery default null
)
  returns table (memory public.agent_memory, place bigint)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_everything constant boolean := coalesce((chosen ->> 'everything')::boolean, false);
  v_subjects uuid[] := array_remove(array[actor.tenant_id, app.own_agent(actor), (app.own_active_run(actor)).id], null)
    || case when project.id is not null then array[project.id]
      else array(select p.id from public.projects p where p.tenant_id = actor.tenant_id) end;
  v_tasks uuid[] := array(
    select t.id from app.tasks_by_status(project, 'in_progress', 100) t
    where t.locked_by_user = actor.user_id
      and (t.locked_by = app.actor_name(actor) or starts_with(t.locked_by, app.actor_name(actor) || '/')));
  v_reach constant tsquery := format('''=t%s'' & ''=kmemory''', actor.tenant_id)::tsquery;
  v_found uuid[] := case when words is not null then array(
    select s.id from app.search_documents s
    where s.words @@ (v_reach && given_memories.words) and s.tenant_id = actor.tenant_id limit 1000) end;
begin
  return query
    select x::public.agent_memory, row_number() over (order by (x.task_id = any (v_tasks)) is true desc,
        array_position('{run,agent,project,workspace}'::text[], x.scope),
        extract(epoch from app.now() - x.created_at) / 86400 + 30 * (1 - x.confidence), x.id desc)
    from (
      select m.* from app.standing_memories(actor.tenant_id, v_subjects, app.now()) m
      left join public.projects p on p.tenant_id = m.tenant_id and p.id = m.project_id
      where not v_everything and (m.status = 'approved' or not app.asks_approval(coalesce(project.rules, p.rules)))
      union all
      select m.* from app.noted_memories(actor) m where v_everything) x
    where (project.id is null or x.project_id is null or x.project_id = project.id)
      and (chosen ->> 'key' is null or lower(x.key) = lower(chosen ->> 'key'))
      and (chosen ->> 'scope' is null or x.scope = chosen ->> 'scope')
      and (chosen ->> 'kind' is null or x.kind = chosen ->> 'kind')
      and (words is null or x.id = any (v_found))
    order by 2 limit 1000;
end
$$;

-- The first memories whose texts fit into so many characters, at least one, each cut to `most`, with the number of the
-- others: {memories, left_out?}. Each counts 90 characters more, for what is told with it.
create or replace function app.fit_memories(memories public.agent_memory[], characters integer, most integer)
  returns jsonb
  language sql
  stable
as $$
  with sized as (
    select m.memory, m.at, sum(90 + length((m.memory).key) + least(length((m.memory).text), most))
      over (order by m.at) as size
    from (select memories[i] as memory, i as at from generate_subscripts(memories, 1) i) m
  )
  select jsonb_strip_nulls(jsonb_build_object(
    'memories', coalesce(jsonb_agg(app.memory_full(s.memory)
        || jsonb_build_object('text', left((s.memory).text, most)) order by s.at)
      filter (where s.size <= characters or s.at = 1), '[]'),
    'left_out', nullif(count(*) filter (where s.size > characters and s.at > 1), 0)))
  from sized s
$$;

-- recall_memories(project?, query?, key?, scope?, kind?, include_all, characters) -> {memories, left_out?}: those that
-- are given, the most relevant first, as many as fit; with include_all also what is superseded, expired, or another's,
-- and for a person what waits for one. Raises not_found, invalid_input.
create or replace function public.recall_memories(
  project text default null,
  query text default null,
  key text default null,
  scope text default null,
  kind text default null,
  include_all boolean default false,
  characters integer default 4000,
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
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects;
  v_chosen jsonb := jsonb_build_object('key', key, 'scope', scope, 'kind', kind, 'everything', include_all);
  v_words tsquery := case when query is not null then app.search_query(query) end;
begin
  if coalesce(project, v_actor.project_id::text) is not null then
    v_project := app.find_project(project, v_actor);
  end if;
  perform app.check_number('characters', characters, 200, 100000);
  return app.fit_memories(array(
    select g.memory
    from app.given_memories(v_project, v_actor, v_chosen, v_words) g
    order by g.place), characters, 2000);
end
$$;

-- list_memories(project?, memory?, scope?, kind?, status?, cursor?, page_size) -> {memories, next_cursor?}, the latest
-- first: those that count (not superseded, expired, declined or forgotten); with status `proposed` those that wait for
-- a person, with `all` all; with `memory`, an id, that one and all others of its key. Raises not_found.
create or replace function public.list_memories(
  project text default null,
  memory text default null,
  scope text default null,
  kind text default null,
  status text default null,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_memory public.agent_memory := case when memory is not null then app.find_memory(memory, v_actor) end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'memories', v_project, v_memory.id, scope, kind, status);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('memories', array(
    select app.memory_full(x)
    from public.agent_memory x
    where x.tenant_id = v_actor.tenant_id
      and (v_project is null or x.project_id = v_project)
      and (v_memory.id is null or x.subject_id = v_memory.subject_id and lower(x.key) = lower(v_memory.key))
      and (list_memories.scope is null or x.scope = list_memories.scope)
      and (list_memories.kind is null or x.kind = list_memories.kind)
      and (v_memory.id is not null or case list_memories.status
        when 'all' then true
        when 'proposed' then x.status = 'proposed' and x.superseded_by is null
        else x.status in ('noted', 'approved', 'proposed') and x.superseded_by is null
          and (x.expires_at <= app.now()) is not true end)
      and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by x.created_at desc, x.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

-- Finds a memory by its id. Raises not_found.
create or replace function app.find_memory(ref text, actor app.actor)
  returns public.agent_memory
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_memory public.agent_memory;
begin
  select * into v_memory from public.agent_memory x where x.tenant_id = actor.tenant_id and x.id = app.as_uuid(ref);
  if v_memory.id is null then
    perform app.fail('not_found', format('There is no memory %s in this workspace.', left(ref, 80)), null,
      '`cairn memory list --all` shows the ids.');
  end if;
  return v_memory;
end
$$;

-- decide_memory(memory, decision approved|declined|forgotten) -> the memory: what a person makes of it. Takes the key
-- before the row, as whoever remembers does. Raises not_found, forbidden, illegal_transition.
create or replace function public.decide_memory(memory text, decision text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_memory public.agent_memory := app.find_memory(memory, v_actor);
begin
  perform app.check_form('decision', decision in ('approved', 'declined', 'forgotten'),
    'approved, declined or forgotten');
  perform app.lock_memory_key(v_memory.tenant_id, v_memory.subject_id, v_memory.key);
  perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'memory:' || v_memory.id,
    'type', 'memory.' || decision, 'verb', true)), v_actor);
  return app.memory_full(app.find_memory(memory, v_actor));
end
$$;

select app.define_category('memory', 'agent_memory', triggering => false);

-- The read at the start of an agent's session.

-- resume_project(project?) -> the latest checkpoint, what changed since, the caller's locks and those that its ended
-- sessions left, tasks by status, the latest five decisions and open questions, and the number of these if there are
-- more; critical alerts that wait for somebody; what is remembered, in 1,600 characters.
create or replace function public.resume_project(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_checkpoint public.checkpoints := app.latest_checkpoint(v_project);
  v_questions public.events[] := array(
    select q from app.open_questions(v_project.tenant_id, v_project.id, null, 9223372036854775807, 6) q);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project),
    'checkpoint', case when v_checkpoint.id is not null
      then app.checkpoint_full(v_checkpoint, v_project.slug) - 'snapshot' end,
    'since', app.changes_since(v_project, coalesce(app.checkpoint_position(v_checkpoint), 0)),
    'mine', app.own_locks(v_project, v_actor, actor ->> 'worker' is not null),
    'left', app.left_locks(v_project, v_actor),
    'in_progress', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'blocked', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'blocked', 5) t),
    'ready', (select jsonb_agg(app.task_brief(t)) from app.ready_tasks(v_project, '{}', v_actor, null, 5) t),
    'questions', (
      select jsonb_agg(app.event_brief(app.upcast_event(e),
        (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id)))
      from unnest(v_questions[:5]) e),
    'questions_open', case when cardinality(v_questions) > 5
      then app.count_open_questions(v_project.tenant_id, v_project.id, null) end,
    'decisions', (
      select jsonb_agg(app.decision_brief(d))
      from (
        select * from public.decisions x
        where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null
        order by x.created_at desc limit 5) d),
    'alerts', app.critical_alerts(v_project),
    'remembered', (
      select nullif(app.fit_memories(array_agg(g.memory order by g.place), 1600, 300), '{"memories": []}')
      from app.given_memories(v_project, v_actor) g),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;

-- The log as the source of truth: fold it, verify it, rebuild from it, redact it.

create or replace function app.fold_streams(
  category text,
  tenant_id uuid,
  project_id uuid,
  up_to bigint,
  streams text[]
)
  returns table (id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query execute format('select f.id, to_jsonb(f.state) from app.%I($1, $2, $3, $4) f',
    'folded_' || (select m.table_name from app.read_models m where m.category = fold_streams.category))
    using tenant_id, project_id, up_to, streams;
end
$$;

-- Writes what the log says of some streams, or of all, where the live rows say otherwise; then what spans rows:
-- edges, open dependencies, counts, search.
create or replace function app.rebuild_model(tenant_id uuid, streams text[], kept jsonb default null)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'insert into public.%1$I select (d.log).* from app.differing_%1$s($1, $2) d where (d.log).id is not null
       on conflict (tenant_id, id) do update set %2$s', v_model.table_name,
      (select string_agg(format('%1$s = excluded.%1$s', c), ', ') from unnest(app.folded_columns(v_model)) c))
      using tenant_id, streams;
  end loop;
  perform app.restore_kept(tenant_id, kept);
  perform app.rebuild_links(tenant_id);
  perform app.rebuild_search(tenant_id, streams);
end
$$;

-- Saves the columns that no fold makes, before all rows go; by table.
create or replace function app.save_kept(tenant_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_rows jsonb;
  v_saved jsonb := '{}';
begin
  for v_model in select * from app.read_models m where m.kept <> '{}' loop
    execute format('select jsonb_agg(to_jsonb(k)) from (select x.id, %s from public.%I x where x.tenant_id = $1) k',
      (select string_agg(format('x.%I', c), ', ') from unnest(v_model.kept) c), v_model.table_name)
      into v_rows using tenant_id;
    v_saved := v_saved || jsonb_strip_nulls(jsonb_build_object(v_model.table_name, v_rows));
  end loop;
  return v_saved;
end
$$;

create or replace function app.restore_kept(tenant_id uuid, saved jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models m where saved ? m.table_name loop
    execute format(
      'update public.%2$I x set (%1$s) = (select %1$s from jsonb_populate_record(null::public.%2$I, k.value))
       from jsonb_array_elements($2) k where x.tenant_id = $1 and x.id = (k.value ->> ''id'')::uuid',
      (select string_agg(format('%I', c), ', ') from unnest(v_model.kept) c), v_model.table_name)
      using tenant_id, saved -> v_model.table_name;
  end loop;
end
$$;

create or replace function app.rebuild_links(tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.task_dependencies e
    where e.tenant_id = rebuild_links.tenant_id
      and not exists (
        select from public.tasks t
        where t.tenant_id = e.tenant_id and t.id = e.task_id and e.depends_on = any (t.dependencies));
  insert into app.task_dependencies (tenant_id, task_id, depends_on)
    select t.tenant_id, t.id, d
    from public.tasks t, unnest(t.dependencies) d
    where t.tenant_id = rebuild_links.tenant_id and t.dependencies <> '{}'
    on conflict do nothing;
  update public.tasks t set open_dependencies = m.log
    from app.miscounted_tasks(rebuild_links.tenant_id) m
    where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  update public.tasks t set open_parts = m.log
    from app.miscounted_parts(rebuild_links.tenant_id) m
    where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  update public.agent_runs r set steps_count = m.log
    from app.miscounted_runs(rebuild_links.tenant_id) m
    where r.tenant_id = rebuild_links.tenant_id and r.id = m.id;
  perform app.rebuild_usage(rebuild_links.tenant_id);
  insert into app.task_counts
    select *
    from app.counted_tasks(rebuild_links.tenant_id)
    except
    select *
    from app.task_counts c
    where c.tenant_id = rebuild_links.tenant_id
    on conflict on constraint task_counts_pkey do update
      set (pending, ready, in_progress, blocked, completed, cancelled, unproven)
          = (excluded.pending, excluded.ready, excluded.in_progress, excluded.blocked, excluded.completed,
            excluded.cancelled, excluded.unproven);
  delete from public.leases l
    where l.tenant_id = rebuild_links.tenant_id
      and l.kind = 'task'
      and not exists (
        select from public.tasks t
        where t.tenant_id = l.tenant_id and t.id = l.id and t.lock_token = l.token);
  perform app.rebuild_labels(rebuild_links.tenant_id);
  perform app.rebuild_unanswered(rebuild_links.tenant_id);
end
$$;

-- Lists the tasks of which the row and its dependencies' rows say different numbers of open ones. Each is looked up by
-- its key.
create or replace function app.miscounted_tasks(tenant_id uuid)
  returns table (id uuid, live integer, log integer)
  language sql
  stable
as $$
  select t.id, t.open_dependencies, o.n
  from public.tasks t
  cross join lateral (
    select count(*)::integer as n from app.tasks_with($1, t.dependencies) d
    where d.status <> 'completed') o
  where t.tenant_id = $1 and t.open_dependencies <> o.n
$$;

-- Lists the months of runs whose steps are not in files: what is counted of them can be counted again.
create or replace function app.months_of_steps(tenant_id uuid)
  returns table (starts_at timestamptz, ends_at timestamptz)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select m.starts_at, app.period_start(m.starts_at, 'month', 1)
  from (
    select distinct app.period_start(r.created_at, 'month') as starts_at
    from public.agent_runs r
    where r.tenant_id = $1) m
  join app.record_tables t on t.table_name = 'agent_steps'
  where not app.is_in_files(t, m.starts_at, $1)
$$;

-- Lists the runs whose row and whose steps say different numbers of these.
create or replace function app.miscounted_runs(tenant_id uuid)
  returns table (id uuid, live integer, log integer)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select r.id, coalesce(r.steps_count, 0), o.n
  from app.months_of_steps($1) m
  join public.agent_runs r on r.tenant_id = $1 and r.created_at >= m.starts_at and r.created_at < m.ends_at
  cross join lateral (
    select count(*)::integer as n
    from public.agent_steps s
    where s.tenant_id = $1 and s.run_id = r.id and s.run_created_at >= m.starts_at and s.run_created_at < m.ends_at) o
  where coalesce(r.steps_count, 0) <> o.n
$$;

-- Lists what rows count of others, where it is wrong.
create or replace function app.miscounted(tenant_id uuid)
  returns table (table_name text, column_name text, id uuid, live integer, log integer)
  language sql
  stable
as $$
  select 'tasks', 'open_dependencies', m.* from app.miscounted_tasks(miscounted.tenant_id) m
  union all
  select 'tasks', 'open_parts', m.* from app.miscounted_parts(miscounted.tenant_id) m
  union all
  select 'agent_runs', 'steps_count', m.* from app.miscounted_runs(miscounted.tenant_id) m
$$;

create or replace function app.counted_tasks(tenant_id uuid)
  returns setof app.task_counts
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.tenant_id,
    p.id,
    count(*) filter (where t.status = 'pending')::integer,
    coalesce(sum(app.is_ready(t)) filter (where t.id is not null), 0)::integer,
    count(*) filter (where t.status = 'in_progress')::integer,
    count(*) filter (where t.status = 'blocked')::integer,
    count(*) filter (where t.status = 'completed')::integer,
    count(*) filter (where t.status = 'cancelled')::integer,
    coalesce(sum(app.is_unproven(t)) filter (where t.id is not null), 0)::integer
  from public.projects p
  left join public.tasks t on t.tenant_id = p.tenant_id and t.project_id = p.id
  where p.tenant_id = counted_tasks.tenant_id
  group by p.tenant_id, p.id
$$;

-- The documents of some streams; for all, those that are missing: what the door wrote of unchanged rows still holds.
create or replace function app.rebuild_search(tenant_id uuid, streams text[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.search_documents as d (tenant_id, kind, id, words)
    select rebuild_search.tenant_id,
      s.kind,
      s.id,
      app.search_vector(s.kind, rebuild_search.tenant_id, s.project_id, s.content)
    from app.list_searchable(rebuild_search.tenant_id) s
    where s.content is not null
      and (s.stream = any (streams)
        or streams is null
          and not exists (
            select from app.search_documents x
            where x.tenant_id = rebuild_search.tenant_id and x.kind = s.kind and x.id = s.id))
    on conflict on constraint search_documents_pkey do update set words = excluded.words
      where d.words <> excluded.words;
end
$$;

-- Also of a payload whose fields are not what their type says.
create or replace function app.blank_payload(event public.events)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select event.payload || coalesce(jsonb_object_agg(f.field, case
      when f.kind = 'object' then '{}' when f.kind = 'array' then '[]'
      when f.kind in ('text[]', 'label[]') then (
        select coalesce(jsonb_agg('[redacted]'::text), '[]')
        from jsonb_path_query(event.payload -> f.field, 'strict $ ? (@.type() == "array")[*]'))
      else '"[redacted]"' end), '{}')
  from app.event_fields f
  where f.event_type = event.event_type and event.payload ? f.field
    and f.kind in ('text', 'said', 'line', 'text[]', 'label[]', 'object', 'array')
$$;

-- Finds the first event whose link, hash, version or column is wrong, or null. Each event is looked at once, alone;
-- what has to be sorted is narrow.
create or replace function app.broken_event(tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'seq', c.seq,
    'stream', c.stream,
    'version', c.version,
    'wrong', case
      when not c.links then 'prev_hash'
      when not c.hashes then 'hash'
      when not c.pays then 'payload'
      when not c.counts then 'version'
      else coalesce(c.wrong, 'seq') end)
  from (
    select e.seq,
      e.stream,
      e.version,
      e.hashes,
      e.pays,
      e.wrong,
      e.prev_hash
        is not distinct from coalesce(lag(e.hash) over (partition by e.project_id order by e.seq),
          (
            select c.hash from app.archived_chains c
            where c.tenant_id = broken_event.tenant_id and c.project_id is not distinct from e.project_id)) as links,
      e.version = coalesce(a.version, 0) + row_number() over (partition by e.stream order by e.version) as counts,
      e.seq = (
        select p.archived_to from app.positions p
        where p.tenant_id = broken_event.tenant_id) + row_number() over (order by e.seq) as follows
    from (
      select x.seq,
        x.project_id,
        x.stream,
        x.version,
        x.prev_hash,
        x.hash,
        x.hash = app.event_hash(x) as hashes,
        case when x.redacted_at is null
          then coalesce(x.cleaned_hash, x.payload_hash) = app.payload_hash(x.payload)
          else x.payload = app.blank_payload(x)
            and exists (
              select from public.events r
              where r.tenant_id = x.tenant_id and r.stream = 'event:' || x.id) end as pays,
        coalesce(app.wrong_column(x),
          case when starts_with(x.stream, 'event:')
              and exists (
                select from public.events o
                where o.tenant_id = x.tenant_id
                  and o.id = app.stream_id(x.stream)
                  and o.task_id is distinct from x.task_id)
            then 'task_id' end) as wrong
      from public.events x
      where x.tenant_id = broken_event.tenant_id
      offset 0) e
    left join app.archived_streams a on a.tenant_id = broken_event.tenant_id and a.stream = e.stream) c
  where not (c.links and c.hashes and c.pays and c.counts and c.wrong is null and c.follows)
  order by c.seq limit 1
$$;

-- No chain shows that its last event is gone; the workspace's counter does.
create or replace function app.missing_end(tenant_id uuid, last_seq bigint)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('seq', last_seq, 'wrong', 'missing')
  where last_seq <> coalesce((select max(e.seq) from public.events e where e.tenant_id = missing_end.tenant_id),
    (select p.archived_to from app.positions p where p.tenant_id = missing_end.tenant_id))
$$;

-- The first row in which a live table and the fold of the log differ, or null.
create or replace function app.differing_row(model app.read_models, tenant_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_difference jsonb;
begin
  execute format(
    'select jsonb_build_object(''table'', $2, ''id'', d.id, ''columns'', (
         select jsonb_object_agg(k, jsonb_build_object(''live'', d.live -> k, ''log'', d.log -> k))
         from jsonb_object_keys(coalesce(d.live, d.log) - $3) k
         where d.live -> k is distinct from d.log -> k))
     from (select x.id, to_jsonb(x.live) as live, to_jsonb(x.log) as log from app.%I($1, null) x limit 1) d',
    'differing_' || model.table_name)
    into v_difference using tenant_id, model.table_name, model.kept;
  return v_difference;
end
$$;

create or replace function app.differing_link(tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select *
  from (
    (
      select jsonb_build_object(
        'table', m.table_name,
        'id', m.id,
        'columns', jsonb_build_object(m.column_name, jsonb_build_object('live', m.live, 'log', m.log)))
      from app.miscounted(differing_link.tenant_id) m
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'run_usage', 'id', coalesce(m.live ->> 'run_id', m.log ->> 'run_id'),
        'columns', jsonb_build_object('live', m.live, 'log', m.log))
      from app.miscounted_usage(differing_link.tenant_id) m
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'task_dependencies', 'id', coalesce(e.task_id, x.task_id))
      from (select * from app.task_dependencies where task_dependencies.tenant_id = differing_link.tenant_id) e
      full join (
        select t.id as task_id, d as depends_on
        from public.tasks t, unnest(t.dependencies) d
        where t.tenant_id = differing_link.tenant_id) x on x.task_id = e.task_id and x.depends_on = e.depends_on
      where e.task_id is null or x.task_id is null
      limit 1)
    union all
    (
      select jsonb_build_object(
        'table', 'task_counts',
        'id', coalesce(l.project_id, c.project_id),
        'columns', jsonb_build_object('live', to_jsonb(l), 'log', to_jsonb(c)))
      from (select * from app.task_counts where task_counts.tenant_id = differing_link.tenant_id) l
      full join app.counted_tasks(differing_link.tenant_id) c on c.project_id = l.project_id
      where to_jsonb(l) is distinct from to_jsonb(c)
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'task_labels', 'id', coalesce(l.task_id, r.task_id))
      from (select * from app.task_labels x where x.tenant_id = differing_link.tenant_id) l
      full join app.labels_of_tasks(differing_link.tenant_id) r on r.task_id = l.task_id and r.label = l.label
      where to_jsonb(l) is distinct from to_jsonb(r)
      limit 1)
    union all
    (
      select jsonb_build_object('table', 'unanswered', 'id', coalesce(u.id, q.id))
      from (select * from app.unanswered x where x.tenant_id = differing_link.tenant_id) u
      full join app.unanswered_in_log(differing_link.tenant_id) q on q.id = u.id
      where to_jsonb(u) is distinct from to_jsonb(q)
      limit 1)) d
  limit 1
$$;

-- Raises an alert for a log that does not verify, and settles it when it does. What is wrong may keep the alert out of
-- the log; the caller is told all the same.
create or replace function app.report_verified(result jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if (result ->> 'ok')::boolean then
    perform app.settle_alert('log_unverified');
  else
    perform app.raise_alert('log_unverified', 'critical', 'The log does not verify.',
      jsonb_build_object('difference', (result -> 'difference') - 'columns'), 'log_unverified');
  end if;
exception
  when others then null;
end
$$;

-- verify_events() -> {ok, events, position, tables: [{table, rows}], difference?}. Recomputes every hash, link, version
-- and position, folds the log beside the live tables and compares row by row, as of one moment.
create or replace function public.verify_events(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  -- A plan made while a table was empty would be kept for when it is full.
  set plan_cache_mode = force_custom_plan
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_result jsonb;
begin
  perform app.refuse_limited(v_actor);
  v_result := app.compare_log(v_actor.tenant_id);
  perform app.report_verified(v_result);
  return v_result;
end
$$;

-- Rows that no event made, or all.
create or replace function app.remove_rows(tenant_id uuid, all_rows boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  delete from app.task_dependencies d where d.tenant_id = remove_rows.tenant_id and all_rows;
  delete from app.task_counts c where c.tenant_id = remove_rows.tenant_id and all_rows;
  for v_model in select * from app.read_models order by place desc loop
    execute format(
      'delete from public.%1$I x where x.tenant_id = $1 and ($2
         or not exists (select from public.events e where e.tenant_id = $1 and e.stream = %2$L || x.id)
           and not exists (select from app.archived_streams a where a.tenant_id = $1 and a.stream = %2$L || x.id))',
      v_model.table_name, v_model.category || ':') using tenant_id, all_rows;
  end loop;
end
$$;

-- Keeps autovacuum, but no reader and no writer, from the tables until the end of the transaction: it would see one
-- that is being filled as empty, and every plan made after that would read the workspace for each row. Two workspaces
-- are replayed one after the other.
create or replace function app.hold_off_autovacuum()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models order by place loop
    execute format('lock table public.%I in share update exclusive mode', v_model.table_name);
  end loop;
  lock table app.task_dependencies, app.task_counts, app.task_labels, app.unanswered, app.search_documents
    in share update exclusive mode;
end
$$;

-- replay_events() -> {events, tables}. Folds the log again and makes the read model equal to it. For owners and admins.
create or replace function public.replay_events(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_kept jsonb;
begin
  perform app.refuse_limited(v_actor);
  perform from app.positions p where p.tenant_id = v_actor.tenant_id for no key update;
  perform app.hold_off_autovacuum();
  begin
    perform app.remove_rows(v_actor.tenant_id, false);
    perform app.rebuild_model(v_actor.tenant_id, null);
  exception
    -- A row that was tampered with is in the way of another: each gets its place when all are gone.
    when unique_violation or foreign_key_violation then
      v_kept := app.save_kept(v_actor.tenant_id);
      perform app.remove_rows(v_actor.tenant_id, true);
      perform app.rebuild_model(v_actor.tenant_id, null, v_kept);
  end;
  return jsonb_build_object(
    'events', (select count(*) from public.events e where e.tenant_id = v_actor.tenant_id),
    'tables', (select jsonb_agg(m.table_name order by m.place) from app.read_models m));
end
$$;

-- From the archive one state after another is folded; what nothing created is no state.
create or replace function app.state_of(
  category text,
  tenant_id uuid,
  project_id uuid,
  up_to bigint,
  archived jsonb
)
  returns table (id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if archived is null then
    return query select * from app.fold_streams(category, tenant_id, project_id, up_to, null);
    return;
  end if;
  begin
    return query execute format(
      $fold$select (f.folded).id, to_jsonb(f.folded) from (
         select app.%I(app.upcast_event(e.event) order by (e.event).version) as folded
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

-- get_state(project?, seq?, at?) -> {project, position, counts, tasks, total}, or the archive that it needs.
create or replace function public.get_state(
  project text default null,
  seq bigint default null,
  at timestamptz default null,
  archived jsonb default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_last bigint := (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id);
  -- Beyond the last position is the last one.
  v_seq bigint := least(v_last, coalesce(seq, case when at is null then v_last else (
    select coalesce(max(e.seq), 0) from public.events e
    where e.tenant_id = v_actor.tenant_id and e.project_id = v_project.id and e.created_at <= get_state.at) end));
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
            'labels', nullif(x.t -> 'labels', '[]'),
            'locked_by', x.t -> 'locked_by', 'blocked_reason', x.t -> 'blocked_reason',
            'unproven', app.list_unproven(jsonb_populate_record(null::public.tasks, x.t)))) as brief
          from tasks x order by 1 limit 200) o)));
end
$$;

-- The record of a redaction has a stream of its own, named after the event; nothing is folded from it.
create or replace function app.apply_redaction(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_redacted public.events := app.find_event(app.stream_id(event.stream)::text, actor);
begin
  event.project_id := v_redacted.project_id;
  event.task_id := v_redacted.task_id;
  event.version := 1 + (
    select count(*) from public.events e
    where e.tenant_id = event.tenant_id and e.stream = event.stream);
  return (event,
    app.event_brief(app.upcast_event(v_redacted),
      (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id)),
    null)::app.applied;
end
$$;

-- Owned by cairn_keeper, the only role whose update of an event the last wall lets pass.
create or replace function app.blank_event(event public.events)
  returns void
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  update public.events e set payload = app.blank_payload(event), redacted_at = app.now()
  where e.tenant_id = event.tenant_id and e.id = event.id
$$;

-- redact_event(event, reason) -> the blanked event. On the record (event.redacted), and gone from the read model, the
-- search and remembered answers; the chain still verifies, for it is made of payload hashes. For owners and admins.
create or replace function public.redact_event(event text, reason text, actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_event public.events := app.find_event(event, v_actor);
  v_copies public.events[];
begin
  perform app.refuse_limited(v_actor);
  if v_event.event_type = 'event.redacted'
      or v_event.redacted_at is not null
        and exists (
          select from public.events e
          where e.tenant_id = v_event.tenant_id and e.stream = 'event:' || v_event.id) then
    perform app.fail('illegal_transition', format('Event #%s is redacted already.', v_event.seq));
  end if;
  v_copies := case when v_event.redacted_at is null then app.copies_of(v_event) else array[v_event] end;
  perform app.append_checked((
    select jsonb_agg(jsonb_build_object('stream', 'event:' || c.id, 'type', 'event.redacted',
      'data', jsonb_build_object('reason', reason), 'causation', c.id) order by c.seq)
    from unnest(v_copies) c), v_actor);
  perform app.blank_event(c) from unnest(v_copies) c where c.redacted_at is null;
  perform app.rebuild_model(v_actor.tenant_id, array(select distinct c.stream from unnest(v_copies) c));
  delete from app.idempotency_keys k where k.tenant_id = v_actor.tenant_id and k.created_at >= v_event.created_at;
  v_event := app.find_event(v_event.id::text, v_actor);
  return app.event_brief(app.upcast_event(v_event),
    (select t.ref from public.tasks t where t.tenant_id = v_event.tenant_id and t.id = v_event.task_id));
end
$$;

-- Finds the first of an event's columns that is not what the hash covers says it is, or null. Nothing says it of `id`,
-- `correlation_id` and `causation_id`.
create or replace function app.wrong_column(event public.events) returns text language sql stable as $$
  select case
    when event.user_id::text is distinct from event.actor ->> 'user' then 'user_id'
    when event.task_id::text is distinct from case split_part(event.stream, ':', 1)
        when 'task' then split_part(event.stream, ':', 2)
        when 'event' then event.task_id::text
        else event.payload ->> 'task' end then 'task_id'
    when event.project_id::text <> case
        when starts_with(event.stream, 'project:') then split_part(event.stream, ':', 2)
        else event.payload ->> 'project_id' end then 'project_id' end
$$;

-- Compares the log with itself and with the live rows. Stable, so that all of it reads the snapshot of the statement
-- that calls it: what writers commit meanwhile is not there, and none of them has to wait.
create or replace function app.compare_log(tenant_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_difference jsonb;
  v_tables jsonb := '[]';
  v_rows bigint;
  v_position bigint := (select p.seq from app.positions p where p.tenant_id = compare_log.tenant_id);
begin
  v_difference := coalesce(app.broken_event(tenant_id), app.missing_end(tenant_id, v_position));
  for v_model in select * from app.read_models order by place loop
    v_difference := coalesce(v_difference, app.differing_row(v_model, tenant_id));
    execute format('select count(*) from public.%I x where x.tenant_id = $1', v_model.table_name)
      into v_rows
      using tenant_id;
    v_tables := v_tables || jsonb_build_object('table', v_model.table_name, 'rows', v_rows);
  end loop;
  v_difference := coalesce(v_difference, app.differing_link(tenant_id));
  return jsonb_strip_nulls(jsonb_build_object('ok', v_difference is null,
    'events', (select count(*) from public.events e where e.tenant_id = compare_log.tenant_id),
    'position', v_position, 'tables', v_tables, 'difference', v_difference));
end
$$;

-- Reads what no writer changes, the beginning of the log, and so holds up none; archive_events does while it runs.
create or replace function app.check_archivable(tenant_id uuid, last_seq bigint)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_position app.positions;
begin
  select * into v_position from app.positions p where p.tenant_id = check_archivable.tenant_id;
  if last_seq is null or last_seq <= v_position.archived_to or last_seq > v_position.seq then
    perform app.fail('invalid_input', format('The archive ends at %s, the log at %s: %s is not between them.',
      v_position.archived_to, v_position.seq, last_seq), jsonb_build_object('field', 'last_seq'));
  end if;
  return v_position.archived_to;
end
$$;

-- Lists an event and what it caused in its own command, which may carry its words on: a dependent's reason, a trigger's
-- message. They are no further away than a command is long: what is asked, what policy and rules make of it, and what
-- is noted instead.
create or replace function app.copies_of(event public.events)
  returns public.events[]
  language sql
  stable
as $$
  with recursive
    command as materialized (
      select e.id, e.causation_id from public.events e
      where e.tenant_id = event.tenant_id and e.correlation_id = event.correlation_id
        and e.seq > event.seq and e.seq <= event.seq + 200 + app.policy_max() + 2 * app.triggered_max()),
    copies (id) as (
      select event.id
      union
      select m.id from copies c join command m on m.causation_id = c.id)
  select array_agg(x.found order by (x.found).seq) from copies c cross join lateral (
    select e as found from public.events e where e.tenant_id = event.tenant_id and e.id = c.id
      and e.redacted_at is null and e.event_type <> 'event.redacted' offset 0) x
$$;

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

-- Screens: the last that a run printed, found by search where its workspace says so.

-- Plain text of what was printed for a terminal: without its codes, each line that was written over as a line. A code
-- that sets a title or the like ends with its line at the latest.
create or replace function app.plain_text(printed text) returns text language sql immutable
  set search_path = pg_catalog, pg_temp
as $$
  select app.clean_text(regexp_replace(printed, '(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]'
    || '|(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?', '', 'g'))
$$;

-- Keeps the end of what a run's latest attempt printed, where its workspace has the search find it. Who switches that
-- off waits for it, and removes it then; output that comes at the same moment is waited for, or waits and comes here.
create or replace function app.keep_screen(run public.agent_runs)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_start integer;
  v_screen app.run_screens;
begin
  perform from public.tenants t
    where t.id = run.tenant_id and t.agent_settings @> '{"search_output": true}' for share;
  if not found or run.attempt = 0 then
    return;
  end if;
  perform app.lock_output(run, app.now());
  -- Codes may be three quarters of it.
  v_start := app.output_start(run, run.attempt, 65536, 1000);
  select run.tenant_id, run.project_id, run.id, min(o."timestamp"),
      right(btrim(app.plain_text(string_agg(o.content, '' order by o.sequence)), E' \t\n'), 16384)
    into v_screen
    from public.terminal_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt and o.sequence > v_start
      and o."timestamp" between lower(app.output_times(run, app.now())) and upper(app.output_times(run, app.now()));
  if v_screen.content <> '' then
    insert into app.run_screens as s select v_screen.*
      on conflict on constraint run_screens_pkey do update
        set (printed_at, content) = (excluded.printed_at, excluded.content);
    perform app.index_text('output', run.tenant_id, run.id, run.project_id, v_screen.content);
  end if;
end
$$;

-- Shows the output that a search has found: whose run it is, and what for.
create or replace function app.found_screen(screen app.run_screens)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
      'ref', t.ref,
      'title', concat_ws(': ', r.agent_name, app.clean_line(coalesce(c.content, t.title), 120)),
      'at', coalesce(r.ended_at, screen.printed_at),
      'by', r.agent_name,
      'read_on', 'cairn output ' || r.id,
      'body', screen.content)
    from public.agent_runs r
    left join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
    left join public.tasks t on t.tenant_id = r.tenant_id and t.id = r.task_id
    where r.tenant_id = screen.tenant_id and r.id = screen.run_id);
end
$$;

-- Deletes, in every workspace, the screens whose output is too old to keep, and what search has of them. Runs as
-- cairn_keeper.
create or replace function app.forget_screens()
  returns void
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  with forgotten as (
    delete from app.run_screens s
    using app.record_tables r
    where r.table_name = 'terminal_outputs'
      and s.printed_at < app.now() - make_interval(days => r.keep_days)
      and app.period_start(s.printed_at, r.period, 1) + make_interval(days => r.keep_days) <= app.now()
    returning s.tenant_id, s.run_id
  )
  delete from app.search_documents d
  using forgotten f
  where d.tenant_id = f.tenant_id and d.kind = 'output' and d.id = f.run_id
$$;

-- set_output_search(enabled?) -> {enabled}: whether the workspace's search finds the last that its runs printed, of
-- those that end from then on; without a value it only answers. Switched off, what there is of it is deleted. For
-- owners and admins, in person. Raises forbidden.
create or replace function public.set_output_search(enabled boolean default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
begin
  perform app.refuse_limited(v_actor);
  if enabled is not null then
    perform app.refuse_agent(v_actor, 'Whether search finds what agents print is decided', 'cairn output-search');
    update public.tenants t
      set agent_settings = (t.agent_settings - 'search_output')
        || case when enabled then '{"search_output": true}'::jsonb else '{}' end
      where t.id = v_actor.tenant_id;
    perform app.record_audit(jsonb_build_object('type',
      case when enabled then 'output.searched' else 'output.unsearched' end), actor);
  end if;
  if not enabled then
    delete from app.run_screens s where s.tenant_id = v_actor.tenant_id;
    delete from app.search_documents d where d.tenant_id = v_actor.tenant_id and d.kind = 'output';
  end if;
  return jsonb_build_object('enabled', (
    select t.agent_settings @> '{"search_output": true}' from public.tenants t where t.id = v_actor.tenant_id));
end
$$;

-- Export and import of histories: the checks of an import.

-- export_events(project?, after_seq, page_size) -> {events: [whole rows], users: [{id, name}], next_seq?}, oldest
-- first, with the names that the workspace has for their users; without a project, all of the workspace.
create or replace function public.export_events(
  project text default null,
  after_seq bigint default 0,
  page_size integer default 500,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 1000);
  v_after bigint := coalesce(after_seq, 0);
  v_found public.events[];
  v_archived_to bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
begin
  if project is null then
    perform app.refuse_limited(v_actor);
  end if;
  if v_after < v_archived_to then
    return jsonb_build_object('events', '[]'::jsonb, 'users', '[]'::jsonb, 'next_seq', v_archived_to, 'archive',
      jsonb_build_object('project_id', v_project, 'after', v_after, 'before', v_archived_to + 1, 'rising', true));
  end if;
  v_found := app.read_events(v_actor.tenant_id, v_project, null, '{}', v_after, null, true, v_size);
  return jsonb_strip_nulls(jsonb_build_object(
      'next_seq', case when cardinality(v_found) = v_size then (v_found[v_size]).seq end))
    || jsonb_build_object(
      'events', (
        select coalesce(jsonb_agg(to_jsonb(e) - 'tenant_id'
            - case when e.imported_by is null then '{imported_by,imported_at}'::text[] else '{}' end
            - case when e.cleaned_hash is null then '{cleaned_hash}'::text[] else '{}' end
            order by e.seq), '[]')
        from unnest(v_found) e),
      'users', (
        select coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name) order by u.id), '[]')
        from (
          select x.id, app.user_name(x.id) as name
          from (select distinct e.user_id as id from unnest(v_found) e) x) u
        where u.name is not null));
end
$$;

-- Tells whether the workspace has another event in the place of one that is of no project. Reads all such events.
create or replace function app.is_continued(event public.events)
  returns boolean
  language sql
  stable
as $$
  select event.project_id is null and exists (
    select from public.events e
    where e.tenant_id = event.tenant_id
      and e.project_id is null
      and e.prev_hash is not distinct from event.prev_hash)
$$;

-- Refuses an invalid event, or one that does not continue the log. `source` is its position in the file. Its data is
-- checked separately. Raises invalid_input, already_exists, forbidden.
create or replace function app.check_imported(event public.events, source bigint, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if num_nulls(event.id, event.user_id, event.stream, event.version, event.payload, event.hash, event.payload_hash,
        event.actor, event.created_at) > 0
      or not exists (select from app.event_types t
        where t.event_type = event.event_type and event.schema_version between 1 and t.schema_version)
      or jsonb_typeof(event.payload) <> 'object'
      or event.stream !~ '^[a-z]+:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      or split_part(event.stream, ':', 1) <> split_part(event.event_type, '.', 1) then
    perform app.fail('invalid_input', format('Line %s is not an event that this version knows.', source));
  elsif event.created_at not between 'epoch' and app.now() + interval '5 minutes'
      or event.redacted_at not between 'epoch' and app.now() + interval '5 minutes' then
    perform app.fail('invalid_input', format('The times of event %s are not between 1970 and now.', source), null,
      'created_at and redacted_at may be up to 5 minutes ahead; compare the clocks of both machines.');
  elsif event.actor ->> 'user' is distinct from event.user_id::text
      or event.actor - '{user,agent,client}'::text[] <> '{}' then
    perform app.fail('invalid_input', format('The actor of event %s does not match its user_id.', source), null,
      'An actor is the user of the event, and the names of agent and client.');
  elsif greatest(char_length(event.actor ->> 'agent'), char_length(event.actor ->> 'client')) > 480 then
    perform app.fail('invalid_input',
      format('The agent or client of event %s has a name of more than 480 characters.', source));
  elsif event.prev_hash is distinct from app.chain_head(event.tenant_id, event.project_id)
      or event.hash <> app.event_hash(event)
      or app.is_in_place(event) is not true
      or exists (select from public.events e where e.tenant_id = event.tenant_id and e.id = event.id)
      or octet_length(event.payload_hash) <> 32
      or octet_length(event.cleaned_hash) <> 32
      or event.redacted_at is null
        and coalesce(event.cleaned_hash, event.payload_hash) <> app.payload_hash(event.payload)
      or event.redacted_at is not null and event.payload <> app.blank_payload(event) then
    perform app.fail('invalid_input', format('The chain is broken at event %s of the file.', source), null,
      'The file was changed or is not whole. Export it again.');
  end if;
  perform app.check_chain_end(event, actor);
  if event.event_type = 'project.created'
      and exists (select from public.projects p
        where p.tenant_id = event.tenant_id and p.slug = event.payload ->> 'slug') then
    perform app.fail('already_exists', format('This workspace has another project %s.', event.payload ->> 'slug'), null,
      'Import into another workspace; refs are built from the slug.');
  end if;
end
$$;

-- Returns why the door would not record an event's data: {message, details?}; null if it would.
create or replace function app.data_fault(event public.events)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_message text;
  v_detail text;
begin
  perform app.check_recorded(event);
  return null;
exception
  when sqlstate 'PT400' then
    get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail;
    return jsonb_build_object('message', v_message, 'details', v_detail::jsonb -> 'details');
end
$$;

-- Returns the event to import, cleaned if an earlier version recorded data that this one refuses. Its hashes stay, and
-- `cleaned_hash` shows that they are of other data. An event that has a `cleaned_hash` is not cleaned again: it has to
-- fit. Raises invalid_input.
create or replace function app.fit_imported(event public.events, source bigint)
  returns public.events
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault jsonb := app.data_fault(event);
begin
  if v_fault is not null and event.cleaned_hash is null then
    event.payload := app.clean_payload(event);
    event.cleaned_hash := app.payload_hash(event.payload);
    v_fault := app.data_fault(event);
  elsif not app.has_clean_actor(event) then
    event.cleaned_hash := coalesce(event.cleaned_hash, app.payload_hash(event.payload));
  end if;
  if v_fault is not null then
    perform app.fail('invalid_input',
      format('The data of event %s of the file is not valid. %s', source, v_fault ->> 'message'), v_fault -> 'details',
      'A later version refuses what an earlier one recorded; move it with `cairn db backup` and `cairn db restore`.');
  end if;
  return event;
end
$$;

-- Stores the names of the users of imported events, so that they have the same names as at the source. Members keep
-- their own names.
create or replace function app.import_users(users jsonb, tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(jsonb_typeof(users), 'null') <> 'array'
      or jsonb_array_length(users) > 5000
      or exists (select from jsonb_array_elements(users) u
        where app.as_uuid(u ->> 'id') is null
          or not app.validate_field(coalesce(u -> 'name', 'null'), 'line', 200, null)) then
    perform app.fail('invalid_input', 'users must be a list of at most 5000, each with an id and a name of one line.',
      jsonb_build_object('field', 'users'));
  end if;
  insert into app.user_names (tenant_id, user_id, name)
    select distinct on (u ->> 'id') import_users.tenant_id, (u ->> 'id')::uuid, u ->> 'name'
    from jsonb_array_elements(users) u
    on conflict do nothing;
end
$$;

-- Returns tasks, each read by its key, so that the plan is the same for a table of any size, even without statistics.
create or replace function app.tasks_among(tenant_id uuid, ids uuid[])
  returns public.tasks[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select t
    from unnest(ids) i
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = tasks_among.tenant_id and x.id = i
      offset 0) t);
end
$$;

-- Updates the edges, open dependencies and counts of tasks, from their former rows to the current ones.
create or replace function app.link_among(tenant_id uuid, ids uuid[], was public.tasks[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Includes tasks that no longer have dependencies: the fold of their first event counted all that they had.
  v_linked uuid[] := array(select distinct t.id from unnest(was || app.tasks_among(tenant_id, ids)) t
    where t.dependencies <> '{}' or t.open_dependencies <> 0);
  v_task public.tasks;
begin
  foreach v_task in array app.tasks_among(tenant_id, v_linked) loop
    perform app.write_edges(v_task);
    v_task.open_dependencies := app.count_open_dependencies(v_task);
    update public.tasks t set open_dependencies = v_task.open_dependencies
      where t.tenant_id = v_task.tenant_id and t.id = v_task.id and t.open_dependencies <> v_task.open_dependencies;
  end loop;
  update public.tasks t set open_parts = p.n
    from unnest(ids) i cross join lateral (
      select count(*)::integer as n from public.tasks c
      where c.tenant_id = link_among.tenant_id and c.parent_id = i and app.open_part_of(c) is not null offset 0) p
    where t.tenant_id = link_among.tenant_id and t.id = i and t.open_parts is distinct from p.n;
  update app.task_counts c
    set (pending, ready, in_progress, blocked, completed, cancelled, unproven)
        = (c.pending + d.pending, c.ready + d.ready, c.in_progress + d.in_progress, c.blocked + d.blocked,
          c.completed + d.completed, c.cancelled + d.cancelled, c.unproven + d.unproven)
    from (
      select t.project_id,
        sum(t.n * (t.status = 'pending')::integer) as pending,
        sum(t.n * t.ready) as ready,
        sum(t.n * (t.status = 'in_progress')::integer) as in_progress,
        sum(t.n * (t.status = 'blocked')::integer) as blocked,
        sum(t.n * (t.status = 'completed')::integer) as completed,
        sum(t.n * (t.status = 'cancelled')::integer) as cancelled,
        sum(t.n * t.unproven) as unproven
      from (
        select 1 as n, x.project_id, x.status, app.is_ready(x) as ready, app.is_unproven(x) as unproven
        from unnest(app.tasks_among(tenant_id, ids)) x
        union all
        select -1, x.project_id, x.status, app.is_ready(x), app.is_unproven(x)
        from unnest(was) x) t
      group by t.project_id) d
    where c.tenant_id = link_among.tenant_id and c.project_id = d.project_id;
end
$$;

-- Dynamic statements are planned for their values. The workspace is a subquery, so that the plan does not depend on
-- whether the statistics have its id.
create or replace function app.apply_imported(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_ids uuid[] := array(select distinct app.stream_id(e.stream) from unnest(events) e);
  v_tasks uuid[] := array(
    select unnest(v_ids)
    union
    select e.task_id from unnest(v_ids) i cross join lateral (
      select x.task_id from app.task_dependencies x
      where x.tenant_id = apply_imported.tenant_id and x.depends_on = i offset 0) e
    union
    -- Includes their current and former parents.
    select (e.payload ->> 'parent')::uuid from unnest(events) e
      where e.event_type in ('task.created', 'task.updated') and e.payload ->> 'parent' is not null
    union
    select t.parent_id from unnest(app.tasks_among(tenant_id, v_ids)) t where t.parent_id is not null);
  v_was public.tasks[] := app.tasks_among(tenant_id, v_tasks);
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'with written as (
         insert into public.%1$I as x select (f.folded).* from (
           select app.%3$I(e.event order by e.version) as folded from (
             select n.stream, n.version, app.upcast_event(n) as event from unnest($2) n
             where starts_with(n.stream, %4$L)
             union all
             select %4$L || l.id, l.version,
               app.snapshot_event((l.tenant_id, %4$L || l.id, l.version, 0, null, to_jsonb(l)))
             from unnest($3) i cross join lateral (
               select t.* from public.%1$I t where t.tenant_id = (select $1) and t.id = i offset 0) l) e
           group by e.stream) f
         on conflict (tenant_id, id) do update set %2$s returning x as folded)
       select %5$s from written w', v_model.table_name,
      (select string_agg(format('%1$s = excluded.%1$s', c), ', ') from unnest(app.folded_columns(v_model)) c),
      'fold_' || v_model.category, v_model.category || ':',
      case when v_model.searched then format('app.index_%s(w.folded)', v_model.category) else '1' end)
      using tenant_id, events, v_ids;
  end loop;
  insert into app.task_counts (tenant_id, project_id)
    select e.tenant_id, e.project_id
    from unnest(events) e
    where e.event_type = 'project.created';
  perform app.link_among(tenant_id, v_tasks, v_was);
  perform app.index_event(e) from unnest(events) e;
end
$$;

-- import_events(events, users?, apart?) -> {imported, skipped, left_out, cleaned, position}. Events and users as
-- export_events gave them, in order; versions and hashes stay, positions follow on (and so are the same in an empty
-- workspace). What is there already is skipped, so that an import can be resumed. Events of no project are left out
-- where the workspace has others, and in the calls that follow, which say `apart`. Each is checked as the door checks
-- it, and marked with its importer; `cleaned` counts the events whose data was changed. Raises invalid_input,
-- already_exists, forbidden.
create or replace function public.import_events(
  events jsonb,
  users jsonb default '[]',
  apart boolean default false,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
  -- The statistics know only other workspaces: with them any index would seem as good as the right one.
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_event public.events;
  v_known bytea;
  v_imported public.events[] := '{}';
  v_seq bigint;
  v_source bigint;
  v_left integer := 0;
  v_apart boolean := coalesce(apart, false);
begin
  perform app.refuse_limited(v_actor);
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 500 then
    perform app.fail('invalid_input', 'events must be a list of 1 to 500 events.',
      jsonb_build_object('field', 'events'),
      'Import a longer history in several calls, in its order.');
  end if;
  perform app.import_users(users, v_actor.tenant_id);
  select p.seq into v_seq from app.positions p where p.tenant_id = v_actor.tenant_id for no key update;
  for v_event in
    select r.* from jsonb_array_elements(events) with ordinality e (item, at)
      cross join lateral app.read_imported(e.item, e.at) r
      order by e.at
  loop
    v_source := v_event.seq;
    v_event.tenant_id := v_actor.tenant_id;
    select e.hash into v_known from public.events e
      where e.tenant_id = v_actor.tenant_id and e.stream = v_event.stream and e.version = v_event.version;
    continue when v_known = v_event.hash;
    -- What is of the workspace itself is one chain, which does not join that of another.
    v_apart := v_apart or app.is_continued(v_event);
    if v_event.project_id is null and v_apart then
      v_left := v_left + 1;
      continue;
    end if;
    perform app.check_imported(v_event, v_source, v_actor);
    v_event := app.fit_imported(v_event, v_source);
    v_seq := v_seq + 1;
    v_event.seq := v_seq;
    v_event.imported_by := v_actor.user_id;
    v_event.imported_at := app.now();
    insert into public.users (id, name) values (v_event.user_id, 'imported') on conflict do nothing;
    insert into public.events select v_event.*;
    v_imported := v_imported || v_event;
  end loop;
  update app.positions p set seq = v_seq where p.tenant_id = v_actor.tenant_id;
  begin
    perform app.apply_imported(v_actor.tenant_id, v_imported);
  exception
    when integrity_constraint_violation or data_exception then
      perform app.fail('invalid_input', 'The events do not follow from one another.', null,
        'Export the history again, whole. If this workspace has presets, profiles or open alerts of its own that are '
        || 'named like those of the file, import into an empty one.');
  end;
  perform app.check_cycles(v_actor.tenant_id, v_imported);
  return jsonb_build_object('imported', cardinality(v_imported),
    'skipped', jsonb_array_length(events) - cardinality(v_imported) - v_left,
    'left_out', v_left,
    'cleaned', (select count(*) from unnest(v_imported) e where e.cleaned_hash is not null), 'position', v_seq);
end
$$;

-- Returns the project that a stream belongs to, or null if there is no such stream.
create or replace function app.stream_project(tenant_id uuid, stream text)
  returns uuid
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project uuid;
begin
  select e.project_id into v_project from public.events e
    where e.tenant_id = stream_project.tenant_id and e.stream = stream_project.stream
    order by e.version limit 1;
  if not found then
    select a.project_id into v_project from app.archived_streams a
      where a.tenant_id = stream_project.tenant_id and a.stream = stream_project.stream;
  end if;
  return v_project;
end
$$;

-- Tells whether the record of a redaction has the project and the task of the event that it names. An archived event
-- has no row any more, but its project has.
create or replace function app.is_redaction_in_place(redaction public.events)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_named public.events;
begin
  select * into v_named from public.events e
    where e.tenant_id = redaction.tenant_id and e.id = app.stream_id(redaction.stream);
  if v_named.id is not null then
    return (v_named.project_id, v_named.task_id) is not distinct from (redaction.project_id, redaction.task_id);
  end if;
  return (select p.archived_to > 0 from app.positions p where p.tenant_id = redaction.tenant_id)
    and redaction.project_id is not distinct from app.stream_project(redaction.tenant_id,
      'project:' || redaction.project_id);
end
$$;

-- Tells whether what is of a category may belong to no project.
create or replace function app.may_concern_workspace(category text)
  returns boolean
  language sql
  stable
as $$
  select exists (
    select from app.read_models m
    join pg_attribute a on a.attrelid = format('public.%I', m.table_name)::regclass and a.attname = 'project_id'
    where m.category = may_concern_workspace.category and not a.attnotnull)
$$;

-- Tells whether an event belongs to its project and task. No hash covers the project; a hash covers the task only for
-- events of a task.
create or replace function app.is_in_place(event public.events)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := app.stream_id(event.stream);
  v_category text := split_part(event.stream, ':', 1);
  v_task uuid := case v_category
    when 'task' then v_id
    when 'event' then event.task_id
    else app.as_uuid(event.payload ->> 'task') end;
  v_last bigint;
begin
  select e.version into v_last from public.events e
    where e.tenant_id = event.tenant_id and e.stream = event.stream
    order by e.version desc limit 1;
  if not found then
    select a.version into v_last from app.archived_streams a
      where a.tenant_id = event.tenant_id and a.stream = event.stream;
  end if;
  if event.version <> coalesce(v_last, 0) + 1 or event.task_id is distinct from v_task then
    return false;
  elsif v_task is not null and (event.stream <> 'task:' || v_task or event.version > 1)
      and event.project_id is distinct from app.stream_project(event.tenant_id, 'task:' || v_task) then
    return false;
  elsif event.version > 1 then
    return event.project_id is not distinct from app.stream_project(event.tenant_id, event.stream);
  elsif v_category = 'project' then
    return event.project_id = v_id;
  elsif v_category = 'event' then
    return app.is_redaction_in_place(event);
  elsif event.project_id is null then
    return app.may_concern_workspace(v_category);
  end if;
  return event.project_id = app.stream_project(event.tenant_id, 'project:' || event.project_id);
end
$$;

-- Allows only an owner, or the member who imported its last event, to continue a chain. Raises forbidden.
create or replace function app.check_chain_end(event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_by uuid;
begin
  if event.prev_hash is null or actor.role = 'owner' then
    return;
  elsif event.project_id is null then
    select e.imported_by into v_by from public.events e
      where e.tenant_id = event.tenant_id and e.project_id is null order by e.seq desc limit 1;
  else
    select e.imported_by into v_by from public.events e
      where e.tenant_id = event.tenant_id and e.project_id = event.project_id
      order by e.seq desc limit 1;
  end if;
  if v_by is distinct from actor.user_id then
    perform app.fail('forbidden', 'The workspace has this project, and something happened in it here.', null,
      'Only an owner imports more of its history.');
  end if;
end
$$;

-- Reads an event as export_events gave it. `place` is its position in the call. Raises invalid_input.
create or replace function app.read_imported(item jsonb, place bigint)
  returns public.events
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_populate_record(null::public.events, case jsonb_typeof(item) when 'object' then item else '{}' end);
exception
  when data_exception or feature_not_supported then
    perform app.fail('invalid_input', format('Line %s is not an event: a value has the wrong form.',
      coalesce(substring(item ->> 'seq' from '^[0-9]{1,18}$'), place::text)), null,
      'Export the history again; its events are imported as they are.');
end
$$;

-- Returns a task of a cycle, or null. `waiting` and `awaited` are the ends of edges; the edges must include all
-- edges of every task that they reach. Removes tasks that wait for no other task until none is left; each remaining
-- task waits for another one of them.
create or replace function app.find_cycle_member(waiting uuid[], awaited uuid[])
  returns uuid
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids uuid[];
  v_waiting integer[];
  v_awaited integer[];
  v_open integer[];
  v_first integer[];
  v_queue integer[];
  v_last integer;
  v_at integer := 0;
  v_edge integer;
begin
  if coalesce(cardinality(waiting), 0) = 0 then
    return null;
  end if;
  with ends as (
    select u.edge, s.is_waiting, s.id, dense_rank() over (order by s.id)::integer as node
    from unnest(waiting, awaited) with ordinality u (one, other, edge)
      cross join lateral (values (true, u.one), (false, u.other)) s (is_waiting, id)),
  edges as materialized (
    select max(e.node) filter (where e.is_waiting) as waits, max(e.node) filter (where not e.is_waiting) as for_node
    from ends e group by e.edge)
  select array_agg(e.waits order by e.for_node), array_agg(e.for_node order by e.for_node),
      (select array_agg(distinct x.id order by x.id) from ends x)
    into v_waiting, v_awaited, v_ids from edges e;
  v_open := array_fill(0, array[cardinality(v_ids)]);
  v_first := v_open;
  for v_edge in reverse cardinality(v_waiting) .. 1 loop
    v_open[v_waiting[v_edge]] := v_open[v_waiting[v_edge]] + 1;
    v_first[v_awaited[v_edge]] := v_edge;
  end loop;
  v_queue := array(select n from generate_subscripts(v_open, 1) n where v_open[n] = 0);
  v_last := cardinality(v_queue);
  while v_at < v_last loop
    v_at := v_at + 1;
    v_edge := nullif(v_first[v_queue[v_at]], 0);
    while v_awaited[v_edge] = v_queue[v_at] loop
      v_open[v_waiting[v_edge]] := v_open[v_waiting[v_edge]] - 1;
      if v_open[v_waiting[v_edge]] = 0 then
        v_last := v_last + 1;
        v_queue[v_last] := v_waiting[v_edge];
      end if;
      v_edge := v_edge + 1;
    end loop;
  end loop;
  if v_last = cardinality(v_ids) then
    return null;
  end if;
  for v_edge in 1 .. cardinality(v_waiting) loop
    if v_open[v_awaited[v_edge]] > 0 then
      v_first[v_waiting[v_edge]] := v_awaited[v_edge];
      v_last := v_waiting[v_edge];
    end if;
  end loop;
  -- After as many steps as there are tasks, the walk is within a cycle.
  for v_step in 1 .. cardinality(v_ids) loop
    v_last := v_first[v_last];
  end loop;
  return v_ids[v_last];
end
$$;

-- Refuses tasks that wait for themselves or are parts of themselves after these events. Raises invalid_input. One walk
-- covers all tasks that the events reach, however many events there are.
create or replace function app.check_cycles(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids uuid[] := array(
    select distinct e.task_id from unnest(events) e
    where starts_with(e.event_type, 'task.') and e.payload ?| '{add,parent}');
  v_member uuid;
begin
  if v_ids = '{}' then
    return;
  end if;
  v_member := coalesce((
      select app.find_cycle_member(array_agg(r), array_agg(e.depends_on))
      from app.reached_tasks(tenant_id, v_ids) r
      cross join lateral (
        select x.depends_on from app.task_dependencies x
        where x.tenant_id = check_cycles.tenant_id and x.task_id = r
        offset 0) e),
    (
      with recursive above (id, parent_id) as (
        select t.id, t.parent_id
        from unnest(v_ids) i
        cross join lateral (
          select x.id, x.parent_id
          from public.tasks x
          where x.tenant_id = check_cycles.tenant_id and x.id = i
          offset 0) t
        union
        select t.id, t.parent_id
        from above a
        cross join lateral (
          select x.id, x.parent_id
          from public.tasks x
          where x.tenant_id = check_cycles.tenant_id and x.id = a.parent_id
          offset 0) t)
      select app.find_cycle_member(array_agg(a.id), array_agg(a.parent_id))
      from above a
      where a.parent_id is not null));
  if v_member is not null then
    perform app.fail('invalid_input',
      format('Task %s would wait for itself or be a part of itself.',
        (select t.ref from public.tasks t where t.tenant_id = check_cycles.tenant_id and t.id = v_member)),
      null,
      'Export the history again; move one that an earlier version recorded so with `cairn db backup` and '
        || '`cairn db restore`.');
  end if;
end
$$;

-- Old events in files: the one way in which an event leaves the table.

create or replace function app.check_archiving(actor app.actor, last_seq bigint)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform from app.positions p where p.tenant_id = actor.tenant_id for no key update;
  return app.check_archivable(actor.tenant_id, last_seq);
end
$$;

-- plan_archive(before, size) -> {first_seq, last_seq, events}: the next events of the log that are all older than a
-- time, at most `size`; events is 0 when there are none. For the server's role, and owners.
create or replace function public.plan_archive(
  before timestamptz default null,
  size integer default 20000,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_from bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
  v_to bigint := (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id);
begin
  if before is null then
    perform app.fail('invalid_input', 'before must be a time: events older than it are archived.',
      jsonb_build_object('field', 'before'));
  end if;
  v_to := least(v_to, v_from + least(greatest(size, 1), 50000),
    (select min(e.seq) - 1 from public.events e where e.tenant_id = v_actor.tenant_id and e.created_at >= before));
  return jsonb_build_object('first_seq', v_from + 1, 'last_seq', v_to, 'events', v_to - v_from);
end
$$;

-- The streams that events up to a position belong to, each with its version and what it had made by then. Null for a
-- stream of no table.
create or replace function app.states_at(tenant_id uuid, last_seq bigint, streams text[])
  returns table (stream text, version bigint, seq bigint, project_id uuid, state jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_states jsonb := '{}';
  v_found jsonb;
begin
  for v_model in select * from app.read_models loop
    select coalesce(jsonb_object_agg(v_model.category || ':' || f.id, f.state), '{}') into v_found
      from app.fold_streams(v_model.category, states_at.tenant_id, null, states_at.last_seq, states_at.streams) f;
    v_states := v_states || v_found;
  end loop;
  return query select distinct on (e.stream) e.stream, e.version, e.seq, e.project_id, v_states -> e.stream
    from public.events e
    where e.tenant_id = states_at.tenant_id and e.seq <= states_at.last_seq and e.stream = any (states_at.streams)
    order by e.stream, e.version desc;
end
$$;

-- snapshot_events(last_seq) -> {streams: [{stream, version, state?}], chains: [{project_id?, hash}]}: the boundary as
-- it will be after archiving up to there, of what the events up to there changed. For the server's role, and owners.
create or replace function public.snapshot_events(last_seq bigint default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_from bigint := app.check_archivable(v_actor.tenant_id, last_seq);
  v_streams text[] := array(
    select distinct e.stream from public.events e
    where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq);
begin
  return jsonb_build_object(
    'streams', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('stream', s.stream, 'version', s.version))
          || jsonb_build_object('state', s.state)
        order by s.seq), '[]')
      from app.states_at(v_actor.tenant_id, last_seq, v_streams) s),
    'chains', (
      select coalesce(jsonb_agg(jsonb_build_object('project_id', c.project_id, 'hash', c.hash)), '[]')
      from (
        select distinct on (e.project_id) e.project_id, e.hash
        from public.events e
        where e.tenant_id = v_actor.tenant_id and e.seq <= snapshot_events.last_seq
        order by e.project_id, e.seq desc) c));
end
$$;

-- Owned by cairn_keeper, the only role whose removal of an event the last wall lets pass.
create or replace function app.remove_events(last_seq bigint)
  returns void
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  delete from public.events e where e.tenant_id = app.get_tenant_id() and e.seq <= last_seq
$$;

-- Questions among archived events are open no longer.
create or replace function public.archive_events(manifest jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_last bigint := (manifest ->> 'last_seq')::bigint;
  v_from bigint := app.check_archiving(v_actor, v_last);
  v_streams text[] := array(
    select distinct e.stream from public.events e
    where e.tenant_id = v_actor.tenant_id and e.seq <= v_last);
begin
  if (manifest ->> 'first_seq')::bigint <> v_from + 1
      or (manifest ->> 'events')::bigint <> v_last - v_from
      or manifest ->> 'last_hash' is distinct from (
        select e.hash::text from public.events e
        where e.tenant_id = v_actor.tenant_id and e.seq = v_last) then
    perform app.fail('invalid_input',
      format('The file is not of the events %s to %s of this workspace.', v_from + 1, v_last), null,
      'Archive again: what was written is written anew.');
  end if;
  insert into app.archived_streams as a (tenant_id, stream, version, seq, project_id, state)
    select v_actor.tenant_id, s.stream, s.version, s.seq, s.project_id, s.state
    from app.states_at(v_actor.tenant_id, v_last, v_streams) s
    on conflict (tenant_id, stream) do update
      set version = excluded.version, seq = excluded.seq, state = excluded.state;
  insert into app.archived_chains as a (tenant_id, project_id, hash)
    select distinct on (e.project_id) e.tenant_id, e.project_id, e.hash
    from public.events e
    where e.tenant_id = v_actor.tenant_id and e.seq <= v_last
    order by e.project_id, e.seq desc
    on conflict (tenant_id, project_id) do update set hash = excluded.hash;
  insert into app.archives (tenant_id, first_seq, last_seq, events, location, file, sha256, created_at)
    values (v_actor.tenant_id, v_from + 1, v_last, v_last - v_from, manifest ->> 'location', manifest ->> 'file',
      manifest ->> 'sha256', app.now());
  delete from app.search_documents d using public.events e
    where d.tenant_id = v_actor.tenant_id
      and d.kind = 'event'
      and e.tenant_id = d.tenant_id
      and e.id = d.id
      and e.seq <= v_last;
  delete from app.unanswered u where u.tenant_id = v_actor.tenant_id and u.seq <= v_last;
  update app.positions p set archived_to = v_last where p.tenant_id = v_actor.tenant_id;
  perform app.remove_events(v_last);
  perform app.enter_retention(v_actor.tenant_id, jsonb_build_object('table', 'events', 'first_seq', v_from + 1,
    'last_seq', v_last, 'records', v_last - v_from, 'done', 'archived'));
  return jsonb_build_object('archived_to', v_last);
end
$$;

-- list_archives() -> {archived_to, archives: [{first_seq, last_seq, events, location, file, sha256}]}, oldest first.
create or replace function public.list_archives(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return jsonb_build_object(
    'archived_to', (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id),
    'archives', (
      select coalesce(jsonb_agg(to_jsonb(a) - 'tenant_id' - 'created_at' order by a.first_seq), '[]')
      from app.archives a
      where a.tenant_id = v_actor.tenant_id));
end
$$;

-- check_events(events, chains) -> {chains, difference?}. Follows the chains of events that are not in the table:
-- `chains` is the last hash of each project so far, by id, empty for the workspace's own.
create or replace function public.check_events(
  events jsonb default '[]',
  chains jsonb default '{}',
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_difference jsonb;
begin
  if jsonb_typeof(chains) is distinct from 'object' then
    perform app.fail('invalid_input',
      'chains must be an object that maps each project to the hash of its last event before.',
      jsonb_build_object('field', 'chains'), 'Pass the chains of the answer before, or {} to begin.');
  end if;
  select jsonb_build_object('seq', c.seq, 'stream', c.stream, 'wrong', coalesce(c.wrong, 'chain')) into v_difference
    from (
      select x.ordinality as at,
        x.seq,
        x.stream,
        app.wrong_column(x.event) as wrong,
        (x.event).prev_hash::text
          is not distinct from coalesce(lag((x.event).hash::text) over (partition by x.project_id
              order by x.ordinality),
            chains ->> coalesce(x.project_id::text, '')) as links,
        (x.event).hash = app.event_hash(x.event) as hashes,
        case when x.redacted_at is null
          then coalesce((x.event).cleaned_hash, (x.event).payload_hash) = app.payload_hash((x.event).payload)
          else (x.event).payload = app.blank_payload(x.event) end as pays
      from app.read_events_given('events', events) x) c
    where (c.links and c.hashes and c.pays and c.wrong is null) is not true
    order by c.at limit 1;
  if v_difference is not null then
    return jsonb_build_object('chains', chains, 'difference', v_difference);
  end if;
  return jsonb_build_object('chains', chains || (
    select coalesce(jsonb_object_agg(coalesce(l.project_id::text, ''), (l.event).hash), '{}') from (
      select distinct on (x.project_id) x.project_id, x.event from app.read_events_given('events', events) x
      order by x.project_id, x.ordinality desc) l));
end
$$;

-- Records in files and in exports: what is due, read page by page, kept as archived, taken from an import.

-- The parts of tables whose records are old enough for a file and in none yet, in every workspace. Runs as
-- cairn_keeper.
create or replace function app.due_records()
  returns table (tenant_id uuid, table_name text, starts_at timestamptz, ends_at timestamptz)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select u.tenant_id, r.table_name, p.starts_at, p.ends_at
  from app.record_tables r
  cross join lateral app.list_partitions(r) p
  cross join lateral app.unarchived_records(r.table_name, p.child) u
  where p.ends_at + make_interval(days => r.archive_days) <= app.now()
  order by p.starts_at, r.table_name, u.tenant_id
$$;

-- due_records() -> {due: [{tenant_id, table, starts_at, ends_at}]}, oldest first. For the server's role.
create or replace function public.due_records(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('due', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'tenant_id', d.tenant_id, 'table', d.table_name, 'starts_at', d.starts_at, 'ends_at', d.ends_at)), '[]')
    from app.due_records() d));
end
$$;

-- make_partitions() -> {made: [names]}: those of the next two months that are missing. For the server's role.
create or replace function public.make_partitions(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('made', app.make_partitions());
end
$$;

-- drop_partition() -> {dropped?: name}: one whose records are all in files, or too old to keep. Called again until it
-- answers with none. For the server's role.
create or replace function public.drop_partition(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_dropped jsonb;
begin
  perform app.forget_screens();
  v_dropped := app.drop_partition();
  perform app.enter_retention(w::uuid, v_dropped - '{name,workspaces}'::text[] || '{"done": "dropped"}')
    from jsonb_array_elements_text(v_dropped -> 'workspaces') w;
  return jsonb_strip_nulls(jsonb_build_object('dropped', v_dropped -> 'name'));
end
$$;

-- analyze_records() -> {}: refreshes the statistics of the tables of records. For the server's role.
create or replace function public.analyze_records(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  perform app.analyze_records();
  return '{}';
end
$$;

-- Finds a table of records. Raises not_found.
create or replace function app.find_records(table_name text)
  returns app.record_tables
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_records app.record_tables;
begin
  -- The audit trail of one installation is none of another's.
  select * into v_records from app.record_tables r
    where r.table_name = find_records.table_name and r.table_name <> 'audit_entries';
  if v_records.table_name is null then
    perform app.fail('not_found', format('There are no records %s.', left(coalesce(table_name, ''), 80)),
      jsonb_build_object('field', 'table_name'),
      'list_record_parts names the tables of records.');
  end if;
  return v_records;
end
$$;

-- Tells whether a workspace's part of a table is read from files: the table has fewer records of it than the files.
create or replace function app.is_in_files(records app.record_tables, starts_at timestamptz, tenant_id uuid)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_archived constant bigint := (
    select sum(a.records) from app.record_archives a
    where a.tenant_id = $3 and a.table_name = records.table_name and a.starts_at = $2);
  v_there bigint := 0;
begin
  if v_archived is null or to_regclass(app.name_partition(records, starts_at)) is null then
    return v_archived is not null;
  end if;
  execute format('select count(*) from public.%1$I x where x.tenant_id = $1 and x.%2$I >= $2 and x.%2$I < $3',
      records.table_name, app.time_of_records(format('public.%I', records.table_name)::regclass))
    into v_there
    using tenant_id, starts_at, app.period_start(starts_at, records.period, 1);
  return v_there < v_archived;
end
$$;

-- list_record_parts() -> {parts: [{table, starts_at, ends_at, files?: [{records, location, file, sha256}]}]}, oldest
-- first: the workspace's parts of the tables of records, with files those that are read from there.
create or replace function public.list_record_parts(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_reader(actor);
begin
  return jsonb_build_object('parts', (
    select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'table', p.table_name, 'starts_at', p.starts_at, 'ends_at', p.ends_at, 'files', f.files))
      order by p.starts_at, p.table_name), '[]')
    from (
      select r.table_name, c.starts_at, c.ends_at, r as records
      from app.record_tables r cross join lateral app.list_partitions(r) c
      where r.table_name <> 'audit_entries'
      union
      select a.table_name, a.starts_at, a.ends_at, r
      from app.record_archives a join app.record_tables r on r.table_name = a.table_name
      where a.tenant_id = v_actor.tenant_id) p
    left join lateral (
      select jsonb_agg(jsonb_build_object(
        'records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256) order by a.part) as files
      from app.record_archives a
      where a.tenant_id = v_actor.tenant_id and a.table_name = p.table_name and a.starts_at = p.starts_at) f
      on app.is_in_files(p.records, p.starts_at, v_actor.tenant_id)));
end
$$;

-- read_records(table_name, starts_at, after?, page_size) -> {records: [text], more?, moved?}: those of one part, by
-- key, each as JSON in a text, which keeps its numbers as they are. `after` is the last one of the page before, which
-- has fewer where they are large; `more`: ask for another. `moved`: the part left the table, to where
-- list_record_parts says.
create or replace function public.read_records(
  table_name text,
  starts_at timestamptz,
  after text default null,
  page_size integer default 1000,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_reader(actor);
  v_records app.record_tables := app.find_records(table_name);
  v_table regclass := format('public.%I', v_records.table_name)::regclass;
  v_size integer := app.page_size(page_size, 5000);
  v_line text;
  v_lines text[] := '{}';
  v_bytes bigint := 0;
begin
  for v_line in
    execute format('select (to_jsonb(x) - ''tenant_id'')::text from %1$s x '
        'where x.tenant_id = $1 and x.%2$I >= $2 and x.%2$I < $3%4$s order by %3$s limit $5',
      v_table, app.time_of_records(v_table), app.write_key(v_table, 'x.%1$I'),
      case when after is not null then format(' and (%s) > (%s)', app.write_key(v_table, 'x.%1$I'),
        app.write_key(v_table, '($4 ->> %1$L)::%2$s')) end)
      using v_actor.tenant_id, starts_at, app.period_start(starts_at, v_records.period, 1), after::jsonb, v_size
  loop
    v_lines := v_lines || v_line;
    v_bytes := v_bytes + octet_length(v_line);
    exit when v_bytes >= 8388608;
  end loop;
  -- Asked afterwards: what was read is locked against being dropped.
  if to_regclass(app.name_partition(v_records, starts_at)) is null then
    return '{"records": [], "moved": true}';
  end if;
  return jsonb_strip_nulls(jsonb_build_object('records', v_lines,
    'more', case when cardinality(v_lines) = v_size or v_bytes >= 8388608 then true end));
exception
  when data_exception then
    perform app.fail('invalid_input', 'after must be the last record of the page before.',
      jsonb_build_object('field', 'after'));
end
$$;

-- measure_records(table_name, starts_at) -> {records, checksum}: the workspace's records of a part, to be compared when
-- they are in files. For the server's role.
create or replace function public.measure_records(
  table_name text,
  starts_at timestamptz,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_system(actor);
begin
  return app.measure_part(app.find_records(table_name), starts_at, v_actor.tenant_id);
end
$$;

create or replace function app.measure_part(records app.record_tables, starts_at timestamptz, tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('records', coalesce(max(m.records), 0), 'checksum', coalesce(max(m.checksum), 0)::text)
  from app.measure_records(to_regclass(app.name_partition(records, starts_at))) m
  where m.tenant_id = $3
$$;

-- archive_records({table, starts_at, location, checksum, parts: [{records, file, sha256}]}) -> {records}: keeps that a
-- workspace's part of a table is in files. Raises invalid_input if the table does not have what was measured before it
-- was written. Files of the part that this one replaces wait to be removed. For the server's role.
create or replace function public.archive_records(manifest jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_system(actor);
  v_records app.record_tables := app.find_records(manifest ->> 'table');
  v_from timestamptz := app.period_start((manifest ->> 'starts_at')::timestamptz, v_records.period);
  v_measured jsonb := app.measure_part(v_records, v_from, v_actor.tenant_id);
  v_written bigint := (
    select coalesce(sum((p ->> 'records')::bigint), 0) from jsonb_array_elements(manifest -> 'parts') p);
begin
  -- Of a part that another worker has moved meanwhile nothing is there: its files stay.
  if v_written = 0 or v_written <> (v_measured ->> 'records')::bigint
      or manifest ->> 'checksum' <> v_measured ->> 'checksum' then
    perform app.fail('invalid_input',
      format('The files hold other records of %s than the table.', v_records.table_name), null,
      'Records were added or changed meanwhile: archive again.');
  end if;
  insert into app.replaced_record_files (tenant_id, location, file)
    select a.tenant_id, a.location, a.file from app.record_archives a
    where a.tenant_id = v_actor.tenant_id and a.table_name = v_records.table_name and a.starts_at = v_from
    on conflict do nothing;
  delete from app.record_archives a
    where a.tenant_id = v_actor.tenant_id and a.table_name = v_records.table_name and a.starts_at = v_from;
  insert into app.record_archives (tenant_id, table_name, starts_at, ends_at, part, records, location, file, sha256,
      checksum, created_at)
    select v_actor.tenant_id, v_records.table_name, v_from, app.period_start(v_from, v_records.period, 1), p.at - 1,
      (p.item ->> 'records')::bigint, manifest ->> 'location', p.item ->> 'file', p.item ->> 'sha256',
      (manifest ->> 'checksum')::numeric, app.now()
    from jsonb_array_elements(manifest -> 'parts') with ordinality p (item, at);
  perform app.enter_retention(v_actor.tenant_id, jsonb_build_object('table', v_records.table_name, 'starts_at', v_from,
    'ends_at', app.period_start(v_from, v_records.period, 1), 'records', v_written, 'done', 'archived'));
  return jsonb_build_object('records', v_written);
end
$$;

-- The files that no reader needs, in every workspace: their records are too old to keep, or others replaced them. Runs
-- as cairn_keeper.
create or replace function app.record_files_to_remove()
  returns table (tenant_id uuid, location text, file text)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select a.tenant_id, a.location, a.file
  from app.record_archives a join app.record_tables r on r.table_name = a.table_name
  where a.ends_at + make_interval(days => r.keep_days) <= app.now()
  union
  select f.tenant_id, f.location, f.file from app.replaced_record_files f
  where not exists (
    select from app.record_archives a
    where (a.tenant_id, a.location, a.file) = (f.tenant_id, f.location, f.file))
$$;

-- record_files_to_remove() -> {files: [{tenant_id, location, file}]}. For the server's role.
create or replace function public.record_files_to_remove(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('files', (
    select coalesce(jsonb_agg(to_jsonb(f)), '[]') from app.record_files_to_remove() f));
end
$$;

-- forget_record_file(location, file) -> {forgotten}: the file was removed. For the server's role.
create or replace function public.forget_record_file(location text, file text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_system(actor);
  v_forgotten bigint;
begin
  with forgotten as (
    delete from app.record_archives a
    where (a.tenant_id, a.location, a.file) = (v_actor.tenant_id, $1, $2) returning a.*
  )
  select count(app.enter_retention(f.tenant_id, jsonb_build_object('table', f.table_name, 'starts_at', f.starts_at,
      'ends_at', f.ends_at, 'records', f.records, 'done', 'deleted')))
    into v_forgotten from forgotten f;
  delete from app.replaced_record_files f
    where (f.tenant_id, f.location, f.file) = (v_actor.tenant_id, $1, $2);
  return jsonb_build_object('forgotten', true);
end
$$;

-- import_records(table_name, records) -> {imported, skipped}: records as read_records gave them. Skips those that are
-- there, those of a part that the workspace has in files, and those that are too old: by the table, or by two years,
-- since each time needs a partition, which everybody shares. Raises invalid_input.
create or replace function public.import_records(table_name text, records jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_records app.record_tables;
  v_table regclass;
  v_time text;
  v_from timestamptz;
  v_rows jsonb;
  v_count bigint;
begin
  perform app.refuse_limited(v_actor);
  v_records := app.find_records(table_name);
  v_table := format('public.%I', v_records.table_name)::regclass;
  v_time := app.time_of_records(v_table);
  v_from := app.now() - make_interval(days => least(v_records.keep_days, 730));
  if coalesce(jsonb_typeof(records), 'null') <> 'array' or jsonb_array_length(records) not between 1 and 1000 then
    perform app.fail('invalid_input', 'records must be a list of 1 to 1,000 records.',
      jsonb_build_object('field', 'records'));
  end if;
  v_rows := (
    select jsonb_agg(r || jsonb_build_object('tenant_id', v_actor.tenant_id))
    from jsonb_array_elements_text(records) line cross join lateral (select line::jsonb) x (r)
    where (r ->> v_time)::timestamptz between v_from and app.now() + interval '1 day'
      and not exists (
        select from app.record_archives a
        where a.tenant_id = v_actor.tenant_id and a.table_name = v_records.table_name
          and a.starts_at = app.period_start((r ->> v_time)::timestamptz, v_records.period)));
  perform app.make_partitions(t.starts_at)
    from (
      select distinct app.period_start((r ->> v_time)::timestamptz, v_records.period) as starts_at
      from jsonb_array_elements(v_rows) r) t
    where to_regclass(app.name_partition(v_records, t.starts_at)) is null;
  execute format('insert into %1$s (%2$s) select %2$s from jsonb_populate_recordset(null::%1$s, $1) '
      'on conflict do nothing', v_table, app.given_columns(v_table))
    using coalesce(v_rows, '[]');
  get diagnostics v_count = row_count;
  return jsonb_build_object('imported', v_count, 'skipped', jsonb_array_length(records) - v_count);
exception
  when data_exception or integrity_constraint_violation then
    perform app.fail('invalid_input',
      format('A record of %s does not fit its table: %s.', table_name, left(sqlerrm, 300)), null,
      'The file was changed, or is of another version. Export it again.');
end
$$;

-- The audit trail: what the server and people did, recorded and read.

select app.define_records('audit_entries', 'month', keep_days => 30);

-- The kind under which an event of the log, or of the trail of access, is on the audit trail; null if it is not.
create or replace function app.audit_kind(event_type text, payload jsonb) returns text language sql immutable as $$
  select case event_type
    when 'agent.paused' then 'emergency_stop'
    when 'agent.resumed' then 'emergency_stop'
    when 'agents.stopped' then 'emergency_stop'
    when 'agents.resumed' then 'emergency_stop'
    when 'approval.requested' then 'approval_requested'
    when 'approval.decided' then 'approval_decided'
    when 'command.sent' then 'command_sent'
    when 'command.completed' then 'command_completed'
    when 'command.failed' then 'command_completed'
    when 'command.cancelled' then 'command_completed'
    when 'preset.saved' then 'preset_created'
    when 'run.delivered' then 'command_delivered'
    when 'run.interrupt_requested' then 'command_interrupted'
    when 'run.finished' then case payload ->> 'end_reason'
      when 'token_limit' then 'token_limit_exceeded'
      when 'time_limit' then 'time_limit_exceeded'
      when 'expired' then 'command_expired' end
    when 'session.started' then 'user_login'
    when 'session.ended' then 'user_logout' end
$$;

-- Enters what happened beside the log in the workspace of the call, with the address and the program that it came from.
create or replace function app.enter_audit(
  event_type text,
  actor app.actor,
  user_id uuid default null,
  agent_id uuid default null,
  command_id uuid default null,
  details jsonb default '{}'
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := app.now();
begin
  perform app.ensure_partition('audit_entries', v_now);
  insert into public.audit_entries (tenant_id, id, event_type, user_id, agent_id, command_id, details, ip_address,
      user_agent, created_at)
    values (app.get_tenant_id(), app.uuid_v7(), event_type, coalesce(user_id, actor.user_id), agent_id, command_id,
      app.cut_audited(jsonb_strip_nulls(jsonb_build_object('by', actor.agent) || details)),
      nullif(current_setting('app.ip', true), '')::inet, actor.client, v_now);
end
$$;

-- Why an agent counts as gone that has said nothing for long: a runner missed its beats, hooks and tools are silent.
create or replace function app.why_silent(agent public.agents) returns text language sql immutable as $$
  select case when app.has_no_runner(agent) then 'silent' else 'lost' end
$$;

-- Enters that an agent is gone, unless it was. It is given as it was before.
create or replace function app.enter_disconnect(agent public.agents, reason text, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if agent.seen_at is not null and agent.disconnected_at is null then
    perform app.enter_audit('agent_disconnect', actor, agent.user_id, agent.id,
      details => jsonb_build_object('reason', reason, 'seen_at', agent.seen_at));
  end if;
end
$$;

-- Enters that an agent is there, unless it was and `goes_on`. It is given as it was before.
create or replace function app.enter_connect(agent public.agents, goes_on boolean, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if goes_on and agent.seen_at is not null and agent.disconnected_at is null then
    return;
  end if;
  perform app.enter_disconnect(agent, app.why_silent(agent), actor);
  perform app.enter_audit('agent_connect', actor, agent.user_id, agent.id);
end
$$;

-- Enters what became of records of a workspace, or of the beginning of its log. It acts in that workspace from then on.
create or replace function app.enter_retention(tenant_id uuid, details jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('app.tenant_id', tenant_id::text, true);
  perform app.enter_audit('retention_run', null, details => details);
end
$$;

-- The streams of the log that a command, or an agent, is told of in: their runs, with what was asked in them.
create or replace function app.audited_streams(question app.audit_question)
  returns setof text
  language sql
  stable
as $$
  with runs as (
    select r.id, r.command_id from public.agent_runs r
    where question.command_id is not null and r.tenant_id = question.tenant_id and r.command_id = question.command_id
      and (question.agent_id is null or r.agent_id = question.agent_id)
    union all
    -- One waits for thirty days at most, and is not at work for longer.
    select r.id, r.command_id from public.agent_runs r
    where question.command_id is null and r.tenant_id = question.tenant_id and r.agent_id = question.agent_id
      and r.created_at >= question.since - interval '60 days'
  )
  select 'run:' || r.id from runs r
  union
  select 'command:' || r.command_id from runs r
  union
  select 'approval:' || a.id from runs r
    join public.approvals a on a.tenant_id = question.tenant_id and a.run_id = r.id
  union
  select 'agent:' || question.agent_id where question.command_id is null
$$;

-- Finds the latest events of the log that a question is about: those of certain streams, or of each type by itself.
create or replace function app.audited_events(question app.audit_question)
  returns table (at timestamptz, id uuid)
  language sql
  stable
as $$
  select x.created_at, x.id
  from app.event_types t
  cross join lateral (
    select e.created_at, e.id from public.events e
    where e.tenant_id = question.tenant_id and e.event_type = t.event_type
      -- As the index has it.
      and e.event_type in ('agent.paused', 'agent.resumed', 'approval.decided', 'approval.requested',
        'command.cancelled', 'command.completed', 'command.failed', 'command.sent', 'preset.saved', 'run.delivered',
        'run.interrupt_requested')
      and e.created_at >= question.since
      and (e.created_at, e.id) < (question.before_at, question.before_id)
      and (question.user_id is null or e.user_id = question.user_id)
    order by e.created_at desc, e.id desc limit question.most) x
  where app.audit_kind(t.event_type, '{}') = coalesce(question.kind, app.audit_kind(t.event_type, '{}'))
    and question.agent_id is null and question.command_id is null
  union all
  (
    select e.created_at, e.id from public.events e
    where coalesce(question.kind, 'command_expired')
        in ('token_limit_exceeded', 'time_limit_exceeded', 'command_expired')
      and e.tenant_id = question.tenant_id and e.event_type = 'run.finished'
      and e.payload ->> 'end_reason' in ('token_limit', 'time_limit', 'expired')
      and app.audit_kind(e.event_type, e.payload) = coalesce(question.kind, app.audit_kind(e.event_type, e.payload))
      and e.created_at >= question.since
      and (e.created_at, e.id) < (question.before_at, question.before_id)
      and (question.user_id is null or e.user_id = question.user_id)
      and question.agent_id is null and question.command_id is null
    order by e.created_at desc, e.id desc limit question.most)
  union all
  select e.created_at, e.id
  from app.audited_streams(question) s (stream)
  -- By itself, so that no index of times is taken for one of streams.
  cross join lateral (
    select * from public.events e where e.tenant_id = question.tenant_id and e.stream = s.stream offset 0) e
  where (question.agent_id is not null or question.command_id is not null)
    and coalesce(question.kind, '')
      not in ('agent_connect', 'agent_disconnect', 'preset_used', 'retention_run', 'user_login', 'user_logout')
    and app.audit_kind(e.event_type, e.payload) = coalesce(question.kind, app.audit_kind(e.event_type, e.payload))
    and e.created_at >= question.since
    and (e.created_at, e.id) < (question.before_at, question.before_id)
    and (question.user_id is null or e.user_id = question.user_id)
$$;

-- Finds the latest that a question is about of what is beside the log: of whoever asks, or of everyone.
create or replace function app.audited_besides(question app.audit_question)
  returns table (at timestamptz, id uuid)
  language sql
  stable
as $$
  select x.created_at, x.id
  from unnest('{agent_connect,agent_disconnect,preset_used,retention_run}'::text[]) k (kind)
  cross join lateral (
    select a.created_at, a.id from public.audit_entries a
    where a.tenant_id = question.tenant_id and a.event_type = k.kind
      and a.created_at >= question.since
      and (a.created_at, a.id) < (question.before_at, question.before_id)
      and (question.everyone or a.user_id = question.caller)
      and (question.user_id is null or a.user_id = question.user_id)
      and (question.agent_id is null or a.agent_id = question.agent_id)
      and (question.command_id is null or a.command_id = question.command_id)
    order by a.created_at desc, a.id desc limit question.most) x
  where k.kind = coalesce(question.kind, k.kind)
  union all
  select x.at, x.id
  from unnest('{session.started,session.ended,agents.stopped,agents.resumed}'::text[]) t (type)
  cross join lateral (
    select u.at, u.id from app.auth_events u
    where u.tenant_id = question.tenant_id and u.type = t.type
      and u.type in ('agents.resumed', 'agents.stopped', 'session.ended', 'session.started')
      and u.at >= question.since
      and (u.at, u.id) < (question.before_at, question.before_id)
      and (question.everyone or u.user_id = question.caller)
      and (question.user_id is null or u.user_id = question.user_id)
    order by u.at desc, u.id desc limit question.most) x
  where app.audit_kind(t.type, '{}') = coalesce(question.kind, app.audit_kind(t.type, '{}'))
    and question.agent_id is null and question.command_id is null
$$;

-- Finds a member of the workspace by id, name or address of mail. Raises not_found.
create or replace function app.find_member(person text, actor app.actor)
  returns uuid
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_user uuid := coalesce(app.as_uuid(person), (
    select m.user_id from public.memberships m join public.users u on u.id = m.user_id
    where m.tenant_id = actor.tenant_id and lower(person) in (lower(u.name), lower(u.email))
    -- A name is what its owner makes it, and may be another's address.
    order by (lower(u.email) = lower(person)) is true desc, m.created_at, m.user_id limit 1));
begin
  if v_user is null then
    perform app.fail('not_found', format('%s is no member of this workspace.', app.quoted_name(left(person, 80))), null,
      '`cairn auth members` shows those there are; a former one is named by id.');
  end if;
  return v_user;
end
$$;

-- list_audit(kind?, person?, agent?, command?, since?, until?, cursor?, page_size) -> {entries: [{id, at, kind,
-- user_id?, user?, agent_id?, agent?, command?, details?, ip?, program?}], next_cursor?}, the newest first, of the last
-- 30 days: what the view audit_logs has. Owners and admins see all, others of what is beside the log their own. Raises
-- not_found.
create or replace function public.list_audit(
  kind text default null,
  person text default null,
  agent text default null,
  command text default null,
  since timestamptz default null,
  until timestamptz default null,
  cursor text default null,
  page_size integer default 50,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  -- What is asked decides which index is read.
  set plan_cache_mode = force_custom_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_asked app.audit_question;
  v_size integer := app.page_size(page_size, 200);
  v_question text := concat_ws(' ', 'audit', kind, person, agent, command, since, until);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found uuid[];
begin
  perform app.refuse_limited(v_actor);
  v_asked.tenant_id := v_actor.tenant_id;
  v_asked.caller := v_actor.user_id;
  v_asked.everyone := app.role_rank(v_actor.role) >= app.role_rank('admin');
  v_asked.kind := kind;
  v_asked.user_id := case when person is not null then app.find_member(person, v_actor) end;
  v_asked.agent_id := case when agent is not null then (app.find_agent_of_any_time(agent, v_actor)).id end;
  v_asked.command_id := case when command is not null then (app.find_command(command, v_actor)).id end;
  v_asked.since := greatest(since, app.now() - interval '30 days');
  v_asked.before_at := coalesce((v_after ->> 'at')::timestamptz, until, 'infinity');
  v_asked.before_id := coalesce((v_after ->> 'id')::uuid, app.get_nil_id());
  v_asked.most := v_size + 1;
  v_found := array(
    select f.id from (
      select * from app.audited_events(v_asked) union all select * from app.audited_besides(v_asked)) f
    order by f.at desc, f.id desc limit v_asked.most);
  return app.build_page('entries', array(
    select jsonb_strip_nulls(jsonb_build_object(
      'id', l.id,
      'at', l.created_at,
      'kind', l.event_type,
      'user_id', l.user_id,
      'user', app.user_name(l.user_id),
      'agent_id', l.agent_id,
      'agent', (select a.name from public.agents a where a.tenant_id = l.tenant_id and a.id = l.agent_id),
      'command', l.command_id,
      'details', nullif(l.details, '{}'),
      'ip', host(l.ip_address),
      'program', l.user_agent))
    from public.audit_logs l
    where l.tenant_id = v_actor.tenant_id and l.id = any (v_found)
    order by l.created_at desc, l.id desc), v_size, v_question, '{id}', '{at}');
end
$$;

-- Cuts values that exceed the size of an audit row, and marks them: an event is recorded however much a stranger sent.
create or replace function app.cut_audited(data jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max constant integer := 4096;
  v_cut jsonb;
begin
  if pg_column_size(data) <= v_max then
    return data;
  end if;
  select jsonb_object_agg(left(d.key, 60), case jsonb_typeof(d.value)
      when 'string' then to_jsonb(left(d.value #>> '{}', 300))
      when 'array' then (select jsonb_agg(left(e.value, 100))
        from jsonb_array_elements_text(d.value) with ordinality e where e.ordinality <= 5)
      when 'object' then to_jsonb(left(d.value::text, 300))
      else d.value end) || '{"cut": true}'
    into v_cut from jsonb_each(data) d;
  return case when pg_column_size(v_cut) <= v_max then v_cut
    else jsonb_build_object('cut', true, 'begins', left(data::text, 500)) end;
end
$$;

-- Records an event of the door's workspace; `event` is {type, user_id?, client_id?, subject_id?, data?}.
create or replace function app.record_audit(event jsonb, actor jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.auth_events (tenant_id, at, type, user_id, client_id, subject_id, ip, data)
  values (app.get_tenant_id(), app.now(), event ->> 'type',
    coalesce(app.as_uuid(event ->> 'user_id'), app.get_caller_id()),
    left(event ->> 'client_id', 500), app.as_uuid(event ->> 'subject_id'), app.read_ip(actor),
    app.cut_audited(coalesce(jsonb_strip_nulls(event -> 'data'), '{}')));
end
$$;

-- record_auth_event(event {type, user_id?, client_id?, data?}) -> {}: a refusal by the server before the user was
-- known.
create or replace function public.record_auth_event(event jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  perform app.record_audit(event, actor);
  return '{}';
end
$$;

-- list_auth_events(chosen {since?, type?, user_id?, client_id?, unowned?}, before?, page_size) -> {events: [{id, at,
-- type, user_id?, user?, client_id?, client?, subject_id?, ip?, data?}], next_before?}, the newest first. `client` is
-- the program's name at its admission, or its present one.
create or replace function public.list_auth_events(
  chosen jsonb default '{}',
  before text default null,
  page_size integer default 50,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_tenant uuid := case when (chosen ->> 'unowned')::boolean then app.get_nil_id() else v_actor.tenant_id end;
  v_size integer := app.page_size(page_size, 200);
  v_found app.auth_events[];
begin
  perform set_config('app.tenant_id', v_tenant::text, true);
  select array_agg(f order by f.id desc) into v_found from (
    select * from app.auth_events e
      where e.tenant_id = v_tenant and (before is null or e.id < app.as_uuid(before))
        and (chosen ->> 'since' is null or e.at >= (chosen ->> 'since')::timestamptz)
        and (chosen ->> 'type' is null or e.type = chosen ->> 'type' or starts_with(e.type, (chosen ->> 'type') || '.'))
        and (chosen ->> 'user_id' is null or e.user_id = app.as_uuid(chosen ->> 'user_id'))
        and (chosen ->> 'client_id' is null or e.client_id = chosen ->> 'client_id')
      order by e.id desc limit v_size + 1) f;
  -- People have their names in the workspace of who asks, of what belongs to none too.
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
  return jsonb_strip_nulls(jsonb_build_object(
    'events', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'id', e.id,
          'at', e.at,
          'type', e.type,
          'user_id', e.user_id,
          'user', app.user_name(e.user_id),
          'client_id', e.client_id,
          'client', coalesce((
              select g.client_name from app.oauth_grants g
              where g.tenant_id = v_actor.tenant_id and g.id = e.subject_id),
            (select c.client_name from app.oauth_clients c where c.client_id = e.client_id),
            (select t.name from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.id = e.subject_id)),
          'subject_id', e.subject_id,
          'ip', host(e.ip),
          'data', nullif(e.data, '{}'))
        order by e.id desc), '[]')
      from unnest(v_found[:v_size]) e),
    'next_before', case when cardinality(v_found) > v_size then (v_found[v_size]).id end));
end
$$;

-- What is beside the log, a member sees of itself, and an owner or an admin of everyone.
select app.define_on_tables($policies$
  create policy own_or_admin on public.audit_entries as restrictive for select to authenticated
    using (user_id = (select auth.uid()) or tenant_id in (
      select m.tenant_id from public.memberships m
      where m.user_id = (select auth.uid()) and m.role in ('owner', 'admin')));
  create policy own_or_admin on app.auth_events for select to authenticated
    using (tenant_id in (select app.my_tenants()) and (user_id = (select auth.uid()) or tenant_id in (
      select m.tenant_id from public.memberships m
      where m.user_id = (select auth.uid()) and m.role in ('owner', 'admin'))));
$policies$);

-- Access tokens: proven with the call, refreshed, revoked.

-- Ends grants and personal tokens of the workspace; returns how many were alive. `chosen` is {id?, user_id?,
-- client_id?}; {} is all of them.
create or replace function app.end_access(chosen jsonb, reason text, actor jsonb)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant uuid := app.get_tenant_id();
  v_now timestamptz := app.now();
  v_grants uuid[];
  v_pats uuid[];
  v_tokens integer;
begin
  with ended as (
    update app.oauth_grants g set revoked_at = v_now, revoked_reason = left(reason, 200)
    where g.tenant_id = v_tenant
      and g.revoked_at is null
      and (chosen ->> 'id' is null
        or g.id = app.as_uuid(chosen ->> 'id')
        or g.id = (
          select t.grant_id from public.oauth_tokens t
          where t.tenant_id = v_tenant and t.id = app.as_uuid(chosen ->> 'id')))
      and (chosen ->> 'user_id' is null or g.user_id = app.as_uuid(chosen ->> 'user_id'))
      and (chosen ->> 'client_id' is null or g.client_id = chosen ->> 'client_id')
    returning g.id, g.user_id, g.client_id),
  audited as (
    select app.record_audit(jsonb_build_object(
      'type', 'grant.revoked',
      'user_id', e.user_id,
      'client_id', e.client_id,
      'subject_id', e.id,
      'data', jsonb_build_object('reason', reason, 'by', app.get_caller_id())), actor)
    from ended e)
  select array_agg(e.id) into v_grants
  from ended e
  cross join (select count(*) from audited) t;
  with ended as (
    update public.oauth_tokens t set revoked_at = v_now, updated_at = v_now
    where t.tenant_id = v_tenant
      and t.revoked_at is null
      and (t.grant_id = any (v_grants)
        or t.kind = 'pat'
          and (chosen ->> 'id' is null or t.id = app.as_uuid(chosen ->> 'id'))
          and (chosen ->> 'user_id' is null or t.user_id = app.as_uuid(chosen ->> 'user_id'))
          and (chosen ->> 'client_id' is null or t.client_id = chosen ->> 'client_id'))
    returning t.id, t.user_id, t.client_id, t.kind),
  audited as (
    select app.record_audit(jsonb_build_object(
      'type', 'pat.revoked',
      'user_id', e.user_id,
      'subject_id', e.id,
      'data', jsonb_build_object('reason', reason, 'by', app.get_caller_id())), actor)
    from ended e
    where e.kind = 'pat')
  select array_agg(e.id) filter (where e.kind = 'pat'), count(*) filter (where e.kind = 'oauth') into v_pats, v_tokens
  from ended e
  cross join (select count(*) from audited) t;
  -- Servers that have something open for it close it.
  perform pg_notify('cairn_access', v_tenant::text);
  return jsonb_build_object(
    'grants', coalesce(cardinality(v_grants), 0),
    'tokens', v_tokens,
    'pats', coalesce(cardinality(v_pats), 0));
end
$$;

-- Enters the workspace and finds the token of that hash; null if there is none.
create or replace function app.find_bearer(workspace uuid, token_hash text, resource text)
  returns app.bearer
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant uuid := set_config('app.tenant_id', coalesce(workspace, app.get_nil_id())::text, true);
  v_now timestamptz := app.now();
  v_bearer app.bearer;
begin
  select t.id,
      t.kind,
      t.user_id,
      t.grant_id,
      m.role,
      t.scope,
      t.project_id,
      t.client_id,
      coalesce(g.client_name, t.name),
      least(t.expires_at, g.expires_at),
      t.last_used_at,
      case
        when t.resource <> find_bearer.resource then 'audience'
        when coalesce(t.revoked_at, g.revoked_at) is not null then 'revoked'
        when m.role is null then 'not_a_member'
        when least(t.expires_at, g.expires_at) <= v_now then 'expired' end,
      t.agent
    into v_bearer
    from public.oauth_tokens t
    left join app.oauth_grants g on g.tenant_id = t.tenant_id and g.id = t.grant_id
    left join public.memberships m on m.tenant_id = t.tenant_id and m.user_id = t.user_id
    where t.tenant_id = v_tenant and t.access_token = token_hash;
  return v_bearer;
end
$$;

-- Proves an actor whose call came with a token, within that call: with its user's role and the token's limit. Raises
-- unauthenticated if the token is invalid or another's; authenticate_token tells and records why.
create or replace function app.prove_token(acting app.actor, proof jsonb)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bearer app.bearer := app.find_bearer(acting.tenant_id, proof ->> 'token_hash', proof ->> 'resource');
begin
  if v_bearer.user_id is distinct from acting.user_id or v_bearer.refused is not null then
    perform app.fail('unauthenticated', 'The access token is not valid: it is unknown, expired or revoked.',
      null, 'Connect again.');
  end if;
  acting.role := v_bearer.role;
  acting.project_id := v_bearer.project_id;
  acting.drives := v_bearer.agent;
  return acting;
end
$$;

-- Records a refusal that anyone may repeat without end once a minute; an expired token, which the client knows of,
-- never.
create or replace function app.refuse_bearer(bearer app.bearer, actor jsonb)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if bearer.refused <> 'expired'
      and not exists (
        select from app.auth_events e
        where e.tenant_id = app.get_tenant_id()
          and e.subject_id = bearer.id
          and e.type = 'token.refused'
          and e.at > app.now() - interval '1 minute') then
    perform app.record_audit(jsonb_build_object(
      'type', 'token.refused',
      'user_id', bearer.user_id,
      'client_id', bearer.client_id,
      'subject_id', bearer.id,
      'data', jsonb_build_object('why', bearer.refused)), actor);
  end if;
  return jsonb_build_object('refused', bearer.refused);
end
$$;

-- authenticate_token(token_hash, resource) -> {token_id, grant_id?, kind, user_id, tenant_id, role, scope, resource,
-- project_id?, agent?, client_id, client_name?, expires_at} or {refused:
-- unknown|audience|revoked|expired|not_a_member}. The actor's workspace is the one that the token names.
create or replace function public.authenticate_token(token_hash text, resource text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_bearer app.bearer := app.find_bearer(v_actor.tenant_id, token_hash, resource);
  v_now timestamptz;
begin
  if v_bearer.id is null then
    return jsonb_build_object('refused', 'unknown');
  elsif v_bearer.refused is not null then
    return app.refuse_bearer(v_bearer, actor);
  end if;
  -- Records the last use to the minute, and does not wait until the record is on disk.
  v_now := app.now();
  if v_bearer.last_used_at is null or v_bearer.last_used_at < v_now - interval '1 minute' then
    perform set_config('synchronous_commit', 'off', true);
    update public.oauth_tokens t set last_used_at = v_now, last_used_ip = app.read_ip(actor)
      where t.tenant_id = v_actor.tenant_id and t.id = v_bearer.id;
    update app.oauth_grants g set last_used_at = v_now, last_used_ip = app.read_ip(actor)
      where g.tenant_id = v_actor.tenant_id and g.id = v_bearer.grant_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'token_id', v_bearer.id,
    'grant_id', v_bearer.grant_id,
    'kind', v_bearer.kind,
    'user_id', v_bearer.user_id,
    'tenant_id', v_actor.tenant_id,
    'role', v_bearer.role,
    'scope', v_bearer.scope,
    'resource', authenticate_token.resource,
    'project_id', v_bearer.project_id,
    'agent', v_bearer.agent,
    'client_id', v_bearer.client_id,
    'client_name', v_bearer.client_name,
    'expires_at', v_bearer.expires_at));
end
$$;

-- Adds a pair of tokens to a grant. `minted` is {id, access_hash, refresh_hash, access_seconds, refresh_seconds}.
create or replace function app.issue_tokens(access app.oauth_grants, scope text, minted jsonb, actor jsonb)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_token public.oauth_tokens;
begin
  insert into public.oauth_tokens (tenant_id, id, user_id, grant_id, parent_id, access_token, refresh_token,
    expires_at, refresh_expires_at, scope, resource, client_id, created_ip, created_at, updated_at)
    values (access.tenant_id, (minted ->> 'id')::uuid, access.user_id, access.id, (minted ->> 'parent_id')::uuid,
      minted ->> 'access_hash', minted ->> 'refresh_hash',
      least(v_now + make_interval(secs => (minted ->> 'access_seconds')::integer), access.expires_at),
      least(v_now + make_interval(secs => (minted ->> 'refresh_seconds')::integer), access.expires_at), scope,
      access.resource, access.client_id, app.read_ip(actor), v_now, v_now)
    returning * into v_token;
  return jsonb_build_object('token_id', v_token.id, 'scope', v_token.scope, 'resource', v_token.resource,
    'expires_in', extract(epoch from v_token.expires_at - v_now)::integer);
end
$$;

-- redeem_code(code_hash, presented {client_id, redirect_uri, code_challenge, resource?}, minted) -> {scope, resource,
-- expires_in, token_id} or {refused: unknown|expired|reused|client|redirect_uri|code_challenge|resource|revoked}.
-- Exactly one of many concurrent calls succeeds; a second presentation by its own client revokes the first one's tokens
-- (OAuth 2.1, section 4.1.3).
create or replace function public.redeem_code(code_hash text, presented jsonb, minted jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_code app.oauth_codes;
  v_grant app.oauth_grants;
  v_refused text;
  v_answer jsonb;
begin
  select c.* into v_code from app.oauth_codes c
    where c.tenant_id = v_actor.tenant_id and c.code_hash = redeem_code.code_hash;
  if not found then
    return jsonb_build_object('refused', 'unknown');
  end if;
  select g.* into v_grant from app.oauth_grants g
    where g.tenant_id = v_code.tenant_id and g.id = v_code.grant_id
    for update;
  select c.* into v_code from app.oauth_codes c
    where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash
    for update;
  perform set_config('app.user_id', v_grant.user_id::text, true);
  v_refused := case
    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'
    when v_code.used_at is not null then 'reused'
    when v_grant.revoked_at is not null then 'revoked'
    when v_code.expires_at <= app.now() then 'expired'
    when presented ->> 'redirect_uri' is distinct from v_code.redirect_uri then 'redirect_uri'
    when presented ->> 'code_challenge' is distinct from v_code.code_challenge then 'code_challenge'
    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource' end;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object(
      'type', case v_refused when 'reused' then 'code.reused' else 'code.refused' end,
      'client_id', v_grant.client_id,
      'subject_id', v_grant.id,
      'data', jsonb_build_object('why', v_refused, 'presented_by', left(presented ->> 'client_id', 200))), actor);
    if v_refused = 'reused' then
      perform app.end_access(jsonb_build_object('id', v_grant.id),
        'The authorization code was presented twice.', actor);
    end if;
    return jsonb_build_object('refused', v_refused);
  end if;
  update app.oauth_codes c set used_at = app.now()
    where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash;
  v_answer := app.issue_tokens(v_grant, v_grant.scope, minted, actor);
  perform app.record_audit(jsonb_build_object(
    'type', 'token.issued',
    'client_id', v_grant.client_id,
    'subject_id', v_grant.id), actor);
  return v_answer;
end
$$;

-- refresh_token(token_hash, presented {client_id, scope?, resource?, grace_seconds}, minted) -> {scope, resource,
-- expires_in, token_id} or {refused: unknown|client|revoked|expired|reused|stolen|scope|resource|not_a_member}. A
-- refresh token works once, and during the grace time up to a hundred times, each with its own tokens: processes that
-- share one store refresh at once. After that only this use is refused (reused), unless the token's offspring lives
-- elsewhere: then the grant ends (stolen).
create or replace function public.refresh_token(
  token_hash text,
  presented jsonb,
  minted jsonb,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_token public.oauth_tokens;
  v_grant app.oauth_grants;
  v_scope text;
  v_late boolean;
  v_refused text;
  v_answer jsonb;
begin
  select t.* into v_token from public.oauth_tokens t
    where t.tenant_id = v_actor.tenant_id and t.refresh_token = token_hash;
  if not found then
    return jsonb_build_object('refused', 'unknown');
  end if;
  perform set_config('app.user_id', v_token.user_id::text, true);
  select g.* into v_grant from app.oauth_grants g
    where g.tenant_id = v_token.tenant_id and g.id = v_token.grant_id
    for update;
  select t.* into v_token from public.oauth_tokens t where t.tenant_id = v_token.tenant_id and t.id = v_token.id;
  v_scope := coalesce(presented ->> 'scope', v_token.scope);
  v_late := coalesce(v_token.refresh_used_at + make_interval(secs => (presented ->> 'grace_seconds')::integer)
    < app.now(), false);
  v_refused := case
    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'
    when v_grant.revoked_at is not null or v_token.revoked_at is not null then 'revoked'
    when least(v_token.refresh_expires_at, v_grant.expires_at) <= app.now() then 'expired'
    when v_late and app.lives_elsewhere(v_token, app.read_ip(actor)) then 'stolen'
    when v_late or v_token.refresh_uses >= 100 then 'reused'
    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource'
    when not string_to_array(v_scope, ' ') <@ string_to_array(v_grant.scope, ' ') then 'scope'
    when not exists (
        select from public.memberships m
        where m.tenant_id = v_token.tenant_id and m.user_id = v_token.user_id)
      then 'not_a_member' end;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object(
      'type', case when v_refused in ('reused', 'stolen') then 'refresh.reused' else 'refresh.refused' end,
      'client_id', v_grant.client_id,
      'subject_id', v_grant.id,
      'data', jsonb_build_object('why', v_refused, 'presented_by', left(presented ->> 'client_id', 200))), actor);
    if v_refused = 'stolen' then
      perform app.end_access(jsonb_build_object('id', v_grant.id),
        'A refresh token that was used elsewhere came back.', actor);
    end if;
    return jsonb_build_object('refused', v_refused);
  end if;
  update public.oauth_tokens t
    set refresh_used_at = coalesce(t.refresh_used_at, app.now()),
      refresh_uses = t.refresh_uses + 1,
      updated_at = app.now()
    where t.tenant_id = v_token.tenant_id and t.id = v_token.id;
  v_answer := app.issue_tokens(v_grant, v_scope, minted || jsonb_build_object('parent_id', v_token.id), actor);
  perform app.record_audit(jsonb_build_object(
    'type', 'token.refreshed',
    'client_id', v_grant.client_id,
    'subject_id', v_grant.id), actor);
  return v_answer;
end
$$;

-- revoke_token(token_hash, client_id?) -> {revoked}: RFC 7009, section 2.1. A client ends only its own grant; without a
-- client the server vouches that any holder of a secret may end it, e.g. one found in public.
create or replace function public.revoke_token(token_hash text, client_id text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_token public.oauth_tokens;
begin
  select t.* into v_token from public.oauth_tokens t
    where t.tenant_id = v_actor.tenant_id and t.access_token = token_hash;
  if not found then
    select t.* into v_token from public.oauth_tokens t
      where t.tenant_id = v_actor.tenant_id and t.refresh_token = token_hash;
  end if;
  if v_token.id is null or revoke_token.client_id <> v_token.client_id then
    return jsonb_build_object('revoked', false);
  end if;
  perform set_config('app.user_id', v_token.user_id::text, true);
  perform app.end_access(jsonb_build_object('id', v_token.id),
    case when revoke_token.client_id is null then 'Its holder ended it.' else 'Its client ended it.' end, actor);
  return jsonb_build_object('revoked', true);
end
$$;

-- Masks an address to the network that processes of one machine share: the /24 of IPv4, the /48 of IPv6. A socket of
-- both writes the one as the other.
create or replace function app.mask_address(address inet)
  returns cidr
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select network(set_masklen(a.plain, case family(a.plain) when 4 then 24 else 48 end))
  from (select regexp_replace(host(address), '^::ffff:(?=\d+\.)', '')::inet as plain) a
$$;

-- Tells whether a use of the token made a branch of the family that lives elsewhere: neither the pair of that use nor
-- its offspring was ever seen in the place that got the token, or in this one. A machine that moves takes its processes
-- along, so its branches are seen in its place. An unknown place is no alibi.
create or replace function app.lives_elsewhere(token public.oauth_tokens, address inet)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive family as (
    select t.id as branch, t.id, t.created_ip, t.last_used_ip
    from public.oauth_tokens t
    where t.tenant_id = token.tenant_id and t.parent_id = token.id
    union all
    select f.branch, t.id, t.created_ip, t.last_used_ip
    from family f
    join public.oauth_tokens t on t.tenant_id = token.tenant_id and t.parent_id = f.id)
  select exists (
    select from family f
    group by f.branch
    having not bool_or(array[app.mask_address(f.created_ip), app.mask_address(f.last_used_ip)]
      && array[app.mask_address(token.created_ip), app.mask_address(address)]))
$$;

select app.define_on_tables($triggers$
  create trigger grants_clean_name before insert or update of client_name on app.oauth_grants
    for each row execute function app.clean_column('client_name', '100', 'Unnamed client');

  create trigger tokens_clean_name before insert or update of name on public.oauth_tokens
    for each row when (new.name is not null) execute function app.clean_column('name', '100', 'Unnamed token');
$triggers$);

-- Asking a person for a grant: request, consent, code.

create or replace function app.client_view(client app.oauth_clients) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'client_id', client.client_id,
    'kind', client.kind,
    'client_name', client.client_name,
    'client_uri', client.client_uri,
    'redirect_uris', client.redirect_uris,
    'token_endpoint_auth_method', client.token_endpoint_auth_method,
    'client_secret_hash', client.client_secret_hash,
    'application_type', client.application_type,
    'created_at', client.created_at,
    'fetched_at', client.fetched_at,
    'fresh_until', client.fresh_until,
    'authorized_at', client.authorized_at,
    'last_used_at', client.last_used_at))
$$;

-- save_client(client {client_id, kind: dcr|cimd, client_name, client_uri?, redirect_uris, token_endpoint_auth_method,
-- client_secret_hash?, application_type?, fresh_seconds?}) -> client. A CIMD client is saved again after each fetch of
-- its document.
create or replace function public.save_client(client jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_now timestamptz := app.now();
  v_client app.oauth_clients;
begin
  if client ->> 'kind' not in ('dcr', 'cimd') then
    perform app.fail('invalid_input', 'Only an admin adds a static client.');
  end if;
  insert into app.oauth_clients as c (tenant_id, client_id, kind, client_name, client_uri, redirect_uris,
    token_endpoint_auth_method, client_secret_hash, application_type, created_ip, created_at, fetched_at, fresh_until)
    select v_actor.tenant_id,
      n.client_id,
      n.kind,
      n.client_name,
      n.client_uri,
      n.redirect_uris,
      n.token_endpoint_auth_method,
      n.client_secret_hash,
      n.application_type,
      app.read_ip(actor),
      v_now,
      case n.kind when 'cimd' then v_now end,
      v_now + make_interval(secs => (client ->> 'fresh_seconds')::integer)
    from jsonb_populate_record(null::app.oauth_clients, client) n
    on conflict (tenant_id, client_id) do update
      set client_name = excluded.client_name,
        client_uri = excluded.client_uri,
        redirect_uris = excluded.redirect_uris,
        application_type = excluded.application_type,
        fetched_at = excluded.fetched_at,
        fresh_until = excluded.fresh_until
      where c.kind = 'cimd'
    returning * into v_client;
  if v_client.created_at = v_now then
    perform app.record_audit(jsonb_build_object(
      'type', 'client.registered',
      'client_id', v_client.client_id,
      'data', jsonb_build_object(
        'kind', v_client.kind,
        'client_name', v_client.client_name,
        'redirect_uris', v_client.redirect_uris)), actor);
  end if;
  return app.client_view(v_client);
end
$$;

-- get_client(client_id) -> client with client_secret_hash, or {}.
create or replace function public.get_client(client_id text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return coalesce((select app.client_view(c) from app.oauth_clients c where c.client_id = get_client.client_id), '{}');
end
$$;

-- start_authorization(request {request_hash, txn_hash, client_id, redirect_uri, scope, resource, state?,
-- code_challenge, ttl_seconds}) -> {expires_at}
create or replace function public.start_authorization(request jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_now timestamptz := app.now();
  v_expires timestamptz := v_now + make_interval(secs => (request ->> 'ttl_seconds')::integer);
begin
  insert into app.authorization_requests (tenant_id, request_hash, txn_hash, client_id, redirect_uri, scope, resource,
    state, code_challenge, created_at, expires_at)
    values (v_actor.tenant_id, request ->> 'request_hash', request ->> 'txn_hash', request ->> 'client_id',
      request ->> 'redirect_uri', request ->> 'scope', request ->> 'resource', request ->> 'state',
      request ->> 'code_challenge', v_now, v_expires);
  return jsonb_build_object('expires_at', v_expires);
end
$$;

-- Finds the request that this browser began and this user may answer, or why not; locks it with `decide`.
create or replace function app.find_authorization(
  request_hash text,
  txn_hash text,
  user_id uuid,
  decide boolean,
  out request app.authorization_requests,
  out refused text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if decide then
    select r.* into request from app.authorization_requests r
      where r.tenant_id = app.get_nil_id() and r.request_hash = find_authorization.request_hash
      for update;
  else
    select r.* into request from app.authorization_requests r
      where r.tenant_id = app.get_nil_id() and r.request_hash = find_authorization.request_hash;
  end if;
  refused := case
    when request.request_hash is null or request.expires_at <= app.now() then 'expired'
    when request.txn_hash is distinct from find_authorization.txn_hash then 'other_browser'
    when request.user_id <> find_authorization.user_id then 'other_user'
    when decide and request.user_id is null then 'not_opened' end;
end
$$;

create or replace function app.list_workspaces(user_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('tenant_id', t.id, 'name', t.name, 'role', m.role)
    order by (t.id = m.user_id) desc, m.created_at, t.id), '[]')
  from public.memberships m
  join public.tenants t on t.id = m.tenant_id
  where m.user_id = list_workspaces.user_id
$$;

-- open_authorization(request_hash, txn_hash) -> {request: {client_id, redirect_uri, scope, resource, state?,
-- expires_at}, client, workspaces: [{tenant_id, name, role}]} or {refused: expired|other_browser|other_user}.
-- Afterwards only this user can answer it.
create or replace function public.open_authorization(request_hash text, txn_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_found record;
  v_request app.authorization_requests;
  v_refused text;
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  select * into v_found
    from app.find_authorization(open_authorization.request_hash, open_authorization.txn_hash, v_actor.user_id, false);
  v_request := v_found.request;
  v_refused := v_found.refused;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object(
      'type', 'consent.refused',
      'client_id', v_request.client_id,
      'data', jsonb_build_object('why', v_refused)), actor);
    return jsonb_build_object('refused', v_refused);
  end if;
  update app.authorization_requests r set user_id = v_actor.user_id
    where r.tenant_id = v_request.tenant_id and r.request_hash = v_request.request_hash;
  return jsonb_build_object(
    'request', jsonb_strip_nulls(jsonb_build_object(
      'client_id', v_request.client_id,
      'redirect_uri', v_request.redirect_uri,
      'scope', v_request.scope,
      'resource', v_request.resource,
      'state', v_request.state,
      'expires_at', v_request.expires_at)),
    'client', (
      select app.client_view(c) - 'client_secret_hash'
      from app.oauth_clients c
      where c.client_id = v_request.client_id),
    'workspaces', app.list_workspaces(v_actor.user_id));
end
$$;

-- Consents: makes the grant and its code, in the door's workspace.
create or replace function app.grant_access(request app.authorization_requests, decision jsonb, actor jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_client app.oauth_clients;
  v_grant uuid := (decision ->> 'grant_id')::uuid;
begin
  select c.* into v_client from app.oauth_clients c where c.client_id = request.client_id;
  insert into app.oauth_grants (tenant_id, id, user_id, client_id, client_name, client_kind, redirect_host, resource,
    scope, created_ip, created_at, expires_at)
    values (app.get_tenant_id(), v_grant, request.user_id, request.client_id, v_client.client_name, v_client.kind,
      decision ->> 'redirect_host', request.resource, decision ->> 'scope', app.read_ip(actor), v_now,
      v_now + make_interval(secs => (decision ->> 'grant_seconds')::integer));
  insert into app.oauth_codes (tenant_id, code_hash, grant_id, redirect_uri, code_challenge, expires_at)
    values (app.get_tenant_id(), decision ->> 'code_hash', v_grant, request.redirect_uri, request.code_challenge,
      v_now + make_interval(secs => (decision ->> 'code_seconds')::integer));
  perform app.record_audit(jsonb_build_object(
    'type', 'grant.created',
    'client_id', request.client_id,
    'subject_id', v_grant,
    'data', jsonb_build_object(
      'scope', decision ->> 'scope',
      'resource', request.resource,
      'redirect_host', decision ->> 'redirect_host')), actor);
end
$$;

-- answer_authorization(request_hash, txn_hash, decision {allow, scope, grant_id, code_hash, redirect_host,
-- code_seconds, grant_seconds}) -> {redirect_uri, state?, allowed} or {refused:
-- expired|other_browser|other_user|not_opened|blocked|scope|role}. The actor's workspace is the one that the person
-- chose. A request is answered once.
create or replace function public.answer_authorization(
  request_hash text,
  txn_hash text,
  decision jsonb,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_found record;
  v_request app.authorization_requests;
  v_refused text;
  v_allow boolean := (decision ->> 'allow')::boolean;
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  select * into v_found
    from app.find_authorization(answer_authorization.request_hash, answer_authorization.txn_hash, v_actor.user_id,
      true);
  v_request := v_found.request;
  v_refused := v_found.refused;
  if v_refused is null and v_allow then
    perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
    v_refused := case
      when exists (
          select from app.client_blocks b
          where b.tenant_id = v_actor.tenant_id and b.client_id = v_request.client_id)
        then 'blocked'
      when not string_to_array(decision ->> 'scope', ' ') <@ string_to_array(v_request.scope, ' ')
          or decision ->> 'scope' = ''
        then 'scope'
      when 'admin' = any (string_to_array(decision ->> 'scope', ' '))
          and app.role_rank(v_actor.role) < app.role_rank('admin')
        then 'role' end;
  end if;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object(
      'type', 'consent.refused',
      'client_id', v_request.client_id,
      'data', jsonb_build_object('why', v_refused)), actor);
    return jsonb_build_object('refused', v_refused);
  end if;
  if v_allow then
    perform app.grant_access(v_request, decision, actor);
  else
    perform app.record_audit(jsonb_build_object('type', 'grant.denied', 'client_id', v_request.client_id), actor);
  end if;
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  delete from app.authorization_requests r
    where r.tenant_id = v_request.tenant_id and r.request_hash = v_request.request_hash;
  -- The client's own row lies with its registrar: a workspace, or nobody.
  perform set_config('app.tenant_id',
    coalesce(
      (select c.tenant_id from app.oauth_clients c where c.client_id = v_request.client_id),
      app.get_nil_id())::text,
    true);
  update app.oauth_clients c set authorized_at = coalesce(c.authorized_at, app.now()), last_used_at = app.now()
    where v_allow and c.client_id = v_request.client_id;
  return jsonb_strip_nulls(jsonb_build_object(
    'redirect_uri', v_request.redirect_uri,
    'state', v_request.state,
    'allowed', v_allow));
end
$$;

-- trusts_client(client_id, redirect_host?) -> {trusted}: tells whether the actor currently admits the client, in any
-- workspace, with its answers going to a host if one is named.
create or replace function public.trusts_client(
  client_id text,
  redirect_host text default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_tenant uuid;
begin
  for v_tenant in select m.tenant_id from public.memberships m where m.user_id = v_actor.user_id limit 1000 loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    if exists (select from app.oauth_grants g
        where g.tenant_id = v_tenant
          and g.user_id = v_actor.user_id
          and g.client_id = trusts_client.client_id
          and g.revoked_at is null
          and g.expires_at > app.now()
          and g.redirect_host = coalesce(trusts_client.redirect_host, g.redirect_host)) then
      return '{"trusted": true}';
    end if;
  end loop;
  return '{"trusted": false}';
end
$$;

select app.define_on_tables($triggers$
  create trigger clients_clean_name before insert or update of client_name on app.oauth_clients
    for each row execute function app.clean_column('client_name', '100', 'Unnamed client');
$triggers$);

-- People: their identities, their browser sessions, their invitations.

-- take_attempt(bucket, attempts_max, window_seconds) -> {allowed, retry_after_seconds}: one of so many tries in a
-- window, counted for all replicas.
create or replace function public.take_attempt(
  bucket text,
  attempts_max integer,
  window_seconds integer,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return app.take_rate(bucket, attempts_max, window_seconds);
end
$$;

-- Names the bucket of a browser that signed in to an account before. Nobody else can use up its tries.
create or replace function app.browser_bucket(account text, browser_hash text) returns text language sql immutable as $$
  select 'browser ' || account || ' ' || browser_hash
$$;

-- take_known_attempt(account, browser_hash, attempts_max) -> {known}: takes one of a browser's tries between two
-- sign-ins to the account; false if it never signed in, or has none left.
create or replace function public.take_known_attempt(
  account text,
  browser_hash text,
  attempts_max integer,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  update app.rates a set count = a.count + 1
    where a.tenant_id = v_actor.tenant_id
      and a.bucket = app.browser_bucket(account, browser_hash)
      and a.ends_at > app.now()
      and a.count < attempts_max;
  return jsonb_build_object('known', found);
end
$$;

-- admit_browser(account, browser {browser_hash, replaces_hash?, ttl_seconds}, buckets [text]) -> {}: after somebody
-- signed in, returns the tries taken from these buckets and remembers the browser; forgets its earlier secret.
create or replace function public.admit_browser(
  account text,
  browser jsonb,
  buckets jsonb default '[]',
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  update app.rates a set count = greatest(a.count - 1, 0)
    where a.tenant_id = v_actor.tenant_id and a.bucket in (select jsonb_array_elements_text(buckets));
  delete from app.rates a
    where a.tenant_id = v_actor.tenant_id and a.bucket = app.browser_bucket(account, browser ->> 'replaces_hash');
  insert into app.rates (tenant_id, bucket, count, ends_at)
  values (v_actor.tenant_id, app.browser_bucket(account, browser ->> 'browser_hash'), 0,
    app.now() + make_interval(secs => (browser ->> 'ttl_seconds')::integer));
  return '{}';
end
$$;

-- Finds the invitation of a secret for a user with this e-mail address, or why not; call it with the presented hash.
create or replace function app.find_invitation(
  invitation_hash text,
  email text,
  user_id uuid,
  actor jsonb,
  out invitation app.invitations,
  out refused text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant text := current_setting('app.tenant_id', true);
begin
  select i.* into invitation from app.invitations i where i.invitation_hash = find_invitation.invitation_hash;
  if invitation.id is null then
    refused := 'invitation_unknown';
    return;
  end if;
  perform set_config('app.tenant_id', invitation.tenant_id::text, true);
  -- All roles in the order of set_member, and only then the invitation as it is now: of a removal and an acceptance at
  -- once the second sees what the first did.
  perform from public.memberships m where m.tenant_id = invitation.tenant_id order by m.user_id for update;
  select i.* into invitation from app.invitations i
    where i.tenant_id = invitation.tenant_id and i.id = invitation.id for update;
  refused := case
    when invitation.revoked_at is not null then 'invitation_withdrawn'
    when invitation.accepted_at is not null then 'invitation_used'
    when invitation.expires_at <= app.now() then 'invitation_expired'
    when not app.may_invite((
          select m.role from public.memberships m
          where m.tenant_id = invitation.tenant_id and m.user_id = invitation.invited_by),
        invitation.role)
      then 'invitation_lapsed'
    when lower(invitation.email) <> coalesce(lower(find_invitation.email), '') then 'invitation_of_another' end;
  if refused is not null
      and not exists (
        select from app.auth_events e
        where e.tenant_id = invitation.tenant_id
          and e.subject_id = invitation.id
          and e.type = 'invitation.refused'
          and e.at > app.now() - interval '1 minute') then
    perform app.record_audit(jsonb_build_object('type', 'invitation.refused', 'user_id', find_invitation.user_id,
      'subject_id', invitation.id,
      'data', jsonb_build_object('why', refused, 'role', invitation.role, 'invited_by', invitation.invited_by)), actor);
    if refused in ('invitation_withdrawn', 'invitation_lapsed') then
      perform app.raise_alert('invitation_misused', 'high', 'Somebody opened an invitation that no longer holds.',
        jsonb_build_object('invitation', invitation.id, 'why', refused, 'role', invitation.role),
        'invitation_misused:' || invitation.id);
    end if;
  end if;
  perform set_config('app.tenant_id', coalesce(v_tenant, ''), true);
end
$$;

create or replace function app.join_workspace(invitation app.invitations, user_id uuid, actor jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('app.tenant_id', invitation.tenant_id::text, true), set_config('app.user_id', user_id::text, true);
  update app.invitations i set accepted_at = app.now(), accepted_by = join_workspace.user_id
    where i.tenant_id = invitation.tenant_id and i.id = invitation.id and i.accepted_at is null;
  if not found then
    perform app.fail('already_exists', 'The invitation was accepted already.', null,
      'Ask an admin of the workspace for a new one.');
  end if;
  insert into public.memberships as m (tenant_id, user_id, role)
    values (invitation.tenant_id, join_workspace.user_id, invitation.role)
    on conflict on constraint memberships_pkey do update set role = excluded.role
      where app.role_rank(excluded.role) > app.role_rank(m.role);
  perform app.record_audit(jsonb_build_object(
    'type', 'invitation.accepted',
    'subject_id', invitation.id,
    'data', jsonb_build_object('role', invitation.role)), actor);
end
$$;

-- Finds the user of an identity, or null: known already, or linked by an address that both providers verified, if the
-- operator allows that.
create or replace function app.known_user(identity jsonb, terms jsonb)
  returns uuid
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_user uuid;
begin
  select i.user_id into v_user from app.user_identities i
    where i.tenant_id = app.get_nil_id() and i.issuer = identity ->> 'issuer' and i.subject = identity ->> 'subject';
  if v_user is null and (terms ->> 'link_email')::boolean and (identity ->> 'email_verified')::boolean then
    select case when count(distinct i.user_id) = 1 then (array_agg(i.user_id))[1] end into v_user
      from app.user_identities i
      where i.tenant_id = app.get_nil_id() and i.email_verified and lower(i.email) = lower(identity ->> 'email');
  end if;
  return v_user;
end
$$;

-- admit_identity(identity {issuer, subject, name?, email?, email_verified?}, terms {open?, link_email?,
-- invitation_hash?}) -> {user_id, created} or {refused:
-- sign_up_closed|invitation_unknown|invitation_withdrawn|invitation_used|invitation_expired|
-- invitation_lapsed|invitation_of_another}. The server vouches for the identity; a new one is admitted with `open` (an
-- allow-list matched) or an invitation, which anybody may use to join its workspace.
create or replace function public.admit_identity(identity jsonb, terms jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor, terms ->> 'invitation_hash');
  v_user uuid := app.known_user(identity, terms);
  v_created boolean := v_user is null;
  v_found record;
  v_invitation app.invitations;
  v_refused text := case when v_user is null and not coalesce((terms ->> 'open')::boolean, false)
    then 'sign_up_closed' end;
begin
  if terms ->> 'invitation_hash' is not null then
    select * into v_found from app.find_invitation(terms ->> 'invitation_hash',
      case when (identity ->> 'email_verified')::boolean then identity ->> 'email' end, v_user, actor);
    v_invitation := v_found.invitation;
    v_refused := v_found.refused;
  end if;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object('type', 'login.refused',
      'data', jsonb_build_object('why', v_refused, 'issuer', left(identity ->> 'issuer', 200))), actor);
    return jsonb_build_object('refused', v_refused);
  end if;
  v_user := coalesce(v_user, app.user_of(identity));
  perform app.provision_user(v_user,
    left(coalesce(nullif(identity ->> 'name', ''), nullif(identity ->> 'email', ''), identity ->> 'subject'), 200),
    left(identity ->> 'email', 320));
  if v_invitation.id is not null then
    perform app.join_workspace(v_invitation, v_user, actor);
  end if;
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  insert into app.user_identities as i (tenant_id, issuer, subject, user_id, email, email_verified, created_at,
    last_login_at)
    values (app.get_nil_id(), identity ->> 'issuer', identity ->> 'subject', v_user, left(identity ->> 'email', 320),
      coalesce((identity ->> 'email_verified')::boolean, false), app.now(), app.now())
    on conflict (tenant_id, issuer, subject) do update
      set email = excluded.email, email_verified = excluded.email_verified, last_login_at = excluded.last_login_at;
  return jsonb_build_object('user_id', v_user, 'created', v_created);
end
$$;

-- accept_invitation(invitation_hash) -> {tenant_id, name, role} or {refused}: for a signed-in person.
create or replace function public.accept_invitation(invitation_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_found record;
  v_invitation app.invitations;
  v_refused text;
begin
  perform set_config('app.credential_hash', invitation_hash, true);
  select * into v_found
    from app.find_invitation(accept_invitation.invitation_hash,
      (
        select i.email from app.user_identities i
        where i.user_id = v_actor.user_id and i.email_verified
        order by i.last_login_at desc limit 1),
      v_actor.user_id, actor);
  v_invitation := v_found.invitation;
  v_refused := v_found.refused;
  if v_refused is not null then
    return jsonb_build_object('refused', v_refused);
  end if;
  perform app.join_workspace(v_invitation, v_actor.user_id, actor);
  return (select jsonb_build_object('tenant_id', t.id, 'name', t.name, 'role', v_invitation.role)
    from public.tenants t where t.id = v_invitation.tenant_id);
end
$$;

-- start_session(session {session_hash, amr: [text], idle_seconds, max_seconds}) -> {expires_at}: for the actor, who has
-- just logged in.
create or replace function public.start_session(session jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
  v_now timestamptz := app.now();
  v_expires timestamptz := v_now + make_interval(secs => (session ->> 'max_seconds')::integer);
begin
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  insert into app.auth_sessions (tenant_id, session_hash, user_id, amr, auth_at, last_seen_at, idle_seconds,
    expires_at, created_ip)
    values (v_actor.user_id, session ->> 'session_hash', v_actor.user_id,
      array(select jsonb_array_elements_text(session -> 'amr')), v_now, v_now, (session ->> 'idle_seconds')::integer,
      v_expires, app.read_ip(actor));
  perform app.record_audit(jsonb_build_object(
    'type', 'session.started',
    'data', jsonb_build_object('amr', session -> 'amr')), actor);
  return jsonb_build_object('expires_at', v_expires);
end
$$;

-- get_session(session_hash) -> {user_id, name, email?, amr, auth_at, expires_at, workspaces: [{tenant_id, name, role}]}
-- or {} after its end.
create or replace function public.get_session(session_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor, session_hash);
  v_session app.auth_sessions;
  v_now timestamptz;
begin
  select s.* into v_session from app.auth_sessions s where s.session_hash = get_session.session_hash;
  if not found then
    return '{}';
  end if;
  perform set_config('app.tenant_id', v_session.tenant_id::text, true),
    set_config('app.user_id', v_session.user_id::text, true);
  v_now := app.now();
  if least(v_session.expires_at, v_session.last_seen_at + make_interval(secs => v_session.idle_seconds)) <= v_now then
    return '{}';
  end if;
  if v_session.last_seen_at < v_now - interval '1 minute' then
    update app.auth_sessions s set last_seen_at = v_now
      where s.tenant_id = v_session.tenant_id and s.session_hash = v_session.session_hash;
  end if;
  return (
    select jsonb_strip_nulls(jsonb_build_object(
      'user_id', u.id,
      'name', u.name,
      'email', u.email,
      'amr', v_session.amr,
      'auth_at', v_session.auth_at,
      'expires_at', v_session.expires_at,
      'workspaces', app.list_workspaces(u.id)))
    from public.users u
    where u.id = v_session.user_id);
end
$$;

-- end_session(session_hash) -> {ended}; with `everywhere`, all of its user's sessions.
create or replace function public.end_session(
  session_hash text,
  everywhere boolean default false,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor, session_hash);
  v_user uuid := (select s.user_id from app.auth_sessions s where s.session_hash = end_session.session_hash);
  v_ended integer;
begin
  if v_user is null then
    return jsonb_build_object('ended', 0);
  end if;
  perform set_config('app.tenant_id', v_user::text, true), set_config('app.user_id', v_user::text, true);
  delete from app.auth_sessions s
    where s.tenant_id = v_user and (everywhere or s.session_hash = end_session.session_hash);
  get diagnostics v_ended = row_count;
  perform app.record_audit(
    jsonb_build_object('type', 'session.ended', 'data', jsonb_build_object('count', v_ended)), actor);
  return jsonb_build_object('ended', v_ended);
end
$$;

-- set_password(password_hash) -> {}: of the actor. Ends the sessions of the old password, and forgets its known
-- browsers: their buckets end in a hash in hex, which is before "g".
create or replace function public.set_password(password_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  delete from app.rates a
    where a.tenant_id = app.get_nil_id()
      and a.bucket > app.browser_bucket(v_actor.user_id::text, '')
      and a.bucket < app.browser_bucket(v_actor.user_id::text, 'g');
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  insert into app.passwords as p (tenant_id, user_id, password_hash, updated_at)
    values (v_actor.user_id, v_actor.user_id, set_password.password_hash, app.now())
    on conflict (tenant_id, user_id) do update
      set password_hash = excluded.password_hash, updated_at = excluded.updated_at;
  delete from app.auth_sessions s where s.tenant_id = v_actor.user_id;
  perform app.record_audit(jsonb_build_object('type', 'password.set'), actor);
  return '{}';
end
$$;

-- get_password() -> {password_hash?}: of the actor, for the server to compare with.
create or replace function public.get_password(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
begin
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  return coalesce((
    select jsonb_build_object('password_hash', p.password_hash)
    from app.passwords p
    where p.tenant_id = v_actor.user_id), '{}');
end
$$;

-- save_login_code(code_hash, ttl_seconds) -> {expires_at}: signs the actor in once. It replaces an earlier one.
create or replace function public.save_login_code(code_hash text, ttl_seconds integer, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
  v_expires timestamptz := app.now() + make_interval(secs => ttl_seconds);
begin
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  delete from app.login_codes c where c.tenant_id = v_actor.user_id;
  insert into app.login_codes (tenant_id, code_hash, user_id, expires_at)
    values (v_actor.user_id, save_login_code.code_hash, v_actor.user_id, v_expires);
  return jsonb_build_object('expires_at', v_expires);
end
$$;

-- take_login_code(code_hash) -> {user_id} or {}: once.
create or replace function public.take_login_code(code_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor, code_hash);
  v_code app.login_codes;
begin
  select c.* into v_code from app.login_codes c where c.code_hash = take_login_code.code_hash;
  perform set_config('app.tenant_id', coalesce(v_code.tenant_id, app.get_nil_id())::text, true);
  delete from app.login_codes c
    where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash and c.expires_at > app.now();
  return case when found then jsonb_build_object('user_id', v_code.user_id) else '{}' end;
end
$$;

-- start_login(login {state_hash, txn_hash, provider, next, ttl_seconds}) -> {}
create or replace function public.start_login(login jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  insert into app.login_states (tenant_id, state_hash, txn_hash, provider, next, expires_at)
  values (v_actor.tenant_id, login ->> 'state_hash', login ->> 'txn_hash', login ->> 'provider', login ->> 'next',
    app.now() + make_interval(secs => (login ->> 'ttl_seconds')::integer));
  return '{}';
end
$$;

-- take_login(state_hash, txn_hash) -> {provider, next} or {}: once, and only for the browser that began it.
create or replace function public.take_login(state_hash text, txn_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_login app.login_states;
begin
  delete from app.login_states l
    where l.tenant_id = v_actor.tenant_id
      and l.state_hash = take_login.state_hash
      and l.txn_hash = take_login.txn_hash
      and l.expires_at > app.now()
    returning l.* into v_login;
  return case when found then jsonb_build_object('provider', v_login.provider, 'next', v_login.next) else '{}' end;
end
$$;

select app.define_on_tables($triggers$
  create trigger invitations_clean_email before insert or update of email on app.invitations
    for each row when (new.email is not null) execute function app.clean_column('email', '320', '-');
$triggers$);

-- Administration of access: connections, clients, members, the served addresses.

create or replace function app.require_role(actor app.actor, role_min text, what text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if app.role_rank(actor.role) < app.role_rank(role_min) then
    perform app.fail('forbidden',
      format('%s needs the role %s in the workspace; you have %s.', what, role_min, actor.role), null,
      'Ask an owner of the workspace.');
  end if;
end
$$;

-- list_connections(chosen {all?, user_id?, client_id?, ended?}, before?, page_size) -> {connections: [{id, kind,
-- user_id, user, client_id, client, client_kind, redirect_host?, scope, project?, resource, created_at, created_ip?,
-- last_used_at?, last_used_ip?, expires_at, revoked_at?, revoked_reason?}], next_before?}: the actor's own, or with
-- `all` everybody's, for admins. Newest first.
create or replace function public.list_connections(
  chosen jsonb default '{}',
  before text default null,
  page_size integer default 50,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_all boolean := coalesce((chosen ->> 'all')::boolean, false);
  v_size integer := app.page_size(page_size, 100);
  v_found jsonb[];
begin
  if v_all then
    perform app.require_role(v_actor, 'admin', 'Seeing the connections of others');
  end if;
  select array_agg(f.connection) into v_found from (
    select jsonb_strip_nulls(jsonb_build_object('id', c.id, 'kind', c.kind, 'user_id', c.user_id,
      'user', coalesce(app.user_name(c.user_id), 'former member'), 'client_id', c.client_id, 'client', c.client_name,
      'client_kind', c.client_kind, 'redirect_host', c.redirect_host, 'scope', c.scope,
      'project', coalesce(p.slug, c.project_id::text), 'agent', c.agent, 'resource', c.resource,
      'created_at', c.created_at, 'created_ip', host(c.created_ip), 'last_used_at', c.last_used_at,
      'last_used_ip', host(c.last_used_ip), 'expires_at', c.expires_at, 'revoked_at', c.revoked_at,
      'revoked_reason', c.revoked_reason)) as connection
    from (
      select g.id, 'oauth' as kind, g.user_id, g.client_id, g.client_name, g.client_kind, g.redirect_host, g.scope,
          null::uuid as project_id, null as agent, g.resource, g.created_at, g.created_ip,
          g.last_used_at, g.last_used_ip, g.expires_at, g.revoked_at, g.revoked_reason
        from app.oauth_grants g where g.tenant_id = v_actor.tenant_id
      union all
      select t.id, 'pat', t.user_id, t.client_id, t.name, 'pat', null, t.scope, t.project_id, t.agent, t.resource,
          t.created_at, t.created_ip, t.last_used_at, t.last_used_ip, t.expires_at, t.revoked_at, null
        from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.kind = 'pat') c
      left join public.projects p on p.tenant_id = v_actor.tenant_id and p.id = c.project_id
    where (v_all or c.user_id = v_actor.user_id)
      and (chosen ->> 'user_id' is null or c.user_id = app.as_uuid(chosen ->> 'user_id'))
      and (chosen ->> 'client_id' is null or c.client_id = chosen ->> 'client_id')
      and (coalesce((chosen ->> 'ended')::boolean, false) or c.revoked_at is null and c.expires_at > app.now())
      and (before is null or c.id < app.as_uuid(before))
    order by c.id desc limit v_size + 1) f;
  return jsonb_strip_nulls(jsonb_build_object('connections', coalesce(to_jsonb(v_found[1:v_size]), '[]'),
    'next_before', case when cardinality(v_found) > v_size then v_found[v_size] ->> 'id' end));
end
$$;

-- revoke_access(chosen {id?, user_id?, client_id?, everything?}, reason) -> {grants, tokens, pats}: counts of live
-- ones. One's own, or as an admin anybody's; without a named user a non-admin's own. Refused at the next request
-- everywhere.
create or replace function public.revoke_access(chosen jsonb, reason text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_chosen jsonb := jsonb_strip_nulls(jsonb_build_object(
    'id', chosen ->> 'id',
    'user_id', chosen ->> 'user_id',
    'client_id', chosen ->> 'client_id'));
begin
  if v_chosen = '{}' and not coalesce((chosen ->> 'everything')::boolean, false) then
    perform app.fail('invalid_input', 'Nothing is named to revoke.', null,
      'Name an id, a user or a client, or everything.');
  end if;
  if chosen ->> 'id' is not null and app.as_uuid(chosen ->> 'id') is null
      or chosen ->> 'user_id' is not null and app.as_uuid(chosen ->> 'user_id') is null then
    perform app.fail('invalid_input', 'An id must be a UUID.', null, 'List the connections for their ids.');
  end if;
  if app.role_rank(v_actor.role) < app.role_rank('admin') then
    if coalesce(app.as_uuid(chosen ->> 'user_id'), v_actor.user_id) <> v_actor.user_id then
      perform app.require_role(v_actor, 'admin', 'Revoking the access of others');
    end if;
    v_chosen := v_chosen || jsonb_build_object('user_id', v_actor.user_id);
  end if;
  return app.end_access(v_chosen, coalesce(nullif(reason, ''), 'Revoked by hand.'), actor);
end
$$;

-- list_clients() -> {clients: [{client_id, kind, client_name, redirect_hosts, grants, users, last_used_at?,
-- blocked_at?}]}: clients of the workspace's grants, and static ones it added; at most 200, the most recently used
-- first. For admins.
create or replace function public.list_clients(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
begin
  return jsonb_build_object('clients', coalesce((
    select jsonb_agg(f.client order by f.used desc nulls last)
    from (
      select jsonb_strip_nulls(jsonb_build_object(
          'client_id', x.client_id,
          'kind', coalesce(c.kind, max(g.client_kind)),
          'client_name', coalesce(c.client_name, max(g.client_name)),
          'redirect_hosts', to_jsonb(array_agg(distinct g.redirect_host) filter (where g.redirect_host is not null)),
          'grants', count(g.id) filter (where g.revoked_at is null and g.expires_at > app.now()),
          'users', count(distinct g.user_id) filter (where g.revoked_at is null),
          'last_used_at', max(g.last_used_at),
          'blocked_at', b.created_at)) as client,
        max(g.last_used_at) as used
      from (
        select g.client_id from app.oauth_grants g
        where g.tenant_id = v_actor.tenant_id
        union
        select c.client_id from app.oauth_clients c
        where c.tenant_id = v_actor.tenant_id
        union
        select b.client_id from app.client_blocks b
        where b.tenant_id = v_actor.tenant_id) x
      left join app.oauth_grants g on g.tenant_id = v_actor.tenant_id and g.client_id = x.client_id
      left join app.oauth_clients c on c.client_id = x.client_id
      left join app.client_blocks b on b.tenant_id = v_actor.tenant_id and b.client_id = x.client_id
      group by x.client_id, c.kind, c.client_name, b.created_at
      order by used desc nulls last, x.client_id limit 200) f), '[]'));
end
$$;

-- block_client(client_id, blocked) -> {blocked, revoked: {grants, tokens, pats}}: an admin blocks a client in the
-- workspace, or unblocks it.
create or replace function public.block_client(client_id text, blocked boolean default true, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_revoked jsonb := '{}';
begin
  if blocked then
    insert into app.client_blocks as b (tenant_id, client_id, blocked_by, created_at)
      values (v_actor.tenant_id, block_client.client_id, v_actor.user_id, app.now())
      on conflict on constraint client_blocks_pkey do nothing;
    v_revoked := app.end_access(jsonb_build_object('client_id', block_client.client_id),
      'The client was blocked.', actor);
  else
    delete from app.client_blocks b where b.tenant_id = v_actor.tenant_id and b.client_id = block_client.client_id;
  end if;
  perform app.record_audit(jsonb_build_object(
    'type', case when blocked then 'client.blocked' else 'client.unblocked' end,
    'client_id', block_client.client_id), actor);
  return jsonb_build_object('blocked', blocked, 'revoked', v_revoked);
end
$$;

-- save_static_client(client {client_id, client_name, redirect_uris, token_endpoint_auth_method, client_secret_hash?})
-- -> client: for admins. Saving again applies the changes; a new secret ends the old one.
create or replace function public.save_static_client(client jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_client app.oauth_clients;
begin
  -- An authorization request names nothing but the client_id, so that all workspaces share them.
  if exists (
      select from app.oauth_clients c
      where c.client_id = client ->> 'client_id' and c.tenant_id <> v_actor.tenant_id) then
    perform app.fail('already_exists', 'Another client of this server has that client_id.',
      jsonb_build_object('field', 'client_id'), 'Choose another one.');
  end if;
  insert into app.oauth_clients as c (tenant_id, client_id, kind, client_name, redirect_uris,
    token_endpoint_auth_method, client_secret_hash, created_ip, created_at)
    select v_actor.tenant_id,
      n.client_id,
      'static',
      n.client_name,
      n.redirect_uris,
      n.token_endpoint_auth_method,
      n.client_secret_hash,
      app.read_ip(actor),
      app.now()
    from jsonb_populate_record(null::app.oauth_clients, client) n
    on conflict (tenant_id, client_id) do update
      set client_name = excluded.client_name,
        redirect_uris = excluded.redirect_uris,
        token_endpoint_auth_method = excluded.token_endpoint_auth_method,
        client_secret_hash = excluded.client_secret_hash
    returning * into v_client;
  perform app.record_audit(jsonb_build_object('type', 'client.saved', 'client_id', v_client.client_id), actor);
  return app.client_view(v_client) - 'client_secret_hash';
end
$$;

-- remove_client(client_id) -> {removed, revoked}: a static client of the workspace, and its grants. For admins.
create or replace function public.remove_client(client_id text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
begin
  delete from app.oauth_clients c where c.tenant_id = v_actor.tenant_id and c.client_id = remove_client.client_id;
  if not found then
    perform app.fail('not_found', 'This workspace has added no client of that name.', null,
      'A client that registered itself is blocked, not removed.');
  end if;
  perform app.record_audit(jsonb_build_object('type', 'client.removed', 'client_id', remove_client.client_id), actor);
  return jsonb_build_object(
    'removed', true,
    'revoked', app.end_access(jsonb_build_object('client_id', remove_client.client_id),
      'The client was removed.', actor));
end
$$;

-- create_pat(pat {id, token_hash, name, scope, project?, agent?, resource, ttl_seconds}) -> {id, name, scope, project?,
-- agent?, expires_at}: for the actor. `admin` only for admins, and not within a project; `agents:run` with the name of
-- an agent. Raises not_found, forbidden, invalid_input, payload_too_large.
create or replace function public.create_pat(pat jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_now timestamptz := app.now();
  v_expires timestamptz := v_now + make_interval(secs => (pat ->> 'ttl_seconds')::integer);
  v_agent constant text := app.clean_name(pat ->> 'agent', 60);
  v_project public.projects;
begin
  if pat ->> 'project' is not null then
    v_project := app.find_project(pat ->> 'project', v_actor);
  end if;
  if 'admin' = any (string_to_array(pat ->> 'scope', ' ')) then
    perform app.require_role(v_actor, 'admin', 'A token with the scope admin');
    if v_project.id is not null then
      perform app.fail('invalid_input',
        'What the scope admin allows concerns the whole workspace: a token for one project cannot have it.',
        jsonb_build_object('field', 'scope'), 'Leave out the scope admin, or the project.');
    end if;
  end if;
  if (v_agent is not null) <> ('agents:run' = any (string_to_array(pat ->> 'scope', ' '))) then
    perform app.fail('invalid_input', 'A token with the scope agents:run names the agent that it drives.',
      jsonb_build_object('field', 'agent'), 'Name the agent and the scope agents:run, or neither.');
  end if;
  perform app.check_agent_name(v_agent);
  if v_expires not between v_now and v_now + interval '366 days' then
    perform app.fail('invalid_input', 'expires is too late: a personal access token lives at most 366 days.',
      jsonb_build_object('field', 'expires'), 'Choose fewer days.');
  end if;
  if (
      select count(*) from public.oauth_tokens t
      where t.tenant_id = v_actor.tenant_id
        and t.user_id = v_actor.user_id
        and t.kind = 'pat'
        and t.revoked_at is null
        and t.expires_at > v_now) >= 100 then
    perform app.fail('payload_too_large',
      'You have 100 personal access tokens in this workspace, the most there can be.', null,
      'Revoke those that nothing uses.');
  end if;
  insert into public.oauth_tokens (tenant_id, id, user_id, kind, name, access_token, expires_at, scope, resource,
    project_id, agent, client_id, created_ip, created_at, updated_at)
    values (v_actor.tenant_id, (pat ->> 'id')::uuid, v_actor.user_id, 'pat', pat ->> 'name', pat ->> 'token_hash',
      v_expires, pat ->> 'scope', pat ->> 'resource', v_project.id, v_agent, 'pat', app.read_ip(actor), v_now, v_now);
  perform app.record_audit(jsonb_build_object(
    'type', 'pat.created',
    'subject_id', pat ->> 'id',
    'data', jsonb_build_object(
      'name', pat ->> 'name',
      'scope', pat ->> 'scope',
      'project', v_project.slug,
      'agent', v_agent,
      'expires_at', v_expires)), actor);
  return jsonb_strip_nulls(jsonb_build_object(
    'id', pat ->> 'id',
    'name', pat ->> 'name',
    'scope', pat ->> 'scope',
    'project', v_project.slug,
    'agent', v_agent,
    'expires_at', v_expires));
end
$$;

-- list_members() -> {members: [{user_id, name, email?, role, since, connections}], invitations: [{id, email?, role,
-- invited_by, expires_at}]}: at most 500 of each. `connections` are grants and personal tokens. Any member sees the
-- members; invitations are for admins.
create or replace function public.list_members(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
begin
  return jsonb_build_object(
    'members', (
      select coalesce(jsonb_agg(m.member), '[]')
      from (
        select jsonb_strip_nulls(jsonb_build_object(
          'user_id', u.id,
          'name', u.name,
          'email', u.email,
          'role', m.role,
          'since', m.created_at,
          'connections', coalesce(c.n, 0))) as member
        from public.memberships m
        join public.users u on u.id = m.user_id
        left join (
          select a.user_id, count(*) as n
          from (
            select g.user_id from app.oauth_grants g
            where g.tenant_id = v_actor.tenant_id and g.revoked_at is null and g.expires_at > app.now()
            union all
            select t.user_id from public.oauth_tokens t
            where t.tenant_id = v_actor.tenant_id
              and t.kind = 'pat'
              and t.revoked_at is null
              and t.expires_at > app.now()) a
          group by a.user_id) c on c.user_id = m.user_id
        where m.tenant_id = v_actor.tenant_id
        order by app.role_rank(m.role) desc, m.created_at limit 500) m),
    'invitations', (
      select coalesce(jsonb_agg(i.invitation), '[]')
      from (
        select jsonb_strip_nulls(jsonb_build_object(
          'id', i.id,
          'email', i.email,
          'role', i.role,
          'invited_by', i.invited_by,
          'expires_at', i.expires_at)) as invitation
        from app.invitations i
        where i.tenant_id = v_actor.tenant_id
          and i.accepted_at is null
          and i.revoked_at is null
          and i.expires_at > app.now()
          and app.role_rank(v_actor.role) >= app.role_rank('admin')
        order by i.created_at desc limit 500) i));
end
$$;

create or replace function app.require_known_role(role text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if role not in ('owner', 'admin', 'member', 'viewer') then
    perform app.fail('invalid_input', format('There is no role %s.', left(role, 80)), null,
      'Roles: owner, admin, member, viewer.');
  end if;
end
$$;

-- invite_member(invitation {id, invitation_hash, email?, role, ttl_seconds}) -> {id, role, email?, expires_at}: for
-- admins; only an owner makes owners.
create or replace function public.invite_member(invitation jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_expires timestamptz := app.now() + make_interval(secs => (invitation ->> 'ttl_seconds')::integer);
begin
  perform app.require_known_role(coalesce(invitation ->> 'role', ''));
  if char_length(invitation ->> 'email') > 320 then
    perform app.fail('invalid_input', 'An e-mail address must have at most 320 characters.');
  end if;
  if invitation ->> 'role' = 'owner' then
    perform app.require_role(v_actor, 'owner', 'Inviting an owner');
  end if;
  insert into app.invitations (tenant_id, id, invitation_hash, email, role, invited_by, created_at, expires_at)
    values (v_actor.tenant_id, (invitation ->> 'id')::uuid, invitation ->> 'invitation_hash',
      nullif(invitation ->> 'email', ''), invitation ->> 'role', v_actor.user_id, app.now(), v_expires);
  perform app.record_audit(jsonb_build_object('type', 'invitation.created', 'subject_id', invitation ->> 'id',
    'data', jsonb_build_object('role', invitation ->> 'role', 'email', invitation ->> 'email')), actor);
  return jsonb_strip_nulls(jsonb_build_object(
    'id', invitation ->> 'id',
    'role', invitation ->> 'role',
    'email', nullif(invitation ->> 'email', ''),
    'expires_at', v_expires));
end
$$;

-- revoke_invitation(invitation) -> {revoked}: for admins.
create or replace function public.revoke_invitation(invitation text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
begin
  update app.invitations i set revoked_at = app.now()
    where i.tenant_id = v_actor.tenant_id
      and i.id = app.as_uuid(invitation)
      and i.accepted_at is null
      and i.revoked_at is null;
  if found then
    perform app.record_audit(jsonb_build_object('type', 'invitation.revoked', 'subject_id', invitation), actor);
    return jsonb_build_object('revoked', true);
  end if;
  return jsonb_build_object('revoked', false);
end
$$;

-- set_member(user_id, role?) -> {role?, revoked?, invitations?}: changes a member's role, or without one removes the
-- member, whose access ends at once. Also ends the member's invitations beyond the new role, and counts them. For
-- admins; only an owner changes owners, and the last owner stays.
create or replace function public.set_member(user_id text, role text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_user uuid := app.as_uuid(set_member.user_id);
  v_before text;
  v_withdrawn jsonb;
begin
  perform app.require_known_role(role);
  -- All roles of the workspace, in one order: two owners who demote each other at once would leave none.
  perform from public.memberships m where m.tenant_id = v_actor.tenant_id order by m.user_id for update;
  select m.role into v_before from public.memberships m where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
  if v_before is null then
    perform app.fail('not_found', 'There is no such member.', null, 'List the members for their ids.');
  elsif 'owner' in (v_before, role) then
    perform app.require_role(v_actor, 'owner', 'Changing an owner');
    if v_before = 'owner'
        and role is distinct from 'owner'
        and (
          select count(*) from public.memberships m
          where m.tenant_id = v_actor.tenant_id and m.role = 'owner') = 1 then
      perform app.fail('forbidden',
        'The last owner of a workspace can be neither removed nor given a lower role.', null,
        'Make somebody else an owner first.');
    end if;
  end if;
  perform app.record_audit(jsonb_build_object(
      'type', case when role is null then 'member.removed' else 'member.changed' end,
    'user_id', v_user,
    'data', jsonb_build_object('before', v_before, 'role', role, 'by', v_actor.user_id)), actor);
  v_withdrawn := jsonb_strip_nulls(jsonb_build_object('invitations',
    nullif(app.withdraw_invitations(v_user, role, actor), 0)));
  if role is not null then
    update public.memberships m set role = set_member.role where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
    return jsonb_build_object('role', role) || v_withdrawn;
  end if;
  delete from public.memberships m where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
  return v_withdrawn || jsonb_build_object('revoked',
    app.end_access(jsonb_build_object('user_id', v_user), 'The member was removed.', actor));
end
$$;

create or replace function app.may_invite(inviter_role text, role text) returns boolean language sql immutable as $$
  select app.role_rank(inviter_role) >= app.role_rank('admin') and (role <> 'owner' or inviter_role = 'owner')
$$;

-- Withdraws, in the door's workspace, invitations that a member with this role now, or none, may no longer have made,
-- and those that would restore the member's lost rights: an invitation for any address that the member can open.
-- Returns how many.
create or replace function app.withdraw_invitations(member uuid, role text, actor jsonb)
  returns integer
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant text := current_setting('app.tenant_id', true);
  v_emails text[];
  v_count integer;
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  v_emails := array(select lower(i.email) from app.user_identities i
    where i.tenant_id = app.get_nil_id() and i.user_id = member and i.email_verified);
  perform set_config('app.tenant_id', v_tenant, true);
  with withdrawn as (
    update app.invitations i set revoked_at = app.now()
      where i.tenant_id = app.get_tenant_id() and i.accepted_at is null and i.revoked_at is null
        and (i.invited_by = member and not app.may_invite(withdraw_invitations.role, i.role)
          or lower(i.email) = any (v_emails) and app.role_rank(i.role) > app.role_rank(withdraw_invitations.role))
      returning i.id, i.role),
    audited as (select app.record_audit(jsonb_build_object('type', 'invitation.revoked', 'subject_id', w.id,
      'data', jsonb_build_object('why', 'member_changed', 'role', w.role, 'member', member)), actor) from withdrawn w)
  select count(*) into v_count from withdrawn w cross join (select count(*) from audited) t;
  return v_count;
end
$$;

-- save_served_url(public_url) -> {}: a server reports the address that it is reached at. The last ten are kept.
create or replace function public.save_served_url(public_url text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  insert into app.served_urls as s (tenant_id, public_url, served_at)
    values (v_actor.tenant_id, save_served_url.public_url, app.now())
    on conflict on constraint served_urls_pkey do update set served_at = excluded.served_at;
  delete from app.served_urls s
    where s.tenant_id = v_actor.tenant_id
      and s.public_url not in (
        select k.public_url from app.served_urls k
        where k.tenant_id = v_actor.tenant_id
        order by k.served_at desc, k.public_url limit 10);
  return '{}';
end
$$;

-- list_served_urls() -> {served: [{public_url, served_at}]}, the newest first.
create or replace function public.list_served_urls(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('served', (
    select coalesce(jsonb_agg(jsonb_build_object('public_url', s.public_url, 'served_at', s.served_at)
      order by s.served_at desc, s.public_url), '[]')
    from app.served_urls s
    where s.tenant_id = v_actor.tenant_id));
end
$$;

-- Secrets of the installation: listed and rotated.

-- list_secrets() -> {secrets: [{kind, count, since?, until?}], clients: [client_id]}: counts valid secrets by kind, and
-- lists clients whose secret can be rotated. It covers the workspace's tokens, invitations and the secrets of clients
-- it added; the actor's password, browser sessions and the link to choose a password. For admins.
create or replace function public.list_secrets(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_now timestamptz := app.now();
  v_clients text[];
  v_shared jsonb;
  v_own jsonb;
begin
  select array_agg(c.client_id order by c.client_id) into v_clients from app.oauth_clients c
    where c.tenant_id = v_actor.tenant_id and c.client_secret_hash is not null;
  select jsonb_agg(jsonb_strip_nulls(to_jsonb(k))) into v_shared
    from (
      select 'access_token' as kind, count(*) as count, min(t.created_at) as since, max(t.expires_at) as until
      from public.oauth_tokens t
      join app.oauth_grants g on g.tenant_id = t.tenant_id and g.id = t.grant_id
      where t.tenant_id = v_actor.tenant_id
        and t.revoked_at is null
        and g.revoked_at is null
        and least(t.expires_at, g.expires_at) > v_now
      union all
      select 'refresh_token', count(*), min(t.created_at), max(t.refresh_expires_at)
      from public.oauth_tokens t
      join app.oauth_grants g on g.tenant_id = t.tenant_id and g.id = t.grant_id
      where t.tenant_id = v_actor.tenant_id
        and t.revoked_at is null
        and g.revoked_at is null
        and least(t.refresh_expires_at, g.expires_at) > v_now
      union all
      select 'personal_token', count(*), min(t.created_at), max(t.expires_at)
      from public.oauth_tokens t
      where t.tenant_id = v_actor.tenant_id and t.kind = 'pat' and t.revoked_at is null and t.expires_at > v_now
      union all
      select 'client_secret', coalesce(cardinality(v_clients), 0), null, null
      union all
      select 'invitation', count(*), min(i.created_at), max(i.expires_at)
      from app.invitations i
      where i.tenant_id = v_actor.tenant_id
        and i.accepted_at is null
        and i.revoked_at is null
        and i.expires_at > v_now) k;
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  select jsonb_agg(jsonb_strip_nulls(to_jsonb(k))) into v_own
    from (
      select 'password' as kind, count(*) as count, min(p.updated_at) as since, null::timestamptz as until
      from app.passwords p
      where p.tenant_id = v_actor.user_id
      union all
      select 'session', count(*), min(s.auth_at), max(s.expires_at)
      from app.auth_sessions s
      where s.tenant_id = v_actor.user_id and s.expires_at > v_now
      union all
      select 'login_link', count(*), null, max(c.expires_at)
      from app.login_codes c
      where c.tenant_id = v_actor.user_id and c.expires_at > v_now) k;
  return jsonb_build_object('secrets', v_shared || v_own, 'clients', coalesce(to_jsonb(v_clients), '[]'));
end
$$;

-- rotate_secrets(renewed [{client_id, client_secret_hash}], everything) -> {clients: [client_id], revoked?,
-- invitations?, sessions?}: new secrets for clients that the workspace added; the old ones end. With `everything`, all
-- else that list_secrets counts ends too, except the password. For admins.
create or replace function public.rotate_secrets(
  renewed jsonb,
  everything boolean default false,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_clients text[];
  v_invitations integer;
  v_sessions integer;
  v_revoked jsonb;
begin
  with changed as (
    update app.oauth_clients c set client_secret_hash = r.client_secret_hash
    from jsonb_to_recordset(renewed) as r (client_id text, client_secret_hash text)
    where c.tenant_id = v_actor.tenant_id and c.client_id = r.client_id and c.client_secret_hash is not null
    returning c.client_id),
  audited as (
    select app.record_audit(jsonb_build_object('type', 'client.secret_rotated', 'client_id', c.client_id), actor)
    from changed c)
  select array_agg(c.client_id) into v_clients
  from changed c
  cross join (select count(*) from audited) t;
  if coalesce(cardinality(v_clients), 0) < jsonb_array_length(renewed) then
    perform app.fail('not_found', 'This workspace has added no client of that name with a secret.', null,
      'List the secrets for those there are.');
  end if;
  if everything then
    update app.invitations i set revoked_at = app.now()
      where i.tenant_id = v_actor.tenant_id and i.accepted_at is null and i.revoked_at is null;
    get diagnostics v_invitations = row_count;
    v_revoked := app.end_access('{}', 'All secrets were replaced.', actor);
    perform set_config('app.tenant_id', v_actor.user_id::text, true);
    delete from app.login_codes c where c.tenant_id = v_actor.user_id;
    delete from app.auth_sessions s where s.tenant_id = v_actor.user_id;
    get diagnostics v_sessions = row_count;
    perform app.record_audit(jsonb_build_object(
      'type', 'session.ended',
      'data', jsonb_build_object('count', v_sessions)), actor);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'clients', coalesce(to_jsonb(v_clients), '[]'),
    'revoked', v_revoked,
    'invitations', v_invitations,
    'sessions', v_sessions));
end
$$;

-- Expired rows: tokens, codes, sessions, logins, invitations, clients, idempotency keys.

-- Deletes expired rows in every workspace. It runs as cairn_keeper, whose policies show it only such rows.
create or replace function app.purge_expired()
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table text;
  v_count bigint;
  v_purged jsonb := '{}';
begin
  foreach v_table in array array['public.oauth_tokens', 'app.oauth_codes', 'app.authorization_requests',
      'app.auth_sessions', 'app.login_codes', 'app.login_states', 'app.rates', 'app.invitations',
      'app.oauth_clients', 'app.idempotency_keys'] loop
    execute format('delete from %s', v_table);
    get diagnostics v_count = row_count;
    v_purged := v_purged || jsonb_build_object(split_part(v_table, '.', 2), v_count);
  end loop;
  return v_purged;
end
$$;

-- purge_auth() -> {<table>: count}: deletes expired rows that are no longer needed to recognise misuse or a repeat: of
-- access, after which it is named, and of whatever else expires.
create or replace function public.purge_auth(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return app.purge_expired();
end
$$;

-- Jobs: work that is due again and again. A worker finds what is due, claims it under a lease and finishes it.

-- Decides when a job may be claimed: when it is due, and nobody's lease of it is alive. Never while it is paused, but
-- for one run that somebody asked for since: then its next run is at the very moment from which it is paused.
create or replace function app.get_due_at(job app.jobs) returns timestamptz language sql immutable as $$
  select case when job.paused_at is null or job.paused_at = job.next_run_at
    then greatest(job.next_run_at, job.lease_expires_at) end
$$;

-- Tells whether a job waits for longer than a living worker lets it, or its run lasts an hour longer than its time.
create or replace function app.is_overdue(job app.jobs, at timestamptz) returns boolean language sql stable as $$
  select app.get_due_at(job) is not null and least(
    app.get_due_at(job) + make_interval(secs => 300 + job.every_seconds / 10),
    job.started_at + make_interval(secs => 3600 + job.every_seconds)) < at
$$;

-- Keeps app.due_work as the jobs say.
create or replace function app.note_due_work()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if app.get_due_at(new) is null then
    delete from app.due_work w where w.tenant_id = new.tenant_id and w.kind = new.kind;
  else
    insert into app.due_work as w (tenant_id, kind, due_at) values (new.tenant_id, new.kind, app.get_due_at(new))
      on conflict (tenant_id, kind) do update set due_at = excluded.due_at;
  end if;
  return null;
end
$$;

select app.define_on_tables($definitions$
  create trigger jobs_note_due_work after insert or update on app.jobs
    for each row execute function app.note_due_work();

  -- Whoever acts in a workspace also reaches the jobs of the installation: their verbs are for the server and its user.
  create policy installation on app.jobs for all to cairn_owner
    using (tenant_id = app.get_nil_id()) with check (tenant_id = app.get_nil_id());
  create policy installation on app.due_work for all to cairn_owner
    using (tenant_id = app.get_nil_id()) with check (tenant_id = app.get_nil_id());
  -- The server in no workspace sees what is due in all of them.
  create policy across on app.due_work for select to cairn_owner using (app.get_tenant_id() = app.get_nil_id());
$definitions$);

-- Makes of a run's end the next state of its job. A lost run has no end, and its job is due at once; what failed is
-- tried again after a minute, then two, four, up to its usual time. Runs of many jobs spread by themselves.
create or replace function app.end_run(job app.jobs, outcome text, at timestamptz)
  returns app.jobs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_seconds double precision := job.every_seconds;
begin
  job.holder := null;
  job.started_at := null;
  job.lease_expires_at := null;
  if outcome = 'released' then
    return job;
  end if;
  job.last_outcome := outcome;
  job.failures_in_row := case when outcome = 'succeeded' then 0 else job.failures_in_row + 1 end;
  if outcome <> 'lost' then
    job.last_run_at := at;
    if outcome = 'succeeded' then
      job.last_succeeded_at := at;
    else
      v_seconds := least(v_seconds, 60 * power(2, least(job.failures_in_row, 20) - 1));
    end if;
    job.next_run_at := at + make_interval(secs => v_seconds + random() * least(v_seconds / 20, 60));
  end if;
  return job;
end
$$;

-- Lists the two workspaces that are told of the installation: that of the server's own user, if there is one, and the
-- oldest. It runs as cairn_keeper, whose policy shows it owners alone.
create or replace function app.told_workspaces(local_owner uuid)
  returns uuid[]
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select m.tenant_id from public.memberships m
    where m.role = 'owner'
    group by m.tenant_id
    order by (m.tenant_id = local_owner) desc, min(m.created_at), m.tenant_id limit 2);
end
$$;

-- Raises an alert on a job that keeps failing, and resolves it when one succeeds: in the job's workspace, of the
-- installation in the first that is told of it. Who is first may change before the alert is resolved. A log that takes
-- no alert keeps no job from running: its row tells how it went.
create or replace function app.tell_of_run(job app.jobs)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_entered constant text := app.get_tenant_id()::text;
  v_key constant text := 'job_failing ' || job.kind;
  v_told uuid[] := case when job.tenant_id = app.get_nil_id()
    then app.told_workspaces(app.get_local_owner())
    else array[job.tenant_id] end;
  v_workspace uuid;
begin
  if job.failures_in_row >= 3 then
    v_told := v_told[:1];
  elsif job.failures_in_row > 0 then
    return;
  end if;
  foreach v_workspace in array v_told loop
    begin
      perform set_config('app.tenant_id', v_workspace::text, true);
      if job.failures_in_row = 0 then
        perform app.settle_alert(v_key);
      else
        perform app.raise_alert('job_failing', 'high', format('The job %s keeps failing.', job.kind),
          jsonb_build_object('job', job.kind, 'failures', job.failures_in_row, 'error', job.error), v_key);
      end if;
    exception
      -- The whole call is repeated then.
      when deadlock_detected or serialization_failure then
        raise;
      when others then
        null;
    end;
  end loop;
  perform set_config('app.tenant_id', v_entered, true);
end
$$;

-- Stores how a run ended.
create or replace function app.store_run(job app.jobs)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update app.jobs j
    set (next_run_at, holder, started_at, lease_expires_at, last_run_at, last_outcome, duration_ms, error,
        failures_in_row, last_succeeded_at)
      = (job.next_run_at, job.holder, job.started_at, job.lease_expires_at, job.last_run_at, job.last_outcome,
        job.duration_ms, job.error, job.failures_in_row, job.last_succeeded_at)
    where j.tenant_id = job.tenant_id and j.kind = job.kind;
end
$$;

-- Locks the job whose run holds the token. Raises lock_lost for whoever does not hold it, or no longer.
create or replace function app.lock_run(tenant_id uuid, kind text, token bigint)
  returns app.jobs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_job app.jobs;
begin
  select * into v_job from app.jobs j
    where j.tenant_id = lock_run.tenant_id and j.kind = lock_run.kind
    for update;
  if v_job.holder is null or v_job.token is distinct from token or v_job.lease_expires_at <= app.now() then
    perform app.fail('lock_lost', format('The run of the job %s is not yours any more.', kind), null,
      'Stop work on it: another may have taken over.');
  end if;
  return v_job;
end
$$;

-- register_jobs(jobs [{kind, every_seconds}]) -> {registered}: the jobs of the installation that a program knows. One
-- that is there keeps how often it runs; a new one first runs within the hour, and one that a clock which was ahead has
-- put off runs when it would have. For the server's role.
create or replace function public.register_jobs(jobs jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_count bigint;
begin
  insert into app.jobs (tenant_id, kind, every_seconds, next_run_at)
    select v_actor.tenant_id, j.kind, j.every_seconds,
      app.now() + make_interval(secs => least(j.every_seconds, 3600))
    from jsonb_to_recordset(jobs) j (kind text, every_seconds integer)
    on conflict (tenant_id, kind) do nothing;
  get diagnostics v_count = row_count;
  update app.jobs j set next_run_at = app.now() + make_interval(secs => j.every_seconds)
    where j.tenant_id = v_actor.tenant_id
      and j.next_run_at > app.now() + make_interval(secs => j.every_seconds * 1.05 + 60);
  return jsonb_build_object('registered', v_count);
end
$$;

-- due_jobs(kinds [kind]) -> {jobs: [{kind, tenant_id?}], next_in_ms?}: at most 50 due jobs of these kinds in all
-- workspaces, the longest due first, and when the next one will be. For the server's role.
create or replace function public.due_jobs(kinds jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_kinds text[] := array(select jsonb_array_elements_text(kinds));
  v_now timestamptz := app.now();
  v_jobs jsonb;
  v_next timestamptz;
begin
  select jsonb_agg(jsonb_strip_nulls(
      jsonb_build_object('kind', d.kind, 'tenant_id', nullif(d.tenant_id, v_actor.tenant_id))) order by d.due_at)
    into v_jobs
    from (
      select w.* from app.due_work w where w.kind = any (v_kinds) and w.due_at <= v_now order by w.due_at limit 50) d;
  select min(w.due_at) into v_next from app.due_work w where w.kind = any (v_kinds) and w.due_at > v_now;
  return jsonb_strip_nulls(jsonb_build_object('jobs', coalesce(v_jobs, '[]'),
    'next_in_ms', ceil(extract(epoch from v_next - v_now) * 1000)));
end
$$;

-- claim_job(kind, holder, seconds) -> {token, settings, user_id?}, or null if it is not due or somebody's: starts a run
-- in the actor's workspace, without one of the installation. A run whose lease expired is lost, and taken over. user_id
-- is an owner of the workspace. For the server's role.
create or replace function public.claim_job(kind text, holder text, seconds integer, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_job app.jobs;
  v_now timestamptz;
begin
  select * into v_job from app.jobs j
    where j.tenant_id = v_actor.tenant_id and j.kind = claim_job.kind
    for update skip locked;
  v_now := app.now();
  if coalesce(app.get_due_at(v_job) > v_now, true) then
    return null;
  end if;
  if v_job.holder is not null then
    v_job := app.end_run(v_job, 'lost', v_now);
    v_job.error := 'The worker ended, or lost the database, before the run did.';
    perform app.store_run(v_job);
    perform app.tell_of_run(v_job);
  end if;
  update app.jobs j
    set token = j.token + 1, holder = coalesce(app.clean_name(claim_job.holder, 120), 'worker'), started_at = v_now,
      lease_expires_at = v_now + make_interval(secs => least(greatest(seconds, 1), 3600))
    where j.tenant_id = v_job.tenant_id and j.kind = v_job.kind
    returning * into v_job;
  return jsonb_strip_nulls(jsonb_build_object('token', v_job.token, 'settings', v_job.settings, 'user_id', (
    select m.user_id from public.memberships m
    where m.tenant_id = v_job.tenant_id and m.role = 'owner'
    order by (m.user_id = m.tenant_id) desc, m.created_at limit 1)));
end
$$;

-- extend_job(kind, token, seconds) -> {lease_expires_at}. Raises lock_lost. For the server's role.
create or replace function public.extend_job(kind text, token bigint, seconds integer, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_job app.jobs := app.lock_run(v_actor.tenant_id, kind, token);
begin
  update app.jobs j
    set lease_expires_at = greatest(j.lease_expires_at,
      app.now() + make_interval(secs => least(greatest(seconds, 1), 3600)))
    where j.tenant_id = v_job.tenant_id and j.kind = v_job.kind
    returning * into v_job;
  return jsonb_build_object('lease_expires_at', v_job.lease_expires_at);
end
$$;

-- finish_job(kind, token, outcome, error?, duration_ms?) -> {next_run_at}: ends a run as succeeded, failed or released;
-- a released one counts as none. Raises lock_lost, invalid_input. For the server's role.
create or replace function public.finish_job(
  kind text,
  token bigint,
  outcome text,
  error text default null,
  duration_ms bigint default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_job app.jobs;
begin
  if (outcome in ('succeeded', 'failed', 'released')) is not true then
    perform app.fail('invalid_input', 'A run ends as succeeded, failed or released.',
      jsonb_build_object('field', 'outcome'));
  end if;
  v_job := app.end_run(app.lock_run(v_actor.tenant_id, kind, token), outcome, app.now());
  if outcome <> 'released' then
    v_job.duration_ms := finish_job.duration_ms;
    v_job.error := case when outcome = 'failed' then coalesce(app.clean_name(finish_job.error, 300), 'It failed.') end;
  end if;
  perform app.store_run(v_job);
  if outcome <> 'released' then
    perform app.tell_of_run(v_job);
  end if;
  return jsonb_build_object('next_run_at', v_job.next_run_at);
end
$$;

-- Formats a job for people.
create or replace function app.format_job(job app.jobs, at timestamptz) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'kind', job.kind,
    'workspace', nullif(job.tenant_id, app.get_nil_id()),
    'every_seconds', job.every_seconds,
    'settings', nullif(job.settings, '{}'),
    'next_run_at', job.next_run_at,
    'paused_at', job.paused_at,
    'running_since', case when job.lease_expires_at > at then job.started_at end,
    'last_run_at', job.last_run_at,
    'last_outcome', job.last_outcome,
    'duration_ms', job.duration_ms,
    'error', job.error,
    'failures_in_row', job.failures_in_row,
    'last_succeeded_at', job.last_succeeded_at,
    'overdue', app.is_overdue(job, at)))
$$;

-- list_jobs() -> {jobs}: those of the installation and of the workspace, each with whether it is overdue now. For the
-- server's role.
create or replace function public.list_jobs(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_now timestamptz := app.now();
begin
  return jsonb_build_object('jobs', coalesce((
    select jsonb_agg(app.format_job(j, v_now) order by j.kind)
    from app.jobs j
    where j.tenant_id in (v_actor.tenant_id, app.get_nil_id())), '[]'));
end
$$;

-- Locks a job that a person names: of the workspace, otherwise of the installation. Raises not_found, forbidden.
create or replace function app.lock_job(actor app.actor, kind text)
  returns app.jobs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_job app.jobs;
begin
  select * into v_job from app.jobs j
    where j.tenant_id in (actor.tenant_id, app.get_nil_id()) and j.kind = lock_job.kind
    order by j.tenant_id = actor.tenant_id desc limit 1
    for update;
  if not found then
    perform app.fail('not_found', 'There is no such job.', null, '`cairn jobs list` shows those there are.');
  elsif v_job.tenant_id = app.get_nil_id() then
    perform app.refuse_guest(actor, format('changes the job %s, which is of all workspaces', kind), 'cairn jobs');
  end if;
  return v_job;
end
$$;

-- change_job(kind, change) -> the job. `change` is pause, resume, or run: due now, once where it is paused. Raises
-- invalid_input, not_found, forbidden. For the server's role, and owners.
create or replace function public.change_job(kind text, change text, actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_job app.jobs := app.lock_job(v_actor, kind);
  v_now timestamptz := app.now();
begin
  if (change in ('pause', 'resume', 'run')) is not true then
    perform app.fail('invalid_input', 'A job is paused, resumed or run.', jsonb_build_object('field', 'change'));
  end if;
  update app.jobs j
    set paused_at = case change
        when 'pause' then coalesce(j.paused_at, v_now)
        when 'run' then case when j.paused_at is not null then v_now end
      end,
      next_run_at = case change
        -- A run that somebody asked for is off again.
        when 'pause' then greatest(j.next_run_at, v_now + interval '1 microsecond')
        when 'run' then case when j.paused_at is null then least(j.next_run_at, v_now) else v_now end
        else j.next_run_at
      end
    where j.tenant_id = v_job.tenant_id and j.kind = v_job.kind
    returning * into v_job;
  return app.format_job(v_job, v_now);
end
$$;

-- set_job(kind, every_seconds?, settings?) -> the job: how often it runs, and with what; what is not given stays. A
-- workspace gets the job if the installation has none of the kind. Raises invalid_input, forbidden. For the server's
-- role, and owners.
create or replace function public.set_job(
  kind text,
  every_seconds integer default null,
  settings jsonb default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_now timestamptz := app.now();
  v_tenant uuid := v_actor.tenant_id;
  v_job app.jobs;
begin
  if (kind ~ '^[a-z][a-z_]{0,39}$' and coalesce(every_seconds, 1) between 1 and 31622400
      and app.validate_field(coalesce(settings, '{}'), 'object', 4096, null)) is not true then
    perform app.fail('invalid_input', 'A job runs every 1 second to 366 days, with settings of at most 4 KB.');
  end if;
  if exists (select from app.jobs o where o.tenant_id = app.get_nil_id() and o.kind = set_job.kind) then
    perform app.refuse_guest(v_actor, format('changes the job %s, which is of all workspaces', kind), 'cairn jobs');
    v_tenant := app.get_nil_id();
  end if;
  insert into app.jobs as j (tenant_id, kind, every_seconds, settings, next_run_at)
    values (v_tenant, set_job.kind, coalesce(set_job.every_seconds, 86400), coalesce(set_job.settings, '{}'), v_now)
    on conflict on constraint jobs_pkey do update
      set every_seconds = coalesce(set_job.every_seconds, j.every_seconds),
        settings = j.settings || coalesce(set_job.settings, '{}'),
        next_run_at = least(j.next_run_at,
          v_now + make_interval(secs => coalesce(set_job.every_seconds, j.every_seconds)))
    returning * into v_job;
  if not app.validate_field(v_job.settings, 'object', 4096, null) then
    perform app.fail('invalid_input', 'The settings of a job have at most 4 KB in all.');
  end if;
  return app.format_job(v_job, v_now);
end
$$;

-- Settling: what runners that never came back have left.

-- Sees to it that the job of a workspace with agents is there.
create or replace function app.ensure_settling(tenant_id uuid, at timestamptz)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  insert into app.jobs (tenant_id, kind, every_seconds, next_run_at)
    values (ensure_settling.tenant_id, 'runs', 300, at + interval '5 minutes')
    on conflict (tenant_id, kind) do nothing
$$;

-- Tells whether an agent has not been heard of for ten minutes in which a worker was at work: where all were away, as
-- on a machine that slept, they come back first. One without a runner says nothing while a tool of its works.
create or replace function app.has_vanished(agent public.agents, worked_at timestamptz, at timestamptz)
  returns boolean
  language sql
  immutable
as $$
  select coalesce(
    agent.seen_at < at - case when app.has_no_runner(agent) then interval '1 hour' else interval '10 minutes' end
    and agent.seen_at < worked_at - interval '1 minute', false)
$$;

-- The runs that an agent is believed to hold: none if it has vanished.
create or replace function app.believed_held(agent public.agents, worked_at timestamptz, at timestamptz)
  returns uuid[]
  language sql
  stable
as $$
  select array(
    select r.id from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.ended_at is null
      and not app.has_vanished(agent, worked_at, at))
$$;

-- settle_runs() -> {settled}: ends or gives back the runs of runners that never came back, ends those whose commands
-- expired in the queue, what was asked and not answered, and chats of which nothing is heard; shows agents as offline
-- that are. The job `runs` of each workspace that has agents. For the server's role.
create or replace function public.settle_runs(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_now constant timestamptz := app.now();
  v_worked_at timestamptz := (
    select j.last_succeeded_at from app.jobs j where j.tenant_id = v_actor.tenant_id and j.kind = 'runs');
  v_agent public.agents;
  v_events jsonb;
  v_settled integer := 0;
begin
  v_actor := app.system_actor(v_actor.tenant_id);
  if v_actor.user_id is null then
    return jsonb_build_object('settled', 0);
  end if;
  for v_agent in
    select a.* from public.agents a
    where a.tenant_id = v_actor.tenant_id and exists (
      select from public.agent_runs r
      where r.tenant_id = a.tenant_id and r.agent_id = a.id and r.ended_at is null)
      -- Those whose queue merely waits would keep the others from their turn.
      and exists (select from app.overdue_runs(a, app.believed_held(a, v_worked_at, v_now), v_now))
    order by a.seen_at, a.id limit 200
  loop
    select * into v_agent from public.agents a
      where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id for no key update;
    v_events := app.settle_lost_runs(v_agent, app.believed_held(v_agent, v_worked_at, v_now), v_now);
    if v_events <> '[]' then
      perform app.append_checked(v_events, v_actor);
      v_settled := v_settled + jsonb_array_length(v_events);
    end if;
  end loop;
  v_events := app.check_run_completion(v_actor.tenant_id, v_now);
  if v_events <> '[]' then
    perform app.append_checked(v_events, v_actor);
    v_settled := v_settled + jsonb_array_length(v_events);
  end if;
  perform app.expire_approvals(v_actor, null, v_now);
  for v_agent in
    select * from public.agents a
    where a.tenant_id = v_actor.tenant_id
      and a.retired_at is null
      and a.status <> 'offline'
      and app.has_vanished(a, v_worked_at, v_now)
    order by a.id for no key update
  loop
    perform app.enter_disconnect(v_agent, app.why_silent(v_agent), v_actor);
    update public.agents a
      set status = 'offline', activity_state = 'idle', disconnected_at = a.seen_at
      where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id;
  end loop;
  return jsonb_build_object('settled', v_settled);
end
$$;

-- Views for people and their SQL; each shows only what its user may see.

create or replace view public.active_tasks with (security_invoker = true) as
  select
    t.tenant_id, t.id, t.project_id, t.user_id, t.created_by, t.number, t.ref, t.title, t.description,
    t.acceptance_criteria, t.constraints, t.dependencies, t.parent_id, t.discovered_from, t.status, t.priority,
    t.open_dependencies, t.blocked_reason, t.blocked_by, t.warning, t.locked_at, t.locked_by, t.locked_by_user,
    t.lock_token, t.attempts, t.last_outcome, t.last_reason, t.last_agent, t.summary, t.evidence, t.approved_at,
    t.completed_at, t.version, t.created_at, t.updated_at,
    p.name as project_name,
    t.locked_at is not null
      and coalesce(l.expires_at, t.locked_at + interval '1 hour') > now() as is_actively_locked
  from public.tasks t
  join public.projects p on p.tenant_id = t.tenant_id and p.id = t.project_id
  left join public.leases l
    on l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
  where t.status in ('in_progress', 'blocked')
  order by t.locked_at desc nulls last;

create or replace view public.recent_events with (security_invoker = true) as
  select
    e.tenant_id, e.id, e.seq, e.project_id, e.task_id, e.user_id, e.event_type, e.payload, e.created_at, e.stream,
    e.version, e.actor, e.schema_version, e.correlation_id, e.causation_id, e.payload_hash, e.prev_hash, e.hash,
    e.redacted_at,
    p.name as project_name,
    t.title as task_title
  from public.events e
  left join public.projects p on p.tenant_id = e.tenant_id and p.id = e.project_id
  left join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id
  order by e.seq desc;

create or replace view public.task_progress with (security_invoker = true) as
  select
    t.id, t.project_id, t.title, t.status, t.priority,
    cardinality(t.acceptance_criteria) as total_criteria,
    (select count(*) from public.artifacts a where a.tenant_id = t.tenant_id and a.task_id = t.id) as artifact_count,
    t.locked_at, t.locked_by, t.created_at, t.updated_at
  from public.tasks t;

-- The runs of commands in the order in which their agents take them: what waits has a position, from 1.
create or replace view public.command_queue with (security_invoker = true) as
  select
    r.tenant_id, r.id, r.command_id, r.agent_id,
    case when r.status in ('pending', 'queued')
      then row_number() over (
        partition by r.tenant_id, r.agent_id, r.status in ('pending', 'queued')
        order by r.delivery_mode <> 'interrupt', r.priority desc, r.created_at, r.id) end as position,
    r.priority,
    case
      when r.status in ('pending', 'queued') then 'waiting'
      when r.status = 'cancelled' then 'interrupted'
      else 'processing' end as status,
    r.created_at as enqueued_at, r.started_at, r.interrupt_requested, r.interrupt_reason,
    c.content
  from public.agent_runs r
  join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
  where r.ended_at is null or r.status = 'cancelled' and r.end_reason = 'interrupted';

create or replace view public.agent_artifacts with (security_invoker = true) as
  select
    a.tenant_id, a.id, a.run_id, r.agent_id, r.command_id, a.project_id, a.task_id, a.user_id, a.type, a.ref,
    a.summary, a.storage_key, a.sha256, a.size_bytes, a.media_type, a.added_by, a.created_at
  from public.artifacts a
  join public.agent_runs r on r.tenant_id = a.tenant_id and r.id = a.run_id;

-- What agents did, as a tree by parent_id. A step whose parent never came stands alone. One whose end nobody told has
-- no completed_at: it is over where its run is.
create or replace view public.trace_entries with (security_invoker = true) as
  select
    s.tenant_id, md5(s.trace_id || s.span_id)::uuid as id, s.run_id, r.command_id, r.agent_id, s.project_id,
    md5(s.trace_id || s.parent_span_id)::uuid as parent_id,
    s.kind as type, s.name,
    jsonb_strip_nulls(case s.kind
      when 'llm_prompt' then jsonb_build_object('model', s.model)
      when 'tool_call' then jsonb_build_object('tool', s.name)
      else jsonb_build_object('tokens_used', s.tokens_in + s.tokens_out) end) || coalesce(s.content, '{}') as content,
    s.started_at, s.completed_at, s.duration_ms, s.tokens_in + s.tokens_out as tokens_used, s.error,
    s.attributes as metadata, s.created_at, r.ended_at as run_ended_at
  from public.agent_steps s
  join public.agent_runs r on r.tenant_id = s.tenant_id and r.id = s.run_id;

-- What one may have to answer for, of the last 30 days: events of the log, what runs and stops ended as, sign-ins from
-- the trail of access, and what is on neither.
create or replace view public.audit_logs with (security_invoker = true) as
  select
    e.tenant_id, e.id, app.audit_kind(e.event_type, e.payload) as event_type, e.user_id,
    case split_part(e.stream, ':', 1)
      when 'agent' then split_part(e.stream, ':', 2)::uuid
      when 'command' then case when cardinality(c.target_agents) = 1 then c.target_agents[1] end
      else r.agent_id end as agent_id,
    coalesce(c.id, r.command_id) as command_id,
    jsonb_strip_nulls(jsonb_build_object(
        'by', e.actor ->> 'agent',
        'content', left(coalesce(e.payload ->> 'content', e.payload ->> 'title'), 200),
        'status', case when app.audit_kind(e.event_type, e.payload) = 'command_completed'
          then split_part(e.event_type, '.', 2) end,
        'stopped', case when e.event_type like 'agent.%' then e.event_type = 'agent.paused' end,
        'run', r.id, 'approval', a.id)
      || coalesce((
        select jsonb_object_agg(k.key, k.value) from jsonb_each(e.payload) k
        where k.key in ('to', 'mode', 'type', 'preset', 'by_person', 'error', 'reason', 'path', 'end_reason', 'kind',
          'decision', 'note', 'name')), '{}')) as details,
    null::inet as ip_address, e.actor ->> 'client' as user_agent, e.created_at
  from public.events e
  left join public.commands c
    on c.tenant_id = e.tenant_id and e.stream like 'command:%' and c.id = split_part(e.stream, ':', 2)::uuid
  left join public.approvals a
    on a.tenant_id = e.tenant_id and e.stream like 'approval:%' and a.id = split_part(e.stream, ':', 2)::uuid
  left join public.agent_runs r on r.tenant_id = e.tenant_id
    and r.id = case when e.stream like 'run:%' then split_part(e.stream, ':', 2)::uuid else a.run_id end
  where e.created_at > now() - interval '30 days'
    and app.audit_kind(e.event_type, e.payload) in ('command_sent', 'command_delivered', 'command_interrupted',
      'command_expired', 'command_completed', 'token_limit_exceeded', 'time_limit_exceeded', 'emergency_stop',
      'preset_created', 'approval_requested', 'approval_decided')
  union all
  select
    u.tenant_id, u.id, app.audit_kind(u.type, u.data), u.user_id, null, null,
    u.data || case when u.type like 'agents.%' then jsonb_build_object('stopped', u.type = 'agents.stopped')
      else '{}' end,
    u.ip, null, u.at
  from app.auth_events u
  where u.at > now() - interval '30 days'
    and app.audit_kind(u.type, u.data) in ('user_login', 'user_logout', 'emergency_stop')
  union all
  select
    x.tenant_id, x.id, x.event_type, x.user_id, x.agent_id, x.command_id, x.details, x.ip_address, x.user_agent,
    x.created_at
  from public.audit_entries x
  where x.created_at > now() - interval '30 days';

-- Privileges, last of all: the policies of single tables, grants object by object.

-- A new table has no statistics, and the planner assumes every value to be one of two hundred: an index that begins
-- with the workspace then seems as good as the whole key, and each lookup reads the workspace, until autovacuum runs.
-- Since PostgreSQL 18 it can be told the shape of most databases: few workspaces, projects, people and kinds. Others'
-- tables, which may share the schema, are left alone.
create or replace function app.estimate_new_tables()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_column record;
  v_command constant text :=
    'select pg_restore_attribute_stats(''schemaname'', $1, ''relname'', $2, ''attname'', $3, '
    '''inherited'', false, ''null_frac'', 0::real, ''avg_width'', 16, ''n_distinct'', $4)';
begin
  if current_setting('server_version_num')::integer < 180000 then
    return;
  end if;
  for v_column in
    select n.nspname, c.relname, a.attname, f.n_distinct
    from pg_attribute a
    join (
      values ('tenant_id', 1), ('project_id', 1), ('user_id', 1), ('status', 3), ('priority', 3), ('type', 5),
        ('event_type', 10)) as f (column_name, n_distinct) on f.column_name = a.attname
    join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('app', 'public') and c.reltuples < 0
      -- Labels and questions are read in the order of an index: with an estimate the planner would rather sort them.
      and c.relname not in ('task_labels', 'unanswered')
      and exists (select from pg_policy p where p.polrelid = c.oid and 'cairn_owner'::regrole = any (p.polroles))
  loop
    execute v_command
      using v_column.nspname::text, v_column.relname::text, v_column.attname::text, v_column.n_distinct::real;
  end loop;
end
$$;

select app.secure_functions();
select app.secure_tables();
select app.estimate_new_tables();

revoke all on function app.make_partitions(timestamptz), app.drop_partition(), app.analyze_records()
  from public, anon, authenticated;
grant execute on function
  app.blank_event(public.events), app.remove_events(bigint), app.purge_expired(), app.due_records(),
  app.forget_screens(), app.record_files_to_remove(), app.measure_records(regclass),
  app.unarchived_records(text, regclass), app.workspaces_in(regclass),
  app.make_partitions(timestamptz), app.drop_partition(), app.analyze_records(), app.told_workspaces(uuid)
  to cairn_owner;
grant execute on function
  app.blank_payload(public.events), app.now(), app.get_key_lifetime(), app.get_tenant_id(),
  app.list_partitions(app.record_tables), app.partition_start(regclass), app.period_start(timestamptz, text, integer)
  to cairn_keeper;
-- authenticated reaches the schema app for these two functions, which its policies and a view of its call.
grant execute on function app.my_tenants(), app.audit_kind(text, jsonb) to authenticated;
-- And of one table there for what that view shows of it, to whom its policy lets see it.
grant select (tenant_id, id, at, type, user_id, ip, data) on app.auth_events to authenticated;
grant usage on schema app to cairn_owner, cairn_keeper, authenticated;
grant usage on schema public to cairn_owner, cairn_keeper, cairn_server;
grant usage on type app.actor, app.bearer to cairn_owner;

select app.define_on_tables($policies$
  -- `@@` is not leakproof: a condition on the tenant would be checked first and keep the index from being used. The
  -- table holds no text, and what a search shows of it is read from the tables themselves, whose policies do compare
  -- the tenant.
  create policy door_read on app.search_documents for select to cairn_owner using (true);
  create policy door_insert on app.search_documents for insert to cairn_owner
    with check (tenant_id = app.get_tenant_id());
  create policy door_update on app.search_documents for update to cairn_owner
    using (tenant_id = app.get_tenant_id()) with check (tenant_id = app.get_tenant_id());
  create policy door_delete on app.search_documents for delete to cairn_owner using (tenant_id = app.get_tenant_id());
  -- Allows cairn_keeper to forget what was printed too long ago.
  create policy keeper_read on app.search_documents for select to cairn_keeper using (kind = 'output');
  create policy keeper_forget on app.search_documents for delete to cairn_keeper using (kind = 'output');
  create policy keeper_read on app.run_screens for select to cairn_keeper using (true);
  create policy keeper_forget on app.run_screens for delete to cairn_keeper using (true);

  create policy door_read on public.events for select to cairn_owner, cairn_keeper
    using (tenant_id = app.get_tenant_id());
  create policy door_append on public.events for insert to cairn_owner with check (tenant_id = app.get_tenant_id());
  create policy keeper_redact on public.events for update to cairn_keeper
    using (tenant_id = app.get_tenant_id()) with check (tenant_id = app.get_tenant_id());
  create policy keeper_archive on public.events for delete to cairn_keeper using (tenant_id = app.get_tenant_id());
  create policy own_select on public.events for select to authenticated using (tenant_id in (select app.my_tenants()));
  create policy own_insert on public.events for insert to authenticated
    with check (tenant_id in (select app.my_tenants()));

  -- A policy on memberships that asked app.my_tenants() would ask itself without end.
  create policy door on public.memberships for all to cairn_owner
    using (tenant_id = app.get_tenant_id() or user_id in (app.get_caller_id(), app.get_signed_in_id()))
    with check (tenant_id = app.get_tenant_id());
  -- Allows cairn_keeper to find who is told of the installation.
  create policy owners on public.memberships for select to cairn_keeper using (role = 'owner');
  create policy own_select on public.memberships for select to authenticated using (user_id = (select auth.uid()));

  -- A user is seen by those in a workspace that the user belongs to, and by itself. An import may still add one, and
  -- learns nothing by it.
  create policy door_read on public.users for select to cairn_owner
    using (id = app.get_caller_id() or exists (
      select from public.memberships m where m.tenant_id = app.get_tenant_id() and m.user_id = users.id));
  create policy door_insert on public.users for insert to cairn_owner with check (true);
  create policy door_update on public.users for update to cairn_owner
    using (id = app.get_caller_id()) with check (id = app.get_caller_id());
  create policy own_select on public.users for select to authenticated using (id = (select auth.uid()));

  create policy door on public.tenants for all to cairn_owner
    using (id = app.get_tenant_id()) with check (id = app.get_tenant_id());
  create policy own_select on public.tenants for select to authenticated using (id in (select app.my_tenants()));
  -- The names of one's own workspaces, to choose from.
  create policy member on public.tenants for select to cairn_owner
    using (id in (select m.tenant_id from public.memberships m where m.user_id = (select app.get_caller_id())));

  create policy own_select on public.oauth_tokens for select to authenticated using (user_id = (select auth.uid()));

  -- Rows of remote access that are seen before their workspace is known.
  create policy presented on app.auth_sessions for select to cairn_owner
    using (session_hash = (select app.get_credential_hash()));
  create policy presented on app.login_codes for select to cairn_owner
    using (code_hash = (select app.get_credential_hash()));
  create policy presented on app.invitations for select to cairn_owner
    using (invitation_hash = (select app.get_credential_hash()));
  -- A client is known to every workspace; what it was granted is not.
  create policy everybody on app.oauth_clients for select to cairn_owner using (true);
  create policy everybody on app.user_identities for select to cairn_owner
    using (user_id = (select app.get_caller_id()));

  -- Allows cairn_keeper to purge expired rows.
  create policy expired on public.oauth_tokens for delete to cairn_keeper
    using (coalesce(refresh_expires_at, expires_at) < now() - interval '30 days');
  create policy expired on app.oauth_codes for delete to cairn_keeper using (expires_at < now() - interval '1 day');
  create policy expired on app.authorization_requests for delete to cairn_keeper using (expires_at < now());
  create policy expired on app.auth_sessions for delete to cairn_keeper using (expires_at < now());
  create policy expired on app.login_codes for delete to cairn_keeper using (expires_at < now());
  create policy expired on app.login_states for delete to cairn_keeper using (expires_at < now());
  -- As purge_idempotency_keys does in one workspace.
  create policy expired on app.idempotency_keys for delete to cairn_keeper
    using (created_at < now() - app.get_key_lifetime());
  create policy expired on app.rates for delete to cairn_keeper using (ends_at < now());
  create policy expired on app.invitations for delete to cairn_keeper using (expires_at < now() - interval '90 days');
  -- A client that registered itself and was never authorized, and one that no grant can be alive of.
  create policy expired on app.oauth_clients for delete to cairn_keeper
    using (kind <> 'static' and (
      authorized_at is null and created_at < now() - interval '1 day'
      or coalesce(last_used_at, created_at) < now() - interval '180 days'));
$policies$);

grant select, delete, update (payload, redacted_at) on public.events to cairn_keeper;
grant select on app.record_archives, app.replaced_record_files to cairn_keeper;
grant select, delete on app.run_screens to cairn_keeper;
grant select (tenant_id, kind, id), delete on app.search_documents to cairn_keeper;
grant select (tenant_id, role, created_at) on public.memberships to cairn_keeper;
grant delete on
  public.oauth_tokens, app.oauth_codes, app.authorization_requests, app.auth_sessions, app.login_codes,
  app.login_states, app.rates, app.invitations, app.oauth_clients, app.idempotency_keys
  to cairn_keeper;
grant select (
  tenant_id, id, user_id, kind, name, token_type, expires_at, scope, project_id, agent, client_id, created_at,
  updated_at, last_used_at, revoked_at)
  on public.oauth_tokens to authenticated;

revoke all on public.active_tasks, public.agent_artifacts, public.audit_logs, public.command_queue,
    public.recent_events, public.task_progress, public.trace_entries
  from public, anon, authenticated, service_role;
grant select on public.active_tasks, public.agent_artifacts, public.audit_logs, public.command_queue,
  public.recent_events, public.task_progress, public.trace_entries to authenticated;
-- list_audit shows what this one does.
grant select on public.audit_logs to cairn_owner;

-- A server that logs in with only cairn_server must be able to tell whether the schema is its own.
grant usage on schema supabase_migrations to cairn_server;
grant select on all tables in schema supabase_migrations to cairn_server;

-- Derived data that is rebuilt when its code changes: raise the number then.

-- Words to search for, workspace by workspace.
do $$
declare
  v_hash constant text := encode(sha256('search 2'), 'hex');
  v_tenant uuid;
begin
  if exists (select from supabase_migrations.cairn_applied a where a.name = 'search' and a.hash = v_hash) then
    return;
  end if;
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    update app.search_documents d
      set words = app.search_vector(s.kind, v_tenant, s.project_id, s.content)
      from app.list_searchable(v_tenant) s
      where d.tenant_id = v_tenant and d.kind = s.kind and d.id = s.id and s.content is not null
        and d.words is distinct from app.search_vector(s.kind, v_tenant, s.project_id, s.content);
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
  insert into supabase_migrations.cairn_applied (name, hash, program) values ('search', v_hash, '')
    on conflict (name) do update set hash = excluded.hash, applied_at = now();
end
$$;

-- The reason of tasks that are blocked because they were given up once, workspace by workspace.
do $$
declare
  v_hash constant text := encode(sha256('times 1'), 'hex');
  v_tenant uuid;
begin
  if exists (select from supabase_migrations.cairn_applied a where a.name = 'times' and a.hash = v_hash) then
    return;
  end if;
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    update public.tasks t
      set blocked_reason = replace(t.blocked_reason, 'given up 1 times, the most', 'given up once, the most')
      where t.tenant_id = v_tenant and t.status = 'blocked' and t.attempts = 1
        and starts_with(t.blocked_reason, 'It was given up 1 times, the most its project allows;');
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
  insert into supabase_migrations.cairn_applied (name, hash, program) values ('times', v_hash, '')
    on conflict (name) do update set hash = excluded.hash, applied_at = now();
end
$$;

insert into supabase_migrations.cairn_applied (name, hash, program) values
  ('20261201000100', 'f608451a6fa7fbc6301cc380ca665ef96f7db8275df9942f8a1a186f418f12bc', '0.1.0'),
  ('20261201000200', '5286d945ad24885722364f21509ae95e83784f839f97dd324184d5cf4365d8a4', '0.1.0'),
  ('20261201000300', 'ba402aa1fbccc50c365d9776482749e96b82003f2f69049c0cdb5bd1b1dcda59', '0.1.0'),
  ('20261201000400', '176f1c3b01fb36f60b05c26e295acc841b66b81e9aba6aa068805c07fe15c69f', '0.1.0'),
  ('20261201000500', '017ff86ee29fa4648dc062a591d3eab32200638af36c489f91b343e9f08bffb6', '0.1.0'),
  ('20261201000600', 'a50ec1b8cc243abd30669c721752ba15a2a3e04798d50e3ed2d94d6df462339e', '0.1.0'),
  ('20261201000700', '23fbe996145a5479e45088ce3c9b669070443889b82105f177541ed3e5d7787c', '0.1.0'),
  ('20261201000800', 'e363dac1e1a5333f35f0749da38c20f5f51505e7d2a46bbc59173c585e0c5997', '0.1.0'),
  ('20261201000900', 'e3e2e3382ba8b70e0da732daa727780319a112a6a9aea4877beaf69fae458da7', '0.1.0'),
  ('20261201001000', '9077023e57282a2f2cb871c7c775a35d68600b9b06559bda94f4b0d37b0506c9', '0.1.0'),
  ('20261201001100', 'fa65bb0d8089ac6904df03bc862c0bafa3a0fabecbda47ba53f00377c0ba80b2', '0.1.0'),
  ('20261201001200', '3511e72babfb15381071e1fb7d7504eba472e8e16290f42bd5a7426a6703085c', '0.1.0'),
  ('20261201001300', 'df93551c604df382d0edfee193f466e9a51fd143c31b8f7b61a150880dd1c9b0', '0.1.0'),
  ('20261201001400', 'd6e7846d3fd8069497a0dc850b8f64b812e28807ed0c1ee22c260269e9a3680c', '0.1.0'),
  ('20261201001500', '05ac785e256c27b93d41f02c1b190e987a6da8871cdfcc21ba3245e1098db160', '0.1.0'),
  ('20261201001600', '5131991c46013aae274e1660fab9e5493243eba03b3a23deaa6f2638962df38b', '0.1.0'),
  ('20261201001700', '21297539a0d2000991dd445fb665c82561d6ee3b51516fece8a6b23ad2340c3e', '0.1.0'),
  ('20261201001800', '74028852c9bab2edf9ed1426864a1587691bb44c2a5d48423c16590969057070', '0.1.0'),
  ('20261201001900', 'b4528cc3873ac4f475fa3b3ad04fb74ff6a445eadf2b3b7f0e3d985753eefd35', '0.1.0'),
  ('20261201002000', '4cf0b0b23db4f1300efbf17e4aa5946627dc65651c151c459e529c72c2cebedd', '0.1.0'),
  ('20261201002100', '0f4eb29f80acf3707fa85f2a3fa3e90212e37a0ed02d6b2f87e4c44600967284', '0.1.0'),
  ('20261201002200', '47eea0018c97e6c4f5ed81676662349f8c02b7f1e9ddec531efa4398dcf4b142', '0.1.0'),
  ('20261201002300', 'e183eb723b01acdf052a4227d9dab8e0740a525f53cbba7063751c6dd0c98790', '0.1.0'),
  ('20261201002500', 'de34811aca1c6db8acc8d4cf9c80788e7563adf1973356e5436d6ed79b6f8fbe', '0.1.0'),
  ('20261201002510', '0df617323fb540f1762a585c6eefe70c460f6eed589f35c461db1f1ede08e50a', '0.1.0'),
  ('20261201002600', 'd6718a973581e90f6d05555fa6d72a277fc9c860db7966bde88ee3b52608d8d9', '0.1.0'),
  ('20261201002700', 'b6ce65c37c587476b410b6588be97b1d27b2ea63def93e503b29c65f81f4c901', '0.1.0'),
  ('20261201002800', 'bcf4cacfc9f793747766404c1c5bad1c8937e9d2ab469965ba581b024e9a49f7', '0.1.0'),
  ('20261201002900', '8d7349e7d0b97d84867b955b5c69def15c22f43cbdc122938e9b0cb539b64573', '0.1.0'),
  ('20261201003000', '6abdda6c852015d4b06958d16146a27496042329ccaaf385dfa689ff712f43ca', '0.1.0'),
  ('20261201003100', '00b396650a13e3f4ac3be9f0fa563c3b4b6e44340d928029a60e2c31910c345b', '0.1.0'),
  ('20261201003150', 'c01af2edb558927868f0ba9e75c8c3d7c9e70be003fe80f79649e33d1f014214', '0.1.0'),
  ('20261201003300', '6306da749ac0423ad133534a3b333976a0c78ac714f7734b5d3470b1b0eb4237', '0.1.0'),
  ('20261201003350', '6e2f3774f472c54a6fed4013061a75807bddb992b6a528519c53aeec0630b784', '0.1.0'),
  ('20261201003420', 'ebc9746157e115a94f2c329646fa7a6cacc7c44df55373e37d142f7deb76d6aa', '0.1.0'),
  ('20261201003440', 'ebb79ea7439279063c4533eb950a5c8a40d998b462dda7d30ca9b4c109d50601', '0.1.0'),
  ('20261201003458', '97dbf3a67bd775475719033f15ff449e23a6528f4c58a058adee9327cb453248', '0.1.0'),
  ('20261201003500', '798e6994eb592fcd9147998851401713c0b81df9adbca4222589f0fa95a6489d', '0.1.0'),
  ('20261201003505', '3c81e2067c885f157d90fa12054965f3caabade2131919c60299b2668b98a31a', '0.1.0'),
  ('20261201003510', '4a2c22d07826518b9e6a600ddab99c58348ffce09c032d8c25eb70b1ed8374a3', '0.1.0'),
  ('20261201003520', 'f8064850629b0ce41c76700e0564bd911d5b68be45a9792af7d1d444729d77c6', '0.1.0'),
  ('20261201003525', '46e40ddce213e203987f7beb7d75559dc4e8c8c4d88256256eee35420ef52cd8', '0.1.0'),
  ('20261201003540', '78003ebbad8d64087f84927c9ebc1144ee59c994e006e1acd3997f9ad0f7a552', '0.1.0'),
  ('20261201003542', 'eb7c966aa7c08f3fd99cdd377f0d97af98c7a9a0113615e5c3fc5a164a354d07', '0.1.0'),
  ('20261201003550', 'ce07901a5987e32b49c96ba5ecb241f388d682bdfdc3a9f4b3711e8db61b29ae', '0.1.0'),
  ('20261201003555', '76050df5dca7b58228bde746e63b3206663221604f47b9d1a990353363d5e427', '0.1.0'),
  ('code', '445c27630b0e675f5e6d254774e9e8bce5db61b9c553d721b42f10cadff409fc', '0.1.0')
  on conflict (name) do update
    set hash = excluded.hash, program = excluded.program, applied_at = now();
