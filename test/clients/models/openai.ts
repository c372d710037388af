// The responses API, as Codex speaks it.
import {
  type Call,
  eventStream,
  jsonAnswer,
  nextId,
  type ShownTool,
  SPENT,
  secondsOf,
  textOf,
  type Wire,
} from './wire.ts';

type Tool = { type?: string; name?: string; tools?: { name: string }[] };
type Item = { type?: string; role?: string; content?: unknown; output?: unknown; tools?: Tool[] };
type Body = { instructions?: unknown; input?: Item[]; tools?: Tool[] };

export const openai: Wire = {
  handles: (path) => path.endsWith('/responses'),

  read({ instructions, input = [], tools = [] }: Body) {
    // Tools that were searched for come as the result of the search.
    const found = input.filter(({ type }) => type === 'tool_search_output').flatMap((item) => item.tools ?? []);
    return {
      all: [textOf(instructions), textOf(input), textOf(tools)].join('\n'),
      opening: textOf(input.filter(({ role }) => role === 'user').map(({ content }) => content)),
      tools: [...tools, ...found].flatMap(flatten),
      results: input
        .filter(({ type }) => type?.endsWith('_output'))
        .map((item) => ({ text: outputOf(item), isError: false })),
    };
  },

  answer(response, { calls, say }) {
    const id = nextId('resp');
    const output = calls.length === 0 ? [messageOf(say)] : calls.map(callOf);
    const send = eventStream(response);
    send('response.created', { response: { id, object: 'response', status: 'in_progress', output: [] } });
    for (const [output_index, item] of output.entries()) {
      send('response.output_item.added', { output_index, item });
      send('response.output_item.done', { output_index, item });
    }
    const usage = {
      input_tokens: SPENT.fresh + SPENT.cached,
      input_tokens_details: { cached_tokens: SPENT.cached },
      output_tokens: SPENT.out,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: SPENT.fresh + SPENT.cached + SPENT.out,
    };
    send('response.completed', { response: { id, object: 'response', status: 'completed', output, usage } });
    response.end();
  },

  refuse(response, until) {
    const error = {
      type: 'usage_limit_reached',
      message: 'The usage limit has been reached',
      plan_type: 'plus',
      resets_at: secondsOf(until),
    };
    const headers = {
      'x-codex-primary-used-percent': '100',
      'x-codex-primary-window-minutes': '300',
      'x-codex-primary-reset-at': `${secondsOf(until)}`,
    };
    jsonAnswer(response, { error }, { status: 429, headers });
  },
};

/** A namespace holds tools; anything else is one. */
function flatten({ type = '', name = type, tools }: Tool): ShownTool[] {
  return tools === undefined ? [{ name }] : tools.map((inner) => ({ name: inner.name, namespace: name }));
}

function outputOf({ output, tools }: Item): string {
  const parts = output ?? tools;
  const texts = Array.isArray(parts) ? parts.map(({ text }: { text?: unknown }) => text) : [undefined];
  return texts.every((text) => typeof text === 'string') ? texts.join('\n') : textOf(parts);
}

function messageOf(text: string): object {
  const content = [{ type: 'output_text', text, annotations: [] }];
  return { type: 'message', id: nextId('msg'), role: 'assistant', content };
}

function callOf({ name, namespace, input }: Call): object {
  const call_id = nextId('call');
  if (name === 'tool_search') {
    const id = nextId('search');
    return { type: 'tool_search_call', id, call_id, status: 'completed', execution: 'client', arguments: input };
  }
  const where = namespace === undefined ? {} : { namespace };
  return { type: 'function_call', id: nextId('fc'), call_id, name, ...where, arguments: JSON.stringify(input) };
}
