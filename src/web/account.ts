import { hashSecret, isSecret } from '../auth/secrets.ts';
import { DomainError } from '../errors.ts';
import { listConnections, revokeAccess } from '../services/access.ts';
import { redirect } from './page.ts';
import { accountPage } from './pages/account.ts';
import { invitationPage } from './pages/invitation.ts';
import { personOf, type SignedIn, type Visit } from './visit.ts';
import type { Web } from './web.ts';

export async function showAccount({ db }: Web, visit: SignedIn, notice?: string): Promise<Response> {
  const { name, workspaces } = visit.session;
  return accountPage({
    csrf: visit.csrf,
    user: name,
    notice,
    workspaces: await Promise.all(
      workspaces.map(async (workspace) => {
        const actor = personOf(visit, workspace.tenant_id);
        const { connections } = await listConnections({ db, actor }, { all: false, ended: false });
        return { ...workspace, connections };
      }),
    ),
  });
}

/** Only one's own: an admin ends what is others' on the page of the workspace. */
export async function revokeOwn(web: Web, visit: SignedIn, form: URLSearchParams): Promise<Response> {
  const own = { id: form.get('id') ?? '', user_id: visit.session.user_id, everything: false };
  const caller = { db: web.db, actor: personOf(visit, form.get('workspace') ?? '') };
  const { grants, pats } = await revokeAccess(caller, { ...own, reason: 'Ended on the account page.' });
  return showAccount(web, visit, grants + pats > 0 ? 'It has no access any more.' : 'It had no access any more.');
}

/** The code goes into a cookie and out of the address, where history and screenshots would keep it. */
export async function showInvitation({ cookies }: Web, visit: Visit): Promise<Response> {
  const code = visit.url.searchParams.get('code');
  if (code !== null) {
    if (isSecret('invitation', code)) return redirect('/invite', [cookies.write('invitation', code)]);
    throw new DomainError('invalid_input', 'This is not a whole invitation link.', {
      hint: 'Copy all of it into the address bar.',
    });
  }
  if (visit.session === undefined) return redirect('/login');
  return invitationPage({ csrf: visit.csrf, user: visit.session.name });
}

/** Who is signed in already joins as that. */
export async function acceptInvitation({ store, cookies }: Web, visit: SignedIn): Promise<Response> {
  const code = cookies.read(visit.request, 'invitation') ?? '';
  const answer = await store.acceptInvitation(hashSecret(code), personOf(visit));
  if (!('refused' in answer)) return redirect('/account', [cookies.erase('invitation')]);
  throw new DomainError('forbidden', 'This invitation is not valid, or not for you.', {
    hint: 'Ask whoever invited you for a new one.',
  });
}
