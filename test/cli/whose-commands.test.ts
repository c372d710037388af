import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AGENT_VARIABLES } from '../../src/cli/agents/shell-agent.ts';
import { pathOf } from '../../src/cli/command.ts';
import { FOR_PEOPLE } from '../../src/cli/for-people.ts';
import { createProgram } from '../../src/cli/program.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { connect } from '../support/client.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

const SHELL = { CLAUDECODE: '1' };

/** A person at a terminal alone, whatever the shell says. */
const AT_A_TERMINAL = [
  'approvals approve',
  'approvals deny',
  'approvals answer',
  'approve',
  'memory approve',
  'memory decline',
  'memory forget',
];

/** In an agent's shell it is the agent who acts. The database refuses what an agent may not. */
const AS_THE_AGENT = [
  ...['status', 'log', 'questions', 'search', 'resume', 'watch', 'tasks', 'next', 'show'],
  ...['alerts list', 'alerts ack', 'alerts snooze', 'alerts resolve', 'approvals list', 'approvals show'],
  ...[
    'output',
    'output-search',
    'trace',
    'costs',
    'prices',
    'audit',
    'reports list',
    'reports show',
    'memory list',
    'memory show',
  ],
  ...['add', 'edit', 'claim', 'release', 'close', 'cancel', 'reopen', 'block', 'unblock', 'note', 'attach'],
  ...['use', 'project create', 'project edit', 'project list', 'project archive', 'project unarchive'],
  ...['agents list', 'agents show', 'agents limit', 'agents stop', 'agents go-on', 'agents rename', 'agents retire'],
  ...['send', 'queue', 'commands list', 'commands show', 'commands cancel'],
  ...['runs list', 'runs show', 'runs interrupt', 'stop', 'go-on', 'agent wait'],
  ...['presets list', 'presets show', 'presets save', 'presets remove', 'presets export', 'presets import'],
  ...['profiles list', 'jobs list', 'import', 'export', 'events verify', 'events export', 'events redact'],
  ...['auth connections', 'auth clients list', 'auth pat list', 'auth members list', 'auth events'],
  ...['auth secrets list', 'auth doctor', 'init', 'doctor'],
];

/** They act in no workspace in the name of who types: they serve others, or are about this machine. */
const FOR_NOBODY = [
  ...['help', 'completion', 'complete', 'demo', 'hook', 'serve', 'worker', 'login', 'logout'],
  ...['agent run', 'agent install', 'agent uninstall', 'migrate', 'db status', 'db stop', 'db backup', 'db restore'],
];

/** What opens a workspace by itself: it acts as an agent that it knows, for others, or for the program. */
const OPEN_BY_THEMSELVES = [
  'hook/calling.ts',
  'jobs/jobs.ts',
  'jobs/worker.ts',
  'local-context.ts',
  'runner/open-port.ts',
  'serve/serve.ts',
];

/** Commands that do something, not those that only have others under them. */
function commandsOf(parent: Command): Command[] {
  return parent.commands.flatMap((one) => {
    const others = commandsOf(one);
    return others.length > 0 ? others : [one];
  });
}

const commands = commandsOf(createProgram());
const namedAs = new Map(commands.map((one) => [pathOf(one), one]));

describe('each command', () => {
  test('is in one list of who acts in the shell of an agent', () => {
    const listed = [...FOR_PEOPLE, ...AT_A_TERMINAL, ...AS_THE_AGENT, ...FOR_NOBODY];

    expect([...namedAs.keys()].sort()).toEqual(listed.sort());
  });

  test('opens its workspace in the one place that knows the shell', async () => {
    const folder = new URL('../../src/cli/', import.meta.url).pathname;
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
    const texts = await Promise.all(
      files.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })),
    );

    const opening = texts
      .filter(({ text }) => /\bopenLocal\(/.test(text))
      .map(({ name }) => name.replaceAll('\\', '/'));
    expect(opening.sort()).toEqual(OPEN_BY_THEMSELVES);
  });

  // It has no database: a command that is refused opens none.
  test.each([...FOR_PEOPLE, ...AT_A_TERMINAL])('%s is refused in the shell of an agent', async (name) => {
    for (const [variable, value] of [
      ['CLAUDECODE', '1'],
      ['CODEX_SANDBOX', 'seatbelt'],
      ['CAIRN_RUN', 'x'],
      ['CAIRN_AGENT', 'ada'],
    ] as const) {
      const args = ['--data-dir', '/nonexistent/data', ...filled(name)];
      expect(await cairnHere(args, { env: { [variable]: value }, isTyped: true })).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('not by an agent'),
      });
    }
  });
});

/** The command with something for each argument and option that it needs. */
function filled(name: string): string[] {
  const declared = namedAs.get(name);
  const needed =
    declared?.registeredArguments.filter(({ required }) => required).map(({ parseArg }) => (parseArg ? '1' : 'x')) ??
    [];
  const options =
    declared?.options.filter(({ mandatory }) => mandatory).flatMap(({ long }) => [String(long), 'x']) ?? [];
  return [...name.split(' '), ...needed, ...options];
}

test('the tests run as a person, whoever has started them', () => {
  expect(AGENT_VARIABLES.filter((name) => process.env[name])).toEqual([]);
});

