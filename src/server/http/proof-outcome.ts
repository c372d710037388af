import type { Database } from '../../db/database.ts';

/** Wraps the database and reports whether an actor's proof held: at each of its calls, at least one. */
export function withProofOutcome(db: Database): Database {
  return {
    ...db,
    async call(fn, args, actor) {
      const { proof } = actor;
      if (proof === undefined) return db.call(fn, args, actor);
      try {
        const answer = await db.call(fn, args, actor);
        proof.held ??= true;
        return answer;
      } catch (error) {
        proof.held = false;
        throw error;
      }
    },
  };
}
