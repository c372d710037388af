// npm run bench:http: tool calls over HTTP beside the bare SDK's, with and without a token, in the same run.
//
//   npm run bench:http              1,000 calls and 5 seconds of load each, 1,000 streams; writes docs/performance.md
//   npm run bench:http -- --quick   a smoke test; writes nothing
//   npm run bench:http -- --calls 3000 --seconds 10 --streams 2000 --no-write
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from './free-port.ts';
import { type Address, agentOf, type Call, call, load } from './http-client.ts';
import { type Found, type KindName, renderHttp } from './http-report.ts';
import { startHttp } from './http-server.ts';
import { holdStreams } from './http-streams.ts';
import { stopDatabase } from './processes.ts';
import { CLI } from './rpc.ts';
import { type Sample, summary, timed } from './sample.ts';
import { writeSection } from './section.ts';
import { seedTokens, type Token } from './tokens.ts';

const FLOOR = fileURLToPath(new URL('http-floor.js', import.meta.url));
const CONNECTIONS = 32;
const MANY = Object.freeze({ tokens: 10_000, clients: 1_000 });
const ONE = Object.freeze({ tokens: 1, clients: 1 });
const WARMUP_MS = 500;
// The load goes round so often, so that what else the machine does meets all kinds.
const LOAD_ROUNDS = 5;

type Kind = { name: string; next: () => Call; underLoad?: boolean };
type Kinds = Record<KindName, Kind>;
type Workspace = { dataDir: string; port: number; tokens: Token[] };

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    calls: { type: 'string' },
    seconds: { type: 'string' },
    streams: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
});
const calls = Number(flags.calls ?? (flags.quick ? 100 : 1_000));
const seconds = Number(flags.seconds ?? (flags.quick ? 1 : 5));
const warmups = flags.quick ? 100 : 3_000;
const count = Number(flags.streams ?? (flags.quick ? 50 : 1_000));

const stops: (() => Promise<unknown>)[] = [];
try {
  const report = renderHttp(await measure());
  stdout.write(`${report}\n`);
  if (!flags.quick && !flags['no-write']) stderr.write(`wrote ${await writeSection('http', report)}\n`);
} finally {
  for (const stop of stops) await stop();
}

async function measure(): Promise<Found> {
  const [before = 0] = loadavg();
  const floor = await start([FLOOR]);
  const many = await openWorkspace(MANY);
  const few = await openWorkspace(ONE);
  const [token, ...unseen] = many.tokens;
  const streaming = unseen.pop();
  if (streaming === undefined) throw new Error('There are too few tokens.');
  const open = await start([CLI, 'serve', '--port', '0', '--data-dir', many.dataDir, '--log-level', 'info']);
  const task = { tool: 'get_task', args: { task: 'web-1' } };
  const note = { tool: 'record_event', args: { project: 'web', text: 'Done.' } };
  const authorized = { port: many.port, token: token?.secret };

  const kinds: Kinds = {
    floor: { name: 'bare SDK, echo', next: () => ({ ...floor, tool: 'echo', args: { text: 'hello' } }) },
    open: { name: 'get_task', next: () => ({ ...open, ...task }) },
    token: { name: 'get_task with a token', next: () => ({ ...authorized, ...task }) },
    few: {
      name: 'get_task with the only token',
      next: () => ({ port: few.port, token: few.tokens[0]?.secret, ...task }),
    },
    unseen: {
      name: 'get_task with a new token each time',
      next: () => ({ port: many.port, token: unseen.pop()?.secret, ...task }),
      underLoad: false,
    },
    write: { name: 'record_event', next: () => ({ ...open, ...note }) },
    writeToken: { name: 'record_event with a token', next: () => ({ ...authorized, ...note }) },
  };
  // A process is slow until it has had some thousand calls: all get as many before any counts, and the load comes
  // first.
  for (const { next } of [kinds.floor, kinds.open, kinds.token, kinds.few]) await warmUp(next);
  const rates = await allAtOnce(kinds);
  // Only the compared processes take turns: a process that is called more often than the other gets faster.
  const read = await oneAtATime(kinds, ['floor', 'open', 'token']);
  const grown = await oneAtATime(kinds, ['token', 'few']);
  const fresh = await oneAtATime(kinds, ['open', 'unseen']);
  const write = await oneAtATime(kinds, ['write', 'writeToken']);
  const samples = { ...fresh, ...grown, ...read, ...write };
  return {
    command: ['npm run bench:http', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' '),
    before,
    calls,
    connections: CONNECTIONS,
    many: MANY,
    kinds: mapped(kinds, ({ name }, key) => ({ name, sample: samples[key], rate: rates.get(key) })),
    pairs: { token: [read.open, read.token], few: [grown.few, grown.token], unseen: [fresh.open, fresh.unseen] },
    streams: await holdStreams({ server: authorized, dataDir: many.dataDir, token: streaming, count }),
  };
}

