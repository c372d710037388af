import { afterEach, describe, expect, vi } from 'vitest';
import { test } from '../support/world.ts';
import { drive, ended, send } from './drive.ts';
import { closeDrivers, give, open } from './give.ts';

afterEach(closeDrivers);

const ASKING = [
  ['claude', { approved: /was told: allow/, denied: /was told: deny Not now\./ }],
  // A refusal of Codex has no words: they steer the turn.
  ['codex', { approved: /was told: accept/, denied: /steered: Not now\.[\s\S]+was told: decline/ }],
  // That of an agent over ACP has none either: they are the next prompt of the same run.
  ['acp', { approved: /was told: once/, denied: /was told: no[\s\S]+reads: About .+"rm -rf build"\): Not now\./ }],
] as const;

describe.each(ASKING)('the driver %s, asked for leave', (name, told) => {
  test.for(['approved', 'denied'] as const)('tells the agent that it is %s', async (decision) => {
    const { turn, asked, printed } = give(await open(name), 'ask', {
      answer: async () => ({ decision, note: 'Not now.' }),
    });

    expect(await turn.ended).toMatchObject({ status: 'completed' });
    expect(asked.map(({ question }) => question)).toMatchObject([
      { kind: 'permission', title: expect.stringContaining('rm -rf build'), detail: expect.any(Object) },
    ]);
    expect(printed()).toMatch(told[decision]);
  });

  test('refuses where the question cannot be put to anybody', async () => {
    const { turn, printed } = give(await open(name), 'ask', {
      answer: () => Promise.reject(new Error('Nobody is there.')),
    });

    expect(await turn.ended).toMatchObject({ status: 'completed' });
    expect(printed()).not.toMatch(told.approved);
  });

  test('withdraws the question when its turn ends', async () => {
    const { turn, asked } = give(await open(name), 'ask work 60000');
    await vi.waitUntil(() => asked.length > 0, { timeout: 10_000 });

    turn.interrupt();

    expect(await turn.ended).toMatchObject({ status: 'cancelled', end_reason: 'interrupted' });
    expect(asked[0]?.signal.aborted).toBe(true);
  });
});

describe.each([
  ['claude', /was told: allow {"Which colour\?":"blue"}/],
  ['codex', /was told: {"colour":{"answers":\["blue"\]}}/],
] as const)('the driver %s, asked a question', (name, told) => {
  test('answers it with what was chosen', async () => {
    const answer = async () => ({ decision: 'approved', answer: 'blue' }) as const;

    const { turn, asked, printed } = give(await open(name), 'question', { answer });

    expect(await turn.ended).toMatchObject({ status: 'completed' });
    expect(asked.map(({ question }) => question)).toMatchObject([
      { kind: 'question', title: 'Which colour?', options: ['red', 'blue'] },
    ]);
    expect(printed()).toMatch(told);
  });
});

describe('the driver acp, refused', () => {
  const denied = async () => ({ decision: 'denied', note: 'Not now.' }) as const;

  test('tells why in the run that asked, counts its tokens, and gives the next text after it', async ({ as }) => {
    const { printed } = await drive(as('ada'), { driver: await open('acp'), askSeconds: 1 });

    const first = await send(as('ada'), 'ask use 7');
    const second = await send(as('ada'), 'next');

    // A prompt of 7 and 2 tokens, and one of 10 and 2.
    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ tokens_in: 17, tokens_out: 4 }] });
    await ended(as('ada'), second);
    expect(printed.join('')).toMatch(/was told: no[\s\S]+Nobody answered\. Do not look for another way[\s\S]+next/);
  });

  test('goes on where the agent knows no refusal, and takes the end of its turn for one', async () => {
    const { turn, printed } = give(await open('acp', 'no-refusal'), 'ask', { answer: denied });

    expect(await turn.ended).toMatchObject({ status: 'completed' });
    expect(printed()).toMatch(/was told: cancelled[\s\S]+: Not now\./);
  });

  test('tells it three times to one that asks again and again', async () => {
    const { turn, asked, printed } = give(await open('acp', 'stubborn'), 'ask', { answer: denied });

    expect(await turn.ended).toMatchObject({ status: 'completed' });
    expect(asked).toHaveLength(4);
    expect(printed().match(/Not now\./g)).toHaveLength(3);
  });

  test('tells nothing where it is interrupted', async () => {
    const { turn, asked, printed } = give(await open('acp'), 'ask work 60000', { answer: denied });
    await vi.waitUntil(() => printed().includes('was told: no'), { timeout: 10_000 });

    turn.interrupt();

    expect(await turn.ended).toMatchObject({ status: 'cancelled', end_reason: 'interrupted' });
    expect(asked).toHaveLength(1);
    expect(printed()).not.toContain('Not now.');
  });
});
