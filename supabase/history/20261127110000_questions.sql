-- What waits for a person, each found by a lookup however much was said: questions that nobody has answered, tasks whose
-- holder's session has ended, tasks that need an approval.

-- The open questions among the events that are in the table. A condition on the payload of an event could use no index
-- beside the policies of `events`, for the operators of jsonb are not leakproof; so what is open is kept.
create table app.unanswered (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  task_id uuid,
  seq bigint not null,
  primary key (tenant_id, id)
);
create index idx_unanswered_project on app.unanswered (tenant_id, project_id, seq);
create index idx_unanswered_task on app.unanswered (tenant_id, task_id, seq) where task_id is not null;
revoke all on table app.unanswered from public, anon, authenticated, service_role;
alter table app.unanswered enable row level security;
alter table app.unanswered force row level security;
grant select, insert, update, delete on table app.unanswered to cairn_owner;
create policy door on app.unanswered for all to cairn_owner
  using (tenant_id = app.tenant()) with check (tenant_id = app.tenant());
create policy reach on app.unanswered as restrictive for all to cairn_owner
  using (app.reaches(project_id)) with check (app.reaches(project_id));

-- What the log says is open. The door stores what a note answers by its id, however it was named.
create function app.unanswered_in_log(tenant_id uuid) returns setof app.unanswered
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select q.tenant_id, q.id, q.project_id, q.task_id, q.seq from public.events q
    where q.tenant_id = unanswered_in_log.tenant_id and q.event_type in ('task.noted', 'project.noted')
      and q.payload ->> 'kind' = 'question'
  except
  select q.tenant_id, q.id, q.project_id, q.task_id, q.seq from public.events a
    join public.events q on q.tenant_id = a.tenant_id and q.id = app.as_uuid(a.payload ->> 'answers')
    where a.tenant_id = unanswered_in_log.tenant_id and a.event_type in ('task.noted', 'project.noted')
$$;

create function app.rebuild_unanswered(tenant_id uuid) returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  delete from app.unanswered u using (
      select * from app.unanswered x where x.tenant_id = rebuild_unanswered.tenant_id
      except select * from app.unanswered_in_log(rebuild_unanswered.tenant_id)) wrong
    where u.tenant_id = wrong.tenant_id and u.id = wrong.id;
  insert into app.unanswered
    select * from app.unanswered_in_log(rebuild_unanswered.tenant_id)
    except select * from app.unanswered x where x.tenant_id = rebuild_unanswered.tenant_id;
$$;

create function app.keep_unanswered() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.unanswered u where u.tenant_id = new.tenant_id and u.id = app.as_uuid(new.payload ->> 'answers');
  if new.payload ->> 'kind' = 'question' then
    insert into app.unanswered (tenant_id, id, project_id, task_id, seq)
      values (new.tenant_id, new.id, new.project_id, new.task_id, new.seq);
  end if;
  return null;
end
$$;
create trigger events_keep_unanswered after insert on public.events for each row
  when (new.event_type in ('task.noted', 'project.noted')) execute function app.keep_unanswered();

-- The open questions of a task, else of a project, the latest first, from before a position on.
drop function app.open_questions(public.projects, integer);
create function app.open_questions(tenant_id uuid, project_id uuid, task_id uuid, before_seq bigint, size integer)
  returns setof public.events
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_seqs bigint[];
begin
  if open_questions.task_id is not null then
    v_seqs := array(select u.seq from app.unanswered u
      where u.tenant_id = open_questions.tenant_id and u.task_id = open_questions.task_id and u.seq < before_seq
      order by u.seq desc limit size);
  else
    v_seqs := array(select u.seq from app.unanswered u
      where u.tenant_id = open_questions.tenant_id and u.project_id = open_questions.project_id and u.seq < before_seq
      order by u.seq desc limit size);
  end if;
  return query select e.* from unnest(v_seqs) s (seq)
    cross join lateral (
      select x.* from public.events x where x.tenant_id = open_questions.tenant_id and x.seq = s.seq offset 0) e
    order by s.seq desc;
