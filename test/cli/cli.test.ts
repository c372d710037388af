import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cairn } from '../support/cairn.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { type Agent, connect } from '../support/client.ts';
import { seedDataDir } from '../support/data-dir.ts';

let home: string;
let flags: string[];
let agent: Agent;

beforeAll(async () => {
  // A space and an accent, as in many a person's home.
  home = await mkdtemp(join(tmpdir(), 'cairn clí-'));
  const data = join(home, 'data');
  await seedDataDir(data);
  flags = ['--data-dir', data];
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  agent = await connect('v1 client', 'ada', flags);
  await agent.call('create_project', {
    slug: 'web',
    name: 'Web',
    rules: { gates: [{ on: 'complete', require: { approval: true } }] },
  });
  await agent.call('create_tasks', { project: 'web', tasks: [{ title: 'Ship it' }, { title: 'Tell people' }] });
});

afterAll(async () => {
  await agent?.close();
  await cairn([...flags, 'db', 'stop']);
  await rm(home, { recursive: true, force: true });
});

describe('cairn without a client', () => {
  test.each([
    ['standard input is /dev/null', undefined],
    ['a pipe ends before its first byte', ''],
  ])('says what it serves and plays the hand-over when %s', { timeout: 60_000 }, async (_, input) => {
    const { code, stdout } = await cairn(flags, { input });

    expect(code).toBe(0);
    expect(stdout).toContain('1 projects, 2 tasks');
    expect(stdout).toContain('claude mcp add cairn -- node');
    expect(stdout).toContain('.cursor/mcp.json');
    expect(stdout).toContain('lock_held: Task shop-1 is held by ada.');
    expect(stdout).toContain('Done: claim, refusal, completion, checkpoint and resume.');
  });
});

