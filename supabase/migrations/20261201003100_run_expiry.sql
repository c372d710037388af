-- What expired in a queue is found without a look at all that waits.
create index idx_agent_runs_expiry on public.agent_runs (tenant_id, agent_id, expires_at) where status = 'queued';
