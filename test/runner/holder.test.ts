import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Watcher } from '../../src/runner/driver.ts';
import { Holder } from '../../src/runner/holder/holder.ts';
import { HolderLink } from '../../src/runner/holder/link.ts';
import { PROTOCOL } from '../../src/runner/holder/messages.ts';
import { makeSocketFolder } from '../../src/runner/holder/socket-folder.ts';
import { takeOver } from '../../src/runner/leftovers.ts';
import { beganAt } from '../../src/runner/process-start.ts';
import { GRACE_MS, program } from './drive.ts';

const SECRET = 'a secret of the test';

let home: string;
const holders = new Set<Holder>();
const sockets = new Set<Socket>();

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-holder-'));
});

afterEach(async () => {
  vi.useRealTimers();
  for (const socket of sockets) socket.destroy();
  for (const holder of holders) await holder.end();
  for (const all of [sockets, holders]) all.clear();
  await rm(home, { recursive: true, force: true });
});

/** A holder in this process. */
async function hold(driver: 'pipe' | 'claude', ...args: Parameters<typeof program>) {
  const path = await makeSocketFolder(join(home, 'runners'));
  const { command, args: words, env } = program(...args);
  const times = { graceMs: GRACE_MS, quietMs: 1_000, waitMs: 60_000 };
  const holder = new Holder({ path, secret: SECRET, type: 'agent', driver, command, args: words, env, ...times });
  holders.add(holder);
  await holder.listen();
  const meetIt = () => HolderLink.connect({ pid: process.pid, path, secret: SECRET }, { graceMs: GRACE_MS });
  return { path, join: meetIt, holder };
}

/** Connects as a stranger. */
async function meet(path: string, said: string): Promise<Socket> {
  const socket = connect(path);
  sockets.add(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(said);
  return socket;
}

const hello = (given: object) => `${JSON.stringify({ say: 'hello', secret: SECRET, protocol: PROTOCOL, ...given })}\n`;

function watching(): Watcher & { text: string } {
  const watcher = {
    ...{ text: '', delivered() {}, acknowledged() {}, used() {}, works() {}, signalled() {} },
    printed(_: string, words: string) {
      watcher.text += words;
    },
    asks: () => new Promise<never>(() => {}),
  };
  return watcher;
}

/** A holder whose agent prints so many MB, and whose runner is gone by then. */
async function leaveFlooding(mb: number) {
  const holder = await hold('claude', 'claude');
  const link = await holder.join();
  const driver = await link?.open('/');
  const watcher = watching();
  driver?.keeper?.keep('run', {} as never);
  driver?.deliver(`flood ${mb}`, { run: 'run', mode: 'turn', watcher, env: {} });
  await vi.waitUntil(() => watcher.text.length > 0, { timeout: 5_000 });
  link?.leave();
  return holder;
}

describe.skipIf(process.platform === 'win32')('the program that holds an agent', () => {
  test('lets nobody but its user reach its socket', async () => {
    const { path } = await hold('pipe', 'program');

    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    expect((await stat(join(home, 'runners'))).mode & 0o777).toBe(0o700);
  });

  test.for<[string, string]>([
    ['a wrong secret', hello({ secret: 'another secret o' })],
    ['no secret', hello({ secret: '' })],
    ['another protocol', hello({ protocol: PROTOCOL + 1 })],
    ['something else first', '{"say":"quit"}\n'],
    ['no message', 'GET / HTTP/1.1\n'],
  ])('turns away who says %s, and waits for its runner', async ([, said]) => {
    const holder = await hold('pipe', 'program');

    const socket = await meet(holder.path, said);
    await once(socket, 'close');

    const link = await holder.join();
    expect(link).toBeDefined();
    link?.leave();
  });

  test('keeps little of what a stranger says, and lets go of who says nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { path } = await hold('pipe', 'program');
    const silent = await meet(path, '');
    const long = await meet(path, `${'x'.repeat(2_000)}\n`);
    // What is too long is no message: it is not even looked at.
    long.write('x'.repeat(100_000));
    const closed = [once(silent, 'close'), once(long, 'close')];

    await vi.advanceTimersByTimeAsync(4_000);
    expect([silent.closed, long.closed]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1_500);

    await Promise.all(closed);
  });

  test('has one runner, also among a crowd of strangers', async () => {
    const holder = await hold('pipe', 'program');
    await Promise.all(Array.from({ length: 200 }, () => meet(holder.path, '')));

    const link = await holder.join();
    await expect(holder.join()).rejects.toMatchObject({ code: 'lock_held' });

    const driver = await link?.open('/');
    expect(driver?.modes).toEqual(['turn']);
    link?.leave();
  });

  test('closes a folder of which it knows nothing', async () => {
    const holder = await hold('pipe', 'program');
    const link = await holder.join();
    const driver = await link?.open('/');

    await driver?.close();
    await driver?.close();

    expect((await link?.open('/'))?.modes).toEqual(['turn']);
    link?.leave();
  });
});

