-- Questions that are open.

-- Lists the questions that the log has as open. The door stores the id of the note that an answer names in any way.
create or replace function app.unanswered_in_log(tenant_id uuid) returns setof app.unanswered
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

create or replace function app.rebuild_unanswered(tenant_id uuid) returns void
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

create or replace function app.keep_unanswered() returns trigger
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

-- Counts the open questions, up to a thousand.
create or replace function app.count_open_questions(tenant_id uuid, project_id uuid, task_id uuid) returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if count_open_questions.task_id is not null then
    return (
      select count(*)
      from (
        select from app.unanswered u
        where u.tenant_id = count_open_questions.tenant_id and u.task_id = count_open_questions.task_id
        limit 1000) q);
  end if;
  return (
    select count(*)
    from (
      select from app.unanswered u
      where u.tenant_id = count_open_questions.tenant_id and u.project_id = count_open_questions.project_id
      limit 1000) q);
end
$$;

-- list_questions(project?, task?, cursor?, page_size) -> {questions, open, next_cursor?}: the open ones of the task, or
-- of the project, the latest first, each with its full text. `open` counts them, up to a thousand.
create or replace function public.list_questions(
  project text default null,
  task text default null,
  cursor text default null,
  page_size integer default 10,
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
      select coalesce(jsonb_agg(app.event_brief(app.upcast_event(e),
          (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id))
          || jsonb_build_object('text', (app.upcast_event(e)).payload ->> 'text')
        order by e.seq desc), '[]')
      from unnest(v_found[:v_size]) e),
    'open', app.count_open_questions(v_actor.tenant_id, v_project, v_task),
    'next_cursor', case when cardinality(v_found) > v_size
      then app.encode_cursor(jsonb_build_object('of', v_question, 'seq', (v_found[v_size]).seq)) end));
end
$$;

select app.define_on_tables($triggers$
  create trigger events_keep_unanswered after insert on public.events for each row
    when (new.event_type in ('task.noted', 'project.noted')) execute function app.keep_unanswered();
$triggers$);
