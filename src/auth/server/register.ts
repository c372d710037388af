import { randomBytes } from 'node:crypto';
import type { Client } from '../answers.ts';
import { takeTurn, takeTurnOfAll } from '../rate-limit.ts';
import { mintSecret } from '../secrets.ts';
import type { AuthSettings } from '../settings.ts';
import type { From, Store } from '../store.ts';
import { acceptableRedirects, ClientMetadata, httpsUri, shownName } from './client-metadata.ts';
import { jsonReply, OAuthRefusal } from './reply.ts';

type Method = Client['token_endpoint_auth_method'];
const METHODS = ['none', 'client_secret_basic', 'client_secret_post'] as const satisfies Method[];

/**
 * POST /oauth/register (RFC 7591): open to anybody. The name is shown as unverified, unacceptable addresses are left
 * out, and a client that nobody authorizes within a day is deleted. We fetch nothing that it names.
 */
export async function register(
  { store, settings }: { store: Store; settings: AuthSettings },
  request: Request,
  from: From,
): Promise<Response> {
  await takeTurn(store, from, { name: 'register', max: settings.registrationsMax, seconds: 3_600, wide: true });
  const { redirect_uris: given, ...metadata } = metadataOf(await request.json().catch(() => undefined));
  const redirect_uris = acceptableRedirects(given);
  if (redirect_uris.length === 0) {
    throw new OAuthRefusal('invalid_redirect_uri', 'No redirect_uri is https or of this device (loopback).');
  }
  await takeTurnOfAll(store, from, { name: 'register', max: settings.registrationsAllMax, seconds: 3_600 });
  const method = METHODS.find((known) => known === metadata.token_endpoint_auth_method) ?? 'none';
  const client_uri = httpsUri(metadata.client_uri);
  const said = {
    client_id: `dcr_${randomBytes(16).toString('base64url')}`,
    client_name: shownName(metadata.client_name),
    redirect_uris,
    token_endpoint_auth_method: method,
    ...(client_uri === undefined ? {} : { client_uri }),
    ...(metadata.application_type === undefined ? {} : { application_type: metadata.application_type }),
  };
  const secret = method === 'none' ? undefined : mintSecret('client');
  const hashed = secret === undefined ? {} : { client_secret_hash: secret.hash };
  const { created_at } = await store.saveClient({ ...said, kind: 'dcr', ...hashed }, from);
  return jsonReply(
    {
      ...said,
      client_id_issued_at: Math.floor(Date.parse(created_at) / 1_000),
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...(secret === undefined ? {} : { client_secret: secret.secret, client_secret_expires_at: 0 }),
    },
    201,
  );
}

function metadataOf(body: unknown): ClientMetadata {
  const parsed = ClientMetadata.safeParse(body);
  if (parsed.success) return parsed.data;
  const field = String(parsed.error.issues[0]?.path[0] ?? 'body');
  const error = field === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata';
  throw new OAuthRefusal(error, `The ${field} is not valid.`);
}
