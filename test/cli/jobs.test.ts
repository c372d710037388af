import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cairnHere } from '../support/cairn-here.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';

let world: LocalWorld;

beforeAll(async () => {
  world = await openLocalWorld();
});
afterAll(() => world.close());

type Job = { kind: string; overdue: boolean; paused_at?: string; last_outcome?: string; settings?: object };

async function run<Answer>(...args: string[]): Promise<{ code: number | null; said: Answer; stderr: string }> {
  const env = { CAIRN_LINGER_SECONDS: '30', NO_COLOR: '1' };
  const { code, stdout, stderr } = await cairnHere(['--data-dir', world.dataDir, ...args, '--json'], { env });
  return { code, stderr, said: JSON.parse(stdout || '{}') };
}

async function jobNamed(kind: string): Promise<Job | undefined> {
  return (await run<{ jobs: Job[] }>('jobs')).said.jobs.find((job) => job.kind === kind);
}

describe('jobs of an embedded database', () => {
  test('are there from the start, and run by a worker that runs once', async () => {
    const kinds = ['backup', 'partitions', 'purge', 'retention'];
    expect((await run('jobs', 'list')).said).toMatchObject({ jobs: kinds.map((kind) => ({ kind })) });
    expect((await run('worker', '--once')).said).toEqual({ jobs: [] });
    await world.rows('update app.jobs set next_run_at = now()');

    const { code, said } = await run<{ jobs: object[] }>('worker', '--once');

    expect(code).toBe(0);
    const ended = (kind: string) => ({ kind, outcome: 'succeeded', seconds: expect.any(Number) });
    expect(said.jobs).toEqual(expect.arrayContaining(kinds.map(ended)));
    expect((await run<{ jobs: Job[] }>('jobs')).said.jobs).toMatchObject(
      kinds.map((kind) => ({ kind, last_outcome: 'succeeded', failures_in_row: 0, overdue: false })),
    );
  });

  test('that are run by name run at once, paused ones too, which stay so', async () => {
    expect((await run<Job>('jobs', 'pause', 'purge')).said.paused_at).toEqual(expect.any(String));

    expect((await run('jobs', 'run', 'purge')).said).toMatchObject({ jobs: [{ kind: 'purge', outcome: 'succeeded' }] });

    expect((await jobNamed('purge'))?.paused_at).toEqual(expect.any(String));
    await run('jobs', 'resume', 'purge');
    expect(await run('jobs', 'run', 'nothing')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"code":"not_found"'),
    });
  });

  test('that wait because nobody runs them are told by status and doctor, until they are paused', async () => {
    await world.rows(`update app.jobs set next_run_at = now() - interval '1 day' where kind = 'backup'`);
    expect((await run('status')).said).toMatchObject({ jobs_overdue: ['backup'] });
    const { stdout } = await cairnHere(['--data-dir', world.dataDir, 'status']);
    expect(stdout).toContain('Overdue backup: no worker runs it. Start `cairn serve` or `cairn worker`');
    type Checks = { checks: { name: string; status: string; detail: string }[] };
    const check = async () => (await run<Checks>('doctor')).said.checks.find(({ name }) => name === 'jobs');
    expect(await check()).toMatchObject({ status: 'warning', detail: 'no worker runs backup' });

    await run('jobs', 'pause', 'backup');

    expect((await run('status')).said).not.toHaveProperty('jobs_overdue');
    expect(await check()).toMatchObject({ status: 'ok' });
    await run('jobs', 'resume', 'backup');
  });

  test('keep seven backups, each of which can be restored', async () => {
    const directory = join(world.dataDir, 'backups');
    await mkdir(directory, { recursive: true });
    for (let day = 1; day <= 9; day += 1) {
      await writeFile(join(directory, `daily-2020-01-0${day}T00-00-00Z.backup`), 'old');
    }
    await writeFile(join(directory, 'mine.backup'), 'kept');

    expect((await run('jobs', 'run', 'backup')).said).toMatchObject({ jobs: [{ outcome: 'succeeded' }] });

    const names = (await readdir(directory)).sort();
    expect(names.filter((name) => name.startsWith('daily-'))).toHaveLength(7);
    expect(names).toContain('mine.backup');
    const latest = join(directory, names.filter((name) => name.startsWith('daily-')).at(-1) ?? '');
    const restored = join(world.dataDir, 'restored');
    expect(await cairnHere(['--data-dir', restored, 'db', 'restore', latest])).toMatchObject({ code: 0 });
  });

  test('keep the latest backup, though the clock was ahead when others were made', async () => {
    const directory = join(world.dataDir, 'backups');
    for (let day = 1; day <= 8; day += 1) {
      await writeFile(join(directory, `daily-2099-01-0${day}T00-00-00Z.backup`), 'ahead');
    }
    const before = await readdir(directory);

    await run('jobs', 'run', 'backup');

    const names = (await readdir(directory)).filter((name) => name.startsWith('daily-'));
    expect(names.filter((name) => !before.includes(name))).toHaveLength(1);
    expect(names).toHaveLength(7);
    for (const name of names) if (name.includes('2099')) await rm(join(directory, name));
  });

  test('that fail say why and what to do, in the answer alone and in the list', async () => {
    const directory = join(world.dataDir, 'backups');
    await rename(directory, `${directory}-kept`);
    await writeFile(directory, 'no directory');
    const why = `There is a file at or above ${directory}. Name a directory, or move the file away.`;
    const env = { CAIRN_LINGER_SECONDS: '30', NO_COLOR: '1' };

    const { code, stdout, stderr } = await cairnHere(['--data-dir', world.dataDir, 'jobs', 'run', 'backup'], { env });

    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(/^backup: failed after \d+\.\d s: .*\n$/);
    expect(stdout).toContain(why);
    const listed = await cairnHere(['--data-dir', world.dataDir, 'jobs'], { env });
    expect(listed.stdout).toContain(`failed: ${why}`);
    expect(listed.stdout).toMatch(/^purge .* in \d+[mh]$/m);
    await rm(directory);
    await rename(`${directory}-kept`, directory);
  });

  test('archive where a workspace asked for it', async () => {
    const { said } = await run<Job>('jobs', 'set', 'archive', '--older-than', '30', '--every', '6h');

    expect(said).toMatchObject({
      kind: 'archive',
      workspace: expect.any(String),
      every_seconds: 21_600,
      settings: { to: join(world.dataDir, 'archive'), days: 30 },
    });
    expect((await run('jobs', 'run', 'archive')).said).toMatchObject({ jobs: [{ outcome: 'succeeded' }] });
    expect((await run<Job>('jobs', 'set', 'archive', '--every', '12h')).said).toMatchObject({
      every_seconds: 43_200,
      settings: { to: join(world.dataDir, 'archive'), days: 30 },
    });
    const elsewhere = join(world.dataDir, 'elsewhere');
    expect((await run<Job>('jobs', 'set', 'archive', '--to', elsewhere)).said).toMatchObject({
      every_seconds: 43_200,
      settings: { to: elsewhere, days: 30 },
    });
    expect(await run('jobs', 'set', 'purge', '--to', '/tmp')).toMatchObject({ code: 2 });
    expect(await run('jobs', 'set', 'nothing', '--every', '1h')).toMatchObject({ code: 2 });
  });
});

test('a signed-in user of a Supabase project has no worker, and is told so', async () => {
  const env = { SUPABASE_URL: 'http://127.0.0.1:1', SUPABASE_PUBLISHABLE_KEY: 'x' };

  for (const args of [
    ['worker', '--once'],
    ['jobs', 'list'],
    ['jobs', 'run', 'purge'],
  ]) {
    const { code, stderr } = await cairnHere(args, { env });
    expect([code, stderr]).toEqual([1, expect.stringContaining('Set SUPABASE_SECRET_KEY')]);
  }
});
