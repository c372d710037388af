import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as BinaryLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as BinaryTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Reported } from '../../src/telemetry/otlp.ts';
import { TRACES } from '../../src/telemetry/otlp-messages.ts';
import { readMessage, writeMessage } from '../../src/telemetry/protobuf.ts';
import { Receiver } from '../../src/telemetry/receiver.ts';
import { type Body, HOSTILE, span } from '../support/otlp-bodies.ts';

type Exported = { code: number; error?: Error };

const RESOURCE = resourceFromAttributes({ 'service.name': 'heron' });

let receiver: Receiver;
let taken: Reported[];
let url: string;

beforeEach(async () => {
  receiver = await Receiver.listen();
  taken = [];
  ({ url } = receiver.open((reported) => {
    taken.push(...reported);
    return { rejected: 0 };
  }));
});

afterEach(() => receiver.close());

function post(path: string, body: Body, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
}

async function sent<Item>(
  exporter: { export(items: Item[], done: (result: Exported) => void): void; shutdown(): Promise<void> },
  items: Item[],
): Promise<Reported[]> {
  taken = [];
  const { code, error } = await new Promise<Exported>((resolve) => exporter.export(items, resolve));
  await exporter.shutdown();
  expect([code, error]).toEqual([0, undefined]);
  return taken;
}

test('messages are written as the official exporters write them', async () => {
  const memory = new InMemorySpanExporter();
  const tracers = new BasicTracerProvider({ resource: RESOURCE, spanProcessors: [new SimpleSpanProcessor(memory)] });
  const attributes = { many: 9_007_199_254_740_991, few: -7, part: 0.25, ok: true, words: ['zwölf', '🪶'] };
  const span = tracers.getTracer('t').startSpan('chat heron', { attributes, kind: 2 });
  span.setStatus({ code: 2, message: 'It flew.' });
  span.end();
  const bodies: Buffer[] = [];
  const server = createServer(async (request, response) => {
    bodies.push(Buffer.concat(await request.toArray()));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const exporter = new BinaryTraces({ url: `http://127.0.0.1:${port}/v1/traces` });
  await new Promise<Exported>((resolve) => exporter.export(memory.getFinishedSpans(), resolve));
  await exporter.shutdown();
  server.close();

  const read = readMessage(bodies[0] ?? new Uint8Array(), TRACES);
  expect(read).toMatchObject({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'chat heron', kind: 3 }] }] }] });
  expect(readMessage(writeMessage(read, TRACES), TRACES)).toEqual(read);
});

const GZIP = { none: 'none', gzip: 'gzip' } as const;

describe('the official exporters', () => {
  test('are understood alike: spans as JSON and Protocol Buffers, packed and not', async () => {
    const memory = new InMemorySpanExporter();
    const tracers = new BasicTracerProvider({ resource: RESOURCE, spanProcessors: [new SimpleSpanProcessor(memory)] });
    const attributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.usage.input_tokens': 9_007_199_254_740_991,
      cost: 0.1224174,
      ok: true,
      words: ['zwölf', '🪶'],
      counts: [1, -2],
    };
    const span = tracers.getTracer('t').startSpan('chat heron', { attributes });
    span.addEvent('seen');
    span.setStatus({ code: 2, message: 'It flew.' });
    span.end();
    const spans = memory.getFinishedSpans();

    const found: Reported[][] = [];
    for (const Exporter of [JsonTraces, BinaryTraces]) {
      for (const compression of Object.values(GZIP)) {
        found.push(await sent(new Exporter({ url: `${url}/v1/traces`, compression: compression as never }), spans));
      }
    }

    expect(found[0]).toMatchObject([
      { name: 'chat heron', error: 'It flew.', attributes, resource: { 'service.name': 'heron' } },
    ]);
    expect(found.slice(1)).toEqual([found[0], found[0], found[0]]);
  });

  test('are understood alike: log records', async () => {
    const memory = new InMemoryLogRecordExporter();
    const loggers = new LoggerProvider({
      resource: RESOURCE,
      processors: [new SimpleLogRecordProcessor({ exporter: memory })],
    });
    loggers.getLogger('t').emit({ body: 'said', eventName: 'heron.said', attributes: { 'event.name': 'said', n: 7 } });
    const records = memory.getFinishedLogRecords();

    const found: Reported[][] = [];
    for (const Exporter of [JsonLogs, BinaryLogs]) {
      for (const compression of Object.values(GZIP)) {
        found.push(await sent(new Exporter({ url: `${url}/v1/logs`, compression: compression as never }), records));
      }
    }

    expect(found[0]).toMatchObject([{ name: 'said', text: 'said', attributes: { n: 7 } }]);
    expect(found.slice(1)).toEqual([found[0], found[0], found[0]]);
  });
});

