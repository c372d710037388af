-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.search_documents (
  tenant_id uuid not null,
  kind text not null,
  id uuid not null,
  words tsvector not null,
  constraint search_documents_pkey PRIMARY KEY (tenant_id, kind, id)
);
CREATE INDEX idx_search_documents_words ON app.search_documents USING gin (words) WITH (gin_pending_list_limit='64');
alter table app.search_documents enable row level security;
alter table app.search_documents force row level security;
create policy door_delete on app.search_documents as permissive for delete to cairn_owner using ((tenant_id = app.get_tenant_id()));
create policy door_insert on app.search_documents as permissive for insert to cairn_owner with check ((tenant_id = app.get_tenant_id()));
create policy door_read on app.search_documents as permissive for select to cairn_owner using (true);
create policy door_update on app.search_documents as permissive for update to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy keeper_forget on app.search_documents as permissive for delete to cairn_keeper using ((kind = 'output'::text));
create policy keeper_read on app.search_documents as permissive for select to cairn_keeper using ((kind = 'output'::text));

-- Functions

CREATE OR REPLACE FUNCTION app.any_word(words tsquery)
 RETURNS tsquery
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select coalesce(string_agg(distinct w, ' | '), '''=''')::tsquery from app.list_words(
    regexp_replace(words::text, '!(?:''(?:[^'']|'''')*''|\( (?:''(?:[^'']|'''')*''|[^'')])*\))', '', 'g')) w
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.found_event(event public.events)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return jsonb_build_object(
    'ref', (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id),
    'title', event.event_type || ' #' || event.seq, 'at', event.created_at,
    'by', app.actor_name(app.upcast_event(event)),
    'body', app.searchable_text(event));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_event(event public.events)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_text text := app.searchable_text(event);
