-- Full-text search over what people and agents wrote: tasks, notes, decisions, checkpoints, artifacts, projects. A
-- document's workspace, project and kind are lexemes of its own vector, so that one index answers the words and the
-- filters together. The table holds no text: what a search shows is read from the tables themselves, under their
-- policies.
create table app.search_documents (
  tenant_id uuid not null,
  kind text not null check (kind in ('task', 'event', 'decision', 'checkpoint', 'artifact', 'project')),
  id uuid not null,
  words tsvector not null,
  primary key (tenant_id, kind, id)
);

create index idx_search_documents_words on app.search_documents using gin (words) with (gin_pending_list_limit = 64);
