-- Comparing files with globs has a bound: each glob is read once, and there may be only so much of it.

-- Writes the wildcards of a glob as single characters: \x01 for `**/`, \x02 for `**`, \x03 for `*`. Neighbours that say
-- together what `**` says are one, for repeated ones say nothing more and cost a time that grows with their square.
create function app.glob_tokens(glob text) returns text language sql immutable as $$
  select regexp_replace(regexp_replace(
    replace(replace(replace(glob, '**/', E'\x01'), '**', E'\x02'), '*', E'\x03'),
    E'[\x01\x03]*(?:\x02|\x01\x03)[\x01\x02\x03]*', E'\x02', 'g'), E'\x01+', E'\x01', 'g')
$$;

create function app.count_wildcards(glob text) returns integer language sql immutable as $$
  select length(regexp_replace(app.glob_tokens(glob), E'[^\x01\x02\x03?]', '', 'g'))
$$;

-- `**` spans folders, `*` and `?` stay within one.
create function app.glob_pattern(glob text) returns text language sql immutable as $$
  select '^' || replace(replace(replace(replace(
    regexp_replace(app.glob_tokens(glob), '([.+^$(){}|\[\]\\])', '\\\1', 'g'),
    '?', '[^/]'), E'\x01', '(?:.*/)?'), E'\x02', '.*'), E'\x03', '[^/]*') || '$'
$$;

drop function app.glob_matches(text, text);

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
    if scope ? v_key and not app.fits(scope -> v_key, 'text[]', 50, null) then
      perform app.bad_rule(path || '.' || v_key, 'a list of at most 50 texts of at most 1000 characters');
    end if;
  end loop;
  foreach v_key in array array['paths', 'deny'] loop
    if exists (select from jsonb_array_elements_text(scope -> v_key) g where app.count_wildcards(g) > 16) then
      perform app.bad_rule(path || '.' || v_key, 'in each glob at most 16 wildcards (**, * and ?)');
    end if;
  end loop;
  foreach v_key in array array['files_max', 'lines_max'] loop
    if scope ? v_key and not app.fits(scope -> v_key, 'integer', 1000000, null) then
      perform app.bad_rule(path || '.' || v_key, 'a whole number from 0 to 1000000');
    end if;
  end loop;
end
$$;

-- Says why the files of a diff cannot be compared with a scope; null where they can. The time of one comparison grows
-- at most with the characters of the file times those of the glob. 200 million of these take a second or two, and
-- hundreds of files and globs have fewer.
create function app.scope_excess(scope jsonb, files text[])
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

-- Lists the files that match no glob. Each glob is compiled once for all files: PostgreSQL keeps few of them.
create function app.unmatched_files(globs jsonb, files text[])
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

-- Lists the files of a diff that a scope does not allow, or null. Call it where scope_excess has nothing to say.
create function app.files_outside(scope jsonb, files text[])
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

-- The same, or all files where scope and files are too much to be compared.
create or replace function app.out_of_scope(scope jsonb, files text[]) returns text[] language sql immutable as $$
  select case when app.scope_excess(scope, files) is null then app.files_outside(scope, files)
    else nullif(files, '{}') end
$$;

create or replace function app.guard_artifact(
  artifact public.artifacts,
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
  v_excess text;
  v_bad text[];
begin
  if artifact.id is not null then
    perform app.fail('already_exists', format('The artifact %s exists.', artifact.id));
  end if;
  perform app.check_holder(task, event, expect, app.lease_expires_at(task), role);
  if event.payload ->> 'type' <> 'diff' or v_scope is null then
    return;
  end if;
  v_excess := app.scope_excess(v_scope, v_files);
  v_bad := case when v_excess is null then app.files_outside(v_scope, v_files) end;
  if v_excess is not null then
    perform app.fail('scope_violation',
      format('The diff cannot be compared with the scope of task %s: %s.', task.ref, v_excess),
      jsonb_build_object('files_count', cardinality(v_files)),
      'Add the diff in parts. If that does not help, the globs of the project or the task need fewer characters.');
  elsif v_bad is not null then
    perform app.fail('scope_violation',
      format('%s of the files are outside the scope of task %s: %s.', cardinality(v_bad), task.ref,
        array_to_string(v_bad[:10], ', ')),
      jsonb_build_object('files', to_jsonb(v_bad[:50]), 'scope', v_scope),
      'Revert those changes or put them into a task of their own (discovered_from), then add the diff again.');
  elsif cardinality(v_files) > (v_scope ->> 'files_max')::integer
      or (event.payload ->> 'lines_changed')::integer > (v_scope ->> 'lines_max')::integer then
    perform app.fail('scope_violation',
      format('The diff has %s files and %s lines; task %s allows %s files and %s lines.', cardinality(v_files),
        coalesce(event.payload ->> 'lines_changed', '?'), task.ref, coalesce(v_scope ->> 'files_max', 'any'),
        coalesce(v_scope ->> 'lines_max', 'any')),
      jsonb_build_object('scope', v_scope), 'Split the work: a smaller diff here, the rest in a new task.');
  end if;
end
$$;
