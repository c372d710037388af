-- What an agent has at work beside itself, by name: counted with each beat, and in the log when its run ends.
alter table public.agent_runs add column subagents jsonb check (jsonb_typeof(subagents) = 'array');
