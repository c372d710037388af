-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.task_dependencies (
  tenant_id uuid not null,
  task_id uuid not null,
  depends_on uuid not null,
  constraint task_dependencies_pkey PRIMARY KEY (tenant_id, task_id, depends_on),
  constraint task_dependencies_tenant_id_task_id_fkey FOREIGN KEY (tenant_id, task_id) REFERENCES public.tasks(tenant_id, id)
);
CREATE INDEX idx_task_dependencies_depends_on ON app.task_dependencies USING btree (tenant_id, depends_on);
alter table app.task_dependencies enable row level security;
alter table app.task_dependencies force row level security;
create policy door on app.task_dependencies as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table app.task_labels (
  tenant_id uuid not null,
  project_id uuid not null,
  task_id uuid not null,
  label text not null,
  number integer not null,
  priority_rank smallint not null,
  rank_order double precision not null,
  is_ready boolean not null,
  constraint task_labels_pkey PRIMARY KEY (tenant_id, task_id, label),
  constraint task_labels_tenant_id_task_id_fkey FOREIGN KEY (tenant_id, task_id) REFERENCES public.tasks(tenant_id, id) ON DELETE CASCADE
) with (fillfactor=80);
CREATE INDEX idx_task_labels_number ON app.task_labels USING btree (tenant_id, project_id, label, number);
CREATE INDEX idx_task_labels_ready ON app.task_labels USING btree (tenant_id, project_id, label, priority_rank, rank_order, number) WHERE is_ready;
alter table app.task_labels enable row level security;
alter table app.task_labels force row level security;
create policy door on app.task_labels as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy reach on app.task_labels as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

create table app.task_moves (
  event_type text not null,
  from_status text not null,
  to_status text not null,
  constraint task_moves_pkey PRIMARY KEY (event_type, from_status)
);
alter table app.task_moves enable row level security;
alter table app.task_moves force row level security;
create policy read on app.task_moves as permissive for select to cairn_keeper, cairn_owner using (true);

