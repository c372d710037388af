import { type Database, NOBODY } from '../../db/database.ts';
import { domainErrorFrom } from '../../errors.ts';

const FRESH_MS = 1_000;

/** Tells whether the database answers; asks it at most once a second, however many callers. */
export function createReadiness(db: Database): () => Promise<boolean> {
  let asked: { at: number; ready: Promise<boolean> } | undefined;

  async function ask(): Promise<boolean> {
    try {
      await db.call('suggest_refs', { kind: 'project', prefix: '' }, NOBODY);
      return true;
    } catch (error) {
      // A refusal is an answer too.
      const { code } = domainErrorFrom(error);
      return code !== 'unavailable' && code !== 'internal';
    }
  }

  return () => {
    if (asked === undefined || Date.now() - asked.at > FRESH_MS) asked = { at: Date.now(), ready: ask() };
    return asked.ready;
  };
}
