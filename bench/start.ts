// npm run bench:start: what the start and the end of a process cost, whole processes in turns with what they cannot do
// without.
//
//   npm run bench:start                      21 rounds; writes docs/performance.md
//   npm run bench:start -- --rounds 7 --no-write
//   npm run bench:start -- --peers           beside the Node.js servers of bench/peers; --cache DIR says where they are
// installed
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, execPath, getuid, stderr, stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { layout } from '../src/db/embedded/cluster.ts';
import { currentConnection } from '../src/db/embedded/postgres-process.ts';
import { PACKAGE_ROOT } from '../src/package-root.ts';
import { type Client, type Command, connect, type ToolCall } from './peers/client.ts';
import { install } from './peers/install.ts';
import { SERVERS } from './peers/servers/servers.ts';
import { CLI, ECHO } from './rpc.ts';
import { writeSection } from './section.ts';
import { renderStart } from './start-report.ts';

const ROOT = fileURLToPath(PACKAGE_ROOT);
const CALLS = 10;
// An agent reads the tools and thinks before it calls one.
const THINKS_MS = 500;
const PAUSE_MS = 100;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '21' },
    peers: { type: 'boolean', default: false },
    cache: { type: 'string', default: join(tmpdir(), 'cairn-bench-peers') },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds);
const home = mkdtempSync(join(tmpdir(), 'cairn-bench-start-'));
if (getuid?.() === 0) chmodSync(home, 0o755);
writeFileSync(join(home, '.cairn.json'), '{"project":"bench"}');
const running = join(home, 'running');
const stopped = join(home, 'stopped');
const serverOf = (dir: string) => ({
  script: CLI,
  args: ['--data-dir', dir, '--log-level', 'error', '--linger-seconds', '0'],
  cwd: home,
});
const hookInput = JSON.stringify({ session_id: 'f00dcafe', cwd: home, source: 'startup' });

type Note = (name: string, ms: number) => void;

const found: Record<string, number[]> = {};
const keep: Note = (name, ms) => {
  found[name] = [...(found[name] ?? []), ms];
};

const peers = flags.peers ? installed() : [];
try {
  await (await prepare(stopped)).stop();
  // Another agent is at work meanwhile.
  const other = await prepare(running);
  const query = await oneQuery();
  for (let round = 0; round <= rounds; round += 1) {
    // The first round fills the caches of the system.
    const note: Note = round === 0 ? () => {} : keep;
    note('bare SDK to tools/list', await toTools({ script: ECHO, cwd: ROOT }));
    note('cairn to tools/list', await toTools(serverOf(running)));
    for (const { name, command } of peers) note(`${name} to tools/list`, await toTools(command));
    note('node -e 0', run(['-e', '0']));
    note('node and one query by pg', run(query));
    note('cairn show', run([CLI, '--data-dir', running, 'show', 'bench-1']));
    note('hook, database stopped', run([CLI, '--data-dir', stopped, 'hook', 'session-start'], hookInput));
    note('hook, database running', run([CLI, '--data-dir', running, 'hook', 'session-start'], hookInput));
    await calls(note, 'get_task', () => ['get_task', { task: 'bench-1' }]);
    await calls(note, 'record_event', (at) => [
      'record_event',
      { task: 'bench-1', kind: 'progress', text: `Call ${at}.` },
    ]);
  }
  await other.stop();
} finally {
  for (const dir of [running, stopped]) spawnSync(execPath, [CLI, 'db', 'stop', '--data-dir', dir]);
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}
const command = ['npm run bench:start', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ');
const report = renderStart({ command, rounds, found, peers: peers.map(({ name }) => name) });
stdout.write(`${report}\n`);
if (!flags['no-write']) stderr.write(`wrote ${await writeSection('start', report)}\n`);

async function prepare(dir: string): Promise<Client> {
  const client = await connect(serverOf(dir));
  await client.call(['create_project', { slug: 'bench', name: 'Bench' }]);
  const tasks = Array.from({ length: 10 }, (_, at) => ({
    title: `Task ${at + 1}`,
    description: 'What there is to do.',
  }));
  await client.call(['create_tasks', { tasks }]);
  return client;
}

async function toTools(server: Command): Promise<number> {
  const from = performance.now();
  const client = await connect(server);
  await client.listTools();
  const ms = performance.now() - from;
  await client.stop();
  return ms;
}

/** A whole process, from its start to its end. */
function run(args: string[], input = ''): number {
  const from = performance.now();
  const { status, stderr: said } = spawnSync(execPath, args, { cwd: home, input, env: { ...env, NO_COLOR: '1' } });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${said}`);
  return performance.now() - from;
}

/** The smallest program that sends a query to the same database. */
async function oneQuery(): Promise<string[]> {
  const connection = await currentConnection(layout(running));
  const script = `import pg from ${JSON.stringify(import.meta.resolve('pg'))};
    const client = new pg.Client(${JSON.stringify(connection)});
    await client.connect();
    await client.query('select 1');
    await client.end();`;
  return ['--input-type=module', '-e', script];
}

/** The calls of a young process, one after the other. */
async function calls(note: Note, tool: string, call: (at: number) => ToolCall): Promise<void> {
  const client = await connect(serverOf(running));
  await client.listTools();
  await sleep(THINKS_MS);
  for (let at = 1; at <= CALLS; at += 1) {
    const from = performance.now();
    await client.call(call(at));
    note(`${tool}, call ${at}`, performance.now() - from);
    await sleep(PAUSE_MS);
  }
  await client.stop();
}

/** The peers that run on Node.js, each with a store of its own. */
function installed(): { name: string; command: Command }[] {
  mkdirSync(flags.cache, { recursive: true });
  return SERVERS.flatMap((server) => {
    if (server.package === undefined || server.runtime !== undefined) return [];
    try {
      const { folder, version } = install(flags.cache, server.package);
      const dir = join(home, server.package.replaceAll(/\W/g, '-'));
      mkdirSync(dir);
      return [{ name: `${server.name} ${version}`, command: server.command({ dir, folder, agent: 'ada' }) }];
    } catch (error) {
      stderr.write(`${server.name}: ${error instanceof Error ? error.message : error}\n`);
      return [];
    }
  });
}
