-- Categories are declared: the registry knows what each takes part in, and which columns its folds leave alone.
alter table app.read_models
  add column searched boolean not null default false,
  add column triggering boolean not null default false,
  add column kept text[] not null default '{}';

-- Types that create their stream, and types that only a verb of Cairn records, such as those of a worker.
alter table app.event_types
  add column creates boolean not null default false,
  add column verb_only boolean not null default false;

-- Categories have these from their declaration, or need them no more.
drop function if exists app.guard_session(public.agent_sessions, public.events);
drop function if exists app.guard_artifact(public.artifacts, public.events, jsonb, public.tasks, public.projects, text);
drop function if exists app.guard_decision(public.decisions, public.events);
drop function if exists app.secure_table(regclass, text, boolean, text);

-- The registry says what is searched.
alter table app.search_documents drop constraint search_documents_kind_check;
