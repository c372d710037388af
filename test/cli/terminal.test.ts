import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { frame } from '../../src/cli/tasks/watch.ts';
import { fromNow, table } from '../../src/cli/terminal/table.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { type Agent, connect } from '../support/client.ts';
import { seedDataDir } from '../support/data-dir.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

let home: string;
let flags: string[];
let agent: Agent;

const run = (...args: string[]) => cairnHere([...flags, ...args]);
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout);

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-terminal-'));
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  flags = ['--data-dir', join(home, 'data')];
  await seedDataDir(join(home, 'data'));
  agent = await connect('v1 client', 'test', [...flags, '--agent', 'ada', '--toolsets', 'all']);
  await agent.call('create_project', { slug: 'web', name: 'Web shop' });
  const tasks = [
    { key: 'api', title: 'Write the cart API', acceptance_criteria: ['It answers 201'], priority: 'high' },
    { title: 'Build the checkout page', dependencies: ['api'] },
    { title: 'Fix a typo', priority: 'low', rank: 2, labels: ['docs', 'needs care'] },
  ];
  await agent.call('create_tasks', { project: 'web', tasks });
  await agent.call('claim_task', { task: 'web-1' });
});

afterAll(async () => {
  await agent?.close();
  await run('db', 'stop');
  await rm(home, { recursive: true, force: true });
});

describe('a person sees', () => {
  test('the project at a glance', async () => {
    const { code, stdout } = await run('status');

    expect(code).toBe(0);
    expect(stdout).toMatch(/^Web shop web {2}1 ready, 1 in progress, 1 waiting$/m);
    expect(stdout).toMatch(/^web-1 {2}in progress {2}high {6}Write the cart API {2}ada, 59m left$/m);
    expect(await json('status')).toMatchObject({ project: { slug: 'web' }, ready: [{ ref: 'web-3' }] });
  });

  test('all projects where none is meant', async () => {
    await agent.call('create_project', { slug: 'api', name: 'API' });

    expect((await json('status')).projects).toHaveLength(2);
    expect(await run('tasks')).toMatchObject({ code: 1, stderr: expect.stringContaining('Which project?') });

    await agent.call('archive_project', { project: 'api' });
  });

  test('tasks by status, priority and words', async () => {
    const refs = async (...args: string[]) =>
      (await json('tasks', ...args)).tasks.map(({ ref }: { ref: string }) => ref);

    expect(await refs('--ready')).toEqual(['web-3']);
    expect(await refs('--status', 'in_progress', 'pending')).toHaveLength(3);
    expect(await refs('--priority', 'high')).toEqual(['web-1']);
    expect(await refs('checkout', 'page')).toEqual(['web-2']);
    expect((await run('tasks', '--limit', '1')).stdout).toContain('Only the first 1');
  });

  test('tasks with all of the labels, and labels only where there are any', async () => {
    const { tasks } = await json('tasks', '--label', 'DOCS', 'needs care');
    const [all, unlabelled] = [(await run('tasks')).stdout, (await run('tasks', '--status', 'in_progress')).stdout];

    expect(tasks).toMatchObject([{ ref: 'web-3', labels: ['docs', 'needs care'] }]);
    expect((await json('tasks', '--label', 'docs', 'api')).tasks).toEqual([]);
    expect(all).toMatch(/^REF .* TITLE {2,}LABELS {2,}NOTE$/m);
    expect(all).toMatch(/^web-3 .* Fix a typo {2,}docs, needs care$/m);
    expect(unlabelled).not.toContain('LABELS');
    expect((await run('show', 'web-3')).stdout).toMatch(/^ready {2}low {2}rank 2 {2}#docs {2}#needs care {2}version /m);
  });

  test('what an agent would get next, and nothing when nothing is ready', async () => {
    expect(await json('next')).toMatchObject({ task: { ref: 'web-3' } });

    await agent.call('update_task', { task: 'web-3', status: 'blocked', reason: 'Which typo?' });
    expect((await run('next')).stdout).toBe('Nothing is ready in web: 1 in progress, 1 blocked, 1 waiting.\n');
    await agent.call('update_task', { task: 'web-3', status: 'unblocked' });
  });

  test('one task, what happened to it, and what was written about it', async () => {
    const { stdout } = await run('show', 'web-1');

    expect(stdout).toContain('web-1  Write the cart API');
    expect(stdout).toContain('  1. It answers 201');
    expect(stdout).toContain('Needed by\n  web-2  pending  Build the checkout page');
    expect((await json('log', 'web-1')).events.map(({ type }: { type: string }) => type)).toEqual([
      'task.claimed',
      'task.created',
    ]);
    expect(await json('search', 'checkout', '--kind', 'task')).toMatchObject({ hits: [{ ref: 'web-2' }] });
  });

  test('what an agent is told that resumes', async () => {
    const { text } = await agent.call('resume_project', { project: 'web' });

    const told = (await run('resume')).stdout;
    for (const part of ['web "Web shop"', 'Ready:\n- web-3', 'position']) {
      expect(text).toContain(part);
      expect(told).toContain(part);
    }
  });

  test('a failure as JSON when JSON was asked for', async () => {
    const { code, stdout, stderr } = await run('show', 'web-99', '--json');

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'not_found', hint: expect.any(String) });
  });

  test.each([['tasks', '--status', 'done'], ['log', '--limit', '0'], ['search', 'x', '--kind', 'mail'], ['nothing']])(
    'exit code 2 for %s %s %s',
    async (...args) => {
      expect(await run(...args)).toMatchObject({ code: 2, stdout: '' });
    },
  );
});