end
$$;

-- How many there are, up to a thousand.
create function app.count_open_questions(tenant_id uuid, project_id uuid, task_id uuid) returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if count_open_questions.task_id is not null then
    return (select count(*) from (select from app.unanswered u where u.tenant_id = count_open_questions.tenant_id
      and u.task_id = count_open_questions.task_id limit 1000) q);
  end if;
  return (select count(*) from (select from app.unanswered u where u.tenant_id = count_open_questions.tenant_id
    and u.project_id = count_open_questions.project_id limit 1000) q);
end
$$;

-- list_questions(project?, task?, cursor?, page_size) -> {questions, open, next_cursor?}: the open ones of the task, or
-- of the project, the latest first, each with all of its text. `open` counts them, up to a thousand.
create function public.list_questions(project text default null, task text default null, cursor text default null,
    page_size integer default 10, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_task uuid := case when task is not null then app.find_task_id(task, v_actor.tenant_id) end;
  v_project uuid := case when task is null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 20);
  v_question text := md5(concat_ws(' ', 'questions', v_task, v_project));
  v_before bigint := coalesce((app.decode_cursor(cursor, v_question) ->> 'seq')::bigint, 9223372036854775807);
  v_found public.events[] := array(
    select q from app.open_questions(v_actor.tenant_id, v_project, v_task, v_before, v_size + 1) q);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'questions', (
      select coalesce(jsonb_agg(app.event_brief(app.upcast(e),
          (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          || jsonb_build_object('text', (app.upcast(e)).payload ->> 'text') order by e.seq desc), '[]')
      from unnest(v_found[:v_size]) e),
    'open', app.count_open_questions(v_actor.tenant_id, v_project, v_task),
    'next_cursor', case when cardinality(v_found) > v_size
      then app.encode_cursor(jsonb_build_object('of', v_question, 'seq', (v_found[v_size]).seq)) end));
end
$$;

-- Tasks in progress whose holder's session has ended, whoever that was.
create function app.left_tasks(project public.projects, size integer) returns setof public.tasks
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select t.* from public.task_leases l
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = l.tenant_id and x.id = l.task_id and x.lock_token = l.lock_token offset 0) t
  where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at > app.now()
    and l.session_ended_at is not null and t.status = 'in_progress'
  order by t.locked_at limit size
$$;

-- Tasks that a gate keeps from being completed, or claimed, until a person approves.
create function app.unapproved_tasks(project public.projects, size integer) returns setof public.tasks
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_gate jsonb;
  v_complete jsonb := '[]';
  v_claim jsonb := '[]';
begin
  for v_gate in select g from jsonb_array_elements(project.rules -> 'gates') g where g -> 'require' ? 'approval' loop
    if v_gate ->> 'on' = 'complete' then
      v_complete := v_complete || v_gate;
    elsif v_gate ->> 'on' = 'claim' then
      v_claim := v_claim || v_gate;
    end if;
  end loop;
  if v_complete <> '[]' then
    return query select t.* from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'in_progress'
        and t.approved_at is null
        and exists (select from jsonb_array_elements(v_complete) g where app.meets(g -> 'when', '{}', t.priority))
      order by t.number limit size;
  end if;
  if v_claim <> '[]' then
    return query select t.* from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0 and t.approved_at is null
        and exists (select from jsonb_array_elements(v_claim) g where app.meets(g -> 'when', '{}', t.priority))
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size;
  end if;
end
$$;

-- list_needs(project?) -> {left, left_count, unapproved, unapproved_count}: tasks that stand still until a person does
-- something. The first five of each, and how many there are, up to a thousand.
create function public.list_needs(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_left public.tasks[] := array(select t from app.left_tasks(v_project, 1000) t);
  v_unapproved public.tasks[] := array(select t from app.unapproved_tasks(v_project, 1000) t limit 1000);
begin
  return jsonb_build_object(
    'left', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from unnest(v_left[:5]) t),
    'left_count', cardinality(v_left),
    'unapproved', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from unnest(v_unapproved[:5]) t),
    'unapproved_count', cardinality(v_unapproved));