create table app.unanswered (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid,
  seq bigint not null,
  constraint unanswered_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX idx_unanswered_project ON app.unanswered USING btree (tenant_id, project_id, seq);
CREATE INDEX idx_unanswered_task ON app.unanswered USING btree (tenant_id, task_id, seq) WHERE (task_id IS NOT NULL);
alter table app.unanswered enable row level security;
alter table app.unanswered force row level security;
create policy door on app.unanswered as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy reach on app.unanswered as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

create table public.tasks (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null,
  created_by text not null,
  number integer not null,
  ref text not null,
  title text not null,
  description text default ''::text not null,
  acceptance_criteria text[] default '{}'::text[] not null,
  constraints jsonb default '{}'::jsonb not null,
  dependencies uuid[] default '{}'::uuid[] not null,
  parent_id uuid,
  discovered_from uuid,
  status text not null,
  priority text not null,
  open_dependencies integer default 0 not null,
  blocked_reason text,
  blocked_by uuid,
  warning text,
  locked_at timestamp with time zone,
  locked_by text,
  locked_by_user uuid,
  lock_token bigint,
  attempts integer default 0 not null,
  last_outcome text,
  last_reason text,
  last_agent text,
  summary text,
  evidence jsonb default '[]'::jsonb not null,
  approved_at timestamp with time zone,
  completed_at timestamp with time zone,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  open_parts integer default 0,
  labels text[] default '{}'::text[] not null,
  rank double precision,
  reviewer text,
  constraint tasks_tenant_id_project_id_number_key UNIQUE (tenant_id, project_id, number),
  constraint tasks_pkey PRIMARY KEY (tenant_id, id),
  constraint tasks_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint tasks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint tasks_check CHECK (((status = 'in_progress'::text) = (lock_token IS NOT NULL))),
  constraint tasks_check1 CHECK (((status = 'in_progress'::text) = (locked_by IS NOT NULL))),
  constraint tasks_check2 CHECK (((status = 'blocked'::text) = (blocked_reason IS NOT NULL))),
  constraint tasks_check3 CHECK (((status = 'completed'::text) = (completed_at IS NOT NULL))),
  constraint tasks_labels_check CHECK ((cardinality(labels) <= 20)),
  constraint tasks_number_check CHECK ((number > 0)),
  constraint tasks_open_dependencies_check CHECK ((open_dependencies >= 0)),
  constraint tasks_open_parts_check CHECK ((open_parts >= 0)),
  constraint tasks_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  constraint tasks_rank_check CHECK (((rank > '-Infinity'::double precision) AND (rank < 'Infinity'::double precision))),
  constraint tasks_reviewer_check CHECK ((reviewer <> ''::text)),
  constraint tasks_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'in_progress'::text, 'blocked'::text, 'completed'::text, 'cancelled'::text])))
) with (fillfactor=80);
CREATE INDEX idx_tasks_locked_at ON public.tasks USING btree (locked_at) WHERE (locked_at IS NOT NULL);
CREATE INDEX idx_tasks_parent ON public.tasks USING btree (tenant_id, parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX idx_tasks_priority ON public.tasks USING btree (priority);
CREATE INDEX idx_tasks_project_status ON public.tasks USING btree (tenant_id, project_id, status, number);
CREATE INDEX idx_tasks_ready ON public.tasks USING btree (tenant_id, project_id, app.priority_rank(priority), app.rank_order(rank), number) WHERE ((status = 'pending'::text) AND (open_dependencies = 0) AND (open_parts = 0));
CREATE INDEX idx_tasks_status ON public.tasks USING btree (status);
CREATE INDEX idx_tasks_unproven ON public.tasks USING btree (tenant_id, project_id, number) WHERE ((status = 'completed'::text) AND (app.unproven_criteria(acceptance_criteria, evidence) IS NOT NULL));
CREATE TRIGGER tasks_change_labels AFTER UPDATE ON public.tasks FOR EACH ROW WHEN ((((old.labels <> '{}'::text[]) OR (new.labels <> '{}'::text[])) AND ((((((((old.labels IS DISTINCT FROM new.labels) OR (old.project_id IS DISTINCT FROM new.project_id)) OR (old.number IS DISTINCT FROM new.number)) OR (old.priority IS DISTINCT FROM new.priority)) OR (old.rank IS DISTINCT FROM new.rank)) OR (old.status IS DISTINCT FROM new.status)) OR (old.open_dependencies IS DISTINCT FROM new.open_dependencies)) OR (old.open_parts IS DISTINCT FROM new.open_parts)))) EXECUTE FUNCTION app.keep_labels();
CREATE TRIGGER tasks_keep_labels AFTER INSERT ON public.tasks FOR EACH ROW WHEN ((new.labels <> '{}'::text[])) EXECUTE FUNCTION app.keep_labels();
alter table public.tasks enable row level security;
alter table public.tasks force row level security;
create policy door on public.tasks as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.tasks as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.tasks as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.tasks as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.tasks as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.tasks as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

-- Rows that are part of the schema

-- app.task_moves: (task.blocked,in_progress,blocked)
-- app.task_moves: (task.blocked,pending,blocked)
-- app.task_moves: (task.cancelled,blocked,cancelled)
-- app.task_moves: (task.cancelled,in_progress,cancelled)
-- app.task_moves: (task.cancelled,pending,cancelled)
-- app.task_moves: (task.claimed,in_progress,in_progress)
-- app.task_moves: (task.claimed,pending,in_progress)
-- app.task_moves: (task.completed,in_progress,completed)
-- app.task_moves: (task.lock_broken,in_progress,pending)
-- app.task_moves: (task.released,in_progress,pending)
-- app.task_moves: (task.reopened,cancelled,pending)
-- app.task_moves: (task.reopened,completed,pending)
-- app.task_moves: (task.returned,blocked,pending)
-- app.task_moves: (task.submitted,in_progress,blocked)
-- app.task_moves: (task.unblocked,blocked,pending)

-- Functions

CREATE OR REPLACE FUNCTION app.count_part(was public.tasks, task public.tasks)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_change record;
  v_ready integer;
begin
  if app.open_part_of(was) is not distinct from app.open_part_of(task) then
    return;
  end if;
  for v_change in select c.parent_id, c.step
      from (values (app.open_part_of(was), -1), (app.open_part_of(task), 1)) c (parent_id, step)
      where c.parent_id is not null
      order by c.parent_id loop
    with changed as (
      update public.tasks t set open_parts = t.open_parts + v_change.step
        where t.tenant_id = task.tenant_id and t.id = v_change.parent_id
        returning t.status, t.open_dependencies, t.open_parts)
    select case when c.open_parts = 0 then 1 when c.open_parts = v_change.step then -1 else 0 end into v_ready
      from changed c where c.status = 'pending' and c.open_dependencies = 0;
    if v_ready <> 0 then
      perform app.count_tasks(task.tenant_id, task.project_id, 'pending', 'pending', 0, v_ready);
    end if;
  end loop;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_task(ref text, tenant_id uuid)
 RETURNS public.tasks
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  -- Not inside the query: where there is no row to compare with it would not be called, and not raise.
  v_id uuid := app.find_task_id(find_task.ref, find_task.tenant_id);
  v_task public.tasks;
begin
  select * into v_task from public.tasks t where t.tenant_id = find_task.tenant_id and t.id = v_id;
  return v_task;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_task_id(ref text, tenant_id uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_id uuid := app.as_uuid(ref);
  v_number text := substring(ref from '-([0-9]{1,9})$');
begin
  if v_id is not null then
    select t.id into v_id from public.tasks t where t.tenant_id = find_task_id.tenant_id and t.id = v_id;
  elsif v_number is not null then
    select t.id into v_id
      from public.projects p
      join public.tasks t on t.tenant_id = p.tenant_id and t.project_id = p.id
      where p.tenant_id = find_task_id.tenant_id
        and p.slug = lower(left(find_task_id.ref, -1 - length(v_number)))
        and t.number = v_number::integer;
  end if;
  if v_id is null then
    perform app.fail('not_found', format('There is no task %s in this workspace.', left(ref, 80)),
      jsonb_build_object('task', left(ref, 80)), 'list_tasks shows the refs there are (web-12).');
  end if;
  return v_id;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_claimable(task public.tasks, expires_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if task.status <> 'in_progress' then
    return app.is_ready(task) = 1;
  elsif expires_at > app.now() or coalesce(task.open_parts, 0) > 0 then
    return false;
  end if;
  -- Given up as often as its project allows, the next claim blocks it.
  return task.attempts + 1 < coalesce((select (p.rules ->> 'attempts_max')::integer from public.projects p
    where p.tenant_id = task.tenant_id and p.id = task.project_id), 2147483647);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_ready(task public.tasks)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select (coalesce(task.status, '') = 'pending'
    and task.open_dependencies = 0
    and coalesce(task.open_parts, 0) = 0)::integer
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_submitted(task public.tasks)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN (((task).status = 'blocked'::text) AND (NOT ((task).last_outcome IS DISTINCT FROM 'submitted'::text)));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lapsed_tasks(project public.projects)
 RETURNS SETOF public.tasks
 LANGUAGE sql
 STABLE
AS $function$
  select t.* from public.leases l
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = l.tenant_id and x.id = l.id and x.lock_token = l.token offset 0) t
  where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id and l.expires_at <= app.now()
    and t.status = 'in_progress' and app.is_claimable(t, l.expires_at)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lease_expires_at(task public.tasks)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if task.lock_token is null then
    return null;
  end if;
  return coalesce((
      select l.expires_at from public.leases l
      where l.tenant_id = task.tenant_id and l.kind = 'task' and l.id = task.id and l.token = task.lock_token),
    task.locked_at + interval '1 hour');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.miscounted_parts(tenant_id uuid)
 RETURNS TABLE(id uuid, live integer, log integer)
 LANGUAGE sql
 STABLE
AS $function$
  select t.id, t.open_parts, coalesce(p.n, 0)
  from public.tasks t left join (
    select c.parent_id, count(*)::integer as n from public.tasks c
    where c.tenant_id = miscounted_parts.tenant_id and app.open_part_of(c) is not null group by c.parent_id) p
    on p.parent_id = t.id
  where t.tenant_id = miscounted_parts.tenant_id and t.open_parts is distinct from coalesce(p.n, 0)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.open_part_of(task public.tasks)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
RETURN CASE WHEN ((task).status <> ALL (ARRAY['completed'::text, 'cancelled'::text])) THEN (task).parent_id ELSE NULL::uuid END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.priority_rank(priority text)
 RETURNS smallint
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select (case priority when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end)::smallint
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rank_order(rank double precision)
 RETURNS double precision
 LANGUAGE sql
 IMMUTABLE
RETURN COALESCE(rank, 'Infinity'::double precision);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.unproven_criteria(criteria text[], evidence jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_answered jsonb[];
begin
  if cardinality(criteria) = 0 then
    return null;
  end if;
  v_answered := array(
    select e.value -> 'criterion' from jsonb_array_elements(evidence) e
    where jsonb_typeof(e.value) = 'object' and e.value ? 'criterion'
      and (e.value ? 'artifact' or e.value ->> 'note' ~ '\S'));
  return (
    select jsonb_agg(c.at order by c.at) from generate_series(1, cardinality(criteria)) c (at)
    where to_jsonb(c.at) <> all (v_answered));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.waiting_for(task public.tasks)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_expires timestamptz;
begin
  case task.status
    when 'pending' then
      if task.open_dependencies = 0 then
        return '{}';
      end if;
      return array(
        select format('%s (%s): %s', d.ref, d.status, d.title) from app.tasks_with(task.tenant_id, task.dependencies) d
        where d.status <> 'completed' order by d.number limit 10);
    when 'in_progress' then
      v_expires := app.lease_expires_at(task);
      if v_expires <= app.now() then
        return '{}';
      end if;
      return array[format('held by %s until %s', app.quoted_name(task.locked_by),
        to_char(v_expires at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))];
    when 'blocked' then return array['blocked: ' || task.blocked_reason];
    else return array['it is ' || task.status];
  end case;
end
$function$;
-- owner cairn_owner

-- Privileges

grant delete, insert, select, update on app.task_dependencies to cairn_owner;
grant delete, insert, select, update on app.task_labels to cairn_owner;
grant select on app.task_moves to cairn_keeper;
grant select on app.task_moves to cairn_owner;
grant delete, insert, select, update on app.unanswered to cairn_owner;
grant select on public.tasks to authenticated;
grant delete, insert, select, update on public.tasks to cairn_owner;
