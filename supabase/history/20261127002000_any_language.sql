-- Search finds words of every script and case, parts of the names that code has, and text beside any punctuation. The
-- text is made ready for PostgreSQL's parser here and not by the locale of the database, which an existing cluster
-- keeps: what it leaves are words of letters and digits with blanks between them.

-- Lower case of all scripts, whatever the locale of the database: by the rules that the server brings along.
do $do$
begin
  execute format(
    'create function app.lower_case(content text) returns text language sql immutable return lower(content%s)',
    coalesce((select ' collate pg_catalog.' || quote_ident(c.collname) from pg_catalog.pg_collation c
      where c.collname in ('pg_c_utf8', 'und-x-icu') and c.collnamespace = 'pg_catalog'::regnamespace
      order by c.collname limit 1), ''));
end
$do$;

-- Makes equal what readers take for equal: capitals, accents, wide and narrow forms, vowel marks that may be left out.
create function app.fold(content text) returns text language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if octet_length(content) = char_length(content) then
    return app.lower_case(content);
  end if;
  content := app.lower_case(normalize(content, nfkd));
  content := regexp_replace(content, '([a-z\u03b1-\u03c9])[\u0300-\u036f]+', '\1', 'g');
  content := regexp_replace(content,
    '[\u00ad\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]+', '', 'g');
  content := replace(replace(replace(normalize(content, nfc), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
  return translate(content, 'ςёıøłđ', 'σеiold');
end
$$;

-- Whether a character is of a script that writes no blanks between words, or, as Hangul, grows words together.
create function app.is_dense(sign text) returns boolean language sql immutable
  return '{[3584,3840),[4096,4256),[6016,6144),[11904,12256),[12293,12296),[12353,42192),[44032,55216),[63744,64256),
    [131072,205744)}'::int4multirange @> ascii(sign);

-- Writes text of such scripts as pairs of neighbours: whatever part of it is asked for is found in order. The last of
-- a run stands alone in a text, so that a single character is found by what begins with it; in a query it is left out.
create function app.pair_characters(content text, of_query boolean) returns text language sql immutable
begin atomic
  select string_agg(
    case when not p.is_dense then p.c
      when p.is_next_dense then ' ' || p.c || p.next || ' '
      when of_query and p.was_dense then ' '
      else ' ' || p.c || ' ' end, '' order by p.at)
  from (
    select d.*, lead(d.c) over o as next, coalesce(lead(d.is_dense) over o, false) as is_next_dense,
      coalesce(lag(d.is_dense) over o, false) as was_dense
    from (
      select c.c, c.at, app.is_dense(c.c) as is_dense from string_to_table(content, null) with ordinality c (c, at)) d
    window o as (order by d.at)) p;
end;

-- Takes the names of code apart: getUserById, HTTPServer.
create function app.split_names(content text) returns text language sql immutable
  return regexp_replace(regexp_replace(content, '([a-z0-9])([A-Z])', '\1 \2', 'g'),
    '([A-Z])([A-Z][a-z])', '\1 \2', 'g');

-- Prepares text for the parser of words. Names of code are there as their parts and, at the end of a text, whole; of
-- C++ and C# the sign counts, and versions have numbers. Punctuation is no part of a word, and would be what the
-- parser goes back in.
create function app.search_text(content text, of_query boolean default false) returns text
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := content;
  v_names text;
begin
  if v_text ~ '[a-z0-9][A-Z]|[A-Z][A-Z][a-z]' then
    if not of_query then
      select string_agg(lower(n[1]), ' ') into v_names
        from regexp_matches(v_text,
          '[A-Za-z0-9]*(?:[a-z0-9][A-Z]|[A-Z][A-Z][a-z])[A-Za-z0-9]*', 'g') n;
    end if;
    v_text := app.split_names(v_text);
  end if;
  v_text := app.fold(v_text);
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
$$;

-- This configuration takes the ends off English words and off Russian ones, which it tells by their letters; others
-- stay as they are.
create or replace function app.search_vector(kind text, tenant_id uuid, project_id uuid, content text)
  returns tsvector
  language sql
  stable
as $$
  select array_to_tsvector(array['=t' || tenant_id, '=p' || project_id, '=k' || kind])
    || to_tsvector('pg_catalog.russian', app.search_text(left(content, 30000)))
$$;

-- What one item of a query looks for: a word, the parts of a name in their order, a phrase.
create function app.search_item(item text) returns tsquery language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_item tsquery := phraseto_tsquery('pg_catalog.russian', app.search_text(item, true));
begin
  if item ~ '^\S*([a-z0-9][A-Z]|[A-Z][A-Z][a-z])\S*$' then
    v_item := v_item || phraseto_tsquery('pg_catalog.russian', app.search_text(lower(item), true));
  end if;
  -- A single character of those that are written in pairs.
  if v_item::text ~ '''[^ -~]''' then
    v_item := (
      select string_agg(w || case when w ~ '^''.''$' and app.is_dense(substr(w, 2)) then ':*' else '' end, ' <-> ')
      from app.list_words(v_item::text) w)::tsquery;
  end if;
  return v_item;
end
$$;

-- Reads what a search looks for. Raises invalid_input for no word and for more than 32.
create or replace function app.search_query(query text)
  returns tsquery
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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
    perform app.fail('invalid_input', 'query has no word to search for.', jsonb_build_object('field', 'query'),
      'Use the words you expect in the text: payment retry.');
  end if;
  if (select count(*) from app.list_words(v_words::text)) > 32 then
    perform app.fail('invalid_input', 'query has more than 32 words.', jsonb_build_object('field', 'query'),
      'Use the few words you expect in the text. Each part of a name such as web-1 counts, and in Chinese, Japanese '
        || 'and Korean each character.');
  end if;
  return v_words;
end
$$;

-- Marks the words of a text that a query looks for, without the punctuation beside them: at most 24 words, with some
-- before the first. In scripts without blanks it marks the query's own runs, in the 160 characters around the first.
create function app.mark_words(content text, any_word tsquery, runs text[]) returns text language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_beside constant text := '[!-/:-@[-`{-~\u2000-\u206f\u3000-\u303f«»]';
  v_run text;
begin
  foreach v_run in array runs loop
    if strpos(content, v_run) > 0 then
      content := replace(substr(content, greatest(1, strpos(content, v_run) - 40), 160), v_run, '**' || v_run || '**');
      return regexp_replace(btrim(content), '\s+', ' ', 'g');
    end if;
  end loop;
  return (
    select string_agg(case when w.is_hit
        then regexp_replace(w.word, format('^(%1$s*)(.*?)(%1$s*)$', v_beside), '\1**\2**\3') else w.word end, ' '
        order by w.at)
    from (
      select h.*, coalesce(min(h.at) filter (where h.is_hit) over (), 1) as first
      from (select r.word, r.at, to_tsvector('pg_catalog.russian', app.search_text(r.word)) @@ any_word as is_hit
        from regexp_split_to_table(btrim(content), '\s+') with ordinality r (word, at)) h) w
    where w.at between w.first - 4 and greatest(w.first - 4, 1) + 23);
end
$$;

drop function app.search_snippet(text, tsquery, tsquery);

-- Shows the place that says best why a text matches: the first that meets the whole query, else the first with a word
-- of it. It is looked for as it was indexed, a few lines at a time.
create function app.search_snippet(content text, query text, words tsquery, any_word tsquery)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := coalesce(content, '');
  v_words tsvector;
  v_at integer;
begin
  for v_place in 1 .. length(v_text) by 200 loop
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
$$;

-- search(query, project?, kinds?, cursor?, page_size) -> {hits: [{kind, id, ref?, title, snippet, by?, at, score}],
-- next_cursor?}, best first. Words are joined by and; "quoted phrases", or and NOT work, and - means nothing: text is
-- full of it. Of a query with more than 1,000 matches it ranks 1,000. A snippet is of the first 20,000 characters, or
-- of what a page of 400,000 leaves to each hit. Raises invalid_input.
create or replace function public.search(
  query text,
  project text default null,
  kinds jsonb default null,
  cursor text default null,
  page_size integer default 10,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project uuid := case when project is null then v_actor.project_id else (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 50);
  v_question text := md5(concat_ws(' ', query, v_project, kinds));
  v_from integer := coalesce((app.decode_cursor(cursor, v_question) ->> 'from')::integer, 0);
  v_words tsquery := app.search_query(query);
  v_any tsquery := app.any_word(v_words);
  v_reach tsquery := ('''=t' || v_actor.tenant_id || '''')::tsquery;
  v_kind text;
  v_found jsonb[];
  v_ranked integer;
begin
  if kinds is not null and not app.fits(kinds, 'text[]', 100, null) then
    perform app.fail('invalid_input', 'kinds is a list of at most 100 texts.', jsonb_build_object('field', 'kinds'),
      'Kinds: task, event, decision, checkpoint, artifact, project.');
  end if;
  select k into v_kind from jsonb_array_elements_text(kinds) k
    where k not in ('task', 'event', 'decision', 'checkpoint', 'artifact', 'project') limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no kind %s.', left(v_kind, 40)),
      jsonb_build_object('field', 'kinds'), 'Kinds: task, event, decision, checkpoint, artifact, project.');
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
$$;

create or replace function app.task_passes(task public.tasks, filters jsonb, actor app.actor)
  returns boolean
  language sql
  stable
as $$
  select (not filters ? 'status' or filters -> 'status' ? task.status)
    and (not filters ? 'priority' or filters -> 'priority' ? task.priority)
    and (not filters ? 'parent' or task.parent_id = (filters ->> 'parent')::uuid)
    and (not filters ? 'query' or position(app.fold(filters ->> 'query') in app.fold(task.title)) > 0)
    and (not coalesce((filters ->> 'mine')::boolean, false)
      or task.locked_by_user = actor.user_id and task.locked_by = coalesce(actor.agent, actor.client, 'user'))
$$;

drop function app.break_runs(text);

select app.secure_functions();

-- What is there already is put into words again, workspace by workspace.
drop index app.idx_search_documents_words;
do $$
declare
  v_tenant uuid;
begin
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    update app.search_documents d set words = app.search_vector(s.kind, v_tenant, s.project_id, s.content)
      from app.searchable(v_tenant) s
      where d.tenant_id = v_tenant and d.kind = s.kind and d.id = s.id and s.content is not null;
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
end
$$;
create index idx_search_documents_words on app.search_documents using gin (words) with (gin_pending_list_limit = 64);
