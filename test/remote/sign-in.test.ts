import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createFirstLink, setPassword } from '../../src/auth/login/owner.ts';
import { hashPassword, verifyPassword } from '../../src/auth/login/password.ts';
import { mintSecret } from '../../src/auth/secrets.ts';
import { authStore } from '../../src/auth/store.ts';
import { createCookies } from '../../src/web/cookies.ts';
import { type Account, takeAttempt } from '../../src/web/sign-in-limit.ts';
import { createScratch } from '../support/scratch.ts';
import { Browser, ownerBrowser, PASSWORD, session, startWeb, type TestWeb } from '../support/web.ts';

let web: TestWeb;

beforeAll(async () => {
  web = await startWeb();
});
afterAll(() => web?.close());
// All tests come from one address.
beforeEach(async () => {
  await web.scratch.sql.query('truncate app.rates');
});

describe('the owner', () => {
  test('chooses a password with a link that works once', async () => {
    const link = await web.loginLink();
    const browser = new Browser(web);
    await browser.open(link);

    const shown = await browser.submit('/login/owner', { password: PASSWORD, repeated: PASSWORD });

    expect([shown.status, shown.url.pathname]).toEqual([200, '/account']);
    const again = new Browser(web);
    await again.open(link);
    const refused = await again.submit('/login/owner', { password: `${PASSWORD} 2`, repeated: `${PASSWORD} 2` });
    expect(refused.status).toBe(400);
    expect(session(again)).toBeUndefined();
  });

  test('has no use for a link that is too old, or of which there is a newer one', async () => {
    const [replaced, late] = [await web.loginLink(), await web.loginLink()];
    await web.scratch.sql.query('update app.login_codes set expires_at = now()');

    for (const link of [replaced, late]) {
      const browser = new Browser(web);
      await browser.open(link);
      const { status } = await browser.submit('/login/owner', { password: PASSWORD, repeated: PASSWORD });
      expect([status, session(browser)]).toEqual([400, undefined]);
    }
    const kept = await web.loginLink();
    await web.loginLink();
    const browser = new Browser(web);
    await browser.open(kept);
    expect((await browser.submit('/login/owner', { password: PASSWORD, repeated: PASSWORD })).status).toBe(400);
  });

  test('is shown a first link on a terminal of this machine alone, and while there is no password', async () => {
    const scratch = await createScratch();
    const { db, actor } = await scratch.signIn('owner');
    const store = authStore(db);
    const local = { host: '127.0.0.1', publicUrl: web.url };
    const shown = async (where: typeof local) => (await createFirstLink(store, actor, where)) !== undefined;

    expect(await shown(local)).toBe(true);
    expect(await shown({ ...local, host: '0.0.0.0' })).toBe(false);
    expect(await shown({ ...local, publicUrl: new URL('https://cairn.example') })).toBe(false);
    await setPassword(store, actor, PASSWORD);
    expect(await shown(local)).toBe(false);
    await scratch.drop();
  });

  test('keeps the link when the password is too short or mistyped', async () => {
    const browser = new Browser(web);
    await browser.open(await web.loginLink());

    const short = await browser.submit('/login/owner', { password: 'short', repeated: 'short' });
    const differing = await browser.submit('/login/owner', { password: PASSWORD, repeated: 'something else entirely' });
    const right = await browser.submit('/login/owner', { password: PASSWORD, repeated: PASSWORD });

    expect([short.status, differing.status, right.url.pathname]).toEqual([400, 400, '/account']);
  });

  test('signs in with the password, and with no other', async () => {
    await ownerBrowser(web);
    const browser = new Browser(web);
    await browser.open('/account');

    const wrong = await browser.submit('/login', { password: 'not this one, surely' });
    const right = await browser.submit('/login', { password: PASSWORD });

    expect([wrong.status, right.status, right.url.pathname]).toEqual([400, 200, '/account']);
  });

  test('who signs out has no session any more', async () => {
    const browser = await ownerBrowser(web);
    const before = session(browser) ?? '';
    const name = [...browser.cookies.keys()].find((cookie) => cookie.startsWith('sid')) ?? '';

    await browser.open('/account');
    const shown = await browser.submit('/logout');

    expect(shown.url.pathname).toBe('/login');
    browser.cookies.set(name, before);
    expect((await browser.open('/account')).url.pathname).toBe('/login');
  });
});

