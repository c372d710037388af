import { ACCESS } from './access.mjs';
import { ACCESS_REFUSALS } from './access-refusals.mjs';
import { BOUNDS } from './bounds.mjs';
import { CORE } from './core.mjs';
import { COSTS } from './costs.mjs';
import { DATA } from './data.mjs';
import { FETCHING } from './fetching.mjs';
import { FILES } from './files.mjs';
import { FOREIGN_TOKENS } from './foreign-tokens.mjs';
import { GRANTS } from './grants.mjs';
import { LABELS } from './labels.mjs';
import { PEOPLE } from './people.mjs';
import { PLANTED } from './planted.mjs';
import { PORT } from './port.mjs';
import { PRESENCE } from './presence.mjs';
import { PROJECTS } from './projects.mjs';
import { RULES } from './rules.mjs';
import { SERVER } from './server.mjs';
import { SIGN_IN } from './sign-in.mjs';
import { TOKENS } from './tokens.mjs';

export const MUTANTS = Object.freeze([
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
  ...CORE,
  ...LABELS,
  ...PLANTED,
  ...PORT,
  ...PRESENCE,
  ...PROJECTS,
  ...RULES,
  ...ACCESS,
  ...ACCESS_REFUSALS,
  ...DATA,
]);
