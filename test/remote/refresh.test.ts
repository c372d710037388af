import { describe, expect } from 'vitest';
import type { Secret } from '../../src/auth/secrets.ts';
import { authStore, type Person, type Store } from '../../src/auth/store.ts';
import { atOnce, connect, mint, minted, workspaceOf } from '../support/authorization-flow.ts';
import { RESOURCE } from '../support/fill-authorization.ts';
import { test } from '../support/world.ts';

// Addresses of four places; the second of home is another device there.
const [HOME, HOME_TOO, WORK, ELSEWHERE] = ['198.51.100.7', '198.51.100.90', '203.0.113.7', '2001:db8:1::7'] as const;
const GRACE = { grace_seconds: 120 };
const HOUR = { seconds: 3_600 };

type Pair = { access: Secret; refresh: Secret };

/** A client that somebody let in from home, and what each of its processes may do from where it is. */
async function signIn(store: Store, actor: Person) {
  const first = await connect(store, actor, { ip: HOME });
  const { client_id } = first;
  const workspace = workspaceOf(actor);
  return {
    client_id,
    first: first as Pair,
    /** New tokens, or why there are none. */
    async refresh({ refresh }: Pair, ip: string): Promise<Pair | string> {
      const pair = { access: mint('access'), refresh: mint('refresh') };
      const asked = {
        token_hash: refresh.hash,
        presented: { client_id, ...GRACE },
        minted: minted(pair.access, pair.refresh),
      };
      const answer = await store.refreshToken(asked, { ...workspace, ip });
      return 'refused' in answer ? answer.refused : pair;
    },
    /** Uses the access token from there. */
    async use({ access }: Pair, ip: string): Promise<string> {
      const answer = await store.authenticateToken(
        { token_hash: access.hash, resource: RESOURCE },
        { ...workspace, ip },
      );
      return 'refused' in answer ? answer.refused : 'good';
    },
  };
}

function given(answer: Pair | string): Pair {
  if (typeof answer === 'string') throw new Error(answer);
  return answer;
}

describe('a refresh token that many processes share', () => {
  test('gives each of twelve at once tokens of its own', async ({ users }) => {
    const fleet = await signIn(authStore(users.owner.db), users.owner.actor);

    const answers = await Promise.all(Array.from({ length: 12 }, () => fleet.refresh(fleet.first, HOME)));

    const pairs = answers.map(given);
    expect(new Set(pairs.map(({ access }) => access.hash)).size).toBe(12);
    for (const pair of [fleet.first, ...pairs]) expect(await fleet.use(pair, HOME)).toBe('good');
  });

  test('is refused to one that slept, and to nobody else', async ({ users, clock, sql }) => {
    const { actor, db } = users.owner;
    const fleet = await signIn(authStore(db), actor);
    const awake = given(await fleet.refresh(fleet.first, HOME));

    await clock.advance(HOUR);
    expect(await fleet.refresh(fleet.first, HOME_TOO)).toBe('reused');
    expect(await fleet.refresh(fleet.first, HOME)).toBe('reused');

    expect(given(await fleet.refresh(awake, HOME))).toBeDefined();
    const trail = await sql.query(
      `select data ->> 'why' as why from app.auth_events
      where tenant_id = $1 and client_id = $2 and type = 'refresh.reused'`,
      [actor.tenant_id, fleet.client_id],
    );
    expect(trail.rows).toEqual([{ why: 'reused' }, { why: 'reused' }]);
  });

  test('is refused alone to one that woke in another place, whoever of the machine woke first', async ({
    users,
    clock,
  }) => {
    const fleet = await signIn(authStore(users.owner.db), users.owner.actor);
    const evening = given(await fleet.refresh(fleet.first, HOME));
    await clock.advance(HOUR);
    // The token was last used where it was given.
    expect(await fleet.refresh(fleet.first, WORK)).toBe('reused');
    const morning = given(await fleet.refresh(evening, WORK));
    await clock.advance(HOUR);
    // It was used here.
    expect(await fleet.refresh(evening, WORK)).toBe('reused');
    expect(await fleet.refresh(evening, ELSEWHERE)).toBe('stolen');

    expect(await fleet.use(morning, WORK)).toBe('revoked');
  });

  test('is refused alone where what it gave has been since, by use or by refresh', async ({ users, clock }) => {
    for (const seen of ['by use', 'by refresh']) {
      const fleet = await signIn(authStore(users.owner.db), users.owner.actor);
      const abroad = given(await fleet.refresh(fleet.first, WORK));
      if (seen === 'by use') expect(await fleet.use(abroad, ELSEWHERE)).toBe('good');
      const back = seen === 'by use' ? abroad : given(await fleet.refresh(abroad, ELSEWHERE));
      await clock.advance({ seconds: 300 });

      expect(await fleet.refresh(fleet.first, ELSEWHERE)).toBe('reused');
      expect(await fleet.use(back, ELSEWHERE)).toBe('good');
    }
  });
});

