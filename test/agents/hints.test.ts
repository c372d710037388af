import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts';
import { logIn } from '../support/log-in.ts';
import { startRaw } from '../support/raw-agent.ts';
import { createScratch } from '../support/scratch.ts';
import { PUBLISHABLE_KEY, startSupabase } from '../support/supabase.ts';
import { type Agent, type Doing, doing, heldIn, openTeam, refusalIn } from './agent.ts';
import { type Args, obey } from './obey.ts';

// Codes that no agent reads. `insufficient_scope`: over stdio an agent has every scope, and over HTTP its client gets a
// 403 with `WWW-Authenticate` before the tool is called (test/remote/server-attacks.test.ts), so that it asks its person for
// more. `internal`: a defect of ours. No call of an agent leads there; the hint tells it to repeat the call once and
// then tell its person.
const UNMET: readonly ErrorCode[] = ['insufficient_scope', 'internal'];

type Case = [code: ErrorCode, what: string, tool: string, args: (world: World) => Args];
type World = { held: { task: string; lock_token: number } };

const CASES: Case[] = [
  ['invalid_input', 'there is no project', 'list_tasks', () => ({})],
  ['already_exists', 'the slug is taken', 'create_project', () => ({ slug: 'web', name: 'Again' })],
  [
    'invalid_input',
    'a title is too long',
    'create_tasks',
    () => ({ project: 'web', tasks: [{ title: 'x'.repeat(400) }] }),
  ],
  ['invalid_input', 'a task is completed by an update', 'update_task', () => ({ task: 'web-6', status: 'completed' })],
  [
    'invalid_input',
    'the token is missing',
    'release_task',
    () => ({ task: 'web-7', outcome: 'paused', reason: 'Later.' }),
  ],
  ['not_found', 'the ref names nothing', 'claim_task', () => ({ task: 'web-99' })],
  ['not_found', 'the project names nothing', 'list_tasks', () => ({ project: 'wbe' })],
  ['illegal_transition', 'the task waits for others', 'claim_task', () => ({ task: 'web-2' })],
  [
    'illegal_transition',
    'the move is not allowed',
    'update_task',
    () => ({ task: 'web-12', status: 'reopened', reason: 'So.' }),
  ],
  [
    'version_conflict',
    'the task has changed',
    'update_task',
    () => ({ task: 'web-13', title: 'New', expected_version: 77 }),
  ],
  ['lock_held', 'another one holds the task', 'claim_task', () => ({ task: 'web-1' })],
  ['lock_held', 'another one holds what is changed', 'update_task', () => ({ task: 'web-1', title: 'New' })],
  ['lock_lost', 'the token is an old one', 'complete_task', () => ({ task: 'web-1', lock_token: 1 })],
  [
    'dependency_cycle',
    'tasks would wait in a circle',
    'update_task',
    () => ({ task: 'web-3', add_dependencies: ['web-4'] }),
  ],
  [
    'scope_violation',
    'a diff goes too far',
    'add_artifact',
    ({ held }) => ({ ...held, type: 'diff', ref: 'abc', files: ['src/a.ts', 'docs/b.md'] }),
  ],
  ['gate_unmet', 'evidence is missing', 'complete_task', ({ held }) => ({ ...held })],
  [
    'idempotency_mismatch',
    'the key was used',
    'record_event',
    () => ({ task: 'web-8', text: 'Two', idempotency_key: 'used' }),
  ],
  ['payload_too_large', 'a text is too large', 'record_event', () => ({ task: 'web-8', text: 'x'.repeat(1_200_000) })],
  ['forbidden', 'a person decides', 'update_task', () => ({ task: 'web-11', status: 'unblocked' })],
];

/** The answers of a hosted project to the next request. */
const HOSTED: [code: ErrorCode, what: string, status: number | null][] = [
  ['unauthenticated', 'nobody has signed in', null],
  ['rate_limited', 'the project asks for fewer calls', 429],
  ['unavailable', 'the project is away for a moment', 503],
];

