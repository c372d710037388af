import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import { claudeDriver } from '../../src/runner/drivers/claude.ts';
import { pipeDriver } from '../../src/runner/drivers/pipe.ts';
import type { OpenPlace } from '../../src/runner/place.ts';
import { worktrees } from '../../src/runner/worktrees.ts';
import { test } from '../support/world.ts';
import { begun, drive, ended, GRACE_MS, program, send } from './drive.ts';
import { driveHeld, withoutEnds } from './followed.ts';
import { closeDrivers, follow } from './give.ts';

// A git of this machine may sign commits, or run hooks.
const env = {
  ...process.env,
  ...{ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
  ...{ GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com' },
  ...{ GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com' },
};
let home: string;
let repository: string;

beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'cairn-worktrees-')));
  repository = join(home, 'shop');
  await mkdir(join(repository, 'web'), { recursive: true });
  await writeFile(join(repository, 'web', 'a.txt'), 'a\n');
  await writeFile(join(repository, '.gitignore'), 'built\n');
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'First');
});

afterEach(async () => {
  await closeDrivers();
  await rm(home, { recursive: true, force: true });
});

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: repository, env, encoding: 'utf8' }).trim();
}

/** Runs a line of the shell for each command, in a worktree of its own. */
async function driveShell(ctx: Context, line: string) {
  const from = join(repository, 'web');
  const driver = pipeDriver({ program: { ...shell(line), cwd: from }, graceMs: GRACE_MS });
  const enter = await worktrees({
    ...{ from, dataDir: join(home, 'data'), agent: 'heron', env },
    open: async (cwd) => pipeDriver({ program: { ...shell(line), cwd }, graceMs: GRACE_MS }),
  });
  return drive(ctx, { driver, enter });
}

function shell(line: string) {
  return { command: 'sh', args: ['-c', `cat > /dev/null; ${line}`], env };
}

/** What the run has on the record of its worktree. */
async function recordOf(as: (agent: string) => Context, { sql, id }: { sql: Sql; id: string }) {
  const { rows } = await sql.query(
    "select metrics -> 'worktree' as worktree from public.agent_runs where tenant_id = $1 and id = $2",
    [as('ada').actor.tenant_id, id],
  );
  return rows[0]?.['worktree'];
}
type Sql = { query(text: string, values: unknown[]): Promise<{ rows: Record<string, unknown>[] }> };

const runOf = ({ runs }: { runs: { id: string }[] }) => runs[0]?.id ?? '';

