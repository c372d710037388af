-- Artifacts, and the evidence that they give.

create or replace function app.tier_rank(tier text) returns integer language sql immutable as $$
  select case tier when 'ci' then 3 when 'observed' then 2 when 'reported' then 1 else 0 end
$$;

-- Grades evidence by its source: an agent's word is reported, a diff, pull request or test report is observed, an
-- artifact from a client named ci is ci. Evidence older than the task's last diff is stale.
create or replace function app.graded_evidence(task public.tasks, evidence jsonb)
  returns table (criterion bigint, note text, artifact uuid, tier text, stale boolean)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not jsonb_path_exists(evidence, '$[*].artifact') then
    return query select (e.item ->> 'criterion')::bigint, e.item ->> 'note', null::uuid, 'reported', false
      from jsonb_array_elements(evidence) with ordinality e (item, at) order by e.at;
    return;
  end if;
  return query select (e.item ->> 'criterion')::bigint,
      e.item ->> 'note',
      a.id,
      coalesce(a.tier, 'reported'),
      coalesce(a.type <> 'diff' and coalesce(added.seq, 0) < last_diff.seq, false)
    from jsonb_array_elements(evidence) with ordinality e (item, at)
    left join public.artifacts a on a.tenant_id = task.tenant_id and a.id = app.as_uuid(e.item ->> 'artifact')
    left join public.events added
      on added.tenant_id = task.tenant_id and added.stream = 'artifact:' || a.id and added.version = 1
    left join lateral (
      select max(d.seq) as seq
      from public.artifacts x
      join public.events d on d.tenant_id = x.tenant_id and d.stream = 'artifact:' || x.id and d.version = 1
      where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = 'diff') last_diff on a.id is not null
    order by e.at;
end
$$;

-- Lists the criteria without evidence of the required tier (reported < observed < ci), or with evidence older than the
-- last diff.
create or replace function app.missing_evidence(task public.tasks, tier text, evidence jsonb)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(array_agg(format('%s evidence (%s) for criterion %s: "%s"%s', tier, app.evidence_of(tier), c.at,
        left(c.text, 120), case when best.stale then ' (what there is, is older than the last diff)' else '' end)
      order by c.at), '{}')
    from unnest(task.acceptance_criteria) with ordinality c (text, at)
    left join lateral (
      select bool_and(g.stale) as stale, max(app.tier_rank(g.tier)) filter (where not g.stale) as rank
      from app.graded_evidence(task, coalesce(evidence, '[]')) g
      where g.criterion = c.at) best on true
    where coalesce(best.rank, 0) < app.tier_rank(tier));
end
$$;

