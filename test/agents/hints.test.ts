import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts';
import { type Agent, heldIn, openTeam, refIn, refusalIn } from './agent.ts';

type Args = Record<string, unknown>;
type Refusal = ReturnType<typeof refusalIn>;
type Obey = (agent: Agent, refusal: Refusal, call: { tool: string; args: Args }) => Promise<string>;

const again = (agent: Agent, { tool, args }: { tool: string; args: Args }, change: Args = {}) =>
  agent.call(tool, { ...args, ...change });

/** What an agent does on reading words like these in a hint. It looks at nothing but the refusal and its own call. */
const PHRASES: readonly [says: RegExp, does: Obey][] = [
  [
    /^Create one with create_project/,
    async (agent, _, call) => {
      await agent.call('create_project', { slug: 'first', name: 'First' });
      return again(agent, call);
    },
  ],
  [/Use it, or choose another slug/, (agent, _, call) => agent.call('resume_project', { project: call.args.slug })],
  [/claim_task without task/, (agent) => agent.call('claim_task', { project: 'web' })],
  [
    /Otherwise leave a note with record_event/,
    (agent, _, { args }) => agent.call('record_event', { task: args.task, text: 'I would call it otherwise.' }),
  ],
  [/^Stop work on it.*get_task shows/, (agent, _, { args }) => agent.call('get_task', { task: args.task })],
  [
    /^list_tasks shows the refs/,
    async (agent, _, call) => {
      const listed = await agent.call('list_tasks', { project: 'web', ready: true });
      return again(agent, call, { task: refIn(listed.split('\n')[1] ?? '') });
    },
  ],
  [
    /^list_projects shows/,
    async (agent, _, call) => {
      const listed = await agent.call('list_projects');
      return again(agent, call, { project: /^(web)\b/m.exec(listed)?.[1] });
    },
  ],
  [
    /^From \w+ it can be/,
    (agent, { hint }, { args }) => {
      const [status] = /blocked|cancelled/.exec(hint) ?? [];
      return agent.call('update_task', { ...args, status, reason: 'Not now.' });
    },
  ],
  [
    /repeat with the new version/,
    (agent, { details }, call) => again(agent, call, { expected_version: details.version }),
  ],
  [
    /^Each task waits for the one after it\. Leave one of them out/,
    (agent, _, call) => {
      const { add_dependencies: _dropped, ...rest } = call.args;
      return agent.call(call.tool, { ...rest, title: 'Without it' });
    },
  ],
  [
    /^Provide what is missing/,
    async (agent, { details }, call) => {
      let artifact: string | undefined;
      for (const what of details.missing as string[]) {
        const type = /artifact of type (\w+) \(add_artifact\)/.exec(what)?.[1];
        if (type !== undefined) {
          const added = await agent.call('add_artifact', { ...call.args, type, ref: 'run 7' });
          artifact = /[0-9a-f-]{36}/.exec(added)?.[0];
        }
        if (/record_decision with task/.test(what)) {
          await agent.call('record_decision', {
            task: call.args.task,
            title: 'How',
            choice: 'So',
            rationale: 'It works.',
          });
        }
      }
      const numbers = (details.missing as string[]).flatMap((what) => /criterion (\d+)/.exec(what)?.[1] ?? []);
      return again(agent, call, { evidence: numbers.map((number) => ({ criterion: Number(number), artifact })) });
    },
  ],
  [
    /into a task of their own \(discovered_from\)/,
    async (agent, { details }, call) => {
      const outside = details.files as string[];
      await agent.call('create_tasks', {
        project: 'web',
        tasks: [{ title: `Change ${outside.join(', ')}`, discovered_from: call.args.task }],
      });
      const files = (call.args.files as string[]).filter((file) => !outside.includes(file));
      return again(agent, call, { files });
    },
  ],
  [/^Use a new key for a new request/, (agent, _, call) => again(agent, call, { idempotency_key: 'another' })],
  [/^Store large content elsewhere/, (agent, _, call) => again(agent, call, { text: 'See build.log of run 7.' })],
  [
    /^Others come from claim_task, release_task, complete_task/,
    async (agent, _, { args }) => {
      const held = heldIn(await agent.call('claim_task', { task: args.task }));
      return agent.call('complete_task', { ...held, summary: 'Done.' });
    },
  ],
  [
    /^Arguments of create_tasks/,
    (agent, { message }, call) => {
      const [, most = 0] = /at most (\d+) characters/.exec(message) ?? [];
      const tasks = (call.args.tasks as Args[]).map((task) => ({
        ...task,
        title: String(task.title).slice(0, Number(most)),
      }));
      return again(agent, call, { tasks });
    },
  ],
  [
    /^lock_token: From claim_task/,
    async (agent, _, call) =>
      again(agent, call, { ...heldIn(await agent.call('claim_task', { task: call.args.task })) }),
  ],
];

// What no agent meets over stdio on its own database: the rights of a user and the limits of a server are for HTTP, and
// test/faults.test.ts repeats calls over a database that went away.
const ELSEWHERE: readonly ErrorCode[] = [
  'unauthenticated',
  'insufficient_scope',
  'forbidden',
  'rate_limited',
  'unavailable',
  'internal',
];

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
    await ada.call('create_project', { slug: 'web', name: 'Web', rules: { scope: { paths: ['src/**'] }, gates } });
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
    await ada.call('record_event', { task: 'web-8', text: 'One', idempotency_key: 'used' });
  }

  test.for(CASES)('%s: %s', async ([code, what, tool, args]) => {
    if (what === 'the slug is taken') await prepare();
    const call = { tool, args: args({ held }) };

    const refusal = refusalIn(await ada.call(tool, call.args));
    expect(refusal.code).toBe(code);

    const [, obey] =
      PHRASES.find(([says]) => says.test(refusal.hint) || says.test(refusal.hint.replace(/^\w+: /, ''))) ?? [];
    expect(obey, `no way on from: ${refusal.hint}`).toBeDefined();
    await obey?.(ada, refusal, call);
    const last = ada.calls.at(-1);
    expect(last?.refused, last?.text).toBe(false);
  });

  test('for every code that it can meet', () => {
    const met = new Set(CASES.map(([code]) => code));
    expect([...met, ...ELSEWHERE].sort()).toEqual(Object.keys(ERROR_CODES).sort());
  });
});
