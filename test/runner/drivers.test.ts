import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import { DRIVER_NAMES, type DriverName } from '../../src/runner/driver-names.ts';
import { call } from '../support/calls.ts';
import { kilobytesOf } from '../support/memory.ts';
import { test } from '../support/world.ts';
import { begun, drive as driveOver, ended, send, until } from './drive.ts';
import { closeDrivers, give, open, openHeld } from './give.ts';
import { SHOWN } from './shown.ts';

// With 500, as much as is tried by hand.
const FLOOD_MB = Number(process.env.CAIRN_TEST_FLOOD_MB ?? 20);

afterEach(closeDrivers);

const starts = (printed: string[]) => printed.join('').match(/begun with heron/g)?.length;

const RESUMES: Partial<Record<DriverName, RegExp>> = {
  claude: /--resume a-session/,
  codex: /resumes a-thread/,
  acp: /resumes a-session/,
};

describe.each(DRIVER_NAMES)('the driver %s, held as a runner lets it be,', (name) => {
  const shown = SHOWN[name];
  const keeps = shown.interrupt === 'its process stays';
  const counts = shown.budget !== 'none';
  const drive = async (ctx: Context) => driveOver(ctx, { driver: (await openHeld(name)).driver });

  test('delivers a text and the next, and has what came of them', async ({ as }) => {
    const { printed } = await drive(as('heron'));

    const first = await ended(as('ada'), await send(as('ada'), 'use 7'));
    const second = await ended(as('ada'), await send(as('ada'), 'more'));

    expect(first).toMatchObject({
      status: 'completed',
      runs: [{ result: expect.stringMatching(/did/), acked_at: expect.any(String) }],
    });
    expect(first).toMatchObject({ runs: [{ ended_by: 'itself' }] });
    if (counts) expect(first).toMatchObject({ runs: [{ tokens_in: 7, tokens_out: 2 }] });
    expect(second).toMatchObject({ status: 'completed' });
    expect(printed.join('')).toMatch(/reads: From agent ada[\s\S]+use 7[\s\S]+reads: From agent ada[\s\S]+more/);
    if (keeps) expect(starts(printed)).toBe(1);
  });

  test(`takes a second command: ${shown.steer}`, async ({ as }) => {
    await drive(as('heron'));
    const first = await send(as('ada'), 'work 700');
    await begun(as('ada'), first);

    const second = await send(as('ada'), 'And this.', { mode: 'steer' });

    const results = [await ended(as('ada'), first), await ended(as('ada'), second)].map(({ runs }) => runs[0]);
    const steered =
      shown.steer === 'joins its turn' ? expect.stringMatching(/did \+ steered/) : expect.not.stringMatching('steered');
    expect(results).toMatchObject([
      { status: 'completed', result: steered },
      { status: 'completed', result: steered },
    ]);
  });

  test(`interrupts a run: ${shown.interrupt}`, async ({ as }) => {
    const { printed } = await drive(as('heron'));
    const first = await send(as('ada'), 'work 60000');
    const { runs } = await until(as('ada'), first, (command) => 'acked_at' in (command.runs[0] ?? {}));

    await call(as('ada'), 'interrupt_run', { run: runs[0]?.id, reason: 'Enough.' });

    expect(await ended(as('ada'), first)).toMatchObject({
      runs: [
        { status: 'cancelled', end_reason: 'interrupted', error: 'Enough.', ended_by: keeps ? 'interrupt' : 'term' },
      ],
    });
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
    if (keeps) expect(starts(printed)).toBe(1);
  });

  test('ends a run at its limit of time', async ({ as }) => {
    await drive(as('heron'));

    const command = await ended(as('ada'), await send(as('ada'), 'work 60000', { limits: { time_limit_ms: 600 } }));

    expect(command).toMatchObject({ runs: [{ status: 'timed_out', end_reason: 'time_limit' }] });
  });

  test(`watches an agent that hangs: ${shown.hang}`, async ({ as }) => {
    await drive(as('heron'));

    const sent = await send(as('ada'), 'silent 60000', { limits: { silence_limit_ms: 1_000 } });

    const end = shown.hang === 'ends the run' ? 'silent' : 'completed';
    expect(await ended(as('ada'), sent)).toMatchObject({ runs: [{ end_reason: end }] });
  });

  test.runIf(counts)('ends a run at its budget of tokens', async ({ as }) => {
    await drive(as('heron'));

    const sent = await send(as('ada'), 'use 500 work 60000', { limits: { token_budget: 100 } });

    expect(await ended(as('ada'), sent)).toMatchObject({ runs: [{ status: 'failed', end_reason: 'token_limit' }] });
  });

  test('tells of a crash, and starts the agent again', async ({ as }) => {
    const { printed } = await drive(as('heron'));
    await ended(as('ada'), await send(as('ada'), 'first'));

    const crashed = await ended(as('ada'), await send(as('ada'), 'crash'));
    const next = await ended(as('ada'), await send(as('ada'), 'next'));

    expect(crashed).toMatchObject({
      runs: [{ status: 'failed', end_reason: 'crashed', error: expect.stringContaining('It ended with 3.') }],
    });
    expect(next).toMatchObject({ status: 'completed', runs: [{ result: expect.not.stringContaining('before') }] });
    expect(RESUMES[name] !== undefined).toBe(shown.crash !== 'started anew');
    expect(printed.join('')).toMatch(RESUMES[name] ?? /next/);
  });

  test('kills an agent that is deaf, with what it has started', async ({ as }) => {
    const { printed } = await drive(as('heron'));
    const sent = await send(as('ada'), 'deaf work 60000');
    const child = await vi.waitUntil(() => /deaf with (\d+)/.exec(printed.join(''))?.[1], { timeout: 10_000 });
    expect(isAlive(child)).toBe(true);

    const [run] = (await begun(as('ada'), sent)).runs;
    await call(as('ada'), 'interrupt_run', { run: run?.id });

    expect(await ended(as('ada'), sent)).toMatchObject({
      runs: [{ status: 'cancelled', end_reason: 'interrupted', ended_by: 'kill' }],
    });
    expect(isAlive(child)).toBe(false);
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
  });

  test(`keeps little of a flood of ${FLOOD_MB} MB`, { timeout: 30_000 + FLOOD_MB * 500 }, async () => {
    const { driver, holder } = await openHeld(name);
    await give(driver, 'flood 1').turn.ended;
    const sizes = () => [process.memoryUsage.rss() / 1_024, kilobytesOf(holder)];
    const before = sizes();
    let bytes = 0;

    const hears = (words: string) => {
      bytes += words.length;
    };
    const { turn } = give(driver, `flood ${FLOOD_MB}\n`, { hears });

    expect(await turn.ended).toMatchObject({ status: 'completed' });
    expect(bytes).toBeGreaterThan(FLOOD_MB * 1_000_000);
    const grown = sizes().map((size, at) => Math.round((size - (before[at] ?? 0)) / 1_024));
    if (FLOOD_MB > 20) console.log(`${name}: runner ${grown[0]} MB, holder ${grown[1]} MB more after ${FLOOD_MB} MB`);
    for (const mb of grown) expect(mb).toBeLessThan(150);
  });
});

