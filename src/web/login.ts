import { isAdmitted } from '../auth/login/identity.ts';
import type { OidcAttempt, OidcLogin } from '../auth/login/oidc.ts';
import { checkedPassword, hasPassword, isPassword, setPassword } from '../auth/login/owner.ts';
import { PASSWORD_LENGTH_MIN } from '../auth/login/password.ts';
import { derive, hashSecret, isSecret, mintSecret } from '../auth/secrets.ts';
import type { Identity } from '../auth/store.ts';
import { DomainError, messageOf } from '../errors.ts';
import { type BrowserSession, pathOf } from './browser-session.ts';
import { BROWSER_SECONDS, SESSION_SECONDS } from './cookies.ts';
import { redirect } from './page.ts';
import { codePage, loginPage, passwordPage } from './pages/login.ts';
import { type Account, type Attempt, takeAttempt, takeSending, takeStart } from './sign-in-limit.ts';
import type { Web } from './web.ts';

const IDLE_SECONDS = 12 * 3_600;
const ATTEMPT_SECONDS = 600;
// A password has twelve characters at least, a code six digits.
const FIRST_TRIES_MAX = Object.freeze({ password: 1_000, code: 100, send: 0 });

export async function showLogin(web: Web, browserSession: BrowserSession): Promise<Response> {
  return loginPage(await loginView(web, browserSession, browserSession.url.searchParams.get('next')));
}

async function loginView(
  { store, owner, supabase, oidc, cookies }: Web,
  browserSession: BrowserSession,
  next: string | null,
) {
  return {
    csrf: browserSession.csrf,
    next: pathOf(next),
    invited: cookies.read(browserSession.request, 'invitation') !== undefined,
    password: await hasPassword(store, owner),
    email: supabase !== undefined,
    providers: oidc.map(({ provider }) => provider),
  };
}

export async function logInWithPassword(
  web: Web,
  browserSession: BrowserSession,
  form: URLSearchParams,
): Promise<Response> {
  const attempt = await takeAttempt(web.store, trierOf(web, browserSession), accountOf(web.owner.user_id, 'password'));
  if (!(await isPassword(web.store, web.owner, form.get('password') ?? ''))) {
    const view = await loginView(web, browserSession, form.get('next'));
    return loginPage({ ...view, wrong: 'That is not the password.' });
  }
  return openSession(web, browserSession, { user: web.owner.user_id, method: 'pwd', next: form.get('next'), attempt });
}

export async function sendCode(web: Web, browserSession: BrowserSession, form: URLSearchParams): Promise<Response> {
  const email = emailOf(form);
  // Requesting codes without end does not stop anybody from typing in the last one.
  const isSent = (await takeSending(web.store, trierOf(web, browserSession), accountOf(email, 'send'))) !== undefined;
  if (isSent) await offered(web.supabase).sendCode(email);
  return codePage({ csrf: browserSession.csrf, next: pathOf(form.get('next')), email, isSent });
}

export async function logInWithCode(
  web: Web,
  browserSession: BrowserSession,
  form: URLSearchParams,
): Promise<Response> {
  const email = emailOf(form);
  const attempt = await takeAttempt(web.store, trierOf(web, browserSession), accountOf(email, 'code'));
  const code = (form.get('code') ?? '').replace(/\s/g, '');
  const identity = /^\d{6,10}$/.test(code) ? await offered(web.supabase).verifyCode(email, code) : null;
  if (identity === null) {
    const wrong = 'That is not the code, or it is too old.';
    return codePage({ csrf: browserSession.csrf, next: pathOf(form.get('next')), email, wrong });
  }
  return admit(web, browserSession, { identity, method: 'otp', next: form.get('next'), attempt });
}

