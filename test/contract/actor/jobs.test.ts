import { describe, expect } from 'vitest';
import { readConfig } from '../../../src/config.ts';
import { newId } from '../../../src/events/ids.ts';
import { createLog } from '../../../src/log.ts';
import type { JobKind } from '../../../src/workers/job.ts';
import { Worker } from '../../../src/workers/worker.ts';
import { ask } from '../../support/ask.ts';
import { blobs } from '../../support/blobs.ts';
import { test } from '../../support/world.ts';

/** A kind that no other test has: all share the database. */
function kindOfOwn(): string {
  return `test_${newId()
    .slice(-12)
    .replace(/\d/g, (digit) => 'ghijklmnop'[Number(digit)] ?? '')}`;
}

describe('a job of a workspace', () => {
  test('is set, run by a worker in its workspace, and listed with how it went', async ({ as, people, engine }) => {
    const kind = kindOfOwn();
    const ada = as('ada');
    if (engine.name === 'supabase') {
      for (const [fn, args] of [
        ['list_jobs', {}],
        ['set_job', { kind }],
        ['due_jobs', { kinds: [kind] }],
      ] as const) {
        await expect(ask(ada, fn, args), fn).rejects.toMatchObject({ code: 'forbidden' });
      }
      return;
    }
    await ask(ada, 'set_job', { kind, every_seconds: 60, settings: { to: 'there' } });
    const seen: object[] = [];
    const job: JobKind = {
      kind,
      scope: 'workspace',
      everySeconds: 60,
      needs: 'database',
      async run(_machine, { actor, settings }) {
        seen.push({ actor, settings });
      },
    };
    const connect = async () => Promise.reject(new Error('There is no connection.'));
    const machine = { config: readConfig({}, {}), db: ada.db, blobs, log: createLog('silent'), connect };

    const ended = await new Worker({ machine, kinds: [job] }).runDue();

    expect(ended).toMatchObject([{ kind, outcome: 'succeeded' }]);
    const { user_id, tenant_id } = people.owner;
    expect(seen).toMatchObject([{ actor: { user_id, tenant_id, agent: 'system' }, settings: { to: 'there' } }]);
    const { jobs } = await ask<{ jobs: { kind: string }[] }>(ada, 'list_jobs', {});
    expect(jobs.find((one) => one.kind === kind)).toMatchObject({
      workspace: tenant_id,
      last_outcome: 'succeeded',
      failures_in_row: 0,
      overdue: false,
    });
  });
});
