import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, vi } from 'vitest';
import { DRIVER_NAMES } from '../../src/runner/driver-names.ts';
import { DRIVERS } from '../../src/runner/drivers/catalog.ts';
import { test } from '../support/world.ts';
import { drive, ended, GRACE_MS, send, stopAll } from './drive.ts';

afterEach(stopAll);

const programOf = (command: string, ...args: string[]) => ({
  ...{ command, args, cwd: '/', env: { PATH: process.env['PATH'] } },
});

describe.each(DRIVER_NAMES)('the driver %s, whose program is not there', (name) => {
  test('says of nothing that it was delivered', async ({ as }) => {
    const driver = await DRIVERS[name]({ program: programOf('/nowhere/heron'), graceMs: GRACE_MS });
    await drive(as('heron'), { driver });

    const command = await ended(as('ada'), await send(as('ada'), 'x'));

    expect(command).toMatchObject({ runs: [{ status: 'failed' }] });
    expect(command.runs[0]).not.toHaveProperty('delivered_at');
  });
});

describe.each(['codex', 'acp'] as const)('the driver %s, whose agent does not answer', (name) => {
  test('has delivered nothing', async () => {
    const driver = await DRIVERS[name]({ program: programOf('sleep', '60'), graceMs: GRACE_MS });
    const delivered = vi.fn();
    const silent = { acknowledged() {}, printed() {}, used() {}, works() {}, signalled() {} };
    const asks = () => Promise.reject(new Error('Nothing is asked.'));
    const turn = driver.deliver('x', { run: 'r', mode: 'turn', env: {}, watcher: { ...silent, delivered, asks } });

    await sleep(300);
    turn.stop();
    await turn.ended;

    expect(delivered).not.toHaveBeenCalled();
  });
});
