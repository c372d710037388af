import { isIP } from 'node:net';
import * as z from 'zod';
import { cleanName } from '../../text.ts';
import { areBounded, isAcceptableRedirect } from './redirects.ts';

const NAME_LENGTH_MAX = 100;
const REDIRECTS_MAX = 20;

/** Client metadata (RFC 7591, section 2). Fields that we do not use are ignored. */
export const ClientMetadata = z.object({
  redirect_uris: z.array(z.string()).min(1).max(REDIRECTS_MAX).refine(areBounded),
  client_name: z.string().optional().catch(undefined),
  client_uri: z.string().optional().catch(undefined),
  token_endpoint_auth_method: z.string().optional().catch(undefined),
  application_type: z.enum(['web', 'native']).optional().catch(undefined),
});

export type ClientMetadata = z.infer<typeof ClientMetadata>;

/**
 * The metadata in a client document (Client ID Metadata Document draft, section 4): identified by its own address,
 * without a secret.
 */
export const ClientDocument = ClientMetadata.extend({
  client_id: z.string(),
  client_name: z.string(),
  client_secret: z.undefined().optional(),
  client_secret_expires_at: z.undefined().optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional().catch(undefined),
});

/** Returns a displayable name: without invisible characters. */
export function shownName(name: string | undefined): string {
  return cleanName(name ?? '', NAME_LENGTH_MAX) || 'Unnamed client';
}

/** Keeps the acceptable redirects: one that is not does not spoil the rest. */
export function acceptableRedirects(uris: readonly string[]): string[] {
  return [...new Set(uris.filter(isAcceptableRedirect))];
}

export function httpsUri(uri: string | undefined): string | undefined {
  return uri !== undefined && uri.length <= 500 && URL.parse(uri)?.protocol === 'https:' ? uri : undefined;
}

/** Returns the address of a client document, or undefined: https, a path, nothing hidden in it. */
export function documentUrl(clientId: string): URL | undefined {
  if (clientId.length > 500 || !/^https:\/\/[\x21-\x7e]+$/.test(clientId) || /[\\#]/.test(clientId)) return undefined;
  const url = URL.parse(clientId);
  if (url === null || url.href !== clientId || url.pathname === '/') return undefined;
  const isPlain = url.username === '' && url.password === '' && url.port === '';
  const isHost = isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 && url.hostname.includes('.');
  return isPlain && isHost ? url : undefined;
}
