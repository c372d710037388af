import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { createLog } from '../../src/log.ts';
import { archiveEvents } from '../../src/services/archive.ts';
import { exportEvents, importEvents } from '../../src/services/transfer.ts';
import { ask } from '../support/ask.ts';
import { blobs, directoryStore } from '../support/blobs.ts';
import { call } from '../support/calls.ts';
import { QUESTIONS } from '../support/categories.ts';
import { crowd } from '../support/crowd.ts';
import { type Access, fillAuthorization } from '../support/fill-authorization.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { explainAll, stepsOf } from '../support/plans.ts';
import { reportPresence } from '../support/presence.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

const ROWS = 20_000;
// The rows that one step of a plan may read in a workspace of a few dozen rows.
const LOOKED_AT_MAX = 500;
const PRESENT = { agents: ['ada'], watched: true, ended: false };

let scratch: Scratch;
let ada: Context;
let access: Access;
let tables: string[];

beforeAll(async () => {
  scratch = await createScratch();
  ada = await signIn('ada');
  await populate(ada);
  access = await fillAuthorization(scratch.db, ada.actor);
  const stranger = await signIn('stranger');
  await fillWorkspace(stranger, 'old');
  await archive(stranger);
  await importFrom(await signIn('bob'), stranger);
  await populate(stranger);
  await fillAuthorization(scratch.db, stranger.actor);
  await archiveRecord(stranger);
  tables = await crowd(scratch.sql, String(stranger.actor.tenant_id), ROWS);
  await explainAll(scratch.sql);
}, 180_000);
afterAll(() => scratch.drop());

async function signIn(name: string): Promise<Context> {
  const { actor } = await scratch.signIn(name);
  return {
    db: scratch.db,
    blobs,
    actor: { ...actor, process: newId() },
    log: createLog('silent'),
    scopes: 'all',
  };
}

/** A workspace with something in every table, and something to do. */
async function populate(ctx: Context): Promise<void> {
  await fillWorkspace(ctx);
  await reportPresence(ctx, PRESENT);
  await ask(ctx, 'set_job', { kind: 'archive' });
  await call(ctx, 'create_tasks', {
    project: 'web',
    tasks: [{ title: 'Feed it', labels: ['ui'] }],
    idempotency_key: 'once',
  });
}

/** Records in a file, of a table that is none. */
async function archiveRecord({ actor }: Context): Promise<void> {
  await scratch.sql.query(`
    with declared as (insert into app.record_tables values ('herons', 'week', true, 30, 90) returning table_name)
    insert into app.record_archives
    select '${actor.tenant_id}', table_name, now(), now() + interval '7 days', 0, 1, '/archive', 'a.gz', repeat('a', 64),
      now(), 1 from declared`);
  await scratch.sql.query(`insert into app.replaced_record_files values ('${actor.tenant_id}', '/archive', 'b.gz')`);
}

/** Events of somebody who is called here as there. */
async function importFrom(from: Context, to: Context): Promise<void> {
  await fillWorkspace(from, 'moved');
  for await (const page of exportEvents(from, 'moved')) await importEvents(to, page);
}

/** Into files that nobody will read. */
async function archive(ctx: Context): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-plans-'));
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  for await (const _ of archiveEvents(ctx, { before: tomorrow, store: directoryStore(directory) }));
  await rm(directory, { recursive: true });
}

const append = (type: string, stream: string, data: object) => ({ events: [{ stream, type, data }] });

const CALLS: [fn: string, args: Record<string, unknown>][] = [
  ...QUESTIONS.filter(([fn]) => fn !== 'get_state'),
  ['list_events', {}],
  ['list_events', { project: 'web' }],
  ['list_events', { task: 'web-1' }],
  ['list_events', { project: 'web', filters: { types: ['task.'] } }],
  ['list_events', { after_seq: 0 }],
  ['search', { query: 'pelican', project: 'web' }],
  ['search', { query: 'pelican pink' }],
  ['suggest_refs', { kind: 'task', prefix: 'web-' }],
  ['suggest_refs', { kind: 'project', prefix: 'w' }],
  ['claim_task', {}],
  ['claim_task', { project: 'web' }],
  ['claim_task', { project: 'web', filters: { labels: ['ui'] } }],
  ['append_events', append('project.noted', 'project:web', { text: 'A note.', kind: 'note' })],
  ['append_events', append('task.noted', 'task:web-1', { text: 'A note.', kind: 'note' })],
  [
    'append_events',
    append('task.created', 'task:018f0000-0000-7000-8000-00000000000a', {
      project: 'web',
      title: 'New',
      dependencies: ['web-2'],
    }),
  ],
  [
    'append_events',
    append('task.created', 'task:018f0000-0000-7000-8000-00000000000b', {
      project: 'web',
      title: 'New',
      labels: ['ui'],
    }),
  ],
  ['append_events', append('task.reopened', 'task:web-1', { reason: 'Again.' })],
  ['get_position', {}],
  ['report_presence', PRESENT],
  ['report_presence', { ended: true }],
  ['purge_idempotency_keys', {}],
  ['list_jobs', {}],
  ['due_jobs', { kinds: ['archive'] }],
  ['claim_job', { kind: 'archive', holder: 'x', seconds: 30 }],
];

