// The messages API, as Claude Code speaks it.
import { eventStream, jsonAnswer, nextId, SPENT, secondsOf, textOf, type Wire } from './wire.ts';

type Block = { type: string; content?: unknown; is_error?: boolean };
type Said = { type: 'text'; text: string } | { type: 'tool_use'; id: string; name: string; input: object };
type Body = {
  model: string;
  stream?: boolean;
  system?: unknown;
  messages?: { role: string; content: Block[] | string }[];
  tools?: { name: string }[];
};

export const anthropic: Wire = {
  handles: (path) => path.endsWith('/messages'),

  read({ system, messages = [], tools = [] }: Body) {
    const blocks = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
    return {
      all: [textOf(system), textOf(messages), textOf(tools)].join('\n'),
      opening: textOf(messages.find(({ role }) => role === 'user')?.content),
      tools: tools.map(({ name }) => ({ name })),
      results: blocks
        .filter(({ type }) => type === 'tool_result')
        .map(({ content, is_error }) => ({ text: partsOf(content), isError: is_error === true })),
    };
  },

  answer(response, { calls, say }, { body }: { path: string; body: Body }) {
    const content: Said[] =
      calls.length === 0
        ? [{ type: 'text', text: say }]
        : calls.map(({ name, input }) => ({ type: 'tool_use', id: nextId('toolu'), name, input }));
    const stop = { stop_reason: calls.length === 0 ? 'end_turn' : 'tool_use', stop_sequence: null };
    const { fresh, cached, out } = SPENT;
    const usage = { input_tokens: fresh, cache_read_input_tokens: cached, output_tokens: out };
    const message = { id: nextId('msg'), type: 'message', role: 'assistant', model: body.model, usage };
    if (!body.stream) return jsonAnswer(response, { ...message, content, ...stop });

    const send = eventStream(response);
    send('message_start', { message: { ...message, content: [], stop_reason: null, stop_sequence: null } });
    for (const [index, block] of content.entries()) {
      const [start, delta] =
        block.type === 'text'
          ? [
              { type: 'text', text: '' },
              { type: 'text_delta', text: block.text },
            ]
          : [
              { ...block, input: {} },
              { type: 'input_json_delta', partial_json: JSON.stringify(block.input) },
            ];
      send('content_block_start', { index, content_block: start });
      send('content_block_delta', { index, delta });
      send('content_block_stop', { index });
    }
    send('message_delta', { delta: stop, usage: { output_tokens: usage.output_tokens } });
    send('message_stop', {});
    response.end();
  },

  refuse(response, until) {
    const headers = {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': `${secondsOf(until)}`,
      'anthropic-ratelimit-unified-representative-claim': 'five_hour',
      'x-should-retry': 'false',
    };
    const error = { type: 'rate_limit_error', message: 'This request would exceed the limit of your account.' };
    jsonAnswer(response, { type: 'error', error }, { status: 429, headers });
  },
};

function partsOf(content: unknown): string {
  return Array.isArray(content)
    ? content.map((part: { text?: string }) => part.text ?? textOf(part)).join('\n')
    : textOf(content);
}
