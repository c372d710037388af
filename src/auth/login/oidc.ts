import * as oauth from 'oauth4webapi';
import { isLoopback, type OidcProvider } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { firstOf } from '../../text.ts';
import type { Identity } from '../store.ts';

/** Values that only the browser that started the login can know when it returns. */
export type OidcAttempt = { redirectUri: string; state: string; nonce: string; codeVerifier: string };

const DISCOVERY_MS_MAX = 3_600_000;
const REQUEST_MS_MAX = 10_000;

/** Any OpenID provider: authorization code with PKCE, state and nonce (OpenID Connect Core, section 3.1). */
export function createOidcLogin(provider: OidcProvider) {
  const discover = discovery(provider);

  return {
    provider,

    /** Returns the address to send the browser to. Raises unavailable. */
    begin(attempt: OidcAttempt): Promise<URL> {
      return asked(provider, async () => {
        const { authorization_endpoint = '' } = await discover();
        const url = new URL(authorization_endpoint);
        for (const [name, value] of Object.entries(await questionOf(provider, attempt))) {
          url.searchParams.set(name, value);
        }
        return url;
      });
    },

    /**
     * Returns the identity. Raises forbidden if the person or the provider refused, unavailable if the provider cannot
     * be reached.
     */
    finish(callback: URL, attempt: OidcAttempt): Promise<Identity> {
      return asked(provider, async () => {
        const server = await discover();
        const parameters = oauth.validateAuthResponse(server, clientOf(provider), callback, attempt.state);
        return identityOf(await claimsOf(provider, server, { parameters, attempt }));
      });
    },
  };
}

export type OidcLogin = ReturnType<typeof createOidcLogin>;

/** The provider's metadata, fetched again after an hour. */
function discovery(provider: OidcProvider): () => Promise<oauth.AuthorizationServer> {
  let known: { at: number; server: oauth.AuthorizationServer } | undefined;
  return async () => {
    if (known !== undefined && Date.now() - known.at < DISCOVERY_MS_MAX) return known.server;
    const issuer = new URL(provider.issuer);
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...requestOptions(provider) });
    known = { at: Date.now(), server: await oauth.processDiscoveryResponse(issuer, response) };
    return known.server;
  };
}

async function questionOf({ client_id }: OidcProvider, attempt: OidcAttempt): Promise<Record<string, string>> {
  return {
    client_id,
    redirect_uri: attempt.redirectUri,
    response_type: 'code',
    scope: 'openid email profile',
    state: attempt.state,
    nonce: attempt.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(attempt.codeVerifier),
    code_challenge_method: 'S256',
  };
}

/** Redeems the code and keeps only the claims. */
async function claimsOf(
  provider: OidcProvider,
  server: oauth.AuthorizationServer,
  { parameters, attempt }: { parameters: URLSearchParams; attempt: OidcAttempt },
): Promise<oauth.IDToken> {
  const client = clientOf(provider);
  const secret = provider.client_secret;
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    secret === undefined ? oauth.None() : oauth.ClientSecretPost(secret),
    parameters,
    attempt.redirectUri,
    attempt.codeVerifier,
    requestOptions(provider),
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: attempt.nonce,
    requireIdToken: true,
  });
  // TLS has already vouched for the token; a bad signature still means that something is wrong.
  await oauth.validateApplicationLevelSignature(server, response, requestOptions(provider));
  return oauth.getValidatedIdTokenClaims(tokens) as oauth.IDToken;
}

function clientOf({ client_id }: OidcProvider): oauth.Client {
  return { client_id };
}

/** Allows plain http only for a provider on this machine. */
function requestOptions({ issuer }: OidcProvider) {
  return {
    [oauth.allowInsecureRequests]: isLoopback(new URL(issuer).hostname),
    signal: AbortSignal.timeout(REQUEST_MS_MAX),
  };
}

function identityOf({ iss, sub, name, email, email_verified }: oauth.IDToken): Identity {
  return {
    issuer: iss,
    subject: sub,
    ...(isText(name) ? { name: firstOf(name, 200) } : {}),
    ...(isText(email) ? { email: firstOf(email, 320), email_verified: email_verified === true } : {}),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

const REFUSALS = [oauth.AuthorizationResponseError, oauth.OperationProcessingError, oauth.ResponseBodyError];

async function asked<T>({ name }: OidcProvider, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (REFUSALS.some((refusal) => cause instanceof refusal)) {
      throw new DomainError('forbidden', `${name} did not sign you in.`, {
        hint: 'Start again from the sign-in page.',
        cause,
      });
    }
    throw new DomainError('unavailable', `${name} cannot be reached right now.`, {
      hint: 'Try again in a minute.',
      cause,
    });
  }
}
