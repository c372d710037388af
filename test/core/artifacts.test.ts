import { describe, expect } from 'vitest';
import { call, plan, take } from '../support/calls.ts';
import { record } from '../support/commands.ts';
import { test } from '../support/world.ts';

const diff = { type: 'diff', ref: 'abc123' };

describe('an artifact', () => {
  test('is attached to its task and listed newest first, with how much its word counts', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const held = await take(as('ada'), 'web-1');
    const note = await call(as('ada'), 'add_artifact', { ...held, type: 'document', ref: 'docs/a.md' });

    const change = await call(as('ada'), 'add_artifact', { ...held, ...diff, files: ['src/a.ts'], lines_changed: 3 });

    expect(note).toMatchObject({ task: 'web-1', tier: 'reported', by: 'ada' });
    expect(change).toMatchObject({ tier: 'observed', files: ['src/a.ts'], lines_changed: 3 });
    expect(await call(as('bob'), 'list_artifacts', { task: 'web-1' })).toMatchObject({
      artifacts: [{ id: change.id }, { id: note.id }],
    });
  });

  test.for<[what: string, diff: object, details: object]>([
    ['files outside the scope of its task', { files: ['src/a.ts', 'docs/a.md'] }, { files: ['docs/a.md'] }],
    ['more files than its task allows', { files: ['src/a.ts', 'src/b.ts', 'src/c.ts'] }, {}],
    ['more lines than its task allows', { files: ['src/a.ts'], lines_changed: 11 }, {}],
  ])('with %s is refused', async ([, change, details], { as }) => {
    await plan(as('ada'), [{ title: 'A' }], { scope: { paths: ['src/**'], files_max: 2, lines_max: 10 } });
    const held = await take(as('ada'), 'web-1');

    const attempt = call(as('ada'), 'add_artifact', { ...held, ...diff, ...change });

    await expect(attempt).rejects.toMatchObject({ code: 'scope_violation', details: expect.objectContaining(details) });
    expect(await call(as('ada'), 'list_artifacts', { task: 'web-1' })).toMatchObject({ artifacts: [] });
  });

  test('of a task that another agent holds is refused to who says to hold it', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const lost = await take(as('ada'), 'web-1');
    await take(as('bob'), 'web-1', { take_over: true });

    const attempt = call(as('ada'), 'add_artifact', { ...lost, ...diff });

    await expect(attempt).rejects.toMatchObject({ code: 'lock_lost' });
  });

  test('is not added a second time under its id', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const { id } = await call(as('ada'), 'add_artifact', { task: 'web-1', ...diff });

    const again = record(as('bob'), {
      stream: `artifact:${id}`,
      type: 'artifact.added',
      data: { task: 'web-1', ...diff },
    });

    await expect(again).rejects.toMatchObject({ code: 'already_exists' });
    expect(await call(as('ada'), 'list_artifacts', { task: 'web-1' })).toMatchObject({
      artifacts: [{ id, by: 'ada' }],
    });
  });
});
