import { firstOf } from '../../text.ts';
import type { Client } from '../answers.ts';
import { takeTurn } from '../rate-limit.ts';
import { requestedScopes } from '../scopes.ts';
import { hashSecret, mintSecret } from '../secrets.ts';
import { type AuthSettings, canonicalResource } from '../settings.ts';
import type { From, Store } from '../store.ts';
import type { Clients } from './clients.ts';
import { describeRedirect, matchesRedirect } from './redirects.ts';
import { OAuthRefusal, parameters } from './reply.ts';
import { unknownClientPage } from './unknown-client.ts';
import { type Browser, PATHS, type ProblemView } from './views.ts';

export type AskingParts = { store: Store; settings: AuthSettings; clients: Clients; browser: Browser };
type Given = Record<string, string | undefined>;
type Target = { redirect_uri: string; state?: string | undefined };

const STATE_LENGTH_MAX = 2_000;

/**
 * GET /oauth/authorize: stores the client's request and sends the browser to the consent page. Redirects nothing until
 * client and redirect are known to belong together: the person sees the error. So does a person when a client that
 * nobody vouches for errs.
 */
export async function authorize(parts: AskingParts, request: Request, from: From): Promise<Response> {
  const { store, settings, browser } = parts;
  const given = new URL(request.url).searchParams;
  const found = await trusted(parts, given, from);
  if ('status' in found) return browser.problem(found);
  const { client, target, asked } = found;
  const refused = flaw(settings, given, asked);
  if (refused !== undefined) {
    await store.recordEvent({ type: 'authorization.refused', client_id: client.client_id, data: refused }, from);
    if (await isVouchedFor(parts, found, { request, from })) return sendBack(settings, target, refused);
    return browser.problem(
      problem(
        'The program asked for something that is not allowed',
        refused.error_description,
        'Nothing was sent to it.',
      ),
    );
  }
  const browserSession = await browser.session(request, from);
  const id = mintSecret('request');
  await store.startAuthorization(
    {
      request_hash: id.hash,
      txn_hash: hashSecret(browserSession.txn),
      client_id: client.client_id,
      redirect_uri: target.redirect_uri,
      scope: requestedScopes(asked.scope, settings).join(' '),
      resource: canonicalResource(settings, asked.resource) ?? '',
      code_challenge: asked.code_challenge ?? '',
      ttl_seconds: settings.requestSeconds,
      ...(target.state === undefined ? {} : { state: target.state }),
    },
    from,
  );
  const location = `${PATHS.consent}?request=${id.secret}`;
  return new Response(null, {
    status: 303,
    headers: { location, 'set-cookie': browserSession.cookie, 'cache-control': 'no-store' },
  });
}

/**
 * Tells whether a redirect is safe without a person looking at it (RFC 9700, section 4.11.2): anybody registers a
 * client or serves its document, and our address would lead on to theirs. An administrator added the client, or the
 * signed-in person has already admitted it.
 */
async function isVouchedFor(
  { store, browser }: AskingParts,
  { client, target }: { client: Client; target: Target },
  { request, from }: { request: Request; from: From },
): Promise<boolean> {
  if (client.kind === 'static') return true;
  const { session } = await browser.session(request, from);
  if (session === undefined) return false;
  const { client_id } = client;
  const redirect_host = describeRedirect(target.redirect_uri).shown;
  return (await store.trustsClient({ client_id, redirect_host }, { ...from, user_id: session.user_id })).trusted;
}

/** Returns the client and its redirect if both are valid; otherwise the problem to show. */
async function trusted(
  { store, settings, clients }: AskingParts,
  given: URLSearchParams,
  from: From,
): Promise<{ client: Client; target: Target; asked: Given } | ProblemView> {
  try {
    await takeTurn(store, from, { name: 'authorize', max: settings.requestsMax, seconds: 60, wide: true });
    // RFC 8707, section 2: only `resource` may repeat.
    const [client_id, ...others] = given.getAll('client_id');
    const isNamed = client_id !== undefined && others.length === 0;
    const client = isNamed ? await clients.lookUp(client_id, from) : ({ reason: 'unknown' } as const);
    if ('reason' in client) return unknownClientPage(client);
    const asked = parameters(new URLSearchParams([...given].filter(([name]) => name !== 'resource')));
    const { redirect_uri } = asked;
    if (redirect_uri === undefined || !matchesRedirect(client.redirect_uris, redirect_uri)) {
      const data = { redirect_uri: redirect_uri && firstOf(redirect_uri, 500) };
      await store.recordEvent({ type: 'authorization.refused', client_id: client.client_id, data }, from);
      return problem(
        'This answer would go astray',
        'The program asks to send the answer to an address that is not its own.',
        'Do not go on, unless you know why.',
      );
    }
    const resource = given.getAll('resource')[0];
    const target = {
      redirect_uri,
      ...(asked.state === undefined ? {} : { state: asked.state.slice(0, STATE_LENGTH_MAX) }),
    };
    return { client, target, asked: resource === undefined ? asked : { ...asked, resource } };
  } catch (error) {
    if (!(error instanceof OAuthRefusal)) throw error;
    return {
      ...problem('This request is not valid', error.message, 'Go back to the program and connect again.'),
      status: error.status,
    };
  }
}

function problem(title: string, message: string, hint: string): ProblemView {
  return { status: 400, title, message, hint };
}

/** Returns the client's error. */
function flaw(
  settings: AuthSettings,
  given: URLSearchParams,
  asked: Given,
): { error: string; error_description: string } | undefined {
  const say = (error: string, error_description: string) => ({ error, error_description });
  if (asked.response_type !== 'code') return say('unsupported_response_type', 'response_type is code.');
  if (asked.request !== undefined) return say('request_not_supported', 'Request objects are not supported.');
  if (asked.code_challenge_method !== 'S256' || !/^[\w-]{43}$/.test(asked.code_challenge ?? '')) {
    return say('invalid_request', 'A code_challenge of the method S256 is needed (RFC 7636).');
  }
  if ((asked.state?.length ?? 0) > STATE_LENGTH_MAX) return say('invalid_request', 'The state is too long.');
  if (given.getAll('resource').length > 1 || canonicalResource(settings, asked.resource) === undefined) {
    return say('invalid_target', 'This server gives tokens for its own resource alone.');
  }
  if (asked.prompt === 'none') return say('interaction_required', 'A person is asked every time.');
  return undefined;
}

/** Redirects to the client, with the issuer in every answer (RFC 9207). */
export function sendBack(
  { issuer }: AuthSettings,
  { redirect_uri, state }: Target,
  said: Record<string, string>,
): Response {
  const url = new URL(redirect_uri);
  for (const [name, value] of Object.entries({ ...said, ...(state === undefined ? {} : { state }), iss: issuer })) {
    url.searchParams.set(name, value);
  }
  return new Response(null, {
    status: 303,
    headers: { location: url.href, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  });
}
