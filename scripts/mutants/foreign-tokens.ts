import { of } from './mutant.ts';

// The claims of an ID token, believed without verification.
const SAID = "JSON.parse(Buffer.from((await response.clone().json()).id_token.split('.')[1], 'base64url').toString())";

/** Threats by tokens of others: of providers that people sign in with, and of another authorization server. */
export const FOREIGN_TOKENS = Object.freeze([
  ...of('T11', 'test/remote/identities.test.ts', [
    {
      file: 'src/auth/login/oidc.ts',
      find: '  await oauth.validateApplicationLevelSignature(server, response, requestOptions(provider));\n',
      name: 'whose answer has a wrong signature signs nobody in',
    },
    {
      file: 'src/auth/login/oidc.ts',
      find: 'expectedNonce: attempt.nonce,',
      replace: `expectedNonce: ${SAID}.nonce,`,
      name: 'whose answer has a wrong nonce signs nobody in',
    },
    {
      file: 'src/auth/login/oidc.ts',
      find: 'processAuthorizationCodeResponse(server, client, response',
      replace: `processAuthorizationCodeResponse({ ...server, issuer: ${SAID}.iss }, client, response`,
      name: 'whose answer has a wrong issuer signs nobody in',
    },
    {
      file: 'src/auth/login/oidc.ts',
      find: 'processAuthorizationCodeResponse(server, client, response',
      replace: `processAuthorizationCodeResponse(server, { client_id: ${SAID}.aud }, response`,
      name: 'whose answer has a wrong audience signs nobody in',
    },
    {
      file: 'src/auth/login/oidc.ts',
      find: 'processAuthorizationCodeResponse(server, client, response',
      replace: 'processAuthorizationCodeResponse(server, { ...client, [oauth.clockTolerance]: 1e10 }, response',
      name: 'whose answer has a wrong expired signs nobody in',
    },
    {
      file: 'src/auth/login/oidc.ts',
      find: 'oauth.validateAuthResponse(server,',
      replace: "oauth.validateAuthResponse({ ...server, issuer: callback.searchParams.get('iss') ?? server.issuer },",
      name: 'that names another issuer in its redirect is refused (RFC 9207)',
    },
    {
      file: 'src/auth/login/supabase.ts',
      find: '        issuer,\n        audience',
      replace: '        audience',
      name: 'whose token has a wrong issuer signs nobody in',
    },
    {
      file: 'src/auth/login/supabase.ts',
      find: "        audience: 'authenticated',\n",
      name: 'whose token has a wrong audience signs nobody in',
    },
  ]),
  ...of('T11', 'test/remote/external-auth.test.ts', [
    {
      file: 'src/auth/resource/external.ts',
      find: '      issuer,\n      audience',
      replace: '      audience',
      name: 'with another issuer is refused',
    },
    {
      file: 'src/auth/resource/external.ts',
      find: '      audience: resource,\n',
      name: 'with another audience is refused',
    },
    {
      file: 'src/auth/resource/external.ts',
      find: "      requiredClaims: ['sub', 'exp'],\n",
      name: 'with no end is refused',
    },
    {
      file: 'src/auth/resource/external.ts',
      find: "    if (!/^(application\\/)?(at\\+)?jwt$/i.test(protectedHeader.typ ?? 'JWT')) return 'It is no access token.';\n",
      name: 'with another type is refused',
    },
    {
      file: 'src/auth/resource/external.ts',
      find: "    if (payload['nonce'] !== undefined || payload['at_hash'] !== undefined) return 'It is an ID token.';\n",
      name: 'with the mark of an ID token is refused',
    },
    {
      file: 'src/auth/resource/external.ts',
      find: "    if (Array.isArray(payload.aud) && payload.aud.length !== 1) return 'It is for other resources too.';\n",
      name: 'with several audiences is refused',
    },
    {
      file: 'src/auth/resource/external.ts',
      find: 'jwtVerify(token, keys, {',
      replace:
        "jwtVerify(token, async (header, jws) => (header.jwk ? (await import('jose')).importJWK(header.jwk, 'RS256') : keys(header, jws)), {",
      name: 'is believed for no signature but of the issuer',
    },
    {
      file: 'src/auth/resource/external.ts',
      find: 'askableScopes({ allowAdmin })',
      replace: 'askableScopes({ allowAdmin: true })',
      name: 'does no more than its scopes say, admin never',
    },
    {
      file: 'src/auth/resource/issuer-keys.ts',
      find: 'if (metadata.issuer !== issuer) throw',
      replace: 'if (false) throw',
      name: 'an issuer whose metadata is of another one has no keys',
    },
    {
      file: 'src/auth/resource/issuer-keys.ts',
      find: "if (!server.allowPrivate && !server.issuer.startsWith('https://')) {",
      replace: 'if (false) {',
      name: 'an issuer on a private network needs the operator’s word',
    },
    {
      file: 'src/auth/resource/issuer-keys.ts',
      find: 'cooldownDuration: COOLDOWN_MS,',
      replace: 'cooldownDuration: 0,',
      name: 'with unknown keys does not make the server ask again and again',
    },
  ]),
]);
