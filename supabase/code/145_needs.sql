-- Tasks that wait for a person: left by an ended session, or unapproved.

-- Lists tasks in progress whose holder's session has ended.
create or replace function app.left_tasks(project public.projects, size integer) returns setof public.tasks
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select t.* from public.leases l
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = l.tenant_id and x.id = l.id and x.lock_token = l.token offset 0) t
  where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
    and l.expires_at > app.now() and l.session_ended_at is not null and t.status = 'in_progress'
  order by t.locked_at limit size
$$;

-- Lists tasks that a gate keeps from a claim until a person approves. What a gate on completion asks for is asked when
-- the task is submitted, and not before there is something to check.
create or replace function app.unapproved_tasks(project public.projects, size integer) returns setof public.tasks
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_gates constant jsonb := (
    select jsonb_agg(g)
    from jsonb_array_elements(project.rules -> 'gates') g
    where g -> 'require' ? 'approval' and g ->> 'on' = 'claim');
begin
  if v_gates is not null then
    return query select t.* from public.tasks t
      where t.tenant_id = project.tenant_id
        and t.project_id = project.id
        and t.status = 'pending'
        and t.open_dependencies = 0
        and t.open_parts = 0
        and t.approved_at is null
        and exists (
          select from jsonb_array_elements(v_gates) g
          where app.match_condition(g -> 'when', '{}', t.priority))
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size;
  end if;
end
$$;

-- list_needs(project?) -> {left, left_count, unapproved, unapproved_count}: tasks that wait for a person. The first
-- five of each, and their number, up to a thousand.
create or replace function public.list_needs(project text default null, actor jsonb default '{}')
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
  v_left public.tasks[] := array(select t from app.left_tasks(v_project, 1000) t);
  v_unapproved public.tasks[] := array(select t from app.unapproved_tasks(v_project, 1000) t);
begin
  return jsonb_build_object(
    'left', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from unnest(v_left[:5]) t),
    'left_count', cardinality(v_left),
    'unapproved', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from unnest(v_unapproved[:5]) t),
    'unapproved_count', cardinality(v_unapproved));
end
$$;
