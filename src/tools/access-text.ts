import { quote } from '../quote.ts';
import type { AuthEvent, ClientSummary, Connection, KeptSecrets, MemberList } from '../services/access.ts';
import { time } from './render.ts';

/** Formats one connection on one line; programs and people chose their names themselves. */
export function connectionLine(connection: Connection): string {
  const {
    id,
    kind,
    client,
    client_kind,
    redirect_host,
    user,
    scope,
    project,
    last_used_at,
    last_used_ip,
    revoked_at,
    expires_at,
  } = connection;
  return [
    `${id} ${kind === 'pat' ? 'token' : client_kind} ${quote(client, 100)} of ${quote(user, 100)}`,
    redirect_host === undefined ? '' : `at ${redirect_host}`,
    `may ${scope}${project === undefined ? '' : ` in ${project} alone`}`,
    last_used_at === undefined
      ? 'never used'
      : `last used ${time(last_used_at)}${last_used_ip ? ` from ${last_used_ip}` : ''}`,
    revoked_at === undefined ? `until ${time(expires_at)}` : `revoked ${time(revoked_at)}`,
  ]
    .filter((part) => part !== '')
    .join(', ');
}

export function clientLine({ client_id, kind, client_name, grants, users, blocked_at }: ClientSummary): string {
  const name = client_name === undefined ? '' : ` ${quote(client_name, 100)}`;
  return `${client_id} ${kind ?? 'gone'}${name}: ${grants} grants of ${users} users${blocked_at === undefined ? '' : ', blocked'}`;
}

export function memberLine({ user_id, name, email, role, connections }: MemberList['members'][number]): string {
  return `${user_id} ${quote(name, 100)}${email === undefined ? '' : ` ${quote(email)}`} ${role}, ${connections} connections`;
}

export function secretLine({ kind, count, since, until }: KeptSecrets): string {
  const times = [since && `since ${time(since)}`, until && `until ${time(until)}`].filter(Boolean);
  return [`${kind}: ${count}`, ...times].join(', ');
}

export function authEventLine({ at, type, user, client_id, ip, data }: AuthEvent): string {
  const parts = [
    time(at),
    type,
    user && quote(user, 100),
    client_id,
    ip && `from ${ip}`,
    data && quote(JSON.stringify(data)),
  ];
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
}
