import type { Scope } from '../../context.ts';
import { newId } from '../../events/ids.ts';
import { SCOPES, scopeWords } from '../../tools/catalog.ts';
import type { AuthorizationRequest, Client, Session } from '../answers.ts';
import { hashSecret, isSecret, mintWorkspaceSecret, sameHash } from '../secrets.ts';
import type { From } from '../store.ts';
import { type AskingParts, sendBack } from './authorize.ts';
import { documentUrl } from './client-metadata.ts';
import { describeRedirect, matchesRedirect } from './redirects.ts';
import { OAuthRefusal } from './reply.ts';
import { type BrowserSession, type ConsentView, PATHS, type ProblemView, type SignedInSession } from './views.ts';

const PROBLEMS: Readonly<Record<string, Omit<ProblemView, 'status'>>> = Object.freeze({
  other_browser: {
    title: 'This request began in another browser',
    message: 'Somebody may have sent you the address of their own request.',
    hint: 'Start again from the program that you want to connect.',
  },
  other_user: {
    title: 'This request is of another user',
    message: 'It was opened by somebody else before you signed in.',
    hint: 'Start again from the program that you want to connect.',
  },
  blocked: {
    title: 'This workspace does not admit the program',
    message: 'An administrator has blocked it.',
    hint: 'Choose another workspace, or ask the administrator.',
  },
  role: {
    title: 'Your role is not enough',
    message: 'Only an administrator of the workspace can grant this.',
    hint: 'Start again and leave the scope admin out.',
  },
  scope: {
    title: 'Nothing was chosen',
    message: 'The program would be allowed nothing, or more than it asked for.',
    hint: 'Start again and leave at least one box ticked, or refuse.',
  },
  client: {
    title: 'The program has changed',
    message: 'It no longer lists the address that the answer was to go to.',
    hint: 'Start again from the program that you want to connect.',
  },
  form: {
    title: 'This form is too old, or of another browser',
    message: 'It does not belong to the page that this browser was shown.',
    hint: 'Start again from the program that you want to connect.',
  },
  busy: {
    title: 'The program cannot be looked up right now',
    message: 'The documents of many programs are being fetched.',
    hint: 'Go back and answer again in a moment.',
  },
  expired: {
    title: 'This request is over',
    message: 'It was answered already, or took longer than ten minutes.',
    hint: 'Start again from the program that you want to connect.',
  },
});

function problem(why: string): ProblemView {
  const known = PROBLEMS[why] ?? PROBLEMS['expired'];
  return { status: 400, title: '', message: '', hint: '', ...known };
}

/** GET /oauth/consent: always shows a page (no approval is remembered). */
export async function showConsent(parts: AskingParts, request: Request, from: From): Promise<Response> {
  const { store, browser } = parts;
  const id = new URL(request.url).searchParams.get('request') ?? '';
  if (!isSecret('request', id)) return browser.problem(problem('expired'));
  const browserSession = await browser.session(request, from);
  if (!isSignedIn(browserSession) || !isRecent(browserSession.session, parts.settings.loginSecondsMax)) {
    const next = encodeURIComponent(`${PATHS.consent}?request=${id}`);
    const again = browserSession.session === undefined ? '' : '&again=1';
    return new Response(null, {
      status: 303,
      headers: { location: `${PATHS.login}?next=${next}${again}`, 'cache-control': 'no-store' },
    });
  }
  const opened = await store.openAuthorization(requestHashes(id, browserSession), {
    user_id: browserSession.session.user_id,
    ...from,
  });
  if ('refused' in opened) return browser.problem(problem(opened.refused));
  if (opened.client === null) return browser.problem(problem('client'));
  return browser.consent(viewOf({ ...opened, client: opened.client }, id, browserSession));
}

