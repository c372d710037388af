import type { Actor, Database } from '../../db/database.ts';
import { DomainError } from '../../errors.ts';
import { newId } from '../../events/ids.ts';
import { mintSecret, mintWorkspaceSecret } from '../secrets.ts';
import type { Client, Role } from '../store.ts';
import { acceptableRedirects, shownName } from './client-metadata.ts';

/** Secrets that an admin or user hands out: each answer holds one secret, shown once and stored nowhere. */

const DAY_SECONDS = 86_400;

type NewPat = { name: string; scope: string; project?: string | undefined; days: number; resource: string };

/**
 * Makes a personal access token for programs without a browser, in the actor's workspace, otherwise in the user's own,
 * whose id is the user's; with a project (slug or id) limited to it. Raises forbidden for `admin` without the role,
 * invalid_input for `admin` within a project, and not_found.
 */
export async function createPat(db: Database, actor: Actor, { name, scope, project, days, resource }: NewPat) {
  const { tenant_id = actor.user_id } = actor;
  const { secret, hash: token_hash } = mintWorkspaceSecret('pat', tenant_id);
  const pat = { id: newId(), token_hash, name, scope, project, resource, ttl_seconds: days * DAY_SECONDS };
  const created = await db.call<{ id: string; name: string; scope: string; project?: string; expires_at: string }>(
    'create_pat',
    { pat },
    { ...actor, tenant_id },
  );
  return { ...created, token: secret };
}

type NewInvitation = { role: Role; email?: string | undefined; days: number };

/** Makes an invitation, open to anyone with the link or bound to a verified address. */
export async function inviteMember(db: Database, actor: Actor, { role, email, days }: NewInvitation) {
  const { secret, hash: invitation_hash } = mintSecret('invitation');
  const invitation = { id: newId(), invitation_hash, role, email, ttl_seconds: days * DAY_SECONDS };
  const created = await db.call<{ id: string; role: Role; expires_at: string }>('invite_member', { invitation }, actor);
  return { ...created, invitation: secret };
}

type NewStaticClient = { client_id: string; client_name: string; redirect_uris: string[]; confidential: boolean };

/** Adds a client in advance, for programs that cannot register. Saving it again gives it a new secret. */
export async function saveStaticClient(db: Database, actor: Actor, given: NewStaticClient) {
  const redirect_uris = acceptableRedirects(given.redirect_uris);
  if (redirect_uris.length === 0 || redirect_uris.length < new Set(given.redirect_uris).size) {
    throw new DomainError('invalid_input', 'A redirect is https, loopback http, or a scheme that Cairn knows.', {
      hint: 'Correct --redirect.',
    });
  }
  const secret = given.confidential ? mintSecret('client') : undefined;
  const client = {
    client_id: given.client_id,
    client_name: shownName(given.client_name),
    redirect_uris,
    token_endpoint_auth_method: given.confidential ? 'client_secret_basic' : 'none',
    ...(secret === undefined ? {} : { client_secret_hash: secret.hash }),
  };
  const saved = await db.call<Client>('save_static_client', { client }, actor);
  return { ...saved, ...(secret === undefined ? {} : { client_secret: secret.secret }) };
}

type Rotated = {
  clients: string[];
  revoked?: { grants: number; tokens: number; pats: number };
  invitations?: number;
  sessions?: number;
};

/** Gives these clients new secrets; with `everything`, ends all other access to the workspace but the password. */
export async function rotateSecrets(
  db: Database,
  actor: Actor,
  { clients, everything }: { clients: readonly string[]; everything: boolean },
) {
  const minted = clients.map((client_id) => ({ client_id, ...mintSecret('client') }));
  const renewed = minted.map(({ client_id, hash }) => ({ client_id, client_secret_hash: hash }));
  const rotated = await db.call<Rotated>('rotate_secrets', { renewed, everything }, actor);
  return { ...rotated, clients: minted.map(({ client_id, secret }) => ({ client_id, client_secret: secret })) };
}
