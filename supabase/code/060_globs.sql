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
