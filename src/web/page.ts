import { type Content, Html, html } from './html.ts';
import { STYLE, STYLE_HASH } from './style.ts';

export type Page = {
  title: string;
  body: Content;
  status?: number;
  /** The signed-in person, for the head of the page. */
  user?: Content;
  /** Tables need more width than a question. */
  wide?: boolean;
  /** Other places where a form of this page may lead; a browser follows no other redirect. */
  formTargets?: readonly string[];
  headers?: Record<string, string>;
};

// Three stones, one on the other.
const MARK = html`<svg width="26" height="26" viewBox="0 0 26 26" fill="currentColor" aria-hidden="true">
<ellipse cx="13" cy="20.5" rx="11" ry="4"/><ellipse cx="13.5" cy="13" rx="7.5" ry="3.2"/><ellipse cx="12.5" cy="6.6" rx="4.5" ry="2.6"/></svg>`;

/** Makes a whole page: without script, never framed, never stored, and telling nobody where the reader came from. */
export function page({ title, body, status = 200, user, wide = false, formTargets = [], headers }: Page): Response {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Cairn</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<div class="column${wide ? ' wide' : ''}">
<header>${MARK}<span>Cairn</span>${user !== undefined && html`<span class="who">${user}</span>`}</header>
<main>
${body}
</main>
</div>
</body>
</html>
`;
  return new Response(document.source, {
    status,
    headers: { ...SECURITY_HEADERS, 'content-security-policy': contentSecurityPolicy(formTargets), ...headers },
  });
}

/** The headers of every answer to a browser, redirects included. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
});

/** Redirects with a GET: after a form, so that going back does not send it again (RFC 9110, section 15.4.4). */
export function redirect(to: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({
    ...SECURITY_HEADERS,
    'content-security-policy': contentSecurityPolicy([]),
    location: to,
  });
  for (const cookie of cookies) headers.append('set-cookie', cookie);
  return new Response(null, { status: 303, headers });
}

function contentSecurityPolicy(formTargets: readonly string[]): string {
  return [
    "default-src 'none'",
    `style-src ${STYLE_HASH}`,
    "base-uri 'none'",
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "frame-ancestors 'none'",
  ].join('; ');
}
