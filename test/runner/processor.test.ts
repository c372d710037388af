import { describe, expect } from 'vitest';
import { pipeDriver } from '../../src/runner/drivers/pipe.ts';
import { ProcessorMeter } from '../../src/runner/processor.ts';
import { test } from '../support/world.ts';
import { drive, ended, GRACE_MS, send, stopAll } from './drive.ts';

/** A meter over ten seconds, of a system that counts what the test says. */
function meter() {
  const said = { at: 0, usedMs: 0 };
  const measured = new ProcessorMeter({ overMs: 10_000, now: () => said.at, usedMsOf: () => said.usedMs });
  return {
    /** Lets some seconds pass in which so much of a processor is used, and returns what is measured. */
    pass(seconds: number, percent: number) {
      for (let second = 0; second < seconds; second += 1) {
        said.at += 1_000;
        said.usedMs += 10 * percent;
        measured.percentOf([1]);
      }
      return measured.percentOf([1]);
    },
    forget(ms: number) {
      said.usedMs -= ms;
    },
  };
}

describe('the use of the processor', () => {
  test('is known after ten seconds, and is that of the last ten', () => {
    const { pass } = meter();

    expect(pass(9, 200)).toBeUndefined();
    expect(pass(2, 200)).toBe(200);
    expect(pass(5, 0)).toBe(100);
    expect(pass(5, 0)).toBe(0);
  });

  test('does not become less when a process ends that nobody waited for', () => {
    const { pass, forget } = meter();
    pass(6, 100);

    forget(5_000);

    expect(pass(6, 100)).toBeGreaterThanOrEqual(90);
  });

  test.runIf(process.platform === 'linux')('beyond its limit ends a run, children counted', async ({ as }) => {
    const line = 'cat > /dev/null; (while :; do :; done) & wait';
    const program = { command: 'sh', args: ['-c', line], cwd: '/', env: { PATH: process.env['PATH'] } };
    const { runner } = await drive(as('heron'), {
      driver: pipeDriver({ program, graceMs: GRACE_MS }),
      processorMs: 300,
    });

    const command = await ended(as('ada'), await send(as('ada'), 'Spin.', { limits: { cpu_limit_percent: 1 } }));

    expect(command).toMatchObject({
      status: 'failed',
      runs: [{ status: 'failed', end_reason: 'cpu_limit', error: expect.stringMatching(/% of a processor, of 1\.$/) }],
    });
    expect(runner.pids()).toEqual([]);
    await stopAll();
  });
});
