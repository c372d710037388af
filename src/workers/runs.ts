import * as z from 'zod';
import { sqlFunction } from '../db/sql-function.ts';
import type { JobKind } from './job.ts';

const settleRuns = sqlFunction('settle_runs', z.object({ settled: z.int() }));

/**
 * Ends what runners that never came back have left, and what waited too long: for its agent, or for a person. A
 * workspace has it from its first agent on.
 */
export const runs: JobKind = {
  kind: 'runs',
  scope: 'workspace',
  everySeconds: 300,
  needs: 'database',
  async run({ db, log }, { actor }) {
    const { settled } = await settleRuns({ db, actor }, {});
    log.debug({ workspace: actor.tenant_id, settled }, 'settled runs');
  },
};
