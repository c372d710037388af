// The person who signs in: Chromium, with the owner's password.
import type { Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';

const PASSWORD = 'correct horse battery staple';

/** A browser that is signed in as the owner. */
export async function openBrowser(
  executablePath: string,
  ownerLink: string,
): Promise<{ page: Page; close: () => Promise<void> }> {
  const browser = await launchChromium(executablePath);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(ownerLink);
  for (const field of await page.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await page.locator('button').first().click();
  await page.waitForURL(/account/);
  return { page, close: () => browser.close() };
}

/**
 * Answers a request for access. Resolves to what the page said, and to where the browser was sent if there was
 * something to allow.
 */
export async function allow(page: Page, address: string): Promise<{ said: string; back: string | undefined }> {
  await page.goto(address);
  const said = (await page.locator('body').innerText()).replace(/\s*\n\s*/g, ' ');
  const button = page.getByRole('button', { name: /allow/i });
  if ((await button.count()) === 0) return { said, back: undefined };
  const isBack = (url: URL) => url.searchParams.has('code') && url.origin !== new URL(address).origin;
  const sent = page.waitForRequest((request) => isBack(new URL(request.url())));
  await button.first().click();
  return { said, back: (await sent).url() };
}
