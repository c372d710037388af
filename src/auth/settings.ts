import type { Config } from '../config.ts';
import { type ProxyServer, proxyOf } from '../proxy.ts';

/** Lifetimes in seconds, and what the operator allows. */
export type AuthSettings = {
  /** The origin that clients reach: the issuer, without a trailing slash. */
  issuer: string;
  accessSeconds: number;
  refreshSeconds: number;
  grantSeconds: number;
  /** How long a used refresh token still gives siblings: processes of one client share it. */
  graceSeconds: number;
  codeSeconds: number;
  requestSeconds: number;
  /** The greatest age of a login at consent. */
  loginSecondsMax: number;
  /** Lets programs request `admin`. */
  allowAdmin: boolean;
  /** Hosts whose client documents are trusted; any when undefined. */
  documentHosts: readonly string[] | undefined;
  /** Lets clients identify themselves by the address of their document. */
  documents: boolean;
  /** The proxy to the internet, where there is no direct way. */
  proxy: ProxyServer | undefined;
  /**
   * Registrations per hour from everybody together: an unused one is deleted within a day, and registered clients go
   * on.
   */
  registrationsAllMax: number;
  /** Requests from one network: registrations per hour, others per minute. */
  registrationsMax: number;
  requestsMax: number;
};

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Reads the operator's choices. */
export function chosenSettings(config: Config): Partial<AuthSettings> {
  const { accessTokenSeconds, refreshTokenDays, grantDays, refreshGraceSeconds, allowAdmin } = config;
  return {
    accessSeconds: accessTokenSeconds,
    refreshSeconds: refreshTokenDays * DAY,
    grantSeconds: grantDays * DAY,
    graceSeconds: refreshGraceSeconds,
    allowAdmin,
    documentHosts: config.clientDocumentHosts,
    documents: config.clientDocuments,
    proxy: proxyOf(config),
  };
}

export function authSettings(publicUrl: URL, given: Partial<AuthSettings> = {}): AuthSettings {
  return {
    issuer: publicUrl.origin,
    accessSeconds: HOUR,
    refreshSeconds: 30 * DAY,
    grantSeconds: 90 * DAY,
    graceSeconds: 120,
    codeSeconds: 60,
    requestSeconds: 600,
    loginSecondsMax: DAY,
    allowAdmin: false,
    documentHosts: undefined,
    documents: true,
    proxy: undefined,
    registrationsAllMax: 6_000,
    registrationsMax: 60,
    requestsMax: 300,
    ...given,
  };
}

/** Returns the one resource, whose canonical name is the address of the endpoint. */
export function resourceOf({ issuer }: Pick<AuthSettings, 'issuer'>): string {
  return `${issuer}/mcp`;
}

/**
 * Returns the canonical resource for a client's name of it (RFC 8707, section 2): some add a slash, some name the
 * origin. Undefined for another resource.
 */
export function canonicalResource(
  settings: Pick<AuthSettings, 'issuer'>,
  asked: string | undefined,
): string | undefined {
  const resource = resourceOf(settings);
  if (asked === undefined) return resource;
  const url = URL.parse(asked);
  if (url === null || url.hash !== '' || url.search !== '' || asked.endsWith('#')) return undefined;
  return [resource, `${resource}/`, settings.issuer, `${settings.issuer}/`].includes(url.href) ? resource : undefined;
}
