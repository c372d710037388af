-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.set_config_value(key text, value jsonb, changed_by text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_config public.system_config;
begin
  insert into public.system_config as c (key, value, version, updated_at, updated_by)
    values (set_config_value.key, set_config_value.value, 1, app.now(), changed_by)
    on conflict on constraint system_config_pkey do update
      set (value, version, updated_at, updated_by)
        = (excluded.value, c.version + 1, excluded.updated_at, excluded.updated_by)
    returning * into v_config;
  insert into public.system_config_history (key, version, value, changed_at, changed_by)
    values (v_config.key, v_config.version, v_config.value, v_config.updated_at, v_config.updated_by);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.stop_agents(reach text, stopped boolean, reason text DEFAULT NULL::text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_reason constant text := app.clean_name(reason, 300);
begin
  perform app.refuse_limited(v_actor);
  if stopped is not true then
    perform app.refuse_agent(v_actor, 'A stop is taken back', 'cairn go-on');
  end if;
  if stopped is not true and app.role_rank(v_actor.role) < 3 then
    perform app.fail('forbidden', 'Only an administrator of the workspace lets its agents go on.', null,
      'Ask an owner of the workspace.');
  elsif reach = 'installation' then
    perform app.refuse_guest(v_actor, case when stopped then 'stops all workspaces; you stop yours'
      else 'lets all workspaces go on; you let yours' end,
      case when stopped then 'cairn stop --everywhere' else 'cairn go-on --everywhere' end);
    perform app.set_config_value('emergency_stop', jsonb_strip_nulls(jsonb_build_object('on', stopped is true,
      'reason', v_reason)), app.actor_name(v_actor));
  elsif reach = 'workspace' then
    update public.tenants t
      set agent_enabled = stopped is not true,
        agent_settings = (t.agent_settings - 'stop_reason')
          || jsonb_strip_nulls(jsonb_build_object('stop_reason', case when stopped then v_reason end))
      where t.id = v_actor.tenant_id;
  else
    perform app.fail('invalid_input', 'reach must be workspace or installation.', jsonb_build_object('field', 'reach'));
  end if;
  perform app.record_audit(jsonb_build_object('type', case when stopped then 'agents.stopped' else 'agents.resumed' end,
    'data', jsonb_build_object('reach', reach, 'reason', v_reason, 'agent', v_actor.agent)), actor);
  return jsonb_strip_nulls(jsonb_build_object('reach', reach, 'stopped', stopped is true, 'running', (
      select count(*) from public.agent_runs r
      where r.tenant_id = v_actor.tenant_id and app.is_active(r) and not app.is_chat(r)),
    'still', case when stopped is not true then app.stop_reason(v_actor.tenant_id) end));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.stop_agents(text,boolean,text,jsonb) to authenticated;
grant execute on function public.stop_agents(text,boolean,text,jsonb) to cairn_server;
grant execute on function public.stop_agents(text,boolean,text,jsonb) to service_role;
