import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { listAlerts } from '../../src/services/alerts.ts';
import { listOutput, type OutputChunk } from '../../src/services/output.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { begunRun, claimed, completed, pieces, readOutput } from '../support/runners.ts';
import { test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

const KB = 1_024;

describe('output', () => {
  test('is refused where it is of another form or too large', async ({ as }) => {
    const { run, lock_token } = await begunRun(as('ada'));
    const [piece] = pieces(['x']);
    const add = (chunks: unknown) =>
      as('ada').db.call('add_output', { run, lock_token, chunks } as never, as('ada').actor);
    const faults = [
      {},
      7,
      [1],
      [{}],
      [{ ...piece, sequence: -1 }],
      [{ ...piece, sequence: 'one' }],
      [{ ...piece, stream: 'stdin' }],
      [{ ...piece, content: '' }],
      [{ ...piece, content: 'x'.repeat(16 * KB + 1) }],
      [{ ...piece, content: 'é'.repeat(8 * KB + 1) }],
      [{ ...piece, at: 'then' }],
      [{ ...piece, at: 'infinity' }],
      [piece, piece],
      pieces(upTo(1_001).map(String)),
    ];

    for (const chunks of faults) {
      await expect(add(chunks), JSON.stringify(chunks).slice(0, 80)).rejects.toMatchObject({
        code: 'invalid_input',
        message: expect.stringContaining('a list of at most 1,000 {sequence, stream, content, at, ansi?}'),
      });
    }
    const full = 'x'.repeat(16 * KB);
    await expect(add(pieces([...Array(16).fill(full), 'x']))).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'chunks must be of at most 262,144 bytes together.',
    });
    expect(await add(pieces(Array(16).fill(full)))).toMatchObject({ next_seq: 16, stored: 16 });
  });

  test('of a clock that is wrong is refused, by what to compare', async ({ as }) => {
    const { add } = await begunRun(as('ada'));
    const days = (count: number) => new Date(Date.now() + count * 86_400_000);

    for (const at of [days(-2), days(2), days(-400), days(9_000)]) {
      await expect(add(pieces(['x'], { at }))).rejects.toMatchObject({
        code: 'invalid_input',
        message: `A chunk says that it was printed at ${at.toISOString().slice(0, 19).replace('T', ' ')} UTC, when the run was not on.`,
        hint: "The clock of its machine is wrong: compare it with the server's.",
        details: { field: 'chunks' },
      });
    }
    expect(await add(pieces(['x'], { at: days(-0.9) }))).toMatchObject({ stored: 1 });
  });

  test('older than is kept in the database is refused, however long its run', async ({ as, clock }) => {
    const { add } = await begunRun(as('ada'));
    const at = new Date();
    await clock.advance({ seconds: 40 * 86_400 });

    await expect(add(pieces(['x'], { at }))).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'The time of a record is not one of the last 30 days.',
    });
  });

  test('beyond 50 MB of a run is counted, and not kept but for its end', async ({ as, sql }) => {
    const { run, add } = await begunRun(as('ada'));
    await add(pieces(['a']));
    await sql.query('update app.run_outputs set bytes = 52428800 - 2 where run_id = $1', [run]);

    expect(await add(pieces(['b', 'cc', 'd'], { from: 1 }))).toEqual({
      ...{ next_seq: 4, stored: 1, dropped_bytes: 3, full: true },
    });
    const left_out = { below: 10, bytes: 39 };
    for (const stored of [2, 0]) {
      expect(await add(pieces(['k', 'l'], { from: 10 }), left_out)).toEqual({
        ...{ next_seq: 12, stored, dropped_bytes: 42, full: true },
      });
    }

    const { pages, text } = await readOutput(as('ada'), run);
    expect(text).toBe('abkl');
    const places = [{ from: 2, below: 10, bytes: 42, why: 'run' }];
    expect(pages[0]).toMatchObject({ dropped_bytes: 42, last_sequence: 11, left_out: places });
    expect((await callTool(as('ada'), toolNamed('get_output'), { run })).text).toContain(
      'stdout: "ab"\n… 42 bytes left out: more than is kept of a run …\nstdout: "kl"',
    );
  });

  test('keeps at least 10 MB of each attempt, and 5 of its end', async ({ as, sql }) => {
    const { runner, run, add } = await begunRun(as('ada'));
    await add(pieces(['a']));
    await sql.query('update app.run_outputs set bytes = 52428800 where run_id = $1', [run]);
    const { lock_token } = await claimed(runner);
    const again = (chunks: OutputChunk[]) => runner.add(run, lock_token, chunks);

    expect(await again(pieces(['x'.repeat(16 * KB)]))).toEqual({ next_seq: 1, stored: 1 });
    const filled = (bytes: number, last: number) =>
      sql.query('update app.run_outputs set bytes = $2, last_bytes = $3 where run_id = $1 and attempt = 2', [
        ...[run, bytes, last],
      ]);
    await filled(10 * KB * KB - 1, 0);
    expect(await again(pieces(['yy'], { from: 1 }))).toMatchObject({ stored: 0, dropped_bytes: 2, full: true });
    await filled(15 * KB * KB - 2, 5 * KB * KB - 1);
    expect(await again(pieces(['z', 'z'], { from: 2 }))).toMatchObject({ next_seq: 4, stored: 1, dropped_bytes: 3 });
  });

  test('that a killed runner took with it is said, and what comes after it is kept as before', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    await add(pieces(['a']));

    expect(await add([], { below: 2, bytes: 39, why: 'lost' })).toEqual({ next_seq: 2, stored: 0, dropped_bytes: 39 });
    expect(await add(pieces(['b'], { from: 2 }))).toEqual({ next_seq: 3, stored: 1, dropped_bytes: 39 });

    const { pages, text } = await readOutput(as('ada'), run);
    expect(text).toBe('ab');
    expect(pages[0]).toMatchObject({ left_out: [{ from: 1, below: 2, bytes: 39, why: 'lost' }] });
    expect((await callTool(as('ada'), toolNamed('get_output'), { run })).text).toContain(
      'stdout: "a"\n… 39 bytes left out: its runner was killed before it was sent …\nstdout: "b"',
    );
  });

  test('that is left out is said as a sequence and its bytes, in few places', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));

    for (const left_out of [
      7,
      [],
      {},
      { below: 0, bytes: 1 },
      { below: 1 },
      { below: 'x', bytes: 1 },
      { below: 1, bytes: 1, why: 'day' },
    ]) {
      await expect(add([], left_out), JSON.stringify(left_out)).rejects.toMatchObject({
        code: 'invalid_input',
        details: { field: 'left_out' },
      });
    }
    for (const n of upTo(30)) await add(pieces(['x'], { from: 2 * n }), { below: 2 * n, bytes: 1 });

    const { left_out = [] } = await listOutput(as('ada'), { run, page_size: 1 });
    expect(left_out.length).toBe(20);
    expect(left_out.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThanOrEqual(30);
  });

  test('that floods is asked to pause, and answered in parts', async ({ as, sql }) => {
    const { run, add } = await begunRun(as('ada'));
    const full = Array<string>(16).fill('x'.repeat(16 * KB));
    await add(pieces(full));
    await sql.query(`update app.run_outputs set paced_until = now() + interval '5 s' where run_id = $1`, [run]);

    const { pause_ms = 0 } = await add(pieces(full, { from: 16 }));

    expect(pause_ms).toBeGreaterThan(3_000);
    const page = await listOutput(as('ada'), { run, page_size: 1_000 });
    expect([page.chunks.length, page.next_sequence]).toEqual([16, 15]);
  });
});

