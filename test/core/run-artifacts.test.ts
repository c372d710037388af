import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { call } from '../support/calls.ts';
import { append, createProject, verify } from '../support/commands.ts';
import { begunRun, claimed, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

const added = (data: object) => [
  { stream: `artifact:${newId()}`, type: 'artifact.added', data: { type: 'document', ref: 'notes.md', ...data } },
];

describe('an artifact', () => {
  test('is of a run of one’s own agent, with a task or without', async ({ as, asStranger, sql, people: { owner } }) => {
    await createProject(as('ada'), { slug: 'web' });
    const { run } = await begunRun(as('ada'), 'claude-1');

    const stored = { storage_key: 'blobs/1', sha256: 'a'.repeat(64), size_bytes: 7, media_type: 'text/markdown' };
    const { events } = await append(as('ada'), added({ run, project: 'web', ...stored }));
    expect(events[0]?.state).toMatchObject({ run, size_bytes: 7, media_type: 'text/markdown' });

    await expect(append(as('ada'), added({ project: 'web' }))).rejects.toMatchObject({ code: 'not_found' });
    await createProject(asStranger('eve'), { slug: 'web' });
    await expect(append(asStranger('eve'), added({ run, project: 'web' }))).rejects.toMatchObject({
      code: 'not_found',
    });
    const { rows } = await sql.query(
      'select run_id, storage_key, sha256 from public.agent_artifacts where tenant_id = $1',
      [owner.tenant_id],
    );
    expect(rows).toEqual([{ run_id: run, storage_key: 'blobs/1', sha256: 'a'.repeat(64) }]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('of a task is of the run that holds it, too', async ({ as }) => {
    await createProject(as('ada'), { slug: 'web' });
    await call(as('ada'), 'create_tasks', { project: 'web', tasks: [{ title: 'Paint it' }] });
    const runner = await runnerOf(as('ada'), 'claude-1');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'Do it.', task: 'web-1' });
    const { run, lock_token } = await claimed(runner);

    const artifact = { task: 'web-1', type: 'document', ref: 'notes.md', lock_token };
    expect(await call(as('claude-1'), 'add_artifact', artifact)).toMatchObject({ task: 'web-1', run: run.id });
  });
});

describe('the view command_queue', () => {
  test('numbers what waits for an agent, in the order in which it takes it', async ({ as, sql, people: { owner } }) => {
    const { run } = await begunRun(as('ada'), 'claude-1');
    for (const priority of [10, 90, 50]) {
      await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', priority });
    }

    const { rows } = await sql.query(
      `select id = $1 as running, position::integer, priority, status from public.command_queue
        where tenant_id = $2
        order by status, position`,
      [run, owner.tenant_id],
    );
    expect(rows).toEqual([
      { running: true, position: null, priority: 50, status: 'processing' },
      { running: false, position: 1, priority: 90, status: 'waiting' },
      { running: false, position: 2, priority: 50, status: 'waiting' },
      { running: false, position: 3, priority: 10, status: 'waiting' },
    ]);
  });
});
