import { afterEach, describe, expect, test, vi } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import type { Started } from '../../src/runner/active-run.ts';
import { type ReportedSteps, StepSender } from '../../src/runner/step-sender.ts';
import type { SentSteps } from '../../src/services/steps.ts';
import { request } from '../support/reports.ts';

// Follows the timers that a test has taken.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise<void>((resolve) => void globalThis.setTimeout(resolve, ms)),
}));

const RUN = '01a21c45-cc2f-78c1-ac0f-277acd561b01';
const OTHER = '01a21c45-cc2f-78c1-ac0f-277acd561b02';
const content = { prompt: 'The secret word is heron.' };

afterEach(() => void vi.useRealTimers());

function sender(answer: (run: string) => Promise<{ stored: number }> = async () => ({ stored: 1 })) {
  const sent: SentSteps[] = [];
  const stored: number[] = [];
  const refused: string[] = [];
  const steps = new StepSender({
    port: {
      steps({ run }, given) {
        sent.push(given);
        return answer(run);
      },
    },
    log: createLog('silent'),
    stored: (id) => stored.push(id),
    refused: (run, why) => refused.push(`${run}: ${why}`),
  });
  const know = (more: object = {}) => steps.know({ run: { id: RUN }, lock_token: 7, ...more } as Started);
  return { steps, know, sent, stored, refused };
}

const told = (id: number, run = RUN): ReportedSteps => ({
  id,
  run,
  steps: [request(run, String(id), { content })],
  links: [],
});

describe('steps that an agent reported', () => {
  test('go out in order, also those that came before their run was known', async () => {
    const { steps, know, sent, stored } = sender();

    steps.add(told(1));
    steps.add(told(2));
    expect(sent).toEqual([]);
    know();
    steps.add(told(3));
    await steps.end(1_000);

    expect(stored).toEqual([1, 2, 3]);
    expect(sent.map((given) => given.steps[0]?.span_id.at(-1))).toEqual(['1', '2', '3']);
  });

  test('takes out what was said unless the project of the run keeps it', async () => {
    for (const keeps_content of [undefined, true]) {
      const { steps, know, sent } = sender();
      know({ keeps_content });
      steps.add(told(1));
      await steps.end(1_000);
      expect(sent[0]?.steps[0]?.content).toEqual(keeps_content && content);
    }
  });

  test('are sent again while the server is away', async () => {
    let tries = 0;
    const { steps, know, stored } = sender(async () => {
      if (++tries < 3) throw new DomainError('unavailable', 'Away.');
      return { stored: 1 };
    });
    know();
    steps.add(told(1));

    await vi.waitUntil(() => stored.length > 0, { timeout: 10_000 });
    expect([tries, stored]).toEqual([3, [1]]);
  });

  test('that are refused are told once for their run, and not kept for ever', async () => {
    const { steps, know, stored, refused } = sender(async () => {
      throw new DomainError('lock_lost', 'Not yours.');
    });
    know();
    steps.add(told(1));
    steps.add(told(2));
    await steps.end(1_000);

    expect(refused).toEqual([`${RUN}: Not yours.`]);
    expect(stored).toEqual([1, 2]);
  });

  test('that the server fails at keep no other run waiting, and are given up', async () => {
    vi.useFakeTimers();
    const { steps, know, stored, refused } = sender(async (run) => {
      if (run === RUN) throw new DomainError('internal', 'Something failed inside Cairn.');
      return { stored: 1 };
    });
    know();
    know({ run: { id: OTHER } });
    steps.add(told(1));
    steps.add(told(2, OTHER));

    await vi.advanceTimersByTimeAsync(100);
    expect(stored).toEqual([2]);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(stored).toEqual([2, 1]);
    expect(refused).toEqual([`${RUN}: Something failed inside Cairn.`]);
  });

  test('of a run that nobody has any more are not kept for ever', async () => {
    vi.useFakeTimers();
    const { steps, know, sent, stored, refused } = sender();
    steps.add(told(1));
    // However long the server was away.
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(stored).toEqual([]);

    know({ run: { id: OTHER } });
    await vi.advanceTimersByTimeAsync(61_000);

    expect([sent, stored]).toEqual([[], [1]]);
    expect(refused).toEqual([expect.stringContaining('earlier runner')]);
  });
});
