import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { endLeftovers } from '../../src/runner/leftovers.ts';
import { isGroupAlive } from '../../src/runner/process-group.ts';
import { beganAt } from '../../src/runner/process-start.ts';
import { GRACE_MS } from './drive.ts';

const GONE = { pid: 2_147_483_646, began: '1' };
const started = new Set<number>();

afterEach(() => {
  for (const pid of started) if (isGroupAlive(pid)) process.kill(-pid, 'SIGKILL');
  started.clear();
});

/** Starts a program in a group of its own, as an agent is. */
function start(line: string): { child: ChildProcess; pid: number } {
  const child = spawn('sh', ['-c', line], { detached: true, stdio: 'ignore' });
  const { pid = 0 } = child;
  started.add(pid);
  return { child, pid };
}

const end = (children: { pid: number; began: string; mark?: string }[], given: { runner?: object; at?: number } = {}) =>
  endLeftovers(
    { token: 7, runner: { ...GONE, ...given.runner }, children, at: given.at ?? Date.now() },
    { name: 'heron', graceMs: GRACE_MS },
  );

describe.runIf(process.platform !== 'win32')('what a runner left', () => {
  test('is ended where it is still the same process', async () => {
    const { pid } = start('sleep 60');

    expect(await end([{ pid, began: await beganAt(pid) }])).toBe(7);

    await vi.waitUntil(() => !isGroupAlive(pid), { timeout: 5_000 });
  });

  test('is ended with its group, when the program itself has ended', async () => {
    const { child, pid } = start('sleep 60 & exit 0');
    const began = await beganAt(pid);
    await once(child, 'exit');
    expect(isGroupAlive(pid)).toBe(true);

    await end([{ pid, began }]);

    await vi.waitUntil(() => !isGroupAlive(pid), { timeout: 5_000 });
  });

  test('is left alone where the machine was started since', async () => {
    const { child, pid } = start('sleep 60 & exit 0');
    await once(child, 'exit');

    await end([{ pid, began: '1' }], { at: 0 });

    await sleep(100);
    expect(isGroupAlive(pid)).toBe(true);
  });

  test.each([
    ['began at another time', '1'],
    ['began at a time that nobody knows', ''],
  ])('is left alone where the process of that number %s', async (_, began) => {
    const { pid } = start('sleep 60');

    expect(await end([{ pid, began }])).toBe(7);

    await sleep(100);
    expect(isGroupAlive(pid)).toBe(true);
  });
});

describe.runIf(process.platform === 'linux')('a number that was given again', () => {
  test('is left alone where its program has ended, and what that started has not the mark', async () => {
    const { child, pid } = start('sleep 60 & exit 0');
    await once(child, 'exit');

    await end([{ pid, began: '1', mark: 'of another' }]);

    await sleep(100);
    expect(isGroupAlive(pid)).toBe(true);
  });

  test.for([0, 1])('stands for no group where it is %i, whatever a file says', async (pid) => {
    // The real one would end all that the user runs.
    const kill = vi.spyOn(process, 'kill').mockImplementation((_, signal) => {
      if (signal === 0) return true;
      throw new Error('No signal is sent here.');
    });
    try {
      await end([{ pid, began: await beganAt(pid) }]);

      expect(kill.mock.calls.filter(([given]) => given === -1 || Object.is(given, -0) || given === 0)).toEqual([]);
    } finally {
      kill.mockRestore();
    }
  });
});

describe('an earlier runner of the name', () => {
  test('refuses another while it is alive', async () => {
    const runner = { pid: process.pid, began: await beganAt(process.pid) };

    await expect(end([], { runner })).rejects.toMatchObject({
      code: 'lock_held',
      message: expect.stringMatching(/^[\w-]+ is already driven by process \d+\.$/),
    });
  });

  test('refuses none, and has its lease, where nobody knows whether it is alive', async () => {
    expect(await end([], { runner: { pid: process.pid, began: '' } })).toBeUndefined();
  });
});

describe.runIf(process.platform === 'linux')('the start of a process', () => {
  test('is told by ps where there is no /proc', async () => {
    const here = await beganAt(process.pid, 'darwin');

    expect(here).toMatch(/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/);
    expect(await beganAt(process.pid, 'darwin')).toBe(here);
    expect(await beganAt(GONE.pid, 'darwin')).toBe('');
  });
});
