import process from 'node:process';
import { afterEach, describe, expect } from 'vitest';
import * as z from 'zod';
import { sqlFunction } from '../../src/db/sql-function.ts';
import { DRIVER_NAMES, type DriverName } from '../../src/runner/driver-names.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { verify } from '../support/commands.ts';
import { ended, send, until } from './drive.ts';
import { closeDrivers, openHeld } from './give.ts';
import { test as driving } from './ways.ts';

const HOUR = 3_600;
const settleRuns = sqlFunction('settle_runs', z.object({ settled: z.int() }));

type Machine = {
  /** Begins a run of heron there, and waits until the agent works on it. */
  begin(name: DriverName, content: string, given?: object): Promise<{ command: { id: string }; printed: string[] }>;
  /** Stops its processes; nothing passes in or out. An hour goes by. */
  sleep(): Promise<void>;
  wake(): void;
};

const test = driving.extend<{ machine: Machine; settle: () => Promise<number> }>({
  machine: async ({ as, drive, clock }, use) => {
    let awake = Promise.resolve();
    let arise = () => {};
    const port = (over: RunnerPort): RunnerPort =>
      Object.fromEntries(
        Object.entries(over).map(([name, ask]) => [
          name,
          async (...given: never[]) => {
            await awake;
            const answer = await (ask as (...given: never[]) => Promise<unknown>)(...given);
            await awake;
            return answer;
          },
        ]),
      ) as RunnerPort;
    let pids: number[] = [];
    const wake = () => {
      for (const pid of pids.splice(0)) process.kill(-pid, 'SIGCONT');
      arise();
    };
    await use({
      async begin(name, content, given = {}) {
        const { driver, holder } = await openHeld(name);
        const { printed } = await drive({ driver, port });
        const command = await send(as('ada'), content, given);
        await until(as('ada'), command, ({ runs }) => 'acked_at' in (runs[0] ?? {}));
        await expect.poll(() => driver.pids(), { timeout: 5_000 }).toHaveLength(1);
        pids = [...driver.pids(), holder];
        return { command, printed };
      },
      async sleep() {
        awake = new Promise((resolve) => {
          arise = resolve;
        });
        for (const pid of pids) process.kill(-pid, 'SIGSTOP');
        await clock.advance({ seconds: HOUR });
      },
      wake,
    });
    wake();
  },
  /** A worker elsewhere, which was awake. */
  settle: async ({ as, sql }, use) => {
    await use(async () => {
      await sql.query(
        "update app.jobs set last_succeeded_at = now() + make_interval(secs => $2) where kind = 'runs' and tenant_id = $1",
        [as('ada').actor.tenant_id, HOUR],
      );
      return (await settleRuns(as('system'), {})).settled;
    });
  },
});

afterEach(closeDrivers);

describe.skipIf(process.platform === 'win32')('after an hour in which its machine slept', () => {
  test.for(DRIVER_NAMES)('a run of the driver %s goes on where nobody settled it', async (name, { as, machine }) => {
    const { command } = await machine.begin(name, 'work 800');

    await machine.sleep();
    machine.wake();

    expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed', runs: [{ attempt: 1 }] });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test.for(DRIVER_NAMES)(
    'one of the driver %s that was settled is ended, and the next is done',
    async (name, { as, machine, settle }) => {
      const { command, printed } = await machine.begin(name, 'work 60000');

      await machine.sleep();
      expect(await settle()).toBe(1);
      machine.wake();

      const next = await ended(as('ada'), await send(as('ada'), 'next'));
      expect(next).toMatchObject({ status: 'completed', runs: [{ attempt: 1 }] });
      expect(await ended(as('ada'), command)).toMatchObject({ runs: [{ status: 'failed', end_reason: 'lost' }] });
      expect(printed.join('').match(/reads: /g)).toHaveLength(2);
      expect(await verify(as('ada'))).toMatchObject({ ok: true });
    },
  );

  test('one that may be repeated is given again once its turn has ended', async ({ as, machine, settle }) => {
    const { command, printed } = await machine.begin('claude', 'deaf work 4000', { repeatable: true });

    await machine.sleep();
    expect(await settle()).toBe(1);
    machine.wake();

    // Its agent heeds no interrupt: it is killed before another is started.
    expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed', runs: [{ attempt: 2 }] });
    expect(printed.join('').match(/begun with heron/g)).toHaveLength(2);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });
});
