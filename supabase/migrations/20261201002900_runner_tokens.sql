-- A token that may drive an agent names it: its runner speaks for this agent alone.

alter table public.oauth_tokens
  add column agent text check (char_length(agent) between 1 and 60),
  add constraint oauth_tokens_names_agent
    check ((agent is not null) = coalesce('agents:run' = any (string_to_array(scope, ' ')), false));

alter type app.bearer add attribute agent text;
alter type app.actor add attribute drives text;
