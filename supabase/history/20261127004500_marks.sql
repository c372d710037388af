-- Marks the words of a text that a query looks for, without the punctuation beside them: at most 24 words, with some
-- before the first. In scripts without blanks it marks the query's own runs, in the 160 characters around the first.
-- All words are made ready in one go, with a character between them that no stored text has.
create or replace function app.mark_words(content text, any_word tsquery, runs text[]) returns text
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
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
        then regexp_replace(w.word, format('^(%1$s*)(.*?)(%1$s*)$', v_beside), '\1**\2**\3') else w.word end, ' '
        order by w.at)
    from (
      select h.*, coalesce(min(h.at) filter (where h.is_hit) over (), 1) as first
      from (select u.word, u.at, to_tsvector('pg_catalog.russian', coalesce(u.ready, '')) @@ any_word as is_hit
        from unnest(v_words, v_ready) with ordinality u (word, ready, at) where u.word is not null) h) w
    where w.at between w.first - 4 and greatest(w.first - 4, 1) + 23);
end
$$;

select app.secure_functions();
