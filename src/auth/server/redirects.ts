/**
 * These functions decide where a code may be sent. Addresses match exactly (OAuth 2.1, section 2.3.1); of a loopback address the port
 * may differ, because a native program takes one that is free (RFC 8252, section 7.3), for `localhost` too, which most of them register.
 */
const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(?=[/?]|$)/;
// A deviation from the letter of the specification, which knows https and loopback alone: Cursor registers nothing else that works.
const CUSTOM: ReadonlySet<string> = new Set(['cursor://anysphere.cursor-mcp/oauth/callback']);
const LENGTH_MAX = 2_000;
// The addresses of one client together, so that what is stored, audited and shown of them stays small.
const LENGTH_SUM_MAX = 8_000;
// A name or address and a port. What else a URL takes for a host could end a source in a policy and begin another (CSP 3, section 2.3.1).
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d+)?$/;

/** Tells whether anybody may register the address. */
export function isAcceptableRedirect(uri: string): boolean {
  if (CUSTOM.has(uri)) return true;
  // A browser drops tabs and line feeds and takes a backslash for a slash: what we compare must be what it opens.
  if (uri.length > LENGTH_MAX || !/^[\x21-\x7e]+$/.test(uri) || /[\\#*]/.test(uri)) return false;
  const url = URL.parse(uri);
  if (url === null || url.username !== '' || url.password !== '' || !HOST.test(url.host)) return false;
  return url.protocol === 'https:' ? uri.startsWith('https://') : LOOPBACK.test(uri);
}

/** Tells whether a client may name so much. */
export function areBounded(uris: readonly string[]): boolean {
  return uris.reduce((sum, { length }) => sum + length, 0) <= LENGTH_SUM_MAX;
}

/** Tells whether a client that registered these may have its code sent there. */
export function matchesRedirect(registered: readonly string[], uri: string): boolean {
  if (!isAcceptableRedirect(uri)) return false;
  return (
    registered.includes(uri) || (LOOPBACK.test(uri) && registered.some((known) => portless(known) === portless(uri)))
  );
}

function portless(uri: string): string {
  return LOOPBACK.test(uri) ? uri.replace(LOOPBACK, 'http://$1') : uri;
}

/** Describes the address for the consent page, with the source that the page's policy must allow the form to end at. */
export function describeRedirect(uri: string): { uri: string; shown: string; form_action: string; local: boolean } {
  const url = new URL(uri);
  if (url.protocol === 'https:') return { uri, shown: url.host, form_action: url.origin, local: false };
  // A policy has no word for an IPv6 address (CSP 3, section 2.3.1).
  if (url.protocol === 'http:') {
    return { uri, shown: url.host, form_action: url.hostname.startsWith('[') ? 'http:' : url.origin, local: true };
  }
  return { uri, shown: `${url.protocol}//${url.host}`, form_action: url.protocol, local: true };
}