describe('the quota of a day', () => {
  test('beyond the quota of a day is counted, and told once, until the next', async ({ as, sql, clock }) => {
    const { runner, run, lock_token, add } = await begunRun(as('ada'));
    await add(pieces(['a']));
    const used = (bytes: number) =>
      sql.query('update app.output_days set bytes = $2 where tenant_id = $1', [as('ada').actor.tenant_id, bytes]);
    await used(2e9 - 2);

    const over_quota = {
      ...{ code: 'rate_limited', allowed_bytes: 2e9, hint: expect.stringContaining('cairn output-quota') },
      until: expect.stringMatching(/T00:00:00/),
    };
    expect(await add(pieces(['b', 'cc', 'd'], { from: 1 }))).toEqual({
      ...{ next_seq: 4, stored: 1, dropped_bytes: 3, over_quota },
    });
    expect(await add(pieces(['e'], { from: 4 }))).toEqual({ next_seq: 5, stored: 0, dropped_bytes: 4, over_quota });
    const { alerts } = await listAlerts(as('ada'), {});
    expect(alerts).toMatchObject([{ kind: 'output_quota', raised_count: 1, details: { run, allowed_bytes: 2e9 } }]);
    const { pages, text } = await readOutput(as('ada'), run);
    expect([text, pages[0]?.left_out]).toEqual(['ab', [{ from: 2, below: 5, bytes: 4, why: 'day' }]]);

    await clock.advance({ seconds: 86_400 });
    expect(await add(pieces(['f'], { from: 5, at: new Date(Date.now() + 86_400_000) }))).toMatchObject({ stored: 1 });
    expect(await listAlerts(as('ada'), {})).toEqual({ alerts: [] });
    await runner.report(run, lock_token, [completed]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('counts what all runs of a workspace add, and of no other', async ({ as, asStranger, sql }) => {
    const [heron, egret] = [await begunRun(as('ada')), await begunRun(as('ada'), 'egret-1')];
    const other = await begunRun(asStranger('eve'));
    await heron.add(pieces(['a']));
    await sql.query('update app.output_days set bytes = 2e9 where tenant_id = $1', [as('ada').actor.tenant_id]);

    expect(await egret.add(pieces(['b']))).toMatchObject({ stored: 0, dropped_bytes: 1 });
    expect(await other.add(pieces(['c']))).toEqual({ next_seq: 1, stored: 1 });
  });

  test('is set by who runs the server', async ({ as }) => {
    const { db, actor } = as('ada');
    const forbidden = { code: 'forbidden' };

    const agent = db.call('set_output_quota', { megabytes: 1 }, { ...actor, agent: 'ada' });
    await expect(agent).rejects.toMatchObject({ ...forbidden, message: expect.stringContaining('not by an agent') });
    const guest = db.call('set_output_quota', { megabytes: 1 }, { ...actor, agent: null });
    await expect(guest).rejects.toMatchObject({ ...forbidden, message: expect.stringContaining('Whoever runs') });
    await expect(
      db.call('set_output_quota', { megabytes: 1 }, { ...actor, project_id: newId() }),
    ).rejects.toMatchObject({ ...forbidden, message: expect.stringContaining('limited to') });
  });
});

describe('an agent', () => {
  test('reads the latest output without escape codes, as data', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    await add(pieces(['one\n', 'two \x1b[3', '1mred\x1b[0m \x1b]0;title\x07\x1b[2J\n']));
    await add([{ ...(pieces(['bad\n'], { from: 3 })[0] as OutputChunk), stream: 'stderr' }]);

    expect(await call(as('ada'), 'get_output', { run })).toEqual({
      run,
      agent: 'heron-1',
      attempt: 1,
      attempts: 1,
      ended: false,
      pieces: [
        expect.objectContaining({ sequence: 0, stream: 'stdout', text: 'one\n' }),
        expect.objectContaining({ sequence: 1, text: 'two ' }),
        expect.objectContaining({ sequence: 2, text: 'red \n' }),
        expect.objectContaining({ sequence: 3, stream: 'stderr', text: 'bad\n' }),
      ],
    });
  });

  test('reads what fits, and goes on from there', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    const texts = upTo(30).map((n) => `${n}`.padEnd(2 * KB, '.'));
    await add(pieces(texts));

    const latest = await call(as('ada'), 'get_output', { run });
    expect(latest).toMatchObject({ earlier: true });
    expect((latest['pieces'] as { sequence: number }[]).at(-1)).toMatchObject({ sequence: 29 });
    expect(latest).not.toHaveProperty('next_sequence');

    const seen: number[] = [];
    for (let after: unknown = -1; after !== undefined; ) {
      const answer = await call(as('ada'), 'get_output', { run, after_sequence: after });
      seen.push(...(answer['pieces'] as { sequence: number }[]).map(({ sequence }) => sequence));
      after = answer['next_sequence'];
    }
    expect(seen).toEqual(upTo(30).map((n) => n - 1));
  });

  test('reads a piece that does not fit in part', async ({ as }) => {
    const { run, add } = await begunRun(as('ada'));
    await add(pieces(['"'.repeat(16 * KB)]));

    const [piece] = (await call(as('ada'), 'get_output', { run }))['pieces'] as [{ text: string }];
    expect(piece.text.length).toBe(8_000);
  });
});
