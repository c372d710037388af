import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../src/db/schema/migrate.ts';
import { createProject, createTask, hold, record, verify } from '../support/commands.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => scratch.drop());

test('a task that an earlier build blocked for having been given up 1 times is as the log says', async () => {
  const ada = await scratch.signIn('ada');
  await createProject(ada, { slug: 'web', rules: { attempts_max: 1 } });
  const { ref } = await createTask(ada, { project: 'web', title: 'Pay' });
  const data = { outcome: 'failed', reason: 'No way.' };
  await record(ada, {
    stream: `task:${ref}`,
    type: 'task.released',
    data,
    expect: { lock_token: await hold(ada, ref) },
  });
  await scratch.sql.query(
    `do $$ begin
       set local session_replication_role = replica;
       update public.tasks set blocked_reason = replace(blocked_reason, 'up once', 'up 1 times');
       delete from supabase_migrations.cairn_applied where name in ('times', 'code');
     end $$`,
  );
  expect(await verify(ada)).toMatchObject({ ok: false });

  await migrate(scratch.sql);

  expect(await verify(ada)).toMatchObject({ ok: true });
  const { rows } = await scratch.sql.query('select blocked_reason from public.tasks');
  expect(rows).toEqual([{ blocked_reason: expect.stringMatching(/^It was given up once, the most/) }]);
});
