import { text } from 'node:stream/consumers';
import type { Role } from '../../auth/answers.ts';
import { RUNNER_SCOPE } from '../../auth/scopes.ts';
import { credentialHash } from '../../auth/secrets.ts';
import { createPat, inviteMember, saveStaticClient } from '../../auth/server/issue.ts';
import { resourceOf } from '../../auth/settings.ts';
import { authStore } from '../../auth/store.ts';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import {
  type Connection,
  ListAuthEvents,
  ListConnections,
  RevokeAccess,
  ROLES,
  SetMember,
} from '../../services/access.ts';
import { admin } from '../../tools/admin.ts';
import { SCOPES } from '../../tools/catalog.ts';
import { person } from '../../tools/person.ts';

import { amount, time } from '../../tools/render.ts';
import { timeOf } from '../ages.ts';
import { inLocalContext, parseGiven, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { servedAddress } from '../serve/served-address.ts';
import { type JsonOption, printResult, printValue, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

type ConnectionOptions = JsonOption & { all?: true; user?: string; client?: string; ended?: true };

/** `cairn auth connections`. */
export async function runConnections(
  config: Config,
  { all, user, client, ended, ...options }: ConnectionOptions,
): Promise<void> {
  const chosen = parseGiven(ListConnections, {
    all: all ?? (user !== undefined || client !== undefined),
    user_id: user,
    client_id: client,
    ended,
  });
  const page = await inLocalContext(config, (ctx) => perform(ctx, admin.commands.list_connections, chosen));
  printResult(page, options, ({ connections }) => connectionLines(connections));
}

function connectionLines(connections: readonly Connection[]): string[] {
  if (connections.length === 0) return ['No connections.'];
  return table(connections, [
    { heading: 'ID', text: ({ id }) => id },
    { heading: 'USER', text: ({ user }) => user, flexible: true },
    { heading: 'CLIENT', text: ({ client }) => client, style: (text) => styled('bold', text), flexible: true },
    { heading: 'HOW', text: ({ client_kind }) => client_kind },
    { heading: 'WHERE', text: ({ redirect_host }) => redirect_host ?? '', flexible: true },
    { heading: 'MAY', text: ({ scope }) => scope, flexible: true },
    { heading: 'PROJECT', text: ({ project }) => project ?? '' },
    { heading: 'AGENT', text: ({ agent }) => agent ?? '' },
    { heading: 'USED', text: ({ last_used_at }) => (last_used_at === undefined ? 'never' : fromNow(last_used_at)) },
    { heading: 'FROM', text: ({ last_used_ip }) => last_used_ip ?? '' },
    { heading: 'ENDED', text: ({ revoked_at }) => (revoked_at === undefined ? '' : fromNow(revoked_at)) },
  ]);
}

type RevokeOptions = JsonOption & {
  id?: string | undefined;
  user?: string;
  client?: string;
  everything?: true;
  yes?: true;
  reason?: string;
};

/** `cairn auth revoke`: exit status 1 when nothing matched. */
export async function runRevoke(
  config: Config,
  { id, user, client, everything, yes, reason, ...options }: RevokeOptions,
): Promise<void> {
  if (everything && !yes) {
    throw mistyped('This ends every connection of the workspace.', 'Add --yes to do it.');
  }
  const chosen = parseGiven(RevokeAccess, { id, user_id: user, client_id: client, everything, reason });
  const revoked = await inLocalContext(config, (ctx) => perform(ctx, admin.commands.revoke_access, chosen));
  if (revoked.grants + revoked.pats === 0) process.exitCode = 1;
  printResult(revoked, options, ({ grants, tokens, pats }) => [
    `Revoked ${amount(grants, 'grant')} with ${amount(tokens, 'token')}, and ${amount(pats, 'personal token')}.`,
  ]);
}

/** `cairn auth clients`. */
export async function runClients(config: Config, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, (ctx) => perform(ctx, admin.commands.list_clients, {}));
  printResult(found, options, ({ clients }) => {
    if (clients.length === 0) return ['No clients.'];
    return table(clients, [
      { heading: 'CLIENT', text: ({ client_id }) => client_id },
      { heading: 'NAME', text: ({ client_name }) => client_name ?? '', flexible: true },
      { heading: 'HOW', text: ({ kind }) => kind ?? 'gone' },
      { heading: 'GRANTS', text: ({ grants }) => String(grants) },
      { heading: 'USERS', text: ({ users }) => String(users) },
      { heading: 'BLOCKED', text: ({ blocked_at }) => (blocked_at === undefined ? '' : fromNow(blocked_at)) },
    ]);
  });
}

/** `cairn auth clients block|unblock`. */
export async function runBlock(
  config: Config,
  { client, blocked, ...options }: JsonOption & { client: string; blocked: boolean },
): Promise<void> {
  const done = await inLocalContext(config, (ctx) =>
    perform(ctx, admin.commands.block_client, { client_id: client, blocked }),
  );
  printResult(done, options, ({ revoked }) => [
    blocked ? `Blocked; ${revoked.grants ?? 0} grants ended.` : 'Admitted again.',
  ]);
}

type AddOptions = JsonOption & { client: string; redirect: string[]; name?: string; secret?: true };

/** `cairn auth clients add`. */
export async function runAddClient(
  config: Config,
  { client, redirect, name, secret, ...options }: AddOptions,
): Promise<void> {
  const given = {
    client_id: client,
    client_name: name ?? client,
    redirect_uris: redirect,
    confidential: secret === true,
  };
  const saved = await inLocalContext(config, ({ db, actor }) => saveStaticClient(db, actor, given));
  if (saved.client_secret === undefined) return printResult(saved, options, () => [`Added ${client}.`]);
  const about = `Added ${client}. Its secret is shown this once:`;
  printValue(saved, options, { value: saved.client_secret, about });
}

/** `cairn auth clients rm`. */
export async function runRemoveClient(
  config: Config,
  { client, ...options }: JsonOption & { client: string },
): Promise<void> {
  const removed = await inLocalContext(config, (ctx) => perform(ctx, person.remove_client, { client_id: client }));
  printResult(removed, options, ({ revoked }) => [`Removed; ${revoked.grants} grants ended.`]);
}

export type PatOptions = JsonOption & {
  name: string;
  scope?: string;
  agent?: string | undefined;
  expires: string;
  project?: string | undefined;
};

const PAT_SCOPES = 'projects:read,projects:write,tasks:read,tasks:write';

/** `cairn auth pat create`: the token is shown once, alone on standard output. */
export async function runCreatePat(
  config: Config,
  { name, agent, scope = agent === undefined ? PAT_SCOPES : RUNNER_SCOPE, expires, project, ...options }: PatOptions,
): Promise<void> {
  const asked = new Set(scope.split(',').map((part) => part.trim()));
  // Who names an agent means to drive it, whatever else the token may do.
  if (agent !== undefined) asked.add(RUNNER_SCOPE);
  const known = SCOPES.filter((each) => asked.has(each));
  if (known.length < asked.size) throw mistyped(`Scopes: ${SCOPES.join(', ')}.`, 'Correct --scope.');
  const given = { name, scope: known.join(' '), project, agent, days: daysOf(expires, 366) };
  const { resource, ...created } = await inLocalContext(config, async ({ db, actor }) => {
    const resource = resourceOf({ issuer: (await servedAddress(config, db)).origin });
    return { resource, ...(await createPat(db, actor, { ...given, resource })) };
  });
  const { token, id, project: only, agent: driven, expires_at } = created;
  const limits = [driven && `, to drive the agent ${driven} alone`, only && `, in the project ${only} alone`];
  const about =
    `A token for ${resource}${limits.filter(Boolean).join('')}, until ${time(expires_at)}, shown this once. ` +
    `End it with: cairn auth revoke ${id}`;
  printValue(created, options, { value: token, about });
}

/** `cairn auth pat list`. */
export async function runPats(config: Config, { all, ...options }: JsonOption & { all?: true }): Promise<void> {
  const pats: Connection[] = [];
  await inLocalContext(config, async (ctx) => {
    for (let before: string | undefined, more = true; more; more = before !== undefined) {
      const page = await perform(ctx, admin.commands.list_connections, { all, before });
      pats.push(...page.connections.filter(({ kind }) => kind === 'pat'));
      before = page.next_before;
    }
  });
  printResult({ pats }, options, () => connectionLines(pats));
}

/** `cairn auth pat revoke`: by id, or by the token itself. */
export async function runRevokePat(
  config: Config,
  { id, tokenStdin, ...options }: JsonOption & { id?: string | undefined; tokenStdin?: true },
): Promise<void> {
  if (!tokenStdin) return runRevoke(config, { id, ...options });
  const token = credentialHash(['pat', 'access', 'refresh'], (await text(process.stdin)).trim());
  if (token === undefined) {
    throw new DomainError('invalid_input', 'That is not a token of Cairn.', {
      hint: 'Paste the whole of it; a typo is noticed.',
    });
  }
  const { hash: token_hash, tenant_id } = token;
  const done = await inLocalContext(config, ({ db }) => authStore(db).revokeToken({ token_hash }, { tenant_id }));
  if (!done.revoked) process.exitCode = 1;
  printResult(done, options, ({ revoked }) => [revoked ? 'Revoked.' : 'It was not known here.']);
}

type InviteOptions = JsonOption & { email?: string; role: string; expires: string };

/** `cairn auth invite`: the link is shown once. */
export async function runInvite(config: Config, { email, role, expires, ...options }: InviteOptions): Promise<void> {
  const given = { email, role: roleOf(role), days: daysOf(expires, 90) };
  const created = await inLocalContext(config, async ({ db, actor }) => {
    const address = await servedAddress(config, db);
    const made = await inviteMember(db, actor, given);
    return { ...made, link: new URL(`/invite?code=${made.invitation}`, address).href };
  });
  const about = `A link for the role ${created.role}, good once, until ${time(created.expires_at)}:`;
  printValue(created, options, { value: created.link, about });
}

/** `cairn auth members`. */
export async function runMembers(config: Config, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, (ctx) => perform(ctx, admin.commands.list_members, {}));
  printResult(found, options, ({ members }) =>
    table(members, [
      { heading: 'ID', text: ({ user_id }) => user_id },
      { heading: 'NAME', text: ({ name }) => name, flexible: true },
      { heading: 'EMAIL', text: ({ email }) => email ?? '', flexible: true },
      { heading: 'ROLE', text: ({ role }) => role },
      { heading: 'CONNECTIONS', text: ({ connections }) => String(connections) },
    ]),
  );
}

