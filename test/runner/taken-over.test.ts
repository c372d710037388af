import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, vi } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { decideApproval, listApprovals } from '../../src/services/approvals.ts';
import { person } from '../support/calls.ts';
import { readOutput } from '../support/runners.ts';
import { test } from '../support/world.ts';
import { begun, ended, send, until } from './drive.ts';
import { driveHeld, withoutEnds } from './followed.ts';
import { closeDrivers } from './give.ts';

const MB = 1_048_576;

afterEach(closeDrivers);

describe('a run whose runner was killed', () => {
  test('counts the time in which it waited for a person as waited', async ({ as }) => {
    const { kill, next } = await driveHeld(as('ada'), 'claude');
    const command = await send(as('ada'), 'ask', { limits: { time_limit_ms: 2_500 } });
    await until(as('ada'), command, ({ runs }) => runs[0]?.status === 'waiting_approval');

    kill();
    await sleep(3_000);
    await next();
    const [asked] = (await listApprovals(as('ada'), {})).approvals;
    await decideApproval(person(as('ada')), { approval: asked?.id ?? '', decision: 'approved' });

    expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed' });
  });

  test('that another has by then ends, and its next runner does not', async ({ as }) => {
    const { kill, next } = await driveHeld(as('ada'), 'claude');
    const command = await send(as('ada'), 'work 60000');
    await begun(as('ada'), command);

    kill();
    const { notices } = await next({ port: (over) => ({ ...over, output: refusing(over.output) }) });
    await vi.waitUntil(() => notices.some(({ what }) => what === 'ended'), { timeout: 10_000 });
    expect(notices).toContainEqual(expect.objectContaining({ ended: expect.objectContaining({ end_reason: 'lost' }) }));
  });

  test('that is told to end before the server is back is killed, where it heeds no interrupt', async ({ as }) => {
    const { kill, next } = await driveHeld(as('ada'), 'claude');
    const command = await send(as('ada'), 'work 60000 deaf', { limits: { time_limit_ms: 1_500 } });
    await begun(as('ada'), command);
    await sleep(500);

    kill();
    const backAt = Date.now() + 2_500;
    await next({
      port: (over) => ({
        ...over,
        async output(held, sent) {
          if (Date.now() < backAt) throw new Error('connect ECONNREFUSED');
          return over.output(held, sent);
        },
      }),
    });

    expect(await ended(as('ada'), command)).toMatchObject({
      runs: [{ status: 'timed_out', end_reason: 'time_limit' }],
    });
  });

  test('says how much of its output was lost with that runner, and goes on after it', async ({ as }) => {
    const away = { isAway: true };
    const port = (over: RunnerPort): RunnerPort => ({
      ...over,
      async output(held, sent) {
        if (away.isAway) throw new Error('connect ECONNREFUSED');
        return over.output(held, sent);
      },
    });
    const { kill, next, printed } = await driveHeld(as('ada'), 'pipe', { port });
    const command = await send(as('ada'), 'flood 3 work 2500');
    const words = () => printed.map((told) => told.replace(/^\w+ /, '')).join('');
    await vi.waitUntil(() => words().length > 3 * MB, { timeout: 10_000 });
    await sleep(300);

    kill();
    away.isAway = false;
    await next();

    const { runs } = await ended(as('ada'), command);
    const { pages, chunks, text } = await readOutput(as('ada'), runs[0]?.id ?? '');
    const bytes = Buffer.byteLength(`${words()}did\n`) - Buffer.byteLength(text);
    expect(bytes).toBeGreaterThan(MB);
    expect(pages[0]?.left_out).toEqual([{ from: 0, below: 1, bytes, why: 'lost' }]);
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, n) => n + 1));
    expect(text).toMatch(/^x+\n(x{1023}\n)+did\n$/);
  });

  test('ends as it was told to, also where that was not told yet', async ({ as }) => {
    const { kill, next, notices } = await driveHeld(as('ada'), 'claude', { port: withoutEnds });
    const command = await send(as('ada'), 'work 60000', { limits: { time_limit_ms: 700 } });
    await vi.waitUntil(() => notices.some(({ what }) => what === 'delivered'), { timeout: 10_000 });
    await sleep(2_500);

    kill();
    await next();

    expect(await ended(as('ada'), command)).toMatchObject({
      runs: [{ status: 'timed_out', end_reason: 'time_limit' }],
    });
  });
});

/** Output whose first call is refused, as that of a run that another has. */
function refusing(output: RunnerPort['output']): RunnerPort['output'] {
  let calls = 0;
  return async (held, sent) => {
    calls += 1;
    if (calls === 1) throw new DomainError('lock_lost', 'Another has it.');
    return output(held, sent);
  };
}
