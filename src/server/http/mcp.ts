import { classifyInboundRequest, createMcpHandler, isJsonContentType } from '@modelcontextprotocol/server';
import type { Access, Principal } from '../../auth/access.ts';
import type { Config } from '../../config.ts';
import { mayUse, type Scope } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import type { Log } from '../../log.ts';
import { selectTools } from '../../tools/catalog.ts';
import { CONFORMANCE, createFixtures } from '../conformance/fixtures.ts';
import { createMcpServer, createRequestServer, type Surface } from '../mcp.ts';
import { takeBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { createListenEndpoint } from './listen.ts';
import { refusal } from './reply.ts';
import { createSessions, type SessionLimits } from './sessions.ts';
import { authInfoOf, callerOf, createSurfaces } from './surface.ts';

const BODY_BYTES_MAX = 1_048_576;
const PARSE_ERROR = -32_700;

type Parts = {
  config: Config;
  log: Log;
  db: Database;
  access: Access;
  limits: SessionLimits;
  observe: NonNullable<Surface['observe']>;
};

export type McpEndpoint = ReturnType<typeof createMcpEndpoint>;

type Message = { method?: unknown; params?: { name?: unknown; notifications?: { resourceSubscriptions?: unknown } } };
type Asked = { principal: Principal; exchange: Exchange; body: unknown };

/** `/mcp`: each request of the 2026-07-28 protocol on its own, those of the 2025 protocols in their session. */
export function createMcpEndpoint({ config, log, db, access, limits, observe }: Parts) {
  const toolsets = config.toolsets.filter((name) => name !== CONFORMANCE);
  const tools = selectTools(toolsets, { readOnly: config.readOnly });
  const fixtures = toolsets.length < config.toolsets.length ? createFixtures() : undefined;
  const scopes = new Map(tools.map((tool) => [tool.name, tool.scope]));
  const leaving = new AbortController();
  const surfaceOf = createSurfaces({ config, log, db, observe, tools, fixtures, leaving: leaving.signal });
  const sessions = createSessions((principal, id) => createMcpServer(surfaceOf(principal, id)), { ...limits, log });
  const onerror = (error: Error) => log.debug({ err: error }, 'mcp');
  const stateless = createMcpHandler(
    ({ authInfo, requestInfo }) => {
      const caller = callerOf(authInfo);
      if (caller === undefined) throw new TypeError('A request without a principal.');
      // The handler has compared these headers with the body.
      const asked = (name: string) => requestInfo?.headers.get(name) ?? '';
      const surface = surfaceOf(caller.principal, caller.principal.id);
      return createRequestServer(surface, { method: asked('mcp-method'), name: asked('mcp-name') });
    },
    { legacy: 'reject', onerror },
  );
  const listening = createListenEndpoint(onerror);

  async function dispatch(request: Request, { principal, exchange, body }: Asked): Promise<Response> {
    const messages = (Array.isArray(body) ? body : [body]) as Message[];
    describe(messages[0], { said: exchange.said, scopes });
    const missing = lacking(messages, { principal, scopes });
    if (missing.length > 0) return access.challenge(missing);

    const authInfo = authInfoOf({ principal, log: exchange.log });
    if (isOfSession(request, body)) {
      exchange.stream = request.method === 'GET';
      const whenOver = (run: () => void) => void exchange.outgoing.once('close', run);
      return sessions.handle(request, { principal, body, authInfo, whenOver });
    }
    exchange.stream = messages[0]?.method === 'subscriptions/listen';
    if (exchange.stream && followsResources(messages[0])) {
      const surface = surfaceOf(principal, principal.id);
      const authenticate = () => access.authenticate(request, { address: exchange.address });
      return listening.serve(request, { surface, body, authInfo, authenticate });
    }
    return stateless.fetch(request, { parsedBody: body, authInfo });
  }

  return {
    async serve(request: Request, exchange: Exchange): Promise<Response> {
      const principal = await access.authenticate(request, { address: exchange.address });
      if (principal instanceof Response) return principal;
      exchange.said.user = principal.actor.user_id;
      const { method, headers } = request;
      if (method === 'GET' || method === 'DELETE') return dispatch(request, { principal, exchange, body: undefined });
      if (method !== 'POST') return refusal(405, 'Method not allowed.', { headers: { allow: 'GET, POST, DELETE' } });
      if (!isJsonContentType(headers.get('content-type')) || headers.has('content-encoding')) {
        return refusal(415, 'The body must be plain application/json.');
      }
      await takeBody(exchange.incoming, BODY_BYTES_MAX);
      const body = parse(await request.text());
      if (body === undefined) return refusal(400, 'The body is not JSON.', { code: PARSE_ERROR });
      return dispatch(request, { principal, exchange, body });
    },
    sessionCount: sessions.count,
    /** Ends what waits; calls go on. */
    drain: () => leaving.abort(),
    /** Ends sessions and streams. */
    async close(): Promise<void> {
      await Promise.all([stateless.close(), listening.close(), sessions.close()]);
    },
  };
}

/** By what no request of the 2026-07-28 protocol lacks. */
function isOfSession({ method, headers }: Request, body: unknown): boolean {
  const [version, rpc, name] = ['mcp-protocol-version', 'mcp-method', 'mcp-name'].map((header) => headers.get(header));
  const route = classifyInboundRequest({
    httpMethod: method,
    ...(version && { protocolVersionHeader: version }),
    ...(rpc && { mcpMethodHeader: rpc }),
    ...(name && { mcpNameHeader: name }),
    ...(body !== undefined && { body }),
  });
  return route.kind === 'legacy';
}

/** Of all that a client may listen for, resources are what changes here. */
function followsResources(message: Message | undefined): boolean {
  return Array.isArray(message?.params?.notifications?.resourceSubscriptions);
}

type Scopes = ReadonlyMap<string, Scope>;

/** The scopes that a principal lacks for what it asks. */
function lacking(
  messages: readonly Message[],
  { principal, scopes }: { principal: Principal; scopes: Scopes },
): Scope[] {
  const calls = messages.filter((message) => message?.method === 'tools/call');
  const needed = new Set(calls.map(({ params }) => scopes.get(String(params?.name))));
  return [...needed].filter((scope) => scope !== undefined).filter((scope) => !mayUse(principal.scopes, scope));
}

/** What a request asks, for its line in the log: words of ours and of the protocol alone. */
function describe(message: Message | undefined, { said, scopes }: { said: Exchange['said']; scopes: Scopes }): void {
  if (typeof message?.method !== 'string' || !/^[\w/]{1,60}$/.test(message.method)) return;
  said.rpc = message.method;
  const name = String(message.params?.name);
  if (said.rpc === 'tools/call' && scopes.has(name)) said.tool = name;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
