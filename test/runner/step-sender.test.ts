import { describe, expect, test, vi } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import type { Started } from '../../src/runner/active-run.ts';
import { type ReportedSteps, StepSender } from '../../src/runner/step-sender.ts';
import type { SentSteps } from '../../src/services/steps.ts';
import { request } from '../support/reports.ts';

const RUN = '01a21c45-cc2f-78c1-ac0f-277acd561b01';
const content = { prompt: 'The secret word is heron.' };

function sender(answer: () => Promise<{ stored: number }> = async () => ({ stored: 1 })) {
  const sent: SentSteps[] = [];
  const stored: number[] = [];
  const refused: string[] = [];
  const steps = new StepSender({
    port: {
      steps(_, given) {
        sent.push(given);
        return answer();
      },
    },
    log: createLog('silent'),
    stored: (id) => stored.push(id),
    refused: (run, why) => refused.push(`${run}: ${why}`),
  });
  const know = (more: object = {}) => steps.know({ run: { id: RUN }, lock_token: 7, ...more } as Started);
  return { steps, know, sent, stored, refused };
}

const told = (id: number): ReportedSteps => ({
  id,
  run: RUN,
  steps: [request(RUN, String(id), { content })],
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
});
