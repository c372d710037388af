import { describe, expect } from 'vitest';
import { newId } from '../../../src/events/ids.ts';
import { ask } from '../../support/ask.ts';
import {
  append,
  createProject,
  createTask,
  exportAll,
  hold,
  importAll,
  note,
  redact,
  replay,
  verify,
} from '../../support/commands.ts';
import { rowsOf } from '../../support/rows.ts';
import { test } from '../../support/world.ts';

describe('redacting', () => {
  const SECRET = 'The password is hunter2.';

  test('blanks what was written everywhere: log, read model, search, remembered answers', async ({
    as,
    sql,
    people,
  }) => {
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'));
    const lock_token = await hold(as('ada'), ref);
    const project = 'web';
    const events = [
      {
        stream: `task:${newId()}`,
        type: 'task.created',
        data: { title: SECRET, description: SECRET, acceptance_criteria: [SECRET] },
      },
      { stream: 'project:web', type: 'project.noted', data: { text: SECRET, kind: 'note' } },
      { stream: 'project:web', type: 'project.updated', data: { name: SECRET, rules: { scope: { notes: [SECRET] } } } },
      {
        stream: `decision:${newId()}`,
        type: 'decision.recorded',
        data: { title: SECRET, choice: SECRET, rationale: SECRET, options: [SECRET] },
      },
      {
        stream: `checkpoint:${newId()}`,
        type: 'checkpoint.saved',
        data: { project, label: SECRET, summary: SECRET, snapshot: { SECRET } },
      },
      { stream: `session:${newId()}`, type: 'session.saved', data: { project, summary: SECRET, snapshot: { SECRET } } },
      {
        stream: `artifact:${newId()}`,
        type: 'artifact.added',
        data: { task: ref, type: 'other', ref: SECRET, summary: SECRET, files: [SECRET] },
        expect: { lock_token },
      },
      { stream: `task:${ref}`, type: 'task.completed', data: { summary: SECRET }, expect: { lock_token } },
    ];
    const { events: recorded } = await append(as('ada'), events, { key: 'k', fingerprint: 'f' });
    expect(JSON.stringify(await rowsOf(sql, people.owner.tenant_id))).toContain('hunter2');

    for (const { seq } of recorded) await redact(as('ada'), seq);

    const left = await rowsOf(sql, people.owner.tenant_id);
    expect(Object.keys(left).filter((table) => JSON.stringify(left[table]).includes('hunter2'))).toEqual([]);
    const { db, actor } = as('ada');
    expect(await db.call('search', { query: 'hunter2' }, actor)).toEqual({ hits: [] });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
    await replay(as('ada'));
    expect(await rowsOf(sql, people.owner.tenant_id)).toEqual(left);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is on the record: who, when and why', async ({ as }) => {
    await createProject(as('ada'));
    const { seq, id } = await note(as('ada'), SECRET);

    const shown = await redact(as('bob'), seq);

    expect(shown).toMatchObject({ id, redacted: true, text: expect.stringContaining('[redacted]') });
    const { db, actor } = as('ada');
    const { events } = await ask<{ events: object[] }>({ db, actor }, 'list_events', { project: 'web', page_size: 1 });
    expect(events).toMatchObject([
      { type: 'event.redacted', by: 'bob', at: expect.any(String), text: 'redacted: "A password leaked."' },
    ]);
  });

  test('happens once, is for owners and admins, and never of its own record', async ({ as, sql, people }) => {
    await createProject(as('ada'));
    const { seq } = await note(as('ada'), SECRET);
    await sql.query(`update public.memberships set role = 'member' where tenant_id = $1`, [people.owner.tenant_id]);
    await expect(redact(as('ada'), seq)).rejects.toMatchObject({ code: 'forbidden' });
    await sql.query(`update public.memberships set role = 'admin' where tenant_id = $1`, [people.owner.tenant_id]);
    await redact(as('ada'), seq);

    await expect(redact(as('ada'), seq)).rejects.toMatchObject({ code: 'illegal_transition' });
    await expect(redact(as('ada'), seq + 1)).rejects.toMatchObject({ code: 'illegal_transition' });
    await expect(redact(as('ada'), 99)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('an event that came without the record of its redaction writes the record, once', async ({ as, asStranger }) => {
    await createProject(as('ada'));
    const { seq } = await note(as('ada'), SECRET);
    await redact(as('ada'), seq);
    const events = await exportAll(as('ada'));
    await importAll(asStranger('eve'), events.slice(0, seq));
    const before = await verify(asStranger('eve'));

    const answer = await redact(asStranger('eve'), seq);

    expect(before).toMatchObject({ ok: false, difference: { seq, wrong: 'payload' } });
    expect(answer).toMatchObject({ redacted: true });
    // The other is the alert of what was found before.
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true, events: seq + 2 });
    const [redacted] = (await exportAll(asStranger('eve'))).filter((event) => event.seq === seq);
    expect(redacted).toMatchObject({ redacted_at: events[seq - 1]?.['redacted_at'] });
    await expect(redact(asStranger('eve'), seq)).rejects.toMatchObject({ code: 'illegal_transition' });
  });
});
