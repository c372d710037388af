// A step as a report tells it, before it has its place in the tree of its run.
import type { Attributes, Reported, Value } from './otlp.ts';

type Kind = 'llm_prompt' | 'tool_call' | 'response';
export type ToolType = 'shell' | 'file' | 'search' | 'browser' | 'mcp' | 'subagent';

/** What one span or log record says of a step. What it does not say another one may. */
export type Observed = {
  /**
   * What makes it one step with others that tell of it: the same request or the same call. Without one it is the span
   * itself.
   */
  same?: string;
  kind: Kind;
  name: string;
  status: 'running' | 'completed' | 'failed';
  startedAt: number;
  endedAt?: number;
  /** The span that a log record tells of, where that is the one it was written in. */
  span?: string;
  /** The step above it, where it is known by what makes it one and not by a span. */
  under?: string;
  toolType?: ToolType | undefined;
  toolCallId?: string | undefined;
  model?: string | undefined;
  /** Tokens in are all of them, with those that were read from a cache or written to one. */
  tokens?: { in: number; out: number; cached: number; cacheWritten: number };
  waitedMs?: number;
  /** What failed, in words that quote nothing of what was said. */
  error?: string | undefined;
  /** The same as it was told: it may quote arguments, files and answers, and is kept where those are. */
  toldError?: string | undefined;
  content?: Record<string, Value>;
};

/** A span that is no step: what is under it is under what it is itself under. `waitedMs` is of the step above it. */
export type Passed = { passed: true; waitedMs?: number };

/** Reads what one agent reports; undefined is not kept. */
export type Dialect = (reported: Reported) => Observed | Passed | undefined;

export const PASSED: Passed = Object.freeze({ passed: true });

export function textIn(attributes: Attributes, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = attributes[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

/** Some agents write numbers as text. */
export function numberIn(attributes: Attributes, ...names: string[]): number | undefined {
  for (const name of names) {
    const value = attributes[name];
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number) && number >= 0) return Math.trunc(number);
  }
  return undefined;
}

/** What failed: the status or the kind of error that is named, and by itself how it was told. */
export function failureOf(attributes: Attributes, told?: string): Pick<Observed, 'error' | 'toldError'> {
  const status = numberIn(attributes, 'status_code', 'http.response.status_code') ?? 0;
  const kind = textIn(attributes, 'error_type', 'error_class', 'error.type') ?? '';
  return { error: failureText(status, kind), ...(told && { toldError: told }) };
}

function failureText(status: number, kind: string): string {
  if (status >= 400 && status <= 599) return `It was answered with ${status}.`;
  // A name of a kind of error is one word; anything longer may be a message.
  return /^[A-Za-z_][\w.:]{0,60}$/.test(kind) ? `It failed: ${kind}.` : 'It failed.';
}

/** The times of a record that is written when what it tells of has ended. */
export function endedAfter({ startedAt: endedAt, attributes }: Reported): { startedAt: number; endedAt: number } {
  return { startedAt: endedAt - (numberIn(attributes, 'duration_ms') ?? 0), endedAt };
}

/** What of these attributes there is, under shorter names. */
export function contentOf(attributes: Attributes, names: Readonly<Record<string, string>>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, attribute]) => {
      const value = attributes[attribute];
      return value === undefined || value === '' || value === '<REDACTED>' ? [] : [[name, value]];
    }),
  );
}

const TOOL_TYPES: readonly [RegExp, ToolType][] = [
  [/^mcp__|^mcp$/, 'mcp'],
  [/^(bash|exec_command|run_shell_command|shell|local_shell|write_stdin|powershell)$/i, 'shell'],
  [/^(read|write|edit|multiedit|notebookedit|apply_patch|read_file|write_file|replace|read_many_files)$/i, 'file'],
  [
    /^(grep|glob|ls|search_file_content|list_directory|websearch|google_web_search|tool_?search|web_search)$/i,
    'search',
  ],
  [/^(webfetch|web_fetch)$/i, 'browser'],
  [/^(agent|task|invoke_agent|spawn_agent|delegate_to_agent)$/i, 'subagent'],
];

export function toolTypeOf(tool: string): ToolType | undefined {
  return TOOL_TYPES.find(([names]) => names.test(tool))?.[1];
}
