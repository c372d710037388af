import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { ask } from '../support/ask.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { jobOf, registerDue, workerOf } from '../support/workers.ts';

const KEY = 'job_failing flaky';

let scratch: Scratch;
let broken: boolean;

beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => scratch.drop());

const flaky = jobOf('flaky', async () => {
  if (broken) throw new DomainError('unavailable', 'The bucket is away.');
});

async function run(times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await registerDue(scratch, [flaky]);
    expect(await workerOf(scratch, [flaky]).runDue()).toMatchObject([{ outcome: broken ? 'failed' : 'succeeded' }]);
  }
}

async function alertsIn(tenant: string | undefined): Promise<object[]> {
  const { rows } = await scratch.sql.query(
    `select kind, title, details, raised_count::integer, resolved_at is null as open
       from public.agent_alerts where tenant_id = $1 order by id`,
    [tenant],
  );
  return rows;
}

// In one database, whose people come one after the other.
describe.sequential('a job of the installation that keeps failing', () => {
  let ada: { tenant_id: string };
  let owner: { tenant_id: string };

  test('fails all the same where nobody is to be told', async () => {
    broken = true;
    await run(4);
    await scratch.sql.query('update app.jobs set failures_in_row = 0');
  });

  test('raises one alert in the oldest workspace where the server has no user of its own', async () => {
    ada = (await scratch.signIn('ada')).actor;
    const eve = (await scratch.signIn('eve')).actor;

    await run(2);
    expect(await alertsIn(ada.tenant_id)).toEqual([]);
    await run(2);

    const details = { job: 'flaky', failures: 4, error: 'The bucket is away.' };
    const title = 'The job flaky keeps failing.';
    const alert = { kind: 'job_failing', title, details, raised_count: 2, open: true };
    expect([await alertsIn(ada.tenant_id), await alertsIn(eve.tenant_id)]).toEqual([[alert], []]);
  });

  test("raises it in the workspace of the server's user otherwise, and resolves both when it succeeds", async () => {
    const identity = { issuer: 'local', subject: 'owner', name: 'Owner' };
    owner = await ask({ db: scratch.db, actor: { user_id: '' } }, 'sign_in', { identity });

    await run(1);
    expect([await alertsIn(owner.tenant_id), await alertsIn(ada.tenant_id)]).toMatchObject([
      [{ open: true }],
      [{ open: true, raised_count: 2 }],
    ]);
    broken = false;
    await run(1);

    expect([await alertsIn(owner.tenant_id), await alertsIn(ada.tenant_id)]).toMatchObject([
      [{ open: false }],
      [{ open: false }],
    ]);
  });

  test('succeeds while somebody resolves its alert', async () => {
    broken = true;
    await run(3);
    broken = false;
    const resolving = await scratch.connect();
    try {
      await resolving.query('begin');
      await resolving.query(
        `select public.append_events(jsonb_build_array(jsonb_build_object(
             'stream', 'alert:' || id, 'type', 'alert.resolved', 'data', '{}'::jsonb)), '{}', $1)
           from public.agent_alerts where dedup_key = $2 and resolved_at is null`,
        [JSON.stringify({ user_id: owner.tenant_id }), KEY],
      );
      const done = run(1);
      const waiting = async () => (await resolving.query('select from pg_locks where not granted')).rowCount;
      await expect.poll(waiting, { timeout: 5_000 }).toBe(1);
      await resolving.query('commit');

      await done;
    } finally {
      await resolving.end();
    }

    expect((await scratch.sql.query(`select last_outcome from app.jobs`)).rows).toEqual([
      { last_outcome: 'succeeded' },
    ]);
  });
});
