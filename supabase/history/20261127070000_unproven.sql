-- Unproven tasks are counted when they change, as all others are, and not again at every look; searches name them too.

alter table app.task_counts add column unproven integer default 0 not null;

create function app.is_unproven(task public.tasks) returns integer language sql immutable
  return (app.unproven(task) is not null)::integer;

drop function app.count_tasks(uuid, uuid, text, text, integer, integer);

-- Moves a task of a project from one count to another; what is ready, or unproven, is counted beside its status.
create function app.count_tasks(tenant_id uuid, project_id uuid, was text, becomes text, was_ready integer,
    ready integer, unproven integer default 0)
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
  event.payload := app.prepare_task(v_was, event, v_project);
  perform app.guard_task(v_was, event, expect, v_project, actor.role);
  perform app.check_text_version(v_was, event, expect);
  event.version := app.next_version(v_was.version, expect, 'task');
  if (event.payload ->> 'parent')::uuid <> coalesce(v_was.parent_id, app.nobody()) then
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

create or replace function app.counted_tasks(tenant_id uuid)
  returns setof app.task_counts
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.tenant_id, p.id, count(*) filter (where t.status = 'pending')::integer,
    coalesce(sum(app.is_ready(t)) filter (where t.id is not null), 0)::integer,
    count(*) filter (where t.status = 'in_progress')::integer, count(*) filter (where t.status = 'blocked')::integer,
    count(*) filter (where t.status = 'completed')::integer, count(*) filter (where t.status = 'cancelled')::integer,
    coalesce(sum(app.is_unproven(t)) filter (where t.id is not null), 0)::integer
  from public.projects p left join public.tasks t on t.tenant_id = p.tenant_id and t.project_id = p.id
  where p.tenant_id = counted_tasks.tenant_id group by p.tenant_id, p.id
$$;

create or replace function app.rebuild_links(tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.task_dependencies e where e.tenant_id = rebuild_links.tenant_id and not exists (
    select from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id and e.depends_on = any (t.dependencies));
  insert into app.task_dependencies (tenant_id, task_id, depends_on)
    select t.tenant_id, t.id, d from public.tasks t, unnest(t.dependencies) d where t.tenant_id = rebuild_links.tenant_id and t.dependencies <> '{}'
    on conflict do nothing;
  update public.tasks t set open_dependencies = m.log
    from app.miscounted_tasks(rebuild_links.tenant_id) m where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  update public.tasks t set open_parts = m.log
    from app.miscounted_parts(rebuild_links.tenant_id) m where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  insert into app.task_counts
    select * from app.counted_tasks(rebuild_links.tenant_id) except select * from app.task_counts c where c.tenant_id = rebuild_links.tenant_id
    on conflict on constraint task_counts_pkey do update set (pending, ready, in_progress, blocked, completed, cancelled,
        unproven)
      = (excluded.pending, excluded.ready, excluded.in_progress, excluded.blocked, excluded.completed, excluded.cancelled,
        excluded.unproven);
  delete from public.task_leases l where l.tenant_id = rebuild_links.tenant_id and not exists (
    select from public.tasks t where t.tenant_id = l.tenant_id and t.id = l.task_id and t.lock_token = l.lock_token);
end
$$;

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
  update public.tasks t set open_parts = p.n
    from unnest(ids) i cross join lateral (
      select count(*)::integer as n from public.tasks c
      where c.tenant_id = link_among.tenant_id and c.parent_id = i and app.open_part_of(c) is not null offset 0) p
    where t.tenant_id = link_among.tenant_id and t.id = i and t.open_parts is distinct from p.n;
  update app.task_counts c set (pending, ready, in_progress, blocked, completed, cancelled, unproven)
      = (c.pending + d.pending, c.ready + d.ready, c.in_progress + d.in_progress, c.blocked + d.blocked,
        c.completed + d.completed, c.cancelled + d.cancelled,
        c.unproven + d.unproven)
    from (
      select t.project_id, sum(t.n * (t.status = 'pending')::integer) as pending, sum(t.n * t.ready) as ready,
        sum(t.n * (t.status = 'in_progress')::integer) as in_progress,
        sum(t.n * (t.status = 'blocked')::integer) as blocked,
        sum(t.n * (t.status = 'completed')::integer) as completed,
        sum(t.n * (t.status = 'cancelled')::integer) as cancelled,
        sum(t.n * t.unproven) as unproven
      from (
        select 1 as n, x.project_id, x.status, app.is_ready(x) as ready, app.is_unproven(x) as unproven
        from unnest(app.tasks_among(tenant_id, ids)) x
        union all
        select -1, x.project_id, x.status, app.is_ready(x), app.is_unproven(x) from unnest(was) x) t group by t.project_id) d
    where c.tenant_id = link_among.tenant_id and c.project_id = d.project_id;
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
      'unproven', nullif(v_counts.unproven, 0))));
