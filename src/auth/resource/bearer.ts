import type { Scope } from '../../context.ts';
import { TtlCache } from '../../ttl-cache.ts';
import type { Access, Principal } from '../access.ts';
import { BASELINE, lastingScopes, liveScopes } from '../scopes.ts';
import { credentialHash, hashSecret } from '../secrets.ts';
import { resourceMetadataUrl } from '../server/metadata.ts';
import { type AuthSettings, resourceOf } from '../settings.ts';
import type { Store } from '../store.ts';

// The same interval for which the last use of a token is not written again.
const KNOWN = Object.freeze({ lifeMs: 60_000, max: 10_000 });

/**
 * The resource server's half: finds the principal of a request by its bearer token, from the header only (RFC 6750,
 * section 2.1). It caches a token's identity, which never changes, but not its validity.
 */
export function bearerAccess(
  store: Store,
  settings: AuthSettings,
): Pick<Access, 'authenticate' | 'cachedPrincipal' | 'challenge'> {
  const resource = resourceOf(settings);
  const known = new TtlCache<Principal>(KNOWN);
  return {
    async authenticate(request, { address }): Promise<Principal | Response> {
      const token = bearerOf(request);
      if (token === undefined) return unauthenticated(settings);
      // Checks the form first: a malformed token costs no query.
      const secret = credentialHash(['access', 'pat'], token);
      if (secret === undefined) return unauthenticated(settings, 'It is no token of this server.');
      const { hash: token_hash, tenant_id } = secret;
      const found = await store.authenticateToken({ token_hash, resource }, { ip: address, tenant_id });
      known.delete(token_hash);
      if ('refused' in found) return unauthenticated(settings, REFUSALS[found.refused]);
      const id = found.grant_id === undefined ? `pat:${found.token_id}` : `grant:${found.grant_id}`;
      const { user_id, project_id, agent } = found;
      const actor = {
        ...{ user_id, tenant_id },
        ...(project_id !== undefined && { project_id }),
        ...(agent !== undefined && { drives: agent }),
      };
      known.set(token_hash, { id, actor, scopes: lastingScopes(found) });
      return { id, actor: { ...actor, ip: address }, scopes: liveScopes(found) };
    },
    cachedPrincipal(request, { address: ip }) {
      const token_hash = hashSecret(bearerOf(request) ?? '');
      const found = known.get(token_hash);
      return found && { ...found, actor: { ...found.actor, ip, proof: { token_hash, resource } } };
    },
    challenge: (needed) => insufficientScope(settings, needed),
  };
}

const REFUSALS = Object.freeze({
  unknown: 'It is not known, or no longer.',
  audience: 'It is for another resource.',
  revoked: 'It was revoked.',
  expired: 'It has expired.',
  not_a_member: 'Its user is no member of the workspace any more.',
} as const);

export function bearerOf(request: Request): string | undefined {
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(request.headers.get('authorization') ?? '')?.[1];
}

/**
 * Refuses with 401 and its challenge (RFC 9728, section 5.1); names an error only if a token was sent (RFC 6750,
 * section 3.1).
 */
export function unauthenticated(settings: Pick<AuthSettings, 'issuer'>, why?: string): Response {
  const error = why === undefined ? {} : { error: 'invalid_token', error_description: why };
  return refuse(401, { ...error, scope: BASELINE.join(' '), resource_metadata: resourceMetadataUrl(settings) });
}

/** Refuses with 403 and names all scopes that an operation needs, at once. */
export function insufficientScope(settings: Pick<AuthSettings, 'issuer'>, needed: readonly Scope[]): Response {
  return refuse(403, {
    error: 'insufficient_scope',
    error_description: `This needs ${needed.join(' ')}.`,
    scope: needed.join(' '),
    resource_metadata: resourceMetadataUrl(settings),
  });
}

/** Refuses with 403 and no challenge: another token of the same person would not help. */
export function forbidden(why: string): Response {
  const body = { error: 'access_denied', error_description: why };
  return Response.json(body, { status: 403, headers: { 'cache-control': 'no-store' } });
}

function refuse(status: number, said: Record<string, string>): Response {
  const challenge = Object.entries(said).map(([name, value]) => `${name}="${value}"`);
  const { error = 'unauthenticated', error_description = 'Send an access token as Authorization: Bearer.' } = said;
  return Response.json(
    { error, error_description },
    { status, headers: { 'www-authenticate': `Bearer ${challenge.join(', ')}`, 'cache-control': 'no-store' } },
  );
}
