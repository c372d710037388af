import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { call, plan } from '../support/calls.ts';
import { note, record, verify } from '../support/commands.ts';
import { claimed, completed, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

const decision = { title: 'Port', choice: '443', rationale: 'TLS.' };

describe('a project', () => {
  test('is made, changed, archived and taken back', async ({ as }) => {
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    await call(as('ada'), 'update_project', { project: 'web', name: 'The web' });

    const archived = await call(as('ada'), 'archive_project', { project: 'web' });
    const back = await call(as('bob'), 'unarchive_project', { project: 'web' });

    expect(archived).toMatchObject({ slug: 'web', name: 'The web', archived_at: expect.any(String) });
    expect(back).not.toHaveProperty('archived_at');
  });

  test.for<[what: string, code: string, event: (id: string) => { stream: string; type: string; data: object }]>([
    [
      'with a slug that is none',
      'invalid_input',
      () => ({ stream: `project:${newId()}`, type: 'project.created', data: { slug: 'The Web', name: 'Web' } }),
    ],
    [
      'with a slug that is taken',
      'already_exists',
      () => ({ stream: `project:${newId()}`, type: 'project.created', data: { slug: 'web', name: 'Web' } }),
    ],
    [
      'that there is, under another slug',
      'already_exists',
      (id) => ({ stream: `project:${id}`, type: 'project.created', data: { slug: 'zoo', name: 'Zoo' } }),
    ],
    [
      'that there is not',
      'not_found',
      () => ({ stream: `project:${newId()}`, type: 'project.updated', data: { name: 'Web' } }),
    ],
    [
      'that is not archived, to be taken back',
      'illegal_transition',
      (id) => ({ stream: `project:${id}`, type: 'project.unarchived', data: {} }),
    ],
  ])('%s, is refused with %s', async ([, code, event], { as }) => {
    const { id } = await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });

    const attempt = record(as('ada'), event(id));

    await expect(attempt).rejects.toMatchObject({ code });
    expect(await call(as('ada'), 'list_projects')).toMatchObject({ projects: [{ id, slug: 'web', name: 'Web' }] });
  });

  test.for<[what: string, write: (ada: Context, session: string) => Promise<unknown>]>([
    ['change', (ada) => call(ada, 'update_project', { project: 'web', name: 'New' })],
    ['second archiving', (ada) => call(ada, 'archive_project', { project: 'web' })],
    ['note', (ada) => note(ada, 'A note.')],
    ['note on a task', (ada) => call(ada, 'record_event', { task: 'web-1', text: 'A note.' })],
    ['task', (ada) => call(ada, 'create_tasks', { project: 'web', tasks: [{ title: 'B' }] })],
    ['change of a task', (ada) => call(ada, 'update_task', { task: 'web-1', title: 'B' })],
    ['claim', (ada) => call(ada, 'claim_task', { task: 'web-1' })],
    ['claim of what is next', (ada) => call(ada, 'claim_task', { project: 'web' })],
    ['claim where nothing is ready', (ada) => call(ada, 'claim_task', { project: 'web', priority: ['critical'] })],
    ['artifact', (ada) => call(ada, 'add_artifact', { task: 'web-1', type: 'pr', ref: '#1' })],
    ['decision', (ada) => call(ada, 'record_decision', { project: 'web', ...decision })],
    ['decision about a task', (ada) => call(ada, 'record_decision', { task: 'web-1', ...decision })],
    ['checkpoint', (ada) => call(ada, 'save_checkpoint', { project: 'web', label: 'A', summary: 'B.' })],
    ['session', (ada) => call(ada, 'save_session', { project: 'web', summary: 'A.' })],
    ['change of a session', (ada, session) => call(ada, 'save_session', { session, summary: 'B.' })],
  ])('that is archived takes no %s', async ([, write], { as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const { id: session } = await call(as('ada'), 'save_session', { summary: 'A.' });
    await call(as('ada'), 'archive_project', { project: 'web' });
    const { position } = await call(as('ada'), 'list_events', { project: 'web', page_size: 1 });

    const attempt = write(as('ada'), session);

    await expect(attempt).rejects.toMatchObject({
      code: 'illegal_transition',
      message: 'The project web is archived.',
    });
    expect(await call(as('ada'), 'list_events', { project: 'web', page_size: 1 })).toMatchObject({ position });
  });
});

describe('the archiving of a project', () => {
  test('is refused while runs of it go on, and names them', async ({ as }) => {
    await plan(as('ada'), []);
    const runner = await runnerOf(as('ada'), 'claude-1');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', project: 'web' });
    const { run, lock_token } = await claimed(runner);
    const archive = () => call(as('ada'), 'archive_project', { project: 'web' });

    await expect(archive()).rejects.toMatchObject({
      code: 'lock_held',
      message: `Runs go on in web: claude-1 (${run.id}).`,
      hint: expect.stringContaining('cairn runs interrupt'),
    });

    await runner.report(run.id, lock_token, [completed]);
    expect(await archive()).toHaveProperty('archived_at');
  });

  test('ends what waits in queues for it', async ({ as }) => {
    await plan(as('ada'), []);
    const runner = await runnerOf(as('ada'), 'claude-1');
    const sent = await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', project: 'web' });
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'y' });

    await call(as('ada'), 'archive_project', { project: 'web' });

    expect(await call(as('ada'), 'get_command', { command: sent.id })).toMatchObject({
      status: 'cancelled',
      runs: [{ status: 'cancelled', end_reason: 'cancelled', error: 'Its project was archived.' }],
    });
    expect(await claimed(runner)).toMatchObject({ command: { content: 'y' } });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('and a claim of its queue at once: one comes first', async ({ as }) => {
    await plan(as('ada'), []);
    const runner = await runnerOf(as('ada'), 'claude-1');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', project: 'web' });

    const [archived, given] = await Promise.allSettled([
      call(as('ada'), 'archive_project', { project: 'web' }),
      claimed(runner),
    ]);

    expect(archived.status).not.toBe(given.status);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });
});
