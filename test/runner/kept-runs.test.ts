import { afterEach, describe, expect, test } from 'vitest';
import { HolderLink } from '../../src/runner/holder/link.ts';
import type { Kept } from '../../src/runner/keeper.ts';
import { GRACE_MS } from './drive.ts';
import { closeDrivers, give, openHeld } from './give.ts';

afterEach(closeDrivers);

const watcher = {
  delivered() {},
  acknowledged() {},
  used() {},
  works() {},
  signalled() {},
  printed() {},
  asks: () => Promise.reject(new Error('Nothing is asked.')),
};

describe('the runner after one that was killed', () => {
  test('goes on with a run that its agent has, and not with one that never reached it', async () => {
    const { driver, link } = await openHeld('claude');
    for (const run of ['r', 'kept-alone']) driver.keeper?.keep(run, {} as Kept);
    give(driver, 'work 60000');

    link.leave();
    const next = await HolderLink.connect(link.address, { graceMs: GRACE_MS });
    const again = await next?.open('/');

    // It would have no end, whoever asks for it.
    expect(again?.resume?.('kept-alone', { watcher, characters: 0 })).toBeUndefined();
    const turn = again?.resume?.('r', { watcher, characters: 0 });
    turn?.interrupt();
    expect(await turn?.ended).toMatchObject({ status: 'cancelled' });
    await next?.quit();
  });
});
