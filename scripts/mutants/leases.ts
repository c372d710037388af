import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** Mutants of the rules of every lease. */
export const LEASES = Object.freeze([
  ...refusals('core', 'test/schema/leases.test.ts', [
    {
      within: 'app.check_lease',
      find: 'The lease of the %s %s is not yours any more.',
      name: 'that expired, or was taken over, is refused to its late holder',
    },
  ]),
  ...of('core', 'test/schema/leases.test.ts', [
    {
      within: 'app.take_lease',
      file: SQL,
      find: 'take_over or l.expires_at <= at',
      replace: 'true',
      name: 'is held until',
    },
    {
      within: 'app.take_lease',
      file: SQL,
      find: 'greatest(l.token + 1, excluded.token)',
      replace: 'excluded.token',
      name: 'never a lower one',
    },
  ]),
]);
