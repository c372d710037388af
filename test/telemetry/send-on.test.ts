import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { newId } from '../../src/events/ids.ts';
import { createLog, type Log } from '../../src/log.ts';
import { posting } from '../../src/post.ts';
import { takeExport } from '../../src/telemetry/export-request.ts';
import type { Reported } from '../../src/telemetry/otlp.ts';
import { anyDialect } from '../../src/telemetry/programs.ts';
import { SendOn } from '../../src/telemetry/send-on.ts';
import { request } from '../support/reports.ts';

const SECRET = 'Basic c2VjcmV0';
const STORED = { stored: 1, agent: 'heron', keeps_content: false };

type Answer = { status: number; headers?: Record<string, string>; after?: number };

let server: Server;
let url: URL;
let taken: { spans: Reported[]; headers: IncomingHttpHeaders; path: string | undefined }[];
/** To the next requests; then 200. */
let answers: Answer[];
let said: string;
let log: Log;
let opened: SendOn[];

beforeEach(async () => {
  [taken, answers, said, opened] = [[], [], '', []];
  log = createLog('debug', {
    write(line: string) {
      said += line;
    },
  });
  server = createServer(async (incoming, response) => {
    const body = Buffer.concat(await incoming.toArray());
    const { status = 200, headers = {}, after = 0 } = answers.shift() ?? {};
    const { reported } = await takeExport({ signal: 'traces', type: incoming.headers['content-type'], body });
    if (status === 200) taken.push({ spans: reported, headers: incoming.headers, path: incoming.url });
    setTimeout(() => response.writeHead(status, headers).end(), after);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`);
});

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close(0)));
  server.closeAllConnections();
  server.close();
});

function open(times: object = {}): SendOn {
  const sendOn = new SendOn({
    ...{ url, headers: { authorization: SECRET }, post: posting(undefined), log },
    times: { endedMs: 0, openMs: 60_000, tickMs: 10, retryMs: 20, ...times },
  });
  opened.push(sendOn);
  return sendOn;
}

const ended = (run: string, span: string, more: object = {}) =>
  request(run, span, { completed_at: new Date().toISOString(), ...more });
const spans = () => taken.flatMap((one) => one.spans);
const arrived = (count: number) => vi.waitUntil(() => spans().length >= count, { timeout: 5_000, interval: 10 });

describe('steps that are sent on', () => {
  test('are spans of their run, as the conventions have them', async () => {
    const run = newId();
    const tokens = { tokens_in: 70, tokens_out: 3, tokens_cached: 60, tokens_cache_written: 1 };
    const call = { kind: 'tool_call', name: 'Bash', tool_call_id: 'c1', status: 'failed', error: 'It flew.' } as const;

    open().add(
      run,
      { steps: [ended(run, 'a', tokens), ended(run, 'b', { ...call, parent_span_id: 'a'.padStart(16, '0') })] },
      STORED,
    );
    await arrived(2);

    const [asked, called] = spans();
    expect(taken[0]).toMatchObject({ path: '/v1/traces', headers: { authorization: SECRET } });
    expect(asked).toMatchObject({
      name: 'chat claude-sonnet-4-5',
      traceId: run.replaceAll('-', ''),
      resource: { 'service.name': 'cairn' },
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.conversation.id': run,
        'gen_ai.agent.name': 'heron',
        'gen_ai.request.model': 'claude-sonnet-4-5',
        'gen_ai.usage.input_tokens': 70,
      },
    });
    expect(called).toMatchObject({ parentSpanId: asked?.spanId, error: 'It flew.' });
    // What another Cairn makes of them is what they were.
    expect(asked && anyDialect(asked)).toMatchObject({
      ...{ kind: 'llm_prompt', model: 'claude-sonnet-4-5', status: 'completed' },
      tokens: { in: 70, out: 3, cached: 60, cacheWritten: 1 },
    });
    expect(called && anyDialect(called)).toMatchObject({ kind: 'tool_call', name: 'Bash', toolCallId: 'c1' });
  });

  test('sends what was said only where it is kept', async () => {
    const run = newId();
    const content = { prompt: 'The secret word is heron.', response: 'Heron.' };
    const sendOn = open();

    sendOn.add(run, { steps: [ended(run, 'a', { content })] }, STORED);
    sendOn.add(run, { steps: [ended(run, 'b', { content })] }, { ...STORED, keeps_content: true });
    await arrived(2);

    expect(spans().map(({ attributes }) => attributes['gen_ai.input.messages'])).toEqual([
      undefined,
      expect.stringContaining('The secret word is heron.'),
    ]);
  });

  test('are one span, whatever tells of them and in which order, and are sent once', async () => {
    const run = newId();
    const sendOn = open({ endedMs: 100 });
    const begun = '2026-11-27T09:00:00.000Z';

    sendOn.add(run, { steps: [ended(run, 'a', { status: 'failed', error: 'It flew.' })] }, STORED);
    sendOn.add(run, { steps: [request(run, 'a', { status: 'running', started_at: begun, tokens_in: 9 })] }, STORED);
    sendOn.add(run, { steps: [], links: [{ from: 'f'.repeat(16) }] }, STORED);
    await arrived(1);
    sendOn.add(run, { steps: [ended(run, 'a')] }, STORED);
    sendOn.add(run, { steps: [ended(run, 'b')] }, STORED);
    await arrived(2);

    expect(spans()).toHaveLength(2);
    expect(spans()[0]).toMatchObject({
      error: 'It flew.',
      startedAt: Date.parse(begun),
      attributes: { 'gen_ai.usage.input_tokens': 9 },
    });
  });

  test('hang where they are told to hang before they are sent', async () => {
    const run = newId();
    const sendOn = open({ endedMs: 100 });
    const [from, to] = ['f'.repeat(16), 'e'.repeat(16)];

    for (const span of ['a', 'b']) sendOn.add(run, { steps: [ended(run, span, { parent_span_id: from })] }, STORED);
    sendOn.add(newId(), { steps: [], links: [{ from }] }, STORED);
    sendOn.add(run, { steps: [], links: [{ from, to }] }, STORED);
    await arrived(2);

    expect(spans().map(({ parentSpanId }) => parentSpanId)).toEqual([to, to]);
  });

  test('are sent as they are where they do not end', async () => {
    const run = newId();
    open({ openMs: 50 }).add(run, { steps: [request(run, 'a', { status: 'running' })] }, STORED);

    await arrived(1);
    expect(spans()[0]?.endedAt).toBe(spans()[0]?.startedAt);
  });
});

describe('another end', () => {
  test.for([429, 502, 503, 504])('that answers %s is asked again, after as long as it says', async (status) => {
    answers = [{ status, headers: { 'retry-after': '0' } }, { status }];
    const run = newId();

    open().add(run, { steps: [ended(run, 'a')] }, STORED);

    await arrived(1);
    expect(answers).toEqual([]);
  });

  test('is waited for as long as it says', async () => {
    answers = [{ status: 429, headers: { 'retry-after': '1' } }];
    const run = newId();
    const began = Date.now();

    open().add(run, { steps: [ended(run, 'a')] }, STORED);
    await arrived(1);

    expect(Date.now() - began).toBeGreaterThan(950);
  });

  test.for([400, 401, 403, 413, 500])(
    'that refuses with %s is not asked again, and the next is sent',
    async (status) => {
      answers = [{ status }];
      const run = newId();
      const sendOn = open();

      sendOn.add(run, { steps: [ended(run, 'a')] }, STORED);
      await vi.waitUntil(() => said.includes(`it answered with ${status}`));
      sendOn.add(run, { steps: [ended(run, 'b')] }, STORED);
      await arrived(1);

      expect(spans().map(({ spanId }) => spanId)).toEqual(['b'.padStart(16, '0')]);
      expect(said).not.toContain(SECRET);
      expect(said).not.toContain('c2VjcmV0');
    },
  );

  test('that is slow keeps nobody waiting who reports', async () => {
    answers = [{ status: 200, after: 1_000 }];
    const run = newId();
    const sendOn = open();
    sendOn.add(run, { steps: [ended(run, 'a')] }, STORED);
    await arrived(1);

    const began = Date.now();
    for (let at = 16; at < 1_016; at++) sendOn.add(run, { steps: [ended(run, at.toString(16))] }, STORED);

    expect(Date.now() - began).toBeLessThan(500);
    await arrived(1_001);
  });

  test('that is dead is asked again, and what waits gets its time at the end', async () => {
    const run = newId();
    const sendOn = open({ retryMs: 30 });
    await new Promise<void>((resolve) => server.close(() => resolve()));
    sendOn.add(run, { steps: [ended(run, 'a')] }, STORED);
    await vi.waitUntil(() => said.includes('sent on later'));

    const began = Date.now();
    await sendOn.close(200);

    expect(Date.now() - began).toBeLessThan(1_000);
    expect(said).toContain('steps were not sent on');
    expect(said).not.toContain(SECRET);
  });

  test('loses the oldest where the other end is dead, and says so', async () => {
    const run = newId();
    const sendOn = open({ endedMs: 60_000 });

    for (let at = 0; at < 20_050; at++) {
      sendOn.add(run, { steps: [ended(run, (at + 1).toString(16))] }, STORED);
    }
    await vi.waitUntil(() => said.includes('too many wait'));

    expect(said).toMatch(/"steps":50,"msg":"steps were not sent on: too many wait"/);
  });

  test('gets what waits when the server ends', async () => {
    const run = newId();
    const sendOn = open({ endedMs: 60_000 });
    sendOn.add(run, { steps: [ended(run, 'a'), request(run, 'b', { status: 'running' })] }, STORED);

    await sendOn.close(2_000);

    expect(spans()).toHaveLength(2);
  });
});

describe('the setting', () => {
  const config = (env: NodeJS.ProcessEnv) => readConfig({}, env, undefined);
  const sentTo = async (address: string) => {
    const sendOn = SendOn.from(
      config({
        CAIRN_OTLP_EXPORT_URL: address,
        CAIRN_OTLP_EXPORT_HEADERS: 'Authorization=Basic%20c2VjcmV0,x-team=web',
      }),
      log,
    );
    const run = newId();
    sendOn?.add(run, { steps: [ended(run, 'a')] }, STORED);
    await sendOn?.close(2_000);
    return taken.at(-1);
  };

  test('is none by default', () => {
    expect(SendOn.from(config({}), log)).toBeUndefined();
  });

  test('names the base of the paths of OTLP, or the path of traces, and headers', async () => {
    const headers = { authorization: SECRET, 'x-team': 'web' };

    expect(await sentTo(`${url.origin}/api/public/otel`)).toMatchObject({
      path: '/api/public/otel/v1/traces',
      headers,
    });
    expect(await sentTo(`${url.origin}/`)).toMatchObject({ path: '/v1/traces', headers });
    expect(await sentTo(url.href)).toMatchObject({ path: '/v1/traces', headers });
    expect(said).not.toContain('c2VjcmV0');
  });

  test.for([
    [{ CAIRN_OTLP_EXPORT_URL: 'ftp://x' }],
    [{ CAIRN_OTLP_EXPORT_URL: 'https://me:c2VjcmV0@x' }],
    [{ CAIRN_OTLP_EXPORT_HEADERS: 'c2VjcmV0' }],
    [{ CAIRN_OTLP_EXPORT_HEADERS: 'x y=c2VjcmV0' }],
    [{ CAIRN_OTLP_EXPORT_HEADERS: 'x=c2VjcmV0%zz' }],
  ])('is refused where it cannot be, without what is secret of it: %j', ([env]) => {
    expect(() => config(env ?? {})).toThrow(/^The setting --otlp-export-(url|headers) is not valid: must (?!.*c2Vj)/);
  });
});
