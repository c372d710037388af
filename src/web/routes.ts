import type { Peer, Route } from '../auth/access.ts';
import { DomainError, domainErrorFrom, ERROR_CODES } from '../errors.ts';
import { acceptInvitation, createToken, revokeOwn, showAccount, showInvitation } from './account.ts';
import { changeInvitations, changeMember, revokeAny, showAdmin } from './admin.ts';
import { type BrowserSession, browserSessionOf, formOf, pathOf, type SignedIn } from './browser-session.ts';
import {
  finishOidc,
  logInWithCode,
  logInWithPassword,
  logOut,
  redeemOwnerCode,
  sendCode,
  showLogin,
  showOwnerCode,
  startOidc,
} from './login.ts';
import { redirect } from './page.ts';
import { messagePage } from './pages/message.ts';
import type { Web } from './web.ts';

type Place = {
  get?: (web: Web, visit: BrowserSession) => Promise<Response>;
  post?: (web: Web, visit: BrowserSession, form: URLSearchParams) => Promise<Response>;
};

type Answer = (web: Web, visit: SignedIn, form: URLSearchParams) => Promise<Response>;

const PLACES: Readonly<Record<string, Place>> = Object.freeze({
  '/': { get: async () => redirect('/account') },
  '/login': { get: showLogin, post: logInWithPassword },
  '/login/email': { post: sendCode },
  '/login/code': { post: logInWithCode },
  '/login/owner': { get: showOwnerCode, post: redeemOwnerCode },
  '/logout': { post: logOut },
  '/invite': { get: showInvitation, post: signedIn(acceptInvitation) },
  '/account': { get: signedIn(showAccount) },
  '/account/tokens': { post: signedIn(createToken) },
  '/account/revoke': { post: signedIn(revokeOwn) },
  '/admin': { get: signedIn(showAdmin) },
  '/admin/revoke': { post: signedIn(revokeAny) },
  '/admin/members': { post: signedIn(changeMember) },
  '/admin/invitations': { post: signedIn(changeInvitations) },
});

/** The pages of login and administration. */
export function createWebRoutes(web: Web): Route {
  return async (request, peer) => {
    const place = placeOf(new URL(request.url).pathname);
    return place === undefined ? undefined : answer(web, place, { request, peer });
  };
}

function placeOf(pathname: string): Place | undefined {
  if (Object.hasOwn(PLACES, pathname)) return PLACES[pathname];
  const [, id, callback] = /^\/login\/oidc\/([\w-]{1,40})(\/callback)?$/.exec(pathname) ?? [];
  if (id === undefined) return undefined;
  return { get: (web, visit) => (callback === undefined ? startOidc : finishOidc)(web, visit, id) };
}

async function answer(web: Web, place: Place, { request, peer }: { request: Request; peer: Peer }): Promise<Response> {
  try {
    const visit = await browserSessionOf(web, request, { ip: peer.address });
    const response = await respond(web, place, visit);
    // Each answer renews the cookie that protects forms.
    response.headers.append('set-cookie', visit.cookie);
    return response;
  } catch (error) {
    return problem(web, error);
  }
}

async function respond(web: Web, { get, post }: Place, visit: BrowserSession): Promise<Response> {
  if (visit.request.method === 'POST' && post !== undefined) return post(web, visit, await formOf(visit));
  if (visit.request.method === 'GET' && get !== undefined) return get(web, visit);
  const allow = [get && 'GET', post && 'POST'].filter(Boolean).join(', ');
  const response = messagePage({ title: 'Not this way', text: 'This address is not opened like that.', status: 405 });
  response.headers.set('allow', allow);
  return response;
}

/** Sends a visitor who is not signed in to sign in, and back to the page. */
function signedIn(run: Answer) {
  return async (web: Web, visit: BrowserSession, form = new URLSearchParams()): Promise<Response> => {
    const { session, url, request } = visit;
    if (session !== undefined) return run(web, { ...visit, session }, form);
    const next = request.method === 'GET' ? pathOf(`${url.pathname}${url.search}`) : '/account';
    return redirect(`/login?next=${encodeURIComponent(next)}`);
  };
}

/** Shows two sentences to the person; the cause goes to the log. */
function problem({ log }: Web, error: unknown): Response {
  const failure = domainErrorFrom(error);
  if (failure.code === 'internal') log.error({ err: failure.cause ?? error }, 'page failed');
  else if (failure.cause !== undefined) log.warn({ err: failure.cause }, 'page refused');
  return messagePage({
    title: failure.message,
    text: failure instanceof DomainError && failure.hint !== null ? failure.hint : 'Go back and try again.',
    status: ERROR_CODES[failure.code].status,
    action: { href: '/account', label: 'To your connections' },
  });
}
