import type { Workspace } from '../auth/answers.ts';
import { hashSecret, isSecret } from '../auth/secrets.ts';
import { shownName } from '../auth/server/client-metadata.ts';
import { createPat } from '../auth/server/issue.ts';
import { resourceOf } from '../auth/settings.ts';
import { DomainError } from '../errors.ts';
import { admin } from '../tools/admin.ts';
import { SCOPES } from '../tools/catalog.ts';
import { type BrowserSession, personOf, type SignedIn } from './browser-session.ts';
import { flashOnce, goOn } from './flash-message.ts';
import { redirect } from './page.ts';
import { accountPage, cursorOf } from './pages/account.ts';
import { invitationPage } from './pages/invitation.ts';
import { perform } from './perform.ts';
import type { Web } from './web.ts';

// A stranger at an open browser must not leave with a token that outlives the session.
const SIGN_IN_MS_MAX = 15 * 60_000;
const PAT_DAYS_MAX = 366;

export function showAccount(web: Web, browserSession: SignedIn): Promise<Response> {
  const { name, workspaces } = browserSession.session;
  return flashOnce(web, browserSession, async (message) =>
    accountPage({
      csrf: browserSession.csrf,
      url: browserSession.url,
      user: name,
      endpoint: new URL('/mcp', web.publicUrl),
      ...message,
      tokens: web.makesTokens ? (isFresh(browserSession) ? 'offered' : 'sign_in') : 'none',
      workspaces: await Promise.all(workspaces.map((workspace) => connectionsIn(web, browserSession, workspace))),
    }),
  );
}

async function connectionsIn(web: Web, browserSession: SignedIn, workspace: Workspace) {
  const actor = personOf(browserSession, workspace.tenant_id);
  const before = browserSession.url.searchParams.get(cursorOf(workspace)) ?? undefined;
  return { ...workspace, ...(await perform({ ...web, actor }, admin.commands.list_connections, { before })) };
}

/** Revokes only one's own access: an admin ends others' on the page of the workspace. */
export async function revokeOwn(web: Web, browserSession: SignedIn, form: URLSearchParams): Promise<Response> {
  const own = { id: form.get('id') ?? '', user_id: browserSession.session.user_id };
  const caller = { ...web, actor: personOf(browserSession, form.get('workspace') ?? '') };
  const chosen = { ...own, reason: 'Ended on the account page.' };
  const { grants, pats } = await perform(caller, admin.commands.revoke_access, chosen);
  const notice = grants + pats > 0 ? 'It has no access any more.' : 'It had no access any more.';
  return goOn(web, browserSession, { to: '/account', notice });
}

/** Makes a token, shown once on the next page. Raises forbidden for a sign-in older than a quarter of an hour. */
export async function createToken(web: Web, browserSession: SignedIn, form: URLSearchParams): Promise<Response> {
  if (!web.makesTokens || !isFresh(browserSession)) {
    throw new DomainError('forbidden', 'A token needs a fresh sign-in.', {
      hint: 'Sign in again, then repeat.',
    });
  }
  const ticked = new Set(form.getAll('scope'));
  const scope = SCOPES.filter((known) => ticked.has(known)).join(' ');
  const days = Number(form.get('days'));
  const name = (form.get('name') ?? '').trim();
  if (scope === '' || name === '' || !Number.isInteger(days) || days < 1 || days > PAT_DAYS_MAX) {
    throw new DomainError('invalid_input', 'A token needs a name, an end, and a scope.', {
      hint: 'Go back and fill in the form.',
    });
  }
  const resource = resourceOf({ issuer: web.publicUrl.origin });
  const actor = personOf(browserSession, form.get('workspace') ?? '');
  const project = (form.get('project') ?? '').trim() || undefined;
  const { token } = await createPat(web.db, actor, { name: shownName(name), scope, project, days, resource });
  return goOn(web, browserSession, { to: '/account', token });
}

function isFresh({ session }: SignedIn): boolean {
  return Date.now() - Date.parse(session.auth_at) < SIGN_IN_MS_MAX;
}

/** Moves the code into a cookie and out of the address, where history and screenshots would keep it. */
export async function showInvitation({ cookies }: Web, browserSession: BrowserSession): Promise<Response> {
  const code = browserSession.url.searchParams.get('code');
  if (code !== null) {
    if (isSecret('invitation', code)) return redirect('/invite', [cookies.write('invitation', code)]);
    throw new DomainError('invalid_input', 'This is not a whole invitation link.', {
      hint: 'Copy all of it into the address bar.',
    });
  }
  if (browserSession.session === undefined) return redirect('/login');
  return invitationPage({ csrf: browserSession.csrf, user: browserSession.session.name });
}

/** Accepts an invitation as the signed-in user. */
export async function acceptInvitation({ store, cookies }: Web, browserSession: SignedIn): Promise<Response> {
  const code = cookies.read(browserSession.request, 'invitation') ?? '';
  const answer = await store.acceptInvitation(hashSecret(code), personOf(browserSession));
  if (!('refused' in answer)) return redirect('/account', [cookies.erase('invitation')]);
  throw new DomainError('forbidden', 'This invitation is not valid, or not for you.', {
    hint: 'Ask whoever invited you for a new one.',
  });
}
