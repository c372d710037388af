-- Tasks with a label are looked up. `@>` is not leakproof: beside the policies of `tasks` it could use no index, so each
-- label of a task is a row, whose columns order it as claims and lists do.

create table app.task_labels (
  tenant_id uuid not null,
  project_id uuid not null,
  task_id uuid not null,
  -- As `app.fold_label` writes it.
  label text not null,
  number integer not null,
  priority_rank smallint not null,
  rank_order double precision not null,
  is_ready boolean not null,
  primary key (tenant_id, task_id, label),
  foreign key (tenant_id, task_id) references public.tasks (tenant_id, id) on delete cascade
) with (fillfactor = 80);
create index idx_task_labels_ready
  on app.task_labels (tenant_id, project_id, label, priority_rank, rank_order, number) where is_ready;
create index idx_task_labels_number on app.task_labels (tenant_id, project_id, label, number);
revoke all on table app.task_labels from public, anon, authenticated, service_role;
alter table app.task_labels enable row level security;
alter table app.task_labels force row level security;
grant select, insert, update, delete on table app.task_labels to cairn_owner;
create policy door on app.task_labels for all to cairn_owner
  using (tenant_id = app.tenant()) with check (tenant_id = app.tenant());
create policy reach on app.task_labels as restrictive for all to cairn_owner
  using (app.reaches(project_id)) with check (app.reaches(project_id));

-- The rows of a task.
create function app.label_rows(task public.tasks) returns setof app.task_labels
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select distinct task.tenant_id, task.project_id, task.id, app.fold_label(l), task.number,
    app.priority_rank(task.priority), app.rank_order(task.rank), app.is_ready(task) = 1
  from unnest(task.labels) l
$$;

create function app.labels_of_tasks(tenant_id uuid) returns setof app.task_labels
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select r.* from public.tasks t cross join lateral app.label_rows(t) r
  where t.tenant_id = labels_of_tasks.tenant_id and t.labels <> '{}'
$$;

create function app.rebuild_labels(tenant_id uuid) returns void
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

create function app.keep_labels() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_task public.tasks := new;
begin
  delete from app.task_labels l where l.tenant_id = new.tenant_id and l.task_id = new.id
    and l.label not in (select r.label from app.label_rows(v_task) r);
  insert into app.task_labels select * from app.label_rows(v_task)
    on conflict on constraint task_labels_pkey do update set (project_id, number, priority_rank, rank_order, is_ready)
      = (excluded.project_id, excluded.number, excluded.priority_rank, excluded.rank_order, excluded.is_ready);
  return null;
end
$$;
create trigger tasks_keep_labels after insert on public.tasks for each row
  when (new.labels <> '{}') execute function app.keep_labels();
create trigger tasks_change_labels after update on public.tasks for each row
  when ((old.labels <> '{}' or new.labels <> '{}')
    and (old.labels, old.project_id, old.number, old.priority, old.rank, old.status, old.open_dependencies,
      old.open_parts) is distinct from (new.labels, new.project_id, new.number, new.priority, new.rank, new.status,
      new.open_dependencies, new.open_parts))
  execute function app.keep_labels();

-- Of the labels that are asked for the one that fewest tasks of the project have, as it is compared; null where none is.
create function app.rarest_label(project public.projects, filters jsonb) returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select w.label from (
    select f.label, count(*) over () as labels from (
      select distinct app.fold_label(l) as label from jsonb_array_elements_text(filters -> 'labels') l) f) w
  order by case when w.labels > 1 then (
    select count(*) from (
      select from app.task_labels x where x.tenant_id = project.tenant_id and x.project_id = project.id
        and x.label = w.label limit 200) c) end, w.label
  limit 1
$$;

