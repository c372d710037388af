import { describe, expect } from 'vitest';
import { createPat } from '../src/auth/issue.ts';
import { hashSecret, isSecret } from '../src/auth/secrets.ts';
import { authStore } from '../src/auth/store.ts';
import { listAuthEvents, listConnections, revokeAccess } from '../src/services/access.ts';
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

    expect(await revokeAccess(as('ada'), { id, everything: false })).toEqual({ grants: 0, tokens: 0, pats: 1 });

    expect(await use()).toEqual({ refused: 'revoked' });
    const { events } = await listAuthEvents(as('ada'), {});
    expect(events.map(({ type }) => type)).toEqual(['pat.revoked', 'token.refused', 'pat.created']);
    expect(JSON.stringify(events)).not.toContain(token.slice(10));
  });

  test('of another workspace can be neither seen nor revoked', async ({ as, asStranger }) => {
    const { db, actor } = as('ada');
    const { id } = await createPat(db, actor, PAT);

    expect(await listConnections(asStranger('eve'), { all: true, ended: true })).toEqual({ connections: [] });
    expect(await revokeAccess(asStranger('eve'), { id, everything: false })).toMatchObject({ pats: 0 });
  });
});
