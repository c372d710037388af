-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.execution_constraints (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  user_id uuid not null,
  name text not null,
  description text,
  time_limit_ms integer,
  token_budget bigint,
  memory_limit_mb integer,
  cpu_limit_percent integer,
  silence_limit_ms integer,
  is_default boolean not null,
  removed_at timestamp with time zone,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint execution_constraints_pkey PRIMARY KEY (tenant_id, id),
  constraint execution_constraints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint execution_constraints_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint execution_constraints_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint execution_constraints_check CHECK (((NOT is_default) OR (removed_at IS NULL))),
  constraint execution_constraints_cpu_limit_percent_check CHECK ((cpu_limit_percent > 0)),
  constraint execution_constraints_memory_limit_mb_check CHECK ((memory_limit_mb > 0)),
  constraint execution_constraints_silence_limit_ms_check CHECK ((silence_limit_ms > 0)),
  constraint execution_constraints_time_limit_ms_check CHECK ((time_limit_ms > 0)),
  constraint execution_constraints_token_budget_check CHECK ((token_budget > 0))
);
CREATE INDEX idx_execution_constraints_listed ON public.execution_constraints USING btree (tenant_id, ((NOT is_default)), lower(name)) WHERE (removed_at IS NULL);
CREATE UNIQUE INDEX idx_execution_constraints_name ON public.execution_constraints USING btree (tenant_id, lower(name)) WHERE (removed_at IS NULL);
CREATE INDEX idx_execution_constraints_project_id ON public.execution_constraints USING btree (project_id);
CREATE INDEX idx_execution_constraints_user_id ON public.execution_constraints USING btree (user_id);
alter table public.execution_constraints enable row level security;
alter table public.execution_constraints force row level security;
create policy door on public.execution_constraints as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.execution_constraints as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.execution_constraints as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.execution_constraints as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.execution_constraints as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.execution_constraints as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.evolve_profile(profile public.execution_constraints, event public.events)
 RETURNS public.execution_constraints
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  case event.event_type
    when 'profile.saved' then
      profile := jsonb_populate_record(profile, '{"is_default": false}' || app.begin_row(event));
      profile.name := case when event.redacted_at is null then profile.name else profile.id::text end;
    when 'profile.changed' then
      profile := jsonb_populate_record(profile, event.payload);
    when 'profile.removed' then
      profile.is_default := false;
      profile.removed_at := event.created_at;
  end case;
  profile.description := nullif(profile.description, '');
  profile.time_limit_ms := nullif(profile.time_limit_ms, 0);
  profile.token_budget := nullif(profile.token_budget, 0);
  profile.memory_limit_mb := nullif(profile.memory_limit_mb, 0);
  profile.cpu_limit_percent := nullif(profile.cpu_limit_percent, 0);
  profile.silence_limit_ms := nullif(profile.silence_limit_ms, 0);
  profile.version := event.version;
  profile.updated_at := event.created_at;
  return profile;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_profile(ref text, actor app.actor)
 RETURNS public.execution_constraints
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_profile public.execution_constraints := app.profile_named(ref, actor.tenant_id);
begin
  if v_profile.id is null then
    perform app.fail('not_found', format('There is no profile %s in this workspace.', app.quoted_name(left(ref, 80))),
      null, 'list_profiles shows their names.');
  end if;
  return v_profile;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_profile(profile public.execution_constraints, event public.events, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_default text;
begin
  perform app.refuse_limited(actor);
  -- It holds all commands that name no other.
  if profile.is_default or (event.payload ->> 'is_default')::boolean then
    perform app.refuse_agent(actor, 'The default profile is decided', 'cairn profiles');
  end if;
  if profile.removed_at is not null then
    perform app.fail('illegal_transition', format('The profile %s was removed.', app.quoted_name(profile.name)), null,
      'Save one of that name anew: save_profile.');
  end if;
  if event.payload ?| '{name,is_default}' then
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', event.tenant_id, 'profile'), 0));
  end if;
  if event.event_type = 'profile.saved' and exists (select from public.execution_constraints x
      where x.tenant_id = event.tenant_id
        and lower(x.name) = lower(event.payload ->> 'name')
        and x.removed_at is null) then
    perform app.fail('already_exists',
      format('There is a profile %s.', app.quoted_name(event.payload ->> 'name')), null,
      'Change that one (save_profile with its name does), or choose another name.');
  end if;
  if (event.payload ->> 'is_default')::boolean then
    select x.name into v_default from public.execution_constraints x
      where x.tenant_id = event.tenant_id and x.is_default and x.id <> app.stream_id(event.stream);
    if found then
      perform app.fail('already_exists', format('The profile %s is the default.', app.quoted_name(v_default)), null,
        'One at most is: save_profile takes it from that one first. Repeat the call.');
    end if;
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.profile_full(profile public.execution_constraints, slug text)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_strip_nulls(to_jsonb(profile) || jsonb_build_object('project', slug))
    - '{tenant_id,project_id,user_id,version}'::text[]
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.profile_named(ref text, tenant_id uuid)
 RETURNS public.execution_constraints
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_profile public.execution_constraints;
begin
  select * into v_profile from public.execution_constraints x
    where x.tenant_id = profile_named.tenant_id and x.id = app.as_uuid(ref) and x.removed_at is null;
  if not found then
    select * into v_profile from public.execution_constraints x
      where x.tenant_id = profile_named.tenant_id and lower(x.name) = lower(ref) and x.removed_at is null;
  end if;
  return v_profile;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_profiles(project text DEFAULT NULL::text, profile text DEFAULT NULL::text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'profiles', v_project);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found jsonb[];
begin
  if profile is not null then
    v_found := array(
      select app.profile_full(x, p.slug)
      from app.profile_named(profile, v_actor.tenant_id) x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.id is not null);
  else
    v_found := array(
      select app.profile_full(x, p.slug)
      from public.execution_constraints x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and x.removed_at is null
        and (v_project is null or x.project_id is null or x.project_id = v_project)
        and (v_after is null or (not x.is_default, lower(x.name)) > (true, v_after ->> 'name'))
      order by not x.is_default, lower(x.name) limit v_size + 1);
  end if;
  return jsonb_strip_nulls(jsonb_build_object('profiles', to_jsonb(v_found[:v_size]),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(
      jsonb_build_object('of', v_question, 'name', case when (v_found[v_size] -> 'is_default')::boolean then ''
        else lower(v_found[v_size] ->> 'name') end)) end));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_profiles(text,text,text,integer,jsonb) to authenticated;
grant execute on function public.list_profiles(text,text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_profiles(text,text,text,integer,jsonb) to service_role;
grant select on public.execution_constraints to authenticated;
grant delete, insert, select, update on public.execution_constraints to cairn_owner;