describe('a refresh token that a thief used first', () => {
  test('ends the grant when its owner comes with it, and the thief has nothing', async ({ users, clock, sql }) => {
    const { actor, db } = users.owner;
    const owner = await signIn(authStore(db), actor);
    const stolen = given(await owner.refresh(owner.first, ELSEWHERE));
    const again = given(await owner.refresh(stolen, ELSEWHERE));
    await clock.advance({ seconds: 300 });

    expect(await owner.refresh(owner.first, HOME)).toBe('stolen');

    for (const pair of [owner.first, stolen, again]) expect(await owner.use(pair, ELSEWHERE)).toBe('revoked');
    expect(await owner.refresh(again, ELSEWHERE)).toBe('revoked');
    const trail = await sql.query(
      `select type, data ->> 'why' as why from app.auth_events
      where tenant_id = $1 and client_id = $2 and type in ('refresh.reused', 'grant.revoked') order by at, type`,
      [actor.tenant_id, owner.client_id],
    );
    expect(trail.rows).toContainEqual({ type: 'refresh.reused', why: 'stolen' });
    expect(trail.rows.map(({ type }) => type)).toContain('grant.revoked');
  });

  test('ends the grant also when another process of its owner was in time', async ({ users, clock }) => {
    const owner = await signIn(authStore(users.owner.db), users.owner.actor);
    const stolen = given(await owner.refresh(owner.first, ELSEWHERE));
    const sibling = given(await owner.refresh(owner.first, HOME));
    await clock.advance({ seconds: 300 });

    expect(await owner.refresh(owner.first, HOME_TOO)).toBe('stolen');
    for (const pair of [stolen, sibling]) expect(await owner.use(pair, HOME)).toBe('revoked');
  });

  test('gives nothing to a thief who comes later, and takes nothing from its owner', async ({ users, clock }) => {
    const owner = await signIn(authStore(users.owner.db), users.owner.actor);
    const next = given(await owner.refresh(owner.first, HOME));
    await clock.advance({ seconds: 300 });

    expect(await owner.refresh(owner.first, ELSEWHERE)).toBe('reused');
    expect(await owner.use(next, HOME)).toBe('good');
  });
});

test.for([
  ['198.51.100.7', '198.51.100.200', true],
  ['198.51.100.7', '198.51.101.7', false],
  ['198.51.100.7', '::ffff:198.51.100.9', true],
  ['::ffff:198.51.100.7', '::ffff:203.0.113.7', false],
  ['2001:db8:1::7', '2001:db8:1:2::9', true],
  ['2001:db8:1::7', '2001:db8:2::7', false],
] as const)('%s and %s are of one place: %s', async ([one, other, same], { sql }) => {
  const { rows } = await sql.query('select app.mask_address($1) = app.mask_address($2) as same', [one, other]);
  expect(rows).toEqual([{ same }]);
});

