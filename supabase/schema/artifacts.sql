-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.artifacts (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid,
  user_id uuid not null,
  type text not null,
  ref text not null,
  summary text,
  tier text not null,
  files text[] default '{}'::text[] not null,
  lines_changed integer,
  added_by text not null,
  version bigint not null,
  created_at timestamp with time zone not null,
  run_id uuid,
  storage_key text,
  sha256 text,
  size_bytes bigint,
  media_type text,
  constraint artifacts_pkey PRIMARY KEY (tenant_id, id),
  constraint artifacts_tenant_id_task_id_fkey FOREIGN KEY (tenant_id, task_id) REFERENCES public.tasks(tenant_id, id),
  constraint artifacts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint artifacts_check CHECK (((task_id IS NOT NULL) OR (run_id IS NOT NULL))),
  constraint artifacts_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint artifacts_size_bytes_check CHECK ((size_bytes >= 0)),
  constraint artifacts_tier_check CHECK ((tier = ANY (ARRAY['reported'::text, 'observed'::text, 'ci'::text]))),
  constraint artifacts_type_check CHECK ((type = ANY (ARRAY['diff'::text, 'pr'::text, 'test_report'::text, 'document'::text, 'other'::text])))
);
CREATE INDEX idx_artifacts_created_at ON public.artifacts USING btree (tenant_id, created_at DESC);
CREATE INDEX idx_artifacts_run_id ON public.artifacts USING btree (tenant_id, run_id) WHERE (run_id IS NOT NULL);
CREATE INDEX idx_artifacts_task_created ON public.artifacts USING btree (task_id, created_at DESC);
CREATE INDEX idx_artifacts_task_id ON public.artifacts USING btree (task_id);
CREATE INDEX idx_artifacts_type ON public.artifacts USING btree (type);
CREATE INDEX idx_artifacts_user_id ON public.artifacts USING btree (user_id);
alter table public.artifacts enable row level security;
alter table public.artifacts force row level security;
create policy door on public.artifacts as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.artifacts as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.artifacts as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.artifacts as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.artifacts as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.artifacts as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

-- Functions

CREATE OR REPLACE FUNCTION app.artifact_full(artifact public.artifacts)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.artifact_text(artifact public.artifacts)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select concat_ws(' ', artifact.type, artifact.ref, artifact.summary)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evidence_of(tier text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case tier when 'reported' then 'a note or an artifact' when 'observed' then 'a diff, pr or test_report'
    else 'an artifact that ci added' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evidence_wanted(task public.tasks, rules jsonb, event public.events)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_artifact(artifact public.artifacts, event public.events)
 RETURNS public.artifacts
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.finish_artifact(event public.events, expect jsonb, task public.tasks)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if expect ->> 'lock_token' is not null then
    perform app.renew_lease(task, event.created_at);
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.found_artifact(artifact public.artifacts)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object(
    'ref', (select t.ref from public.tasks t where t.tenant_id = artifact.tenant_id and t.id = artifact.task_id),
    'title', artifact.type || ' ' || artifact.ref,
    'at', artifact.created_at,
    'by', artifact.added_by,
    'body', concat_ws(' ', artifact.ref, artifact.summary))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.graded_evidence(task public.tasks, evidence jsonb)
 RETURNS TABLE(criterion bigint, note text, artifact uuid, tier text, stale boolean)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_artifact(event public.events, expect jsonb, task public.tasks, project public.projects, role text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_evidence(evidence jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN (NOT (EXISTS (SELECT FROM jsonb_array_elements(is_evidence.evidence) e(value) WHERE ((jsonb_typeof(e.value) <> 'object'::text) OR CASE WHEN (jsonb_typeof(e.value) = 'object'::text) THEN ((e.value - '{criterion,note,artifact}'::text[]) <> '{}'::jsonb) ELSE NULL::boolean END OR (NOT app.validate_field(COALESCE((e.value -> 'criterion'::text), 'null'::jsonb), 'integer'::text, 50, NULL::text[])) OR ((e.value ? 'note'::text) AND (NOT app.validate_field((e.value -> 'note'::text), 'text'::text, 4000, NULL::text[]))) OR ((e.value ? 'artifact'::text) AND (app.as_uuid((e.value ->> 'artifact'::text)) IS NULL))))));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_unproven(task public.tasks)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
RETURN ((app.list_unproven(task) IS NOT NULL))::integer;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.list_unproven(task public.tasks)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if task.status = 'completed' then
    return app.unproven_criteria(task.acceptance_criteria, task.evidence);
  end if;
  return null;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.missing_evidence(task public.tasks, tier text, evidence jsonb)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.prepare_artifact(event public.events, expect jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.tier_rank(tier text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case tier when 'ci' then 3 when 'observed' then 2 when 'reported' then 1 else 0 end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.with_default_gates(rules jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return '{"gates": [{"on": "complete", "require": {"evidence": "reported"}}]}' || coalesce(rules, '{}');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_artifacts(task text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_artifacts(text,text,integer,jsonb) to authenticated;
grant execute on function public.list_artifacts(text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_artifacts(text,text,integer,jsonb) to service_role;
grant select on public.artifacts to authenticated;
grant delete, insert, select, update on public.artifacts to cairn_owner;
