import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cairn } from '../support/cairn.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

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
    input: `# Sprint 12\n\n3.12 support\n2) Two\n-Werror fails\n*.ts are ignored\n---\n#12 fails
- [x] Done\n- [-] Dropped\n- [ ] Open\n`,
  });
  const { tasks } = JSON.parse(stdout);

  expect(tasks.map(({ title }: { title: string }) => title)).toEqual([
    '3.12 support',
    'Two',
    '-Werror fails',
    '*.ts are ignored',
    '#12 fails',
    'Open',
  ]);
  expect(stderr).toBe('! Left out 2 items marked as ended.\n! Left out 2 headings.\n');
  expect(await run(['add', ''], { input: 'x' })).toMatchObject({ code: 2, stdout: '' });
  await run(['cancel', ...tasks.map(({ ref }: { ref: string }) => ref), '--reason', 'A test.']);
});

test('a title from standard input that is too long is named by its line, and nothing is added', async () => {
  const { code, stdout, stderr } = await run(['add'], { input: `Short\n\n${'x'.repeat(301)}\n` });

  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain('The title in line 3 must be at most 300 characters long.');
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
    code: 2,
    stderr: expect.stringContaining('for several tasks'),
  });
});

test('what a list leaves out is said where it is not filtered', async () => {
  await run(['close', '3']);
  expect((await run(['tasks'])).stdout).toMatch(/… and \d+ more completed or cancelled: cairn tasks --all/);
  expect((await run(['tasks', 'page'])).stdout).not.toContain('more completed');
});

test('what is not taken is said in the words of the command line', async () => {
  const said = async (...args: string[]) => (await run(args)).stderr.split('\n')[0];
  expect(await said('add', 'x'.repeat(301))).toBe('cairn: The title must be at most 300 characters long.');
  expect(await said('add', 'x', '--label', 'y'.repeat(51))).toMatch(/^cairn: --label must be /);
  expect(await said('tasks', 'x'.repeat(201))).toMatch(/^cairn: The query must be at most 200 characters long\.$/);
});

test('what is typed wrong is JSON for who asked for it', async () => {
  const wrong = ['nope', 'show', 'claim 1 --for 25h', 'tasks --limit 0', 'add x --prio y'];
  for (const line of wrong) {
    const { code, stdout, stderr } = await run([...line.split(' '), '--json']);
    expect([code, stdout, JSON.parse(stderr).error.code], line).toEqual([2, '', 'invalid_input']);
  }
  expect((await run(['clsoe', '3', '--json'])).stderr).toContain('Did you mean close?');
  expect(await run(['--bogus'])).toMatchObject({ code: 2, stderr: expect.stringContaining('no option --bogus') });
});

test('people who add to one task at once all do', async () => {
  const edit = (label: string) => cairn([...world.flags, 'edit', '2', '--label', label], { cwd: world.repository });
  await Promise.all(['l1', 'l2', 'l3'].map(edit));

  expect((await json('show', '2')).labels.toSorted()).toEqual(['l1', 'l2', 'l3']);
});

test.skipIf(process.platform !== 'linux')('an answer that cannot be written is a failure of one line', async () => {
  const command = [process.execPath, join(process.cwd(), 'dist', 'cli.js'), ...world.flags, 'tasks', '--json'];
  const script = `${command.map((word) => `'${word}'`).join(' ')} > /dev/full`;
  const ran = promisify(execFile)('bash', ['-c', script], { cwd: world.repository });

  await expect(ran).rejects.toMatchObject({ code: 1, stderr: 'cairn: The answer cannot be written (ENOSPC).\n' });
});

test.skipIf(process.platform === 'win32')('a transcript that is a pipe keeps no hook', async () => {
  const pipe = join(world.home, 'pipe');
  await promisify(execFile)('mkfifo', [pipe]);
  const input = JSON.stringify({ session_id: 'abcd', transcript_path: pipe });

  const ended = await cairn([...world.flags, 'hook', 'stop'], { cwd: world.repository, input });
  expect(ended).toMatchObject({ code: 0 });
});