-- An artifact that the holder of a task adds is of the run that holds it, too.
create or replace function app.prepare_artifact(event public.events, expect jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run uuid;
begin
  if not event.payload ? 'run' and expect ->> 'lock_token' is not null then
    select r.id into v_run from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.task_id = event.task_id
        and r.lock_token = (expect ->> 'lock_token')::bigint
      limit 1;
  end if;
  return event.payload || jsonb_strip_nulls(jsonb_build_object('run', v_run));
end
$$;

create or replace function app.guard_artifact(
  event public.events,
  expect jsonb,
  task public.tasks,
  project public.projects,
  role text
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_scope jsonb := app.effective_scope(project.rules, task.constraints);
  v_files text[] := app.text_list(event.payload -> 'files');
  v_of constant text := coalesce('task ' || task.ref, 'the run');
  v_excess text;
  v_bad text[];
begin
  perform app.check_form('sha256', coalesce(event.payload ->> 'sha256' ~ '^[0-9a-f]{64}$', true), '64 hex digits');
  if (event.payload ? 'run' or task.id is null) and not exists (
      select from public.agent_runs r
      join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
      where r.tenant_id = event.tenant_id and r.id = app.as_uuid(event.payload ->> 'run')
        and a.user_id = event.user_id) then
    perform app.fail('not_found', 'An artifact belongs to a task, or to a run of an agent of yours.', null,
      'Name a task; list_runs shows the ids of runs.');
  elsif task.id is not null then
    perform app.check_holder(task, event, expect, app.lease_expires_at(task), role);
  end if;
  if event.payload ->> 'type' <> 'diff' or v_scope is null then
    return;
  end if;
  v_excess := app.scope_excess(v_scope, v_files);
  v_bad := case when v_excess is null then app.files_outside(v_scope, v_files) end;
  if v_excess is not null then
    perform app.fail('scope_violation',
      format('The diff cannot be compared with the scope of %s: %s.', v_of, v_excess),
      jsonb_build_object('files_count', cardinality(v_files)),
      'Add the diff in parts. If that does not help, the globs of the project or the task need fewer characters.');
  elsif v_bad is not null then
    perform app.fail('scope_violation',
      format('%s of the files are outside the scope of %s: %s.', cardinality(v_bad), v_of,
        array_to_string(v_bad[:10], ', ')),
      jsonb_build_object('files', to_jsonb(v_bad[:50]), 'scope', v_scope),
      'Revert those changes or put them into a task of their own (discovered_from), then add the diff again.');
  elsif cardinality(v_files) > (v_scope ->> 'files_max')::integer
      or (event.payload ->> 'lines_changed')::integer > (v_scope ->> 'lines_max')::integer then
    perform app.fail('scope_violation',
      format('The diff has %s files and %s lines; %s allows %s files and %s lines.', cardinality(v_files),
        coalesce(event.payload ->> 'lines_changed', '?'), v_of, coalesce(v_scope ->> 'files_max', 'any'),
        coalesce(v_scope ->> 'lines_max', 'any')),
      jsonb_build_object('scope', v_scope), 'Split the work: a smaller diff here, the rest in a new task.');
  end if;
end
$$;

create or replace function app.evolve_artifact(artifact public.artifacts, event public.events)
  returns public.artifacts
  language plpgsql
  immutable
as $$
begin
  artifact.tenant_id := event.tenant_id;
  artifact.id := app.stream_id(event.stream);
  artifact.project_id := event.project_id;
  artifact.task_id := event.task_id;
  artifact.run_id := app.as_uuid(event.payload ->> 'run');
  artifact.user_id := event.user_id;
  artifact.type := event.payload ->> 'type';
  artifact.ref := event.payload ->> 'ref';
  artifact.summary := event.payload ->> 'summary';
  artifact.tier := case
    when event.actor ->> 'client' = 'ci' then 'ci'
    when artifact.type in ('diff', 'pr', 'test_report') then 'observed'
    else 'reported' end;
  artifact.files := app.text_list(event.payload -> 'files');
  artifact.lines_changed := (event.payload ->> 'lines_changed')::integer;
  artifact.storage_key := event.payload ->> 'storage_key';
  artifact.sha256 := event.payload ->> 'sha256';
  artifact.size_bytes := (event.payload ->> 'size_bytes')::bigint;
  artifact.media_type := event.payload ->> 'media_type';
  artifact.added_by := app.actor_name(event);
  artifact.version := event.version;
  artifact.created_at := event.created_at;
  return artifact;
end
$$;

create or replace function app.artifact_full(artifact public.artifacts)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', artifact.id,
    'task', (select t.ref from public.tasks t where t.tenant_id = artifact.tenant_id and t.id = artifact.task_id),
    'run', artifact.run_id,
    'type', artifact.type,
    'ref', artifact.ref,
    'summary', artifact.summary,
    'tier', artifact.tier,
    'files', nullif(artifact.files, '{}'),
    'lines_changed', artifact.lines_changed,
    'size_bytes', artifact.size_bytes,
    'media_type', artifact.media_type,
    'by', artifact.added_by,
    'created_at', artifact.created_at));
end
$$;

create or replace function app.artifact_text(artifact public.artifacts) returns text language sql stable as $$
  select concat_ws(' ', artifact.type, artifact.ref, artifact.summary)
$$;

create or replace function app.finish_artifact(event public.events, expect jsonb, task public.tasks)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if expect ->> 'lock_token' is not null then
    perform app.renew_lease(task, event.created_at);
  end if;
