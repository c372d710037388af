import { type CallToolResult, McpServer, type StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { domainErrorFrom, type ErrorCode } from '../../errors.ts';
import { type JsonSchema, jsonSchemas } from '../../tools/json-schema.ts';
import { renderError } from '../../tools/render.ts';
import { callTool, type Tool } from '../../tools/tool.ts';
import { instructionsFor } from './instructions.ts';
import { givesData, resultOf } from './output.ts';
import { addPrompts } from './prompts.ts';
import { addResources } from './resources.ts';
import type { ServerOptions } from './server-options.ts';
import { addSubscriptions } from './subscriptions.ts';

const MINUTE_MS = 60_000;
// Claude Code shows its model only the names of most tools, until it searches for them.
const LOADED_AT_ONCE = Object.freeze({ 'anthropic/alwaysLoad': true });

/** Makes a server for one connection, of either protocol era. */
export function createMcpServer(serverOptions: ServerOptions): McpServer {
  const server = emptyServer(serverOptions);
  for (const tool of serverOptions.tools) addTool(server, tool, serverOptions);
  addResources(server, serverOptions);
  addSubscriptions(server, serverOptions);
  addPrompts(server, serverOptions);
  serverOptions.fixtures?.add(server);
  return server;
}

/** Makes a server for one request, with only the parts that it needs: more tools cost it nothing. */
export function createRequestServer(
  serverOptions: ServerOptions,
  { method, name }: { method: string; name: string },
): McpServer {
  const tool = method === 'tools/call' && serverOptions.tools.find((known) => known.name === name);
  if (!tool) return createMcpServer(serverOptions);
  const server = emptyServer(serverOptions);
  addTool(server, tool, serverOptions);
  return server;
}

function emptyServer(serverOptions: ServerOptions): McpServer {
  return new McpServer(
    { name: 'cairn', title: 'Cairn', version: serverOptions.version },
    {
      ...serverOptions.fixtures?.options,
      instructions: instructionsFor(serverOptions.tools),
      // The lists are fixed when the process starts.
      capabilities: {
        tools: { listChanged: false },
        prompts: { listChanged: false },
        resources: { listChanged: false, subscribe: true },
      },
      cacheHints: {
        'server/discover': { ttlMs: 60 * MINUTE_MS, cacheScope: 'private' },
        'tools/list': { ttlMs: 5 * MINUTE_MS, cacheScope: 'private' },
        'prompts/list': { ttlMs: 60 * MINUTE_MS, cacheScope: 'public' },
        'resources/templates/list': { ttlMs: 60 * MINUTE_MS, cacheScope: 'public' },
      },
    },
  );
}

function addTool(server: McpServer, tool: Tool, { contextOf, observe, output }: ServerOptions): void {
  server.registerTool(
    tool.name,
    {
      title: tool.title,
      description: tool.description,
      annotations: tool.annotations,
      inputSchema: advertised(() => jsonSchemas(tool).input),
      ...(givesData(output) && { outputSchema: advertised(() => jsonSchemas(tool).output) }),
      ...(tool.alwaysLoaded && { _meta: LOADED_AT_ONCE }),
    },
    async (given, request): Promise<CallToolResult> => {
      const started = performance.now();
      const over = (outcome: 'ok' | ErrorCode) =>
        observe?.({ tool: tool.name, outcome, ms: performance.now() - started });
      try {
        const answer = await callTool(await contextOf(server, request), tool, given);
        over('ok');
        return resultOf(answer, output);
      } catch (thrown) {
        const error = domainErrorFrom(thrown);
        over(error.code);
        return { content: [{ type: 'text', text: renderError(error) }], isError: true };
      }
    },
  );
}

/** Makes a schema that the SDK shows and does not check: `callTool` parses, once, and explains errors in our words. */
function advertised(schema: () => JsonSchema): StandardSchemaWithJSON {
  return {
    '~standard': {
      version: 1,
      vendor: 'cairn',
      validate: (value) => ({ value }),
      jsonSchema: { input: schema, output: schema },
    },
  };
}
