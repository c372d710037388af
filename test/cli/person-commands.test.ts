import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cairn } from '../support/cairn.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
});
afterAll(() => world.close());

const run: PersonWorld['run'] = (args, given) => world.run(args, given);
const json: PersonWorld['json'] = (...args) => world.json(...args);

describe('a project', () => {
  test('is bound to the repository by its root, and keeps what else is said there', async () => {
    const file = join(world.repository, '.cairn.json');
    await writeFile(file, '{\n  "note": "ours",\n  "project": "other"\n}\n');

    expect((await run(['use', 'web'])).stdout).toContain('says web');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ note: 'ours', project: 'web' });
    expect((await cairn([...world.flags, 'use'], { cwd: join(world.repository, 'src') })).stdout).toContain(
      'web, from ',
    );
    expect(await run(['use', 'nope'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`cairn project list`'),
    });
  });

  test('is created, changed, archived and taken back', async () => {
    await run(['project', 'create', 'api', '--description', 'Node.js']);
    await run(['project', 'edit', 'api', '--name', 'API', '--description', 'Node.js 22']);
    expect((await json('project', 'list')).projects).toMatchObject([{ slug: 'api', name: 'API' }, { slug: 'web' }]);

    await run(['project', 'archive', 'api', '--reason', 'Sold.']);
    expect((await json('project', 'list')).projects).toHaveLength(1);
    expect((await json('project', 'list', '--all')).projects).toHaveLength(2);

    await run(['project', 'unarchive', 'api']);
    expect((await json('project', 'list')).projects).toHaveLength(2);
    await run(['project', 'archive', 'api']);
  });
});

