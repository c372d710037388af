import type pg from 'pg';
import { newId } from '../../src/events/ids.ts';

/** Values that no caller means to send, and typical mistakes of programs. */
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e30,
  '',
  'x',
  [],
  [[]],
  [null],
  [5],
  ['x'],
  [{}],
  {},
  { a: 1 },
  [{ seq: 'x' }],
  JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`),
];

const EDGES: Readonly<Record<string, readonly unknown[]>> = {
  boolean: [null],
  integer: [null, -2_147_483_648, -1, 0, 2_147_483_647],
  bigint: [null, '-9223372036854775808', -1, 0, '9223372036854775807'],
  'timestamp with time zone': [null, '-infinity', 'infinity', '4713-01-01 BC', '294276-12-31'],
  text: [null, '', ' ', 'x', '#', '-1', "'", '%', 'web-999999999', '9'.repeat(18), '{"of":1}', 'x'.repeat(100_000)],
};

/** The types of a function's arguments, by name. */
export type Callable = { name: string; types: Record<string, string> };

/** The functions that signed-in users may call, from the catalogue: a new one is not forgotten. */
export async function callables(sql: pg.Pool): Promise<Callable[]> {
  const { rows } = await sql.query<Callable>(
    `select p.proname as name, (
         select json_object_agg(a.name, format_type(a.type, null) order by a.at)
         from unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[]) with ordinality a (name, type, at)) as types
       from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype
         and has_function_privilege('authenticated', p.oid, 'execute') order by 1`,
  );
  return rows;
}

// The fields of events that are more than a text or a number.
const FIELDS: Readonly<Record<string, unknown>> = {
  to: ['all'],
  project: 'web',
  slug: 'new',
  rules: {
    scope: { paths: ['src/**'], deny: ['dist/**'], files_max: 9, lines_max: 9, notes: ['x'] },
    gates: [
      { on: 'complete', require: { artifacts: ['diff'], evidence: 'ci', decision: true }, when: { type: ['diff'] } },
    ],
    triggers: [
      { on: 'task.completed', when: { priority: ['low'] }, do: { enqueue: { topic: 'done' } } },
      { on: 'task.noted', do: { create_task: { title: 'x', priority: 'low', depends_on_source: true } } },
      { on: 'task.released', do: { set_status: { status: 'blocked', task: 'parent', reason: 'x' } } },
      { on: 'task.released', do: { save_checkpoint: { label: 'x' } } },
    ],
    attempts_max: 3,
  },
  constraints: { paths: ['src/**'], files_max: 1 },
  evidence: [{ criterion: 1, note: 'Seen.' }],
  options: ['pink'],
  answers: '#1',
};
const KINDS: Readonly<Record<string, unknown>> = {
  ref: 'web-1',
  'ref[]': ['web-1'],
  'text[]': ['x'],
  'label[]': ['x'],
  number: 1,
  integer: 1,
  positive: 1,
  boolean: true,
  object: { a: 1 },
};
/** An event of each type, with all fields that callers may give it; those of tasks are of the one that is held. */
export async function sampleEvents(sql: pg.Pool, held: { task: string; lock_token: number }): Promise<object[]> {
  const { rows } = await sql.query<{ type: string; fields: { field: string; kind: string; one_of: string[] }[] }>(
    `select t.event_type as type, coalesce((select json_agg(f) from app.event_fields f
         where f.event_type = t.event_type and not f.by_door), '[]') as fields
       from app.event_types t order by 1`,
  );
  return rows.map(({ type, fields }) => {
    const data = fields.map(({ field, kind, one_of }) => [field, FIELDS[field] ?? one_of?.[0] ?? KINDS[kind] ?? 'x']);
    const category = type.split('.')[0];
    const isTask = category === 'task' && type !== 'task.created';
    const id = isTask ? held.task : category === 'project' && type !== 'project.created' ? 'web' : newId();
    const expect = isTask ? { lock_token: held.lock_token } : {};
    return { stream: `${category}:${id}`, type, data: Object.fromEntries(data), expect };
  });
}

/** Yields the mistaken values of an argument of the type; for jsonb, also the meant value with each part replaced. */
export function* malformed(type: string, meant?: unknown): Generator<unknown> {
  if (type !== 'jsonb') {
    yield* EDGES[type] ?? [];
    return;
  }
  yield* VALUES;
  if (Array.isArray(meant)) {
    for (const [at, item] of meant.entries()) {
      for (const other of malformed(type, item)) yield meant.with(at, other);
    }
  } else if (typeof meant === 'object' && meant !== null) {
    for (const [key, item] of Object.entries(meant)) {
      for (const other of malformed(type, item)) yield { ...meant, [key]: other };
      yield { ...meant, [key]: undefined };
    }
  }
}
