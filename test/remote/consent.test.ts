import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser as Chromium, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startAuthServing } from '../support/auth-serving.ts';
import { findChromium, launchChromium } from '../support/chromium.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { lacks } from '../support/needs.ts';
import type { Serving } from '../support/serve.ts';
import { PASSWORD } from '../support/web.ts';

// The whole of it: the program as people start it, a program that asks for access, and a person in a browser between
// them.

const executable = findChromium();
const RESEMBLING = 'Claude\u202e"><img src=x onerror=document.title=1>';

let world: LocalWorld;
let serving: Serving;
let chromium: Chromium;
let program: Server;
let callback: string;

describe.skipIf(lacks('chromium', executable !== undefined))(
  `consent in Chromium${executable === undefined ? ' (there is none: set CAIRN_TEST_CHROMIUM)' : ''}`,
  () => {
    beforeAll(async () => {
      world = await openLocalWorld();
      program = createServer((_request, response) => response.end('You may close this window.')).listen(0, '127.0.0.1');
      await once(program, 'listening');
      callback = `http://127.0.0.1:${(program.address() as AddressInfo).port}/callback`;
      serving = await startAuthServing({ dataDir: world.dataDir });
      chromium = await launchChromium(executable ?? '');
    }, 120_000);
    afterAll(async () => {
      await chromium?.close();
      program?.close();
      await serving?.stop();
      await world?.close();
    });
    // All tests sign in from one address.
    beforeEach(async () => {
      await world.rows('truncate app.rates');
    });

    const open = async (): Promise<Page> => (await chromium.newContext()).newPage();

    async function signIn(page: Page): Promise<void> {
      await page.getByLabel("Owner's password").fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
    }

    async function ask(
      redirect_uri = callback,
      client_name = 'Cursor',
    ): Promise<{ url: string; client_id: string; verifier: string }> {
      const registered = await fetch(new URL('/oauth/register', serving.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ client_name, redirect_uris: [redirect_uri], token_endpoint_auth_method: 'none' }),
      });
      const { client_id } = (await registered.json()) as { client_id: string };
      const verifier = randomBytes(32).toString('base64url');
      const url = new URL('/oauth/authorize', serving.url);
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id,
        redirect_uri,
        state: 'of-the-program',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }).toString();
      return { url: url.href, client_id, verifier };
    }

    async function redeem(
      back: URL,
      { client_id, verifier }: { client_id: string; verifier: string },
    ): Promise<{ access_token: string; scope: string }> {
      const response = await fetch(new URL('/oauth/token', serving.url), {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code: back.searchParams.get('code') ?? '',
          redirect_uri: callback,
          client_id,
          code_verifier: verifier,
        }),
      });
      expect(response.status).toBe(200);
      return (await response.json()) as { access_token: string; scope: string };
    }

    const call = (token: string) =>
      fetch(serving.url, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'initialize',
          params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
        }),
      }).then(({ status }) => status);

    test('a person signs in, lets a program read, and ends its access: it is refused at its next request', async () => {
      const page = await open();
      const asked = await ask();
      await page.goto(asked.url);
      await signIn(page);
      await page.getByText('Nobody has verified it').waitFor();
      await page.getByRole('checkbox', { name: /projects:write/ }).uncheck();
      await page.getByRole('checkbox', { name: /tasks:write/ }).uncheck();
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.waitForURL(`${callback}?**`);
      const back = new URL(page.url());
      expect(back.searchParams.get('state')).toBe('of-the-program');
      expect(back.searchParams.get('iss')).toBe(serving.url.origin);
      const { access_token, scope } = await redeem(back, asked);
      expect(scope).toBe('projects:read tasks:read agents:read');
      expect(await call(access_token)).toBe(200);

      await page.goto(new URL('/account', serving.url).href);
      await page.getByRole('button', { name: 'End the access of Cursor' }).click();
      await page.getByText('It has no access any more.').waitFor();

      expect(await call(access_token)).toBe(401);
    });

    test.for([
      'http://localhost:8787/callback',
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'http://[::1]:8787/callback',
    ])('the form may lead to %s', async (redirect) => {
      const page = await open();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      await page.goto((await ask(redirect)).url);
      await signIn(page);
      const sent = page
        .waitForRequest((request) => request.url().startsWith(redirect), { timeout: 10_000 })
        .catch(() => null);
      const answered = page.waitForResponse((response) => response.request().method() === 'POST');

      await page.getByRole('button', { name: 'Allow' }).click();

      expect((await answered).headers()['location']).toMatch(redirect);
      if (redirect.startsWith('http:')) expect(await sent).not.toBeNull();
      expect(complaints.filter((complaint) => /form-action|Content Security Policy/.test(complaint))).toEqual([]);
    });

    test('a name that pretends to be markup or another name stays a name', async () => {
      const page = await open();
      await page.goto((await ask(callback, RESEMBLING)).url);
      await signIn(page);

      await page.getByText('Nobody has verified it').waitFor();

      expect(await page.locator('main img').count()).toBe(0);
      expect(await page.title()).toBe('Allow access · Cairn');
      expect(await page.locator('main').innerText()).not.toMatch(/\p{Bidi_Control}/u);
    });

    test('a request that began in another browser is not answered in this one, by neither its page nor its form', async () => {
      const attacker = await open();
      await attacker.goto((await ask()).url);
      const captured = decodeURIComponent(new URL(attacker.url()).searchParams.get('next') ?? '');
      await signIn(attacker);
      const csrf = await attacker.locator('input[name=csrf]').first().inputValue();
      const tenant_id = await attacker.locator('input[name=tenant_id]').first().inputValue();
      const victim = await open();
      await victim.goto(new URL('/login', serving.url).href);
      await signIn(victim);

      const shown = await victim.goto(new URL(captured, serving.url).href);
      const posted = await victim.context().request.post(new URL('/oauth/consent', serving.url).href, {
        form: {
          csrf,
          tenant_id,
          request: new URLSearchParams(captured.split('?')[1]).get('request') ?? '',
          decision: 'allow',
          scope: 'tasks:read',
        },
      });

      expect(shown?.status()).toBe(400);
      expect(await victim.getByRole('heading').innerText()).toBe('This request began in another browser');
      expect(posted.status()).toBe(400);
      expect(shown?.headers()['content-security-policy']).toContain("frame-ancestors 'none'");
    });

    test('refusing tells the program so', async () => {
      const page = await open();
      await page.goto((await ask()).url);
      await signIn(page);

      await page.getByRole('button', { name: 'Refuse' }).click();
      await page.waitForURL(`${callback}?**`);

      expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied');
    });
  },
);
