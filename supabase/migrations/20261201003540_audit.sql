-- The audit trail: what is not on the log of what happened, and what finds the rest of it there.

create table public.audit_entries (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  event_type text not null check (event_type in ('agent_connect', 'agent_disconnect', 'preset_used', 'retention_run')),
  -- No keys to these: an entry stays as it was made, and would hold up a replay, which makes them anew.
  user_id uuid,
  agent_id uuid,
  command_id uuid,
  details jsonb not null check (jsonb_typeof(details) = 'object' and pg_column_size(details) <= 4096),
  ip_address inet,
  user_agent text check (char_length(user_agent) <= 500),
  created_at timestamptz not null,
  primary key (tenant_id, id, created_at)
) partition by range (created_at);

create index idx_audit_entries_event_type on public.audit_entries (tenant_id, event_type, created_at desc, id desc);
create index idx_audit_entries_user_id on public.audit_entries
  (tenant_id, user_id, event_type, created_at desc, id desc);
create index idx_audit_entries_agent_id on public.audit_entries
  (tenant_id, agent_id, event_type, created_at desc, id desc) where agent_id is not null;
create index idx_audit_entries_command_id on public.audit_entries (tenant_id, command_id) where command_id is not null;

-- Each type of the trail by itself, the latest first. What ended a run early is told from all other ends.
create index idx_events_audited on public.events (tenant_id, event_type, created_at desc, id desc)
  where event_type in ('agent.paused', 'agent.resumed', 'approval.decided', 'approval.requested', 'command.cancelled',
    'command.completed', 'command.failed', 'command.sent', 'preset.saved', 'run.delivered', 'run.interrupt_requested');
create index idx_events_ended_early on public.events (tenant_id, created_at desc, id desc)
  where event_type = 'run.finished' and payload ->> 'end_reason' in ('token_limit', 'time_limit', 'expired');
create index idx_auth_events_audited on app.auth_events (tenant_id, type, at desc, id desc)
  where type in ('agents.resumed', 'agents.stopped', 'session.ended', 'session.started');

-- What somebody asks the trail for: `everyone` also what others did beside the log, up to so many before a place.
create type app.audit_question as (
  tenant_id uuid,
  caller uuid,
  everyone boolean,
  kind text,
  user_id uuid,
  agent_id uuid,
  command_id uuid,
  since timestamptz,
  before_at timestamptz,
  before_id uuid,
  most integer
);

-- It says now whose records it dropped.
drop function if exists app.drop_partition();

-- What an agent and a command end with is told who acts.
drop function if exists app.finish_agent(public.agents, public.events);
drop function if exists app.finish_command(public.commands, public.events);
