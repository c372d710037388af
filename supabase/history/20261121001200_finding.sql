-- Finding things: search, and completion of refs.

create function app.found_document(kind text, tenant_id uuid, id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  case kind
    when 'task' then return (select jsonb_build_object('ref', t.ref, 'title', t.title, 'at', t.updated_at, 'by', t.created_by, 'body', concat_ws(' ', t.title, t.description, array_to_string(t.acceptance_criteria, ' ')))
      from public.tasks t where t.tenant_id = found_document.tenant_id and t.id = found_document.id);
    when 'project' then return (select jsonb_build_object('ref', p.slug, 'title', p.name, 'at', p.updated_at, 'body', concat_ws(' ', p.name, p.description))
      from public.projects p where p.tenant_id = found_document.tenant_id and p.id = found_document.id);
    when 'decision' then return (select jsonb_build_object('title', d.title, 'at', d.created_at, 'by', d.decided_by, 'body', concat_ws(' ', d.title, d.choice, d.rationale))
      from public.decisions d where d.tenant_id = found_document.tenant_id and d.id = found_document.id);
    when 'checkpoint' then return (select jsonb_build_object('title', c.label, 'at', c.created_at, 'by', c.saved_by, 'body', concat_ws(' ', c.label, c.summary, c.resume_instructions))
      from public.checkpoints c where c.tenant_id = found_document.tenant_id and c.id = found_document.id);
    when 'artifact' then return (select jsonb_build_object('ref', t.ref, 'title', a.type || ' ' || a.ref, 'at', a.created_at, 'by', a.added_by, 'body', concat_ws(' ', a.ref, a.summary))
      from public.artifacts a join public.tasks t on t.tenant_id = a.tenant_id and t.id = a.task_id where a.tenant_id = found_document.tenant_id and a.id = found_document.id);
    else return (select jsonb_build_object('ref', t.ref, 'title', e.event_type || ' #' || e.seq, 'at', e.created_at, 'by', app.by(e), 'body', app.searchable_text(e))
      from public.events e left join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id where e.tenant_id = found_document.tenant_id and e.id = found_document.id);
  end case;
end
$$;

-- search(query, project?, kinds?, cursor?, page_size) -> {hits: [{kind, id, ref?, title, snippet, by?, at, score}], next_cursor?}, best
-- first. Words are joined by and; "quoted phrases", or and -not work as on the web. Of a query with more than 1,000 matches it ranks 1,000.
create function public.search(query text, project text default null, kinds jsonb default null, cursor text default null, page_size integer default 10, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project uuid := case when project is null then v_actor.project_id else (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 50);
  v_question text := md5(concat_ws(' ', query, v_project, kinds));
  v_from integer := coalesce((app.decode_cursor(cursor, v_question) ->> 'from')::integer, 0);
  v_words tsquery := websearch_to_tsquery('pg_catalog.english', left(query, 500)) || websearch_to_tsquery('pg_catalog.simple', left(query, 500));
  v_reach tsquery := ('''=t' || v_actor.tenant_id || '''')::tsquery;
  v_kind text;
  v_found jsonb[];
begin
  if coalesce(trim(query), '') = '' or numnode(v_words) = 0 then
    perform app.fail('invalid_input', 'query has no word to search for.', jsonb_build_object('field', 'query'), 'Use the words you expect in the text: payment retry.');
  end if;
  select k into v_kind from jsonb_array_elements_text(kinds) k where k not in ('task', 'event', 'decision', 'checkpoint', 'artifact', 'project') limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no kind %s.', left(v_kind, 40)), jsonb_build_object('field', 'kinds'), 'Kinds: task, event, decision, checkpoint, artifact, project.');
  end if;
  if v_project is not null then
    v_reach := v_reach && ('''=p' || v_project || '''')::tsquery;
  end if;
  if jsonb_array_length(kinds) > 0 then
    v_reach := v_reach && (select string_agg('''=k' || k || '''', ' | ') from jsonb_array_elements_text(kinds) k)::tsquery;
  end if;
  select array_agg(h.hit order by h.score desc, h.id desc) into v_found from (
    select r.id, r.score, d.doc - 'body' || jsonb_build_object('kind', r.kind, 'id', r.id, 'score', round(r.score::numeric, 3),
      'snippet', ts_headline('pg_catalog.english', left(d.doc ->> 'body', 20000), v_words, 'MaxFragments=1, MaxWords=24, MinWords=8, StartSel=**, StopSel=**')) as hit
    from (select m.kind, m.id, ts_rank(m.words, v_words) as score from (
        select * from app.search_documents s where s.words @@ (v_reach && v_words) and s.tenant_id = v_actor.tenant_id limit 1000) m
      order by score desc, m.id desc offset v_from limit v_size + 1) r
    cross join lateral (select app.found_document(r.kind, v_actor.tenant_id, r.id) as doc offset 0) d
    where d.doc is not null) h;
  return jsonb_strip_nulls(jsonb_build_object('hits', to_jsonb(coalesce(v_found[:v_size], '{}')),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(jsonb_build_object('of', v_question, 'from', v_from + v_size)) end));
end
$$;

-- suggest_refs(kind, prefix) -> {values, total, has_more}: slugs, refs of open tasks, or checkpoint ids that begin so.
create function public.suggest_refs(kind text, prefix text default '', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_prefix text := lower(left(coalesce(prefix, ''), 80));
  v_values text[];
begin
  v_values := case kind
    when 'project' then array(select p.slug from public.projects p where p.tenant_id = v_actor.tenant_id and p.archived_at is null
      and starts_with(p.slug, v_prefix) order by p.updated_at desc limit 101)
    when 'task' then array(select t.ref from public.projects p cross join lateral (
        select x.ref, x.number from public.tasks x where x.tenant_id = v_actor.tenant_id and x.project_id = p.id
          and x.status in ('pending', 'in_progress', 'blocked') and starts_with(x.ref, v_prefix) order by x.number limit 101) t
      where p.tenant_id = v_actor.tenant_id and p.archived_at is null
        and (starts_with(p.slug || '-', v_prefix) or starts_with(v_prefix, p.slug || '-')) order by t.number limit 101)
    else array(select c.id::text from public.checkpoints c where c.tenant_id = v_actor.tenant_id and starts_with(c.id::text, v_prefix) order by c.created_at desc limit 101)
  end;
  return jsonb_build_object('values', to_jsonb(v_values[:100]), 'total', cardinality(v_values[:100]), 'has_more', cardinality(v_values) > 100);
end
$$;
