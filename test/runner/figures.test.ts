import { describe, expect, vi } from 'vitest';
import type { Answer, Driver, Watcher } from '../../src/runner/driver.ts';
import type { Ended } from '../../src/runner/ended.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { listApprovals } from '../../src/services/approvals.ts';
import { call } from '../support/calls.ts';
import { begun, ended, send } from './drive.ts';
import { claude, test } from './ways.ts';

/** An agent that does what a test says, until it is interrupted. */
function agent(does: (watcher: Watcher) => Promise<Ended> | undefined): Driver {
  return {
    ...claude(),
    deliver(_, { watcher }) {
      let end: (how: Ended) => void = () => {};
      const interrupted = new Promise<Ended>((resolve) => {
        end = resolve;
      });
      const interrupt = () => end({ status: 'cancelled', end_reason: 'interrupted' });
      watcher.delivered();
      return { ended: does(watcher) ?? interrupted, interrupt, stop: interrupt };
    },
  };
}

describe.for(['the database', 'HTTP'] as const)('a runner over %s', (way) => {
  test.override({ way });

  test.for<[what: string, says: (watcher: Watcher) => void]>([
    ['counts too many tokens', ({ used }) => used({ in: 9e15, out: Number.POSITIVE_INFINITY })],
    ['counts fewer than none', ({ used }) => used({ in: -9e15, out: Number.NaN })],
    ['counts parts of tokens', ({ used }) => used({ in: 0.5, out: 1e-9 })],
    ['names its work with nothing to see', ({ works }) => works(['\u200b', '\ud83d', ''])],
    ['names its work at length', ({ works }) => works(Array.from({ length: 30 }, () => `a${'😀'.repeat(100)}`))],
  ])('hears of a stop while its agent %s', async ([, says], { as, drive }) => {
    const { notices } = await drive({ driver: agent((watcher) => void says(watcher)) });
    const command = await send(as('ada'), 'x');
    const [run] = (await begun(as('ada'), command)).runs;
    await vi.waitUntil(() => notices.some(({ what }) => what === 'delivered'), { timeout: 10_000 });

    await call(as('ada'), 'interrupt_run', { run: run?.id });

    expect(await ended(as('ada'), command)).toMatchObject({ runs: [{ end_reason: 'interrupted' }] });
    expect(notices.filter(({ what }) => what === 'refused')).toEqual([]);
  });

  test('puts a hundred questions at once, refuses more, and hears of a stop', { timeout: 60_000 }, async ({
    as,
    drive,
  }) => {
    const answers: Promise<Answer>[] = [];
    const { notices } = await drive({
      driver: agent(({ asks }) => {
        for (let at = 0; at < 130; at += 1) {
          answers.push(asks({ kind: 'permission', title: `Go on ${at}` }, new AbortController().signal));
        }
        return undefined;
      }),
    });
    const command = await send(as('ada'), 'x');

    await vi.waitUntil(() => answers.length === 130, { timeout: 10_000 });
    const refused = await Promise.all(answers.slice(100));
    expect(new Set(refused.map(({ note }) => note))).toEqual(
      new Set([expect.stringMatching(/^It could not be put to anybody\./)]),
    );
    await vi.waitUntil(async () => (await listApprovals(as('ada'), {})).approvals.length > 0, { timeout: 20_000 });
    await call(as('ada'), 'stop_agents', { reason: 'Enough.' });

    expect(await ended(as('ada'), command)).toMatchObject({ runs: [{ end_reason: 'emergency_stop' }] });
    expect(notices.filter(({ what }) => what === 'refused')).toEqual([]);
  });

  test('holds a hundred runs at most, and hears of a stop', { timeout: 60_000 }, async ({ as, drive, sql }) => {
    const { notices } = await drive({ driver: agent(() => undefined) });
    const first = await send(as('ada'), 'x');
    await begun(as('ada'), first);
    for (let at = 0; at < 104; at += 1) await send(as('ada'), 'And this.', { mode: 'steer' });
    const counted = async () => {
      const { rows } = await sql.query(
        "select count(*)::integer from public.agent_runs where tenant_id = $1 and status = 'running'",
        [as('ada').actor.tenant_id],
      );
      return rows[0]?.count;
    };
    await vi.waitUntil(async () => (await counted()) === 100, { timeout: 20_000 });

    await call(as('ada'), 'stop_agents', { reason: 'Enough.' });

    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ end_reason: 'emergency_stop' }] });
    expect(notices.filter(({ what }) => what === 'refused')).toEqual([]);
  });
});

test('what is told of runs and not taken keeps no stop from a runner', async ({ as, drive }) => {
  const held: object[] = [];
  const broken = (port: RunnerPort): RunnerPort => ({
    ...port,
    beat(token, beat) {
      held.push(...beat.runs);
      return port.beat(token, { ...beat, runs: beat.runs.map((run) => ('tokens_in' in run ? broke(run) : run)) });
    },
    control: (runs, waiting) =>
      port.control(
        runs.map((run) => ('tokens_in' in run ? broke(run) : run)),
        waiting,
      ),
  });
  const broke = <Run extends object>(run: Run) => ({ ...run, tokens_in: -1 });
  await drive({ driver: claude(), port: broken });
  const command = await send(as('ada'), 'work 60000');
  await begun(as('ada'), command);
  await vi.waitUntil(() => held.some((run) => !('tokens_in' in run)), { timeout: 10_000 });

  await call(as('ada'), 'stop_agents', { reason: 'Enough.' });

  expect(await ended(as('ada'), command)).toMatchObject({ runs: [{ end_reason: 'emergency_stop' }] });
});
