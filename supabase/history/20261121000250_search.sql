-- Full-text search over what people and agents wrote: tasks, notes, decisions, checkpoints, artifacts, projects.

-- A document's workspace, project and kind are lexemes of its own vector, so that one index answers the words and the filters
-- together. The table holds no text: what a search shows is read from the tables themselves, under their policies.
create table app.search_documents (
  tenant_id uuid not null,
  kind text not null check (kind in ('task', 'event', 'decision', 'checkpoint', 'artifact', 'project')),
  id uuid not null,
  words tsvector not null,
  primary key (tenant_id, kind, id)
);
create index idx_search_documents_words on app.search_documents using gin (words) with (gin_pending_list_limit = 64);

create function app.search_vector(kind text, tenant_id uuid, project_id uuid, content text) returns tsvector language sql stable as $$
  select array_to_tsvector(array['=t' || tenant_id, '=p' || project_id, '=k' || kind]) || to_tsvector('pg_catalog.english', left(content, 30000))
$$;

create function app.index_text(kind text, tenant_id uuid, id uuid, project_id uuid, content text)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  insert into app.search_documents as d (tenant_id, kind, id, words)
    values (index_text.tenant_id, index_text.kind, index_text.id, app.search_vector(index_text.kind, index_text.tenant_id, index_text.project_id, content))
    on conflict on constraint search_documents_pkey do update set words = excluded.words where d.words <> excluded.words;
end
$$;

create function app.searchable_text(event public.events) returns text language sql stable as $$
  select nullif(concat_ws(' ', case when event.event_type like '%.noted' then event.payload ->> 'text' end, event.payload ->> 'reason',
    case when event.event_type = 'task.completed' then concat_ws(' ', event.payload ->> 'summary', jsonb_path_query_array(event.payload, '$.evidence[*].note')) end), '')
$$;

create function app.index_event(event public.events)
  returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_text text := app.searchable_text(event);
begin
  if v_text is not null then
    perform app.index_text('event', event.tenant_id, event.id, event.project_id, v_text);
  end if;
end
$$;
