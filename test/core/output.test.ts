import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, vi } from 'vitest';
import { getPosition } from '../../src/events/feed.ts';
import { addOutput, listOutput } from '../../src/services/output.ts';
import { archiveRecords, dropPartitions } from '../../src/services/records.ts';
import { SYSTEM } from '../../src/workers/claims.ts';
import { blobs } from '../support/blobs.ts';
import { call } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { begunRun, claimed, completed, pieces, readOutput } from '../support/runners.ts';
import { createScratch } from '../support/scratch.ts';
import { contextOf, test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

const KB = 1_024;

describe('output', () => {
  test('is read in the order in which it was printed, page by page', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    const texts = upTo(25).map((n) => `line ${n}\n`);

    expect(await add(pieces(texts.slice(0, 10)))).toEqual({ next_seq: 10, stored: 10 });
    expect(await add(pieces(texts.slice(10), { from: 10 }))).toEqual({ next_seq: 25, stored: 15 });

    const { pages, text } = await readOutput(as('ada'), run, { page_size: 10 });
    expect(text).toBe(texts.join(''));
    expect(pages.map(({ chunks }) => chunks.length)).toEqual([10, 10, 5]);
    expect(pages[2]).toMatchObject({ run, agent: 'heron-1', attempt: 1, attempts: 1, last_sequence: 24, ended: false });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('that is sent again changes nothing, at whatever time it says that it was printed', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    await add(pieces(['a', 'b']));

    expect(await add(pieces(['a', 'b', 'c']))).toEqual({ next_seq: 3, stored: 1 });
    expect(await add(pieces(['A'], { at: new Date(Date.now() - 1_000) }))).toEqual({ next_seq: 3, stored: 0 });
    expect(await add([])).toEqual({ next_seq: 3, stored: 0 });

    expect((await readOutput(as('ada'), run)).text).toBe('abc');
  });

  test('that is missing is told by where to go on, and may come later', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));

    expect(await add(pieces(['c', 'd'], { from: 2 }))).toEqual({ next_seq: 0, stored: 2 });
    expect(await add(pieces(['C'], { from: 2, at: new Date(Date.now() - 1_000) }))).toEqual({ next_seq: 0, stored: 0 });
    expect(await add(pieces(['a']))).toEqual({ next_seq: 1, stored: 1 });
    expect(await add(pieces(['f'], { from: 5 }))).toEqual({ next_seq: 1, stored: 1 });
    expect(await add(pieces(['b'], { from: 1 }))).toEqual({ next_seq: 4, stored: 1 });
    expect((await readOutput(as('ada'), run)).chunks.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 5]);
    expect(await add(pieces(['e'], { from: 4 }))).toEqual({ next_seq: 6, stored: 1 });

    expect((await readOutput(as('ada'), run)).text).toBe('abcdef');
  });

  test('sent by several at once is there once', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    const texts = upTo(40).map((n) => `${n};`);

    const added = await Promise.all(
      upTo(8).map((n) => add(pieces(texts.slice(0, 5 * n), { at: new Date(Date.now() - n * 1_000) }))),
    );

    expect(added.reduce((sum, { stored }) => sum + stored, 0)).toBe(40);
    expect((await readOutput(as('ada'), run)).text).toBe(texts.join(''));
  });

  test('of another attempt is counted from 0, and each attempt is read by itself', async ({ as }) => {
    const { runner, run, lock_token, add } = await begunRun(as('ada'));
    await add(pieces(['first']));
    const again = await claimed(runner);
    expect(again.run.id).toBe(run);

    await expect(add(pieces(['late'], { from: 1 }))).rejects.toMatchObject({ code: 'lock_lost' });
    expect(await runner.add(run, again.lock_token, pieces(['second']))).toEqual({ next_seq: 1, stored: 1 });

    expect(again.lock_token).not.toBe(lock_token);
    expect((await readOutput(as('ada'), run)).text).toBe('second');
    const before = await readOutput(as('ada'), run, { attempt: 1 });
    expect([before.text, before.pages[0]]).toEqual(['first', expect.objectContaining({ attempts: 2, ended: true })]);
  });

  test('is taken of who holds the run, also after its end, and of nobody else', async ({ as, asStranger }) => {
    const { runner, run, lock_token, add } = await begunRun(as('ada'));

    await expect(runner.add(run, lock_token + 1, pieces(['x']))).rejects.toMatchObject({ code: 'lock_lost' });
    await expect(addOutput(asStranger('eve'), { run, lock_token, chunks: pieces(['x']) })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(listOutput(asStranger('eve'), { run, page_size: 1 })).rejects.toMatchObject({ code: 'not_found' });
    await runner.report(run, lock_token, [completed]);
    expect(await add(pieces(['late']))).toEqual({ next_seq: 1, stored: 1 });

    const { pages, text } = await readOutput(as('ada'), run);
    expect([text, pages[0]?.ended]).toEqual(['late', true]);
  });

  test('keeps characters of several bytes where it was cut, and what the database cannot hold as another', async ({
    as,
  }) => {
    const { run, add } = await begunRun(as('ada'));
    const whole = '🦩'.repeat(4 * KB);

    await add(pieces([whole, 'é\u0301', 'a\0b', 'c\ud83e']));

    expect((await readOutput(as('ada'), run)).chunks.map(({ content }) => content)).toEqual([
      whole,
      'é\u0301',
      'a b',
      'c\ufffd',
    ]);
  });

  test('is read from its end, as much as is asked for', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    const sequences = async (last_bytes: number) =>
      (await listOutput(as('ada'), { run, last_bytes, page_size: 1_000 })).chunks.map(({ sequence }) => sequence);
    expect(await sequences(256 * KB)).toEqual([]);
    for (const from of [0, 16, 32]) await add(pieces(Array(16).fill('x'.repeat(16 * KB)), { from }));
    await add(pieces(['y'], { from: 48 }));

    expect(await sequences(256 * KB)).toEqual(upTo(16).map((n) => 32 + n));
    expect(await sequences(16 * KB)).toEqual([48]);
  });

  test('wakes who listens for its run, once a second, and is no event', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    const position = await getPosition(as('ada'));
    const heard: number[] = [];
    const listening = as('ada').db.listen?.((of) => of === run && heard.push(performance.now()), 'output');
    if (listening === undefined) return;
    await vi.waitUntil(() => listening.hears(), { timeout: 5_000 });

    for (const from of upTo(20)) await add(pieces(['x'], { from: from - 1 }));

    await vi.waitUntil(() => heard.length === 2, { timeout: 5_000 });
    expect((heard[1] ?? 0) - (heard[0] ?? 0)).toBeGreaterThan(900);
    listening.stop();
    expect(await getPosition(as('ada'))).toBe(position);
  });

  test('tells whether it has escape codes', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    await add(pieces(['plain', '\x1b[31mred']));

    expect((await readOutput(as('ada'), run)).chunks.map(({ ansi }) => ansi)).toEqual([false, true]);
  });
});

