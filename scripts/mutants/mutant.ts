import { SQL } from './sql.ts';

/**
 * A mitigation of a threat (docs/security.md), or a refusal of the core, and how to take it out: `find` is there once
 * in `file`, and with `replace` in its place the test of this name fails. In SQL it is there once in force, in the
 * function `within` if that is named.
 */
export type Mutant = {
  threat: string;
  file: string;
  find: string;
  replace: string;
  test: string;
  name: string;
  within?: string;
  isRefusal?: boolean;
};

type Taken = Omit<Mutant, 'threat' | 'test' | 'replace'> & { replace?: string };

export function of(threat: string, test: string, mutants: Taken[]): Mutant[] {
  return mutants.map((mutant) => ({ replace: '', ...mutant, threat, test }));
}

/** Mutants that take out a refusal of a function: the call with this text. */
export function refusals(
  threat: string,
  test: string,
  taken: { within: string; find: string; name: string }[],
): Mutant[] {
  return taken.map((mutant) => ({ ...mutant, threat, test, file: SQL, replace: 'null;', isRefusal: true }));
}
