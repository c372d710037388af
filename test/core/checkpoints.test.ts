import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { call, plan, take } from '../support/calls.ts';
import { record } from '../support/commands.ts';
import { test } from '../support/world.ts';

const checkpoint = { label: 'The form renders', summary: 'Payment is not wired up.' };

describe('a checkpoint', () => {
  test('is saved with the counts and locks that the server sees, and read back as the latest', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    await take(as('bob'), 'web-1');
    await call(as('ada'), 'save_checkpoint', { ...checkpoint, label: 'Before' });

    const saved = await call(as('ada'), 'save_checkpoint', { ...checkpoint, snapshot: { next: 'web-2' } });

    expect(await call(as('bob'), 'get_checkpoint')).toMatchObject({
      ...checkpoint,
      id: saved.id,
      by: 'ada',
      snapshot: { next: 'web-2', server: { tasks: { pending: 1, in_progress: 1 } } },
    });
    expect(await call(as('bob'), 'list_checkpoints')).toMatchObject({
      checkpoints: [{ id: saved.id }, { label: 'Before' }],
    });
  });

  test('that there is not is not found, nor that of another workspace', async ({ as, asStranger }) => {
    await plan(as('ada'), []);
    await plan(asStranger('eve'), []);
    const { id: foreign } = await call(asStranger('eve'), 'save_checkpoint', checkpoint);

    const named = [{}, { checkpoint: newId() }, { checkpoint: foreign }];
    const answers = await Promise.allSettled(
      named.flatMap((input) => [
        call(as('ada'), 'get_checkpoint', input),
        call(as('ada'), 'compare_checkpoint', input),
      ]),
    );

    const hint = 'list_checkpoints shows what there is; save_checkpoint makes one.';
    const refused = { status: 'rejected', reason: expect.objectContaining({ code: 'not_found', hint }) };
    expect(answers).toEqual(Array(6).fill(refused));
  });

  test('is not saved a second time under its id', async ({ as }) => {
    await plan(as('ada'), []);
    const { id } = await call(as('ada'), 'save_checkpoint', checkpoint);

    const again = record(as('bob'), { stream: `checkpoint:${id}`, type: 'checkpoint.saved', data: checkpoint });

    await expect(again).rejects.toMatchObject({ code: 'already_exists' });
    expect(await call(as('ada'), 'list_checkpoints')).toMatchObject({ checkpoints: [{ id, by: 'ada' }] });
  });
});
