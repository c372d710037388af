import * as z from 'zod';
import type { Actor, Database } from '../../db/database.ts';
import { sqlFunction } from '../../db/sql-function.ts';
import { DomainError } from '../../errors.ts';
import { newId } from '../../events/ids.ts';
import { Revoked } from '../../services/access.ts';
import { Client, Role } from '../answers.ts';
import { mintSecret, mintWorkspaceSecret } from '../secrets.ts';
import { acceptableRedirects, shownName } from './client-metadata.ts';

/** Secrets that an admin or user hands out: each answer holds one secret, shown once and stored nowhere. */

const DAY_SECONDS = 86_400;

const savePat = sqlFunction(
  'create_pat',
  z.object({
    id: z.string(),
    name: z.string(),
    scope: z.string(),
    project: z.string().optional(),
    agent: z.string().optional(),
    expires_at: z.string(),
  }),
);
const saveInvitation = sqlFunction(
  'invite_member',
  z.object({ id: z.string(), role: Role, email: z.string().optional(), expires_at: z.string() }),
);
const saveClient = sqlFunction('save_static_client', Client);
const saveSecrets = sqlFunction(
  'rotate_secrets',
  z.object({
    clients: z.array(z.string()),
    revoked: Revoked.optional(),
    invitations: z.int().optional(),
    sessions: z.int().optional(),
  }),
);

type NewPat = {
  name: string;
  scope: string;
  project?: string | undefined;
  agent?: string | undefined;
  days: number;
  resource: string;
};

/**
 * Makes a personal access token for programs without a browser, in the actor's workspace, otherwise in the user's own,
 * whose id is the user's; with a project (slug or id) limited to it, and with an agent's name to drive that one. Raises
 * forbidden for `admin` without the role, invalid_input for `admin` within a project, and not_found.
 */
export async function createPat(db: Database, actor: Actor, { days, ...given }: NewPat) {
  const { tenant_id = actor.user_id } = actor;
  const { secret, hash: token_hash } = mintWorkspaceSecret('pat', tenant_id);
  const pat = { id: newId(), token_hash, ...given, ttl_seconds: days * DAY_SECONDS };
  const created = await savePat({ db, actor: { ...actor, tenant_id } }, { pat });
  return { ...created, token: secret };
}

type NewInvitation = { role: Role; email?: string | undefined; days: number };

/** Makes an invitation, open to anyone with the link or bound to a verified address. */
export async function inviteMember(db: Database, actor: Actor, { role, email, days }: NewInvitation) {
  const { secret, hash: invitation_hash } = mintSecret('invitation');
  const invitation = { id: newId(), invitation_hash, role, email, ttl_seconds: days * DAY_SECONDS };
  const created = await saveInvitation({ db, actor }, { invitation });
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
  const saved = await saveClient({ db, actor }, { client });
  return { ...saved, ...(secret === undefined ? {} : { client_secret: secret.secret }) };
}

/** Gives these clients new secrets; with `everything`, ends all other access to the workspace but the password. */
export async function rotateSecrets(
  db: Database,
  actor: Actor,
  { clients, everything }: { clients: readonly string[]; everything: boolean },
) {
  const minted = clients.map((client_id) => ({ client_id, ...mintSecret('client') }));
  const renewed = minted.map(({ client_id, hash }) => ({ client_id, client_secret_hash: hash }));
  const rotated = await saveSecrets({ db, actor }, { renewed, everything });
  return { ...rotated, clients: minted.map(({ client_id, secret }) => ({ client_id, client_secret: secret })) };
}
