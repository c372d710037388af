import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../src/auth/server/register.ts';
import { authStore } from '../../src/auth/store.ts';
import { REDIRECT, registerClient, useAuthWorld } from '../support/auth-world.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

// Strangers send bodies of the largest allowed size, and the stored part of them fits. Threats: docs/security.md.

const { own } = useAuthWorld();

/** Some that are no repetition, so that no compression makes them small. */
const longText = (length: number) =>
  Array.from({ length: Math.ceil(length / 36) }, () => randomUUID())
    .join('')
    .slice(0, length);
const addresses = (count: number, length: number) =>
  Array.from({ length: count }, () => `https://app.example/${longText(length - 20)}`);

describe('a registration', () => {
  test.for([
    ['twenty short addresses', { redirect_uris: addresses(20, 390) }, 201],
    ['four of the longest addresses', { redirect_uris: addresses(4, 2_000) }, 201],
    ['twenty long addresses', { redirect_uris: addresses(20, 1_400) }, 400],
    ['five of the longest addresses', { redirect_uris: addresses(5, 2_000) }, 400],
    ['a name as long as fits', { redirect_uris: [REDIRECT], client_name: '\u{10ffff}😀'.repeat(4_000) }, 201],
    [
      'an address of its own as long as fits',
      { redirect_uris: [REDIRECT], client_uri: `https://a.example/${longText(20_000)}` },
      201,
    ],
    ['halves of characters', { redirect_uris: [REDIRECT], client_name: '\ud800\u0000a', client_uri: '\udfff' }, 201],
    ['addresses of halves', { redirect_uris: [`${REDIRECT}\ud800`, '\u0000'] }, 400],
  ] as const)('of %s is answered', async ([, metadata, status]) => {
    expect(await registerClient(own().origin, metadata)).toMatchObject({ status });
  });
});

describe('a request', () => {
  const NUL = '\u0000';
  const LARGE = [longText(6_000), '\u{1f600}'.repeat(1_500), `${NUL}${longText(100)}`, '\ud800', `\u202e${NUL}`];
  const FIELDS = ['client_id', 'redirect_uri', 'state', 'scope', 'resource', 'code_challenge', 'prompt', 'request'];

  test('to authorize is answered whatever its fields hold', async () => {
    const browser = await own().signIn();
    const { client_id } = await registerClient(own().origin);
    const asked = { client_id: String(client_id), redirect_uri: REDIRECT, response_type: 'code' };
    const pkce = { code_challenge: 'a'.repeat(43), code_challenge_method: 'S256' };

    for (const field of FIELDS) {
      for (const value of LARGE) {
        const query = new URLSearchParams({ ...asked, ...pkce, [field]: value });
        const { status } = await browser.go(`/oauth/authorize?${query}`);
        expect([field, value.slice(0, 20), status < 500]).toEqual([field, value.slice(0, 20), true]);
      }
    }
  });

  test.for(['/oauth/token', '/oauth/revoke'])('to %s is answered whatever its fields hold', async (path) => {
    const { client_id } = await registerClient(own().origin);
    const asked = { client_id: String(client_id), grant_type: 'refresh_token' };
    const fields = ['client_id', 'client_secret', 'grant_type', 'code', 'code_verifier', 'refresh_token', 'token'];

    for (const field of [...fields, 'redirect_uri', 'scope', 'resource']) {
      for (const value of LARGE) {
        const body = new URLSearchParams({ ...asked, [field]: value });
        const { status } = await fetch(new URL(path, own().origin), { method: 'POST', body });
        expect([field, value.slice(0, 20), status < 500]).toEqual([field, value.slice(0, 20), true]);
      }
    }
  });
});

describe('what is recorded', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await createScratch();
  });
  afterAll(() => scratch?.drop());

  test.for([
    ['a text', { why: longText(20_000) }],
    ['a list', { redirect_uris: addresses(20, 2_000) }],
    ['a list of lists', { all: [[longText(9_000)], [[longText(9_000)]]] }],
    ['an object', { said: { a: { b: longText(9_000) } } }],
    ['many keys', Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`key ${at}`, longText(50)]))],
    ['long keys', { [longText(9_000)]: 1 }],
    ['letters of four bytes', { a: '😀'.repeat(5_000), b: Array.from({ length: 30 }, () => '😀'.repeat(500)) }],
    ['a number of many digits', { number: Number.MAX_VALUE, all: Array.from({ length: 900 }, () => 1e300) }],
  ] as const)('fits, of %s as well', async ([, data]) => {
    const type = `test.t${randomUUID().replaceAll('-', '_').replace(/\d/g, 'x')}`;

    await authStore(scratch.db).recordEvent({ type, data }, { ip: '192.0.2.1' });

    const { rows } = await scratch.sql.query('select data from app.auth_events where type = $1', [type]);
    expect(rows).toMatchObject([{ data: { cut: true } }]);
  });

  test('is what it was, where it fits', async () => {
    await authStore(scratch.db).recordEvent({ type: 'test.whole', data: { why: 'x'.repeat(3_000) } }, {});

    const { rows } = await scratch.sql.query(`select data from app.auth_events where type = 'test.whole'`);
    expect(rows).toEqual([{ data: { why: 'x'.repeat(3_000) } }]);
  });
});

describe('registrations', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await createScratch();
  });
  afterAll(() => scratch?.drop());

  test('of one large network are bounded, and of everybody together', async () => {
    const parts = {
      store: authStore(scratch.db),
      settings: { ...own().settings, registrationsMax: 2, registrationsAllMax: 200 },
    };
    const body = JSON.stringify({ redirect_uris: [REDIRECT] });
    const isTaken = (ip: string) =>
      register(parts, new Request(`${own().origin}/oauth/register`, { method: 'POST', body }), { ip }).then(
        () => true,
        () => false,
      );
    const taken = async (count: number, addressOf: (at: number) => string) => {
      let sum = 0;
      for (let at = 0; at < count; at++) if (await isTaken(addressOf(at))) sum += 1;
      return sum;
    };

    expect(await taken(5, () => '2001:db8:1:1::1')).toBe(2);
    expect(await taken(12, (at) => `2001:db8:2:${at}::1`)).toBe(8);
    expect(await taken(60, (at) => `2001:db9:${at}::1`)).toBe(32);
    expect(await taken(12, (at) => `198.51.100.${at}`)).toBe(8);
    expect(await taken(400, (at) => `2a0${at % 9}:${at}::1`)).toBe(200 - 2 - 8 - 32 - 8);
  });
});
