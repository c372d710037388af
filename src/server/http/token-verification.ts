import type { Database } from '../../db/database.ts';

/** The same database, which says of an actor's proof whether it held: at each of its calls, and at one at least. */
export function withTokenVerification(db: Database): Database {
  return {
    ...db,
    async call(fn, args, actor) {
      const { proof } = actor;
      if (proof === undefined) return db.call(fn, args, actor);
      try {
        const answer = await db.call<never>(fn, args, actor);
        proof.held ??= true;
        return answer;
      } catch (error) {
        proof.held = false;
        throw error;
      }
    },
  };
}
