import { createMcpHandler, type McpHttpHandler } from '@modelcontextprotocol/server';
import type { Principal } from '../../auth/access.ts';
import { createMcpServer, type Surface } from '../mcp.ts';
import { resourceBus } from '../subscriptions.ts';
import type { authInfoOf } from './surface.ts';

const STREAMS_MAX = 10_000;
const RECHECK_MS = 60_000;

type Asked = {
  surface: Surface;
  body: unknown;
  authInfo: ReturnType<typeof authInfoOf>;
  /** Asked again while the stream lasts: a grant may end before it. */
  authenticate(): Promise<Principal | Response>;
};

/**
 * `subscriptions/listen` of the 2026-07-28 protocol. Each stream has a bus of its own, which tells what its principal may
 * read: one for all would tell one workspace of another.
 */
export function createListenEndpoint(onerror: (error: Error) => void) {
  const streams = new Set<McpHttpHandler>();

  return {
    async serve(request: Request, { surface, body, authInfo, authenticate }: Asked): Promise<Response> {
      const server = createMcpServer(surface);
      const bus = await resourceBus(await surface.contextOf(server), () => over());
      const maxSubscriptions = streams.size < STREAMS_MAX ? 1 : 0;
      const handler = createMcpHandler(() => server, { legacy: 'reject', bus, maxSubscriptions, onerror });
      const recheck = setInterval(async () => {
        const principal = await authenticate().catch(() => undefined);
        if (principal instanceof Response) await handler.close();
      }, RECHECK_MS);
      recheck.unref();
      function over(): void {
        clearInterval(recheck);
        streams.delete(handler);
      }
      streams.add(handler);
      const response = await handler.fetch(request, { parsedBody: body, authInfo });
      bus.endUnheard();
      return response;
    },
    close: () => Promise.all([...streams].map((handler) => handler.close())),
  };
}