describe('tasks', () => {
  test('are added one by one, or one for each line of standard input', async () => {
    expect((await run(['add', 'Connect', 'the', 'provider', '--criterion', 'Tests pass'])).stdout).toBe(
      'Added web-1 "Connect the provider" (ready).\n',
    );
    const { stdout } = await run(['add', '--after', '1', '--priority', 'high', '--json'], {
      input: '- [ ] Build the page\n\n* Écrire la doc\n3. Опубликовать\n',
    });

    expect(JSON.parse(stdout).tasks).toMatchObject([
      { ref: 'web-2', title: 'Build the page', priority: 'high', ready: false },
      { ref: 'web-3', title: 'Écrire la doc', open_dependencies: 1 },
      { ref: 'web-4', title: 'Опубликовать' },
    ]);
    expect(await run(['add'])).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no title.') });
    expect(await run(['add'], { input: 'x\n'.repeat(51) })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cairn import'),
    });
  });

  test('are written in an editor', async () => {
    const editor = join(world.home, 'editor.mjs');
    await writeFile(
      editor,
      `import { readFileSync, writeFileSync } from 'node:fs';
       const file = process.argv.at(-1);
       writeFileSync(file, readFileSync(file, 'utf8').replace('# ', '# Draw the icons').replace('## Acceptance criteria\\n', 'In SVG.\\n\\n## Acceptance criteria\\n- They scale\\n'));`,
    );
    const env = { VISUAL: `"${process.execPath}" "${editor}"` };

    expect(await run(['add', '--edit'], { env })).toMatchObject({ stdout: 'Added web-5 "Draw the icons" (ready).\n' });
    expect(await json('show', '5')).toMatchObject({ description: 'In SVG.', acceptance_criteria: ['They scale'] });
    expect(await run(['add', '--edit'], { env: { VISUAL: 'false' } })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing was changed'),
    });
  });

  test('are changed', async () => {
    await run(['edit', 'web5', '--title', 'Draw icons', '--priority', 'low', '--parent', '1', '--after', '1']);
    expect(await json('show', 'web-5')).toMatchObject({ title: 'Draw icons', priority: 'low', parent: 'web-1' });

    await run(['edit', '#5', '--no-parent', '--not-after', 'web-1']);
    const task = await json('show', 'WEB-5');
    expect(task).toMatchObject({ ref: 'web-5', ready: true, dependencies: [] });
    expect(task).not.toHaveProperty('parent');
    expect(await run(['edit', '5'])).toMatchObject({ code: 2, stderr: expect.stringContaining('cairn edit --help') });
  });

  test('carry labels and a rank, which claims obey', async () => {
    await run(['edit', '5', '--label', 'Design', '--label', 'ui', '--rank', '2', '--priority', 'high']);
    await run(['add', 'First', '--label', 'ui', '--rank', '1', '--priority', 'high']);
    expect(await json('next')).toMatchObject({ task: { ref: 'web-6', labels: ['ui'], rank: 1 } });
    expect((await json('tasks', '--label', 'design', 'UI')).tasks).toMatchObject([{ ref: 'web-5' }]);
    expect((await run(['tasks'])).stdout).toMatch(/web-6 +ready +high +1 +First/);
    expect(await run(['claim', '--label', 'none'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('Nothing to claim'),
    });
    expect((await run(['claim', '--label', 'design'])).stdout).toContain('web-5 is yours');
    await run(['release', '5', '--reason', 'Later.']);

    expect(await run(['edit', '5', '--not-label', 'nosuch'])).toMatchObject({ code: 1, stdout: '' });
    expect(await run(['edit', '5', '--label', 'a', '--not-label', 'A'])).toMatchObject({ code: 2, stdout: '' });
    await run(['edit', '5', '--not-label', 'DESIGN', '--no-rank', '--priority', 'low']);
    const task = await json('show', '5');
    expect(task.labels).toEqual(['ui']);
    expect(task).not.toHaveProperty('rank');
    expect(await run(['edit', '5', '--rank', ''])).toMatchObject({ code: 2 });
    await run(['cancel', '6', '--reason', 'A test.']);
  });

  test('are claimed, released and closed by the person, without tokens', async () => {
    expect((await run(['claim', '1', '--for', '2h'])).stdout).toContain('web-1 is yours');
    expect((await world.agent.call('claim_task', { task: 'web-1' })).text).toContain('lock_held');
    expect(await run(['claim', '1', '--for', '3w'])).toMatchObject({ code: 2 });
    expect(await run(['release', '1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') });
    await run(['release', '1', '--reason', 'The provider answers tomorrow.']);
    expect(await json('show', '1')).toMatchObject({ status: 'pending', last_reason: 'The provider answers tomorrow.' });
  });

  test('are closed with what shows their criteria, or given back', async () => {
    const refused = await run(['close', '1', '--summary', 'Merged.']);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(await json('show', '1')).toMatchObject({ status: 'pending' });

    const { stdout } = await run(['close', '1', '--summary', 'Merged.', '--evidence', '1: npm test: 48 passed']);

    expect(await run(['close', '1', '2', '--evidence', 'x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('for several tasks'),
    });
    expect(stdout).toBe('Closed web-1 "Connect the provider".\nReady now: web-2, web-3, web-4.\n');
    expect(await json('show', '1')).toMatchObject({ evidence: [{ criterion: 1, note: 'npm test: 48 passed' }] });
  });

  test('of an agent that is gone are given back by an owner', async () => {
    await world.agent.call('claim_task', { task: 'web-2' });

    expect((await run(['release', '2', '--failed', '--reason', 'It was killed.'])).stdout).toBe(
      'Released web-2 "Build the page" (ready).\nGiven up once.\n',
    );
  });

  test('are blocked, unblocked, cancelled and reopened, several at once', async () => {
    expect((await run(['block', '2', '3', '--reason', 'The contract.'])).stdout).toBe(
      'Blocked web-2 "Build the page".\nBlocked web-3 "Écrire la doc".\n',
    );
    expect((await json('status')).blocked).toHaveLength(2);
    expect(await run(['unblock', '2', '3'])).toMatchObject({ code: 0 });
    expect(await json('cancel', '3', '--reason', 'Nobody reads it.')).toMatchObject({ task: { status: 'cancelled' } });
    expect((await run(['reopen', '3', '--reason', 'They do.'])).stdout).toBe(
      'Reopened web-3 "Écrire la doc" (ready).\n',
    );
  });

  test('get notes and artifacts', async () => {
    expect((await run(['note', '2', 'Behind a flag.'])).stdout).toMatch(/^Noted #\d+ \(note\) on web-2\.\n$/);
    expect((await run(['note', '--kind', 'risk'], { input: 'The deploy\nis slow.\n' })).stdout).toContain(
      '(risk) on web.',
    );
    await run(['attach', '2', 'pr', 'https://example.com/7', '--summary', 'The page']);
    expect((await json('show', '2')).artifacts).toMatchObject([{ type: 'pr', ref: 'https://example.com/7' }]);
    expect(await run(['note'], { input: ' \n' })).toMatchObject({ code: 2 });
  });
});

describe('a question of an agent', () => {
  const ask = async (task: string, text: string) =>
    ((await world.agent.call('record_event', { task, kind: 'question', text })).data as { seq: number }).seq;

  test('is what the status begins with, and is answered by its number or by its task', async () => {
    const first = await ask('web-2', 'Which colour?');
    const second = await ask('web-3', 'Which language?');

    const lines = (await run(['status'])).stdout.split('\n');
    expect(lines.slice(1, 4)).toEqual(['', 'Needs you', expect.stringMatching(/^WHAT +TASK +WHO +WHY$/)]);
    expect(lines[4]).toContain(`question ${second}`);
    expect(await run(['answer'])).toMatchObject({ code: 1, stderr: expect.stringContaining(`${second}, ${first}`) });

    expect((await run(['answer', String(first), 'Blue.'])).stdout).toBe(`Answered #${first} on web-2.\n`);
    expect((await run(['answer', 'web-3'], { input: 'French.' })).stdout).toBe(`Answered #${second} on web-3.\n`);
    expect((await run(['status'])).stdout).not.toContain('Needs you');
    expect(await run(['answer', String(first + 10_000), 'x'])).toMatchObject({ code: 1 });
    expect(await run(['answer', '1', 'x'])).toMatchObject({ stderr: expect.stringContaining('no question') });
  });
});

describe('lists', () => {
  test('show what is open and say how many more there are', async () => {
    await run(['add'], { input: Array.from({ length: 30 }, (_, at) => `More ${at}`).join('\n') });

    expect((await json('tasks')).tasks.map(({ status }: { status: string }) => status)).not.toContain('completed');
    expect((await run(['tasks'])).stdout).toMatch(/… and \d+ more completed or cancelled: cairn tasks --all/);
    expect((await run(['tasks', 'page'])).stdout).not.toContain('more completed');
    expect((await json('tasks', '--all')).tasks.map(({ status }: { status: string }) => status)).toContain('completed');
    expect((await run(['status'])).stdout).toMatch(/… and \d+ more: cairn tasks --ready/);
    expect((await run(['log', '--limit', '3'])).stdout).toContain('Only the latest 3; --limit shows more.');
  });

  test('end quietly when nobody reads on', async () => {
    const cli = join(process.cwd(), 'dist', 'cli.js');
    // More than a pipe holds.
    const tasks = Array.from({ length: 50 }, (_, at) => ({ title: `${at} ${'long '.repeat(50)}` }));
    for (let turn = 0; turn < 8; turn += 1) await world.agent.call('create_tasks', { project: 'web', tasks });
    const script = `"${process.execPath}" "${cli}" ${world.flags.map((flag) => `"${flag}"`).join(' ')} tasks --limit 900 --json | head -1; exit \${PIPESTATUS[0]}`;

    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], { cwd: world.repository });

    expect({ stdout, stderr }).toEqual({ stdout: '{\n', stderr: '' });
  });
});

test('a command that was mistyped is answered with the one that was meant', async () => {
  expect(await run(['statsu'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean status?') });
  expect(await run(['project', 'lst'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Did you mean list?'),
  });
  expect(await run(['xyzzy'])).toMatchObject({ code: 2, stderr: expect.stringContaining('cairn --help') });
});

test('a database that is away is named with the reason', async () => {
  const { stderr } = await cairn(['--database-url', 'postgres://nobody@127.0.0.1:1/none', 'tasks', '--project', 'web']);

  expect(stderr).toContain('The database is not available: connect ECONNREFUSED 127.0.0.1:1');
  expect(stderr).not.toContain('idempotency_key');
});
