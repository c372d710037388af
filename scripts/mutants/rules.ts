import { refusals } from './mutant.ts';

/** Mutants of the checks of a project's rules. */
export const RULES = Object.freeze([
  ...refusals('core', 'test/contract/invalid-rules.test.ts', [
    {
      within: 'app.bad_rule',
      find: 'Rule %s is not valid: allowed is %s.',
      name: 'a rule that is wrong at rules.colour is refused by that name',
    },
    {
      within: 'app.check_keys',
      find: 'an object with ',
      name: 'a rule that is wrong at rules.scope is refused by that name',
    },
    { within: 'app.check_keys', find: 'only ', name: 'a rule that is wrong at rules.colour is refused by that name' },
    {
      within: 'app.check_switch',
      find: 'true or false',
      name: 'a rule that is wrong at rules.traces.content is refused by that name',
    },
    {
      within: 'app.check_scope',
      find: 'a list of at most 50 texts of at most 1000 characters',
      name: 'a rule that is wrong at rules.scope.paths is refused by that name',
    },
    {
      within: 'app.check_scope',
      find: 'a whole number from 0 to 1000000',
      name: 'a rule that is wrong at rules.scope.files_max is refused by that name',
    },
    {
      within: 'app.check_when',
      find: 'for each key a list of values',
      name: 'a rule that is wrong at rules.gates[0].when is refused by that name',
    },
    {
      within: 'app.check_gate',
      find: 'claim, complete, cancel or reopen',
      name: 'a rule that is wrong at rules.gates[1].on is refused by that name',
    },
    {
      within: 'app.check_gate',
      find: 'a list of diff, pr, test_report, document, other',
      name: 'a rule that is wrong at rules.gates[0].require.artifacts is refused by that name',
    },
    {
      within: 'app.check_gate',
      find: 'reported, observed or ci',
      name: 'a rule that is wrong at rules.gates[0].require.evidence is refused by that name',
    },
    {
      within: 'app.check_gate',
      find: 'true for decision, approval and clean_scope',
      name: 'a rule that is wrong at rules.gates[0].require is refused by that name',
    },
    {
      within: 'app.check_action',
      find: 'true or false',
      name: 'a rule that is wrong at rules.triggers[0].do.create_task.depends_on_source is refused by its whole name',
    },
    {
      within: 'app.check_action',
      find: 'status blocked, unblocked, cancelled or reopened; task self',
      name: 'a rule that is wrong at rules.triggers[0].do.set_status is refused by that name',
    },
    {
      within: 'app.check_action',
      find: 'one line of 1 to 200 characters',
      name: 'a rule that is wrong at rules.triggers[0].do.save_checkpoint.label is refused by that name',
    },
    {
      within: 'app.check_action',
      find: 'lower-case letters, digits, dots, dashes, at most 100',
      name: 'a rule that is wrong at rules.triggers[0].do.enqueue.topic is refused by that name',
    },
    {
      within: 'app.check_action',
      find: 'one of create_task, set_status, save_checkpoint, enqueue',
      name: 'a rule that is wrong at rules.triggers[0].do is refused by that name',
    },
    {
      within: 'app.check_rules',
      find: 'a whole number from 1 to 100',
      name: 'a rule that is wrong at rules.attempts_max is refused by that name',
    },
    {
      within: 'app.check_rules',
      find: 'at most 20 gates and 20 triggers, each a list',
      name: 'a rule that is wrong at rules is refused by that name',
    },
    {
      within: 'app.check_rules',
      find: 'an event type of %s, such as task.completed',
      name: 'a rule that is wrong at rules.triggers[0].on is refused by that name',
    },
  ]),
]);
