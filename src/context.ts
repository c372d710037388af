import type { OpenBlobStore } from './blobs/open.ts';
import type { Actor, Database } from './db/database.ts';
import type { Verdict } from './db/verdict.ts';
import type { Log } from './log.ts';

/** The scopes that a caller may have. `write` includes the `read` of its kind. */
export const SCOPES = Object.freeze(['projects:read', 'projects:write', 'tasks:read', 'tasks:write', 'admin'] as const);

export type Scope = (typeof SCOPES)[number];

/** The request's name for the log; with a key, a repeat of the same request gets its first answer. */
type Command = { name: string; key?: string; fingerprint?: string };

/** The caller, its rights, and its project: built once at the edge, passed first. */
export type Context = {
  db: Database;
  /** Opens places for files beside the database, with the keys of this process. */
  blobs: OpenBlobStore;
  actor: Actor;
  scopes: ReadonlySet<Scope>;
  /** Told by each call whether the database accepted the actor's proof. */
  verdict?: Verdict | undefined;
  log: Log;
  /** The slug of the default project. */
  project?: string | undefined;
  command?: Command;
  /** Ends a call that waits. Made on demand: most calls never wait. */
  signal?: () => AbortSignal;
  /** Called with the agent after each call: its locks are renewed. */
  acted?: (agent: string) => void;
};

export function mayUse(scopes: ReadonlySet<Scope>, needed: Scope): boolean {
  if (scopes.has(needed)) return true;
  const writing = needed.replace(/:read$/, ':write');
  return SCOPES.some((scope) => scope === writing && scopes.has(scope));
}
