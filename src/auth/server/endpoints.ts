import type { Log } from '../../log.ts';
import type { Access, Peer, Route } from '../access.ts';
import { createPublicFetch, type PublicFetch } from '../public-fetch.ts';
import { bearerAccess } from '../resource/bearer.ts';
import type { AuthSettings } from '../settings.ts';
import type { Store } from '../store.ts';
import { type AskingParts, authorize } from './authorize.ts';
import { createClients } from './clients.ts';
import { answerConsent, showConsent } from './consent.ts';
import { createDocuments } from './documents.ts';
import { metadataRoute, resourceMetadata, serverMetadata } from './metadata.ts';
import { register } from './register.ts';
import { endpoint } from './reply.ts';
import { revoke, token } from './token.ts';
import { type Browser, PATHS } from './views.ts';

export type AuthParts = {
  store: Store;
  settings: AuthSettings;
  browser: Browser;
  log: Log;
  fetchDocument?: PublicFetch;
};

/** Our authorization server, and the resource server that accepts its tokens (OAuth 2.1 draft 13). */
export function createAuth({ store, settings, browser, log, fetchDocument }: AuthParts): Access {
  const documents = createDocuments(settings);
  const fetching = fetchDocument ?? createPublicFetch({ proxy: settings.proxy });
  const clients = createClients({ store, documents, fetchDocument: fetching, log });
  const parts: AskingParts = { store, settings, clients, browser };
  const metadata = {
    resource: resourceMetadata(settings, [settings.issuer]),
    server: () => serverMetadata(settings, documents.isSupported()),
  };
  return { ...bearerAccess(store, settings), routes: [metadataRoute(metadata), flowRoute(parts)] };
}

function flowRoute(parts: AskingParts): Route {
  const places: Readonly<Record<string, (request: Request, from: { ip: string }) => Promise<Response>>> = {
    '/oauth/register': (request, from) => endpoint('POST', () => register(parts, request, from))(request),
    '/oauth/token': (request, from) => endpoint('POST', () => token(parts, request, from))(request),
    '/oauth/revoke': (request, from) => endpoint('POST', () => revoke(parts, request, from))(request),
    [PATHS.authorize]: (request, from) => page(request, { GET: () => authorize(parts, request, from) }),
    [PATHS.consent]: (request, from) =>
      page(request, { GET: () => showConsent(parts, request, from), POST: () => answerConsent(parts, request, from) }),
  };
  return async (request, { address }: Peer) => {
    const { pathname } = new URL(request.url);
    return Object.hasOwn(places, pathname) ? places[pathname]?.(request, { ip: address }) : undefined;
  };
}

async function page(request: Request, methods: Partial<Record<string, () => Promise<Response>>>): Promise<Response> {
  const run = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
  return run?.() ?? new Response(null, { status: 405, headers: { allow: Object.keys(methods).join(', ') } });
}
