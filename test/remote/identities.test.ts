import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type OidcFixture, startOidcProvider } from '../support/oidc.ts';
import { createScratch } from '../support/scratch.ts';
import { PUBLISHABLE_KEY, type SupabaseProject, startSupabase } from '../support/supabase.ts';
import { Browser, session, startWeb, type TestWeb } from '../support/web.ts';

let web: TestWeb;
let provider: OidcFixture;
let project: SupabaseProject;

beforeAll(async () => {
  // Migrated first: the project signs in as roles of the schema.
  const scratch = await createScratch();
  provider = await startOidcProvider();
  project = await startSupabase(inject('server'));
  web = await startWeb(
    {
      CAIRN_OIDC_PROVIDERS: JSON.stringify([
        { id: 'acme', name: 'Acme', issuer: provider.issuer, client_id: 'cairn', client_secret: 'secret' },
      ]),
      CAIRN_LOGIN_SUPABASE_URL: project.url,
      CAIRN_LOGIN_SUPABASE_KEY: PUBLISHABLE_KEY,
      CAIRN_ALLOW_EMAILS: 'carol@example.com, grace@example.com',
      CAIRN_ALLOW_DOMAINS: 'acme.example',
    },
    scratch,
  );
  provider.register(new URL('/login/oidc/acme/callback', web.url).href);
});
afterAll(async () => {
  await web?.close();
  await project?.close();
  await provider?.close();
});
// All tests come from one address.
beforeEach(async () => {
  await web.scratch.sql.query('truncate app.rates');
});

describe('an OpenID provider', () => {
  const follow = async (browser: Browser, person: Parameters<OidcFixture['signIn']>[1]) => {
    const { url } = await browser.open('/login/oidc/acme?next=/account');
    return provider.signIn(url, person);
  };

  test('signs in whoever has a verified address that may have an account', async () => {
    const browser = new Browser(web);

    const callback = await follow(browser, {
      sub: 'carol',
      email: 'carol@example.com',
      email_verified: true,
      name: 'Carol',
    });
    const shown = await browser.open(callback);

    expect([shown.status, shown.url.pathname]).toEqual([200, '/account']);
    expect(shown.text).toContain('Carol');
  });

  test.for([
    ['nobody invited', { sub: 'dan', email: 'dan@elsewhere.example', email_verified: true }],
    ['an address nobody verified', { sub: 'eve', email: 'carol@example.com', email_verified: false }],
    ['a look-alike domain', { sub: 'mal', email: 'mal@notacme.example', email_verified: true }],
  ] as const)('does not let in %s', async ([, person]) => {
    const browser = new Browser(web);

    const shown = await browser.open(await follow(browser, person));

    expect(shown.status).toBe(403);
    expect(session(browser)).toBeUndefined();
  });

  test('cannot sign one browser in with what another brought back', async () => {
    const attacker = new Browser(web);
    const callback = await follow(attacker, { sub: 'bob', email: 'bob@acme.example', email_verified: true });
    const victim = new Browser(web);
    await victim.open('/login');

    const shown = await victim.open(callback);

    expect(shown.status).toBe(400);
    expect(session(victim)).toBeUndefined();
  });

  test('is not waited for longer than ten minutes', async () => {
    const browser = new Browser(web);
    const callback = await follow(browser, { sub: 'bob', email: 'bob@acme.example', email_verified: true });
    await web.scratch.sql.query('update app.login_states set expires_at = now()');

    expect([(await browser.open(callback)).status, session(browser)]).toEqual([400, undefined]);
  });

  test('is believed once', async () => {
    const browser = new Browser(web);
    const callback = await follow(browser, { sub: 'bob', email: 'bob@acme.example', email_verified: true });

    const first = await browser.open(callback);
    const second = await browser.open(callback);

    expect([first.status, second.status]).toEqual([200, 400]);
  });

  test.for(['nonce', 'issuer', 'audience', 'expired', 'signature', 'alg none'] as const)(
    'whose answer has a wrong %s signs nobody in',
    async (flaw) => {
      const browser = new Browser(web);
      const callback = await follow(browser, { sub: 'bob', email: 'bob@acme.example', email_verified: true });
      provider.spoil(flaw);

      const shown = await browser.open(callback);

      expect(shown.status).toBeGreaterThanOrEqual(403);
      expect(session(browser)).toBeUndefined();
    },
  );

  test('that names another issuer in its redirect is refused (RFC 9207)', async () => {
    const browser = new Browser(web);
    const callback = await follow(browser, { sub: 'bob', email: 'bob@acme.example', email_verified: true });
    callback.searchParams.set('iss', 'https://evil.example');

    expect((await browser.open(callback)).status).toBe(403);
  });

  test('does not take over the account that has the same address', async () => {
    const mallory = new Browser(web);
    await mallory.open(await follow(mallory, { sub: 'mallory', email: 'carol@example.com', email_verified: true }));
    const carol = new Browser(web);
    await carol.open(await follow(carol, { sub: 'carol', email: 'carol@example.com', email_verified: true }));

    const { rows } = await web.scratch.sql.query(
      `select count(distinct user_id)::int as users from app.user_identities where email = 'carol@example.com' and subject in ('carol', 'mallory')`,
    );

    expect(rows).toEqual([{ users: 2 }]);
  });
});

