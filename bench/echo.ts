// The bare SDK: one tool that answers with what it was given. What every MCP server on this SDK pays before its own
// work.
import { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

export function createEcho(): McpServer {
  const server = new McpServer({ name: 'echo', version: '1.0.0' });
  server.registerTool(
    'echo',
    { description: 'Answers with the text.', inputSchema: z.object({ text: z.string() }) },
    ({ text }) => ({ content: [{ type: 'text', text }] }),
  );
  return server;
}
