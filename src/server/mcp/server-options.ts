import type { McpServer, McpServerOptions, ServerContext } from '@modelcontextprotocol/server';
import type { Output } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Tool } from '../../tools/tool.ts';

/** The tools, prompts and options that protocol tests add to a server. */
export type Fixtures = { options: McpServerOptions; add(server: McpServer): void };

export type ServerOptions = {
  version: string;
  tools: readonly Tool[];
  output: Output;
  /** The caller of a request; without a request, the connected one. */
  contextOf(server: McpServer, request?: ServerContext): Promise<Context>;
  /** The calls of the conformance suite, if it is served. */
  fixtures?: Fixtures | undefined;
  /** Called after each tool call. */
  observe?(call: { tool: string; outcome: 'ok' | ErrorCode; ms: number }): void;
};
