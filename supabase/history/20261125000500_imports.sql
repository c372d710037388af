-- Imports are judged as everything else that enters the log, and each event is marked with whose import brought it, and
-- when.

-- The hash does not cover these columns: it tells what happened and not how it came here. An import sets them anew.
alter table public.events
  add column imported_by uuid references public.users,
  add column imported_at timestamptz,
  add check ((imported_by is null) = (imported_at is null));

-- The door itself adds these fields to an event. No caller may say them, and a history that is imported has them.
alter table app.event_fields add column by_door boolean not null default false;
alter table app.event_fields no force row level security;
insert into app.event_fields (event_type, field, kind, required, size_max, by_door) values
  ('task.created', 'project_id', 'ref', false, 36, true),
  ('task.created', 'number', 'integer', false, 99999999, true),
  ('task.created', 'ref', 'ref', false, 41, true),
  ('task.claimed', 'lapsed', 'boolean', false, null, true),
  ('task.released', 'lapsed', 'boolean', false, null, true),
  ('task.released', 'exhausted', 'boolean', false, null, true),
  ('task.released', 'lock_token', 'integer', false, 999999999, true),
  ('task.completed', 'lock_token', 'integer', false, 999999999, true);
alter table app.event_fields force row level security;

-- Refs are built from slugs, so that these are short and plain.
create function app.is_slug(value text) returns boolean language sql immutable
  return value ~ '^[a-z][a-z0-9-]{0,30}$';

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
    -- Of two who want the same slug at once, the second waits and then sees it taken.
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', event.tenant_id, 'slug', event.payload ->> 'slug'), 0));
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
  elsif event.event_type = 'project.archived' and exists (select from public.task_leases l
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at > event.created_at) then
    perform app.fail('lock_held', format('Agents are working in %s.', project.slug), null,
      'list_tasks with status in_progress shows who; archive when they have released their tasks.');
  end if;
  if event.payload ? 'rules' then
    perform app.check_rules(event.payload -> 'rules');
  end if;
end
$$;

-- Tells whether each reference is an id, as the door leaves them.
create function app.are_ids(value jsonb) returns boolean language sql immutable
  return case jsonb_typeof(value)
    when 'null' then true
    when 'array' then not exists (select from jsonb_array_elements_text(value) v where app.as_uuid(v) is null)
    else app.as_uuid(value #>> '{}') is not null end;

drop function app.check_data(text, jsonb, text);
-- Finds the type of an event. Refuses unknown types, unknown or missing fields, and values of the wrong kind or past
-- their limit. `path` is where the data stands in what the caller sent. Recorded data is as the door leaves it: with
-- what it adds (to an object as much again as a caller may say), without the project, with ids for refs.
create function app.check_data(event_type text, data jsonb, path text default '', recorded boolean default false)
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
      or not app.fits(d.value, f.kind,
          case when recorded and f.kind = 'object' then 2 * f.size_max else f.size_max end, f.one_of)
        and not (d.value = 'null' and f.kind = 'ref' and not f.required)
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
      when 'integer' then 'a whole number from 0 to ' || v_field.size_max
      when 'object' then
        'an object of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      when 'array' then
        'a list of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      else v_field.kind || coalesce(' of size at most ' || v_field.size_max, '') end),
    jsonb_build_object('field', path || v_field.field));
end
$$;

-- Tells evidence as it is recorded from other values. The guard of its task has judged which criteria and artifacts it
-- names.
create function app.is_evidence(evidence jsonb) returns boolean language sql immutable
  return not exists (select from jsonb_array_elements(evidence) e
    where jsonb_typeof(e) <> 'object'
      or case when jsonb_typeof(e) = 'object' then e - '{criterion,note,artifact}'::text[] <> '{}' end
      or not app.fits(coalesce(e -> 'criterion', 'null'), 'integer', 50, null)
      or e ? 'note' and not app.fits(e -> 'note', 'text', 4000, null)
      or e ? 'artifact' and app.as_uuid(e ->> 'artifact') is null);

-- Finds the project that a stream belongs to, or null where there is no such stream.
create function app.stream_project(tenant_id uuid, stream text)
  returns uuid
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project uuid;
begin
  select e.project_id into v_project from public.events e
    where e.tenant_id = stream_project.tenant_id and e.stream = stream_project.stream order by e.version limit 1;
  if not found then
    select a.project_id into v_project from app.archived_streams a
      where a.tenant_id = stream_project.tenant_id and a.stream = stream_project.stream;
  end if;
  return v_project;
end
$$;

-- Tells whether the record of a redaction is of the project and the task of the event that it names. An event that was
-- archived has no row any more; its project has.
create function app.is_redaction_in_place(redaction public.events)
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
    and redaction.project_id is not distinct from
      app.stream_project(redaction.tenant_id, 'project:' || redaction.project_id);
end
$$;

-- Tells whether an event belongs where it says: no hash covers its project, nor, but for the events of a task, its
-- task.
create function app.is_in_place(event public.events)
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
    when 'artifact' then app.as_uuid(event.payload ->> 'task')
    when 'decision' then app.as_uuid(event.payload ->> 'task') end;
  v_last bigint;
