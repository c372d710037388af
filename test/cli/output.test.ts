import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Context } from '../../src/context.ts';
import { type Local, openLocal } from '../../src/local.ts';
import { createLog } from '../../src/log.ts';
import { cairn } from '../support/cairn.ts';
import { call } from '../support/calls.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';
import { begunRun, claimed, completed, pieces, runnerOf } from '../support/runners.ts';

// What a run printed, as a person reads it. The runner is this process, beside the command's.

let world: PersonWorld;
let local: Local;
let ctx: Context;

beforeAll(async () => {
  world = await openPersonWorld();
  const log = createLog('silent');
  local = await openLocal(readConfig({ dataDir: world.flags[1] }, {}), log);
  const { db, blobs, actor } = local;
  ctx = { db, blobs, log, scopes: 'all', actor };
});

afterAll(async () => {
  await local?.close();
  await world?.close();
});

const output = (...args: string[]) => world.run(['output', ...args]);

describe('the output of a run', () => {
  test('is printed in order, by its id, the end of it, or its agent, safe for a terminal', async () => {
    const { run, add } = await begunRun(ctx, 'heron-1');
    await add(pieces(['one\n', '\x1b[31mtwo\x1b[0m\x1b]0;title\x07\x1b[2J\n', 'three']));

    for (const name of [run, run.slice(-8), 'heron-1', 'HERON-1']) {
      expect(await output(name)).toEqual({ code: 0, stdout: 'one\ntwo\nthree', stderr: '' });
    }
  });

  test('is printed as JSON, a piece a line, in which nothing acts on a terminal', async () => {
    const { run, add } = await begunRun(ctx, 'heron-2');
    await add(pieces(['\x1b[31mone\n', '\x9b2J\u202e']));

    const { stdout } = await output('heron-2', '--json');

    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { run, attempt: 1, sequence: 0, stream: 'stdout', content: '\x1b[31mone\n', ansi: true },
      { run, attempt: 1, sequence: 1, content: '\x9b2J\u202e' },
    ]);
    expect(stdout).toMatch(/^[\n\x20-\x7e]*$/);
  });

  test('tells what is missing', async () => {
    const { run, add } = await begunRun(ctx, 'heron-3');
    await add(pieces(['a', 'b']));
    await add(pieces(['e'], { from: 4 }));

    expect(await output(run)).toEqual({
      code: 0,
      stdout: 'ab\ne',
      stderr: '! 2 pieces of the output are missing here.\n',
    });
  });

  test('tells what was too much, where it was', async () => {
    const { run, add } = await begunRun(ctx, 'heron-6');
    await add(pieces(['a', 'b']));
    await add(pieces(['g'], { from: 9 }), { below: 9, bytes: 37_200_000 });
    await add([], { below: 12, bytes: 2_000 });

    expect(await output(run)).toEqual({
      code: 0,
      stdout: 'ab\ng\n',
      stderr: [
        '! … 37.2 MB left out: more than is kept of a run …',
        '! … 2.0 KB left out: more than is kept of a run …\n',
      ].join('\n'),
    });
    const lines = (await output(run, '--json')).stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      ...[{ content: 'a' }, { content: 'b' }, { run, left_out: { bytes: 37_200_000, why: 'run' } }],
      ...[{ content: 'g' }, { left_out: { bytes: 2_000 } }],
    ]);
  });

  test('of an agent is that at work, then the latest that has begun, then what waits', async () => {
    const { runner, run, add, lock_token } = await begunRun(ctx, 'heron-9');
    await add(pieces(['one']));
    await call(ctx, 'send_command', { to: ['heron-9'], content: 'x' });

    expect(await output('heron-9')).toEqual({ code: 0, stdout: 'one', stderr: '' });
    await runner.report(run, lock_token, [completed]);
    expect(await output('heron-9')).toEqual({ code: 0, stdout: 'one', stderr: '' });

    const other = await runnerOf(ctx, 'heron-10', { config: { runs_at_once: 2 } });
    await call(ctx, 'send_command', { to: ['heron-10'], content: 'x' });
    expect(await output('heron-10')).toMatchObject({
      stderr: expect.stringMatching(/^! The run \w{8} waits: heron-10 takes it next\. It has printed nothing yet\.\n$/),
    });
    await call(ctx, 'send_command', { to: ['heron-10'], content: 'y' });
    const a = await claimed(other);
    const b = await claimed(other, [a.run.id]);
    await other.add(b.run.id, b.lock_token, pieces(['b']));
    expect(await output('heron-10')).toEqual({
      ...{ code: 0, stdout: 'b' },
      stderr: `! Of 2 runs at work this is ${b.run.id.slice(-8)}, the latest; the others: ${a.run.id.slice(-8)}.\n`,
    });

    const interrupt = (name: string) => world.run(['runs', 'interrupt', name]);
    expect(await interrupt('heron-10')).toMatchObject({ code: 2, stderr: expect.stringContaining('2 runs at work') });
    expect(await interrupt('heron-9')).toMatchObject({ code: 1, stderr: expect.stringContaining('no run at work') });
    const second = (await claimed(runner)).run.id;
    expect(await interrupt('heron-9')).toMatchObject({ code: 0, stdout: expect.stringContaining(second.slice(-8)) });
  });

  test('of an attempt that there was not, or of no run, is refused', async () => {
    const { run } = await begunRun(ctx, 'heron-11');
    expect(await output(run, '--attempt', '7')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/There is no attempt 7 of this run\.\n.*Its latest is 1\.\n/),
    });
    expect(await output('')).toMatchObject({ code: 2, stderr: expect.stringContaining('Which run?') });
  });

  test('is the latest attempt, or the one that is asked for', async () => {
    const { runner, run, add } = await begunRun(ctx, 'heron-4');
    await add(pieces(['first\n']));
    const { lock_token } = await claimed(runner);
    await runner.add(run, lock_token, pieces(['second\n']));

    expect((await output('heron-4')).stdout).toBe('second\n');
    expect((await output('heron-4', '--attempt', '1')).stdout).toBe('first\n');
    expect(await output('heron-4', '--attempt', 'x')).toMatchObject({ code: 2 });
  });

  test('is followed until the run has ended, through its attempts', async () => {
    const { runner, run, add, lock_token } = await begunRun(ctx, 'heron-5');
    await add(pieces(['one\n']));
    const following = cairn([...world.flags, 'output', 'heron-5', '--follow'], { cwd: world.repository });
    const pause = () => new Promise((resolve) => setTimeout(resolve, 1_500));
    await pause();
    await add(pieces(['two\n'], { from: 1 }));
    await pause();
    const again = await claimed(runner);
    expect(again.lock_token).not.toBe(lock_token);
    await runner.add(run, again.lock_token, pieces(['three\n']));
    await runner.report(run, again.lock_token, [completed]);

    expect(await following).toMatchObject({ code: 0, stdout: 'one\ntwo\nthree\n', stderr: '! Attempt 2.\n' });
  });

  test('is kept as far as the quota of a day goes, which whoever runs the server sets', async () => {
    const { run, add } = await begunRun(ctx, 'heron-7');
    await add(pieces(['a']));
    expect(await world.run(['output-quota', '1'])).toMatchObject({
      ...{ code: 0, stdout: 'A workspace keeps 1 MB of output a day.\n' },
    });
    await add(pieces(Array(16).fill('x'.repeat(16_000)), { from: 1 }));

    for (const from of [17, 33, 49]) await add(pieces(Array(16).fill('x'.repeat(16_000)), { from }));
    expect(await add(pieces(['x'], { from: 65 }))).toMatchObject({ stored: 0 });

    expect((await output(run)).stderr).toMatch(
      /^! … \d+\.0 KB left out: more than the workspace may add in a day …\n$/,
    );
    expect(await world.run(['output-quota', 'much'])).toMatchObject({ code: 2 });
    await world.run(['output-quota', '2000']);
  });

  test('is found by search where the workspace says so, with how to read on', async () => {
    const printed = async (name: string) => {
      const runner = await runnerOf(ctx, name);
      expect(await world.run(['send', 'Fish.', '--to', name])).toMatchObject({ code: 0, stderr: '' });
      const { run, lock_token } = await claimed(runner);
      await runner.add(run.id, lock_token, pieces(['A quokka sat there.\n']));
      await runner.report(run.id, lock_token, [completed]);
      return run.id;
    };
    await printed('ibis-1');
    expect(await world.run(['output-search'])).toMatchObject({
      stdout: expect.stringMatching(/^Off: .* cairn output-search on\n$/),
    });
    expect(await world.run(['output-search', 'yes'])).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('yes is neither on nor off.') },
    });
    expect((await world.run(['output-search', 'on'])).stdout).toMatch(/^On: search finds the last that runs print/);
    const run = await printed('ibis-2');

    const { stdout } = await world.run(['search', 'quokka', '--kind', 'output']);

    expect(stdout).toContain(run.slice(-8));
    expect(stdout).toContain('ibis-2: Fish.');
    expect(stdout).toContain('A quokka sat there.');
    expect(stdout).toMatch(new RegExp(`\\nRead on: cairn output ${run}\\n$`));
    expect((await world.run(['output-search', 'off', '--json'])).stdout).toContain('"enabled": false');
    expect((await world.run(['search', 'quokka'])).stdout).toBe('Nothing found. Try fewer or other words.\n');
  });

  test('begins near its end for who follows it, or asks for that', async () => {
    const { runner, run, add, lock_token } = await begunRun(ctx, 'heron-8');
    const text = (n: number) => `${n}`.padEnd(16_000, '.');
    await add(pieces([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(text)));
    await add(pieces([11, 12, 13, 14, 15, 16, 17, 18].map(text), { from: 10 }));
    await runner.report(run, lock_token, [completed]);
    const end = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18].map(text).join('');
    const all = `${text(1)}${text(2)}${end}`;

    const remark = (option: string) => `! Earlier output is not shown: all of it with ${option}.\n`;
    expect(await output(run, '--tail')).toEqual({ code: 0, stdout: end, stderr: remark('no --tail') });
    expect(await output(run, '-f')).toEqual({ code: 0, stdout: end, stderr: remark('--all') });
    expect(await output(run, '-f', '--all')).toEqual({ code: 0, stdout: all, stderr: '' });
    expect(await output(run)).toEqual({ code: 0, stdout: all, stderr: '' });
  });

  test('of no run is not found', async () => {
    for (const name of ['nobody', 'deadbeef', '018f0000-0000-7000-8000-00000000000a']) {
      expect(await output(name)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('There is no '),
      });
    }
  });
});

test.for([
  ['output', 'cairn search timeout --kind output'],
  ['output-quota', 'cairn output claude-1'],
  ['output-search', 'cairn search timeout --kind output'],
  ['output-search', 'cairn output claude-1'],
  ['search', 'cairn search timeout --kind output'],
])('the help of cairn %s leads to %s', async ([command = '', other = '']) => {
  expect((await world.run([command, '--help'])).stdout).toContain(`\n  ${other}\n`);
});

test('the help lists what is about output beside the search, among what is seen', async () => {
  const [, seen = ''] = /^See:\n([\s\S]*?)\n\n/m.exec((await world.run(['--help'])).stdout) ?? [];
  const names = seen.split('\n').flatMap((line) => /^ {2}([a-z-]+)/.exec(line)?.[1] ?? []);
  expect(names).toEqual(expect.arrayContaining(['search', 'output', 'output-quota', 'output-search']));
});