describe('a worktree for each run', () => {
  test('is where the run works, and goes when nothing is in it', async ({ as, sql }) => {
    const { printed, notices } = await driveShell(as('heron'), 'pwd; git branch --show-current; touch ../built');

    const command = await ended(as('ada'), await send(as('ada'), 'Look.'));

    const name = `heron-${runOf(command).slice(-8)}`;
    const path = join(home, 'data', 'worktrees', `shop-${name}`);
    expect(command).toMatchObject({ status: 'completed' });
    expect(printed.join('')).toContain(`${path}/web\n`);
    expect(printed.join('')).toContain(`cairn/${name}\n`);
    const base = git('rev-parse', 'HEAD');
    expect(await recordOf(as, { sql, id: runOf(command) })).toEqual({
      ...{ repository, path, branch: `cairn/${name}`, base, head: base },
      ...{ file_count: 0, files: [], kept: false },
    });
    expect(existsSync(path)).toBe(false);
    expect(git('branch', '--list', 'cairn/*')).toBe('');
    expect(notices.filter(({ what }) => what === 'left')).toEqual([]);
  });

  test.for<[what: string, line: string, file: string]>([
    ['a new file', 'echo b > b.txt', 'web/b.txt'],
    ['a changed file', 'echo b > a.txt', 'web/a.txt'],
    ['a commit', 'echo b > a.txt; git commit -qam Second', 'web/a.txt'],
    ['a commit beside the branch', 'git checkout -q --detach; echo b > a.txt; git commit -qam Second', 'web/a.txt'],
  ])('stays with %s in it', async ([, line, file], { as, sql }) => {
    const { notices } = await driveShell(as('heron'), line);

    const command = await ended(as('ada'), await send(as('ada'), 'Work.'));

    const left = await recordOf(as, { sql, id: runOf(command) });
    const { path } = left as { path: string };
    expect(left).toMatchObject({ file_count: 1, files: [file], kept: true });
    expect(await readFile(join(path, file), 'utf8')).toBe('b\n');
    expect(await readFile(join(repository, 'web', 'a.txt'), 'utf8')).toBe('a\n');
    expect(notices).toContainEqual({ what: 'left', run: runOf(command), left });
  });

  test('that cannot be made fails the run, and nothing is delivered', async ({ as, sql }) => {
    const { printed } = await driveShell(as('heron'), 'echo begun');
    git('update-ref', '-d', 'HEAD');

    const command = await ended(as('ada'), await send(as('ada'), 'Look.'));

    expect(command.runs).toMatchObject([
      { status: 'failed', end_reason: 'error', error: expect.stringContaining('The run has no worktree: ') },
    ]);
    expect(command.runs[0]).not.toHaveProperty('delivered_at');
    expect(printed).toEqual([]);
    expect(await recordOf(as, { sql, id: runOf(command) })).toBeNull();
  });

  test('has a process of its own, also of an agent that keeps one', async ({ as }) => {
    const open = async (cwd: string) => claudeDriver({ program: { ...program('claude'), cwd }, graceMs: GRACE_MS });
    const enter = await worktrees({ from: repository, dataDir: join(home, 'data'), agent: 'heron', env, open });
    const { printed, runner } = await drive(as('heron'), { driver: await open(repository), enter });

    for (const text of ['first', 'second']) await ended(as('ada'), await send(as('ada'), text));

    expect(printed.join('').match(/begun with heron/g)).toHaveLength(2);
    expect(runner.pids()).toEqual([]);
  });

  test('that is gone does not lose the end of its run, which a later runner tells', async ({ as, sql }) => {
    const { kill, next, notices } = await driveHeld(as('heron'), 'claude', {
      port: withoutEnds,
      enter: (open) => worktrees({ from: repository, dataDir: join(home, 'data'), agent: 'heron', env, open }),
    });
    const sent = await send(as('ada'), 'work 300');
    const command = await begun(as('ada'), sent);
    const path = join(home, 'data', 'worktrees', `shop-heron-${runOf(command).slice(-8)}`);
    await vi.waitUntil(() => notices.some(({ what }) => what === 'delivered'), { timeout: 10_000 });
    await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(false);
    await sleep(1_000);

    kill();
    const { link } = await next();

    expect(await ended(as('ada'), sent)).toMatchObject({ status: 'completed', runs: [{ result: 'did' }] });
    expect(await recordOf(as, { sql, id: runOf(command) })).toMatchObject({ path, kept: false });
    link.leave();
    await expect.poll(async () => (await follow(link)).kept, { timeout: 5_000 }).toEqual([]);
  });

  test('that somebody removed meanwhile ends its run and its agent', async ({ as }) => {
    const { kill, next, runner } = await driveHeld(as('heron'), 'claude', {
      enter: (open) => worktrees({ from: repository, dataDir: join(home, 'data'), agent: 'heron', env, open }),
    });
    const sent = await send(as('ada'), 'work 60000');
    await begun(as('ada'), sent);
    const [pid = 0] = await vi.waitUntil(() => (runner.pids().length > 0 ? runner.pids() : undefined));
    kill();
    await rm(join(home, 'data'), { recursive: true, force: true });

    await next();

    expect(await ended(as('ada'), sent)).toMatchObject({ runs: [{ status: 'failed', end_reason: 'error' }] });
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  test('needs a repository', async () => {
    const open = () => Promise.reject(new Error('Not called.'));

    await expect(worktrees({ from: home, dataDir: home, agent: 'heron', env, open })).rejects.toThrow(
      'not a git repository',
    );
  });

  test('is another one for a second attempt', async () => {
    const open = async (cwd: string) => pipeDriver({ program: { ...shell('pwd'), cwd }, graceMs: GRACE_MS });
    const enter: OpenPlace = await worktrees({ from: repository, dataDir: home, agent: 'a b', env, open });

    const first = await enter({ id: '0-12345678', attempt: 1 });
    const second = await enter({ id: '0-12345678', attempt: 2 });

    expect([await first.leave(), await second.leave()]).toMatchObject([
      { branch: 'cairn/a-b-12345678' },
      { branch: 'cairn/a-b-12345678-2' },
    ]);
  });
});
