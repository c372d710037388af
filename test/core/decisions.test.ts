import { describe, expect } from 'vitest';
import { call, plan } from '../support/calls.ts';
import { record } from '../support/commands.ts';
import { test } from '../support/world.ts';

const decision = { title: 'Port', choice: '443', rationale: 'TLS.' };

describe('a decision', () => {
  test('is recorded with what was weighed and why, and listed newest first', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const first = await call(as('ada'), 'record_decision', { ...decision, options: ['80', '443'], task: 'web-1' });

    const second = await call(as('bob'), 'record_decision', { ...decision, title: 'Host' });

    expect(first).toMatchObject({ ...decision, project: 'web', task: 'web-1', options: ['80', '443'], by: 'ada' });
    expect(await call(as('bob'), 'list_decisions')).toMatchObject({ decisions: [{ id: second.id }, { id: first.id }] });
  });

  test('that is superseded is shown with what took its place, if it is asked for', async ({ as }) => {
    await plan(as('ada'), []);
    const { id: old } = await call(as('ada'), 'record_decision', decision);

    const later = await call(as('bob'), 'record_decision', { ...decision, choice: '8443', supersedes: old });

    expect(later).toMatchObject({ supersedes: old });
    expect(await call(as('ada'), 'list_decisions')).toMatchObject({ decisions: [{ id: later.id }] });
    expect(await call(as('ada'), 'list_decisions', { include_superseded: true })).toMatchObject({
      decisions: [{ id: later.id }, { id: old, superseded_by: later.id }],
    });
  });

  test('is superseded once', async ({ as }) => {
    await plan(as('ada'), []);
    const { id: old } = await call(as('ada'), 'record_decision', decision);
    const later = await call(as('ada'), 'record_decision', { ...decision, supersedes: old });

    const again = call(as('bob'), 'record_decision', { ...decision, supersedes: old });

    await expect(again).rejects.toMatchObject({ code: 'illegal_transition', details: { superseded_by: later.id } });
    expect(await call(as('ada'), 'list_decisions')).toMatchObject({ decisions: [{ id: later.id }] });
  });

  test.for(['another project', 'another workspace'])('of %s is not superseded', async (where, { as, asStranger }) => {
    await plan(as('ada'), []);
    await call(as('ada'), 'create_project', { slug: 'zoo', name: 'Zoo' });
    await plan(asStranger('eve'), []);
    const there = where === 'another project' ? { ctx: as('ada'), project: 'zoo' } : { ctx: asStranger('eve') };
    const { id: other } = await call(there.ctx, 'record_decision', { ...decision, project: there.project ?? 'web' });

    const attempt = call(as('ada'), 'record_decision', { ...decision, project: 'web', supersedes: other });

    await expect(attempt).rejects.toMatchObject({ code: 'not_found' });
    expect(await call(there.ctx, 'list_decisions', { project: there.project ?? 'web' })).toMatchObject({
      decisions: [{ id: other }],
    });
  });

  test('that nobody recorded is not superseded', async ({ as }) => {
    await plan(as('ada'), []);

    const attempt = call(as('ada'), 'record_decision', { ...decision, supersedes: 'the first one' });

    await expect(attempt).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is not recorded a second time under its id', async ({ as }) => {
    await plan(as('ada'), []);
    const { id } = await call(as('ada'), 'record_decision', decision);

    const again = record(as('bob'), { stream: `decision:${id}`, type: 'decision.recorded', data: decision });

    await expect(again).rejects.toMatchObject({ code: 'already_exists' });
    expect(await call(as('ada'), 'list_decisions')).toMatchObject({ decisions: [{ id, by: 'ada' }] });
  });
});
