import { Hono, type MiddlewareHandler } from 'hono';
import type { RouteEnv } from '../auth/access.ts';
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

type Env = RouteEnv & { Variables: { browserSession: BrowserSession } };

type PageRoute = {
  get?: (web: Web, browserSession: BrowserSession, id: string) => Promise<Response>;
  post?: (web: Web, browserSession: BrowserSession, form: URLSearchParams) => Promise<Response>;
};

const ROUTES: Readonly<Record<string, PageRoute>> = Object.freeze({
  '/': { get: async () => redirect('/account') },
  '/login': { get: showLogin, post: logInWithPassword },
  '/login/email': { post: sendCode },
  '/login/code': { post: logInWithCode },
  '/login/owner': { get: showOwnerCode, post: redeemOwnerCode },
  '/login/oidc/:id{[\\w-]+}': { get: startOidc },
  '/login/oidc/:id{[\\w-]+}/callback': { get: finishOidc },
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

/** Creates the routes of the login and administration pages. */
export function createWebRoutes(web: Web): Hono<Env> {
  const routes = new Hono<Env>();
  for (const [path, route] of Object.entries(ROUTES)) {
    // By any method: Hono answers HEAD by running GET, and some pages (a code in an address) open only once.
    routes.all(path, withBrowserSession(web), async ({ var: { browserSession }, req }) => {
      if (req.method === 'GET' && route.get) return route.get(web, browserSession, req.param('id') ?? '');
      if (req.method === 'POST' && route.post) return route.post(web, browserSession, await formOf(browserSession));
      return notThisWay(route);
    });
  }
  routes.onError((error) => problem(web, error));
  return routes;
}

/** Finds the visitor's session. Each answer renews the cookie that protects forms. */
function withBrowserSession(web: Web): MiddlewareHandler<Env> {
  return async (context, next) => {
    const browserSession = await browserSessionOf(web, context.req.raw, { ip: context.env.address });
    context.set('browserSession', browserSession);
    await next();
    if (context.error === undefined) context.res.headers.append('set-cookie', browserSession.cookie);
  };
}

function notThisWay({ get, post }: PageRoute): Response {
  const allow = [get && 'GET', post && 'POST'].filter(Boolean).join(', ');
  const response = messagePage({ title: 'Not this way', text: 'This address is not opened like that.', status: 405 });
  response.headers.set('allow', allow);
  return response;
}

/** Sends a visitor who is not signed in to sign in, and back to the page. */
function signedIn<Rest extends unknown[]>(
  run: (web: Web, browserSession: SignedIn, ...rest: Rest) => Promise<Response>,
) {
  return async (web: Web, browserSession: BrowserSession, ...rest: Rest): Promise<Response> => {
    const { session, url, request } = browserSession;
    if (session !== undefined) return run(web, { ...browserSession, session }, ...rest);
    const next = request.method === 'GET' ? pathOf(`${url.pathname}${url.search}`) : '/account';
    return redirect(`/login?next=${encodeURIComponent(next)}`);
  };
}

/** Shows the error and its hint to the person, and logs the cause. */
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
