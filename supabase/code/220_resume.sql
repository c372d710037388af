-- Reads at the start of an agent's session.

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

-- Also returns the latest five open questions, and their number if there are more.
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
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;
