import * as z from 'zod';
import { sqlFunction } from '../db/sql-function.ts';
import type { JobKind } from './job.ts';

const purgeExpired = sqlFunction('purge_auth', z.record(z.string(), z.int()));

/**
 * Deletes expired grants, registrations, sign-ins, rates and idempotency keys: registrations and attempts, which anybody
 * may make without end, must not pile up.
 */
export const purge: JobKind = {
  kind: 'purge',
  scope: 'installation',
  everySeconds: 3_600,
  needs: 'database',
  async run({ db, log }, { actor }) {
    const counts = await purgeExpired({ db, actor }, {});
    log.debug({ counts }, 'deleted expired rows');
  },
};
