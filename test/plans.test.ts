import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Context, SCOPES } from '../src/context.ts';
import { createLog } from '../src/log.ts';
import { call, plan, take } from './support/calls.ts';
import { createScratch, type Scratch } from './support/scratch.ts';

// CAIRN_TEST_ROWS=100000 makes it a slower and stricter test of the same.
const ROWS = Number(process.env.CAIRN_TEST_ROWS ?? 20_000);
// What one step of a plan may look at in a workspace of a few dozen rows.
const LOOKED_AT_MAX = 500;

let scratch: Scratch;
let ada: Context;

beforeAll(async () => {
  scratch = await createScratch();
  ada = await populate('ada');
  const stranger = await populate('stranger');
  await multiply(scratch.sql, String(stranger.actor.tenant_id));
  await scratch.sql.query('analyze');
  await scratch.sql.query(`load 'auto_explain'`);
  const settings = {
    log_min_duration: '0',
    log_nested_statements: 'on',
    log_analyze: 'on',
    log_timing: 'off',
    log_format: 'json',
  };
  for (const [name, value] of Object.entries({ ...settings, log_level: 'notice' })) {
    await scratch.sql.query(`set auto_explain.${name} = '${value}'`);
  }
}, 180_000);
afterAll(() => scratch.drop());

/** A workspace with something in every table. */
async function populate(name: string): Promise<Context> {
  const { actor } = await scratch.signIn(name);
  const ctx = { db: scratch.db, actor, log: createLog('silent'), scopes: new Set(SCOPES) };
  const triggers = [{ on: 'task.completed', do: { enqueue: { topic: 'done' } } }];
  await plan(ctx, [{ title: 'First' }, { title: 'Second' }, { title: 'Third' }], { triggers });
  await call(ctx, 'create_tasks', { project: 'web', tasks: [{ title: 'Last', dependencies: ['web-2'] }] });
  const lock = await take(ctx, 'web-1');
  await call(ctx, 'add_artifact', { ...lock, type: 'diff', ref: 'https://example.test/1', idempotency_key: 'once' });
  await call(ctx, 'complete_task', { ...lock, summary: 'Done.' });
  await take(ctx, 'web-2');
  await call(ctx, 'record_decision', {
    project: 'web',
    title: 'Which',
    options: ['a', 'b'],
    choice: 'a',
    rationale: 'Short.',
  });
  await call(ctx, 'save_checkpoint', { project: 'web', label: 'Now', summary: 'So far.' });
  await call(ctx, 'save_session', { project: 'web', snapshot: { at: 1 }, summary: 'Here.' });
  await call(ctx, 'record_event', { project: 'web', text: 'Is it so?', kind: 'question' });
  return ctx;
}

type Column = { name: string; type: string; unique: boolean };

/** Copies a row of the workspace in every table of workspaces, with other values where they must be unique. */
async function multiply(sql: pg.Client, tenant: string): Promise<void> {
  const { rows: tables } = await sql.query<{ name: string; columns: Column[] }>(`
    select format('%I.%I', n.nspname, c.relname) as name, jsonb_agg(jsonb_build_object('name', a.attname,
        'type', format_type(a.atttypid, null), 'unique', a.attname <> 'tenant_id' and exists (
          select from pg_index i where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey)
             and (a.atttypid = 'uuid'::regtype or not exists (select from pg_attribute o where o.attrelid = c.oid
                and o.attnum = any (i.indkey) and o.attname <> 'tenant_id' and o.atttypid = 'uuid'::regtype))))) as columns
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where n.nspname in ('public', 'app') and c.relkind = 'r'
       and exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id')
     group by 1`);
  await sql.query('set session_replication_role = replica');
  for (const { name, columns } of tables) {
    if (!columns.some(({ unique }) => unique)) continue;
    const values = columns.map(({ name: column, type, unique }) => {
      if (!unique) return `x.${column}`;
      if (type === 'uuid') return 'gen_random_uuid()';
      return type === 'text' ? `x.${column} || '-' || n` : `1000 + n`;
    });
    await sql.query(
      `insert into ${name} (${columns.map(({ name: column }) => column).join(', ')})
       select ${values.join(', ')} from (select * from ${name} where tenant_id = $1 limit 1) x, generate_series(1, $2::int) n`,
      [tenant, ROWS],
    );
  }
  await sql.query('set session_replication_role = origin');
}

