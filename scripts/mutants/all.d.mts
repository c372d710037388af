import type { Mutant } from './migrations.mjs';

/** What scripts/mutants/mutant.mjs describes. */
export const MUTANTS: readonly (Mutant & { threat: string; test: string; name: string })[];
