import { quote } from '../quote.ts';
import {
  AuthEventPage,
  BlockClient,
  BlockedClient,
  blockClient,
  ChangedMember,
  ClientList,
  ConnectionPage,
  ListAuthEvents,
  ListClients,
  ListConnections,
  ListMembers,
  ListSecrets,
  listAuthEvents,
  listClients,
  listConnections,
  listMembers,
  listSecrets,
  MemberList,
  RevokeAccess,
  Revoked,
  revokeAccess,
  SecretList,
  SetMember,
  setMember,
} from '../services/access.ts';
import { EventBrief } from '../services/events.ts';
import { RedactEvent, redactEvent } from '../services/history.ts';
import { BreakLock, breakLock, ChangedTask } from '../services/tasks.ts';
import { authEventLine, clientLine, connectionLine, memberLine, secretLine } from './access-text.ts';
import { amount, eventLine, lines } from './render.ts';
import { briefChange, renderChange } from './task-text.ts';
import { toolset } from './tool.ts';

export const admin = toolset(
  'admin',
  {
    purpose: 'owners and admins only',
    description: 'What only an owner or admin of the workspace may do.',
    scopes: { admin: 'Administer the workspace: break locks, redact events, end access' },
  },
  {
    break_lock: {
      title: 'Break a lock',
      description:
        "End another agent's claim on a task when it is known to be gone. Its lock_token is worth nothing from then on.",
      effect: 'destructive',
      input: BreakLock,
      output: ChangedTask,
      run: breakLock,
      brief: briefChange,
      render: renderChange,
    },
    redact_event: {
      title: 'Redact an event',
      description:
        'Blank what an event says, for good, e.g. a leaked secret. That it was redacted stays on the record.',
      effect: 'destructive',
      idempotent: true,
      input: RedactEvent,
      output: EventBrief,
      run: redactEvent,
      render: (event) => `Redacted ${eventLine(event)}`,
    },
    list_connections: {
      title: 'List connections',
      description:
        'Who has access to the workspace: which client, for whom, with which scopes, since when, last used from where.',
      effect: 'read',
      input: ListConnections,
      output: ConnectionPage,
      run: listConnections,
      render: ({ connections, next_before }) =>
        lines(
          connections.length === 0 && 'No connections.',
          connections.map(connectionLine),
          next_before !== undefined && `More: before=${next_before}`,
        ),
    },
    revoke_access: {
      title: 'Revoke access',
      description:
        'End one connection, all of a client, all of a member, or everything. What was revoked is refused at its next request. Name exactly what the person asked for.',
      effect: 'destructive',
      idempotent: true,
      input: RevokeAccess,
      output: Revoked,
      run: revokeAccess,
      render: ({ grants, tokens, pats }) =>
        `Revoked ${grants} grants with ${tokens} tokens, and ${pats} personal tokens.`,
    },
    list_clients: {
      title: 'List clients',
      description: 'The programs that have or had access to the workspace, and those that are blocked.',
      effect: 'read',
      input: ListClients,
      output: ClientList,
      run: listClients,
      render: ({ clients }) => lines(clients.length === 0 && 'No clients.', clients.map(clientLine)),
    },
    block_client: {
      title: 'Block a client',
      description:
        'Keep a program out of the workspace: its grants end and nobody can grant it access again. Or admit it again.',
      effect: 'destructive',
      idempotent: true,
      input: BlockClient,
      output: BlockedClient,
      run: blockClient,
      render: ({ blocked, revoked }) => (blocked ? `Blocked; ${revoked.grants ?? 0} grants ended.` : 'Admitted again.'),
    },
    list_members: {
      title: 'List members',
      description: 'Who belongs to the workspace, in which role, and who is invited.',
      effect: 'read',
      input: ListMembers,
      output: MemberList,
      run: listMembers,
      render: ({ members, invitations }) =>
        lines(
          members.map(memberLine),
          invitations.map(
            ({ id, email, role }) => `${id} invited ${quote(email ?? 'whoever has the link')} as ${role}`,
          ),
        ),
    },
    set_member: {
      title: 'Change a member',
      description: 'Give a member another role, or without a role remove the member, whose access ends at once.',
      effect: 'destructive',
      idempotent: true,
      input: SetMember,
      output: ChangedMember,
      run: setMember,
      render: ({ role, revoked, invitations }) =>
        (role === undefined ? `Removed; ${revoked?.grants ?? 0} grants ended.` : `Now ${role}.`) +
        (invitations === undefined ? '' : ` ${amount(invitations, 'invitation')} withdrawn.`),
    },
    list_secrets: {
      title: 'List secrets',
      description:
        'What opens the workspace now: how many tokens, invitations, client secrets and sessions are good, and until when. None is shown, for hashes alone are kept.',
      effect: 'read',
      input: ListSecrets,
      output: SecretList,
      run: listSecrets,
      render: ({ secrets }) => lines(secrets.map(secretLine)),
    },
    list_auth_events: {
      title: 'Read the audit trail',
      description: 'Every grant, refresh, refusal, reuse and revocation of access to the workspace, newest first.',
      effect: 'read',
      input: ListAuthEvents,
      output: AuthEventPage,
      run: listAuthEvents,
      render: ({ events, next_before }) =>
        lines(
          events.length === 0 && 'Nothing.',
          events.map(authEventLine),
          next_before !== undefined && `More: before=${next_before}`,
        ),
    },
  },
);
