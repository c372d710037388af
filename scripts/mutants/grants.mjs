import { of, sql } from './mutant.mjs';

/** Threats to requests, consents, codes and tokens. */
export const GRANTS = Object.freeze([
  ...of('T1', 'test/auth-attacks.test.ts', [
    {
      file: sql('1520_authorization'),
      find: "    when request.txn_hash is distinct from find_authorization.txn_hash then 'other_browser'\n",
      name: 'that began in one browser opens in no other',
    },
    {
      file: sql('1520_authorization'),
      find: "    when request.user_id <> find_authorization.user_id then 'other_user'\n",
      name: 'that one person opened is answered by no other',
    },
    {
      file: 'src/auth/consent.ts',
      find: "    !sameHash(form.get('csrf') ?? '', visit.csrf) ||\n",
      name: 'is not granted by a form without the token of its page',
    },
    {
      file: sql('1520_authorization'),
      find: '  delete from app.authorization_requests r where r.tenant_id = v_request.tenant_id and r.request_hash = v_request.request_hash;\n',
      name: 'asks every time, and is granted once',
    },
  ]),
  ...of('T2', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/redirects.ts',
      find: '    registered.includes(uri) ||',
      replace: '    true ||',
      name: 'to be answered at https://evil.example/cb is not sent there',
    },
    {
      file: 'src/auth/redirects.ts',
      find: 'portless(known) === portless(uri)',
      replace: 'LOOPBACK.test(known)',
      name: 'to be answered at http://localhost:8976/other is not sent there',
    },
  ]),
  ...of('T2', 'test/auth-flow.test.ts', [
    {
      file: 'src/auth/redirects.ts',
      find: "return url.protocol === 'https:' ? uri.startsWith('https://') : LOOPBACK.test(uri);",
      replace: 'return true;',
      name: 'one redirect that is not acceptable does not spoil the others',
    },
  ]),
  ...of('T4', 'test/auth-store.test.ts', [
    {
      file: sql('1500_tokens'),
      find: "    when presented ->> 'code_challenge' is distinct from v_code.code_challenge then 'code_challenge'\n",
      name: 'is refused with another code_challenge',
    },
    {
      file: sql('1500_tokens'),
      find: "    when presented ->> 'redirect_uri' is distinct from v_code.redirect_uri then 'redirect_uri'\n",
      name: 'is refused with another redirect_uri',
    },
    {
      file: sql('1500_tokens'),
      find: "    when v_code.used_at is not null then 'reused'\n",
      name: 'is redeemed by exactly one of many at once',
    },
    {
      file: sql('1500_tokens'),
      find: "perform app.end_access(jsonb_build_object('id', v_grant.id), 'The authorization code was presented twice.', actor);",
      replace: 'null;',
      name: 'is redeemed by exactly one of many at once',
    },
    {
      file: sql('1500_tokens'),
      find: "    when v_code.expires_at <= app.now() then 'expired'\n",
      name: 'an authorization code ends after a minute',
    },
  ]),
  ...of('T4', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/authorize.ts',
      find: "asked.code_challenge_method !== 'S256' || ",
      name: 'needs a code challenge of the method S256',
    },
  ]),
  ...of('T5', 'test/auth-flow.test.ts', [
    { file: 'src/auth/authorize.ts', find: ', iss: issuer })', replace: ' })', name: 'oauth4webapi' },
  ]),
  ...of('T6', 'test/access.test.ts', [
    {
      file: sql('1500_tokens'),
      find: 'when t.resource <> find_bearer.resource then',
      replace: 'when false then',
      name: 'is seen with its use, ends at once',
    },
  ]),
  ...of('T6', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/authorize.ts',
      find: ' || canonicalResource(settings, asked.resource) === undefined',
      name: 'is for this server alone',
    },
  ]),
  ...of('T7', 'test/auth-store.test.ts', [
    {
      file: sql('1500_tokens'),
      find: " or v_token.refresh_used_at + make_interval(secs => (presented ->> 'grace_seconds')::integer) < app.now()",
      name: 'gives each of five processes at once tokens of its own',
    },
    {
      file: sql('1500_tokens'),
      find: "perform app.end_access(jsonb_build_object('id', v_grant.id), 'A refresh token was used again after its time.', actor);",
      replace: 'null;',
      name: 'gives each of five processes at once tokens of its own',
    },
    {
      file: sql('1500_tokens'),
      find: 'v_token.refresh_uses >= 10 or ',
      name: 'is good for ten siblings and no more',
    },
  ]),
  ...of('T8', 'test/auth-door.test.ts', [
    {
      file: sql('1500_tokens'),
      find: ' or revoke_token.client_id <> v_token.client_id',
      name: 'is not ended by another client',
    },
  ]),
  ...of('T8', 'test/auth-store.test.ts', [
    {
      file: sql('1500_tokens'),
      find: "    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'\n    when v_grant.revoked_at is not null or",
      replace: '    when v_grant.revoked_at is not null or',
      name: 'is good for ten siblings and no more',
    },
    {
      file: sql('1500_tokens'),
      find: "    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'\n    when v_code",
      replace: '    when v_code',
      name: 'is refused with another client',
    },
  ]),
  ...of('T17', 'test/auth-attacks.test.ts', [
    {
      file: sql('1520_authorization'),
      find: "not string_to_array(decision ->> 'scope', ' ') <@ string_to_array(v_request.scope, ' ') or ",
      name: 'grants no more than it asked for',
    },
  ]),
  ...of('T17', 'test/auth-door.test.ts', [
    {
      file: 'src/auth/scopes.ts',
      find: "granted.has(name) && (name !== 'admin' || isAdmin)",
      replace: 'granted.has(name)',
      name: 'administers only while its user is an administrator',
    },
    {
      file: sql('0100_tenancy'),
      find: "perform app.prove_token(v_actor, actor -> 'proof');",
      replace: 'null;',
      name: 'is refused with a call that changes something',
    },
    {
      file: sql('1500_tokens'),
      find: 'v_bearer.user_id is distinct from acting.user_id or ',
      name: 'that is there no more is not known',
    },
    {
      file: 'src/server/http/mcp.ts',
      find: 'proof === undefined || proof.held ? answer : ',
      replace: 'true ? answer : ',
      name: 'is refused with a call with arguments that are not valid',
    },
    {
      file: 'src/server/http/mcp.ts',
      find: 'recalled === undefined || isProvingCall(request, body, scopes) ? first : await ask()',
      replace: 'first',
      name: 'is asked about again for what hangs on a role',
    },
  ]),
  ...of('T17', 'test/auth-store.test.ts', [
    {
      file: sql('1500_tokens'),
      find: "    when not string_to_array(v_scope, ' ') <@ string_to_array(v_grant.scope, ' ') then 'scope'\n",
      name: 'is good for ten siblings and no more, within the scope that was granted',
    },
  ]),
  ...of('T17', 'test/http-access.test.ts', [
    {
      file: 'src/server/http/mcp.ts',
      find: '    if (needed.some((scope) => !mayUse(principal.scopes, scope))) return access.challenge(needed);\n',
      name: 'acts with the rights of each request',
    },
  ]),
  ...of('T24', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/consent.ts',
      find: "  if (allow && !(await isStillIts(parts, opened.request, from))) return browser.problem(problem('client'));\n",
      name: 'that changed its addresses gets no consent for the old one',
    },
    {
      file: 'src/auth/token.ts',
      find: '!matchesRedirect(client.redirect_uris, redirect_uri)',
      replace: 'false',
      name: 'that changed its addresses after the consent gets no token',
    },
  ]),
]);
