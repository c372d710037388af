import { ACCESS } from './access.ts';
import { ACCESS_REFUSALS } from './access-refusals.ts';
import { AGENTS } from './agents.ts';
import { AUDIT } from './audit.ts';
import { BLOBS } from './blobs.ts';
import { BOUNDS } from './bounds.ts';
import { CORE } from './core.ts';
import { COSTS } from './costs.ts';
import { DATA } from './data.ts';
import { FETCHING } from './fetching.ts';
import { FILES } from './files.ts';
import { FOREIGN_TOKENS } from './foreign-tokens.ts';
import { GRANTS } from './grants.ts';
import { IMPORTS } from './imports.ts';
import { JOBS } from './jobs.ts';
import { KNOWLEDGE } from './knowledge.ts';
import { LABELS } from './labels.ts';
import { LEASES } from './leases.ts';
import type { Mutant } from './mutant.ts';
import { OUTPUT } from './output.ts';
import { PEOPLE } from './people.ts';
import { PLANTED } from './planted.ts';
import { PORT } from './port.ts';
import { PRESENCE } from './presence.ts';
import { PRESETS } from './presets.ts';
import { PROJECTS } from './projects.ts';
import { RECORDS } from './records.ts';
import { RULES } from './rules.ts';
import { SERVER } from './server.ts';
import { SIGN_IN } from './sign-in.ts';
import { TOKENS } from './tokens.ts';
import { TRACES } from './traces.ts';

export const MUTANTS: readonly Mutant[] = Object.freeze([
  ...GRANTS,
  ...TOKENS,
  ...SIGN_IN,
  ...FOREIGN_TOKENS,
  ...PEOPLE,
  ...FETCHING,
  ...SERVER,
  ...BOUNDS,
  ...COSTS,
  ...FILES,
  ...BLOBS,
  ...CORE,
  ...LEASES,
  ...AGENTS,
  ...JOBS,
  ...IMPORTS,
  ...KNOWLEDGE,
  ...LABELS,
  ...OUTPUT,
  ...TRACES,
  ...AUDIT,
  ...PLANTED,
  ...PORT,
  ...PRESENCE,
  ...PRESETS,
  ...PROJECTS,
  ...RECORDS,
  ...RULES,
  ...ACCESS,
  ...ACCESS_REFUSALS,
  ...DATA,
]);
