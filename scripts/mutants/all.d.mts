/** What scripts/mutants/mutant.mjs describes. */
export const MUTANTS: readonly {
  threat: string;
  file: string;
  find: string;
  replace: string;
  test: string;
  name: string;
}[];
