import type { Config } from '../config.ts';
import { type ProxyServer, proxyOf } from './proxy.ts';

/** Lives in seconds, and what the operator allows. */
export type AuthSettings = {
  /** The origin that clients reach: the issuer, without a slash at its end. */
  issuer: string;
  accessSeconds: number;
  refreshSeconds: number;
  grantSeconds: number;
  /** How long a refresh token that was used gives siblings: processes of one client share it. */
  graceSeconds: number;
  codeSeconds: number;
  requestSeconds: number;
  /** A consent needs a login that is not older. */
  loginSecondsMax: number;
  /** Whether programs may ask for `admin`. */
  allowAdmin: boolean;
  /** Hosts whose client documents are trusted; any when undefined. */
  documentHosts: readonly string[] | undefined;
  /** Whether clients may be known by the address of their document. */
  documents: boolean;
  /** The way to the internet, where there is no direct one. */
  proxy: ProxyServer | undefined;
  /** Registrations in an hour, of everybody together: each is forgotten within a day, and what is registered already goes on. */
  registrationsAllMax: number;
  /** Requests from one network: registrations an hour, others a minute. */
  registrationsMax: number;
  requestsMax: number;
};

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** What the operator has chosen. */
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

/** The one resource: its canonical name is the address of the endpoint. */
export function resourceOf({ issuer }: Pick<AuthSettings, 'issuer'>): string {
  return `${issuer}/mcp`;
}

/** The canonical resource for what a client calls it (RFC 8707, section 2): some add a slash, some name the origin. Undefined for another. */
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
