import { describe, expect } from 'vitest';
import { call } from '../support/calls.ts';
import { evaluate } from '../support/evaluate.ts';
import { test } from '../support/world.ts';

const BRANCH = { name: 'branch', description: 'What to look at.', default: 'main' };
const DEPTH = { name: 'depth', description: 'How far.' };
const REVIEW = {
  name: 'Review',
  type: 'review',
  content: 'Review {{branch}}, {{ depth }}.',
  variables: [BRANCH, DEPTH],
};

describe('a template', () => {
  const FILL = 'app.fill_preset(app.find_preset($2, actor), $3)';

  test('is filled with what is given, otherwise the defaults', async ({ as, sql }) => {
    await call(as('ada'), 'save_preset', REVIEW);

    const filled = await evaluate(sql, as('ada'), [FILL, 'review', { depth: 'deeply' }]);
    expect(filled).toBe('Review main, deeply.');
    const other = await evaluate(sql, as('ada'), [FILL, 'review', { depth: '', branch: 'next' }]);
    expect(other).toBe('Review next, .');
  });

  test('is filled once: what a value holds is text', async ({ as, sql }) => {
    await call(as('ada'), 'save_preset', { ...REVIEW, content: '{{depth}}{{branch}}{{depth}} \\1 & {{}}' });

    const given = { depth: '{{branch}}', branch: '\\0 {{depth}} $1' };
    const filled = await evaluate(sql, as('ada'), [FILL, 'review', given]);

    expect(filled).toBe('{{branch}}\\0 {{depth}} $1{{branch}} \\1 & {{}}');
  });

  test('without variables is what it is', async ({ as, sql }) => {
    await call(as('ada'), 'save_preset', { name: 'Go', content: 'Go on.' });

    expect(await evaluate(sql, as('ada'), [FILL, 'go', {}])).toBe('Go on.');
    expect(await evaluate(sql, as('ada'), [FILL, 'go', null])).toBe('Go on.');
  });

  test('without a value that it needs is refused, by what it needs and takes', async ({ as, sql }) => {
    await call(as('ada'), 'save_preset', REVIEW);

    for (const given of [{}, null, { branch: 'next' }, { depth: null }, []]) {
      await expect(evaluate(sql, as('ada'), [FILL, 'review', JSON.stringify(given)])).rejects.toMatchObject({
        message: 'The preset Review needs a value for depth.',
        detail: JSON.stringify({
          code: 'invalid_input',
          details: { field: 'variables', allowed: ['branch', 'depth'], missing: ['depth'] },
        }).replace(/([:,])(?=["{[])/g, '$1 '),
        hint: 'Its variables are branch, depth.',
      });
    }
  });

  test('with a value for what it has not is refused, by what it takes', async ({ as, sql }) => {
    await call(as('ada'), 'save_preset', REVIEW);
    await call(as('ada'), 'save_preset', { name: 'Go', content: 'Go on.' });

    await expect(evaluate(sql, as('ada'), [FILL, 'review', { depth: 'x', when: 'y' }])).rejects.toMatchObject({
      code: 'PT400',
      message: 'The preset Review has no variable when.',
      hint: 'Its variables are branch, depth.',
    });
    await expect(evaluate(sql, as('ada'), [FILL, 'go', { when: 'y' }])).rejects.toMatchObject({
      hint: 'It has no variables.',
    });
  });

  test('of a preset that there is not is refused', async ({ as, sql }) => {
    await expect(evaluate(sql, as('ada'), [FILL, 'nope', {}])).rejects.toMatchObject({
      message: 'There is no preset nope in this workspace.',
      hint: expect.stringContaining('list_presets'),
    });
  });
});
