import { CLIENT_INFO_META_KEY, type McpServer, type ServerContext } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { cleanName } from '../../text.ts';

const CHARACTERS_MAX = 60;

const Envelope = z.object({ [CLIENT_INFO_META_KEY]: z.object({ name: z.string() }).optional() });

/** Returns the client's name: sent with each request, or in the older protocol at connection. */
export function clientName(server: McpServer, request?: ServerContext): string {
  const envelope = Envelope.safeParse(request?.mcpReq.envelope).data;
  const info = envelope?.[CLIENT_INFO_META_KEY] ?? server.server.getClientVersion();
  return nameOf(info?.name ?? '').replace(/-mcp-client$/, '') || 'agent';
}

/** Cleans a client's own name for logs and sentences. */
export function nameOf(given: string): string {
  return cleanName(given, CHARACTERS_MAX)
    .replace(/[^\w.@-]+/g, '-')
    .slice(0, CHARACTERS_MAX);
}
