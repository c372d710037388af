import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { keepShort } from '../../src/runner/holder/error-file.ts';
import { startHolder } from '../../src/runner/holder/start-holder.ts';
import { GRACE_MS, program } from './drive.ts';

let dir: string;
let errors: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cairn-started-'));
  errors = join(dir, 'heron.log');
});

afterEach(async () => {
  vi.useRealTimers();
  await rm(dir, { recursive: true, force: true });
});

function start(more: Record<string, string> = {}) {
  const { command, args, env } = program('program');
  const times = { graceMs: GRACE_MS, quietMs: 1_000, waitMs: 10_000 };
  return startHolder(
    { dir, errors },
    { type: 'agent', driver: 'pipe', command, args, env: { ...env, ...more }, ...times },
  );
}

describe('the program that holds an agent', () => {
  test('says why it does not start, and where the rest of that is', async () => {
    await expect(start({ NODE_OPTIONS: '--require ./missing.cjs' })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^The program that holds the agent does not start: Error: Cannot find module/),
      hint: `What it said is in ${errors}.`,
    });

    expect(await readFile(errors, 'utf8')).toContain('MODULE_NOT_FOUND');
    if (process.platform !== 'win32') expect((await stat(errors)).mode & 0o777).toBe(0o600);
  });

  test('begins with an empty file for that', async () => {
    await writeFile(errors, 'Said by an earlier one.\n');

    const link = await start();

    expect(await readFile(errors, 'utf8')).toBe('');
    await link.quit();
  });

  test('keeps little of what it says, however often it does', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    keepShort(errors);
    await writeFile(errors, 'Invalid message.\n'.repeat(1_000));
    vi.advanceTimersByTime(1_000);
    expect((await stat(errors)).size).toBe(17_000);

    await writeFile(errors, 'Invalid message.\n'.repeat(10_000));
    vi.advanceTimersByTime(1_000);

    expect((await stat(errors)).size).toBe(0);
  });
});