// The authorization calls of every request, sign-in and page.
const ACCESS_CALLS: [fn: string, args: (access: Access) => Record<string, unknown>][] = [
  ['authenticate_token', ({ hash, resource }) => ({ token_hash: hash('access first'), resource })],
  ['authenticate_token', ({ hash, resource }) => ({ token_hash: hash('nobody knows it'), resource })],
  [
    'refresh_token',
    ({ hash, minted, client_id }) => ({
      token_hash: hash('refresh first'),
      presented: { client_id, grace_seconds: 60 },
      minted: minted('again'),
    }),
  ],
  [
    'redeem_code',
    ({ hash, minted, presented }) => ({ code_hash: hash('code second'), presented, minted: minted('second') }),
  ],
  ['get_client', ({ client_id }) => ({ client_id })],
  ['open_authorization', ({ hash, txn_hash }) => ({ request_hash: hash('third'), txn_hash })],
  [
    'answer_authorization',
    ({ hash, txn_hash, allow }) => ({ request_hash: hash('third'), txn_hash, decision: allow('third') }),
  ],
  ['admit_identity', ({ identity }) => ({ identity })],
  ['get_session', ({ hash }) => ({ session_hash: hash('session') })],
  ['get_password', () => ({})],
  ['take_attempt', ({ bucket }) => ({ bucket, attempts_max: 5, window_seconds: 60 })],
  ['take_login', ({ hash, txn_hash }) => ({ state_hash: hash('state'), txn_hash })],
  ['take_login_code', ({ hash }) => ({ code_hash: hash('login') })],
  ['accept_invitation', ({ hash }) => ({ invitation_hash: hash('invitation') })],
  ['list_connections', () => ({})],
  ['list_connections', () => ({ chosen: { all: true } })],
  ['list_clients', () => ({})],
  ['list_secrets', () => ({})],
  ['list_members', () => ({})],
  ['list_auth_events', () => ({})],
  ['create_pat', ({ pat }) => ({ pat })],
  ['block_client', ({ client_id }) => ({ client_id })],
  ['revoke_token', ({ hash }) => ({ token_hash: hash('access again') })],
  ['end_session', ({ hash }) => ({ session_hash: hash('session') })],
];

describe(`beside ${ROWS} rows of another workspace in every table`, () => {
  test('no table is left out', async () => {
    const count = (table: string) => `select '${table}' as table from ${table} having count(*) < ${ROWS}`;

    const { rows } = await scratch.sql.query(tables.map(count).join(' union all '));

    expect(rows).toEqual([]);
  });

  test.each(CALLS)('%s %j looks at rows of its own workspace alone', async (fn, args) => {
    // Over HTTP a call proves its token.
    const proof = { token_hash: access.hash('access first'), resource: access.resource };
    const steps = await stepsOf(scratch.sql, [fn, args], { ...ada.actor, proof });

    expect(steps.length).toBeGreaterThan(0);
    expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
  });

  test.each(ACCESS_CALLS)('%s looks at what it was asked about alone (%#)', async (fn, args) => {
    const steps = await stepsOf(scratch.sql, [fn, args(access)], access.person);

    expect(steps.length).toBeGreaterThan(0);
    expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
  });
});

test('a new password looks for the browsers of its account alone', async () => {
  await scratch.sql.query(
    `insert into app.rates (tenant_id, bucket, count, ends_at)
       select app.get_nil_id(), app.browser_bucket(gen_random_uuid()::text, md5(n::text)), 0, now() + interval '1 day'
         from generate_series(1, $1) n`,
    [ROWS],
  );
  await scratch.sql.query('analyze app.rates');

  const steps = await stepsOf(scratch.sql, ['set_password', { password_hash: 'x' }], access.person);

  expect(steps.some(({ step }) => step.endsWith(' on rates'))).toBe(true);
  expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
});

