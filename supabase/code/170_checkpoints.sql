-- Checkpoints: where a project stands, and what changed since.

create or replace function app.evolve_checkpoint(checkpoint public.checkpoints, event public.events)
  returns public.checkpoints
  language plpgsql
  immutable
as $$
begin
  checkpoint.tenant_id := event.tenant_id;
  checkpoint.id := app.stream_id(event.stream);
  checkpoint.project_id := event.project_id;
  checkpoint.user_id := event.user_id;
  checkpoint.label := event.payload ->> 'label';
  checkpoint.repo_ref := event.payload ->> 'repo_ref';
  checkpoint.summary := event.payload ->> 'summary';
  checkpoint.resume_instructions := event.payload ->> 'resume_instructions';
  checkpoint.snapshot := coalesce(event.payload -> 'snapshot', '{}');
  checkpoint.saved_by := app.actor_name(event);
  checkpoint.version := event.version;
  checkpoint.created_at := event.created_at;
  return checkpoint;
end
$$;

-- Takes the server's own snapshot: tasks by status, locks held, position in the log.
create or replace function app.take_snapshot(project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
      'tasks', app.project_brief(project) -> 'tasks',
      'locks', (
        select coalesce(jsonb_agg(jsonb_build_object('task', l.ref, 'by', l.locked_by, 'since', l.locked_at)), '[]')
        from (
          select t.* from public.tasks t
          where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'in_progress'
          order by t.number limit 50) l),
      'position', (select p.seq from app.positions p where p.tenant_id = project.tenant_id)));
end
$$;

-- Returns its event's position: later events have a higher one, in any workspace it was moved to.
create or replace function app.checkpoint_position(checkpoint public.checkpoints)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce((
      select e.seq from public.events e
      where e.tenant_id = checkpoint.tenant_id and e.stream = 'checkpoint:' || checkpoint.id and e.version = 1),
    (
      select a.seq from app.archived_streams a
      where a.tenant_id = checkpoint.tenant_id and a.stream = 'checkpoint:' || checkpoint.id));
end
$$;

create or replace function app.checkpoint_brief(checkpoint public.checkpoints) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', checkpoint.id,
    'label', checkpoint.label,
    'repo_ref', checkpoint.repo_ref,
    'position', app.checkpoint_position(checkpoint),
    'by', checkpoint.saved_by,
    'created_at', checkpoint.created_at))
$$;

create or replace function app.checkpoint_full(checkpoint public.checkpoints, slug text)
  returns jsonb
  language sql
  stable
as $$
  select app.checkpoint_brief(checkpoint)
    || jsonb_strip_nulls(jsonb_build_object(
      'project', slug,
      'summary', checkpoint.summary,
      'resume_instructions', checkpoint.resume_instructions,
      'snapshot', checkpoint.snapshot))
$$;

create or replace function app.checkpoint_text(checkpoint public.checkpoints) returns text language sql stable as $$
  select concat_ws(' ', checkpoint.label, checkpoint.summary, checkpoint.resume_instructions)
$$;

create or replace function app.prepare_checkpoint(event public.events, project public.projects)
  returns jsonb
  language sql
  stable
as $$
  select event.payload || jsonb_build_object('snapshot',
    coalesce(event.payload -> 'snapshot', '{}') || jsonb_build_object('server', app.take_snapshot(project)))
$$;

-- Shows a checkpoint that a search has found.
create or replace function app.found_checkpoint(checkpoint public.checkpoints)
  returns jsonb
  language sql
  immutable
as $$
  select jsonb_build_object(
    'title', checkpoint.label,
    'at', checkpoint.created_at,
    'by', checkpoint.saved_by,
    'body', concat_ws(' ', checkpoint.label, checkpoint.summary, checkpoint.resume_instructions))
$$;

create or replace function app.latest_checkpoint(project public.projects)
  returns public.checkpoints
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select c.* from public.checkpoints c
  where c.tenant_id = project.tenant_id and c.project_id = project.id
  order by c.created_at desc, c.id desc limit 1
$$;

create or replace function app.find_checkpoint(checkpoint text, project text, actor app.actor)
  returns public.checkpoints
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_checkpoint public.checkpoints;
begin
  if checkpoint is null then
    v_checkpoint := app.latest_checkpoint(app.find_project(project, actor));
  else
    select * into v_checkpoint from public.checkpoints c
      where c.tenant_id = actor.tenant_id and c.id = app.as_uuid(checkpoint);
  end if;
  if v_checkpoint.id is null then
    perform app.fail('not_found',
      coalesce(format('There is no checkpoint %s in this workspace.', left(checkpoint, 80)),
        'The project has no checkpoint yet.'),
      null, 'list_checkpoints shows what there is; save_checkpoint makes one.');
  end if;
  return v_checkpoint;
