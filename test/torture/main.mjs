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
import { serverStatus, stopServer } from '../../dist/db/embedded.js';
import { startAgent } from './agent.mjs';
import { check } from './check.mjs';

const { values: flags } = parseArgs({
  options: {
    processes: { type: 'string', default: '16' },
    seconds: { type: 'string', default: '60' },
    'server-kills': { type: 'string', default: '3' },
    'kill-every-ms': { type: 'string', default: '1000' },
  },
});
const [processes, seconds, serverKills, killEveryMs] = [
  flags.processes,
  flags.seconds,
  flags['server-kills'],
  flags['kill-every-ms'],
].map(Number);

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-torture-'));
try {
  const { report, wrong } = await torture();
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  for (const line of wrong.slice(0, 20)) process.stdout.write(`WRONG: ${line}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await stopServer({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
}

async function torture() {
  const started = performance.now();
  // Counted from the first answer. Processes are killed while the first of them starts the database too.
  let isOver = false;
  const agents = Array.from({ length: processes }, (_, at) =>
    startAgent({ dataDir, name: `agent-${at}`, isOver: () => isOver }),
  );
  const work = Promise.allSettled(agents.map((agent) => agent.work())).finally(() => {
    isOver = true;
  });
  const killing = killProcesses(agents, () => isOver);
  await Promise.race([work, Promise.any(agents.map(({ answered }) => answered))]);
  const [serversKilled] = await Promise.all([killServers(agents, () => isOver), pause(seconds * 1_000)]);
  isOver = true;
  const [worked, killed] = await Promise.all([work, killing]);
  await Promise.all(agents.map((agent) => agent.leave()));
  const stopped = !(await serverStatus(dataDir)).running;

  const { events, wrong } = await check(
    dataDir,
    agents.flatMap(({ entries }) => entries),
  );
  for (const result of worked) if (result.status === 'rejected') wrong.push(String(result.reason));
  if (serversKilled < serverKills) wrong.push(`The server was killed ${serversKilled} times, not ${serverKills}.`);
  const sum = (/** @type {'commands' | 'reads' | 'retries' | 'processes'} */ what) =>
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

/** @param {import('./agent.mjs').Agent[]} agents @param {() => boolean} isOver */
async function killProcesses(agents, isOver) {
  let killed = 0;
  for (await pause(killEveryMs); !isOver(); await pause(killEveryMs)) {
    const pid = agents[Math.floor(Math.random() * agents.length)]?.process();
    if (pid !== null && pid !== undefined && kill(pid)) killed += 1;
  }
  return killed;
}

/** Spread over the time, each after the one before was got over. @param {import('./agent.mjs').Agent[]} agents @param {() => boolean} isOver */
async function killServers(agents, isOver) {
  const commands = () => agents.reduce((total, { tally }) => total + tally.commands, 0);
  let killed = 0;
  while (killed < serverKills && !isOver()) {
    const before = commands();
    await pause((seconds * 1_000) / (serverKills + 1));
    while (!isOver() && commands() === before) await pause(20);
    const pid = await serverPid();
    if (pid !== null && kill(pid)) killed += 1;
  }
  return killed;
}

async function serverPid() {
  const lines = (await readFile(join(dataDir, 'pg', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  return lines[7]?.trim() === 'ready' ? Number(lines[0]) : null;
}

/** @param {number} pid */
function kill(pid) {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
