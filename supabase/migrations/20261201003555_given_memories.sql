-- What counts now of what was remembered for somebody, whatever was put aside.
create index idx_agent_memory_standing on public.agent_memory (tenant_id, subject_id)
  where superseded_by is null and status in ('noted', 'approved');
