import { describe, expect } from 'vitest';
import { getRunUse } from '../../src/services/run-trace.ts';
import type { SentSteps, Step, StoredStep } from '../../src/services/steps.ts';
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

  test('told several times in one report comes to the same in any order', async ({ as }) => {
    const begun = await begunRun(as('ada'));
    const failed = { status: 'failed', tokens_in: 1_000, tokens_out: 10, error: 'Too many requests.' } as const;
    const tellings: Partial<Step>[] = [failed, { status: 'running' }, { status: 'completed', waited_ms: 5 }];
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];

    for (const [at, order] of orders.entries()) {
      const steps = order.map((nth) => request(begun.run, String(at), tellings[nth]));
      const { stored } = await send(as('ada'), begun, { steps: [...steps, request(begun.run, `f${at}`)] });
      expect(stored).toBe(2);
    }

    const told = (await stepsOf(as('ada'), begun.run)).filter(({ span_id }) => !span_id.includes('f'));
    expect(told).toHaveLength(orders.length);
    for (const step of told) expect(step).toMatchObject({ ...failed, waited_ms: 5 });
    expect((await getRunUse(as('ada'), { run: begun.run })).usage).toMatchObject([
      { requests: 12, tokens_in: 6_000, tokens_out: 60 },
    ]);
  });

  test('has no end that nobody told, also when its run has ended', async ({ as, sql }) => {
    const begun = await begunRun(as('ada'));
    const { run } = begun;
    const named = new Date(Date.now() - 60_000).toISOString();
    const steps = [
      request(run, 'a', { status: 'running' }),
      request(run, 'b', { started_at: named, completed_at: named }),
      request(run, 'c', { completed_at: '2031-01-01T00:00:00Z' }),
    ];
    await send(as('ada'), begun, { steps });
    const first = await stepsOf(as('ada'), run);

    const unbelieved = { started_at: '2001-01-01T00:00:00Z', completed_at: '2031-01-01T00:00:00Z' };
    await send(as('ada'), begun, { steps: [steps[0] as Step, request(run, 'b', unbelieved), steps[2] as Step] });

    expect(await stepsOf(as('ada'), run)).toEqual(first);
    const endOf = (span: string) => first.find(({ span_id }) => span_id.endsWith(span))?.completed_at;
    expect([endOf('a'), Date.parse(endOf('b') ?? ''), Date.parse(endOf('c') ?? '') > Date.parse(named)]).toEqual([
      ...[undefined, Date.parse(named), true],
    ]);
    const done = { type: 'run.finished', data: { status: 'completed', end_reason: 'completed' } };
    await begun.runner.report(run, begun.lock_token, [done]);
    const open = await sql.query(
      `select run_ended_at is not null as is_over from trace_entries where run_id = $1 and completed_at is null`,
      [run],
    );
    expect(open.rows).toEqual([{ is_over: true }]);
  });

  test('told again and again stays within its bounds', async ({ as, sql }) => {
    await call(as('ada'), 'create_project', { slug: 'open', name: 'Open', rules: { traces: { content: true } } });
    const begun = await begunRun(as('ada'), 'heron', 'open');
    const said = (key: string) => ({
      content: { [key]: 'x'.repeat(40_000) },
      attributes: { [key]: 'y'.repeat(10_000) },
    });

    for (const key of ['one', 'two', 'three']) {
      await send(as('ada'), begun, { steps: [request(begun.run, 'a', said(key))] });
    }
    await send(as('ada'), begun, { steps: [request(begun.run, 'a', { content: { four: 4 } })] });

    const kept = await sql.query(
      `select array(select jsonb_object_keys(content)) as content, array(select jsonb_object_keys(attributes)) as attributes
       from agent_steps where run_id = $1`,
      [begun.run],
    );
    expect(kept.rows).toEqual([{ content: ['one', 'four'], attributes: ['one'] }]);
  });

  test('that hung under a span that is none hangs under what is above that', async ({ as }) => {
    const begun = await begunRun(as('ada'));
    const span = (id: string) => id.padStart(16, '0');
    const at = (ms: number) => ({ started_at: new Date(Date.now() + ms).toISOString() });
    const steps = [
      request(begun.run, 'a', { kind: 'response', name: 'turn', ...at(0) }),
      request(begun.run, 'b', { parent_span_id: span('e'), ...at(100) }),
      request(begun.run, 'c', { parent_span_id: span('f'), ...at(900) }),
    ];
    await send(as('ada'), begun, { steps });

    await send(as('ada'), begun, { steps: [], links: [{ from: span('e'), to: span('a') }] });

    const indented = 'turn completed\n  claude-sonnet-4-5 completed';
    expect(tree(await stepsOf(as('ada'), begun.run))).toBe(`${indented}\nclaude-sonnet-4-5 completed`);
    // Within one report, too, also where a span is named twice, or leads to the step itself.
    const links = [...[{ from: span('e') }, { from: span('e'), to: span('a') }], { from: span('f'), to: span('d') }];
    await send(as('ada'), begun, {
      steps: [
        request(begun.run, 'd', { name: 'call', parent_span_id: span('f'), ...at(800) }),
        request(begun.run, '1', { name: 'other', parent_span_id: span('e'), ...at(700) }),
      ],
      links,
    });
    expect(tree(await stepsOf(as('ada'), begun.run))).toBe(
      `${indented}\n  other completed\ncall completed\n  claude-sonnet-4-5 completed`,
    );
  });

  test('that is told of with what is above it is written once', async ({ as, sql }) => {
    const begun = await begunRun(as('ada'));
    const [from, to] = ['e'.padStart(16, '0'), 'f'.padStart(16, '0')];
    const told = request(begun.run, 'a', { parent_span_id: from });

    const { rows } = await sql.query(
      `select app.parent_of(s, $2) as above, app.parent_of(s, null) as same
       from jsonb_populate_record(null::agent_steps, $1) s`,
      [told, { [from]: to }],
    );

    expect(rows).toEqual([{ above: to, same: from }]);
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
