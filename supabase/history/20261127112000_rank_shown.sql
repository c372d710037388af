-- Tasks are listed by rank within their priority, so lists say it; what became ready says how much it is where not all is named.
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
    'freed', jsonb_agg(f.ref order by f.place) filter (where f.place <= 20),
    'freed_total', case when count(*) > 20 then count(*) end))
  from freed f
$$;

create or replace function app.task_brief(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz;
  v_session text;
  v_parent text;
begin
  if task.lock_token is not null then
    v_until := app.lease_expires_at(task);
    v_session := app.session_state(task);
  end if;
  if task.parent_id is not null then
    select p.ref into v_parent from public.tasks p where p.tenant_id = task.tenant_id and p.id = task.parent_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'ref', task.ref, 'title', task.title, 'status', task.status, 'priority', task.priority, 'rank', task.rank,
    'labels', nullif(task.labels, '{}'),
    'ready', app.is_claimable(task, v_until),
    'locked_by', task.locked_by, 'locked_until', v_until, 'session', v_session,
    'open_dependencies', nullif(task.open_dependencies, 0), 'open_parts', nullif(task.open_parts, 0),
    'blocked_reason', left(task.blocked_reason, 300),
    'warning', left(task.warning, 300), 'attempts', nullif(task.attempts, 0), 'completed_at', task.completed_at,
    'unproven', app.unproven(task), 'parent', v_parent));
end
$$;

select app.secure_functions();
