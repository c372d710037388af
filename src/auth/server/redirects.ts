/**
 * These functions decide where a code may be sent. Addresses match exactly (OAuth 2.1, section 2.3.1), but the port of
 * a loopback address may differ, because a native program takes a free one (RFC 8252, section 7.3); `localhost`, which
 * most register, counts as loopback.
 */
const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(?=[/?]|$)/;
// A deviation from the specification, which knows only https and loopback: nothing else that Cursor registers works.
const CUSTOM: ReadonlySet<string> = new Set(['cursor://anysphere.cursor-mcp/oauth/callback']);
const LENGTH_MAX = 2_000;
// Limits all addresses of one client together, so that what is stored, audited and shown stays small.
const LENGTH_SUM_MAX = 8_000;
// A name or address and a port. Anything else that a URL accepts as a host could end a source in a policy and begin
// another (CSP 3, section 2.3.1).
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d+)?$/;

/** Tells whether anybody may register the address. */
export function isAcceptableRedirect(uri: string): boolean {
  if (CUSTOM.has(uri)) return true;
  // A browser drops tabs and line feeds and reads a backslash as a slash: we must compare what it opens.
  if (uri.length > LENGTH_MAX || !/^[\x21-\x7e]+$/.test(uri) || /[\\#*]/.test(uri)) return false;
  const url = URL.parse(uri);
  if (url === null || url.username !== '' || url.password !== '' || !HOST.test(url.host)) return false;
  return url.protocol === 'https:' ? uri.startsWith('https://') : LOOPBACK.test(uri);
}

/** Tells whether a client's redirects are within the limits. */
export function areBounded(uris: readonly string[]): boolean {
  return uris.reduce((sum, { length }) => sum + length, 0) <= LENGTH_SUM_MAX;
}

/** Tells whether a client that registered these redirects may have its code sent there. */
export function matchesRedirect(registered: readonly string[], uri: string): boolean {
  if (!isAcceptableRedirect(uri)) return false;
  return (
    registered.includes(uri) || (LOOPBACK.test(uri) && registered.some((known) => portless(known) === portless(uri)))
  );
}

function portless(uri: string): string {
  return LOOPBACK.test(uri) ? uri.replace(LOOPBACK, 'http://$1') : uri;
}

/** Describes the address for the consent page, with the form target that the page's policy must allow. */
export function describeRedirect(uri: string): { uri: string; shown: string; form_action: string; local: boolean } {
  const url = new URL(uri);
  if (url.protocol === 'https:') return { uri, shown: url.host, form_action: url.origin, local: false };
  // A policy cannot name an IPv6 address (CSP 3, section 2.3.1).
  if (url.protocol === 'http:') {
    return { uri, shown: url.host, form_action: url.hostname.startsWith('[') ? 'http:' : url.origin, local: true };
  }
  return { uri, shown: `${url.protocol}//${url.host}`, form_action: url.protocol, local: true };
}
