import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServer } from '../src/db/embedded.ts';
import { type RawAgent, startRaw } from './support/raw-agent.ts';

// A new cluster, its log and what a few thousand notes take.
const DISK = '100m';
const BALLAST_BYTES = 16_000_000;
const NOTE_BYTES = 13_000;

let directory: string;
let disk: string;
let why: string | null;
let agents: RawAgent[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-disk-'));
  await chmod(directory, 0o755);
  disk = join(directory, 'disk');
  await mkdir(disk);
  why = mount();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await stopServer({ dataDir: join(disk, 'data') }).catch(() => {});
  if (why === null) spawnSync('umount', ['-l', disk]);
  await rm(directory, { recursive: true, force: true });
});

/** A small disk of its own; answers with why there is none. */
function mount(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux may mount a small disk';
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=755`, 'tmpfs', disk]);
  return status === 0 ? null : `no small disk can be mounted here: ${String(stderr).trim()}`;
}

async function start(): Promise<RawAgent> {
  const agent = await startRaw(['--data-dir', join(disk, 'data'), '--project', 'web']);
  agents = [...agents, agent];
  return agent;
}

test('a full disk: calls end in time as unavailable, and once there is space all that was acknowledged is there', {
  timeout: 120_000,
}, async ({ skip }) => {
  if (why !== null) return skip(why);
  const agent = await start();
  await agent.call('create_project', { slug: 'web', name: 'Web' });
  await writeFile(join(disk, 'ballast'), Buffer.alloc(BALLAST_BYTES));
  const acknowledged: string[] = [];
  let refused = '';
  for (let at = 0; refused === '' && at < 10_000; at += 1) {
    // Nothing that would be compressed.
    const text = `note ${at} ${randomBytes(NOTE_BYTES).toString('base64')}`;
    const answer = await agent.call('record_event', { text });
    if (answer.isError) refused = answer.text;
    else acknowledged.push(text.slice(0, 12));
  }
  const again = await agent.call('record_event', { text: 'Still full.' });

  await rm(join(disk, 'ballast'));
  await expect
    .poll(async () => (await agent.call('record_event', { text: 'Space.' })).isError, { timeout: 60_000 })
    .toBe(false);
  const verified = await agent.call('list_events', { page_size: 1 });

  expect(refused).toMatch(/^unavailable: /);
  expect(again.isError ? again.text : 'unavailable: ').toMatch(/^unavailable: /);
  expect(acknowledged.length).toBeGreaterThan(10);
  expect(Number(verified.data['position'])).toBeGreaterThanOrEqual(acknowledged.length + 2);
});
