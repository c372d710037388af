import * as z from 'zod';

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
const Result = z.object({
  type: z.literal('result'),
  subtype: z.string(),
  is_error: z.boolean().optional(),
  result: z.string().optional(),
  usage: Usage.optional(),
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
  z.object({ type: z.literal('system'), session_id: z.string() }),
  z.object({ type: z.literal('user'), isReplay: z.literal(true), uuid: z.string() }),
  z.object({ type: z.literal('assistant'), message: Message }),
  z.object({
    type: z.literal('rate_limit_event'),
    rate_limit_info: z.object({ status: z.string(), resetsAt: z.number().nullish() }),
  }),
  z.object({ type: z.literal('control_request'), request_id: z.string(), request: Asked }),
  z.object({ type: z.literal('control_cancel_request'), request_id: z.string() }),
  Result,
]);

export type Line = z.infer<typeof Line>;
export type Message = z.infer<typeof Message>;
export type Result = z.infer<typeof Result>;
export type Asked = z.infer<typeof Asked>;

/** What a person sees of a message. */
export function shown(block: Message['content'][number]): string {
  if ('text' in block) return `${block.text}\n`;
  if ('name' in block) return `> ${block.name} ${JSON.stringify(block.input).slice(0, 500)}\n`;
  return '';
}

/** Counts the tokens of a message or of a turn. */
export function tokensOf(usage: z.infer<typeof Usage>): { in: number; out: number } {
  const { input_tokens = 0, output_tokens = 0, cache_read_input_tokens = 0, cache_creation_input_tokens = 0 } = usage;
  return { in: input_tokens + cache_read_input_tokens + cache_creation_input_tokens, out: output_tokens };
}