end
$$;

create or replace function app.found_document(kind text, tenant_id uuid, id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  case kind
    when 'task' then return (
      select jsonb_strip_nulls(jsonb_build_object('ref', t.ref, 'title', t.title, 'at', t.updated_at,
        'by', t.created_by, 'unproven', app.unproven(t),
        'body', concat_ws(' ', t.title, t.description, array_to_string(t.acceptance_criteria, ' '))))
      from public.tasks t where t.tenant_id = found_document.tenant_id and t.id = found_document.id);
    when 'project' then return (select jsonb_build_object('ref', p.slug, 'title', p.name, 'at', p.updated_at, 'body', concat_ws(' ', p.name, p.description))
      from public.projects p where p.tenant_id = found_document.tenant_id and p.id = found_document.id);
    when 'decision' then return (select jsonb_build_object('title', d.title, 'at', d.created_at, 'by', d.decided_by, 'body', concat_ws(' ', d.title, d.choice, d.rationale))
      from public.decisions d where d.tenant_id = found_document.tenant_id and d.id = found_document.id);
    when 'checkpoint' then return (select jsonb_build_object('title', c.label, 'at', c.created_at, 'by', c.saved_by, 'body', concat_ws(' ', c.label, c.summary, c.resume_instructions))
      from public.checkpoints c where c.tenant_id = found_document.tenant_id and c.id = found_document.id);
    when 'artifact' then return (select jsonb_build_object('ref', t.ref, 'title', a.type || ' ' || a.ref, 'at', a.created_at, 'by', a.added_by, 'body', concat_ws(' ', a.ref, a.summary))
      from public.artifacts a join public.tasks t on t.tenant_id = a.tenant_id and t.id = a.task_id where a.tenant_id = found_document.tenant_id and a.id = found_document.id);
    else return (select jsonb_build_object('ref', t.ref, 'title', e.event_type || ' #' || e.seq, 'at', e.created_at, 'by', app.by(e), 'body', app.searchable_text(e))
      from public.events e left join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id where e.tenant_id = found_document.tenant_id and e.id = found_document.id);
  end case;
end
$$;

-- What an event says that one may search for.
create or replace function app.searchable_text(event public.events) returns text language sql stable as $$
  select nullif(concat_ws(' ', case when event.event_type like '%.noted' then event.payload ->> 'text' end,
    event.payload ->> 'reason',
    case when event.event_type = 'task.completed' then concat_ws(' ', event.payload ->> 'summary', (
      select string_agg(n #>> '{}', ' ') from jsonb_path_query(event.payload, '$.evidence[*].note') n)) end), '')
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
    if jsonb_typeof(v_item) <> 'object' or not app.fits(coalesce(v_item -> 'criterion', 'null'), 'integer', cardinality(task.acceptance_criteria), null)
        or v_item -> 'criterion' = '0' or v_item - '{criterion,note,artifact}'::text[] <> '{}' then
      perform app.fail('invalid_input', format('Evidence names a criterion from 1 to %s of task %s, with a note or an artifact.', cardinality(task.acceptance_criteria), task.ref),
        jsonb_build_object('field', 'evidence'), 'get_task shows the criteria in order.');
    end if;
    if not (app.clean_name(v_item ->> 'note', 4000) is not null or v_item ? 'artifact') or v_item ? 'note' and not app.fits(v_item -> 'note', 'text', 4000, null) then
      perform app.fail('invalid_input', format('The evidence for criterion %s needs a note of at most 4000 characters or an artifact id.', v_item ->> 'criterion'),
        jsonb_build_object('field', 'evidence'),
        'Say in the note what shows it: a command and what it printed, a test, a diff.');
    end if;
    if v_item ? 'artifact' then
      perform from public.artifacts a where a.tenant_id = task.tenant_id and a.task_id = task.id and a.id = app.as_uuid(v_item ->> 'artifact');
      if not found then
        perform app.fail('not_found', format('Task %s has no artifact %s.', task.ref, left(v_item ->> 'artifact', 80)), null, 'add_artifact returns the id to name here.');
      end if;
    end if;
  end loop;
end
$$;

create or replace function app.check_text_version(task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'task.updated' and task.status = 'completed'
      and event.payload -> 'acceptance_criteria' <> to_jsonb(task.acceptance_criteria) then
    perform app.fail('illegal_transition', format('Task %s is completed: its criteria are what it was shown by.', task.ref),
      jsonb_build_object('field', 'acceptance_criteria'),
      'Reopen it (update_task with status reopened), then change them.');
  end if;
  if event.event_type <> 'task.updated' or event.causation_id is not null
      or not event.payload ?| '{title,description,acceptance_criteria,constraints}'
      or expect ->> 'lock_token' is not null or expect ->> 'version' = task.version::text then
    return;
  end if;
  perform app.fail('version_conflict',
    case when expect ->> 'version' is null
      then format('You do not hold task %s: say on which version of its text yours is based.', task.ref)
      else format('Task %s is at version %s, not %s.', task.ref, task.version, left(expect ->> 'version', 20)) end,
    jsonb_build_object('version', task.version, 'title', task.title, 'description', nullif(task.description, ''),
      'acceptance_criteria', to_jsonb(task.acceptance_criteria), 'constraints', nullif(task.constraints, '{}')),
    format('Work your change into the text as it stands now (get_task shows all of it), then repeat with '
      || 'expected_version %s.', task.version));
end
$$;

-- The name that an actor goes by in a workspace: as an agent, else through a client.
create function app.actor_name(actor app.actor) returns text language sql immutable
  return coalesce(actor.agent, actor.client, 'user');

-- The locks of who asks, with the token of each that it cannot know any more, or took in this process under the name
-- that it asks by: beside others that may go by a name, the token is with the one that claimed.
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
      from public.task_leases l
        cross join lateral (
          select x as task from public.tasks x
          where x.tenant_id = l.tenant_id and x.id = l.task_id and x.lock_token = l.lock_token
            and x.status = 'in_progress' and x.locked_by_user = actor.user_id
            and (x.locked_by = v_name or starts_with(x.locked_by, v_name || '/')) offset 0) t
        cross join lateral (
          select v_process is null or l.process is distinct from v_process
            and not app.may_be_present(l.tenant_id, actor.user_id, l.process) as is_earlier) e
      where l.tenant_id = project.tenant_id and l.project_id = project.id
        and ((t.task).locked_by = v_name or not is_named and e.is_earlier)
      order by (t.task).locked_at limit 10) o);
end
$$;

create or replace function public.adopt_locks(tasks jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_process uuid := app.current_process();
  v_name text := app.actor_name(v_actor);
  v_now timestamptz := app.now();
  v_adopted text[];
begin
  if v_process is null then
    perform app.fail('invalid_input', 'It is not said which process goes on with the locks.', null,
      'Name it: actor.process, a UUID.');
  elsif not coalesce(app.fits(tasks, 'ref[]', 100, null), false) then
    perform app.fail('invalid_input', 'tasks is a list of at most 100 refs.', null, 'Name them: ["web-12"].');
  end if;
  with own as (
    update public.task_leases l
      set process = v_process, renewed_by = v_process, session_ended_at = null,
        expires_at = greatest(l.expires_at, v_now + make_interval(secs => l.ttl_seconds))
      from public.tasks t
      where l.tenant_id = v_actor.tenant_id and t.tenant_id = l.tenant_id and t.id = l.task_id
        and t.ref in (select jsonb_array_elements_text(adopt_locks.tasks)) and t.status = 'in_progress'
        and t.lock_token = l.lock_token and t.locked_by_user = v_actor.user_id and l.expires_at > v_now
        and (t.locked_by = v_name or starts_with(t.locked_by, v_name || '/'))
        and l.process is distinct from v_process and not app.may_be_present(l.tenant_id, v_actor.user_id, l.process)
      returning t.ref)
  select array_agg(o.ref) into v_adopted from own o;
  return jsonb_build_object('adopted', to_jsonb(coalesce(v_adopted, '{}')));
end
$$;

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
      select t.id, t.ref, t.lock_token, t.locked_by from public.task_leases l
        join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.task_id and t.lock_token = l.lock_token
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()
        and t.attempts + 1 >= (project.rules ->> 'attempts_max')::integer
        and (give_up_lapsed.task_id is null or t.id = give_up_lapsed.task_id)
        -- Who comes back before another has claimed goes on.
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

create or replace function app.task_passes(task public.tasks, filters jsonb, actor app.actor)
  returns boolean
  language sql
  stable
as $$
  select (not filters ? 'status' or filters -> 'status' ? task.status)
    and (not filters ? 'priority' or filters -> 'priority' ? task.priority)
    and (not filters ? 'parent' or task.parent_id = (filters ->> 'parent')::uuid)
    and (not filters ? 'query' or position(app.fold(filters ->> 'query') in app.fold(task.title)) > 0)
    and (not coalesce((filters ->> 'mine')::boolean, false)
      or task.locked_by_user = actor.user_id and task.locked_by = app.actor_name(actor))
$$;

select app.secure_functions();

-- What is there already is counted, workspace by workspace.
do $$
declare
  v_tenant uuid;
begin
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    perform app.rebuild_links(v_tenant);
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
end
$$;
