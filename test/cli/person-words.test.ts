import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../support/client.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
  await world.run(['add'], { input: 'Connect the provider\nBuild the page\n' });
});
afterAll(() => world.close());

const run = (...args: string[]) => world.run(args);
const json: PersonWorld['json'] = (...args) => world.json(...args);

describe('a word of other programs', () => {
  test.each([
    ['done 1', 'close'],
    ['complete 1', 'close'],
    ['new x', 'add'],
    ['delete 1', 'cancel'],
    ['rm 1', 'cancel'],
    ['start 1', 'claim'],
    ['list', 'tasks'],
    ['ls', 'tasks'],
    ['comment 1 x', 'note'],
    ['version', 'cairn --version'],
    ['project new x', 'create'],
    ['project delete x', 'archive'],
    ['help done', 'close'],
  ])('cairn %s is answered with %s', async (line, meant) => {
    expect(await run(...line.split(' '))).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`Did you mean ${meant}?`),
    });
  });

  test('is completed by the shell, which asks in its own way', async () => {
    expect((await run('complete', '--', 'clo')).stdout).toMatch(/^close\t.*\n:4\n$/);
    const all = (await run('complete', '--', '')).stdout.split('\n').map((line) => line.split('\t')[0]);
    expect(all).toEqual(
      expect.arrayContaining('agent agents send queue commands runs stop output presets approvals'.split(' ')),
    );
    expect((await run('help')).stdout).not.toMatch(/^ +complete /m);
  });
});

test('help is a command as well', async () => {
  expect(await run('help')).toEqual(await run('--help'));
  expect(await run('help', 'show')).toEqual(await run('show', '--help'));
  expect(await run('help', 'project', 'create')).toEqual(await run('project', 'create', '--help'));
});

describe('what is typed wrong', () => {
  test.each([
    ['show', '1', '2'],
    ['status', 'web'],
    ['cancel', '1'],
    ['release', '1'],
    ['add', ''],
    ['add', 'x', '--label', ''],
    ['edit', '1'],
    ['attach', '1', 'nope', 'https://example.com'],
    ['attach', '1', 'pr', ''],
    ['close', '1', '2', '--evidence', 'x'],
    ['note', '1', ''],
    ['tasks', '--status', 'ready'],
  ])('ends with 2: %s %s %s', async (...args) => {
    expect(await run(...args.filter((word) => word !== undefined))).toMatchObject({ code: 2, stdout: '' });
  });

  test('is told apart from what is refused', async () => {
    expect(await run('show', '99')).toMatchObject({ code: 1 });
    expect(await run('cancel', '98', '99', '--reason', 'x')).toMatchObject({ code: 1 });
  });

  test('is answered with the option that is meant', async () => {
    expect((await run('tasks', '--status', 'ready')).stderr).toContain('--ready lists what can be claimed now.');
    expect((await run('attach', '1', 'pr', '')).stderr).toContain('The link must not be empty.');
    await run('project', 'create', 'api');
    const elsewhere = await world.run(['add', 'x'], { cwd: world.home });
    expect(elsewhere).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/`--project (web|api)`, or (web|api)\./),
    });
    const circle = await run('edit', '1', '--parent', '1');
    expect(circle.stderr).toContain('`--no-parent` for none');
  });

  test('leaves no empty line where nothing can be done', async () => {
    expect(await run('project', 'unarchive', 'web')).toMatchObject({ stderr: expect.stringMatching(/^cairn: .+\n$/) });
  });
});

test('an agent whose session is bound to a project names a task by its number, too', async () => {
  const bound = await connect('v1 client', 'test', [...world.flags, '--agent', 'eve', '--project', 'web']);
  for (const task of [2, '2', '#2']) {
    expect((await bound.call('get_task', { task })).data).toMatchObject({ ref: 'web-2' });
  }
  await bound.close();
  expect((await world.agent.call('get_task', { task: '2' })).isError).toBe(true);
});

describe('closing what cannot be closed', () => {
  test('changes nothing, and is told in commands', async () => {
    const [{ ref }] = (await json('add', 'Prove', '--criterion', 'It refunds')).tasks;
    const { version } = await json('show', ref);

    const refused = await run('close', ref);

    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('for criterion 1: "It refunds"');
    expect(refused.stderr).toContain('--evidence "1: …"');
    expect(await json('show', ref)).toMatchObject({ version });
    expect(await json('close', ref, '--evidence', 'R-17')).toMatchObject({ task: { status: 'completed' } });

    expect(await run('close', ref)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`\`cairn reopen ${ref}\``),
    });
    await run('reopen', ref, '--reason', 'A test.');
    expect(await run('close', ref)).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot complete yet') });
    await run('block', ref, '--reason', 'The contract.');
    const blocked = await run('close', ref);
    expect(blocked).toMatchObject({ code: 1, stderr: expect.stringContaining(`\`cairn unblock ${ref}\``) });
    expect(blocked.stderr).toContain('The reason: The contract.');
  });

  test('is refused with what other gates ask for', async () => {
    const { project } = (await world.agent.call('get_project', { project: 'web' })).data as {
      project: { version: number };
    };
    const rules = { gates: [{ on: 'complete', require: { approval: true, artifacts: ['pr'], decision: true } }] };
    await world.agent.call('update_project', { project: 'web', expected_version: project.version, rules });
    const { version } = await json('show', '1');

    const { stderr } = await run('close', '1');
    expect(stderr).toContain('`cairn attach web-1 pr LINK`');
    expect(stderr).toContain('`cairn approve web-1`');
    expect(await json('show', '1')).toMatchObject({ version });

    await run('attach', '1', 'pr', 'https://example.com/7');
    await world.run(['approve', '1'], { isTyped: true });
    expect((await run('close', '1')).stderr).toContain('a decision for this task');
    expect(await json('show', '1')).toMatchObject({ status: 'pending', version: version + 1 });
  });
});
