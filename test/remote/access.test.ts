import { randomUUID } from 'node:crypto';
import { describe, expect, vi } from 'vitest';
import { hashSecret, isSecret } from '../../src/auth/secrets.ts';
import { createPat } from '../../src/auth/server/issue.ts';
import { authStore } from '../../src/auth/store.ts';
import type { Context } from '../../src/context.ts';
import type { Actor } from '../../src/db/database.ts';
import type { AuthFunctionName } from '../../src/db/functions.ts';
import { newId } from '../../src/events/ids.ts';
import { listAuthEvents, listConnections, listMembers, revokeAccess } from '../../src/services/access.ts';
import { selectTools } from '../../src/tools/catalog.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { useAuthWorld } from '../support/auth-world.ts';
import type { Refs } from '../support/categories.ts';
import { CLIENT_KINDS, connectTo } from '../support/client.ts';
import { createProject, record } from '../support/commands.ts';
import { fillAuthorization } from '../support/fill-authorization.ts';
import { liveElsewhere, settle, unknownLike, withoutRefs } from '../support/foreign.ts';
import { test } from '../support/world.ts';

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
    expect(isSecret('pat', `${token.slice(0, 20)}${token[20] === 'x' ? 'y' : 'x'}${token.slice(21)}`)).toBe(false);
    expect(await use()).toMatchObject({ kind: 'pat', role: 'owner' });
    expect(await use('https://other.test/mcp')).toEqual({ refused: 'audience' });
    const { connections } = await listConnections(as('ada'), { all: true, ended: false });
    expect(connections).toMatchObject([{ id, client: 'ci', last_used_ip: '203.0.113.9' }]);
    expect((await listMembers(as('ada'), {})).members).toMatchObject([{ connections: 1 }]);

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

  test('may be limited to a project: its proof holds it there, and who looks after access sees it', async ({ as }) => {
    const { db, actor } = as('ada');
    const pat = { ...PAT, scope: 'projects:write', project: 'web' };
    await createProject(as('ada'));
    await createProject(as('ada'), { slug: 'zoo', name: 'Zoo' });
    const { token, id, project } = await createPat(db, actor, pat);
    const proof = { token_hash: hashSecret(token), resource: RESOURCE };

    expect(project).toBe('web');
    expect(await db.call('list_projects', {}, { ...actor, proof })).toMatchObject({ projects: [{ slug: 'web' }] });
    expect(await listConnections(as('ada'), { all: true, ended: false })).toMatchObject({
      connections: [{ id, project: 'web' }],
    });
    const { events } = await listAuthEvents(as('ada'), { type: 'pat.created' });
    expect(events).toMatchObject([{ subject_id: id, data: { project: 'web' } }]);
    const looking = db.call('list_connections', {}, { ...actor, proof });
    await expect(looking).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('limited') });
    const admin = createPat(db, actor, { ...pat, scope: 'projects:write admin' });
    await expect(admin).rejects.toMatchObject({ code: 'invalid_input', details: { field: 'scope' } });
    await expect(createPat(db, actor, { ...pat, project: 'nowhere' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(createPat(db, actor, { ...pat, project: '' })).rejects.toMatchObject({ code: 'not_found' });
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
    const { client_id, hash, resource } = await fillAuthorization(eve.db, eve.actor);
    const client = { client_id: randomUUID(), client_name: 'Hers', redirect_uris: ['https://eve.test/back'] };
    await eve.db.call('save_static_client', { client: { ...client, token_endpoint_auth_method: 'none' } }, eve.actor);
    const { connections } = await listConnections(eve, { all: true, ended: false });
    const { invitations } = await listMembers(eve, {});
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
    expect((await listMembers(eve, {})).invitations).toEqual(invitations);
    expect(
      await eve.db.call('authenticate_token', { token_hash: hash('access first'), resource }, eve.actor),
    ).toMatchObject({
      role: 'owner',
    });
  });
});

// Arguments for the tools that take them, so that none is refused for its input.
const GIVEN = {
  ...{ name: 'x', slug: 'late', title: 'x', tasks: [{ title: 'x' }], text: 'x', label: 'x', summary: 'x', choice: 'x' },
  ...{ rationale: 'x', reason: 'x', outcome: 'paused', type: 'other', ref: 'x', query: 'pelican', lock_token: 2 },
  ...{ content: 'x', key: 'x' },
  to: ['heron'],
  change: 'stop',
  timeout_seconds: 1,
  wait_seconds: 0,
};

