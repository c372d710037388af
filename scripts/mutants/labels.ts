import { of } from './mutant.ts';
import { SQL } from './sql.ts';

/** Mutants of the checks and the cleaning of labels and ranks. */
export const LABELS = Object.freeze([
  ...of('core', 'test/core/labels.test.ts', [
    {
      file: SQL,
      within: 'app.validate_field',
      find: "app.clean_name(item #>> '{}', item_max) is distinct from item #>> '{}'",
      replace: 'false',
      name: 'the database refuses by itself a label that was not cleaned',
    },
    {
      file: SQL,
      within: 'app.validate_field',
      find: 'abs(v_text::numeric) <= 1e15',
      replace: 'true',
      name: 'the database refuses by itself a rank past all numbers',
    },
    {
      file: SQL,
      within: 'app.validate_field',
      find: 'and (v_text::numeric = 0 or abs(v_text::numeric) >= 1e-15)',
      name: 'the database refuses by itself a rank that is nearly nothing',
    },
    {
      file: SQL,
      within: 'app.evolve_task_text',
      find: 'app.merge_labels(task.labels)',
      replace: 'task.labels',
      name: 'are cleaned like names, and each is there once, as it was written first',
    },
    {
      file: SQL,
      within: 'app.blank_payload',
      find: "in ('text', 'said', 'line', 'text[]', 'label[]', 'object', 'array')",
      replace: "in ('text', 'said', 'line', 'text[]', 'object', 'array')",
      name: 'go when the event that gave them is redacted',
    },
    {
      file: SQL,
      within: 'app.guard_task',
      find: "'{priority,labels,rank}'::text[]",
      replace: "'{priority}'::text[]",
      name: 'and the rank change while another agent holds it, and its text does not',
    },
    {
      file: SQL,
      find: '%5$L || event.payload',
      replace: 'event.payload',
      name: 'are none of a task whose events were archived before there were any',
    },
  ]),
  ...of('core', 'test/core/rank.test.ts', [
    {
      file: SQL,
      within: 'app.lock_next_task',
      find: '(app.priority_rank(v_lapsed.priority), app.rank_order(v_lapsed.rank), v_lapsed.number)',
      replace: '(app.priority_rank(v_lapsed.priority), app.rank_order(null), v_lapsed.number)',
      name: 'among those with a label, and of which a claim has lapsed',
    },
  ]),
]);
