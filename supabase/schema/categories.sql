-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.apply_agent(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.agents;
  v_project public.projects;
begin
  select * into v_row from public.agents x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('agent', event.stream, v_row.id is not null, event.event_type in ('agent.registered'));
  if coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'agent');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_agent(v_row, event, actor);
  v_row := app.evolve_agent(v_row, event);
  insert into public.agents select v_row.*
    on conflict (tenant_id, id) do update set (project_id, user_id, name, type, driver, host_machine, config, paused_at, paused_by, pause_reason, retired_at, version, created_at, updated_at)
      = (excluded.project_id, excluded.user_id, excluded.name, excluded.type, excluded.driver, excluded.host_machine, excluded.config, excluded.paused_at, excluded.paused_by, excluded.pause_reason, excluded.retired_at, excluded.version, excluded.created_at, excluded.updated_at);
  perform app.finish_agent(v_row, event, actor);
  return (event, app.agent_full(v_row), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_alert(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.agent_alerts;
  v_project public.projects;
begin
  select * into v_row from public.agent_alerts x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('alert', event.stream, v_row.id is not null, event.event_type in ('alert.raised'));
  if coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'alert');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_alert(v_row);
  v_row := app.evolve_alert(v_row, event);
  insert into public.agent_alerts select v_row.*
    on conflict (tenant_id, id) do update set (project_id, user_id, kind, severity, title, details, dedup_key, raised_count, acknowledged, acknowledged_by, acknowledged_at, snoozed_until, resolved_by, resolved_at, version, created_at, last_raised_at)
      = (excluded.project_id, excluded.user_id, excluded.kind, excluded.severity, excluded.title, excluded.details, excluded.dedup_key, excluded.raised_count, excluded.acknowledged, excluded.acknowledged_by, excluded.acknowledged_at, excluded.snoozed_until, excluded.resolved_by, excluded.resolved_at, excluded.version, excluded.created_at, excluded.last_raised_at);
  return (event, app.alert_full(v_row, v_project.slug), v_project.rules -> 'triggers')::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_approval(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.approvals;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_row from public.approvals x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('approval', event.stream, v_row.id is not null, event.event_type in ('approval.requested'));
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;
  if coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.payload := app.prepare_approval(event, actor);
  event.version := app.next_version(v_row.version, expect, 'approval');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_approval(v_row, event, actor);
  v_row := app.evolve_approval(v_row, event);
  insert into public.approvals select v_row.*
    on conflict (tenant_id, id) do update set (project_id, task_id, run_id, user_id, kind, title, detail, options, asked_by, status, expires_at, decided_by, decided_at, answer, note, version, created_at, updated_at, asked_of)
      = (excluded.project_id, excluded.task_id, excluded.run_id, excluded.user_id, excluded.kind, excluded.title, excluded.detail, excluded.options, excluded.asked_by, excluded.status, excluded.expires_at, excluded.decided_by, excluded.decided_at, excluded.answer, excluded.note, excluded.version, excluded.created_at, excluded.updated_at, excluded.asked_of);
  return (event, app.approval_full(v_row), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_artifact(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.artifacts;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_row from public.artifacts x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('artifact', event.stream, v_row.id is not null, event.event_type in ('artifact.added'));
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id for no key update;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;
  v_project := app.find_project(coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project'), actor);
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.payload := app.prepare_artifact(event, expect);
  event.version := app.next_version(v_row.version, expect, 'artifact');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_artifact(event, expect, v_task, v_project, actor.role);
  v_row := app.evolve_artifact(v_row, event);
  insert into public.artifacts select v_row.*
    on conflict (tenant_id, id) do update set (project_id, task_id, user_id, type, ref, summary, tier, files, lines_changed, added_by, version, created_at, run_id, storage_key, sha256, size_bytes, media_type)
      = (excluded.project_id, excluded.task_id, excluded.user_id, excluded.type, excluded.ref, excluded.summary, excluded.tier, excluded.files, excluded.lines_changed, excluded.added_by, excluded.version, excluded.created_at, excluded.run_id, excluded.storage_key, excluded.sha256, excluded.size_bytes, excluded.media_type);
  perform app.index_artifact(v_row);
  perform app.finish_artifact(event, expect, v_task);
  return (event, app.artifact_full(v_row), v_project.rules -> 'triggers')::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_checkpoint(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.checkpoints;
  v_project public.projects;
begin
  select * into v_row from public.checkpoints x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('checkpoint', event.stream, v_row.id is not null, event.event_type in ('checkpoint.saved'));
  v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project'), actor);
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.payload := app.prepare_checkpoint(event, v_project);
  event.version := app.next_version(v_row.version, expect, 'checkpoint');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  v_row := app.evolve_checkpoint(v_row, event);
  insert into public.checkpoints select v_row.*
    on conflict (tenant_id, id) do update set (project_id, user_id, label, repo_ref, summary, resume_instructions, snapshot, saved_by, version, created_at)
      = (excluded.project_id, excluded.user_id, excluded.label, excluded.repo_ref, excluded.summary, excluded.resume_instructions, excluded.snapshot, excluded.saved_by, excluded.version, excluded.created_at);
  perform app.index_checkpoint(v_row);
  return (event, app.checkpoint_full(v_row, v_project.slug), v_project.rules -> 'triggers')::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_command(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.commands;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_row from public.commands x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('command', event.stream, v_row.id is not null, event.event_type in ('command.sent'));
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;
  if coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.payload := app.prepare_command(v_row, event, v_task, v_project, actor);
  event.version := app.next_version(v_row.version, expect, 'command');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_command(v_row, event, actor);
  v_row := app.evolve_command(v_row, event);
  insert into public.commands select v_row.*
    on conflict (tenant_id, id) do update set (project_id, task_id, user_id, sent_by, by_person, content, type, mode, target_agents, broadcast, status, priority, execution_constraints, preset_id, constraint_id, repeatable, expires_at, started_at, completed_at, error, version, created_at, updated_at, resumes)
      = (excluded.project_id, excluded.task_id, excluded.user_id, excluded.sent_by, excluded.by_person, excluded.content, excluded.type, excluded.mode, excluded.target_agents, excluded.broadcast, excluded.status, excluded.priority, excluded.execution_constraints, excluded.preset_id, excluded.constraint_id, excluded.repeatable, excluded.expires_at, excluded.started_at, excluded.completed_at, excluded.error, excluded.version, excluded.created_at, excluded.updated_at, excluded.resumes);
  perform app.finish_command(v_row, event, actor);
  return (event, app.command_full(v_row), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_decision(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.decisions;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_row from public.decisions x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('decision', event.stream, v_row.id is not null, event.event_type in ('decision.recorded'));
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;
  v_project := app.find_project(coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project'), actor);
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'decision');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_decision(event);
  v_row := app.evolve_decision(v_row, event);
  insert into public.decisions select v_row.*
    on conflict (tenant_id, id) do update set (project_id, task_id, user_id, title, options, choice, rationale, supersedes, superseded_by, decided_by, version, created_at)
      = (excluded.project_id, excluded.task_id, excluded.user_id, excluded.title, excluded.options, excluded.choice, excluded.rationale, excluded.supersedes, excluded.superseded_by, excluded.decided_by, excluded.version, excluded.created_at);
  perform app.index_decision(v_row);
  return (event, app.decision_full(v_row), v_project.rules -> 'triggers')::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_event(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  case split_part(event.stream, ':', 1)
    when 'project' then return app.apply_project(event, expect, actor);
    when 'task' then return app.apply_task(event, expect, actor);
    when 'artifact' then return app.apply_artifact(event, expect, actor);
    when 'decision' then return app.apply_decision(event, expect, actor);
    when 'checkpoint' then return app.apply_checkpoint(event, expect, actor);
    when 'session' then return app.apply_session(event, expect, actor);
    when 'message' then return app.apply_message(event, expect, actor);
    when 'alert' then return app.apply_alert(event, expect, actor);
    when 'profile' then return app.apply_profile(event, expect, actor);
    when 'preset' then return app.apply_preset(event, expect, actor);
    when 'agent' then return app.apply_agent(event, expect, actor);
    when 'command' then return app.apply_command(event, expect, actor);
    when 'run' then return app.apply_run(event, expect, actor);
    when 'approval' then return app.apply_approval(event, expect, actor);
    when 'report' then return app.apply_report(event, expect, actor);
    when 'memory' then return app.apply_memory(event, expect, actor);
    when 'event' then return app.apply_redaction(event, expect, actor);
    else perform app.fail('invalid_input', format('There is no stream %s.', left(event.stream, 80)));
  end case;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_memory(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.agent_memory;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_row from public.agent_memory x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('memory', event.stream, v_row.id is not null, event.event_type in ('memory.remembered'));
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;
  if coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.payload := app.prepare_memory(event, v_project, actor);
  event.version := app.next_version(v_row.version, expect, 'memory');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_memory(v_row, event, actor);
  v_row := app.evolve_memory(v_row, event);
  insert into public.agent_memory select v_row.*
    on conflict (tenant_id, id) do update set (project_id, task_id, run_id, user_id, scope, subject_id, kind, key, text, confidence, source_event_id, noted_by, status, decided_by, decided_at, superseded_by, expires_at, version, created_at, updated_at)
      = (excluded.project_id, excluded.task_id, excluded.run_id, excluded.user_id, excluded.scope, excluded.subject_id, excluded.kind, excluded.key, excluded.text, excluded.confidence, excluded.source_event_id, excluded.noted_by, excluded.status, excluded.decided_by, excluded.decided_at, excluded.superseded_by, excluded.expires_at, excluded.version, excluded.created_at, excluded.updated_at);
  perform app.index_memory(v_row);
  return (event, app.memory_full(v_row), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_message(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.messages;
  v_project public.projects;
begin
  select * into v_row from public.messages x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('message', event.stream, v_row.id is not null, event.event_type in ('message.enqueued'));
  v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project'), actor);
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'message');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  v_row := app.evolve_message(v_row, event);
  insert into public.messages select v_row.*
    on conflict (tenant_id, id) do update set (project_id, user_id, topic, payload, version, created_at)
      = (excluded.project_id, excluded.user_id, excluded.topic, excluded.payload, excluded.version, excluded.created_at);
  return (event, to_jsonb(v_row), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_preset(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.command_presets;
  v_project public.projects;
begin
  select * into v_row from public.command_presets x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('preset', event.stream, v_row.id is not null, event.event_type in ('preset.saved'));
  if coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'preset');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_preset(v_row, event, actor);
  v_row := app.evolve_preset(v_row, event);
  insert into public.command_presets select v_row.*
    on conflict (tenant_id, id) do update set (project_id, user_id, name, description, content, type, target_agent_types, variables, removed_at, version, created_at, updated_at, content_by, variables_by)
      = (excluded.project_id, excluded.user_id, excluded.name, excluded.description, excluded.content, excluded.type, excluded.target_agent_types, excluded.variables, excluded.removed_at, excluded.version, excluded.created_at, excluded.updated_at, excluded.content_by, excluded.variables_by);
  return (event, app.preset_full(v_row, v_project.slug, actor), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_profile(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.execution_constraints;
  v_project public.projects;
begin
  select * into v_row from public.execution_constraints x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('profile', event.stream, v_row.id is not null, event.event_type in ('profile.saved'));
  if coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'profile');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_profile(v_row, event, actor);
  v_row := app.evolve_profile(v_row, event);
  insert into public.execution_constraints select v_row.*
    on conflict (tenant_id, id) do update set (project_id, user_id, name, description, time_limit_ms, token_budget, memory_limit_mb, cpu_limit_percent, silence_limit_ms, is_default, removed_at, version, created_at, updated_at)
      = (excluded.project_id, excluded.user_id, excluded.name, excluded.description, excluded.time_limit_ms, excluded.token_budget, excluded.memory_limit_mb, excluded.cpu_limit_percent, excluded.silence_limit_ms, excluded.is_default, excluded.removed_at, excluded.version, excluded.created_at, excluded.updated_at);
  return (event, app.profile_full(v_row, v_project.slug), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_report(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.investigation_reports;
  v_project public.projects;
begin
  select * into v_row from public.investigation_reports x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('report', event.stream, v_row.id is not null, event.event_type in ('report.saved'));
  if coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.payload := app.prepare_report(event, actor);
  event.version := app.next_version(v_row.version, expect, 'report');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_report(v_row, event, actor);
  v_row := app.evolve_report(v_row, event);
  insert into public.investigation_reports select v_row.*
    on conflict (tenant_id, id) do update set (project_id, command_id, run_id, agent_id, user_id, title, summary, status, content, attachments, written_by, changed_by, version, created_at, updated_at, completed_at)
      = (excluded.project_id, excluded.command_id, excluded.run_id, excluded.agent_id, excluded.user_id, excluded.title, excluded.summary, excluded.status, excluded.content, excluded.attachments, excluded.written_by, excluded.changed_by, excluded.version, excluded.created_at, excluded.updated_at, excluded.completed_at);
  perform app.index_report(v_row);
  return (event, app.report_full(v_row, v_project.slug), v_project.rules -> 'triggers')::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_run(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.agent_runs;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_row from public.agent_runs x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('run', event.stream, v_row.id is not null, event.event_type in ('run.opened', 'run.queued'));
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;
  if coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text) is not null then
    v_project := app.find_project(coalesce(v_task.project_id::text, v_row.project_id::text, event.payload ->> 'project', actor.project_id::text), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'run');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  perform app.guard_run(v_row, event, actor);
  v_row := app.evolve_run(v_row, event);
  insert into public.agent_runs select v_row.*
    on conflict (tenant_id, id) do update set (project_id, task_id, user_id, agent_id, agent_name, command_id, parent_run_id, mode, status, attempt, attempts_max, priority, delivery_mode, delivery_path, delivered_at, acked_at, expires_at, interrupt_requested, interrupt_reason, waiting_for, paused_until, lock_token, end_reason, error, result, started_at, ended_at, version, created_at, updated_at, duration_ms, metrics)
      = (excluded.project_id, excluded.task_id, excluded.user_id, excluded.agent_id, excluded.agent_name, excluded.command_id, excluded.parent_run_id, excluded.mode, excluded.status, excluded.attempt, excluded.attempts_max, excluded.priority, excluded.delivery_mode, excluded.delivery_path, excluded.delivered_at, excluded.acked_at, excluded.expires_at, excluded.interrupt_requested, excluded.interrupt_reason, excluded.waiting_for, excluded.paused_until, excluded.lock_token, excluded.end_reason, excluded.error, excluded.result, excluded.started_at, excluded.ended_at, excluded.version, excluded.created_at, excluded.updated_at, excluded.duration_ms, excluded.metrics);
  perform app.finish_run(v_row);
  return (event, app.run_full(v_row), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.apply_session(event public.events, expect jsonb, actor app.actor)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_row public.agent_sessions;
  v_project public.projects;
begin
  select * into v_row from public.agent_sessions x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('session', event.stream, v_row.id is not null, event.event_type in ('session.saved'));
  v_project := app.find_project(coalesce(v_row.project_id::text, event.payload ->> 'project'), actor);
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_row.version, expect, 'session');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;
  v_row := app.evolve_session(v_row, event);
  insert into public.agent_sessions select v_row.*
    on conflict (tenant_id, id) do update set (project_id, user_id, snapshot, summary, version, created_at, updated_at)
      = (excluded.project_id, excluded.user_id, excluded.snapshot, excluded.summary, excluded.version, excluded.created_at, excluded.updated_at);
  return (event, app.session_full(v_row), null)::app.applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.begin_row(event public.events)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select event.payload || jsonb_build_object(
    'tenant_id', event.tenant_id,
    'id', app.stream_id(event.stream),
    'project_id', event.project_id,
    'task_id', event.task_id,
    'user_id', event.user_id,
    'created_at', event.created_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_stream(category text, stream text, is_there boolean, creates boolean)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if is_there and creates then
    perform app.fail('already_exists', format('The %s %s exists.', category, app.stream_id(stream)));
  elsif not is_there and not creates then
    perform app.fail('not_found',
      format('There is no %s %s in this workspace.', category, app.stream_id(stream)), null,
      format('list_%ss shows the ids.', category));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.column_defaults(model app.read_models)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_defaults jsonb;
begin
  execute 'select jsonb_build_object(' || coalesce((
      select string_agg(format('%L, %s', a.attname, pg_get_expr(d.adbin, d.adrelid)), ', ' order by a.attnum)
      from pg_attribute a
      join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = format('public.%I', model.table_name)::regclass
        and a.attname <> all (model.kept)
        and pg_get_expr(d.adbin, d.adrelid) ~ '^(''[^'']*''::[a-z]+(\[\])?|-?[0-9.]+|true|false)$'), '') || ')'
    into v_defaults;
  return v_defaults;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.define_category(category text, table_name text, searched boolean DEFAULT true, triggering boolean DEFAULT true, kept text[] DEFAULT '{}'::text[], own_apply boolean DEFAULT false)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_model app.read_models := app.register_category(category, table_name, searched, triggering, kept);
begin
  perform app.write_folds(v_model);
  if searched then
    perform app.write_index(v_model);
  end if;
  if not own_apply then
    perform app.write_apply(v_model);
  end if;
  perform app.write_dispatch();
  perform app.write_found_document();
  perform app.write_list_searchable();
  perform app.secure_table(format('public.%I', table_name)::regclass);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_agent_alerts(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.agent_alerts, log public.agent_alerts)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_agent_alerts($1, null, null, $2) f
  full join (
    select x as live, x.* from public.agent_alerts x
    where x.tenant_id = $1 and ($2 is null or 'alert:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.kind, l.severity, l.title, l.details, l.dedup_key, l.raised_count, l.acknowledged, l.acknowledged_by, l.acknowledged_at, l.snoozed_until, l.resolved_by, l.resolved_at, l.version, l.created_at, l.last_raised_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).kind, (f.state).severity, (f.state).title, (f.state).details, (f.state).dedup_key, (f.state).raised_count, (f.state).acknowledged, (f.state).acknowledged_by, (f.state).acknowledged_at, (f.state).snoozed_until, (f.state).resolved_by, (f.state).resolved_at, (f.state).version, (f.state).created_at, (f.state).last_raised_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_agent_memory(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.agent_memory, log public.agent_memory)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_agent_memory($1, null, null, $2) f
  full join (
    select x as live, x.* from public.agent_memory x
    where x.tenant_id = $1 and ($2 is null or 'memory:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.task_id, l.run_id, l.user_id, l.scope, l.subject_id, l.kind, l.key, l.text, l.confidence, l.source_event_id, l.noted_by, l.status, l.decided_by, l.decided_at, l.superseded_by, l.expires_at, l.version, l.created_at, l.updated_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).task_id, (f.state).run_id, (f.state).user_id, (f.state).scope, (f.state).subject_id, (f.state).kind, (f.state).key, (f.state).text, (f.state).confidence, (f.state).source_event_id, (f.state).noted_by, (f.state).status, (f.state).decided_by, (f.state).decided_at, (f.state).superseded_by, (f.state).expires_at, (f.state).version, (f.state).created_at, (f.state).updated_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_agent_runs(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.agent_runs, log public.agent_runs)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_agent_runs($1, null, null, $2) f
  full join (
    select x as live, x.* from public.agent_runs x
    where x.tenant_id = $1 and ($2 is null or 'run:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.task_id, l.user_id, l.agent_id, l.agent_name, l.command_id, l.parent_run_id, l.mode, l.status, l.attempt, l.attempts_max, l.priority, l.delivery_mode, l.delivery_path, l.delivered_at, l.acked_at, l.expires_at, l.interrupt_requested, l.interrupt_reason, l.waiting_for, l.paused_until, l.lock_token, l.end_reason, l.error, l.result, l.started_at, l.ended_at, l.version, l.created_at, l.updated_at, l.duration_ms, l.metrics)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).task_id, (f.state).user_id, (f.state).agent_id, (f.state).agent_name, (f.state).command_id, (f.state).parent_run_id, (f.state).mode, (f.state).status, (f.state).attempt, (f.state).attempts_max, (f.state).priority, (f.state).delivery_mode, (f.state).delivery_path, (f.state).delivered_at, (f.state).acked_at, (f.state).expires_at, (f.state).interrupt_requested, (f.state).interrupt_reason, (f.state).waiting_for, (f.state).paused_until, (f.state).lock_token, (f.state).end_reason, (f.state).error, (f.state).result, (f.state).started_at, (f.state).ended_at, (f.state).version, (f.state).created_at, (f.state).updated_at, (f.state).duration_ms, (f.state).metrics)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_agent_sessions(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.agent_sessions, log public.agent_sessions)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_agent_sessions($1, null, null, $2) f
  full join (
    select x as live, x.* from public.agent_sessions x
    where x.tenant_id = $1 and ($2 is null or 'session:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.snapshot, l.summary, l.version, l.created_at, l.updated_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).snapshot, (f.state).summary, (f.state).version, (f.state).created_at, (f.state).updated_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_agents(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.agents, log public.agents)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_agents($1, null, null, $2) f
  full join (
    select x as live, x.* from public.agents x
    where x.tenant_id = $1 and ($2 is null or 'agent:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.name, l.type, l.driver, l.host_machine, l.config, l.paused_at, l.paused_by, l.pause_reason, l.retired_at, l.version, l.created_at, l.updated_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).name, (f.state).type, (f.state).driver, (f.state).host_machine, (f.state).config, (f.state).paused_at, (f.state).paused_by, (f.state).pause_reason, (f.state).retired_at, (f.state).version, (f.state).created_at, (f.state).updated_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_approvals(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.approvals, log public.approvals)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_approvals($1, null, null, $2) f
  full join (
    select x as live, x.* from public.approvals x
    where x.tenant_id = $1 and ($2 is null or 'approval:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.task_id, l.run_id, l.user_id, l.kind, l.title, l.detail, l.options, l.asked_by, l.status, l.expires_at, l.decided_by, l.decided_at, l.answer, l.note, l.version, l.created_at, l.updated_at, l.asked_of)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).task_id, (f.state).run_id, (f.state).user_id, (f.state).kind, (f.state).title, (f.state).detail, (f.state).options, (f.state).asked_by, (f.state).status, (f.state).expires_at, (f.state).decided_by, (f.state).decided_at, (f.state).answer, (f.state).note, (f.state).version, (f.state).created_at, (f.state).updated_at, (f.state).asked_of)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_artifacts(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.artifacts, log public.artifacts)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_artifacts($1, null, null, $2) f
  full join (
    select x as live, x.* from public.artifacts x
    where x.tenant_id = $1 and ($2 is null or 'artifact:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.task_id, l.user_id, l.type, l.ref, l.summary, l.tier, l.files, l.lines_changed, l.added_by, l.version, l.created_at, l.run_id, l.storage_key, l.sha256, l.size_bytes, l.media_type)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).task_id, (f.state).user_id, (f.state).type, (f.state).ref, (f.state).summary, (f.state).tier, (f.state).files, (f.state).lines_changed, (f.state).added_by, (f.state).version, (f.state).created_at, (f.state).run_id, (f.state).storage_key, (f.state).sha256, (f.state).size_bytes, (f.state).media_type)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_checkpoints(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.checkpoints, log public.checkpoints)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_checkpoints($1, null, null, $2) f
  full join (
    select x as live, x.* from public.checkpoints x
    where x.tenant_id = $1 and ($2 is null or 'checkpoint:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.label, l.repo_ref, l.summary, l.resume_instructions, l.snapshot, l.saved_by, l.version, l.created_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).label, (f.state).repo_ref, (f.state).summary, (f.state).resume_instructions, (f.state).snapshot, (f.state).saved_by, (f.state).version, (f.state).created_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_command_presets(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.command_presets, log public.command_presets)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_command_presets($1, null, null, $2) f
  full join (
    select x as live, x.* from public.command_presets x
    where x.tenant_id = $1 and ($2 is null or 'preset:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.name, l.description, l.content, l.type, l.target_agent_types, l.variables, l.removed_at, l.version, l.created_at, l.updated_at, l.content_by, l.variables_by)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).name, (f.state).description, (f.state).content, (f.state).type, (f.state).target_agent_types, (f.state).variables, (f.state).removed_at, (f.state).version, (f.state).created_at, (f.state).updated_at, (f.state).content_by, (f.state).variables_by)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_commands(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.commands, log public.commands)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_commands($1, null, null, $2) f
  full join (
    select x as live, x.* from public.commands x
    where x.tenant_id = $1 and ($2 is null or 'command:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.task_id, l.user_id, l.sent_by, l.by_person, l.content, l.type, l.mode, l.target_agents, l.broadcast, l.status, l.priority, l.execution_constraints, l.preset_id, l.constraint_id, l.repeatable, l.expires_at, l.started_at, l.completed_at, l.error, l.version, l.created_at, l.updated_at, l.resumes)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).task_id, (f.state).user_id, (f.state).sent_by, (f.state).by_person, (f.state).content, (f.state).type, (f.state).mode, (f.state).target_agents, (f.state).broadcast, (f.state).status, (f.state).priority, (f.state).execution_constraints, (f.state).preset_id, (f.state).constraint_id, (f.state).repeatable, (f.state).expires_at, (f.state).started_at, (f.state).completed_at, (f.state).error, (f.state).version, (f.state).created_at, (f.state).updated_at, (f.state).resumes)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_decisions(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.decisions, log public.decisions)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_decisions($1, null, null, $2) f
  full join (
    select x as live, x.* from public.decisions x
    where x.tenant_id = $1 and ($2 is null or 'decision:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.task_id, l.user_id, l.title, l.options, l.choice, l.rationale, l.supersedes, l.superseded_by, l.decided_by, l.version, l.created_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).task_id, (f.state).user_id, (f.state).title, (f.state).options, (f.state).choice, (f.state).rationale, (f.state).supersedes, (f.state).superseded_by, (f.state).decided_by, (f.state).version, (f.state).created_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_execution_constraints(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.execution_constraints, log public.execution_constraints)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_execution_constraints($1, null, null, $2) f
  full join (
    select x as live, x.* from public.execution_constraints x
    where x.tenant_id = $1 and ($2 is null or 'profile:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.name, l.description, l.time_limit_ms, l.token_budget, l.memory_limit_mb, l.cpu_limit_percent, l.silence_limit_ms, l.is_default, l.removed_at, l.version, l.created_at, l.updated_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).name, (f.state).description, (f.state).time_limit_ms, (f.state).token_budget, (f.state).memory_limit_mb, (f.state).cpu_limit_percent, (f.state).silence_limit_ms, (f.state).is_default, (f.state).removed_at, (f.state).version, (f.state).created_at, (f.state).updated_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_investigation_reports(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.investigation_reports, log public.investigation_reports)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_investigation_reports($1, null, null, $2) f
  full join (
    select x as live, x.* from public.investigation_reports x
    where x.tenant_id = $1 and ($2 is null or 'report:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.command_id, l.run_id, l.agent_id, l.user_id, l.title, l.summary, l.status, l.content, l.attachments, l.written_by, l.changed_by, l.version, l.created_at, l.updated_at, l.completed_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).command_id, (f.state).run_id, (f.state).agent_id, (f.state).user_id, (f.state).title, (f.state).summary, (f.state).status, (f.state).content, (f.state).attachments, (f.state).written_by, (f.state).changed_by, (f.state).version, (f.state).created_at, (f.state).updated_at, (f.state).completed_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_messages(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.messages, log public.messages)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_messages($1, null, null, $2) f
  full join (
    select x as live, x.* from public.messages x
    where x.tenant_id = $1 and ($2 is null or 'message:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.topic, l.payload, l.version, l.created_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).topic, (f.state).payload, (f.state).version, (f.state).created_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_projects(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.projects, log public.projects)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_projects($1, null, null, $2) f
  full join (
    select x as live, x.* from public.projects x
    where x.tenant_id = $1 and ($2 is null or 'project:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.user_id, l.slug, l.name, l.description, l.rules, l.version, l.archived_at, l.created_at, l.updated_at)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).user_id, (f.state).slug, (f.state).name, (f.state).description, (f.state).rules, (f.state).version, (f.state).archived_at, (f.state).created_at, (f.state).updated_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.differing_tasks(tenant_id uuid, streams text[])
 RETURNS TABLE(id uuid, live public.tasks, log public.tasks)
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_tasks($1, null, null, $2) f
  full join (
    select x as live, x.* from public.tasks x
    where x.tenant_id = $1 and ($2 is null or 'task:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.created_by, l.number, l.ref, l.title, l.description, l.acceptance_criteria, l.constraints, l.dependencies, l.parent_id, l.discovered_from, l.status, l.priority, l.blocked_reason, l.blocked_by, l.warning, l.locked_at, l.locked_by, l.locked_by_user, l.lock_token, l.attempts, l.last_outcome, l.last_reason, l.last_agent, l.summary, l.evidence, l.approved_at, l.completed_at, l.version, l.created_at, l.updated_at, l.labels, l.rank, l.reviewer)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).created_by, (f.state).number, (f.state).ref, (f.state).title, (f.state).description, (f.state).acceptance_criteria, (f.state).constraints, (f.state).dependencies, (f.state).parent_id, (f.state).discovered_from, (f.state).status, (f.state).priority, (f.state).blocked_reason, (f.state).blocked_by, (f.state).warning, (f.state).locked_at, (f.state).locked_by, (f.state).locked_by_user, (f.state).lock_token, (f.state).attempts, (f.state).last_outcome, (f.state).last_reason, (f.state).last_agent, (f.state).summary, (f.state).evidence, (f.state).approved_at, (f.state).completed_at, (f.state).version, (f.state).created_at, (f.state).updated_at, (f.state).labels, (f.state).rank, (f.state).reviewer)
$function$;
-- owner cairn_owner

CREATE AGGREGATE app.fold_agent(public.events) (sfunc = app.fold_step, stype = public.agents);
-- owner cairn_owner

CREATE AGGREGATE app.fold_alert(public.events) (sfunc = app.fold_step, stype = public.agent_alerts);
-- owner cairn_owner

CREATE AGGREGATE app.fold_approval(public.events) (sfunc = app.fold_step, stype = public.approvals);
-- owner cairn_owner

CREATE AGGREGATE app.fold_artifact(public.events) (sfunc = app.fold_step, stype = public.artifacts);
-- owner cairn_owner

CREATE AGGREGATE app.fold_checkpoint(public.events) (sfunc = app.fold_step, stype = public.checkpoints);
-- owner cairn_owner

CREATE AGGREGATE app.fold_command(public.events) (sfunc = app.fold_step, stype = public.commands);
-- owner cairn_owner

CREATE AGGREGATE app.fold_decision(public.events) (sfunc = app.fold_step, stype = public.decisions);
-- owner cairn_owner

CREATE AGGREGATE app.fold_memory(public.events) (sfunc = app.fold_step, stype = public.agent_memory);
-- owner cairn_owner

CREATE AGGREGATE app.fold_message(public.events) (sfunc = app.fold_step, stype = public.messages);
-- owner cairn_owner

CREATE AGGREGATE app.fold_preset(public.events) (sfunc = app.fold_step, stype = public.command_presets);
-- owner cairn_owner

CREATE AGGREGATE app.fold_profile(public.events) (sfunc = app.fold_step, stype = public.execution_constraints);
-- owner cairn_owner

CREATE AGGREGATE app.fold_project(public.events) (sfunc = app.fold_step, stype = public.projects);
-- owner cairn_owner

CREATE AGGREGATE app.fold_report(public.events) (sfunc = app.fold_step, stype = public.investigation_reports);
-- owner cairn_owner

CREATE AGGREGATE app.fold_run(public.events) (sfunc = app.fold_step, stype = public.agent_runs);
-- owner cairn_owner

CREATE AGGREGATE app.fold_session(public.events) (sfunc = app.fold_step, stype = public.agent_sessions);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.agent_alerts, event public.events)
 RETURNS public.agent_alerts
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.agent_alerts, '{}' || event.payload);
  end if;
  return app.evolve_alert(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.agent_memory, event public.events)
 RETURNS public.agent_memory
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.agent_memory, '{}' || event.payload);
  end if;
  return app.evolve_memory(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.agent_runs, event public.events)
 RETURNS public.agent_runs
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.agent_runs, '{}' || event.payload);
  end if;
  return app.evolve_run(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.agent_sessions, event public.events)
 RETURNS public.agent_sessions
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.agent_sessions, '{"snapshot": {}}' || event.payload);
  end if;
  return app.evolve_session(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.agents, event public.events)
 RETURNS public.agents
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.agents, '{}' || event.payload);
  end if;
  return app.evolve_agent(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.approvals, event public.events)
 RETURNS public.approvals
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.approvals, '{}' || event.payload);
  end if;
  return app.evolve_approval(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.artifacts, event public.events)
 RETURNS public.artifacts
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.artifacts, '{"files": []}' || event.payload);
  end if;
  return app.evolve_artifact(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.checkpoints, event public.events)
 RETURNS public.checkpoints
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.checkpoints, '{}' || event.payload);
  end if;
  return app.evolve_checkpoint(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.command_presets, event public.events)
 RETURNS public.command_presets
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.command_presets, '{}' || event.payload);
  end if;
  return app.evolve_preset(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.commands, event public.events)
 RETURNS public.commands
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.commands, '{"resumes": true}' || event.payload);
  end if;
  return app.evolve_command(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.decisions, event public.events)
 RETURNS public.decisions
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.decisions, '{}' || event.payload);
  end if;
  return app.evolve_decision(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.execution_constraints, event public.events)
 RETURNS public.execution_constraints
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.execution_constraints, '{}' || event.payload);
  end if;
  return app.evolve_profile(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.investigation_reports, event public.events)
 RETURNS public.investigation_reports
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.investigation_reports, '{}' || event.payload);
  end if;
  return app.evolve_report(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.messages, event public.events)
 RETURNS public.messages
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.messages, '{}' || event.payload);
  end if;
  return app.evolve_message(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.projects, event public.events)
 RETURNS public.projects
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.projects, '{"rules": {}, "description": ""}' || event.payload);
  end if;
  return app.evolve_project(state, event);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fold_step(state public.tasks, event public.events)
 RETURNS public.tasks
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.tasks, '{"labels": [], "attempts": 0, "evidence": [], "constraints": {}, "description": "", "dependencies": [], "acceptance_criteria": []}' || event.payload);
  end if;
  return app.evolve_task(state, event);
end
$function$;
-- owner cairn_owner

CREATE AGGREGATE app.fold_task(public.events) (sfunc = app.fold_step, stype = public.tasks);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_agent_alerts(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.agent_alerts)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_alert(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'alert:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'alert:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_agent_memory(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.agent_memory)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_memory(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'memory:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'memory:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_agent_runs(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.agent_runs)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_run(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'run:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'run:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_agent_sessions(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.agent_sessions)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_session(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'session:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'session:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_agents(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.agents)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_agent(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'agent:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'agent:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_approvals(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.approvals)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_approval(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'approval:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'approval:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_artifacts(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.artifacts)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_artifact(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'artifact:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'artifact:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_checkpoints(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.checkpoints)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_checkpoint(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'checkpoint:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'checkpoint:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_columns(model app.read_models)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select array_agg(quote_ident(a.attname) order by a.attnum) from pg_attribute a
  where a.attrelid = format('public.%I', model.table_name)::regclass
    and a.attnum > 0
    and not a.attisdropped
    and a.attname <> all (model.kept)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_command_presets(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.command_presets)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_preset(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'preset:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'preset:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_commands(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.commands)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_command(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'command:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'command:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_decisions(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.decisions)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_decision(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'decision:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'decision:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_execution_constraints(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.execution_constraints)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_profile(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'profile:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'profile:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_investigation_reports(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.investigation_reports)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_report(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'report:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'report:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_messages(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.messages)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_message(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'message:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'message:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_projects(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.projects)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_project(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'project:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'project:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.folded_tasks(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
 RETURNS TABLE(id uuid, state public.tasks)
 LANGUAGE sql
 STABLE
AS $function$
  select (f.folded).id, f.folded
  from (
    select app.fold_task(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, 'task:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, 'task:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.found_document(kind text, tenant_id uuid, id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  case kind
    when 'project' then return (
      select app.found_project(x) from public.projects x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
    when 'task' then return (
      select app.found_task(x) from public.tasks x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
    when 'artifact' then return (
      select app.found_artifact(x) from public.artifacts x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
    when 'decision' then return (
      select app.found_decision(x) from public.decisions x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
    when 'checkpoint' then return (
      select app.found_checkpoint(x) from public.checkpoints x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
    when 'report' then return (
      select app.found_report(x) from public.investigation_reports x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
    when 'memory' then return (
      select app.found_memory(x) from public.agent_memory x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
    when 'output' then return (
      select app.found_screen(x) from app.run_screens x
      where x.tenant_id = found_document.tenant_id and x.run_id = found_document.id);
    else return (
      select app.found_event(x) from public.events x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
  end case;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_artifact(artifact public.artifacts)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.index_text('artifact', artifact.tenant_id, artifact.id, artifact.project_id, app.artifact_text(artifact))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_checkpoint(checkpoint public.checkpoints)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.index_text('checkpoint', checkpoint.tenant_id, checkpoint.id, checkpoint.project_id, app.checkpoint_text(checkpoint))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_decision(decision public.decisions)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.index_text('decision', decision.tenant_id, decision.id, decision.project_id, app.decision_text(decision))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_memory(memory public.agent_memory)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.index_text('memory', memory.tenant_id, memory.id, memory.project_id, app.memory_text(memory))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_project(project public.projects)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.index_text('project', project.tenant_id, project.id, project.id, app.project_text(project))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_report(report public.investigation_reports)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.index_text('report', report.tenant_id, report.id, report.project_id, app.report_text(report))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_task(task public.tasks)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.index_text('task', task.tenant_id, task.id, task.project_id, app.task_text(task))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.list_kinds()
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select array['project', 'task', 'artifact', 'decision', 'checkpoint', 'report', 'memory', 'event', 'output']
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.list_searchable(tenant_id uuid)
 RETURNS TABLE(kind text, id uuid, project_id uuid, stream text, content text)
 LANGUAGE sql
 STABLE
AS $function$
  select 'project', x.id, x.id, 'project:' || x.id, app.project_text(x)
  from public.projects x
  where x.tenant_id = $1
  union all
  select 'task', x.id, x.project_id, 'task:' || x.id, app.task_text(x)
  from public.tasks x
  where x.tenant_id = $1
  union all
  select 'artifact', x.id, x.project_id, 'artifact:' || x.id, app.artifact_text(x)
  from public.artifacts x
  where x.tenant_id = $1
  union all
  select 'decision', x.id, x.project_id, 'decision:' || x.id, app.decision_text(x)
  from public.decisions x
  where x.tenant_id = $1
  union all
  select 'checkpoint', x.id, x.project_id, 'checkpoint:' || x.id, app.checkpoint_text(x)
  from public.checkpoints x
  where x.tenant_id = $1
  union all
  select 'report', x.id, x.project_id, 'report:' || x.id, app.report_text(x)
  from public.investigation_reports x
  where x.tenant_id = $1
  union all
  select 'memory', x.id, x.project_id, 'memory:' || x.id, app.memory_text(x)
  from public.agent_memory x
  where x.tenant_id = $1
  union all
  select 'event', x.id, x.project_id, x.stream, app.searchable_text(x)
  from public.events x
  where x.tenant_id = $1
  union all
  select 'output', x.run_id, x.project_id, 'run:' || x.run_id, x.content
  from app.run_screens x
  where x.tenant_id = $1
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.project_column(model app.read_models)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when model.category = 'project' then 'id' else 'project_id' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.register_category(category text, table_name text, searched boolean, triggering boolean, kept text[])
 RETURNS app.read_models
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_was app.read_models;
  v_model app.read_models;
begin
  -- Functions are named after it.
  if category !~ '^[a-z]+$' then
    raise exception 'A category is one word of lower-case letters, not %.', category;
  end if;
  select * into v_was from app.read_models m where m.category = register_category.category;
  v_model := row(category, table_name,
    coalesce(v_was.place, (select coalesce(max(m.place), 0) + 1 from app.read_models m)), searched, triggering, kept);
  if v_model is distinct from v_was then
    alter table app.read_models no force row level security;
    delete from app.read_models m where m.category = register_category.category;
    insert into app.read_models select v_model.*;
    alter table app.read_models force row level security;
  end if;
  return v_model;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_apply(model app.read_models)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_has_task constant boolean := exists (
    select from pg_attribute a
    where a.attrelid = format('public.%I', model.table_name)::regclass and a.attname = 'task_id');
  v_needs_project constant boolean := (
    select a.attnotnull from pg_attribute a
    where a.attrelid = format('public.%I', model.table_name)::regclass and a.attname = 'project_id');
  v_given constant jsonb := '{"event": "event", "expect": "expect", "project": "v_project", "slug": "v_project.slug",
    "actor": "actor", "role": "actor.role"}' || jsonb_build_object(model.category, 'v_row')
    || case when v_has_task then jsonb_build_object('task', 'v_task') else '{}' end;
  v_guard constant text := app.write_call('guard_' || model.category, v_given);
  v_place constant text := format('coalesce(%s)', concat_ws(', ',
    case when v_has_task then 'v_task.project_id::text' end, 'v_row.project_id::text',
    $text$event.payload ->> 'project'$text$, case when not v_needs_project then 'actor.project_id::text' end));
begin
  execute format($model$
create or replace function app.apply_%1$s(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $body$
declare
  v_row public.%2$I;%3$s
  v_project public.projects;
begin
  select * into v_row from public.%2$I x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream) for no key update;
  perform app.check_stream('%1$s', event.stream, v_row.id is not null, event.event_type in (%12$s));%4$s
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';%5$s
  event.version := app.next_version(v_row.version, expect, '%1$s');
  -- What follows from the archiving itself ends what the project still had.
  if event.causation_id is null then
    perform app.refuse_archived(v_project);
  end if;%6$s
  v_row := app.evolve_%1$s(v_row, event);
  insert into public.%2$I select v_row.*
    on conflict (tenant_id, id) do update set (%7$s)
      = (%8$s);%9$s
  return (event, %10$s, %11$s)::app.applied;
end
$body$
    $model$, model.category, model.table_name,
    case when v_has_task then e'\n  v_task public.tasks;' end,
    app.write_place(v_place, v_has_task, v_guard like '%v\_task%', v_needs_project),
    e'\n  event.payload := ' || app.write_call('prepare_' || model.category, v_given) || ';',
    e'\n  perform ' || v_guard || ';',
    (select string_agg(c, ', ') from unnest(app.folded_columns(model)) c where c not in ('tenant_id', 'id')),
    (select string_agg('excluded.' || c, ', ') from unnest(app.folded_columns(model)) c
      where c not in ('tenant_id', 'id')),
    coalesce(case when model.searched then format(e'\n  perform app.index_%s(v_row);', model.category) end, '')
      || coalesce(e'\n  perform ' || app.write_call('finish_' || model.category, v_given) || ';', ''),
    coalesce(app.write_call(model.category || '_full', v_given), 'to_jsonb(v_row)'),
    case when model.triggering then $text$v_project.rules -> 'triggers'$text$ else 'null' end,
    (select string_agg(quote_literal(t.event_type), ', ' order by t.event_type) from app.event_types t
      where starts_with(t.event_type, model.category || '.') and t.creates));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_call(function_name text, arguments jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_names text[] := (
    select coalesce(p.proargnames, '{}') from pg_proc p
    where p.pronamespace = 'app'::regnamespace and p.proname = function_name);
  v_unknown text := (select n from unnest(v_names) n where not arguments ? n limit 1);
begin
  if v_unknown is not null then
    raise exception 'app.% takes %; a category can give it %.', function_name, v_unknown,
      (select string_agg(k, ', ') from jsonb_object_keys(arguments) k);
  end if;
  if v_names is null then
    return null;
  end if;
  return format('app.%I(%s)', function_name,
    (select string_agg(arguments ->> x.name, ', ' order by x.at) from unnest(v_names) with ordinality x (name, at)));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_dispatch()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format($dispatch$
create or replace function app.apply_event(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $body$
begin
  case split_part(event.stream, ':', 1)%s
    when 'event' then return app.apply_redaction(event, expect, actor);
    else perform app.fail('invalid_input', format('There is no stream %%s.', left(event.stream, 80)));
  end case;
end
$body$
    $dispatch$, (
    select string_agg(
      format(e'\n    when ''%1$s'' then return app.apply_%1$s(event, expect, actor);', m.category), '' order by m.place)
    from app.read_models m));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_folds(model app.read_models)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_columns constant text[] := app.folded_columns(model);
begin
  execute format($model$
create or replace function app.fold_step(state public.%1$I, event public.events)
  returns public.%1$I
  language plpgsql
  immutable
as $body$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.%1$I, %5$L || event.payload);
  end if;
  return app.evolve_%2$s(state, event);
end
$body$;

create or replace aggregate app.fold_%2$s(public.events) (sfunc = app.fold_step, stype = public.%1$I);

create or replace function app.folded_%1$s(tenant_id uuid, project_id uuid, up_to bigint, streams text[])
  returns table (id uuid, state public.%1$I)
  language sql
  stable
as $body$
  select (f.folded).id, f.folded
  from (
    select app.fold_%2$s(e.event order by e.version) as folded
    from (
      select x.stream, x.version, app.upcast_event(x) as event
      from public.events x
      where x.tenant_id = $1 and ($2 is null or x.project_id = $2) and x.seq <= coalesce($3, 9223372036854775807)
        and starts_with(x.stream, '%2$s:') and ($4 is null or x.stream = any ($4))
      union all
      select a.stream, a.version, app.snapshot_event(a)
      from app.archived_streams a
      where a.tenant_id = $1 and ($2 is null or a.project_id = $2) and a.state is not null
        and starts_with(a.stream, '%2$s:') and ($4 is null or a.stream = any ($4))) e
    group by e.stream) f
$body$;

create or replace function app.differing_%1$s(tenant_id uuid, streams text[])
  returns table (id uuid, live public.%1$I, log public.%1$I)
  language sql
  stable
as $body$
  select coalesce(l.id, f.id), l.live, f.state
  from app.folded_%1$s($1, null, null, $2) f
  full join (
    select x as live, x.* from public.%1$I x
    where x.tenant_id = $1 and ($2 is null or '%2$s:' || x.id = any ($2))) l on l.id = f.id
  where (%3$s)
    is distinct from (%4$s)
$body$
    $model$, model.table_name, model.category,
    (select string_agg('l.' || c, ', ') from unnest(v_columns) c),
    (select string_agg('(f.state).' || c, ', ') from unnest(v_columns) c),
    app.column_defaults(model));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_found_document()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format($dispatch$
create or replace function app.found_document(kind text, tenant_id uuid, id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $body$
begin
  case kind%1$s
    when 'output' then return (
      select app.found_screen(x) from app.run_screens x
      where x.tenant_id = found_document.tenant_id and x.run_id = found_document.id);
    else return (
      select app.found_event(x) from public.events x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);
  end case;
end
$body$;

create or replace function app.list_kinds() returns text[] language sql immutable as $body$
  select array[%2$s, 'event', 'output']
$body$
    $dispatch$, (
    select string_agg(format($case$
    when '%1$s' then return (
      select app.found_%1$s(x) from public.%2$I x
      where x.tenant_id = found_document.tenant_id and x.id = found_document.id);$case$, m.category, m.table_name), ''
      order by m.place)
    from app.read_models m where m.searched), (
    select string_agg(quote_literal(m.category), ', ' order by m.place) from app.read_models m where m.searched));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_index(model app.read_models)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format($model$
create or replace function app.index_%1$s(%1$s public.%2$I) returns void language sql as $body$
  select app.index_text('%1$s', %1$s.tenant_id, %1$s.id, %1$s.%3$I, app.%1$s_text(%1$s))
$body$
    $model$, model.category, model.table_name, app.project_column(model));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_list_searchable()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format($dispatch$
create or replace function app.list_searchable(tenant_id uuid)
  returns table (kind text, id uuid, project_id uuid, stream text, content text)
  language sql
  stable
as $body$%s
  select 'event', x.id, x.project_id, x.stream, app.searchable_text(x)
  from public.events x
  where x.tenant_id = $1
  union all
  select 'output', x.run_id, x.project_id, 'run:' || x.run_id, x.content
  from app.run_screens x
  where x.tenant_id = $1
$body$
    $dispatch$, (
    select string_agg(format($part$
  select '%1$s', x.id, x.%3$I, '%1$s:' || x.id, app.%1$s_text(x)
  from public.%2$I x
  where x.tenant_id = $1
  union all$part$, m.category, m.table_name, app.project_column(m)), '' order by m.place)
    from app.read_models m where m.searched));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.write_place(place text, has_task boolean, locks_task boolean, needs_project boolean)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case when has_task then format($lines$
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    select * into v_task from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id%s;
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
  end if;$lines$, case when locks_task then ' for no key update' end) else '' end
  || case when needs_project then format($lines$
  v_project := app.find_project(%s, actor);$lines$, place) else format($lines$
  if %1$s is not null then
    v_project := app.find_project(%1$s, actor);
  end if;$lines$, place) end
$function$;
-- owner cairn_owner