/** `cairn auth members set|rm`. */
export async function runSetMember(
  config: Config,
  { user, role, ...options }: JsonOption & { user: string; role?: string },
): Promise<void> {
  const chosen = parseGiven(SetMember, { user_id: user, role });
  const done = await inLocalContext(config, (ctx) => perform(ctx, admin.commands.set_member, chosen));
  printResult(done, options, () => [role === undefined ? 'Removed; the access ended.' : `Now ${role}.`]);
}

type TrailOptions = JsonOption & { since?: string; type?: string; unowned?: true };

/** `cairn auth events`. */
export async function runAuthEvents(config: Config, { since, type, unowned, ...options }: TrailOptions): Promise<void> {
  const chosen = parseGiven(ListAuthEvents, { since: since === undefined ? undefined : timeOf(since), type });
  const found = await inLocalContext(config, (ctx) => perform(ctx, person.list_auth_events, { ...chosen, unowned }));
  printResult(found, options, ({ events }) => {
    if (events.length === 0) return ['Nothing.'];
    return table(events, [
      { heading: 'AT', text: ({ at }) => at.slice(0, 19) },
      { heading: 'WHAT', text: ({ type: what }) => what, style: (text) => styled('bold', text) },
      { heading: 'USER', text: ({ user }) => user ?? '', flexible: true },
      { heading: 'CLIENT', text: ({ client_id }) => client_id ?? '', flexible: true },
      { heading: 'FROM', text: ({ ip }) => ip ?? '' },
      { heading: 'MORE', text: ({ data }) => (data === undefined ? '' : JSON.stringify(data)), flexible: true },
    ]);
  });
}

/** `cairn auth gc`. */
export async function runPurge(config: Config, options: JsonOption): Promise<void> {
  const purged = await inLocalContext(config, ({ db }) => authStore(db).purge());
  printResult(purged, options, (counts) => Object.entries(counts).map(([name, count]) => `${name}: ${count}`));
}

function daysOf(given: string, max: number): number {
  const days = Number(given.replace(/d$/, ''));
  if (Number.isInteger(days) && days >= 1 && days <= max) return days;
  throw mistyped(`--expires is a number of days, 1 to ${max}.`, 'Like --expires 30.');
}

function roleOf(given: string): Role {
  const role = ROLES.find((known) => known === given);
  if (role !== undefined) return role;
  throw mistyped(`Roles: ${ROLES.join(', ')}.`, 'Correct --role.');
}