function argumentsOf(tool: Tool, refs: Refs) {
  const type = /^(save_preset|send_command)$/.test(tool.name) ? 'plan' : GIVEN.type;
  // A command has a text of its own, or a preset.
  const text = tool.name === 'send_command' ? { preset: undefined } : {};
  const decision = tool.name === 'review_task' ? 'approved' : refs.decision;
  const all = { ...GIVEN, type, ...refs, ...text, decision, supersedes: refs.decision, answers: refs.event };
  return Object.fromEntries(Object.entries(all).filter(([name]) => Object.hasOwn(tool.input.shape, name)));
}

describe('over HTTP, a token that is limited to a project', () => {
  const { own } = useAuthWorld();

  /** An agent with such a token, and who owns the workspace: of another project, everything in it. */
  async function arrive(kind: (typeof CLIENT_KINDS)[number]) {
    const { user_id } = await own().signIn();
    const owner = { db: own().db, actor: { user_id, tenant_id: user_id } };
    await settle(owner);
    const refs = await liveElsewhere(owner);
    const scope = 'projects:write tasks:write agents:send agents:run';
    const pat = { name: 'ci', scope, project: 'own', agent: 'ci', days: 1, resource: own().mcp.href };
    const { token } = await createPat(owner.db, owner.actor, pat);
    const agent = await connectTo(kind, 'ci', { url: own().mcp, headers: { authorization: `Bearer ${token}` } });
    return { agent, owner, ...refs };
  }

  test.for(CLIENT_KINDS.slice(1))('reaches no other with any tool, over the %s', async (kind) => {
    const { agent, ids, shorts } = await arrive(kind);
    const unknown = unknownLike(shorts);
    const secrets = ['pelican', ...Object.values(ids)];

    for (const tool of selectTools(['all']).filter(({ scope }) => scope !== 'admin')) {
      const { text } = await agent.call(tool.name, argumentsOf(tool, shorts));
      const nothing = await agent.call(tool.name, argumentsOf(tool, unknown));
      const said = withoutRefs(text, shorts);
      expect([tool.name, said]).toEqual([tool.name, withoutRefs(nothing.text, unknown)]);
      expect([tool.name, said]).not.toEqual([tool.name, expect.stringMatching(/^(internal|invalid_input):/)]);
      expect([tool.name, secrets.filter((secret) => said.toLowerCase().includes(secret))]).toEqual([tool.name, []]);
    }
    for (const [name, args] of [
      ['list_events', { project: '*', after_seq: 0, page_size: 100 }],
      ['search', { project: '*', query: 'pelican' }],
      ['resume_project', {}],
    ] as const) {
      const { text, isError } = await agent.call(name, args);
      expect([name, isError, secrets.filter((secret) => text.toLowerCase().includes(secret))]).toEqual([
        name,
        false,
        [],
      ]);
    }
    expect((await agent.call('create_project', { slug: 'late', name: 'Late' })).text).toContain(
      'forbidden: This token is limited to the project own.',
    );
    expect(await agent.call('create_tasks', { tasks: [{ title: 'Mine too' }] })).toMatchObject({ isError: false });
    await agent.close();
  });

  test.for(CLIENT_KINDS.slice(1))('reaches no other by resources, over the %s', async (kind) => {
    const { agent, owner } = await arrive(kind);
    const [mine, theirs] = ['cairn://projects/own', 'cairn://projects/zoo'];

    expect(await agent.listResources()).toEqual([mine]);
    await expect(agent.readResource(theirs)).rejects.toThrow();
    const slug = { type: 'ref/resource', uri: 'cairn://projects/{slug}' } as const;
    expect(await agent.complete(slug, { name: 'slug', value: '' })).toEqual(['own']);
    await agent.subscribe(theirs).catch(() => {});
    const leave = await agent.subscribe(mine);
    await record(owner, { stream: 'project:zoo', type: 'project.noted', data: { text: 'There.', kind: 'note' } });
    await agent.call('record_event', { text: 'Here.' });

    await vi.waitFor(() => expect(agent.updated).toContain(mine), { timeout: 20_000 });
    expect(agent.updated).not.toContain(theirs);
    await leave();
    await agent.close();
  });
});
