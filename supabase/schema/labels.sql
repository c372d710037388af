-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.has_labels(labels text[], wanted jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN (ARRAY(SELECT app.fold_label(l.l) AS fold_label FROM unnest(has_labels.labels) l(l)) @> ARRAY(SELECT app.fold_label(w.value) AS fold_label FROM jsonb_array_elements_text(has_labels.wanted) w(value)));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.keep_labels()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.label_rows(task public.tasks)
 RETURNS SETOF app.task_labels
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select distinct task.tenant_id, task.project_id, task.id, app.fold_label(l), task.number,
    app.priority_rank(task.priority), app.rank_order(task.rank), app.is_ready(task) = 1
  from unnest(task.labels) l
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.labels_of_tasks(tenant_id uuid)
 RETURNS SETOF app.task_labels
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select r.* from public.tasks t cross join lateral app.label_rows(t) r
  where t.tenant_id = labels_of_tasks.tenant_id and t.labels <> '{}'
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.merge_labels(labels text[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
RETURN ARRAY(SELECT l.label FROM unnest(merge_labels.labels) WITH ORDINALITY l(label, at) WHERE (NOT (EXISTS (SELECT FROM unnest(merge_labels.labels) WITH ORDINALITY e(label, at) WHERE ((e.at < l.at) AND (app.fold_label(e.label) = app.fold_label(l.label)))))) ORDER BY l.at);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rarest_label(project public.projects, filters jsonb)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.ready_labelled(project public.projects, label text, filters jsonb, actor app.actor, after jsonb, size integer)
 RETURNS SETOF public.tasks
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rebuild_labels(tenant_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  delete from app.task_labels l using (
      select * from app.task_labels x where x.tenant_id = rebuild_labels.tenant_id
      except select * from app.labels_of_tasks(rebuild_labels.tenant_id)) wrong
    where l.tenant_id = wrong.tenant_id and l.task_id = wrong.task_id and l.label = wrong.label;
  insert into app.task_labels
    select * from app.labels_of_tasks(rebuild_labels.tenant_id)
    except select * from app.task_labels x where x.tenant_id = rebuild_labels.tenant_id;
$function$;
-- owner cairn_owner
