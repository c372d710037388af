import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** Threats of calls that cost the others what they need. */
export const BOUNDS = Object.freeze([
  ...of('T29', 'test/schema/search.test.ts', [
    {
      file: SQL,
      find: 'ts_rank(m.words, v_any) as score',
      replace: 'ts_rank(m.words, v_words) as score',
      name: 'costs little time',
    },
    {
      file: SQL,
      find: "when v_at > 100 then regexp_replace(substr(v_text, v_at - 100, 500), '^\\S{0,100}\\s', '')",
      replace: 'when false then null',
      name: 'shows a place far behind',
    },
    {
      file: SQL,
      find: 'app.list_words(v_words::text)) > 32 then',
      replace: 'app.list_words(v_plain::text)) > 3200 then',
      name: 'of more than 32 words is refused',
    },
    {
      file: SQL,
      find: "left(d.doc ->> 'body', least(20000, 400000 / v_size))",
      replace: "d.doc ->> 'body'",
      name: 'shows the beginning of a long text where a page is of many',
    },
    {
      file: SQL,
      find: "app.validate_field(kinds, 'text[]', 100, null)",
      replace: "app.validate_field(kinds, 'text[]', 100000, null)",
      name: 'among a hundred kinds at most',
    },
    {
      file: SQL,
      find: "  v_text := regexp_replace(v_text, '[!-/:-@[-`{-~]+', ' ', 'g');\n",
      replace: '',
      name: 'a text of <!-- is put into words',
    },
  ]),
  ...of('T30', 'test/schema/globs.test.ts', [
    {
      file: SQL,
      find: "E'[\\x01\\x03]*(?:\\x02|\\x01\\x03)[\\x01\\x02\\x03]*', E'\\x02', 'g'), E'\\x01+', E'\\x01', 'g')",
      replace: "E'\\x04', '', 'g'), E'\\x04', '', 'g')",
      name: 'of a task has at most sixteen wildcards, as one of a project',
    },
    {
      file: SQL,
      find: '(scope -> v_key) g where app.count_wildcards(g) > 16) then',
      replace: '(scope -> v_key) g where false) then',
      name: 'of a task has at most sixteen wildcards, as one of a project',
    },
    {
      file: SQL,
      find: '(select g from unnest(v_globs) g where app.count_wildcards(g) > 16 limit 1)',
      replace: 'null',
      name: 'that is too much leaves every file out of scope',
    },
    {
      file: SQL,
      find: 'elsif v_globs_length * v_files_length > 200000000 then',
      replace: 'elsif false then',
      name: 'at the limit of what is compared ends soon, and says so beyond',
    },
    {
      file: SQL,
      find: "else nullif(files, '{}') end",
      replace: 'end',
      name: 'that is too much leaves every file out of scope',
    },
  ]),
  ...of('T30', 'test/remote/http-concurrency.test.ts', [
    {
      file: 'src/server/http/concurrency.ts',
      find: '      if (fits(caller)) take',
      replace: '      if (free > -1e9) take',
      name: 'leave room for those of another, and take their turns',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: 'held.of(grant) < most && ',
      name: 'leave room for those of another, and take their turns',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: ' && held.of(user) < 2 * most',
      name: 'leave room for those of another user, whatever grants that one has',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: 'Math.min(free, grantMax)',
      replace: 'free',
      name: 'are worked on by one grant at a time as often as the machine allows',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: 'count.of(grant) >= max.grant || ',
      name: 'are refused at once where too many of the grant wait',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: 'count.of(user) >= max.user || ',
      name: 'are refused at once where too many of the user wait',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: " || count.of('all') >= max.all",
      name: 'are refused at once where too many of all users wait',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: "      gone?.addEventListener('abort', refuse, { once: true });\n",
      name: 'do not run when their client went away while they waited',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: '      queues.moveToEnd(turn.grant);\n',
      name: 'take turns with those of the user’s other grants',
    },
    {
      file: 'src/server/http/concurrency.ts',
      find: '      const timer = setTimeout(refuse, waitMs);\n',
      replace: '      const timer = 0;\n',
      name: 'are refused when their turn does not come',
    },
    {
      file: 'src/server/http/server-options.ts',
      find: 'const acting = { ...actor, grant, gone,',
      replace: 'const acting = { ...actor, gone,',
      name: 'leave room for those of another, and take their turns',
    },
  ]),
  ...refusals('T29', 'test/schema/search.test.ts', [
    {
      within: 'app.search_query',
      find: 'query has more than 32 words.',
      name: 'of more than 32 words is refused',
    },
  ]),
  ...refusals('T30', 'test/schema/globs.test.ts', [
    {
      within: 'app.check_scope',
      find: 'in each glob at most 16 wildcards',
      name: 'of a task has at most sixteen wildcards, as one of a project',
    },
    {
      within: 'app.guard_artifact',
      find: 'The diff cannot be compared with the scope',
      name: 'at the limit of what is compared ends soon, and says so beyond',
    },
  ]),
]);
