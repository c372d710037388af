import type pg from 'pg';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { type Exported, exportAll, importAll, redact } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { first } from '../support/forge.ts';
import { rowsOf } from '../support/rows.ts';
import { test } from '../support/world.ts';

const ESCAPES = '\u001b]0;x\u0007\u202e';

type World = { as: (agent: string) => Context; sql: pg.Pool };
type Change = (payload: Record<string, unknown>) => unknown;

/** Marks an event as cleaned, over its data as they are changed here. */
async function marked({ as, sql }: World, type: string, change: Change): Promise<Exported[]> {
  const all = await exportAll(as('ada'));
  const event = first(all, type);
  change(event.payload);
  const { rows } = await sql.query('select app.payload_hash($1)::text as hash', [JSON.stringify(event.payload)]);
  Object.assign(event, { cleaned_hash: rows[0].hash });
  return all;
}

describe('a file that says that an event was cleaned', () => {
  test.for<[what: string, type: string, change: object]>([
    ['escapes in a title', 'task.created', { title: `T${ESCAPES}` }],
    ['rules that are none', 'project.created', { rules: { gates: 'none' } }],
    ['constraints that are none', 'task.created', { constraints: { paths: 'x' } }],
    ['evidence that is none', 'task.completed', { evidence: [{ criterion: 'x' }] }],
    ['a field that is none', 'task.created', { surplus: true }],
  ])('is refused with %s', async ([, type, change], { as, asStranger, sql, people }) => {
    await fillWorkspace(as('ada'));
    const file = await marked({ as, sql }, type, (payload) => Object.assign(payload, change));
    const before = await rowsOf(sql, people.stranger.tenant_id);

    await expect(importAll(asStranger('eve'), file)).rejects.toMatchObject({ code: 'invalid_input' });

    expect(await rowsOf(sql, people.stranger.tenant_id)).toEqual(before);
  });

  test('is refused where the mark is of other data, or is none', async ({ as, asStranger, sql }) => {
    await fillWorkspace(as('ada'));
    const file = await marked({ as, sql }, 'task.created', (data) => ({ ...data }));
    const event = first(file, 'task.created');
    Object.assign(event.payload, { title: 'Another' });
    const redacted = { cleaned_hash: `\\x${'00'.repeat(64)}`, redacted_at: event['created_at'] };

    for (const wrong of [{}, { cleaned_hash: '\\x' }, redacted]) {
      const attempt = importAll(asStranger('eve'), [...file.slice(0, file.indexOf(event)), { ...event, ...wrong }]);
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining('chain') });
    }
  });

  test('is refused where the mark of redacted data is no hash', async ({ as, asStranger }) => {
    await fillWorkspace(as('ada'));
    await redact(as('ada'), Number(first(await exportAll(as('ada')), 'task.created')['seq']));
    const file = await exportAll(as('ada'));
    Object.assign(first(file, 'task.created'), { cleaned_hash: '\\x' });

    const attempt = importAll(asStranger('eve'), file);

    await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining('chain') });
  });
});
