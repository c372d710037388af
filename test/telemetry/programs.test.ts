import { describe, expect, test } from 'vitest';
import { Chats } from '../../src/telemetry/chats.ts';
import type { Attributes, Reported } from '../../src/telemetry/otlp.ts';
import { anyDialect, programOf } from '../../src/telemetry/programs.ts';

const AT = Date.parse('2026-11-27T09:00:00Z');

function reported(name: string, attributes: Attributes = {}, more: Partial<Reported> = {}): Reported {
  return { name, startedAt: AT, endedAt: AT + 10, attributes, resource: {}, ...more };
}

const span = (name: string, attributes: Attributes = {}, more: Partial<Reported> = {}) =>
  reported(name, attributes, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), ...more });

/** As they are stored. */
function sorted(chats: Chats, given: readonly Reported[]) {
  chats.note(given);
  return chats.sort(given);
}

const service = (name: string) => reported('x', {}, { resource: { 'service.name': name } });

describe('a program that reports', () => {
  test.for<[string, Reported, program: string, type: string]>([
    ['Claude Code', service('claude-code'), 'claude-code', 'claude'],
    ['Claude Code of another name', reported('claude_code.tool'), 'claude-code', 'claude'],
    [
      'a record of Claude Code',
      reported('user_prompt', {}, { text: 'claude_code.user_prompt' }),
      'claude-code',
      'claude',
    ],
    ['Codex', service('codex_cli_rs'), 'codex', 'codex'],
    ['Codex of another name', reported('codex.sse_event'), 'codex', 'codex'],
    ['Gemini CLI', service('gemini-cli'), 'gemini-cli', 'gemini'],
    ['any other', service('Heron Works: fishing!'), 'heron-works-fishing-', 'other'],
    ['a name that begins like one of them', service('codexploration'), 'codexploration', 'other'],
    ['a name that no agent may have', service('ALL'), 'program', 'other'],
    ['an id', service('01a21c45-cc2f-78c1-ac0f-277acd561b01'), 'program', 'other'],
    ['a name of nothing that is read', service('🪶'), 'program', 'other'],
    ['one without a name', reported('x'), 'program', 'other'],
  ])('is known by its service, or by what it calls its own: %s', ([, one, program, type]) => {
    expect(programOf(one)).toMatchObject({ program, type });
  });
});

describe('what follows the conventions for generative AI', () => {
  test('is a request to a model, with its tokens', () => {
    const attributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'heron',
      'gen_ai.response.model': 'heron-2',
      'gen_ai.usage.input_tokens': '70',
      'gen_ai.usage.output_tokens': 3,
      'gen_ai.usage.cache_read.input_tokens': 60,
      'gen_ai.input.messages': '[]',
    };

    expect(anyDialect(span('chat heron', attributes))).toEqual({
      kind: 'llm_prompt',
      name: 'heron-2',
      model: 'heron-2',
      status: 'completed',
      startedAt: AT,
      endedAt: AT + 10,
      tokens: { in: 70, out: 3, cached: 60, cacheWritten: 0 },
      content: { prompt: '[]' },
    });
  });

  test('is a call of a tool, and what failed of it', () => {
    const attributes = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'Bash',
      'gen_ai.tool.call.id': 'c1',
      'gen_ai.tool.call.arguments': '{}',
    };

    expect(anyDialect(span('x', attributes, { error: 'It flew.' }))).toMatchObject({
      ...{ kind: 'tool_call', name: 'Bash', same: 'call c1', toolCallId: 'c1', toolType: 'shell' },
      ...{ status: 'failed', error: 'It failed.', toldError: 'It flew.', content: { args: '{}' } },
    });
  });

  test.for([
    ['invoke_agent', 'response'],
    ['generate_content', 'llm_prompt'],
    ['embeddings', 'llm_prompt'],
    ['execute_tool', 'tool_call'],
  ])('is known by its operation, or else by its name: %s', ([operation = '', kind]) => {
    expect(anyDialect(span('x', { 'gen_ai.operation.name': operation }))).toMatchObject({ kind });
    expect(anyDialect(span(`${operation} heron`))).toMatchObject({ kind });
  });

  test('counts use where it arises: what an agent sums up is no request', () => {
    const sum = { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.usage.input_tokens': 900 };

    expect(anyDialect(span('invoke_agent heron', sum))).not.toHaveProperty('tokens');
  });

  test('is passed over where it is anything else, and what is under it is under what is above', () => {
    expect(anyDialect(span('GET /'))).toEqual({ passed: true });
    expect(anyDialect(reported('gen_ai.choice'))).toBeUndefined();
  });
});

