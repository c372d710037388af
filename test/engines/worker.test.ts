import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { DomainError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import type { JobKind, Run } from '../../src/workers/job.ts';
import { jobKindsOf } from '../../src/workers/jobs.ts';
import { Worker, type WorkerOptions } from '../../src/workers/worker.ts';
import { ask } from '../support/ask.ts';
import { blobs } from '../support/blobs.ts';
import { createProject, note, verify } from '../support/commands.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

// The loop on a real database; those of whole processes are in test/process/jobs.test.ts.

const OTHER = readConfig({ databaseUrl: 'postgres://elsewhere' }, {});

let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => scratch.drop());
beforeEach(async () => {
  await scratch.sql.query('delete from app.jobs; delete from app.due_work');
});

function workerOf(kinds: readonly JobKind[], more: Partial<WorkerOptions> = {}): Worker {
  const { db, connect } = scratch;
  const machine = { config: OTHER, db, blobs, log: createLog('silent'), connect };
  return new Worker({ machine, kinds, everyMs: { most: 50, least: 5 }, ...more });
}

const jobOf = (kind: string, run: (run: Run) => Promise<void>): JobKind => ({
  kind,
  scope: 'installation',
  everySeconds: 3_600,
  needs: 'database',
  run: (_machine, given) => run(given),
});

/** Registers jobs as due now. */
async function register(kinds: readonly JobKind[], everySeconds = 3_600): Promise<void> {
  await ask({ db: scratch.db, actor: { user_id: '' } }, 'register_jobs', {
    jobs: kinds.map(({ kind }) => ({ kind, every_seconds: everySeconds })),
  });
  await scratch.sql.query('update app.jobs set next_run_at = now()');
}

async function row(kind: string): Promise<Record<string, unknown>> {
  return (await scratch.sql.query('select * from app.jobs where kind = $1', [kind])).rows[0];
}

/** Something to wait for, once. */
function signal(): { wait: Promise<void>; give: () => void } {
  let give = () => {};
  const wait = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { wait, give };
}

describe('a worker', () => {
  test('runs what is due of the kinds that it knows, tells how each ended, and keeps no secret of a failure', async () => {
    const fine = jobOf('fine', async () => {});
    const refused = jobOf('refused', async () => {
      throw new DomainError('unavailable', 'The bucket is away.');
    });
    const broken = jobOf('broken', async () => {
      throw new Error('password=hunter2');
    });
    await register([fine, refused, broken, jobOf('unknown', async () => {})]);

    const ended = await workerOf([fine, refused, broken]).runDue();

    const outcomes = Object.fromEntries(ended.map(({ kind, outcome }) => [kind, outcome]));
    expect(outcomes).toEqual({ fine: 'succeeded', refused: 'failed', broken: 'failed' });
    expect(await row('refused')).toMatchObject({ error: 'The bucket is away.', failures_in_row: 1 });
    expect((await row('broken'))['error']).not.toContain('hunter2');
    expect(await row('unknown')).toMatchObject({ token: '0' });
  });

  test('goes on with others: of many, each run is done by one, as often as it is due', {
    timeout: 20_000,
  }, async () => {
    let going = 0;
    let most = 0;
    let runs = 0;
    const often = jobOf('often', async () => {
      going += 1;
      most = Math.max(most, going);
      await new Promise((resolve) => setTimeout(resolve, 20));
      runs += 1;
      going -= 1;
    });
    await register([often], 1);
    const workers = Array.from({ length: 5 }, () => workerOf([often]));

    for (const worker of workers) worker.start();
    await expect.poll(() => runs, { timeout: 15_000 }).toBeGreaterThanOrEqual(5);
    await Promise.all(workers.map((worker) => worker.stop()));

    expect(most).toBe(1);
    expect(await row('often')).toMatchObject({ token: String(runs), last_outcome: 'succeeded', failures_in_row: 0 });
  });

  test('extends the lease of a long run', async () => {
    const long = jobOf('long', () => new Promise((resolve) => setTimeout(resolve, 2_500)));
    await register([long]);

    expect(await workerOf([long], { leaseSeconds: 1 }).runDue()).toMatchObject([{ outcome: 'succeeded' }]);
    expect(await row('long')).toMatchObject({ token: '1', failures_in_row: 0 });
  });

  test('settles nothing that another took over, and tells the run to end', async () => {
    const [started, ended] = [signal(), signal()];
    const slow = jobOf('slow', async ({ signal: held }) => {
      started.give();
      await new Promise((resolve) => held.addEventListener('abort', resolve));
      ended.give();
    });
    await register([slow]);
    const first = workerOf([slow], { leaseSeconds: 3 }).runDue();
    await started.wait;
    await scratch.sql.query(`update app.jobs set lease_expires_at = now() where kind = 'slow'`);
    const quick = jobOf('slow', async () => {});
    expect(await workerOf([quick]).runDue()).toMatchObject([{ outcome: 'succeeded' }]);
    const settled = await row('slow');

    expect(await first).toMatchObject([{ outcome: 'lost' }]);

    await ended.wait;
    expect(await row('slow')).toEqual(settled);
    expect(settled).toMatchObject({ token: '2', last_outcome: 'succeeded' });
  });

  test('that stops lets a run finish, and gives back one that its stop ends', async () => {
    const finishing = signal();
    const finishes = jobOf('finishes', () => {
      finishing.give();
      return new Promise((resolve) => setTimeout(resolve, 300));
    });
    const ending = signal();
    const ends = jobOf('ends', async ({ signal: held }) => {
      ending.give();
      await new Promise((_, reject) => held.addEventListener('abort', () => reject(held.reason)));
    });
    await register([finishes, ends]);
    const workers = [workerOf([finishes]), workerOf([ends])];
    for (const worker of workers) worker.start();
    await Promise.all([finishing.wait, ending.wait]);

    await Promise.all(workers.map((worker) => worker.stop()));

    expect(await row('finishes')).toMatchObject({ last_outcome: 'succeeded' });
    expect(await row('ends')).toMatchObject({ last_outcome: null, holder: null, failures_in_row: 0 });
  });

  test('goes on while its database is away, and is alive only while it looks', async () => {
    const often = jobOf('often', async () => {});
    const worker = workerOf([often]);
    expect(worker.isAlive()).toBe(true);
    await expect.poll(() => worker.isAlive()).toBe(false);

    worker.start();

    await expect.poll(() => worker.isAlive()).toBe(true);
    await worker.stop();
  });
});

