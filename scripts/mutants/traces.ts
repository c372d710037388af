import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const SUITE = 'test/core/steps.test.ts';
const COSTS_SUITE = 'test/core/costs.test.ts';
const RECEIVER_SUITE = 'test/telemetry/receiver.test.ts';
const SENDER_SUITE = 'test/runner/step-sender.test.ts';

/** Mutants of steps: who tells of them, what of them is kept, and what they cost. */
export const TRACES = Object.freeze([
  ...refusals('core', COSTS_SUITE, [
    { within: 'app.refuse_agent', find: 'app.refuse_limited', name: 'is set by who runs the server' },
    { within: 'public.set_model_price', find: 'app.refuse_guest', name: 'is set by who runs the server' },
    { within: 'public.set_model_price', find: 'app.refuse_agent', name: 'is set by who runs the server' },
    { within: 'public.set_model_price', find: 'No price is set for', name: 'is set by who runs the server' },
  ]),
  ...of('core', SUITE, [
    {
      file: SQL,
      within: 'app.store_steps',
      find: 'greatest(s.status, excluded.status)',
      replace: 'excluded.status',
      name: 'of %s comes to the same twice, late and in any order',
    },
    {
      file: SQL,
      within: 'app.believed_time',
      find: "case when named between run.created_at - interval '1 day' and at + interval '1 day' then named else at end",
      replace: 'named',
      name: 'of a time that cannot be has the time of its receipt, and makes no partition',
    },
  ]),
  ...of('core', COSTS_SUITE, [
    {
      file: SQL,
      within: 'app.price_step',
      find: "tg_op = 'INSERT'",
      replace: 'true',
      name: 'stays when a price changes, and the next request has the new one',
    },
  ]),
  ...of('T52', RECEIVER_SUITE, [
    {
      file: 'src/telemetry/receiver.ts',
      find: 'this.#takes.get(secret)',
      replace: '[...this.#takes.values()][0]',
      name: 'knows the one path that is its own, and only posts',
    },
  ]),
  ...of('T53', SUITE, [
    {
      file: SQL,
      within: 'app.store_steps',
      find: 'case when v_keeps then g.content end',
      replace: 'g.content',
      name: 'keeps what was said only where its project says so',
    },
  ]),
  ...of('T53', SENDER_SUITE, [
    {
      file: 'src/runner/step-sender.ts',
      find: 'keeps_content ? steps',
      replace: 'true ? steps',
      name: 'takes out what was said unless the project of the run keeps it',
    },
  ]),
]);