test('alerts that wait for somebody are found beside any number of handled ones', async () => {
  await scratch.sql.query(
    `insert into public.agent_alerts (tenant_id, id, user_id, kind, severity, title, details, dedup_key, raised_count,
         acknowledged, version, created_at, last_raised_at)
       select $2, gen_random_uuid(), $3, 'test', 'low', 'x', '{}', n::text, 1, true, 1, now(), now()
         from generate_series(1, $1) n`,
    [ROWS, ada.actor.tenant_id, ada.actor.user_id],
  );
  await scratch.sql.query('analyze public.agent_alerts');

  const steps = await stepsOf(scratch.sql, ['list_alerts', {}], ada.actor);

  expect(steps.some(({ step }) => step.endsWith(' on agent_alerts'))).toBe(true);
  expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
});

test('output is found beside any amount of other runs, and of the same run', async () => {
  await scratch.sql.query(
    `insert into public.terminal_outputs (tenant_id, id, run_id, agent_id, attempt, stream_type, content, ansi_codes,
         "timestamp", sequence, created_at)
       select o.tenant_id, gen_random_uuid(), case when n % 2 = 0 then gen_random_uuid() else o.run_id end, o.agent_id,
         1, 'stdout', 'x', false, o."timestamp", n, now()
         from generate_series(1, $1) n cross join public.terminal_outputs o`,
    [ROWS],
  );
  await scratch.sql.query('analyze public.terminal_outputs');
  const { rows } = await scratch.sql.query('select run_id from public.terminal_outputs where tenant_id = $1 limit 1', [
    ada.actor.tenant_id,
  ]);

  for (const further of [{}, { after_sequence: 12_000 }]) {
    const asked = { run: rows[0].run_id, page_size: 100, ...further };
    const steps = await stepsOf(scratch.sql, ['list_output', asked], ada.actor);

    expect(steps.some(({ step }) => step.includes(' on terminal_outputs'))).toBe(true);
    expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
  }
});

test('the audit trail is found beside any number of other events, and of its own, each kind by itself', async () => {
  const kinds = ['command.sent', 'run.delivered', 'run.queued', 'task.noted'];
  await scratch.sql.query('set session_replication_role = replica');
  await scratch.sql.query(
    `insert into public.events (tenant_id, id, seq, user_id, event_type, payload, created_at, stream, version, actor,
         payload_hash, hash)
       select $2, gen_random_uuid(), 1000000 + n, $3, ($4::text[])[1 + n % 4], '{}', now() - n * interval '1 second',
         'command:' || gen_random_uuid(), 1, '{}', '', ''
         from generate_series(1, $1) n`,
    [ROWS, ada.actor.tenant_id, ada.actor.user_id, kinds],
  );
  await scratch.sql.query(
    `insert into public.audit_entries (tenant_id, id, event_type, user_id, details, created_at)
       select $2, gen_random_uuid(), 'agent_connect', $3, '{}', now() from generate_series(1, $1) n`,
    [ROWS, ada.actor.tenant_id, ada.actor.user_id],
  );
  await scratch.sql.query('reset session_replication_role; analyze public.events, public.audit_entries');
  const { rows } = await scratch.sql.query('select id from public.commands where tenant_id = $1 limit 1', [
    ada.actor.tenant_id,
  ]);

  for (const asked of [{}, { kind: 'command_sent' }, { agent: 'pelican-web' }, { command: rows[0].id }]) {
    const steps = await stepsOf(scratch.sql, ['list_audit', { ...asked, page_size: 20 }], ada.actor);

    expect(steps.some(({ step }) => step.includes(' on events'))).toBe(true);
    expect([asked, steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)]).toEqual([asked, []]);
  }
});

test('the test sees what it is about: an index that does not begin with the workspace is told', async () => {
  await scratch.sql.query('drop index public.idx_checkpoints_project_created, public.idx_checkpoints_project_id');
  await scratch.sql.query('drop index public.idx_checkpoints_created_at');
  await scratch.sql.query('create index on public.checkpoints (created_at desc)');

  const steps = await stepsOf(scratch.sql, ['get_checkpoint', { project: 'web' }], ada.actor);

  expect(Math.max(...steps.map(({ lookedAt }) => lookedAt))).toBeGreaterThan(ROWS / 2);
});
