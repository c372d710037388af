import type pg from 'pg';
import { describe, expect } from 'vitest';
import { AUTH_FUNCTIONS, FUNCTIONS, type FunctionName } from '../../src/db/functions.ts';
import { DomainError } from '../../src/errors.ts';
import { newId } from '../../src/events/ids.ts';
import { ask } from '../support/ask.ts';
import { READS } from '../support/categories.ts';
import { append, type Caller, createProject, createTask, record } from '../support/commands.ts';
import { test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

// The largest number of items of a list in an answer; 100 unless named here.
const ITEMS_MAX: Partial<Record<FunctionName, number>> = {
  export_events: 1_000,
  get_state: 200,
  list_output: 1_000,
  search: 51,
  list_audit: 200,
  list_auth_events: 200,
};

// The arguments that bring a call to its limits.
const ARGUMENTS: Partial<Record<FunctionName, object>> = {
  ...READS,
  add_chat_steps: { chat: { session: 's', program: 'heron', type: 'other' }, steps: [] },
  add_output: { run: newId(), lock_token: 1 },
  add_steps: { run: newId(), lock_token: 1, steps: [] },
  get_run: { run: newId() },
  list_steps: { run: newId() },
  set_model_price: { model: 'heron' },
  adopt_locks: { tasks: ['web-1'] },
  beat_agent: { agent: 'a', token: 1 },
  call_in: { agent: { name: 'a', type: 'claude', driver: 'hook' } },
  claim_run: { agent: 'a', token: 1 },
  get_agent: { agent: 'a' },
  get_control: { agent: 'a' },
  get_approval: { approval: newId() },
  decide_approval: { approval: newId(), decision: 'denied' },
  register_agent: { agent: { name: 'a', type: 'claude', driver: 'pipe' } },
  list_output: { run: newId() },
  report_run: { run: newId(), lock_token: 1, events: [] },
  set_agents_max: { agents_max: 50 },
  set_output_quota: { megabytes: 1 },
  set_output_search: { enabled: true },
  stop_agents: { reach: 'workspace', stopped: false },
  append_events: { events: [{ stream: 'project:web', type: 'project.noted', data: { text: 'x', kind: 'note' } }] },
  extend_lock: { task: 'web-1', lock_token: 2 },
  import_events: { events: [{}] },
  import_records: { table_name: 'herons', records: [{}] },
  read_records: { table_name: 'herons', starts_at: '2026-01-01T00:00:00Z' },
  redact_event: { event: '1', reason: 'x' },
  search: { query: 'pelican' },
  suggest_refs: { kind: 'task', prefix: 'web-' },
};

// Left out are the functions of authorization, but those that list: their arguments are hashes and times that the
// server makes, so a null among them is a fault of the server, which `internal` says.
const CALLED = (Object.keys(FUNCTIONS) as FunctionName[]).filter(
  (fn) => !Object.hasOwn(AUTH_FUNCTIONS, fn) || fn.startsWith('list_'),
);

/** More of everything than an answer may have. */
async function crowd(who: Caller): Promise<void> {
  await createProject(who);
  const tasks = upTo(110).map((at) => ({
    stream: `task:${newId()}`,
    type: 'task.created',
    data: { project: 'web', title: `Pelican ${at}` },
  }));
  await append(who, tasks);
  const note = { stream: 'task:web-1', type: 'task.noted', data: { text: 'Pelican.', kind: 'note' } };
  for (const _ of upTo(5)) await append(who, Array(200).fill(note));
}

type Argument = { name: string; type: string };

async function argumentsOf(sql: pg.Pool, fn: FunctionName): Promise<Argument[]> {
  const { rows } = await sql.query<Argument>(
    `select a.name, format_type(a.type, null) as type from pg_proc p
       cross join lateral unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[]) a (name, type)
     where p.oid = $1::regproc and a.name <> 'actor'`,
    [`public.${fn}`],
  );
  return rows;
}

/** The longest list anywhere in an answer. */
function longest(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const within = Object.values(value).map(longest);
  return Math.max(0, Array.isArray(value) ? value.length : 0, ...within);
}

test('no call, whatever it leaves out or counts, gets more than it may, or fails in a way that nobody foresaw', {
  timeout: 120_000,
}, async ({ as, sql }) => {
  await crowd(as('ada'));
  const { db, actor } = as('ada');
  const wrong: unknown[] = [];

  for (const fn of CALLED) {
    for (const { name, type } of await argumentsOf(sql, fn)) {
      const numbers = /^(integer|bigint)$/.test(type) ? [-1, 0, 2_147_483_647] : [];
      for (const value of [null, ...numbers]) {
        const call = { ...ARGUMENTS[fn], [name]: value };
        const answer = await db.call(fn, call, actor).catch((error: DomainError) => error);
        const refused = answer instanceof DomainError;
        const bad = refused ? answer.code === 'internal' : longest(answer) > (ITEMS_MAX[fn] ?? 100);
        if (bad) wrong.push([fn, name, value, refused ? `${answer.message} ${answer.cause}` : longest(answer)]);
      }
    }
  }

  expect(wrong).toEqual([]);
});

describe('a command', () => {
  test.for([
    ['key', 'k'.repeat(201), 'idempotency_key'],
    ['fingerprint', 'f'.repeat(201), 'fingerprint'],
  ])('has no %s of more than 200 characters', async ([name = '', value, field], { as }) => {
    await createProject(as('ada'));
    const note = [{ stream: 'project:web', type: 'project.noted', data: { text: 'x', kind: 'note' } }];

    const attempt = append(as('ada'), note, { key: 'k', [name]: value });

    await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', details: { field } });
    await expect(
      append(as('ada'), note, { key: 'k'.repeat(200), fingerprint: 'f'.repeat(200) }),
    ).resolves.toBeDefined();
  });
});

describe('an object', () => {
  const deep = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
  const nested = (levels: number) => ({ a: JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) });

  test.for<[what: string, snapshot: object]>([
    ['an escape in a text', { a: ['\u001b[2J'] }],
    ['an escape in a key', { a: { '\u001b[31m': 1 } }],
    ['a bell after a backslash', { a: '\\\u0007' }],
    ['a character that turns text', { a: '\u202e' }],
    ['a control character of C1', { '\u009b': 1 }],
    ['a delete', { a: '\u007f' }],
    ['a carriage return', { a: 'x\ry' }],
    ['33 levels', deep(33)],
    ['lists of 33 levels', nested(32)],
  ])('with %s is refused, in whatever field', async ([, value], { as }) => {
    await createProject(as('ada'));
    const task = await createTask(as('ada'), { project: 'web' });
    const project = 'web';
    const decision = { project, title: 'x', choice: 'x', rationale: 'x' };

    const attempts = [
      { stream: `session:${newId()}`, type: 'session.saved', data: { project, snapshot: value } },
      {
        stream: `checkpoint:${newId()}`,
        type: 'checkpoint.saved',
        data: { project, label: 'x', summary: 'x', snapshot: value },
      },
      { stream: `decision:${newId()}`, type: 'decision.recorded', data: { ...decision, options: [value] } },
      { stream: 'project:web', type: 'project.updated', data: { rules: value } },
      { stream: `task:${task.ref}`, type: 'task.updated', data: { constraints: value } },
    ].map((event) => record(as('ada'), event));

    for (const attempt of await Promise.allSettled(attempts)) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'invalid_input' } });
    }
  });

  test.for<[what: string, snapshot: object]>([
    ['32 levels', deep(32)],
    ['lists of 32 levels', nested(31)],
    ['what only looks like escapes', { a: '\\b \\u0007 \\\\f', '\\r': 'C:\\bin\\file' }],
    ['lines, tabs and all alphabets', { a: 'one\n\ttwo "three" \\', ключ: 'שלום 👩‍👩‍👧' }],
  ])('with %s is kept as it is', async ([, snapshot], { as }) => {
    await createProject(as('ada'));
    const id = newId();

    await record(as('ada'), { stream: `session:${id}`, type: 'session.saved', data: { project: 'web', snapshot } });

    const { sessions } = await ask<{ sessions: object[] }>(as('ada'), 'list_sessions', {});
    expect(sessions).toMatchObject([{ id, snapshot }]);
  });
});
