import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import type { Access } from '../../auth/access.ts';
import { type Config, isLoopback } from '../../config.ts';
import type { Database } from '../../db/database.ts';
import { DomainError, domainErrorFrom, ERROR_CODES, messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { SendOn } from '../../telemetry/send-on.ts';
import type { Fixtures } from '../mcp/server-options.ts';
import { type DiscardLimits, discardBody } from './body.ts';
import { limitConcurrency } from './concurrency.ts';
import { createReadiness } from './health.ts';
import type { JobsSeen } from './jobs.ts';
import { McpEndpoint, type McpLimits } from './mcp.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createOriginPolicy } from './origin-policy.ts';
import { OtlpEndpoint } from './otlp.ts';
import type { OtlpLimits } from './otlp-limits.ts';
import { refusal } from './reply.ts';
import { type OpenRequest, RequestLog } from './request-log.ts';
import { createRouter } from './router.ts';
import { RunnerEndpoint } from './runner.ts';

type HttpLimits = McpLimits & OtlpLimits & DiscardLimits & { drainMs: number; headersMs: number };

export type HttpParts = {
  config: Config;
  log: Log;
  db: Database;
  access: Access;
  limits?: Partial<HttpLimits>;
  fixtures?: Fixtures;
  jobs?: JobsSeen;
  /** Where steps are sent on to. */
  sendOn?: SendOn | undefined;
};

const LIMITS: HttpLimits = {
  sessionsMax: 2_000,
  idleMs: 30 * 60_000,
  recheckMs: 5_000,
  callsMax: Number.POSITIVE_INFINITY,
  grantMax: Number.POSITIVE_INFINITY,
  waitingMax: { grant: 250, user: 500, all: 2_000 },
  waitMs: 10_000,
  drainMs: 10_000,
  headersMs: 10_000,
  discardBytesMax: 16_777_216,
  discardMs: 5_000,
  reportsPerMinute: 1_200,
  reportBytesMax: { token: 33_554_432, all: 134_217_728 },
};
const HEADERS_BYTES_MAX = 16_384;
const REQUEST_MS_MAX = 30_000;
const TIMEOUT_CHECK_MS_MAX = 2_000;
// Longer than the proxies in front wait, so that they never use a connection that is just closing.
const KEEP_ALIVE_MS = 75_000;
const STREAM_END_MS_MAX = 1_000;

/** Refuses to serve other machines without authorization. */
export function refuseUnprotectedHost({ host, auth, publicUrl }: Config): void {
  const isLocal = isLoopback(host) && (publicUrl === undefined || isLoopback(new URL(publicUrl).hostname));
  if (auth || isLocal) return;
  throw new DomainError('invalid_input', 'Without authorization Cairn serves only this machine.', {
    hint: 'Start it with --auth, or with --host 127.0.0.1 and no --public-url of another machine.',
  });
}

/** Serves `/mcp`, the paths of runners and of OTLP, what `access` brings, `/healthz`, `/readyz` and `/metrics` until it is closed. */
export async function serveHttp({ limits: given = {}, ...parts }: HttpParts): Promise<HttpServer> {
  refuseUnprotectedHost(parts.config);
  const limits = { ...LIMITS, ...given };
  const server = await listen(parts.config, limits);
  try {
    return new HttpServer(server, { ...parts, limits });
  } catch (error) {
    // Such as a toolset that there is not: the port is free again, and the process may end.
    server.close();
    throw error;
  }
}

export class HttpServer {
  /** The address it listens on, and by which clients reach it. */
  readonly address: { host: string; port: number };
  readonly publicUrl: URL;
  readonly #server: Server;
  readonly #limits: HttpLimits;
  readonly #requestLog: RequestLog;
  readonly #metrics: Metrics;
  readonly #mcp: McpEndpoint;
  readonly #runner: RunnerEndpoint;
  readonly #route: ReturnType<typeof createRouter>;
  #draining = false;

  constructor(server: Server, { limits, ...parts }: HttpParts & { limits: HttpLimits }) {
    const { config, log, access, jobs, sendOn } = parts;
    const db = limitConcurrency(parts.db, limits);
    const works = () => jobs?.worker?.isAlive() ?? true;
    const { host } = config;
    const { port } = server.address() as AddressInfo;
    const isReady = createReadiness(parts.db);
    this.address = { host, port };
    this.publicUrl = new URL(config.publicUrl ?? `http://${hostInUrl(host)}:${port}`);
    this.#server = server;
    this.#limits = limits;
    this.#requestLog = new RequestLog(log, config.trustedProxies);
    this.#metrics = createMetrics({
      requests: () => this.#requestLog.count({ streams: false }),
      streams: () => this.#requestLog.count({ streams: true }),
      sessions: () => this.#mcp.sessionCount,
      jobs,
    });
    this.#mcp = new McpEndpoint({ ...parts, db, limits, observe: this.#metrics.call, fixtures: parts.fixtures });
    this.#runner = new RunnerEndpoint({ access, db, sendOn });
    this.#route = createRouter({
      originPolicy: createOriginPolicy(config, this.publicUrl),
      mcp: this.#mcp,
      runner: this.#runner,
      otlp: new OtlpEndpoint({ access, db, limits, sendOn }),
      access,
      metrics: this.#metrics,
      isReady: async () => !this.#draining && works() && (await isReady()),
      works,
    });
    server.on(
      'request',
      getRequestListener((request, bindings) => this.#answer(request, bindings as HttpBindings)),
    );
  }

  /** Accepts no more requests, lets those in flight finish, and resolves when all have ended. */
  async close(): Promise<void> {
    this.#draining = true;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#mcp.drain();
    this.#runner.drain();
    await this.#requestLog.finish(this.#limits.drainMs, { streams: false });
    await this.#mcp.close();
    await this.#requestLog.finish(STREAM_END_MS_MAX, { streams: true });
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: Request, { incoming, outgoing }: HttpBindings): Promise<Response> {
    const openRequest = this.#requestLog.begin(incoming, outgoing, this.#metrics);
    if (this.#draining) outgoing.setHeader('connection', 'close');
    const response = await this.#route(request, openRequest).catch((error: unknown) => failed(error, openRequest));
    await discardBody(incoming, this.#limits);
    return response;
  }
}

async function listen({ host, port }: Config, { headersMs }: HttpLimits): Promise<Server> {
  const server = createServer({
    maxHeaderSize: HEADERS_BYTES_MAX,
    headersTimeout: headersMs,
    requestTimeout: REQUEST_MS_MAX,
    connectionsCheckingInterval: Math.min(headersMs, TIMEOUT_CHECK_MS_MAX),
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    throw new DomainError('unavailable', `Cannot listen on ${hostInUrl(host)}:${port}: ${messageOf(error)}.`, {
      hint: 'Choose another with --host and --port.',
      retryable: false,
      cause: error,
    });
  }
}

function failed(error: unknown, { log, outgoing, incoming, said }: OpenRequest): Response {
  // Nobody is left to answer.
  if (incoming.errored !== null || outgoing.destroyed) return new Response(null, { status: 400 });
  const failure = domainErrorFrom(error);
  if (failure.code === 'internal') log.error({ err: failure.cause ?? error }, 'request failed');
  const { status } = ERROR_CODES[failure.code];
  const isTooLarge = failure.code === 'payload_too_large';
  const headers = {
    ...(isTooLarge && { connection: 'close' }),
    ...((status === 429 || status === 503) && { 'retry-after': '1' }),
  };
  if (isTooLarge && said.route === '/mcp') {
    return refusal(status, `${failure.message} ${failure.hint}`, { headers });
  }
  const hint = failure.hint === null ? {} : { hint: failure.hint };
  return Response.json({ error: failure.code, message: failure.message, ...hint }, { status, headers });
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
