import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Scope } from '../../context.ts';
import { isId } from '../../events/ids.ts';
import type { Log } from '../../log.ts';
import { firstOf } from '../../text.ts';
import { TtlCache } from '../../ttl-cache.ts';
import type { Access, Principal } from '../access.ts';
import { isAdmitted, type SignUp } from '../login/identity.ts';
import { askableScopes } from '../scopes.ts';
import { metadataRoutes, resourceMetadata } from '../server/metadata.ts';
import { type AuthSettings, resourceOf } from '../settings.ts';
import type { Identity, Store } from '../store.ts';
import { bearerOf, forbidden, insufficientScope, unauthenticated } from './bearer.ts';

// Fixed algorithms, none symmetric: a public key must never be taken for the secret of an HMAC.
const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
  'Ed25519',
];
const TOKEN_LENGTH_MAX = 8_192;
const CLOCK_SECONDS = 30;
// How long an admitted identity is cached; SQL checks roles at every call.
const KNOWN = Object.freeze({ lifeMs: 60_000, max: 10_000 });

export type ExternalParts = {
  store: Store;
  settings: Pick<AuthSettings, 'issuer' | 'allowAdmin'>;
  /** The authorization server whose tokens we accept, as its metadata names it. */
  issuer: string;
  keys: JWTVerifyGetKey;
  signUp: SignUp;
  log: Log;
};

/**
 * The resource server without an authorization server: access tokens are JWTs (RFC 9068) of a server that the operator
 * names.
 */
export function createExternalAuth(parts: ExternalParts): Access {
  const { settings, issuer, log } = parts;
  const admit = admission(parts);
  return {
    async authenticate(request, { address }): Promise<Principal | Response> {
      const token = bearerOf(request);
      if (token === undefined) return unauthenticated(settings);
      const claims = await verified(token, parts);
      if (typeof claims === 'string') {
        log.info({ why: claims }, 'token refused');
        return unauthenticated(settings, claims);
      }
      const user_id = await admit(identityOf(claims), address);
      if (user_id === undefined) return forbidden('You have no account here: ask an administrator for an invitation.');
      const workspace = claims['cairn_workspace'];
      return {
        id: `jwt:${JSON.stringify([claims.iss, claims.sub, workspace])}`,
        actor: { user_id, ip: address, ...(typeof workspace === 'string' ? { tenant_id: workspace } : {}) },
        scopes: scopesOf(claims, settings),
      };
    },
    challenge: (needed) => insufficientScope(settings, needed),
    routes: metadataRoutes({ resource: resourceMetadata(settings, [issuer]) }),
  };
}

/** Returns the claims of a valid token, or why it is not valid. Raises the error that prevents fetching the keys. */
async function verified(token: string, { settings, issuer, keys }: ExternalParts): Promise<JWTPayload | string> {
  if (token.length > TOKEN_LENGTH_MAX) return 'It is too long.';
  const resource = resourceOf(settings);
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer,
      audience: resource,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_SECONDS,
      requiredClaims: ['sub', 'exp'],
    });
    // Issuers older than RFC 9068 say JWT or nothing; an ID token or another declared kind is refused.
    if (!/^(application\/)?(at\+)?jwt$/i.test(protectedHeader.typ ?? 'JWT')) return 'It is no access token.';
    if (payload['nonce'] !== undefined || payload['at_hash'] !== undefined) return 'It is an ID token.';
    // One of the other resources could have passed on a token for several.
    if (Array.isArray(payload.aud) && payload.aud.length !== 1) return 'It is for other resources too.';
    if (payload.sub === '' || (payload.sub?.length ?? 0) > 500) return 'Its subject is not usable.';
    const workspace = payload['cairn_workspace'];
    if (workspace !== undefined && !isId(String(workspace))) return 'Its cairn_workspace is no id of a workspace.';
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) return 'It has expired.';
    if (error instanceof errors.JWTClaimValidationFailed) return `Its claim ${error.claim} does not fit.`;
    if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return 'It is not verifiable.';
    throw error;
  }
}

function scopesOf(claims: JWTPayload, { allowAdmin }: Pick<AuthSettings, 'allowAdmin'>): ReadonlySet<Scope> {
  // `scope` is a list of words (RFC 9068, section 2.2.3); Entra and Okta call it `scp`, the latter as an array.
  const said = claims['scope'] ?? claims['scp'];
  const names = new Set(Array.isArray(said) ? said : String(said ?? '').split(' '));
  return new Set(askableScopes({ allowAdmin }).filter((scope) => names.has(scope)));
}

function identityOf({ iss = '', sub = '', name, email, email_verified }: JWTPayload): Identity {
  return {
    issuer: iss,
    subject: sub,
    ...(typeof name === 'string' && name !== '' ? { name: firstOf(name, 200) } : {}),
    ...(typeof email === 'string' && email !== ''
      ? { email: firstOf(email, 320), email_verified: email_verified === true }
      : {}),
  };
}

/** Finds the user of an identity; undefined if it has no account and may not have one. */
function admission({ store, signUp }: ExternalParts) {
  const known = new TtlCache<string>(KNOWN);
  return async (identity: Identity, ip: string): Promise<string | undefined> => {
    const key = JSON.stringify([identity.issuer, identity.subject]);
    const user_id = known.get(key);
    if (user_id !== undefined) return user_id;
    const terms = { open: isAdmitted(identity, signUp), link_email: signUp.linkByEmail };
    const admitted = await store.admitIdentity(identity, terms, { ip });
    known.delete(key);
    if ('refused' in admitted) return undefined;
    known.set(key, admitted.user_id);
    return admitted.user_id;
  };
}
