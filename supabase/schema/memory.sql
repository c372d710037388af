-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.agent_memory (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  task_id uuid,
  run_id uuid,
  user_id uuid not null,
  scope text not null,
  subject_id uuid not null,
  kind text not null,
  key text not null,
  text text not null,
  confidence double precision not null,
  source_event_id uuid,
  noted_by text not null,
  status text not null,
  decided_by text,
  decided_at timestamp with time zone,
  superseded_by uuid,
  expires_at timestamp with time zone,
  version bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint agent_memory_pkey PRIMARY KEY (tenant_id, id),
  constraint agent_memory_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint agent_memory_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint agent_memory_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES public.agent_runs(tenant_id, id),
  constraint agent_memory_tenant_id_task_id_fkey FOREIGN KEY (tenant_id, task_id) REFERENCES public.tasks(tenant_id, id),
  constraint agent_memory_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint agent_memory_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
  constraint agent_memory_kind_check CHECK ((kind = ANY (ARRAY['fact'::text, 'preference'::text, 'procedure'::text, 'hypothesis'::text]))),
  constraint agent_memory_scope_check CHECK ((scope = ANY (ARRAY['run'::text, 'agent'::text, 'project'::text, 'workspace'::text]))),
  constraint agent_memory_status_check CHECK ((status = ANY (ARRAY['noted'::text, 'proposed'::text, 'approved'::text, 'declined'::text, 'forgotten'::text])))
);
CREATE INDEX idx_agent_memory_created ON public.agent_memory USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX idx_agent_memory_project_id ON public.agent_memory USING btree (project_id);
CREATE INDEX idx_agent_memory_run_id ON public.agent_memory USING btree (tenant_id, run_id) WHERE (run_id IS NOT NULL);
CREATE INDEX idx_agent_memory_standing ON public.agent_memory USING btree (tenant_id, subject_id) WHERE ((superseded_by IS NULL) AND (status = ANY (ARRAY['noted'::text, 'approved'::text])));
CREATE INDEX idx_agent_memory_subject_id ON public.agent_memory USING btree (tenant_id, subject_id, lower(key));
CREATE INDEX idx_agent_memory_superseded_by ON public.agent_memory USING btree (tenant_id, superseded_by) WHERE (superseded_by IS NOT NULL);
CREATE INDEX idx_agent_memory_task_id ON public.agent_memory USING btree (tenant_id, task_id) WHERE (task_id IS NOT NULL);
CREATE INDEX idx_agent_memory_user_id ON public.agent_memory USING btree (user_id);
alter table public.agent_memory enable row level security;
alter table public.agent_memory force row level security;
create policy door on public.agent_memory as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.agent_memory as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.agent_memory as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.agent_memory as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.agent_memory as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.agent_memory as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.age_in_days(at timestamp with time zone)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
  select greatest(0, floor(extract(epoch from app.now() - at) / 86400))::integer
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.asks_approval(rules jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select coalesce((rules -> 'memory' ->> 'approval')::boolean, false)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_memory(memory public.agent_memory, event public.events)
 RETURNS public.agent_memory
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  case event.event_type
    when 'memory.remembered' then
      memory := jsonb_populate_record(memory, '{"kind": "fact", "status": "noted"}' || app.begin_row(event));
      memory.key := case when event.redacted_at is null then memory.key else memory.id::text end;
      memory.run_id := app.as_uuid(event.payload ->> 'run');
      memory.subject_id := app.memory_subject(event);
      memory.confidence := coalesce(memory.confidence, case memory.kind when 'hypothesis' then 0.5 else 0.8 end);
      memory.noted_by := app.actor_name(event);
      memory.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
    when 'memory.superseded' then
      memory.superseded_by := app.as_uuid(event.payload ->> 'by');
    when 'memory.restored' then
      memory.superseded_by := null;
    when 'memory.approved', 'memory.declined', 'memory.forgotten' then
      memory.status := split_part(event.event_type, '.', 2);
      memory.decided_by := app.actor_name(event);
      memory.decided_at := event.created_at;
  end case;
  memory.updated_at := event.created_at;
  memory.version := event.version;
  return memory;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_memory(ref text, actor app.actor)
 RETURNS public.agent_memory
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_memory public.agent_memory;
begin
  select * into v_memory from public.agent_memory x where x.tenant_id = actor.tenant_id and x.id = app.as_uuid(ref);
  if v_memory.id is null then
    perform app.fail('not_found', format('There is no memory %s in this workspace.', left(ref, 80)), null,
      '`cairn memory list --all` shows the ids.');
  end if;
  return v_memory;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.fit_memories(memories public.agent_memory[], characters integer, most integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  with sized as (
    select m.memory, m.at, sum(90 + length((m.memory).key) + least(length((m.memory).text), most))
      over (order by m.at) as size
    from (select memories[i] as memory, i as at from generate_subscripts(memories, 1) i) m
  )
  select jsonb_strip_nulls(jsonb_build_object(
    'memories', coalesce(jsonb_agg(app.memory_full(s.memory)
        || jsonb_build_object('text', left((s.memory).text, most)) order by s.at)
      filter (where s.size <= characters or s.at = 1), '[]'),
    'left_out', nullif(count(*) filter (where s.size > characters and s.at > 1), 0)))
  from sized s
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_memory(event public.events)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_memory public.agent_memory;
begin
  if event.event_type not in ('memory.remembered', 'memory.approved', 'memory.forgotten') then
    return '{}';
  end if;
  select * into v_memory from public.agent_memory x
    where x.tenant_id = event.tenant_id and x.id = app.stream_id(event.stream);
  if event.event_type = 'memory.forgotten' then
    return array(
      select jsonb_build_object('stream', 'memory:' || x.id, 'type', 'memory.restored')
      from app.same_memories(event.tenant_id, v_memory.subject_id, v_memory.key) x
      where x.status in ('noted', 'approved') and x.superseded_by is not null and v_memory.superseded_by is null
        and not exists (
          select from app.same_memories(event.tenant_id, v_memory.subject_id, v_memory.key) y
          where y.status in ('noted', 'approved') and y.superseded_by is null)
      order by x.created_at desc, x.id desc limit 1);
  end if;
  return array(
    select jsonb_build_object('stream', 'memory:' || x.id, 'type', 'memory.superseded',
      'data', jsonb_build_object('by', v_memory.id))
    from app.same_memories(event.tenant_id, v_memory.subject_id, v_memory.key) x
    where x.id <> v_memory.id and x.superseded_by is null
      and x.status in ('noted', 'approved', 'proposed')
      and (v_memory.status <> 'proposed' or x.status = 'proposed')
    order by x.id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.found_memory(memory public.agent_memory)
 RETURNS jsonb
 LANGUAGE sql
AS $function$
  select jsonb_build_object(
    'title', concat(memory.kind, ' ', memory.key, case
      when memory.superseded_by is not null then ' (superseded)'
      when memory.expires_at <= app.now() then ' (expired)'
      end),
    'at', memory.created_at,
    'by', memory.noted_by,
    'body', app.memory_text(memory))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.given_memories(project public.projects, actor app.actor, chosen jsonb DEFAULT '{}'::jsonb, words tsquery DEFAULT NULL::tsquery)
 RETURNS TABLE(memory public.agent_memory, place bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_everything constant boolean := coalesce((chosen ->> 'everything')::boolean, false);
  v_subjects uuid[] := array_remove(array[actor.tenant_id, app.own_agent(actor), (app.own_active_run(actor)).id], null)
    || case when project.id is not null then array[project.id]
      else array(select p.id from public.projects p where p.tenant_id = actor.tenant_id) end;
  v_tasks uuid[] := array(
    select t.id from app.tasks_by_status(project, 'in_progress', 100) t
    where t.locked_by_user = actor.user_id
      and (t.locked_by = app.actor_name(actor) or starts_with(t.locked_by, app.actor_name(actor) || '/')));
  v_reach constant tsquery := format('''=t%s'' & ''=kmemory''', actor.tenant_id)::tsquery;
  v_found uuid[] := case when words is not null then array(
    select s.id from app.search_documents s
    where s.words @@ (v_reach && given_memories.words) and s.tenant_id = actor.tenant_id limit 1000) end;
begin
  return query
    select x::public.agent_memory, row_number() over (order by (x.task_id = any (v_tasks)) is true desc,
        array_position('{run,agent,project,workspace}'::text[], x.scope),
        extract(epoch from app.now() - x.created_at) / 86400 + 30 * (1 - x.confidence), x.id desc)
    from (
      select m.* from app.standing_memories(actor.tenant_id, v_subjects, app.now()) m
      left join public.projects p on p.tenant_id = m.tenant_id and p.id = m.project_id
      where not v_everything and (m.status = 'approved' or not app.asks_approval(coalesce(project.rules, p.rules)))
      union all
      select m.* from app.noted_memories(actor) m where v_everything) x
    where (project.id is null or x.project_id is null or x.project_id = project.id)
      and (chosen ->> 'key' is null or lower(x.key) = lower(chosen ->> 'key'))
      and (chosen ->> 'scope' is null or x.scope = chosen ->> 'scope')
      and (chosen ->> 'kind' is null or x.kind = chosen ->> 'kind')
      and (words is null or x.id = any (v_found))
    order by 2 limit 1000;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_memory(memory public.agent_memory, event public.events, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_subject constant uuid := app.memory_subject(event);
begin
  if event.event_type = 'memory.remembered' then
    if (
        select count(*)
        from (
          select from public.agent_memory x
          where x.tenant_id = event.tenant_id and x.subject_id = v_subject
            and x.superseded_by is null and x.status in ('noted', 'proposed', 'approved')
            and lower(x.key) <> lower(event.payload ->> 'key')
          limit 1000) m) = 1000 then
      perform app.fail('rate_limited', format('1000 things are remembered for this %s already.',
        event.payload ->> 'scope'), null,
        'Remember it under a key that is there (recall shows them), or ask a person to forget some: cairn memory.');
    end if;
  elsif event.causation_id is null then
    perform app.refuse_agent(actor, 'What agents remember is decided', 'cairn memory');
    perform app.check_owner(memory.user_id, actor, format('The memory "%s"', left(memory.key, 200)));
    if memory.status in ('declined', 'forgotten') or memory.superseded_by is not null
          and event.event_type <> 'memory.forgotten'
        or event.event_type = 'memory.approved' and memory.status = 'approved'
        or event.event_type = 'memory.declined' and memory.status <> 'proposed' then
      perform app.fail('illegal_transition', format('The memory "%s" is %s.', left(memory.key, 200), case
        when memory.status not in ('declined', 'forgotten') and memory.superseded_by is not null then 'superseded'
        else memory.status end), null, '`cairn memory list --all` shows what there is.');
    end if;
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_memory_key(tenant_id uuid, subject_id uuid, key text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', tenant_id, 'memory', subject_id, lower(key)), 0))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.memory_full(memory public.agent_memory)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', memory.id,
    'scope', memory.scope,
    'kind', memory.kind,
    'key', memory.key,
    'text', memory.text,
    'confidence', memory.confidence,
    'noted_by', memory.noted_by,
    'age_days', app.age_in_days(memory.created_at),
    'run', memory.run_id,
    'project', (select p.slug from public.projects p
      where p.tenant_id = memory.tenant_id and p.id = memory.project_id),
    'task', (select t.ref from public.tasks t where t.tenant_id = memory.tenant_id and t.id = memory.task_id),
    'source', (select e.seq from public.events e
      where e.tenant_id = memory.tenant_id and e.id = memory.source_event_id),
    'status', memory.status,
    'decided_by', memory.decided_by,
    'is_expired', case when memory.expires_at <= app.now() then true end,
    'superseded_by', memory.superseded_by,
    'supersedes', (
      select jsonb_build_object('id', x.id, 'text', left(x.text, 120), 'noted_by', x.noted_by,
        'age_days', app.age_in_days(x.created_at))
      from public.agent_memory x
      where x.tenant_id = memory.tenant_id and x.superseded_by = memory.id
        and x.status in ('noted', 'approved')
      order by x.created_at desc, x.id desc limit 1),
    'expires_at', memory.expires_at,
    'created_at', memory.created_at));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.memory_subject(event public.events)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case event.payload ->> 'scope'
    when 'run' then app.as_uuid(event.payload ->> 'run')
    when 'agent' then app.as_uuid(event.payload ->> 'agent_id')
    when 'project' then event.project_id
    else event.tenant_id end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.memory_text(memory public.agent_memory)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case when memory.status in ('noted', 'approved') then concat_ws(' ', memory.key, memory.text) else '' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.noted_memories(actor app.actor)
 RETURNS SETOF public.agent_memory
 LANGUAGE sql
 STABLE
AS $function$
  select x.* from public.agent_memory x
  where x.tenant_id = actor.tenant_id
    and (x.status in ('noted', 'approved') or x.status <> 'forgotten' and app.is_person(actor))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.own_agent(actor app.actor)
 RETURNS uuid
 LANGUAGE sql
 STABLE
AS $function$
  select a.id from public.agents a
  where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and lower(a.name) = lower(actor.agent)
    and a.retired_at is null
  order by a.created_at desc limit 1
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.prepare_memory(event public.events, project public.projects, actor app.actor)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_run public.agent_runs;
begin
  if event.event_type <> 'memory.remembered' then
    return event.payload;
  end if;
  v_run := app.find_own_run(event.payload ->> 'run', actor);
  event.payload := event.payload - 'source' || jsonb_strip_nulls(jsonb_build_object('run', v_run.id,
    'agent_id', app.own_agent(actor), 'source_event_id', case when event.payload ? 'source'
      then (app.find_event(event.payload ->> 'source', actor)).id end));
  perform app.check_form('scope', app.memory_subject(event) is not null,
    case event.payload ->> 'scope' when 'run' then 'another: you do no run, and none is named'
      when 'agent' then 'another: you are registered with next_command or a runner alone'
      else 'of a project that is named' end);
  if event.payload ->> 'scope' = 'workspace' then
    perform app.refuse_limited(actor);
    perform app.check_form('project', event.project_id is null, 'left out for what the whole workspace remembers');
  end if;
  perform app.lock_memory_key(event.tenant_id, app.memory_subject(event), event.payload ->> 'key');
  return event.payload || jsonb_build_object('status', case
    when app.asks_approval(project.rules) or exists (
      select from app.same_memories(event.tenant_id, app.memory_subject(event), event.payload ->> 'key') x
      where x.status = 'approved' and x.superseded_by is null) then 'proposed'
    else 'noted' end);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.same_memories(tenant_id uuid, subject_id uuid, key text)
 RETURNS SETOF public.agent_memory
 LANGUAGE sql
 STABLE
AS $function$
  select x.* from public.agent_memory x
  where x.tenant_id = same_memories.tenant_id and x.subject_id = same_memories.subject_id
    and lower(x.key) = lower(same_memories.key)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.standing_memories(tenant_id uuid, subjects uuid[], at timestamp with time zone)
 RETURNS SETOF public.agent_memory
 LANGUAGE sql
 STABLE
AS $function$
  with recursive latest as (
    select x.* from public.agent_memory x
    where x.tenant_id = $1 and x.subject_id = any (subjects) and x.superseded_by is null
      and x.status in ('noted', 'approved')
    union all
    select x.* from latest l
    join public.agent_memory x on x.tenant_id = l.tenant_id and x.superseded_by = l.id
    where l.expires_at <= at and x.status in ('noted', 'approved')
  )
  select l.* from latest l where (l.expires_at <= at) is not true
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.decide_memory(memory text, decision text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_memory public.agent_memory := app.find_memory(memory, v_actor);
begin
  perform app.check_form('decision', decision in ('approved', 'declined', 'forgotten'),
    'approved, declined or forgotten');
  perform app.lock_memory_key(v_memory.tenant_id, v_memory.subject_id, v_memory.key);
  perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'memory:' || v_memory.id,
    'type', 'memory.' || decision, 'verb', true)), v_actor);
  return app.memory_full(app.find_memory(memory, v_actor));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_memories(project text DEFAULT NULL::text, memory text DEFAULT NULL::text, scope text DEFAULT NULL::text, kind text DEFAULT NULL::text, status text DEFAULT NULL::text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
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
  v_memory public.agent_memory := case when memory is not null then app.find_memory(memory, v_actor) end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'memories', v_project, v_memory.id, scope, kind, status);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('memories', array(
    select app.memory_full(x)
    from public.agent_memory x
    where x.tenant_id = v_actor.tenant_id
      and (v_project is null or x.project_id = v_project)
      and (v_memory.id is null or x.subject_id = v_memory.subject_id and lower(x.key) = lower(v_memory.key))
      and (list_memories.scope is null or x.scope = list_memories.scope)
      and (list_memories.kind is null or x.kind = list_memories.kind)
      and (v_memory.id is not null or case list_memories.status
        when 'all' then true
        when 'proposed' then x.status = 'proposed' and x.superseded_by is null
        else x.status in ('noted', 'approved', 'proposed') and x.superseded_by is null
          and (x.expires_at <= app.now()) is not true end)
      and (v_after is null or (x.created_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by x.created_at desc, x.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.recall_memories(project text DEFAULT NULL::text, query text DEFAULT NULL::text, key text DEFAULT NULL::text, scope text DEFAULT NULL::text, kind text DEFAULT NULL::text, include_all boolean DEFAULT false, characters integer DEFAULT 4000, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects;
  v_chosen jsonb := jsonb_build_object('key', key, 'scope', scope, 'kind', kind, 'everything', include_all);
  v_words tsquery := case when query is not null then app.search_query(query) end;
begin
  if coalesce(project, v_actor.project_id::text) is not null then
    v_project := app.find_project(project, v_actor);
  end if;
  perform app.check_number('characters', characters, 200, 100000);
  return app.fit_memories(array(
    select g.memory
    from app.given_memories(v_project, v_actor, v_chosen, v_words) g
    order by g.place), characters, 2000);
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.decide_memory(text,text,jsonb) to authenticated;
grant execute on function public.decide_memory(text,text,jsonb) to cairn_server;
grant execute on function public.decide_memory(text,text,jsonb) to service_role;
grant execute on function public.list_memories(text,text,text,text,text,text,integer,jsonb) to authenticated;
grant execute on function public.list_memories(text,text,text,text,text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_memories(text,text,text,text,text,text,integer,jsonb) to service_role;
grant execute on function public.recall_memories(text,text,text,text,text,boolean,integer,jsonb) to authenticated;
grant execute on function public.recall_memories(text,text,text,text,text,boolean,integer,jsonb) to cairn_server;
grant execute on function public.recall_memories(text,text,text,text,text,boolean,integer,jsonb) to service_role;
grant select on public.agent_memory to authenticated;
grant delete, insert, select, update on public.agent_memory to cairn_owner;