describe('a session', () => {
  test('has a new id at each login, whatever the browser brought', async () => {
    const browser = await ownerBrowser(web);
    const before = session(browser) ?? '';
    const name = [...browser.cookies.keys()].find((cookie) => cookie.startsWith('sid')) ?? '';

    await browser.open('/login');
    await browser.submit('/login', { password: PASSWORD });

    expect(session(browser)).not.toBe(before);
    const thief = new Browser(web);
    thief.cookies.set(name, before);
    expect((await thief.open('/account')).url.pathname).toBe('/login');
  });

  test('cannot be planted: an id of somebody else’s making is not taken over', async () => {
    const browser = new Browser(web);
    await ownerBrowser(web);
    const planted = mintSecret('session').secret;
    browser.cookies.set(`sid-${web.url.port}`, planted);

    await browser.open('/login');
    await browser.submit('/login', { password: PASSWORD });

    expect(session(browser)).not.toBe(planted);
  });

  test('ends after half a day unused, and after a week', async () => {
    for (const over of ["last_seen_at = now() - interval '12 hours'", 'expires_at = now()']) {
      const browser = await ownerBrowser(web);
      expect((await browser.open('/account')).url.pathname).toBe('/account');

      await web.scratch.sql.query(`update app.auth_sessions set ${over}`);

      expect([over, (await browser.open('/account')).url.pathname]).toEqual([over, '/login']);
    }
  });

  test('is in a cookie that over https no neighbouring host can set and no plain http carries', () => {
    const { write } = createCookies(new URL('https://cairn.example'));

    for (const kind of ['session', 'txn', 'browser', 'invitation'] as const) {
      expect(write(kind, 'secret')).toMatch(
        /^__Host-\w+=secret; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
      );
    }
  });

  test('is kept as a hash, in a cookie that scripts and other sites do not get', async () => {
    const browser = new Browser(web);
    await ownerBrowser(web);
    await browser.open('/login');
    const csrf = /name="csrf" value="([^"]+)"/.exec((await browser.fetch('/login')).text)?.[1] ?? '';

    const { headers } = await browser.fetch('/login', {
      method: 'POST',
      body: new URLSearchParams({ csrf, next: '/account', password: PASSWORD }),
    });

    const cookie = headers.getSetCookie().find((set) => set.startsWith('sid')) ?? '';
    expect(cookie).toMatch(/; HttpOnly; SameSite=Lax/);
    const secret = /=([^;]+)/.exec(cookie)?.[1];
    const { rows } = await web.scratch.sql.query(
      `select 1 from app.auth_sessions s where s::text like '%' || $1 || '%'`,
      [secret],
    );
    expect(rows).toEqual([]);
  });
});

describe('a form', () => {
  test.for([
    ['without its token', {}, {}],
    ['with the token of another browser', {}, { csrf: 'x'.repeat(43) }],
    ['from another site', { 'sec-fetch-site': 'cross-site' }, null],
  ] as const)('%s is refused', async ([, headers, fields]) => {
    const browser = await ownerBrowser(web);
    const { text } = await browser.open('/account');
    const csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';

    const shown = await browser.fetch('/logout', {
      method: 'POST',
      headers,
      body: new URLSearchParams(fields ?? { csrf }),
    });

    expect(shown.status).toBe(403);
    expect((await browser.open('/account')).url.pathname).toBe('/account');
  });

  test('of before the login does not count after it', async () => {
    const browser = await ownerBrowser(web);
    browser.cookies.delete(`sid-${web.url.port}`);
    const { text } = await browser.open('/login');
    const csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';
    await browser.submit('/login', { password: PASSWORD });

    const shown = await browser.fetch('/logout', { method: 'POST', body: new URLSearchParams({ csrf }) });

    expect(shown.status).toBe(403);
  });
});

describe('where to go on to', () => {
  test.for([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    '',
  ])('is never %j', async (next) => {
    await ownerBrowser(web);
    const browser = new Browser(web);
    await browser.open('/login');
    const csrf = /name="csrf" value="([^"]+)"/.exec((await browser.fetch('/login')).text)?.[1] ?? '';

    const { headers } = await browser.fetch('/login', {
      method: 'POST',
      body: new URLSearchParams({ csrf, next, password: PASSWORD }),
    });

    expect(new URL(headers.get('location') ?? '', web.url).origin).toBe(web.url.origin);
    expect(headers.get('location')).toMatch(/^\/[a-z%]/);
  });
});

describe('guessing', () => {
  const OWNER: Account = { name: 'owner', way: 'password', firstTriesMax: 1_000 };

  test('ends after five tries a minute from an address', async () => {
    const browser = new Browser(web);
    await ownerBrowser(web);
    await web.scratch.sql.query('truncate app.rates');
    await browser.open('/login');

    const statuses: number[] = [];
    for (let count = 0; count < 6; count++) {
      await browser.open('/login');
      const { status } = await browser.submit('/login', { password: `guess number ${count}` });
      statuses.push(status);
    }

    expect(statuses).toEqual([400, 400, 400, 400, 400, 429]);
  });

  test('from many networks at one account ends after ten tries in a quarter of an hour, and one of each new network', async () => {
    const guess = (ip: string) => takeAttempt(web.store, { from: { ip } }, { ...OWNER, firstTriesMax: 2 });
    for (let count = 0; count < 10; count++) await guess(`192.0.2.${count}`);

    await guess('192.0.2.10');
    await expect(guess('192.0.2.11')).rejects.toMatchObject({ code: 'rate_limited' });
    await guess('198.51.100.1');
    await expect(guess('203.0.113.1')).rejects.toMatchObject({ code: 'rate_limited' });
  });

  test('from many addresses of one network is guessing from one', async () => {
    const guess = (ip: string) => takeAttempt(web.store, { from: { ip } }, OWNER);
    for (let count = 0; count < 5; count++) await guess(`2001:db8:1:2::${count}`);

    await expect(guess('2001:db8:1:2:ffff::1')).rejects.toMatchObject({ code: 'rate_limited' });
    await guess('2001:db8:1:3::1');
  });

  test('takes as long without a password as with one', async () => {
    const hash = await hashPassword(PASSWORD);
    const timed = async (kept: string | undefined) => {
      const started = performance.now();
      expect(await verifyPassword('something else', kept)).toBe(false);
      return performance.now() - started;
    };
    await timed(hash);

    const withOne = await timed(hash);
    const without = await timed(undefined);

    expect(without).toBeGreaterThan(withOne / 4);
    expect(await verifyPassword(PASSWORD, hash)).toBe(true);
    expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/);
  });
});
