import * as z from 'zod';
import { firstOf } from '../../text.ts';
import type { Limited } from '../ended.ts';
import { isoTimeOf } from '../provider-wait.ts';

const Text = z.string();
const Item = z.object({
  id: Text,
  type: Text,
  text: Text.optional(),
  command: Text.optional(),
  aggregatedOutput: Text.nullish(),
  changes: z.array(z.object({ path: Text })).optional(),
  server: Text.optional(),
  tool: Text.optional(),
  receiverThreadIds: z.array(Text).optional(),
  arguments: z.unknown().optional(),
});
const Failure = z.object({ message: Text, codexErrorInfo: z.unknown() });
const Turn = z.object({ id: Text, status: Text, error: Failure.nullish() });
const Delta = z.object({ threadId: Text, itemId: Text, delta: Text });
const Tokens = z.object({ inputTokens: z.int().min(0), outputTokens: z.int().min(0) });
const Window = z.object({ usedPercent: z.number(), resetsAt: z.number().nullish() }).nullish();

const told = <Method extends string, Params extends z.ZodType>(method: Method, params: Params) =>
  z.object({ method: z.literal(method), params });

/** The notifications of `codex app-server` that count, with what is read of them; there are many more. */
export const ServerNotice = z.discriminatedUnion('method', [
  told('turn/started', z.object({ threadId: Text, turn: z.object({ id: Text }) })),
  told('turn/completed', z.object({ threadId: Text, turn: Turn })),
  told('item/started', z.object({ threadId: Text, item: Item })),
  told('item/completed', z.object({ threadId: Text, item: Item })),
  told('item/agentMessage/delta', Delta),
  told('item/commandExecution/outputDelta', Delta),
  told('thread/tokenUsage/updated', z.object({ threadId: Text, tokenUsage: z.object({ total: Tokens }) })),
  told('account/rateLimits/updated', z.object({ rateLimits: z.object({ primary: Window, secondary: Window }) })),
  told('serverRequest/resolved', z.object({ threadId: Text, requestId: z.union([z.string(), z.number()]) })),
]);

/** The answers that are read. */
export const ThreadOpened = z.object({ thread: z.object({ id: Text }) });
export const SubagentRead = z.object({
  thread: z.object({ id: Text, agentNickname: Text.nullish(), agentRole: Text.nullish() }),
});
export const TurnStarted = z.object({ turn: z.object({ id: Text }) });

export type Item = z.infer<typeof Item>;
export type Turn = z.infer<typeof Turn>;
export type ServerNotice = z.infer<typeof ServerNotice>;
export type Limits = Extract<ServerNotice, { method: 'account/rateLimits/updated' }>['params']['rateLimits'];

/** The name of a sub-agent, with its role. */
export function nameOf({ id, agentNickname, agentRole }: z.infer<typeof SubagentRead>['thread']): string {
  return [agentRole, agentNickname].filter(Boolean).join(': ') || `agent ${id.slice(-8)}`;
}

/** What a person sees of an item that begins. */
export function shown({ type, command, changes = [], server, tool, arguments: input }: Item): string {
  if (type === 'commandExecution') return `> ${command}\n`;
  if (type === 'fileChange') return `> edits ${changes.map(({ path }) => path).join(' ')}\n`;
  if (type === 'mcpToolCall') return `> ${server}.${tool} ${firstOf(JSON.stringify(input ?? {}), 500)}\n`;
  return '';
}

const MINUTE_MS = 60_000;
const LIMITS = new Set<unknown>(['usageLimitExceeded', 'rateLimitExceeded']);

/** Tells whether the provider refused more work, and until when: by its windows, else by its words. */
export function limitedBy({ error }: Turn, limits: Limits | undefined): Limited | undefined {
  if (!error || !LIMITS.has(error.codexErrorInfo)) return undefined;
  const full = [limits?.primary, limits?.secondary].filter((window) => (window?.usedPercent ?? 0) >= 100);
  const resets = full.flatMap((window) => (window?.resetsAt ?? 0) * 1_000);
  const at = Math.max(0, ...resets) || saidTime(error.message);
  const until = at === undefined ? undefined : isoTimeOf(at);
  return { status: 'limited', reason: error.message, ...(until && { until }) };
}

/**
 * Reads "try again at Nov 27th, 2026 12:03 AM." or, on the same day, "try again at 3:05 PM.", in local time. It names the
 * minute in which more is allowed: at its end, for sure.
 */
function saidTime(text: string): number | undefined {
  const said = /try again at ([^.]+)/i.exec(text)?.[1]?.replace(/(\d)(st|nd|rd|th)\b/, '$1');
  if (said === undefined) return undefined;
  const at = [said, `${new Date().toDateString()} ${said}`].map((words) => Date.parse(words)).find((time) => time > 0);
  return at && at + MINUTE_MS;
}
