import { describe, expect } from 'vitest';
import { getRunUse } from '../../src/services/run-trace.ts';
import type { SentSteps, StoredStep } from '../../src/services/steps.ts';
import { call } from '../support/calls.ts';
import { play, type Recorded, reportedBy, request, send, sentFor, stepsOf } from '../support/reports.ts';
import { begunRun } from '../support/runners.ts';
import { test } from '../support/world.ts';

/** What each client's own summary of the recorded session says. */
const OWN: Record<Recorded, { model: string; requests: number; in: number; out: number; cached: number }> = {
  claude: { model: 'claude-sonnet-4-5', requests: 7, in: 224_784, out: 308, cached: 210_028 },
  codex: { model: 'gpt-5.5', requests: 11, in: 353_331, out: 517, cached: 330_077 },
  gemini: { model: 'stand-in', requests: 13, in: 391_482, out: 676, cached: 390_091 },
};
/** Words of prompts, arguments and outputs of the recorded sessions. */
const SAID = ['MAINPROMPT', 'Shell command failed', 'exited with code', '/home/ada'];
const AGENTS = ['claude', 'codex', 'gemini'] as const;

describe('what a real agent reported', () => {
  test.for(AGENTS)('of %s, in one tree, adds up to its own figures', async (agent, { as }) => {
    const begun = await begunRun(as('ada'));

    const steps = await play(as('ada'), begun, sentFor(begun.run, agent, await reportedBy(agent)));

    const own = OWN[agent];
    const { usage, steps_count } = await getRunUse(as('ada'), { run: begun.run });
    expect(usage).toMatchObject([
      ...[
        { model: own.model, requests: own.requests, tokens_in: own.in, tokens_out: own.out, tokens_cached: own.cached },
      ],
    ]);
    expect(steps_count).toBe(steps.length);
    for (const word of SAID) expect(JSON.stringify(steps)).not.toContain(word);
    await expect(`${tree(steps)}\n`).toMatchFileSnapshot(`../fixtures/otlp/${agent}.txt`);
  });

  test.for(AGENTS)('of %s comes to the same twice, late and in any order', async (agent, { as }) => {
    const reported = await reportedBy(agent);
    const begun = await begunRun(as('ada'));
    const inOrder = await play(as('ada'), begun, sentFor(begun.run, agent, reported));
    const orders = {
      twice: [...reported, ...reported],
      backwards: reported.toReversed().map((some) => some.toReversed()),
      'one by one, the last first': reported
        .flat()
        .toReversed()
        .map((one) => [one]),
    };

    for (const [order, given] of Object.entries(orders)) {
      const other = await begunRun(as('ada'), `heron-${Object.keys(orders).indexOf(order) + 2}`);
      // As if they were of the same run, so that ids are the same.
      const all = sentFor(begun.run, agent, given);
      const steps = await play(as('ada'), other, all);
      expect([order, tree(steps)]).toEqual([order, tree(inOrder)]);
      expect([order, (await getRunUse(as('ada'), { run: other.run })).usage]).toEqual([
        order,
        (await getRunUse(as('ada'), { run: begun.run })).usage,
      ]);
    }
  });
});

test('a request of Claude Code counts once, also where its gateway gives no id', async ({ as }) => {
  const begun = await begunRun(as('ada'));
  const reported = (await reportedBy('claude')).map((some) =>
    some.map(({ attributes: { request_id, 'gen_ai.response.id': _, ...attributes }, ...one }) => ({
      ...one,
      attributes,
    })),
  );

  await play(as('ada'), begun, sentFor(begun.run, 'claude', reported));

  const { requests, in: tokens_in, out: tokens_out } = OWN.claude;
  expect((await getRunUse(as('ada'), { run: begun.run })).usage).toMatchObject([{ requests, tokens_in, tokens_out }]);
});

