import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as BinaryTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { describe, expect } from 'vitest';
import { getRunUse } from '../../src/services/run-trace.ts';
import { response } from '../../src/telemetry/otlp-messages.ts';
import { readMessage } from '../../src/telemetry/protobuf.ts';
import { call } from '../support/calls.ts';
import { attribute, chat, post, test } from '../support/otlp-world.ts';
import { type Recorded, recorded, stepsOf } from '../support/reports.ts';
import { begunRun } from '../support/runners.ts';

type Listed = { runs: { id: string; agent: string; status: string }[] };

describe('the official exporters', () => {
  test('come to the same rows, as JSON and Protocol Buffers, packed and not', async ({ as, server }) => {
    const memory = new InMemorySpanExporter();
    const resource = resourceFromAttributes({ 'service.name': 'Heron Works' });
    const tracers = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(memory)] });
    const tracer = tracers.getTracer('t');
    for (const [name, attributes] of [
      ['chat heron', { 'gen_ai.operation.name': 'chat', 'gen_ai.usage.input_tokens': 70, 'gen_ai.request.model': 'h' }],
      ['execute_tool fish', { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.call.id': 'c1' }],
      ['GET /', {}],
    ] as const) {
      const one = tracer.startSpan(name, { attributes: { ...attributes, 'session.id': 's' } });
      if (name.startsWith('execute')) one.setStatus({ code: 2, message: 'It flew.' });
      one.end();
    }

    const found: object[] = [];
    for (const [at, [Exporter, compression]] of [
      [JsonTraces, 'none'],
      [JsonTraces, 'gzip'],
      [BinaryTraces, 'none'],
      [BinaryTraces, 'gzip'],
    ].entries()) {
      const slug = `p${at}`;
      await call(as('ada'), 'create_project', { slug, name: slug });
      const { token } = await server.tokenOf(as('ada'), { scope: 'otel:write', project: slug });
      const exporter = new (Exporter as typeof JsonTraces)({
        url: `${server.url}v1/traces`,
        headers: { authorization: `Bearer ${token}` },
        compression: compression as never,
      });
      const { code } = await new Promise<{ code: number }>((resolve) =>
        exporter.export(memory.getFinishedSpans(), resolve),
      );
      await exporter.shutdown();
      const [run] = ((await call(as('ada'), 'list_runs')) as unknown as Listed).runs;
      const steps = await stepsOf(as('ada'), run?.id ?? '');
      found.push({
        code,
        agent: run?.agent.replace(/-\d$/, ''),
        steps: steps.map(({ id: _, ...step }) => step).toSorted((a, b) => a.name.localeCompare(b.name)),
      });
    }

    expect(found[0]).toMatchObject({
      code: 0,
      agent: 'heron-works',
      steps: [
        { kind: 'tool_call', error: 'It failed.' },
        { kind: 'llm_prompt', name: 'h', tokens_in: 70 },
      ],
    });
    expect(found.slice(1)).toEqual([found[0], found[0], found[0]]);
  });
});

const OWN: Record<Recorded, { requests: number; tokens_in: number; runs: number }> = {
  claude: { requests: 7, tokens_in: 224_784, runs: 1 },
  // Its sub-agent has a conversation of its own.
  codex: { requests: 11, tokens_in: 353_331, runs: 2 },
  gemini: { requests: 13, tokens_in: 391_482, runs: 1 },
};

