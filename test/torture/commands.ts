// npm run torture:commands: runners as real processes that are killed at random, and senders that send, interrupt and
// cancel. Every command must end exactly once for each of its agents, each agent must have taken what was most urgent,
// and the log must verify.
//
//   npm run torture:commands                                        8 runners, 4 senders, 1,000 commands
//   npm run torture:commands -- --runners 20 --commands 60 --kill-all --kill-every-ms 20000 --work-ms 20000
//   npm run torture:commands -- --runners 3 --senders 2 --commands 40 --kill-every-ms 1500
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process, { execPath } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readConfig } from '../../src/config.ts';
import type { Context } from '../../src/context.ts';
import { stopServer } from '../../src/db/embedded/shared-server.ts';
import { openLocal } from '../../src/local.ts';
import { createLog } from '../../src/log.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { listAgents } from '../../src/services/agents.ts';
import { cancelCommand, interruptRun, listQueue, listRuns, sendCommand } from '../../src/services/commands.ts';
import { checkCommands } from './check-commands.ts';

const { values: flags } = parseArgs({
  options: {
    runners: { type: 'string', default: '8' },
    senders: { type: 'string', default: '4' },
    commands: { type: 'string', default: '1000' },
    'kill-every-ms': { type: 'string', default: '3000' },
    'kill-all': { type: 'boolean', default: false },
    'work-ms': { type: 'string', default: '60' },
    seconds: { type: 'string', default: '900' },
  },
});
const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
const STAND_IN = fileURLToPath(new URL('test/runner/stand-ins/claude.mjs', PACKAGE_ROOT));
const names = Array.from({ length: Number(flags.runners) }, (_, at) => `claude-${at + 1}`);
const commands = Number(flags.commands);
const endBy = performance.now() + Number(flags.seconds) * 1_000;

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-commands-'));
const local = await openLocal(readConfig({ dataDir }, {}), createLog('silent'));
const { db, blobs, actor } = local;
const ctx: Context = { db, blobs, log: createLog('silent'), scopes: 'all', actor: { ...actor, agent: null } };
const runners = new Map<string, ChildProcess>();
/** Agents of which two processes were seen at once. */
const twins = new Set<string>();
const counts = { kills: 0, interrupts: 0, cancels: 0 };
let isOver = false;

try {
  for (const name of names) start(name);
  while ((await listAgents(ctx, {})).agents.length < names.length) await pause(200);
  const started = performance.now();
  const [killing, watching] = [killRunners(), watchAgents()];
  await Promise.all(Array.from({ length: Number(flags.senders) }, (_, at) => send(at)));
  const disturbing = disturb();
  const unfinished = await untilEnded();
  isOver = true;
  await Promise.all([killing, watching, disturbing]);
  const { runs, wrong } = await checkCommands(ctx, local);
  if (unfinished > 0) wrong.push(`${unfinished} commands have not ended.`);
  wrong.push(...[...twins].map((name) => `${name} had two processes at once.`));
  const seconds = Math.round((performance.now() - started) / 1_000);
  process.stdout.write(`${JSON.stringify({ commands, runs, seconds, ...counts, wrong: wrong.length })}\n`);
  for (const line of wrong.slice(0, 20)) process.stdout.write(`WRONG: ${line}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  isOver = true;
  await Promise.all([...runners.values()].map(end));
  await local.close();
  await stopServer({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
}
// Pending timers and handles have nothing left to wait for.
process.exit();

function start(name: string): void {
  const args = ['agent', 'run', '--name', name, '--driver', 'claude', '--json', '--', execPath, STAND_IN];
  const env = { ...process.env, CAIRN_MAX_AGENTS: String(names.length), TORTURE: dataDir };
  const runner = spawn(execPath, [CLI, '--data-dir', dataDir, ...args], { stdio: 'ignore', env });
  runners.set(name, runner);
  runner.once('exit', () => {
    if (!isOver) setTimeout(() => start(name), 200);
  });
}

async function end(runner: ChildProcess): Promise<void> {
  if (runner.exitCode !== null || runner.signalCode !== null) return;
  runner.kill('SIGTERM');
  await Promise.race([once(runner, 'exit'), pause(15_000).then(() => runner.kill('SIGKILL'))]);
}

async function killRunners(): Promise<void> {
  while (!isOver) {
    await pause(Number(flags['kill-every-ms']));
    if (isOver) return;
    const killed = flags['kill-all'] ? names : [anyOf(names) ?? ''];
    counts.kills += killed.filter((name) => runners.get(name)?.kill('SIGKILL')).length;
  }
}

/** Looks for two processes of one agent, where the system shows them (on Linux). */
async function watchAgents(): Promise<void> {
  while (!isOver && process.platform === 'linux') {
    const seen = new Set<string>();
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const [words, variables] = await Promise.all(
        ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
      );
      const name = /(?:^|\0)CAIRN_AGENT=([^\0]*)/.exec(variables ?? '')?.[1];
      if (name === undefined || words?.split('\0')[1] !== STAND_IN || !variables?.includes(`TORTURE=${dataDir}`))
        continue;
      if (seen.has(name)) twins.add(name);
      seen.add(name);
    }
    await pause(500);
  }
}

async function send(sender: number): Promise<void> {
  const share = Math.floor(commands / Number(flags.senders)) + (sender < commands % Number(flags.senders) ? 1 : 0);
  for (let n = 0; n < share; n += 1) {
    const from = Math.floor(Math.random() * names.length);
    const to = names.slice(from, from + (Math.random() < 0.2 ? 2 : 1));
    const mode = Math.random() < 0.05 ? ('interrupt' as const) : ('turn' as const);
    const priority = Math.floor(Math.random() * 101);
    await sendCommand(ctx, {
      to,
      mode,
      priority,
      content: `work ${Math.floor(Math.random() * Number(flags['work-ms']))}`,
      repeatable: n % 2 === 0,
    });
  }
}

/** Interrupts what runs and takes back what waits, now and then. */
async function disturb(): Promise<void> {
  while (!isOver) {
    await pause(700);
    const { runs } = await listQueue(ctx, { page_size: 100 });
    const running = runs.filter(({ status }) => status === 'running');
    const run = anyOf(Math.random() < 0.7 && running.length > 0 ? running : runs);
    if (run === undefined) continue;
    const isWaiting = run.status === 'queued';
    const disturbed = isWaiting
      ? cancelCommand(ctx, { command: run.command ?? '' })
      : interruptRun(ctx, { run: run.id, reason: 'Torture.' });
    // It may have ended meanwhile.
    await disturbed.then(
      () => {
        counts[isWaiting ? 'cancels' : 'interrupts'] += 1;
      },
      () => {},
    );
  }
}

async function untilEnded(): Promise<number> {
  for (;;) {
    const { runs } = await listRuns(ctx, { open_only: true, page_size: 100 });
    if (runs.length === 0 || performance.now() > endBy) return runs.length;
    await pause(500);
  }
}

function anyOf<T>(items: readonly T[]): T | undefined {
  return items[Math.floor(Math.random() * items.length)];
}
