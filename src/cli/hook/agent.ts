import type { Config } from '../../config.ts';
import { agentName } from '../../server/mcp/agent-name.ts';
import { DIALECTS, type HookClient } from './dialects.ts';
import type { HookInput } from './input.ts';

/** One hook of a client's session. */
export type Hooked = { client: HookClient; input: HookInput; config: Config };

export function agentOf({ client, input, config }: Hooked): string {
  const { name, sessionPart } = DIALECTS[client];
  return config.agent ?? agentName(name, sessionPart(input.session ?? 'hook'));
}
