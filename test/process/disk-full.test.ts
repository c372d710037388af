import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServer } from '../../src/db/embedded/shared-server.ts';
import { lacks } from '../support/needs.ts';
import { type RawAgent, startRaw } from '../support/raw-agent.ts';

// A new cluster, its log and what a few thousand notes take.
const DISK = '152m';
const BALLAST_BYTES = 40_000_000;
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

/** Nothing that would be compressed. */
function noteOf(at: number): string {
  return `note ${at} ${randomBytes(NOTE_BYTES).toString('base64')}`;
}

/** The numbers of the notes in the log, oldest first. */
async function notesIn(agent: RawAgent): Promise<number[]> {
  const found: number[] = [];
  for (let after_seq: number | undefined = 0; after_seq !== undefined; ) {
    const { data } = await agent.call('list_events', { after_seq, page_size: 100, types: ['project.noted'] });
    const events = data['events'] as { seq: number; text: string }[];
    found.push(...events.flatMap(({ text }) => (/note (\d+) /.exec(text) ?? []).slice(1).map(Number)));
    after_seq = events.at(-1)?.seq;
  }
  return found;
}

async function start(): Promise<RawAgent> {
  const agent = await startRaw(['--data-dir', join(disk, 'data'), '--project', 'web']);
  agents = [...agents, agent];
  return agent;
}

test('a full disk: calls end in time as unavailable, and once there is space all that was acknowledged is there', {
  timeout: 120_000,
}, async ({ skip }) => {
  if (lacks('mount', why === null)) return skip(why ?? '');
  const agent = await start();
  await agent.call('create_project', { slug: 'web', name: 'Web' });
  await writeFile(join(disk, 'ballast'), Buffer.alloc(BALLAST_BYTES));
  const acknowledged: number[] = [];
  let refused = '';
  for (let at = 0; refused === '' && at < 10_000; at += 1) {
    const answer = await agent.call('record_event', { text: noteOf(at) });
    if (answer.isError) refused = answer.text;
    else acknowledged.push(at);
  }
  const again = await agent.call('record_event', { text: noteOf(10_000) });

  await rm(join(disk, 'ballast'));
  await expect
    .poll(async () => (await agent.call('record_event', { text: noteOf(20_000) })).isError, { timeout: 60_000 })
    .toBe(false);
  const kept = await notesIn(agent);

  expect(refused).toMatch(/^unavailable: /);
  expect(again).toMatchObject({ isError: true, text: expect.stringMatching(/^unavailable: /) });
  expect(acknowledged.length).toBeGreaterThan(10);
  // The outcome of a refused command is unknown.
  expect(kept.filter((at) => acknowledged.includes(at))).toEqual(acknowledged);
  expect(kept.at(-1)).toBe(20_000);
});
