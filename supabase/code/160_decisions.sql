-- Decisions, and those that a later one supersedes.

create or replace function app.guard_decision(event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_old public.decisions;
begin
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

-- Shows a decision that a search has found.
create or replace function app.found_decision(decision public.decisions) returns jsonb language sql immutable as $$
  select jsonb_build_object(
    'title', decision.title,
    'at', decision.created_at,
    'by', decision.decided_by,
    'body', concat_ws(' ', decision.title, decision.choice, decision.rationale))
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

select app.define_category('decision', 'decisions');
