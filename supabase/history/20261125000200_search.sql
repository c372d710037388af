-- A search has bounds: for the words it takes, the text it reads, and the work of ranking and showing it.

-- Prepares text for the parser of words. The parser goes back at the end of a long run of characters without a blank,
-- and of a comment that nobody closed, so that its time grew with the square of their length.
create function app.break_runs(content text) returns text language sql immutable as $$
  select regexp_replace(replace(content, '<!--', '< !--'), '\S{100}', '\& ', 'g')
$$;

create or replace function app.search_vector(kind text, tenant_id uuid, project_id uuid, content text)
  returns tsvector
  language sql
  stable
as $$
  select array_to_tsvector(array['=t' || tenant_id, '=p' || project_id, '=k' || kind])
    || to_tsvector('pg_catalog.english', app.break_runs(left(content, 30000)))
$$;

-- Lists the words of a query, as they are quoted in its text.
create function app.list_words(query text) returns setof text language sql immutable as $$
  select m[1] from regexp_matches(query, '(''(?:[^'']|'''')*'')', 'g') m
$$;

-- Reads what a search looks for: each condition as English and as it stands. Raises invalid_input for no word and for
-- more than 32.
create function app.search_query(query text)
  returns tsquery
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := app.break_runs(left(query, 500));
  v_plain tsquery := websearch_to_tsquery('pg_catalog.simple', v_text);
  v_words tsquery := websearch_to_tsquery('pg_catalog.english', v_text) || v_plain;
begin
  if coalesce(trim(query), '') = '' or numnode(v_words) = 0 then
    perform app.fail('invalid_input', 'query has no word to search for.', jsonb_build_object('field', 'query'),
      'Use the words you expect in the text: payment retry.');
  end if;
  if (select count(*) from app.list_words(v_plain::text)) > 32 then
    perform app.fail('invalid_input', 'query has more than 32 words.', jsonb_build_object('field', 'query'),
      'Use the few words you expect in the text. Each part of a name such as web-1 counts.');
  end if;
  return v_words;
end
$$;

-- Joins the words of a query that are not negated by or: these rank and mark a match in time that grows with the text
-- alone. The time of ts_rank grows with the square of the words that are joined by and; ts_headline brings a query into
-- conjunctive form, which of n pairs joined by or has 2^n parts.
create function app.any_word(words tsquery) returns tsquery language sql immutable as $$
  select coalesce(string_agg(distinct w, ' | '), '''=''')::tsquery from app.list_words(
    regexp_replace(words::text, '!(?:''(?:[^'']|'''')*''|\( (?:''(?:[^'']|'''')*''|[^'')])*\))', '', 'g')) w
$$;

-- Shows the place that says best why a text matches: the first that meets the whole query, else the first with a word
-- of it. The same parser finds it, a few lines at a time, and the marks are made in these lines alone.
create function app.search_snippet(content text, words tsquery, any_word tsquery)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := app.break_runs(coalesce(content, ''));
  v_words tsvector;
  v_at integer;
begin
  for v_place in 1 .. length(v_text) by 200 loop
    v_words := to_tsvector('pg_catalog.english', substr(v_text, v_place, 300));
    if v_words @@ any_word then
      v_at := coalesce(v_at, v_place);
      if v_words @@ words then
        v_at := v_place;
        exit;
      end if;
    end if;
  end loop;
  -- A word before, so that the first one is whole: none is longer than a hundred characters.
  v_text := case
    when v_at > 100 then regexp_replace(substr(v_text, v_at - 100, 500), '^\S*\s', '')
    else left(v_text, 500)
  end;
  return ts_headline('pg_catalog.english', v_text, any_word,
    'MaxFragments=1, MaxWords=24, MinWords=8, StartSel=**, StopSel=**');
end
$$;

-- search(query, project?, kinds?, cursor?, page_size) -> {hits: [{kind, id, ref?, title, snippet, by?, at, score}],
-- next_cursor?}, best first. Words are joined by and; "quoted phrases", or and -not work as on the web. Of a query
-- with more than 1,000 matches it ranks 1,000. A snippet is of the first 20,000 characters, or of what a page of
-- 400,000 leaves to each hit. Raises invalid_input.
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
      && (select string_agg(distinct '''=k' || k || '''', ' | ') from jsonb_array_elements_text(kinds) k)::tsquery;
  end if;
  -- One more than the page is ranked, for the cursor alone. A document that is gone makes the page shorter, not the
  -- last.
  select array_agg(h.hit order by h.place) filter (where h.hit is not null), count(*) into v_found, v_ranked from (
    select r.place, d.doc - 'body' || jsonb_build_object('kind', r.kind, 'id', r.id,
      'score', round(r.score::numeric, 3),
      'snippet', app.search_snippet(left(d.doc ->> 'body', least(20000, 400000 / v_size)), v_words, v_any)) as hit
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
