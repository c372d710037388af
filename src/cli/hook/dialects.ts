import type { HookInput } from './input.ts';

export const HOOK_CLIENTS = ['claude-code', 'codex', 'gemini', 'cursor'] as const;
export type HookClient = (typeof HOOK_CLIENTS)[number];

/** What a hook says to its client. */
export type Saying =
  /** The model reads it besides. */
  | { context: string }
  /** The turn goes on with it. */
  | { goOn: string }
  /** The turn ends. */
  | { end: string }
  | undefined;

type Dialect = {
  /** What its agents are called before the session's own part, as its MCP server calls them; and their type. */
  name: string;
  type: string;
  sessionPart(session: string): string;
  say(saying: Saying, input: HookInput): object;
};

/** Claude Code, Codex and Gemini CLI understand the same answers. */
function say(saying: Saying, { hook_event_name: hookEventName }: HookInput): object {
  if (saying === undefined) return {};
  if ('context' in saying) return { hookSpecificOutput: { hookEventName, additionalContext: saying.context } };
  if ('goOn' in saying) return { decision: 'block', reason: saying.goOn };
  return { continue: false, stopReason: saying.end };
}

const first = (session: string) => session.slice(0, 4);
// The beginning of its ids is the time: it is the same for all sessions of some weeks.
const last = (session: string) => session.slice(-4);

export const DIALECTS: Readonly<Record<HookClient, Dialect>> = {
  'claude-code': { name: 'claude-code', type: 'claude', sessionPart: first, say },
  codex: { name: 'codex', type: 'codex', sessionPart: last, say },
  gemini: { name: 'gemini-cli', type: 'gemini', sessionPart: first, say },
  cursor: {
    name: 'cursor',
    type: 'cursor',
    sessionPart: first,
    say(saying) {
      if (saying === undefined) return {};
      if ('goOn' in saying) return { followup_message: saying.goOn };
      return {
        additional_context:
          'context' in saying ? saying.context : `Stop what you are doing, and end your turn: ${saying.end}`,
      };
    },
  },
};

export function isHookClient(name: string): name is HookClient {
  return HOOK_CLIENTS.some((known) => known === name);
}
