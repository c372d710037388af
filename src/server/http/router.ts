import { Hono } from 'hono';
import type { Access } from '../../auth/access.ts';
import { DomainError } from '../../errors.ts';
import { takeBody } from './body.ts';
import type { McpEndpoint } from './mcp.ts';
import type { Metrics } from './metrics.ts';
import type { OriginPolicy } from './origin-policy.ts';
import { type OtlpEndpoint, signalAt } from './otlp.ts';
import { refusal } from './reply.ts';
import { type OpenRequest, PROBES } from './request-log.ts';
import type { RunnerEndpoint } from './runner.ts';

type Places = {
  originPolicy: OriginPolicy;
  mcp: McpEndpoint;
  runner: RunnerEndpoint;
  otlp: OtlpEndpoint;
  access: Access;
  metrics: Metrics;
  isReady: () => Promise<boolean>;
  /** Tells whether the worker of this process, if it has one, goes on. */
  works: () => boolean;
};

const BODY_BYTES_MAX = 32_768;
const RUNNER_PATHS = '/api/v1/runner/';
const EXPOSED = 'mcp-session-id, www-authenticate, x-request-id';
const PREFLIGHT = {
  'access-control-allow-methods': 'GET, POST, DELETE',
  'access-control-allow-headers':
    'authorization, content-type, cairn-agent, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id',
  'access-control-max-age': '600',
};

/** Routes each request. Probes may use any host name; all else needs ours. */
export function createRouter({ originPolicy, mcp, runner, otlp, access, metrics, isReady, works }: Places) {
  // The path as it was sent: what a proxy in front blocks by its path must not come in by another spelling.
  const app = new Hono<{ Bindings: OpenRequest }>({ getPath: pathOf });
  app.all('/healthz', () =>
    works() ? new Response('ok\n') : new Response('the worker stands still\n', { status: 503 }),
  );
  app.all('/readyz', async () =>
    (await isReady()) ? new Response('ready\n') : new Response('the database is away\n', { status: 503 }),
  );
  app.all('/metrics', async ({ env }) => {
    if (!originPolicy.showsMetrics(env.incoming)) return new Response('Not found\n', { status: 404 });
    return new Response(await metrics.text(), { headers: { 'content-type': metrics.contentType } });
  });
  app.use(async ({ env }, next) => {
    await takeBody(env.incoming, BODY_BYTES_MAX);
    env.said.route = 'pages';
    return next();
  });
  app.route('/', access.routes);
  app.notFound(({ env }) => {
    env.said.route = 'none';
    return new Response('Not found. MCP is served at /mcp.\n', { status: 404 });
  });
  // The server answers errors, those of `/mcp` too.
  app.onError((error) => {
    throw error;
  });

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
    const path = pathOf(request);
    const { said, incoming } = openRequest;
    if (PROBES.has(path)) said.route = path;
    else if (!originPolicy.opensTo(incoming.headers.host)) {
      return refusal(421, 'This server does not go by that name. Its --public-url is the name it goes by.');
    }
    if (path.startsWith(RUNNER_PATHS)) {
      if (!originPolicy.letsIn(request.headers.get('origin'))) throw foreignPage();
      return runner.serve(request, { openRequest, name: path.slice(RUNNER_PATHS.length) });
    }
    const signal = signalAt(path);
    if (signal !== undefined) {
      if (!originPolicy.letsIn(request.headers.get('origin'))) throw foreignPage();
      return otlp.serve(request, { signal, openRequest });
    }
    if (path !== '/mcp' && path !== '/mcp/') return app.fetch(request, openRequest);
    said.route = '/mcp';
    return serveMcp(request, openRequest);
  };
}

function foreignPage(): DomainError {
  return new DomainError('forbidden', 'Pages of this origin may not call this server.');
}

function pathOf({ url }: Request): string {
  return new URL(url).pathname;
}
