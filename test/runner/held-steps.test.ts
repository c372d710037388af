import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { HeldSteps } from '../../src/runner/holder/held-steps.ts';
import { FromHolder } from '../../src/runner/holder/messages.ts';
import type { Program } from '../../src/runner/process-group.ts';

type Steps = Extract<FromHolder, { say: 'steps' }>;

const CWD = '/home/ada/shop';
const PROGRAM: Program = { command: 'claude', args: ['-p'], cwd: CWD, env: { PATH: '/bin', HOME: '/home/ada' } };

let held: HeldSteps | undefined;

afterEach(() => {
  held?.close();
  vi.useRealTimers();
});

async function hold(type = 'claude') {
  const told: Steps[] = [];
  held = await HeldSteps.of(type, (one) => told.push(one));
  return { steps: held as HeldSteps, told };
}

let spans = 0;

/** A span of a request to a model that begins now. */
function span(traceId: string, more: object = {}) {
  const at = `${Date.now()}000000`;
  const spanId = (++spans).toString(16).padStart(16, '0');
  const attributes = [{ key: 'model', value: { stringValue: 'heron' } }];
  return {
    traceId,
    spanId,
    name: 'claude_code.llm_request',
    startTimeUnixNano: at,
    endTimeUnixNano: at,
    attributes,
    ...more,
  };
}

async function report({ env }: Program, ...spans: object[]): Promise<number> {
  return (await post(env, ...spans)).status;
}

function post(env: Program['env'], ...spans: object[]): Promise<Response> {
  return fetch(env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }),
  });
}

const trace = (of: string) => of.repeat(32);

