import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ConsentView } from '../../src/auth/server/views.ts';
import { day, html, name, time } from '../../src/web/html.ts';
import { consentPage } from '../../src/web/pages/consent.ts';
import { Browser, ownerBrowser, startWeb, type TestWeb } from '../support/web.ts';

let web: TestWeb;

beforeAll(async () => {
  web = await startWeb();
});
afterAll(() => web?.close());
beforeEach(async () => {
  await web.scratch.sql.query('truncate app.rates');
});

const CONSENT: ConsentView = {
  request: 'cairn_rq_1',
  csrf: 'token',
  client: { client_id: 'c1', client_name: 'Cursor', identified: 'dcr' },
  redirect: {
    uri: 'cursor://anysphere.cursor-mcp/oauth/callback',
    shown: 'cursor://anysphere.cursor-mcp',
    form_action: 'cursor:',
    local: true,
  },
  resource: 'https://cairn.example/mcp',
  scopes: [{ scope: 'tasks:read', description: 'Read tasks', checked: true }],
  user: { name: 'Ada' },
  workspaces: [{ tenant_id: randomUUID(), name: 'Acme', role: 'owner' }],
};

const FRAMED = '<iframe src="https://evil.example">';
const SCRIPT = '"><script>alert(1)</script>';

function expectLocked(headers: Headers): void {
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'self'/);
  expect(policy).toMatch(/; frame-ancestors 'none'$/);
  expect(policy).not.toMatch(/unsafe|script-src|\*/);
  expect(Object.fromEntries(headers)).toMatchObject({
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
}

describe('every page', () => {
  test.for([
    ['HEAD', '/login', 'GET, POST'],
    ['PUT', '/login/oidc/acme/callback', 'GET'],
    ['GET', '/admin/revoke', 'POST'],
  ])('answers %s %s with what it is opened by', async ([method, path, allow]) => {
    const response = await fetch(new URL(path as string, web.url), { method: method as string });

    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(response.headers.getSetCookie()).toHaveLength(1);
  });

  test.for(['/%61dmin', '//admin', '/admin/', '/login/oidc/a.b', '/Login'])(
    'goes by one path, not %s',
    async (path) => {
      const response = await fetch(`${web.url.origin}${path}`, { redirect: 'manual' });

      expect(response.status).toBe(404);
      expect(response.headers.getSetCookie()).toEqual([]);
    },
  );

  test.for([
    ['GET', '/'],
    ['GET', '/login'],
    ['GET', '/login?next=/oauth/consent'],
    ['POST', '/login'],
    ['DELETE', '/login'],
    ['POST', '/login/email'],
    ['POST', '/login/code'],
    ['GET', '/login/owner?code=x'],
    ['POST', '/login/owner'],
    ['GET', '/login/oidc/unknown'],
    ['GET', '/login/oidc/unknown/callback?state=x&code=y'],
    ['POST', '/logout'],
    ['GET', '/invite?code=x'],
    ['GET', '/invite'],
    ['POST', '/invite'],
    ['GET', '/account'],
    ['POST', '/account/revoke'],
    ['POST', '/account/tokens'],
    ['GET', '/admin'],
    ['GET', '/admin?workspace=x'],
    ['POST', '/admin/revoke'],
    ['POST', '/admin/members'],
    ['POST', '/admin/invitations'],
  ] as const)('%s %s is locked down, with and without somebody signed in', async ([method, path]) => {
    for (const browser of [new Browser(web), await ownerBrowser(web)]) {
      const { status, headers, text } = await browser.fetch(path, { method });

      expectLocked(headers);
      expect(status).toBeLessThan(500);
      expect(text).not.toMatch(/<script|javascript:|\son\w+=|style="|<img|<link|src=/i);
    }
  });

  test.for([
    ['GET', '/admin'],
    ['GET', '/account'],
    ['GET', '/login/owner?code=NAME'],
    ['GET', '/login?next=/NAME'],
    ['GET', '/admin?workspace=NAME'],
    ['GET', '/invite?code=NAME'],
  ] as const)('%s %s shows nothing that turns letters round, in no text and no attribute', async ([, path]) => {
    const owner = await ownerBrowser(web);
    const hostile = 'Eve\u202e\u2066\u061c\u001b[2J\u009b31m';
    const { user_id } = await web.session({ issuer: 'test', subject: randomUUID(), name: 'eve' });
    await web.scratch.sql.query('update public.users set name = $2 where id = $1', [user_id, hostile]);
    await web.scratch.sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      web.owner.tenant_id,
      user_id,
    ]);

    const { text } = await owner.open(path.replace('NAME', encodeURIComponent(hostile)));

    expect(/(?!\s)\p{Cc}|\p{Bidi_Control}/u.exec(text)).toBeNull();
    expect(text.includes('aria-label="Remove Eve')).toBe(path === '/admin');
  });

  test('takes out of what it is given whatever turns letters round, in text and in attributes', () => {
    const hostile = 'Eve\u202e\u2066\u061c\u001b[2J';

    expect(html`<a title="${hostile}">${hostile}</a>`.source).toBe('<a title="Eve[2J">Eve[2J</a>');
  });

  test('says what to do when a form is too large or is none', async () => {
    const browser = new Browser(web);

    const none = await browser.fetch('/login', {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });

    expect(none.status).toBe(403);
    expect(none.text).toContain('Go back, load the page again');
  });
});