describe('a reporter', () => {
  test('is answered that some of it was rejected, and the rest is taken', async () => {
    const both = span({});
    both.resourceSpans.push(...span({ spanId: 'short' }).resourceSpans);

    const answer = await post('/v1/traces', JSON.stringify(both));

    expect(await answer.json()).toEqual({
      partialSuccess: { rejectedSpans: '1', errorMessage: expect.stringContaining('no ids') },
    });
    expect(taken).toHaveLength(1);
  });

  test.for(HOSTILE)('is refused what is %s', async ([, body, headers, status]) => {
    expect((await post('/v1/traces', body, headers)).status).toBe(status);
    expect(taken).toEqual([]);
    expect((await post('/v1/traces', JSON.stringify(span({})))).status).toBe(200);
  });

  test('may nest as deep as it likes in JSON: what is too deep is left out', async () => {
    const deep = `${'{"kvlistValue":{"values":[{"key":"k","value":'.repeat(2_000)}{"intValue":1}${'}]}}'.repeat(2_000)}`;
    const body = JSON.stringify(span({ attributes: [{ key: 'deep', value: 7 }] })).replace('7', deep);

    expect((await post('/v1/traces', body)).status).toBe(200);
    expect(JSON.stringify(taken[0]?.attributes).length).toBeLessThan(500);
  });

  test('with wrong types in it is read as far as it can be', async () => {
    const attributes = [
      { key: 7, value: { stringValue: 'x' } },
      { key: '__proto__', value: { stringValue: 'x' } },
      { key: 'n', value: { intValue: 'many' } },
      { key: 'ok', value: { stringValue: 'yes' } },
      'x',
      null,
    ];

    await post('/v1/traces', JSON.stringify(span({ attributes, startTimeUnixNano: '-1', endTimeUnixNano: '1e400' })));

    expect(taken[0]?.attributes['ok']).toBe('yes');
    expect(({} as Record<string, unknown>)['stringValue']).toBeUndefined();
  });

  test('knows the one path that is its own, and only posts', async () => {
    const { origin } = new URL(url);
    const own = url.replace(origin, '');

    for (const path of ['/', '/v1/traces', `/${'x'.repeat(32)}/v1/traces`, `${own}/v1/spans`, `${own}/v1/traces/x`]) {
      expect((await fetch(`${origin}${path}`, { method: 'POST', body: '{}' })).status).toBe(404);
    }
    expect((await fetch(`${url}/v1/traces`)).status).toBe(404);
  });

  test('is asked to wait where there is no room', async () => {
    const full = receiver.open(() => undefined);

    const answer = await fetch(`${full.url}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"resourceSpans":[]}',
    });

    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '5']);
  });

  test('that floods does not keep another waiting', async () => {
    const large = JSON.stringify(span({ attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(4_000_000) } }] }));
    const flood = Array.from({ length: 8 }, () => post('/v1/traces', large));

    const began = Date.now();
    expect((await post('/v1/traces', JSON.stringify(span({})))).status).toBe(200);

    expect(Date.now() - began).toBeLessThan(2_000);
    await Promise.all(flood);
  });
});
