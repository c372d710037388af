import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import { type HistoryPage, historyLines, readHistory } from '../../src/events/history-file.ts';
import { newId } from '../../src/events/ids.ts';
import { createLog } from '../../src/log.ts';
import { exportEvents, importEvents } from '../../src/services/transfer.ts';
import { ask } from '../support/ask.ts';
import { blobs } from '../support/blobs.ts';
import { startCairn } from '../support/cairn.ts';
import { cairnHere } from '../support/cairn-here.ts';
import {
  append,
  type Caller,
  createProject,
  createTask,
  exportAll,
  importAll,
  record,
  verify,
} from '../support/commands.ts';
import { databaseUrl } from '../support/database-url.ts';
import { forge } from '../support/forge.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { explainAll, stepsOf } from '../support/plans.ts';
import { startRaw } from '../support/raw-agent.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { upTo } from '../support/writers.ts';

const EVENTS = 'select seq::int, stream, version::int, encode(hash, $$hex$$) as hash from public.events order by seq';

let here: LocalWorld;
let there: Scratch;
let folder: string;
let file: string;

beforeAll(async () => {
  here = await openLocalWorld();
  there = await createScratch();
  folder = await mkdtemp(join(tmpdir(), 'cairn moving '));
  file = join(folder, 'all.jsonl');
  const agent = await startRaw(['--data-dir', here.dataDir]);
  for (const slug of ['web', 'api']) {
    await agent.call('create_project', { slug, name: slug });
    await agent.call('create_tasks', { project: slug, tasks: [{ title: 'One' }, { title: 'Two' }] });
  }
  await inBatches(upTo(1_200), async (batch) => {
    const noted = batch.map((at) => agent.call('record_event', { project: 'web', text: `Note ${at}.` }));
    expect((await Promise.all(noted)).filter(({ isError }) => isError)).toEqual([]);
  });
  const { data } = await agent.call('claim_task', { project: 'api' });
  await agent.call('release_task', { ...lockOf(data), outcome: 'paused', reason: 'Moving.' });
  await agent.close();
});

afterAll(async () => {
  await here.close();
  await there.drop();
  await rm(folder, { recursive: true, force: true });
});

async function inBatches<T>(items: T[], work: (batch: T[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < items.length; from += 200) await work(items.slice(from, from + 200));
}

function lockOf({ task }: Record<string, unknown>): { task: string; lock_token: number } {
  const { ref, lock_token } = task as { ref: string; lock_token: number };
  return { task: ref, lock_token };
}

describe('a whole workspace', { timeout: 60_000 }, () => {
  const elsewhere = () => ['--database-url', databaseUrl(there.connection)];

  test('is exported whatever project is configured', async () => {
    const env = { CAIRN_PROJECT: 'api' };

    const { code, stderr } = await cairnHere(['--data-dir', here.dataDir, 'export', '--all', file], { env });

    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('the workspace: 1') });
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    const count = (await here.rows(EVENTS)).length;
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ end: { events: count } });
    const log = await cairnHere(['--data-dir', here.dataDir, 'events', 'export'], { env });
    expect(log.stdout.trim().split('\n').slice(1)).toEqual(lines.slice(1));
  });

  test('is the same in another engine, though the import was killed on the way', async () => {
    const first = startCairn([...elsewhere(), 'import', file]);
    await vi.waitFor(
      async () => expect((await there.sql.query('select 1 from public.events limit 1')).rowCount).toBe(1),
      { timeout: 30_000, interval: 2 },
    );
    first.process.kill('SIGKILL');
    await first.exited;

    const { code, stdout } = await cairnHere([...elsewhere(), 'import', file]);

    const { rows } = await there.sql.query(EVENTS);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/; [1-9]\d+ were there already/) });
    expect(rows).toEqual(await here.rows(EVENTS));
    expect(stdout).not.toContain('Positions differ');
    expect(await cairnHere([...elsewhere(), 'events', 'verify'])).toMatchObject({ code: 0 });
  });

  test.for<[what: string, change: (lines: string[]) => string[], message: string]>([
    ['cut at the end of a line', (lines) => lines.slice(0, 40), 'The file was cut: after line 40'],
    ['without an event, its end as it was', (lines) => lines.toSpliced(-2, 1), 'it has'],
    ['with something after its end', (lines) => [...lines, lines[2] ?? ''], 'comes after the end'],
  ])('is refused from a file %s', async ([, change, message]) => {
    const changed = join(folder, 'changed.jsonl');
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    await writeFile(changed, change(lines).join('\n'));

    const { code, stderr } = await cairnHere([...elsewhere(), 'import', changed]);

    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
  });

  test('says how many events of an earlier version it cleaned', async () => {
    const ada = await there.signIn('ada');
    await createProject(ada, { slug: 'old' });
    const [created] = await exportAll(ada, 'old');
    Object.assign(created?.payload ?? {}, { name: 'Old\nand odd' });
    const old = { ...created, ...(await forge(there.sql, created ? [created] : []))[0] };
    const lines = [
      { format: 'cairn-events', version: 1, project: 'old' },
      old,
      { end: { events: 1, last_hash: old['hash'] } },
    ];
    await writeFile(join(folder, 'old.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));

    const { stdout } = await cairnHere(['--data-dir', here.dataDir, 'import', join(folder, 'old.jsonl')]);

    expect(stdout).toBe(
      'Imported 1 events; 0 were there already.\n1 hold cleaned data: their hashes are kept, but do not prove it.\n',
    );
  });
});

