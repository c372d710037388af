import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Role } from '../../src/auth/answers.ts';
import { hashSecret } from '../../src/auth/secrets.ts';
import { inviteMember } from '../../src/auth/server/issue.ts';
import { listAuthEvents, listMembers, setMember } from '../../src/services/access.ts';
import { listAlerts } from '../../src/services/alerts.ts';
import { useAuthWorld } from '../support/auth-world.ts';

// An invitation is good for as long as whoever made it might make it. Threats: docs/security.md.

const { own } = useAuthWorld();

type Workspace = Awaited<ReturnType<typeof openWorkspace>>;

async function newPerson(given: { email?: string } = {}): Promise<string> {
  const identity = { issuer: 'https://idp.test', subject: randomUUID(), email_verified: true, ...given };
  const admitted = await own().store.admitIdentity(identity, { open: true }, {});
  if ('refused' in admitted) throw new Error(admitted.refused);
  return admitted.user_id;
}

/** The workspace of an owner, and who else is in it. */
async function openWorkspace() {
  const tenant_id = await newPerson();
  const { db, query } = own();
  const as = (user_id: string) => ({ db, actor: { user_id, tenant_id } });
  return {
    tenant_id,
    as,
    owner: as(tenant_id),
    async join(role: Role, given: { email?: string } = {}): Promise<string> {
      const user_id = await newPerson(given);
      await query('insert into public.memberships (tenant_id, user_id, role) values ($1, $2, $3)', [
        tenant_id,
        user_id,
        role,
      ]);
      return user_id;
    },
    async invite(by: string, given: { role: Role; email?: string }): Promise<string> {
      const { invitation } = await inviteMember(db, as(by).actor, { days: 1, ...given });
      return hashSecret(invitation);
    },
    /** Past `set_member`, as an older server or an administrator of the database would. */
    demote: (user_id: string, role: Role) =>
      query('update public.memberships set role = $3 where tenant_id = $1 and user_id = $2', [
        tenant_id,
        user_id,
        role,
      ]),
    remove: (user_id: string) =>
      query('delete from public.memberships where tenant_id = $1 and user_id = $2', [tenant_id, user_id]),
    async roleOf(user_id: string): Promise<Role | undefined> {
      const { members } = await listMembers(as(tenant_id), {});
      return members.find((member) => member.user_id === user_id)?.role;
    },
    alerts: async () => (await listAlerts(as(tenant_id), {})).alerts,
    refusals: async () =>
      (await listAuthEvents(as(tenant_id), { type: 'invitation.refused' })).events.map(({ data, user_id }) => ({
        why: data?.['why'],
        user_id,
      })),
  };
}

const accept = (user_id: string, invitation_hash: string) => own().store.acceptInvitation(invitation_hash, { user_id });

function misuse(why: string, role: Role) {
  return { kind: 'invitation_misused', severity: 'high', details: { why, role } };
}

