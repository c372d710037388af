import type { Actor, Database } from './db/database.ts';
import type { Log } from './log.ts';

/** What a caller may be allowed to do. `write` includes the `read` of its kind. */
export const SCOPES = Object.freeze(['projects:read', 'projects:write', 'tasks:read', 'tasks:write', 'admin'] as const);

export type Scope = (typeof SCOPES)[number];

/** Names the request for the log; with a key, the same request repeated gets its first answer again. */
type Command = { name: string; key?: string; fingerprint?: string };

/** Who calls, with what rights, and on what: built once at the edge, passed first. */
export type Context = {
  db: Database;
  actor: Actor;
  scopes: ReadonlySet<Scope>;
  log: Log;
  /** The slug of the project that is meant when none is named. */
  project?: string | undefined;
  command?: Command;
  /** Ends a call that waits. Made when asked for: most calls never wait. */
  signal?: () => AbortSignal;
  /** Told which agent called, when the call is over: what it holds is renewed. */
  acted?: (agent: string) => void;
};

export function mayUse(scopes: ReadonlySet<Scope>, needed: Scope): boolean {
  return scopes.has(needed) || (needed.endsWith(':read') && scopes.has(needed.replace(':read', ':write') as Scope));
}
