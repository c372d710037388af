-- A file may hold a redacted event without the record of its redaction, as one that was cut does. Redacting the event
-- again writes the record that `verify` misses.

create or replace function public.redact_event(event text, reason text, actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor, 'admin');
  v_event public.events := app.find_event(event, v_actor);
  v_copies public.events[];
begin
  perform app.refuse_limited(v_actor);
  if v_event.event_type = 'event.redacted' or v_event.redacted_at is not null and exists (
      select from public.events e where e.tenant_id = v_event.tenant_id and e.stream = 'event:' || v_event.id) then
    perform app.fail('illegal_transition', format('Event #%s is redacted already.', v_event.seq));
  end if;
  v_copies := case when v_event.redacted_at is null then app.copies_of(v_event) else array[v_event] end;
  perform app.append((
    select jsonb_agg(jsonb_build_object('stream', 'event:' || c.id, 'type', 'event.redacted',
      'data', jsonb_build_object('reason', reason), 'causation', c.id) order by c.seq)
    from unnest(v_copies) c), v_actor);
  perform app.blank_event(c) from unnest(v_copies) c where c.redacted_at is null;
  perform app.rebuild(v_actor.tenant_id, array(select distinct c.stream from unnest(v_copies) c));
  delete from app.idempotency_keys k where k.tenant_id = v_actor.tenant_id and k.created_at >= v_event.created_at;
  v_event := app.find_event(v_event.id::text, v_actor);
  return app.event_brief(app.upcast(v_event), (
    select t.ref from public.tasks t where t.tenant_id = v_event.tenant_id and t.id = v_event.task_id));
end
$$;
