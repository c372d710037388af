-- What an agent has done is counted from its runs.

create index idx_agent_runs_ended on public.agent_runs (tenant_id, agent_id) include (project_id, duration_ms)
  where ended_at is not null and started_at is not null;
