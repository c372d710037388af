import * as z from 'zod';
import { firstOf } from '../../text.ts';
import { BackgroundLine } from './claude-background.ts';

const Count = z.int().min(0).catch(0);
export const Usage = z
  .object({
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
  })
  .partial();
const Block = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('tool_use'), name: z.string(), input: z.unknown() }),
  z.object({ type: z.string() }),
]);
const Message = z.object({ id: z.string().optional(), content: z.array(Block), usage: Usage.optional() });
/** What its process has used, by model, with all sub-agents. */
const Models = z.record(
  z.string(),
  z.object({ inputTokens: Count, outputTokens: Count, cacheReadInputTokens: Count, cacheCreationInputTokens: Count }),
);
const Result = z.object({
  type: z.literal('result'),
  subtype: z.string(),
  is_error: z.boolean().optional(),
  result: z.string().optional(),
  usage: Usage.optional(),
  modelUsage: Models.optional().catch(undefined),
  api_error_status: z.int().nullish(),
});
const Asked = z.object({
  subtype: z.literal('can_use_tool'),
  tool_name: z.string(),
  input: z.record(z.string(), z.unknown()),
  description: z.string().optional(),
  blocked_path: z.string().optional(),
  decision_reason: z.string().optional(),
});

/** The lines of Claude Code's stream of JSON that count; of others there are many, and more with each version. */
export const Line = z.union([
  BackgroundLine,
  z.object({ type: z.literal('system'), subtype: z.string(), session_id: z.string() }),
  z.object({ type: z.literal('user'), isReplay: z.literal(true), uuid: z.string() }),
  z.object({
    type: z.literal('assistant'),
    message: Message,
    /** Of a sub-agent. */
    parent_tool_use_id: z.string().nullish(),
    subagent_type: z.string().optional(),
    task_description: z.string().optional(),
  }),
  z.object({
    type: z.literal('rate_limit_event'),
    rate_limit_info: z.object({ status: z.string(), resetsAt: z.number().nullish() }),
  }),
  z.object({ type: z.literal('control_request'), request_id: z.string(), request: Asked }),
  z.object({ type: z.literal('control_cancel_request'), request_id: z.string() }),
  Result,
]);

export type Line = z.infer<typeof Line>;
export type Said = Extract<Line, { type: 'assistant' }>;
export type Result = z.infer<typeof Result>;
export type Asked = z.infer<typeof Asked>;

/** What a person sees of a message. */
export function shown(block: z.infer<typeof Block>): string {
  if ('text' in block) return `${block.text}\n`;
  if ('name' in block) return `> ${block.name} ${firstOf(JSON.stringify(block.input ?? {}), 500)}\n`;
  return '';
}

/** Counts the tokens of a message or of a turn. */
export function tokensOf(usage: z.infer<typeof Usage>): { in: number; out: number } {
  const { input_tokens = 0, output_tokens = 0, cache_read_input_tokens = 0, cache_creation_input_tokens = 0 } = usage;
  return { in: input_tokens + cache_read_input_tokens + cache_creation_input_tokens, out: output_tokens };
}

/** Counts the tokens of a process. */
export function tokensOfAll(models: z.infer<typeof Models>): { in: number; out: number } {
  let used = { in: 0, out: 0 };
  for (const { inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens } of Object.values(models)) {
    const read = inputTokens + cacheReadInputTokens + cacheCreationInputTokens;
    used = { in: used.in + read, out: used.out + outputTokens };
  }
  return used;
}
