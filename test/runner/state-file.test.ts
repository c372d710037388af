import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runAgent } from '../../src/cli/runner/run-agent.ts';
import { readConfig } from '../../src/config.ts';
import { beganAt } from '../../src/runner/process-start.ts';
import { countDriven } from '../../src/runner/runners-folder.ts';
import { readState, type State } from '../../src/runner/state.ts';
import { StateFile } from '../../src/runner/state-file.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-runners-'));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

const runners = () => join(dataDir, 'runners');

/** Of a process that has ended. */
function gone(more: Partial<State> = {}): State {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return { token: 1, runner: { pid, began: '' }, children: [], at: 5, ...more };
}

async function leaveBehind(path: string, state: State): Promise<void> {
  await mkdir(runners(), { recursive: true });
  await writeFile(path, JSON.stringify(state));
}

describe('the runners of a machine', () => {
  test('are counted while they are alive', async () => {
    const driven = () => countDriven(dataDir, new StateFile(dataDir, 'new').path);
    expect(await driven()).toBe(0);
    const mine = new StateFile(dataDir, 'heron');
    await mine.take();
    await new StateFile(dataDir, 'ibis', { place: 'example.com' }).take();
    await leaveBehind(new StateFile(dataDir, 'egret').path, gone());

    expect(await driven()).toBe(2);
    await new StateFile(dataDir, 'stork', { atOnce: 3 }).take();
    expect(await driven()).toBe(5);
    await mine.remove();
    expect(await driven()).toBe(4);
  });

  test('are counted while their agents work on without them, but by the next of their name', async () => {
    const { path } = new StateFile(dataDir, 'egret');
    const began = await beganAt(process.pid);
    const holder = { pid: process.pid, began, path: 'x', secret: 'x', drives: 'x' };
    await leaveBehind(path, gone({ holder, at_once: 2 }));

    expect(await countDriven(dataDir, new StateFile(dataDir, 'heron').path)).toBe(2);
    expect(await countDriven(dataDir, path)).toBe(0);
  });

  test('leave nothing when they end in order, also of what was said beside their state', async () => {
    const mine = new StateFile(dataDir, 'heron');
    await mine.take();
    await writeFile(mine.errors, 'Invalid message.\n');

    await mine.remove();
    await mine.write(1, []);

    expect(await readdir(runners())).toEqual([]);
  });

  test('name what holds their agent before they have registered', async () => {
    const state = new StateFile(dataDir, 'heron');
    await state.take();
    state.heldBy({ pid: process.pid, path: '/none', secret: 'x', drives: 'y' });
    await state.write(undefined, []);

    const left = await readState(state.path);

    expect(left).toMatchObject({ holder: { pid: process.pid, path: '/none', drives: 'y' } });
    expect(left).not.toHaveProperty('token');
  });

  test('name what an agent has from when they take it, and give it back as it was', async () => {
    const left: State = {
      ...{ agent: 'heron', place: '', token: 7, runner: { pid: 2_147_483_646, began: '1' }, at_once: 1, at: 5 },
      children: [{ pid: 2_147_483_645, began: '2', mark: 'of its group' }],
      holder: { pid: 2_147_483_644, began: '3', path: '/none', secret: 'x', drives: 'y' },
    };
    const state = new StateFile(dataDir, 'heron');
    await leaveBehind(state.path, left);

    expect(await state.take()).toEqual(left);
    // The time is of what was noted: of another start of the machine its numbers are others'.
    const { runner: _, ...rest } = left;
    expect(await readState(state.path)).toMatchObject({ ...rest, runner: { pid: process.pid } });
    state.heldBy({ pid: process.pid, path: '/none', secret: 'x', drives: 'y' }, left.children);
    await state.write(7, [2_147_483_645]);
    expect(await readState(state.path)).toMatchObject({ runner: { pid: process.pid }, children: left.children });
    await state.giveBack(left);
    expect(await readState(state.path)).toEqual(left);
  });

  test('leave the state of one that is alive alone', async () => {
    const mine = new StateFile(dataDir, 'heron');
    await mine.take();
    await mine.write(3, []);
    const before = await readFile(mine.path, 'utf8');
    const other = new StateFile(dataDir, 'heron');

    await expect(other.take()).rejects.toMatchObject({ code: 'lock_held' });
    await other.write(4, []);
    await other.giveBack(gone());
    await other.remove();

    expect(await readFile(mine.path, 'utf8')).toBe(before);
  });

  test('are refused before anything is written', async () => {
    const state = new StateFile(dataDir, 'heron');
    const left = gone({ agent: 'heron', place: '' });
    await leaveBehind(state.path, left);

    const refused = state.take(() => Promise.reject(new Error('One too many.')));

    await expect(refused).rejects.toThrow('One too many.');
    expect(await readState(state.path)).toEqual(left);
  });

  test('take a name one after the other, however many begin at once', async () => {
    const tries = Array.from({ length: 5 }, () => new StateFile(dataDir, 'heron').take());

    const came = await Promise.allSettled(tries);

    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('are no more than the machine may have', async () => {
    await new StateFile(dataDir, 'heron').take();
    const config = readConfig({ dataDir }, { CAIRN_MAX_AGENTS: '1' });

    const refused = runAgent(config, ['true'], {
      ...{ driver: 'pipe', quiet: 5, accept: 'owner', answerWithin: 900, workspace: 'here', atOnce: 1 },
    });

    await expect(refused).rejects.toMatchObject({
      message: 'This machine drives 1 of at most 1 agents.',
      hint: 'End a runner, or set CAIRN_MAX_AGENTS to more.',
    });
  });
});

describe('the file of a runner', () => {
  const herons = '\u{1F426}'.repeat(17);

  test.each([
    ['long names that begin in the same way', [`${herons}1`, ''], [`${herons}2`, '']],
    ['long names at several servers', [herons, 'a.example'], [herons, 'b.example']],
    ['a name at a server and one that looks so', ['heron', 'box'], ['heron@box', '']],
    ['letters that no name of a file has', ['a/b', ''], ['a:b', '']],
  ])('is another for %s', async (_, [one = '', at = ''], [other = '', there = '']) => {
    const first = new StateFile(dataDir, one, { place: at });
    const second = new StateFile(dataDir, other, { place: there });
    await first.take();
    await second.take();

    expect(second.path).not.toBe(first.path);
    expect(await readdir(runners())).toHaveLength(2);
    expect(Math.max(...(await readdir(runners())).map((name) => Buffer.byteLength(name)))).toBeLessThan(60);
  });

  test('is the same whatever the case of the name', () => {
    expect(new StateFile(dataDir, 'Heron').path).toBe(new StateFile(dataDir, 'heron').path);
  });

  test('is not taken where it says that it is of another agent', async () => {
    const state = new StateFile(dataDir, 'heron');
    const others = gone({ agent: 'ibis', place: '' });
    await leaveBehind(state.path, others);

    await expect(state.take()).rejects.toMatchObject({ code: 'lock_held' });
    expect(await readState(state.path)).toEqual(others);
  });

  test.each([
    ['heron', '', 'heron'],
    ['Grey Heron', 'box:8080', 'grey%20heron%40box%3A8080'],
  ])('of an earlier build is found: %s at %j', async (name, place, file) => {
    const left = gone({ token: 9 });
    await leaveBehind(join(runners(), `${file}.json`), left);
    const state = new StateFile(dataDir, name, { place });

    expect(await state.take()).toEqual(left);
    expect(await readdir(runners())).toEqual([basename(state.path)]);
    expect(await readState(state.path)).toMatchObject({ token: 9, agent: name.toLowerCase(), place });
  });

  test('of an earlier build is left alone where it may be of another name', async () => {
    const cut = join(runners(), `${encodeURIComponent(`${herons}1`).slice(0, 200)}.json`);
    await leaveBehind(cut, gone());

    expect(await new StateFile(dataDir, `${herons}2`).take()).toBeUndefined();
    expect(await readdir(runners())).toContain(basename(cut));
  });
});

describe('what a killed runner left unfinished', () => {
  const PART = '5b0f7c9e-30b1-4a40-9a3c-0d6c4b6f0c11.part';

  test('is removed when the next one begins, and that of a living one is not', async () => {
    const living = new StateFile(dataDir, `ibis-${'x'.repeat(80)}`);
    await living.take();
    const dead = new StateFile(dataDir, 'egret');
    await leaveBehind(dead.path, gone({ agent: 'egret', place: '' }));
    const stateless = new StateFile(dataDir, 'stork');
    for (const { path } of [living, dead, stateless]) await writeFile(`${path}.${PART}`, '{');

    await new StateFile(dataDir, 'heron').take();

    const parts = (await readdir(runners())).filter((name) => name.endsWith('.part'));
    expect(parts).toEqual([`${basename(living.path)}.${PART}`]);
  });

  test.skipIf(process.platform === 'win32')('is removed with the sockets on which nobody listens', async () => {
    const [used, empty, unused, young] = ['cairn-aaaaaa', 'cairn-bbbbbb', 'cairn-cccccc', 'cairn-dddddd'] as const;
    for (const name of [used, empty, unused, young, 'cairn-eeeeee'])
      await mkdir(join(runners(), name), { recursive: true });
    await writeFile(join(runners(), 'cairn-eeeeee', 'kept'), 'A file.\n');
    const server = createServer().listen(join(runners(), used, 'holder'));
    await once(server, 'listening');
    const line = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', line, join(runners(), unused, 'holder')]);
    expect(await readdir(join(runners(), unused))).toEqual(['holder']);
    const before = new Date(Date.now() - 120_000);
    for (const name of [used, empty, unused, 'cairn-eeeeee']) await utimes(join(runners(), name), before, before);

    await new StateFile(dataDir, 'heron').take();

    const left = (await readdir(runners())).filter((name) => name.startsWith('cairn-'));
    expect(left.sort()).toEqual([used, young, 'cairn-eeeeee']);
    server.close();
  });
});
