import { ACCESS } from './access.mjs';
import { BOUNDS } from './bounds.mjs';
import { COSTS } from './costs.mjs';
import { FETCHING } from './fetching.mjs';
import { FILES } from './files.mjs';
import { FOREIGN_TOKENS } from './foreign-tokens.mjs';
import { GRANTS } from './grants.mjs';
import { PEOPLE } from './people.mjs';
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
  ...ACCESS,
]);
