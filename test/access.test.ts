import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import { createPat } from '../src/auth/issue.ts';
import { hashSecret, isSecret } from '../src/auth/secrets.ts';
import { authStore } from '../src/auth/store.ts';
import type { Context } from '../src/context.ts';
import type { Actor } from '../src/db/database.ts';
import type { AuthFunctionName } from '../src/db/functions.ts';
import { newId } from '../src/events/ids.ts';
import { listAuthEvents, listConnections, listMembers, revokeAccess } from '../src/services/access.ts';
import { liveWithAccess } from './support/access-story.ts';
import { test } from './support/world.ts';

const RESOURCE = 'https://cairn.test/mcp';
const PAT = { name: 'ci', scope: 'tasks:read admin', days: 30, resource: RESOURCE };

describe('a personal access token', () => {
  test('is seen with its use, ends at once, and leaves a trail without its secret', async ({ as }) => {
    const { db, actor } = as('ada');
    const { token, id } = await createPat(db, actor, PAT);
    const use = (resource = RESOURCE) =>
      authStore(db).authenticateToken(
        { token_hash: hashSecret(token), resource },
        { ip: '203.0.113.9', tenant_id: String(actor.tenant_id) },
      );

    expect(isSecret('pat', token)).toBe(true);
    expect(isSecret('pat', `${token.slice(0, 20)}x${token.slice(21)}`)).toBe(false);
    expect(await use()).toMatchObject({ kind: 'pat', role: 'owner' });
    expect(await use('https://other.test/mcp')).toEqual({ refused: 'audience' });
    const { connections } = await listConnections(as('ada'), { all: true, ended: false });
    expect(connections).toMatchObject([{ id, client: 'ci', last_used_ip: '203.0.113.9' }]);
    expect((await listMembers(as('ada'))).members).toMatchObject([{ connections: 1 }]);

    expect(await revokeAccess(as('ada'), { id, everything: false })).toEqual({ grants: 0, tokens: 0, pats: 1 });

    expect(await use()).toEqual({ refused: 'revoked' });
    const { events } = await listAuthEvents(as('ada'), {});
    expect(events.map(({ type }) => type)).toEqual(['pat.revoked', 'token.refused', 'pat.created']);
    expect(JSON.stringify(events)).not.toContain(token.slice(10));
  });

  test('proves its own user within a call, and no other member', async ({ as, asStranger, sql }) => {
    const [{ db, actor: ada }, { actor: eve }] = [as('ada'), asStranger('eve')];
    const member = { ...eve, tenant_id: String(ada.tenant_id) };
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'viewer')`, [
      member.tenant_id,
      member.user_id,
    ]);
    const pat = { ...PAT, scope: 'projects:read' };
    const [here, elsewhere] = [await createPat(db, member, pat), await createPat(db, eve, pat)];
    const list = (actor: Actor, { token }: { token: string }) =>
      db.call('list_projects', {}, { ...actor, proof: { token_hash: hashSecret(token), resource: RESOURCE } });

    expect(await list(member, here)).toMatchObject({ projects: [] });
    await expect(list(ada, here)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(list(member, elsewhere)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('of another workspace can be neither seen nor revoked', async ({ as, asStranger }) => {
    const { db, actor } = as('ada');
    const { id } = await createPat(db, actor, PAT);

    expect(await listConnections(asStranger('eve'), { all: true, ended: true })).toEqual({ connections: [] });
    expect(await revokeAccess(asStranger('eve'), { id, everything: false })).toMatchObject({ pats: 0 });
  });
});

/** Every call of an administrator in which something of another workspace can be named. */
const CALLS: [fn: AuthFunctionName, args: (ref: Named) => Record<string, unknown>][] = [
  ['list_connections', () => ({ chosen: { all: true, ended: true } })],
  ['list_connections', ({ user_id, client_id }) => ({ chosen: { all: true, user_id, client_id } })],
  ['list_clients', () => ({})],
  ['list_members', () => ({})],
  ['list_auth_events', () => ({ page_size: 200 })],
  ['list_auth_events', ({ user_id }) => ({ chosen: { user_id } })],
  ['list_auth_events', ({ client_id }) => ({ chosen: { client_id } })],
  ['revoke_access', ({ connection: id }) => ({ chosen: { id } })],
  ['revoke_access', ({ user_id }) => ({ chosen: { user_id } })],
  ['revoke_access', ({ client_id }) => ({ chosen: { client_id } })],
  ['block_client', ({ client_id }) => ({ client_id })],
  ['block_client', ({ client_id }) => ({ client_id, blocked: false })],
  ['remove_client', ({ static_id: client_id }) => ({ client_id })],
  ['revoke_invitation', ({ invitation }) => ({ invitation })],
  ['set_member', ({ user_id }) => ({ user_id, role: 'viewer' })],
  ['set_member', ({ user_id }) => ({ user_id })],
];

type Named = Record<'user_id' | 'client_id' | 'static_id' | 'connection' | 'invitation', string>;

async function outcome({ db, actor }: Context, fn: AuthFunctionName, [args, ref]: [object, Named]): Promise<string> {
  const learned = await db.call(fn, { ...args }, actor).then(
    (result) => ({ result }),
    ({ code, message, hint, details }) => ({ code, message, hint, details }),
  );
  return Object.values(ref).reduce((text, name) => text.replaceAll(name, '<ref>'), JSON.stringify(learned));
}

describe('the access to another workspace', () => {
  test('is as if it were not there, whatever an administrator asks', async ({ as, asStranger }) => {
    const [ada, eve] = [as('ada'), asStranger('eve')];
    const { client_id, hash, resource } = await liveWithAccess(eve.db, eve.actor);
    const client = { client_id: randomUUID(), client_name: 'Hers', redirect_uris: ['https://eve.test/back'] };
    await eve.db.call('save_static_client', { client: { ...client, token_endpoint_auth_method: 'none' } }, eve.actor);
    const { connections } = await listConnections(eve, { all: true, ended: false });
    const { invitations } = await listMembers(eve);
    const theirs: Named = {
      ...{ user_id: eve.actor.user_id, client_id, static_id: client.client_id },
      ...{ connection: connections[0]?.id ?? '', invitation: invitations[0]?.id ?? '' },
    };
    const unknown = (): Named => ({
      ...{ user_id: newId(), client_id: randomUUID(), static_id: randomUUID() },
      ...{ connection: newId(), invitation: newId() },
    });

    const taken = ada.db.call('save_static_client', { client: { ...client, kind: 'static' } }, ada.actor);
    await expect(taken).rejects.toMatchObject({ code: 'already_exists' });
    for (const [fn, argsOf] of CALLS) {
      const nothing = unknown();
      const learned = await outcome(ada, fn, [argsOf(theirs), theirs]);
      if (!fn.startsWith('list_auth'))
        expect([fn, learned]).toEqual([fn, await outcome(ada, fn, [argsOf(nothing), nothing])]);
      expect([fn, learned.includes('"Hers"') || learned.includes('"A client"')]).toEqual([fn, false]);
    }

    expect(await listConnections(eve, { all: true, ended: false })).toEqual({ connections });
    expect((await listMembers(eve)).invitations).toEqual(invitations);
    expect(
      await eve.db.call('authenticate_token', { token_hash: hash('access first'), resource }, eve.actor),
    ).toMatchObject({
      role: 'owner',
    });
  });
});
