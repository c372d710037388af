import { isUtf8 } from 'node:buffer';
import {
  classifyInboundRequest,
  createMcpHandler,
  isJsonContentType,
  type McpHttpHandler,
  type McpServerFactory,
} from '@modelcontextprotocol/server';
import type { Access, Principal } from '../../auth/access.ts';
import type { Config } from '../../config.ts';
import { mayUse, type Scope } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import { createVerdict } from '../../db/verdict.ts';
import type { Log } from '../../log.ts';
import { recordOf } from '../../records.ts';
import { selectTools } from '../../tools/catalog.ts';
import { followsResources, type Message, requiredScopes } from '../mcp/required-scopes.ts';
import { createMcpServer, createRequestServer } from '../mcp/server.ts';
import type { ServerOptions } from '../mcp/server-options.ts';
import { takeBody } from './body.ts';
import type { ConcurrencyLimits } from './concurrency.ts';
import { McpSessions, type SessionLimits } from './mcp-sessions.ts';
import { refusal } from './reply.ts';
import { cutWhenRefused, type OpenRequest } from './request-log.ts';
import { authInfoOf, type Caller, callerOf, createServerOptions, outputAskedIn } from './server-options.ts';
import { SubscriptionEndpoint } from './subscriptions.ts';

const BODY_BYTES_MAX = 1_048_576;
const PARSE_ERROR = -32_700;

export type McpLimits = SessionLimits & ConcurrencyLimits & { recheckMs: number };

type Parts = {
  config: Config;
  log: Log;
  db: Database;
  access: Access;
  limits: McpLimits;
  observe: NonNullable<ServerOptions['observe']>;
  fixtures: ServerOptions['fixtures'];
};

type ServerOptionsOf = ReturnType<typeof createServerOptions>['serverOptionsOf'];
type Asked = { caller: Caller; openRequest: OpenRequest; body: unknown };

/** Serves `/mcp`: each request of the 2026-07-28 protocol by itself, those of the 2025 protocols in their session. */
export class McpEndpoint {
  readonly #parts: Parts;
  readonly #scopes: ReadonlyMap<string, Scope>;
  readonly #leaving = new AbortController();
  readonly #serverOptionsOf: ServerOptionsOf;
  readonly #sessions: McpSessions;
  readonly #stateless: McpHttpHandler;
  readonly #listening: SubscriptionEndpoint;

  constructor(parts: Parts) {
    const { config, log, db, limits, observe, fixtures } = parts;
    const tools = selectTools(config.toolsets, { readOnly: config.readOnly });
    const { serverOptionsOf, leave: left } = createServerOptions({
      config,
      log,
      db,
      observe,
      tools,
      fixtures,
      leaving: this.#leaving.signal,
    });
    const build = (caller: Caller, id: string) => createMcpServer(serverOptionsOf(caller, id));
    const onerror = (error: Error) => log.debug({ err: error }, 'mcp');
    this.#parts = parts;
    this.#scopes = new Map(tools.map((tool) => [tool.name, tool.scope]));
    this.#serverOptionsOf = serverOptionsOf;
    this.#sessions = new McpSessions({ ...limits, build, log, left });
    this.#stateless = createMcpHandler(serverFor(serverOptionsOf), { legacy: 'reject', onerror });
    this.#listening = new SubscriptionEndpoint(onerror);
  }

  get sessionCount(): number {
    return this.#sessions.count;
  }

