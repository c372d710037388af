import {
  type PromptResponse,
  RequestError,
  type RequestPermissionRequest,
  type SessionUpdate,
  type ToolCallContent,
} from '@agentclientprotocol/sdk';
import * as z from 'zod';
import { firstOf, oneLine } from '../../text.ts';
import type { Answer, Question } from '../driver.ts';
import type { Ended, Limited } from '../ended.ts';

const Count = z.int().min(0);
/** The protocol names no usage yet: a field of its draft, and that of Gemini CLI. */
const Counted = z.union([
  z.object({ usage: z.object({ inputTokens: Count, outputTokens: Count }) }).transform(({ usage }) => usage),
  z
    .object({
      _meta: z.object({ quota: z.object({ token_count: z.object({ input_tokens: Count, output_tokens: Count }) }) }),
    })
    .transform(({ _meta }) => _meta.quota.token_count)
    .transform(({ input_tokens, output_tokens }) => ({ inputTokens: input_tokens, outputTokens: output_tokens })),
]);
const TOO_MANY_REQUESTS = 429;

/** What a person sees of an update. */
export function shown(update: SessionUpdate): string {
  switch (update.sessionUpdate) {
    case 'agent_message_chunk':
      return update.content.type === 'text' ? update.content.text : '';
    case 'tool_call':
      return `\n> ${update.title}\n`;
    case 'tool_call_update':
      return update.status === 'completed' || update.status === 'failed' ? contentOf(update.content ?? []) : '';
    case 'plan':
      return update.entries.map(({ content, status }) => `- ${content} (${status})\n`).join('');
    default:
      return '';
  }
}

function contentOf(contents: readonly ToolCallContent[]): string {
  return contents
    .map((part) => {
      if (part.type === 'diff') return `edits ${part.path}\n`;
      return part.type === 'content' && part.content.type === 'text' ? `${part.content.text}\n` : '';
    })
    .join('');
}

export function questionOf({ toolCall, options }: RequestPermissionRequest): Question {
  const { title, kind, content, locations, rawInput } = toolCall;
  const about = contentOf(content ?? []);
  return {
    kind: 'permission',
    title: title ?? kind ?? 'Use a tool',
    detail: {
      ...(kind && { tool: kind }),
      ...(rawInput !== undefined && { input: rawInput }),
      ...(about !== '' && { text: firstOf(about, 4_000) }),
      ...(locations?.length && { files: locations.map(({ path }) => path) }),
    },
    options: options.map(({ name }) => name),
  };
}

/** Says to the model what a refusal by its protocol alone does not. */
export function refusalOf({ title }: Question, { note = 'It was not allowed.' }: Answer): string {
  return `About what you asked leave for ("${oneLine(title).slice(0, 200)}"): ${note}`;
}

/** Counts the tokens of a prompt; undefined where the agent does not say. */
export function tokensOf(response: PromptResponse): { in: number; out: number } | undefined {
  const { data } = Counted.safeParse(response);
  return data && { in: data.inputTokens, out: data.outputTokens };
}

export function failureOf(error: unknown): Ended | Limited {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof RequestError && error.code === TOO_MANY_REQUESTS) return { status: 'limited', reason: text };
  return { status: 'failed', end_reason: 'error', error: text };
}
