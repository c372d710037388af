import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { Database } from '../../src/db/database.ts';
import { sqlFunction } from '../../src/db/sql-function.ts';
import { createVerdict } from '../../src/db/verdict.ts';
import { DomainError } from '../../src/errors.ts';

const getPosition = sqlFunction('get_position', z.object({ position: z.int() }));

const answering = (answer: () => unknown): Database => ({ call: async () => answer(), close: async () => {} });

describe('the answer of a SQL function', () => {
  test('has the declared fields and no others', async () => {
    const db = answering(() => ({ position: 7, of: 'a newer program' }));

    expect(await getPosition({ db, actor: { user_id: '' } }, {})).toEqual({ position: 7 });
  });

  test('of another form says that this process no longer fits its database', async () => {
    const db = answering(() => ({ position: 'seven' }));

    await expect(getPosition({ db, actor: { user_id: '' } }, {})).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringMatching(/^Restart/),
      cause: expect.any(z.ZodError),
    });
  });
});

describe('the verdict on a proof', () => {
  const refuse = () => {
    throw new DomainError('unauthenticated', 'It was revoked.');
  };
  const cases: [name: string, answers: (() => unknown)[], holds: boolean][] = [
    ['holds after every call of a request was accepted', [() => ({ position: 1 }), () => ({ position: 2 })], true],
    ['is open without a call', [], false],
    ['does not hold once a call was refused, whatever follows', [refuse, () => ({ position: 1 })], false],
    ['does not hold when the last call was refused', [() => ({ position: 1 }), refuse], false],
  ];

  test.each(cases)('%s', async (_name, answers, holds) => {
    const verdict = createVerdict();

    for (const answer of answers) {
      await getPosition({ db: answering(answer), actor: { user_id: '' }, verdict }, {}).catch(() => {});
    }

    expect(verdict.holds()).toBe(holds);
  });
});
