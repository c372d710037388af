import { describe, expect } from 'vitest';
import { requestedScopes } from '../../src/auth/scopes.ts';
import { type Context, mayUse, type Scope } from '../../src/context.ts';
import { type Message, requiredScopes } from '../../src/server/mcp/required-scopes.ts';
import { suggestRefs } from '../../src/services/search.ts';
import { SCOPES, selectTools, toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { READING_TOOLS } from '../support/categories.ts';
import { runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

// Scopes decide which rows an answer shows, for every kind of answer. Threats: docs/security.md.

const TOOLS = new Map(selectTools(['all']).map((tool) => [tool.name, tool.scope]));

/** Everything of a task, or of its history, says this or names this ref; everything of a project says the other. */
const TASK = /taskword|web-1/i;
const PROJECT = /projectword/i;

const as = ({ scopes: _, ...ctx }: Context, scopes: readonly Scope[]): Context => ({ ...ctx, scopes: new Set(scopes) });

/** A run of the filled workspace. */
let run: string | undefined;

async function fill(ctx: Context): Promise<void> {
  await runnerOf(ctx, 'pelican-web');
  const call = async (name: string, input: object) => (await callTool(ctx, toolNamed(name), input)).structured;
  await call('create_project', { slug: 'web', name: 'projectword', description: 'projectword' });
  const task = { title: 'taskword', description: 'taskword', acceptance_criteria: ['taskword'] };
  await call('create_tasks', {
    project: 'web',
    tasks: [task, { title: 'taskword ready' }, { title: 'taskword blocked' }],
  });
  await call('update_task', { task: 'web-3', status: 'blocked', reason: 'taskword' });
  await call('add_artifact', { task: 'web-1', type: 'document', ref: 'taskword.ts', summary: 'taskword' });
  await call('claim_task', { task: 'web-1' });
  await call('record_event', { task: 'web-1', kind: 'question', text: 'taskword' });
  await call('record_event', { project: 'web', kind: 'note', text: 'taskword' });
  await call('send_command', { to: ['pelican-web'], content: 'Fly.', task: 'web-2', project: 'web' });
  const { runs } = (await call('list_runs', {})) as { runs: { id: string }[] };
  run = runs[0]?.id;
  await call('save_report', { title: 'A report' });
  const decision = {
    title: 'projectword',
    options: ['projectword'],
    choice: 'projectword',
    rationale: 'projectword',
  };
  await call('save_checkpoint', { project: 'web', label: 'projectword', summary: 'projectword' });
  await call('record_decision', { project: 'web', task: 'web-1', ...decision });
  await call('save_session', { project: 'web', summary: 'projectword', snapshot: { said: 'projectword' } });
  await call('create_tasks', { project: 'web', tasks: [{ title: 'taskword later' }] });
}

/** The arguments with which each tool shows as much as it can. */
const READS: Readonly<Record<string, object>> = {
  ...READING_TOOLS,
  get get_run() {
    return { run };
  },
  get get_output() {
    return { run };
  },
  list_events: { project: '*', include_data: true, page_size: 100 },
  wait_for_events: { project: '*', after_seq: 0 },
  search: { query: 'taskword or projectword', page_size: 50 },
};
const WRITES: Readonly<Record<string, object>> = {
  update_project: { project: 'web', name: 'other' },
  save_checkpoint: { project: 'web', label: 'other', summary: 'other' },
  record_decision: { project: 'web', title: 'other', options: [], choice: 'other', rationale: 'other' },
  save_session: { project: 'web', summary: 'other', snapshot: {} },
  create_tasks: { project: 'web', tasks: [{ title: 'other' }] },
  claim_task: { task: 'web-2' },
  update_task: { task: 'web-3', priority: 'low' },
  record_event: { task: 'web-3', text: 'other' },
  add_artifact: { task: 'web-3', type: 'document', ref: 'other' },
};

async function shownBy(ctx: Context, name: string, input: object): Promise<string> {
  const { text, structured } = await callTool(ctx, toolNamed(name), input);
  return `${text}\n${JSON.stringify(structured)}`;
}

describe('each tool that reads', () => {
  const reading = selectTools(['all']).filter(({ effect, scope }) => effect === 'read' && scope !== 'admin');

  test('is in the matrix', () => {
    expect(Object.keys(READS).sort()).toEqual(reading.map(({ name }) => name).sort());
  });

  test('shows what is of tasks to who may read them, and what is of projects likewise', async ({ as: agent }) => {
    const ctx = agent('ada');
    await fill(ctx);
    const seen = { tasks: new Set<string>(), projects: new Set<string>() };

    for (const [name, input] of Object.entries(READS)) {
      for (const scope of SCOPES) {
        const caller = as(ctx, [scope]);
        if (!mayUse(caller.scopes, toolNamed(name).scope)) {
          await expect(shownBy(caller, name, input)).rejects.toMatchObject({ code: 'insufficient_scope' });
          continue;
        }
        const shown = await shownBy(caller, name, input);
        if (!mayUse(caller.scopes, 'tasks:read')) expect([name, scope, TASK.exec(shown)]).toEqual([name, scope, null]);
        if (!mayUse(caller.scopes, 'projects:read'))
          expect([name, scope, PROJECT.exec(shown)]).toEqual([name, scope, null]);
      }
      const whole = await shownBy(ctx, name, input);
      if (TASK.test(whole)) seen.tasks.add(name);
      if (PROJECT.test(whole)) seen.projects.add(name);
      expect([name, whole.includes('not shown: this token')]).toEqual([name, false]);
    }

    // The tools that show one kind to callers that may read both: without them its absence above would prove nothing.
    const tellingOfBoth = [...seen.tasks].filter((name) => seen.projects.has(name)).sort();
    expect(tellingOfBoth).toEqual(
      [
        'compare_checkpoint',
        'get_checkpoint',
        'get_project',
        'get_state',
        'get_task',
        'list_decisions',
        'list_events',
      ].concat(['resume_project', 'search', 'wait_for_events']),
    );
  });

  test('says in a line what it leaves out', async ({ as: agent }) => {
    const ctx = agent('ada');
    await fill(ctx);
    const [projects, tasks] = [as(ctx, ['projects:read']), as(ctx, ['tasks:read'])];

    for (const name of [
      'search',
      'resume_project',
      'get_project',
      'get_checkpoint',
      'compare_checkpoint',
      'get_state',
    ]) {
      const { text } = await callTool(projects, toolNamed(name), READS[name]);
      expect([name, text.split('\n')]).toEqual([
        name,
        expect.arrayContaining(['tasks are not shown: this token lacks tasks:read']),
      ]);
    }
    for (const name of ['list_events', 'wait_for_events', 'get_task']) {
      const { text } = await callTool(tasks, toolNamed(name), READS[name]);
      expect([name, text]).toEqual([name, expect.stringContaining('are not shown: this token lacks projects:read')]);
    }
  });

  test.for([
    ['search', ['projects:read'], { query: 'taskword', kinds: ['task', 'event'] }, 'tasks:read'],
    ['list_events', ['tasks:read'], { project: 'web', types: ['decision.'] }, 'projects:read'],
  ] as const)(
    'is refused what the scope does not show at all: %s',
    async ([name, scopes, input, scope], { as: agent }) => {
      await fill(agent('ada'));

      await expect(callTool(as(agent('ada'), scopes), toolNamed(name), input)).rejects.toMatchObject({
        code: 'insufficient_scope',
        details: { scope },
      });
    },
  );

  test('shows of the types that were named those that the scope shows', async ({ as: agent }) => {
    await fill(agent('ada'));
    const input = { project: 'web', types: ['project.', 'decision.recorded'] };

    const { structured } = await callTool(as(agent('ada'), ['tasks:read']), toolNamed('list_events'), input);

    expect(structured).toMatchObject({ events: [{ type: 'project.noted' }] });
  });
});

test('no tool that writes shows more than one that reads with its scope', async ({ as: agent }) => {
  const ctx = agent('ada');
  await fill(ctx);

  for (const [name, input] of Object.entries(WRITES)) {
    const { scope } = toolNamed(name);
    const shown = await shownBy(as(ctx, [scope]), name, input);
    const hidden = scope === 'tasks:write' ? PROJECT : TASK;
    expect([name, hidden.exec(shown)]).toEqual([name, null]);
  }
});

describe('what is no tool', () => {
  const complete = (argument: string): Message => ({
    method: 'completion/complete',
    params: { argument: { name: argument } },
  });
  const listen = (...uris: string[]): Message => ({
    method: 'subscriptions/listen',
    params: { notifications: { resourceSubscriptions: uris } },
  });
  const at = (method: string, uri: string): Message => ({ method, params: { uri } });
  const PROJECT_URI = 'cairn://projects/web';
  const TASK_URI = `${PROJECT_URI}/tasks/web-1`;
  const TIMELINE_URI = `${PROJECT_URI}/timeline`;

  test.for<[string, Message, Scope[]]>([
    ['a list of resources', { method: 'resources/list' }, ['projects:read']],
    ['the resource of a project', at('resources/read', PROJECT_URI), ['projects:read']],
    ['the resource of a task', at('resources/read', TASK_URI), ['tasks:read']],
    ['the resource of a timeline', at('resources/read', TIMELINE_URI), ['tasks:read']],
    ['a subscription to a project', at('resources/subscribe', PROJECT_URI), ['projects:read', 'tasks:read']],
    ['a subscription to a task', at('resources/subscribe', TASK_URI), ['tasks:read', 'tasks:read']],
    ['listening to a task', listen(TASK_URI), ['tasks:read', 'tasks:read']],
    ['listening to a project', listen(PROJECT_URI), ['tasks:read', 'projects:read']],
    ['completing a slug', complete('slug'), ['projects:read']],
    ['completing the project of a prompt', complete('project'), ['projects:read']],
    ['completing a ref', complete('ref'), ['tasks:read']],
    ['completing the task of a prompt', complete('task'), ['tasks:read']],
    ['a prompt, which shows no row', { method: 'prompts/get', params: { name: 'start_work' } }, []],
    ['a list of prompts', { method: 'prompts/list' }, []],
    ['a list of templates', { method: 'resources/templates/list' }, []],
  ])('needs the scopes of what it shows: %s', ([, message, scopes]) => {
    expect(requiredScopes(message, TOOLS)).toEqual(scopes);
  });

  test('suggests nothing that the scope does not show', async ({ as: agent }) => {
    await fill(agent('ada'));
    const [projects, tasks] = [as(agent('ada'), ['projects:read']), as(agent('ada'), ['tasks:read'])];

    expect(await suggestRefs(projects, 'project', '')).toEqual(['web']);
    expect(await suggestRefs(tasks, 'task', '')).toContain('web-1');
    expect([await suggestRefs(projects, 'task', ''), await suggestRefs(tasks, 'project', '')]).toEqual([[], []]);
  });
});

test('driving an agent is granted to no program that asks, and shows nothing', () => {
  const allowAdmin = true;

  expect(requestedScopes('agents:run tasks:read', { allowAdmin })).toEqual(['tasks:read']);
  expect(requestedScopes('agents:run', { allowAdmin })).not.toContain('agents:run');
  const used = [...TOOLS].filter(([, scope]) => mayUse(new Set(['agents:run']), scope)).map(([name]) => name);
  expect(used).toEqual(['next_command', 'update_command', 'save_report', 'ask_approval']);
});

test('reporting is granted to who asks for it by name, and is for no tool', () => {
  const allowAdmin = true;

  expect(requestedScopes(undefined, { allowAdmin })).not.toContain('otel:write');
  expect(requestedScopes('otel:write', { allowAdmin })).toEqual(['otel:write']);
  expect([...TOOLS].filter(([, scope]) => mayUse(new Set(['otel:write']), scope))).toEqual([]);
});

describe('taking commands as an agent', () => {
  test('takes no part in sending', async ({ as: agent }) => {
    const call = (scope: 'agents:run' | 'agents:send', name: string, input: object) =>
      callTool(as(agent('ada'), [scope]), toolNamed(name), input);
    await call('agents:run', 'next_command', {});
    await expect(call('agents:send', 'next_command', {})).rejects.toMatchObject({ code: 'insufficient_scope' });
    await expect(call('agents:run', 'stop_agents', {})).rejects.toMatchObject({ code: 'insufficient_scope' });
  });
});

describe('sending commands to agents', () => {
  test('is granted to who asks for it by name, and includes reading', () => {
    const asked = (scopes?: string) => requestedScopes(scopes, { allowAdmin: true });

    expect(asked()).toContain('agents:read');
    expect(asked()).not.toContain('agents:send');
    expect(asked('agents:send')).toEqual(['agents:read', 'agents:send']);
    expect(asked('agents:read tasks:write')).not.toContain('agents:send');
  });

  test('is what changes presets and profiles; reading shows them', async ({ as: agent }) => {
    const [reader, sender] = [as(agent('ada'), ['agents:read']), as(agent('ada'), ['agents:send'])];
    const call = (ctx: Context, name: string, input: object) => callTool(ctx, toolNamed(name), input);
    const writing: [name: string, input: object][] = [
      ['save_preset', { name: 'a', content: 'x' }],
      ['save_profile', { name: 'a' }],
      ['remove_preset', { preset: 'a' }],
      ['remove_profile', { profile: 'a' }],
    ];

    for (const [name, input] of writing) {
      await expect(call(reader, name, input)).rejects.toMatchObject({
        code: 'insufficient_scope',
        details: { scope: 'agents:send' },
      });
      await call(sender, name, input);
    }
    for (const name of ['list_presets', 'list_profiles']) {
      await call(reader, name, {});
      await call(sender, name, {});
    }
  });
});
