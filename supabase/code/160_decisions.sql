-- Decisions, and those that a later one supersedes.

create or replace function app.guard_decision(decision public.decisions, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_old public.decisions;
begin
  if event.event_type = 'decision.superseded' then
    return;
  end if;
  if decision.id is not null then
    perform app.fail('already_exists', format('The decision %s exists.', decision.id));
  end if;
  if event.payload ? 'supersedes' then
    select * into v_old from public.decisions d
      where d.tenant_id = event.tenant_id and d.id = app.as_uuid(event.payload ->> 'supersedes');
    if v_old.project_id is distinct from event.project_id then
      perform app.fail('not_found',
        format('There is no decision %s in this project.', left(event.payload ->> 'supersedes', 80)), null,
        'list_decisions shows the ids.');
    elsif v_old.superseded_by is not null then
      perform app.fail('illegal_transition', format('The decision "%s" is superseded already.', v_old.title),
        jsonb_build_object('superseded_by', v_old.superseded_by), 'Supersede the later one.');
    end if;
  end if;
end
$$;

create or replace function app.evolve_decision(decision public.decisions, event public.events)
  returns public.decisions
  language plpgsql
  immutable
as $$
begin
  if event.event_type = 'decision.recorded' then
    decision.tenant_id := event.tenant_id;
    decision.id := app.stream_id(event.stream);
    decision.project_id := event.project_id;
    decision.task_id := event.task_id;
    decision.user_id := event.user_id;
    decision.title := event.payload ->> 'title';
    decision.options := coalesce(event.payload -> 'options', '[]');
    decision.choice := event.payload ->> 'choice';
    decision.rationale := event.payload ->> 'rationale';
    decision.supersedes := (event.payload ->> 'supersedes')::uuid;
    decision.decided_by := app.actor_name(event);
    decision.created_at := event.created_at;
  else
    decision.superseded_by := (event.payload ->> 'by')::uuid;
  end if;
  decision.version := event.version;
  return decision;
end
$$;

create or replace function app.decision_brief(decision public.decisions) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', decision.id,
    'title', decision.title,
    'choice', left(decision.choice, 300),
    'superseded_by', decision.superseded_by,
    'created_at', decision.created_at))
$$;

create or replace function app.decision_full(decision public.decisions)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_strip_nulls(jsonb_build_object(
      'id', decision.id,
      'project', p.slug,
      'task', t.ref,
      'title', decision.title,
      'options', decision.options,
      'choice', decision.choice,
      'rationale', decision.rationale,
      'supersedes', decision.supersedes,
      'superseded_by', decision.superseded_by,
      'by', decision.decided_by,
      'created_at', decision.created_at))
    from public.projects p
    left join public.tasks t on t.tenant_id = decision.tenant_id and t.id = decision.task_id
    where p.tenant_id = decision.tenant_id and p.id = decision.project_id);
end
$$;

create or replace function app.decision_text(decision public.decisions) returns text language sql stable as $$
  select concat_ws(' ', decision.title, decision.choice, decision.rationale, decision.options::text)
$$;

create or replace function app.index_decision(decision public.decisions) returns void language sql as $$
  select app.index_text('decision', decision.tenant_id, decision.id, decision.project_id, app.decision_text(decision))
$$;

create or replace function app.apply_decision(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_decision public.decisions;
  v_project public.projects;
begin
  select * into v_decision from public.decisions d
    where d.tenant_id = event.tenant_id and d.id = app.stream_id(event.stream) for no key update;
  if event.payload ->> 'task' is not null then
    event.task_id := app.find_task_id(event.payload ->> 'task', event.tenant_id);
    event.payload := jsonb_set(event.payload, '{task}', to_jsonb(event.task_id));
    v_project := app.find_project((
      select t.project_id::text from public.tasks t
      where t.tenant_id = event.tenant_id and t.id = event.task_id), actor);
  else
    v_project := app.find_project(coalesce(v_decision.project_id::text, event.payload ->> 'project'), actor);
  end if;
  event.project_id := v_project.id;
  event.payload := event.payload - 'project';
  event.version := app.next_version(v_decision.version, expect, 'decision');
  perform app.refuse_archived(v_project);
  perform app.guard_decision(v_decision, event);
  v_decision := app.evolve_decision(v_decision, event);
  insert into public.decisions select v_decision.*
    on conflict (tenant_id, id) do update set (superseded_by, version) = (excluded.superseded_by, excluded.version);
  perform app.index_decision(v_decision);
  return (event, app.decision_full(v_decision), v_project.rules -> 'triggers')::app.applied;
end
$$;

-- list_decisions(project?, include_superseded, cursor?, page_size) -> {decisions, next_cursor?}, newest first.
create or replace function public.list_decisions(
  project text default null,
  include_superseded boolean default false,
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
  v_after jsonb := app.decode_cursor(cursor, 'decisions ' || v_project);
  v_found jsonb[];
begin
  select array_agg(app.decision_full(d) order by d.created_at desc, d.id desc) into v_found
    from (
      select * from public.decisions x
      where x.tenant_id = v_actor.tenant_id
        and x.project_id = v_project
        and (include_superseded or x.superseded_by is null)
        and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.created_at desc, x.id desc limit v_size + 1) d;
  return app.build_page('decisions', v_found, v_size, 'decisions ' || v_project, '{id}', '{created_at}');
end
$$;

select app.declare_event('decision.recorded',
  'project:ref:80', 'task:ref:80', 'title!:line:300', 'options:array:40000', 'choice!:text:2000',
  'rationale!:text:10000', 'supersedes:ref:80');
select app.declare_event('decision.superseded', 'by!:ref:80', 'internal');