describe('what an agent reports', () => {
  test('is of the run that it works on, and what is of one trace stays together', async () => {
    const { steps, told } = await hold();
    const program = steps.reporting(PROGRAM);
    const [first, second] = [newId(), newId()];

    steps.begin(first, CWD);
    await report(program, span(trace('a')));
    steps.end(first);
    await new Promise((resolve) => setTimeout(resolve, 20));
    steps.begin(second, CWD);
    await report(program, span(trace('b')));
    // A sub-agent of the first works on.
    await report(program, span(trace('a')));

    expect(told.map(({ run }) => run)).toEqual([first, second, first]);
  });

  test('of texts that share a turn is of the first', async () => {
    const { steps, told } = await hold();
    const program = steps.reporting(PROGRAM);
    const [first, steer] = [newId(), newId()];
    steps.begin(first, CWD);
    steps.begin(steer, CWD);

    await report(program, span(trace('a')));
    steps.end(first);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await report(program, span(trace('b')));

    expect(told.map(({ run }) => run)).toEqual([first, steer]);
  });

  test('in one folder is of no run in another', async () => {
    const { steps, told } = await hold();
    const [here, there] = [steps.reporting(PROGRAM), steps.reporting({ ...PROGRAM, cwd: '/home/ada/other' })];
    const [first, second] = [newId(), newId()];
    steps.begin(first, CWD);
    steps.begin(second, '/home/ada/other');

    await report(there, span(trace('a')));
    await report(here, span(trace('b')));

    expect(told.map(({ run }) => run)).toEqual([second, first]);
  });

  test('before it has a run is taken and left out', async () => {
    const { steps, told } = await hold();

    expect(await report(steps.reporting(PROGRAM), span(trace('a')))).toBe(200);

    expect(told).toEqual([]);
  });

  test('waits until it is stored; beyond 8 MB the agent is asked to wait', async () => {
    const { steps, told } = await hold();
    const program = steps.reporting(PROGRAM);
    const run = newId();
    steps.begin(run, CWD);
    const long = {
      attributes: [{ key: 'error', value: { stringValue: 'x'.repeat(1_900) } }],
      status: { code: 2, message: 'x'.repeat(1_900) },
    };
    const many = () => Array.from({ length: 2_000 }, () => span(trace('a'), long));

    let status = 200;
    let requests = 0;
    for (; status === 200 && requests < 20; requests++) status = await report(program, ...many());

    expect([status, requests > 1 && requests < 6]).toEqual([429, true]);
    expect(steps.waiting).toEqual(told);
    for (const { id } of told) steps.settle(id);
    expect(steps.waiting).toEqual([]);
    expect(await report(program, span(trace('a')))).toBe(200);
  });

  test.for([
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT',
    'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
    'OTEL_LOGS_EXPORTER',
    'OTEL_METRICS_EXPORTER',
  ])('stays where its environment or its settings send it, and no prompt goes there: %s', async (name) => {
    for (const type of ['claude', 'gemini']) {
      const { steps } = await hold(type);
      const own = { ...PROGRAM, env: { [name]: 'http://collector:4318' } };
      expect(steps.reporting(own)).toEqual(own);
      held?.close();
    }
    const { steps } = await hold();
    const dir = await mkdtemp(join(tmpdir(), 'cairn-'));
    await writeFile(join(dir, 'settings.json'), JSON.stringify({ env: { [name]: 'x' } }));
    const own = { ...PROGRAM, env: { CLAUDE_CONFIG_DIR: dir } };
    expect(steps.reporting(own)).toEqual(own);
    await rm(dir, { recursive: true });
  });

  test.for([
    ['input_tokens', { attributes: [{ key: 'input_tokens', value: { doubleValue: 1e300 } }] }, '1'],
    ['input_tokens', { attributes: [{ key: 'input_tokens', value: { intValue: '9007199254740991' } }] }, '1'],
    ['endTimeUnixNano', { endTimeUnixNano: '1e30' }, undefined],
    ['startTimeUnixNano', { startTimeUnixNano: '1e400', endTimeUnixNano: '-1' }, undefined],
  ] as const)(
    'is left out by itself where it cannot be, and not without a word: %s %j',
    async ([, wrong, rejected]) => {
      const { steps, told } = await hold();
      const { env } = steps.reporting(PROGRAM);
      steps.begin(newId(), CWD);

      const answer = await post(env, span(trace('a'), wrong), span(trace('a')));

      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual(
        rejected === undefined ? {} : { partialSuccess: expect.objectContaining({ rejectedSpans: rejected }) },
      );
      expect(told[0]?.steps).toHaveLength(rejected === undefined ? 2 : 1);
      expect(FromHolder.safeParse(told[0]).data).toEqual(told[0]);
    },
  );

  test('of another build is read as far as it can be', () => {
    const told = { say: 'steps', id: 7, run: newId(), steps: [{ kind: 'thought' }], links: [{ from: 'x' }] };

    expect(FromHolder.parse(told)).toEqual({ ...told, steps: [], links: [] });
  });

  test('is no step where a program that the agent started reports it', async () => {
    const { steps, told } = await hold();
    const program = steps.reporting(PROGRAM);
    steps.begin(newId(), CWD);

    for (const name of ['tool', 'llm_request', 'interaction']) {
      expect(await report(program, span(trace('a'), { name }))).toBe(200);
    }

    expect(told).toEqual([]);
  });

  test('has settings that fit its kind', async () => {
    const { steps } = await hold();
    expect(steps.reporting(PROGRAM).env).toMatchObject({ PATH: '/bin', OTEL_TRACES_EXPORTER: 'otlp' });
    held?.close();

    const codex = await hold('codex');
    expect(codex.steps.reporting(PROGRAM).args).toEqual([
      '-p',
      '-c',
      expect.stringMatching(/^otel\.exporter=.*127/),
      '-c',
      // Its spans have its prompts in them, and go where its own settings say.
      'otel.trace_exporter="none"',
      '-c',
      'otel.log_user_prompt=true',
    ]);
    held?.close();

    expect(await HeldSteps.of('heron', () => {})).toBeUndefined();
  });
});
