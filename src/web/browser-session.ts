import type { Session } from '../auth/answers.ts';
import { derive, hashSecret, sameHash } from '../auth/secrets.ts';
import type { BrowserSession as ViewedSession } from '../auth/server/views.ts';
import type { From, Person } from '../auth/store.ts';
import { DomainError } from '../errors.ts';
import type { Web } from './web.ts';

/** A browser's request, and what its cookies prove. */
export type BrowserSession = ViewedSession & {
  request: Request;
  url: URL;
  from: From;
  /** The cookie of the session. */
  sid: string | undefined;
};

/** A browser session with a signed-in person. */
export type SignedIn = BrowserSession & { session: Session };

export async function browserSessionOf({ store, cookies }: Web, request: Request, from: From): Promise<BrowserSession> {
  const txn = cookies.browser(request);
  const sid = cookies.read(request, 'session');
  return {
    request,
    url: new URL(request.url),
    from,
    txn,
    cookie: cookies.write('txn', txn),
    csrf: derive(txn, `csrf ${sid ?? ''}`),
    sid,
    session: sid === undefined ? undefined : await store.getSession(hashSecret(sid), from),
  };
}

/** Returns the signed-in person, in one of their workspaces. */
export function personOf({ session, from }: SignedIn, tenantId?: string): Person {
  return { user_id: session.user_id, ...from, ...(tenantId === undefined ? {} : { tenant_id: tenantId }) };
}

/** Reads a form of ours. Raises forbidden for one from another site or another session. */
export async function formOf({ request, csrf }: BrowserSession): Promise<URLSearchParams> {
  const site = request.headers.get('sec-fetch-site');
  const type = request.headers.get('content-type') ?? '';
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(type);
  const form = new URLSearchParams(isForm ? await request.text() : '');
  if (
    !isForm ||
    (site !== null && site !== 'same-origin' && site !== 'none') ||
    !sameHash(form.get('csrf') ?? '', csrf)
  ) {
    throw new DomainError('forbidden', 'This form has expired, or was opened in another browser.', {
      hint: 'Go back, load the page again, and repeat.',
    });
  }
  return form;
}

/**
 * Returns a path of this server to go on to; anything else, and text that a browser might take for another host,
 * becomes `otherwise`.
 */
export function pathOf(next: string | null, otherwise = '/account'): string {
  // A browser drops tabs and line feeds, and reads a backslash as a slash.
  return next !== null && next.length <= 2_000 && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.includes('\\')
    ? next
    : otherwise;
}