end
$$;

-- The latest five of the open questions, and how many there are where that is more.
create or replace function public.resume_project(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_checkpoint public.checkpoints := app.latest_checkpoint(v_project);
  v_questions public.events[] := array(
    select q from app.open_questions(v_project.tenant_id, v_project.id, null, 9223372036854775807, 6) q);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project),
    'checkpoint', case when v_checkpoint.id is not null
      then app.checkpoint_full(v_checkpoint, v_project.slug) - 'snapshot' end,
    'since', app.changes_since(v_project, coalesce(app.checkpoint_position(v_checkpoint), 0)),
    'mine', app.own_locks(v_project, v_actor, actor ->> 'worker' is not null),
    'left', app.left_locks(v_project, v_actor),
    'in_progress', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'blocked', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'blocked', 5) t),
    'ready', (select jsonb_agg(app.task_brief(t)) from app.ready_tasks(v_project, '{}', v_actor, null, 5) t),
    'questions', (
      select jsonb_agg(app.event_brief(app.upcast(e),
        (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id)))
      from unnest(v_questions[:5]) e),
    'questions_open', case when cardinality(v_questions) > 5
      then app.count_open_questions(v_project.tenant_id, v_project.id, null) end,
    'decisions', (
      select jsonb_agg(app.decision_brief(d))
      from (
        select * from public.decisions x
        where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null
        order by x.created_at desc limit 5) d),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;

-- Questions among archived events are open no longer.
create or replace function public.archive_events(manifest jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.enter_person(actor, 'owner');
  v_last bigint := (manifest ->> 'last_seq')::bigint;
  v_from bigint := app.check_archiving(v_actor, v_last);
  v_streams text[] := array(select distinct e.stream from public.events e where e.tenant_id = v_actor.tenant_id and e.seq <= v_last);
begin
  if (manifest ->> 'first_seq')::bigint <> v_from + 1 or (manifest ->> 'events')::bigint <> v_last - v_from
      or manifest ->> 'last_hash' is distinct from (select e.hash::text from public.events e where e.tenant_id = v_actor.tenant_id and e.seq = v_last) then
    perform app.fail('invalid_input', format('The file is not of the events %s to %s of this workspace.', v_from + 1, v_last), null, 'Archive again: what was written is written anew.');
  end if;
  insert into app.archived_streams as a (tenant_id, stream, version, seq, project_id, state)
    select v_actor.tenant_id, s.stream, s.version, s.seq, s.project_id, s.state from app.states_at(v_actor.tenant_id, v_last, v_streams) s
    on conflict (tenant_id, stream) do update set version = excluded.version, seq = excluded.seq, state = excluded.state;
  insert into app.archived_chains as a (tenant_id, project_id, hash)
    select distinct on (e.project_id) e.tenant_id, e.project_id, e.hash from public.events e
      where e.tenant_id = v_actor.tenant_id and e.seq <= v_last order by e.project_id, e.seq desc
    on conflict (tenant_id, project_id) do update set hash = excluded.hash;
  insert into app.archives (tenant_id, first_seq, last_seq, events, location, file, sha256, created_at)
    values (v_actor.tenant_id, v_from + 1, v_last, v_last - v_from, manifest ->> 'location', manifest ->> 'file', manifest ->> 'sha256', app.now());
  delete from app.search_documents d using public.events e
    where d.tenant_id = v_actor.tenant_id and d.kind = 'event' and e.tenant_id = d.tenant_id and e.id = d.id and e.seq <= v_last;
  delete from app.unanswered u where u.tenant_id = v_actor.tenant_id and u.seq <= v_last;
  update app.positions p set archived_to = v_last where p.tenant_id = v_actor.tenant_id;
  perform app.remove_events(v_last);
  return jsonb_build_object('archived_to', v_last);
end
$$;

select app.secure_functions();

do $$
declare
  v_tenant uuid;
begin
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    perform app.rebuild_unanswered(v_tenant);
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
end
$$;
