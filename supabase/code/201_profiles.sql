-- Profiles: limits under a name, for the commands that agents are given.

-- Of two that want a name or to be the default at once, the second waits and then sees the first.
create or replace function app.guard_profile(
  profile public.execution_constraints,
  event public.events,
  actor app.actor
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- A limit of zero is none. A redacted profile has its id for a name: two with the same blank would count as one.
create or replace function app.evolve_profile(profile public.execution_constraints, event public.events)
  returns public.execution_constraints
  language plpgsql
  immutable
as $$
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
$$;

create or replace function app.profile_full(profile public.execution_constraints, slug text)
  returns jsonb
  language sql
  immutable
as $$
  select jsonb_strip_nulls(to_jsonb(profile) || jsonb_build_object('project', slug))
    - '{tenant_id,project_id,user_id,version}'::text[]
$$;

-- Finds a profile of the workspace by its id or its name, in any case; no removed one. Null if there is none.
create or replace function app.profile_named(ref text, tenant_id uuid)
  returns public.execution_constraints
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- The same. Raises not_found.
create or replace function app.find_profile(ref text, actor app.actor)
  returns public.execution_constraints
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_profile public.execution_constraints := app.profile_named(ref, actor.tenant_id);
begin
  if v_profile.id is null then
    perform app.fail('not_found', format('There is no profile %s in this workspace.', app.quoted_name(left(ref, 80))),
      null, 'list_profiles shows their names.');
  end if;
  return v_profile;
end
$$;

-- list_profiles(project?, profile?, cursor?, page_size) -> {profiles, next_cursor?}, the default first, then by name:
-- those for a project and for the whole workspace, or all; with `profile`, an id or name, that one or none.
create or replace function public.list_profiles(
  project text default null,
  profile text default null,
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
$$;

select app.define_category('profile', 'execution_constraints', searched => false, triggering => false);