describe('between two workspaces', () => {
  let other: Scratch;

  beforeAll(async () => {
    other = await createScratch();
  });
  afterAll(() => other.drop());

  const context = (caller: Caller): Context => ({
    ...caller,
    blobs,
    log: createLog('silent'),
    scopes: 'all',
  });

  test('people keep their names, whatever they are called elsewhere', async () => {
    const ada = await there.signIn('Ada Lovelace');
    await createProject(ada, { slug: 'names' });
    const eve = await other.signIn('eve');

    for await (const page of exportEvents(context(ada), 'names')) await importEvents(context(eve), page);

    const nameOfAda = async () => (await ask<HistoryPage>(eve, 'export_events', {})).users;
    expect(await nameOfAda()).toEqual([{ id: ada.actor.user_id, name: 'Ada Lovelace' }]);
    await other.sql.query(`select app.provision_user($1, 'Countess', null)`, [ada.actor.user_id]);
    await other.sql.query(`select app.provision_user($1, 'Somebody', null)`, [ada.actor.user_id]);
    const { rows } = await other.sql.query('select name from public.users where id = $1', [ada.actor.user_id]);
    expect(rows).toEqual([{ name: 'Countess' }]);
    expect(await nameOfAda()).toEqual([{ id: ada.actor.user_id, name: 'Ada Lovelace' }]);
  });

  test('a page costs the same however much is there already', async () => {
    const [ada, eve] = [await other.signIn('ada'), await other.signIn('eve')];
    await createProject(ada);
    const tasks = upTo(600).map((at) => ({ stream: `task:${newId()}`, data: { project: 'web', title: `Task ${at}` } }));
    await inBatches(tasks, (batch) =>
      append(
        ada,
        batch.map((task) => ({ ...task, type: 'task.created' })),
      ),
    );
    const notes = upTo(600).map((at) => ({ text: `Note ${at}`, kind: 'note' }));
    await inBatches(notes, (batch) =>
      append(
        ada,
        batch.map((data) => ({ stream: 'project:web', type: 'project.noted', data })),
      ),
    );
    await createTask(ada, { project: 'web', dependencies: ['web-1'] });
    await record(ada, { stream: 'task:web-1', type: 'task.cancelled', data: { reason: 'Not needed.' } });
    const events = await exportAll(ada, null, 1_000);
    await importAll(eve, events.slice(0, -10));
    const sql = await other.connect();
    await explainAll(sql);

    const steps = await stepsOf(sql, ['import_events', { events: events.slice(-10) }], eve.actor);

    await sql.end();
    expect(steps.filter(({ lookedAt }) => lookedAt > 100)).toEqual([]);
    expect(await verify(eve)).toMatchObject({ ok: true, events: events.length });
  });

  test('a name that is none is refused', async () => {
    const eve = await other.signIn('eve');
    const users = [{ id: eve.actor.user_id, name: 'two\nlines' }];

    const attempt = other.db.call('import_events', { events: [{}], users }, eve.actor);

    await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', details: { field: 'users' } });
  });
});

test('a history is read as it was written', async () => {
  const ada = await there.signIn('ada');
  await createProject(ada, { slug: 'lines' });
  await record(ada, {
    stream: 'project:lines',
    type: 'project.noted',
    data: { kind: 'note', text: 'Grüße\u2028 und mehr' },
  });
  const ctx: Context = { ...ada, blobs, log: createLog('silent'), scopes: 'all' };
  const written: unknown[] = [];
  const pages = (async function* () {
    for await (const page of exportEvents(ctx, undefined)) {
      written.push(...page.events);
      yield page;
    }
  })();
  const read: unknown[] = [];

  const bytes = Readable.from(historyLines(pages)).map((text: string) => Buffer.from(text));
  for await (const line of readHistory(bytes)) if ('event' in line) read.push(line.event);

  expect(read).toEqual(written);
});
