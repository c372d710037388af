import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { writeAtomically } from '../../atomic-write.ts';

/** What the hooks of an agent, each a process of its own, leave for one another. */
export class TurnFile {
  readonly #turn: string;
  readonly #waiting: string;

  constructor(dataDir: string, agent: string) {
    const file = join(dataDir, 'hooks', encodeURIComponent(agent.toLowerCase()).slice(0, 200));
    this.#turn = `${file}.turn`;
    this.#waiting = `${file}.waiting`;
  }

  /** How often the turn has gone on with a command. */
  continued(): number {
    return Number(read(this.#turn)) || 0;
  }

  setContinued(times: number): Promise<void> {
    return times === 0 ? remove(this.#turn) : write(this.#turn, String(times));
  }

  /** From then on this process is the one that waits, and an earlier one is not. */
  wait(): Promise<void> {
    return write(this.#waiting, String(process.pid));
  }

  isWaiting(): boolean {
    return read(this.#waiting) === String(process.pid);
  }

  /** Ends the wait of whichever process waits. */
  endWait(): Promise<void> {
    return remove(this.#waiting);
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeAtomically(file, text, { mode: 0o600 });
}

async function remove(file: string): Promise<void> {
  await rm(file, { force: true });
}
