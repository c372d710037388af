import { afterEach, describe, expect, test, vi } from 'vitest';
import { type PublicFetch, Unreachable } from '../../src/auth/public-fetch.ts';
import { KNOWN_DOCUMENTS } from '../../src/auth/server/known-documents.ts';
import { chosenSettings } from '../../src/auth/settings.ts';
import { readConfig } from '../../src/config.ts';
import { proxyOf } from '../../src/proxy.ts';
import { type AuthWorld, REDIRECT, rawClient, registerClient, useAuthWorld } from '../support/auth-world.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { startDocumentHost } from '../support/document-host.ts';

// If the server cannot fetch client documents, its metadata tells clients to register.

const { another } = useAuthWorld();
const CLAUDE = 'https://claude.ai/oauth/claude-code-client-metadata';

afterEach(() => {
  vi.useRealTimers();
});

async function supported({ origin }: AuthWorld): Promise<unknown> {
  const reply = await fetch(new URL('/.well-known/oauth-authorization-server', origin));
  expect(reply.headers.get('cache-control')).toBe('no-cache');
  return ((await reply.json()) as Record<string, unknown>)['client_id_metadata_document_supported'];
}

/** Returns the page shown to a person whom that client sends here. */
async function shown(on: AuthWorld, client_id: string) {
  const page = await fetch(rawClient(on, client_id).authorizationUrl(), { redirect: 'manual' });
  return page.status === 303 ? 'asked for consent' : ((await page.json()) as { message: string; hint: string });
}

