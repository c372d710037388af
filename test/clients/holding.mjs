// Sessions that take a task and wait then, so that something can happen to them.
import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { CLI } from './place.mjs';
import { PROGRAMS } from './programs.mjs';
import { startSession } from './session.mjs';

const END_MS_MAX = 30_000;

/** @typedef {Awaited<ReturnType<typeof startHolding>>} Holding */

/**
 * Starts Claude Code, which acts, waits until it is told to go on, and acts once more. Resolves when it waits.
 * @param {import('./place.mjs').Place} place
 * @param {{ act: import('./model.mjs').Play, afterwards?: import('./model.mjs').Play, args?: string[] }} story
 */
export async function startHolding(place, { act, afterwards = async () => {}, args = [] }) {
  const signs = new EventEmitter();
  const waits = once(signs, 'waits');
  const play = async (agent) => {
    await act(agent);
    const told = once(signs, 'go on');
    signs.emit('waits');
    await told;
    await afterwards(agent);
  };
  const { client, ended } = await startSession(PROGRAMS.claude, place, { play, args });
  // One that is killed does not come to its end, and that is no failure.
  ended.catch(() => {});
  await Promise.race([waits, ended]);
  return {
    /** Lets it act again, to its end. */
    goOn() {
      signs.emit('go on');
      return ended;
    },
    /** Kills the client. Resolves to how long its server ran on. */
    async kill() {
      const [server] = serversOf(client.pid);
      const killed = performance.now();
      client.kill('SIGKILL');
      while (isRunning(server) && performance.now() - killed < END_MS_MAX) await pause(20);
      return Math.round(performance.now() - killed);
    },
    /** @param {NodeJS.Signals} signal */
    signalServer(signal) {
      for (const pid of serversOf(client.pid)) process.kill(pid, signal);
    },
  };
}

/** The servers that a client started for itself. @param {number | undefined} client */
function serversOf(client) {
  return processes()
    .filter(({ parent, line }) => parent === client && line.includes(CLI) && !line.includes(' hook '))
    .map(({ pid }) => pid);
}

/** @param {number | undefined} pid */
function isRunning(pid) {
  return processes().some((one) => one.pid === pid && !one.state.startsWith('Z'));
}

function processes() {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [pid, parent, state = '', ...args] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), state, line: args.join(' ') };
  });
}
