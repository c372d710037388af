import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, vi } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { call } from '../support/calls.ts';
import { begun, ended, send } from './drive.ts';
import { claude, test } from './ways.ts';

describe('a claim that is refused', () => {
  test.for(['gate_unmet', 'illegal_transition', 'lock_held', 'forbidden'] as const)(
    'as %s is told once, while all else goes on',
    async (code, { as, drive }) => {
      let isRefusing = false;
      const refused: number[] = [];
      const refusing = (port: RunnerPort): RunnerPort => ({
        ...port,
        claim(...given) {
          if (!isRefusing) return port.claim(...given);
          refused.push(performance.now());
          return Promise.reject(new DomainError(code, 'Its task waits.'));
        },
      });
      const { notices } = await drive({ driver: claude(), port: refusing });
      const first = await send(as('ada'), 'work 900');
      await begun(as('ada'), first);

      isRefusing = true;
      const second = await send(as('ada'), 'And this.', { mode: 'steer' });
      await sleep(600);
      isRefusing = false;

      expect(await ended(as('ada'), first)).toMatchObject({ status: 'completed' });
      expect(await ended(as('ada'), second)).toMatchObject({ status: 'completed' });
      expect(notices.filter(({ what }) => what === 'refused')).toEqual([{ what: 'refused', why: 'Its task waits.' }]);
      expect(notices.filter(({ what }) => what === 'away')).toEqual([]);
      expect(refused.length).toBeGreaterThan(1);
      // Each after the pause of the runner, which is 30 ms here.
      expect(refused.length).toBeLessThan(600 / 30 + 2);
    },
  );

  test('is told again after another was taken', async ({ as, drive }) => {
    let left = 1;
    const refusing = (port: RunnerPort): RunnerPort => ({
      ...port,
      claim(...given) {
        left -= 1;
        return left === 0 ? Promise.reject(new DomainError('gate_unmet', 'Its task waits.')) : port.claim(...given);
      },
    });
    const { notices } = await drive({ driver: claude(), port: refusing });
    await ended(as('ada'), await send(as('ada'), 'one'));

    left = 1;
    await ended(as('ada'), await send(as('ada'), 'two'));

    expect(notices.filter(({ what }) => what === 'refused')).toHaveLength(2);
  });
});

describe('a runner that is stopped while a claim is on its way', () => {
  test.for(['turn', 'interrupt'] as const)('gives back the run of the mode %s', async (mode, { as, drive }) => {
    const driver = claude();
    const deliver = vi.spyOn(driver, 'deliver');
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const claimed: unknown[] = [];
    const late = (port: RunnerPort): RunnerPort => ({
      ...port,
      async claim(...given) {
        const found = await port.claim(...given);
        claimed.push(found);
        await gate;
        return found;
      },
    });
    const { runner, token } = await drive({ driver, port: late });
    const command = await send(as('ada'), 'work 60000', { mode });
    await vi.waitUntil(() => claimed.length > 0, { timeout: 10_000 });

    const stopped = runner.stop();
    await sleep(100);
    open();
    await stopped;

    expect(deliver).not.toHaveBeenCalled();
    expect(driver.pids()).toEqual([]);
    const shown = await call(as('ada'), 'get_command', { command: command.id });
    expect(shown).toMatchObject({ runs: [{ status: 'queued', attempt: 1 }] });
    const { runner: next } = await drive({ driver: claude(), token });
    await begun(as('ada'), command);
    await next.stop();
  });
});
