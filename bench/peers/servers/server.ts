import type { Client, Command, ToolCall } from '../client.ts';

/** The environment of a server: its store, its package, the program of another runtime, the agent's name. */
export type Place = { dir: string; folder: string; agent: string; runtime?: string | undefined };
export type Stored = { id: string; text: string };
type Opening = Place & { open: () => Promise<Client> };
type Asking = ToolCall | ((place: Place) => ToolCall);

/** The calls that do the same work on one server. */
export type Server = {
  name: string;
  /** The npm package; none for this build. */
  package?: string;
  /** Set if the server does not run on Node.js. */
  runtime?: 'bun';
  command(place: Place): Command;
  /** Makes a store with that many open tasks; answers with their ids. */
  prepare(place: Opening & { count: number }): Promise<string[]>;
  create(title: string, description: string, place: Place): ToolCall;
  /** The id in the answer. */
  created(text: string): string | undefined;
  update(id: string, note: string, place: Place): ToolCall;
  /** Tells whether an update arrived, on a server that cannot store the note. */
  isUpdated?(stored: Stored, note: string): boolean;
  list: Asking;
  /** The call of an agent that looks for work without taking any yet. */
  next: Asking;
  /** Finds a free task and takes it, in as many calls as its documents tell an agent to make. */
  claim(client: Client, place: Place): Promise<string | undefined>;
  /** Reads the content of the store without the server. */
  stored(place: Opening): Promise<Stored[]>;
};
