import { of } from './mutant.mjs';

const SEARCH = 'supabase/migrations/20261125000200_search.sql';

/** Threats of calls that cost the others what they need. */
export const COSTS = Object.freeze([
  ...of('T29', 'test/search.test.ts', [
    {
      file: SEARCH,
      find: "  return ts_headline('pg_catalog.english', v_text, any_word,",
      replace: "  return ts_headline('pg_catalog.english', v_text, words,",
      name: 'costs little memory',
    },
    {
      file: SEARCH,
      find: 'ts_rank(m.words, v_any) as score',
      replace: 'ts_rank(m.words, v_words) as score',
      name: 'costs little time',
    },
    {
      file: SEARCH,
      find: "when v_at > 100 then regexp_replace(substr(v_text, v_at - 100, 500), '^\\S*\\s', '')",
      replace: 'when false then null',
      name: 'shows a place far behind',
    },
    {
      file: SEARCH,
      find: 'app.list_words(v_plain::text)) > 32 then',
      replace: 'app.list_words(v_plain::text)) > 3200 then',
      name: 'of more than 32 words is refused',
    },
    {
      file: SEARCH,
      find: "left(d.doc ->> 'body', least(20000, 400000 / v_size))",
      replace: "d.doc ->> 'body'",
      name: 'shows the beginning of a long text where a page is of many',
    },
    {
      file: SEARCH,
      find: "string_agg(distinct '''=k'",
      replace: "string_agg('''=k'",
      name: 'takes a kind as often as it is named for one',
    },
    {
      file: SEARCH,
      find: "replace(content, '<!--', '< !--')",
      replace: 'content',
      name: 'a text of <!-- is put into words',
    },
    {
      file: SEARCH,
      find: "'\\S{100}', '\\& ', 'g')",
      replace: "'\\S{100}', '\\&', 'g')",
      name: 'a text of _a is put into words',
    },
  ]),
]);
