import type { Client, Command, ToolCall } from '../client.ts';
import { backlog } from './backlog.ts';
import { cairn } from './cairn.ts';
import { dex } from './dex.ts';
import { memory } from './memory.ts';
import { memoryBank } from './memory-bank.ts';
import { ohno } from './ohno.ts';
import { shrimp } from './shrimp.ts';
import { taskMaster } from './task-master.ts';

/** Where a server works: its store, its package, the program of another runtime, who acts. */
export type Place = { dir: string; folder: string; agent: string; runtime?: string | undefined };
export type Stored = { id: string; text: string };
type Opening = Place & { open: () => Promise<Client> };
type Asking = ToolCall | ((place: Place) => ToolCall);

/** How the same work is said to one server. */
export type Server = {
  name: string;
  /** On npm; none for this build. */
  package?: string;
  /** Where it does not run on Node.js. */
  runtime?: 'bun';
  command(place: Place): Command;
  /** Makes a store with that many open tasks; answers with their ids. */
  prepare(place: Opening & { count: number }): Promise<string[]>;
  create(title: string, description: string, place: Place): ToolCall;
  /** The id in the answer. */
  created(text: string): string | undefined;
  update(id: string, note: string, place: Place): ToolCall;
  /** Where the note cannot be stored. */
  isUpdated?(stored: Stored, note: string): boolean;
  list: Asking;
  /** What an agent asks that looks for work and takes none yet. */
  next: Asking;
  /** Finds a free task and takes it, in as many calls as its documents tell an agent to make. */
  claim(client: Client, place: Place): Promise<string | undefined>;
  /** What is in the store, past the server. */
  stored(place: Opening): Promise<Stored[]>;
};

export const SERVERS: readonly Server[] = [cairn, taskMaster, backlog, memory, memoryBank, shrimp, dex, ohno];
