import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSql } from '../../scripts/mutants/sql.ts';
import { createPat } from '../../src/auth/server/issue.ts';
import { resourceOf } from '../../src/auth/settings.ts';
import type { AuthEvent } from '../../src/services/access.ts';
import { activity } from '../../src/web/pages/activity.ts';
import { ownerBrowser, startWeb, type TestWeb, unescaped } from '../support/web.ts';

let web: TestWeb;

beforeAll(async () => {
  web = await startWeb();
});
afterAll(() => web?.close());

test('who has connected nothing is told how, with the address of this server, until something is', async () => {
  const browser = await ownerBrowser(web);
  const endpoint = new URL('/mcp', web.url).href;

  const empty = unescaped((await browser.open('/account')).text);
  expect(empty).toContain(`claude mcp add --transport http cairn ${endpoint}`);
  const [, json = ''] = /<pre>(\{[^<]*\})<\/pre>/.exec(empty) ?? [];
  expect(JSON.parse(json)).toEqual({ mcpServers: { cairn: { url: endpoint } } });

  await createPat(web.scratch.db, web.owner, {
    name: 'nightly',
    scope: 'tasks:read',
    days: 1,
    resource: resourceOf({ issuer: web.url.origin }),
  });
  expect((await browser.open('/account')).text).not.toContain('claude mcp add');
});

test('what happened lately is told in names', async () => {
  const browser = await ownerBrowser(web);
  await createPat(web.scratch.db, web.owner, {
    name: 'weekly',
    scope: 'tasks:read',
    days: 1,
    resource: resourceOf({ issuer: web.url.origin }),
  });

  const { text } = await browser.open('/admin');

  expect(text).toContain('<bdi>ada</bdi> signed in');
  expect(text).toContain('<bdi>ada</bdi> made the token <bdi>weekly</bdi>');
  expect(text).not.toMatch(/token\.|pat\.created|session\.started/);
});

test('each thing that happens has its words', async () => {
  const code = (await readSql('.')).map(({ source }) => source);
  const types = new Set<string>();
  for (const [audited] of code.join('\n').matchAll(/app\.record_audit\(\s*jsonb_build_object\([^;]*/g)) {
    const [said = ''] = audited.split("'client_id'");
    for (const [, type = ''] of said.matchAll(/'([a-z]+\.[a-z_]+)'/g)) types.add(type);
  }
  expect(types.size).toBeGreaterThan(20);

  for (const type of [...types, 'authorization.refused', 'login.refused']) {
    const event: AuthEvent = { id: 'x', at: '', type, user: 'ada', client: 'Claude Code', client_id: 'dcr_x' };
    const told = activity(event).source;
    expect([type, told]).not.toEqual([type, type.replace(/[._]/g, ' ')]);
    expect(told).not.toContain('dcr_x');
  }
  const of = (type: string, more: object = {}) =>
    activity({ id: 'x', at: '', type, client: '<b>Claude Code', ...more }).source;
  expect(of('token.issued')).toBe('<bdi>&lt;b&gt;Claude Code</bdi> signed in');
  expect(of('refresh.reused', { data: { why: 'stolen' } })).toContain('its access ended');
  expect(of('refresh.reused', { data: { why: 'reused' } })).toContain('was refused');
  expect(of('a.new_thing')).toBe('a new thing');
});

test('a password is kept under a name', async () => {
  const { text } = await (await ownerBrowser(web)).open('/login?again=1&next=/account');
  expect(text).toMatch(
    /<input type="text" name="username"[^>]* autocomplete="username"[^>]* hidden>\s*<label for="password">/,
  );
});
