import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { describe, expect, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Driver } from '../../src/runner/driver.ts';
import { pipeDriver } from '../../src/runner/drivers/pipe.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { listOutput } from '../../src/services/output.ts';
import { readOutput } from '../support/runners.ts';
import { begun, ended, GRACE_MS, program, send } from './drive.ts';
import { test } from './ways.ts';

const MB = 1_048_576;
const pipe = () => pipeDriver({ program: program('program'), graceMs: GRACE_MS });
const LINE = `${'x'.repeat(1_023)}\n`;

/** A port whose server takes output while it is there. */
function leaving() {
  const way = { isAway: false };
  const port = (over: RunnerPort): RunnerPort => ({
    ...over,
    async output(held, sent) {
      if (way.isAway) throw new Error('connect ECONNREFUSED');
      return over.output(held, sent);
    },
  });
  return { way, port };
}

/** The files without a name that hold what waits. */
function spoolFiles() {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    const path = `/proc/self/fd/${fd}`;
    try {
      return /\/output-[\da-f-]+ \(deleted\)$/.test(readlinkSync(path)) ? [statSync(path)] : [];
    } catch {
      return [];
    }
  });
}

// Tens of megabytes take their time on a busy machine.
describe('the output of a runner', { timeout: 180_000 }, () => {
  test('of a flood is its first 45 MB and its last 5, and says how much is between them', async ({ as, drive }) => {
    await drive({ driver: pipe() });

    const command = await ended(as('ada'), await send(as('ada'), 'flood 60'));

    const { pages, chunks, text } = await readWhole(as('ada'), command.runs[0]?.id ?? '');
    const { left_out = [] } = pages.at(-1) ?? {};
    const all = 60 * MB + Buffer.byteLength(text.slice(0, text.indexOf(LINE))) + 'did\n'.length;
    expect(left_out).toEqual([
      { from: expect.any(Number), below: expect.any(Number), bytes: all - bytesOf(chunks), why: 'run' },
    ]);
    const [place] = left_out;
    const end = chunks.filter(({ sequence }) => sequence >= (place?.below ?? 0));
    expect(bytesOf(end)).toBeGreaterThan(5 * MB - 17_000);
    expect(bytesOf(chunks) - bytesOf(end)).toBeGreaterThan(45 * MB - 17_000);
    expect(end.map(({ content }) => content).join('')).toMatch(/^(x{1023}\n)+did\n$/);
    expect(end.map(({ sequence }) => sequence)).toEqual(end.map((_, n) => (place?.below ?? 0) + n));
  });

  test('waits in a file while the server is away, and arrives in order, once', async ({ as, drive }) => {
    const { way, port } = leaving();
    await drive({ driver: pipe(), port });
    way.isAway = true;

    const command = await send(as('ada'), 'flood 20 work 1500');
    const { runs } = await begun(as('ada'), command);
    if (process.platform === 'linux') {
      const waiting = await vi.waitUntil(() => spoolFiles().find(({ size }) => size > 11 * MB), { timeout: 10_000 });
      expect(waiting.mode & 0o777).toBe(0o600);
    }
    await ended(as('ada'), command);
    way.isAway = false;

    const { text } = await readWhole(as('ada'), runs[0]?.id ?? '');
    expect(text.slice(text.indexOf(LINE))).toBe(`${LINE.repeat(20 * 1_024)}did\n`);
    if (process.platform === 'linux') expect(spoolFiles()).toEqual([]);
  });

  test('has the last words of a program that come after its end', async ({ as, drive }) => {
    const driver: Driver = {
      ...{ path: 'a stand-in', modes: ['turn'], open: async () => {}, close: async () => {}, pids: () => [] },
      deliver(_, { watcher }) {
        watcher.delivered();
        watcher.printed('stdout', 'did\n');
        setImmediate(() => watcher.printed('stderr', 'Two warnings.\n'));
        return { ended: Promise.resolve({ status: 'completed', end_reason: 'completed' }), interrupt() {}, stop() {} };
      },
    };
    await drive({ driver });

    const command = await ended(as('ada'), await send(as('ada'), 'x'));

    const run = command.runs[0]?.id ?? '';
    // The end of a run may be told before the last of its output.
    await vi.waitFor(async () => expect((await readOutput(as('ada'), run)).text).toBe('did\nTwo warnings.\n'), 5_000);
  });

  test('is there when the end of its run is told', async ({ as, drive }) => {
    // The end of a run waits for its output twice as long as for its agent.
    await drive({ driver: pipe(), graceMs: 10_000 });

    const command = await ended(as('ada'), await send(as('ada'), 'flood 1'));

    expect((await readOutput(as('ada'), command.runs[0]?.id ?? '')).text).toMatch(/did\n$/);
  });
});

/** Reads the output of a run once its last word is there. */
async function readWhole(ctx: Context, run: string) {
  await vi.waitUntil(
    async () => {
      const { chunks } = await listOutput(ctx, { run, last_bytes: 16_384, page_size: 1 });
      return chunks[0]?.content.endsWith('did\n');
    },
    { timeout: 110_000, interval: 500 },
  );
  return readOutput(ctx, run, { page_size: 1_000 });
}

function bytesOf(chunks: { content: string }[]): number {
  return chunks.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
}
