-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.command_presets (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  user_id uuid not null,
  name text not null,
  description text,
  content text not null,
  type text not null,
  target_agent_types text[],
  variables jsonb not null,
  usage_count integer default 0 not null,
  last_used_at timestamp with time zone,
  removed_at timestamp with time zone,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  content_by text,
  variables_by text,
  constraint command_presets_pkey PRIMARY KEY (tenant_id, id),
  constraint command_presets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint command_presets_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint command_presets_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint command_presets_type_check CHECK ((type = ANY (ARRAY['natural'::text, 'investigate'::text, 'review'::text, 'plan'::text, 'synthesize'::text]))),
  constraint command_presets_variables_check CHECK ((jsonb_typeof(variables) = 'array'::text))
);
CREATE UNIQUE INDEX idx_command_presets_name ON public.command_presets USING btree (tenant_id, lower(name), user_id) WHERE (removed_at IS NULL);
CREATE INDEX idx_command_presets_project_id ON public.command_presets USING btree (project_id);
CREATE INDEX idx_command_presets_usage_count ON public.command_presets USING btree (tenant_id, usage_count DESC, id DESC) WHERE (removed_at IS NULL);
CREATE INDEX idx_command_presets_user_id ON public.command_presets USING btree (user_id);
alter table public.command_presets enable row level security;
alter table public.command_presets force row level security;
create policy door on public.command_presets as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.command_presets as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.command_presets as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.command_presets as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.command_presets as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.command_presets as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.are_variables(variables jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when jsonb_typeof(variables) <> 'array' or jsonb_array_length(variables) > 32 then false
    else not exists (
        select from jsonb_array_elements(variables) v
        where case when jsonb_typeof(v) <> 'object' then true
          else v - '{name,description,default}'::text[] <> '{}'
            or jsonb_typeof(v -> 'name') is distinct from 'string'
            or v ->> 'name' !~ '^[a-z][a-z0-9_]{0,39}$'
            or not app.validate_field(coalesce(v -> 'description', 'null'), 'text', 500, null)
            or v ? 'default' and not app.validate_field(v -> 'default', 'text', 4000, null) end)
      and (select count(distinct v -> 'name') = count(*) from jsonb_array_elements(variables) v) end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_variables(variables jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not app.are_variables(variables) then
    perform app.fail('invalid_input',
      'variables must be a list of at most 32, each {name, description, default?}, and each name once.',
      jsonb_build_object('field', 'variables'),
      'A name has 1 to 40 lower-case letters, digits and _, and begins with a letter.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.count_preset_use(preset public.command_presets)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update public.command_presets x set usage_count = x.usage_count + 1, last_used_at = app.now()
  where x.tenant_id = preset.tenant_id and x.id = preset.id
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_preset(preset public.command_presets, event public.events)
 RETURNS public.command_presets
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  case event.event_type
    when 'preset.saved' then
      preset := jsonb_populate_record(preset,
        '{"type": "natural", "variables": [], "usage_count": 0}' || app.begin_row(event));
      preset.name := case when event.redacted_at is null then preset.name else preset.id::text end;
    when 'preset.changed' then
      preset := jsonb_populate_record(preset, event.payload);
    when 'preset.removed' then
      preset.removed_at := event.created_at;
  end case;
  if event.payload ? 'content' then
    preset.content_by := event.actor ->> 'agent';
  end if;
  if event.payload ? 'variables' then
    preset.variables_by := event.actor ->> 'agent';
  end if;
  preset.description := nullif(preset.description, '');
  preset.target_agent_types := nullif(preset.target_agent_types, '{}');
  preset.version := event.version;
  preset.updated_at := event.created_at;
  return preset;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fill_preset(preset public.command_presets, given jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_names text[] := array(select v ->> 'name' from jsonb_array_elements(preset.variables) v);
  v_values jsonb := (
    select coalesce(jsonb_object_agg(v ->> 'name', coalesce(given ->> (v ->> 'name'), v ->> 'default')), '{}')
    from jsonb_array_elements(preset.variables) v);
  v_missing text[] := array(select n from unnest(v_names) n where v_values ->> n is null);
  v_unknown text := case when jsonb_typeof(given) = 'object'
    then (select k from jsonb_object_keys(given) k where k <> all (v_names) limit 1) end;
  v_details jsonb := jsonb_build_object('field', 'variables', 'allowed', v_names, 'missing', v_missing);
  v_hint text := case when v_names = '{}' then 'It has no variables.'
    else format('Its variables are %s.', array_to_string(v_names, ', ')) end;
  v_used text[] := array(select m[1] from regexp_matches(preset.content, app.variable_pattern(), 'g') m);
begin
  if v_unknown is not null then
    perform app.fail('invalid_input', format('The preset %s has no variable %s.', app.quoted_name(preset.name),
      app.quoted_name(left(v_unknown, 80))), v_details, v_hint);
  elsif v_missing <> '{}' then
    perform app.fail('invalid_input', format('The preset %s needs a value for %s.', app.quoted_name(preset.name),
      array_to_string(v_missing, ', ')), v_details, v_hint);
  end if;
  return (
    select string_agg(x.part || coalesce(v_values ->> v_used[x.at], ''), '' order by x.at)
    from regexp_split_to_table(preset.content, app.variable_pattern()) with ordinality x (part, at));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_preset(ref text, actor app.actor)
 RETURNS public.command_presets
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_preset public.command_presets := app.preset_named(ref, actor);
begin
  if v_preset.id is null then
    perform app.fail('not_found', format('There is no preset %s in this workspace.', app.quoted_name(left(ref, 80))),
      null, 'list_presets shows their names.');
  end if;
  return v_preset;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_preset(preset public.command_presets, event public.events, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_content text := coalesce(event.payload ->> 'content', preset.content);
  v_variables jsonb := coalesce(event.payload -> 'variables', preset.variables, '[]');
  v_undeclared text;
begin
  perform app.refuse_limited(actor);
  if preset.removed_at is not null then
    perform app.fail('illegal_transition', format('The preset %s was removed.', app.quoted_name(preset.name)), null,
      'Save one of that name anew: save_preset.');
  elsif preset.user_id <> event.user_id and app.role_rank(actor.role) < app.role_rank('admin') then
    perform app.fail('forbidden', format('The preset %s is another person''s.', app.quoted_name(preset.name)), null,
      'Save one of your own under that name: save_preset. It is found first.');
  end if;
  perform app.check_variables(v_variables);
  v_undeclared := (
    select m[1] from regexp_matches(v_content, app.variable_pattern(), 'g') m
    where not v_variables @> jsonb_build_array(jsonb_build_object('name', m[1])) limit 1);
  if v_undeclared is not null then
    perform app.fail('invalid_input', format('The content has {{%s}}, which is not declared.', v_undeclared),
      jsonb_build_object('field', 'content', 'variable', v_undeclared),
      'Declare it in variables, as {name, description, default?}, or take it out.');
  end if;
  if event.event_type = 'preset.saved' then
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', event.tenant_id, 'preset', event.user_id), 0));
    if exists (select from public.command_presets x
        where x.tenant_id = event.tenant_id
          and lower(x.name) = lower(event.payload ->> 'name')
          and x.user_id = event.user_id
          and x.removed_at is null) then
      perform app.fail('already_exists',
        format('You have a preset %s.', app.quoted_name(event.payload ->> 'name')), null,
        'Change that one (save_preset with its name does), or choose another name.');
    end if;
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.preset_author(preset public.command_presets)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select coalesce(preset.content_by, case when preset.variables @? '$[*].default' then preset.variables_by end)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.preset_full(preset public.command_presets, slug text, actor app.actor)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return jsonb_strip_nulls(to_jsonb(preset) || jsonb_build_object('project', slug,
      'words_of', app.preset_author(preset),
      'by', case when preset.user_id <> actor.user_id then coalesce(app.user_name(preset.user_id), 'user') end))
    - '{tenant_id,project_id,user_id,version,content_by,variables_by}'::text[];
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.preset_named(ref text, actor app.actor)
 RETURNS public.command_presets
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_preset public.command_presets;
begin
  select * into v_preset from public.command_presets x
    where x.tenant_id = actor.tenant_id and x.id = app.as_uuid(ref) and x.removed_at is null;
  if not found then
    select * into v_preset from public.command_presets x
      where x.tenant_id = actor.tenant_id and lower(x.name) = lower(ref) and x.removed_at is null
      order by x.user_id = actor.user_id desc, x.created_at, x.id limit 1;
  end if;
  return v_preset;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.variable_pattern()
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN '\{\{ *([A-Za-z0-9_-]{1,80}) *\}\}'::text;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_presets(project text DEFAULT NULL::text, preset text DEFAULT NULL::text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
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
  v_question text := concat_ws(' ', 'presets', v_project);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found jsonb[];
begin
  if preset is not null then
    v_found := array(
      select app.preset_full(x, p.slug, v_actor)
      from app.preset_named(preset, v_actor) x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.id is not null);
  else
    v_found := array(
      select app.preset_full(x, p.slug, v_actor)
      from public.command_presets x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and x.removed_at is null
        and (v_project is null or x.project_id is null or x.project_id = v_project)
        and (v_after is null
          or (x.usage_count, x.id) < ((v_after ->> 'number')::integer, (v_after ->> 'id')::uuid))
      order by x.usage_count desc, x.id desc limit v_size + 1);
  end if;
  return jsonb_strip_nulls(jsonb_build_object('presets', to_jsonb(v_found[:v_size]),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(jsonb_build_object(
      'of', v_question, 'id', v_found[v_size] -> 'id', 'number', v_found[v_size] -> 'usage_count')) end));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_presets(text,text,text,integer,jsonb) to authenticated;
grant execute on function public.list_presets(text,text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_presets(text,text,text,integer,jsonb) to service_role;
grant select on public.command_presets to authenticated;
grant delete, insert, select, update on public.command_presets to cairn_owner;
