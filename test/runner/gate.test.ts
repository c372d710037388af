import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { DRIVER_NAMES } from '../../src/runner/driver-names.ts';
import { Gate } from '../../src/runner/gate.ts';
import { closeDrivers, give, openBehind } from './give.ts';

const FLOOD_MB = 6;
// In the pipes and streams between a program and its driver.
const ON_ITS_WAY_MAX = 1_000_000;

const gate = new Gate();

afterEach(() => {
  // What waits keeps its program from ending in order.
  gate.open();
  return closeDrivers();
});

test.for(DRIVER_NAMES)(
  'a gate holds what an agent of the driver %s prints, and its turn',
  { timeout: 40_000 },
  async (name) => {
    const driver = await openBehind(gate, name);
    let characters = 0;
    const hears = (words: string) => {
      if (characters === 0 && words.includes('xxx')) gate.close();
      if (words.includes('xxx')) characters += words.length;
    };
    let hasEnded = false;
    const { turn } = give(driver, `flood ${FLOOD_MB} lines\n`, { hears });
    void turn.ended.then(() => (hasEnded = true));
    await vi.waitUntil(() => characters > 0, { timeout: 15_000 });

    await sleep(2_000);

    expect(characters).toBeLessThan(ON_ITS_WAY_MAX);
    expect(hasEnded).toBe(false);
    gate.open();
    expect(await turn.ended).toMatchObject({ status: 'completed', result: expect.stringMatching(/did/) });
    expect(characters).toBeGreaterThan(FLOOD_MB * 1_000_000);
  },
);
