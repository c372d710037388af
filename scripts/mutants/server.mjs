import { of, sql } from './mutant.mjs';

/** Threats to the server, its data and its neighbours. */
export const SERVER = Object.freeze([
  ...of('T12', 'test/auth-public-fetch.test.ts', [
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
      replace: 'resolve(_host).then((again) => found(null, again))',
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
      file: 'src/auth/client-metadata.ts',
      find: 'return isPlain && isHost ? url : undefined;',
      replace: 'return url;',
      name: 'asks nobody for https://127.0.0.1/x',
    },
  ]),
  ...of('T13', 'test/auth-door.test.ts', [
    {
      file: 'src/server/http/router.ts',
      find: 'if (!doors.opensTo(exchange.incoming.headers.host))',
      replace: 'if (false)',
      name: 'does not open to the name evil.example',
    },
    {
      file: 'src/server/http/router.ts',
      find: 'if (!doors.letsIn(origin))',
      replace: 'if (false)',
      name: 'lets no page of https://evil.example in',
    },
  ]),
  ...of('T16', 'test/http-access.test.ts', [
    {
      file: 'src/server/http/sessions.ts',
      find: 'session?.owner !== visit.principal.id',
      replace: 'session === undefined',
      name: 'answers to the principal that opened it, and to no other',
    },
  ]),
  ...of('T18', 'test/walls.test.ts', [
    {
      file: sql('2000_privileges'),
      find: "'create policy door on %s for all to cairn_owner using (tenant_id = (select app.tenant()))",
      replace: "'create policy door on %s for all to cairn_owner using (true)",
      name: 'a query that forgot its tenant finds no foreign row',
    },
  ]),
  ...of('T20', 'test/calls.test.ts', [
    {
      file: sql('0550_timeline'),
      find: "|| coalesce(': ' || to_json(regexp_replace(left(",
      replace: "|| coalesce(': ' || (regexp_replace(left(",
      name: 'shows stored text quoted, with its author',
    },
  ]),
  ...of('T21', 'test/auth-door.test.ts', [
    {
      file: 'src/log.ts',
      find: ', hooks: { streamWrite: redact }',
      name: 'is redacted from whatever is logged',
    },
  ]),
  ...of('T21', 'test/auth-flow.test.ts', [
    {
      file: 'src/auth/bearer.ts',
      find: "request.headers.get('authorization') ?? ''",
      replace:
        "request.headers.get('authorization') ?? 'Bearer '.concat(new URL(request.url).searchParams.get('access_token'))",
      name: 'takes a token of the header alone',
    },
  ]),
  ...of('T22', 'test/auth-door.test.ts', [
    {
      file: 'src/auth/secrets.ts',
      find: "return createHash('sha256').update(secret).digest('hex');",
      replace: "return Buffer.from(secret).toString('hex').padEnd(64, '0').slice(0, 64);",
      name: 'is in no table and no line of the log',
    },
  ]),
  ...of('T23', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/clients.ts',
      find: '    if ((failures.get(url.href) ?? 0) > Date.now()) return undefined;\n',
      name: 'is fetched once for many at once',
    },
    {
      file: 'src/auth/clients.ts',
      find: 'fetching.get(client_id) ?? ',
      name: 'is fetched once for many at once',
    },
  ]),
  ...of('T23', 'test/auth-door.test.ts', [
    {
      file: 'src/server/http/router.ts',
      find: 'const BODY_BYTES_MAX = 32_768;',
      replace: 'const BODY_BYTES_MAX = 32_768_000;',
      name: 'of /oauth/register takes no body of 40000 bytes',
    },
    {
      file: 'src/server/http/mcp.ts',
      find: 'const BODY_BYTES_MAX = 1_048_576;',
      replace: 'const BODY_BYTES_MAX = 10_048_576;',
      name: 'of /mcp takes no body of 1100000 bytes',
    },
    {
      file: 'src/auth/rates.ts',
      find: 'if (taken.allowed) return;',
      replace: 'return;',
      name: 'registers so many clients an hour',
    },
    {
      file: 'src/auth/client-metadata.ts',
      find: '.max(REDIRECTS_MAX)',
      name: 'names at most twenty addresses for a client',
    },
  ]),
  ...of('T23', 'test/auth-public-fetch.test.ts', [
    {
      file: 'src/auth/public-fetch.ts',
      find: ' || here >= OPEN_PER_HOST_MAX',
      name: 'four documents of one host are fetched at once, and no fifth',
    },
  ]),
  ...of('T27', 'test/auth-door.test.ts', [
    {
      file: 'src/server/http/doors.ts',
      find: 'trustedProxies === 0 ? undefined : forwarded.at(-trustedProxies)',
      replace: 'forwarded.at(-trustedProxies || -1)',
      name: 'registers so many clients an hour, whatever address it claims to have',
    },
    {
      file: 'src/server/http/doors.ts',
      find: 'return url !== null && (url.host === publicUrl.host',
      replace: 'return url !== null && (true',
      name: 'does not open to the name evil.example',
    },
  ]),
  ...of('T28', 'test/auth-door.test.ts', [
    {
      file: 'src/auth/secrets.ts',
      find: 'return text === `',
      replace: 'return true || `',
      name: 'with a typing error is refused without asking the database',
    },
    {
      file: 'src/auth/bearer.ts',
      find: "presentedSecret(['access', 'pat'], token)",
      replace: "{ hash: hashSecret(token), tenant_id: '' }",
      name: 'with a typing error is refused without asking the database',
    },
  ]),
]);