test('cairn with a client writes nothing but messages to standard output', async () => {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const input = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`;
  const { stdout } = await cairn(flags, { input });

  const lines = stdout.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).jsonrpc)).toEqual(['2.0']);
});

describe('cairn approve', () => {
  test('satisfies a gate that asks for a person', async () => {
    const { data } = await agent.call('claim_task', { task: 'web-1' });
    const done = { task: 'web-1', lock_token: (data.task as { lock_token: number }).lock_token };
    expect((await agent.call('complete_task', done)).text).toContain('waits for review by a person');

    expect(await cairnHere([...flags, 'approve', 'web-1', '--note', 'Go.'], { isTyped: true })).toMatchObject({
      code: 0,
    });

    expect((await agent.call('get_task', { task: 'web-1' })).data).toMatchObject({ status: 'completed' });
  });

  test('of a task that is not there fails with what to do', async () => {
    expect(await cairnHere([...flags, 'approve', 'web-99'], { isTyped: true })).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('cairn import', () => {
  const fixtures = fileURLToPath(new URL('../fixtures/import/', import.meta.url));

  test('shows what it would do, does it, and does it once', async () => {
    const path = join(fixtures, 'backlog');
    const dry = await cairnHere([...flags, 'import', path, '--project', 'moved', '--dry-run']);
    const first = await cairnHere([...flags, 'import', path, '--project', 'moved']);
    const again = await cairnHere([...flags, 'import', path, '--project', 'moved']);

    expect(dry.stdout).toContain('Backlog.md: 5 tasks → a new project moved');
    expect(dry.stdout).toContain(
      '+ TASK-2 "Build the cart API" (pending; in progress there; high; #backend #api; after TASK-1; 1 criterion)',
    );
    expect(first.stdout).toContain('Created 5; 0 were there already');
    expect(again.stdout).toContain('Created 0; 5 were there already.');
  });

  test('finds where a tool keeps its tasks in a repository', async () => {
    await cp(join(fixtures, 'beads'), join(home, 'repository', '.beads'), { recursive: true });

    const { stdout } = await cairnHere([
      ...flags,
      'import',
      join(home, 'repository'),
      '--project',
      'beads',
      '--dry-run',
    ]);

    expect(stdout).toContain('Beads: 5 tasks');
  });

  test.each([
    ['a file that is not there', ['nowhere.json'], 'cannot be used (ENOENT)'],
    ['a folder without tasks', [join(fixtures, 'github')], 'no tasks of a tool'],
    ['no project among several', [join(fixtures, 'markdown/plan.md')], 'more than one project'],
    ['a format that it is not', [join(fixtures, 'markdown/plan.md'), '--from', 'github'], 'is not JSON'],
  ])('refuses %s in two sentences', async (_, args, message) => {
    const { code, stderr } = await cairnHere([...flags, 'import', ...args]);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  test('of a history is the same as cairn events import', async () => {
    const file = join(home, 'history.jsonl');
    await cairnHere([...flags, 'export', '--format', 'history', '--project', 'web', '--out', file]);

    expect((await cairnHere([...flags, 'import', file])).stdout).toMatch(/^Imported 0 events; \d+ were there already/);
  });

  test('takes a checklist from standard input', async () => {
    const { stdout } = await cairnHere([...flags, 'import', '-', '--project', 'typed'], {
      input: '- [ ] One\n- [ ] Two\n',
    });

    expect(stdout).toContain('Created 2');
  });

  test('merges nothing by its title: like items of two checklists are two tasks, those of one file are found again', async () => {
    const [web, api] = [join(home, 'web', 'TODO.md'), join(home, 'api', 'TODO.md')];
    for (const file of [web, api]) {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, '## Setup\n- [ ] Install\n- [ ] Install\n');
    }
    await mkdir(join(home, '.git'), { recursive: true });
    const run = async (file: string) => (await cairnHere([...flags, 'import', file, '--project', 'todo'])).stdout;

    expect(await run(web)).toContain('Created 2; 0 were there already');
    expect(await run(api)).toContain('Created 2; 0 were there already');
    expect(await run(relative(process.cwd(), web))).toContain('Created 0; 2 were there already');
  });

  test('reads what cairn export writes', async () => {
    const { stdout: checklist } = await cairnHere([...flags, 'export', '--project', 'moved']);
    await writeFile(join(home, 'moved.md'), checklist);

    const { stdout } = await cairnHere([...flags, 'import', join(home, 'moved.md'), '--project', 'again']);

    expect(checklist).toContain('- [x] moved-1: Design the cart schema (high, rank 1000)');
    expect(stdout).toContain('Created 5');
  });
});

describe('cairn events', () => {
  test('moves a project: export, import, import again, verify', { timeout: 60_000 }, async () => {
    const file = join(home, 'web.jsonl');
    const elsewhere = ['--data-dir', join(home, 'elsewhere')];
    const written = await cairnHere([...flags, 'events', 'export', '--project', 'web', '--out', file, '--json']);
    const exported = (await readFile(file, 'utf8')).trim().split('\n');
    const { end } = JSON.parse(exported.at(-1) ?? '') as { end: { events: number } };

    const first = await cairnHere([...elsewhere, 'events', 'import', file]);
    const again = await cairnHere([...elsewhere, 'events', 'import', '-', '--json'], { input: exported.join('\n') });

    expect(JSON.parse(exported[0] ?? '')).toMatchObject({ format: 'cairn-events', version: 1, project: 'web' });
    expect(first.stdout).toBe(`Imported ${end.events} events; 0 were there already.\n`);
    expect(JSON.parse(written.stdout)).toEqual({ file, project: 'web', events: end.events });
    expect(JSON.parse(again.stdout)).toEqual({ imported: 0, skipped: end.events, left_out: 0, cleaned: 0, records: 0 });
    expect(await cairnHere([...elsewhere, 'events', 'verify'])).toMatchObject({ code: 0 });
    const { stdout } = await cairnHere([...elsewhere, 'events', 'export']);
    const unmarked = stdout.trim().replace(/"imported_at":"[^"]*","imported_by":"[^"]*",/g, '');
    expect(unmarked.split('\n').slice(1)).toEqual(exported.slice(1));
  });

  test('import names the line that is wrong', async () => {
    const file = join(home, 'wrong.jsonl');
    await writeFile(file, '{"format":"cairn-events","version":1}\n{"seq":1}\n');

    expect(await cairnHere([...flags, 'events', 'import', file])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Line 2 is not an event'),
    });
  });

  test('verify fails after tampering, and replay repairs it', { timeout: 60_000 }, async () => {
    const status = JSON.parse((await cairnHere([...flags, 'db', 'status', '--json'])).stdout) as { running: boolean };
    const sql = new pg.Client({ host: join(home, 'data', 'run'), user: 'cairn', database: 'cairn' });
    await sql.connect();
    await sql.query(`update public.tasks set title = 'Tampered' where ref = 'web-2'`);
    await sql.end();

    const verified = await cairnHere([...flags, 'events', 'verify']);
    await cairnHere([...flags, 'events', 'replay']);

    expect(status.running).toBe(true);
    expect(verified).toMatchObject({ code: 1, stdout: expect.stringContaining('"Tampered"') });
    expect(await cairnHere([...flags, 'events', 'verify'])).toMatchObject({ code: 0 });
  });
});

test('a word that is no command is said to be none', async () => {
  const { code, stdout, stderr } = await cairn([...flags, 'shw']);

  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toBe('error: There is no command shw. Did you mean show?\n');
});

describe('a failure is two sentences and no stack', () => {
  test('when the data directory is a file', async () => {
    const file = join(home, 'a file');
    await writeFile(file, '');

    const { code, stdout, stderr } = await cairn(['--data-dir', file]);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^cairn: The data directory .*a file cannot be used \(\w+\)\.\nChoose a directory/);
  });

  test('with exit status 2 when it is the command that is wrong', async () => {
    expect(await cairnHere([...flags, 'events', 'redact', '1'])).toMatchObject({ code: 2, stdout: '' });
  });
});