end
$$;

-- list_checkpoints(project?, cursor?, page_size) -> {checkpoints, next_cursor?}, latest first.
create or replace function public.list_checkpoints(
  project text default null,
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
  v_project uuid := (app.find_project(project, v_actor)).id;
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'checkpoints ' || v_project);
  v_found jsonb[];
begin
  select array_agg(app.checkpoint_brief(c) order by c.created_at desc, c.id desc) into v_found
    from (
      select * from public.checkpoints x
      where x.tenant_id = v_actor.tenant_id
        and x.project_id = v_project
        and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.created_at desc, x.id desc limit v_size + 1) c;
  return app.build_page('checkpoints', v_found, v_size, 'checkpoints ' || v_project, '{id}', '{created_at}');
end
$$;

-- get_checkpoint(checkpoint?, project?) -> the checkpoint, by default the project's latest. Raises not_found.
create or replace function public.get_checkpoint(
  checkpoint text default null,
  project text default null,
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
  v_checkpoint public.checkpoints := app.find_checkpoint(checkpoint, project, v_actor);
begin
  return app.checkpoint_full(v_checkpoint, (app.find_project(v_checkpoint.project_id::text, v_actor)).slug);
end
$$;

-- Summarizes a project's changes after a position: each task once, under its latest event. Reads at most the latest 500
-- events.
create or replace function app.changes_since(project public.projects, after_seq bigint)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with happened as (
      select e.seq, e.event_type, e.task_id, e.stream
      from public.events e
      where e.tenant_id = project.tenant_id and e.project_id = project.id and e.seq > after_seq
      order by e.seq desc limit 500),
    moved as (
      select distinct on (h.task_id) h.task_id, h.event_type, h.seq
      from happened h
      where h.event_type in ('task.created', 'task.claimed', 'task.completed', 'task.blocked', 'task.cancelled',
        'task.reopened', 'task.released', 'task.unblocked')
      order by h.task_id, h.seq desc),
    ranked as (
      select m.task_id,
        case m.event_type when 'task.claimed' then 'started' else replace(m.event_type, 'task.', '') end as change,
        row_number() over (partition by m.event_type order by m.seq desc) as place,
        count(*) over (partition by m.event_type) as n
      from moved m),
    grouped as (
      select r.change, max(r.n) as n, array_agg(app.task_brief(t) order by r.place) as tasks
      from ranked r
      cross join lateral (
        select * from public.tasks x
        where x.tenant_id = project.tenant_id and x.id = r.task_id
        limit 1) t
      where r.place <= 10
      group by r.change)
    select jsonb_strip_nulls(jsonb_build_object(
      'events', (select count(*) from happened),
      'counts', (select jsonb_object_agg(g.change, g.n) from grouped g),
      'tasks', (select jsonb_object_agg(g.change, g.tasks) from grouped g),
      'artifacts', nullif((select count(*) from happened h where h.event_type = 'artifact.added'), 0),
      'decisions', (
        select jsonb_agg(app.decision_brief(d) order by d.created_at desc)
        from public.decisions d
        where d.tenant_id = project.tenant_id
          and d.project_id = project.id
          and d.id in (
            select app.stream_id(h.stream) from happened h
            where h.event_type = 'decision.recorded'
            order by h.seq desc limit 10)),
      'notes', (
        select jsonb_agg(app.event_brief(app.upcast_event(e),
            (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          order by e.seq desc)
        from (
          select * from public.events n
          where n.tenant_id = project.tenant_id
            and n.project_id = project.id
            and n.seq > after_seq
            and n.seq >= (select min(h.seq) from happened h)
            and n.event_type in ('task.noted', 'project.noted')
          order by n.seq desc limit 10) e))));
end
$$;

-- compare_checkpoint(checkpoint?, project?) -> {checkpoint, changed, position}: the changes since it was saved.
create or replace function public.compare_checkpoint(
  checkpoint text default null,
  project text default null,
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
  v_checkpoint public.checkpoints := app.find_checkpoint(checkpoint, project, v_actor);
begin
  return jsonb_build_object(
    'checkpoint', app.checkpoint_brief(v_checkpoint),
    'changed', app.changes_since(app.find_project(v_checkpoint.project_id::text, v_actor),
      app.checkpoint_position(v_checkpoint)),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id));
end
$$;

-- This note stands for the actions that rules require beyond the bound.
create or replace function app.note_cut() returns jsonb language sql stable as $$
  select jsonb_build_object(
    'trigger', true,
    'type', 'project.noted',
    'data', jsonb_build_object(
      'kind', 'risk',
      'text', format(
        'The rules of this project asked for more than %s events after one command. The rest was left out.',
        app.triggered_max())))
$$;

select app.define_category('checkpoint', 'checkpoints');
