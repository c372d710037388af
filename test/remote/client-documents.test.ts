import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TooManyFetches } from '../../src/auth/public-fetch.ts';
import { createClients } from '../../src/auth/server/clients.ts';
import { createDocuments } from '../../src/auth/server/documents.ts';
import type { Store } from '../../src/auth/store.ts';
import { createLog } from '../../src/log.ts';
import { type AuthWorld, consentOf, REDIRECT, rawClient, useAuthWorld } from '../support/auth-world.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';

// Clients that are named by the address of their document (Client ID Metadata Document draft). Threats:
// docs/security.md.

const HOST = 'app.example';
const { own, another } = useAuthWorld();
let host: DocumentHost;

beforeAll(async () => {
  host = await startDocumentHost(HOST);
});
afterAll(() => host?.close());

const newAddress = () => `https://${HOST}/${crypto.randomUUID()}.json`;
const documentOf = (client_id: string, more: object = {}) => ({
  client_id,
  client_name: 'App',
  redirect_uris: [REDIRECT],
  token_endpoint_auth_method: 'none',
  ...more,
});
const served = (document: object, headers = {}) => ({ body: JSON.stringify(document), headers });

/** A server that fetches over TLS, from a host that this machine counts as public. */
function startWithDocuments(): Promise<AuthWorld> {
  host.answer = (path) => served(documentOf(`https://${HOST}${path}`));
  return another({ fetchDocument: host.fetching() });
}

function clientsOn(store: Store = own().store, settings: object = {}) {
  return createClients({
    store,
    documents: createDocuments({ ...own().settings, ...settings }),
    log: createLog('silent'),
    fetchDocument: host.fetching(),
  });
}

