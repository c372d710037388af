import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const SUITE = 'test/core/steps.test.ts';
const COSTS_SUITE = 'test/core/costs.test.ts';
const RECEIVER_SUITE = 'test/telemetry/receiver.test.ts';
const CHATS_SUITE = 'test/core/chats.test.ts';
const PATHS_SUITE = 'test/remote/otlp-paths.test.ts';
const SEND_ON_SUITE = 'test/telemetry/send-on.test.ts';
const HELD_SUITE = 'test/runner/held-steps.test.ts';
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
      name: 'of claude comes to the same twice, late and in any order',
    },
    {
      file: SQL,
      within: 'app.tellings',
      find: 'group by t.telling',
      replace: 'where t.telling = 1 group by t.telling',
      name: 'told several times in one report comes to the same in any order',
    },
    {
      file: SQL,
      within: 'app.store_steps',
      find: 'nullif(excluded.completed_at, $4)',
      replace: 'excluded.completed_at',
      name: 'has no end that nobody told, also when its run has ended',
    },
    {
      file: SQL,
      within: 'app.parent_of',
      find: 'then above ->> step.parent_span_id',
      replace: 'then step.parent_span_id',
      name: 'that is told of with what is above it is written once',
    },
    {
      file: SQL,
      within: 'app.merged_within',
      find: 'octet_length((one || other)::text) <= bytes',
      replace: 'true',
      name: 'told again and again stays within its bounds',
    },
    {
      file: SQL,
      within: 'app.believed_time',
      find: 'then at else named end',
      replace: 'then named else named end',
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
    {
      file: SQL,
      within: 'app.price_of',
      find: "'([@:].*)?$')",
      replace: "'([@:-].*)?$')",
      name: 'is that of its name, whatever its version, and of no other of its family',
    },
    {
      file: SQL,
      within: 'public.set_model_price',
      find: 'app.price_name(model)',
      replace: 'lower(model)',
      name: 'is set by who runs the server',
    },
    {
      file: SQL,
      within: 'app.costs_between',
      find: 'select distinct on (u.run_id) u.key',
      replace: 'select u.key',
      name: 'counts once how long a run waited, of how many models and days it may be',
    },
    {
      file: SQL,
      within: 'app.count_usage',
      find: 'having sum(a.requests) < 0',
      replace: 'having false',
      name: 'leaves no row where the day or the model of a request turned out to be another',
    },
    {
      file: SQL,
      within: 'app.usage_between',
      find: 'and u.run_id = $5',
      replace: 'and $5 is not null',
      name: 'is of the run, the project or the agent that is asked for, and says how much is not listed',
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
  ...of('T52', HELD_SUITE, [
    {
      file: 'src/telemetry/dialects/claude.ts',
      find: 'word.startsWith(OWN))?.slice(OWN.length)',
      replace: "word !== '')?.replace(OWN, '')",
      name: 'is no step where a program that the agent started reports it',
    },
  ]),
  ...of('core', HELD_SUITE, [
    {
      file: 'src/telemetry/tree.ts',
      find: 'if (data === undefined) branch.rejected++;',
      replace: 'if (data === undefined) branch.steps.push(this.#step(one, told, run));',
      name: 'is left out by itself where it cannot be, and not without a word',
    },
  ]),
  ...of('core', 'test/telemetry/programs.test.ts', [
    {
      file: 'src/telemetry/tree.ts',
      find: 'this.#tellWait(one, branches)',
      replace: 'void branches',
      name: 'waited as long as its calls did, however often and in whatever order that comes',
    },
  ]),
  ...of('T53', HELD_SUITE, [
    {
      file: 'src/telemetry/reporting.ts',
      find: '[...namesIn(env), ...variablesOfClaude(cwd, env)]',
      replace: 'namesIn(env)',
      name: 'stays where its environment or its settings send it, and no prompt goes there',
    },
    {
      file: 'src/telemetry/reporting.ts',
      find: '^(OTEL_EXPORTER_OTLP_|',
      replace: '^(OTEL_EXPORTER_OTLP_ENDPOINT$|',
      name: 'stays where its environment or its settings send it, and no prompt goes there',
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
  ...of('T53', 'test/telemetry/what-was-said.test.ts', [
    {
      file: 'src/telemetry/step.ts',
      find: 'return { error: failureText(status, kind), ',
      replace: 'return { error: told ?? failureText(status, kind), ',
      name: 'is in no word of a step that is sent, also where it failed: a call of Claude Code',
    },
  ]),
  ...of('core', SENDER_SUITE, [
    {
      file: 'src/runner/step-sender.ts',
      find: '        failuresMax: FAILURES_MAX,\n',
      name: 'that the server fails at keep no other run waiting, and are given up',
    },
    {
      file: 'src/runner/step-sender.ts',
      find: 'setTimeout(() => this.#leaveOut(left), EARLY_MS_MAX).unref()',
      replace: 'void 0',
      name: 'of a run that nobody has any more are not kept for ever',
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
  ...refusals('core', CHATS_SUITE, [
    {
      within: 'app.take_reporting',
      find: 'Your programs have begun',
      name: 'is one of so many that programs may begin',
    },
    { within: 'app.guard_run', find: 'Nothing reaches the run %s', name: 'is ended by nobody else' },
    {
      within: 'app.find_targets',
      find: '%s takes no commands: it only',
      name: 'takes no commands, and counts as none',
    },
    { within: 'app.lock_agent_named', find: 'is a program that only reports.', name: 'is taken over by no runner' },
  ]),
  ...of('core', CHATS_SUITE, [
    {
      file: SQL,
      within: 'app.check_run_completion',
      find: 'l.expires_at > $2',
      replace: 'false',
      name: 'has ended when nothing was heard of it for half an hour',
    },
    {
      file: SQL,
      within: 'app.open_chat',
      find: 'perform pg_advisory_xact_lock',
      replace: '-- perform pg_advisory_xact_lock',
      name: 'is one run, also when its first reports come at once',
    },
    {
      file: SQL,
      within: 'app.free_agent_name',
      find: "perform set_config('app.project_id', '', true);",
      name: 'is of the project of its token, or else of the one',
    },
    {
      file: SQL,
      within: 'app.check_at_rest',
      find: 'and not app.is_chat(r)',
      name: 'holds no project back, and is over with it',
    },
  ]),
  ...of('T58', CHATS_SUITE, [
    {
      file: SQL,
      within: 'app.chat_id',
      find: 'actor.user_id, ',
      name: 'is its reporter own, whatever it is called: nobody reaches the run of another',
    },
  ]),
  ...of('T59', PATHS_SUITE, [
    {
      file: 'src/server/http/otlp.ts',
      find: '|| mayUse(principal.scopes, REPORTING_SCOPE)',
      replace: '|| true',
      name: 'refuse who has no token, a dead one, or one that may not report',
    },
    {
      file: 'src/server/http/otlp.ts',
      find: 'stored.calls === 0',
      replace: 'false',
      name: 'refuse who has no token, a dead one, or one that may not report',
    },
  ]),
  ...of('T59', 'test/remote/scopes.test.ts', [
    {
      file: 'src/auth/scopes.ts',
      find: ' && scope !== REPORTING_SCOPE',
      name: 'reporting is granted to who asks for it by name, and is for no tool',
    },
  ]),
  ...of('T62', PATHS_SUITE, [
    {
      file: 'src/server/http/otlp-limits.ts',
      find: 'minute.count <= this.#limits.reportsPerMinute',
      replace: 'true',
      name: 'ask to wait who reports too often, and keep nobody else waiting',
    },
    {
      file: 'src/server/http/otlp-limits.ts',
      find: 'this.#bytes.of(token) + bytes > most',
      replace: 'false',
      name: 'have so much room for one token, and room for others',
    },
    {
      file: 'src/telemetry/export-request.ts',
      find: 'maxOutputLength: BODY_BYTES_MAX',
      replace: 'maxOutputLength: 2 ** 30',
      name: 'refuse what is a bomb, and take the next',
    },
  ]),
  ...of('T63', SEND_ON_SUITE, [
    {
      file: 'src/telemetry/send-on.ts',
      find: 'keeps_content === true && content',
      replace: 'content',
      name: 'sends what was said only where it is kept',
    },
    {
      file: 'src/telemetry/send-on.ts',
      find: 'this.#held.size <= STEPS_MAX && this.#bytes <= BYTES_MAX',
      replace: 'true',
      name: 'loses the oldest where the other end is dead, and says so',
    },
  ]),
]);
