import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { setPassword } from '../../src/auth/login/owner.ts';
import { hashSecret, isSecret } from '../../src/auth/secrets.ts';
import { type Account, takeAttempt, takeSending } from '../../src/web/sign-in-limit.ts';
import { Browser, ownerBrowser, PASSWORD, startWeb, type TestWeb } from '../support/web.ts';

// Tries are bounded, and nobody uses up those of somebody else. Threats: docs/security.md.

let web: TestWeb;

beforeAll(async () => {
  web = await startWeb();
});
afterAll(() => web?.close());
// All tests come from one address.
beforeEach(async () => {
  await web.scratch.sql.query('truncate app.rates');
});

const signIn = async (browser: Browser, password = PASSWORD) => {
  await browser.open('/login');
  return (await browser.submit('/login', { password })).status;
};

describe('while somebody guesses without end, the owner', () => {
  const OWNER: Account = { name: '', way: 'password', firstTriesMax: 1_000 };
  const hammer = async () => {
    const account = { ...OWNER, name: web.owner.user_id };
    const tries = Array.from({ length: 40 }, (_, at) =>
      takeAttempt(web.store, { from: { ip: `192.0.2.${at}` } }, account).then(
        () => true,
        () => false,
      ),
    );
    return (await Promise.all(tries)).filter(Boolean).length;
  };
  test('signs in from a browser that did so before, also where the network has no try left', async () => {
    const browser = await ownerBrowser(web);
    await browser.open('/account');
    await browser.submit('/logout');
    expect(await hammer()).toBe(11);
    const stranger = new Browser(web);
    for (let count = 0; count < 5; count++) await signIn(stranger, 'not this one, surely');

    expect(await signIn(stranger)).toBe(429);
    expect(await signIn(browser)).toBe(200);
  });

  test('signs in from a network that is new today, at the first try', async () => {
    await ownerBrowser(web);
    await hammer();

    expect(await signIn(new Browser(web))).toBe(200);
  });

  test('signs in with a link of the server whatever is used up', async () => {
    await hammer();
    const stranger = new Browser(web);
    for (let count = 0; count < 6; count++) await signIn(stranger, 'not this one, surely');

    const browser = await ownerBrowser(web);

    expect((await browser.open('/account')).url.pathname).toBe('/account');
  });
});

describe('a try', () => {
  test('that was right is not counted', async () => {
    await ownerBrowser(web);

    const statuses: number[] = [];
    for (let count = 0; count < 6; count++) statuses.push(await signIn(new Browser(web)));

    const { rows } = await web.scratch.sql.query(
      `select count from app.rates where not starts_with(bucket, 'browser ')`,
    );
    expect(statuses).toEqual(Array(6).fill(200));
    expect(rows).toEqual([{ count: 0 }, { count: 0 }]);
  });

  test('where no new network has one leaves nothing of its own behind', async () => {
    const account: Account = { name: 'somebody@example.com', way: 'send', firstTriesMax: 0 };

    const tries = Array.from({ length: 12 }, (_, at) =>
      takeSending(web.store, { from: { ip: `192.0.${at}.1` } }, account),
    );

    expect((await Promise.all(tries)).filter((each) => each === undefined)).toHaveLength(2);
    const { rows } = await web.scratch.sql.query(`select bucket from app.rates where starts_with(bucket, 'first ')`);
    expect(rows).toEqual([]);
  });

  test('of a known browser is one of ten between two that were right; then it is as unknown as others', async () => {
    const browser = (await ownerBrowser(web)).cookies.get(`browser-${web.url.port}`);
    const account: Account = { name: web.owner.user_id, way: 'password', firstTriesMax: 0 };
    const take = async () => (await takeAttempt(web.store, { from: { ip: '192.0.2.1' }, browser }, account)).buckets;

    const taken: string[][] = [];
    for (let count = 0; count < 11; count++) taken.push(await take());

    expect(taken.slice(0, 10)).toEqual(Array(10).fill([]));
    expect(taken[10]).toEqual(['login 192.0.2.1', `password ${web.owner.user_id}`]);
  });

  test('is of a known browser only for the account that it signed in to, and until there is another password', async () => {
    const browser = await ownerBrowser(web);
    const known = browser.cookies.get(`browser-${web.url.port}`) ?? '';
    const isKnown = async (name: string) => {
      const account: Account = { name, way: 'password', firstTriesMax: 0 };
      return (
        (await takeAttempt(web.store, { from: { ip: '192.0.2.1' }, browser: known }, account)).buckets.length === 0
      );
    };

    expect(isSecret('browser', known)).toBe(true);
    expect([await isKnown(web.owner.user_id), await isKnown('somebody@example.com')]).toEqual([true, false]);
    await setPassword(web.store, web.owner, PASSWORD);
    expect(await isKnown(web.owner.user_id)).toBe(false);
  });

  test('gives a browser a new secret, and the old one counts no more', async () => {
    const browser = await ownerBrowser(web);
    const name = `browser-${web.url.port}`;
    const before = browser.cookies.get(name) ?? '';

    await signIn(browser);

    const { rows } = await web.scratch.sql.query(`select bucket from app.rates where starts_with(bucket, 'browser ')`);
    expect(browser.cookies.get(name)).not.toBe(before);
    expect(rows).toEqual([{ bucket: `browser ${web.owner.user_id} ${hashSecret(browser.cookies.get(name) ?? '')}` }]);
  });
});
