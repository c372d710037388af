import { createMcpHandler, type McpHttpHandler } from '@modelcontextprotocol/server';
import { createMcpServer } from '../mcp/server.ts';
import type { ServerOptions } from '../mcp/server-options.ts';
import { resourceBus } from '../mcp/subscriptions.ts';
import type { authInfoOf } from './server-options.ts';

const STREAMS_MAX = 10_000;

type Asked = {
  serverOptions: ServerOptions;
  body: unknown;
  authInfo: ReturnType<typeof authInfoOf>;
};

/**
 * Serves `subscriptions/listen` of the 2026-07-28 protocol. Each stream has its own bus, which announces only what its
 * principal may read: a shared one would tell one workspace of another.
 */
export class SubscriptionEndpoint {
  readonly #streams = new Set<McpHttpHandler>();
  readonly #onerror: (error: Error) => void;

  constructor(onerror: (error: Error) => void) {
    this.#onerror = onerror;
  }

  async serve(request: Request, { serverOptions, body, authInfo }: Asked): Promise<Response> {
    const streams = this.#streams;
    const server = createMcpServer(serverOptions);
    const bus = await resourceBus(await serverOptions.contextOf(server), () => streams.delete(handler));
    const maxSubscriptions = streams.size < STREAMS_MAX ? 1 : 0;
    const handler = createMcpHandler(() => server, { legacy: 'reject', bus, maxSubscriptions, onerror: this.#onerror });
    streams.add(handler);
    const response = await handler.fetch(request, { parsedBody: body, authInfo });
    bus.endUnheard();
    return response;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#streams].map((handler) => handler.close()));
  }
}
