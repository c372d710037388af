import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createClients } from '../src/auth/clients.ts';
import { isAdmitted } from '../src/auth/login/identity.ts';
import type { ConsentView } from '../src/auth/pages.ts';
import type { Store } from '../src/auth/store.ts';
import { createLog } from '../src/log.ts';
import {
  type AuthWorld,
  REDIRECT,
  rawClient,
  registerClient,
  startAuthWorld,
  type TestBrowser,
} from './support/auth-world.ts';

// What docs/security.md says is withstood; `npm run mutants` takes each mitigation away to see a test here fail.

let world: AuthWorld;
const others: AuthWorld[] = [];

beforeAll(async () => {
  world = await startAuthWorld();
});
afterEach(async () => {
  for (const other of others.splice(0)) await other.close();
});
afterAll(() => world?.close());

async function another(options: Parameters<typeof startAuthWorld>[0]): Promise<AuthWorld> {
  const other = await startAuthWorld(options);
  others.push(other);
  return other;
}

async function clientOf(on: AuthWorld = world) {
  return rawClient(on, String((await registerClient(on.origin))['client_id']));
}

async function consentOf(browser: TestBrowser, url: URL): Promise<ConsentView> {
  return (await (await browser.open(url)).json()) as ConsentView;
}

/** What the client is told by way of the browser. */
async function refusalOf(bent: Parameters<ReturnType<typeof rawClient>['authorizationUrl']>[0]) {
  const url = (await clientOf()).authorizationUrl(bent);
  const { headers } = await (await world.signIn()).go(url);
  return new URL(headers.get('location') ?? world.origin).searchParams;
}

describe('a request for access', () => {
  test('that began in one browser opens in no other', async () => {
    const attacker = await world.signIn();
    const begun = await attacker.go((await clientOf()).authorizationUrl());

    const shown = await (await world.signIn()).go(begun.headers.get('location') ?? '');

    expect(await shown.json()).toMatchObject({ status: 400, title: 'This request began in another browser' });
  });

  test('that one person opened is answered by no other, in the same browser', async () => {
    const [ada, eve] = [await world.signIn(), await world.signIn()];
    const view = await consentOf(ada, (await clientOf()).authorizationUrl());
    ada.jar.set('sid', eve.jar.get('sid') ?? '');

    const shown = await ada.go(`/oauth/consent?request=${view.request}`);

    expect(shown.status).toBe(400);
  });

  test('is not granted by a form without the token of its page', async () => {
    const browser = await world.signIn();
    const view = await consentOf(browser, (await clientOf()).authorizationUrl());

    expect((await browser.answer(view, { csrf: 'x'.repeat(43) })).status).toBe(400);
    expect((await browser.answer(view)).status).toBe(303);
  });

  test('asks every time, and is granted once', async () => {
    const browser = await world.signIn();
    const client = await clientOf();
    const view = await consentOf(browser, client.authorizationUrl());

    expect((await browser.answer(view)).status).toBe(303);
    expect((await browser.answer(view)).status).toBe(400);
    expect((await browser.open(client.authorizationUrl())).status).toBe(200);
  });

  test.for([
    'https://evil.example/cb',
    'https://app.example/cb/',
    'https://app.example/cb?x=1',
    'https://app.example/CB',
    'https://app.example/cb#x',
    'https://app.example/x/../cb',
    'http://app.example/cb',
    'https://app.example.evil.example/cb',
    'https://app.example@evil.example/cb',
    'https://app.example\\@evil.example/cb',
    'http://localhost:8976/other',
    'http://localhost.evil.example:8976/callback',
    'http://127.0.0.1:8976/callback',
    'https://localhost:8976/callback',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'javascript:alert(1)',
    '//localhost:8976/callback',
  ])('to be answered at %s is not sent there', async (redirect_uri) => {
    const { client_id } = await registerClient(world.origin, { redirect_uris: [REDIRECT, 'https://app.example/cb'] });

    const shown = await (await world.signIn()).go(
      rawClient(world, String(client_id)).authorizationUrl({ redirect_uri }),
    );

    expect([shown.status, shown.headers.get('location')]).toEqual([400, null]);
  });

  test('needs a code challenge of the method S256', async () => {
    expect((await refusalOf({ code_challenge_method: 'plain' })).get('error')).toBe('invalid_request');
    expect((await refusalOf({ code_challenge: undefined })).get('error')).toBe('invalid_request');
  });

  test('is for this server alone', async () => {
    expect((await refusalOf({ resource: 'https://other.example/mcp' })).get('error')).toBe('invalid_target');
  });

  test('that is refused names who refused it (RFC 9207)', async () => {
    expect((await refusalOf({ response_type: 'token' })).get('iss')).toBe(world.origin);
  });

  test('grants no more than it asked for, and administration to administrators alone', async () => {
    const browser = await world.signIn();
    const view = await consentOf(browser, (await clientOf()).authorizationUrl({ scope: 'tasks:read' }));

    expect((await browser.answer(view, { scope: ['tasks:read', 'tasks:write'] })).status).toBe(400);
  });

  test('of a client on the device itself says so', async () => {
    const view = await consentOf(await world.signIn(), (await clientOf()).authorizationUrl());

    expect(view).toMatchObject({ client: { identified: 'dcr' }, redirect: { shown: 'localhost:8976', local: true } });
  });
});

