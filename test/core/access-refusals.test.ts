import { createHash } from 'node:crypto';
import { describe, expect } from 'vitest';
import { hashSecret } from '../../src/auth/secrets.ts';
import { createPat } from '../../src/auth/server/issue.ts';
import { newId } from '../../src/events/ids.ts';
import type { Person } from '../support/engine.ts';
import { test } from '../support/world.ts';

const RESOURCE = 'https://cairn.test/mcp';
const pat = { name: 'ci', scope: 'tasks:read', days: 30, resource: RESOURCE };
const driving = { ...pat, scope: 'agents:run' };
const invitation = () => ({ id: newId(), invitation_hash: hashSecret(newId()), role: 'member', ttl_seconds: 600 });
const client = { client_id: 'app', client_name: 'An app', redirect_uris: [], token_endpoint_auth_method: 'none' };

type Call = [fn: string, args: (owner: string) => Record<string, unknown>];

function ask({ db, actor }: Person, as: Person, [fn, args]: Call): Promise<unknown> {
  return db.call(fn as 'list_members', args(actor.user_id), { ...as.actor, tenant_id: actor.tenant_id });
}

describe('who looks after a workspace', () => {
  test.for<[what: string, code: string, because: string, call: Call]>([
    ['to revoke nothing', 'invalid_input', 'Nothing is named to revoke.', ['revoke_access', () => ({ chosen: {} })]],
    [
      'to revoke what has no such id',
      'invalid_input',
      'An id must be a UUID.',
      ['revoke_access', () => ({ chosen: { id: 'the first' } })],
    ],
    [
      'to remove a client that was not added',
      'not_found',
      'This workspace has added no client of that name.',
      ['remove_client', () => ({ client_id: 'unknown' })],
    ],
    [
      'to replace the secret of a client that has none',
      'not_found',
      'This workspace has added no client of that name with a secret.',
      ['rotate_secrets', () => ({ renewed: [{ client_id: 'unknown', client_secret_hash: 'x' }], everything: false })],
    ],
    [
      'to invite somebody in no role',
      'invalid_input',
      'There is no role king.',
      ['invite_member', () => ({ invitation: { ...invitation(), role: 'king' } })],
    ],
    [
      'to make a member what there is not',
      'invalid_input',
      'There is no role king.',
      ['set_member', (owner) => ({ user_id: owner, role: 'king' })],
    ],
    [
      'to invite an address that is too long',
      'invalid_input',
      'An e-mail address must have at most 320 characters.',
      ['invite_member', () => ({ invitation: { ...invitation(), email: `${'a'.repeat(320)}@b.c` } })],
    ],
    [
      'to change who is no member',
      'not_found',
      'There is no such member.',
      ['set_member', () => ({ user_id: newId(), role: 'viewer' })],
    ],
    [
      'to leave no owner',
      'forbidden',
      'The last owner of a workspace can be neither removed nor given a lower role.',
      ['set_member', (owner) => ({ user_id: owner, role: 'admin' })],
    ],
    [
      'to have a token for longer than a year and a day',
      'invalid_input',
      'expires is too late: a personal access token lives at most 366 days.',
      ['create_pat', () => ({ pat: { ...pat, id: newId(), token_hash: 'x', ttl_seconds: 367 * 86_400 } })],
    ],
    [
      'to have a token that drives agents and names none',
      'invalid_input',
      'A token with the scope agents:run names the agent that it drives.',
      ['create_pat', () => ({ pat: { ...pat, scope: 'agents:run', id: newId(), token_hash: 'x', ttl_seconds: 60 } })],
    ],
    [
      'to have a token that names an agent and does not drive it',
      'invalid_input',
      'A token with the scope agents:run names the agent that it drives.',
      ['create_pat', () => ({ pat: { ...pat, agent: 'heron', id: newId(), token_hash: 'x', ttl_seconds: 60 } })],
    ],
    ...['all', 'System', 'x:y', '-rf', '01a21bb0-f3ad-78ea-8c32-000000000000'].map(
      (agent): [string, string, string, Call] => [
        `to have a token that drives an agent ${agent}`,
        'invalid_input',
        `An agent cannot be called ${agent}.`,
        ['create_pat', () => ({ pat: { ...driving, agent, id: newId(), token_hash: 'x', ttl_seconds: 60 } })],
      ],
    ),
    [
      'to add a static client by registering it',
      'invalid_input',
      'Only an admin adds a static client.',
      ['save_client', () => ({ client: { ...client, kind: 'static' } })],
    ],
  ])('is refused %s', async ([, code, because, call], { users: { owner } }) => {
    const attempt = ask(owner, owner, call);

    await expect(attempt).rejects.toMatchObject({ code, message: because });
  });

  test.for<[what: string, role: string, call: Call]>([
    ['Seeing the connections of others', 'viewer', ['list_connections', () => ({ chosen: { all: true } })]],
    ['Revoking the access of others', 'member', ['revoke_access', (owner) => ({ chosen: { user_id: owner } })]],
    ['Inviting an owner', 'admin', ['invite_member', () => ({ invitation: { ...invitation(), role: 'owner' } })]],
    ['Changing an owner', 'admin', ['set_member', (owner) => ({ user_id: owner, role: 'viewer' })]],
    [
      'A token with the scope admin',
      'member',
      ['create_pat', () => ({ pat: { ...pat, scope: 'admin', id: newId(), token_hash: 'x', ttl_seconds: 60 } })],
    ],
  ])('has the role for it: %s is refused to a %s', async ([what, role, call], { users: { owner, stranger }, sql }) => {
    await sql.query('insert into public.memberships (tenant_id, user_id, role) values ($1, $2, $3)', [
      owner.actor.tenant_id,
      stranger.actor.user_id,
      role,
    ]);

    const attempt = ask(owner, stranger, call);

    await expect(attempt).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringMatching(`^${what} needs the role`),
    });
  });

  test('has at most a hundred personal access tokens', async ({ users: { owner } }) => {
    for (let at = 0; at < 100; at += 1) await createPat(owner.db, owner.actor, pat);

    const attempt = createPat(owner.db, owner.actor, pat);

    await expect(attempt).rejects.toMatchObject({ code: 'payload_too_large' });
  });
});

test('an invitation is accepted once, by two that are at it in the same moment too', async ({ users, sql }) => {
  const { db, actor } = users.owner;
  const invited = { ...invitation(), invitation_hash: createHash('sha256').update(newId()).digest('hex') };
  await db.call('invite_member', { invitation: invited }, actor);
  const join = () =>
    sql.query(`select app.join_workspace(i, $2, '{}') from app.invitations i where i.invitation_hash = $1`, [
      invited.invitation_hash,
      users.stranger.actor.user_id,
    ]);

  const answers = await Promise.allSettled([join(), join()]);

  const refused = answers.filter(({ status }) => status === 'rejected');
  expect(refused).toMatchObject([{ reason: { message: 'The invitation was accepted already.' } }]);
});