begin
  select e.version into v_last from public.events e
    where e.tenant_id = event.tenant_id and e.stream = event.stream order by e.version desc limit 1;
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
  end if;
  return event.project_id = app.stream_project(event.tenant_id, 'project:' || event.project_id);
end
$$;

-- Checks a recorded event as the door checks a new one. Raises invalid_input.
create function app.check_recorded(event public.events)
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
    v_slug := coalesce(
      (select p.slug from public.projects p where p.tenant_id = event.tenant_id and p.id = event.project_id),
      (select e.payload ->> 'slug' from public.events e
        where e.tenant_id = event.tenant_id and e.stream = 'project:' || event.project_id and e.version = 1));
    if event.payload ->> 'project_id' is distinct from event.project_id::text
        or event.payload ->> 'ref' is distinct from v_slug || '-' || (event.payload ->> 'number') then
      perform app.fail('invalid_input', 'The ref and project_id must be those of the event''s project.',
        jsonb_build_object('field', 'ref'));
    end if;
  elsif event.event_type = 'task.approved' and event.actor ->> 'agent' is not null then
    perform app.fail('invalid_input', 'A person approves a task: the actor must name no agent.',
      jsonb_build_object('field', 'actor'));
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
  if event.payload ? 'rules' then
    perform app.check_rules(event.payload -> 'rules');
  end if;
  if event.payload ? 'constraints' then
    perform app.check_scope(event.payload -> 'constraints', 'constraints');
  end if;
  if event.payload ? 'evidence' and not app.is_evidence(event.payload -> 'evidence') then
    perform app.fail('invalid_input', 'Evidence is a list of {criterion, note or artifact}.',
      jsonb_build_object('field', 'evidence'));
  end if;
end
$$;

-- Lets an owner add to a chain that is there, or whoever imported its end and goes on. Raises forbidden.
create function app.check_chain_end(event public.events, actor app.actor)
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
      where e.tenant_id = event.tenant_id and e.project_id = event.project_id order by e.seq desc limit 1;
  end if;
  if v_by is distinct from actor.user_id then
    perform app.fail('forbidden', 'The workspace has this project, and something happened in it here.', null,
      'Only an owner imports more of its history.');
  end if;
end
$$;

