import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import { httpPort } from '../../src/runner/port-http.ts';
import { revokeAccess } from '../../src/services/access.ts';
import { decideApproval, listApprovals } from '../../src/services/approvals.ts';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { freePort } from '../support/free-port.ts';
import { begun, ended, send } from './drive.ts';
import { claude, test as driving } from './ways.ts';

const test = driving.extend<{ way: 'HTTP' }>({ way: 'HTTP' });

/** Ends every access of the context's workspace. */
const revoke = (ctx: Context) => revokeAccess(ctx, { everything: true });

describe('a runner over HTTP', () => {
  test('goes on while the server is away, and nothing is lost or run twice', async ({ as, drive, server }) => {
    const { notices, printed } = await drive({ driver: claude() });
    const first = await send(as('ada'), 'work 1200');
    await begun(as('ada'), first);

    await server.leave();
    const second = await send(as('ada'), 'then');
    await sleep(2_000);
    expect(await call(as('ada'), 'get_command', { command: first.id })).toMatchObject({ status: 'executing' });
    await server.comeBack();

    expect(await ended(as('ada'), first)).toMatchObject({ status: 'completed', runs: [{ attempt: 1 }] });
    expect(await ended(as('ada'), second)).toMatchObject({ status: 'completed', runs: [{ attempt: 1 }] });
    expect(printed.join('').match(/reads: /g)).toHaveLength(2);
    expect(notices.map(({ what }) => what)).toEqual(expect.arrayContaining(['away', 'back']));
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('ends its run and itself when its token is revoked, and the next one settles the run', async ({
    as,
    drive,
    clock,
  }) => {
    // No beat notices it: the open question does.
    const { runner, token, printed } = await drive({ driver: claude(), everyMs: { beat: 60_000, control: 30 } });
    const command = await send(as('ada'), 'work 60000');
    await begun(as('ada'), command);
    await vi.waitUntil(() => printed.length > 0);

    const at = performance.now();
    await revoke(as('ada'));
    await expect(runner.ended()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(performance.now() - at).toBeLessThan(2_000);
    await runner.stop();

    expect(await call(as('ada'), 'get_command', { command: command.id })).toMatchObject({ status: 'executing' });
    await clock.advance({ seconds: 46 });
    await drive({ driver: claude(), token });
    const next = await send(as('ada'), 'next');
    expect(await ended(as('ada'), command)).toMatchObject({ runs: [{ status: 'failed', end_reason: 'lost' }] });
    expect(await ended(as('ada'), next)).toMatchObject({ status: 'completed' });
  });

  test('that asks for what it waits for keeps one question open', async ({ as, drive, server }) => {
    const asked: string[] = [];
    await drive({
      driver: claude(),
      everyMs: { beat: 60_000, control: 30 },
      port: (port) => ({
        ...port,
        control: (...given) => {
          asked.push('control');
          return port.control(...given);
        },
      }),
    });
    expect(await ended(as('ada'), await send(as('ada'), 'quick'))).toMatchObject({ status: 'completed' });
    const before = asked.length;

    await sleep(1_500);

    expect(asked.length - before).toBeLessThanOrEqual(2);
    expect(server.url.protocol).toBe('http:');
  });

  test('hears at once what a person answers its agent', async ({ as, drive }) => {
    const { printed } = await drive({ driver: claude(), everyMs: { beat: 60_000, control: 30 } });
    const command = await send(as('ada'), 'ask');
    const asked = await vi.waitUntil(async () => (await listApprovals(as('ada'), {})).approvals[0]);

    const at = performance.now();
    await decideApproval(person(as('ada')), { approval: asked.id, decision: 'approved' });

    expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed' });
    expect(performance.now() - at).toBeLessThan(2_000);
    expect(printed.join('')).toMatch(/was told: .*allow/);
  });

  test('sends output that is long as JSON in several calls', async ({ as, server }) => {
    const { token } = await server.tokenOf(as('heron'), { agent: 'heron' });
    const port = httpPort({ url: server.url, token }, 'heron');
    const held = await port.register({ agent: { name: 'heron', type: 'other', driver: 'pipe' } });
    await send(as('ada'), 'Print.');
    const claimed = await port.claim(held.token, []);
    if ('nothing' in claimed) throw new Error(claimed.nothing);
    const { run, lock_token } = claimed;
    const content = '\u001b'.repeat(16_000);
    const chunks = Array.from({ length: 16 }, (_, sequence) => ({
      ...{ sequence, content, stream: 'stdout' as const, ansi: true },
      at: new Date().toISOString(),
    }));

    expect(await port.output({ run: run.id, lock_token }, { chunks })).toMatchObject({ next_seq: 16 });
  });

  test('says what to do when nothing answers, and when the server is no Cairn or an older one', async ({ server }) => {
    const nobody = httpPort({ url: new URL(`http://127.0.0.1:${await freePort()}`) }, 'heron');
    const other = httpPort({ url: server.url }, 'heron');

    await expect(nobody.claim(1, [])).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('--url'),
    });
    await expect(other.claim(1, [])).rejects.toMatchObject({
      code: 'unauthenticated',
      hint: expect.stringContaining('cairn auth pat create'),
    });
    const older = createServer((_, answer) => answer.writeHead(404).end('Not found. MCP is served at /mcp.\n'));
    await once(older.listen(0, '127.0.0.1'), 'listening');
    const { port } = older.address() as AddressInfo;
    await expect(httpPort({ url: new URL(`http://127.0.0.1:${port}`) }, 'heron').claim(1, [])).rejects.toMatchObject({
      code: 'not_found',
      hint: expect.stringContaining('update it'),
    });
    older.closeAllConnections();
    older.close();
  });
});
