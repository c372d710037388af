import type { Log } from '../../log.ts';
import type { Access } from '../access.ts';
import { createPublicFetch, type PublicFetch } from '../public-fetch.ts';
import { bearerAccess } from '../resource/bearer.ts';
import type { AuthSettings } from '../settings.ts';
import type { From, Store } from '../store.ts';
import { type AskingParts, authorize } from './authorize.ts';
import { createClients } from './clients.ts';
import { answerConsent, showConsent } from './consent.ts';
import { createDocuments } from './documents.ts';
import { metadataRoutes, resourceMetadata, serverMetadata } from './metadata.ts';
import { register } from './register.ts';
import { endpoint, only, refuse } from './reply.ts';
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
  const routes = metadataRoutes(metadata).onError(refuse);
  for (const [name, run] of Object.entries({ register, token, revoke })) {
    routes.all(`/oauth/${name}`, ...endpoint({ POST: (request, from) => run(parts, request, from) }));
  }
  routes.all(PATHS.authorize, only({ GET: (request, from) => authorize(parts, request, from) }));
  const consent = {
    GET: (request: Request, from: From) => showConsent(parts, request, from),
    POST: (request: Request, from: From) => answerConsent(parts, request, from),
  };
  routes.all(PATHS.consent, only(consent));
  return { ...bearerAccess(store, settings), routes };
}