type Node = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: Node[];
};

/** Every step of every plan that a call runs, statements inside functions included, with the rows that it looked at. */
async function stepsOf(fn: string, args: Record<string, unknown>): Promise<{ step: string; lookedAt: number }[]> {
  const plans: Node[] = [];
  const collect = ({ message = '' }: { message?: string | undefined }) => {
    const json = /plan:\n([\s\S]*)$/.exec(message)?.[1];
    if (json !== undefined) plans.push(JSON.parse(json).Plan);
  };
  scratch.sql.on('notice', collect);
  const names = Object.keys(args);
  const list = [...names, 'actor'].map((name, at) => `${name} => $${at + 1}`).join(', ');
  const values = [...names.map((name) => args[name]), ada.actor].map((value) =>
    typeof value === 'object' ? JSON.stringify(value) : value,
  );
  try {
    await scratch.sql.query(`select public.${fn}(${list})`, values);
  } finally {
    scratch.sql.off('notice', collect);
  }
  return plans.flatMap(flatten).map((node) => {
    const rows =
      (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
    const step = [node['Node Type'], node['Index Name'] ?? '', 'on', node['Relation Name'] ?? ''].join(' ');
    return { step, lookedAt: rows * (node['Actual Loops'] ?? 1) };
  });
}

function flatten(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

const append = (type: string, stream: string, data: object) => ({ events: [{ stream, type, data }] });

const CALLS: [fn: string, args: Record<string, unknown>][] = [
  ['get_project', { project: 'web' }],
  ['resume_project', { project: 'web' }],
  ['list_projects', {}],
  ['list_tasks', { project: 'web' }],
  ['list_tasks', { project: 'web', filters: { ready: true } }],
  ['list_tasks', { project: 'web', filters: { mine: true } }],
  ['list_tasks', { project: 'web', filters: { status: ['completed'], priority: ['medium'] } }],
  ['get_task', { task: 'web-1' }],
  ['list_events', {}],
  ['list_events', { project: 'web' }],
  ['list_events', { task: 'web-1' }],
  ['list_events', { project: 'web', filters: { types: ['task.'] } }],
  ['list_events', { after_seq: 0 }],
  ['list_artifacts', { task: 'web-1' }],
  ['list_decisions', { project: 'web' }],
  ['list_checkpoints', { project: 'web' }],
  ['list_sessions', { project: 'web' }],
  ['get_checkpoint', { project: 'web' }],
  ['compare_checkpoint', { project: 'web' }],
  ['search', { query: 'first', project: 'web' }],
  ['search', { query: 'short' }],
  ['suggest_refs', { kind: 'task', prefix: 'web-' }],
  ['suggest_refs', { kind: 'project', prefix: 'w' }],
  ['claim_task', {}],
  ['claim_task', { project: 'web' }],
  ['append_events', append('project.noted', 'project:web', { text: 'A note.', kind: 'note' })],
  ['append_events', append('task.noted', 'task:web-1', { text: 'A note.', kind: 'note' })],
  [
    'append_events',
    append('task.created', 'task:018f0000-0000-7000-8000-00000000000a', {
      project: 'web',
      title: 'New',
      dependencies: ['web-3'],
    }),
  ],
  ['append_events', append('task.reopened', 'task:web-1', { reason: 'Again.' })],
  ['get_position', {}],
  ['purge_idempotency_keys', {}],
];

describe(`beside ${ROWS} rows of another workspace in every table`, () => {
  test.each(CALLS)('%s %j looks at rows of its own workspace alone', async (fn, args) => {
    const steps = await stepsOf(fn, args);

    expect(steps.length).toBeGreaterThan(0);
    expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
  });
});

test('the test sees what it is about: an index that does not begin with the workspace is told', async () => {
  await scratch.sql.query('drop index public.idx_checkpoints_project_created, public.idx_checkpoints_project_id');
  await scratch.sql.query('drop index public.idx_checkpoints_created_at');
  await scratch.sql.query('create index on public.checkpoints (created_at desc)');

  const steps = await stepsOf('get_checkpoint', { project: 'web' });

  expect(Math.max(...steps.map(({ lookedAt }) => lookedAt))).toBeGreaterThan(ROWS / 2);
});
