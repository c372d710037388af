import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPersonWorld, type PersonWorld } from './support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
  const tasks = ['Connect the provider', 'Build the page', 'Write the docs'].map((title) => ({ title }));
  await world.agent.call('create_tasks', { project: 'web', tasks });
});
afterAll(() => world.close());

const run: PersonWorld['run'] = (args, given) => world.run(args, given);
const json: PersonWorld['json'] = (...args) => world.json(...args);

test('a file that binds what is above a repository is left alone', async () => {
  const above = join(world.home, '.cairn.json');
  const inner = join(world.repository, '.cairn.json');
  const kept = await readFile(inner, 'utf8');
  await rm(inner);
  await writeFile(above, '{ "project": "above" }');

  expect((await run(['use', 'web'])).stdout).toContain(`${inner} says web`);
  expect(await readFile(above, 'utf8')).toBe('{ "project": "above" }');

  await rm(above);
  await writeFile(inner, kept);
});

test('tasks from standard input lose no part of their titles, and what is done is left out', async () => {
  const { stdout, stderr } = await run(['add', '--json'], {
    input: '3.12 support\n2) Two\n-Werror fails\n*.ts are ignored\n- [x] Done\n- [ ] Open\n',
  });
  const { tasks } = JSON.parse(stdout);

  expect(tasks.map(({ title }: { title: string }) => title)).toEqual([
    '3.12 support',
    'Two',
    '-Werror fails',
    '*.ts are ignored',
    'Open',
  ]);
  expect(stderr).toBe('! 1 that are done were left out.\n');
  expect(await run(['add', ''], { input: 'x' })).toMatchObject({ code: 1, stdout: '' });
  await run(['cancel', ...tasks.map(({ ref }: { ref: string }) => ref), '--reason', 'A test.']);
});

test('several tasks of which one refuses do not keep the others', async () => {
  const ran = await run(['block', '2', '99', '3', '--reason', 'The contract.']);
  expect(ran).toMatchObject({
    code: 1,
    stdout: 'Blocked web-2 "Build the page".\nBlocked web-3 "Write the docs".\n',
    stderr: expect.stringContaining('There is no task web-99'),
  });
  const { code, stdout } = await run(['unblock', '2', '99', '3', '--json']);
  expect([code, JSON.parse(stdout)]).toMatchObject([
    1,
    [{ task: { ref: 'web-2' } }, { task: '99', error: { code: 'not_found' } }, { task: { ref: 'web-3' } }],
  ]);
});

test('tasks that one holds are listed', async () => {
  await run(['claim', '2']);
  expect((await json('tasks', '--mine')).tasks).toMatchObject([{ ref: 'web-2' }]);
  await run(['release', '2', '--reason', 'Later.']);
});

test('tasks get evidence by number or for the next criterion', async () => {
  await run(['add', 'Prove', '--criterion', 'A', '--criterion', 'B', '--criterion', 'C', '--label', 'proof']);
  const [{ ref }] = (await json('tasks', '--label', 'proof')).tasks;
  await run(['close', ref, '--evidence', '2: b', '--evidence', '10:30 the nightly run passed', '--evidence', 'c']);
  expect((await json('show', ref)).evidence).toMatchObject([
    { criterion: 2, note: 'b' },
    { criterion: 1, note: '10:30 the nightly run passed' },
    { criterion: 3, note: 'c' },
  ]);
});

test('tasks are named by the first word of a note, where it names one', async () => {
  const about = async (...words: string[]) => (await json('note', ...words)).about;
  expect(await about('web2', 'Behind a flag.')).toBe('web-2');
  expect(await about('2', 'Behind a flag.')).toBe('web-2');
  expect(await about('2', 'tests', 'fail')).toBe('web');
  expect(await about('utf-8', 'everywhere')).toBe('web');
  expect(await about('2', 'tests', 'fail', '--task', '3')).toBe('web-3');
  expect(await run(['note', 'web-99', 'x'])).toMatchObject({ code: 1 });
});

test('evidence is for one task', async () => {
  expect(await run(['close', '1', '2', '--evidence', 'x'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('for several tasks'),
  });
});

test('what a list leaves out is said where it is not filtered', async () => {
  await run(['close', '3']);
  expect((await run(['tasks'])).stdout).toMatch(/… and \d+ more completed or cancelled: cairn tasks --all/);
  expect((await run(['tasks', 'page'])).stdout).not.toContain('more completed');
});
