import { SQL } from './migrations.mjs';
import { of } from './mutant.mjs';

/** Threats to codes and tokens. */
export const TOKENS = Object.freeze([
  ...of('T4', 'test/auth-store.test.ts', [
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
  ...of('T4', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/authorize.ts',
      find: "asked.code_challenge_method !== 'S256' || ",
      name: 'needs a code challenge of the method S256',
    },
  ]),
  ...of('T6', 'test/access.test.ts', [
    {
      file: SQL,
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
    {
      file: 'src/auth/token.ts',
      find: "  if (canonical === undefined)\n    throw new OAuthRefusal('invalid_target', 'This server gives tokens for its own resource alone.');\n  return { resource: canonical };",
      replace: '  return canonical === undefined ? {} : { resource: canonical };',
      name: 'is for this server alone',
    },
  ]),
  ...of('T6', 'test/identities.test.ts', [
    {
      file: 'src/auth/login/supabase.ts',
      find: "      await auth.signOut({ scope: 'local' });\n",
      name: 'signs in with the code of the e-mail',
    },
  ]),
  ...of('T7', 'test/auth-store.test.ts', [
    {
      file: SQL,
      find: " or v_token.refresh_used_at + make_interval(secs => (presented ->> 'grace_seconds')::integer) < app.now()",
      name: 'gives each of five processes at once tokens of its own',
    },
    {
      file: SQL,
      find: "perform app.end_access(jsonb_build_object('id', v_grant.id), 'A refresh token was used again after its time.', actor);",
      replace: 'null;',
      name: 'gives each of five processes at once tokens of its own',
    },
    {
      file: SQL,
      find: 'v_token.refresh_uses >= 10 or ',
      name: 'is good for ten siblings and no more',
    },
    {
      file: SQL,
      find: ' and g.id = v_token.grant_id for update;',
      replace: ' and g.id = v_token.grant_id;',
      name: 'has no eleventh sibling, when two ask for the tenth in the same moment',
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
      name: 'gives each of five processes at once tokens of its own',
    },
    {
      file: SQL,
      within: 'public.refresh_token',
      find: "    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource'\n",
      name: 'and its access token end in their time, and with the membership',
    },
  ]),
  ...of('T8', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/clients.ts',
      find: 'if (client !== undefined && isProved) return client;',
      replace: 'if (client !== undefined) return client;',
      name: 'with a secret gets nothing without it',
    },
  ]),
  ...of('T8', 'test/auth-door.test.ts', [
    {
      file: SQL,
      find: ' or revoke_token.client_id <> v_token.client_id',
      name: 'is not ended by another client',
    },
  ]),
  ...of('T8', 'test/auth-store.test.ts', [
    {
      file: SQL,
      find: "    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'\n    when v_grant.revoked_at is not null or",
      replace: '    when v_grant.revoked_at is not null or',
      name: 'is good for ten siblings and no more',
    },
    {
      file: SQL,
      find: "    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'\n    when v_code",
      replace: '    when v_code',
      name: 'is refused with another client',
    },
  ]),
]);
