import type pg from 'pg';
import { describe, expect } from 'vitest';
import { ask } from '../support/ask.ts';
import { CATEGORIES, type Facts, type Refs } from '../support/categories.ts';
import { append, type Caller, record, replay, verify } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { refsOf } from '../support/foreign.ts';
import { tamper } from '../support/tamper.ts';
import { test } from '../support/world.ts';

// What every category of state takes part in, or says in test/categories why not.

type Model = { category: string; table_name: string; searched: boolean; triggering: boolean };

async function modelOf(sql: pg.Pool, category: string): Promise<Model> {
  const { rows } = await sql.query<Model>('select * from app.read_models where category = $1', [category]);
  const [model] = rows;
  if (model === undefined) throw new Error(undeclared(category));
  return model;
}

function undeclared(category: string): string {
  return `${category} is not declared: app.define_category('${category}', …) at the end of its chapter of supabase/code`;
}

/** A workspace with one of everything in the project `web`, and what names it. */
async function fill(who: Caller): Promise<Refs> {
  const story = await fillWorkspace(who);
  const { events } = await ask<{ events: { id: string }[] }>(who, 'list_events', { page_size: 1 });
  return refsOf(story, events[0]?.id ?? '', 'web').ids;
}

async function typesOf(sql: pg.Pool, category: string): Promise<string[]> {
  const { rows } = await sql.query<{ type: string }>(
    `select event_type as type from app.event_types
     where starts_with(event_type, $1 || '.') and not internal and not verb_only order by 1`,
    [category],
  );
  return rows.map(({ type }) => type);
}

test('every event type is of a category that is declared, and each category has facts in test/categories', async ({
  sql,
}) => {
  // A redaction is of an event, which is no state.
  const { rows: types } = await sql.query(
    `select distinct split_part(event_type, '.', 1) as category from app.event_types
     where not starts_with(event_type, 'event.') order by 1`,
  );

  const { rows: models } = await sql.query('select category from app.read_models order by 1');

  const declared = models.map(({ category }) => category);
  const missing = [...types.map(({ category }) => category), ...CATEGORIES.keys()].filter(
    (category) => !declared.includes(category),
  );
  expect([...new Set(missing)].map(undeclared)).toEqual([]);
  expect(models).toEqual(types);
  expect([...CATEGORIES.keys()]).toEqual(declared);
});

describe.each([...CATEGORIES])('the category %s', (category: string, facts: Facts) => {
  test('has facts for events that callers may record', async ({ as, sql }) => {
    const refs = await fill(as('ada'));
    const types = await typesOf(sql, category);

    const changes = facts.changes(refs).map(({ type }) => type);

    expect(changes.filter((type) => !types.includes(type))).toEqual([]);
    expect(changes.length > 0).toBe(types.length > 0);
  });

  test('answers in full, or says why the plain row is enough', async ({ sql }) => {
    const { rows } = await sql.query(`select from pg_proc where proname = $1 and pronamespace = 'app'::regnamespace`, [
      `${category}_full`,
    ]);

    expect(rows.length === 1).toBe(facts.plain === undefined);
  });

  test('refuses what changes it when its project is archived', async ({ as }) => {
    const refs = await fill(as('ada'));
    await append(as('ada'), [
      { stream: 'task:web-2', type: 'task.lock_broken', data: { reason: 'The shop closes.' } },
      { stream: 'project:web', type: 'project.archived', data: {} },
    ]);

    for (const event of facts.changes(refs)) {
      const refused = await record(as('ada'), event).catch((error) => error);
      expect([event.type, refused]).toMatchObject([
        event.type,
        { code: 'illegal_transition', message: expect.stringContaining('archived') },
      ]);
    }
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is found by search, or says why not', async ({ as, sql }) => {
    await fillWorkspace(as('ada'));
    const model = await modelOf(sql, category);

    const found = ask<{ hits: object[] }>(as('ada'), 'search', { query: 'pelican', kinds: [category] });

    expect(model.searched).toBe(facts.unsearched === undefined);
    if (facts.unsearched !== undefined) await expect(found).rejects.toMatchObject({ code: 'invalid_input' });
    else expect((await found).hits[0]).toMatchObject({ kind: category, snippet: expect.stringContaining('elican') });
  });

  test('has events that rules wait for, or says why not', async ({ as, sql }) => {
    const refs = await fill(as('ada'));
    const [event] = facts.changes(refs);
    const model = await modelOf(sql, category);
    const { version } = (await ask<{ project: { version: number } }>(as('ada'), 'get_project', { project: 'web' }))
      .project;
    const rules = { triggers: [{ on: event?.type ?? 'message.enqueued', do: { enqueue: { topic: 'told' } } }] };

    const ruled = record(as('ada'), {
      stream: 'project:web',
      type: 'project.updated',
      data: { rules },
      expect: { version },
    });

    expect(model.triggering).toBe(facts.untriggering === undefined);
    if (event === undefined || facts.untriggering !== undefined) {
      await expect(ruled).rejects.toMatchObject({ code: 'invalid_input' });
      return;
    }
    await ruled;
    const { followed } = await append(as('ada'), [event]);
    expect(followed).toContainEqual(expect.objectContaining({ type: 'message.enqueued' }));
  });

  test('is verified and replayed', async ({ as, sql, people }) => {
    await fillWorkspace(as('ada'));
    const model = await modelOf(sql, category);
    await tamper(sql, facts.tampering, [people.owner.tenant_id]);
    expect(await verify(as('ada'))).toMatchObject({ ok: false, difference: { table: model.table_name } });

    await replay(as('ada'));

    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });
});
