import { of } from './mutant.ts';

/** Threats by what the server fetches because a stranger named it: documents of clients. */
export const FETCHING = Object.freeze([
  ...of('T12', 'test/remote/auth-public-fetch.test.ts', [
    {
      file: 'src/auth/public-fetch.ts',
      find: ' || !addresses.every(({ address }) => isPublic(address))',
      name: 'sends no packet when a name resolves to',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: '!addresses.every(',
      replace: '!addresses.some(',
      name: 'sends no packet when a name resolves to',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: 'options.all === true ? found(null, [first]) : found(null, first.address, first.family)',
      replace: 'resolve(_host, signal).then((again) => found(null, again))',
      name: 'resolves once and holds on to the answer',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: "GLOBAL_UNICAST.check(address, 'ipv6') && ",
      name: 'takes ::ffff:127.0.0.1 for an address that is not public',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: " && !NOT_PUBLIC_6.check(address, 'ipv6')",
      name: 'takes 2002:7f00:1:: for an address that is not public',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: 'return isPlain && isHost ? url : undefined;',
      replace: 'return url;',
      name: 'asks nobody for https://127.0.0.1/x',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: "if (isPublic(socket.remoteAddress ?? '')) return;",
      replace: 'return;',
      name: 'one that turns out to be another gets no request',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: '        agent: false,\n',
      replace: '        agent: false,\n        rejectUnauthorized: false,\n',
      name: 'of a host that does not prove its name is not taken',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: 'if (size > bytesMax) throw',
      replace: 'if (false) throw',
      name: 'that is larger than it says it may be is not taken',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: ' || !/^application\\/([\\w.-]+\\+)?json\\b/i.test(type)',
      name: 'that is a page is not taken',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: 'status !== 200 || ',
      name: 'that is elsewhere is not taken',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: '        signal,\n',
      name: 'that does not end is given up',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: 'await Promise.race([resolve(url.hostname, signal), expired(signal)])',
      replace: 'await resolve(url.hostname, signal)',
      name: 'that does not end is given up',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: "url.username === '' && url.password === '' && ",
      name: 'asks nobody for https://u:p@a.test/x',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: " && url.port === ''",
      name: 'asks nobody for https://a.test:8443/x',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: 'url.href !== clientId || ',
      name: 'asks nobody for https://a.test/../x',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: " && url.hostname.includes('.')",
      name: 'asks nobody for https://localhost/x',
    },
  ]),
  ...of('T12', 'test/remote/client-documents.test.ts', [
    {
      file: 'src/auth/server/clients.ts',
      find: "  if (document.client_id !== url.href) throw new Error('its client_id is not its address');\n",
      name: 'is not known when it names another client',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: '  client_secret: z.undefined().optional(),\n',
      name: 'is not known when it has a secret',
    },
    {
      file: 'src/auth/server/clients.ts',
      find: "  if (!methods.includes('none')) throw new Error('it is not a public client');\n",
      name: 'is not known when it proves itself in another way',
    },
    {
      file: 'src/auth/server/documents.ts',
      find: "documentHosts?.includes(host) === false ? { reason: 'host', host } : undefined",
      replace: 'undefined',
      name: 'is not even asked for at a host that the operator does not list',
    },
    {
      file: 'src/auth/server/clients.ts',
      find: 'known !== undefined && isYoung(known)',
      replace: 'known !== undefined',
      name: 'that cannot be asked for is known as it was, for a day',
    },
  ]),
  ...of('T12', 'test/remote/documents-off.test.ts', [
    {
      file: 'src/auth/server/documents.ts',
      find: ' && (proxy === undefined || documentHosts !== undefined)',
      name: 'behind a proxy, whose hosts nobody listed',
    },
    {
      file: 'src/auth/server/documents.ts',
      find: 'documents && documentHosts?.length !== 0',
      replace: 'documentHosts?.length !== 0',
      name: 'by a flag: the metadata says so',
    },
    {
      file: 'src/proxy.ts',
      find: 'return !except.some(',
      replace: 'return true || !except.some(',
      name: 'a document is fetched through it, and of a host in NO_PROXY past it',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: "throw new Unreachable('ENOTFOUND', `",
      replace: "throw new Unreachable('EPRIVATE', `",
      name: 'nothing of the network around the server',
    },
  ]),
  ...of('T23', 'test/remote/documents-off.test.ts', [
    {
      file: 'src/auth/server/documents.ts',
      find: 'return isTrusted || documentHosts !== undefined || isKnownHost(host);',
      replace: 'return true;',
      name: 'by no stranger, whose host is away or whose document is bad',
    },
    {
      file: 'src/ttl-cache.ts',
      find: 'delete(key: string): void {\n    this.#found.delete(key);',
      replace: 'delete(_key: string): void {\n    this.#found.clear();',
      name: 'until it is reached, whatever others are',
    },
  ]),
  ...of('T12', 'test/remote/external-auth.test.ts', [
    {
      file: 'src/auth/resource/issuer-keys.ts',
      find: 'allowPrivate ? fetchAnywhere(url) : fetchPublic(url, fetchParts)',
      replace: 'fetchAnywhere(url)',
      name: 'an issuer on a private network needs the operator’s word',
    },
  ]),
  ...of('T23', 'test/remote/client-documents.test.ts', [
    {
      file: 'src/auth/server/documents.ts',
      find: 'return failures.get(href);',
      replace: 'return undefined;',
      name: 'is fetched once for many at once',
    },
    {
      file: 'src/auth/server/clients.ts',
      find: 'fetching.get(client_id) ?? ',
      name: 'is fetched once for many at once',
    },
    {
      file: 'src/auth/server/clients.ts',
      find: 'Math.max(maxAgeSeconds, FRESH_SECONDS.min)',
      replace: 'maxAgeSeconds',
      name: 'is asked for again after five minutes at the earliest and a day at the latest',
    },
    {
      file: 'src/auth/server/clients.ts',
      find: ', FRESH_SECONDS.max);',
      replace: ', 1e9);',
      name: 'is asked for again after five minutes at the earliest and a day at the latest',
    },
  ]),
  ...of('T23', 'test/remote/auth-public-fetch.test.ts', [
    {
      file: 'src/auth/public-fetch.ts',
      find: ', OPEN_HOST_MAX]',
      replace: ', OPEN_MAX]',
      name: 'four of one address are fetched at once, whatever names it has',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: "isTrusted ? 'trusted host' : 'host'",
      replace: "'host'",
      name: 'four of one address are fetched at once, whatever names it has',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: "      ['all', OPEN_MAX],\n",
      name: 'twelve that nobody trusts are fetched at once, and sixteen in all',
    },
  ]),
  ...of('T24', 'test/remote/client-documents.test.ts', [
    {
      file: 'src/auth/server/consent.ts',
      find: '  if (changed !== undefined) return browser.problem(problem(changed));\n',
      name: 'that changed its addresses gets no consent for the old one',
    },
    {
      file: 'src/auth/server/token.ts',
      find: '!matchesRedirect(client.redirect_uris, redirect_uri)',
      replace: 'false',
      name: 'that changed its addresses after the consent gets no token',
    },
  ]),
]);
