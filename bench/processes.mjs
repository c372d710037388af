// Start, memory and throughput: what needs processes rather than calls.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { workOnce } from './calls.mjs';
import { CLI, ECHO, start, startCairn } from './rpc.mjs';
import { summary, timed } from './sample.mjs';

const PROCESSES = 8;

/** Spawn to the first answer of a tool, the database server running. @param {string} dataDir @param {number} n */
export async function measureStart(dataDir, n) {
  const times = { cairn: [], echo: [] };
  for (let at = 0; at < n; at++) {
    times.cairn.push(await firstAnswer(() => startCairn(dataDir), ['list_projects', {}]));
    times.echo.push(await firstAnswer(() => start(ECHO), ['echo', { text: 'Hello.' }]));
  }
  return { cairn: summary(times.cairn), echo: summary(times.echo) };
}

/** The same where the process has to start the database server first; nobody else may use it. @param {string} dataDir @param {number} n */
export async function measureColdStart(dataDir, n) {
  const times = [];
  for (let at = 0; at < n; at++) times.push(await firstAnswer(() => startCairn(dataDir), ['list_projects', {}]));
  return summary(times);
}

/** The same where there is no database yet. @param {() => Promise<string>} fresh @param {number} n */
export async function measureEmptyStart(fresh, n) {
  const times = [];
  for (let at = 0; at < n; at++) {
    const dataDir = await fresh();
    times.push(await firstAnswer(() => startCairn(dataDir), ['list_projects', {}]));
    await rm(dataDir, { recursive: true, force: true });
  }
  return summary(times);
}

async function firstAnswer(open, [tool, args]) {
  const { ms, result } = await timed(async () => {
    const server = await open();
    await server.call(tool, args);
    return server;
  });
  await result.stop();
  return ms;
}

/** Commands that eight processes of one workspace get done in a second, each with one call in flight. */
export async function measureThroughput({ dataDir, project, refs, seconds }) {
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
async function load(servers, seconds, run) {
  await drive(servers, seconds * 4, run);
  return drive(servers, seconds, run);
}

async function drive(servers, seconds, run) {
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
export function measureMemory({ cairn, echo, postmaster }) {
  return {
    cairn: residentOf([cairn]),
    echo: residentOf([echo]),
    postgres: residentOf([postmaster, ...childrenOf(postmaster)]),
  };
}

// Memory that processes share is counted once, where the system says how much it is.
function residentOf(pids) {
  const kilobytes = pids.map((pid) => proportionalOf(pid) ?? Number(ps(['-o', 'rss=', '-p', String(pid)])[0]));
  return kilobytes.reduce((sum, size) => sum + size, 0) / 1_024;
}

function proportionalOf(pid) {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
  } catch {
    return null;
  }
}

function childrenOf(parent) {
  return ps(['-A', '-o', 'pid=,ppid='])
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid);
}

function ps(args) {
  return execFileSync('ps', args, { encoding: 'utf8' }).trim().split('\n');
}

/** Stops the database server. @param {string} dataDir */
export function stopDatabase(dataDir) {
  execFileSync(process.execPath, [CLI, 'db', 'stop', '--data-dir', dataDir]);
}