begin
  if v_text is not null then
    perform app.index_text('event', event.tenant_id, event.id, event.project_id, v_text);
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.index_text(kind text, tenant_id uuid, id uuid, project_id uuid, content text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into app.search_documents as d (tenant_id, kind, id, words)
    values (index_text.tenant_id, index_text.kind, index_text.id,
      app.search_vector(index_text.kind, index_text.tenant_id, index_text.project_id, content))
    on conflict on constraint search_documents_pkey do update set words = excluded.words
      where d.words <> excluded.words;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.list_words(query text)
 RETURNS SETOF text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select m[1] from regexp_matches(query, '(''(?:[^'']|'''')*'')', 'g') m
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.mark_words(content text, any_word tsquery, runs text[])
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_beside constant text := '[!-/:-@[-`{-~\u2000-\u206f\u3000-\u303f«»]';
  v_run text;
  v_words text[];
  v_ready text[];
begin
  foreach v_run in array runs loop
    if strpos(content, v_run) > 0 then
      content := replace(substr(content, greatest(1, strpos(content, v_run) - 40), 160), v_run, '**' || v_run || '**');
      return regexp_replace(btrim(content), '\s+', ' ', 'g');
    end if;
  end loop;
  v_words := regexp_split_to_array(btrim(content), '\s+');
  v_ready := string_to_array(app.search_text(array_to_string(v_words, e' \x01 '), true), e'\x01');
  return (
    select string_agg(case when w.is_hit
        then regexp_replace(w.word, format('^(%1$s*)(.*?)(%1$s*)$', v_beside), '\1**\2**\3')
        else w.word end,
      ' '
      order by w.at)
    from (
      select h.*, coalesce(min(h.at) filter (where h.is_hit) over (), 1) as first
      from (
        select u.word, u.at, to_tsvector('pg_catalog.russian', coalesce(u.ready, '')) @@ any_word as is_hit
        from unnest(v_words, v_ready) with ordinality u (word, ready, at)
        where u.word is not null) h) w
    where w.at between w.first - 4 and greatest(w.first - 4, 1) + 23);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.search_item(item text)
 RETURNS tsquery
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_text text := app.search_text(item, true);
  v_item tsquery := phraseto_tsquery('pg_catalog.russian', v_text);
  v_whole tsquery;
begin
  if item ~ '^\S*([a-z0-9][A-Z]|[A-Z][A-Z][a-z])\S*$' then
    v_whole := phraseto_tsquery('pg_catalog.russian', app.search_text(lower(item), true));
    -- The first part of MySQL is a stop word, and the rest alone would match anywhere.
    v_item := case when numnode(v_item) < 2 * regexp_count(v_text, '\S+') - 1 then v_whole else v_item || v_whole end;
  end if;
  -- A single character of those that are written in pairs.
  if v_item::text ~ '''[^ -~]''' then
    v_item := (
      select string_agg(w || case when w ~ '^''.''$' and app.is_dense(substr(w, 2)) then ':*' else '' end, ' <-> ')
      from app.list_words(v_item::text) w)::tsquery;
  end if;
  return v_item;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.search_query(query text)
 RETURNS tsquery
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_words tsquery := '';
  v_group tsquery := '';
  v_negates boolean := false;
  v_word text;
  v_item tsquery;
begin
  for v_word in select m[1] from regexp_matches(left(query, 500), '("[^"]*"|[^\s"]+)', 'g') m loop
    if v_word in ('or', 'OR') then
      v_words := v_words || v_group;
      v_group := '';
    elsif v_word = 'NOT' then
      v_negates := true;
    else
      v_item := app.search_item(v_word);
      if numnode(v_item) > 0 then
        v_group := v_group && case when v_negates then !! v_item else v_item end;
      end if;
      v_negates := false;
    end if;
  end loop;
  v_words := v_words || v_group;
  if numnode(v_words) = 0 then
    perform app.fail('invalid_input', 'query has no word to search for: signs and words such as "the" do not count.',
      jsonb_build_object('field', 'query'), 'Use the words you expect in the text: payment retry.');
  end if;
  if (select count(*) from app.list_words(v_words::text)) > 32 then
    perform app.fail('invalid_input', 'query has more than 32 words.', jsonb_build_object('field', 'query'),
      'Use the few words you expect in the text. Each part of a name such as web-1 counts, and in Chinese, Japanese '
        || 'and Korean each character.');
  end if;
  return v_words;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.search_snippet(content text, query text, words tsquery, any_word tsquery)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_text text := coalesce(content, '');
  v_words tsvector;
  v_at integer;
  v_from integer := 1;
  v_to integer := length(coalesce(content, ''));
begin
  -- Finds the large piece that has a match first.
  for v_place in 1 .. length(v_text) by 3700 loop
    v_from := v_place;
    v_to := v_place + 4000;
    exit when to_tsvector('pg_catalog.russian', app.search_text(substr(v_text, v_place, 4000))) @@ words;
    v_from := 1;
    v_to := length(v_text);
  end loop;
  for v_place in v_from .. least(v_to, length(v_text)) by 200 loop
    v_words := to_tsvector('pg_catalog.russian', app.search_text(substr(v_text, v_place, 300)));
    if v_words @@ any_word then
      v_at := coalesce(v_at, v_place);
      if v_words @@ words then
        v_at := v_place;
        exit;
      end if;
    end if;
  end loop;
  -- A little before, so that the first word is whole.
  v_text := case
    when v_at > 100 then regexp_replace(substr(v_text, v_at - 100, 500), '^\S{0,100}\s', '')
    else left(v_text, 500)
  end;
  return app.mark_words(v_text, any_word, array(select m[1] from regexp_matches(query,
    '([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u3007\u3041-\ufaff\U00020000-\U000323af]+)',
    'g') m));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.search_text(content text, of_query boolean DEFAULT false)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_text text := content;
  v_names text;
begin
  if v_text ~ '[a-z0-9][A-Z]|[A-Z][A-Z][a-z]' then
    if not of_query then
      select string_agg(app.name_words(n[1]), ' ') into v_names
        from regexp_matches(v_text,
          '[A-Za-z0-9]*(?:[a-z0-9][A-Z]|[A-Z][A-Z][a-z])[A-Za-z0-9]*', 'g') n;
    end if;
    v_text := app.split_names(v_text);
  end if;
  v_text := app.fold_text(v_text);
  if v_text ~ '[a-z](\+\+|#)' then
    v_text := regexp_replace(v_text, '\m([a-z])\+\+', '\1 \1plusplus ', 'g');
    v_text := regexp_replace(v_text, '\m([a-z])#(?![a-z0-9])', '\1 \1sharp ', 'g');
  end if;
  if v_text ~ '\mv[0-9]' then
    v_text := regexp_replace(v_text, '\mv([0-9])', 'v \1', 'g');
  end if;
  v_text := regexp_replace(v_text, '[!-/:-@[-`{-~]+', ' ', 'g');
  if octet_length(v_text) > char_length(v_text) then
    v_text := regexp_replace(v_text, '[\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u02c2-\u02df'
      '\u037e\u0387\u055a-\u055f\u0589\u058a\u05be\u05f3\u05f4\u0600-\u060f\u061b-\u061f\u066a-\u066d\u06d4'
      '\u0700-\u070d\u0964\u0965\u0970\u0e2f\u0e3f\u0e4f\u0e5a\u0e5b\u104a-\u104f\u10fb\u1360-\u1368\u17d4-\u17db'
      '\u1800-\u180e\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030'
      '\u303d-\u303f\u30fb\ufe00-\ufe6f\ufeff-\uff0f\uff5f-\uff65\ufff0-\uffff\U0001f000-\U0001faff]+', ' ', 'g');
    if v_text ~ '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ufaff\U00020000-\U000323af]' then
      v_text := app.pair_characters(v_text, of_query);
    end if;
  end if;
  return concat_ws(' ', v_text, v_names);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.search_vector(kind text, tenant_id uuid, project_id uuid, content text)
 RETURNS tsvector
 LANGUAGE sql
 STABLE
AS $function$
  select array_to_tsvector(array_remove(array['=t' || tenant_id, '=p' || project_id, '=k' || kind], null))
    || to_tsvector('pg_catalog.russian', app.search_text(left(content, 30000)))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.searchable_text(event public.events)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select nullif(concat_ws(' ', case when event.event_type like '%.noted' then event.payload ->> 'text' end,
    event.payload ->> 'reason',
    case when event.event_type = 'task.completed' then concat_ws(' ', event.payload ->> 'summary', (
      select string_agg(n #>> '{}', ' ') from jsonb_path_query(event.payload, '$.evidence[*].note') n)) end), '')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.search(query text, project text DEFAULT NULL::text, kinds jsonb DEFAULT NULL::jsonb, cursor text DEFAULT NULL::text, page_size integer DEFAULT 10, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project uuid := case when project is null then v_actor.project_id else (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 50);
  v_question text := md5(concat_ws(' ', query, v_project, kinds));
  v_from integer := coalesce((app.decode_cursor(cursor, v_question) ->> 'from')::integer, 0);
  v_words tsquery := app.search_query(query);
  v_any tsquery := app.any_word(v_words);
  v_reach tsquery := ('''=t' || v_actor.tenant_id || '''')::tsquery;
  v_kind text;
  v_hint constant text := 'Kinds: ' || array_to_string(app.list_kinds(), ', ') || '.';
  v_found jsonb[];
  v_ranked integer;
begin
  if kinds is not null and not app.validate_field(kinds, 'text[]', 100, null) then
    perform app.fail('invalid_input', 'kinds must be a list of at most 100 texts.',
      jsonb_build_object('field', 'kinds'),
      v_hint);
  end if;
  select k into v_kind from jsonb_array_elements_text(kinds) k where k <> all (app.list_kinds()) limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no kind %s.', left(v_kind, 40)),
      jsonb_build_object('field', 'kinds'), v_hint);
  end if;
  if v_project is not null then
    v_reach := v_reach && ('''=p' || v_project || '''')::tsquery;
  end if;
  if jsonb_array_length(kinds) > 0 then
    v_reach := v_reach
      && (select string_agg('''=k' || k || '''', ' | ') from jsonb_array_elements_text(kinds) k)::tsquery;
  end if;
  -- One more than the page is ranked, for the cursor alone. A document that is gone makes the page shorter, not the
  -- last.
  select array_agg(h.hit order by h.place) filter (where h.hit is not null), count(*) into v_found, v_ranked from (
    select r.place, d.doc - 'body' || jsonb_build_object('kind', r.kind, 'id', r.id,
      'score', round(r.score::numeric, 3),
      'snippet', app.search_snippet(left(d.doc ->> 'body', least(20000, 400000 / v_size)), query, v_words,
        v_any)) as hit
    from (select m.kind, m.id, ts_rank(m.words, v_any) as score,
          row_number() over (order by ts_rank(m.words, v_any) desc, m.id desc) as place from (
        select * from app.search_documents s
        where s.words @@ (v_reach && v_words) and s.tenant_id = v_actor.tenant_id limit 1000) m
      order by place offset v_from limit v_size + 1) r
    cross join lateral (select case when r.place <= v_from + v_size
      then app.found_document(r.kind, v_actor.tenant_id, r.id) end as doc offset 0) d) h;
  return jsonb_strip_nulls(jsonb_build_object('hits', to_jsonb(coalesce(v_found, '{}')),
    'next_cursor', case when v_ranked > v_size
      then app.encode_cursor(jsonb_build_object('of', v_question, 'from', v_from + v_size)) end));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.suggest_refs(kind text, prefix text DEFAULT ''::text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_prefix text := lower(left(coalesce(prefix, ''), 80));
  v_values text[];
begin
  v_values := case kind
    when 'project' then array(
      select p.slug from public.projects p
      where p.tenant_id = v_actor.tenant_id and p.archived_at is null and starts_with(p.slug, v_prefix)
      order by p.updated_at desc limit 101)
    when 'task' then array(
      select t.ref
      from public.projects p
      cross join lateral (
        select x.ref, x.number
        from public.tasks x
        where x.tenant_id = v_actor.tenant_id
          and x.project_id = p.id
          and x.status in ('pending', 'in_progress', 'blocked')
          and starts_with(x.ref, v_prefix)
        order by x.number limit 101) t
      where p.tenant_id = v_actor.tenant_id
        and p.archived_at is null
        and (starts_with(p.slug || '-', v_prefix) or starts_with(v_prefix, p.slug || '-'))
      order by t.number limit 101)
    else array(
      select c.id::text from public.checkpoints c
      where c.tenant_id = v_actor.tenant_id and starts_with(c.id::text, v_prefix)
      order by c.created_at desc limit 101) end;
  return jsonb_build_object(
    'values', to_jsonb(v_values[:100]),
    'total', cardinality(v_values[:100]),
    'has_more', cardinality(v_values) > 100);
end
$function$;
-- owner cairn_owner

-- Privileges

grant delete, select (id), select (kind), select (tenant_id) on app.search_documents to cairn_keeper;
grant delete, insert, select, update on app.search_documents to cairn_owner;
grant execute on function public.search(text,text,jsonb,text,integer,jsonb) to authenticated;
grant execute on function public.search(text,text,jsonb,text,integer,jsonb) to cairn_server;
grant execute on function public.search(text,text,jsonb,text,integer,jsonb) to service_role;
grant execute on function public.suggest_refs(text,text,jsonb) to authenticated;
grant execute on function public.suggest_refs(text,text,jsonb) to cairn_server;
grant execute on function public.suggest_refs(text,text,jsonb) to service_role;