describe('a step of a run', () => {
  test('is added by who holds the run, also after its end, and by no other run', async ({ as }) => {
    const mine = await begunRun(as('ada'), 'heron-1');
    const other = await begunRun(as('ada'), 'heron-2');
    const steps = [request(mine.run, 'a')];

    const foreign = send(as('ada'), { run: mine.run, lock_token: other.lock_token + 1 }, { steps });

    await expect(foreign).rejects.toMatchObject({ code: 'lock_lost' });
    expect(await stepsOf(as('ada'), mine.run)).toEqual([]);
    const done = { type: 'run.finished', data: { status: 'completed', end_reason: 'completed' } };
    await mine.runner.report(mine.run, mine.lock_token, [done]);
    await send(as('ada'), mine, { steps });
    expect(await stepsOf(as('ada'), mine.run)).toHaveLength(1);
    expect(await stepsOf(as('ada'), other.run)).toEqual([]);
  });

  test('keeps what was said only where its project says so', async ({ as }) => {
    const rules = { traces: { content: true } };
    await call(as('ada'), 'create_project', { slug: 'open', name: 'Open', rules });
    await call(as('ada'), 'create_project', { slug: 'shut', name: 'Shut' });
    const content = { prompt: 'The secret word is heron.' };

    for (const project of ['open', 'shut']) {
      const begun = await begunRun(as('ada'), `of-${project}`, project);
      expect(begun.keeps_content).toBe(project === 'open' ? true : undefined);
      await send(as('ada'), begun, { steps: [request(begun.run, 'a', { content })] });
      const [step] = await stepsOf(as('ada'), begun.run);
      expect(step?.content).toEqual(project === 'open' ? content : undefined);
    }
  });

  test('that waits for its parent stands alone until that comes', async ({ as }) => {
    const begun = await begunRun(as('ada'));
    const parent_span_id = 'b'.padStart(16, '0');

    await send(as('ada'), begun, { steps: [request(begun.run, 'a', { parent_span_id })] });
    expect(tree(await stepsOf(as('ada'), begun.run))).toBe('claude-sonnet-4-5 completed');
    await send(as('ada'), begun, { steps: [request(begun.run, 'b', { kind: 'response', name: 'turn' })] });

    expect(tree(await stepsOf(as('ada'), begun.run))).toBe('turn completed\n  claude-sonnet-4-5 completed');
  });

  test('is refused where its form is wrong, and the others with it', async ({ as }) => {
    const begun = await begunRun(as('ada'));
    const wrong = [
      { kind: 'thought' },
      { tokens_in: -1 },
      { trace_id: 'x' },
      { started_at: 'yesterday-ish' },
      { name: '' },
      { content: { text: 'x'.repeat(70_000) } },
      { tool_type: 'hammer' },
    ];

    for (const given of wrong) {
      const steps = [request(begun.run, 'a'), { ...request(begun.run, 'b'), ...given }] as SentSteps['steps'];
      await expect(send(as('ada'), begun, { steps })).rejects.toMatchObject({ code: 'invalid_input' });
    }
    expect(await stepsOf(as('ada'), begun.run)).toEqual([]);
  });

  test('of a time that cannot be has the time of its receipt, and makes no partition', async ({ as, sql }) => {
    const begun = await begunRun(as('ada'));
    const before = await sql.query(`select count(*) from pg_inherits where inhparent = 'agent_steps'::regclass`);

    await send(as('ada'), begun, { steps: [request(begun.run, 'a', { started_at: '2031-01-01T00:00:00Z' })] });

    const [step] = await stepsOf(as('ada'), begun.run);
    expect(Math.abs(Date.parse(step?.started_at ?? '') - Date.now())).toBeLessThan(86_400_000);
    const after = await sql.query(`select count(*) from pg_inherits where inhparent = 'agent_steps'::regclass`);
    expect(after.rows).toEqual(before.rows);
  });
});

/** The tree as text, a step a line. */
function tree(steps: StoredStep[], parent?: string, depth = 0): string {
  const ids = new Set(steps.map(({ span_id }) => span_id));
  const above = ({ parent_span_id: id }: StoredStep) => (id !== undefined && ids.has(id) ? id : undefined);
  return steps
    .filter((step) => above(step) === parent)
    .map((step) => [lineOf(step, depth), tree(steps, step.span_id, depth + 1)].filter(Boolean).join('\n'))
    .join('\n');
}

function lineOf({ name, status, error, waited_ms, tokens_in, tokens_out }: StoredStep, depth: number): string {
  const facts = [
    tokens_in !== undefined && `${tokens_in} in, ${tokens_out} out`,
    waited_ms !== undefined && waited_ms > 0 && `waited ${waited_ms} ms`,
    error?.split('\n')[0]?.slice(0, 60),
  ];
  return `${'  '.repeat(depth)}${[name, status, ...facts].filter(Boolean).join(' ')}`;
}
