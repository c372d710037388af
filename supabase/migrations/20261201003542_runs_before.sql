-- It asks now whether the run joins a turn.
drop function if exists app.runs_before(public.agent_runs, integer);
