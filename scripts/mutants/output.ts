import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const SUITE = 'test/core/output.test.ts';
const LIMITS_SUITE = 'test/core/output-limits.test.ts';
const SCREENS_SUITE = 'test/core/screens.test.ts';
const KEPT_SUITE = 'test/core/screens-kept.test.ts';
const PRINTED_SUITE = 'test/core/printed.test.ts';

/** Mutants of the output of runs: who may add it, how much, and what of it a terminal gets. */
export const OUTPUT = Object.freeze([
  ...refusals('core', SUITE, [
    {
      within: 'app.check_run_holder',
      find: 'The run %s is not yours any more.',
      name: 'is taken of who holds the run, also after its end, and of nobody else',
    },
  ]),
  ...refusals('core', LIMITS_SUITE, [
    {
      within: 'app.check_chunks',
      find: 'A chunk says that it was printed at %s, when the run was not on.',
      name: 'of a clock that is wrong is refused, by what to compare',
    },
    { within: 'public.set_output_quota', find: 'app.refuse_agent', name: 'is set by who runs the server' },
    { within: 'public.set_output_quota', find: 'app.refuse_guest', name: 'is set by who runs the server' },
  ]),
  ...of('core', LIMITS_SUITE, [
    {
      file: SQL,
      within: 'app.check_chunks',
      find: 'v_bytes <= 262144',
      replace: 'true',
      name: 'is refused where it is of another form or too large',
    },
    {
      file: SQL,
      within: 'app.insert_output',
      find: 'where g.upto <= room',
      replace: 'where true',
      name: 'beyond 50 MB of a run is counted, and not kept but for its end',
    },
    {
      file: SQL,
      within: 'app.output_room',
      find: 'app.get_last_bytes_max() - kept.last_bytes',
      replace: 'app.get_output_bytes_max()',
      name: 'keeps at least 10 MB of each attempt, and 5 of its end',
    },
    {
      file: SQL,
      within: 'app.store_chunks',
      find: 'least(v_room, v_today)',
      replace: 'v_room',
      name: 'beyond the quota of a day is counted, and told once',
    },
    {
      file: SQL,
      within: 'app.leave_out',
      find: ' or jsonb_array_length(kept.left_out) >= 20',
      replace: '',
      name: 'that is left out is said as a sequence and its bytes, in few places',
    },
  ]),
  ...refusals('core', KEPT_SUITE, [
    {
      within: 'public.set_output_search',
      find: 'app.refuse_limited',
      name: 'or on it is by a person who is an administrator, on the trail of access',
    },
    {
      within: 'public.set_output_search',
      find: 'app.refuse_agent',
      name: 'or on it is by a person who is an administrator, on the trail of access',
    },
  ]),
  ...of('core', KEPT_SUITE, [
    {
      file: SQL,
      within: 'app.keep_screen',
      find: ' for share;',
      replace: ';',
      name: 'nothing is left of it, and an end at that moment is waited for',
    },
    {
      file: SQL,
      within: 'public.set_output_search',
      find: 'delete from app.run_screens s where s.tenant_id = v_actor.tenant_id;',
      replace: '',
      name: 'nothing is left of it, and an end at that moment is waited for',
    },
    {
      file: SQL,
      within: 'app.forget_screens',
      find: 'app.period_start(s.printed_at, r.period, 1) + make_interval(days => r.keep_days) <= app.now()',
      replace: 'false',
      name: 'words are forgotten with the output, in every workspace, not before',
    },
  ]),
  ...of('core', SCREENS_SUITE, [
    {
      file: SQL,
      within: 'app.keep_screen',
      find: `t.agent_settings @> '{"search_output": true}'`,
      replace: 'true',
      name: 'is not found until the workspace says so, and not of runs before',
    },
    {
      file: SQL,
      within: 'public.add_output',
      find: 'perform app.keep_screen(v_run);',
      replace: 'null;',
      name: 'is of the latest attempt, and found also where it comes after the end',
    },
    {
      file: SQL,
      within: 'app.keep_screen',
      find: 'perform app.lock_output(run, app.now());',
      replace: '',
      name: 'is found where output and end come at one moment, first the output',
    },
    {
      file: 'src/services/search.ts',
      find: 'isOutput(kind) ? showsAgents(ctx)',
      replace: 'isOutput(kind) ? true',
      name: 'needs the right to read output',
    },
  ]),
  ...of('T50', PRINTED_SUITE, [
    {
      file: 'src/printed.ts',
      find: 'this.#colours && COLOUR.test(this.#code)',
      replace: 'this.#colours',
      name: 'keeps colours for a terminal, ends them, and keeps nothing else',
    },
  ]),
  ...of('T51', 'test/runner/holder.test.ts', [
    {
      file: 'src/runner/holder/holder.ts',
      find: 'given.length === wanted.length && timingSafeEqual(given, wanted)',
      replace: 'true',
      name: 'turns away who says a wrong secret, and waits for its runner',
    },
  ]),
]);
