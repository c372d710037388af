-- Memory: what agents remember across runs, each under a key. A later one supersedes it, and both stay on the record.

-- One at a time for each key: of two, the second sees the first.
create or replace function app.lock_memory_key(tenant_id uuid, subject_id uuid, key text)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', tenant_id, 'memory', subject_id, lower(key)), 0))
$$;

-- The run, agent, project or workspace that a memory is for.
create or replace function app.memory_subject(event public.events) returns uuid language sql immutable as $$
  select case event.payload ->> 'scope'
    when 'run' then app.as_uuid(event.payload ->> 'run')
    when 'agent' then app.as_uuid(event.payload ->> 'agent_id')
    when 'project' then event.project_id
    else event.tenant_id end
$$;

-- The registered agent that the caller works as; null for none.
create or replace function app.own_agent(actor app.actor) returns uuid language sql stable as $$
  select a.id from public.agents a
  where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and lower(a.name) = lower(actor.agent)
    and a.retired_at is null
  order by a.created_at desc limit 1
$$;

create or replace function app.asks_approval(rules jsonb) returns boolean language sql immutable as $$
  select coalesce((rules -> 'memory' ->> 'approval')::boolean, false)
$$;

-- Adds what the database knows of a memory: its run, its agent, its source. It waits for a person where its project
-- asks for that, or where a person has said yes to another of its key.
create or replace function app.prepare_memory(event public.events, project public.projects, actor app.actor)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

create or replace function app.same_memories(tenant_id uuid, subject_id uuid, key text)
  returns setof public.agent_memory
  language sql
  stable
as $$
  select x.* from public.agent_memory x
  where x.tenant_id = same_memories.tenant_id and x.subject_id = same_memories.subject_id
    and lower(x.key) = lower(same_memories.key)
$$;

create or replace function app.guard_memory(memory public.agent_memory, event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- A redacted memory has a key of its own: others with the same blank are not of one key.
create or replace function app.evolve_memory(memory public.agent_memory, event public.events)
  returns public.agent_memory
  language plpgsql
  immutable
as $$
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
$$;

-- Lists what follows for other memories of the same key: a new one supersedes them, one that is only proposed no more
-- than other proposals; what is forgotten leaves its place to the latest before it.
create or replace function app.follow_memory(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

create or replace function app.age_in_days(at timestamptz) returns integer language sql stable as $$
  select greatest(0, floor(extract(epoch from app.now() - at) / 86400))::integer
$$;

-- Shows a memory with its source, its age, and the one that it supersedes.
create or replace function app.memory_full(memory public.agent_memory)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- What a person has not said yes to, or has taken back, is not found.
create or replace function app.memory_text(memory public.agent_memory) returns text language sql stable as $$
  select case when memory.status in ('noted', 'approved') then concat_ws(' ', memory.key, memory.text) else '' end
$$;

-- Shows a memory that a search has found.
create or replace function app.found_memory(memory public.agent_memory) returns jsonb language sql volatile as $$
  select jsonb_build_object(
    'title', concat(memory.kind, ' ', memory.key, case
      when memory.superseded_by is not null then ' (superseded)'
      when memory.expires_at <= app.now() then ' (expired)'
      end),
    'at', memory.created_at,
    'by', memory.noted_by,
    'body', app.memory_text(memory))
$$;

-- Finds what stands of what was remembered for some: the latest of each key, or the one before where that has expired.
create or replace function app.standing_memories(tenant_id uuid, subjects uuid[], at timestamptz)
  returns setof public.agent_memory
  language sql
  stable
as $$
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
$$;

-- Finds all that was remembered and not taken back. An agent is not given what waits for a person, who may say no.
create or replace function app.noted_memories(actor app.actor)
  returns setof public.agent_memory
  language sql
  stable
as $$
  select x.* from public.agent_memory x
  where x.tenant_id = actor.tenant_id
    and (x.status in ('noted', 'approved') or x.status <> 'forgotten' and app.is_person(actor))
$$;

-- Finds the memories that are given to a caller: of the workspace, the project (or all), its agent and the run that it
-- does, or of all where `everything` is wanted. The most relevant come first: those of the tasks that it holds, then
-- those of the narrowest scope, then the youngest; a doubtful one counts as older, by three days for each tenth of
-- doubt.
create or replace function app.given_memories(
  project public.projects,
  actor app.actor,
  chosen jsonb default '{}',
  words tsquery default null
)
  returns table (memory public.agent_memory, place bigint)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- The first memories whose texts fit into so many characters, at least one, each cut to `most`, with the number of the
-- others: {memories, left_out?}. Each counts 90 characters more, for what is told with it.
create or replace function app.fit_memories(memories public.agent_memory[], characters integer, most integer)
  returns jsonb
  language sql
  stable
as $$
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
$$;

-- recall_memories(project?, query?, key?, scope?, kind?, include_all, characters) -> {memories, left_out?}: those that
-- are given, the most relevant first, as many as fit; with include_all also what is superseded, expired, or another's,
-- and for a person what waits for one. Raises not_found, invalid_input.
create or replace function public.recall_memories(
  project text default null,
  query text default null,
  key text default null,
  scope text default null,
  kind text default null,
  include_all boolean default false,
  characters integer default 4000,
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
$$;

-- list_memories(project?, memory?, scope?, kind?, status?, cursor?, page_size) -> {memories, next_cursor?}, the latest
-- first: those that count (not superseded, expired, declined or forgotten); with status `proposed` those that wait for
-- a person, with `all` all; with `memory`, an id, that one and all others of its key. Raises not_found.
create or replace function public.list_memories(
  project text default null,
  memory text default null,
  scope text default null,
  kind text default null,
  status text default null,
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
$$;

-- Finds a memory by its id. Raises not_found.
create or replace function app.find_memory(ref text, actor app.actor)
  returns public.agent_memory
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- decide_memory(memory, decision approved|declined|forgotten) -> the memory: what a person makes of it. Takes the key
-- before the row, as whoever remembers does. Raises not_found, forbidden, illegal_transition.
create or replace function public.decide_memory(memory text, decision text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
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
$$;

select app.define_category('memory', 'agent_memory', triggering => false);
