// npm run bench:builds -- OTHER: the calls of another build and of this one, in turns, so that both meet the same
// machine; each build goes first once. Writes nothing.
//
//   npm run bench:builds -- ../other-checkout
//   npm run bench:builds -- ../other-checkout --calls 1000
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PACKAGE_ROOT } from '../src/package-root.ts';
import { type Client, connect } from './peers/client.ts';
import { stopDatabase } from './processes.ts';
import { summary, timed } from './sample.ts';
import { table } from './section.ts';

type Turn = (client: Client) => Promise<unknown>;
type Build = { client: Client; stop(): Promise<void> };

const WARM = 50;
const TASKS = 1_000;
const BATCH = 50;
const note = { task: 'w-2', kind: 'note', text: 'Something to say about it.' };
const TURNS: Readonly<Record<string, Turn>> = Object.freeze({
  record_event: (client) => client.call(['record_event', note]),
  create_tasks: (client) => client.call(['create_tasks', { tasks: [{ title: 'One', description: 'Some words.' }] }]),
  'claim and complete': claimAndComplete,
  get_task: (client) => client.call(['get_task', { task: 'w-3' }]),
  list_tasks: (client) => client.call(['list_tasks', {}]),
  list_events: (client) => client.call(['list_events', { task: 'w-2' }]),
  resume_project: (client) => client.call(['resume_project', {}]),
  search: (client) => client.call(['search', { query: 'words' }]),
});

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { calls: { type: 'string', default: '300' } },
});
const [given] = positionals;
if (given === undefined) throw new Error('Name the checkout of the other build.');
const [other, own] = [resolve(given), fileURLToPath(PACKAGE_ROOT)];

const [first, second] = [await compare([other, own]), await compare([own, other])];
const rows = Object.keys(TURNS).map((name) => {
  const [before, now] = [
    (first[name]?.[0] ?? 0) + (second[name]?.[1] ?? 0),
    (first[name]?.[1] ?? 0) + (second[name]?.[0] ?? 0),
  ];
  return [name, (before / 2).toFixed(2), (now / 2).toFixed(2), (now / before).toFixed(2)];
});
stdout.write(`${table(['call', 'other, ms', 'this, ms', 'ratio'], rows).join('\n')}\n`);

/** The p50 of each call of both builds, in their order. */
async function compare(roots: string[]): Promise<Record<string, number[]>> {
  const builds = await Promise.all(roots.map(open));
  const found: Record<string, number[]> = {};
  try {
    for (const [name, turn] of Object.entries(TURNS)) {
      const times = builds.map((): number[] => []);
      for (let at = -WARM; at < Number(values.calls); at += 1) {
        for (const [place, { client }] of builds.entries()) {
          const { ms } = await timed(() => turn(client));
          if (at >= 0) times[place]?.push(ms);
        }
      }
      found[name] = times.map((taken) => summary(taken).p50);
    }
  } finally {
    for (const { stop } of builds) await stop();
  }
  return found;
}

async function open(root: string): Promise<Build> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-builds-'));
  const args = ['--data-dir', dataDir, '--agent', 'ada', '--project', 'w', '--output', 'both', '--log-level', 'error'];
  const client = await connect({ script: join(root, 'dist', 'cli.js'), args, cwd: dataDir });
  await client.call(['create_project', { slug: 'w', name: 'W' }]);
  for (let at = 0; at < TASKS; at += BATCH) {
    const tasks = Array.from({ length: BATCH }, (_, step) => ({
      title: `Task ${at + step}`,
      description: 'Some words.',
    }));
    await client.call(['create_tasks', { tasks }]);
  }
  return {
    client,
    async stop() {
      await client.stop();
      stopDatabase(dataDir);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function claimAndComplete(client: Client): Promise<void> {
  await client.call(['claim_task', {}]);
  const { task } = client.structured as { task: { ref: string; lock_token: number } };
  await client.call(['complete_task', { task: task.ref, lock_token: task.lock_token, summary: 'Done.' }]);
}
