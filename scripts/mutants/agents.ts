import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** Mutants of the rules of agents, commands and runs, and of the threats to who controls them. */
export const AGENTS = Object.freeze([
  ...refusals('core', 'test/core/agents.test.ts', [
    { within: 'app.find_agent', find: 'There is no agent %s in this workspace.', name: 'is refused where nobody' },
    { within: 'app.find_targets', find: 'There is no agent for %s.', name: 'is refused where nobody' },
    {
      within: 'public.register_agent',
      find: '%s is already driven by another runner.',
      name: 'has one runner at a time',
    },
  ]),
  ...refusals('core', 'test/core/agent-refusals.test.ts', [
    { within: 'app.check_form', find: '%s must be %s.', name: 'is spoken for by the runner of its owner alone' },
    { within: 'app.check_owner', find: '%s is another person', name: 'is cancelled by its sender and administrators' },
    { within: 'app.refuse_agent', find: '%s by a person, not by an agent.', name: 'are stopped by every member' },
    { within: 'app.refuse_guest', find: 'Whoever runs the server %s.', name: 'are stopped by every member' },
    { within: 'app.guard_agent', find: 'app.refuse_agent', name: 'is renamed, retired and let go on by its owner' },
    { within: 'public.stop_agents', find: 'app.refuse_agent', name: 'are stopped by every member' },
    { within: 'app.guard_run', find: 'A run that ends as %s is %s', name: 'in the state that belongs to its reason' },
    { within: 'app.guard_agent', find: 'The agent %s is retired.', name: 'that is retired does nothing more' },
    { within: 'app.check_agent_name', find: 'An agent cannot be called %s.', name: 'keeps others from it' },
    { within: 'app.guard_agent', find: 'There is another agent %s', name: 'keeps others from it' },
    { within: 'app.find_targets', find: '%s works for one project alone.', name: 'only for this project' },
    { within: 'app.check_limits', find: 'The limit %s is not valid.', name: 'is refused without text, with bad' },
    { within: 'app.fill_command', find: 'A command has content or a preset', name: 'names a preset, whose text' },
    { within: 'app.prepare_command', find: 'Task %s is for one agent, not %s.', name: 'for a task is for one agent' },
    { within: 'app.prepare_command', find: 'Task %s is %s.', name: 'for a task is for one agent' },
    { within: 'app.guard_command', find: 'The command %s is %s.', name: 'and administrators alone, and once' },
    { within: 'app.find_command', find: 'There is no command', name: 'is refused without text, with bad' },
    { within: 'app.guard_run', find: "'Send the command again if", name: 'is interrupted by its sender' },
    { within: 'app.guard_run', find: 'A run is claimed from the queue', name: 'is told of by who has claimed it' },
    { within: 'app.find_run', find: 'There is no run %s in this workspace.', name: 'is told of by who has claimed it' },
    { within: 'app.lock_agent', find: 'The agent %s is another person', name: 'is spoken for by the runner' },
    { within: 'app.lock_agent', find: 'Another runner is %s now.', name: 'is spoken for by the runner' },
    { within: 'public.register_agent', find: 'The agent %s is another person', name: 'keeps others from it' },
    { within: 'app.lock_caller', find: 'The agent %s is another person', name: 'keeps the hooks of others from it' },
    { within: 'app.check_run_holder', find: 'The run %s is not yours', name: 'is told of by who has claimed it' },
    { within: 'public.stop_agents', find: 'app.refuse_limited', name: 'are stopped by every member' },
    {
      within: 'public.stop_agents',
      find: 'Only an administrator of the workspace',
      name: 'are stopped by every member',
    },
    { within: 'public.stop_agents', find: 'app.refuse_guest', name: 'are stopped by every member' },
    { within: 'public.stop_agents', find: 'reach must be workspace or', name: 'are stopped by every member' },
  ]),
  ...refusals('core', 'test/core/agents-max.test.ts', [
    {
      within: 'app.check_agents_max',
      find: 'Runners drive %s of at most %s',
      name: 'are fifty at most in a workspace',
    },
    { within: 'public.set_agents_max', find: 'app.refuse_limited', name: 'how many there may be is said by a person' },
    {
      within: 'public.set_agents_max',
      find: 'app.refuse_agent',
      name: 'how many there may be is said by a person',
    },
  ]),
  ...of('core', 'test/core/agents-max.test.ts', [
    {
      file: SQL,
      within: 'app.check_agents_max',
      find: 'pg_advisory_xact_lock(',
      replace: 'abs(',
      name: 'are never more because two began at the same moment',
    },
    {
      file: SQL,
      within: 'app.count_driven',
      find: "  perform set_config('app.project_id', '', true);\n",
      name: 'count for a token that sees one project alone',
    },
  ]),
  ...refusals('core', 'test/core/approvals.test.ts', [
    { within: 'app.guard_approval', find: '500 questions of agents wait', name: 'is refused when more wait' },
    { within: 'app.guard_approval', find: 'A question is asked for a run', name: 'for no run of another person' },
    { within: 'app.guard_approval', find: 'still waits for an answer.', name: 'takes an answer, and one alone' },
    { within: 'app.guard_approval', find: 'is a question: it takes an answer', name: 'takes an answer, and one alone' },
    { within: 'app.find_approval', find: 'There is no question %s', name: 'is answered by a person alone' },
    { within: 'app.guard_run', find: 'There is another question with', name: 'is refused under the id of another' },
  ]),
  ...refusals('core', 'test/contract/reviews.test.ts', [
    { within: 'app.guard_approval', find: 'A review is asked for by submitting', name: 'is asked for by submitting' },
    { within: 'app.guard_approval', find: 'ttl_seconds is missing', name: 'is asked for by submitting' },
    { within: 'app.check_reviewer', find: 'Whoever did the work', name: 'is checked by nobody else' },
    { within: 'app.check_reviewer', find: '"%s" is answered by %s%s.', name: 'is checked by nobody else' },
    { within: 'app.check_reviewer', find: 'Say what is to be changed', name: 'goes back with words' },
    { within: 'app.guard_task', find: 'A person says who checks a task', name: 'keeps who checks it from an agent' },
  ]),
  ...refusals('core', 'test/core/run-artifacts.test.ts', [
    { within: 'app.guard_artifact', find: 'An artifact belongs to a task, or', name: 'is of a run of one' },
  ]),
  ...refusals('core', 'test/core/projects.test.ts', [
    { within: 'app.check_at_rest', find: 'Runs go on in %s: %s.', name: 'is refused while runs of it go on' },
  ]),
  ...refusals('core', 'test/core/callers.test.ts', [
    { within: 'app.lock_caller', find: 'An agent takes its own commands alone.', name: 'speaks for itself alone' },
    { within: 'app.lock_caller', find: 'A runner drives %s.', name: 'are never both the same agent' },
  ]),
  ...refusals('T46', 'test/core/agent-refusals.test.ts', [
    { within: 'app.find_targets', find: '%s takes no commands of yours.', name: 'only where its runner takes' },
  ]),
  ...of('T47', 'test/core/agents.test.ts', [
    {
      file: SQL,
      within: 'app.prepare_command',
      find: "'by_person', app.is_person(actor) and v_author is null",
      replace: "'by_person', v_author is null",
      name: 'reaches an agent, is done, and ends with its last run',
    },
  ]),
  ...of('T47', 'test/core/preset-words.test.ts', [
    {
      file: SQL,
      within: 'app.prepare_command',
      find: "'by_person', app.is_person(actor) and v_author is null",
      replace: "'by_person', app.is_person(actor)",
      name: 'of which an agent wrote the content is no order of the person who sends it',
    },
    {
      file: 'supabase/code/202_presets.sql',
      within: 'app.preset_author',
      find: 'then preset.variables_by end',
      replace: 'then null end',
      name: 'of which an agent wrote a default is no order of the person who sends it',
    },
  ]),
  ...of('T47', 'test/cli/hook-commands.test.ts', [
    {
      file: 'src/services/order.ts',
      find: 'const head = by_person ?',
      replace: 'const head = true ?',
      name: 'marks as an order what a person typed, and nothing else',
    },
  ]),
  ...of('T47', 'test/core/order.test.ts', [
    {
      file: 'src/services/order.ts',
      find: 'quote(reason)',
      replace: 'reason',
      name: 'are no order as the reason of an interrupt or a stop',
    },
    {
      file: 'src/services/order.ts',
      find: 'named(sent_by)',
      replace: 'sent_by',
      name: 'are no order as the name of who sent it',
    },
  ]),
  ...of('T47', 'test/cli/whose-commands.test.ts', [
    {
      file: 'src/cli/local-context.ts',
      find: 'agent: shell?.name ?? null',
      replace: 'agent: null',
      name: 'a preset has the words of the agent, saved and imported, until a person imports them',
    },
    {
      file: 'src/cli/presets/transfer.ts',
      find: "typeof ctx.actor.agent === 'string'",
      replace: 'true',
      name: 'a preset has the words of the agent, saved and imported, until a person imports them',
    },
    {
      file: 'src/cli/for-people.ts',
      find: "'auth pat create',",
      replace: '',
      name: 'is in one list of who acts in the shell of an agent',
    },
    {
      file: 'src/cli/command.ts',
      find: 'if (FOR_PEOPLE.has(pathOf(this)))',
      replace: 'if (false)',
      name: 'auth pat create is refused in the shell of an agent',
    },
    {
      file: 'src/cli/move/import.ts',
      find: 'refuseAgent(config);',
      replace: '',
      name: 'no history is imported, whose events are those of others',
    },
  ]),
  ...of('T47', 'test/cli/shell-agent.test.ts', [
    {
      file: 'src/cli/agents/shell-agent.ts',
      find: "variables: ['CURSOR_AGENT']",
      replace: 'variables: []',
      name: "a shell of Cursor's agent acts as that agent",
    },
  ]),
  ...of('core', 'test/core/approvals.test.ts', [
    {
      file: SQL,
      within: 'app.guard_run',
      find: "event.payload -> 'ask' ->> 'kind' in ('permission', 'question')",
      replace: 'true',
      name: 'opens no review, and names no other task',
    },
    {
      file: SQL,
      within: 'app.follow_approvals',
      find: "or event.event_type = 'run.waiting' and v_ask is not null",
      name: 'that was answered and is asked again',
    },
  ]),
  ...refusals('T48', 'test/core/approvals.test.ts', [
    { within: 'app.guard_approval', find: 'app.refuse_agent', name: 'is answered by a person alone' },
  ]),
  ...refusals('T49', 'test/remote/runner-paths.test.ts', [
    { within: 'app.check_drives', find: 'This token drives the agent %s', name: 'speaks for its agent alone' },
  ]),
]);