test('output in files is read as before, also where a part of it is in the table', async () => {
  const scratch = await createScratch();
  const folder = await mkdtemp(join(inject('scratch'), 'output-'));
  try {
    const ada = contextOf(await scratch.signIn('ada'))('ada');
    const { run, add } = await begunRun(ada);
    await add(pieces(upTo(30).map((n) => `${n};`)));
    await add(pieces(['x', 'y'], { from: 30 }));
    const another = await begunRun(ada, 'egret-1');
    await another.add(pieces(['another']));
    // It began long ago, and the first of it is old.
    await scratch.sql.query(`select app.make_partitions(now() - interval '45 days')`);
    await scratch.sql.query(`update public.agent_runs set started_at = started_at - interval '45 days'`);
    await scratch.sql.query(
      `update public.terminal_outputs set "timestamp" = "timestamp" - interval '45 days' where sequence < 20`,
    );
    const [before, others] = [await readOutput(ada, run), await readOutput(ada, another.run)];
    expect(before.text).toMatch(/^1;2;.*30;xy$/);

    const keeper = { db: scratch.db, actor: SYSTEM, blobs };
    for await (const _part of archiveRecords(keeper, folder));
    expect(await dropPartitions(keeper)).toHaveLength(1);

    expect((await readOutput(ada, run)).chunks).toEqual(before.chunks);
    for (const page_size of [1, 7, 19, 20, 21]) {
      expect((await readOutput(ada, run, { page_size })).text).toBe(before.text);
    }
    expect((await readOutput(ada, another.run)).chunks).toEqual(others.chunks);
    expect((await listOutput(ada, { run, last_bytes: 16 * KB, page_size: 1_000 })).chunks).toEqual(before.chunks);
    expect((await listOutput(ada, { run, last_bytes: 16 * KB, page_size: 5 })).chunks).toEqual(before.chunks.slice(-5));
    expect(await call(ada, 'get_output', { run })).toMatchObject({ run });
    const [first] = (await listOutput(ada, { run, page_size: 1 })).chunks;
    expect(first).toMatchObject({ sequence: 0, content: '1;' });
  } finally {
    await scratch.drop();
    await rm(folder, { recursive: true });
  }
});