describe('the job', () => {
  test('purge deletes what expired', async () => {
    const kinds = jobKindsOf(OTHER);
    await register(kinds.filter(({ kind }) => kind === 'purge'));
    await scratch.sql.query(
      `insert into app.rates (tenant_id, bucket, count, ends_at)
         values (app.get_nil_id(), 'old', 1, now() - interval '1 hour'), (app.get_nil_id(), 'new', 1, now() + interval '1 hour')`,
    );

    const { actor } = await scratch.signIn('ada');
    await scratch.sql.query(
      `insert into app.idempotency_keys (tenant_id, user_id, key, fingerprint, result, created_at)
         values ($1, $2, 'old', 'x', '{}', now() - interval '8 days'), ($1, $2, 'new', 'x', '{}', now() - interval '6 days')`,
      [actor.tenant_id, actor.user_id],
    );

    expect(await workerOf(kinds).runDue()).toMatchObject([{ kind: 'purge', outcome: 'succeeded' }]);

    const { rows } = await scratch.sql.query('select bucket from app.rates order by 1');
    expect(rows).toEqual([{ bucket: 'new' }]);
    const keys = await scratch.sql.query('select key from app.idempotency_keys');
    expect(keys.rows).toEqual([{ key: 'new' }]);
  });

  test('archive moves old events of the workspace that asked, as nobody in particular', async () => {
    const [ada, eve] = [await scratch.signIn('ada'), await scratch.signIn('eve')];
    for (const who of [ada, eve]) {
      await createProject(who);
      await note(who, 'Old.');
    }
    await scratch.sql.query('alter table public.events disable trigger user');
    await scratch.sql.query(`update public.events set created_at = created_at - interval '40 days'`);
    await scratch.sql.query('alter table public.events enable trigger user');
    const to = await mkdtemp(join(tmpdir(), 'cairn-archive-'));
    await ask(ada, 'set_job', { kind: 'archive', settings: { to, days: 30 } });

    expect(await workerOf(jobKindsOf(OTHER)).runDue()).toMatchObject([{ kind: 'archive', outcome: 'succeeded' }]);

    const { rows } = await scratch.sql.query('select tenant_id, count(*)::int from public.events group by 1');
    expect(rows).toEqual([{ tenant_id: eve.actor.tenant_id, count: 2 }]);
    expect((await readdir(to)).length).toBeGreaterThan(1);
    await rm(to, { recursive: true });
    const { events } = await verify(eve);
    expect(events).toBe(2);
  });

  test('backup is of an embedded database alone', () => {
    const kindsOf = (flags: object) => jobKindsOf(readConfig(flags, {})).map(({ kind }) => kind);

    expect(kindsOf({})).toContain('backup');
    expect(kindsOf({ databaseUrl: 'postgres://elsewhere' })).not.toContain('backup');
  });
});

describe('a job that keeps failing', () => {
  async function alerts(): Promise<object[]> {
    const { rows } = await scratch.sql.query(
      `select a.kind, a.title, a.details, a.raised_count::integer, a.resolved_at is null as open from public.agent_alerts a
       where a.tenant_id = app.user_of('{"issuer": "local", "subject": "owner"}') order by a.id`,
    );
    return rows;
  }
  const again = () => scratch.sql.query('update app.jobs set next_run_at = now()');

  test("raises one alert in the workspace of the server's owner, which is resolved when it succeeds", async () => {
    let broken = true;
    const failing = jobOf('flaky', async () => {
      if (broken) throw new DomainError('unavailable', 'The bucket is away.');
    });
    await register([failing]);
    const worker = workerOf([failing]);
    // Without a workspace of that owner nobody is told, and nothing fails.
    for (const _ of [1, 2, 3, 4]) {
      expect(await worker.runDue()).toMatchObject([{ outcome: 'failed' }]);
      await again();
    }
    const identity = { issuer: 'local', subject: 'owner', name: 'Owner' };
    await ask({ db: scratch.db, actor: { user_id: '' } }, 'sign_in', { identity });
    await scratch.sql.query('update app.jobs set failures_in_row = 0');

    for (const failures of [1, 2, 3, 4]) {
      await worker.runDue();
      await again();
      expect(await alerts()).toHaveLength(failures < 3 ? 0 : 1);
    }
    const details = { job: 'flaky', failures: 4, error: 'The bucket is away.' };
    const title = 'The job flaky keeps failing.';
    expect(await alerts()).toEqual([{ kind: 'job_failing', title, details, raised_count: 2, open: true }]);

    broken = false;
    await worker.runDue();

    expect(await alerts()).toMatchObject([{ open: false }]);
  });
});
