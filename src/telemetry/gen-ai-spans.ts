// Steps as spans, by the conventions of OpenTelemetry for generative AI.
// Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
import type { Step } from '../services/steps.ts';
import { VERSION } from '../version.ts';

/** A step with the run that it is of. What was said is in it only where that is kept. */
export type RunStep = { run: string; agent?: string | undefined; step: Step };

type Given = string | number | undefined;

const OPERATIONS = { llm_prompt: 'chat', tool_call: 'execute_tool', response: 'invoke_agent' } as const;
const [INTERNAL, CLIENT] = [1, 3];
const [OK, ERROR] = [1, 2];

/** An export request of OTLP. */
export function requestOf(steps: readonly RunStep[]) {
  const resource = { attributes: attributesOf({ 'service.name': 'cairn', 'service.version': VERSION }) };
  const scope = { name: 'cairn', version: VERSION };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: steps.map(spanOf) }] }] };
}

function spanOf({ run, agent, step }: RunStep) {
  const operation = OPERATIONS[step.kind];
  return {
    traceId: run.replaceAll('-', ''),
    spanId: step.span_id,
    ...(step.parent_span_id !== undefined && { parentSpanId: step.parent_span_id }),
    name: `${operation} ${step.name}`,
    kind: step.kind === 'llm_prompt' ? CLIENT : INTERNAL,
    startTimeUnixNano: nanoseconds(step.started_at),
    endTimeUnixNano: nanoseconds(step.completed_at ?? step.started_at),
    attributes: attributesOf({
      'gen_ai.operation.name': operation,
      'gen_ai.conversation.id': run,
      'gen_ai.agent.name': agent,
      'gen_ai.request.model': step.model,
      'gen_ai.response.model': step.model,
      'gen_ai.usage.input_tokens': step.tokens_in,
      'gen_ai.usage.output_tokens': step.tokens_out,
      'gen_ai.usage.cache_read.input_tokens': step.tokens_cached,
      'gen_ai.usage.cache_creation.input_tokens': step.tokens_cache_written,
      'gen_ai.tool.name': step.kind === 'tool_call' ? step.name : undefined,
      'gen_ai.tool.call.id': step.tool_call_id,
      'cairn.waited_ms': step.waited_ms,
      ...saidIn(step),
    }),
    ...statusOf(step),
  };
}

function statusOf({ status, error, content }: Step): object {
  if (status === 'failed') {
    return { status: { message: textOf(content?.['error']) ?? error ?? 'It failed.', code: ERROR } };
  }
  return status === 'completed' ? { status: { code: OK } } : {};
}

function saidIn({ kind, content }: Step): Record<string, Given> {
  if (content === undefined) return {};
  if (kind === 'tool_call') {
    const { result, error: _, ...given } = content;
    return { 'gen_ai.tool.call.arguments': textOf(given), 'gen_ai.tool.call.result': textOf(result) };
  }
  return {
    'gen_ai.input.messages': messages('user', content['prompt']),
    'gen_ai.output.messages': messages('assistant', content['response'] ?? content['content']),
  };
}

function messages(role: string, said: unknown): string | undefined {
  const content = textOf(said);
  return content && JSON.stringify([{ role, parts: [{ type: 'text', content }] }]);
}

function textOf(said: unknown): string | undefined {
  return said === undefined || typeof said === 'string' ? said : JSON.stringify(said);
}

function attributesOf(given: Record<string, Given>) {
  return Object.entries(given).flatMap(([key, value]) =>
    value === undefined
      ? []
      : [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }],
  );
}

function nanoseconds(at: string): string {
  return `${Date.parse(at)}000000`;
}
