-- Artifacts: what work on a task produced, and the evidence that its criteria are met.

create table public.artifacts (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid not null,
  user_id uuid not null references public.users,
  type text not null check (type in ('diff', 'pr', 'test_report', 'document', 'other')),
  ref text not null,
  summary text,
  tier text not null check (tier in ('reported', 'observed', 'ci')),
  files text[] not null default '{}',
  lines_changed integer,
  added_by text not null,
  version bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, task_id) references public.tasks
);
create index idx_artifacts_task_id on public.artifacts (task_id);
create index idx_artifacts_user_id on public.artifacts (user_id);
create index idx_artifacts_type on public.artifacts (type);
create index idx_artifacts_created_at on public.artifacts (tenant_id, created_at desc);
create index idx_artifacts_task_created on public.artifacts (task_id, created_at desc);

select app.declare_event('artifact.added', 'task!:ref:80', 'type!:one_of:diff|pr|test_report|document|other', 'ref!:line:2000', 'summary:text:4000',
  'files:text[]:500', 'lines_changed:integer:999999999');

create function app.tier_rank(tier text) returns integer language sql immutable as $$
  select case tier when 'ci' then 3 when 'observed' then 2 when 'reported' then 1 else 0 end
$$;

-- Evidence with the tier of what stands behind it: an agent's word is reported, a diff, pull request or test report is
-- observed, what a client named ci adds is ci. Stale is what is older than the task's last diff.
create function app.graded_evidence(task public.tasks, evidence jsonb)
  returns table (criterion bigint, note text, artifact uuid, tier text, stale boolean)
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if not jsonb_path_exists(evidence, '$[*].artifact') then
    return query select (e.item ->> 'criterion')::bigint, e.item ->> 'note', null::uuid, 'reported', false
      from jsonb_array_elements(evidence) with ordinality e (item, at) order by e.at;
    return;
  end if;
  return query
    select (e.item ->> 'criterion')::bigint, e.item ->> 'note', a.id, coalesce(a.tier, 'reported'),
      coalesce(a.type <> 'diff' and coalesce(added.seq, 0) < last_diff.seq, false)
    from jsonb_array_elements(evidence) with ordinality e (item, at)
    left join public.artifacts a on a.tenant_id = task.tenant_id and a.id = app.as_uuid(e.item ->> 'artifact')
    left join public.events added on added.tenant_id = task.tenant_id and added.stream = 'artifact:' || a.id and added.version = 1
    left join lateral (
      select max(d.seq) as seq from public.artifacts x
        join public.events d on d.tenant_id = x.tenant_id and d.stream = 'artifact:' || x.id and d.version = 1
        where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = 'diff') last_diff on a.id is not null
    order by e.at;
end
$$;

-- The criteria without evidence of the tier asked for (reported < observed < ci), or with evidence older than the last diff.
create function app.missing_evidence(task public.tasks, tier text, evidence jsonb)
  returns text[]
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select coalesce(array_agg(format('%s evidence (%s) for criterion %s: "%s"%s', tier,
        case tier when 'reported' then 'a note or an artifact' when 'observed' then 'a diff, pr or test_report' else 'an artifact that ci added' end, c.at, left(c.text, 120),
        case when best.stale then ' (what there is, is older than the last diff)' else '' end) order by c.at), '{}')
    from unnest(task.acceptance_criteria) with ordinality c (text, at)
    left join lateral (
      select bool_and(g.stale) as stale, max(app.tier_rank(g.tier)) filter (where not g.stale) as rank
      from app.graded_evidence(task, coalesce(evidence, '[]')) g where g.criterion = c.at) best on true
    where coalesce(best.rank, 0) < app.tier_rank(tier));
end
$$;

