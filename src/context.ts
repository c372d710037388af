import type { OpenBlobStore } from './blobs/open.ts';
import type { Actor, Database } from './db/database.ts';
import type { Verdict } from './db/verdict.ts';
import type { Log } from './log.ts';

/**
 * A right that a token may have; toolsets declare those there are. Each right of a kind includes its `read`, but for
 * `run`: who drives one agent sees nothing of others.
 */
export type Scope = 'admin' | `${string}:${(typeof READING)[number] | 'run'}`;

const READING = ['read', 'write', 'send'] as const;

/** What a caller may do: everything, or what a token was granted. */
export type Scopes = ReadonlySet<Scope> | 'all';

/** The request's name for the log; with a key, a repeat of the same request gets its first answer. */
type Command = { name: string; key?: string; fingerprint?: string };

/** The caller, its rights, and its project: built once at the edge, passed first. */
export type Context = {
  db: Database;
  /** Opens places for files beside the database, with the keys of this process. */
  blobs: OpenBlobStore;
  actor: Actor;
  scopes: Scopes;
  /** Told by each call whether the database accepted the actor's proof. */
  verdict?: Verdict | undefined;
  log: Log;
  /** The slug of the default project. */
  project?: string | undefined;
  command?: Command;
  /** An agent in its shell, where each command is a program of its own: its locks are known by their holder. */
  keepsNoTokens?: true;
  /** Ends a call that waits. Made on demand: most calls never wait. */
  signal?: () => AbortSignal;
  /** Called with the agent after each call: its locks are renewed. */
  acted?: (agent: string) => void;
};

export function isScope(name: string): name is Scope {
  return /^(admin|[a-z_]+:(read|write|send|run))$/.test(name);
}

export function mayUse(scopes: Scopes, needed: Scope): boolean {
  if (scopes === 'all' || scopes.has(needed)) return true;
  const kind = needed.replace(/:read$/, '');
  return kind !== needed && READING.some((right) => scopes.has(`${kind}:${right}`));
}
