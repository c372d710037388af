-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.decisions (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid,
  user_id uuid not null,
  title text not null,
  options jsonb not null,
  choice text not null,
  rationale text not null,
  supersedes uuid,
  superseded_by uuid,
  decided_by text not null,
  version bigint not null,
  created_at timestamp with time zone not null,
  constraint decisions_pkey PRIMARY KEY (tenant_id, id),
  constraint decisions_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint decisions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint decisions_options_check CHECK ((jsonb_typeof(options) = 'array'::text))
);
CREATE INDEX idx_decisions_created_at ON public.decisions USING btree (tenant_id, created_at DESC);
CREATE INDEX idx_decisions_project_created ON public.decisions USING btree (project_id, created_at DESC);
CREATE INDEX idx_decisions_project_id ON public.decisions USING btree (project_id);
CREATE INDEX idx_decisions_task_id ON public.decisions USING btree (tenant_id, task_id) WHERE (task_id IS NOT NULL);
CREATE INDEX idx_decisions_user_id ON public.decisions USING btree (user_id);
alter table public.decisions enable row level security;
alter table public.decisions force row level security;
create policy door on public.decisions as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.decisions as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.decisions as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.decisions as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.decisions as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.decisions as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

-- Functions

CREATE OR REPLACE FUNCTION app.decision_brief(decision public.decisions)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', decision.id,
    'title', decision.title,
    'choice', left(decision.choice, 300),
    'superseded_by', decision.superseded_by,
    'created_at', decision.created_at))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.decision_full(decision public.decisions)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.decision_text(decision public.decisions)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select concat_ws(' ', decision.title, decision.choice, decision.rationale, decision.options::text)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_decision(decision public.decisions, event public.events)
 RETURNS public.decisions
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.found_decision(decision public.decisions)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_build_object(
    'title', decision.title,
    'at', decision.created_at,
    'by', decision.decided_by,
    'body', concat_ws(' ', decision.title, decision.choice, decision.rationale))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_decision(event public.events)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_decisions(project text DEFAULT NULL::text, include_superseded boolean DEFAULT false, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_decisions(text,boolean,text,integer,jsonb) to authenticated;
grant execute on function public.list_decisions(text,boolean,text,integer,jsonb) to cairn_server;
grant execute on function public.list_decisions(text,boolean,text,integer,jsonb) to service_role;
grant select on public.decisions to authenticated;
grant delete, insert, select, update on public.decisions to cairn_owner;
