-- An archived project takes no artifacts either.

create or replace function app.apply_artifact(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := app.find_task_id(event.payload ->> 'task', event.tenant_id);
  v_artifact public.artifacts;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = v_id for no key update;
  v_project := app.find_project(v_task.project_id::text, actor);
  select * into v_artifact from public.artifacts a
    where a.tenant_id = event.tenant_id and a.id = app.stream_id(event.stream);
  event.project_id := v_task.project_id;
  event.task_id := v_task.id;
  event.version := app.next_version(v_artifact.version, expect, 'artifact');
  event.payload := jsonb_set(event.payload, '{task}', to_jsonb(v_task.id));
  perform app.refuse_archived(v_project);
  perform app.guard_artifact(v_artifact, event, expect, v_task, v_project, actor.role);
  v_artifact := app.evolve_artifact(v_artifact, event);
  insert into public.artifacts select v_artifact.*;
  if expect ->> 'lock_token' is not null then
    perform app.extend_lease(v_task, event.created_at);
  end if;
  perform app.index_artifact(v_artifact);
  return (event, app.artifact_full(v_artifact), v_project.rules -> 'triggers')::app.applied;
end
$$;