describe('a refresh token', () => {
  test('used again later from a place that nobody knows ends the grant', async ({ users, clock }) => {
    const store = authStore(users.owner.db);
    const { client_id, refresh, access } = await connect(store, users.owner.actor);
    const presented = { client_id, grace_seconds: 120 };
    const again = (pair = minted()) =>
      store.refreshToken({ token_hash: refresh.hash, presented, minted: pair }, workspaceOf(users.owner.actor));
    const siblings = Array.from({ length: 5 }, () => mint('access'));

    const answers = await Promise.all(siblings.map((sibling) => again(minted(sibling))));

    expect(answers.filter((answer) => 'scope' in answer)).toHaveLength(5);
    const live = (token: Secret) =>
      store.authenticateToken({ token_hash: token.hash, resource: RESOURCE }, workspaceOf(users.owner.actor));
    for (const sibling of siblings) expect(await live(sibling)).toMatchObject({ client_id });

    await clock.advance({ seconds: 300 });
    expect(await again()).toEqual({ refused: 'stolen' });
    for (const token of [access, ...siblings]) expect(await live(token)).toEqual({ refused: 'revoked' });
  });

  test('is good for a hundred siblings and no more, within the scope that was granted', async ({ users }) => {
    const store = authStore(users.owner.db);
    const { client_id, refresh, access } = await connect(store, users.owner.actor);
    const use = (extra: { scope?: string; client_id?: string } = {}) =>
      store.refreshToken(
        { token_hash: refresh.hash, presented: { client_id, grace_seconds: 120, ...extra }, minted: minted() },
        workspaceOf(users.owner.actor),
      );

    expect(await use({ client_id: 'other' })).toEqual({ refused: 'client' });
    expect(await use({ scope: 'tasks:read admin' })).toEqual({ refused: 'scope' });
    expect(await use({ scope: 'tasks:read' })).toMatchObject({ scope: 'tasks:read' });
    for (let number = 2; number <= 100; number++) expect(await use()).toHaveProperty('scope');
    expect(await use()).toEqual({ refused: 'reused' });
    // It is refused alone: one of the hundred is as good as before.
    expect(
      await store.authenticateToken({ token_hash: access.hash, resource: RESOURCE }, workspaceOf(users.owner.actor)),
    ).toMatchObject({ client_id });
  });

  test('has no sibling too many, when two ask for the last in the same moment', async ({ users, sql }) => {
    const store = authStore(users.owner.db);
    const { client_id, refresh } = await connect(store, users.owner.actor);
    const presented = { client_id, grace_seconds: 120 };
    const use = () =>
      store.refreshToken({ token_hash: refresh.hash, presented, minted: minted() }, workspaceOf(users.owner.actor));
    for (let number = 1; number <= 99; number++) expect(await use()).toHaveProperty('scope');

    const answers = await atOnce(sql, client_id, [use, use]);

    expect(answers.filter((answer) => 'scope' in answer)).toHaveLength(1);
  });

  test('and its access token end in their time, and with the membership', async ({ users, clock, sql }) => {
    const { actor } = users.owner;
    const store = authStore(users.owner.db);
    const { client_id, access, refresh } = await connect(store, actor);
    const live = () => store.authenticateToken({ token_hash: access.hash, resource: RESOURCE }, workspaceOf(actor));
    const use = (resource = RESOURCE) => {
      const presented = { client_id, grace_seconds: 120, resource };
      return store.refreshToken({ token_hash: refresh.hash, presented, minted: minted() }, workspaceOf(actor));
    };

    expect(await live()).toHaveProperty('scope');
    expect(await use('https://other.test/mcp')).toEqual({ refused: 'resource' });
    await sql.query('delete from public.memberships where user_id = $1', [actor.user_id]);
    expect([await live(), await use()]).toEqual([{ refused: 'not_a_member' }, { refused: 'not_a_member' }]);
    await clock.advance({ seconds: 3_601 });
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'owner')`, [
      actor.tenant_id,
      actor.user_id,
    ]);
    expect(await live()).toEqual({ refused: 'expired' });
    await clock.advance({ seconds: 30 * 86_400 });
    expect(await use()).toEqual({ refused: 'expired' });
  });
});
