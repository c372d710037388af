import { of } from './mutant.ts';
import { SQL } from './sql.ts';

/** Threats to the server, its data and its neighbours. */
export const SERVER = Object.freeze([
  ...of('T13', 'test/remote/server-attacks.test.ts', [
    {
      file: 'src/server/http/router.ts',
      find: 'if (!originPolicy.opensTo(incoming.headers.host))',
      replace: 'if (false)',
      name: 'does not open to the name evil.example',
    },
    {
      file: 'src/server/http/router.ts',
      find: 'if (!originPolicy.letsIn(origin))',
      replace: 'if (false)',
      name: 'lets no page of https://evil.example in',
    },
    {
      file: 'src/server/http/origin-policy.ts',
      find: 'return url !== null && (url.host === publicUrl.host',
      replace: 'return url !== null && (true',
      name: 'does not open to the name evil.example',
    },
    {
      file: 'src/server/http/origin-policy.ts',
      find: 'return url !== null && local && isLoopback(url.hostname);',
      replace: 'return url !== null;',
      name: 'lets no page of https://evil.example in',
    },
  ]),
  ...of('T13', 'test/remote/auth-flow.test.ts', [
    {
      file: 'src/auth/resource/bearer.ts',
      find: "request.headers.get('authorization') ?? ''",
      replace:
        "request.headers.get('authorization') ?? (request.headers.get('cookie') ?? '').replace('access_token=', 'Bearer ').split(';')[0]",
      name: 'takes a token of the header alone',
    },
  ]),
  ...of('T16', 'test/remote/http-access.test.ts', [
    {
      file: 'src/server/http/mcp-sessions.ts',
      find: 'session?.owner !== given.caller.principal.id',
      replace: 'session === undefined',
      name: 'answers to the principal that opened it, and to no other',
    },
  ]),
  ...of('T16', 'test/remote/http-access.test.ts', [
    {
      file: 'src/server/http/request-log.ts',
      find: 'if (!outgoing.writableEnded) outgoing.destroy();',
      replace: '',
      name: 'ends soon after its principal has lost the right to it',
    },
  ]),
  ...of('T18', 'test/schema/database.test.ts', [
    {
      file: SQL,
      find: "    execute format('alter table %s force row level security', name);\n",
      name: 'has row level security, for its owner too',
    },
  ]),
  ...of('T18', 'test/schema/callables.test.ts', [
    {
      file: SQL,
      find: '      if not v_function.for_server then\n',
      replace: '      if true then\n',
      name: 'is executable by signed-in users and the server alone',
    },
  ]),
  ...of('T18', 'test/engines/walls.test.ts', [
    {
      file: SQL,
      find: "'create policy door on %s for all to cairn_owner using (tenant_id = app.get_tenant_id())",
      replace: "'create policy door on %s for all to cairn_owner using (true)",
      name: 'a query that forgot its tenant finds no foreign row',
    },
  ]),
  ...of('T20', 'test/contract/calls.test.ts', [
    {
      file: SQL,
      find: "|| coalesce(': ' || to_json(regexp_replace(left(",
      replace: "|| coalesce(': ' || (regexp_replace(left(",
      name: 'shows stored text quoted, with its author',
    },
  ]),
  ...of('T20', 'test/contract/calls.test.ts', [
    {
      file: 'src/quote.ts',
      find: `.replace(/["\\\\]/g, '\\\\$&')`,
      name: 'shows stored text quoted, with its author',
    },
  ]),
  ...of('T20', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/consent.ts',
      find: 'SCOPES.filter((scope) => ticked.has(scope))',
      replace: 'SCOPES',
      name: 'to write can be granted for reading alone',
    },
    {
      file: 'src/auth/scopes.ts',
      find: 'mayUse(named, scope)',
      replace: 'named.has(scope)',
      name: 'to write can be granted for reading alone',
    },
  ]),
  ...of('T20', 'test/remote/http-access.test.ts', [
    {
      file: 'src/server/http/server-options.ts',
      find: "mayUse(connected.scopes, 'admin') ? tools : everyday",
      replace: 'tools',
      name: 'that may not administer is not shown how',
    },
  ]),
  ...of('T20', 'test/tools/tools.test.ts', [
    {
      file: 'src/tools/tool.ts',
      find: "destructiveHint: effect === 'destructive',",
      replace: 'destructiveHint: false,',
      name: 'is shown as it was reviewed',
    },
  ]),
  ...of('T21', 'test/remote/server-attacks.test.ts', [
    {
      file: 'src/log.ts',
      find: ', hooks: { streamWrite: shown }',
      name: 'is redacted from whatever is logged',
    },
    {
      file: 'src/log.ts',
      find: 'Object.values(PREFIXES)',
      replace: '[PREFIXES.access]',
      name: 'is redacted from whatever is logged',
    },
    {
      file: 'src/server/http/request-log.ts',
      find: "incoming.url?.split('?', 1)[0]?.slice(0, 200)",
      replace: 'incoming.url?.slice(0, 200)',
      name: 'is in no table and no line of the log',
    },
  ]),
  ...of('T21', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/authorize.ts',
      find: ", 'referrer-policy': 'no-referrer' }",
      replace: ' }',
      name: 'asks every time, and is granted once',
    },
  ]),
  ...of('T21', 'test/remote/auth-flow.test.ts', [
    {
      file: 'src/auth/resource/bearer.ts',
      find: "request.headers.get('authorization') ?? ''",
      replace:
        "request.headers.get('authorization') ?? 'Bearer '.concat(new URL(request.url).searchParams.get('access_token'))",
      name: 'takes a token of the header alone',
    },
    {
      file: 'src/auth/server/reply.ts',
      find: "headers: { 'cache-control': 'no-store', ...headers }",
      replace: 'headers',
      name: 'ChatGPT: registered as it registers',
    },
  ]),
  ...of('T22', 'test/remote/server-attacks.test.ts', [
    {
      file: 'src/auth/secrets.ts',
      find: "return createHash('sha256').update(secret).digest('hex');",
      replace: "return Buffer.from(secret).toString('hex').padEnd(64, '0').slice(0, 64);",
      name: 'is in no table and no line of the log',
    },
  ]),
  ...of('T23', 'test/remote/server-attacks.test.ts', [
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
      file: 'src/auth/rate-limit.ts',
      find: "if (wait !== undefined) throw slowDown('Too many requests from this network.', wait);",
      name: 'asks /oauth/register so many times',
    },
    {
      file: 'src/auth/server/register.ts',
      find: "  await takeTurn(store, from, { name: 'register', max: settings.registrationsMax, seconds: 3_600, wide: true });\n",
      name: 'asks /oauth/register so many times',
    },
    {
      file: 'src/auth/server/authorize.ts',
      find: "    await takeTurn(store, from, { name: 'authorize', max: settings.requestsMax, seconds: 60, wide: true });\n",
      name: 'asks /oauth/authorize so many times',
    },
    {
      file: 'src/auth/server/token.ts',
      find: "  await takeTurn(parts.store, from, { name: 'token', max: parts.settings.requestsMax, seconds: 60 });\n",
      name: 'asks /oauth/token so many times',
    },
    {
      file: 'src/auth/server/token.ts',
      find: "  await takeTurn(store, from, { name: 'revoke', max: settings.requestsMax, seconds: 60 });\n",
      name: 'asks /oauth/revoke so many times',
    },
    {
      file: SQL,
      find: '      and t.revoked_at is null and t.expires_at > v_now) >= 100 then\n',
      replace: '      and t.revoked_at is null and t.expires_at > v_now) >= 1000 then\n',
      name: 'has at most a hundred personal access tokens of a person',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: '.max(REDIRECTS_MAX)',
      name: 'names at most twenty addresses for a client',
    },
  ]),
  ...of('T23', 'test/engines/worker.test.ts', [
    {
      file: 'src/workers/purge.ts',
      find: 'await purgeExpired({ db, actor }, {})',
      replace: '{}',
      name: 'deletes what expired',
    },
  ]),
  ...of('T23', 'test/remote/auth-store.test.ts', [
    {
      file: SQL,
      find: "authorized_at is null and created_at < now() - interval '1 day' or ",
      name: 'expired rows are deleted, a client',
    },
  ]),
  ...of('T23', 'test/remote/http-access.test.ts', [
    {
      file: 'src/server/http/server.ts',
      find: '    headersTimeout: headersMs,\n',
      name: 'that takes ages for its headers is closed on',
    },
    {
      file: 'src/server/http/mcp-sessions.ts',
      find: '    if (sessions.size >= sessionsMax) {\n      return refusal(503',
      replace: '    if (false) {\n      return refusal(503',
      name: 'is refused where all that there are have something open',
    },
  ]),
  ...of('T27', 'test/cli/config.test.ts', [
    {
      file: 'src/config.ts',
      find: "  (origin) => origin.startsWith('https://') || isLoopback(new URL(origin).hostname),\n",
      replace: '  () => true,\n',
      name: 'refuses http://cairn.example.com as the origin that clients reach',
    },
  ]),
  ...of('T27', 'test/remote/server-attacks.test.ts', [
    {
      file: 'src/server/http/origin-policy.ts',
      find: 'trustedProxies === 0 ? undefined : forwarded.at(-trustedProxies)',
      replace: 'forwarded.at(-trustedProxies || -1)',
      name: 'is the one that a request comes from, whatever address it claims to have',
    },
  ]),
  ...of('T28', 'test/remote/access.test.ts', [
    {
      file: SQL,
      find: 'update public.oauth_tokens t set last_used_at = v_now, last_used_ip = app.read_ip(actor) where',
      replace: 'update public.oauth_tokens t set last_used_at = v_now where',
      name: 'is seen with its use, ends at once',
    },
    {
      file: SQL,
      find: '    update public.oauth_tokens t set revoked_at = v_now, updated_at = v_now\n',
      replace: '    update public.oauth_tokens t set updated_at = v_now\n',
      name: 'is seen with its use, ends at once',
    },
  ]),
  ...of('T28', 'test/remote/server-attacks.test.ts', [
    {
      file: 'src/auth/secrets.ts',
      find: 'return text === `',
      replace: 'return true || `',
      name: 'with a typing error is refused without asking the database',
    },
    {
      file: 'src/auth/resource/bearer.ts',
      find: "credentialHash(['access', 'pat'], token)",
      replace: "{ hash: hashSecret(token), tenant_id: '' }",
      name: 'with a typing error is refused without asking the database',
    },
  ]),
]);
