import { inviteMember } from '../auth/issue.ts';
import type { Role, Workspace } from '../auth/store.ts';
import { DomainError } from '../errors.ts';
import { listAuthEvents, listConnections, listMembers, ROLES, revokeAccess, setMember } from '../services/access.ts';
import { adminPage } from './pages/admin.ts';
import { administers } from './pages/navigation.ts';
import { personOf, type SignedIn } from './visit.ts';
import type { Web } from './web.ts';

const INVITATION_DAYS = 7;

type Shown = { workspace: Workspace; notice?: string; link?: string };

export function showAdmin(web: Web, visit: SignedIn): Promise<Response> {
  return adminOf(web, visit, { workspace: workspaceOf(visit, visit.url.searchParams.get('workspace')) });
}

async function adminOf({ db }: Web, visit: SignedIn, { workspace, ...said }: Shown): Promise<Response> {
  const caller = { db, actor: personOf(visit, workspace.tenant_id) };
  const [listed, people, log] = await Promise.all([
    listConnections(caller, { all: true, ended: false }),
    listMembers(caller),
    listAuthEvents(caller, {}),
  ]);
  return adminPage({
    csrf: visit.csrf,
    user: visit.session.name,
    workspaces: visit.session.workspaces,
    workspace,
    connections: listed.connections,
    hasMore: listed.next_before !== undefined,
    ...people,
    events: log.events,
    ...said,
  });
}

/** One connection, all of a program, or all of a person. */
export async function revokeAny(web: Web, visit: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(visit, form.get('workspace'));
  const chosen = Object.fromEntries(
    ['id', 'user_id', 'client_id'].flatMap((key) => [[key, form.get(key)]]).filter(([, value]) => value),
  );
  const caller = { db: web.db, actor: personOf(visit, workspace.tenant_id) };
  const { grants, pats } = await revokeAccess(caller, {
    ...chosen,
    everything: false,
    reason: 'Ended by an administrator.',
  });
  const count = grants + pats;
  return adminOf(web, visit, {
    workspace,
    notice: `${count} ${count === 1 ? 'connection has' : 'connections have'} ended.`,
  });
}

export async function changeMember(web: Web, visit: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(visit, form.get('workspace'));
  const remove = form.get('do') === 'remove';
  const role = remove ? undefined : roleOf(form);
  const caller = { db: web.db, actor: personOf(visit, workspace.tenant_id) };
  await setMember(caller, { user_id: form.get('user_id') ?? '', role });
  return adminOf(web, visit, { workspace, notice: remove ? 'They are no member any more.' : `They are ${role} now.` });
}

export async function changeInvitations(web: Web, visit: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(visit, form.get('workspace'));
  const actor = personOf(visit, workspace.tenant_id);
  if (form.get('do') === 'withdraw') {
    await web.db.call('revoke_invitation', { invitation: form.get('invitation') ?? '' }, actor);
    return adminOf(web, visit, { workspace, notice: 'The link does not work any more.' });
  }
  const email = (form.get('email') ?? '').trim() || undefined;
  const asked = { role: roleOf(form), email, days: INVITATION_DAYS };
  const { invitation } = await inviteMember(web.db, actor, asked);
  return adminOf(web, visit, { workspace, link: new URL(`/invite?code=${invitation}`, web.publicUrl).href });
}

/** The one that is named, else the first that the person looks after. Raises forbidden where they look after none. */
function workspaceOf({ session }: SignedIn, id: string | null): Workspace {
  const found = session.workspaces.find(
    (workspace) => administers(workspace) && (id === null || workspace.tenant_id === id),
  );
  if (found !== undefined) return found;
  throw new DomainError('forbidden', 'You do not administer this workspace.', { hint: 'Ask one of its owners.' });
}

/** Raises invalid_input for none of ours. */
function roleOf(form: URLSearchParams): Role {
  const role = ROLES.find((known) => known === form.get('role'));
  if (role !== undefined) return role;
  throw new DomainError('invalid_input', 'There is no such role.', { hint: 'Go back and choose one.' });
}
