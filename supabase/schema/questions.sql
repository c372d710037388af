-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.count_open_questions(tenant_id uuid, project_id uuid, task_id uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.keep_unanswered()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  delete from app.unanswered u where u.tenant_id = new.tenant_id and u.id = app.as_uuid(new.payload ->> 'answers');
  if new.payload ->> 'kind' = 'question' then
    insert into app.unanswered (tenant_id, id, project_id, task_id, seq)
      values (new.tenant_id, new.id, new.project_id, new.task_id, new.seq);
  end if;
  return null;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.rebuild_unanswered(tenant_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  delete from app.unanswered u using (
      select * from app.unanswered x where x.tenant_id = rebuild_unanswered.tenant_id
      except select * from app.unanswered_in_log(rebuild_unanswered.tenant_id)) wrong
    where u.tenant_id = wrong.tenant_id and u.id = wrong.id;
  insert into app.unanswered
    select * from app.unanswered_in_log(rebuild_unanswered.tenant_id)
    except select * from app.unanswered x where x.tenant_id = rebuild_unanswered.tenant_id;
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.unanswered_in_log(tenant_id uuid)
 RETURNS SETOF app.unanswered
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select q.tenant_id, q.id, q.project_id, q.task_id, q.seq from public.events q
    where q.tenant_id = unanswered_in_log.tenant_id and q.event_type in ('task.noted', 'project.noted')
      and q.payload ->> 'kind' = 'question'
  except
  select q.tenant_id, q.id, q.project_id, q.task_id, q.seq from public.events a
    join public.events q on q.tenant_id = a.tenant_id and q.id = app.as_uuid(a.payload ->> 'answers')
    where a.tenant_id = unanswered_in_log.tenant_id and a.event_type in ('task.noted', 'project.noted')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_questions(project text DEFAULT NULL::text, task text DEFAULT NULL::text, cursor text DEFAULT NULL::text, page_size integer DEFAULT 10, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_questions(text,text,text,integer,jsonb) to authenticated;
grant execute on function public.list_questions(text,text,text,integer,jsonb) to cairn_server;
grant execute on function public.list_questions(text,text,text,integer,jsonb) to service_role;
