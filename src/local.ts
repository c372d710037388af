import * as z from 'zod';
import { blobStores, type OpenBlobStore } from './blobs/open.ts';
import { isEmbedded, removeBriefs } from './brief-files.ts';
import type { Config } from './config.ts';
import { type Actor, type Database, NOBODY } from './db/database.ts';
import { type OpenDatabase, type OpenOptions, openDatabase } from './db/open.ts';
import { sqlFunction } from './db/sql-function.ts';
import type { Log } from './log.ts';
import { personName } from './person-name.ts';

export type Local = OpenDatabase & { actor: Actor; blobs: OpenBlobStore };

/** `person` is the user's name, if the caller knows it. */
type LocalOptions = OpenOptions & { person?: Promise<string> };

// One user for a database that this machine reaches without signing in: all its agents share one workspace.
const LOCAL_IDENTITY = { issuer: 'local', subject: 'owner' };
/** The user of an identity that the program vouches for, and the user's own workspace. */
export const signInAs = sqlFunction('sign_in', z.object({ user_id: z.string(), tenant_id: z.string() }));

/** Opens the configured database as its local user, or as the signed-in one. */
export async function openLocal(
  config: Config,
  log: Log,
  { person = personName(), ...options }: LocalOptions = {},
): Promise<Local> {
  const open = await openDatabase(config, log, options);
  try {
    const actor = open.user ?? (await signIn(open.db, await person));
    return {
      ...open,
      actor,
      blobs: blobStores(config),
      ...(isEmbedded(config) && { db: withoutBriefs(open.db, config, log) }),
    };
  } catch (error) {
    await open.close();
    throw error;
  }
}

/** Deletes old idempotency keys, in the background. */
export function purgeIdempotencyKeys({ db, actor }: Local, log: Log): void {
  db.call('purge_idempotency_keys', {}, actor).catch((err) => log.debug({ err }, 'old idempotency keys stay'));
}

/** Removes briefs before it answers a redaction, so that none still holds the blanked text. */
function withoutBriefs(db: Database, { dataDir }: Config, log: Log): Database {
  const stays = (err: unknown) => log.warn({ err, data_dir: dataDir }, 'a brief that may have a redacted text stays');
  return {
    ...db,
    async call(fn, args, actor) {
      const redacts = fn === 'redact_event';
      try {
        return await db.call(fn, args, actor);
      } finally {
        // After a failure too: perhaps only the answer was lost.
        if (redacts) await removeBriefs(dataDir).catch(stays);
      }
    },
  };
}

async function signIn(db: Database, name: string): Promise<Actor> {
  const identity = { ...LOCAL_IDENTITY, name };
  return signInAs({ db, actor: NOBODY }, { identity });
}
