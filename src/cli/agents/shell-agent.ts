import type { Config } from '../../config.ts';
import { agentName } from '../../server/mcp/agent-name.ts';
import { DIALECTS } from '../hook/dialects.ts';

/** An agent in whose shell this process runs, and its client. */
export type ShellAgent = { name: string; client: string };

type Sign = {
  client: string;
  /** Any of them set says that an agent has started this process. */
  variables: readonly string[];
  /** The variable that names its session. */
  session?: string;
  sessionPart?: (session: string) => string;
};

// What the clients set where they run a command, and nowhere else: Cursor's CURSOR_TRACE_ID is in a person's terminal too.
const SIGNS: readonly Sign[] = [
  {
    client: DIALECTS['claude-code'].name,
    variables: ['CLAUDECODE', 'CLAUDE_CODE_SESSION_ID'],
    session: 'CLAUDE_CODE_SESSION_ID',
    sessionPart: DIALECTS['claude-code'].sessionPart,
  },
  {
    client: DIALECTS.codex.name,
    variables: ['CODEX_SESSION_ID', 'CODEX_THREAD_ID', 'CODEX_TOOL_CALL_ID', 'CODEX_CI', 'CODEX_SANDBOX'],
    session: 'CODEX_SESSION_ID',
    sessionPart: DIALECTS.codex.sessionPart,
  },
  { client: DIALECTS.gemini.name, variables: ['GEMINI_CLI', 'GEMINI_SESSION_ID'] },
  { client: DIALECTS.cursor.name, variables: ['CURSOR_AGENT'] },
  { client: 'agent', variables: ['AI_AGENT', 'CAIRN_RUN'] },
];

/** What tells that an agent has started this process, or names it. */
export const AGENT_VARIABLES: readonly string[] = [
  'CAIRN_AGENT',
  ...SIGNS.flatMap(({ variables, session }) => [...variables, ...(session === undefined ? [] : [session])]),
];

/**
 * The agent that has started this process, or that was named; undefined where a person types. What an agent types is no
 * person's order, even where nobody told it a name.
 */
export function shellAgent({ agent }: Pick<Config, 'agent'>, env: NodeJS.ProcessEnv): ShellAgent | undefined {
  const sign = SIGNS.find(({ variables }) => variables.some((name) => env[name]));
  if (sign === undefined) return agent === undefined ? undefined : { name: agent, client: 'cli' };
  const { client, session = '', sessionPart = (id) => id } = sign;
  const id = env[session];
  return { name: agent ?? (id ? agentName(client, sessionPart(id)) : client), client };
}