describe.skipIf(process.platform === 'win32')('a question that no line can hold', () => {
  test('is a no for its agent, and nothing that the next runner hears of', async () => {
    const holder = await hold('claude', 'says');
    const first = await holder.join();
    const driver = await first?.open('/');
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const request = `{"subtype":"can_use_tool","tool_name":"x","input":{"a":${deep}}}`;
    const asks = `{"type":"control_request","request_id":"1","request":${request}}`;
    const ends = '{"type":"result","subtype":"success","result":"did"}';
    driver?.keeper?.keep('run', {} as never);
    const how = { run: 'run', mode: 'turn', watcher: watching(), env: {} } as const;
    expect(await driver?.deliver(`${asks}\n${ends}`, how).ended).toMatchObject({ status: 'completed' });
    first?.leave();

    const next = await vi.waitFor(holder.join, { timeout: 5_000 });

    const turn = (await next?.open('/'))?.resume?.('run', { watcher: watching(), characters: 0 });
    expect(await turn?.ended).toMatchObject({ status: 'completed', result: 'did' });
    next?.leave();
  });
});

describe.skipIf(process.platform === 'win32')('what a holder keeps for the next runner', () => {
  test('is as much for many runs as for one', { timeout: 30_000 }, async () => {
    const holder = await hold('pipe', 'program');
    const first = await holder.join();
    const driver = await first?.open('/');
    const watchers = Array.from({ length: 3 }, watching);
    const env = {};
    await Promise.all(
      watchers.map((watcher, at) => {
        driver?.keeper?.keep(`run-${at}`, {} as never);
        const turn = driver?.deliver('flood 1', { run: `run-${at}`, mode: 'turn', watcher, env });
        return turn?.ended;
      }),
    );
    expect(watchers.every(({ text }) => text.length > 900_000)).toBe(true);
    first?.leave();

    const next = await vi.waitFor(holder.join, { timeout: 5_000 });
    const again = await next?.open('/');
    const kept = watchers.map((_, at) => {
      const watcher = watching();
      again?.resume?.(`run-${at}`, { watcher, characters: 0 });
      return watcher.text.length;
    });

    expect(kept.reduce((sum, length) => sum + length, 0)).toBeLessThan(1_500_000);
    expect(Math.min(...kept)).toBeGreaterThan(0);
    next?.leave();
  });
});

describe.skipIf(process.platform === 'win32')('an agent that prints while its next runner waits for the server', () => {
  test('waits too, and goes on when that runner has gone on with its run', { timeout: 30_000 }, async () => {
    const holder = await leaveFlooding(20);
    const next = await vi.waitFor(holder.join, { timeout: 5_000 });
    const again = await next?.open('/');
    await sleep(1_500);

    const rest = watching();
    const turn = again?.resume?.('run', { watcher: rest, characters: 0 });

    expect(rest.text.length).toBeLessThan(2_000_000);
    expect(await turn?.ended).toMatchObject({ status: 'completed' });
    expect(rest.text.length).toBeGreaterThan(10_000_000);
    next?.leave();
  });

  test('is ended meanwhile where its next runner has no place for the run', async () => {
    const holder = await leaveFlooding(20);
    const next = await vi.waitFor(holder.join, { timeout: 5_000 });
    const again = await next?.open('/');
    await sleep(500);

    const closed = again?.close().then(() => 'closed');

    expect(await Promise.race([closed, sleep(4_000, 'waits')])).toBe('closed');
    next?.leave();
  });
});

describe.skipIf(process.platform === 'win32')('what a runner left that was killed', () => {
  async function leave(drives: string) {
    const holder = await hold('pipe', 'program');
    const about = { pid: process.pid, began: await beganAt(process.pid), path: holder.path, secret: SECRET, drives };
    return {
      holder,
      left: { runner: { pid: 2_147_483_646, began: '1' }, children: [], holder: about, at: Date.now() },
    };
  }
  const mine = { name: 'heron', drives: 'this', replaces: true, graceMs: GRACE_MS };

  test('is no second runner to take, or to end', async () => {
    const { holder, left } = await leave('this');
    const first = await takeOver(left, mine);

    await expect(takeOver(left, mine)).rejects.toMatchObject({ code: 'lock_held' });
    await expect(takeOver(left, { ...mine, drives: 'that' })).rejects.toMatchObject({ code: 'lock_held' });

    expect((await first?.open('/'))?.modes).toEqual(['turn']);
    first?.leave();
    // Its holder may not have seen that yet.
    const next = await takeOver(left, mine);
    expect((await next?.open('/'))?.modes).toEqual(['turn']);
    next?.leave();
    await holder.holder.end();
  });

  test('is another program to end for a name that a person gave, and for no other', async () => {
    const { holder, left } = await leave('this');
    const another = { ...mine, drives: 'that' };

    await expect(takeOver(left, { ...another, replaces: false })).rejects.toMatchObject({ code: 'lock_held' });
    const same = await takeOver(left, { ...mine, replaces: false });
    expect((await same?.open('/'))?.modes).toEqual(['turn']);
    same?.leave();

    expect(await takeOver(left, another)).toBeUndefined();
    await holder.holder.ended;
  });
});

describe.skipIf(process.platform === 'win32')('a holder that ends', () => {
  test('reads what its agent still prints, however much waits for a runner', { timeout: 20_000 }, async () => {
    const { holder } = await leaveFlooding(300);
    // It prints until a megabyte waits.
    await sleep(500);

    const ended = holder.end().then(() => 'ended');

    expect(await Promise.race([ended, sleep(8_000, 'waits')])).toBe('ended');
  });
});
