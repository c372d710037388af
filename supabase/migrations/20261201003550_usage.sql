-- What runs used is found by project and run, and a row of nothing is none.
drop function if exists app.usage_between(uuid, date, date);
delete from public.run_usage u where u.requests = 0;

-- What hangs under a span is found by it: a report whose parents come last names hundreds.
create index idx_agent_steps_parent on public.agent_steps (tenant_id, run_id, parent_span_id)
  where parent_span_id is not null;
