import { expect } from 'vitest';
import { exportAll, importAll } from '../support/commands.ts';
import { test } from '../support/world.ts';

test('events of no project are told that the workspace has others, whose chain they cannot join', async ({
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
  const events = await exportAll(as('ada'), null);

  await expect(importAll(asStranger('eve'), events)).rejects.toMatchObject({
    code: 'already_exists',
    hint: expect.stringContaining('empty workspace'),
  });

  expect(await importAll(as('ada'), events)).toMatchObject({ imported: 0, skipped: 1 });
});
