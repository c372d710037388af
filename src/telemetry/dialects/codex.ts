// Codex: log records. Its spans are some hundred for a call of a tool, and none says more.

import type { Reported } from '../otlp.ts';
import {
  contentOf,
  type Dialect,
  endedAfter,
  failureOf,
  numberIn,
  type Observed,
  textIn,
  toolTypeOf,
} from '../step.ts';

/** Each conversation is a branch of its own: that of a person, and one for each sub-agent. */
export const codex: Dialect = (reported) => {
  const { attributes } = reported;
  switch (reported.name) {
    case 'codex.user_prompt':
      return {
        kind: 'response',
        name: 'turn',
        same: conversationOf(reported),
        status: 'running',
        startedAt: timeOf(reported),
        content: contentOf(attributes, { prompt: 'prompt' }),
      };
    case 'codex.sse_event': {
      const tokensIn = numberIn(attributes, 'input_token_count');
      if (tokensIn === undefined) return undefined;
      const tokens = {
        in: tokensIn,
        out: numberIn(attributes, 'output_token_count') ?? 0,
        cached: numberIn(attributes, 'cached_token_count') ?? 0,
        cacheWritten: numberIn(attributes, 'cache_write_token_count') ?? 0,
      };
      return {
        kind: 'llm_prompt',
        name: textIn(attributes, 'model') ?? 'request',
        same: `request ${conversationOf(reported)} ${timeOf(reported)} ${Object.values(tokens).join(' ')}`,
        under: conversationOf(reported),
        ...times(reported),
        status: 'completed',
        model: textIn(attributes, 'model'),
        tokens,
      };
    }
    case 'codex.tool_result':
      return callOf(reported);
    default:
      return undefined;
  }
};

function callOf(reported: Reported): Observed {
  const { attributes } = reported;
  const tool = textIn(attributes, 'tool_name') ?? 'tool';
  const id = textIn(attributes, 'call_id');
  // It calls a command a success that has ended with a code.
  const code = /Process exited with code ([1-9]\d*)/.exec(textIn(attributes, 'output') ?? '')?.[1];
  const hasFailed = code !== undefined || attributes.success === 'false' || attributes.success === false;
  return {
    kind: 'tool_call',
    name: tool,
    ...(id !== undefined && { same: `call ${conversationOf(reported)} ${id}` }),
    under: conversationOf(reported),
    ...times(reported),
    status: hasFailed ? 'failed' : 'completed',
    ...(hasFailed && (code === undefined ? failureOf(attributes) : { error: `It ended with code ${code}.` })),
    toolType: textIn(attributes, 'mcp_server') === undefined ? toolTypeOf(tool) : 'mcp',
    toolCallId: id,
    content: contentOf(attributes, { args: 'arguments', result: 'output' }),
  };
}

function conversationOf({ attributes }: Reported): string {
  return `conversation ${textIn(attributes, 'conversation.id') ?? ''}`;
}

/** When a record was written; its own time is left out. */
function timeOf({ startedAt, attributes }: Reported): number {
  const named = Date.parse(textIn(attributes, 'event.timestamp') ?? '');
  return Number.isNaN(named) ? startedAt : named;
}

function times(reported: Reported): { startedAt: number; endedAt: number } {
  return endedAfter({ ...reported, startedAt: timeOf(reported) });
}
