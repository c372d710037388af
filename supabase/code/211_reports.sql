-- Reports: what an investigation found, written in parts until it is complete.

-- What the items of each list of a report hold: {field: [kind, size, whether it is needed, values]}.
create or replace function app.report_items() returns jsonb language sql immutable as $$
  select '{
    "sections": {"title": ["line", 200, true], "content": ["said", 20000, true],
      "type": ["one_of", null, false, ["text", "code"]], "order": ["integer", 9999, false]},
    "findings": {"description": ["said", 4000, true],
      "severity": ["one_of", null, true, ["low", "medium", "high", "critical"]], "evidence": ["text[]", 20, false]},
    "recommendations": {"action": ["said", 2000, true],
      "priority": ["one_of", null, true, ["low", "medium", "high", "critical"]], "rationale": ["text", 4000, false]},
    "attachments": {"name": ["line", 200, true], "type": ["line", 100, false], "url": ["line", 2000, false],
      "content": ["said", 20000, false], "artifact": ["ref", 80, false]}
  }'::jsonb
$$;

-- Tells whether a list has only objects with these fields.
create or replace function app.are_items(items jsonb, fields jsonb) returns boolean language sql immutable as $$
  select not exists (
    select from jsonb_array_elements(items) i
    where case when jsonb_typeof(i) <> 'object' then true
      else i - array(select jsonb_object_keys(fields)) <> '{}'
        or exists (
          select from jsonb_each(fields) f
          where case when i ? f.key
            then not app.validate_field(i -> f.key, f.value ->> 0, (f.value ->> 1)::integer,
              array(select jsonb_array_elements_text(f.value -> 3)))
            else (f.value ->> 2)::boolean end) end)
$$;

-- Adds items to those there are: one with the same name takes the place of the earlier one.
create or replace function app.merge_items(earlier jsonb, added jsonb, name text)
  returns jsonb
  language sql
  immutable
as $$
  with old as (
    select o.item, o.at from jsonb_array_elements(earlier) with ordinality o (item, at)
  ), new as (
    select distinct on (n.item ->> name) n.item, n.at
    from jsonb_array_elements(added) with ordinality n (item, at)
    order by n.item ->> name, n.at desc
  )
  select coalesce(jsonb_agg(x.item order by x.is_new, x.at), '[]')
  from (
    select coalesce(n.item, o.item) as item, false as is_new, o.at
    from old o
    left join new n on n.item ->> name = o.item ->> name
    union all
    select n.item, true, n.at
    from new n
    where not exists (select from old o where o.item ->> name = n.item ->> name)) x
$$;

-- A report of an agent that does one run is of that run; it is for the run's command.
create or replace function app.prepare_report(event public.events, actor app.actor)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
begin
  if event.event_type <> 'report.saved' then
    return event.payload;
  end if;
  v_run := app.find_own_run(event.payload ->> 'run', actor);
  return event.payload
    || jsonb_strip_nulls(jsonb_build_object('run', v_run.id, 'command_id', v_run.command_id,
      'agent_id', v_run.agent_id));
end
$$;

