import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cairn } from '../support/cairn.ts';
import { databaseUrl } from '../support/database-url.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { startServing } from '../support/serve.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
// With 60, as long as a release is tried.
const SECONDS = Number(process.env.CAIRN_TEST_JOBS_SECONDS ?? 8);
// With 0 the clock of the lease is moved.
const STOP_SECONDS = Number(process.env.CAIRN_TEST_STOP_SECONDS ?? 0);

let scratch: Scratch;
let url: string;
let children: ChildProcess[] = [];

beforeEach(async () => {
  scratch = await createScratch();
  url = databaseUrl(scratch.connection);
  await cairn(['worker', '--once', '--database-url', url]);
  await scratch.sql.query(WATCHED);
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(children.map(ended));
  children = [];
  await scratch.drop();
});

// What each purge did itself, and what its job said of it.
const WATCHED = `
  create table public.purges (started_at timestamptz, ended_at timestamptz);
  create table public.claims (token bigint, due_at timestamptz, at timestamptz, lost boolean);
  create function public.note_purge() returns trigger language plpgsql security definer as $$
    begin insert into public.purges values (transaction_timestamp(), clock_timestamp()); return null; end $$;
  create function public.note_claim() returns trigger language plpgsql security definer as $$
    begin insert into public.claims values (new.token, old.next_run_at, clock_timestamp(), new.last_outcome = 'lost'); return null; end $$;
  create trigger note_purge after delete on app.oauth_clients execute function public.note_purge();
  create trigger note_claim after update on app.jobs for each row when (new.token > old.token and new.kind = 'purge')
    execute function public.note_claim();`;

const COMMANDS = Object.freeze([['worker'], ['worker'], ['serve'], ['serve'], ['serve'], ['serve']]);

function start(args: string[]): ChildProcess {
  const port = args[0] === 'serve' ? ['--port', '0'] : [];
  const child = spawn(process.execPath, [CLI, ...args, ...port, '--database-url', url, '--log-level', 'warn'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  return child;
}

const ended = (child: ChildProcess): Promise<unknown> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', resolve));

async function rows<Row extends object>(text: string): Promise<Row[]> {
  return (await scratch.sql.query<Row>(text)).rows;
}

describe('two workers and four servers over one database', () => {
  test('do each job as often as it is due and never twice at once, while one is killed each second', {
    timeout: SECONDS * 1_000 + 60_000,
  }, async () => {
    const running = COMMANDS.map((args) => start([...args]));
    await pause(2_000);
    await scratch.sql.query(`update app.jobs set every_seconds = 1, next_run_at = now() where kind = 'purge'`);
    for (let second = 0; second < SECONDS; second += 1) {
      await pause(1_000);
      const at = second % running.length;
      running[at]?.kill('SIGKILL');
      running[at] = start([...(COMMANDS[at] ?? [])]);
    }

    const claims = await rows<{ token: string; late: number; lost: boolean }>(
      'select token, extract(epoch from at - due_at)::float8 as late, lost from public.claims order by token',
    );
    const overlaps = await rows(
      `select from public.purges p join public.purges o on o.started_at > p.started_at and o.started_at < p.ended_at`,
    );
    const [{ purges } = { purges: 0 }] = await rows<{ purges: number }>(
      'select count(*)::int as purges from public.purges',
    );

    const lost = claims.filter((claim) => claim.lost).length;
    const worst = Math.max(...claims.map(({ late }) => late));
    console.log(
      `${claims.length} claims, ${purges} purges in ${SECONDS} s, ${lost} lost, the latest ${worst.toFixed(1)} s late`,
    );
    expect(claims.map(({ token }) => Number(token))).toEqual(claims.map((_, index) => index + 1));
    expect(overlaps).toEqual([]);
    expect(claims.filter(({ late }) => late < 0)).toEqual([]);
    // One that was killed at its work is waited for until its lease ends.
    expect(claims.filter(({ late, lost: isLost }) => late > (isLost ? 40 : 5))).toEqual([]);
    if (lost === 0) expect(claims.length).toBeGreaterThan(SECONDS / 2);
    expect(Math.abs(claims.length - purges)).toBeLessThanOrEqual(lost + 1);
  });

  test('a worker that was stopped past its lease settles nothing that it no longer holds', {
    timeout: 400_000,
  }, async () => {
    const blocker = await scratch.connect();
    await blocker.query('begin; lock table app.oauth_clients in access exclusive mode');
    await scratch.sql.query(`update app.jobs set next_run_at = now() where kind = 'purge'`);
    const worker = start(['worker']);
    let said = '';
    worker.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    const isHeld = async () =>
      (await rows(`select from app.jobs where kind = 'purge' and holder is not null`)).length > 0;
    await expect.poll(isHeld, { timeout: 20_000 }).toBe(true);
    worker.kill('SIGSTOP');
    if (STOP_SECONDS > 0) await pause(STOP_SECONDS * 1_000);
    else await scratch.sql.query('update app.jobs set lease_expires_at = now() where holder is not null');
    await blocker.query('rollback');
    await blocker.end();
    await cairn(['worker', '--once', '--database-url', url]);
    const [settled] = await rows(`select * from app.jobs where kind = 'purge'`);

    worker.kill('SIGCONT');
    await expect
      .poll(() => said, { timeout: 20_000 })
      .toMatch(/is over: its run is left|is not recorded|is not extended/);

    expect(await rows(`select * from app.jobs where kind = 'purge'`)).toEqual([settled]);
    expect(settled).toMatchObject({ token: '2', last_outcome: 'succeeded', failures_in_row: 0 });
  });
});

describe('cairn serve', () => {
  test('runs jobs, counts them, and is healthy while it looks for them', async () => {
    const server = await startServing(['--database-url', url, '--log-level', 'error']);
    const get = async (path: string) => fetch(new URL(path, server.url));
    try {
      await scratch.sql.query(`update app.jobs set next_run_at = now() where kind = 'purge'`);

      const metrics = async () => (await get('/metrics')).text();
      await expect
        .poll(metrics, { timeout: 20_000 })
        .toContain('cairn_job_runs_total{kind="purge",outcome="succeeded"} 1');

      expect(await metrics()).toMatch(/^cairn_job_seconds_count\{kind="purge"\} 1$/m);
      expect(await metrics()).toMatch(/^cairn_job_last_success_timestamp\{kind="purge"\} \d+/m);
      expect(await metrics()).toMatch(/^cairn_jobs_overdue 0$/m);
      expect([(await get('/healthz')).status, (await get('/readyz')).status]).toEqual([200, 200]);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  test('runs none with --no-worker, and shows that they wait', async () => {
    const server = await startServing(['--database-url', url, '--log-level', 'error', '--no-worker']);
    try {
      await scratch.sql.query(`update app.jobs set next_run_at = now() - interval '1 day'`);

      const metrics = await (await fetch(new URL('/metrics', server.url))).text();

      expect(metrics).toMatch(/^cairn_jobs_overdue [1-9]$/m);
      expect(metrics).not.toContain('cairn_job_runs_total');
      expect((await fetch(new URL('/healthz', server.url))).status).toBe(200);
    } finally {
      await server.stop();
    }
  });
});
