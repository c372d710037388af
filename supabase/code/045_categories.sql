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