describe('completion', () => {
  test.each([
    [['ta'], ['tasks']],
    [['tasks', '--status', 'b'], ['blocked']],
    [
      ['init', '--client', 'claude-'],
      ['claude-code', 'claude-desktop'],
    ],
    [
      ['db', 's'],
      ['status', 'stop'],
    ],
    [['status', '--j'], ['--json']],
  ])('of %j offers %j', async (words, offered) => {
    const { stdout } = await cairnHere(['complete', '--', ...words]);

    const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(':'));
    expect(lines.map((line) => line.split('\t')[0])).toEqual(offered);
  });

  test.each(['bash', 'zsh', 'fish', 'powershell'])('has a script for %s that asks this program', async (shell) => {
    const { code, stdout } = await cairnHere(['completion', shell]);

    expect(code).toBe(0);
    expect(stdout).toContain('cairn complete');
  });
});

describe('watching', () => {
  test('prints each event as it happens, and ends with exit code 0 when told to', async () => {
    const child = spawn(process.execPath, [CLI, ...flags, 'watch', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });

    for (let note = 0; printed === '' && note < 100; note++) {
      await agent.call('record_event', { project: 'web', text: `Note ${note}` });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    child.kill('SIGTERM');
    const [code] = await once(child, 'close');

    expect(JSON.parse(printed.split('\n')[0] ?? '')).toMatchObject({ type: 'project.noted', by: 'ada' });
    if (process.platform !== 'win32') expect(code).toBe(0);
  });

  test.each([3, 8, 24, 60])('fills a terminal of %d rows and never more', (rows) => {
    const event = { seq: 1, id: '1', at: new Date().toISOString(), type: 'task.claimed', by: 'ada', text: 'claimed' };
    const recent = Array.from({ length: 100 }, (_, at) => ({ ...event, seq: 100 - at }));
    const status = () => Array.from({ length: 30 }, (_, at) => `line ${at}`);

    const shown = frame({ status, recent, note: '' }, rows);

    expect(shown).toHaveLength(rows);
    expect(shown[0]).toBe('line 0');
    expect(shown.at(-1)).toBe('q to quit');
    if (rows >= 24) expect(shown.some((line) => line.startsWith('100 '))).toBe(true);
  });
});

describe('a table', () => {
  const columns = [
    { heading: 'REF', text: ({ ref }: Row) => ref },
    { heading: 'TITLE', text: ({ title }: Row) => title, flexible: true as const },
    { heading: 'NOTE', text: ({ note }: Row) => note },
  ];
  type Row = { ref: string; title: string; note: string };

  test('aligns by what a terminal shows, where some characters are wide', () => {
    const rows = [
      { ref: 'a-1', title: '支払い', note: 'x' },
      { ref: 'a-10', title: 'é👩‍👩‍👧', note: 'y' },
    ];

    expect(table(rows, columns)).toEqual(['REF   TITLE   NOTE', 'a-1   支払い  x', 'a-10  é👩‍👩‍👧     y']);
  });

  test('cuts what may be cut to the width of the terminal, and leaves out an empty column', () => {
    const lines = table([{ ref: 'a-1', title: 'A title that is longer than that', note: '' }], columns, 24);

    expect(lines).toEqual(['REF  TITLE', 'a-1  A title that is lo…']);
  });
});

test.each([
  [-500, 'now'],
  [-59_000, '59s ago'],
  [-61_000, '1m ago'],
  [7_200_000, 'in 2h'],
  [-172_800_000, '2d ago'],
])('%d milliseconds from now are told as %s', (distance, told) => {
  const now = Date.now();

  expect(fromNow(new Date(now + distance).toISOString(), now)).toBe(told);
});
