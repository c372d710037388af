import { expect, test } from 'vitest';
import { shellAgent } from '../../src/cli/agents/shell-agent.ts';

const ID = 'a1b2c3d4-0000-4000-8000-00000000e5f6';

test.each([
  ['Claude Code', { CLAUDECODE: '1', CLAUDE_CODE_SESSION_ID: ID }, 'claude-code#a1b2'],
  ['Codex', { CODEX_SESSION_ID: ID, CODEX_TOOL_CALL_ID: 'call_2' }, 'codex#e5f6'],
  ['Codex, which names no session', { CODEX_CI: '1' }, 'codex'],
  ['Gemini CLI', { GEMINI_CLI: '1' }, 'gemini-cli'],
  ["Cursor's agent", { CURSOR_AGENT: '1' }, 'cursor'],
  ['an agent that a runner drives', { CAIRN_RUN: 'x' }, 'agent'],
  ['another agent', { AI_AGENT: 'goose' }, 'agent'],
])('a shell of %s acts as that agent', (_, env, name) => {
  expect(shellAgent({ agent: undefined }, env)?.name).toBe(name);
  expect(shellAgent({ agent: 'ada' }, env)?.name).toBe('ada');
});

test.each([
  ['nothing', {}],
  ["a client's settings alone", { CODEX_HOME: '/x', GEMINI_API_KEY: 'x', CURSOR_TRACE_ID: 'x', CLAUDECODE: '' }],
])('a shell with %s is of a person', (_, env) => {
  expect(shellAgent({ agent: undefined }, env)).toBeUndefined();
  expect(shellAgent({ agent: 'ada' }, env)).toEqual({ name: 'ada', client: 'cli' });
});