const good = (url: URL) => ({
  document: { client_id: url.href, client_name: 'App', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
  maxAgeSeconds: undefined,
});

/** A fetch of an internet that is there for the hosts that are not away. */
function internet(away: Set<string>): PublicFetch {
  return async (url) => {
    if (away.has(url.hostname)) throw new Unreachable('ENOTFOUND', `getaddrinfo ENOTFOUND ${url.hostname} at 10.0.0.2`);
    return good(url);
  };
}

describe('documents of clients are off', () => {
  test.for([
    ['by a flag', { clientDocuments: false }, {}],
    ['by a variable', {}, { CAIRN_CLIENT_DOCUMENTS: '0' }],
    ['by an empty list of hosts', { clientDocumentHosts: '' }, {}],
    ['behind a proxy, whose hosts nobody listed', {}, { HTTPS_PROXY: 'http://proxy.test:3128' }],
  ] as const)('%s: the metadata says so, and none is fetched', async ([, flags, env]) => {
    const fetchDocument = vi.fn(internet(new Set()));
    const on = await another({ settings: chosenSettings(readConfig(flags, env)), fetchDocument });

    expect(await supported(on)).toBe(false);
    expect(await shown(on, CLAUDE)).toMatchObject({
      message: 'It names itself by a document of claude.ai, and this server fetches none.',
      hint: expect.stringContaining('the program registers then'),
    });
    expect(fetchDocument).not.toHaveBeenCalled();
    expect(await registerClient(on.origin)).toMatchObject({ status: 201 });
  });

  test.for([
    ['a flag', { clientDocuments: true }, { CAIRN_CLIENT_DOCUMENTS: '0' }],
    ['a list behind a proxy', { clientDocumentHosts: 'claude.ai' }, { https_proxy: 'proxy.test:3128' }],
    ['a proxy that is for nobody', {}, { HTTPS_PROXY: 'http://proxy.test:3128', NO_PROXY: 'a.test, *' }],
  ] as const)('no more with %s', async ([, flags, env]) => {
    const on = await another({ settings: chosenSettings(readConfig(flags, env)) });
    expect(await supported(on)).toBe(true);
  });

  test.for(KNOWN_DOCUMENTS)('for ten minutes after $client_id was not reached', async ({ client_id }) => {
    const away = new Set([new URL(client_id).hostname]);
    const on = await another({ fetchDocument: internet(away) });
    expect(await supported(on)).toBe(true);

    expect(await shown(on, client_id)).toMatchObject({
      message: `${[...away][0]} could not be fetched: ENOTFOUND.`,
      hint: 'Remove the connection in the program and add it again: the program registers then.',
    });

    expect(await supported(on)).toBe(false);
    const later = Date.now() + 601_000;
    vi.useFakeTimers({ now: later, toFake: ['Date'] });
    expect(await supported(on)).toBe(true);
  });

  test('until it is reached, whatever others are', async () => {
    const away = new Set(['claude.ai', 'vscode.dev']);
    const on = await another({ fetchDocument: internet(away) });
    await shown(on, 'https://claude.ai/oauth/a.json');

    await shown(on, 'https://other.example/a.json');
    expect(await supported(on)).toBe(false);

    away.clear();
    expect(await shown(on, 'https://claude.ai/oauth/b.json')).toBe('asked for consent');
    expect(await supported(on)).toBe(true);
  });

  test('for a host that the operator listed, and for one whose client somebody let in', async () => {
    const away = new Set(['listed.example']);
    const listed = await another({
      settings: { documentHosts: ['listed.example'] },
      fetchDocument: internet(away),
    });
    await shown(listed, 'https://listed.example/a.json');
    expect(await supported(listed)).toBe(false);

    const client_id = `https://trusted.example/${crypto.randomUUID()}.json`;
    const on = await another({ fetchDocument: internet(away) });
    await (await on.signIn()).allow(rawClient(on, client_id).authorizationUrl());
    away.add('trusted.example');
    await on.query(
      `update app.oauth_clients set fresh_until = now(), fetched_at = now() - interval '2 days' where client_id = $1`,
      [client_id],
    );
    await shown(on, client_id);
    expect(await supported(on)).toBe(false);
  });

  test('by no stranger, whose host is away or whose document is bad', async () => {
    const on = await another({ fetchDocument: internet(new Set(['stranger.example'])) });

    expect(await shown(on, 'https://stranger.example/a.json')).toMatchObject({
      message: 'stranger.example could not be fetched: ENOTFOUND.',
      hint: expect.stringMatching(/^Try again in a minute\..*--no-client-documents/),
    });
    const bad = await another({ fetchDocument: async () => good(new URL('https://claude.ai/other.json')) });
    await shown(bad, CLAUDE);

    expect([await supported(on), await supported(bad)]).toEqual([true, true]);
  });
});

describe('of a program that is not known a person reads', () => {
  test.for([
    ['that nobody has its id', 'dcr_unknown', {}, /by an id that this server does not have/, /add it again/],
    [
      'that its host is not admitted',
      CLAUDE,
      { documentHosts: ['vscode.dev'] },
      /claude\.ai.*admit/,
      /--client-document-hosts/,
    ],
    [
      'what is wrong with its document',
      CLAUDE,
      {},
      /claude\.ai.*not good: its client_id is not its address/,
      /Tell who makes/,
    ],
  ] as const)('%s', async ([, client_id, settings, message, hint]) => {
    const fetchDocument: PublicFetch = async () => good(new URL('https://claude.ai/other.json'));
    const on = await another({ settings, fetchDocument });

    const told = await shown(on, client_id);

    expect(told).toMatchObject({ title: 'This program is not known here', message: expect.stringMatching(message) });
    expect(told).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  test('nothing of the network around the server', async () => {
    const host = await startDocumentHost('app.example');
    const fetching = [
      host.fetching({ isPublic: (address) => address !== '127.0.0.1' }),
      host.fetching({ port: 1 }),
      host.fetching({ ca: '' }),
    ];
    host.answer = { status: 403, headers: { 'content-type': 'text/html call 555' }, body: '10.1.2.3' };
    fetching.push(host.fetching());

    const told = [];
    for (const fetchDocument of fetching) {
      const page = await shown(await another({ fetchDocument }), 'https://app.example/a.json');
      told.push(typeof page === 'string' ? page : page.message);
    }
    host.close();

    expect(told).toEqual([
      'app.example could not be fetched: ENOTFOUND.',
      'app.example could not be fetched: ECONNREFUSED.',
      expect.stringMatching(/^app\.example could not be fetched: [A-Z_]*(SELF_SIGNED|VERIFY)[A-Z_]*\.$/),
      'app.example could not be fetched: it answered 403.',
    ]);
  });
});

describe('behind a proxy', () => {
  test('a document is fetched through it, and of a host in NO_PROXY past it, where the address is looked at', async () => {
    const host = await startDocumentHost('app.example');
    const url = new URL('https://app.example/a.json');
    host.answer = { body: JSON.stringify(good(url).document) };
    const { url: HTTPS_PROXY, asked, close } = await startConnectProxy();
    const through = (env: NodeJS.ProcessEnv) => {
      const proxy = proxyOf(readConfig({}, { HTTPS_PROXY, ...env }));
      // Nobody here knows the name.
      return host.fetching({ proxy, resolve: async () => [{ address: '10.0.0.1', family: 4 }], isPublic: () => false });
    };

    expect(await through({})(url)).toEqual({ document: good(url).document, maxAgeSeconds: undefined });
    expect(asked).toEqual([`app.example Basic ${Buffer.from('ada:secret').toString('base64')}`]);
    for (const NO_PROXY of ['app.example', '.example', 'other.test,*.example']) {
      await expect(through({ NO_PROXY })(url)).rejects.toThrow('not on the public internet');
    }
    expect((await through({ NO_PROXY: 'pp.example,app.example.test' })(url)).document).toBeDefined();
    expect(asked).toHaveLength(2);

    close();
    await expect(through({})(url)).rejects.toMatchObject({ why: 'ECONNREFUSED' });
    host.close();
  });
});