describe('a refusal leads an agent that does what its hint says to success', () => {
  let team: Awaited<ReturnType<typeof openTeam>>;
  let ada: Agent;
  let held: World['held'];

  beforeAll(async () => {
    team = await openTeam();
    ada = await team.join('ada');
  });
  afterAll(() => team.end());

  async function prepare(): Promise<void> {
    const gates = [
      {
        on: 'complete',
        when: { priority: ['critical'] },
        require: { evidence: 'observed', artifacts: ['test_report'], decision: true },
      },
    ];
    const rules = { scope: { paths: ['src/**'] }, gates, attempts_max: 1 };
    await ada.call('create_project', { slug: 'web', name: 'Web', rules });
    const free = Array.from({ length: 8 }, (_, at) => ({ title: `Free ${at}` }));
    await ada.call('create_tasks', {
      project: 'web',
      tasks: [
        { key: 'a', title: 'Held by bob', priority: 'low' },
        { title: 'Waits', dependencies: ['a'] },
        { key: 'c', title: 'First of two', priority: 'low' },
        { title: 'Second of two', dependencies: ['c'], priority: 'low' },
        { title: 'Held by ada', acceptance_criteria: ['It works'], priority: 'critical' },
        ...free,
      ],
    });
    held = heldIn(await ada.call('claim_task', { task: 'web-5' })) as World['held'];
    const bob = await team.join('bob');
    await bob.call('claim_task', { task: 'web-1' });
    const given = heldIn(await bob.call('claim_task', { task: 'web-11' }));
    await bob.call('release_task', { ...given, outcome: 'failed', reason: 'The tests do not run.' });
    await ada.call('record_event', { task: 'web-8', text: 'One', idempotency_key: 'used' });
  }

  test.for(CASES)('%s: %s', async ([code, what, tool, args]) => {
    if (what === 'the slug is taken') await prepare();
    const call = { tool, args: args({ held }) };

    const refusal = refusalIn(await ada.call(tool, call.args));
    expect(refusal.code).toBe(code);
    await obey(ada, refusal, call);
  });

  test('for every code that it can meet', () => {
    const met = new Set([...CASES, ...HOSTED].map(([code]) => code));
    expect([...met, ...UNMET].sort()).toEqual(Object.keys(ERROR_CODES).sort());
  });
});

describe('so it does at a hosted project', () => {
  let scratch: Awaited<ReturnType<typeof createScratch>>;
  let project: Awaited<ReturnType<typeof startSupabase>>;
  let home: string;
  let raw: Awaited<ReturnType<typeof startRaw>>;
  let ada: Doing;

  beforeAll(async () => {
    scratch = await createScratch();
    project = await startSupabase(scratch.connection);
    home = await mkdtemp(join(tmpdir(), 'cairn-hosted-'));
    const env = { SUPABASE_URL: project.url, SUPABASE_PUBLISHABLE_KEY: PUBLISHABLE_KEY, CAIRN_CONFIG_DIR: home };
    raw = await startRaw([], env);
    ada = doing(raw, async (command) => {
      expect(command).toBe('cairn login');
      const login = logIn(['--email', 'ada@cairn.test'], env);
      await login.line(/Code: /);
      login.type(project.auth.mailbox.at(-1)?.code ?? '');
      expect(await login.ended).toEqual({ code: 0, stderr: '' });
    });
  });
  afterAll(async () => {
    await raw.close();
    await project.close();
    await scratch.drop();
    await rm(home, { recursive: true, force: true });
  });

  test.for(HOSTED)('%s: %s', async ([code, what, status]) => {
    const call = { tool: 'create_project', args: { slug: code.replace('_', '-'), name: what } };
    project.disturb(({ url }, response) => {
      // What the process calls by itself is none of the agent's calls.
      if (/\/(report_presence|purge_idempotency_keys)$/.test(url ?? '')) return 'go on';
      project.disturb(null);
      if (status === null) return 'go on';
      response.writeHead(status).end();
      return 'done';
    });

    const refusal = refusalIn(await ada.call(call.tool, call.args));
    expect(refusal.code).toBe(code);
    await obey(ada, refusal, call);
  });
});
