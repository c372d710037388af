-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.agent_alerts (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  user_id uuid not null,
  kind text not null,
  severity text not null,
  title text not null,
  details jsonb not null,
  dedup_key text not null,
  raised_count integer not null,
  acknowledged boolean not null,
  acknowledged_by text,
  acknowledged_at timestamp with time zone,
  snoozed_until timestamp with time zone,
  resolved_by text,
  resolved_at timestamp with time zone,
  version bigint not null,
  created_at timestamp with time zone not null,
  last_raised_at timestamp with time zone not null,
  constraint agent_alerts_pkey PRIMARY KEY (tenant_id, id),
  constraint agent_alerts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint agent_alerts_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint agent_alerts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint agent_alerts_check CHECK ((acknowledged OR (resolved_at IS NULL))),
  constraint agent_alerts_details_check CHECK ((jsonb_typeof(details) = 'object'::text)),
  constraint agent_alerts_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text])))
);
CREATE INDEX idx_agent_alerts_last_raised ON public.agent_alerts USING btree (tenant_id, last_raised_at DESC, id DESC);
CREATE UNIQUE INDEX idx_agent_alerts_open ON public.agent_alerts USING btree (tenant_id, dedup_key) WHERE (resolved_at IS NULL);
CREATE INDEX idx_agent_alerts_project_id ON public.agent_alerts USING btree (project_id);
CREATE INDEX idx_agent_alerts_unacked ON public.agent_alerts USING btree (tenant_id, last_raised_at DESC, id DESC) WHERE (NOT acknowledged);
CREATE INDEX idx_agent_alerts_user_id ON public.agent_alerts USING btree (user_id);
alter table public.agent_alerts enable row level security;
alter table public.agent_alerts force row level security;
create policy door on public.agent_alerts as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.agent_alerts as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.agent_alerts as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.agent_alerts as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.agent_alerts as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.agent_alerts as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.alert_full(alert public.agent_alerts, slug text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_strip_nulls(to_jsonb(alert) || jsonb_build_object('project', slug, 'details', null))
    - '{tenant_id,project_id,user_id,dedup_key,acknowledged,version}'::text[]
    || jsonb_build_object('details', alert.details)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.critical_alerts(project public.projects)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    select jsonb_agg(app.alert_full(a, case when a.project_id = project.id then project.slug end))
    from (
      select * from public.agent_alerts x
      where x.tenant_id = project.tenant_id
        and not x.acknowledged
        and x.severity = 'critical'
        and (x.project_id = project.id and project.archived_at is null or x.project_id is null)
        and app.is_waiting(x)
      order by x.last_raised_at desc, x.id desc limit 5) a);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_alert(alert public.agent_alerts, event public.events)
 RETURNS public.agent_alerts
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  case event.event_type
    when 'alert.raised' then
      alert := jsonb_populate_record(alert, app.begin_row(event) || '{"raised_count": 1, "acknowledged": false}');
      alert.dedup_key := case when event.redacted_at is null then alert.dedup_key else alert.id::text end;
      alert.last_raised_at := event.created_at;
    when 'alert.repeated' then
      alert := jsonb_populate_record(alert, event.payload);
      alert.raised_count := alert.raised_count + 1;
      alert.last_raised_at := event.created_at;
    when 'alert.acknowledged' then
      alert.acknowledged := true;
      alert.acknowledged_by := app.actor_name(event);
      alert.acknowledged_at := event.created_at;
      alert.snoozed_until := null;
    when 'alert.snoozed' then
      alert.acknowledged := false;
      alert.acknowledged_by := null;
      alert.acknowledged_at := null;
      alert.snoozed_until := event.created_at + make_interval(secs => (event.payload ->> 'seconds')::integer);
    when 'alert.resolved' then
      alert.acknowledged := true;
      alert.resolved_by := app.actor_name(event);
      alert.resolved_at := event.created_at;
      alert.snoozed_until := null;
  end case;
  alert.version := event.version;
  return alert;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_alert(alert public.agent_alerts)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if alert.resolved_at is not null then
    perform app.fail('illegal_transition', format('The alert "%s" is resolved.', alert.title), null,
      'If its cause comes back, a new alert is raised.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_waiting(alert public.agent_alerts)
 RETURNS boolean
 LANGUAGE sql
AS $function$
  select not alert.acknowledged and coalesce(alert.snoozed_until <= app.now(), true)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.raise_alert(kind text, severity text, title text, details jsonb, dedup_key text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select app.record_alert(dedup_key, jsonb_build_object(
    'kind', kind, 'severity', severity, 'title', app.clean_name(title, 300), 'details', details))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.record_alert(dedup_key text, alert jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor;
  v_request jsonb;
begin
  if alert is not null then
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', app.get_tenant_id(), 'alert', dedup_key), 0));
  end if;
  v_request := app.request_alert(app.get_tenant_id(), dedup_key, alert);
  if v_request is not null then
    v_actor := app.system_actor(app.get_tenant_id());
    if v_actor.user_id is not null then
      perform app.append_checked(jsonb_build_array(v_request), v_actor);
    end if;
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.request_alert(tenant_id uuid, dedup_key text, alert jsonb DEFAULT NULL::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_open uuid := (
    select a.id from public.agent_alerts a
    where a.tenant_id = $1 and a.dedup_key = $2 and a.resolved_at is null);
begin
  -- A verb that only reads settles what was never raised: it locks nothing, the table neither.
  if v_open is not null then
    select a.id into v_open from public.agent_alerts a
      where a.tenant_id = $1 and a.id = v_open and a.resolved_at is null
      for no key update;
  end if;
  return jsonb_build_object('verb', true, 'stream', 'alert:' || coalesce(v_open, app.uuid_v7())) || case
    when v_open is null and alert is null then null
    when v_open is null then '{"type": "alert.raised"}'
        || jsonb_build_object('data', alert || jsonb_build_object('dedup_key', dedup_key))
    when alert is null then '{"type": "alert.resolved"}'
    when (app.take_rate('alert ' || v_open, 10, 3600) ->> 'allowed')::boolean then '{"type": "alert.repeated"}'
        || jsonb_build_object('data', alert - '{kind,project}'::text[]) end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.settle_alert(dedup_key text)
 RETURNS void
 LANGUAGE sql
AS $function$
  select app.record_alert(dedup_key)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_alerts(project text DEFAULT NULL::text, include_handled boolean DEFAULT false, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
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
  v_question text := concat_ws(' ', 'alerts', v_project, include_handled);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found jsonb[];
begin
  if include_handled then
    v_found := array(
      select app.alert_full(x, p.slug)
      from public.agent_alerts x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and (v_project is null or x.project_id = v_project)
        and (v_after is null or (x.last_raised_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.last_raised_at desc, x.id desc limit v_size + 1);
  else
    v_found := array(
      select app.alert_full(x, p.slug)
      from public.agent_alerts x
      left join public.projects p on p.tenant_id = x.tenant_id and p.id = x.project_id
      where x.tenant_id = v_actor.tenant_id
        and not x.acknowledged
        and app.is_waiting(x)
        and p.archived_at is null
        and (v_project is null or x.project_id = v_project)
        and (v_after is null or (x.last_raised_at, x.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
      order by x.last_raised_at desc, x.id desc limit v_size + 1);
  end if;
  return app.build_page('alerts', v_found, v_size, v_question, '{id}', '{last_raised_at}');
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_alerts(text,boolean,text,integer,jsonb) to authenticated;
grant execute on function public.list_alerts(text,boolean,text,integer,jsonb) to cairn_server;
grant execute on function public.list_alerts(text,boolean,text,integer,jsonb) to service_role;
grant select on public.agent_alerts to authenticated;
grant delete, insert, select, update on public.agent_alerts to cairn_owner;
