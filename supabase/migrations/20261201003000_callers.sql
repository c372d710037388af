-- Agents without a runner take what joins a turn at a tool border, also when none of their runs is on.
drop function if exists app.next_run(public.agents, timestamptz);
