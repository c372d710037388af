import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { archiveEvents, verifyArchives } from '../../src/services/archive.ts';
import { directoryStore } from '../support/blobs.ts';
import { call } from '../support/calls.ts';
import { createProject, note } from '../support/commands.ts';
import { test } from '../support/world.ts';

const TOMORROW = new Date(Date.now() + 86_400_000).toISOString();

test('an archive of the first version, whose names have twelve digits of the hash, is read', async ({ as, sql }) => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-first-'));
  const ada = as('ada');
  await createProject(ada);
  await note(ada, 'Old.');
  const before = await call(ada, 'list_events', { project: 'web' });
  for await (const { file } of archiveEvents(ada, { before: TOMORROW, store: directoryStore(folder) })) {
    const first = file.replace(/([0-9a-f]{12})[0-9a-f]{52}/, '$1');
    await rename(join(folder, file), join(folder, first));
    await sql.query('update app.archives set file = $1 where file = $2', [first, file]);
  }

  expect(await call(ada, 'list_events', { project: 'web' })).toEqual(before);
  expect(await verifyArchives(ada)).toEqual({ events: 2 });

  await rm(folder, { recursive: true });
});
