import * as z from 'zod';
import type { Config } from '../config.ts';
import { type Context, SCOPES } from '../context.ts';
import type { Actor, Database } from '../db/database.ts';
import type { FunctionName } from '../db/functions.ts';
import { DomainError } from '../errors.ts';
import { type Local, openLocal } from '../local.ts';
import { createLog } from '../log.ts';
import { cleanJson } from '../text.ts';

// Answers that are written as they are, to be read by programs: their hashes would no longer agree.
const EXACT: ReadonlySet<FunctionName> = new Set(['export_events', 'snapshot_events']);

type Person = Context & { connect: Local['connect'] };

/** A workspace by its id, where it is not one's own. */
export type WorkspaceOption = { workspace?: string };

/** Opens the database for a command that a person runs: no agent acts. */
export async function asPerson<T>(
  config: Config,
  run: (ctx: Person) => Promise<T>,
  { workspace }: WorkspaceOption = {},
): Promise<T> {
  const { workspace: tenant_id } = parseGiven(z.object({ workspace: z.guid().optional() }), { workspace });
  // At the usual level a person would read that the database started before what was asked for.
  const log = createLog(config.logLevel === 'info' ? 'warn' : config.logLevel);
  const { db, user, actor: local, connect, close } = await openLocal(config, log);
  // Where the program's word counts, it acts for who looks after the workspace: a user's own has the id of the user.
  const actor = tenant_id === undefined ? local : { user_id: tenant_id, ...user, tenant_id };
  try {
    const scopes = new Set(SCOPES);
    return await run({
      db: shown(db),
      connect,
      log,
      scopes,
      actor: { ...actor, agent: null, client: 'cli' },
      project: config.project,
    });
  } finally {
    await close();
  }
}

/** The database, its answers without what no terminal should get: some were stored before it refused that. */
function shown(db: Database): Database {
  return {
    ...db,
    async call<T>(fn: FunctionName, args: Record<string, unknown>, actor: Actor): Promise<T> {
      const answer = await db.call<T>(fn, args, actor);
      return EXACT.has(fn) ? answer : (cleanJson(answer) as T);
    },
  };
}

/** What a person typed, as the service wants it. */
export function parseGiven<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new DomainError('invalid_input', `The arguments are not valid: ${z.prettifyError(parsed.error)}`, {
    hint: 'The command with --help shows what it takes.',
  });
}
