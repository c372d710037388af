import { claude } from './dialects/claude.ts';
import { codex } from './dialects/codex.ts';
import { gemini } from './dialects/gemini.ts';
import { genAi } from './dialects/gen-ai.ts';
import type { Reported } from './otlp.ts';
import { type Dialect, textIn } from './step.ts';

/**
 * A program that reports: as its agent is called and of what type it is, how its reports are read, and the attributes
 * that name a session. A sub-agent of Claude Code has a conversation of its own in the session of all.
 */
export type Program = { program: string; type: string; dialect: Dialect; sessions: readonly string[] };

const KNOWN: readonly [RegExp, Program][] = [
  [/^claude[-_]code\b/, { program: 'claude-code', type: 'claude', dialect: claude, sessions: ['session.id'] }],
  [/^codex(?![a-z])/, { program: 'codex', type: 'codex', dialect: codex, sessions: ['conversation.id'] }],
  [/^gemini[-_]cli\b/, { program: 'gemini-cli', type: 'gemini', dialect: gemini, sessions: ['session.id'] }],
];
const SESSIONS = ['gen_ai.conversation.id', 'session.id'];
const OTHER = 'program';
const PROGRAM_MAX = 40;

const found = new WeakMap<Reported, Program>();

/** Which program reports: by its service, which a person may have named, or else by what it calls its own. */
export function programOf(reported: Reported): Program {
  const program = found.get(reported) ?? findProgram(reported);
  found.set(reported, program);
  return program;
}

function findProgram({ name, text, resource }: Reported): Program {
  const service = textIn(resource, 'service.name') ?? '';
  const known = KNOWN.find(([names]) => [service, name, text ?? ''].some((word) => names.test(word)));
  return known?.[1] ?? { program: nameOf(service), type: 'other', dialect: genAi, sessions: SESSIONS };
}

/** Reads what any program reports. */
export const anyDialect: Dialect = (reported) => programOf(reported).dialect(reported);

/** A name that an agent may have. */
function nameOf(service: string): string {
  const name = service
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, PROGRAM_MAX);
  // `all` and `system` mean something else, and a UUID is an id.
  return /^(all|system)?$|^[0-9a-f-]{32,}$/.test(name) ? OTHER : name;
}