describe("a provider's usage limit", () => {
  const until = new Date(1_900_000_000_000).toISOString();
  const TOLD: Partial<Record<DriverName, string>> = {
    claude: "You've hit your limit.",
    codex: "You've hit your usage limit.",
    acp: 'You have exhausted your quota.',
  };
  const telling = DRIVER_NAMES.filter((name) => SHOWN[name].usageLimit !== 'none');
  test.for(telling)('is told by the driver %s, with the time of its end where that is known', async (name) => {
    const said = { reason: TOLD[name], ...(SHOWN[name].usageLimit === 'with the time of its end' && { until }) };
    const { turn } = give(await open(name), 'limit');

    expect(await turn.ended).toEqual({ status: 'limited', ...said });
  });
});

describe('the driver codex', () => {
  test('ends the commands of a turn that is interrupted, which Codex lets go on', async () => {
    const driver = await open('codex');
    const { turn, printed } = give(driver, 'work 60000');
    await vi.waitUntil(() => printed().includes('reads:'), { timeout: 10_000 });

    turn.interrupt();

    expect(await turn.ended).toMatchObject({ status: 'cancelled' });
    const { turn: next, printed: seen } = give(driver, 'work 300');
    await next.ended;
    expect(printed() + seen()).toContain('cleaned');
  });

  test.for([
    [1, 'explorer: Euclid'],
    [2, 'agent f-euclid'],
  ] as const)('names a sub-agent whose thread cannot be read the first %i times', async ([times, name]) => {
    const works = vi.fn();
    const { turn } = give(await open('codex'), `spawn ${times} work 300`, { works });

    await turn.ended;

    expect(works).toHaveBeenLastCalledWith([name]);
  });

  test('takes the minute that it names for one that has to pass', async () => {
    const { turn } = give(await open('codex'), 'limit "Try again at Nov 27th, 2031 3:05 AM."');

    const until = new Date(2031, 10, 27, 3, 6).toISOString();
    expect(await turn.ended).toMatchObject({ status: 'limited', until });
  });
});

/** Who has ended stays in the table of processes until somebody asks for it. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
