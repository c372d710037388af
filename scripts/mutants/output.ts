import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const SUITE = 'test/core/output.test.ts';
const LIMITS_SUITE = 'test/core/output-limits.test.ts';
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
    { within: 'public.set_output_quota', find: 'app.refuse_limited', name: 'is set by who runs the server' },
    { within: 'public.set_output_quota', find: 'Whoever runs the server says', name: 'is set by who runs the server' },
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
  ...of('T50', PRINTED_SUITE, [
    {
      file: 'src/printed.ts',
      find: 'this.#colours && COLOUR.test(this.#code)',
      replace: 'this.#colours',
      name: 'keeps colours for a terminal, ends them, and keeps nothing else',
    },
  ]),
]);
