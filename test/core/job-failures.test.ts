import { expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { failureText } from '../../src/workers/failure.ts';

const failed = (code: string, more: object = {}) => Object.assign(new Error(`${code}: it failed`), { code, ...more });

test.each([
  ['a file in the way of a directory', failed('EEXIST'), 'A file cannot be used: EEXIST: it failed.'],
  ['too many open files', failed('EMFILE', { errno: -24, path: '/a' }), 'A file cannot be used: EMFILE: it failed.'],
  ['a database that is away', failed('ECONNREFUSED', { errno: -111 }), 'The database is not available.'],
  ['a refusal with a next step', new DomainError('forbidden', 'No.', { hint: 'Ask.' }), 'No. Ask.'],
  ['a fault of Cairn', new TypeError('x is undefined'), 'Something failed inside Cairn.'],
])('a run that failed by %s says so', (_, error, said) => {
  expect(failureText(error)).toBe(said);
});