export async function startOidc(web: Web, browserSession: BrowserSession, id: string): Promise<Response> {
  const login = providerOf(web, id);
  await takeStart(web.store, trierOf(web, browserSession));
  const state = mintSecret('txn').secret;
  const attempt = attemptOf(web, login, { txn: browserSession.txn, state });
  const url = await login.begin(attempt);
  const next = pathOf(browserSession.url.searchParams.get('next'));
  const hashes = { state_hash: hashSecret(state), txn_hash: hashSecret(browserSession.txn) };
  await web.store.startLogin({ ...hashes, provider: id, next, ttl_seconds: ATTEMPT_SECONDS }, browserSession.from);
  return redirect(url.href);
}

/**
 * Finishes a login. The state is valid once, and only in the browser that got it (threat T1): its other secrets derive
 * from that browser's cookie.
 */
export async function finishOidc(web: Web, browserSession: BrowserSession, id: string): Promise<Response> {
  const login = providerOf(web, id);
  const state = browserSession.url.searchParams.get('state') ?? '';
  const hashes = { state_hash: hashSecret(state), txn_hash: hashSecret(browserSession.txn) };
  const { provider, next } = await web.store.takeLogin(hashes, browserSession.from);
  if (provider !== id || next === undefined) {
    throw new DomainError('invalid_input', 'This sign-in did not start in this browser, or too long ago.', {
      hint: 'Start again from the sign-in page.',
    });
  }
  const attempt = attemptOf(web, login, { txn: browserSession.txn, state });
  const identity = await login.finish(new URL(browserSession.url.search, attempt.redirectUri), attempt);
  return admit(web, browserSession, { identity, method: `oidc ${id}`, next });
}

function attemptOf(
  { publicUrl }: Web,
  { provider }: OidcLogin,
  { txn, state }: { txn: string; state: string },
): OidcAttempt {
  return {
    redirectUri: new URL(`/login/oidc/${provider.id}/callback`, publicUrl).href,
    state,
    nonce: derive(txn, `nonce ${state}`),
    codeVerifier: derive(txn, `verifier ${state}`),
  };
}

function providerOf({ oidc }: Web, id: string): OidcLogin {
  return offered(oidc.find(({ provider }) => provider.id === id));
}

/** Shows the link's form and does not use the link up: mail programs and chats open links, people send the form. */
export async function showOwnerCode(_web: Web, browserSession: BrowserSession): Promise<Response> {
  const code = browserSession.url.searchParams.get('code') ?? '';
  return passwordPage({
    csrf: browserSession.csrf,
    code: isSecret('login', code) ? code : '',
    minLength: PASSWORD_LENGTH_MIN,
  });
}

/** Redeems a link, with no limit on tries: nobody guesses 256 random bits, and nobody else can use up this way in. */
export async function redeemOwnerCode(
  web: Web,
  browserSession: BrowserSession,
  form: URLSearchParams,
): Promise<Response> {
  const code = form.get('code') ?? '';
  const password = form.get('password') ?? '';
  const wrong = wrongPassword(password, form.get('repeated') ?? '');
  if (wrong !== undefined)
    return passwordPage({ csrf: browserSession.csrf, code, minLength: PASSWORD_LENGTH_MIN, wrong });
  const { user_id } = isSecret('login', code)
    ? await web.store.takeLoginCode(hashSecret(code), browserSession.from)
    : {};
  if (user_id === undefined) {
    throw new DomainError('invalid_input', 'This link was used already, or is too old.', {
      hint: 'Whoever runs the server gets a new one with: cairn auth owner login-link',
    });
  }
  await setPassword(web.store, { ...browserSession.from, user_id }, password);
  return openSession(web, browserSession, {
    user: user_id,
    method: 'pwd',
    next: null,
    attempt: { account: user_id, buckets: [] },
  });
}

