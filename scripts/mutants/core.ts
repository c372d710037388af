import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** Mutants of the core's refusals. */
export const CORE = Object.freeze([
  ...of('core', 'test/contract/actor/redaction.test.ts', [
    {
      file: SQL,
      find: 'else array[v_event] end',
      replace: 'else app.copies_of(v_event) end',
      name: 'an event that came without the record of its redaction writes the record, once',
    },
  ]),
  ...of('core', 'test/core/evidence.test.ts', [
    {
      file: SQL,
      within: 'app.apply_project',
      find: "app.with_default_gates(event.payload -> 'rules')",
      replace: "coalesce(event.payload -> 'rules', '{}')",
      name: 'a new project that skips our programs has the gate too',
    },
    {
      file: SQL,
      within: 'app.check_evidence',
      find: "app.clean_name(v_item ->> 'note', 4000) is not null",
      replace: "v_item ? 'note'",
      name: 'a new project takes no blank note for evidence',
    },
  ]),
  ...of('core', 'test/remote/http-bodies.test.ts', [
    {
      file: 'src/server/http/server.ts',
      find: 'await discardBody(incoming, this.#limits);',
      name: 'a refusal of another kind is read as well by who sends all of it first',
    },
  ]),
  ...refusals('core', 'test/schema/privileges.test.ts', [
    {
      within: 'app.authenticate',
      find: 'Nobody is signed in.',
      name: 'a signed-in user with plain SQL acts as who the claims say, whatever the actor argument says',
    },
  ]),
  ...refusals('core', 'test/contract/actor/tenancy.test.ts', [
    {
      within: 'app.authenticate',
      find: 'This needs the role %s in the workspace; you have %s.',
      name: 'another workspace cannot be entered by append_events, and looks like one that does not exist',
    },
  ]),
  ...refusals('core', 'test/engines/walls.test.ts', [
    {
      within: 'public.sign_in',
      find: 'Only the server signs users in.',
      name: 'what is for the server alone is refused to who is signed in',
    },
  ]),
  ...refusals('core', 'test/contract/refusals.test.ts', [
    {
      within: 'app.decode_cursor',
      find: 'The cursor is not valid for this list.',
      name: 'is refused a bad cursor, with invalid_input',
    },
    {
      within: 'app.find_project',
      find: 'There is no project %s in this workspace.',
      name: 'is refused an unknown project, with not_found',
    },
    {
      within: 'app.check_at_rest',
      find: 'Agents are working in %s.',
      name: 'is refused the archiving of a project at work, with lock_held',
    },
    {
      within: 'app.find_task_id',
      find: 'There is no task %s in this workspace.',
      name: 'is refused an unknown ref, with not_found',
    },
    {
      within: 'app.check_move',
      find: 'Task %s is %s; it cannot be %s.',
      name: 'is refused a bad status move, with illegal_transition',
    },
    { within: 'app.guard_claim', find: 'Task %s is held by %s%s.', name: 'is refused a held lock, with lock_held' },
    {
      within: 'app.guard_claim',
      find: 'Task %s is not ready: it waits for %s.',
      name: 'is refused a task that waits, with illegal_transition',
    },
    {
      within: 'app.check_dependencies',
      find: 'That would make a cycle: %s.',
      name: 'is refused a cycle, with dependency_cycle',
    },
  ]),
  ...refusals('core', 'test/contract/actor/idempotency.test.ts', [
    {
      within: 'app.find_idempotent_result',
      find: 'This idempotency_key was used before for another request.',
      name: 'a command with an idempotency key that is another request is refused, and belongs to one user alone',
    },
  ]),
  ...refusals('core', 'test/contract/limited-tokens.test.ts', [
    {
      within: 'public.purge_idempotency_keys',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
    {
      within: 'app.apply_project',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
    {
      within: 'public.verify_events',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
    {
      within: 'public.replay_events',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
    {
      within: 'public.redact_event',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
    {
      within: 'public.export_events',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
    {
      within: 'public.import_events',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
  ]),
  ...refusals('core', 'test/contract/log.test.ts', [
    {
      within: 'app.next_version',
      find: 'The %s is at version %s, not %s.',
      name: 'count the events of one stream from 1, and a wrong expectation is refused',
    },
  ]),
  ...refusals('core', 'test/contract/tasks.test.ts', [
    {
      within: 'app.check_holder',
      find: 'Task %s is held by %s.',
      name: 'while another agent holds a task its title waits',
    },
    {
      within: 'app.check_authority',
      find: 'Only an owner or admin of the workspace may break a lock.',
      name: 'a lock is broken by an admin, not by a member, and the token is lost',
    },
  ]),
  ...refusals('core', 'test/contract/fencing.test.ts', [
    {
      within: 'app.check_holder',
      find: 'You no longer hold task %s: the lock_token %s is not the',
      name: 'a lost token does not extend the lock of who holds the task now',
    },
    {
      within: 'app.check_holder',
      find: 'Nobody holds task %s any more: the lock of %s expired.',
      name: 'a lock that has lapsed does not let its former holder record task.completed by leaving the token out',
    },
  ]),
  ...refusals('core', 'test/contract/gates.test.ts', [
    {
      within: 'app.check_gates',
      find: 'Task %s cannot %s yet. Missing: %s.',
      name: 'a gate on claim holds the task back until its need is met',
    },
    {
      within: 'app.check_authority',
      find: 'An approval is given by a person, not by an agent.',
      name: 'a gate asks for approval, which only a person gives, and anew after reopening',
    },
  ]),
  ...refusals('core', 'test/contract/dependencies.test.ts', [
    {
      within: 'app.check_added',
      find: '%s cannot depend on %s: it is cancelled or of another',
      name: 'a dependency is of the own project, of a new task too',
    },
    {
      within: 'app.check_dependencies',
      find: 'Task %s is %s; its dependencies cannot change.',
      name: 'of a task that is completed does not change',
    },
    {
      within: 'app.check_dependencies',
      find: 'Task %s would have more than 100 dependencies.',
      name: 'is one of at most a hundred',
    },
  ]),
  ...refusals('core', 'test/contract/log.test.ts', [
    {
      within: 'app.guard_new_task',
      find: 'The task %s exists.',
      name: 'a refused command changes nothing, position and counts included',
    },
  ]),
  ...refusals('core', 'test/contract/rules.test.ts', [
    {
      within: 'app.check_constraints',
      find: 'constraints.%s is %s; the project allows at most %s.',
      name: 'scope is not widened by a task',
    },
    {
      within: 'app.check_authority',
      find: 'Task %s was given up %s, the most its project allows:',
      name: 'a task that failed as often as its project allows is blocked for a person',
    },
  ]),
  ...refusals('core', 'test/contract/history.test.ts', [
    {
      within: 'public.get_state',
      find: 'The project %s did not exist then.',
      name: 'the state of a project as of a position is what the log up to there makes',
    },
  ]),
  ...refusals('core', 'test/contract/actor/redaction.test.ts', [
    {
      within: 'public.redact_event',
      find: 'Event #%s is redacted already.',
      name: 'redacting happens once, is for owners and admins, and never of its own record',
    },
  ]),
  ...refusals('core', 'test/contract/actor/transfer.test.ts', [
    {
      within: 'app.check_imported',
      find: 'Line %s is not an event that this version knows.',
      name: 'a project that is exported and imported is refused with a event without an id, and nothing is written',
    },
    {
      within: 'app.check_imported',
      find: 'The chain is broken at event %s of the file.',
      name: 'a project that is exported and imported is refused with a changed payload, and nothing is written',
    },
    {
      within: 'app.check_imported',
      find: 'This workspace has another project %s.',
      name: 'a project that is exported and imported is refused where another project has its slug',
    },
  ]),
  ...refusals('core', 'test/schema/archive.test.ts', [
    {
      within: 'public.archive_events',
      find: 'The file is not of the events %s to %s of this workspace.',
      name: 'archiving is refused for events that are not those of the file',
    },
  ]),
  ...refusals('core', 'test/core/parents.test.ts', [
    { within: 'app.check_parent', find: 'Task %s would be a part of itself.', name: 'of the whole is not web-2' },
    {
      within: 'app.check_parent',
      find: 'Task %s is of another project; it has no part here.',
      name: 'is of the same project, for a new task and for one that moves',
    },
  ]),
  ...refusals('core', 'test/core/texts.test.ts', [
    {
      within: 'app.check_text_version',
      find: 'You do not hold task %s: say on which version of its %s',
      name: 'is not written over blindly: the refusal shows what stands there',
    },
  ]),
  ...of('core', 'test/core/workers.test.ts', [
    {
      file: SQL,
      find: '(is_named and o.is_same or o.is_earlier) and o.is_live',
      replace: 'o.is_live',
      name: 'SQL by itself tells no token',
    },
    { file: SQL, find: ' and o.is_live', name: 'SQL by itself tells no token' },
    {
      file: SQL,
      find: "and not (v_is_own and coalesce((event.payload ->> 'take_over')::boolean, false))",
      replace: 'and false',
      name: 'never hold',
    },
  ]),
]);
