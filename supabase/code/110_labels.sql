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