function wrongPassword(password: string, repeated: string): string | undefined {
  if (password !== repeated) return 'The two passwords differ.';
  try {
    checkedPassword(password);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

type Proven = { identity: Identity; method: string; next: string | null; attempt?: Attempt };

const REFUSALS = Object.freeze({
  sign_up_closed: 'You have no account here.',
  invitation_unknown: 'There is no such invitation.',
  invitation_withdrawn: 'This invitation was withdrawn.',
  invitation_used: 'This invitation was accepted already.',
  invitation_expired: 'This invitation is too old.',
  invitation_lapsed: 'Whoever made this invitation may no longer invite you.',
  invitation_of_another: 'This invitation is for another e-mail address.',
});

async function admit(
  web: Web,
  browserSession: BrowserSession,
  { identity, method, next, attempt }: Proven,
): Promise<Response> {
  const invitation = web.cookies.read(browserSession.request, 'invitation');
  const terms = {
    open: isAdmitted(identity, web.signUp),
    link_email: web.signUp.linkByEmail,
    ...(invitation === undefined ? {} : { invitation_hash: hashSecret(invitation) }),
  };
  const admitted = await web.store.admitIdentity(identity, terms, browserSession.from);
  if ('user_id' in admitted) return openSession(web, browserSession, { user: admitted.user_id, method, next, attempt });
  throw new DomainError('forbidden', REFUSALS[admitted.refused], { hint: 'Ask an administrator for an invitation.' });
}

type Opened = { user: string; method: string; next: string | null; attempt?: Attempt | undefined };

/** Makes a new session id at each login, whatever the browser sent (threat T15), and ends the browser's old session. */
async function openSession(
  web: Web,
  browserSession: BrowserSession,
  { user, method, next, attempt }: Opened,
): Promise<Response> {
  const { store, cookies } = web;
  const { sid, from } = browserSession;
  if (sid !== undefined) await store.endSession(hashSecret(sid), {}, from);
  const { secret, hash } = mintSecret('session');
  const session = { session_hash: hash, amr: [method], idle_seconds: IDLE_SECONDS, max_seconds: SESSION_SECONDS };
  await store.startSession(session, { ...from, user_id: user });
  const known = attempt === undefined ? [] : [await admitBrowser(web, browserSession, attempt)];
  return redirect(pathOf(next), [cookies.write('session', secret), cookies.erase('invitation'), ...known]);
}

/**
 * Returns the tries that a right attempt took, and sets the cookie that identifies the browser: new each time, like the
 * session.
 */
async function admitBrowser(
  { store, cookies }: Web,
  { request, from }: BrowserSession,
  { account, buckets }: Attempt,
): Promise<string> {
  const before = cookies.read(request, 'browser');
  const { secret, hash: browser_hash } = mintSecret('browser');
  const replaced = before === undefined ? {} : { replaces_hash: hashSecret(before) };
  const browser = { browser_hash, ...replaced, ttl_seconds: BROWSER_SECONDS };
  await store.admitBrowser({ account, browser, buckets }, from);
  return cookies.write('browser', secret);
}

function trierOf({ cookies }: Web, { request, from }: BrowserSession) {
  return { from, browser: cookies.read(request, 'browser') };
}

function accountOf(name: string, way: Account['way']): Account {
  return { name, way, firstTriesMax: FIRST_TRIES_MAX[way] };
}

export async function logOut(
  { store, cookies }: Web,
  { sid, from }: BrowserSession,
  form: URLSearchParams,
): Promise<Response> {
  const everywhere = form.get('everywhere') === 'yes';
  if (sid !== undefined) await store.endSession(hashSecret(sid), { everywhere }, from);
  return redirect(`/login?next=${encodeURIComponent(pathOf(form.get('next')))}`, [cookies.erase('session')]);
}

function emailOf(form: URLSearchParams): string {
  const email = (form.get('email') ?? '').trim();
  if (email.length <= 320 && /^[^\s@]+@[^\s@]+$/.test(email)) return email.toLowerCase();
  throw new DomainError('invalid_input', 'That is not an e-mail address.', { hint: 'Go back and correct it.' });
}

function offered<T>(way: T | undefined): T {
  if (way !== undefined) return way;
  throw new DomainError('not_found', 'This server does not offer that way to sign in.', {
    hint: 'Choose another on the sign-in page.',
  });
}
