-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.agent_sessions (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null,
  snapshot jsonb default '{}'::jsonb not null,
  summary text,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint agent_sessions_pkey PRIMARY KEY (tenant_id, id),
  constraint agent_sessions_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint agent_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id)
);
CREATE INDEX idx_agent_sessions_project_updated ON public.agent_sessions USING btree (project_id, updated_at DESC);
alter table public.agent_sessions enable row level security;
alter table public.agent_sessions force row level security;
create policy door on public.agent_sessions as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.agent_sessions as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.agent_sessions as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.agent_sessions as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.agent_sessions as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.agent_sessions as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

create table public.checkpoints (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null,
  label text not null,
  repo_ref text,
  summary text not null,
  resume_instructions text,
  snapshot jsonb not null,
  saved_by text not null,
  version bigint not null,
  created_at timestamp with time zone not null,
  constraint checkpoints_pkey PRIMARY KEY (tenant_id, id),
  constraint checkpoints_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint checkpoints_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id)
);
CREATE INDEX idx_checkpoints_created_at ON public.checkpoints USING btree (tenant_id, created_at DESC);
CREATE INDEX idx_checkpoints_project_created ON public.checkpoints USING btree (project_id, created_at DESC);
CREATE INDEX idx_checkpoints_project_id ON public.checkpoints USING btree (project_id);
CREATE INDEX idx_checkpoints_user_id ON public.checkpoints USING btree (user_id);
alter table public.checkpoints enable row level security;
alter table public.checkpoints force row level security;
create policy door on public.checkpoints as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.checkpoints as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.checkpoints as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.checkpoints as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.checkpoints as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.checkpoints as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

-- Functions