create or replace function app.guard_report(
  report public.investigation_reports,
  event public.events,
  actor app.actor
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_next public.investigation_reports;
  v_excess text;
begin
  if report.id is not null then
    perform app.check_owner(report.user_id, actor, format('The report "%s"', left(report.title, 200)));
  end if;
  if report.completed_at is not null then
    perform app.fail('illegal_transition', format('The report "%s" is complete.', left(report.title, 200)), null,
      'Save what is new as another report: save_report without report.');
  elsif event.event_type = 'report.completed' and coalesce(report.summary, '') = '' then
    perform app.fail('illegal_transition', format('The report "%s" has no summary.', left(report.title, 200)),
      jsonb_build_object('field', 'summary'), 'Give it one: save_report with summary and complete.');
  end if;
  perform app.check_report_items(event.payload);
  if exists (
      select from jsonb_array_elements(event.payload -> 'attachments') a
      where a ? 'artifact' and not exists (
        select from public.artifacts x
        where x.tenant_id = event.tenant_id and x.id = app.as_uuid(a ->> 'artifact'))) then
    perform app.fail('not_found', 'An attachment names no artifact of this workspace.',
      jsonb_build_object('field', 'attachments'), 'get_task shows the ids of a task''s artifacts.');
  end if;
  v_next := app.evolve_report(report, event);
  select string_agg(format('%s %s', l.most, l.name), ', ') into v_excess
    from (values ('sections', 100), ('findings', 500), ('recommendations', 200)) l (name, most)
    where jsonb_array_length(v_next.content -> l.name) > l.most;
  if v_excess is not null or cardinality(v_next.attachments) > 50
      or octet_length(concat(v_next.content, array_to_string(v_next.attachments, ''))) > 1000000 then
    perform app.fail('invalid_input', format('A report has at most %s.',
        coalesce(v_excess, '50 attachments, and 1 MB in all')), null,
      'Shorten it, keep what is long as an artifact and attach that, or begin another report.');
  end if;
end
$$;

-- Refuses items that are none of a report's. Raises invalid_input.
create or replace function app.check_report_items(payload jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_list record;
begin
  for v_list in select f.key as name, f.value as fields, payload -> f.key as items
      from jsonb_each(app.report_items()) f where payload ? f.key loop
    perform app.check_form(v_list.name, app.are_items(v_list.items, v_list.fields),
      format('a list of {%s}', (
        select string_agg(n.key || case when (n.value ->> 2)::boolean then '' else '?' end, ', ')
        from jsonb_each(v_list.fields) n)));
  end loop;
  perform app.check_form('attachments', not exists (
      select from jsonb_array_elements(payload -> 'attachments') a
      where (a ? 'url')::integer + (a ? 'content')::integer + (a ? 'artifact')::integer <> 1
        or a ->> 'url' !~* '^https?://'),
    'each with a url of http or https, a content or an artifact');
end
$$;

create or replace function app.evolve_report(report public.investigation_reports, event public.events)
  returns public.investigation_reports
  language plpgsql
  immutable
as $$
declare
  v_parts constant jsonb := event.payload - 'attachments';
  v_is_anew constant boolean := coalesce((event.payload ->> 'replace')::boolean, false);
begin
  case event.event_type
    when 'report.saved' then
      report := jsonb_populate_record(report, app.begin_row(event) - 'attachments' || '{"status": "draft",
        "content": {"sections": [], "findings": [], "recommendations": [], "metadata": {}}}');
      report.run_id := app.as_uuid(event.payload ->> 'run');
      report.written_by := app.actor_name(event);
    when 'report.changed' then
      report := jsonb_populate_record(report, v_parts);
      report.status := 'in_progress';
      report.changed_by := nullif(app.actor_name(event), report.written_by);
    when 'report.completed' then
      report.status := 'complete';
      report.completed_at := event.created_at;
  end case;
  report.summary := nullif(report.summary, '');
  report.content := report.content || (
    select coalesce(jsonb_object_agg(l.name, app.merge_items(
        case when v_is_anew then '[]' else report.content -> l.name end, event.payload -> l.name, l.key)), '{}')
    from (values ('sections', 'title'), ('findings', 'description'), ('recommendations', 'action')) l (name, key)
    where event.payload ? l.name);
  if event.payload ? 'metadata' then
    report.content := jsonb_set(report.content, '{metadata}', event.payload -> 'metadata');
  end if;
  if event.payload ? 'attachments' then
    report.attachments := nullif(array(select jsonb_array_elements(app.merge_items(
      case when v_is_anew then '[]' else to_jsonb(coalesce(report.attachments, '{}')) end,
      event.payload -> 'attachments', 'name'))), '{}');
  end if;
  report.updated_at := event.created_at;
  report.version := event.version;
  return report;
end
$$;

-- The report of a command: the latest complete one, or else the latest.
create or replace function app.report_of(tenant_id uuid, command_id uuid)
  returns public.investigation_reports
  language sql
  stable
as $$
  select x.* from public.investigation_reports x
  where x.tenant_id = report_of.tenant_id and x.command_id = report_of.command_id
  order by x.completed_at desc nulls last, x.created_at desc, x.id desc limit 1
$$;

-- What lists show of a report, and the whole begins with.
create or replace function app.report_head(report public.investigation_reports, slug text)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', report.id,
    'project', slug,
    'command', report.command_id,
    'run', report.run_id,
    'agent', (select a.name from public.agents a where a.tenant_id = report.tenant_id and a.id = report.agent_id),
    'title', report.title,
    'summary', report.summary,
    'status', report.status,
    'is_latest', case when report.completed_at is not null
      then (app.report_of(report.tenant_id, report.command_id)).id = report.id end,
    'written_by', report.written_by,
    'changed_by', report.changed_by,
    'created_at', report.created_at,
    'updated_at', report.updated_at,
    'completed_at', report.completed_at));