drop function app.check_imported(public.events, bigint);
-- Refuses an event that the door could not have recorded so, or that does not go on from what is there. `source` is its
-- position in the file. Raises invalid_input, already_exists, forbidden.
create function app.check_imported(event public.events, source bigint, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_message text;
  v_detail text;
  v_hint constant text := 'A later version refuses what an earlier one recorded; move it with `cairn db backup` and '
    || '`cairn db restore`.';
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
  elsif event.actor ->> 'agent' is distinct from app.clean_name(event.actor ->> 'agent', 120)
      or event.actor ->> 'client' is distinct from app.clean_name(event.actor ->> 'client', 120) then
    perform app.fail('invalid_input',
      format('The agent or client of event %s has a name that is not on one line of visible characters.', source), null,
      v_hint);
  elsif event.prev_hash is distinct from app.chain_head(event.tenant_id, event.project_id)
      or event.hash <> app.event_hash(event)
      or app.is_in_place(event) is not true
      or exists (select from public.events e where e.tenant_id = event.tenant_id and e.id = event.id)
      or event.redacted_at is null and event.payload_hash <> app.payload_hash(event.payload)
      or event.redacted_at is not null and event.payload <> app.blanked(event) then
    perform app.fail('invalid_input', format('The chain is broken at event %s of the file.', source), null,
      'The file was changed or is not whole. Export it again.');
  end if;
  perform app.check_chain_end(event, actor);
  begin
    perform app.check_recorded(event);
  exception
    when sqlstate 'PT400' then
      get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail;
      perform app.fail('invalid_input', format('The data of event %s of the file is not valid. %s', source, v_message),
        v_detail::jsonb -> 'details', v_hint);
  end;
  if event.event_type = 'project.created'
      and exists (select from public.projects p
        where p.tenant_id = event.tenant_id and p.slug = event.payload ->> 'slug') then
    perform app.fail('already_exists', format('This workspace has another project %s.', event.payload ->> 'slug'), null,
      'Import into another workspace; refs are built from the slug.');
  end if;
end
$$;

drop function app.import_users(jsonb);
-- Keeps the names of those whom imported events name, so that each is called here as where the events come from. A
-- member is called as everywhere.
create function app.import_users(users jsonb, tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(jsonb_typeof(users), 'null') <> 'array'
      or jsonb_array_length(users) > 5000
      or exists (select from jsonb_array_elements(users) u
        where app.as_uuid(u ->> 'id') is null or not app.fits(coalesce(u -> 'name', 'null'), 'line', 200, null)) then
    perform app.fail('invalid_input', 'users is a list of at most 5000, each with an id and a name of one line.',
      jsonb_build_object('field', 'users'));
  end if;
  insert into app.user_names (tenant_id, user_id, name)
    select distinct on (u ->> 'id') import_users.tenant_id, (u ->> 'id')::uuid, u ->> 'name'
    from jsonb_array_elements(users) u
    on conflict do nothing;
end
$$;

-- Reads an event as export_events gave it. `place` is where it stands among those of the call. Raises invalid_input.
create function app.read_imported(item jsonb, place bigint)
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

-- Refuses tasks that wait for themselves or are parts of themselves after some events. Raises invalid_input.
create function app.check_circles(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_task public.tasks;
begin
  foreach v_task in array app.tasks_among(tenant_id, array(
      select distinct e.task_id from unnest(events) e
      where starts_with(e.event_type, 'task.') and e.payload ?| '{add,parent}')) loop
    if app.find_cycle(v_task, v_task.dependencies) is not null or exists (
        with recursive above (id) as (
          select v_task.parent_id
          union
          select t.parent_id from above a
            join public.tasks t on t.tenant_id = check_circles.tenant_id and t.id = a.id)
        select from above a where a.id = v_task.id) then
      perform app.fail('invalid_input', format('Task %s would wait for itself or be a part of itself.', v_task.ref),
        null,
        'Export the history again; move one that an earlier version recorded so with `cairn db backup` and '
          || '`cairn db restore`.');
    end if;
  end loop;
end
$$;

-- import_events(events, users?) -> {imported, skipped, position}. Events and users as export_events gave them, in
-- order; versions and hashes stay, positions follow on (and so are the same in an empty workspace). What is there
-- already is skipped, so that an import can be resumed. Each is judged as the door judges, and marked with who imported
-- it. Raises invalid_input, already_exists, forbidden.
create or replace function public.import_events(events jsonb, users jsonb default '[]', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter(actor, 'admin');
  v_event public.events;
  v_known bytea;
  v_imported public.events[] := '{}';
  v_seq bigint;
  v_source bigint;
begin
  perform app.refuse_limited(v_actor);
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 5000 then
    perform app.fail('invalid_input', 'events is a list of 1 to 5000 events.', jsonb_build_object('field', 'events'));
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
    perform app.check_imported(v_event, v_source, v_actor);
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
    perform app.fold_on(v_actor.tenant_id, v_imported);
  exception
    when integrity_constraint_violation or data_exception then
      perform app.fail('invalid_input', 'The events do not follow from one another.', null,
        'Export the history again, whole.');
  end;
  perform app.check_circles(v_actor.tenant_id, v_imported);
  return jsonb_build_object('imported', cardinality(v_imported),
    'skipped', jsonb_array_length(events) - cardinality(v_imported), 'position', v_seq);
end
$$;

-- export_events(project?, after_seq, page_size) -> {events: [whole rows], users: [{id, name}], next_seq?}, oldest
-- first, with those whom the events name, as the workspace knows them; without a project, the workspace.
create or replace function public.export_events(project text default null, after_seq bigint default 0,
    page_size integer default 500, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter(actor);
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

-- Shows an event in today's shape, as lists do. It reads nothing itself but who imported it, so that a list of many
-- costs one query.
create or replace function app.event_brief(event public.events, task_ref text default null)
  returns jsonb
  language sql
  stable
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'seq', event.seq, 'id', event.id, 'at', event.created_at, 'type', event.event_type, 'by', app.by(event),
    'task', task_ref, 'kind', event.payload ->> 'kind', 'text', app.event_text(event),
    'redacted', case when event.redacted_at is not null then true end,
    'imported_by', case when event.imported_by is not null
      then coalesce(app.user_name(event.imported_by), event.imported_by::text) end,
    'imported_at', event.imported_at))
$$;

-- Writes edges, open dependencies and counts of some tasks, from what they were to what their rows say.
create or replace function app.link_among(tenant_id uuid, ids uuid[], was public.tasks[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Some of these have no dependencies any more: the fold of their first event counts all that they had.
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
  update app.task_counts c set (pending, ready, in_progress, blocked, completed, cancelled)
      = (c.pending + d.pending, c.ready + d.ready, c.in_progress + d.in_progress, c.blocked + d.blocked,
        c.completed + d.completed, c.cancelled + d.cancelled)
    from (
      select t.project_id, sum(t.n * (t.status = 'pending')::integer) as pending, sum(t.n * t.ready) as ready,
        sum(t.n * (t.status = 'in_progress')::integer) as in_progress,
        sum(t.n * (t.status = 'blocked')::integer) as blocked,
        sum(t.n * (t.status = 'completed')::integer) as completed,
        sum(t.n * (t.status = 'cancelled')::integer) as cancelled
      from (
        select 1 as n, x.project_id, x.status, app.is_ready(x) as ready from unnest(app.tasks_among(tenant_id, ids)) x
        union all
        select -1, x.project_id, x.status, app.is_ready(x) from unnest(was) x) t group by t.project_id) d
    where c.tenant_id = link_among.tenant_id and c.project_id = d.project_id;
end
$$;
