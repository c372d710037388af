// Gemini CLI: log records. Its spans tell of the same requests without what was read from a cache.

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

/** A prompt is a branch, and so is each turn of a sub-agent; what is sent again is the same record once more. */
export const gemini: Dialect = (reported) => {
  const { attributes } = reported;
  switch (reported.name) {
    case 'gemini_cli.user_prompt':
      return {
        kind: 'response',
        name: 'turn',
        same: promptOf(reported),
        status: 'running',
        startedAt: reported.startedAt,
        content: contentOf(attributes, { prompt: 'prompt' }),
      };
    case 'gemini_cli.api_response':
      return {
        ...requestOf(reported),
        status: 'completed',
        tokens: {
          in: numberIn(attributes, 'input_token_count') ?? 0,
          // What it thought is charged as what it said.
          out: (numberIn(attributes, 'output_token_count') ?? 0) + (numberIn(attributes, 'thoughts_token_count') ?? 0),
          cached: numberIn(attributes, 'cached_content_token_count') ?? 0,
          cacheWritten: 0,
        },
        content: contentOf(attributes, { response: 'response_text' }),
      };
    case 'gemini_cli.api_error':
      return {
        ...requestOf(reported),
        status: 'failed',
        ...failureOf(attributes, textIn(attributes, 'error.message', 'error')),
      };
    case 'gemini_cli.tool_call':
      return callOf(reported);
    default:
      return undefined;
  }
};

function requestOf(reported: Reported): Omit<Observed, 'status'> {
  const { attributes } = reported;
  const model = textIn(attributes, 'model');
  const total = numberIn(attributes, 'total_token_count', 'status_code') ?? 0;
  return {
    kind: 'llm_prompt',
    name: model ?? 'request',
    same: `request ${promptOf(reported)} ${reported.startedAt} ${total}`,
    under: promptOf(reported),
    ...endedAfter(reported),
    model,
  };
}

function callOf(reported: Reported): Observed {
  const { attributes } = reported;
  const tool = textIn(attributes, 'function_name') ?? 'tool';
  const code = /"exitCode":\s*([1-9]\d*)/.exec(metadataOf(reported))?.[1];
  const hasFailed = code !== undefined || attributes.success === false;
  return {
    kind: 'tool_call',
    name: tool,
    same: `call ${promptOf(reported)} ${reported.startedAt} ${tool}`,
    under: promptOf(reported),
    ...endedAfter(reported),
    status: hasFailed ? 'failed' : 'completed',
    ...(hasFailed && failureOf(attributes, textIn(attributes, 'error.message', 'error'))),
    ...(code !== undefined && { error: `It ended with code ${code}.` }),
    toolType: attributes.tool_type === 'mcp' ? 'mcp' : toolTypeOf(tool),
    content: contentOf(attributes, { args: 'function_args' }),
  };
}

function metadataOf({ attributes }: Reported): string {
  const { metadata } = attributes;
  return typeof metadata === 'string' ? metadata : JSON.stringify(metadata ?? {});
}

function promptOf({ attributes }: Reported): string {
  return `prompt ${textIn(attributes, 'prompt_id', 'session.id') ?? ''}`;
}
