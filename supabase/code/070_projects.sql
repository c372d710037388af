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
