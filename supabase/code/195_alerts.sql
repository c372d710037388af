-- Alerts: what somebody should look at, each open once until it is resolved.

create or replace function app.guard_alert(alert public.agent_alerts)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if alert.resolved_at is not null then
    perform app.fail('illegal_transition', format('The alert "%s" is resolved.', alert.title), null,
      'If its cause comes back, a new alert is raised.');
  end if;
end
$$;

-- A redacted alert has a key of its own: two with the same blank would count as one.
create or replace function app.evolve_alert(alert public.agent_alerts, event public.events)
  returns public.agent_alerts
  language plpgsql
  immutable
as $$
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
$$;

create or replace function app.alert_full(alert public.agent_alerts, slug text) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(to_jsonb(alert) || jsonb_build_object('project', slug, 'details', null))
    - '{tenant_id,project_id,user_id,dedup_key,acknowledged,version}'::text[]
    || jsonb_build_object('details', alert.details)
$$;

-- Tells whether an alert waits for somebody: nobody has acknowledged or resolved it, and it is not snoozed.
create or replace function app.is_waiting(alert public.agent_alerts) returns boolean language sql volatile as $$
  select not alert.acknowledged and coalesce(alert.snoozed_until <= app.now(), true)
$$;

-- list_alerts(project?, include_handled, cursor?, page_size) -> {alerts, next_cursor?}, the latest raised first: those
-- that wait for somebody, or all. Nobody can handle one of an archived project, which waits for nobody. Each of the two
-- reads an index of its own.
create or replace function public.list_alerts(
  project text default null,
  include_handled boolean default false,
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
$$;

-- Lists the critical alerts of a project, and of the whole workspace, that wait for somebody: the latest five.
create or replace function app.critical_alerts(project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Requests the event by which an alert {kind, severity, title, details, project?} opens, or repeats the open one with
-- its key, ten times an hour at most: a storm is one alert and few events. Without an alert, it resolves the open one.
-- It waits for whoever handles that one at this moment, and sees what they made of it.
create or replace function app.request_alert(tenant_id uuid, dedup_key text, alert jsonb default null)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Records that event for the door's workspace, by `system` for its first owner, as the last thing that a verb does: it
-- takes positions. Of two at once the second repeats the first.
create or replace function app.record_alert(dedup_key text, alert jsonb default null)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Raises an alert in the door's workspace, or repeats the open one with its key.
create or replace function app.raise_alert(kind text, severity text, title text, details jsonb, dedup_key text)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  select app.record_alert(dedup_key, jsonb_build_object(
    'kind', kind, 'severity', severity, 'title', app.clean_name(title, 300), 'details', details))
$$;

-- Resolves the open alert with a key, whose cause is gone; does nothing where none is open.
create or replace function app.settle_alert(dedup_key text) returns void language sql as $$
  select app.record_alert(dedup_key)
$$;

select app.define_category('alert', 'agent_alerts', searched => false);
