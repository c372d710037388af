import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HolderLink } from '../../src/runner/holder/link.ts';
import type { FromHolder } from '../../src/runner/holder/messages.ts';
import { takeOver } from '../../src/runner/leftovers.ts';
import { eachLine } from '../../src/runner/lines.ts';
import { isGroupAlive } from '../../src/runner/process-group.ts';
import { beganAt } from '../../src/runner/process-start.ts';
import { GRACE_MS } from './drive.ts';

// A runner's side of the connection, with a stand-in at the other.

const DEAF = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1_000); console.log('deaf')";

let home: string;
let server: Server | undefined;
let agent: ChildProcess | undefined;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-link-'));
});

afterEach(async () => {
  server?.close();
  if (agent?.pid !== undefined && isGroupAlive(agent.pid)) process.kill(-agent.pid, 'SIGKILL');
  await rm(home, { recursive: true, force: true });
});

/** A holder that does as little as it must, and what it says. */
async function standIn(holds: Extract<FromHolder, { say: 'holds' }>['runs'] = []) {
  const path = join(home, 'holder');
  const heard: string[] = [];
  let runner: Socket | undefined;
  const say = (told: FromHolder) => void runner?.write(`${JSON.stringify(told)}\n`);
  server = createServer((socket) => {
    runner = socket;
    eachLine(socket, (line) => {
      const told = JSON.parse(line);
      heard.push(told.say);
      if (told.say === 'hello') say({ say: 'holds', runs: holds });
      if (told.say === 'open') say({ say: 'opened', cwd: told.cwd, path: 'a stand-in', modes: ['turn'] });
      if (told.say === 'quit') socket.destroy();
    });
  }).listen(path);
  await once(server, 'listening');
  return { address: { pid: process.pid, path, secret: '' }, heard, say, die: () => runner?.destroy() };
}

const watcher = () => ({
  ...{ delivered() {}, acknowledged() {}, printed() {}, used() {}, works() {}, signalled() {} },
  asks: () => new Promise<never>(() => {}),
});

describe.skipIf(process.platform === 'win32')('what an earlier build kept of its runs', () => {
  const about = {
    cwd: '/',
    delivered: true,
    acknowledged: true,
    works: [],
    asks: [],
    after: { characters: 0, bytes: 0 },
    printed: [],
    marks: [],
  };

  test('is ended with its holder where one is kept in a way that nobody knows', async () => {
    const { address, heard } = await standIn([{ run: 'run', kept: { began: 'otherwise' }, ...about }]);
    const holder = { ...address, began: await beganAt(process.pid), drives: 'this' };
    const left = { runner: { pid: 2_147_483_646, began: '1' }, children: [], holder, at: Date.now() };

    const link = await takeOver(left, { name: 'heron', drives: 'this', replaces: true, graceMs: GRACE_MS });

    expect(link).toBeUndefined();
    expect(heard).toEqual(['hello', 'quit']);
  });
});

describe.skipIf(process.platform === 'win32')('a runner whose holder is gone', () => {
  test('tells of the end of a run when nothing of its agent is left', async () => {
    const holder = await standIn();
    const link = await HolderLink.connect(holder.address, { graceMs: GRACE_MS });
    const driver = await link?.open('/');
    agent = spawn(process.execPath, ['-e', DEAF], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    const { pid = 0, stdout } = agent;
    if (stdout !== null) await once(stdout, 'data');
    const turn = driver?.deliver('text', { run: 'run', mode: 'turn', env: {}, watcher: watcher() });
    const seen: Record<string, boolean> = {};
    const sees = (what: string) => () => {
      seen[what] = isGroupAlive(pid);
    };
    holder.say({ say: 'pids', cwd: '/', pids: [pid] });
    await vi.waitUntil(() => driver?.pids().includes(pid));

    holder.die();

    const failed = link?.failed.catch(sees('failed'));
    await Promise.all([turn?.ended.then(sees('ended')), driver?.close().then(sees('closed')), failed]);
    await link?.quit();
    expect(seen).toEqual({ ended: false, closed: false, failed: false });
    const late = driver?.deliver('text', { run: 'late', mode: 'turn', env: {}, watcher: watcher() });
    expect(await late?.ended).toMatchObject({ status: 'failed', end_reason: 'crashed' });
  });
});
