import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';

/** The needed part of a context: the pages have no more. */
type Caller = Pick<Context, 'db' | 'actor'>;

// A user's id is made of the identity's hash, which is no uuid of RFC 9562.
const Id = z.guid().max(36);
const ClientId = z.string().min(1).max(500).describe('The client_id that list_connections shows.');
const Before = Id.optional().describe('next_before of the page before.');

export const ROLES = ['owner', 'admin', 'member', 'viewer'] as const;
const Role = z.enum(ROLES);

export const ListConnections = z.strictObject({
  all: z.boolean().default(false).describe("Everybody's, not only one's own; for admins."),
  user_id: Id.optional().describe('Only those of this member.'),
  client_id: ClientId.optional(),
  ended: z.boolean().default(false).describe('Also those that were revoked or are over.'),
  before: Before,
});

const Connection = z.object({
  id: z.string(),
  kind: z.enum(['oauth', 'pat']),
  user_id: z.string(),
  user: z.string(),
  client_id: z.string(),
  client: z.string(),
  client_kind: z.string(),
  redirect_host: z.string().optional(),
  scope: z.string(),
  project: z.string().optional(),
  agent: z.string().optional().describe('The one that it drives.'),
  created_at: z.string(),
  created_ip: z.string().optional(),
  last_used_at: z.string().optional(),
  last_used_ip: z.string().optional(),
  expires_at: z.string(),
  revoked_at: z.string().optional(),
  revoked_reason: z.string().optional(),
});
export type Connection = z.infer<typeof Connection>;

export const ConnectionPage = z.object({ connections: z.array(Connection), next_before: z.string().optional() });

const queryConnections = sqlFunction('list_connections', ConnectionPage);

/** Lists who has access, through which client, since when, and the last use: grants and personal access tokens. */
export async function listConnections(
  caller: Caller,
  { before, ...chosen }: z.infer<typeof ListConnections>,
): Promise<z.infer<typeof ConnectionPage>> {
  return queryConnections(caller, { chosen, before });
}

export const RevokeAccess = z.strictObject({
  id: Id.optional().describe('One connection.'),
  user_id: Id.optional().describe('All of a member.'),
  client_id: ClientId.optional(),
  everything: z.boolean().default(false).describe('Every connection of the workspace.'),
  reason: z.string().max(200).optional().describe('Stays on the record.'),
});

export const Revoked = z.object({ grants: z.int(), tokens: z.int(), pats: z.int() });

const revoke = sqlFunction('revoke_access', Revoked);

/** Ends access: the very next request is refused, wherever it arrives. */
export async function revokeAccess(
  caller: Caller,
  { reason, ...chosen }: z.infer<typeof RevokeAccess>,
): Promise<z.infer<typeof Revoked>> {
  return revoke(caller, { chosen, reason });
}

export const ListClients = z.strictObject({});

const ClientSummary = z.object({
  client_id: z.string(),
  kind: z.string().optional(),
  client_name: z.string().optional(),
  redirect_hosts: z.array(z.string()).optional(),
  grants: z.int(),
  users: z.int(),
  last_used_at: z.string().optional(),
  blocked_at: z.string().optional(),
});
export type ClientSummary = z.infer<typeof ClientSummary>;

export const ClientList = z.object({ clients: z.array(ClientSummary) });

export const listClients = sqlFunction('list_clients', ClientList);

export const BlockClient = z.strictObject({
  client_id: ClientId,
  blocked: z.boolean().default(true).describe('false admits it again.'),
});

export const BlockedClient = z.object({ blocked: z.boolean(), revoked: Revoked.partial() });

/** Blocks a client: ends its grants in the workspace; nobody can consent to it there again. */
export const blockClient = sqlFunction('block_client', BlockedClient);

export const RemoveClient = z.strictObject({ client_id: ClientId });

/** Removes a client that an admin added in advance. */
export const removeClient = sqlFunction('remove_client', z.object({ removed: z.boolean(), revoked: Revoked }));

export const ListMembers = z.strictObject({});

const Member = z.object({
  user_id: z.string(),
  name: z.string(),
  email: z.string().optional(),
  role: Role,
  since: z.string(),
  connections: z.int(),
});
const Invitation = z.object({ id: z.string(), email: z.string().optional(), role: Role, expires_at: z.string() });

export const MemberList = z.object({ members: z.array(Member), invitations: z.array(Invitation) });
export type MemberList = z.infer<typeof MemberList>;

export const listMembers = sqlFunction('list_members', MemberList);

export const SetMember = z.strictObject({
  user_id: Id,
  role: Role.optional().describe('The new role. Without one the member is removed and loses access at once.'),
});

export const ChangedMember = z.object({
  role: Role.optional(),
  revoked: Revoked.optional(),
  invitations: z.int().optional().describe('How many of theirs were withdrawn.'),
});

export const setMember = sqlFunction('set_member', ChangedMember);

export const RevokeInvitation = z.strictObject({ invitation: Id });

/** Withdraws an invitation. */
export const revokeInvitation = sqlFunction('revoke_invitation', z.object({ revoked: z.boolean() }));

export const ListSecrets = z.strictObject({});

const KeptSecrets = z.object({
  kind: z.enum([
    'access_token',
    'refresh_token',
    'personal_token',
    'client_secret',
    'invitation',
    'password',
    'session',
    'login_link',
  ]),
  count: z.int(),
  since: z.string().optional(),
  until: z.string().optional(),
});
export type KeptSecrets = z.infer<typeof KeptSecrets>;

export const SecretList = z.object({ secrets: z.array(KeptSecrets), clients: z.array(z.string()) });

/** Counts the current secrets of the workspace by kind: nobody can say more, since only hashes are stored. */
export const listSecrets = sqlFunction('list_secrets', SecretList);

export const ListAuthEvents = z.strictObject({
  since: z.iso.datetime({ offset: true }).max(40).optional().describe('Only from this time on.'),
  type: z.string().max(60).optional().describe('Like grant.revoked, or its first word: grant.'),
  user_id: Id.optional(),
  client_id: ClientId.optional(),
  before: Before,
});

const AuthEvent = z.object({
  id: z.string(),
  at: z.string(),
  type: z.string(),
  user_id: z.string().optional(),
  user: z.string().optional(),
  client_id: z.string().optional(),
  client: z.string().optional(),
  subject_id: z.string().optional(),
  ip: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});
export type AuthEvent = z.infer<typeof AuthEvent>;

export const AuthEventPage = z.object({ events: z.array(AuthEvent), next_before: z.string().optional() });

const queryAuthEvents = sqlFunction('list_auth_events', AuthEventPage);

/** Lists the audit trail of access, newest first. `unowned` shows events of no workspace, for the operator. */
export async function listAuthEvents(
  caller: Caller,
  { before, ...chosen }: z.infer<typeof ListAuthEvents> & { unowned?: boolean },
): Promise<z.infer<typeof AuthEventPage>> {
  return queryAuthEvents(caller, { chosen, before });
}
