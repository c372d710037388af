-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.run_screens (
  tenant_id uuid not null,
  project_id uuid,
  run_id uuid not null,
  printed_at timestamp with time zone not null,
  content text not null,
  constraint run_screens_pkey PRIMARY KEY (tenant_id, run_id),
  constraint run_screens_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint run_screens_content_check CHECK (((char_length(content) >= 1) AND (char_length(content) <= 16384)))
);
CREATE INDEX idx_run_screens_printed_at ON app.run_screens USING btree (printed_at);
alter table app.run_screens enable row level security;
alter table app.run_screens force row level security;
create policy door on app.run_screens as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy keeper_forget on app.run_screens as permissive for delete to cairn_keeper using (true);
create policy keeper_read on app.run_screens as permissive for select to cairn_keeper using (true);
create policy reach on app.run_screens as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.forget_screens()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with forgotten as (
    delete from app.run_screens s
    using app.record_tables r
    where r.table_name = 'terminal_outputs'
      and s.printed_at < app.now() - make_interval(days => r.keep_days)
      and app.period_start(s.printed_at, r.period, 1) + make_interval(days => r.keep_days) <= app.now()
    returning s.tenant_id, s.run_id
  )
  delete from app.search_documents d
  using forgotten f
  where d.tenant_id = f.tenant_id and d.kind = 'output' and d.id = f.run_id
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION app.found_screen(screen app.run_screens)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    select jsonb_build_object(
      'ref', t.ref,
      'title', concat_ws(': ', r.agent_name, app.clean_line(coalesce(c.content, t.title), 120)),
      'at', coalesce(r.ended_at, screen.printed_at),
      'by', r.agent_name,
      'read_on', 'cairn output ' || r.id,
      'body', screen.content)
    from public.agent_runs r
    left join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
    left join public.tasks t on t.tenant_id = r.tenant_id and t.id = r.task_id
    where r.tenant_id = screen.tenant_id and r.id = screen.run_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.keep_screen(run public.agent_runs)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_start integer;
  v_screen app.run_screens;
begin
  perform from public.tenants t
    where t.id = run.tenant_id and t.agent_settings @> '{"search_output": true}' for share;
  if not found or run.attempt = 0 then
    return;
  end if;
  perform app.lock_output(run, app.now());
  -- Codes may be three quarters of it.
  v_start := app.output_start(run, run.attempt, 65536, 1000);
  select run.tenant_id, run.project_id, run.id, min(o."timestamp"),
      right(btrim(app.plain_text(string_agg(o.content, '' order by o.sequence)), E' \t\n'), 16384)
    into v_screen
    from public.terminal_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt and o.sequence > v_start
      and o."timestamp" between lower(app.output_times(run, app.now())) and upper(app.output_times(run, app.now()));
  if v_screen.content <> '' then
    insert into app.run_screens as s select v_screen.*
      on conflict on constraint run_screens_pkey do update
        set (printed_at, content) = (excluded.printed_at, excluded.content);
    perform app.index_text('output', run.tenant_id, run.id, run.project_id, v_screen.content);
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.plain_text(printed text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select app.clean_text(regexp_replace(printed, '(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]'
    || '|(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?', '', 'g'))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.set_output_search(enabled boolean DEFAULT NULL::boolean, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
begin
  perform app.refuse_limited(v_actor);
  if enabled is not null then
    perform app.refuse_agent(v_actor, 'Whether search finds what agents print is decided', 'cairn output-search');
    update public.tenants t
      set agent_settings = (t.agent_settings - 'search_output')
        || case when enabled then '{"search_output": true}'::jsonb else '{}' end
      where t.id = v_actor.tenant_id;
    perform app.record_audit(jsonb_build_object('type',
      case when enabled then 'output.searched' else 'output.unsearched' end), actor);
  end if;
  if not enabled then
    delete from app.run_screens s where s.tenant_id = v_actor.tenant_id;
    delete from app.search_documents d where d.tenant_id = v_actor.tenant_id and d.kind = 'output';
  end if;
  return jsonb_build_object('enabled', (
    select t.agent_settings @> '{"search_output": true}' from public.tenants t where t.id = v_actor.tenant_id));
end
$function$;
-- owner cairn_owner

-- Privileges

grant delete, select on app.run_screens to cairn_keeper;
grant delete, insert, select, update on app.run_screens to cairn_owner;
grant execute on function app.forget_screens() to cairn_owner;
grant execute on function public.set_output_search(boolean,jsonb) to authenticated;
grant execute on function public.set_output_search(boolean,jsonb) to cairn_server;
grant execute on function public.set_output_search(boolean,jsonb) to service_role;