describe('a client named by the address of its document', () => {
  test('connects: its document is fetched over TLS, and its host vouches for it', async () => {
    const on = await startWithDocuments();
    const browser = await on.signIn();
    const client = rawClient(on, newAddress());

    const view = await consentOf(browser, client.authorizationUrl());

    expect(view.client).toMatchObject({ client_name: 'App', identified: 'cimd', host: HOST });
    const back = new URL((await browser.answer(view)).headers.get('location') ?? '');
    const redeemed = await client.redeem(back.searchParams.get('code') ?? '');
    expect([redeemed.status, await redeemed.json()]).toMatchObject([200, { token_type: 'Bearer' }]);
  });

  test.for([
    ['names another client', { client_id: 'https://app.example/other.json' }],
    ['has a secret', { client_secret: 'x' }],
    ['proves itself in another way', { token_endpoint_auth_method: 'private_key_jwt' }],
    ['has no name', { client_name: undefined }],
    ['is answered nowhere', { redirect_uris: ['http://app.example/cb'] }],
  ] as const)('is not known when it %s', async ([, bent]) => {
    const client_id = newAddress();
    host.answer = served(documentOf(client_id, bent));

    expect(await clientsOn().find(client_id, {})).toBeUndefined();
  });

  test('is not even asked for at a host that the operator does not list', async () => {
    const client_id = newAddress();
    host.answer = served(documentOf(client_id));
    const asked = host.asked;

    expect(await clientsOn(own().store, { documentHosts: ['claude.ai'] }).find(client_id, {})).toBeUndefined();
    expect(host.asked).toBe(asked);
    expect(await clientsOn(own().store, { documentHosts: [HOST] }).find(client_id, {})).toMatchObject({ client_id });
  });

  test('is asked for again after five minutes at the earliest and a day at the latest', async () => {
    for (const [header, seconds] of [
      ['no-store', 300],
      ['max-age=1', 300],
      ['max-age=999999', 86_400],
      ['max-age=7200', 7_200],
    ] as const) {
      const client_id = newAddress();
      host.answer = served(documentOf(client_id), { 'cache-control': header });

      const { fresh_until = '', fetched_at = '' } = (await clientsOn().find(client_id, {})) ?? {};

      expect([header, (Date.parse(fresh_until) - Date.parse(fetched_at)) / 1_000]).toEqual([header, seconds]);
    }
  });

  test('that cannot be asked for is known as it was, for a day', async () => {
    const client_id = newAddress();
    await own().store.saveClient({ ...changed(client_id), fresh_seconds: 0 }, {});
    host.answer = { status: 503 };

    expect(await clientsOn().find(client_id, {})).toMatchObject({ client_id });
    await own().query(`update app.oauth_clients set fetched_at = now() - interval '25 hours' where client_id = $1`, [
      client_id,
    ]);
    expect(await clientsOn().find(client_id, {})).toBeUndefined();
  });

  test('that changed its addresses gets no consent for the old one', async () => {
    const on = await startWithDocuments();
    const browser = await on.signIn();
    const client = rawClient(on, newAddress());
    const view = await consentOf(browser, client.authorizationUrl());

    await on.store.saveClient(changed(client.client_id), {});

    const answered = await browser.answer(view);
    expect([answered.status, answered.headers.get('location')]).toEqual([400, null]);
  });

  test('that changed its addresses after the consent gets no token', async () => {
    const on = await startWithDocuments();
    const client = rawClient(on, newAddress());
    const back = await (await on.signIn()).allow(client.authorizationUrl());

    await on.store.saveClient(changed(client.client_id), {});

    const redeemed = await client.redeem(back.searchParams.get('code') ?? '');
    expect([redeemed.status, await redeemed.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
  });

  test('is fetched once for many at once, and not again for a minute when it cannot be had', async () => {
    const client_id = newAddress();
    let fetched = 0;
    let looked = 0;
    const store: Store = {
      ...own().store,
      async getClient(...asked) {
        const found = await own().store.getClient(...asked);
        looked += 1;
        return found;
      },
    };
    const clients = createClients({
      store,
      documents: createDocuments(own().settings),
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

describe('while the documents of others are being fetched', () => {
  const busy = async () => {
    throw new TooManyFetches('too many documents are being fetched');
  };

  test('a client is asked to wait, and is found as soon as there is a place', async () => {
    const client_id = newAddress();
    let places = 0;
    const on = await another({
      fetchDocument: (url) =>
        places > 0 ? Promise.resolve({ document: documentOf(url.href), maxAgeSeconds: undefined }) : busy(),
    });
    const client = rawClient(on, client_id);
    const browser = await on.signIn();

    const shown = await browser.go(client.authorizationUrl());
    const told = await client.redeem('cairn_ac_x');
    places = 1;

    expect([shown.status, shown.headers.get('location')]).toEqual([503, null]);
    expect([told.status, told.headers.get('retry-after'), await told.json()]).toMatchObject([
      503,
      '5',
      { error: 'temporarily_unavailable' },
    ]);
    expect(await consentOf(browser, client.authorizationUrl())).toMatchObject({ client: { client_name: 'App' } });
  });

  test('a client that is known is known as it was', async () => {
    const client_id = newAddress();
    const { store, settings } = own();
    const documents = createDocuments(settings);
    await store.saveClient({ ...changed(client_id), fresh_seconds: -1 }, {});
    const clients = createClients({ store, documents, log: createLog('silent'), fetchDocument: busy });

    expect(await clients.find(client_id, {})).toMatchObject({ client_name: 'App' });
  });

  test('a consent is not lost: the person answers again', async () => {
    const client_id = newAddress();
    let answers = 1;
    const on = await another({
      fetchDocument: (url) =>
        answers-- > 0 ? Promise.resolve({ document: documentOf(url.href), maxAgeSeconds: undefined }) : busy(),
    });
    const browser = await on.signIn();
    const view = await consentOf(browser, rawClient(on, client_id).authorizationUrl());
    await own().query(
      `update app.oauth_clients set fresh_until = now(), fetched_at = now() - interval '2 days' where client_id = $1`,
      [client_id],
    );

    const held = await browser.answer(view);
    answers = 1;

    expect(await held.json()).toMatchObject({ status: 400, title: 'The program cannot be looked up right now' });
    expect((await browser.answer(view)).status).toBe(303);
  });
});

/** Returns the document as its host may change it later. */
function changed(client_id: string) {
  return {
    client_id,
    kind: 'cimd' as const,
    client_name: 'App',
    redirect_uris: ['https://elsewhere.example/cb'],
    token_endpoint_auth_method: 'none' as const,
    fresh_seconds: 300,
  };
}
