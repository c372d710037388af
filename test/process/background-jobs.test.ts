import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/database.ts';
import { createLog } from '../../src/log.ts';
import { BackgroundJobs } from '../../src/server/stdio/background.ts';
import { blobs } from '../support/blobs.ts';
import { openLocalWorld } from '../support/local-world.ts';
import { startRaw } from '../support/raw-agent.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

// Jobs beside agents of an embedded database. Time passes a hundred times as fast, but in the last test.
const EVERY_MS = 300;
const SECONDS = Number(process.env.CAIRN_TEST_JOBS_SECONDS ?? 0);

let scratch: Scratch;
let dataDir: string;
let beside: { jobs: BackgroundJobs; calls: string[] }[] = [];

beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => scratch.drop());
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-background-'));
});
afterEach(async () => {
  await Promise.all(beside.map(({ jobs }) => jobs.stop()));
  beside = [];
  await rm(dataDir, { recursive: true });
});

/** As an agent's process has it; its calls are noted. */
function start(activeMs = 60_000): { jobs: BackgroundJobs; calls: string[] } {
  const calls: string[] = [];
  const { connect } = scratch;
  const db: Database = {
    ...scratch.db,
    call(fn, args, actor) {
      calls.push(fn);
      return scratch.db.call(fn, args, actor);
    },
  };
  const config = readConfig({ dataDir }, {});
  const local = { db, blobs, connect };
  const jobs = new BackgroundJobs({ config, local, log: createLog('silent'), everyMs: EVERY_MS, activeMs });
  jobs.start();
  const one = { jobs, calls };
  beside.push(one);
  return one;
}

const looks = ({ calls }: { calls: string[] }) => calls.filter((fn) => fn === 'due_jobs').length;

describe('processes of agents over one embedded database', () => {
  test('ask what is due once in their time, one of them for all', async () => {
    const all = [start(), start(), start()];

    await expect.poll(() => all.reduce((sum, one) => sum + looks(one), 0), { timeout: 5_000 }).toBeGreaterThan(0);
    const before = all.reduce((sum, one) => sum + one.calls.length, 0);
    await pause(10 * EVERY_MS);

    expect(all.filter(({ calls }) => calls.length > 0)).toHaveLength(1);
    const asked = all.reduce((sum, one) => sum + one.calls.length, 0) - before;
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThanOrEqual(10);
  });

  test('run what touches the database alone, and show that the rest waits', async () => {
    const one = start();
    await expect.poll(() => looks(one), { timeout: 5_000 }).toBeGreaterThan(0);
    await scratch.sql.query(`update app.jobs set next_run_at = now()`);

    await expect
      .poll(async () => (await scratch.sql.query(`select last_outcome from app.jobs where kind = 'purge'`)).rows, {
        timeout: 5_000,
      })
      .toEqual([{ last_outcome: 'succeeded' }]);

    const { rows } = await scratch.sql.query(`select token, last_outcome from app.jobs where kind = 'backup'`);
    expect(rows).toEqual([{ token: '0', last_outcome: null }]);
  });

  test('leave it to one that is used when nobody uses them, and ask nothing then', async () => {
    const idle = start(3 * EVERY_MS);
    await expect.poll(() => looks(idle), { timeout: 5_000 }).toBeGreaterThan(0);
    const used = start();

    await expect.poll(() => looks(used), { timeout: 10_000 }).toBeGreaterThan(0);
    const before = idle.calls.length;
    await pause(4 * EVERY_MS);

    expect(idle.calls.length).toBe(before);
  });
});

test.skipIf(SECONDS < 60)('three idle agents ask for jobs twice a minute together', { timeout: 400_000 }, async () => {
  const world = await openLocalWorld();
  await world.rows(`alter system set track_functions = 'all'`);
  await world.rows('select pg_reload_conf()');
  const agents = await Promise.all([1, 2, 3].map(() => startRaw(['--data-dir', world.dataDir])));
  const count = async () =>
    (
      await world.rows<{ calls: number }>(
        `select coalesce(sum(calls), 0)::int as calls from pg_stat_user_functions
          where funcname in ('due_jobs', 'register_jobs', 'claim_job', 'finish_job', 'extend_job')`,
      )
    )[0]?.calls ?? 0;
  try {
    await pause(75_000);
    const before = await count();
    await pause(120_000);
    const asked = (await count()) - before;

    console.log(`${asked} statements about jobs in two minutes of three processes`);
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThanOrEqual(4);
  } finally {
    await Promise.all(agents.map((agent) => agent.close()));
    await world.close();
  }
});
