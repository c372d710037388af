// Claude Code: spans of turns, requests and tools; log records of the same with what was said.

import type { Attributes, Reported } from '../otlp.ts';
import {
  contentOf,
  type Dialect,
  endedAfter,
  failureOf,
  numberIn,
  type Observed,
  PASSED,
  textIn,
  toolTypeOf,
} from '../step.ts';

const OWN = 'claude_code.';

/** A request is told of by a span and by a record, a call of a tool by two spans and by a record. */
export const claude: Dialect = (reported) => {
  const { attributes } = reported;
  switch (ownName(reported)) {
    case 'interaction':
      return { ...turnOf(reported), ...ended(reported) };
    case 'user_prompt':
      // Written in the span of the turn, which is told of when that has ended.
      return { ...turnOf(reported), status: 'running', content: contentOf(attributes, { prompt: 'prompt' }) };
    case 'llm_request':
      return { ...requestOf(attributes), ...ended(reported) };
    case 'api_request':
      return isToldBySpan(reported)
        ? undefined
        : { ...requestOf(attributes), ...underPrompt(reported), ...endedAfter(reported), status: 'completed' };
    case 'api_error':
      return isToldBySpan(reported)
        ? undefined
        : { ...requestOf(attributes), ...underPrompt(reported), ...endedAfter(reported), ...failed(attributes) };
    case 'tool':
      return { ...callOf(attributes), ...ended(reported) };
    case 'tool_result':
      return {
        ...callOf(attributes),
        ...underPrompt(reported),
        ...endedAfter(reported),
        ...(attributes.success === 'false' ? failed(attributes) : { status: 'completed' }),
        content: contentOf(attributes, { args: 'tool_input', parameters: 'tool_parameters' }),
      };
    case 'tool.execution':
      return PASSED;
    case 'tool.blocked_on_user':
      // Where nobody was asked it says how long the rules were looked at.
      return attributes.source === 'config'
        ? PASSED
        : { passed: true, waitedMs: numberIn(attributes, 'duration_ms') ?? 0 };
    case 'assistant_response':
      return {
        kind: 'response',
        name: 'answer',
        same: `answer ${textIn(attributes, 'message.uuid', 'request_id') ?? reported.startedAt}`,
        status: 'completed',
        startedAt: reported.startedAt,
        endedAt: reported.startedAt,
        content: contentOf(attributes, { content: 'response' }),
      };
    default:
      return reported.spanId === undefined ? undefined : PASSED;
  }
};

/**
 * What it calls it. Nothing without its name is its own: programs that it starts inherit its environment, and may report
 * to the same place.
 */
function ownName({ name, text = '' }: Reported): string | undefined {
  return [name, text].find((word) => word.startsWith(OWN))?.slice(OWN.length);
}

function ended(reported: Reported): Pick<Observed, 'startedAt' | 'endedAt' | 'status'> {
  const { startedAt, endedAt = startedAt, attributes, error } = reported;
  if (error === undefined) return { startedAt, endedAt, status: 'completed' };
  return { startedAt, endedAt, status: 'failed', ...failureOf(attributes, error) };
}

function failed(attributes: Attributes): Pick<Observed, 'status'> {
  return { status: 'failed', ...failureOf(attributes, textIn(attributes, 'error')) };
}

function turnOf(reported: Reported): Observed {
  const { spanId, parentSpanId, startedAt } = reported;
  const span = spanId ?? parentSpanId;
  return {
    kind: 'response',
    name: 'turn',
    ...(span === undefined ? { same: promptOf(reported) } : { same: `turn ${span}`, span }),
    status: 'running',
    startedAt,
  };
}

/**
 * A gateway may give a request no id, by which its record and its span would be one step. The span of a request says
 * the same; a record that was written in none is of a session that reports no spans.
 */
function isToldBySpan({ attributes, traceId }: Reported): boolean {
  return traceId !== undefined && textIn(attributes, 'request_id', 'gen_ai.response.id') === undefined;
}

/** Where there are no spans, what belongs to a prompt is under its turn. */
function underPrompt(reported: Reported): Pick<Observed, 'under'> {
  return reported.traceId === undefined ? { under: promptOf(reported) } : {};
}

function promptOf({ attributes }: Reported): string {
  return `prompt ${textIn(attributes, 'prompt.id') ?? ''}`;
}

function requestOf(attributes: Attributes): Omit<Observed, 'startedAt'> {
  const id = textIn(attributes, 'request_id', 'gen_ai.response.id');
  const cached = numberIn(attributes, 'cache_read_tokens') ?? 0;
  const cacheWritten = numberIn(attributes, 'cache_creation_tokens') ?? 0;
  const [fresh, out] = [numberIn(attributes, 'input_tokens'), numberIn(attributes, 'output_tokens')];
  const told = fresh !== undefined || out !== undefined;
  return {
    kind: 'llm_prompt',
    name: textIn(attributes, 'model') ?? 'request',
    ...(id !== undefined && { same: `request ${id}` }),
    status: 'completed',
    model: textIn(attributes, 'model'),
    ...(told && { tokens: { in: (fresh ?? 0) + cached + cacheWritten, out: out ?? 0, cached, cacheWritten } }),
  };
}

function callOf(attributes: Attributes): Omit<Observed, 'startedAt'> {
  const tool = textIn(attributes, 'tool_name') ?? 'tool';
  const id = textIn(attributes, 'tool_use_id', 'gen_ai.tool.call.id');
  const agent = textIn(attributes, 'subagent_type');
  return {
    kind: 'tool_call',
    name: agent === undefined ? tool : `${tool} ${agent}`,
    ...(id !== undefined && { same: `call ${id}` }),
    status: 'completed',
    toolType: toolTypeOf(tool),
    toolCallId: id,
    content: contentOf(attributes, { command: 'full_command', file: 'file_path' }),
  };
}
