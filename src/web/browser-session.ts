import { derive, hashSecret, sameHash } from '../auth/secrets.ts';
import type { BrowserSession as ViewedSession } from '../auth/server/views.ts';
import type { From, Person, Session } from '../auth/store.ts';
import { DomainError } from '../errors.ts';
import type { Web } from './web.ts';

/** A request of a browser, and what its cookies prove. */
export type BrowserSession = ViewedSession & {
  request: Request;
  url: URL;
  from: From;
  /** The cookie of the session. */
  sid: string | undefined;
};

/** A visit with somebody signed in. */
export type SignedIn = BrowserSession & { session: Session };

export async function browserSessionOf({ store, cookies }: Web, request: Request, from: From): Promise<BrowserSession> {
  const txn = cookies.browser(request);
  const sid = cookies.read(request, 'session');
  const found = sid === undefined ? undefined : await store.getSession(hashSecret(sid), from);
  return {
    request,
    url: new URL(request.url),
    from,
    txn,
    cookie: cookies.write('txn', txn),
    csrf: derive(txn, `csrf ${sid ?? ''}`),
    sid,
    session: found?.user_id === undefined ? undefined : (found as Session),
  };
}

/** Who is signed in, in a workspace of theirs. */
export function personOf({ session, from }: SignedIn, tenantId?: string): Person {
  return { user_id: session.user_id, ...from, ...(tenantId === undefined ? {} : { tenant_id: tenantId }) };
}

/** What a form of ours carries. Raises forbidden for one that another site sent, or that belongs to another session. */
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
    throw new DomainError('forbidden', 'This form is too old, or of another browser.', {
      hint: 'Go back, load the page again, and repeat.',
    });
  }
  return form;
}

/** A path of this server to go on to; anything else, and what a browser might take for another host, becomes `otherwise`. */
export function pathOf(next: string | null, otherwise = '/account'): string {
  // A browser drops tabs and line feeds, and takes a backslash for a slash.
  return next !== null && next.length <= 2_000 && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.includes('\\')
    ? next
    : otherwise;
}
