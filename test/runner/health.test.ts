import { describe, expect, test, vi } from 'vitest';
import { memoryMbOf } from '../../src/runner/health.ts';
import { ProcessGroup } from '../../src/runner/process-group.ts';

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
