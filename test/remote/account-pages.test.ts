import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hashSecret } from '../../src/auth/secrets.ts';
import { createPat } from '../../src/auth/server/issue.ts';
import { createProject } from '../support/commands.ts';
import { Browser, ownerBrowser, type Shown, startWeb, type TestWeb, unescaped } from '../support/web.ts';

let web: TestWeb;

beforeAll(async () => {
  web = await startWeb();
});
afterAll(() => web?.close());
beforeEach(async () => {
  await web.scratch.sql.query('truncate app.rates');
});

describe('an invitation', () => {
  const invite = async (browser: Browser, email = ''): Promise<string> => {
    await browser.open('/admin');
    const { text } = await browser.submit('/admin/invitations', { do: 'invite', role: 'member', email });
    return /<code>(http[^<]+)<\/code>/.exec(text)?.[1] ?? '';
  };

  test('is accepted by whoever is signed in, once, after a question', async () => {
    const owner = await ownerBrowser(web);
    const link = await invite(owner);
    const other = await signedIn('bob');

    const asked = await other.open(link);
    const joined = await other.submit('/invite');

    expect(asked.url.search).toBe('');
    expect(asked.text).toContain('Join the workspace?');
    expect(joined.text).toContain('<bdi>ada</bdi>');
    const again = await signedIn('eve');
    await again.open(link);
    expect((await again.submit('/invite')).status).toBe(403);
  });

  test('that was withdrawn opens nothing', async () => {
    const owner = await ownerBrowser(web);
    const link = await invite(owner, 'carol@example.com');
    await owner.open('/admin');
    await owner.submit('/admin/invitations', { do: 'withdraw' });
    const other = await signedIn('carol');

    await other.open(link);

    expect((await other.submit('/invite')).status).toBe(403);
  });
});

describe('an administrator', () => {
  test('is asked for by the pages: a member gets none of them', async () => {
    const browser = await signedIn('mallory');
    const workspace = web.owner.tenant_id;

    const page = await browser.fetch(`/admin?workspace=${workspace}`);
    await browser.open('/account');
    const csrf = /name="csrf" value="([^"]+)"/.exec((await browser.fetch('/account')).text)?.[1] ?? '';
    const posts: Shown[] = [];
    for (const path of ['/admin/revoke', '/admin/members', '/admin/invitations']) {
      const fields = { csrf, workspace, do: 'invite', role: 'admin', user_id: web.owner.user_id, id: randomUUID() };
      posts.push(await browser.fetch(path, { method: 'POST', body: new URLSearchParams(fields) }));
    }

    expect([page, ...posts].map(({ status }) => status)).toEqual([403, 403, 403, 403]);
  });

  test('changes a role, and removes a member', async () => {
    const owner = await ownerBrowser(web);
    const { user_id } = await member('dora');

    await owner.open('/admin');
    const changed = await owner.submit('/admin/members', { user_id, role: 'viewer', do: 'change' });
    const removed = await owner.submit('/admin/members', { user_id, do: 'remove' });

    expect(changed.text).toContain('They are viewer now.');
    expect(removed.text).toContain('They are no member any more.');
    const { rows } = await web.scratch.sql.query(
      'select 1 from public.memberships where tenant_id = $1 and user_id = $2',
      [web.owner.tenant_id, user_id],
    );
    expect(rows).toEqual([]);
  });
});