describe('Supabase', () => {
  const start = async (email: string) => {
    const browser = new Browser(web);
    await browser.open('/login');
    await browser.submit('/login/email', { email });
    return browser;
  };

  test('signs in with the code of the e-mail', async () => {
    const browser = await start('grace@example.com');

    const shown = await browser.submit('/login/code', { code: project.auth.mailbox.at(-1)?.code ?? '' });

    expect([shown.status, shown.url.pathname]).toEqual([200, '/account']);
    // Only the identity is kept: the session there has ended.
    expect(project.auth.sessions()).toBe(0);
  });

  test.for([
    ['issuer', { iss: 'https://evil.example' }],
    ['audience', { aud: 'anon' }],
    ['subject', { sub: undefined }],
  ] as const)('whose token has a wrong %s signs nobody in', async ([, claims]) => {
    const browser = await start('grace@example.com');
    project.auth.bendNext(claims);

    const shown = await browser.submit('/login/code', { code: project.auth.mailbox.at(-1)?.code ?? '' });

    expect(shown.status).toBeGreaterThanOrEqual(400);
    expect(session(browser)).toBeUndefined();
  });

  test('is asked for five codes a minute from one address, and for no more', async () => {
    const browser = await start('grace@example.com');
    const statuses: number[] = [];
    for (let count = 0; count < 5; count++)
      statuses.push((await browser.submit('/login/code', { code: '000000' })).status);

    expect(statuses).toEqual([400, 400, 400, 400, 429]);
  });

  test('takes the newest code where somebody asks for codes without end', async () => {
    const browser = new Browser(web);
    for (let count = 0; count < 12; count++) {
      const bucket = `send heidi@example.com`;
      await web.store.takeAttempt({ bucket, attempts_max: 10, window_seconds: 900 }, {});
    }
    const sent = project.auth.mailbox.length;

    await browser.open('/login');
    const { status, text } = await browser.submit('/login/email', { email: 'heidi@example.com' });

    expect([status, project.auth.mailbox.length]).toEqual([200, sent]);
    expect(text).toContain('the newest of the e-mails counts');
  });

  test('knows a browser that signed in with a code before', async () => {
    const browser = await start('grace@example.com');
    await browser.submit('/login/code', { code: project.auth.mailbox.at(-1)?.code ?? '' });
    for (let count = 0; count < 12; count++) {
      const bucket = `code grace@example.com`;
      await web.store.takeAttempt({ bucket, attempts_max: 10, window_seconds: 900 }, {});
    }
    await browser.open('/account');
    await browser.submit('/logout');

    await browser.open('/login');
    await browser.submit('/login/email', { email: 'grace@example.com' });
    const shown = await browser.submit('/login/code', { code: project.auth.mailbox.at(-1)?.code ?? '' });

    expect([shown.status, shown.url.pathname]).toEqual([200, '/account']);
  });

  test('with a wrong code does not', async () => {
    const browser = await start('grace@example.com');

    const shown = await browser.submit('/login/code', { code: '000000' });

    expect(shown.status).toBe(400);
    expect(session(browser)).toBeUndefined();
  });

  test('answers the same for an address that may not sign in', async () => {
    const browser = await start('unknown@elsewhere.example');

    const shown = await browser.submit('/login/code', { code: '000000' });

    expect(shown.status).toBe(400);
    expect(shown.text).toContain('That is not the code');
  });

  test('with the right code lets nobody in who was not invited', async () => {
    const browser = await start('nobody@elsewhere.example');

    const shown = await browser.submit('/login/code', { code: project.auth.mailbox.at(-1)?.code ?? '' });

    expect(shown.status).toBe(403);
  });
});
