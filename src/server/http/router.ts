import type { Access } from '../../auth/access.ts';
import { takeBody } from './body.ts';
import type { McpEndpoint } from './mcp.ts';
import type { Metrics } from './metrics.ts';
import type { OriginPolicy } from './origin-policy.ts';
import { refusal } from './reply.ts';
import type { OpenRequest } from './request-log.ts';

type Places = {
  originPolicy: OriginPolicy;
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

/** Routes each request. Probes may use any host name; all else needs ours. */
export function createRouter({ originPolicy, mcp, access, metrics, isReady }: Places) {
  async function own(path: string, openRequest: OpenRequest): Promise<Response | undefined> {
    switch (path) {
      case '/healthz':
        return new Response('ok\n');
      case '/readyz':
        return (await isReady()) ? new Response('ready\n') : new Response('the database is away\n', { status: 503 });
      case '/metrics':
        if (!originPolicy.showsMetrics(openRequest.incoming)) return new Response('Not found\n', { status: 404 });
        return new Response(await metrics.text(), { headers: { 'content-type': metrics.contentType } });
      default:
        return undefined;
    }
  }

  async function serveMcp(request: Request, openRequest: OpenRequest): Promise<Response> {
    const origin = request.headers.get('origin');
    if (!originPolicy.letsIn(origin)) return refusal(403, 'Pages of this origin may not call this server.');
    if (originPolicy.shares(origin)) {
      openRequest.outgoing.setHeader('access-control-allow-origin', origin);
      openRequest.outgoing.setHeader('access-control-expose-headers', EXPOSED);
      openRequest.outgoing.setHeader('vary', 'Origin');
      if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers: PREFLIGHT });
    }
    return mcp.serve(request, openRequest);
  }

  return async (request: Request, openRequest: OpenRequest): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const { said } = openRequest;
    const served = await own(pathname, openRequest);
    if (served !== undefined) {
      said.route = pathname;
      return served;
    }
    if (!originPolicy.opensTo(openRequest.incoming.headers.host)) {
      return refusal(421, 'This server does not go by that name. Its --public-url is the name it goes by.');
    }
    if (pathname === '/mcp' || pathname === '/mcp/') {
      said.route = '/mcp';
      return serveMcp(request, openRequest);
    }
    await takeBody(openRequest.incoming, BODY_BYTES_MAX);
    for (const route of access.routes) {
      const response = await route(request, { address: openRequest.address });
      if (response === undefined) continue;
      said.route = 'pages';
      return response;
    }
    return new Response('Not found. MCP is served at /mcp.\n', { status: 404 });
  };
}
