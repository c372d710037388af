import type { Role, Workspace } from '../auth/answers.ts';
import { inviteMember } from '../auth/server/issue.ts';
import { DomainError } from '../errors.ts';
import { ROLES } from '../services/access.ts';
import { admin } from '../tools/admin.ts';
import { person } from '../tools/person.ts';
import { personOf, type SignedIn } from './browser-session.ts';
import { flashOnce, goOn } from './flash-message.ts';
import { adminPage } from './pages/admin.ts';
import { administers } from './pages/navigation.ts';
import { perform } from './perform.ts';
import type { Web } from './web.ts';

const INVITATION_DAYS = 7;

export function showAdmin(web: Web, browserSession: SignedIn): Promise<Response> {
  const workspace = workspaceOf(browserSession, browserSession.url.searchParams.get('workspace'));
  const caller = { ...web, actor: personOf(browserSession, workspace.tenant_id) };
  const from = (name: string) => browserSession.url.searchParams.get(name) ?? undefined;
  return flashOnce(web, browserSession, async (message) => {
    const [connections, people, events] = await Promise.all([
      perform(caller, admin.commands.list_connections, { all: true, before: from('connections') }),
      perform(caller, admin.commands.list_members, {}),
      perform(caller, admin.commands.list_auth_events, { before: from('events') }),
    ]);
    const { name: user, workspaces } = browserSession.session;
    const url = new URL(
      `/admin?${new URLSearchParams({ ...Object.fromEntries(browserSession.url.searchParams), workspace: workspace.tenant_id })}`,
      browserSession.url,
    );
    return adminPage({
      csrf: browserSession.csrf,
      url,
      user,
      workspaces,
      workspace,
      connections,
      ...people,
      events,
      ...message,
    });
  });
}

/** Redirects after a form: back to the workspace, which shows the message. */
function backTo({ tenant_id }: Workspace): { to: string } {
  return { to: `/admin?workspace=${tenant_id}` };
}

/** Revokes one connection, all of a program, or all of a person. */
export async function revokeAny(web: Web, browserSession: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(browserSession, form.get('workspace'));
  const chosen = Object.fromEntries(
    ['id', 'user_id', 'client_id'].flatMap((key) => [[key, form.get(key)]]).filter(([, value]) => value),
  );
  const caller = { ...web, actor: personOf(browserSession, workspace.tenant_id) };
  const { grants, pats } = await perform(caller, admin.commands.revoke_access, {
    ...chosen,
    reason: 'Ended by an administrator.',
  });
  const count = grants + pats;
  const notice = `${count} ${count === 1 ? 'connection has' : 'connections have'} ended.`;
  return goOn(web, browserSession, { ...backTo(workspace), notice });
}

export async function changeMember(web: Web, browserSession: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(browserSession, form.get('workspace'));
  const remove = form.get('do') === 'remove';
  const role = remove ? undefined : roleOf(form);
  const caller = { ...web, actor: personOf(browserSession, workspace.tenant_id) };
  await perform(caller, admin.commands.set_member, { user_id: form.get('user_id') ?? '', role });
  const notice = remove ? 'They are no member any more.' : `They are ${role} now.`;
  return goOn(web, browserSession, { ...backTo(workspace), notice });
}

export async function changeInvitations(web: Web, browserSession: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(browserSession, form.get('workspace'));
  const actor = personOf(browserSession, workspace.tenant_id);
  if (form.get('do') === 'withdraw') {
    await perform({ ...web, actor }, person.revoke_invitation, { invitation: form.get('invitation') ?? '' });
    return goOn(web, browserSession, { ...backTo(workspace), notice: 'The link does not work any more.' });
  }
  const email = (form.get('email') ?? '').trim() || undefined;
  const asked = { role: roleOf(form), email, days: INVITATION_DAYS };
  const { invitation } = await inviteMember(web.db, actor, asked);
  const link = new URL(`/invite?code=${invitation}`, web.publicUrl).href;
  return goOn(web, browserSession, { ...backTo(workspace), link });
}

/** Returns the named workspace, otherwise the first that the person administers. Raises forbidden without one. */
function workspaceOf({ session }: SignedIn, id: string | null): Workspace {
  const found = session.workspaces.find(
    (workspace) => administers(workspace) && (id === null || workspace.tenant_id === id),
  );
  if (found !== undefined) return found;
  throw new DomainError('forbidden', 'You do not administer this workspace.', { hint: 'Ask one of its owners.' });
}

/** Reads a role. Raises invalid_input for an unknown one. */
function roleOf(form: URLSearchParams): Role {
  const role = ROLES.find((known) => known === form.get('role'));
  if (role !== undefined) return role;
  throw new DomainError('invalid_input', 'There is no such role.', { hint: 'Go back and choose one.' });
}
