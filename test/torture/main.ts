// npm run torture: real processes on one empty directory, killed at random, and the database server with them. What was
// acknowledged must be in the log exactly once, and nobody may need help.
//
//   npm run torture                                      16 processes, 60 seconds, the server killed 3 times
//   npm run torture -- --processes 8 --seconds 10        smaller; --server-kills 1, --kill-every-ms 500
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { serverStatus, stopServer } from '../../src/db/embedded/shared-server.ts';
import { within } from '../../src/deadline.ts';
import { startAgent } from './agent.ts';
import { check } from './check.ts';

const { values: flags } = parseArgs({
  options: {
    processes: { type: 'string', default: '16' },
    seconds: { type: 'string', default: '60' },
    'server-kills': { type: 'string', default: '3' },
    'kill-every-ms': { type: 'string', default: '1000' },
  },
});
const processes = Number(flags.processes);
const seconds = Number(flags.seconds);
const serverKills = Number(flags['server-kills']);
const killEveryMs = Number(flags['kill-every-ms']);

// The last calls and the check have theirs to end in.
const RUN_MS_MAX = (seconds + 200) * 1_000;

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-torture-'));
let isOver = false;
let stage = 'the first answer';
const agents = Array.from({ length: processes }, (_, at) =>
  startAgent({ dataDir, name: `agent-${at}`, isOver: () => isOver }),
);
const waitedFor = () => [stage, ...agents.flatMap((agent) => agent.waitsFor())].join('; ');
try {
  const { report, wrong } = await within(RUN_MS_MAX, waitedFor, torture());
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  for (const line of wrong.slice(0, 20)) process.stdout.write(`WRONG: ${line}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} catch (error) {
  process.stdout.write(`WRONG: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
  isOver = true;
  for (const agent of agents) kill(agent.process());
} finally {
  await stopServer({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
}
// Pending timers and handles have nothing left to wait for.
process.exit();

async function torture() {
  const started = performance.now();
  const work = Promise.allSettled(agents.map((agent) => agent.work())).finally(() => {
    isOver = true;
  });
  const killing = killProcesses();
  // The time counts from the first answer. Processes are killed while the first of them starts the database too.
  await Promise.race([work, Promise.any(agents.map(({ answered }) => answered))]);
  stage = 'the end of the time';
  const [serversKilled] = await Promise.all([killServers(), pause(seconds * 1_000)]);
  isOver = true;
  stage = 'the last turn of each agent';
  const [worked, killed] = await Promise.all([work, killing]);
  stage = 'the processes to end';
  await Promise.all(agents.map((agent) => agent.leave()));
  stage = 'the check';
  const stopped = !(await serverStatus(dataDir)).running;

  const { events, wrong } = await check(
    dataDir,
    agents.flatMap(({ entries }) => entries),
  );
  for (const result of worked) if (result.status === 'rejected') wrong.push(String(result.reason));
  if (serversKilled < serverKills) wrong.push(`The server was killed ${serversKilled} times, not ${serverKills}.`);
  const sum = (what: 'commands' | 'reads' | 'retries' | 'processes') =>
    agents.reduce((total, { tally }) => total + tally[what], 0);
  const report = {
    processes,
    seconds: Math.round((performance.now() - started) / 1_000),
    processes_killed: killed,
    processes_started: sum('processes'),
    server_kills: serversKilled,
    acknowledged_commands: sum('commands'),
    reads: sum('reads'),
    retries: sum('retries'),
    slowest_answer_ms: Math.round(Math.max(...agents.map(({ tally }) => tally.slowestMs))),
    events,
    server_stopped_with_the_last: stopped,
    wrong: wrong.length,
  };
  return { report, wrong };
}

async function killProcesses(): Promise<number> {
  let killed = 0;
  for (await pause(killEveryMs); !isOver; await pause(killEveryMs)) {
    if (kill(agents[Math.floor(Math.random() * agents.length)]?.process())) killed += 1;
  }
  return killed;
}

/** Spread over the time, each after the one before was got over. */
async function killServers(): Promise<number> {
  const commands = () => agents.reduce((total, { tally }) => total + tally.commands, 0);
  let killed = 0;
  while (killed < serverKills && !isOver) {
    const before = commands();
    await pause((seconds * 1_000) / (serverKills + 1));
    while (!isOver && commands() === before) await pause(20);
    if (kill(await serverPid())) killed += 1;
  }
  return killed;
}

async function serverPid(): Promise<number | null> {
  const lines = (await readFile(join(dataDir, 'pg', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  return lines[7]?.trim() === 'ready' ? Number(lines[0]) : null;
}

function kill(pid: number | null | undefined): boolean {
  try {
    return typeof pid === 'number' && process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