  async serve(request: Request, openRequest: OpenRequest): Promise<Response> {
    const { access, db, limits } = this.#parts;
    const output = outputAskedIn(request.url);
    if (output === null) return refusal(400, 'output is text, json or both.');
    const peer = { address: openRequest.address };
    const ask = () => access.authenticate(request, peer);
    const cached = access.cachedPrincipal?.(request, peer);
    const first = cached ?? (await ask());
    if (first instanceof Response) return first;
    const body = await bodyOf(request, openRequest);
    const principal = cached === undefined || isProvingCall(request, body, this.#scopes) ? first : await ask();
    if (principal instanceof Response) return principal;
    const { user_id, tenant_id, proof } = principal.actor;
    openRequest.said.user = user_id;
    cutWhenRefused(openRequest, { db, tenant_id, everyMs: limits.recheckMs }, ask);
    const verdict = proof && createVerdict();
    const caller = { principal, verdict, log: openRequest.log, output };
    const answer = body instanceof Response ? body : await this.#dispatch(request, { caller, openRequest, body });
    return verdict === undefined || verdict.holds() ? answer : unlessRefused(answer, await ask());
  }

  /** Ends calls that wait; others go on. */
  drain(): void {
    this.#leaving.abort();
  }

  /** Ends sessions and streams. */
  async close(): Promise<void> {
    await Promise.all([this.#stateless.close(), this.#listening.close(), this.#sessions.close()]);
  }

  async #dispatch(request: Request, { caller, openRequest, body }: Asked): Promise<Response> {
    const { principal } = caller;
    const scopes = this.#scopes;
    const messages: Message[] = Array.isArray(body) ? body : [recordOf(body)];
    describe(messages[0], { said: openRequest.said, scopes });
    const needed = [...new Set(messages.flatMap((message) => requiredScopes(message, scopes)))];
    if (needed.some((scope) => !mayUse(principal.scopes, scope))) return this.#parts.access.challenge(needed);

    const authInfo = authInfoOf(caller);
    const accepted = acceptBoth(request.headers);
    if (isOfSession(request, body)) {
      openRequest.stream = request.method === 'GET';
      return this.#sessions.handle(request, { caller, body, authInfo, accepted, answer: openRequest.outgoing });
    }
    if (messages[0]?.method === 'subscriptions/listen') {
      openRequest.stream = true;
      if (followsResources(messages[0])) {
        const serverOptions = this.#serverOptionsOf(caller, principal.id);
        return this.#listening.serve(request, { serverOptions, body, authInfo });
      }
    }
    return this.#stateless.fetch(request, { parsedBody: body, authInfo });
  }
}

/** Makes the server of each request of the 2026-07-28 protocol. */
function serverFor(serverOptionsOf: ServerOptionsOf): McpServerFactory {
  return ({ authInfo, requestInfo }) => {
    const caller = callerOf(authInfo);
    if (caller === undefined) throw new TypeError('A request without a principal.');
    // The handler has compared these headers with the body.
    const asked = (name: string) => requestInfo?.headers.get(name) ?? '';
    const serverOptions = serverOptionsOf(caller, caller.principal.id);
    return createRequestServer(serverOptions, { method: asked('mcp-method'), name: asked('mcp-name') });
  };
}

/** Reads the body of a request, or refuses its form; GET and DELETE (a stream, a session's end) have no body. */
async function bodyOf(request: Request, { incoming }: OpenRequest): Promise<unknown> {
  const { method, headers } = request;
  if (method === 'GET' || method === 'DELETE') return undefined;
  if (method !== 'POST') return refusal(405, 'Method not allowed.', { headers: { allow: 'GET, POST, DELETE' } });
  if (!isJsonContentType(headers.get('content-type')) || headers.has('content-encoding')) {
    return refusal(415, 'The body must be plain application/json.');
  }
  const bytes = await takeBody(incoming, BODY_BYTES_MAX);
  if (!isUtf8(bytes)) return refusal(400, 'The body is not UTF-8.', { code: PARSE_ERROR });
  try {
    return JSON.parse(await request.text());
  } catch {
    return refusal(400, 'The body is not JSON.', { code: PARSE_ERROR });
  }
}

/**
 * Tells whether the request is a single tool call that asks the database as its actor; what hangs on a role needs a
 * check before.
 */
function isProvingCall(request: Request, body: unknown, scopes: ReadonlyMap<string, Scope>): boolean {
  const { method, params }: Message = recordOf(body);
  const scope = method === 'tools/call' ? scopes.get(String(params?.name)) : undefined;
  return scope !== undefined && scope !== 'admin' && !isOfSession(request, body);
}

/**
 * If the database refused a call, perhaps for its token, or was not asked at all, only a caller who is still admitted
 * gets the answer.
 */
async function unlessRefused(answer: Response, found: Principal | Response): Promise<Response> {
  if (!(found instanceof Response)) return answer;
  await answer.body?.cancel();
  return found;
}

/**
 * Accepts both kinds of answers: the protocol requires it and refuses a request that names one, as clients and proxies
 * nevertheless do. Returns the original header.
 */
function acceptBoth(headers: Headers): string {
  const accepted = headers.get('accept') ?? '*/*';
  headers.set('accept', 'application/json, text/event-stream');
  return accepted;
}

/** Tells whether a request belongs to a session: it lacks a part that every request of the 2026-07-28 protocol has. */
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

/** Describes a request for its line in the log: only in our and the protocol's words. */
function describe(
  message: Message | undefined,
  { said, scopes }: { said: OpenRequest['said']; scopes: ReadonlyMap<string, Scope> },
): void {
  if (typeof message?.method !== 'string' || !/^[\w/]{1,60}$/.test(message.method)) return;
  said.rpc = message.method;
  const name = String(message.params?.name);
  if (said.rpc === 'tools/call' && scopes.has(name)) said.tool = name;
}
