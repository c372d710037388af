import { expect } from 'vitest';
import { createProject, createTask, exportAll, importAll, verify } from '../support/commands.ts';
import { test } from '../support/world.ts';

test('a workspace with events of no project takes the projects of another one, and leaves such events out', async ({
  as,
  asStranger,
  sql,
}) => {
  for (const { actor } of [as('ada'), asStranger('eve')]) {
    await sql.query(
      `with entered as materialized (select set_config('app.tenant_id', $1, true))
       select app.raise_alert('test', 'low', 'It broke.', '{}', 'test') from entered`,
      [actor.tenant_id],
    );
  }
  await createProject(as('ada'), { slug: 'zoo' });
  await createTask(as('ada'), { project: 'zoo', title: 'Feed the heron' });
  const events = await exportAll(as('ada'), null);

  expect(await importAll(asStranger('eve'), events)).toMatchObject({ imported: 2, skipped: 0, left_out: 1 });

  expect(await importAll(asStranger('eve'), events)).toMatchObject({ imported: 0, skipped: 2, left_out: 1 });
  expect(await importAll(as('ada'), events)).toMatchObject({ imported: 0, skipped: 3, left_out: 0 });
  expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
});

test('an empty workspace takes them, and refuses a file where one of them is missing', async ({
  as,
  asStranger,
  sql,
}) => {
  for (const key of ['one', 'two', 'three']) {
    await sql.query(
      `with entered as materialized (select set_config('app.tenant_id', $1, true))
       select app.raise_alert('test', 'low', 'It broke.', '{}', $2) from entered`,
      [as('ada').actor.tenant_id, key],
    );
  }
  const events = await exportAll(as('ada'), null);

  const cut = importAll(asStranger('eve'), events.toSpliced(1, 1));

  await expect(cut).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining('chain') });
  expect(await importAll(asStranger('eve'), events)).toMatchObject({ imported: 3, left_out: 0 });
  expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
});