end
$$;

-- Shows an artifact that a search has found.
create or replace function app.found_artifact(artifact public.artifacts) returns jsonb language sql stable as $$
  select jsonb_build_object(
    'ref', (select t.ref from public.tasks t where t.tenant_id = artifact.tenant_id and t.id = artifact.task_id),
    'title', artifact.type || ' ' || artifact.ref,
    'at', artifact.created_at,
    'by', artifact.added_by,
    'body', concat_ws(' ', artifact.ref, artifact.summary))
$$;

-- list_artifacts(task, cursor?, page_size) -> {artifacts, next_cursor?}, newest first. Raises not_found, invalid_input.
create or replace function public.list_artifacts(
  task text,
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
  v_task uuid := app.find_task_id(task, v_actor.tenant_id);
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'artifacts ' || v_task);
  v_found jsonb[];
begin
  select array_agg(app.artifact_full(a) order by a.created_at desc, a.id desc) into v_found
    from (
      select * from public.artifacts x
      where x.tenant_id = v_actor.tenant_id
        and x.task_id = v_task
        and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.created_at desc, x.id desc limit v_size + 1) a;
  return app.build_page('artifacts', v_found, v_size, 'artifacts ' || v_task, '{id}', '{created_at}');
end
$$;

-- Tells recorded evidence from other values. The guard of its task has judged the criteria and artifacts it names.
create or replace function app.is_evidence(evidence jsonb) returns boolean language sql immutable
  return not exists (select from jsonb_array_elements(evidence) e
    where jsonb_typeof(e) <> 'object'
      or case when jsonb_typeof(e) = 'object' then e - '{criterion,note,artifact}'::text[] <> '{}' end
      or not app.validate_field(coalesce(e -> 'criterion', 'null'), 'integer', 50, null)
      or e ? 'note' and not app.validate_field(e -> 'note', 'text', 4000, null)
      or e ? 'artifact' and app.as_uuid(e ->> 'artifact') is null);

-- Lists the unproven criteria of a completed task; null for every other task.
create or replace function app.list_unproven(task public.tasks)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.status = 'completed' then
    return app.unproven_criteria(task.acceptance_criteria, task.evidence);
  end if;
  return null;
end
$$;

create or replace function app.evidence_of(tier text) returns text language sql immutable as $$
  select case tier when 'reported' then 'a note or an artifact' when 'observed' then 'a diff, pr or test_report'
    else 'an artifact that ci added' end
$$;

-- Explains how the call must answer the criteria if a gate on completion misses evidence; null otherwise.
create or replace function app.evidence_wanted(task public.tasks, rules jsonb, event public.events)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rank integer := (
    select max(app.tier_rank(g -> 'require' ->> 'evidence')) from jsonb_array_elements(rules -> 'gates') g
    where g ->> 'on' = 'complete' and g -> 'require' ? 'evidence'
      and app.match_condition(g -> 'when', event.payload, task.priority)
      and app.missing_evidence(task, g -> 'require' ->> 'evidence', event.payload -> 'evidence') <> '{}');
  v_most integer := least(cardinality(task.acceptance_criteria), 10);
begin
  if v_rank is null then
    return null;
  end if;
  return (
    select '[' || string_agg(format('{"criterion": %s, %s}', c.at,
      case v_rank when 1 then '"note": ""' else '"artifact": "id from add_artifact"' end), ', ' order by c.at)
      || case when v_most < cardinality(task.acceptance_criteria) then ', and so on' else '' end || ']'
    from generate_series(1, v_most) c (at));
end
$$;

-- Gives a new project without gates the default one.
create or replace function app.with_default_gates(rules jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return '{"gates": [{"on": "complete", "require": {"evidence": "reported"}}]}' || coalesce(rules, '{}');
end
$$;

create or replace function app.is_unproven(task public.tasks) returns integer language sql immutable
  return (app.list_unproven(task) is not null)::integer;

select app.define_category('artifact', 'artifacts');
