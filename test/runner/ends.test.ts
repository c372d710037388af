import { describe, expect } from 'vitest';
import { turnOf } from '../../src/cli/hook/calling.ts';
import { DomainError } from '../../src/errors.ts';
import type { Driver } from '../../src/runner/driver.ts';
import type { Ended, Limited } from '../../src/runner/ended.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { listAgents } from '../../src/services/agents.ts';
import { ended, send } from './drive.ts';
import { claude, test } from './ways.ts';

/** An agent that ends at once. */
const ending = (how: Ended | Limited): Driver => ({
  ...claude(),
  deliver: () => ({ ended: Promise.resolve(how), interrupt() {}, stop() {} }),
});

// Cut at a limit that is even, half of a character stays.
const LONG = `a${'😀'.repeat(15_000)}`;

describe.for(['the database', 'HTTP'] as const)('the end of a run, told over %s,', (way) => {
  test.override({ way });

  test.for<[what: string, how: Ended | Limited, seen: object]>([
    ['result', { status: 'completed', end_reason: 'completed', result: LONG }, { end_reason: 'completed' }],
    ['failure', { status: 'failed', end_reason: 'crashed', error: LONG }, { end_reason: 'crashed' }],
    ['limit', { status: 'limited', reason: LONG }, { end_reason: 'usage_limit' }],
  ])('is kept where its %s is cut inside a character', async ([, how, seen], { as, drive }) => {
    await drive({ driver: ending(how) });

    const command = await ended(as('ada'), await send(as('ada'), 'x', { resumes: false }));

    expect(command).toMatchObject({ runs: [seen] });
    expect(JSON.stringify(command)).toContain('😀😀😀');
  });
});

test('the end of a run is told without its words where they are refused', async ({ as, drive }) => {
  const refusing = (port: RunnerPort): RunnerPort => ({
    ...port,
    report: (held, events) =>
      events.some(({ data = {} }) => 'result' in data)
        ? Promise.reject(new DomainError('invalid_input', 'No.'))
        : port.report(held, events),
  });
  await drive({ driver: ending({ status: 'completed', end_reason: 'completed', result: 'did' }), port: refusing });

  const { runs } = await ended(as('ada'), await send(as('ada'), 'x'));

  expect(runs).toMatchObject([{ status: 'completed', end_reason: 'completed', not_recorded: 1 }]);
  expect(runs[0]).not.toHaveProperty('result');
});

test('the last words of a turn that a hook tells are cut between characters', () => {
  expect(turnOf({ last_words: LONG } as Parameters<typeof turnOf>[0])).toMatchObject({
    result: `a${'😀'.repeat(9_999)}`,
  });
});

test('what an agent prints and the server refuses is told once, and its run goes on', async ({ as, drive }) => {
  const refusing = (port: RunnerPort): RunnerPort => ({
    ...port,
    output: () => Promise.reject(new DomainError('invalid_input', 'No.')),
  });
  const { notices } = await drive({ driver: claude(), port: refusing });

  const command = await ended(as('ada'), await send(as('ada'), 'x'));

  expect(command).toMatchObject({ status: 'completed', runs: [{ not_recorded: 1 }] });
  const health = async () => (await listAgents(as('ada'), { page_size: 1 })).agents[0]?.health;
  await expect.poll(health).toMatchObject({ not_recorded: 1 });
  const told = notices.filter(({ what }) => what === 'unrecorded');
  expect(told).toEqual([expect.objectContaining({ of: 'output', why: 'No.' })]);
});
