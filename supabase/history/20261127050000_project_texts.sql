-- A project's description and rules are written over by nobody who has not read them, as a task's text is.

-- Raises version_conflict, with what stands there, where a change names no version, or another, that it is based on.
-- What is not there yet, or as a new project begins, is nobody's loss.
create function app.check_project_version(project public.projects, event public.events, expect jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lost jsonb;
begin
  if event.event_type <> 'project.updated' or event.causation_id is not null
      or expect ->> 'version' = project.version::text then
    return;
  end if;
  v_lost := jsonb_strip_nulls(jsonb_build_object(
    'description', case when event.payload ->> 'description' <> project.description
      then nullif(project.description, '') end,
    'rules', case when event.payload -> 'rules' <> project.rules
      and project.rules not in ('{}', app.with_default_gates('{}')) then project.rules end));
  if v_lost <> '{}' then
    perform app.fail('version_conflict',
      format('Project %s has this already: say on which version of it yours is based.', project.slug),
      jsonb_build_object('version', project.version) || v_lost,
      format('Work your change into what stands there now, then repeat with expected_version %s.', project.version));
  end if;
end
$$;

create or replace function app.apply_project(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project public.projects;
begin
  if event.event_type = 'project.created' then
    perform app.refuse_limited(actor);
    event.payload := event.payload || jsonb_build_object('rules', app.with_default_gates(event.payload -> 'rules'));
  end if;
  select * into v_project from public.projects p
    where p.tenant_id = event.tenant_id and p.id = app.stream_id(event.stream) for no key update;
  event.project_id := app.stream_id(event.stream);
  event.payload := app.resolve_answer(event);
  perform app.guard_project(v_project, event);
  perform app.check_project_version(v_project, event, expect);
  event.version := app.next_version(v_project.version, expect, 'project');
  v_project := app.evolve_project(v_project, event);
  perform app.write_project(v_project);
  if event.event_type = 'project.created' then
    insert into app.task_counts (tenant_id, project_id) values (event.tenant_id, event.project_id);
  end if;
  perform app.index_project(v_project);
  return (event, app.project_brief(v_project)
    || jsonb_build_object('rules', v_project.rules, 'version', v_project.version), null)::app.applied;
end
$$;

select app.secure_functions();
