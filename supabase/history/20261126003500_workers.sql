-- Several workers may share the name of a client, and several processes the name of a session. A live lock is given
-- again to who asks for it in so many words, whatever the name.

-- The process that took a lock, as far as it said which it is. Operational, like all of a lease.
alter table public.task_leases add column process uuid;

-- The process of the caller, as it says; a name that says who knows what, and no right.
create function app.current_process() returns uuid language sql stable
  return nullif(current_setting('app.process', true), '')::uuid;

create or replace function app.enter(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  v_actor.user_id := case when app.caller_is_server() then app.as_uuid(actor ->> 'user_id') else app.signed_in() end;
  if v_actor.user_id is null then
    perform app.fail('unauthenticated', 'Nobody is signed in.', null, 'Sign in, then try again.');
  end if;
  -- An agent whose name nobody can see is still one, and no person.
  v_actor.agent := coalesce(app.clean_name(actor ->> 'agent', 120), case when actor ->> 'agent' <> '' then 'agent' end);
  v_actor.client := app.clean_name(actor ->> 'client', 120);
  v_actor.user_id := set_config('app.user_id', v_actor.user_id::text, true);
  v_actor.tenant_id := app.as_uuid(actor ->> 'tenant_id');
  v_actor.project_id := case when actor ->> 'project_id' is not null
    then coalesce(app.as_uuid(actor ->> 'project_id'), app.nobody()) end;
  if actor ? 'proof' then
    v_actor := app.prove_token(v_actor, actor -> 'proof');
  elsif v_actor.tenant_id is null then
    select m.tenant_id, m.role into v_actor.tenant_id, v_actor.role from public.memberships m
      where m.user_id = v_actor.user_id order by (m.tenant_id = m.user_id) desc, m.created_at limit 1;
    if not found then
      perform app.provision_user(v_actor.user_id,
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email', null);
      v_actor.tenant_id := v_actor.user_id;
      v_actor.role := 'owner';
    end if;
  else
    select m.role into v_actor.role from public.memberships m
      where m.tenant_id = v_actor.tenant_id and m.user_id = v_actor.user_id;
  end if;
  if app.role_rank(v_actor.role) < app.role_rank(role_min) or v_actor.role is null then
    perform app.fail('forbidden',
      format('This needs the role %s in the workspace; you have %s.', role_min, coalesce(v_actor.role, 'none')),
      null, 'Ask an owner of the workspace.');
  end if;
  v_actor.tenant_id := set_config('app.tenant_id', v_actor.tenant_id::text, true);
  v_actor.project_id := nullif(set_config('app.project_id', coalesce(v_actor.project_id::text, ''), true), '');
  perform set_config('app.process', coalesce(app.as_uuid(actor ->> 'process')::text, ''), true);
  return v_actor;
end
$$;

create or replace function app.keep_lease(was public.tasks, task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'task.claimed' then
    insert into public.task_leases (tenant_id, task_id, project_id, lock_token, ttl_seconds, expires_at, process)
      values (task.tenant_id, task.id, task.project_id, task.lock_token, (event.payload ->> 'ttl_seconds')::integer,
        event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer), app.current_process())
      on conflict (tenant_id, task_id) do update set (lock_token, ttl_seconds, expires_at, process)
        = (excluded.lock_token, excluded.ttl_seconds, excluded.expires_at, excluded.process);
  elsif was.status = 'in_progress' and task.status <> 'in_progress' then
    delete from public.task_leases l where l.tenant_id = task.tenant_id and l.task_id = task.id;
  elsif expect ->> 'lock_token' is not null then
    perform app.extend_lease(task, event.created_at);
  end if;
end
$$;

create or replace function app.guard_claim(task public.tasks, event public.events, rules jsonb, expires_at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_takes_over boolean := task.locked_by_user = event.user_id
    and coalesce((event.payload ->> 'take_over')::boolean, false);
  v_waiting text[];
begin
  if task.status = 'in_progress' and expires_at > event.created_at and not v_takes_over then
    perform app.fail('lock_held', format('Task %s is held by %s.', task.ref, app.quoted_name(task.locked_by)),
      jsonb_build_object('locked_by', task.locked_by, 'locked_until', expires_at),
      'Claim another ready task (claim_task without task), or wait until the lock expires. '
        || case when task.locked_by_user = event.user_id then 'Only if that was you, and no other worker or session '
          || 'of yours, take your lock back: pass take_over: true.' else '' end);
  end if;
  if task.status = 'pending' then
    v_waiting := app.waiting_for(task);
    if cardinality(v_waiting) > 0 then
      perform app.fail('illegal_transition',
        format('Task %s is not ready: it waits for %s.', task.ref, array_to_string(v_waiting, '; ')),
        jsonb_build_object('waiting_for', v_waiting),
        'Claim what it waits for, or claim_task without task for the next ready one.');
    end if;
  end if;
  if rules ? 'gates' then
    perform app.check_gates(task, rules, 'claim', event);
  end if;
end
$$;

-- The locks of who asks, with the token of each that it cannot know any more or has asked for by the worker's name:
-- within a process several workers may go by the name of the client, and the token is with the one that claimed.
create function app.own_locks(project public.projects, actor app.actor, is_named boolean)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := coalesce(actor.agent, actor.client, 'user');
  v_process uuid := app.current_process();
begin
  return (
    select jsonb_agg(app.task_brief(t.task) || case when (is_named or t.is_earlier) and t.is_live
        then jsonb_build_object('lock_token', (t.task).lock_token) else '{}' end)
    from (
      select x as task, l.expires_at > app.now() as is_live,
        v_process is null or l.process is distinct from v_process as is_earlier
      from app.tasks_by_status(project, 'in_progress', 100) x
        join public.task_leases l on l.tenant_id = x.tenant_id and l.task_id = x.id and l.lock_token = x.lock_token
      where x.locked_by_user = actor.user_id) t
    where (t.task).locked_by = v_name
      or not is_named and t.is_earlier and starts_with((t.task).locked_by, v_name || '/')
    limit 10);
end
$$;

-- resume_project(project?) -> everything an agent needs to go on, in one call: the latest checkpoint, what changed
-- since, what it holds, who works on what, what is ready, what is open, what was decided.
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
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project),
    'checkpoint', case when v_checkpoint.id is not null
      then app.checkpoint_full(v_checkpoint, v_project.slug) - 'snapshot' end,
    'since', app.changes_since(v_project, coalesce(app.checkpoint_position(v_checkpoint), 0)),
    'mine', app.own_locks(v_project, v_actor, actor ->> 'worker' is not null),
    'in_progress', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'blocked', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'blocked', 5) t),
    'ready', (select jsonb_agg(app.task_brief(t)) from app.ready_tasks(v_project, 5) t),
    'questions', (
      select jsonb_agg(app.event_brief(app.upcast(e),
        (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id)))
      from app.open_questions(v_project, 5) e),
    'decisions', (
      select jsonb_agg(app.decision_brief(d))
      from (
        select * from public.decisions x
        where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null
        order by x.created_at desc limit 5) d),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;

select app.secure_functions();