-- Those of the ready tasks that have the label and pass the filters, in the order of claims.
create function app.ready_labelled(project public.projects, label text, filters jsonb, actor app.actor, after jsonb,
    size integer)
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
  return query select * from (
    (select t.* from app.task_labels l
      cross join lateral (
        select x.* from public.tasks x where x.tenant_id = l.tenant_id and x.id = l.task_id offset 0) t
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.label = ready_labelled.label
        and l.is_ready and (l.priority_rank, l.rank_order, l.number) > (v_rank, v_place, v_number)
        and app.task_passes(t, filters, actor)
      order by l.priority_rank, l.rank_order, l.number limit size)
    union all
    (select t.* from app.lapsed_tasks(project) t
      where app.task_passes(t, filters, actor)
        and (app.priority_rank(t.priority), app.rank_order(t.rank), t.number) > (v_rank, v_place, v_number))) t
  order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size;
end
$$;

-- A list of labels that is there already is replaced as a text is: whoever does not hold the task says what they saw.
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
        select * into v_ready from public.tasks t where t.tenant_id = project.tenant_id and t.id = v_id
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
  if exists (select from public.task_leases l
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()) then
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

create or replace function public.list_tasks(project text default null, filters jsonb default '{}',
    cursor text default null, page_size integer default 20, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
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
    v_found := array(select t from app.task_labels l
        cross join lateral (
          select x.* from public.tasks x where x.tenant_id = l.tenant_id and x.id = l.task_id offset 0) t
      where l.tenant_id = v_project.tenant_id and l.project_id = v_project.id and l.label = v_label
        and l.number > coalesce((v_after ->> 'number')::integer, 0) and app.task_passes(t, v_filters, v_actor)
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
  perform app.rebuild_labels(rebuild_links.tenant_id);
  perform app.rebuild_unanswered(rebuild_links.tenant_id);
end
$$;

create or replace function app.differing_link(tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select * from (
    (select jsonb_build_object('table', 'tasks', 'id', m.id, 'columns', jsonb_build_object('open_dependencies', jsonb_build_object('live', m.live, 'log', m.log)))
      from app.miscounted_tasks(differing_link.tenant_id) m limit 1)
    union all
    (select jsonb_build_object('table', 'tasks', 'id', m.id, 'columns',
        jsonb_build_object('open_parts', jsonb_build_object('live', m.live, 'log', m.log)))
      from app.miscounted_parts(differing_link.tenant_id) m limit 1)
    union all
    (select jsonb_build_object('table', 'task_dependencies', 'id', coalesce(e.task_id, x.task_id))
      from (select * from app.task_dependencies where task_dependencies.tenant_id = differing_link.tenant_id) e
      full join (select t.id as task_id, d as depends_on from public.tasks t, unnest(t.dependencies) d where t.tenant_id = differing_link.tenant_id) x
        on x.task_id = e.task_id and x.depends_on = e.depends_on where e.task_id is null or x.task_id is null limit 1)
    union all
    (select jsonb_build_object('table', 'task_counts', 'id', coalesce(l.project_id, c.project_id), 'columns', jsonb_build_object('live', to_jsonb(l), 'log', to_jsonb(c)))
      from (select * from app.task_counts where task_counts.tenant_id = differing_link.tenant_id) l
      full join app.counted_tasks(differing_link.tenant_id) c on c.project_id = l.project_id where to_jsonb(l) is distinct from to_jsonb(c) limit 1)
    union all
    (select jsonb_build_object('table', 'task_labels', 'id', coalesce(l.task_id, r.task_id))
      from (select * from app.task_labels x where x.tenant_id = differing_link.tenant_id) l
      full join app.labels_of_tasks(differing_link.tenant_id) r on r.task_id = l.task_id and r.label = l.label
      where to_jsonb(l) is distinct from to_jsonb(r) limit 1)
    union all
    (select jsonb_build_object('table', 'unanswered', 'id', coalesce(u.id, q.id))
      from (select * from app.unanswered x where x.tenant_id = differing_link.tenant_id) u
      full join app.unanswered_in_log(differing_link.tenant_id) q on q.id = u.id
      where to_jsonb(u) is distinct from to_jsonb(q) limit 1)) d
  limit 1
$$;

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

select app.secure_functions();

do $$
declare
  v_tenant uuid;
begin
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    perform app.rebuild_labels(v_tenant);
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
end
$$;