describe('a client named by the address of its document', () => {
  const CLIENT = () => `https://app.example/${crypto.randomUUID()}.json`;
  const documentOf = (client_id: string) => ({ client_id, client_name: 'App', redirect_uris: [REDIRECT] });
  const changed = (client_id: string) => ({
    client_id,
    kind: 'cimd' as const,
    client_name: 'App',
    redirect_uris: ['https://elsewhere.example/cb'],
    token_endpoint_auth_method: 'none' as const,
    fresh_seconds: 300,
  });
  const startWithDocuments = () =>
    another({ fetchDocument: async ({ href }) => ({ document: documentOf(href), maxAgeSeconds: 300 }) });

  test('that changed its addresses gets no consent for the old one', async () => {
    const on = await startWithDocuments();
    const browser = await on.signIn();
    const client = rawClient(on, CLIENT());
    const view = await consentOf(browser, client.authorizationUrl());

    await on.store.saveClient(changed(client.client_id), {});

    const answered = await browser.answer(view);
    expect([answered.status, answered.headers.get('location')]).toEqual([400, null]);
  });

  test('that changed its addresses after the consent gets no token', async () => {
    const on = await startWithDocuments();
    const client = rawClient(on, CLIENT());
    const back = await (await on.signIn()).allow(client.authorizationUrl());

    await on.store.saveClient(changed(client.client_id), {});

    const redeemed = await client.redeem(back.searchParams.get('code') ?? '');
    expect([redeemed.status, await redeemed.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
  });

  test('is fetched once for many at once, and not again for a minute when it cannot be had', async () => {
    const client_id = CLIENT();
    let fetched = 0;
    let looked = 0;
    const store: Store = {
      ...world.store,
      async getClient(...asked) {
        const found = await world.store.getClient(...asked);
        looked += 1;
        return found;
      },
    };
    const clients = createClients({
      store,
      settings: world.settings,
      log: createLog('silent'),
      async fetchDocument() {
        fetched += 1;
        await vi.waitUntil(() => looked === 5, 10_000);
        throw new Error('away');
      },
    });

    const found = await Promise.all(Array.from({ length: 5 }, () => clients.find(client_id, {})));
    expect([fetched, found]).toEqual([1, Array(5).fill(undefined)]);
    expect(await clients.find(client_id, {})).toBeUndefined();
    expect(fetched).toBe(1);
  });
});

test('a name that turns letters round is registered without what turns them', async () => {
  const registered = await registerClient(world.origin, { client_name: 'Claude\u202e\u200b\n (verified)' });

  expect(registered).toMatchObject({ status: 201, client_name: 'Claude (verified)' });
});

describe('an account', () => {
  const person = (given: object) => ({ issuer: 'https://idp.test', subject: crypto.randomUUID(), ...given });
  const admit = async (identity: ReturnType<typeof person>, terms = {}) =>
    world.store.admitIdentity(identity, terms, {});

  test('is for those who were let in', async () => {
    expect(await admit(person({}))).toEqual({ refused: 'sign_up_closed' });
  });

  test('is not opened by an address that nobody verified', () => {
    const terms = { emails: ['ada@acme.example'], domains: ['acme.example'], linkByEmail: false };
    const identity = person({ email: 'ada@acme.example' });

    expect(isAdmitted({ ...identity, email_verified: true }, terms)).toBe(true);
    expect(isAdmitted(identity, terms)).toBe(false);
    expect(isAdmitted({ ...identity, email: 'ada@notacme.example', email_verified: true }, terms)).toBe(false);
  });

  test('is joined by address only where both verified it and the operator wants that', async () => {
    const email = `${crypto.randomUUID()}@acme.example`;
    const known = await admit(person({ email, email_verified: true }), { open: true });

    expect(await admit(person({ email, email_verified: true }))).toHaveProperty('refused');
    expect(await admit(person({ email, email_verified: false }), { link_email: true })).toHaveProperty('refused');
    expect(await admit(person({ email, email_verified: true }), { link_email: true })).toEqual({
      ...known,
      created: false,
    });
  });
});
