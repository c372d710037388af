// Start, memory and throughput: what needs processes rather than calls.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { workOnce } from './calls.ts';
import { CLI, ECHO, type Server, start, startCairn } from './rpc.ts';
import { type Sample, summary, timed } from './sample.ts';

const PROCESSES = 8;

type Loaded = { dataDir: string; project: string; refs: string[]; seconds: number };
/** Commands a second, of each kind. */
type Throughput = { processes: number; notes: number; work: number; reads: number };
/** Megabytes. */
type Memory = { cairn: number; echo: number; postgres: number };
/** One turn of a process; resolves to the number of its commands. */
type Turn = (server: Server, at: number) => Promise<number>;

/** Spawn to the first answer of a tool, the database server running. */
export async function measureStart(dataDir: string, n: number): Promise<{ cairn: Sample; echo: Sample }> {
  const times: Record<'cairn' | 'echo', number[]> = { cairn: [], echo: [] };
  for (let at = 0; at < n; at++) {
    times.cairn.push(await firstAnswer(() => startCairn(dataDir), ['list_projects', {}]));
    times.echo.push(await firstAnswer(() => start(ECHO), ['echo', { text: 'Hello.' }]));
  }
  return { cairn: summary(times.cairn), echo: summary(times.echo) };
}

/** The same where the process has to start the database server first; nobody else may use it. */
export async function measureColdStart(dataDir: string, n: number): Promise<Sample> {
  const times: number[] = [];
  for (let at = 0; at < n; at++) times.push(await firstAnswer(() => startCairn(dataDir), ['list_projects', {}]));
  return summary(times);
}

/** The same where there is no database yet. */
export async function measureEmptyStart(fresh: () => Promise<string>, n: number): Promise<Sample> {
  const times: number[] = [];
  for (let at = 0; at < n; at++) {
    const dataDir = await fresh();
    times.push(await firstAnswer(() => startCairn(dataDir), ['list_projects', {}]));
    await rm(dataDir, { recursive: true, force: true });
  }
  return summary(times);
}

async function firstAnswer(open: () => Promise<Server>, [tool, args]: [string, object]): Promise<number> {
  const { ms, result } = await timed(async () => {
    const server = await open();
    await server.call(tool, args);
    return server;
  });
  await result.stop();
  return ms;
}

/** Commands that eight processes of one workspace get done in a second, each with one call in flight. */
export async function measureThroughput({ dataDir, project, refs, seconds }: Loaded): Promise<Throughput> {
  const servers = await Promise.all(Array.from({ length: PROCESSES }, (_, at) => startCairn(dataDir, `bench-${at}`)));
  try {
    const notes = await load(servers, seconds, async (cairn, at) => {
      await cairn.call('record_event', { task: refs[at % refs.length], text: 'The lantern is lit.' });
      return 1;
    });
    const work = await load(servers, seconds, async (cairn) => (await workOnce(cairn, project)).length);
    const reads = await load(servers, seconds, async (cairn, at) => {
      await cairn.call('get_task', { task: refs[at % refs.length] });
      return 1;
    });
    return { processes: PROCESSES, notes, work, reads };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Commands a second when the processes, which share the processors, have compiled and planned what they run often. */
async function load(servers: Server[], seconds: number, run: Turn): Promise<number> {
  await drive(servers, seconds * 4, run);
  return drive(servers, seconds, run);
}

async function drive(servers: Server[], seconds: number, run: Turn): Promise<number> {
  const started = performance.now();
  const until = started + seconds * 1_000;
  let done = 0;
  await Promise.all(
    servers.map(async (server, index) => {
      for (let at = index; performance.now() < until; at += servers.length) {
        // Not `done += await …`, which would read the sum before it waits.
        const commands = await run(server, at);
        done += commands;
      }
    }),
  );
  return (done / (performance.now() - started)) * 1_000;
}

/** Megabytes: of the server process, of the bare SDK's, and of PostgreSQL with all its processes. */
export function measureMemory({ cairn, echo, postmaster }: Record<'cairn' | 'echo' | 'postmaster', number>): Memory {
  return {
    cairn: residentOf([cairn]),
    echo: residentOf([echo]),
    postgres: residentOf([postmaster, ...childrenOf(postmaster)]),
  };
}

// Memory that processes share is counted once, where the system says how much it is.
function residentOf(pids: number[]): number {
  const kilobytes = pids.map((pid) => proportionalOf(pid) ?? Number(ps(['-o', 'rss=', '-p', String(pid)])[0]));
  return kilobytes.reduce((sum, size) => sum + size, 0) / 1_024;
}

function proportionalOf(pid: number): number | null {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
  } catch {
    return null;
  }
}

function childrenOf(parent: number): number[] {
  return ps(['-A', '-o', 'pid=,ppid='])
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid = 0, ppid]) => (ppid === parent ? [pid] : []));
}

function ps(args: string[]): string[] {
  return execFileSync('ps', args, { encoding: 'utf8' }).trim().split('\n');
}

/** Stops the database server. */
export function stopDatabase(dataDir: string): void {
  execFileSync(process.execPath, [CLI, 'db', 'stop', '--data-dir', dataDir]);
}
