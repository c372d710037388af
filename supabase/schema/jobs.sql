-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.due_work (
  tenant_id uuid not null,
  kind text not null,
  due_at timestamp with time zone not null,
  constraint due_work_pkey PRIMARY KEY (tenant_id, kind)
);
CREATE INDEX idx_due_work_due_at ON app.due_work USING btree (kind, due_at);
alter table app.due_work enable row level security;
alter table app.due_work force row level security;
create policy across on app.due_work as permissive for select to cairn_owner using ((app.get_tenant_id() = app.get_nil_id()));
create policy door on app.due_work as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy installation on app.due_work as permissive for all to cairn_owner using ((tenant_id = app.get_nil_id())) with check ((tenant_id = app.get_nil_id()));

create table app.jobs (
  tenant_id uuid not null,
  kind text not null,
  every_seconds integer not null,
  settings jsonb default '{}'::jsonb not null,
  next_run_at timestamp with time zone not null,
  paused_at timestamp with time zone,
  token bigint default 0 not null,
  holder text,
  started_at timestamp with time zone,
  lease_expires_at timestamp with time zone,
  last_run_at timestamp with time zone,
  last_outcome text,
  duration_ms bigint,
  error text,
  failures_in_row integer default 0 not null,
  last_succeeded_at timestamp with time zone,
  constraint jobs_pkey PRIMARY KEY (tenant_id, kind),
  constraint jobs_check CHECK (((holder IS NULL) = (lease_expires_at IS NULL))),
  constraint jobs_check1 CHECK (((holder IS NULL) = (started_at IS NULL))),
  constraint jobs_error_check CHECK ((char_length(error) <= 300)),
  constraint jobs_every_seconds_check CHECK (((every_seconds >= 1) AND (every_seconds <= 31622400))),
  constraint jobs_kind_check CHECK ((kind ~ '^[a-z][a-z_]{0,39}$'::text)),
  constraint jobs_last_outcome_check CHECK ((last_outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'lost'::text]))),
  constraint jobs_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text))
);
CREATE TRIGGER jobs_note_due_work AFTER INSERT OR UPDATE ON app.jobs FOR EACH ROW EXECUTE FUNCTION app.note_due_work();
alter table app.jobs enable row level security;
alter table app.jobs force row level security;
create policy door on app.jobs as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy installation on app.jobs as permissive for all to cairn_owner using ((tenant_id = app.get_nil_id())) with check ((tenant_id = app.get_nil_id()));

-- Functions

