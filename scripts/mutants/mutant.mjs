import { SQL } from './migrations.mjs';

/**
 * A mitigation of a threat (docs/security.md), or a refusal of the core, and how to take it out: `find` is there once in `file`, and
 * with `replace` in its place the test of this name fails. In SQL it is there once in force, in the function `within` if that is named.
 *
 * @typedef {{
 *   threat: string, file: string, find: string, replace: string, test: string, name: string, within?: string, isRefusal?: boolean
 * }} Mutant
 */

/** @param {string} threat @param {string} test @param {(Omit<Mutant, 'threat' | 'test' | 'replace'> & { replace?: string })[]} mutants */
export function of(threat, test, mutants) {
  return mutants.map((mutant) => ({ replace: '', ...mutant, threat, test }));
}

/**
 * Mutants that take out a refusal of a function: the call with this text.
 *
 * @param {string} threat @param {string} test @param {{ within: string, find: string, name: string }[]} taken
 */
export function refusals(threat, test, taken) {
  return taken.map((mutant) => ({ ...mutant, threat, test, file: SQL, replace: 'null;', isRefusal: true }));
}
