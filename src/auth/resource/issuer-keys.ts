import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod';
import { DomainError } from '../../errors.ts';
import { createPublicFetch, type PublicFetchParts } from '../public-fetch.ts';

const DOCUMENT_BYTES_MAX = 262_144;
const FETCH_MS_MAX = 5_000;
const COOLDOWN_MS = 30_000;
const AGE_MS_MAX = 600_000;

const Metadata = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** `fetchParts`: how to reach the public internet. An issuer on a private network is reached directly. */
type Issuer = { issuer: string; allowPrivate: boolean; fetchParts?: PublicFetchParts };

/**
 * Gets an authorization server's keys through its metadata (OpenID Connect Discovery, section 4; RFC 8414, section 3).
 * Fetches them again when they are old or one is missing, at most every 30 seconds. Never uses a key that a token
 * brings or points to.
 */
export function issuerKeys(server: Issuer): JWTVerifyGetKey {
  if (!server.allowPrivate && !server.issuer.startsWith('https://')) {
    throw new DomainError('invalid_input', `The issuer ${server.issuer} is not reached over TLS.`, {
      hint: 'Name it with https://, or say --auth-issuer-private when it is on a network of yours.',
    });
  }
  const fetchJson = jsonFetch(server);
  let found: Promise<JWTVerifyGetKey> | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;

  async function discover(): Promise<JWTVerifyGetKey> {
    try {
      return createRemoteJWKSet(await jwksUri(server.issuer, fetchJson), {
        cooldownDuration: COOLDOWN_MS,
        cacheMaxAge: AGE_MS_MAX,
        [customFetch]: async (url: string) => Response.json(await fetchJson(new URL(url))),
      });
    } catch (error) {
      found = undefined;
      failedAt = Date.now();
      throw error;
    }
  }

  return async (header, token) => {
    if (found === undefined && Date.now() - failedAt < COOLDOWN_MS) throw unavailable(server.issuer);
    found ??= discover();
    return (await found)(header, token);
  };
}

function unavailable(what: string, cause?: unknown): DomainError {
  return new DomainError('unavailable', `The authorization server cannot be reached: ${what}.`, {
    hint: 'Try again in a minute.',
    cause,
  });
}

type JsonFetch = (url: URL) => Promise<unknown>;

async function jwksUri(issuer: string, fetchJson: JsonFetch): Promise<URL> {
  let last: unknown;
  for (const url of metadataUrls(issuer)) {
    try {
      const metadata = Metadata.parse(await fetchJson(url));
      // Byte for byte (RFC 8414, section 3.3): another issuer's metadata would bring another's keys.
      if (metadata.issuer !== issuer) throw new Error(`The metadata at ${url} is of the issuer ${metadata.issuer}.`);
      return new URL(metadata.jwks_uri);
    } catch (error) {
      last = error;
    }
  }
  throw last instanceof DomainError ? last : unavailable('its metadata does not fit', last);
}

/** Lists the addresses where an issuer may publish its metadata. */
export function metadataUrls(issuer: string): URL[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    new URL(`${path}/.well-known/openid-configuration`, origin),
    new URL(`/.well-known/oauth-authorization-server${path}`, origin),
    new URL(`/.well-known/openid-configuration${path}`, origin),
  ];
}

/** Reaches only the public internet, unless the operator says that the issuer is on a private network. */
function jsonFetch({ allowPrivate, fetchParts }: Issuer): JsonFetch {
  return async (url) => {
    try {
      return await (allowPrivate ? fetchAnywhere(url) : fetchPublic(url, fetchParts));
    } catch (error) {
      throw unavailable(url.href, error);
    }
  };
}

async function fetchPublic(url: URL, fetchParts?: PublicFetchParts): Promise<unknown> {
  const fetchDocument = createPublicFetch({
    port: Number(url.port || 443),
    bytesMax: DOCUMENT_BYTES_MAX,
    ...fetchParts,
  });
  return (await fetchDocument(url)).document;
}

async function fetchAnywhere(url: URL): Promise<unknown> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_MS_MAX) });
  if (!response.ok) throw new Error(`answered ${response.status}`);
  return response.json();
}
