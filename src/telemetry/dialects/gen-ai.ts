// Whatever follows the conventions of OpenTelemetry for generative AI.
// Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/

import type { Reported } from '../otlp.ts';
import { contentOf, type Dialect, failureOf, numberIn, type Observed, PASSED, textIn, toolTypeOf } from '../step.ts';

const KINDS: Readonly<Record<string, Observed['kind']>> = Object.freeze({
  chat: 'llm_prompt',
  generate_content: 'llm_prompt',
  text_completion: 'llm_prompt',
  llm_request: 'llm_prompt',
  llm_call: 'llm_prompt',
  embeddings: 'llm_prompt',
  execute_tool: 'tool_call',
  tool: 'tool_call',
  tool_call: 'tool_call',
  invoke_agent: 'response',
  create_agent: 'response',
  assistant_response: 'response',
});

/** Spans alone are steps: their conventions for log records are about what was said. */
export const genAi: Dialect = (reported) => {
  if (reported.spanId === undefined) return undefined;
  const kind = KINDS[textIn(reported.attributes, 'gen_ai.operation.name') ?? reported.name.split(/[ .]/)[0] ?? ''];
  if (kind === undefined) return PASSED;
  const { startedAt, endedAt = startedAt, error } = reported;
  const about = { ...aboutOf(reported, kind), kind, startedAt, endedAt };
  if (error === undefined) return { ...about, status: 'completed' };
  return { ...about, status: 'failed', ...failureOf(reported.attributes, error) };
};

function aboutOf({ name, attributes }: Reported, kind: Observed['kind']): Pick<Observed, 'name'> & Partial<Observed> {
  const model = textIn(attributes, 'gen_ai.response.model', 'gen_ai.request.model');
  if (kind === 'llm_prompt') {
    const tokens = {
      in: numberIn(attributes, 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens') ?? 0,
      out: numberIn(attributes, 'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens') ?? 0,
      cached: numberIn(attributes, 'gen_ai.usage.cache_read.input_tokens') ?? 0,
      cacheWritten: numberIn(attributes, 'gen_ai.usage.cache_creation.input_tokens') ?? 0,
    };
    const said = { prompt: 'gen_ai.input.messages', response: 'gen_ai.output.messages' };
    return {
      name: model ?? name,
      model,
      ...(tokens.in + tokens.out > 0 && { tokens }),
      content: contentOf(attributes, said),
    };
  }
  if (kind === 'tool_call') {
    const tool = textIn(attributes, 'gen_ai.tool.name') ?? name;
    const id = textIn(attributes, 'gen_ai.tool.call.id');
    const said = { args: 'gen_ai.tool.call.arguments', result: 'gen_ai.tool.call.result' };
    return {
      name: tool,
      ...(id !== undefined && { same: `call ${id}` }),
      toolCallId: id,
      toolType: toolTypeOf(tool),
      content: contentOf(attributes, said),
    };
  }
  return { name: textIn(attributes, 'gen_ai.agent.name') ?? name };
}
