import { expect } from 'vitest';
import { call, plan } from '../support/calls.ts';
import { test } from '../support/world.ts';

const onClaim = { on: 'claim', require: { decision: true } };
const onDone = { on: 'task.completed', do: { enqueue: { topic: 'done' } } };

test.for<[path: string, rules: object]>([
  ['rules.colour', { colour: 'red' }],
  ['rules.attempts_max', { attempts_max: 0 }],
  ['rules.attempts_max', { attempts_max: '3' }],
  ['rules.traces', { traces: true }],
  ['rules.traces.content', { traces: { content: 'yes' } }],
  ['rules.scope', { scope: ['src/**'] }],
  ['rules.scope.path', { scope: { path: ['src/**'] } }],
  ['rules.scope.paths', { scope: { paths: 'src/**' } }],
  ['rules.scope.deny', { scope: { deny: [7] } }],
  ['rules.scope.deny', { scope: { deny: ['**/*.pem', '**/a/'.repeat(17)] } }],
  ['rules.scope.paths', { scope: { paths: ['?'.repeat(17)] } }],
  ['rules.scope.files_max', { scope: { files_max: -1 } }],
  ['rules.scope.lines_max', { scope: { lines_max: 1.5 } }],
  ['rules', { gates: {} }],
  ['rules', { triggers: Array(21).fill(onDone) }],
  ['rules.gates[0]', { gates: ['claim'] }],
  ['rules.gates[1].on', { gates: [onClaim, { ...onClaim, on: 'merge' }] }],
  ['rules.gates[0].unless', { gates: [{ ...onClaim, unless: {} }] }],
  ['rules.gates[0].require', { gates: [{ on: 'claim' }] }],
  ['rules.gates[0].require.tests', { gates: [{ on: 'claim', require: { tests: true } }] }],
  ['rules.gates[0].require.artifacts', { gates: [{ on: 'claim', require: { artifacts: ['video'] } }] }],
  ['rules.gates[0].require.evidence', { gates: [{ on: 'claim', require: { evidence: 'sworn' } }] }],
  ['rules.gates[0].require', { gates: [{ on: 'claim', require: { approval: 'yes' } }] }],
  ['rules.gates[0].when.colour', { gates: [{ ...onClaim, when: { colour: ['red'] } }] }],
  ['rules.gates[0].when', { gates: [{ ...onClaim, when: { priority: 'high' } }] }],
  ['rules.triggers[0].on', { triggers: [{ ...onDone, on: 'task.exploded' }] }],
  ['rules.triggers[0].on', { triggers: [{ ...onDone, on: 'project.noted' }] }],
  ['rules.triggers[1].if', { triggers: [onDone, { ...onDone, if: 1 }] }],
  ['rules.triggers[0].do', { triggers: [{ on: 'task.completed' }] }],
  ['rules.triggers[0].do', { triggers: [{ on: 'task.completed', do: { run: 'rm' } }] }],
  [
    'rules.triggers[0].do',
    { triggers: [{ on: 'task.completed', do: { ...onDone.do, save_checkpoint: { label: 'x' } } }] },
  ],
  [
    'rules.triggers[0].do.create_task.owner',
    { triggers: [{ ...onDone, do: { create_task: { title: 'A', owner: 'x' } } }] },
  ],
  ['rules.triggers[0].do.set_status', { triggers: [{ ...onDone, do: { set_status: { status: 'completed' } } }] }],
  [
    'rules.triggers[0].do.set_status',
    { triggers: [{ ...onDone, do: { set_status: { status: 'blocked', task: 'child' } } }] },
  ],
  ['rules.triggers[0].do.save_checkpoint.label', { triggers: [{ ...onDone, do: { save_checkpoint: {} } }] }],
  ['rules.triggers[0].do.enqueue.topic', { triggers: [{ ...onDone, do: { enqueue: { topic: 'Done!' } } }] }],
])('a rule that is wrong at %s is refused by that name', async ([path, rules], { as }) => {
  await plan(as('ada'), []);

  const attempt = call(as('ada'), 'update_project', { project: 'web', rules });

  await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', details: { field: path } });
  expect(await call(as('ada'), 'get_project')).toMatchObject({ project: { rules: {} } });
});

// Known: the first is not checked and later breaks every command that sets it off; the others name the field alone.
test.for<[path: string, rules: object]>([
  [
    'rules.triggers[0].do.create_task.depends_on_source',
    { triggers: [{ ...onDone, do: { create_task: { title: 'A', depends_on_source: 'perhaps' } } }] },
  ],
  ['rules.triggers[0].do.create_task.title', { triggers: [{ ...onDone, do: { create_task: {} } }] }],
  [
    'rules.triggers[0].do.create_task.priority',
    { triggers: [{ ...onDone, do: { create_task: { title: 'A', priority: 'urgent' } } }] },
  ],
  [
    'rules.triggers[0].do.set_status.reason',
    { triggers: [{ ...onDone, do: { set_status: { status: 'blocked', reason: 7 } } }] },
  ],
])('a rule that is wrong at %s is refused by its whole name', async ([path, rules], { as }) => {
  await plan(as('ada'), []);

  const attempt = call(as('ada'), 'update_project', { project: 'web', rules });

  await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', details: { field: path } });
});