end
$$;

create or replace function app.report_brief(report public.investigation_reports, slug text)
  returns jsonb
  language sql
  stable
as $$
  select app.report_head(report, slug)
    || jsonb_strip_nulls(jsonb_build_object('summary', left(report.summary, 300), 'findings', (
      select jsonb_object_agg(f.severity, f.count)
      from (
        select f ->> 'severity' as severity, count(*) from jsonb_array_elements(report.content -> 'findings') f
        where f ? 'severity' group by 1) f)))
$$;

-- Lists that are empty are left out.
create or replace function app.report_full(report public.investigation_reports, slug text)
  returns jsonb
  language sql
  stable
as $$
  select app.report_head(report, slug)
    || coalesce((
      select jsonb_object_agg(c.key, c.value)
      from jsonb_each(report.content) c
      where c.value not in ('[]', '{}')), '{}')
    || case when report.attachments is null then '{}'
      else jsonb_build_object('attachments', to_jsonb(report.attachments)) end
$$;

create or replace function app.report_text(report public.investigation_reports)
  returns text
  language sql
  stable
as $$
  select concat_ws(' ', report.title, report.summary, (
    select string_agg(t #>> '{}', ' ')
    from jsonb_path_query(report.content, '$.*[*].*') t
    where jsonb_typeof(t) = 'string'), (
    select string_agg(concat_ws(' ', a ->> 'name', a ->> 'content'), ' ') from unnest(report.attachments) a))
$$;

-- Shows a report that a search has found.
create or replace function app.found_report(report public.investigation_reports)
  returns jsonb
  language sql
  stable
as $$
  select jsonb_build_object(
    'title', report.title,
    'at', report.updated_at,
    'by', report.written_by,
    'body', app.report_text(report))
$$;

-- get_report(report?, command?) -> the report in full: that of an id, or that of a command, which is its latest
-- complete one; without both the latest of the workspace. Raises not_found.
create or replace function public.get_report(
  report text default null,
  command text default null,
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
  v_report public.investigation_reports;
begin
  if report is not null then
    select * into v_report from public.investigation_reports x
      where x.tenant_id = v_actor.tenant_id and x.id = app.as_uuid(get_report.report);
  elsif command is not null then
    v_report := app.report_of(v_actor.tenant_id, (app.find_command(command, v_actor)).id);
  else
    select * into v_report from public.investigation_reports x
      where x.tenant_id = v_actor.tenant_id
      order by x.created_at desc, x.id desc limit 1;
  end if;
  if v_report.id is null then
    perform app.fail('not_found', case
      when report is not null then format('There is no report %s in this workspace.', left(report, 80))
      when command is not null then format('The command %s has no report.', left(command, 80))
      else 'There is no report yet.' end, null, 'search with kinds: ["report"] finds reports by their words.');
  end if;
  return app.report_full(v_report, (
    select p.slug from public.projects p where p.tenant_id = v_report.tenant_id and p.id = v_report.project_id));
end
$$;

-- list_reports(project?, agent?, command?, status?, severity?, cursor?, page_size) -> {reports, next_cursor?}, the
-- latest first; with a severity those that have a finding of it. Raises not_found.
create or replace function public.list_reports(
  project text default null,
  agent text default null,
  command text default null,
  status text default null,
  severity text default null,
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
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_agent uuid := case when agent is not null then (app.find_agent(agent, v_actor)).id end;
  v_command uuid := case when command is not null then (app.find_command(command, v_actor)).id end;
  v_finding jsonb := case when severity is not null
    then jsonb_build_object('findings', jsonb_build_array(jsonb_build_object('severity', severity))) end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'reports', v_project, v_agent, v_command, status, severity);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('reports', array(
    select app.report_brief(x, p.slug)
    from public.investigation_reports x
    left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
    where x.tenant_id = v_actor.tenant_id
      and (v_project is null or x.project_id = v_project)
      and (v_agent is null or x.agent_id = v_agent)
      and (v_command is null or x.command_id = v_command)
      and (list_reports.status is null or x.status = list_reports.status)
      and (v_finding is null or x.content @> v_finding)
      and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by x.created_at desc, x.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('report', 'investigation_reports', kept => '{vector_embedding}');