/** A server with authorization over a workspace of its own, with a task and so many tokens. */
async function openWorkspace(wanted: { tokens: number; clients: number }): Promise<Workspace> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-bench-'));
  stops.push(async () => {
    stopDatabase(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  });
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const serve = ['serve', '--auth', '--port', String(port), '--public-url', publicUrl];
  await start([CLI, ...serve, '--data-dir', dataDir, '--log-level', 'info']);
  const tokens = await seedTokens(dataDir, { ...wanted, resource: `${publicUrl}/mcp` });
  const server = { port, token: tokens[0]?.secret };
  await call({ ...server, tool: 'create_project', args: { slug: 'web', name: 'Web' } });
  await call({ ...server, tool: 'create_tasks', args: { project: 'web', tasks: [{ title: 'Write the docs' }] } });
  return { dataDir, port, tokens };
}

async function warmUp(next: Kind['next']): Promise<void> {
  const agent = agentOf(CONNECTIONS);
  for (let done = 0; done < warmups; ) {
    done += (await load(next, { agent, connections: CONNECTIONS, ms: WARMUP_MS })).calls;
  }
  agent.destroy();
}

/** Calls them in turns, each time in another order, so that neither other load nor the order favours one. */
async function oneAtATime<Name extends KindName>(kinds: Kinds, names: Name[]): Promise<Record<Name, Sample>> {
  const turns = names.map((name) => ({ name, agent: agentOf(1), taken: [] as number[] }));
  for (let at = 0; at < calls; at++) {
    const from = at % turns.length;
    for (const { name, agent, taken } of [...turns.slice(from), ...turns.slice(0, from)]) {
      const asked = kinds[name].next();
      const { ms } = await timed(() => call(asked, agent));
      taken.push(ms);
    }
  }
  for (const { agent } of turns) agent.destroy();
  return Object.fromEntries(turns.map(({ name, taken }) => [name, summary(taken)])) as Record<Name, Sample>;
}

/** Calls a second of each kind. */
async function allAtOnce(kinds: Kinds): Promise<Map<string, number>> {
  const loaded = Object.entries(kinds)
    .filter(([, { underLoad = true }]) => underLoad)
    .map(([name, { next }]) => ({ name, next, agent: agentOf(CONNECTIONS), done: { calls: 0, ms: 0 } }));
  const how = { connections: CONNECTIONS, ms: (seconds * 1_000) / LOAD_ROUNDS };
  for (let round = 0; round < LOAD_ROUNDS; round++) {
    for (const { next, agent, done } of loaded) {
      const { calls: more, ms } = await load(next, { ...how, agent });
      done.calls += more;
      done.ms += ms;
    }
  }
  for (const { agent } of loaded) agent.destroy();
  return new Map(loaded.map(({ name, done }) => [name, (done.calls / done.ms) * 1_000]));
}

function mapped<Value>(kinds: Kinds, of: (kind: Kind, name: KindName) => Value): Record<KindName, Value> {
  const names = Object.keys(kinds) as KindName[];
  return Object.fromEntries(names.map((name) => [name, of(kinds[name], name)])) as Record<KindName, Value>;
}

/** A server process, once it has said where it listens. */
async function start(command: string[]): Promise<Address> {
  const { port, stop } = await startHttp(command);
  stops.unshift(stop);
  return { port };
}
