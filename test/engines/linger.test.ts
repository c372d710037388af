import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EmbeddedServer, ensureServer, serverStatus, stopServer } from '../../src/db/embedded/shared-server.ts';
import { inspectProcess } from '../../src/db/process.ts';
import { createLog } from '../../src/log.ts';
import { cairn, startCairn } from '../support/cairn.ts';
import { query, serverPid, startProcess } from '../support/embedded.ts';

const log = createLog('silent');
// Long enough for what a test does meanwhile, however busy the machine.
const LONG = 300;

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-linger-'));
});

afterEach(async () => {
  await stopServer({ dataDir }).catch(() => {});
  await rm(dataDir, { recursive: true, force: true });
});

const enter = (lingerSeconds: number): Promise<EmbeddedServer> => ensureServer({ dataDir, log, lingerSeconds });

const isGone = async (pid: number) => (await inspectProcess(pid)) === null;

describe('a server that lingers', () => {
  test('is there for the next one, and has nobody connected meanwhile', async () => {
    await (await enter(LONG)).release();
    const pid = await serverPid(dataDir);
    const between = await serverStatus(dataDir);

    const next = await enter(LONG);

    expect(between).toMatchObject({ running: true, connections: 0 });
    expect(await query(next, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(await serverPid(dataDir)).toBe(pid);
    await next.release();
  });

  test('stops by itself when nobody comes', async () => {
    await (await enter(1)).release();
    const pid = await serverPid(dataDir);

    await expect.poll(() => isGone(pid), { timeout: 20_000 }).toBe(true);

    const next = await enter(1);
    expect(await query(next, 'select 1 as one')).toEqual([{ one: 1 }]);
    await next.release();
  });

  test('keeps whoever comes just when it would stop', { timeout: 120_000 }, async () => {
    for (let ms = 950; ms < 1_350; ms += 40) {
      await (await enter(1)).release();
      await sleep(ms);

      const next = await enter(1);
      // A pending stop would have happened by now.
      await sleep(50);
      expect(await query(next, 'select 1 as one')).toEqual([{ one: 1 }]);
      await next.release();
    }
  });

  test('stops by itself when the last one was killed', async () => {
    const { child, ready } = startProcess(dataDir, { lingerSeconds: 1 });
    await ready;
    const pid = await serverPid(dataDir);
    const other = await enter(1);
    const watched = `select from pg_locks where locktype = 'advisory' and granted`;
    await expect.poll(() => query(other, watched), { timeout: 10_000 }).toHaveLength(1);
    await other.release();
    child.kill('SIGKILL');
    await once(child, 'exit');

    await expect.poll(() => isGone(pid), { timeout: 20_000 }).toBe(true);
  });

  test('is stopped at once by a last one who wants no lingering', async () => {
    const first = await enter(LONG);
    const last = await enter(0);
    await first.release();
    const pid = await serverPid(dataDir);

    await last.release();

    expect(await isGone(pid)).toBe(true);
  });

  test('is stopped by the last one where no session would stop it', async () => {
    const server = await enter(LONG);
    const pid = await serverPid(dataDir);
    const watch = `select count(pg_terminate_backend(pid))::int as n from pg_stat_activity where application_name = 'cairn idle watch'`;
    await expect.poll(async () => (await query(server, watch))[0]?.['n'], { timeout: 10_000 }).toBe(1);

    await server.release();

    expect(await isGone(pid)).toBe(true);
  });
});

describe('commands in a row', () => {
  const run = (...args: string[]) => cairn(['--data-dir', dataDir, ...args], { env: { CAIRN_LINGER_SECONDS: '60' } });

  test('find the server of the one before, until it is stopped', { timeout: 60_000 }, async () => {
    expect(await run('status')).toMatchObject({ code: 0 });
    const pid = await serverPid(dataDir);

    expect(await run('status')).toMatchObject({ code: 0 });

    expect(await serverPid(dataDir)).toBe(pid);
    expect((await run('db', 'status')).stdout).toContain('connections  0, so it stops by itself');
    expect((await run('db', 'stop')).stdout).toBe('Stopped.\n');
    expect(await isGone(pid)).toBe(true);
  });

  test('end with their last word', { timeout: 60_000 }, async () => {
    await run('status');

    const { process: child, exited } = startCairn(['--data-dir', dataDir, '--linger-seconds', '60', 'status'], 'pipe');
    let spoken = 0;
    child.stdout?.on('data', () => {
      spoken = performance.now();
    });
    await exited;

    expect(spoken).toBeGreaterThan(0);
    // Closing takes some milliseconds; a timer that is waited for would be a second, or the time of lingering.
    expect(performance.now() - spoken).toBeLessThan(900);
  });

  test('say what a setting that is none should be', async () => {
    const { code, stderr } = await cairn(['status'], { env: { CAIRN_LINGER_SECONDS: '-1' } });

    expect(code).toBe(2);
    expect(stderr).toContain('--linger-seconds');
  });
});
