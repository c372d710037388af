import { describe, expect, test, vi } from 'vitest';
import { healthOf, memoryMbOf } from '../../src/runner/health.ts';
import { ProcessGroup } from '../../src/runner/process-group.ts';
import { ProcessorMeter } from '../../src/runner/processor.ts';

describe.runIf(process.platform === 'linux')('the memory of an agent', () => {
  test('is also that of what it started', async () => {
    const script = 'const held = Buffer.alloc(150e6, 1); setInterval(() => held.length, 1e3)';
    const args = ['-c', `"${process.execPath}" -e "${script}" & wait`];
    const group = new ProcessGroup({ command: 'sh', args, cwd: '/', env: { PATH: process.env['PATH'] } });

    await vi.waitUntil(() => (memoryMbOf([group.pid ?? 0]) ?? 0) > 150, { timeout: 10_000 });
    await group.stop({ graceMs: 300 });

    expect(memoryMbOf([])).toBeUndefined();
  });
});

describe.runIf(process.platform === 'linux')('the health of an agent', () => {
  test('has what its processes use of a processor, from one beat to the next', async () => {
    const args = ['-e', 'for (;;);'];
    const group = new ProcessGroup({ command: process.execPath, args, cwd: '/', env: {} });
    const processor = new ProcessorMeter({ overMs: 1 });

    const health = () => healthOf([group.pid ?? 0], processor);
    expect(health()).not.toHaveProperty('cpu_usage');
    await vi.waitUntil(() => (health()['cpu_usage'] ?? 0) > 10, { timeout: 10_000, interval: 300 });
    await group.stop({ graceMs: 300 });

    expect(Object.keys(health()).sort()).toEqual(['cpu_usage', 'uptime']);
  });
});