CREATE OR REPLACE FUNCTION app.end_run(job app.jobs, outcome text, at timestamp with time zone)
 RETURNS app.jobs
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_seconds double precision := job.every_seconds;
begin
  job.holder := null;
  job.started_at := null;
  job.lease_expires_at := null;
  if outcome = 'released' then
    return job;
  end if;
  job.last_outcome := outcome;
  job.failures_in_row := case when outcome = 'succeeded' then 0 else job.failures_in_row + 1 end;
  if outcome <> 'lost' then
    job.last_run_at := at;
    if outcome = 'succeeded' then
      job.last_succeeded_at := at;
    else
      v_seconds := least(v_seconds, 60 * power(2, least(job.failures_in_row, 20) - 1));
    end if;
    job.next_run_at := at + make_interval(secs => v_seconds + random() * least(v_seconds / 20, 60));
  end if;
  return job;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.format_job(job app.jobs, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_strip_nulls(jsonb_build_object(
    'kind', job.kind,
    'workspace', nullif(job.tenant_id, app.get_nil_id()),
    'every_seconds', job.every_seconds,
    'settings', nullif(job.settings, '{}'),
    'next_run_at', job.next_run_at,
    'paused_at', job.paused_at,
    'running_since', case when job.lease_expires_at > at then job.started_at end,
    'last_run_at', job.last_run_at,
    'last_outcome', job.last_outcome,
    'duration_ms', job.duration_ms,
    'error', job.error,
    'failures_in_row', job.failures_in_row,
    'last_succeeded_at', job.last_succeeded_at,
    'overdue', app.is_overdue(job, at)))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_due_at(job app.jobs)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when job.paused_at is null or job.paused_at = job.next_run_at
    then greatest(job.next_run_at, job.lease_expires_at) end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_overdue(job app.jobs, at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select app.get_due_at(job) is not null and least(
    app.get_due_at(job) + make_interval(secs => 300 + job.every_seconds / 10),
    job.started_at + make_interval(secs => 3600 + job.every_seconds)) < at
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_job(actor app.actor, kind text)
 RETURNS app.jobs
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_job app.jobs;
begin
  select * into v_job from app.jobs j
    where j.tenant_id in (actor.tenant_id, app.get_nil_id()) and j.kind = lock_job.kind
    order by j.tenant_id = actor.tenant_id desc limit 1
    for update;
  if not found then
    perform app.fail('not_found', 'There is no such job.', null, '`cairn jobs list` shows those there are.');
  elsif v_job.tenant_id = app.get_nil_id() then
    perform app.refuse_guest(actor, format('changes the job %s, which is of all workspaces', kind), 'cairn jobs');
  end if;
  return v_job;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_run(tenant_id uuid, kind text, token bigint)
 RETURNS app.jobs
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_job app.jobs;
begin
  select * into v_job from app.jobs j
    where j.tenant_id = lock_run.tenant_id and j.kind = lock_run.kind
    for update;
  if v_job.holder is null or v_job.token is distinct from token or v_job.lease_expires_at <= app.now() then
    perform app.fail('lock_lost', format('The run of the job %s is not yours any more.', kind), null,
      'Stop work on it: another may have taken over.');
  end if;
  return v_job;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.note_due_work()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if app.get_due_at(new) is null then
    delete from app.due_work w where w.tenant_id = new.tenant_id and w.kind = new.kind;
  else
    insert into app.due_work as w (tenant_id, kind, due_at) values (new.tenant_id, new.kind, app.get_due_at(new))
      on conflict (tenant_id, kind) do update set due_at = excluded.due_at;
  end if;
  return null;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.store_run(job app.jobs)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update app.jobs j
    set (next_run_at, holder, started_at, lease_expires_at, last_run_at, last_outcome, duration_ms, error,
        failures_in_row, last_succeeded_at)
      = (job.next_run_at, job.holder, job.started_at, job.lease_expires_at, job.last_run_at, job.last_outcome,
        job.duration_ms, job.error, job.failures_in_row, job.last_succeeded_at)
    where j.tenant_id = job.tenant_id and j.kind = job.kind;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.tell_of_run(job app.jobs)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_entered constant text := app.get_tenant_id()::text;
  v_key constant text := 'job_failing ' || job.kind;
  v_told uuid[] := case when job.tenant_id = app.get_nil_id()
    then app.told_workspaces(app.get_local_owner())
    else array[job.tenant_id] end;
  v_workspace uuid;
begin
  if job.failures_in_row >= 3 then
    v_told := v_told[:1];
  elsif job.failures_in_row > 0 then
    return;
  end if;
  foreach v_workspace in array v_told loop
    begin
      perform set_config('app.tenant_id', v_workspace::text, true);
      if job.failures_in_row = 0 then
        perform app.settle_alert(v_key);
      else
        perform app.raise_alert('job_failing', 'high', format('The job %s keeps failing.', job.kind),
          jsonb_build_object('job', job.kind, 'failures', job.failures_in_row, 'error', job.error), v_key);
      end if;
    exception
      -- The whole call is repeated then.
      when deadlock_detected or serialization_failure then
        raise;
      when others then
        null;
    end;
  end loop;
  perform set_config('app.tenant_id', v_entered, true);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.told_workspaces(local_owner uuid)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return array(
    select m.tenant_id from public.memberships m
    where m.role = 'owner'
    group by m.tenant_id
    order by (m.tenant_id = local_owner) desc, min(m.created_at), m.tenant_id limit 2);
end
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION public.change_job(kind text, change text, actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_job app.jobs := app.lock_job(v_actor, kind);
  v_now timestamptz := app.now();
begin
  if (change in ('pause', 'resume', 'run')) is not true then
    perform app.fail('invalid_input', 'A job is paused, resumed or run.', jsonb_build_object('field', 'change'));
  end if;
  update app.jobs j
    set paused_at = case change
        when 'pause' then coalesce(j.paused_at, v_now)
        when 'run' then case when j.paused_at is not null then v_now end
      end,
      next_run_at = case change
        -- A run that somebody asked for is off again.
        when 'pause' then greatest(j.next_run_at, v_now + interval '1 microsecond')
        when 'run' then case when j.paused_at is null then least(j.next_run_at, v_now) else v_now end
        else j.next_run_at
      end
    where j.tenant_id = v_job.tenant_id and j.kind = v_job.kind
    returning * into v_job;
  return app.format_job(v_job, v_now);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.claim_job(kind text, holder text, seconds integer, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_job app.jobs;
  v_now timestamptz;
begin
  select * into v_job from app.jobs j
    where j.tenant_id = v_actor.tenant_id and j.kind = claim_job.kind
    for update skip locked;
  v_now := app.now();
  if coalesce(app.get_due_at(v_job) > v_now, true) then
    return null;
  end if;
  if v_job.holder is not null then
    v_job := app.end_run(v_job, 'lost', v_now);
    v_job.error := 'The worker ended, or lost the database, before the run did.';
    perform app.store_run(v_job);
    perform app.tell_of_run(v_job);
  end if;
  update app.jobs j
    set token = j.token + 1, holder = coalesce(app.clean_name(claim_job.holder, 120), 'worker'), started_at = v_now,
      lease_expires_at = v_now + make_interval(secs => least(greatest(seconds, 1), 3600))
    where j.tenant_id = v_job.tenant_id and j.kind = v_job.kind
    returning * into v_job;
  return jsonb_strip_nulls(jsonb_build_object('token', v_job.token, 'settings', v_job.settings, 'user_id', (
    select m.user_id from public.memberships m
    where m.tenant_id = v_job.tenant_id and m.role = 'owner'
    order by (m.user_id = m.tenant_id) desc, m.created_at limit 1)));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.due_jobs(kinds jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_kinds text[] := array(select jsonb_array_elements_text(kinds));
  v_now timestamptz := app.now();
  v_jobs jsonb;
  v_next timestamptz;
begin
  select jsonb_agg(jsonb_strip_nulls(
      jsonb_build_object('kind', d.kind, 'tenant_id', nullif(d.tenant_id, v_actor.tenant_id))) order by d.due_at)
    into v_jobs
    from (
      select w.* from app.due_work w where w.kind = any (v_kinds) and w.due_at <= v_now order by w.due_at limit 50) d;
  select min(w.due_at) into v_next from app.due_work w where w.kind = any (v_kinds) and w.due_at > v_now;
  return jsonb_strip_nulls(jsonb_build_object('jobs', coalesce(v_jobs, '[]'),
    'next_in_ms', ceil(extract(epoch from v_next - v_now) * 1000)));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.extend_job(kind text, token bigint, seconds integer, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_job app.jobs := app.lock_run(v_actor.tenant_id, kind, token);
begin
  update app.jobs j
    set lease_expires_at = greatest(j.lease_expires_at,
      app.now() + make_interval(secs => least(greatest(seconds, 1), 3600)))
    where j.tenant_id = v_job.tenant_id and j.kind = v_job.kind
    returning * into v_job;
  return jsonb_build_object('lease_expires_at', v_job.lease_expires_at);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.finish_job(kind text, token bigint, outcome text, error text DEFAULT NULL::text, duration_ms bigint DEFAULT NULL::bigint, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_job app.jobs;
begin
  if (outcome in ('succeeded', 'failed', 'released')) is not true then
    perform app.fail('invalid_input', 'A run ends as succeeded, failed or released.',
      jsonb_build_object('field', 'outcome'));
  end if;
  v_job := app.end_run(app.lock_run(v_actor.tenant_id, kind, token), outcome, app.now());
  if outcome <> 'released' then
    v_job.duration_ms := finish_job.duration_ms;
    v_job.error := case when outcome = 'failed' then coalesce(app.clean_name(finish_job.error, 300), 'It failed.') end;
  end if;
  perform app.store_run(v_job);
  if outcome <> 'released' then
    perform app.tell_of_run(v_job);
  end if;
  return jsonb_build_object('next_run_at', v_job.next_run_at);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_jobs(actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_now timestamptz := app.now();
begin
  return jsonb_build_object('jobs', coalesce((
    select jsonb_agg(app.format_job(j, v_now) order by j.kind)
    from app.jobs j
    where j.tenant_id in (v_actor.tenant_id, app.get_nil_id())), '[]'));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.register_jobs(jobs jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_count bigint;
begin
  insert into app.jobs (tenant_id, kind, every_seconds, next_run_at)
    select v_actor.tenant_id, j.kind, j.every_seconds,
      app.now() + make_interval(secs => least(j.every_seconds, 3600))
    from jsonb_to_recordset(jobs) j (kind text, every_seconds integer)
    on conflict (tenant_id, kind) do nothing;
  get diagnostics v_count = row_count;
  update app.jobs j set next_run_at = app.now() + make_interval(secs => j.every_seconds)
    where j.tenant_id = v_actor.tenant_id
      and j.next_run_at > app.now() + make_interval(secs => j.every_seconds * 1.05 + 60);
  return jsonb_build_object('registered', v_count);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.set_job(kind text, every_seconds integer DEFAULT NULL::integer, settings jsonb DEFAULT NULL::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor, 'owner');
  v_now timestamptz := app.now();
  v_tenant uuid := v_actor.tenant_id;
  v_job app.jobs;
begin
  if (kind ~ '^[a-z][a-z_]{0,39}$' and coalesce(every_seconds, 1) between 1 and 31622400
      and app.validate_field(coalesce(settings, '{}'), 'object', 4096, null)) is not true then
    perform app.fail('invalid_input', 'A job runs every 1 second to 366 days, with settings of at most 4 KB.');
  end if;
  if exists (select from app.jobs o where o.tenant_id = app.get_nil_id() and o.kind = set_job.kind) then
    perform app.refuse_guest(v_actor, format('changes the job %s, which is of all workspaces', kind), 'cairn jobs');
    v_tenant := app.get_nil_id();
  end if;
  insert into app.jobs as j (tenant_id, kind, every_seconds, settings, next_run_at)
    values (v_tenant, set_job.kind, coalesce(set_job.every_seconds, 86400), coalesce(set_job.settings, '{}'), v_now)
    on conflict on constraint jobs_pkey do update
      set every_seconds = coalesce(set_job.every_seconds, j.every_seconds),
        settings = j.settings || coalesce(set_job.settings, '{}'),
        next_run_at = least(j.next_run_at,
          v_now + make_interval(secs => coalesce(set_job.every_seconds, j.every_seconds)))
    returning * into v_job;
  if not app.validate_field(v_job.settings, 'object', 4096, null) then
    perform app.fail('invalid_input', 'The settings of a job have at most 4 KB in all.');
  end if;
  return app.format_job(v_job, v_now);
end
$function$;
-- owner cairn_owner

-- Privileges

grant delete, insert, select, update on app.due_work to cairn_owner;
grant delete, insert, select, update on app.jobs to cairn_owner;
grant execute on function app.told_workspaces(uuid) to cairn_owner;
grant execute on function public.change_job(text,text,jsonb) to cairn_server;
grant execute on function public.change_job(text,text,jsonb) to service_role;
grant execute on function public.claim_job(text,text,integer,jsonb) to cairn_server;
grant execute on function public.claim_job(text,text,integer,jsonb) to service_role;
grant execute on function public.due_jobs(jsonb,jsonb) to cairn_server;
grant execute on function public.due_jobs(jsonb,jsonb) to service_role;
grant execute on function public.extend_job(text,bigint,integer,jsonb) to cairn_server;
grant execute on function public.extend_job(text,bigint,integer,jsonb) to service_role;
grant execute on function public.finish_job(text,bigint,text,text,bigint,jsonb) to cairn_server;
grant execute on function public.finish_job(text,bigint,text,text,bigint,jsonb) to service_role;
grant execute on function public.list_jobs(jsonb) to cairn_server;
grant execute on function public.list_jobs(jsonb) to service_role;
grant execute on function public.register_jobs(jsonb,jsonb) to cairn_server;
grant execute on function public.register_jobs(jsonb,jsonb) to service_role;
grant execute on function public.set_job(text,integer,jsonb,jsonb) to cairn_server;
grant execute on function public.set_job(text,integer,jsonb,jsonb) to service_role;
