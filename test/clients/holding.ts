// Sessions that take a task and wait then, so that something can happen to them.
import { EventEmitter, once } from 'node:events';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { CLI } from '../../bench/rpc.ts';
import type { Play } from './model.ts';
import type { Place } from './place.ts';
import { isRunning, type Process, processes } from './processes.ts';
import type { Program } from './programs.ts';
import { type Ended, startSession } from './session.ts';

const END_MS_MAX = 30_000;

export type Holding = {
  /** Lets it act again, to its end. */
  goOn(): Promise<Ended>;
  /** Kills the client as nobody can refuse. Resolves when its server has ended too. */
  kill(): Promise<void>;
  signalServer(signal: NodeJS.Signals): void;
};

type Story = { act: Play; afterwards?: Play; args?: string[] };

/** Starts a client that acts, waits until it is told to go on, and acts once more. Resolves when it waits. */
export async function startHolding(
  program: Program,
  place: Place,
  { act, afterwards = async () => {}, args = [] }: Story,
): Promise<Holding> {
  const signs = new EventEmitter();
  const waits = once(signs, 'waits');
  const play: Play = async (agent) => {
    await act(agent);
    const told = once(signs, 'go on');
    signs.emit('waits');
    await told;
    await afterwards(agent);
  };
  const { client, ended } = await startSession(program, place, { play, args });
  // One that is killed does not come to its end, and that is no failure.
  ended.catch(() => {});
  await Promise.race([waits, ended]);
  return {
    goOn() {
      signs.emit('go on');
      return ended;
    },
    async kill() {
      const server = serverOf(client.pid);
      const killed = performance.now();
      // A program may be started by another of its own; the server's parent is the one that matters.
      process.kill(server.parent, 'SIGKILL');
      while (isRunning(server.pid) && performance.now() - killed < END_MS_MAX) await pause(20);
    },
    signalServer(signal: NodeJS.Signals) {
      process.kill(serverOf(client.pid).pid, signal);
    },
  };
}

/** The server that a client, or a process of it, started for itself. */
function serverOf(client: number | undefined): Process {
  const all = processes();
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const isBelow = (pid: number | undefined) => {
    for (let at = pid; at !== undefined; at = parents.get(at)) if (at === client) return true;
    return false;
  };
  const server = all.find(({ pid, line }) => line.includes(CLI) && !line.includes(' hook ') && isBelow(pid));
  if (server === undefined) throw new Error('The client has started no server.');
  return server;
}
