import { expect, test } from 'vitest';
import { HeldTurn } from '../../src/runner/holder/held-turn.ts';
import { SharedTurn } from '../../src/runner/shared-turn.ts';

const DONE = { status: 'completed', end_reason: 'completed' } as const;

function watching() {
  const printed: string[] = [];
  const watcher = {
    ...{ delivered() {}, acknowledged() {}, used() {}, works() {}, signalled() {} },
    printed: (_: string, text: string) => void printed.push(text),
    asks: () => new Promise<never>(() => {}),
  };
  return { watcher, printed };
}

test('what an agent prints between two turns is of the first, until the second is on its way', () => {
  const turn = new SharedTurn();
  const [first, second] = [watching(), watching()];
  turn.join(turn.await(first.watcher));
  turn.end(DONE);

  turn.print('stderr', 'late');
  const next = turn.await(second.watcher);
  turn.print('stderr', 'starts');
  turn.join(next);
  turn.print('stderr', 'works');

  expect([first.printed, second.printed]).toEqual([['late'], ['starts', 'works']]);
});

test('what an agent prints after its run is forgotten fills no memory', async () => {
  const shared = new SharedTurn();
  const driver = {
    ...{ path: 'a stand-in', modes: ['turn'] as const, open: async () => {}, close: async () => {}, pids: () => [] },
    deliver: (_: string, { watcher }: { watcher: Parameters<SharedTurn['await']>[0] }) => {
      const member = shared.await(watcher);
      shared.join(member);
      return { ended: member.ended, interrupt() {}, stop() {} };
    },
  };
  const turn = new HeldTurn('run', { cwd: '/', tell() {} });
  turn.deliver(driver, 'text', { mode: 'turn', env: {} });
  shared.end(DONE);
  shared.print('stderr', 'late');
  expect(turn.waiting).toBe(4);

  turn.forget();
  shared.print('stderr', 'later');

  expect(turn.waiting).toBe(4);
});