create function app.guard_artifact(artifact public.artifacts, event public.events, expect jsonb, task public.tasks, project public.projects, role text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_scope jsonb := app.effective_scope(project.rules, task.constraints);
  v_files text[] := app.text_list(event.payload -> 'files');
  v_bad text[];
begin
  if artifact.id is not null then
    perform app.fail('already_exists', format('The artifact %s exists.', artifact.id));
  end if;
  perform app.check_holder(task, event, expect, app.lease_expires_at(task), role);
  if event.payload ->> 'type' <> 'diff' or v_scope is null then
    return;
  end if;
  v_bad := app.out_of_scope(v_scope, v_files);
  if v_bad is not null then
    perform app.fail('scope_violation', format('%s of the files are outside the scope of task %s: %s.', cardinality(v_bad), task.ref, array_to_string(v_bad[:10], ', ')),
      jsonb_build_object('files', to_jsonb(v_bad[:50]), 'scope', v_scope), 'Revert those changes or put them into a task of their own (discovered_from), then add the diff again.');
  elsif cardinality(v_files) > (v_scope ->> 'files_max')::integer or (event.payload ->> 'lines_changed')::integer > (v_scope ->> 'lines_max')::integer then
    perform app.fail('scope_violation', format('The diff has %s files and %s lines; task %s allows %s files and %s lines.', cardinality(v_files),
        coalesce(event.payload ->> 'lines_changed', '?'), task.ref, coalesce(v_scope ->> 'files_max', 'any'), coalesce(v_scope ->> 'lines_max', 'any')),
      jsonb_build_object('scope', v_scope), 'Split the work: a smaller diff here, the rest in a new task.');
  end if;
end
$$;

create function app.evolve_artifact(artifact public.artifacts, event public.events)
  returns public.artifacts
  language plpgsql
  immutable
as $$
begin
  artifact.tenant_id := event.tenant_id;
  artifact.id := app.stream_id(event.stream);
  artifact.project_id := event.project_id;
  artifact.task_id := event.task_id;
  artifact.user_id := event.user_id;
  artifact.type := event.payload ->> 'type';
  artifact.ref := event.payload ->> 'ref';
  artifact.summary := event.payload ->> 'summary';
  artifact.tier := case when event.actor ->> 'client' = 'ci' then 'ci' when artifact.type in ('diff', 'pr', 'test_report') then 'observed' else 'reported' end;
  artifact.files := app.text_list(event.payload -> 'files');
  artifact.lines_changed := (event.payload ->> 'lines_changed')::integer;
  artifact.added_by := app.by(event);
  artifact.version := event.version;
  artifact.created_at := event.created_at;
  return artifact;
end
$$;

create function app.artifact_full(artifact public.artifacts)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select jsonb_strip_nulls(jsonb_build_object('id', artifact.id, 'task', t.ref, 'type', artifact.type, 'ref', artifact.ref, 'summary', artifact.summary,
      'tier', artifact.tier, 'files', nullif(artifact.files, '{}'), 'lines_changed', artifact.lines_changed, 'by', artifact.added_by, 'created_at', artifact.created_at))
    from public.tasks t where t.tenant_id = artifact.tenant_id and t.id = artifact.task_id);
end
$$;

create function app.artifact_text(artifact public.artifacts) returns text language sql stable as $$
  select concat_ws(' ', artifact.type, artifact.ref, artifact.summary)
$$;

create function app.index_artifact(artifact public.artifacts) returns void language sql as $$
  select app.index_text('artifact', artifact.tenant_id, artifact.id, artifact.project_id, app.artifact_text(artifact))
$$;

create function app.apply_artifact(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = ''
as $$
declare
  v_id uuid := app.find_task_id(event.payload ->> 'task', event.tenant_id);
  v_artifact public.artifacts;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = v_id for no key update;
  v_project := app.find_project(v_task.project_id::text, actor);
  select * into v_artifact from public.artifacts a where a.tenant_id = event.tenant_id and a.id = app.stream_id(event.stream);
  event.project_id := v_task.project_id;
  event.task_id := v_task.id;
  event.version := app.next_version(v_artifact.version, expect, 'artifact');
  event.payload := jsonb_set(event.payload, '{task}', to_jsonb(v_task.id));
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

-- list_artifacts(task, cursor?, page_size) -> {artifacts, next_cursor?}, newest first. Raises not_found, invalid_input.
create function public.list_artifacts(task text, cursor text default null, page_size integer default 20, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_task uuid := app.find_task_id(task, v_actor.tenant_id);
  v_size integer := app.page_size(page_size, 100);
  v_after jsonb := app.decode_cursor(cursor, 'artifacts ' || v_task);
  v_found jsonb[];
begin
  select array_agg(app.artifact_full(a) order by a.created_at desc, a.id desc) into v_found from (
    select * from public.artifacts x where x.tenant_id = v_actor.tenant_id and x.task_id = v_task
      and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by x.created_at desc, x.id desc limit v_size + 1) a;
  return app.page('artifacts', v_found, v_size, 'artifacts ' || v_task, '{id}', '{created_at}');
end
$$;