describe('a client without a runner', () => {
  test.for(Object.keys(OWN) as Recorded[])(
    'is understood in any order, late and twice: %s',
    async (agent, { as, report }) => {
      const sent = recorded(agent);

      for (const given of [sent, sent.toReversed(), sent]) {
        for (const { signal, body } of given) expect((await report(body, { signal })).status).toBe(200);
      }

      const { runs } = (await call(as('ada'), 'list_runs')) as unknown as Listed;
      const used = await Promise.all(runs.map(({ id }) => getRunUse(as('ada'), { run: id })));
      const sum = (name: 'requests' | 'tokens_in') =>
        used.flatMap(({ usage }) => usage).reduce((n, of) => n + of[name], 0);
      expect({ requests: sum('requests'), tokens_in: sum('tokens_in'), runs: runs.length }).toEqual(OWN[agent]);
      expect(new Set(runs.map(({ agent: name }) => name))).toEqual(
        new Set([{ claude: 'claude-code', codex: 'codex', gemini: 'gemini-cli' }[agent]]),
      );
    },
  );

  test('that names no session has a run for each trace, and parents that never come', async ({ as, report }) => {
    await report(chat('a', { traceId: '1'.repeat(32), parentSpanId: 'f'.repeat(16) }));
    await report(chat('b', { traceId: '1'.repeat(32) }));
    await report(chat('c', { traceId: '2'.repeat(32) }));

    const { runs } = (await call(as('ada'), 'list_runs')) as unknown as Listed;
    const steps = await Promise.all(runs.map(({ id }) => stepsOf(as('ada'), id)));
    expect(steps.map(({ length }) => length).sort()).toEqual([1, 2]);
    expect(runs).toMatchObject([{ agent: 'program' }, { agent: 'program' }]);
  });

  test('reports to a run of its own, whatever run or session of another its spans name', async ({
    as,
    asStranger,
    server,
    report,
  }) => {
    const driven = await begunRun(as('ada'));
    await report(chat('a', {}, { 'session.id': 's', 'gen_ai.conversation.id': driven.run }));
    const { token } = await server.tokenOf(asStranger('eve'), { scope: 'otel:write' });
    const { runs: mine } = (await call(as('ada'), 'list_runs')) as unknown as Listed;
    for (const { id } of mine) {
      await post(server, chat('b', { traceId: driven.run.replaceAll('-', '') }, { 'session.id': id }), { token });
    }

    expect(await stepsOf(as('ada'), driven.run)).toEqual([]);
    const { runs } = (await call(as('ada'), 'list_runs')) as unknown as Listed;
    expect(runs.map(({ id }) => id)).toEqual(mine.map(({ id }) => id));
    const chats = mine.filter(({ id }) => id !== driven.run);
    expect(chats).toHaveLength(1);
    expect(await stepsOf(as('ada'), chats[0]?.id ?? '')).toHaveLength(1);
    expect(((await call(asStranger('eve'), 'list_runs')) as unknown as Listed).runs).toHaveLength(2);
  });

  test('has what was said taken out, unless the project says that it is kept', async ({ as, report }) => {
    const rules = { traces: { content: true } };
    await call(as('ada'), 'create_project', { slug: 'open', name: 'Open', rules });
    const said = { 'gen_ai.input.messages': 'The secret word is heron.' };
    const kept = chat('a', {}, { ...said, 'session.id': 'kept' });
    const resource = { attributes: [attribute('cairn.project', 'open')] };

    await report({ resourceSpans: kept.resourceSpans.map((one) => ({ ...one, resource })) });
    await report(chat('b', {}, { ...said, 'session.id': 'shut' }));

    const { runs } = (await call(as('ada'), 'list_runs')) as unknown as Listed;
    const steps = (await Promise.all(runs.map(({ id }) => stepsOf(as('ada'), id)))).flat();
    expect(steps.map(({ content }) => content)).toEqual([undefined, { prompt: 'The secret word is heron.' }]);
  });

  test('may report metrics, which nobody keeps', async ({ as, report }) => {
    expect(await (await report('{"resourceMetrics":[]}', { signal: 'metrics' })).json()).toEqual({});
    expect(((await call(as('ada'), 'list_runs')) as unknown as Listed).runs).toEqual([]);
  });

  test('is answered how much was left out, in its own encoding', async ({ report }) => {
    const both = chat('a');
    both.resourceSpans.push(...chat('short', { spanId: 'short' }).resourceSpans);
    // Tokens that nothing can have.
    both.resourceSpans.push(...chat('b', {}, { 'gen_ai.usage.input_tokens': 9e15 }).resourceSpans);
    const binary = { signal: 'logs', headers: { 'content-type': 'application/x-protobuf' } };
    // LogsData.resource_logs.scope_logs.log_records: one record of no session, of Codex by its name.
    const record = [0x62, 0x11, ...Buffer.from('codex.user_prompt')];
    const body = [0x12, record.length, ...record];
    const logs = Uint8Array.from([0x0a, body.length + 2, 0x12, body.length, ...body]);

    expect(await (await report(both)).json()).toMatchObject({ partialSuccess: { rejectedSpans: '2' } });
    const answer = await report(logs, binary);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-protobuf']);
    const said = readMessage(new Uint8Array(await answer.arrayBuffer()), response('rejectedLogRecords'));
    expect(said).toEqual({
      partialSuccess: { rejectedLogRecords: '1', errorMessage: expect.stringContaining('no session') },
    });
  });
});
