import { afterEach, describe, expect, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import { DomainError } from '../../src/errors.ts';
import type { Approval } from '../../src/events/approvals.ts';
import type { Driver } from '../../src/runner/driver.ts';
import { claudeDriver } from '../../src/runner/drivers/claude.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { decideApproval, listApprovals } from '../../src/services/approvals.ts';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { test } from '../support/world.ts';
import { drive, ended, GRACE_MS, program, send, stopAll, until } from './drive.ts';

afterEach(stopAll);

const claude = () => claudeDriver({ program: program('claude'), graceMs: GRACE_MS });

async function asked(ctx: Context): Promise<Approval> {
  return vi.waitUntil(async () => (await listApprovals(ctx, {})).approvals[0], { timeout: 10_000, interval: 30 });
}

/** An agent that asks for leave, and ends with the answer. */
function asking(detail: Record<string, unknown>, told: string[]): Driver {
  return {
    ...claude(),
    deliver(_, { watcher }) {
      const answered = watcher.asks({ kind: 'permission', title: 'Go on', detail }, new AbortController().signal);
      const ended = answered.then(({ decision, note }) => {
        told.push(note === undefined ? decision : `${decision} ${note}`);
        return { status: 'completed', end_reason: 'completed' } as const;
      });
      return { ended, interrupt() {}, stop() {} };
    },
  };
}

describe('what an agent asks', () => {
  test('waits for a person outside of its limits, whose answer reaches it', async ({ as }) => {
    const { printed } = await drive(as('ada'), { driver: claude() });
    const command = await send(as('ada'), 'ask', { limits: { time_limit_ms: 1_500, silence_limit_ms: 700 } });
    const { id, run } = await asked(as('ada'));
    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ id: run, status: 'waiting_approval' }] });

    await new Promise((resolve) => setTimeout(resolve, 1_700));
    await decideApproval(person(as('ada')), { approval: id, decision: 'approved' });

    expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed' });
    expect(printed.join('')).toMatch(/was told: .*allow/);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is refused with words that end the turn, and so is what nobody answers', async ({ as }) => {
    const { printed } = await drive(as('ada'), { driver: claude(), askSeconds: 1 });
    const denied = await send(as('ada'), 'ask');
    const { id } = await asked(as('ada'));
    await decideApproval(person(as('ada')), { approval: id, decision: 'denied', note: 'Not here.' });
    await ended(as('ada'), denied);
    expect(printed.join('')).toMatch(/was told: .*said no: Not here\. Do not look for another way/);

    await ended(as('ada'), await send(as('ada'), 'ask'));
    expect(printed.join('')).toMatch(/was told: .*Nobody answered\. Do not look for another way/);
  });

  test.for([
    ['in characters of many bytes', '消'.repeat(8_000)],
    ['full of quotes', '"'.repeat(9_000)],
  ])('is cut %s to what is kept of it', async ([, text], { as }) => {
    const told: string[] = [];
    const driver = asking({ text }, told);
    await drive(as('ada'), { driver });
    const command = await send(as('ada'), 'x');

    const { id, detail } = await asked(as('ada'));
    expect(detail).toEqual({ shown: expect.stringMatching(/^\{"text":"/) });
    await decideApproval(person(as('ada')), { approval: id, decision: 'approved' });

    await ended(as('ada'), command);
    expect(told).toEqual(['approved']);
  });

  test('is denied at once, with words, where the server refuses the question', async ({ as }) => {
    const told: string[] = [];
    const refusing = (port: RunnerPort): RunnerPort => ({
      ...port,
      report: (held, events) =>
        events.some(({ type }) => type === 'run.waiting')
          ? Promise.reject(new DomainError('invalid_input', 'No.'))
          : port.report(held, events),
    });
    const { notices } = await drive(as('ada'), { driver: asking({}, told), port: refusing });

    await ended(as('ada'), await send(as('ada'), 'x'));
    expect(notices).toContainEqual(expect.objectContaining({ what: 'unrecorded', of: 'run.waiting', why: 'No.' }));

    expect(told).toEqual([expect.stringMatching(/^denied It could not be put to anybody\. Do not look/)]);
  });

  test('is not asked any more when its run is interrupted', async ({ as }) => {
    await drive(as('ada'), { driver: claude() });
    const command = await send(as('ada'), 'ask');
    const { run } = await asked(as('ada'));

    await call(as('ada'), 'interrupt_run', { run, reason: 'Enough.' });

    expect(await ended(as('ada'), command)).toMatchObject({ status: 'cancelled' });
    expect((await listApprovals(as('ada'), { include_decided: true })).approvals).toMatchObject([
      { state: 'withdrawn' },
    ]);
  });
});

describe("a provider's limit", () => {
  /** Says when the provider allows more. */
  const limitedFor = (ms: number): Driver => {
    const driver = claude();
    return {
      ...driver,
      deliver(...given) {
        const turn = driver.deliver(...given);
        const later = new Date(Date.now() + ms).toISOString();
        return {
          ...turn,
          ended: turn.ended.then((found) => (found.status === 'limited' ? { ...found, until: later } : found)),
        };
      },
    };
  };

  test('pauses the run, which goes on by itself', async ({ as }) => {
    await drive(as('ada'), { driver: limitedFor(1_200) });
    const command = await send(as('ada'), 'limit');

    const paused = await until(as('ada'), command, ({ runs }) => runs[0]?.status === 'paused');
    expect(paused).toMatchObject({ runs: [{ why: "You've hit your limit.", paused_until: expect.any(String) }] });

    expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed', runs: [{ result: 'did' }] });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is cut short by an interrupt, and ends a run that shall not go on', async ({ as }) => {
    await drive(as('ada'), { driver: limitedFor(60_000) });
    const command = await send(as('ada'), 'limit');
    const { runs } = await until(as('ada'), command, (found) => found.runs[0]?.status === 'paused');
    await call(as('ada'), 'interrupt_run', { run: runs[0]?.id ?? '' });
    expect(await ended(as('ada'), command)).toMatchObject({ status: 'cancelled' });

    const once = await send(as('ada'), 'limit', { resumes: false });
    expect(await ended(as('ada'), once)).toMatchObject({ status: 'failed', runs: [{ end_reason: 'usage_limit' }] });
  });
});
