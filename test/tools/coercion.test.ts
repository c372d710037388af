import { describe, expect, test } from 'vitest';
import { toolNamed } from '../../src/tools/catalog.ts';
import { coerceInput, wholeRefs } from '../../src/tools/coercion.ts';
import { inputError } from '../../src/tools/input-error.ts';

/** Parses arguments as a client sent them with a tool's schema. */
function taken(name: string, args: unknown): unknown {
  const { input } = toolNamed(name);
  return input.parse(coerceInput(input, args));
}

function refusal(name: string, args: unknown): string {
  const tool = toolNamed(name);
  const given = coerceInput(tool.input, args);
  const { error } = tool.input.safeParse(given);
  return error === undefined ? 'taken' : inputError(tool, error, given).message;
}

describe('arguments in another form than the schema asks for', () => {
  test.each([
    ['create_tasks', { tasks: '[{"title":"A"},{"title":"B"}]' }, { tasks: [{ title: 'A' }, { title: 'B' }] }],
    ['create_tasks', { tasks: { title: 'A' } }, { tasks: [{ title: 'A' }] }],
    ['create_tasks', { tasks: '{"title":"A"}' }, { tasks: [{ title: 'A' }] }],
    [
      'create_tasks',
      { tasks: [{ title: 'A', acceptance_criteria: '["one"]' }] },
      { tasks: [{ acceptance_criteria: ['one'] }] },
    ],
    ['create_tasks', { tasks: [{ title: 'A', priority: '', parent: null }] }, { tasks: [{ title: 'A' }] }],
    ['create_tasks', '{"tasks":[{"title":"A"}]}', { tasks: [{ title: 'A' }] }],
    ['update_task', { task: 'web-1', add_dependencies: '["web-2"]' }, { add_dependencies: ['web-2'] }],
    ['update_task', { task: 'web-1', add_dependencies: 'web-2' }, { add_dependencies: ['web-2'] }],
    ['claim_task', { ttl_seconds: '600', take_over: 'true' }, { ttl_seconds: 600, take_over: true }],
    ['list_tasks', { ready: 'false', status: 'pending', query: '', parent: '' }, { ready: false, status: ['pending'] }],
    ['create_project', { slug: 'web', name: 'Web', rules: '{"gates":[]}' }, { rules: { gates: [] } }],
    [
      'complete_task',
      { task: 'web-1', lock_token: '7', summary: 'x', evidence: '{"criterion":"1","note":"n"}' },
      {
        lock_token: 7,
        evidence: [{ criterion: 1, note: 'n' }],
      },
    ],
  ])('%s %j are understood', (name, args, wanted) => {
    expect(taken(name, args)).toMatchObject(wanted);
  });

  test.each([
    ['claim_task', { idempotency_key: '' }, 'idempotency_key'],
    ['list_tasks', { cursor: '' }, 'cursor'],
  ])('%s %j leaves out what is empty', (name, args, left) => {
    expect(taken(name, args)).not.toHaveProperty(left);
  });

  test('a task that is only a number is one of the project that is meant', () => {
    expect(wholeRefs({ task: 12, parent: '#3', ttl_seconds: 600 }, 'web')).toEqual({
      task: 'web-12',
      parent: 'web-3',
      ttl_seconds: 600,
    });
    expect(wholeRefs({ project: 'api', tasks: [{ title: '7', dependencies: ['7', 'first'] }] }, 'web')).toEqual({
      project: 'api',
      tasks: [{ title: '7', dependencies: ['api-7', 'first'] }],
    });
    for (const project of [undefined, '0198c0de-0000-7000-8000-000000000000']) {
      expect(wholeRefs({ task: '12', parent: '' }, project)).toEqual({ task: '12', parent: '' });
    }
  });

  test('an empty text is kept where it means one', () => {
    expect(taken('update_task', { task: 'web-1', description: '' })).toMatchObject({ description: '' });
  });

  test('text that is JSON stays text where text is asked for', () => {
    const title = '["not", "a", "list"]';
    expect(taken('create_tasks', { tasks: [{ title, description: '{"a":1}' }] })).toMatchObject({
      tasks: [{ title, description: '{"a":1}' }],
    });
  });

  test.each([
    [
      'list_tasks',
      { status: 'nonsense' },
      'status[0] must be one of pending, in_progress, blocked, completed, cancelled.',
    ],
    ['list_tasks', { status: '[broken' }, 'status must be an array.'],
    ['list_tasks', { status: 5 }, 'status must be an array.'],
    ['claim_task', { ttl_seconds: 'soon' }, 'ttl_seconds must be a number.'],
    ['claim_task', { ttl_seconds: '' }, 'taken'],
    ['claim_task', { take_over: 'yes' }, 'take_over must be a boolean.'],
    ['complete_task', { task: 'web-1', lock_token: '', summary: 'x' }, 'lock_token must be a number.'],
    ['create_tasks', { tasks: '"A"' }, 'tasks must be an array.'],
    ['create_tasks', { tasks: '' }, 'tasks must be an array.'],
  ])('%s %j are told precisely', (name, args, told) => {
    expect(refusal(name, args)).toBe(told);
  });
});
