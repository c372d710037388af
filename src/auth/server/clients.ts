import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Client } from '../answers.ts';
import { type PublicFetch, TooManyFetches } from '../public-fetch.ts';
import { networksOf } from '../rate-limit.ts';
import { hashSecret, sameHash } from '../secrets.ts';
import type { From, NewClient, Store } from '../store.ts';
import { acceptableRedirects, ClientDocument, documentUrl, httpsUri, shownName } from './client-metadata.ts';
import type { Documents, UnknownClient } from './documents.ts';
import { OAuthRefusal } from './reply.ts';

export type Clients = ReturnType<typeof createClients>;
type Parts = { store: Store; documents: Documents; fetchDocument: PublicFetch; log: Log };

const FRESH_SECONDS = Object.freeze({ min: 300, usual: 3_600, max: 86_400 });
const STALE_MS_MAX = 86_400_000;

/** Finds clients: registered or added ones by their id, others by the address of their document. */
export function createClients({ store, documents, fetchDocument, log }: Parts) {
  const fetching = new Map<string, Promise<Client | 'busy' | UnknownClient>>();

  /**
   * Raises temporarily_unavailable while the documents of others are being fetched, which says nothing about this one.
   */
  async function find(client_id: string, from: From): Promise<Client | undefined> {
    const found = await lookUp(client_id, from);
    return 'reason' in found ? undefined : found;
  }

  /** The same, with the reason when there is none. */
  async function lookUp(client_id: string, from: From): Promise<Client | UnknownClient> {
    const known = await store.getClient(client_id, from);
    if (known !== undefined && known.kind !== 'cimd') return known;
    const url = documentUrl(client_id);
    if (url === undefined) return { reason: 'unknown' };
    const refusal = documents.refusal(url);
    if (refusal !== undefined) return refusal;
    if (known !== undefined && Date.parse(known.fresh_until ?? '') > Date.now()) return known;
    const asked = fetching.get(client_id) ?? refresh(url, { from, isTrusted: known?.authorized_at !== undefined });
    fetching.set(client_id, asked);
    const fetched = await asked.finally(() => fetching.delete(client_id));
    if (fetched !== 'busy' && !('reason' in fetched)) return fetched;
    if (known !== undefined && isYoung(known)) return known;
    if (fetched === 'busy') throw busy();
    return fetched;
  }

  /** After a failed fetch, nobody fetches the document again for a minute. */
  async function refresh(
    url: URL,
    { from, isTrusted }: { from: From; isTrusted: boolean },
  ): Promise<Client | 'busy' | UnknownClient> {
    const failed = documents.failure(url);
    if (failed !== undefined) return failed;
    try {
      const fetched = await fetchDocument(url, {
        network: from.ip === undefined ? undefined : networksOf(from.ip)[1],
        isTrusted,
      });
      documents.reached(url);
      return await store.saveClient({ ...clientOf(url, fetched.document), fresh_seconds: freshSeconds(fetched) }, from);
    } catch (error) {
      log.warn({ client_id: url.href, why: messageOf(error) }, 'client document refused');
      if (error instanceof TooManyFetches) return 'busy';
      return documents.failed(url, error, { isTrusted });
    }
  }

  /** Authenticates the client that calls an endpoint (RFC 6749, section 2.3). Raises invalid_client. */
  async function authenticate(
    request: Request,
    given: Record<string, string | undefined>,
    from: From,
  ): Promise<Client> {
    const { client_id, client_secret, basic } = credentials(request, given);
    const client = client_id === undefined ? undefined : await find(client_id, from);
    const proved = client?.client_secret_hash;
    const isProved =
      proved === undefined ? client_secret === undefined : sameHash(hashSecret(client_secret ?? ''), proved);
    if (client !== undefined && isProved) return client;
    throw new OAuthRefusal('invalid_client', 'The client is not known, or did not prove itself.', {
      status: 401,
      headers: basic ? { 'www-authenticate': 'Basic realm="cairn"' } : {},
    });
  }

  return { find, lookUp, authenticate };
}

function busy(): OAuthRefusal {
  return new OAuthRefusal('temporarily_unavailable', 'The documents of many clients are being fetched.', {
    status: 503,
    headers: { 'retry-after': '5' },
  });
}

function isYoung({ fetched_at }: Client): boolean {
  return Date.now() - Date.parse(fetched_at ?? '') < STALE_MS_MAX;
}

function freshSeconds({ maxAgeSeconds = FRESH_SECONDS.usual }: { maxAgeSeconds: number | undefined }): number {
  return Math.min(Math.max(maxAgeSeconds, FRESH_SECONDS.min), FRESH_SECONDS.max);
}

function clientOf(url: URL, given: unknown): NewClient {
  const document = ClientDocument.parse(given);
  if (document.client_id !== url.href) throw new Error('its client_id is not its address');
  const methods = document.token_endpoint_auth_methods_supported ?? [document.token_endpoint_auth_method ?? 'none'];
  if (!methods.includes('none')) throw new Error('it is not a public client');
  const redirect_uris = acceptableRedirects(document.redirect_uris);
  if (redirect_uris.length === 0) throw new Error('it has no acceptable redirect_uri');
  const client_uri = httpsUri(document.client_uri);
  return {
    client_id: url.href,
    kind: 'cimd',
    client_name: shownName(document.client_name),
    redirect_uris,
    token_endpoint_auth_method: 'none',
    ...(client_uri === undefined ? {} : { client_uri }),
    ...(document.application_type === undefined ? {} : { application_type: document.application_type }),
  };
}

function credentials(request: Request, { client_id, client_secret }: Record<string, string | undefined>) {
  const header = request.headers.get('authorization');
  if (header === null) return { client_id, client_secret, basic: false };
  const [, encoded] = /^Basic +([\w+/]+=*)$/i.exec(header) ?? [];
  const [id = '', secret] = Buffer.from(encoded ?? '', 'base64')
    .toString('utf8')
    .split(/:(.*)/s, 2);
  // Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
  const named = decoded(id);
  if (client_secret !== undefined || (client_id !== undefined && client_id !== named)) {
    throw new OAuthRefusal('invalid_request', 'The client names itself in two ways.');
  }
  return { client_id: named, client_secret: decoded(secret ?? ''), basic: true };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' ')) || undefined;
  } catch {
    return undefined;
  }
}