describe('a session of Claude Code', () => {
  const request = { model: 'heron', input_tokens: 7, output_tokens: 1, 'session.id': 's', 'prompt.id': 'p' };
  const written = (traceId?: string) =>
    reported('api_request', request, {
      text: 'claude_code.api_request',
      ...(traceId !== undefined && { traceId, parentSpanId: 'c'.repeat(16) }),
    });
  const ofSpan = span('claude_code.llm_request', request);
  const kinds = (given: Reported[]) =>
    sorted(new Chats(), given).chats.flatMap(({ branch }) => branch.steps.map(({ kind }) => kind));

  test('that reports log records alone counts its requests, where a gateway gives them no id', () => {
    expect(kinds([written(), { ...written(), startedAt: AT + 5 }])).toEqual(['llm_prompt', 'llm_prompt']);
  });

  test.for([
    ['spans first', [ofSpan, written('a'.repeat(32))]],
    ['records first', [written('a'.repeat(32)), ofSpan]],
  ] as const)('that reports spans too counts each request once: %s', ([, given]) => {
    expect(kinds([...given])).toEqual(['llm_prompt']);
  });

  test('that reports log records alone hangs them under their prompt', () => {
    const prompt = reported('user_prompt', request, { text: 'claude_code.user_prompt' });
    const [chat] = sorted(new Chats(), [written(), prompt]).chats;
    const [asked, turn] = chat?.branch.steps ?? [];

    expect(turn).toMatchObject({ kind: 'response', name: 'turn' });
    expect(asked?.parent_span_id).toBe(turn?.span_id);
  });
});

describe('a session', () => {
  const chat = (attributes: Attributes = {}, more: Partial<Reported> = {}) =>
    span('chat heron', { 'gen_ai.operation.name': 'chat', ...attributes }, more);
  const sessions = (...given: Reported[]) => sorted(new Chats(), given).chats.map(({ chat: { session } }) => session);

  test('is named by a conversation, a session, its resource or else its trace', () => {
    expect(sessions(chat({ 'gen_ai.conversation.id': 'c', 'session.id': 's' }))).toEqual(['c']);
    expect(sessions(chat({ 'session.id': 's' }))).toEqual(['s']);
    expect(sessions(chat({}, { resource: { 'session.id': 'r' } }))).toEqual(['r']);
    expect(sessions(chat())).toEqual(['a'.repeat(32)]);
  });

  test('is that of its trace, where only one span names it, in any order', () => {
    const named = span('invoke_agent', { 'gen_ai.conversation.id': 'c' }, { spanId: 'd'.repeat(16) });

    expect(sessions(chat(), named)).toEqual(['c']);
    const chats = new Chats();
    sorted(chats, [named]);
    expect(sorted(chats, [chat()]).chats[0]?.chat.session).toBe('c');
  });

  test('may have a name of any length and any bytes', () => {
    for (const id of ['x'.repeat(5_000), 'a\u0000b', 'ü']) {
      expect(sessions(chat({ 'session.id': id }))).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    }
  });

  test('leaves out what can be no step, and counts it', () => {
    const wrong = chat({ 'gen_ai.usage.input_tokens': 1e300, 'session.id': 's' }, { spanId: 'd'.repeat(16) });
    const { chats, rejected } = sorted(new Chats(), [wrong, chat({ 'session.id': 's' })]);

    expect([rejected, chats[0]?.branch.steps.length]).toEqual([1, 1]);
  });

  test('of times that no calendar has is taken all the same', () => {
    const { chats, rejected } = sorted(new Chats(), [chat({}, { startedAt: 1e300, endedAt: -5 })]);

    expect([rejected, chats[0]?.branch.steps[0]?.started_at]).toEqual([0, '9999-12-31T23:59:59.999Z']);
  });

  test('waited as long as its calls did, however often and in whatever order that comes', () => {
    const waits = span(
      'claude_code.tool.blocked_on_user',
      { 'session.id': 's', duration_ms: 40, source: 'user' },
      { spanId: 'd'.repeat(16), parentSpanId: 'e'.repeat(16) },
    );
    const tool = span('claude_code.tool', { 'session.id': 's', tool_name: 'Bash' }, { spanId: 'e'.repeat(16) });
    const again = { ...waits, spanId: 'f'.repeat(16) };
    const orders: Reported[][][] = [
      [[waits, waits, again, tool]],
      [[tool, waits, again]],
      [[waits, again], [tool]],
      [[tool], [waits], [waits, again], [again]],
    ];

    for (const order of orders) {
      const chats = new Chats();
      const told = order.flatMap((some) => sorted(chats, some).chats.flatMap(({ branch }) => branch.steps));
      expect(new Set(told.map(({ span_id }) => span_id)).size).toBe(1);
      expect(told.map(({ waited_ms }) => waited_ms).at(-1)).toBe(80);
      expect(told.length).toBe(order.length === 4 ? 3 : 1);
    }
  });
});
