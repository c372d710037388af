import { describe, expect } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { revokeAccess } from '../../src/services/access.ts';
import { REFUSAL } from '../../src/telemetry/otlp-messages.ts';
import { readMessage } from '../../src/telemetry/protobuf.ts';
import { HOSTILE } from '../support/otlp-bodies.ts';
import { chat, post, test } from '../support/otlp-world.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';
import { serveRunners } from '../support/runner-server.ts';

describe('the paths of OTLP', () => {
  test.for(HOSTILE)('refuse what is %s, and take the next', async ([, body, headers, status], { report }) => {
    const answer = await report(body, { headers });

    expect(answer.status).toBe(status);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const said = headers['content-type']?.includes('protobuf')
      ? readMessage(bytes, REFUSAL)
      : JSON.parse(Buffer.from(bytes).toString());
    expect(said).toEqual({ code: 3, message: expect.any(String) });
    expect((await report(chat('a'))).status).toBe(200);
  });

  test('refuse who has no token, a dead one, or one that may not report', async ({ as, server }) => {
    const dead = await server.tokenOf(as('ada'), { scope: 'otel:write' });
    expect((await post(server, chat('a'), { token: dead.token })).status).toBe(200);
    await revokeAccess(as('ada'), { id: dead.id, everything: false });
    const { token: other } = await server.tokenOf(as('ada'), { scope: 'agents:send tasks:write projects:write' });
    const none = await post(server, chat('a'));

    expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^Bearer /)]);
    expect(await none.json()).toMatchObject({ code: 16 });
    // Of nothing the database is asked for nothing.
    for (const body of [{ resourceSpans: [] }, chat('b')]) {
      expect((await post(server, body, { token: dead.token })).status).toBe(401);
    }
    expect((await post(server, chat('a'), { token: 'x' })).status).toBe(401);
    const refused = await post(server, chat('a'), { token: other });
    expect([refused.status, await refused.json()]).toEqual([
      403,
      { code: 7, message: expect.stringContaining('otel:write') },
    ]);
  });

  test('refuse a person who only looks on', async ({ as, asStranger, server, sql }) => {
    const { tenant_id = '' } = as('ada').actor;
    const { user_id } = asStranger('eve').actor;
    await sql.query(`insert into memberships (tenant_id, user_id, role) values ($1, $2, 'viewer')`, [
      tenant_id,
      user_id,
    ]);
    const eve = asStranger('eve');
    const { token } = await server.tokenOf({ ...eve, actor: { ...eve.actor, tenant_id } }, { scope: 'otel:write' });

    expect((await post(server, chat('a'), { token })).status).toBe(403);
  });

  test('take nothing but POST, from no other page and by no other name', async ({ server, token, report }) => {
    const url = new URL('/v1/traces', server.url);
    const headers = { authorization: `Bearer ${token}` };

    expect((await fetch(url, { headers })).status).toBe(405);
    expect((await report(chat('a'), { signal: 'spans' })).status).toBe(404);
    expect((await report(chat('a'), { headers: { origin: 'https://evil.example' } })).status).toBe(403);
    expect(await sendRaw(url, { method: 'POST', headers: { ...headers, host: 'evil.example' } })).toMatchObject({
      status: 421,
    });
  });

  test('ask to wait who reports too often, and keep nobody else waiting', async ({ as }) => {
    const server = await serveRunners(as('ada'), { reportsPerMinute: 2 });
    const [one, other] = await Promise.all(
      ['one', 'other'].map(async () => (await server.tokenOf(as('ada'), { scope: 'otel:write' })).token),
    );
    await post(server, chat('a'), { token: one });
    await post(server, chat('a'), { token: one });

    const refused = await post(server, chat('b'), { token: one });

    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, expect.closeTo(60, -1)]);
    expect(await refused.json()).toMatchObject({ code: 8 });
    expect((await post(server, chat('b'), { token: other })).status).toBe(200);
    await server.close();
  });

  test('have so much room for one token, and room for others', async ({ as }) => {
    const server = await serveRunners(as('ada'), { reportBytesMax: { token: 2_000, all: 10_000 } });
    const [one, other] = await Promise.all(
      ['one', 'other'].map(async () => (await server.tokenOf(as('ada'), { scope: 'otel:write' })).token),
    );

    const refused = await post(server, chat('a', { name: 'x'.repeat(2_000) }), { token: one });

    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
    expect((await post(server, chat('a'), { token: one })).status).toBe(200);
    expect((await post(server, chat('a'), { token: other })).status).toBe(200);
    await server.close();
  });

  test('ask to come again while the database is away', async ({ as }) => {
    let isAway = false;
    const ctx = as('ada');
    const db = {
      ...ctx.db,
      call: (...given: Parameters<typeof ctx.db.call>) =>
        isAway ? Promise.reject(new DomainError('unavailable', 'The database is away.')) : ctx.db.call(...given),
    };
    const server = await serveRunners({ db, log: ctx.log });
    const { token } = await server.tokenOf(ctx, { scope: 'otel:write' });
    await post(server, chat('a'), { token });
    isAway = true;

    const refused = await post(server, chat('b'), { token });

    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await refused.json()).toMatchObject({ code: 14 });
    isAway = false;
    expect((await post(server, chat('b'), { token })).status).toBe(200);
    await server.close();
  });

  test('answer others while one floods', async ({ as, server, report }) => {
    const { token } = await server.tokenOf(as('ada'), { scope: 'otel:write' });
    const large = JSON.stringify(chat('a', {}, { k: 'x'.repeat(4_000_000) }));
    let flooded = 0;
    const flood = Array.from({ length: 8 }, async () => {
      await post(server, large, { token });
      flooded++;
    });

    expect((await report(chat('b'))).status).toBe(200);

    expect(flooded).toBeLessThan(8);
    await Promise.all(flood);
  });
});

test('a token that may report can do nothing else', async ({ server, token }) => {
  const headers = { authorization: `Bearer ${token}` };

  for (const name of ['list_projects', 'list_agents', 'next_command', 'create_project', 'list_runs']) {
    const asked = callOf(name);
    const answer = await sendRaw(new URL('/mcp', server.url), { ...asked, headers: { ...asked.headers, ...headers } });
    expect([name, answer.status]).toEqual([name, 403]);
  }
  for (const path of ['register', 'claim', 'steps']) {
    expect(await server.ask(path, {}, { token })).toMatchObject({ status: 403, error: 'insufficient_scope' });
  }
});