CREATE OR REPLACE FUNCTION app.changes_since(project public.projects, after_seq bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    with happened as (
      select e.seq, e.event_type, e.task_id, e.stream
      from public.events e
      where e.tenant_id = project.tenant_id and e.project_id = project.id and e.seq > after_seq
      order by e.seq desc limit 500),
    moved as (
      select distinct on (h.task_id) h.task_id, h.event_type, h.seq
      from happened h
      where h.event_type in ('task.created', 'task.claimed', 'task.completed', 'task.blocked', 'task.cancelled',
        'task.reopened', 'task.released', 'task.unblocked')
      order by h.task_id, h.seq desc),
    ranked as (
      select m.task_id,
        case m.event_type when 'task.claimed' then 'started' else replace(m.event_type, 'task.', '') end as change,
        row_number() over (partition by m.event_type order by m.seq desc) as place,
        count(*) over (partition by m.event_type) as n
      from moved m),
    grouped as (
      select r.change, max(r.n) as n, array_agg(app.task_brief(t) order by r.place) as tasks
      from ranked r
      cross join lateral (
        select * from public.tasks x
        where x.tenant_id = project.tenant_id and x.id = r.task_id
        limit 1) t
      where r.place <= 10
      group by r.change)
    select jsonb_strip_nulls(jsonb_build_object(
      'events', (select count(*) from happened),
      'counts', (select jsonb_object_agg(g.change, g.n) from grouped g),
      'tasks', (select jsonb_object_agg(g.change, g.tasks) from grouped g),
      'artifacts', nullif((select count(*) from happened h where h.event_type = 'artifact.added'), 0),
      'decisions', (
        select jsonb_agg(app.decision_brief(d) order by d.created_at desc)
        from public.decisions d
        where d.tenant_id = project.tenant_id
          and d.project_id = project.id
          and d.id in (
            select app.stream_id(h.stream) from happened h
            where h.event_type = 'decision.recorded'
            order by h.seq desc limit 10)),
      'notes', (
        select jsonb_agg(app.event_brief(app.upcast_event(e),
            (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          order by e.seq desc)
        from (
          select * from public.events n
          where n.tenant_id = project.tenant_id
            and n.project_id = project.id
            and n.seq > after_seq
            and n.seq >= (select min(h.seq) from happened h)
            and n.event_type in ('task.noted', 'project.noted')
          order by n.seq desc limit 10) e))));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.checkpoint_brief(checkpoint public.checkpoints)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', checkpoint.id,
    'label', checkpoint.label,
    'repo_ref', checkpoint.repo_ref,
    'position', app.checkpoint_position(checkpoint),
    'by', checkpoint.saved_by,
    'created_at', checkpoint.created_at))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.checkpoint_full(checkpoint public.checkpoints, slug text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select app.checkpoint_brief(checkpoint)
    || jsonb_strip_nulls(jsonb_build_object(
      'project', slug,
      'summary', checkpoint.summary,
      'resume_instructions', checkpoint.resume_instructions,
      'snapshot', checkpoint.snapshot))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.checkpoint_position(checkpoint public.checkpoints)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return coalesce((
      select e.seq from public.events e
      where e.tenant_id = checkpoint.tenant_id and e.stream = 'checkpoint:' || checkpoint.id and e.version = 1),
    (
      select a.seq from app.archived_streams a
      where a.tenant_id = checkpoint.tenant_id and a.stream = 'checkpoint:' || checkpoint.id));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.checkpoint_text(checkpoint public.checkpoints)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select concat_ws(' ', checkpoint.label, checkpoint.summary, checkpoint.resume_instructions)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_checkpoint(checkpoint public.checkpoints, event public.events)
 RETURNS public.checkpoints
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  checkpoint.tenant_id := event.tenant_id;
  checkpoint.id := app.stream_id(event.stream);
  checkpoint.project_id := event.project_id;
  checkpoint.user_id := event.user_id;
  checkpoint.label := event.payload ->> 'label';
  checkpoint.repo_ref := event.payload ->> 'repo_ref';
  checkpoint.summary := event.payload ->> 'summary';
  checkpoint.resume_instructions := event.payload ->> 'resume_instructions';
  checkpoint.snapshot := coalesce(event.payload -> 'snapshot', '{}');
  checkpoint.saved_by := app.actor_name(event);
  checkpoint.version := event.version;
  checkpoint.created_at := event.created_at;
  return checkpoint;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_checkpoint(checkpoint text, project text, actor app.actor)
 RETURNS public.checkpoints
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_checkpoint public.checkpoints;
begin
  if checkpoint is null then
    v_checkpoint := app.latest_checkpoint(app.find_project(project, actor));
  else
    select * into v_checkpoint from public.checkpoints c
      where c.tenant_id = actor.tenant_id and c.id = app.as_uuid(checkpoint);
  end if;
  if v_checkpoint.id is null then
    perform app.fail('not_found',
      coalesce(format('There is no checkpoint %s in this workspace.', left(checkpoint, 80)),
        'The project has no checkpoint yet.'),
      null, 'list_checkpoints shows what there is; save_checkpoint makes one.');
  end if;
  return v_checkpoint;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.found_checkpoint(checkpoint public.checkpoints)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_build_object(
    'title', checkpoint.label,
    'at', checkpoint.created_at,
    'by', checkpoint.saved_by,
    'body', concat_ws(' ', checkpoint.label, checkpoint.summary, checkpoint.resume_instructions))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.latest_checkpoint(project public.projects)
 RETURNS public.checkpoints
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select c.* from public.checkpoints c
  where c.tenant_id = project.tenant_id and c.project_id = project.id
  order by c.created_at desc, c.id desc limit 1
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.note_cut()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object(
    'trigger', true,
    'type', 'project.noted',
    'data', jsonb_build_object(
      'kind', 'risk',
      'text', format(
        'The rules of this project asked for more than %s events after one command. The rest was left out.',
        app.triggered_max())))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.prepare_checkpoint(event public.events, project public.projects)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select event.payload || jsonb_build_object('snapshot',
    coalesce(event.payload -> 'snapshot', '{}') || jsonb_build_object('server', app.take_snapshot(project)))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.take_snapshot(project public.projects)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    select jsonb_build_object(
      'tasks', app.project_brief(project) -> 'tasks',
      'locks', (
        select coalesce(jsonb_agg(jsonb_build_object('task', l.ref, 'by', l.locked_by, 'since', l.locked_at)), '[]')
        from (
          select t.* from public.tasks t
          where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'in_progress'
          order by t.number limit 50) l),
      'position', (select p.seq from app.positions p where p.tenant_id = project.tenant_id)));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.compare_checkpoint(checkpoint text DEFAULT NULL::text, project text DEFAULT NULL::text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_checkpoint public.checkpoints := app.find_checkpoint(checkpoint, project, v_actor);
begin
  return jsonb_build_object(
    'checkpoint', app.checkpoint_brief(v_checkpoint),
    'changed', app.changes_since(app.find_project(v_checkpoint.project_id::text, v_actor),
      app.checkpoint_position(v_checkpoint)),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_checkpoint(checkpoint text DEFAULT NULL::text, project text DEFAULT NULL::text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_checkpoint public.checkpoints := app.find_checkpoint(checkpoint, project, v_actor);
begin
  return app.checkpoint_full(v_checkpoint, (app.find_project(v_checkpoint.project_id::text, v_actor)).slug);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_checkpoints(project text DEFAULT NULL::text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
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
  v_after jsonb := app.decode_cursor(cursor, 'checkpoints ' || v_project);
  v_found jsonb[];
begin
  select array_agg(app.checkpoint_brief(c) order by c.created_at desc, c.id desc) into v_found
    from (
      select * from public.checkpoints x
      where x.tenant_id = v_actor.tenant_id
        and x.project_id = v_project
        and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.created_at desc, x.id desc limit v_size + 1) c;
  return app.build_page('checkpoints', v_found, v_size, 'checkpoints ' || v_project, '{id}', '{created_at}');
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.compare_checkpoint(text,text,jsonb) to authenticated;
grant execute on function public.compare_checkpoint(text,text,jsonb) to cairn_server;
grant execute on function public.compare_checkpoint(text,text,jsonb) to service_role;
grant execute on function public.get_checkpoint(text,text,jsonb) to authenticated;
grant execute on function public.get_checkpoint(text,text,jsonb) to cairn_server;
grant execute on function public.get_checkpoint(text,text,jsonb) to service_role;
grant execute on function public.list_checkpoints(text,text,integer,jsonb) to authenticated;
grant execute on function public.list_checkpoints(text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_checkpoints(text,text,integer,jsonb) to service_role;
grant select on public.agent_sessions to authenticated;
grant delete, insert, select, update on public.agent_sessions to cairn_owner;
grant select on public.checkpoints to authenticated;
grant delete, insert, select, update on public.checkpoints to cairn_owner;
