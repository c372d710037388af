import type { FunctionName } from './functions.ts';

/**
 * Who acts: a user, through a client, as an agent; `ip` is where from, for the audit trail of access. With `project_id` nothing of another
 * project is reached. `grant` names what lets them, where calls take turns by it, and `gone` aborts when nobody waits for the answer any more:
 * the database is told of neither.
 */
export type Actor = {
  user_id: string;
  tenant_id?: string;
  project_id?: string;
  agent?: string | null;
  client?: string | null;
  /** The worker that the agent's name ends with, where a call names one of several; and the process that its locks are of, a UUID. */
  worker?: string;
  process?: string;
  ip?: string | undefined;
  proof?: Proof;
  grant?: string;
  gone?: () => AbortSignal;
};

/**
 * An access token that the actor's calls came with: the database raises `unauthenticated`, and does nothing, for one that is not
 * good for the resource by then. `held` is what came of it.
 */
type Proof = { token_hash: string; resource: string; held?: boolean };

/** The workspace in which something may have happened; null when it may be any, because hints were missed. */
export type Hint = string | null;

/** What hints are about: events that were added, or access that was ended. */
export type Topic = 'events' | 'access';

export type Listening = {
  /** Whether hints arrive at present. While they do not, one looks by oneself. */
  hears(): boolean;
  stop(): void;
};

/** Files beside the database, which every process that serves it reaches. */
export type Bucket = {
  /** Never overwrites: what is there already is refused, unless it is the same. */
  write(name: string, bytes: Buffer): Promise<void>;
  read(name: string): Promise<Buffer>;
};

/** The database port: one SQL function, one round trip, whatever the engine. */
export interface Database {
  call<T>(fn: FunctionName, args: Record<string, unknown>, actor: Actor): Promise<T>;
  /** Hears of commits, of other processes too, where the engine can. A hint may come late, twice or never. */
  listen?(hint: (tenant: Hint) => void, topic?: Topic): Listening;
  /** Calls back whenever a connection was lost, where connections are kept. */
  onLoss?(told: () => void): void;
  /** A bucket of that name, where the engine has some and the caller the key to them. */
  bucket?(name: string): Bucket;
  close(): Promise<void>;
}
