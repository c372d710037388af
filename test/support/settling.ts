import * as z from 'zod';
import { sqlFunction } from '../../src/db/sql-function.ts';
import { test as base } from './world.ts';

const settleRuns = sqlFunction('settle_runs', z.object({ settled: z.int() }));

/** `settle` does what the job does in the workspace, five minutes after the last time. */
export const test = base.extend<{ settle: () => Promise<number> }>({
  settle: async ({ as, sql, people: { owner } }, use) => {
    await use(async () => {
      const { settled } = await settleRuns(as('system'), {});
      await sql.query(
        `update app.jobs j set last_succeeded_at = now() + coalesce(c.ahead, '0')
          from (select) x left join app.test_clock c on c.tenant_id = $1
          where j.kind = 'runs' and j.tenant_id = $1`,
        [owner.tenant_id],
      );
      return settled;
    });
  },
});
