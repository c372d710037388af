import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { DomainError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import type { JobKind } from '../../src/workers/job.ts';
import { jobKindsOf } from '../../src/workers/jobs.ts';
import type { WorkerOptions } from '../../src/workers/worker.ts';
import { ask } from '../support/ask.ts';
import { blobs } from '../support/blobs.ts';
import { createProject, note, verify } from '../support/commands.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { jobOf, jobRow, workerOf as makeWorker, OTHER, registerDue, signal } from '../support/workers.ts';

// The loop on a real database; those of whole processes are in test/process/jobs.test.ts.

let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => scratch.drop());
beforeEach(async () => {
  await scratch.sql.query('delete from app.jobs; delete from app.due_work');
});

const workerOf = (kinds: readonly JobKind[], more: Partial<WorkerOptions> = {}) => makeWorker(scratch, kinds, more);
const register = (kinds: readonly JobKind[], everySeconds?: number) => registerDue(scratch, kinds, everySeconds);
const row = (kind: string) => jobRow(scratch, kind);

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

  test('ends a run that hangs, as a failure, and leaves it if it does not end', async () => {
    const hanging = (kind: string, heeds: boolean): JobKind => ({
      ...jobOf(kind, ({ signal: told }) => {
        return new Promise((_, reject) => heeds && told.addEventListener('abort', () => reject(told.reason)));
      }),
      maxSeconds: 0.1,
    });
    const kinds = [hanging('heeds', true), hanging('hangs', false)];
    await register(kinds);

    const ended = await workerOf(kinds, { stopMs: 100 }).runDue();

    expect(ended.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
    const failed = { error: 'It took longer than 0.1 seconds.', failures_in_row: 1, holder: null };
    expect([await row('heeds'), await row('hangs')]).toMatchObject([failed, failed]);
  });

  test('gives back a run that goes on after its stop, which is no failure and tells nobody', async () => {
    const started = signal();
    const deaf = jobOf('deaf', () => {
      started.give();
      return new Promise(() => {});
    });
    await register([deaf]);
    await scratch.sql.query('update app.jobs set failures_in_row = 3');
    await scratch.signIn('zoe');
    const worker = workerOf([deaf], { stopMs: 50 });
    worker.start();
    await started.wait;

    await worker.stop();

    expect(await row('deaf')).toMatchObject({ holder: null, last_outcome: null, failures_in_row: 3 });
    expect((await scratch.sql.query('select from public.agent_alerts')).rowCount).toBe(0);
    expect(await workerOf([jobOf('deaf', async () => {})]).runDue()).toMatchObject([{ outcome: 'succeeded' }]);
  });

  test('runs the others when one cannot be claimed, and tells that it did not begin', async () => {
    const kinds = [jobOf('stuck', async () => {}), jobOf('free', async () => {})];
    await register(kinds);
    await scratch.sql.query(`update app.jobs set token = 9223372036854775807 where kind = 'stuck'`);

    const ended = await workerOf(kinds).runDue();

    expect(ended).toMatchObject([
      { kind: 'free', outcome: 'succeeded' },
      { kind: 'stuck', outcome: 'failed' },
    ]);
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

  test('backup stops when it is told to, though it waits for a lock, and leaves no file', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'cairn-backup-'));
    const config = readConfig({ dataDir }, {});
    const backup = jobKindsOf(config).find(({ kind }) => kind === 'backup');
    const locking = await scratch.connect();
    await locking.query('begin; lock table app.rates in access exclusive mode');
    const { db, connect } = scratch;
    const told = new AbortController();
    const run = { actor: { user_id: '' }, settings: {}, signal: told.signal };
    const stopped = backup?.run({ config, db, blobs, log: createLog('silent'), connect }, run);
    stopped?.catch(() => {});
    const waiting = async () => (await locking.query('select from pg_locks where not granted')).rowCount;
    await expect.poll(waiting).toBe(1);

    told.abort();

    await expect(stopped).rejects.toMatchObject({ code: 'unavailable' });
    await locking.end();
    expect(await readdir(join(dataDir, 'backups'))).toEqual([]);
    await rm(dataDir, { recursive: true });
  });

  test('backup is of an embedded database alone', () => {
    const kindsOf = (flags: object) => jobKindsOf(readConfig(flags, {})).map(({ kind }) => kind);

    expect(kindsOf({})).toContain('backup');
    expect(kindsOf({ databaseUrl: 'postgres://elsewhere' })).not.toContain('backup');
  });
});