describe('a moment on a page', () => {
  test('is shown in UTC, with the moment for machines', () => {
    const [iso, moment] = ['2026-11-25T21:30:05.000Z', '2026-11-25T22:30:05+01:00'];

    expect(time(moment).source).toBe(`<time datetime="${iso}">2026-11-25 21:30 UTC</time>`);
    expect(day(moment).source).toBe(`<time datetime="${iso}">2026-11-25</time>`);
  });

  test.for(['infinity', '', '<b>soon</b>', '4713-01-01 BC'])('that is none, %s, stands as it is', (moment) => {
    const shown = html`${moment}`.source;

    expect(time(moment).source).toBe(shown);
    expect(day(moment).source).toBe(shown);
  });
});

describe('the consent page', () => {
  const shown = async (view: Partial<ConsentView>) => {
    const response = consentPage({ ...CONSENT, ...view });
    return { headers: response.headers, text: await response.text() };
  };
  const local = { uri: 'http://127.0.0.1:9/cb', shown: '127.0.0.1:9', form_action: 'http://127.0.0.1:9', local: true };
  const remote = { uri: 'https://claude.ai/cb', shown: 'claude.ai', form_action: 'https://claude.ai', local: false };

  test('lets its form lead to the client of the request and nowhere else', async () => {
    for (const redirect of [CONSENT.redirect, local, remote]) {
      const { headers } = await shown({ redirect });

      expectLocked(headers);
      expect(headers.get('content-security-policy')).toContain(`form-action 'self' ${redirect.form_action};`);
    }
  });

  test('says that a self-registered program’s name is not verified, and who vouches for another', async () => {
    expect((await shown({})).text).toContain('Nobody has verified it');
    const cimd = {
      client_id: 'https://claude.ai/x',
      client_name: 'Claude',
      identified: 'cimd',
      host: 'claude.ai',
    } as const;
    const { text } = await shown({ client: cimd, redirect: remote });
    expect(text).toContain('<bdi>claude.ai</bdi> vouches for this name');
    expect(text).not.toContain('Nobody has verified');
  });

  test('warns of an address that any program on the device may listen at, and shows it in bold', async () => {
    for (const redirect of [CONSENT.redirect, local]) {
      const { text } = await shown({ redirect });
      expect(text).toContain('Have you just started this yourself?');
      expect(text).toContain(`<strong class="code"><bdi>${redirect.shown}</bdi></strong>`);
    }
    expect((await shown({ redirect: remote })).text).not.toContain('Have you just started this yourself?');
  });

  test('chooses no workspace for a person who has several', async () => {
    const several = ['Acme', 'Home'].map((called) => ({
      tenant_id: randomUUID(),
      name: called,
      role: 'member' as const,
    }));
    const { text } = await shown({ workspaces: several });

    expect(text.match(/type="radio" name="tenant_id" value="[^"]+" required>/g)).toHaveLength(2);
    expect(text).not.toMatch(/type="radio"[^>]*checked/);
  });

  test.for([
    ['markup', FRAMED, '&lt;iframe src=&quot;https://evil.example&quot;&gt;'],
    ['a script', SCRIPT, '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['letters that turn others round', 'Claude\u202eedualC\u2066', '<bdi>ClaudeedualC</bdi>'],
    ['letters that nobody sees', '\u3164\u2800\u115f\uffa0', '<bdi>unnamed</bdi>'],
    ['invisible letters', 'Cl\u200baude\u00ad\u2060', '<bdi>Claude</bdi>'],
    ['lines', 'Claude\r\n\r\nVerified by Cairn', '<bdi>Claude Verified by Cairn</bdi>'],
    ['nothing that shows', '\u200b \u2028', '<bdi>unnamed</bdi>'],
    ['too much', 'x'.repeat(5_000), `<bdi>${'x'.repeat(99)}…</bdi>`],
  ] as const)('shows a name of %s as text', async ([, client_name, expected]) => {
    const { text } = await shown({ client: { client_id: 'c1', client_name, identified: 'dcr' } });

    expect(text).toContain(expected);
    expect(text).not.toContain(client_name);
  });
});

test('a template escapes what is text and nothing twice', () => {
  const inner = html`<b>${'<&>'}</b>`;

  expect(html`<p title="${`"'`}">${[inner, null, false, 0]}</p>`.source).toBe(
    '<p title="&quot;&#39;"><b>&lt;&amp;&gt;</b>0</p>',
  );
  expect(name('a & b').source).toBe('<bdi>a &amp; b</bdi>');
});