describe('a personal access token', () => {
  const GIVEN = { name: 'nightly build', days: '30', scope: ['projects:read'] };

  test('is made on the account page, shown once, and good for what was ticked', async () => {
    const browser = await ownerBrowser(web);
    await browser.open('/account');

    const shown = await browser.submit('/account/tokens', GIVEN);
    const again = await browser.open('/account');

    const [token = ''] = /cairn_pat_[\w-]+/.exec(shown.text) ?? [];
    expect([shown.status, shown.url.pathname, shown.url.search]).toEqual([200, '/account', '']);
    expect(again.text).not.toContain('cairn_pat_');
    expect(again.text).toContain('nightly build');
    const resource = `${web.url.origin}/mcp`;
    const found = await web.store.authenticateToken({ token_hash: hashSecret(token), resource }, web.owner);
    expect(found).toMatchObject({ kind: 'pat', scope: 'projects:read' });
  });

  test('is limited to a project where one is named, and the pages say so', async () => {
    const browser = await ownerBrowser(web);
    const project_id = await createProject({ db: web.scratch.db, actor: web.owner });
    await browser.open('/account');

    const shown = await browser.submit('/account/tokens', { ...GIVEN, name: 'of web', project: ' web ' });

    const [token = ''] = /cairn_pat_[\w-]+/.exec(shown.text) ?? [];
    const presented = { token_hash: hashSecret(token), resource: `${web.url.origin}/mcp` };
    expect(await web.store.authenticateToken(presented, web.owner)).toMatchObject({ project_id });
    for (const path of ['/account', '/admin']) {
      expect((await browser.open(path)).text).toContain('in <strong><bdi>web</bdi></strong> alone');
    }
    await browser.open('/account');
    expect((await browser.submit('/account/tokens', { ...GIVEN, project: 'nowhere' })).status).toBe(404);
  });

  test.for([
    ['an end', { days: '367' }],
    ['a name', { name: ' ' }],
    ['anything that it may do', { scope: [] }],
  ] as const)('is not made without %s', async ([, given]) => {
    const browser = await ownerBrowser(web);
    await browser.open('/account');

    expect((await browser.submit('/account/tokens', { ...GIVEN, ...given } as typeof GIVEN)).status).toBe(400);
  });

  test('is made by who has just signed in, in a workspace of theirs', async () => {
    const browser = await ownerBrowser(web);
    const mallory = await signedIn('mallory');
    await browser.open('/account');
    await mallory.open('/account');
    const elsewhere = { ...GIVEN, workspace: web.owner.tenant_id };
    expect((await mallory.submit('/account/tokens', elsewhere)).status).toBe(403);

    await web.scratch.sql.query("update app.auth_sessions set auth_at = auth_at - interval '16 minutes'");

    expect((await browser.submit('/account/tokens', GIVEN)).status).toBe(403);
    expect((await browser.open('/account')).text).toContain('Sign in again');
  });
});

describe('what a form did', () => {
  test('is told on the page after it, once, so that loading it again does nothing again', async () => {
    const owner = await ownerBrowser(web);
    const { user_id } = await member('dora');
    const { text } = await owner.open('/admin');
    const csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';
    const body = new URLSearchParams({ csrf, workspace: web.owner.tenant_id, user_id, role: 'viewer', do: 'change' });

    const { status, headers } = await owner.fetch('/admin/members', { method: 'POST', body });

    expect([status, headers.get('location')]).toEqual([303, `/admin?workspace=${web.owner.tenant_id}`]);
    expect((await owner.open(headers.get('location') ?? '')).text).toContain('They are viewer now.');
    expect((await owner.open(headers.get('location') ?? '')).text).not.toContain('They are viewer now.');
  });

  test('is not told by a cookie that somebody else put there', async () => {
    const owner = await ownerBrowser(web);
    const told = Buffer.from('{"notice":"Call this number."}').toString('base64url');
    for (const planted of [told, `${told}.`, `${told}.${'x'.repeat(43)}`]) {
      owner.cookies.set(`outcome-${web.url.port}`, planted);

      const { status, text } = await owner.open('/account');

      expect([status, text.includes('Call this number')]).toEqual([200, false]);
    }
  });
});

test('a long list goes on behind a link, and leads back', async () => {
  const owner = await ownerBrowser(web);
  const { db } = web.scratch;
  const pat = { scope: 'projects:read', days: 1, resource: `${web.url.origin}/mcp` };
  for (let count = 0; count < 60; count++) await createPat(db, web.owner, { ...pat, name: `number ${count}.` });
  const listed = ({ text }: Shown) => new Set(text.match(/number \d+\./g));
  const follow = async ({ text }: Shown, words: string) =>
    owner.open(unescaped(new RegExp(`<a href="([^"]+)">${words}</a>`).exec(text)?.[1] ?? ''));

  for (const path of ['/account', '/admin']) {
    const first = await owner.open(path);
    const second = await follow(first, 'Older ones');

    expect([path, new Set([...listed(first), ...listed(second)]).size]).toEqual([path, 60]);
    expect([path, listed(await follow(second, 'Back to the newest'))]).toEqual([path, listed(first)]);
  }
});

/** Somebody with a session, as a provider would have left them. */
async function signedIn(subject: string): Promise<Browser> {
  const browser = new Browser(web);
  const { cookie } = await web.session({ issuer: 'test', subject: `${subject}-${randomUUID()}`, name: subject });
  browser.cookies.set(...cookie);
  return browser;
}

async function member(subject: string): Promise<{ user_id: string }> {
  const { user_id } = await web.session({ issuer: 'test', subject: `${subject}-${randomUUID()}`, name: subject });
  await web.scratch.sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
    web.owner.tenant_id,
    user_id,
  ]);
  return { user_id };
}
