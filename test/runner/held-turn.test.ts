import { expect, test, vi } from 'vitest';
import type { Driver } from '../../src/runner/driver.ts';
import type { Ended } from '../../src/runner/ended.ts';
import { HeldTurn } from '../../src/runner/holder/held-turn.ts';

test('a turn that has ended is not interrupted: its agent may be at work on the next text', async () => {
  const [interrupt, stop] = [vi.fn(), vi.fn()];
  let end: (ended: Ended) => void = () => {};
  const driver: Driver = {
    ...{ path: 'a stand-in', modes: ['turn'], open: async () => {}, close: async () => {}, pids: () => [] },
    deliver: () => ({ ended: new Promise((resolve) => (end = resolve)), interrupt, stop }),
  };
  const told: string[] = [];
  const turn = new HeldTurn('run', { cwd: '/', tell: ({ say }) => void told.push(say) });
  turn.deliver(driver, 'text', { mode: 'turn', env: {} });
  turn.interrupt();
  turn.stop();
  expect([interrupt.mock.calls.length, stop.mock.calls.length]).toEqual([1, 1]);
  end({ status: 'completed', end_reason: 'completed' });
  await vi.waitUntil(() => told.includes('ended'));

  turn.interrupt();
  turn.stop();

  expect([interrupt.mock.calls.length, stop.mock.calls.length]).toEqual([1, 1]);
});
