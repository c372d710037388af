import type { Arguments, FunctionName } from './functions.ts';

/**
 * The actor of a call: a user, through a client, as an agent; `ip` is its address, for the audit trail of access. With
 * `project_id` it reaches only that project, and with `drives` it runs only that agent. `grant` names its access, where
 * calls take turns by it, and `gone` aborts when nobody waits for the answer any more: the database sees neither.
 */
export type Actor = {
  user_id: string;
  tenant_id?: string;
  project_id?: string;
  drives?: string;
  agent?: string | null;
  client?: string | null;
  /**
   * The worker that the agent's name ends with, if a call names one of several; and the process that owns its locks, a
   * UUID.
   */
  worker?: string;
  process?: string;
  ip?: string | undefined;
  proof?: Proof;
  grant?: string;
  gone?: () => AbortSignal;
};

/** The caller of functions that need no user yet, or none. */
export const NOBODY: Actor = Object.freeze({ user_id: '00000000-0000-0000-0000-000000000000' });

/**
 * The access token of the actor's calls: if it is not valid for the resource by then, the database raises
 * `unauthenticated` and does nothing.
 */
type Proof = { token_hash: string; resource: string };

/** The workspace in which something may have happened, or the run that printed; null for any: hints were missed. */
export type Hint = string | null;

/** The subject of hints: added events, ended access, or the output of a run. */
export type Topic = 'events' | 'access' | 'output';

export type Listening = {
  /** Tells whether hints currently arrive. While they do not, the caller must poll. */
  hears(): boolean;
  stop(): void;
};

/** The database port: one SQL function, one round trip, whatever the engine. */
export interface Database {
  /** Returns JSON that nobody has checked: who reads it declares the function with `sqlFunction`. */
  call<Fn extends FunctionName>(fn: Fn, args: Arguments<Fn>, actor: Actor): Promise<unknown>;
  /** Calls back after commits, also of other processes, if the engine can. A hint may come late, twice or never. */
  listen?(hint: (of: Hint) => void, topic?: Topic): Listening;
  /** Calls back after each loss of a connection, if connections are kept. */
  onLoss?(told: () => void): void;
  close(): Promise<void>;
}
