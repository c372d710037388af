import { randomUUID } from 'node:crypto';
import { mintSecret } from '../auth/secrets.ts';
import type { Workspace } from '../auth/store.ts';
import { DomainError } from '../errors.ts';
import { accessOf } from './access.ts';
import { adminPage } from './pages/admin.ts';
import { administers } from './pages/navigation.ts';
import { personOf, type SignedIn } from './visit.ts';
import type { Web } from './web.ts';

const INVITATION_SECONDS = 7 * 24 * 3_600;

type Shown = { workspace: Workspace; notice?: string; link?: string };

export function showAdmin(web: Web, visit: SignedIn): Promise<Response> {
  return adminOf(web, visit, { workspace: workspaceOf(visit, visit.url.searchParams.get('workspace')) });
}

async function adminOf({ db }: Web, visit: SignedIn, { workspace, ...said }: Shown): Promise<Response> {
  const access = accessOf(db, personOf(visit, workspace.tenant_id));
  const [listed, people, log] = await Promise.all([
    access.connections({ all: true }),
    access.members(),
    access.events(),
  ]);
  return adminPage({
    csrf: visit.csrf,
    user: visit.session.name,
    workspaces: visit.session.workspaces,
    workspace,
    connections: listed.connections,
    hasMore: listed.next_before !== undefined,
    ...people,
    ...log,
    ...said,
  });
}

/** One connection, all of a program, or all of a person. */
export async function revokeAny(web: Web, visit: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(visit, form.get('workspace'));
  const chosen = Object.fromEntries(
    ['id', 'user_id', 'client_id'].flatMap((key) => [[key, form.get(key)]]).filter(([, value]) => value),
  );
  const { grants, pats } = await accessOf(web.db, personOf(visit, workspace.tenant_id)).revoke(
    chosen,
    'Ended by an administrator.',
  );
  const count = grants + pats;
  return adminOf(web, visit, {
    workspace,
    notice: `${count} ${count === 1 ? 'connection has' : 'connections have'} ended.`,
  });
}

export async function changeMember(web: Web, visit: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(visit, form.get('workspace'));
  const remove = form.get('do') === 'remove';
  const role = remove ? undefined : (form.get('role') ?? '');
  await accessOf(web.db, personOf(visit, workspace.tenant_id)).setMember(form.get('user_id') ?? '', role);
  return adminOf(web, visit, { workspace, notice: remove ? 'They are no member any more.' : `They are ${role} now.` });
}

export async function changeInvitations(web: Web, visit: SignedIn, form: URLSearchParams): Promise<Response> {
  const workspace = workspaceOf(visit, form.get('workspace'));
  const access = accessOf(web.db, personOf(visit, workspace.tenant_id));
  if (form.get('do') === 'withdraw') {
    await access.revokeInvitation(form.get('invitation') ?? '');
    return adminOf(web, visit, { workspace, notice: 'The link does not work any more.' });
  }
  const { secret, hash } = mintSecret('invitation');
  const given = { email: (form.get('email') ?? '').trim(), role: form.get('role') ?? '' };
  await access.invite({ id: randomUUID(), invitation_hash: hash, ...given, ttl_seconds: INVITATION_SECONDS });
  return adminOf(web, visit, { workspace, link: new URL(`/invite?code=${secret}`, web.publicUrl).href });
}

/** The one that is named, else the first that the person looks after. Raises forbidden where they look after none. */
function workspaceOf({ session }: SignedIn, id: string | null): Workspace {
  const found = session.workspaces.find(
    (workspace) => administers(workspace) && (id === null || workspace.tenant_id === id),
  );
  if (found !== undefined) return found;
  throw new DomainError('forbidden', 'You do not administer this workspace.', { hint: 'Ask one of its owners.' });
}
