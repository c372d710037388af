-- What earlier folds left: a snoozed alert is not acknowledged, a resolved one not snoozed.
alter table public.agent_alerts no force row level security;
update public.agent_alerts a
  set acknowledged_by = null, acknowledged_at = null
  where not a.acknowledged and a.acknowledged_by is not null;
update public.agent_alerts a
  set snoozed_until = null
  where a.resolved_at is not null and a.snoozed_until is not null;
alter table public.agent_alerts force row level security;
