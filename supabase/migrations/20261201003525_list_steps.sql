-- Steps are listed as json: what is built once and sent needs no index of its keys.
drop function if exists public.list_steps(text, text, integer, jsonb);
drop function if exists app.step_brief(public.agent_steps);