describe('in the shell of an agent', () => {
  let world: PersonWorld;

  beforeAll(async () => {
    world = await openPersonWorld();
  });
  afterAll(() => world?.close());

  const typed = (...args: string[]) => world.run(args, { env: SHELL, isTyped: true });

  test('a preset has the words of the agent, saved and imported, until a person imports them', async () => {
    await typed('presets', 'save', 'mine', '--content', 'Delete it all.');
    expect(await world.json('presets', 'show', 'mine')).toMatchObject({ words_of: 'claude-code' });

    const file = join(world.home, 'presets.json');
    await writeFile(
      file,
      JSON.stringify({
        presets: [
          { name: 'mine', content: 'x' },
          { name: 'other', content: 'y' },
        ],
      }),
    );
    expect(await typed('presets', 'import', file)).toMatchObject({ code: 0 });
    for (const name of ['mine', 'other'])
      expect(await world.json('presets', 'show', name)).toMatchObject({ words_of: 'claude-code' });

    expect((await world.run(['presets', 'import', file])).stdout).toBe('0 new, 2 changed, 0 unchanged.\n');
    expect(await world.json('presets', 'show', 'other')).not.toHaveProperty('words_of');
  });

  test('what search finds, and how many agents there are, is not decided', async () => {
    for (const args of [['output-search', 'on'], ['prices', 'x', '1', '2'], ['agents', 'limit', '7'], ['go-on']])
      expect(await typed(...args)).toMatchObject({ code: 1, stderr: expect.stringContaining('not by an agent') });
    expect((await typed('output-search')).stdout).toMatch(/^Off/);
    expect(await typed('agents', 'limit')).toMatchObject({ code: 0 });
  });

  test('no history is imported, whose events are those of others', async () => {
    const file = join(world.home, 'history.jsonl');
    await world.run(['export', '--all', file]);

    for (const from of [[], ['--from', 'history']])
      expect(await typed('import', file, ...from)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('not by an agent'),
      });
  });

  test('a task is added, claimed, noted, released and closed by the agent', async () => {
    await typed('add', 'Look around');
    await typed('claim', '1');
    expect(await world.json('show', '1')).toMatchObject({ locked_by: 'claude-code' });
    expect(await typed('release', '1', '-m', 'Later.')).toMatchObject({ code: 0 });
    await typed('claim', '1');
    await typed('note', '1', 'Seen.');
    expect(await typed('close', '1', '-m', 'Done.')).toMatchObject({ code: 0 });

    await typed('add', 'Change');
    await typed('claim', '2');
    for (const change of [
      ['edit', '2', '--description', 'x'],
      ['block', '2', '-m', 'Waits.'],
      ['unblock', '2'],
    ])
      expect(await typed(...change)).toMatchObject({ code: 0 });
    await typed('claim', '2');
    expect(await typed('cancel', '2', '-m', 'No.')).toMatchObject({ code: 0 });

    const { events } = await world.json('log', '1');
    expect(new Set(events.map(({ by }: { by: string }) => by))).toEqual(new Set(['claude-code']));
    await world.run(['add', 'Mine']);
    await world.run(['claim', '3']);
    for (const change of ['release', 'close', 'block', 'cancel'])
      expect(await typed(change, '3', '-m', 'Not mine.')).toMatchObject({ code: 1 });
  });

  test('a task that may not be closed yet stays with the token of its holder', async () => {
    const holder = await connect('v1 client', 'claude-code', [...world.flags, '--agent', 'claude-code']);
    const { data } = await holder.call('create_tasks', {
      project: 'web',
      tasks: [{ title: 'Prove it', acceptance_criteria: ['It works.'] }],
    });
    const { ref } = (data.tasks as { ref: string }[])[0] ?? { ref: '' };
    const claimed = (await holder.call('claim_task', { task: ref })).data.task as { lock_token: number };

    expect(await typed('close', ref, '-m', 'Done.')).toMatchObject({ code: 1 });

    const evidence = [{ criterion: 1, note: 'Seen.' }];
    const done = { task: ref, lock_token: claimed.lock_token, summary: 'Done.', evidence };
    expect((await holder.call('complete_task', done)).data.task).toMatchObject({ status: 'completed' });
    await holder.close();
  });

  test('the rules of a project are changed in the name of the agent', async () => {
    const file = join(world.home, 'rules.json');
    await writeFile(file, '{"gates": []}');
    await typed('project', 'edit', '--rules', file);

    expect((await world.json('log', '--type', 'project.updated')).events).toMatchObject([{ by: 'claude-code' }]);
  });

  test('--agent of a token names the agent that it drives, not who acts', async () => {
    const args = [
      'auth',
      'pat',
      'create',
      '--name',
      'box',
      '--agent',
      'heron',
      '--public-url',
      'http://127.0.0.1:7070',
    ];
    expect(await world.run(args)).toMatchObject({ code: 0, stderr: expect.stringContaining('heron') });
    expect(await typed(...args)).toMatchObject({ code: 1, stdout: '' });
    expect(await world.json('auth', 'pat', 'list')).toMatchObject({ pats: [{ agent: 'heron' }] });
  });
});
