/**
 * A mitigation of a threat (docs/security.md) and how to take it out: `find` is there once in `file`, and with `replace` in its
 * place the test of this name fails.
 *
 * @typedef {{ threat: string, file: string, find: string, replace: string, test: string, name: string }} Mutant
 */

/** @param {string} threat @param {string} test @param {(Omit<Mutant, 'threat' | 'test' | 'replace'> & { replace?: string })[]} mutants */
export function of(threat, test, mutants) {
  return mutants.map((mutant) => ({ replace: '', ...mutant, threat, test }));
}

/** @param {string} chapter */
export function sql(chapter) {
  return `supabase/migrations/2026112100${chapter}.sql`;
}