/** POST /oauth/consent: takes the person's answer, from the page that this browser was shown. */
export async function answerConsent(parts: AskingParts, request: Request, from: From): Promise<Response> {
  const { store, settings, browser } = parts;
  const browserSession = await browser.session(request, from);
  const form = new URLSearchParams(await request.text());
  const id = form.get('request') ?? '';
  const site = request.headers.get('sec-fetch-site') ?? 'same-origin';
  if (
    !isSecret('request', id) ||
    site !== 'same-origin' ||
    !sameHash(form.get('csrf') ?? '', browserSession.csrf) ||
    !isSignedIn(browserSession)
  ) {
    return browser.problem(problem('form'));
  }
  const person = { user_id: browserSession.session.user_id, ...from };
  const opened = await store.openAuthorization(requestHashes(id, browserSession), person);
  if ('refused' in opened) return browser.problem(problem(opened.refused));
  const allow = form.get('decision') === 'allow';
  const changed = allow ? await changeOf(parts, opened.request, from) : undefined;
  if (changed !== undefined) return browser.problem(problem(changed));
  const workspace = chosenOf(opened.workspaces, form);
  if (workspace === undefined) return browser.problem(problem('form'));
  const { tenant_id } = workspace;
  const code = mintWorkspaceSecret('code', tenant_id);
  const answered = await store.answerAuthorization(
    {
      ...requestHashes(id, browserSession),
      decision: allow
        ? decisionOf(parts, { form, code_hash: code.hash, redirect_uri: opened.request.redirect_uri })
        : { allow },
    },
    { ...person, tenant_id },
  );
  if ('refused' in answered) return browser.problem(problem(answered.refused));
  return sendBack(
    settings,
    answered,
    answered.allowed ? { code: code.secret } : { error: 'access_denied', error_description: 'The person refused.' },
  );
}

function isSignedIn(browserSession: BrowserSession): browserSession is SignedInSession {
  return browserSession.session !== undefined;
}

function isRecent({ auth_at }: Session, secondsMax: number): boolean {
  return Date.now() - Date.parse(auth_at) < secondsMax * 1_000;
}

function requestHashes(id: string, { txn }: BrowserSession): { request_hash: string; txn_hash: string } {
  return { request_hash: hashSecret(id), txn_hash: hashSecret(txn) };
}

/** Takes the first, the person's own, where the page offers no choice. */
function chosenOf(workspaces: ConsentView['workspaces'], form: URLSearchParams) {
  const chosen = form.get('tenant_id');
  return chosen === null ? workspaces[0] : workspaces.find(({ tenant_id }) => tenant_id === chosen);
}

/** Looks the client up again and returns any objection: its document may have changed since the page was shown. */
async function changeOf(
  { clients }: AskingParts,
  { client_id, redirect_uri }: AuthorizationRequest,
  from: From,
): Promise<'client' | 'busy' | undefined> {
  try {
    const client = await clients.find(client_id, from);
    return client !== undefined && matchesRedirect(client.redirect_uris, redirect_uri) ? undefined : 'client';
  } catch (error) {
    if (error instanceof OAuthRefusal) return 'busy';
    throw error;
  }
}

type Answer = { form: URLSearchParams; code_hash: string; redirect_uri: string };

function decisionOf({ settings }: AskingParts, { form, code_hash, redirect_uri }: Answer) {
  const ticked = new Set(form.getAll('scope'));
  return {
    allow: true as const,
    scope: SCOPES.filter((scope) => ticked.has(scope)).join(' '),
    grant_id: newId(),
    code_hash,
    redirect_host: describeRedirect(redirect_uri).shown,
    code_seconds: settings.codeSeconds,
    grant_seconds: settings.grantSeconds,
  };
}

type Opened = { request: AuthorizationRequest; client: Client; workspaces: ConsentView['workspaces'] };

function knownScope(name: string): Scope[] {
  return SCOPES.filter((scope) => scope === name);
}

function viewOf({ request, client, workspaces }: Opened, id: string, { session, csrf }: SignedInSession): ConsentView {
  const { client_id, client_name, client_uri, kind } = client;
  return {
    request: id,
    csrf,
    client: {
      client_id,
      client_name,
      client_uri,
      identified: kind,
      host: kind === 'cimd' ? documentUrl(client_id)?.host : undefined,
    },
    redirect: describeRedirect(request.redirect_uri),
    resource: request.resource,
    scopes: request.scope
      .split(' ')
      .flatMap(knownScope)
      .map((scope) => ({
        scope,
        description: scopeWords(scope),
        checked: scope !== 'admin',
      })),
    user: { name: session.name, email: session.email },
    workspaces,
  };
}
