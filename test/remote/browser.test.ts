import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Browser as Chromium, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findChromium, launchChromium } from '../support/chromium.ts';
import { lacks } from '../support/needs.ts';
import { PASSWORD, startWeb, type TestWeb } from '../support/web.ts';

const executable = findChromium();
// CAIRN_TEST_SHOTS keeps the pictures where a person can look at them.
const kept = process.env.CAIRN_TEST_SHOTS;
let web: TestWeb;
let chromium: Chromium;
let shots: string;

describe.skipIf(lacks('chromium', executable !== undefined))(
  `in Chromium${executable === undefined ? ' (there is none: set CAIRN_TEST_CHROMIUM)' : ''}`,
  () => {
    beforeAll(async () => {
      web = await startWeb();
      chromium = await launchChromium(executable ?? '');
      shots = kept ?? (await mkdtemp(join(tmpdir(), 'cairn-shots-')));
    });
    afterAll(async () => {
      await chromium?.close();
      await web?.close();
      if (kept === undefined && shots !== undefined) await rm(shots, { recursive: true, force: true });
    });
    beforeEach(async () => {
      await web.scratch.sql.query('truncate app.rates');
    });

    /** A window of its own, with its own cookies; fails the test when a page breaks its policy or a script. */
    async function open(options: BrowserContextOptions = {}): Promise<Page> {
      const context = await chromium.newContext({ baseURL: web.url.origin, ...options });
      return context.newPage();
    }

    async function signIn(page: Page): Promise<void> {
      await page.goto((await web.loginLink()).href);
      await page.getByLabel('New password').fill(PASSWORD);
      await page.getByLabel('The same again').fill(PASSWORD);
      await page.getByRole('button', { name: 'Save and sign in' }).click();
      await page.getByRole('heading', { name: 'Your connections' }).waitFor();
    }

    test('the owner chooses a password, signs out, and in again', async () => {
      const page = await open();
      await signIn(page);

      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.getByLabel("Owner's password").fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();

      await page.getByRole('heading', { name: 'Your connections' }).waitFor();
      expect(await page.evaluate('document.cookie')).toBe('');
    });

    test('works without scripts', async () => {
      const page = await open({ javaScriptEnabled: false });

      await signIn(page);

      expect(new URL(page.url()).pathname).toBe('/account');
    });

    test.for(['/login', '/account', '/admin', '/login/owner?code=x'])(
      '%s shows nothing inside another page',
      async (path) => {
        const page = await open();
        await signIn(page);
        const framing = createServer((_request, response) => {
          response.setHeader('content-type', 'text/html').end(`<iframe src="${new URL(path, web.url).href}"></iframe>`);
        });
        await new Promise<void>((resolve) => framing.listen(0, '127.0.0.1', resolve));

        const complaint = page.waitForEvent('console', (message) =>
          /frame-ancestors|X-Frame-Options/i.test(message.text()),
        );
        await page.goto(`http://127.0.0.1:${(framing.address() as AddressInfo).port}/`);

        expect((await complaint).text()).toMatch(/refused|violates/i);
        framing.close();
      },
    );

    test.for([
      ['light', { colorScheme: 'light', viewport: { width: 1000, height: 760 } }],
      ['dark', { colorScheme: 'dark', viewport: { width: 1000, height: 760 } }],
      ['phone', { colorScheme: 'light', viewport: { width: 360, height: 740 } }],
    ] as const)('fits and can be read: %s', async ([look, options]) => {
      const page = await open(options);
      await signIn(page);

      const expectReadable = async (path: string) => {
        expect([path, await page.evaluate('document.documentElement.scrollWidth <= innerWidth')]).toEqual([path, true]);
        expect([path, await unlabelled(page)]).toEqual([path, 0]);
        expect([path, await page.getByRole('heading', { level: 1 }).count()]).toEqual([path, 1]);
        await page.screenshot({ path: join(shots, `${path.replace(/\W+/g, '-')}-${look}.png`), fullPage: true });
      };

      for (const path of ['/login', '/admin', '/login/owner?code=x', '/invite?code=x', '/account']) {
        await page.goto(path);
        await expectReadable(path);
      }
      await page.getByLabel('Name').fill('nightly build');
      await page.getByRole('button', { name: 'Make a token' }).click();
      await page.getByText('Copy your token now.').waitFor();
      await expectReadable('/account with a token');
    });
  },
);

/** Fields and buttons that a reader's software could not name. */
function unlabelled(page: Page): Promise<number> {
  return page.evaluate(`[...document.querySelectorAll('input:not([type=hidden]), select, button, a')]
    .filter((field) => !(field.labels?.length || field.getAttribute('aria-label') || field.textContent.trim())).length`);
}
