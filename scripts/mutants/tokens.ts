import { of } from './mutant.ts';
import { SQL } from './sql.ts';

/** Threats to codes and tokens. */
export const TOKENS = Object.freeze([
  ...of('T4', 'test/remote/auth-store.test.ts', [
    {
      file: SQL,
      find: "    when presented ->> 'code_challenge' is distinct from v_code.code_challenge then 'code_challenge'\n",
      name: 'is refused with another code_challenge',
    },
    {
      file: SQL,
      find: "    when presented ->> 'redirect_uri' is distinct from v_code.redirect_uri then 'redirect_uri'\n",
      name: 'is refused with another redirect_uri',
    },
    {
      file: SQL,
      find: "    when v_code.used_at is not null then 'reused'\n",
      name: 'is redeemed by exactly one of many at once',
    },
    {
      file: SQL,
      find: "perform app.end_access(jsonb_build_object('id', v_grant.id), 'The authorization code was presented twice.', actor);",
      replace: 'null;',
      name: 'is redeemed by exactly one of many at once',
    },
    {
      file: SQL,
      find: "    when v_code.expires_at <= app.now() then 'expired'\n",
      name: 'an authorization code ends after a minute',
    },
    {
      file: SQL,
      find: "    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource' end;\n",
      replace: '    end;\n',
      name: 'is refused with another resource',
    },
    {
      file: SQL,
      find: ' and g.id = v_code.grant_id for update;\n  select c.* into v_code from app.oauth_codes c where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash for update;',
      replace:
        ' and g.id = v_code.grant_id;\n  select c.* into v_code from app.oauth_codes c where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash;',
      name: 'is redeemed once by two that are at it in the same moment',
    },
  ]),
  ...of('T4', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/authorize.ts',
      find: "asked.code_challenge_method !== 'S256' || ",
      name: 'needs a code challenge of the method S256',
    },
  ]),
  ...of('T6', 'test/remote/access.test.ts', [
    {
      file: SQL,
      find: 'when t.resource <> find_bearer.resource then',
      replace: 'when false then',
      name: 'is seen with its use, ends at once',
    },
  ]),
  ...of('T6', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/authorize.ts',
      find: ' || canonicalResource(settings, asked.resource) === undefined',
      name: 'is for this server alone',
    },
    {
      file: 'src/auth/server/token.ts',
      find: "  if (canonical === undefined)\n    throw new OAuthRefusal('invalid_target', 'This server gives tokens for its own resource alone.');\n  return { resource: canonical };",
      replace: '  return canonical === undefined ? {} : { resource: canonical };',
      name: 'is for this server alone',
    },
  ]),
  ...of('T6', 'test/remote/identities.test.ts', [
    {
      file: 'src/auth/login/supabase.ts',
      find: "      await auth.signOut({ scope: 'local' });\n",
      name: 'signs in with the code of the e-mail',
    },
  ]),
  ...of('T7', 'test/remote/refresh.test.ts', [
    {
      file: SQL,
      find: "    when v_late and app.lives_elsewhere(v_token, app.read_ip(actor)) then 'stolen'\n",
      name: 'ends the grant when its owner comes with it, and the thief has nothing',
    },
    {
      file: SQL,
      find: "perform app.end_access(jsonb_build_object('id', v_grant.id), 'A refresh token that was used elsewhere came back.', actor);",
      replace: 'null;',
      name: 'ends the grant when its owner comes with it, and the thief has nothing',
    },
    {
      file: SQL,
      find: "    when v_late and app.lives_elsewhere(v_token, app.read_ip(actor)) then 'stolen'\n",
      replace: "    when v_late then 'stolen'\n",
      name: 'is refused to one that slept, and to nobody else',
    },
    {
      file: SQL,
      find: 'array[app.mask_address(token.created_ip), app.mask_address(address)]',
      replace: 'array[app.mask_address(address)]',
      name: 'is refused alone to one that woke in another place, whoever of the machine woke first',
    },
    {
      file: SQL,
      find: 'array[app.mask_address(token.created_ip), app.mask_address(address)]',
      replace: 'array[app.mask_address(token.created_ip)]',
      name: 'is refused alone to one that woke in another place, whoever of the machine woke first',
    },
    {
      file: SQL,
      find: 'from family f group by f.branch\n    having not bool_or(',
      replace: 'from family f\n    having not bool_or(',
      name: 'ends the grant also when another process of its owner was in time',
    },
    {
      file: SQL,
      find: 'array[app.mask_address(f.created_ip), app.mask_address(f.last_used_ip)]',
      replace: 'array[app.mask_address(f.created_ip)]',
      name: 'is refused alone where what it gave has been since, by use or by refresh',
    },
    {
      file: SQL,
      find: '    from family f join public.oauth_tokens t on t.tenant_id = token.tenant_id and t.parent_id = f.id)',
      replace: '    from family f join public.oauth_tokens t on false)',
      name: 'is refused alone where what it gave has been since, by use or by refresh',
    },
    {
      file: SQL,
      find: "regexp_replace(host(address), '^::ffff:(?=\\d+\\.)', '')::inet",
      replace: 'address',
      name: 'are of one place',
    },
    {
      file: SQL,
      find: "v_late or v_token.refresh_uses >= 100 then 'reused'",
      replace: "v_token.refresh_uses >= 100 then 'reused'",
      name: 'is refused to one that slept, and to nobody else',
    },
    {
      file: SQL,
      find: 'v_late or v_token.refresh_uses >= 100 ',
      replace: 'v_late ',
      name: 'is good for a hundred siblings and no more',
    },
    {
      file: SQL,
      find: ' and g.id = v_token.grant_id for update;',
      replace: ' and g.id = v_token.grant_id;',
      name: 'has no sibling too many, when two ask for the last in the same moment',
    },
    {
      file: SQL,
      find: "    when least(v_token.refresh_expires_at, v_grant.expires_at) <= app.now() then 'expired'\n",
      name: 'and its access token end in their time, and with the membership',
    },
    {
      file: SQL,
      find: "        when least(t.expires_at, g.expires_at) <= v_now then 'expired' end\n",
      replace: '        end\n',
      name: 'and its access token end in their time, and with the membership',
    },
    {
      file: SQL,
      find: "        when coalesce(t.revoked_at, g.revoked_at) is not null then 'revoked'\n",
      name: 'used again later from a place that nobody knows ends the grant',
    },
    {
      file: SQL,
      within: 'public.refresh_token',
      find: "    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource'\n",
      name: 'and its access token end in their time, and with the membership',
    },
  ]),
  ...of('T8', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/clients.ts',
      find: 'if (client !== undefined && isProved) return client;',
      replace: 'if (client !== undefined) return client;',
      name: 'with a secret gets nothing without it',
    },
  ]),
  ...of('T8', 'test/remote/server-attacks.test.ts', [
    {
      file: SQL,
      find: ' or revoke_token.client_id <> v_token.client_id',
      name: 'is not ended by another client',
    },
  ]),
  ...of('T8', 'test/remote/refresh.test.ts', [
    {
      file: SQL,
      find: "    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'\n    when v_grant.revoked_at is not null or",
      replace: '    when v_grant.revoked_at is not null or',
      name: 'is good for a hundred siblings and no more',
    },
    {
      file: SQL,
      find: "    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'\n    when v_code",
      replace: '    when v_code',
      name: 'is refused with another client',
    },
  ]),
]);
