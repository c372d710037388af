import { Hono } from 'hono';
import type { RouteEnv } from '../access.ts';
import { askableScopes, BASELINE } from '../scopes.ts';
import { type AuthSettings, resourceOf } from '../settings.ts';
import { endpoint, jsonReply } from './reply.ts';

const RESOURCE = '/.well-known/oauth-protected-resource';
const SERVER = '/.well-known/oauth-authorization-server';
// Clients look again within minutes, so that a change of address does not last.
const CACHED = { 'cache-control': 'public, max-age=300' };
// Support for documents may change within a minute, and a person who adds a connection again needs the current answer.
const CHANGING = { 'cache-control': 'no-cache' };

/** Returns the address of the resource's metadata, for the challenge. */
export function resourceMetadataUrl({ issuer }: Pick<AuthSettings, 'issuer'>): string {
  return `${issuer}${RESOURCE}/mcp`;
}

/** Protected resource metadata (RFC 9728). A client should not request `admin` and `offline_access` in advance. */
export function resourceMetadata(settings: Pick<AuthSettings, 'issuer'>, servers: readonly string[]): object {
  return {
    resource: resourceOf(settings),
    authorization_servers: servers,
    scopes_supported: BASELINE,
    bearer_methods_supported: ['header'],
    resource_name: 'Cairn',
  };
}

/** Authorization server metadata (RFC 8414, RFC 9207, the client id metadata document draft). */
export function serverMetadata({ issuer, allowAdmin }: AuthSettings, documentsSupported: boolean): object {
  const methods = ['none', 'client_secret_basic', 'client_secret_post'];
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    registration_endpoint: `${issuer}/oauth/register`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_methods_supported: methods,
    code_challenge_methods_supported: ['S256'],
    scopes_supported: [...askableScopes({ allowAdmin }), 'offline_access'],
    client_id_metadata_document_supported: documentsSupported,
    authorization_response_iss_parameter_supported: true,
  };
}

/** Serves each document under two names: the host's, and the host's with the path of the endpoint. */
export function metadataRoutes({ resource, server }: { resource: object; server?: () => object }): Hono<RouteEnv> {
  const routes = new Hono<RouteEnv>();
  for (const path of ['', '/mcp', '/mcp/']) {
    routes.all(`${RESOURCE}${path}`, ...endpoint({ GET: async () => jsonReply(resource, 200, CACHED) }));
    if (server === undefined) continue;
    routes.all(`${SERVER}${path}`, ...endpoint({ GET: async () => jsonReply(server(), 200, CHANGING) }));
  }
  return routes;
}
