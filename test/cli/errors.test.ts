import { describe, expect, test } from 'vitest';
import { DomainError, domainErrorFrom, ERROR_CODES } from '../../src/errors.ts';

function databaseError(fields: Record<string, string>): Error {
  return Object.assign(new Error(fields.message ?? 'secret of the database'), { severity: 'ERROR', ...fields });
}

describe('the table of error codes', () => {
  test('is closed, and has these codes', () => {
    expect(ERROR_CODES).toMatchInlineSnapshot(`
      {
        "already_exists": {
          "retryable": false,
          "status": 409,
        },
        "dependency_cycle": {
          "retryable": false,
          "status": 409,
        },
        "forbidden": {
          "retryable": false,
          "status": 403,
        },
        "gate_unmet": {
          "retryable": false,
          "status": 409,
        },
        "idempotency_mismatch": {
          "retryable": false,
          "status": 409,
        },
        "illegal_transition": {
          "retryable": false,
          "status": 409,
        },
        "insufficient_scope": {
          "retryable": false,
          "status": 403,
        },
        "internal": {
          "retryable": false,
          "status": 500,
        },
        "invalid_input": {
          "retryable": false,
          "status": 400,
        },
        "lock_held": {
          "retryable": true,
          "status": 409,
        },
        "lock_lost": {
          "retryable": false,
          "status": 409,
        },
        "not_found": {
          "retryable": false,
          "status": 404,
        },
        "payload_too_large": {
          "retryable": false,
          "status": 413,
        },
        "rate_limited": {
          "retryable": true,
          "status": 429,
        },
        "scope_violation": {
          "retryable": false,
          "status": 409,
        },
        "unauthenticated": {
          "retryable": false,
          "status": 401,
        },
        "unavailable": {
          "retryable": true,
          "status": 503,
        },
        "version_conflict": {
          "retryable": true,
          "status": 409,
        },
      }
    `);
    expect(Object.isFrozen(ERROR_CODES)).toBe(true);
  });
});

describe('an error of the database', () => {
  test('that our SQL raised keeps its code, message, hint and details', () => {
    const raised = databaseError({
      code: 'PT409',
      message: 'Task web-12 is held by ada.',
      hint: 'Claim another one.',
      detail: '{"code": "lock_held", "details": {"locked_by": "ada"}}',
    });

    const error = domainErrorFrom(raised);

    expect(error).toMatchObject({
      code: 'lock_held',
      message: 'Task web-12 is held by ada.',
      hint: 'Claim another one.',
      details: { locked_by: 'ada' },
      retryable: true,
    });
  });

  test.each([
    ['a code outside the table', '{"code": "toString"}'],
    ['no JSON', 'oops'],
    ['null', 'null'],
  ])('that our SQL raised with %s is internal', (_case, detail) => {
    expect(domainErrorFrom(databaseError({ code: 'PT409', detail }))).toMatchObject({ code: 'internal' });
  });

  test.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOENT',
    'EAI_AGAIN',
    'ERR_STREAM_DESTROYED',
    '08006',
    '40001',
    '40P01',
    '53100',
    '53300',
    '57P01',
    '57P03',
    '57014',
  ])('with code %s is unavailable, and tells what to do', (code) => {
    expect(domainErrorFrom(databaseError({ code }))).toMatchObject({
      code: 'unavailable',
      retryable: true,
      hint: expect.stringMatching(/[Rr]epeat/),
    });
  });

  test('of a connection that broke before the query is unavailable', () => {
    const error = new Error('Client has encountered a connection error and is not queryable');

    expect(domainErrorFrom(error)).toMatchObject({ code: 'unavailable', retryable: true });
  });

  test.each([
    '28P01',
    '28000',
    '3D000',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ])('with code %s is unavailable until a person changes the settings', (code) => {
    expect(domainErrorFrom(databaseError({ code }))).toMatchObject({
      code: 'unavailable',
      retryable: false,
      hint: expect.stringContaining('DATABASE_URL'),
    });
  });

  test.each(['54000', '22P05', '22021', '22P02', '22003'])('with code %s is invalid input', (code) => {
    expect(domainErrorFrom(databaseError({ code }))).toMatchObject({ code: 'invalid_input', retryable: false });
  });

  test('of any other kind is internal, and keeps its cause to itself', () => {
    const cause = databaseError({ code: '42703' });

    const error = domainErrorFrom(cause);

    expect(error).toMatchObject({ code: 'internal', cause });
    expect(`${error.message} ${error.hint}`).not.toContain('secret');
  });

  test('that is a domain error already stays as it is', () => {
    const error = new DomainError('gate_unmet', 'No.');

    expect(domainErrorFrom(error)).toBe(error);
  });
});
