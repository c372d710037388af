import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { memoryMbOf } from '../../src/runner/health.ts';
import { endLeftovers } from '../../src/runner/leftovers.ts';
import { ProcessGroup } from '../../src/runner/process-group.ts';
import { beganAt, isAlive } from '../../src/runner/process-start.ts';
import { endStrays, markOf } from '../../src/runner/strays.ts';
import { GRACE_MS } from './drive.ts';

const GONE = { pid: 2_147_483_646, began: '1' };
const left = new Set<number>();

afterEach(() => {
  for (const pid of left) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  left.clear();
});

/** Starts a program whose child leaves its group, and tells the child's number. */
async function start({ child = 'sleep 60', last = 'exit 0', env = {} } = {}) {
  const args = ['-c', `setsid sh -c 'echo $$; ${child}' & ${last}`];
  const group = new ProcessGroup({ command: 'sh', args, cwd: '/', env: { PATH: process.env['PATH'], ...env } });
  const pid = await new Promise<number>((resolve) => group.child.stdout.once('data', (text) => resolve(Number(text))));
  left.add(pid);
  return { group, pid };
}

describe.runIf(process.platform === 'linux')('what leaves the group of an agent', () => {
  test.each([
    ['is told to end', 'sleep 60'],
    ['is killed where it does not heed that', 'trap "" TERM; while :; do sleep 1; done'],
    ['is ended with all that it starts', 'setsid sleep 60 & sleep 60'],
  ])('%s with the group, and nothing of another', async (_, child) => {
    const others = await start({ env: { CAIRN_RUN: 'the same', CAIRN_AGENT: 'the same' } });
    const { group, pid } = await start({ child, env: { CAIRN_RUN: 'the same', CAIRN_AGENT: 'the same' } });
    await group.exited;
    expect(isAlive(pid)).toBe(true);

    await group.gone({ graceMs: GRACE_MS });

    await vi.waitUntil(() => !isAlive(pid), { timeout: 5_000 });
    expect(isAlive(others.pid)).toBe(true);
  });

  test('is ended by the next runner, where the program itself has ended', async () => {
    const { group, pid } = await start({ last: 'sleep 1' });
    const child = { pid: group.pid ?? 0, began: await beganAt(group.pid ?? 0), mark: markOf(group.pid ?? 0) };
    await group.exited;
    expect(isAlive(pid)).toBe(true);

    await endLeftovers(
      { token: 7, runner: GONE, children: [child], at: Date.now() },
      { name: 'heron', graceMs: GRACE_MS },
    );

    await vi.waitUntil(() => !isAlive(pid), { timeout: 5_000 });
  });

  test('is left alone by who looks for others, and so is a program without a mark', async () => {
    const { pid } = await start();

    await endStrays(randomUUID(), { graceMs: GRACE_MS });
    await endStrays('', { graceMs: GRACE_MS });

    expect(isAlive(pid)).toBe(true);
  });

  test('counts for its limits while what started it is there', async () => {
    const script = 'const held = Buffer.alloc(150e6, 1); setInterval(() => held.length, 1e3)';
    const { group, pid } = await start({ child: `exec "${process.execPath}" -e "${script}"`, last: 'wait' });

    await vi.waitUntil(() => (memoryMbOf([group.pid ?? 0]) ?? 0) > 150, { timeout: 10_000 });
    await group.stop({ graceMs: GRACE_MS });

    await vi.waitUntil(() => !isAlive(pid), { timeout: 5_000 });
    expect(isAlive(pid)).toBe(false);
  });
});
