-- A claim leaves out what its runner still has.
drop function if exists app.next_run(public.agents, timestamptz, boolean);
