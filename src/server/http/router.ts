import type { Access } from '../../auth/access.ts';
import { takeBody } from './body.ts';
import type { McpEndpoint } from './mcp.ts';
import type { Metrics } from './metrics.ts';
import type { Doors } from './origin-policy.ts';
import { refusal } from './reply.ts';
import type { Exchange } from './request-log.ts';

type Places = {
  doors: Doors;
  mcp: McpEndpoint;
  access: Access;
  metrics: Metrics;
  isReady: () => Promise<boolean>;
};

const BODY_BYTES_MAX = 32_768;
const EXPOSED = 'mcp-session-id, www-authenticate, x-request-id';
const PREFLIGHT = {
  'access-control-allow-methods': 'GET, POST, DELETE',
  'access-control-allow-headers':
    'authorization, content-type, cairn-agent, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id',
  'access-control-max-age': '600',
};

/** Brings each request to its place. Probes come by any name; everything else by ours. */
export function createRouter({ doors, mcp, access, metrics, isReady }: Places) {
  async function own(path: string, exchange: Exchange): Promise<Response | undefined> {
    switch (path) {
      case '/healthz':
        return new Response('ok\n');
      case '/readyz':
        return (await isReady()) ? new Response('ready\n') : new Response('the database is away\n', { status: 503 });
      case '/metrics':
        if (!doors.showsMetrics(exchange.incoming)) return new Response('Not found\n', { status: 404 });
        return new Response(await metrics.text(), { headers: { 'content-type': metrics.contentType } });
      default:
        return undefined;
    }
  }

  async function serveMcp(request: Request, exchange: Exchange): Promise<Response> {
    const origin = request.headers.get('origin');
    if (!doors.letsIn(origin)) return refusal(403, 'Pages of this origin may not call this server.');
    if (doors.shares(origin)) {
      exchange.outgoing.setHeader('access-control-allow-origin', origin);
      exchange.outgoing.setHeader('access-control-expose-headers', EXPOSED);
      exchange.outgoing.setHeader('vary', 'Origin');
      if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers: PREFLIGHT });
    }
    return mcp.serve(request, exchange);
  }

  return async (request: Request, exchange: Exchange): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const { said } = exchange;
    const served = await own(pathname, exchange);
    if (served !== undefined) {
      said.route = pathname;
      return served;
    }
    if (!doors.opensTo(exchange.incoming.headers.host)) {
      return refusal(421, 'This server does not go by that name. Its --public-url is the name it goes by.');
    }
    if (pathname === '/mcp' || pathname === '/mcp/') {
      said.route = '/mcp';
      return serveMcp(request, exchange);
    }
    await takeBody(exchange.incoming, BODY_BYTES_MAX);
    for (const route of access.routes) {
      const response = await route(request, { address: exchange.address });
      if (response === undefined) continue;
      said.route = 'pages';
      return response;
    }
    return new Response('Not found. MCP is served at /mcp.\n', { status: 404 });
  };
}
