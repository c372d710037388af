import { newId } from '../../events/ids.ts';
import type { Client, Issued, Refused } from '../answers.ts';
import { takeTurn } from '../rate-limit.ts';
import { type CredentialHash, codeChallenge, credentialHash, mintWorkspaceSecret } from '../secrets.ts';
import { type AuthSettings, canonicalResource } from '../settings.ts';
import type { From, InWorkspace, Minted, Store } from '../store.ts';
import type { Clients } from './clients.ts';
import { matchesRedirect } from './redirects.ts';
import { formParameters, jsonReply, OAuthRefusal } from './reply.ts';

type Parts = { store: Store; settings: AuthSettings; clients: Clients };
type Given = Record<string, string | undefined>;

/** POST /oauth/token (RFC 6749, sections 4.1.3 and 6). */
export async function token(parts: Parts, request: Request, from: From): Promise<Response> {
  await takeTurn(parts.store, from, { name: 'token', max: parts.settings.requestsMax, seconds: 60 });
  const given = await formParameters(request);
  const client = await parts.clients.authenticate(request, given, from);
  const asked = grantOf(given.grant_type)(parts, client, given);
  if ('refused' in asked) throw refusalOf(asked);
  const { tenant_id } = asked.secret;
  const [access, refresh] = [mintWorkspaceSecret('access', tenant_id), mintWorkspaceSecret('refresh', tenant_id)];
  const { accessSeconds: access_seconds, refreshSeconds: refresh_seconds } = parts.settings;
  const hashes = { access_hash: access.hash, refresh_hash: refresh.hash };
  const issued = await asked.issue({ id: newId(), ...hashes, access_seconds, refresh_seconds }, { ...from, tenant_id });
  if ('refused' in issued) throw refusalOf(issued);
  const { scope, expires_in } = issued;
  return jsonReply(
    { access_token: access.secret, token_type: 'Bearer', expires_in, refresh_token: refresh.secret, scope },
    200,
    { pragma: 'no-cache' },
  );
}

/** The parameters of a token request, and the call that redeems it. */
type Asked = {
  secret: CredentialHash;
  issue(minted: Minted, from: InWorkspace): Promise<Issued | Refused<string>>;
};
type Grant = (parts: Parts, client: Client, given: Given) => Asked | Refused<string>;

function grantOf(grantType: string | undefined): Grant {
  if (grantType === 'authorization_code') return redeemCode;
  if (grantType === 'refresh_token') return refreshToken;
  throw new OAuthRefusal('unsupported_grant_type', 'Grant types: authorization_code, refresh_token.');
}

const redeemCode: Grant = ({ store, settings }, client, given) => {
  const { code, code_verifier, redirect_uri } = given;
  if (code === undefined || code_verifier === undefined) {
    throw new OAuthRefusal('invalid_request', 'A code and its code_verifier are needed.');
  }
  const secret = credentialHash(['code'], code);
  if (secret === undefined) return { refused: 'unknown' };
  // The client's document may have changed since the consent.
  if (redirect_uri === undefined || !matchesRedirect(client.redirect_uris, redirect_uri))
    return { refused: 'redirect_uri' };
  const presented = {
    client_id: client.client_id,
    redirect_uri,
    code_challenge: codeChallenge(code_verifier),
    ...resourceOfRequest(settings, given),
  };
  return { secret, issue: (minted, from) => store.redeemCode({ code_hash: secret.hash, presented, minted }, from) };
};

const refreshToken: Grant = ({ store, settings }, client, given) => {
  if (given.refresh_token === undefined) throw new OAuthRefusal('invalid_request', 'A refresh_token is needed.');
  const secret = credentialHash(['refresh'], given.refresh_token);
  if (secret === undefined) return { refused: 'unknown' };
  const scope = given.scope?.split(' ').filter((name) => name !== '' && name !== 'offline_access');
  const presented = {
    client_id: client.client_id,
    grace_seconds: settings.graceSeconds,
    ...(scope === undefined || scope.length === 0 ? {} : { scope: scope.join(' ') }),
    ...resourceOfRequest(settings, given),
  };
  return { secret, issue: (minted, from) => store.refreshToken({ token_hash: secret.hash, presented, minted }, from) };
};

function resourceOfRequest(settings: AuthSettings, { resource }: Given): { resource?: string } {
  if (resource === undefined) return {};
  const canonical = canonicalResource(settings, resource);
  if (canonical === undefined)
    throw new OAuthRefusal('invalid_target', 'This server gives tokens for its own resource alone.');
  return { resource: canonical };
}

/** Answers alike for every fault of a code or token: the audit trail has the actual one. */
function refusalOf({ refused }: Refused<string>): OAuthRefusal {
  if (refused === 'scope') return new OAuthRefusal('invalid_scope', 'It was not granted so much.');
  if (refused === 'resource') return new OAuthRefusal('invalid_target', 'It was granted for another resource.');
  return new OAuthRefusal('invalid_grant', 'It is not valid, or no longer.');
}

/** POST /oauth/revoke (RFC 7009): 200 for any token, if the client is known. */
export async function revoke({ store, settings, clients }: Parts, request: Request, from: From): Promise<Response> {
  await takeTurn(store, from, { name: 'revoke', max: settings.requestsMax, seconds: 60 });
  const given = await formParameters(request);
  const { client_id } = await clients.authenticate(request, given, from);
  if (given.token === undefined) throw new OAuthRefusal('invalid_request', 'A token is needed.');
  const secret = credentialHash(['access', 'refresh'], given.token);
  if (secret !== undefined) {
    await store.revokeToken({ token_hash: secret.hash, client_id }, { ...from, tenant_id: secret.tenant_id });
  }
  return jsonReply({});
}
