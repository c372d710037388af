-- Alerts: what somebody should look at, each open once until it is resolved.
create table public.agent_alerts (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  project_id uuid,
  user_id uuid not null references public.users,
  kind text not null,
  severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
  title text not null,
  details jsonb not null check (jsonb_typeof(details) = 'object'),
  dedup_key text not null,
  raised_count integer not null,
  acknowledged boolean not null,
  acknowledged_by text,
  acknowledged_at timestamptz,
  snoozed_until timestamptz,
  resolved_by text,
  resolved_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  last_raised_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references public.projects,
  check (acknowledged or resolved_at is null)
);

create unique index idx_agent_alerts_open on public.agent_alerts (tenant_id, dedup_key) where resolved_at is null;

create index idx_agent_alerts_unacked on public.agent_alerts (tenant_id, last_raised_at desc, id desc)
  where not acknowledged;

create index idx_agent_alerts_last_raised on public.agent_alerts (tenant_id, last_raised_at desc, id desc);

create index idx_agent_alerts_project_id on public.agent_alerts (project_id);

create index idx_agent_alerts_user_id on public.agent_alerts (user_id);

-- What runs when a row is written begins with another word: settle_alert is what resolves an alert.
drop function if exists app.settle_artifact(public.events, jsonb, public.tasks);