describe('an invitation', () => {
  test.for([
    ['an admin who is removed', 'admin', 'admin', undefined, 'member'],
    ['an admin who becomes a member', 'admin', 'viewer', 'member', 'member'],
    ['an owner who becomes an admin', 'owner', 'owner', 'admin', 'admin'],
  ] as const)('of %s is withdrawn with the right to it', async ([, before, invited, after]) => {
    const workspace = await openWorkspace();
    const maker = await workspace.join(before);
    const kept = await workspace.invite(maker, { role: invited });

    const changed = await setMember(workspace.owner, { user_id: maker, role: after });

    expect(changed).toMatchObject({ invitations: 1 });
    expect(await accept(maker, kept)).toEqual({ refused: 'invitation_withdrawn' });
    expect(await workspace.roleOf(maker)).toBe(after);
    expect(await workspace.alerts()).toMatchObject([misuse('invitation_withdrawn', invited)]);
    const { events } = await listAuthEvents(workspace.owner, { type: 'invitation.revoked' });
    expect(events).toMatchObject([{ data: { why: 'member_changed', member: maker, role: invited } }]);
  });

  test('that its maker may still make stays', async () => {
    const workspace = await openWorkspace();
    const maker = await workspace.join('owner');
    const guest = await newPerson();
    const kept = await workspace.invite(maker, { role: 'member' });

    expect(await setMember(workspace.owner, { user_id: maker, role: 'admin' })).toEqual({ role: 'admin' });

    expect(await accept(guest, kept)).toMatchObject({ role: 'member' });
  });

  test.for([
    ['is gone', (workspace: Workspace, maker: string) => workspace.remove(maker), 'viewer'],
    ['is a member now', (workspace: Workspace, maker: string) => workspace.demote(maker, 'member'), 'viewer'],
    ['is an admin now', (workspace: Workspace, maker: string) => workspace.demote(maker, 'admin'), 'owner'],
  ] as const)('whose maker %s opens nothing, and the workspace is told who tried', async ([, fall, role]) => {
    const workspace = await openWorkspace();
    const maker = await workspace.join('owner');
    const guest = await newPerson();
    const kept = await workspace.invite(maker, { role });
    await fall(workspace, maker);

    expect(await accept(guest, kept)).toEqual({ refused: 'invitation_lapsed' });
    expect(
      await own().store.admitIdentity(
        { issuer: 'https://idp.test', subject: randomUUID() },
        { invitation_hash: kept },
        {},
      ),
    ).toEqual({ refused: 'invitation_lapsed' });

    expect(await workspace.roleOf(guest)).toBeUndefined();
    expect(await workspace.refusals()).toEqual([{ why: 'invitation_lapsed', user_id: guest }]);
    expect(await workspace.alerts()).toMatchObject([misuse('invitation_lapsed', role)]);
  });

  test('for the address of somebody who is removed is withdrawn, whoever made it', async () => {
    const workspace = await openWorkspace();
    const email = `${randomUUID()}@acme.example`;
    const member = await workspace.join('member', { email });
    const spare = await workspace.invite(workspace.tenant_id, { role: 'member', email: email.toUpperCase() });

    await setMember(workspace.owner, { user_id: member });

    expect(await accept(member, spare)).toEqual({ refused: 'invitation_withdrawn' });
    expect(await workspace.roleOf(member)).toBeUndefined();
  });

  test('for any address of somebody who is removed is withdrawn: that of another identity, and a changed one', async () => {
    const workspace = await openWorkspace();
    const [first, second, changed] = ['first', 'second', 'changed'].map(
      (name) => `${name}-${randomUUID()}@acme.example`,
    );
    const subject = randomUUID();
    const signInAs = (issuer: string, email: string | undefined) =>
      own().store.admitIdentity(
        { issuer, subject, email_verified: true, email: `${email}` },
        { open: true, link_email: true },
        {},
      );
    const member = await workspace.join('member', { email: `${first}` });
    await signInAs('https://other.test', first);
    await signInAs('https://other.test', second);
    await signInAs('https://third.test', second);
    await signInAs('https://third.test', changed);
    const spare = await Promise.all(
      [first, second, changed].map((email) =>
        workspace.invite(workspace.tenant_id, { role: 'member', email: `${email}` }),
      ),
    );

    const removed = await setMember(workspace.owner, { user_id: member });

    expect(removed).toMatchObject({ invitations: 3 });
    for (const invitation of spare) {
      expect(await accept(member, invitation)).toEqual({ refused: 'invitation_withdrawn' });
    }
  });

  test('that is opened again and again is recorded once a minute', async () => {
    const workspace = await openWorkspace();
    const [guest, other] = [await newPerson(), await newPerson()];
    const used = await workspace.invite(workspace.tenant_id, { role: 'member' });
    await accept(guest, used);

    for (let count = 0; count < 5; count++) expect(await accept(other, used)).toEqual({ refused: 'invitation_used' });

    expect(await workspace.refusals()).toEqual([{ why: 'invitation_used', user_id: other }]);
  });

  test('that is accepted while its maker is removed is accepted before or not at all', async () => {
    for (let round = 0; round < 10; round++) {
      const workspace = await openWorkspace();
      const maker = await workspace.join('admin');
      const kept = await workspace.invite(maker, { role: 'admin' });

      const [accepted] = await Promise.all([accept(maker, kept), setMember(workspace.owner, { user_id: maker })]);

      // Before: the role that it gave ended with the membership. After: it opens nothing.
      expect([round, accepted, await workspace.roleOf(maker)]).toEqual([round, expect.anything(), undefined]);
    }
  });
});
