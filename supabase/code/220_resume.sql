-- The read at the start of an agent's session.

-- resume_project(project?) -> the latest checkpoint, what changed since, the caller's locks and those that its ended
-- sessions left, tasks by status, the latest five decisions and open questions, and the number of these if there are
-- more; critical alerts that wait for somebody; what is remembered, in 1,600 characters.
create or replace function public.resume_project(project text default null, actor jsonb default '{}')
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
  v_questions public.events[] := array(
    select q from app.open_questions(v_project.tenant_id, v_project.id, null, 9223372036854775807, 6) q);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project),
    'checkpoint', case when v_checkpoint.id is not null
      then app.checkpoint_full(v_checkpoint, v_project.slug) - 'snapshot' end,
    'since', app.changes_since(v_project, coalesce(app.checkpoint_position(v_checkpoint), 0)),
    'mine', app.own_locks(v_project, v_actor, actor ->> 'worker' is not null),
    'left', app.left_locks(v_project, v_actor),
    'in_progress', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'blocked', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'blocked', 5) t),
    'ready', (select jsonb_agg(app.task_brief(t)) from app.ready_tasks(v_project, '{}', v_actor, null, 5) t),
    'questions', (
      select jsonb_agg(app.event_brief(app.upcast_event(e),
        (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id)))
      from unnest(v_questions[:5]) e),
    'questions_open', case when cardinality(v_questions) > 5
      then app.count_open_questions(v_project.tenant_id, v_project.id, null) end,
    'decisions', (
      select jsonb_agg(app.decision_brief(d))
      from (
        select * from public.decisions x
        where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null
        order by x.created_at desc limit 5) d),
    'alerts', app.critical_alerts(v_project),
    'remembered', (
      select nullif(app.fit_memories(array_agg(g.memory order by g.place), 1600, 300), '{"memories": []}')
      from app.given_memories(v_project, v_actor) g),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;
