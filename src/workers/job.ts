import type pg from 'pg';
import type { OpenBlobStore } from '../blobs/open.ts';
import type { Config } from '../config.ts';
import type { Actor, Database } from '../db/database.ts';
import type { Log } from '../log.ts';

/** What jobs may use: the database, and this machine. */
export type Machine = {
  config: Config;
  db: Database;
  blobs: OpenBlobStore;
  log: Log;
  /** A connection of its own; the job ends it. */
  connect(): Promise<pg.Client>;
};

/** A claimed run of a job. The actor is `system`, in the job's workspace. */
export type Run = {
  actor: Actor;
  settings: Record<string, unknown>;
  /**
   * Aborted when the worker stops, when the run takes too long, and when the worker no longer holds it: what is done
   * from then on, another may do too. A run that goes on may still finish, but is not waited for long.
   */
  signal: AbortSignal;
};

/** A kind of job. */
export type JobKind = {
  kind: string;
  /** One for the whole installation, which every worker registers; or one of each workspace that asked for it. */
  scope: 'installation' | 'workspace';
  everySeconds: number;
  /** How long a run may take, by default an hour: one that hangs is ended, as a failure. */
  maxSeconds?: number;
  /** `machine` opens a connection, starts a process, writes files or reads a credential: never beside an agent. */
  needs: 'database' | 'machine';
  /** Tells whether databases of this configuration have it; by default all. */
  isFor?(config: Config): boolean;
  run(machine: Machine, run: Run): Promise<void>;
};
