import type { Client, Person, Role } from '../auth/store.ts';
import type { Database } from '../db/database.ts';
import type { FunctionName } from '../db/functions.ts';

/** A grant to a program, or a personal access token. */
export type Connection = {
  id: string;
  kind: 'oauth' | 'pat';
  user_id: string;
  user: string;
  client_id: string;
  client: string;
  client_kind: Client['kind'] | 'pat';
  redirect_host?: string;
  scope: string;
  created_at: string;
  last_used_at?: string;
  last_used_ip?: string;
  expires_at: string;
};

export type Member = { user_id: string; name: string; email?: string; role: Role; since: string; connections: number };
export type Invitation = { id: string; email?: string; role: Role; expires_at: string };
export type AuthEvent = {
  id: string;
  at: string;
  type: string;
  user?: string;
  client_id?: string;
  ip?: string;
  data?: Record<string, unknown>;
};

/** Which connections: one, all of a user, all of a client. */
export type Chosen = { id?: string; user_id?: string; client_id?: string };

const PAGE_SIZE = 100;

/** What the pages ask of a workspace, for the person who is signed in; SQL decides what the role allows. */
export function accessOf(db: Database, person: Person) {
  const call = <T>(fn: FunctionName, args: Record<string, unknown>): Promise<T> => db.call<T>(fn, args, person);
  return {
    connections: (chosen: { all?: boolean }, before?: string) =>
      call<{ connections: Connection[]; next_before?: string }>('list_connections', {
        chosen,
        before,
        page_size: PAGE_SIZE,
      }),
    revoke: (chosen: Chosen, reason: string) =>
      call<{ grants: number; tokens: number; pats: number }>('revoke_access', { chosen, reason }),
    members: () => call<{ members: Member[]; invitations: Invitation[] }>('list_members', {}),
    setMember: (user_id: string, role?: string) => call<object>('set_member', { user_id, role }),
    invite: (invitation: { id: string; invitation_hash: string; email: string; role: string; ttl_seconds: number }) =>
      call<Invitation>('invite_member', { invitation }),
    revokeInvitation: (invitation: string) => call<{ revoked: boolean }>('revoke_invitation', { invitation }),
    events: () => call<{ events: AuthEvent[] }>('list_auth_events', { page_size: 30 }),
  };
}
