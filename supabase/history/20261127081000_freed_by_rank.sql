-- What became ready is told in the order in which it would be claimed: by priority, rank and number.
create or replace function app.freed_by(events public.events[])
  returns jsonb
  language sql
  stable
as $$
  with ended as (
    select e.tenant_id, e.task_id from unnest(events) e where e.event_type in ('task.completed', 'task.cancelled')),
  after as (
    select e.tenant_id, d.id from ended e cross join lateral app.dependents_of(e.tenant_id, e.task_id) d (id)
    union
    select e.tenant_id, t.parent_id from ended e
      join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id),
  freed as (
    select t.ref, row_number() over (order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number) as place
    from after a join public.tasks t on t.tenant_id = a.tenant_id and t.id = a.id
    where app.is_ready(t) = 1)
  select jsonb_strip_nulls(jsonb_build_object(
    'freed', (select jsonb_agg(f.ref order by f.place) from freed f where f.place <= 20)))
$$;

select app.secure_functions();
